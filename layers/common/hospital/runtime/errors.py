"""The one small tree of errors that callers may see.

``code`` is for programs, ``message`` is a Chinese sentence that tells a patient what to do next.
``runtime.http`` maps every error to HTTP in one place.
"""

from __future__ import annotations


class AppError(Exception):
    """An error with a meaning for the caller. Subclasses set ``status``, ``code`` and ``message``."""

    status = 500
    code = "internal"
    message = "系统开小差了，请稍后重试。"

    def __init__(self, message: str | None = None, *, code: str | None = None,
                 fields: list[str] | None = None) -> None:
        super().__init__(message or self.message)
        self.message = message or self.message
        self.code = code or self.code
        self.fields = fields or []


class BadRequest(AppError):
    """The request can't be read: malformed JSON, a missing header."""

    status, code, message = 400, "bad_request", "请求格式不正确，请升级小程序后重试。"


class Unauthorized(AppError):
    """No session, an expired or a forged one. Every missing caller is answered like this."""

    status, code, message = 401, "unauthorized", "登录已失效，请重新进入小程序。"


class Forbidden(AppError):
    """The caller is known but may not."""

    status, code, message = 403, "forbidden", "您没有权限进行此操作。"


class NotFound(AppError):
    """Unknown, or somebody else's: the two are not told apart."""

    status, code, message = 404, "not_found", "未找到相关信息，请返回重试。"


class Conflict(AppError):
    """The state of things does not allow it."""

    status, code, message = 409, "conflict", "当前状态不支持此操作，请刷新后重试。"


class TooLarge(AppError):
    """The request's body is larger than any honest one."""

    status, code, message = 413, "too_large", "提交的内容过大，请精简后重试。"


class Invalid(AppError):
    """Readable, but a field is wrong. ``fields`` names them; values are never repeated."""

    status, code, message = 422, "invalid", "填写的信息有误，请检查后重新提交。"


class TooMany(AppError):
    """More than a limit allows. ``wait``: seconds until it may be tried again, told in ``Retry-After``."""

    status, code, message = 429, "too_many_requests", "操作过于频繁，请稍后再试。"

    def __init__(self, message: str | None = None, *, wait: float, code: str | None = None) -> None:
        super().__init__(message, code=code)
        self.wait = wait


class Unavailable(AppError):
    """Another system does not answer now. Nothing is lost; the same request may be repeated."""

    status, code, message = 503, "unavailable", "系统繁忙，请稍后重试。"


class RetryWhole(Exception):
    """The database rolled everything back; running the whole use case again is safe and right.

    ``waited``: after waiting long for what another one holds, so that not even the next try may get it.
    """

    def __init__(self, reason: str, *, waited: bool = False) -> None:
        super().__init__(reason)
        self.waited = waited


class IllegalMove(Exception):
    """A state may not move like that: a fault of ours, never the caller's."""
