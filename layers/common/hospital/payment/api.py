"""WeChat Pay's notices. The signature over the raw bytes is checked before anything is parsed."""

from __future__ import annotations

from hospital.database.connection import database
from hospital.gateways import wechatpay
from hospital.payment import refunds, service
from hospital.runtime import log
from hospital.runtime.clock import utc_now
from hospital.runtime.errors import Forbidden
from hospital.runtime.http import Api, Call

api = Api("pay_callback")


@api.post("/notices/payment", public=True)
def payment_notice(call: Call) -> None:
    """Money was paid (TRANSACTION.SUCCESS): recorded, then answered 204."""
    notice = _open(call)
    if notice.order is not None and notice.order.state == "SUCCESS":
        service.record_capture(database(), notice.order, utc_now())


@api.post("/notices/refund", public=True)
def refund_notice(call: Call) -> None:
    """A refund ended (REFUND.SUCCESS, ABNORMAL, CLOSED): recorded, then answered 204."""
    notice = _open(call)
    if notice.refund is not None:
        refunds.record(database(), notice.refund, utc_now())


def _open(call: Call) -> wechatpay.Notice:
    try:
        notice = wechatpay.open_notice(call.request.headers, call.raw)
    except wechatpay.NotGenuine as problem:
        log.event("notice.refused", reason=problem.reason)
        raise Forbidden("签名验证失败", code="signature_invalid") from None
    log.event("notice", notice_id=notice.id, kind=notice.kind)
    return notice
