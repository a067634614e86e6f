"""WeChat's look at what people write: what it calls risky is not taken; its silence keeps nobody's word back."""

from __future__ import annotations

from hospital.database.connection import Database
from hospital.feedback.model import TextState
from hospital.gateways import wechat
from hospital.gateways.outcome import Rejected, Unanswered
from hospital.patients import store as patients
from hospital.runtime import log
from hospital.runtime.errors import Invalid


class TextRefused(Invalid):
    """WeChat calls the text risky."""

    code = "text_refused"
    message = "您填写的文字未通过微信的内容安全检查，请去掉广告、辱骂等不当内容后再提交。"


def look(db: Database, account_id: str, text: str) -> TextState:
    """What WeChat says of a text before it is taken. Never call it in a transaction. Raises TextRefused."""
    try:
        state = wechat.check_text(patients.openid_of(db, account_id), text)
    except (Rejected, Unanswered) as silence:
        log.event("text.unchecked", reason=silence.reason)
        return "UNCHECKED"
    if state == "RISKY":
        raise TextRefused(fields=["text"])
    return state
