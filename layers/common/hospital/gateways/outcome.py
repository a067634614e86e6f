"""The three outcomes of every outside call: it returns (done), or raises one of these two."""

from __future__ import annotations


class Rejected(Exception):
    """A definite no: the other side has not done it and never will under this number."""

    def __init__(self, code: str, message: str = "") -> None:
        super().__init__(code)
        self.code = code
        self.message = message

    @property
    def reason(self) -> str:
        """For logs and tasks."""
        return f"rejected: {self.code}"


class Unanswered(Exception):
    """Unknown: it may or may not have happened. Ask (trade check, query) before deciding anything.

    ``sent`` is False when the request certainly never left (the connection could not be made).
    """

    def __init__(self, reason: str, *, sent: bool = True) -> None:
        super().__init__(reason)
        self.reason = f"unanswered: {reason}"
        self.sent = sent
