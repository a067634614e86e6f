"""Use cases of money going back: requested in our books first, then asked of WeChat, then awaited."""

from __future__ import annotations

from datetime import datetime, timedelta

from hospital.database import outbox, tasks
from hospital.database.connection import Database, Duplicate, Transaction
from hospital.gateways import wechatpay, wechatpay_read
from hospital.gateways.outcome import Rejected, Unanswered
from hospital.payment import settlements, store
from hospital.payment.model import ENDED, Payment, Purpose, Refund
from hospital.runtime import log
from hospital.runtime.errors import Conflict, IllegalMove
from hospital.runtime.ids import new_id

LATER_CODES = {"NOT_ENOUGH", "FREQUENCY_LIMITED", "FREQUENCY_LIMIT", "RATELIMIT_EXCEEDED", "RATELIMIT_EXCEED"}
LATER = timedelta(minutes=10)
APART = timedelta(seconds=61)  # WeChat takes the parts of one order's refund a minute apart
CHECKS = [timedelta(seconds=seconds) for seconds in (10, 60, 300, 1800)]  # then every hour
DIFFERS = "ANSWER_DIFFERS"  # why one is stuck of which WeChat names another amount, order or transaction
STUCK_AGAIN = timedelta(hours=1)  # between questions about one that WeChat may yet change its word on
MOST = 200  # stuck refunds that one look puts on staff's list
TASK_AFTER = timedelta(days=3)  # an unfinished refund is then a person's business too


