"""Use cases of money coming in. Refunds are in ``refunds.py``."""

from __future__ import annotations

from datetime import datetime, timedelta

from hospital.database import outbox, tasks
from hospital.database.connection import Database, Duplicate, Transaction
from hospital.gateways import wechatpay
from hospital.gateways.outcome import Rejected, Unanswered
from hospital.gateways.wechatpay_read import PAID, Order
from hospital.payment import store
from hospital.payment.model import PREFIXES, Payment
from hospital.runtime import log
from hospital.runtime.errors import Unavailable
from hospital.runtime.ids import new_id
from hospital.security import audit, cipher

FIRST_QUESTION = timedelta(seconds=30)  # when no notice has come, WeChat is asked
NEXT_QUESTIONS = timedelta(minutes=1)


def open_order(tx: Transaction, *, kind: str, subject_id: str, account_id: str, openid: str,
               amount_fen: int, description: str, expires_at: datetime, now: datetime) -> Payment:
    """Write an order to pay. The caller's transaction also holds what it is for."""
    payment_id = new_id()
    payment = Payment(payment_id, kind, subject_id, account_id, openid, PREFIXES[kind] + payment_id,
                      description, amount_fen, "OPEN", expires_at, None, 0, None, 0, now)
    store.insert(tx, payment, now)
    audit.by_account(tx, account_id, "payment.open", payment_id, now, kind=kind, of=subject_id, fen=amount_fen)
    outbox.publish(tx, "payment.ask", payment_id, due=now + FIRST_QUESTION, now=now)
    return payment


def begin(db: Database, payment: Payment, now: datetime) -> dict[str, str]:
    """Open the order at WeChat and give what the client needs to pay it; repeatable while it is open.

    Raises Unavailable when WeChat does not answer or refuses: the order stays open and can be tried again.
    """
    try:
        prepay_id = wechatpay.create_order(
            out_trade_no=payment.out_trade_no, description=payment.description,
            total_fen=payment.amount_fen, openid=payment.openid, expires_at=payment.expires_at)
    except Rejected as refusal:
        log.event("payment.refused", payment_id=payment.id, code=refusal.code)
        with db.transaction() as tx:  # paid or closed already: find out which
            outbox.bring_forward(tx, "payment.ask", payment.id, now)
        raise Unavailable("支付暂时无法发起，请稍后重试。", code="payment_refused") from None
    except Unanswered as silence:
        log.event("payment.unanswered", payment_id=payment.id, reason=silence.reason)
        raise Unavailable("微信支付繁忙，订单已为您保留，请稍后重试。", code="payment_unavailable") from None
    return wechatpay.payment_parameters(prepay_id)


def hear(db: Database, order: Order, now: datetime) -> None:
    """Take what a notice says of an order; one that is not paid by it is asked about."""
    if order.paid:
        record_capture(db, order, now)
    else:
        ask_soon(db, order.out_trade_no, now)


def ask_soon(db: Database, out_trade_no: str, now: datetime) -> None:
    """Have WeChat asked at once about an order of ours that is not paid: what was said of it can't be read."""
    with db.transaction() as tx:
        payment = store.of_trade(tx, out_trade_no) if out_trade_no else None
        if (payment is not None and payment.state != "PAID"
                and not outbox.bring_forward(tx, "payment.ask", payment.id, now)):
            outbox.publish(tx, "payment.ask", payment.id, due=now, now=now)


def record_capture(db: Database, order: Order, now: datetime) -> bool:
    """Record received money, once, however often and from wherever it is reported.

    Money for an order that we don't know, of another amount, by another payer, or paid twice, is also a staff task.
    False when nothing may be booked of it, which is a task too: it belongs to another merchant, mini-program or
    currency, or its transaction paid another order.
    """
    if order.not_ours:
        return _not_booked(db, "payment.not-ours", order, order.not_ours, now)
    cipher.ready()
    try:
        with db.transaction() as tx:
            payment = _capture(tx, order, now)
    except Duplicate:
        return _not_booked(db, "payment.transaction-elsewhere", order, "its transaction paid another order", now)
    if payment is not None:
        log.event("payment.captured", payment_id=payment.id, fen=order.total_fen)
    return True


