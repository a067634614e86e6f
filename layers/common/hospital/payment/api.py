"""WeChat Pay's notices. The signature over the raw bytes is checked before anything is parsed."""

from __future__ import annotations

from hospital.database.connection import database
from hospital.gateways import wechatpay
from hospital.gateways.wechatpay_read import Unreadable
from hospital.payment import refunds, service
from hospital.runtime import log
from hospital.runtime.clock import utc_now
from hospital.runtime.errors import Forbidden
from hospital.runtime.http import Api, Call

api = Api("pay_callback")


@api.post("/notices/payment", public=True)
def payment_notice(call: Call) -> None:
    """Money was paid (TRANSACTION.SUCCESS): recorded, then answered 204."""
    _take(call)


@api.post("/notices/refund", public=True)
def refund_notice(call: Call) -> None:
    """A refund ended (REFUND.SUCCESS, ABNORMAL, CLOSED): recorded, then answered 204."""
    _take(call)


def _take(call: Call) -> None:
    """A notice says itself what it is about: at whichever address it comes, it is taken as that."""
    db, now = database(), utc_now()
    try:
        notice = wechatpay.open_notice(call.request.headers, call.raw)
    except wechatpay.NotGenuine as problem:
        log.event("notice.refused", reason=problem.reason)
        raise Forbidden("签名验证失败", code="signature_invalid") from None
    except Unreadable as problem:
        log.event("notice.refused", reason=problem.reason, order=problem.out_trade_no, refund=problem.out_refund_no)
        service.ask_soon(db, problem.out_trade_no, now)
        refunds.ask_soon(db, problem.out_refund_no, now)
        raise Forbidden("通知内容无法识别", code="notice_unreadable") from None
    log.event("notice", notice_id=notice.id, kind=notice.kind)
    if notice.order is not None:
        service.hear(db, notice.order, now)
    if notice.refund is not None:
        refunds.hear(db, notice.refund, now)
