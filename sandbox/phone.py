"""A patient's phone: signs in, calls the functions, pays with a thumb, reads its inbox.

Used by the demo, the tests and the benchmarks. It knows only the mini-program's public API and the
sandbox's control interface.
"""

from __future__ import annotations

import hashlib
import secrets
import unicodedata
from collections.abc import Iterable
from typing import Any

import requests

from sandbox.line import Line
from sandbox.templates import TEMPLATES


class Refused(Exception):
    """An answer that is no success; ``status`` and ``error`` as answered."""

    def __init__(self, status: int, error: dict[str, Any]) -> None:
        super().__init__(f"{status} {error.get('code')}: {error.get('message')}")
        self.status = status
        self.error = error
        self.code = error.get("code")


class Control:
    """The sandbox's control interface."""

    def __init__(self, addresses: dict[str, str]) -> None:
        self.addresses = addresses
        self._http = Line()
        self._skip: dict[str, int] = {}

    def from_now_on(self) -> Control:
        """The same interface, whose growing lists (registrations, bills, orders, notices …) begin now."""
        one = Control(self.addresses)
        one._http, one._skip = self._http, self("GET", "/lengths")
        return one

    def __call__(self, method: str, path: str, **body: Any) -> Any:
        """One call; the answer's JSON. Raises Refused."""
        skip = {"skip": self._skip[path]} if method == "GET" and path in self._skip else None
        return _read(self._http.request(method, self.addresses["control"] + path, params=skip, json=body, timeout=120))

    def together(self, *calls: tuple[str, str, dict[str, Any]]) -> None:
        """Several calls in one, in order: method, path, body. Raises Refused at the first that is refused."""
        self("POST", "/together", calls=calls)

    def fault(self, system: str, operation: str, kind: str, *, times: int = 1, after: int = 0, about: str = "",
              **params: Any) -> None:
        """Order a fault; ``about``: only of calls that have this text in them."""
        self("POST", "/faults", system=system, operation=operation, kind=kind, times=times, after=after, about=about,
             params=params)

    def advance(self, seconds: float) -> None:
        """Let time pass at once, after whatever is under way."""
        self("POST", "/clock/advance", seconds=seconds)

    def settle(self, timeout: float = 90) -> None:
        """Wait until nothing is under way. Raises TimeoutError."""
        if not self("POST", "/settle", timeout=timeout)["settled"]:
            raise TimeoutError(f"the sandbox did not settle within {timeout} s")

    def work(self, *functions: str) -> None:
        """Fire the minute timers of the functions that work the outbox off (or those named), then settle."""
        for function in functions or ("worker", "clinic_changes", "refund"):
            answer = self("POST", f"/scf/timers/{function}/every-minute/fire")
            if "error" in answer:
                raise RuntimeError(f"{function}: {answer['error']}")
        self.settle()

    def operate(self, action: str, **command: Any) -> Any:
        """An operator's command; its result. Raises Refused when it is refused."""
        answer = self("POST", "/scf/invoke/operations", event={"action": action, "by": "operator", **command})
        if "error" in answer:
            raise RuntimeError(str(answer["error"]))
        result = answer["result"]
        if "error" in result:
            raise Refused(400, result["error"])
        return result

    def tasks(self, **which: Any) -> list[dict[str, Any]]:
        """Staff's open tasks, every page: of a ``kind``, about a ``subject_id``, as ``tasks.list`` takes them."""
        page = self.operate("tasks.list", **which)
        found: list[dict[str, Any]] = page["tasks"]
        while page["next"]:
            page = self.operate("tasks.list", **which, after=page["next"])
            found += page["tasks"]
        return found