def _capture(tx: Transaction, order: Order, now: datetime) -> Payment | None:
    """Book it; the payment when that was the first time. Raises Duplicate when its transaction is booked elsewhere."""
    payment = store.of_trade(tx, order.out_trade_no, lock=True)
    if payment is None:
        tasks.add(tx, kind="payment.unknown-order", subject_id=order.out_trade_no, now=now,
                  detail=f"WeChat reports {order.total_fen} fen, transaction {order.transaction_id}")
        return None
    if payment.state == "PAID":
        if payment.transaction_id != order.transaction_id:
            tasks.add(tx, kind="payment.paid-twice", subject_id=payment.id, now=now,
                      detail=f"second transaction {order.transaction_id}, {order.total_fen} fen")
        elif payment.paid_fen != order.total_fen:
            _differs(tx, payment, f"recorded {payment.paid_fen} fen, reported again as {order.total_fen} fen", now)
        return None
    paid_at = order.success_at or now
    store.move(tx, payment, "PAID", transaction_id=order.transaction_id, paid_fen=order.total_fen, paid_at=paid_at)
    store.add_to_ledger(tx, payment_id=payment.id, movement="CAPTURE", key=order.transaction_id,
                        amount_fen=order.total_fen, at=paid_at, now=now, soon=True)
    if order.total_fen != payment.amount_fen:
        _differs(tx, payment, f"asked {payment.amount_fen} fen, paid {order.total_fen} fen", now)
    if order.payer != payment.openid:
        tasks.add(tx, kind="payment.another-payer", subject_id=payment.id, now=now,
                  detail=f"transaction {order.transaction_id} was paid by another WeChat user than it was opened for"
                         if order.payer else f"transaction {order.transaction_id}: WeChat does not say who paid")
    outbox.publish(tx, f"{payment.kind}.paid", payment.subject_id, due=now, now=now)
    return payment


def _differs(tx: Transaction, payment: Payment, detail: str, now: datetime) -> None:
    tasks.add(tx, kind="payment.amount-differs", subject_id=payment.id, detail=detail, now=now)


def _not_booked(db: Database, kind: str, order: Order, why: str, now: datetime) -> bool:
    log.event("payment.not-booked", order=order.out_trade_no, transaction=order.transaction_id, kind=kind, why=why)
    with db.transaction() as tx:
        tasks.add(tx, kind=kind, subject_id=order.out_trade_no, now=now,
                  detail=f"{why}: transaction {order.transaction_id}, {order.total_fen} fen, not booked")
    return False


def ask(db: Database, payment: Payment, now: datetime) -> str:
    """Ask WeChat what became of an order and record it; the order's state there.

    Raises Unanswered, also for an answer that is not about this order of ours: then it is neither paid nor unpaid.
    """
    order = wechatpay.query_order(payment.out_trade_no)
    if order is None:
        return "UNKNOWN"
    if order.paid and not record_capture(db, order, now):
        raise Unanswered("wechatpay query: paid, but not to be booked")
    if order.not_ours:
        raise Unanswered(f"wechatpay query: not ours, {order.not_ours}")
    return order.state


def stop(db: Database, payment: Payment, now: datetime) -> bool:
    """Make sure that an order can't be paid any more. True: unpaid and closed; False: it is paid.

    Asks first, closes at WeChat (after which nobody can pay), then marks it. Raises Unanswered.
    """
    state = ask(db, payment, now)
    if state in PAID:
        return False
    if state != "CLOSED":
        try:
            wechatpay.close_order(payment.out_trade_no)
        except Rejected as refusal:
            if refusal.code in ("ORDERPAID", "ORDER_PAID"):
                if ask(db, payment, now) in PAID:
                    return False
                raise Unanswered("wechatpay: paid, says the close, and the query does not yet") from None
            if state != "UNKNOWN" or refusal.code not in wechatpay.UNKNOWN_ORDER:
                raise Unanswered(f"wechatpay close: {refusal.code}") from None
    with db.transaction() as tx:
        current = store.by_id(tx, payment.id, lock=True)
        if current is None or current.state == "PAID":
            return False
        if current.state == "OPEN":
            store.move(tx, current, "CLOSED")
    return True
