"""Use cases of money going back: requested in our books first, then asked of WeChat, then awaited."""

from __future__ import annotations

from datetime import datetime, timedelta

from msgspec.structs import replace

from hospital.database import outbox, tasks
from hospital.database.connection import Database, Duplicate, Transaction
from hospital.gateways import wechatpay, wechatpay_read
from hospital.gateways.outcome import Rejected, Unanswered
from hospital.payment import settlements, store
from hospital.payment.model import ENDED, Payment, Purpose, Refund
from hospital.runtime import log
from hospital.runtime.errors import Conflict, IllegalMove
from hospital.runtime.ids import new_id
from hospital.security import audit

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
    audit.record(tx, actor="system", action="refund.request", subject=refund.id, result="done", now=now,
                 detail={"payment": payment.id, "fen": amount_fen, "purpose": purpose.key})
    outbox.publish(tx, "refund.send", refund.id, due=now, now=now)
    return refund


def next_of(source: store.Source, payment: Payment, purpose: Purpose) -> Purpose:
    """The same purpose in its next turn: what is left goes back although something went back for it before."""
    before = [one for one in store.refunds_of(source, payment.id)
              if (one.purpose.why, one.purpose.id) == (purpose.why, purpose.id)]
    return Purpose(purpose.why, purpose.id, len(before) + 1)


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
    if refund.state == "ELSEWHERE" and answer.state == "SUCCESS" and answer.refund_fen == store.refunded_under(
            tx, refund.out_refund_no):
        return  # staff have named it
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


def paid_elsewhere(db: Database, refund_id: str, *, how: str, reference: str, wechat_fen: int | None,
                   now: datetime) -> str:
    """Staff's word that what WeChat will never make of a stuck refund went back in another way; the state after.

    WeChat is asked first, and what it says is recorded: only what it does not know, or has closed, or has made in
    another amount can't come back a second time. Of the last staff name what it paid, in ``wechat_fen``.
    Raises Conflict (not stuck; the desk's, which is given up; WeChat paid another amount), Unanswered.
    """
    refund = store.refund(db, refund_id)
    if refund is None or refund.state != "STUCK" or (refund.purpose.of_desk and refund.code != DIFFERS):
        raise Conflict("只有已停滞且非窗口发起的退款可以登记为其他方式退回。", code="not_paid_elsewhere")
    answer = wechatpay.query_refund(refund.out_refund_no)
    if answer is not None:
        record(db, answer, now)
    elif refund.code in ("ABNORMAL", DIFFERS):
        raise Unanswered("wechatpay: does not know a refund it accepted")
    with db.transaction() as tx:
        payment = store.by_id(tx, refund.payment_id, lock=True)
        current = store.refund(tx, refund_id, lock=True)
        assert payment is not None and current is not None
        if (current.state, current.out_refund_no) != ("STUCK", refund.out_refund_no):
            return current.state
        if answer.state not in ("CLOSED", "SUCCESS") if answer is not None else current.code == DIFFERS:
            return current.state  # it may still come back
        by_wechat_fen = _paid_by_wechat(current, payment, answer, wechat_fen)
        rest_fen = current.amount_fen - by_wechat_fen
        if answer is not None and by_wechat_fen:
            store.add_to_ledger(tx, payment_id=payment.id, movement="REFUND", key=current.out_refund_no,
                                amount_fen=-by_wechat_fen, at=answer.success_at or now, now=now)
        if rest_fen:
            store.add_to_ledger(tx, payment_id=payment.id, movement="ELSEWHERE", key=current.out_refund_no,
                                amount_fen=-rest_fen, at=now, now=now)
        state = "ELSEWHERE" if rest_fen else "SUCCEEDED"
        store.move_refund(tx, current, state, how=how, reference=reference, succeeded_at=now)
        _no_task(tx, current, f"{rest_fen} fen paid back by {how}", now)
        outbox.publish(tx, f"{payment.kind}.refund-accepted", current.id, due=now, now=now)
        settlements.refunded(tx, current, payment, now)
    log.event("refund.paid-elsewhere", refund_id=refund_id, how=how, rest_fen=rest_fen)
    return state


def _paid_by_wechat(refund: Refund, payment: Payment, answer: wechatpay_read.Refund | None,
                    named_fen: int | None) -> int:
    """What WeChat has paid of a stuck refund that has ended there: what staff name, and it says.

    When it is about another order or merchant, that may be nothing of ours. Raises Conflict.
    """
    if answer is None or answer.state == "CLOSED":
        if refund.purpose.of_desk:
            raise Conflict("微信未退窗口发起的这笔退款，请用 refund.give_up 结束。", code="not_paid_elsewhere")
        possible = {0}
    else:
        of_ours = not differences(replace(refund, amount_fen=answer.refund_fen), payment, answer)
        possible = {answer.refund_fen} if of_ours else {answer.refund_fen, 0}
    if (named_fen is None and possible != {0}) or (named_fen or 0) not in possible:
        said = f"{answer.refund_fen}分" if possible != {0} and answer is not None else "没有退款"
        raise Conflict(f"微信查询结果为：{said}。请核对后在 wechat_fen 中写明微信实际退回的金额。",
                       code="wechat_paid_otherwise", fields=["wechat_fen"])
    return named_fen or 0


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
    ends = "refund.give_up" if refund.purpose.of_desk and code != DIFFERS else "refund.paid_elsewhere"
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
