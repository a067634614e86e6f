"""How an invocation fails, in the cloud's own words."""

from __future__ import annotations

from typing import Any

# SCF's status code -> the HTTP status that a caller of the function's address sees
_HTTP = {400: 400, 404: 404, 405: 500, 406: 413, 407: 502, 429: 429, 430: 500, 432: 429, 433: 504, 439: 500}


class InvokeError(Exception):
    """An invocation that gave no result.

    ``status`` is SCF's own status code: 404 no such function, 405 start failed, 406 event too large,
    407 result too large or no HTTP answer, 430 the code raised, 432 no free instance, 433 timed out,
    439 the process ended, 500 the platform itself failed.
    ``stack`` is the traceback of the code's exception, for callers of the cloud API only.
    """

    def __init__(self, status: int, message: str, *, stack: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.stack = stack
        self.request_id = ""
        self.duration_ms = 0

    @property
    def http_status(self) -> int:
        """What an HTTP caller of the function is answered."""
        return _HTTP.get(self.status, 500)

    @property
    def by_platform(self) -> bool:
        """True when the function's code is not to blame (asynchronous events then wait, and are not lost)."""
        return self.status in (429, 432, 500)

    def body(self, *, stack: bool = False) -> dict[str, Any]:
        """The JSON that the platform answers instead of a result."""
        answer: dict[str, Any] = {
            "errorCode": -1, "errorMessage": self.message, "requestId": self.request_id,
            "statusCode": self.status,
        }
        if stack and self.stack:
            answer["stackTrace"] = self.stack
        return answer
