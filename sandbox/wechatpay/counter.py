"""What every part of WeChat Pay stands on: the merchant, the keys, the books, the door, and the form of answers."""

from __future__ import annotations

import json
import secrets
from typing import Any

from flask import Response, request
from werkzeug.exceptions import HTTPException

from sandbox.system import System, World
from sandbox.wechatpay.book import Book
from sandbox.wechatpay.guard import Guard, Refused
from sandbox.wechatpay.keys import Keys
from sandbox.wechatpay.models import param_error
from sandbox.wechatpay.notices import Notices


class Counter(System):
    """One merchant's counter: checks every call's signature, signs every answer; it has no operations yet.

    ``api_v3_key`` has 32 bytes. Keys are PEM texts. Raises ValueError for keys it cannot use.
    """

    name = "wechatpay"

    def __init__(
        self, world: World, *, app_id: str, merchant_id: str, merchant_serial: str,
        merchant_public_key_pem: str, platform_private_key_pem: str, public_key_id: str, api_v3_key: str,
    ) -> None:
        super().__init__(world)
        self.app_id = app_id
        self.merchant_id = merchant_id
        self.keys = Keys(
            merchant_public_key_pem=merchant_public_key_pem,
            platform_private_key_pem=platform_private_key_pem,
            public_key_id=public_key_id, api_v3_key=api_v3_key,
        )
        self.book = Book()
        self.notices = Notices(world, self.keys)
        self._guard = Guard(self.keys, merchant_id, merchant_serial)
        self.app.before_request(self._authenticate)
        self.app.register_error_handler(Refused, self._refused)
        self.app.register_error_handler(HTTPException, self._http_error)
        self.add_operations()

    def add_operations(self) -> None:
        """Subclasses add theirs."""

    # -- answers --------------------------------------------------------------------------------
    def answer(self, body: dict[str, Any], status: int = 200) -> Response:
        """A JSON answer in WeChat Pay's form."""
        text = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
        return Response(text, status=status, content_type="application/json; charset=utf-8")

    def refusal(self, code: str, message: str, status: int) -> Response:
        """{"code", "message"} with ``status``."""
        return self.answer({"code": code, "message": message}, status)

    def seal(self, response: Response) -> Response:
        """Sign the answer, errors and empty ones too; not a bill file, as documented."""
        if self.operation() == "download_bill" and response.status_code == 200:
            return response
        response.headers.update(self.keys.stamp(response.get_data(), self.clock.now()))
        response.headers["Request-ID"] = secrets.token_hex(16).upper()
        return response

    def check_merchant(self, merchant_id: str | None, field: str, location: str) -> None:
        """Raises Refused (400 PARAM_ERROR) unless it is the merchant who signed."""
        if merchant_id != self.merchant_id:
            raise param_error(field, "is not the merchant who signed", location)

    def _authenticate(self) -> None:
        body = request.get_data()
        target = request.environ["RAW_URI"]
        with self.lock:
            self._guard.check(
                request.headers.get("Authorization", ""), request.method, target, body, self.clock.timestamp()
            )

    def _refused(self, error: Refused) -> Response:
        self.note(code=error.code)
        body: dict[str, Any] = {"code": error.code, "message": error.message}
        if error.detail:
            body["detail"] = error.detail
        return self.answer(body, error.status)

    def too_large(self, error: HTTPException) -> Response:
        """As every other error of HTTP."""
        return self._http_error(error)

    def _http_error(self, error: HTTPException) -> Response:
        status = error.code or 500
        code = {404: "RESOURCE_NOT_EXISTS", 500: "SYSTEM_ERROR"}.get(status, "INVALID_REQUEST")
        return self.refusal(code, error.name, status)

    # -- life -----------------------------------------------------------------------------------
    def serve(self, port: int = 0) -> str:
        """Start serving and delivering notices; returns the base address."""
        self.notices.deliveries.start()
        return super().serve(port)

    def stop(self) -> None:
        """No more notices go out."""
        self.notices.deliveries.stop()
