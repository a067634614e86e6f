"""The shim: COS's address, signature, header names and error form in front of an S3 store."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterable
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, quote, unquote
from xml.sax.saxutils import escape, unescape

from flask import Response, g, jsonify, request

from sandbox.cos.operations import operation_of
from sandbox.cos.posting import Posted, admit
from sandbox.cos.signature import SignatureError, SignedRequest, presented, verify
from sandbox.system import System, World

if TYPE_CHECKING:
    from sandbox.cos.store import Store, StoreAnswer

_METHODS = ["GET", "HEAD", "PUT", "POST", "DELETE", "OPTIONS"]
_OWN_HEADERS = {"authorization", "host", "connection", "transfer-encoding", "x-cos-security-token",
                "content-length"}
_COS_GROUPS, _S3_GROUPS = b"http://cam.qcloud.com/groups/global/", b"http://acs.amazonaws.com/groups/global/"


class Cos(System):
    """Path style, one bucket a client: ``http://127.0.0.1:PORT/<bucket>-<app id>/<key>``."""

    name = "cos"
    max_body_bytes = 64 * 1024 * 1024  # the store is in memory; larger objects come in parts

    def __init__(self, world: World, *, secret_id: str, secret_key: str, app_id: str = "1250000000",
                 token: str = "", buckets: Iterable[str] = ()) -> None:
        """The keys that may sign. With ``token`` every signed request must carry it (temporary keys).

        ``buckets`` (full names) are there from the start. The store is loaded at the first request.
        """
        super().__init__(world)
        self.secret_id = secret_id
        self.secret_key = secret_key
        self.app_id = app_id
        self.token = token
        self._buckets = list(buckets)
        self._store: Store | None = None
        self.app.url_map.merge_slashes = False
        for rule in ("/", "/<path:path>"):
            self.app.add_url_rule(rule, endpoint="object", view_func=self._serve, methods=_METHODS,
                                  provide_automatic_options=False)
        self.app.register_error_handler(404, lambda _: self._serve())  # a key that begins with a slash
        self.control.add_url_rule("/objects", endpoint="objects", view_func=self._objects)
        self.control.add_url_rule("/objects/<path:key>", endpoint="content", view_func=self._content)
        self.control.add_url_rule("/buckets/<bucket>", endpoint="bucket", view_func=self._put_bucket,
                                  methods=["PUT"])

    # -- what System asks -----------------------------------------------------------------------
    def operation(self) -> str:
        """The SDK's name of the call: ``put_object``, ``list_objects``, ``upload_part``, …"""
        bucket, key = self._target()
        if self._is_form(key):
            return "post_object"
        names = {name.lower() for name, _ in self._query()}
        return operation_of(request.method, bucket, key, names, copies="x-cos-copy-source" in request.headers)

    def refusal(self, code: str, message: str, status: int) -> Response:
        """An error in COS's form."""
        body = (
            "<?xml version='1.0' encoding='utf-8' ?>\n"
            f"<Error><Code>{escape(code)}</Code><Message>{escape(message)}</Message>"
            f"<Resource>{escape(request.path)}</Resource><RequestId>{self._request_id()}</RequestId>"
            "<TraceId></TraceId></Error>"
        )
        return Response(body, status, content_type="application/xml")

    def seal(self, response: Response) -> Response:
        """Every answer of COS has a request id; the bucket lets pages of any address read it (its CORS rule)."""
        response.headers["x-cos-request-id"] = self._request_id()
        if "Origin" in request.headers:
            response.headers["Access-Control-Allow-Origin"] = "*"
            response.headers["Access-Control-Expose-Headers"] = "ETag"
        return response

    # -- serving --------------------------------------------------------------------------------
    def _serve(self, path: str = "") -> Response:
        bucket, key = self._target()
        if not bucket:
            return self.refusal("NotImplemented", "listing buckets is not served here", 501)
        if request.method == "OPTIONS" and "Access-Control-Request-Method" in request.headers:
            return Response(status=200, headers={"Access-Control-Allow-Methods": "GET, HEAD, PUT, POST",
                                                 "Access-Control-Allow-Headers": "*", "Access-Control-Max-Age": "600"})
        if self._is_form(key):
            return self._post_object(bucket)
        try:
            anonymous = self._check(key)
        except SignatureError as error:
            return self.refusal(error.code, error.message, 403)
        if not bucket.endswith(f"-{self.app_id}"):
            return self.refusal("NoSuchBucket", "The specified bucket does not exist.", 404)
        body = request.get_data()
        with self.lock:
            answer = self._loaded().serve(
                request.method, bucket, key, self._plain_query(), self._s3_headers(),
                body.replace(_COS_GROUPS, _S3_GROUPS) if "acl" in request.args else body,
                anonymous=anonymous,
            )
        return self._translated(answer)

    @staticmethod
    def _is_form(key: str) -> bool:
        return request.method == "POST" and not key and request.mimetype == "multipart/form-data"

    def _post_object(self, bucket: str) -> Response:
        """POST Object: a form that carries a policy, its signature and the file."""
        request.get_data()  # kept, for faults and for the form
        file = request.files.get("file")
        posted = Posted(bucket, request.form.to_dict(), file.read() if file is not None else None)
        try:
            admit(posted, secret_id=self.secret_id, secret_key=self.secret_key, token=self.token,
                  now=self.clock.timestamp())
        except SignatureError as error:
            return self.refusal(error.code, error.message, 400 if error.code.startswith("Entity") else 403)
        headers = {"content-type": posted.fields.get("Content-Type", "application/octet-stream")}
        encryption = posted.fields.get("x-cos-server-side-encryption")
        if encryption:
            headers["x-amz-server-side-encryption"] = encryption
        with self.lock:
            answer = self._loaded().serve("PUT", bucket, posted.fields["key"], "", headers, posted.content or b"",
                                          anonymous=False)
        if answer.status >= 400:
            return self._translated(answer)
        wanted = posted.fields.get("success_action_status", "204")
        response = Response(status=int(wanted) if wanted in ("200", "201", "204") else 204)
        response.headers["ETag"] = dict(answer.headers).get("ETag", dict(answer.headers).get("etag", ""))
        return response

    def _check(self, key: str) -> bool:
        """Whether the call is anonymous (only reading what is public is). Raises SignatureError."""
        parameters = {name.lower(): value for name, value in self._query()}
        fields = presented(request.headers.get("Authorization", ""), parameters)
        if fields is None:
            if request.method in ("GET", "HEAD") and key and not parameters:
                return True
            raise SignatureError("AccessDenied", "Access Denied.")
        headers = {name.lower(): value for name, value in request.headers.items()}
        signed = SignedRequest(request.method, "/" + key, parameters, headers)
        now = self.clock.timestamp()
        verify(fields, signed, secret_id=self.secret_id, secret_key=self.secret_key, now=now)
        token = headers.get("x-cos-security-token") or parameters.get("x-cos-security-token", "")
        if self.token and token != self.token:
            raise SignatureError("InvalidAccessKeyId", "the security token is missing or not the key's")
        return False

    def _loaded(self) -> Store:
        if self._store is None:
            from sandbox.cos.store import Store

            self._store = Store(self.clock, self._buckets)
        return self._store

    # -- between COS's words and S3's -----------------------------------------------------------
    def _target(self) -> tuple[str, str]:
        """Bucket and key, decoded, as the raw path names them."""
        raw = str(request.environ["RAW_URI"]).partition("?")[0]
        bucket, _, key = unquote(raw.lstrip("/") if raw.startswith("//") else raw[1:]).partition("/")
        return bucket, key

    def _query(self) -> list[tuple[str, str]]:
        return parse_qsl(request.query_string.decode("ascii", "replace"), keep_blank_values=True)

    def _plain_query(self) -> str:
        """The query without the signature and with S3's names."""
        return "&".join(f"{quote(name, safe='')}={quote(value, safe='')}" for name, value in self._query()
                        if not name.lower().startswith(("q-", "x-cos-")) and name.lower() != "sign")

    def _s3_headers(self) -> dict[str, str]:
        headers: dict[str, str] = {}
        for name, value in request.headers.items():
            lower = name.lower()
            if lower in _OWN_HEADERS:
                continue
            if lower == "x-cos-copy-source":  # <bucket>.cos.<region>.myqcloud.com/<key>
                host, _, source = value.partition("/")
                value = f"/{host.partition('.')[0]}/{source}"
            headers[re.sub("^x-cos-", "x-amz-", lower)] = value
        return headers

    def _translated(self, answer: StoreAnswer) -> Response:
        if answer.status >= 400 and request.method != "HEAD":
            return self.refusal(_element(answer.body, "Code") or "AccessDenied",
                                _element(answer.body, "Message") or "Access Denied.", answer.status)
        is_object = self.operation() == "get_object"
        body = answer.body if is_object else answer.body.replace(_S3_GROUPS, _COS_GROUPS)
        response = Response(body, answer.status)
        response.headers.clear()
        for name, value in answer.headers:
            lower = name.lower()
            if lower not in ("date", "server", "connection", "transfer-encoding") and \
                    (lower != "content-length" or request.method == "HEAD"):
                response.headers.add(_cos_name(lower), value)
        return response

    @staticmethod
    def _request_id() -> str:
        if "cos_request_id" not in g:
            g.cos_request_id = uuid.uuid4().hex
        return str(g.cos_request_id)

    # -- control --------------------------------------------------------------------------------
    def _objects(self) -> tuple[Response, int]:
        with self.lock:
            objects = self._loaded().listing(request.args.get("bucket", ""))
        if objects is None:
            return jsonify(error="there is no such bucket"), 404
        return jsonify(objects=objects), 200

    def _content(self, key: str) -> Response | tuple[Response, int]:
        with self.lock:
            content = self._loaded().content(request.args.get("bucket", ""), key)
        if content is None:
            return jsonify(error="there is no such object"), 404
        return Response(content, content_type="application/octet-stream")

    def _put_bucket(self, bucket: str) -> tuple[Response, int]:
        if not re.fullmatch(rf"[a-z0-9][a-z0-9-]{{0,48}}-{self.app_id}", bucket):
            return jsonify(error=f"a bucket's name is [a-z0-9-], at most 50, then -{self.app_id}"), 400
        with self.lock:
            self._loaded().create(bucket)
        return jsonify(bucket=bucket), 200


def _cos_name(name: str) -> str:
    """A header's name as COS writes it (callers of the SDK look it up by case); ``name`` is in lower case."""
    if name.startswith("x-"):
        return re.sub("^x-amz-", "x-cos-", name)
    return "ETag" if name == "etag" else name.title()


def _element(xml: bytes, name: str) -> str:
    found = re.search(rf"<{name}>(.*?)</{name}>", xml.decode("utf-8", "replace"), re.DOTALL)
    return unescape(found[1]) if found else ""
