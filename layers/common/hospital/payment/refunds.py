"""Use cases of money going back: requested in our books first, then asked of WeChat, then awaited."""

from __future__ import annotations

from datetime import datetime, timedelta

from hospital.database import outbox, tasks
from hospital.database.connection import Database, Duplicate, Transaction
from hospital.gateways import wechatpay
from hospital.gateways.outcome import Rejected, Unanswered
from hospital.payment import settlements, store
from hospital.payment.model import Payment, Refund
from hospital.runtime import log
from hospital.runtime.errors import IllegalMove
from hospital.runtime.ids import new_id

LATER_CODES = {"NOT_ENOUGH", "FREQUENCY_LIMITED", "FREQUENCY_LIMIT", "RATELIMIT_EXCEEDED", "RATELIMIT_EXCEED"}
LATER = timedelta(minutes=10)
APART = timedelta(seconds=61)  # WeChat takes the parts of one order's refund a minute apart
CHECKS = [timedelta(seconds=seconds) for seconds in (10, 60, 300, 1800)]  # then every hour
ABNORMAL_AGAIN = timedelta(hours=1)
TASK_AFTER = timedelta(days=3)  # an unfinished refund is then a person's business too


def request(tx: Transaction, payment: Payment, *, amount_fen: int, purpose: str, reason: str, now: datetime
            ) -> Refund:
    """Order a refund; ``payment`` must be locked. A second request for the same purpose changes nothing.

    Raises IllegalMove when it is more than what was paid and is not going back already.
    """
    refund = Refund(new_id(), payment.id, purpose, f"{payment.out_trade_no}-{purpose}", amount_fen, reason,
                    "REQUESTED", "", now, None)
    try:
        store.insert_refund(tx, refund)
    except Duplicate:
        return next(one for one in store.refunds_of(tx, payment.id) if one.purpose == purpose)
    if not store.reserve_refund(tx, payment, amount_fen):
        raise IllegalMove(f"payment {payment.id}: refunding {amount_fen} fen more than was paid")
    outbox.publish(tx, "refund.send", refund.id, due=now, now=now)
    return refund


def send(db: Database, refund_id: str, now: datetime) -> outbox.Again | None:
    """Ask WeChat for a refund, always under the same number, until it is accepted or stuck.

    Raises Unanswered: the caller comes back, and WeChat is asked about the number before all else.
    """
    refund = store.refund(db, refund_id)
    if refund is None or refund.state not in ("REQUESTED", "PROCESSING"):
        return None
    payment = store.by_id(db, refund.payment_id)
    assert payment is not None  # the foreign key says so
    try:
        answer = wechatpay.query_refund(refund.out_refund_no)
        if answer is None:
            with db.transaction() as tx:
                store.by_id(tx, payment.id, lock=True)
                before = store.take_turn(tx, refund, since=now - APART, now=now)
            if before is not None:
                return outbox.Again(before + APART - now)
            answer = wechatpay.create_refund(
                out_trade_no=payment.out_trade_no, out_refund_no=refund.out_refund_no,
                refund_fen=refund.amount_fen, total_fen=payment.paid_fen, reason=refund.reason)
    except Rejected as refusal:
        if refusal.code in LATER_CODES:
            _note_waiting(db, refund, refusal.code, now)
            return outbox.Again(LATER)
        _stick(db, refund.id, refusal.code, now)
        return None
    record(db, answer, now)
    return None


def check(db: Database, refund_id: str, now: datetime) -> outbox.Again | None:
    """Ask how a refund that was accepted stands; staff may end an ABNORMAL one at WeChat. Raises Unanswered."""
    refund = store.refund(db, refund_id)
    if refund is None or not (refund.state == "PROCESSING" or (refund.state, refund.code) == ("STUCK", "ABNORMAL")):
        return None
    answer = wechatpay.query_refund(refund.out_refund_no)
    if answer is None:
        raise Unanswered("wechatpay: does not know a refund it accepted")
    record(db, answer, now)
    if answer.state == "ABNORMAL":
        return outbox.Again(ABNORMAL_AGAIN)
    if answer.state != "PROCESSING" or refund.state == "STUCK":
        return None
    age = now - refund.created_at
    if age > TASK_AFTER:
        with db.transaction() as tx:
            tasks.add(tx, kind="refund.slow", subject_id=refund.id, detail="PROCESSING for days", now=now)
    return outbox.Again(next((gap for gap in CHECKS if age < gap * 2), timedelta(hours=1)))