class Phone:
    """One WeChat user with their phone. ``address``: where they call from; else one that hardly anybody shares."""

    def __init__(self, control: Control, number: str | None = None, address: str = "",
                 **abroad: str) -> None:
        self.control = control
        born = control("POST", "/wechat/phones", **({"phone": number} if number else {}), **abroad)
        self.openid: str = born["openid"]
        self.number: str = born["phone"]
        self.secret = secrets.token_urlsafe(32)
        self.token = ""
        self._verified = False
        self.documents: dict[str, str] = {}  # by patient: the number as it was typed
        some = hashlib.sha256(self.openid.encode()).digest()
        self.address = address or f"127.{1 + some[0] % 250}.{some[1]}.{1 + some[2] % 250}"
        self._http = self.line()

    def line(self) -> Line:
        """Connections of its own, from the phone's address."""
        return Line(self.address)

    # -- the API ------------------------------------------------------------------------------------
    def call(self, method: str, path: str, body: Any = None, *, key: str | None = None, **options: Any) -> Any:
        """One request to ``/api/<path>``; the answer's JSON (None for 204). Raises Refused."""
        return _read(self.raw(method, path, body, key=key, **options))

    def raw(self, method: str, path: str, body: Any = None, *, key: str | None = None, **options: Any
            ) -> requests.Response:
        """One request, as it is answered."""
        headers = {**options.pop("headers", {})}
        if self.token:
            headers = {"Authorization": f"Bearer {self.token}", "X-Client-Secret": self.secret, **headers}
        if key:
            headers["Idempotency-Key"] = key
        if body is not None:
            options["json"] = body
        return self._http.request(method, f"{self.control.addresses['scf']}/api/{path}", headers=headers,
                                  timeout=options.pop("timeout", 60), **options)

    def sign_in(self, **told: str) -> Phone:
        """wx.login, then a session; ``device`` is what this phone calls itself."""
        code = self.control("POST", f"/wechat/phones/{self.openid}/login-code")["code"]
        digest = hashlib.sha256(self.secret.encode()).hexdigest()
        self.token = self.call("POST", "account/sessions", {"code": code, "secret_hash": digest, **told})["token"]
        return self

    def phone_code(self) -> str:
        """What the getPhoneNumber button gives."""
        return str(self.control("POST", f"/wechat/phones/{self.openid}/phone-code")["code"])

    def allow_messages(self, scene: str, times: int = 5) -> None:
        """Tap "allow" for the templates of a scene."""
        self._consent(self.call("GET", "messages/templates", params={"scene": scene})["template_ids"], times)

    def allow_every_message(self, times: int = 20) -> None:
        """Has tapped "allow" for each of the hospital's templates."""
        self._consent(TEMPLATES, times)

    def _consent(self, templates: Iterable[str], times: int) -> None:
        self.control("POST", f"/wechat/phones/{self.openid}/consents", template_ids=list(templates), times=times)

    def inbox(self, name: str | None = None) -> list[dict[str, Any]]:
        """Messages on the phone, oldest first, of one template's title when given."""
        messages = self.control("GET", f"/wechat/phones/{self.openid}/inbox")
        return [one for one in messages if name in (None, one["template_name"])]

    # -- what a patient does ------------------------------------------------------------------------
    def verify_phone(self) -> None:
        """Let WeChat verify the account's own number, once."""
        if not self._verified:
            self.call("POST", "account/phone", {"code": self.phone_code()})
            self._verified = True

    def add_patient(self, person: dict[str, Any], *, proven: bool = True, **changes: Any) -> dict[str, Any]:
        """Bind a person as one's own or one's family's: with one's number verified, else by the code on their phone.

        Consents as in force are given unless ``changes`` say otherwise. Not ``proven``: nothing but name and number.
        """
        if proven:
            self.verify_phone()
        texts = {one["purpose"]: one["version"] for one in self.call("GET", "account/consents")["texts"]}
        wanted = ["HEALTH_DATA"] + (["CHILD_GUARDIAN"] if person.get("guardian") else [])
        answer: dict[str, Any] = self.call("POST", "account/patients", {
            "phone": self.number, "relation": "OTHER",
            "consents": [{"purpose": purpose, "version": texts[purpose]} for purpose in wanted], **person, **changes})
        self.documents[answer["id"]] = person.get("id_number", "")
        return self.prove(answer["id"], person["id_number"]) if proven and answer["level"] != "FULL" else answer

    def prove(self, patient_id: str, id_number: str) -> dict[str, Any]:
        """Prove that a record is one's own, by the code that comes to the phone on the hospital's file."""
        answer: dict[str, Any] = self.call("POST", f"account/patients/{patient_id}/proof",
                                           {"sms_code": self.sms_code(patient_id, id_number)})
        return answer

    def sms_code(self, patient_id: str, id_number: str) -> str:
        """Have a code sent to the phone on file, and read it there."""
        number = "".join(unicodedata.normalize("NFKC", id_number).split()).upper()
        [file] = self.control("GET", f"/his/patients?id_number={number}")["patients"]
        self.control("DELETE", f"/sms/phones/{file['phone']}/limits")  # whoever reads it there has time
        self.call("POST", f"account/patients/{patient_id}/proof-codes")
        code: str = self.control("GET", f"/sms/phones/{file['phone']}")[-1]["values"][0]
        return code

    def book(self, patient_id: str, session: dict[str, Any], *, slot_id: str | None = None, key: str | None = None,
             **changes: Any) -> dict[str, Any]:
        """Take a place in a session."""
        answer: dict[str, Any] = self.call(
            "POST", "booking/bookings", {"patient_id": patient_id, "schedule_id": session["id"], "slot_id": slot_id,
                                         "fee_fen": session["fee_fen"], **changes},
            key=key or secrets.token_hex(16))
        return answer

    def open_payment(self, booking_id: str) -> dict[str, str]:
        """Lock it in the HIS and get what wx.requestPayment needs."""
        payment: dict[str, str] = self.call("POST", f"booking/bookings/{booking_id}/payment")["payment"]
        return payment

    def thumb(self, payment: dict[str, str], **how: Any) -> dict[str, str]:
        """Press the thumb on the payment sheet; transaction id and trade number."""
        prepay_id = payment["package"].partition("=")[2]
        answer: dict[str, str] = self.control("POST", f"/wechatpay/prepay/{prepay_id}/pay", openid=self.openid,
                                              **payment, **how)
        return answer

    def booking(self, booking_id: str) -> dict[str, Any]:
        """A registration as it is now."""
        answer: dict[str, Any] = self.call("GET", f"booking/bookings/{booking_id}")
        return answer

    # -- at the hospital ----------------------------------------------------------------------------
    def check_in(self, booking_id: str) -> dict[str, Any]:
        """Report one's arrival: ``booking``, and ``payment`` when the fee is to be paid first."""
        answer: dict[str, Any] = self.call("POST", f"checkin/bookings/{booking_id}/checkin")
        return answer

    def bills(self, patient_id: str) -> list[dict[str, Any]]:
        """What a patient has to pay."""
        bills: list[dict[str, Any]] = self.call("GET", "billing/bills", params={"patient_id": patient_id})["bills"]
        return bills

    def bill(self, patient_id: str, bill_no: str) -> dict[str, Any]:
        """One bill with its items."""
        bill: dict[str, Any] = self.call("GET", f"billing/bills/{bill_no}", params={"patient_id": patient_id})["bill"]
        return bill

    def scan(self, code: str) -> dict[str, Any]:
        """Read the code on a prescription: ``patient_id`` and ``bill``."""
        answer: dict[str, Any] = self.call("POST", "billing/scans", {"code": code})
        return answer

    def order(self, patient_id: str, bills: list[dict[str, Any]], key: str | None = None) -> dict[str, Any]:
        """Choose bills to be paid together, as they were shown."""
        chosen = [{name: one[name] for name in ("bill_no", "version", "total_fen")} for one in bills]
        answer: dict[str, Any] = self.call("POST", "billing/orders", {"patient_id": patient_id, "bills": chosen},
                                           key=key or secrets.token_hex(16))
        return answer

    def open_order(self, order_id: str) -> dict[str, str]:
        """Lock the bills in the HIS and get what wx.requestPayment needs."""
        payment: dict[str, str] = self.call("POST", f"billing/orders/{order_id}/payment")["payment"]
        return payment

    def pay_bills(self, patient_id: str, bills: list[dict[str, Any]]) -> str:
        """Choose bills and pay them with the thumb; the order's id."""
        order_id: str = self.order(patient_id, bills)["id"]
        self.thumb(self.open_order(order_id))
        return order_id

    def charge_order(self, order_id: str) -> dict[str, Any]:
        """An order with its charges as it is now."""
        answer: dict[str, Any] = self.call("GET", f"billing/orders/{order_id}")
        return answer

    def refund_charge(self, charge_id: str) -> dict[str, Any]:
        """Ask for a paid bill's money back; the charge."""
        answer: dict[str, Any] = self.call("POST", f"billing/charges/{charge_id}/refund")
        return answer

    # -- what is kept of money ----------------------------------------------------------------------
    def payments(self) -> list[dict[str, Any]]:
        """The newest payments of every kind, with their refunds."""
        payments: list[dict[str, Any]] = self.call("GET", "billing/payments")["payments"]
        return payments

    def receipt(self, payment_id: str) -> dict[str, Any]:
        """All about one payment."""
        answer: dict[str, Any] = self.call("GET", f"billing/payments/{payment_id}")
        return answer

    def invoices(self) -> list[dict[str, Any]]:
        """The newest e-bills."""
        invoices: list[dict[str, Any]] = self.call("GET", "invoice/invoices")["invoices"]
        return invoices

    def invoice_file(self, invoice_id: str) -> bytes:
        """An e-bill's PDF, by a link that needs no session. Raises Refused."""
        link = self.call("POST", f"invoice/invoices/{invoice_id}/link")["url"]
        response = self._http.request("GET", link)
        if response.status_code != 200:
            raise Refused(response.status_code, {"code": "no_file", "message": response.text[:200]})
        return response.content

    # -- what they think ----------------------------------------------------------------------------
    def survey(self, booking_id: str) -> dict[str, Any]:
        """The questions about a visit, and whether they may be answered."""
        answer: dict[str, Any] = self.call("GET", f"feedback/visits/{booking_id}/survey")
        return answer

    def rate_visit(self, booking_id: str, **answers: Any) -> str:
        """Answer a visit's questions; the state that the survey has then."""
        version = self.survey(booking_id)["version"]
        state: str = self.call("POST", f"feedback/visits/{booking_id}/survey",
                               {"version": version, "answers": answers})["state"]
        return state

    def complain(self, text: str, *, kind: str = "COMPLAINT", key: str | None = None, **more: Any) -> dict[str, Any]:
        """Write to the hospital."""
        answer: dict[str, Any] = self.call("POST", "feedback/complaints", {"kind": kind, "text": text, **more},
                                           key=key or secrets.token_hex(16))
        return answer

    def complaint(self, complaint_id: str) -> dict[str, Any]:
        """One of them, with all that happened to it."""
        answer: dict[str, Any] = self.call("GET", f"feedback/complaints/{complaint_id}")
        return answer

    def post_picture(self, content: bytes, content_type: str = "image/jpeg", **changes: str
                     ) -> tuple[str, requests.Response]:
        """Upload a file as wx.uploadFile does: the picture's id, and what COS answers. ``changes``: other fields."""
        form = self.call("POST", "feedback/pictures", {"content_type": content_type})
        return form["id"], requests.post(form["url"], data={**form["fields"], **changes},
                                         files={"file": ("1.jpg", content, content_type)}, timeout=60)

    def add_picture(self, content: bytes, content_type: str = "image/jpeg") -> str:
        """Upload a picture and say so; its id. Raises Refused."""
        picture_id, answer = self.post_picture(content, content_type)
        if answer.status_code >= 300:
            raise Refused(answer.status_code, {"code": "not_uploaded", "message": answer.text[:200]})
        self.call("POST", f"feedback/pictures/{picture_id}/uploaded")
        return picture_id


def _read(response: requests.Response) -> Any:
    if response.status_code == 204:
        return None
    try:
        content = response.json()
    except ValueError:
        content = {"error": {"code": "not_json", "message": response.text[:200]}}
    if response.status_code >= 400:
        error = content.get("error", content) if isinstance(content, dict) else {}
        raise Refused(response.status_code, error if isinstance(error, dict) else {"message": error})
    return content
