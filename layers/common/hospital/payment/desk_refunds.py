"""Refunds that the hospital's desk begins: found by event or list, checked, sent to WeChat, reported back.

The HIS takes no on-line cancelling of a trade from the moment its desk has begun one, so the two never
both give the same money back; that a payment's refunds never exceed it is a CHECK in the database.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta

from hospital.database import odd_rows, outbox, tasks
from hospital.database.connection import Database, Duplicate, Transaction
from hospital.gateways import wechatpay
from hospital.gateways.his import desk_refunds as his_desk_refunds
from hospital.gateways.his.desk_refunds import DeskRefund as Told
from hospital.gateways.his.wire import Odd
from hospital.gateways.outcome import Rejected
from hospital.payment import refunds, rules, settlements
from hospital.payment import settlement_store as store
from hospital.payment import store as payment_store
from hospital.payment.model import BACK, DESK, REGISTRATION, DeskRefund, Purpose, Settlement
from hospital.runtime.clock import hospital_day
from hospital.runtime.errors import Conflict

NOT_YET_SETTLED = timedelta(hours=1)  # the HIS may know of a settlement before its answer has reached us
NOT_YET_KNOWN = timedelta(minutes=10)  # and tell of a refund before it has it on file
DAYS_BACK = 7  # lists that are looked through: as long as an outage may last
LOOK_AGAIN = timedelta(minutes=1)
CONFLICT = "RESULT_CONFLICT"


def found(tx: Transaction, refund_no: str, now: datetime) -> bool:
    """Take note of a refund that the desk has begun, told by an event or seen in a list. False when it is known."""
    try:
        desk_id = store.insert_desk_refund(tx, refund_no, now)
    except Duplicate:
        return False
    outbox.publish(tx, "desk.take", desk_id, due=now, now=now)
    return True


def look(db: Database, now: datetime) -> int:
    """Look through the desk's lists of the last days for refunds that no event told of; how many.

    Raises Unanswered.
    """
    with odd_rows.reading(db, "desk-refund", now) as odd:
        return sum([_look(db, hospital_day(now) - timedelta(days=back), odd, now) for back in range(DAYS_BACK)])


def _look(db: Database, day: date, odd: odd_rows.OddRows, now: datetime) -> int:
    """Through the list of one day. What can't be read is staff's business: the patient waits for that money."""
    told = list(his_desk_refunds.desk_refunds_of(day))
    for one in told:
        if isinstance(one, Odd):
            odd.add(one.number, one.detail, str(day))
    odd.read(str(day))
    numbers = [one.refund_no for one in told if not isinstance(one, Odd) and one.state == "REQUESTED"]
    known, count = store.known_desk_refunds(db, numbers), 0
    for number in numbers:
        if number not in known:
            with db.transaction() as tx:
                count += found(tx, number, now)
    return count


def begun(trade_no: str, cancelled_at: datetime) -> list[Told]:
    """The desk's refunds of a trade: the HIS cancels when the desk begins, so they stand in that day's list.

    Raises Unanswered.
    """
    return [one for one in his_desk_refunds.desk_refunds_of(hospital_day(cancelled_at))
            if not isinstance(one, Odd) and one.trade_no == trade_no and one.state != "FAILED"]


def not_booked(source: store.Source, told: list[Told]) -> list[Told]:
    """Those of them of which our books know nothing yet: what is promised already is no more open."""
    booked = store.booked_desk_refunds(source, [one.refund_no for one in told])
    return [one for one in told if one.refund_no not in booked]


def go_first(db: Database, trade_no: str, cancelled_at: datetime, now: datetime) -> None:
    """Nothing goes back from here before what the desk has begun is promised to it. Raises Conflict, then; Unanswered.
    """
    coming = not_booked(db, begun(trade_no, cancelled_at))
    if coming:
        with db.transaction() as tx:
            for one in coming:
                found(tx, one.refund_no, now)
        raise Conflict("窗口已开始退回该笔费用，请等待窗口退费完成。", code="refunded_at_desk")


def take(db: Database, job: outbox.Job, now: datetime) -> outbox.Again | None:
    """Check a desk refund against what was settled, and order the money back. Raises Unanswered."""
    desk = store.desk_refund(db, job.subject_id)
    if desk is None or desk.state != "FOUND":
        return None
    told = his_desk_refunds.desk_refund(desk.refund_no)
    if told is None and now - desk.found_at < NOT_YET_KNOWN:
        return outbox.Again(LOOK_AGAIN)
    if told is None or told.state != "REQUESTED":
        _fail(db, desk, "UNKNOWN_AT_HIS" if told is None else "ENDED_AT_HIS", None, now, report=False)
        return None
    settlement = store.of_trade(db, told.trade_no)
    if settlement is None:
        if now - desk.found_at < NOT_YET_SETTLED:
            _ask_the_registration(db, desk, told, now)
            return outbox.Again(LOOK_AGAIN)
        _fail(db, desk, "TRADE_UNKNOWN", told, now)
        return None
    refusal = _begin(db, desk, told, settlement, now)
    if refusal:
        _fail(db, desk, refusal, told, now)
    return None


def _ask_the_registration(db: Database, desk: DeskRefund, told: Told, now: datetime) -> None:
    """One from before there were settlements gets its own when it is looked at: once."""
    if told.kind == REGISTRATION.upper() and desk.trade_no != told.trade_no:
        with db.transaction() as tx:
            _describe(tx, desk, told, None)
            _tell_registration(tx, desk, told, now)


def _tell_registration(tx: Transaction, desk: DeskRefund, told: Told, now: datetime) -> None:
    """The HIS may have ended it when the desk began; whatever becomes of the refund, it stays ended there."""
    if told.kind == REGISTRATION.upper():
        outbox.publish(tx, f"{REGISTRATION}.desk-refund", desk.id, due=now, now=now)


def _begin(db: Database, desk: DeskRefund, told: Told, settlement: Settlement, now: datetime) -> str:
    """Order the refund; why not, or an empty text."""
    items = {one.item_no: one.amount_fen for one in told.items}
    with db.transaction() as tx:
        payment = payment_store.by_id(tx, settlement.payment_id, lock=True)
        locked = store.by_id(tx, settlement.id, lock=True)
        current = store.desk_refund(tx, desk.id, lock=True)
        assert payment is not None and locked is not None and current is not None
        if current.state != "FOUND":
            return ""
        refusal = rules.refusal_of_desk_refund(locked, told.amount_fen, items,
                                               store.desk_refunds_of(tx, settlement.id))
        if refusal or payment.refunding_fen + told.amount_fen > payment.paid_fen:
            return refusal or "MORE_THAN_PAID"
        store.promise(tx, locked, told.amount_fen)
        _describe(tx, desk, told, settlement.id)
        refunds.request(tx, payment, amount_fen=told.amount_fen, purpose=Purpose(DESK, desk.id), reason="窗口退费",
                        now=now)
        store.move_desk_refund(tx, current, "REFUNDING", now)
        _tell_registration(tx, desk, told, now)
    return ""


def _describe(tx: Transaction, desk: DeskRefund, told: Told, settlement_id: str | None) -> None:
    store.describe_desk_refund(
        tx, desk.id, trade_no=told.trade_no, settlement_id=settlement_id, amount_fen=told.amount_fen,
        items={one.item_no: one.amount_fen for one in told.items}, begun_on=hospital_day(told.created_at))


def _fail(db: Database, desk: DeskRefund, code: str, told: Told | None, now: datetime, *,
          report: bool = True) -> None:
    """Nothing is refunded; the desk is told so, and staff, because the books may differ."""
    with db.transaction() as tx:
        current = store.desk_refund(tx, desk.id, lock=True)
        if current is None or current.state != "FOUND":
            return
        if told is not None:
            _describe(tx, desk, told, None)
            _tell_registration(tx, desk, told, now)
        store.move_desk_refund(tx, current, "FAILED", now, code=code)
        tasks.add(tx, kind="desk-refund.refused", subject_id=desk.id, now=now,
                  detail=f"{code}: {desk.refund_no}, {told.amount_fen if told else 0} fen")
        if report:
            outbox.publish(tx, "desk.report", desk.id, due=now, now=now)
        else:
            store.mark_reported(tx, desk.id, now)


def report(db: Database, job: outbox.Job, now: datetime) -> outbox.Again | None:
    """Tell the HIS how it ended: with that the HIS books it, and so do we.

    Raises Rejected (but for another result on file, which is staff's business), Unanswered: it is tried again.
    """
    desk = store.desk_refund(db, job.subject_id)
    if desk is None or desk.reported_at is not None:
        return None
    refund = payment_store.refund_of_purpose(db, Purpose(DESK, desk.id))
    if desk.state == "REFUNDING" and (refund is None or refund.state not in BACK):
        return None
    if desk.state not in ("REFUNDING", "FAILED"):
        return None
    conflict = ""
    try:
        his_desk_refunds.report_desk_refund(desk.refund_no, out_refund_no=refund.out_refund_no if refund else desk.id,
                                       code=desk.code if desk.state == "FAILED" else "")
    except Rejected as refusal:
        if refusal.code != CONFLICT:
            raise
        conflict = refusal.code
    with db.transaction() as tx:
        settlement = None
        if desk.settlement_id is not None:
            payment_store.by_id(tx, refund.payment_id if refund else "", lock=True)
            settlement = store.by_id(tx, desk.settlement_id, lock=True)
        current = store.desk_refund(tx, desk.id, lock=True)
        assert current is not None
        if current.reported_at is not None:
            return None
        store.mark_reported(tx, desk.id, now)
        if conflict:
            tasks.add(tx, kind="desk-refund.report-refused", subject_id=desk.id, detail=conflict, now=now)
        if current.state == "REFUNDING":
            assert settlement is not None
            store.move_desk_refund(tx, current, "SUCCEEDED", now)
            settlements.reverse_part(tx, settlement, desk.amount_fen, key=desk.refund_no, now=now)
    return None


def give_up(db: Database, refund_id: str, now: datetime) -> str:
    """Staff's order for a stuck refund of the desk's that WeChat will never make; the state after.

    Only when WeChat says that it does not know it, or has closed it: then the desk is told that it failed, and
    pays in another way. Raises Conflict (not the desk's, not stuck), Unanswered.
    """
    refund = payment_store.refund(db, refund_id)
    if refund is None or refund.state != "STUCK" or not refund.purpose.of_desk:
        raise Conflict("只有窗口发起且已停滞的退款可以放弃。", code="not_to_be_given_up")
    answer = wechatpay.query_refund(refund.out_refund_no)
    if answer is not None and answer.state != "CLOSED":
        refunds.record(db, answer, now)
        current = payment_store.refund(db, refund_id)
        assert current is not None
        return current.state
    with db.transaction() as tx:
        payment_store.by_id(tx, refund.payment_id, lock=True)
        desk = store.desk_refund(tx, refund.purpose.id)
        assert desk is not None and desk.settlement_id is not None  # it was begun for one
        store.by_id(tx, desk.settlement_id, lock=True)
        desk = store.desk_refund(tx, desk.id, lock=True)
        current = payment_store.refund(tx, refund_id, lock=True)
        assert desk is not None and desk.settlement_id is not None and current is not None
        if current.state != "STUCK":
            return current.state
        payment_store.move_refund(tx, current, "GIVEN_UP")
        payment_store.release_refund(tx, refund.payment_id, refund.amount_fen)
        store.keep(tx, desk.settlement_id, desk.amount_fen)
        store.move_desk_refund(tx, desk, "FAILED", now, code=f"WECHAT_{refund.code}")
        tasks.settle(tx, kind="refund.stuck", subject_id=refund.id, note="given up", now=now)
        outbox.publish(tx, "desk.report", desk.id, due=now, now=now)
    return "GIVEN_UP"


WORKER: dict[str, outbox.Handler] = {"desk.take": take, "desk.report": report}