def record(db: Database, answer: wechatpay.Refund, now: datetime) -> None:
    """Record what WeChat says of a refund, once, from an answer, a query or a notice, in any order."""
    with db.transaction() as tx:
        refund = store.refund_of_number(tx, answer.out_refund_no, lock=True)
        if refund is None and answer.state == "CLOSED":
            return  # of a number that staff have replaced; closed means that nothing moved
        if refund is None:
            tasks.add(tx, kind="refund.unknown", subject_id=answer.out_refund_no[-32:], now=now,
                      detail=f"WeChat reports {answer.out_refund_no}: {answer.state}, {answer.refund_fen} fen")
            return
        if answer.refund_fen not in (0, refund.amount_fen):
            tasks.add(tx, kind="refund.amount-differs", subject_id=refund.id, now=now,
                      detail=f"ordered {refund.amount_fen} fen, WeChat says {answer.refund_fen} fen")
        if refund.state == "GIVEN_UP" and answer.state == "SUCCESS":
            tasks.add(tx, kind="refund.paid-after-all", subject_id=refund.id, now=now,
                      detail=f"given up, and the desk was told so; WeChat says {answer.refund_fen} fen went back")
        if refund.state in ("SUCCEEDED", "GIVEN_UP"):
            return
        payment = store.by_id(tx, refund.payment_id)
        assert payment is not None
        if answer.state == "PROCESSING":
            if refund.state == "PROCESSING":
                return
            store.move_refund(tx, refund, "PROCESSING", wechat_refund_id=answer.refund_id, code="")
            outbox.publish(tx, "refund.check", refund.id, due=now + CHECKS[0], now=now)
            outbox.publish(tx, f"{payment.kind}.refund-accepted", refund.id, due=now, now=now)
        elif answer.state == "SUCCESS":
            succeeded_at = answer.success_at or now
            store.move_refund(tx, refund, "SUCCEEDED", wechat_refund_id=answer.refund_id, code="",
                              succeeded_at=succeeded_at)
            store.add_to_ledger(tx, payment_id=payment.id, movement="REFUND", key=refund.out_refund_no,
                                amount_fen=-refund.amount_fen, at=succeeded_at, now=now)
            tasks.settle(tx, kind="refund.stuck", subject_id=refund.id, note="refunded", now=now)
            tasks.settle(tx, kind="refund.slow", subject_id=refund.id, note="refunded", now=now)
            if refund.state != "PROCESSING":
                outbox.publish(tx, f"{payment.kind}.refund-accepted", refund.id, due=now, now=now)
            settlements.refunded(tx, refund, payment, now)
        elif refund.state != "STUCK":  # ABNORMAL, CLOSED: the money did not arrive
            _stuck(tx, refund, answer.state, now)
            if answer.state == "ABNORMAL" and refund.state != "PROCESSING":  # else it is being asked about already
                outbox.publish(tx, "refund.check", refund.id, due=now + ABNORMAL_AGAIN, now=now)
    log.event("refund.recorded", refund_id=refund.id, state=answer.state)


def send_again(tx: Transaction, refund_id: str, now: datetime) -> bool:
    """Staff's order to try a stuck refund again. False when it is not stuck.

    Under the same number, but for one that WeChat closed: that number is used up, and closed means that
    nothing was paid back under it.
    """
    refund = store.refund(tx, refund_id, lock=True)
    if refund is None or refund.state != "STUCK":
        return False
    number = refund.out_refund_no
    if refund.code == "CLOSED":
        base, _, count = number.partition("@")
        number = f"{base}@{int(count or 1) + 1}"
    store.move_refund(tx, refund, "REQUESTED", code="", out_refund_no=number)
    outbox.publish(tx, "refund.send", refund.id, due=now, now=now)
    return True


def _stick(db: Database, refund_id: str, code: str, now: datetime) -> None:
    with db.transaction() as tx:
        refund = store.refund(tx, refund_id, lock=True)
        if refund is not None and refund.state in ("REQUESTED", "PROCESSING"):
            _stuck(tx, refund, code, now)


def _stuck(tx: Transaction, refund: Refund, code: str, now: datetime) -> None:
    store.move_refund(tx, refund, "STUCK", code=code[:48])
    tasks.add(tx, kind="refund.stuck", subject_id=refund.id, now=now,
              detail=f"{code}: {refund.amount_fen} fen, number {refund.out_refund_no}")


def _note_waiting(db: Database, refund: Refund, code: str, now: datetime) -> None:
    with db.transaction() as tx:
        store.note_refund(tx, refund.id, code)
        if now - refund.created_at > timedelta(hours=2):
            tasks.add(tx, kind="refund.slow", subject_id=refund.id, detail=code, now=now)