def request(tx: Transaction, payment: Payment, *, amount_fen: int, purpose: Purpose, reason: str,
            now: datetime) -> Refund:
    """Order a refund; ``payment`` must be locked. A second request for the same purpose changes nothing.

    Raises IllegalMove when it is more than what was paid and is not going back already; Conflict when it is nothing.
    """
    if amount_fen <= 0:
        raise Conflict("系统未记到该订单的收款金额，没有可退的款项。", code="nothing_to_refund")
    refund = Refund(new_id(), payment.id, purpose, f"{payment.out_trade_no}-{purpose.key}", amount_fen, reason,
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
    """Ask how a refund that was accepted, or is stuck, stands; staff may end one at WeChat. Raises Unanswered."""
    refund = store.refund(db, refund_id)
    if refund is None or refund.state not in ("PROCESSING", "STUCK"):
        return None
    answer = wechatpay.query_refund(refund.out_refund_no)
    if answer is None and refund.state == "STUCK":
        return None
    if answer is None:
        raise Unanswered("wechatpay: does not know a refund it accepted")
    record(db, answer, now)
    current = store.refund(db, refund_id)
    if current is not None and (current.state, current.code) in (("STUCK", "ABNORMAL"), ("STUCK", DIFFERS)):
        return outbox.Again(STUCK_AGAIN)
    if answer.state != "PROCESSING" or refund.state == "STUCK":
        return None
    age = now - refund.created_at
    if age > TASK_AFTER:
        with db.transaction() as tx:
            tasks.add(tx, kind="refund.slow", subject_id=refund.id, detail="PROCESSING for days", now=now)
    return outbox.Again(next((gap for gap in CHECKS if age < gap * 2), timedelta(hours=1)))


def hear(db: Database, told: wechatpay_read.Refund, now: datetime) -> None:
    """Take what a notice says of a refund. What does not fit what we ordered is not believed: WeChat is asked."""
    refund = store.refund_of_number(db, told.out_refund_no)
    payment = store.by_id(db, refund.payment_id) if refund is not None else None
    odd = differences(refund, payment, told) if refund is not None and payment is not None else ""
    if refund is not None and refund.state not in ENDED and odd:
        log.event("refund.notice-differs", refund_id=refund.id, differs=odd)
        ask_soon(db, told.out_refund_no, now)
    else:
        record(db, told, now)


def ask_soon(db: Database, out_refund_no: str, now: datetime) -> None:
    """Have WeChat asked at once about a refund of ours: something was said of it that can't be read or does not fit."""
    with db.transaction() as tx:
        refund = store.refund_of_number(tx, out_refund_no) if out_refund_no else None
        if refund is None or refund.state in ENDED:
            return
        topic = "refund.send" if refund.state == "REQUESTED" else "refund.check"  # sending asks first
        if not outbox.bring_forward(tx, topic, refund.id, now):
            outbox.publish(tx, topic, refund.id, due=now, now=now)


def differences(refund: Refund, payment: Payment, told: wechatpay_read.Refund) -> str:
    """In what WeChat's word on a refund is not about the one that we ordered; empty: it is."""
    compared = [("fen", refund.amount_fen, told.refund_fen), ("order", payment.out_trade_no, told.out_trade_no),
                ("transaction", payment.transaction_id, told.transaction_id or payment.transaction_id)]
    return "; ".join([*(f"{name} {theirs}, ordered {ours}" for name, ours, theirs in compared if ours != theirs),
                      *([told.not_ours] if told.not_ours else [])])


def record(db: Database, answer: wechatpay_read.Refund, now: datetime) -> None:
    """Record what WeChat says of a refund, once, from an answer, a query or a notice, in any order.

    While it names another amount, order or transaction than ours, nothing is booked: the refund is stuck.
    """
    with db.transaction() as tx:
        refund = store.refund_of_number(tx, answer.out_refund_no, lock=True)
        if refund is None and answer.state == "CLOSED":
            return  # of a number that staff have replaced; closed means that nothing moved
        if refund is None:
            tasks.add(tx, kind="refund.unknown", subject_id=answer.out_refund_no, now=now,
                      detail=f"WeChat reports {answer.out_refund_no}: {answer.state}, {answer.refund_fen} fen")
            return
        payment = store.by_id(tx, refund.payment_id)
        assert payment is not None  # the foreign key says so
        odd = differences(refund, payment, answer)
        if refund.state in ENDED:
            _after_the_end(tx, refund, answer, odd, now)
            return
        if odd:
            _differs(tx, refund, odd, now)
        elif answer.state == "PROCESSING":
            if refund.state == "PROCESSING":
                return
            store.move_refund(tx, refund, "PROCESSING", wechat_refund_id=answer.refund_id, code="")
            outbox.publish(tx, "refund.check", refund.id, due=now + CHECKS[0], now=now)
            outbox.publish(tx, f"{payment.kind}.refund-accepted", refund.id, due=now, now=now)
        elif answer.state == "SUCCESS":
            _arrived(tx, refund, payment, answer, now)
        elif refund.state != "STUCK":  # ABNORMAL, CLOSED: the money did not arrive
            _stuck(tx, refund, answer.state, now)
            if answer.state == "ABNORMAL" and refund.state != "PROCESSING":  # else it is being asked about already
                outbox.publish(tx, "refund.check", refund.id, due=now + STUCK_AGAIN, now=now)
        elif refund.code == DIFFERS:  # it is about ours after all
            store.doubt_refund(tx, refund.id, answer.state)
    log.event("refund.recorded", refund_id=refund.id, state=answer.state, differs=odd)


def _arrived(tx: Transaction, refund: Refund, payment: Payment, answer: wechatpay_read.Refund, now: datetime) -> None:
    succeeded_at = answer.success_at or now
    store.move_refund(tx, refund, "SUCCEEDED", wechat_refund_id=answer.refund_id, code="", succeeded_at=succeeded_at)
    store.add_to_ledger(tx, payment_id=payment.id, movement="REFUND", key=refund.out_refund_no,
                        amount_fen=-refund.amount_fen, at=succeeded_at, now=now)
    _no_task(tx, refund, "refunded", now)
    if refund.state != "PROCESSING":
        outbox.publish(tx, f"{payment.kind}.refund-accepted", refund.id, due=now, now=now)
    settlements.refunded(tx, refund, payment, now)


def _after_the_end(tx: Transaction, refund: Refund, answer: wechatpay_read.Refund, odd: str, now: datetime) -> None:
    if odd:
        tasks.add(tx, kind="refund.amount-differs", subject_id=refund.id, now=now,
                  detail=f"{refund.state}, and WeChat says {answer.state}: {odd}")
    if refund.state in ("GIVEN_UP", "ELSEWHERE") and answer.state == "SUCCESS":
        tasks.add(tx, kind="refund.paid-after-all", subject_id=refund.id, now=now,
                  detail=f"{refund.state}; WeChat says {answer.refund_fen} fen went back")


def _differs(tx: Transaction, refund: Refund, odd: str, now: datetime) -> None:
    if refund.state == "STUCK":
        store.doubt_refund(tx, refund.id, DIFFERS)
        _call_a_person(tx, refund, DIFFERS, now, odd)
        return
    _stuck(tx, refund, DIFFERS, now, odd)
    if refund.state != "PROCESSING":  # else it is being asked about already
        outbox.publish(tx, "refund.check", refund.id, due=now + CHECKS[0], now=now)


def paid_elsewhere(db: Database, refund_id: str, *, how: str, reference: str, now: datetime) -> str:
    """Staff's word that a stuck refund which WeChat will never make went back in another way; the state after.

    WeChat is asked first: only what it does not know, or has closed, can't come back a second time. What it does know
    is recorded instead. Raises Conflict (not stuck, or the desk's, which is given up), Unanswered.
    """
    refund = store.refund(db, refund_id)
    if refund is None or refund.state != "STUCK" or refund.purpose.of_desk:
        raise Conflict("只有已停滞且非窗口发起的退款可以登记为其他方式退回。", code="not_paid_elsewhere")
    answer = wechatpay.query_refund(refund.out_refund_no)
    if answer is not None:
        record(db, answer, now)
    elif refund.code == "ABNORMAL":
        raise Unanswered("wechatpay: does not know a refund it accepted")
    with db.transaction() as tx:
        payment = store.by_id(tx, refund.payment_id, lock=True)
        current = store.refund(tx, refund_id, lock=True)
        assert payment is not None and current is not None
        unchanged = (current.state, current.out_refund_no) == ("STUCK", refund.out_refund_no)
        if not unchanged or current.code == DIFFERS or (answer is not None and answer.state != "CLOSED"):
            return answer.state if answer is not None and current.state == "STUCK" else current.state
        store.move_refund(tx, current, "ELSEWHERE", how=how, reference=reference, succeeded_at=now)
        store.add_to_ledger(tx, payment_id=payment.id, movement="ELSEWHERE", key=current.out_refund_no,
                            amount_fen=-current.amount_fen, at=now, now=now)
        _no_task(tx, current, f"paid back by {how}", now)
        outbox.publish(tx, f"{payment.kind}.refund-accepted", current.id, due=now, now=now)
        settlements.refunded(tx, current, payment, now)
    log.event("refund.paid-elsewhere", refund_id=refund_id, how=how)
    return "ELSEWHERE"


def is_stuck(tx: Transaction, refund_id: str) -> bool:
    """Whether a refund still waits for a person."""
    refund = store.refund(tx, refund_id, lock=True)
    return refund is not None and refund.state == "STUCK"


def watch_stuck(db: Database, now: datetime) -> int:
    """Put every stuck refund that nobody has on their list there again; how many."""
    found = store.stuck_without_task(db, MOST)
    for refund_id in found:
        with db.transaction() as tx:
            refund = store.refund(tx, refund_id, lock=True)
            if refund is not None and refund.state == "STUCK":
                _call_a_person(tx, refund, refund.code, now)
    return len(found)


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


def _stuck(tx: Transaction, refund: Refund, code: str, now: datetime, odd: str = "") -> None:
    store.move_refund(tx, refund, "STUCK", code=code[:48])
    _call_a_person(tx, refund, code, now, odd)


def _call_a_person(tx: Transaction, refund: Refund, code: str, now: datetime, odd: str = "") -> None:
    ends = "refund.give_up" if refund.purpose.of_desk else "refund.paid_elsewhere"
    tasks.add(tx, kind="refund.stuck", subject_id=refund.id, now=now,
              detail=f"{code}: {refund.amount_fen} fen, number {refund.out_refund_no}{'; ' if odd else ''}{odd}; "
                     f"task.retry, {ends}")


def _no_task(tx: Transaction, refund: Refund, note: str, now: datetime) -> None:
    for kind in ("refund.stuck", "refund.slow"):
        tasks.settle(tx, kind=kind, subject_id=refund.id, note=note, now=now)


def _note_waiting(db: Database, refund: Refund, code: str, now: datetime) -> None:
    with db.transaction() as tx:
        store.note_refund(tx, refund.id, code)
        if now - refund.created_at > timedelta(hours=2):
            tasks.add(tx, kind="refund.slow", subject_id=refund.id, detail=code, now=now)
