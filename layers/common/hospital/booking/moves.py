"""What a patient does when their session is stopped or changed: see where else there is a place, and go there."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from hospital.booking import choices, ending, move_store, rules, store
from hospital.booking.model import LOOK, Booking, Move, NewPlace
from hospital.booking.service import REFUSALS, SOLD_ELSEWHERE, SlotGone, SoldOut
from hospital.database import outbox, policy
from hospital.database.connection import Database, Row, Transaction
from hospital.gateways.his import registrations as his_registrations
from hospital.gateways.outcome import Rejected, Unanswered
from hospital.patients import access as patients
from hospital.patients import records as patient_records
from hospital.patients import store as patient_store
from hospital.payment import fate, settlement_store
from hospital.payment import service as payments
from hospital.payment import store as payment_store
from hospital.payment.model import MOVE
from hospital.runtime import log
from hospital.runtime.clock import hospital_day
from hospital.runtime.errors import Conflict, NotFound, Unavailable
from hospital.runtime.ids import new_id
from hospital.schedules import listing
from hospital.schedules import rules as schedule_rules
from hospital.schedules import store as schedule_store
from hospital.schedules.model import Session
from hospital.security import audit, limits
from hospital.site import store as site

OFFERS = 100  # sessions that are offered
LONGEST = timedelta(hours=4)  # how long the HIS keeps the place: longer than the outbox tries to move


class NotMovable(Conflict):
    """It is not the hospital's doing, or too late, or another step is under way."""

    code, message = "not_movable", "该挂号当前不能改约，请刷新后查看，或到人工窗口办理。"


# -- where else -------------------------------------------------------------------------------------
def alternatives(db: Database, booking_id: str, *, account_id: str, now: datetime) -> list[Row]:
    """Sessions of the same department with free places: those of the same fee first, of the same doctor first.

    Each with ``difference_fen``; its times are those on sale. Raises NotFound, ConsentRequired, NotMovable.
    """
    booking = _of_account(db, booking_id, account_id)
    patients.check(db, account_id, booking.patient_id, "REGISTER", now)
    _check_open(db, booking, now)
    settings = policy.load(db)
    after, paid_fen = schedule_rules.earliest_start(now, settings), _paid_fen(db, booking)
    in_parts = bool(move_store.dearer_of(db, booking.id))
    offers = []
    for row in listing.sessions(db, first=hospital_day(now), last=schedule_rules.last_open_day(now, settings),
                                departments=_department(db, booking), after=after, now=now):
        difference = rules.difference_fen(paid_fen, in_parts, row["fee_fen"])
        if row["state"] == "OPEN" and row["free"] and difference is not None and not _is_own(booking, row):
            offers.append({**row, "difference_fen": difference})
    offers.sort(key=lambda row: (row["fee_fen"] != booking.fee_fen, row["doctor_id"] != booking.doctor_id,
                                 row["starts_at"], row["id"]))
    return offers[:OFFERS]


def _department(db: Database, booking: Booking) -> list[str]:
    """The HIS departments of the second-level department that a registration is in."""
    session = schedule_store.session(db, booking.schedule_id)
    assert session is not None
    department_id, _ = site.names_of_his(db).get(session.his_department, ("", ""))
    return site.his_codes(db, department_id) if department_id else [session.his_department]


def _is_own(booking: Booking, row: dict[str, Any]) -> bool:
    """Whether it is in it, or it is its doctor's in the same period: a patient has one registration there."""
    return row["id"] == booking.schedule_id or (row["doctor_id"], row["visit_date"], row["period"]) == (
        booking.doctor_id, booking.visit_date, booking.period)


def _paid_fen(source: store.Source, booking: Booking) -> int | None:
    """What was paid for a registration, the differences of earlier moves too; None: it is paid for on arrival."""
    payment = ending.payment_of(source, booking)
    if payment is None or payment.state != "PAID":
        return 0 if booking.payment_policy == "AT_BOOKING" else None
    extra = [settlement_store.of_trade(source, one.difference_trade_no)
             for one in move_store.dearer_of(source, booking.id)]
    return ending.paid_fen(source, booking, payment) + sum(one.open_fen for one in extra if one is not None)


def _of_account(db: Database, booking_id: str, account_id: str) -> Booking:
    booking = store.of_account(db, account_id, booking_id)
    if booking is None:
        raise NotFound("未找到该挂号记录。", code="booking_not_found")
    return booking


def _check_open(source: store.Source, booking: Booking, now: datetime) -> None:
    choice = move_store.choice_of(source, booking.id)
    if not rules.may_move(booking.state, choice.choose_until if choice is not None else None,
                          booking.free_cancel_until, now):
        raise NotMovable


# -- going there ------------------------------------------------------------------------------------
def move(db: Database, booking_id: str, place: NewPlace, *, account_id: str, now: datetime) -> dict[str, str] | None:
    """Go to another place: what the client needs to pay the difference, or None when nothing is to be paid.

    The place is held in the transaction that chooses it; until the HIS has moved it, the registration is what it was.
    Repeatable. Raises NotFound, ConsentRequired, NotMovable, SlotGone, Conflict, Unavailable.
    """
    booking = _of_account(db, booking_id, account_id)
    patients.check(db, account_id, booking.patient_id, "REGISTER", now)
    begun = move_store.live(db, booking_id)
    if begun is not None and not _is_for(begun, place):
        _let_go(db, booking, now)
        begun = None
    one = begun or _begin(db, booking, place, account_id, now)
    if one.state == "HELD":
        if one.expires_at <= now:
            raise SlotGone
        _lock(db, booking, one, now)
    _go_on(db, one.id, account_id, now)
    payment = payment_store.of_subject(db, MOVE, one.id)
    if payment is None or payment.state != "OPEN":
        return None
    if payment.expires_at <= now:
        raise Unavailable("上一次支付正在关闭，请稍后重试。", code="payment_closing")
    return payments.begin(db, payment, now)


def _is_for(begun: Move, place: NewPlace) -> bool:
    return begun.schedule_id == place.schedule_id and place.slot_id in (None, begun.slot_id)


def _let_go(db: Database, booking: Booking, now: datetime) -> None:
    """They have changed their mind about where. Raises Unavailable, NotMovable while that can't be yet."""
    with db.transaction() as tx:
        store.booking(tx, booking.id, lock=True)
        begun = move_store.live(tx, booking.id)
        if begun is None:
            return
        if not choices.let_go(tx, begun, now):
            raise NotMovable("正在为您改约，请稍后刷新查看。", code="moving")
        waits = begun.state == "AWAITING_PAYMENT"
    if waits:
        raise Unavailable("上一次改约的支付正在关闭，请稍后重试。", code="payment_closing")


def _begin(db: Database, booking: Booking, place: NewPlace, account_id: str, now: datetime) -> Move:
    settings = policy.load(db)
    limits.take("orders", account_id, settings, now)
    departments = _department(db, booking)
    _check_paid(db, booking, now)
    with db.transaction() as tx:
        current = store.booking(tx, booking.id, lock=True)
        assert current is not None
        _check_open(tx, current, now)
        patients.act_for(tx, account_id, current.patient_id, "REGISTER", settings, now)
        session = schedule_store.session(tx, place.schedule_id)
        if session is None or session.his_department not in departments:
            raise NotFound("未找到该出诊安排，请返回重试。", code="schedule_not_found")
        difference = _difference(tx, current, session, place, settings, now)
        until = now + timedelta(minutes=settings.hold_minutes)
        move_id = new_id()
        one = Move(move_id, current.id, account_id, current.trade_no, f"B{move_id}", session.id,
                   _take(tx, place, move_id, settings, now), session.fee_fen, difference, "HELD", "", until,
                   until + LONGEST, now)
        move_store.insert(tx, one, now)
        audit.by_account(tx, account_id, "booking.move", current.id, now, move=move_id, difference=difference)
        outbox.publish(tx, "move.expire", move_id, due=until, now=now)
    return one


def _check_paid(db: Database, booking: Booking, now: datetime) -> None:
    """Only what is firm with our payment goes along, or has ended along with its session. Raises NotMovable."""
    try:
        became = fate.look("REGISTRATION", booking.trade_no, ending.payment_of(db, booking))
    except Unanswered as silence:
        log.event("his.unanswered", operation="move", booking_id=booking.id, reason=silence.reason)
        raise Unavailable("医院系统繁忙，请稍后重试。", code="his_unavailable") from None
    if isinstance(became, fate.Ours) and not became.trade.checked_in:
        return
    if not ending.is_left_to_us(became):
        with db.transaction() as tx:  # something has become of it at the hospital: here too, then
            outbox.publish(tx, LOOK, booking.id, due=now, now=now)
        raise NotMovable


def _difference(tx: Transaction, booking: Booking, session: Session, place: NewPlace, settings: policy.Policy,
                now: datetime) -> int:
    if session.state != "OPEN":
        raise Conflict("该医生本次出诊已停诊，请选择其他医生或日期。", code="session_stopped")
    if not schedule_rules.is_open_day(session.visit_date, now, settings):
        raise Conflict("该日期尚未放号或已结束，请选择其他日期。", code="day_not_open")
    if session.fee_fen != place.fee_fen:
        raise Conflict("挂号费用已变更，请刷新后重新确认。", code="fee_changed")
    other = store.in_the_way(tx, booking.patient_id, session.id)
    own = {"id": session.id, "doctor_id": session.doctor_id, "visit_date": session.visit_date, "period": session.period}
    if _is_own(booking, own) or (other is not None and other.id != booking.id):
        raise Conflict("该就诊人已预约该医生同一时段，请选择其他时间。", code="already_booked")
    difference = rules.difference_fen(_paid_fen(tx, booking), bool(move_store.dearer_of(tx, booking.id)),
                                      session.fee_fen)
    if difference is None:
        raise NotMovable("该号源与原挂号费用不同，不能直接改约，请先退号再重新挂号。", code="fee_not_movable")
    return difference


def _take(tx: Transaction, place: NewPlace, move_id: str, settings: policy.Policy, now: datetime) -> str:
    after = schedule_rules.earliest_start(now, settings)
    if place.slot_id is not None:
        slot = schedule_store.slot(tx, place.slot_id)
        if slot is None or slot["schedule_id"] != place.schedule_id:
            raise NotFound("未找到该号源，请返回重试。", code="slot_not_found")
        wanted = [place.slot_id]
    else:
        wanted = [row["id"] for row in schedule_store.some_free(tx, place.schedule_id, after=after, now=now, limit=3)]
    for slot_id in wanted:
        if schedule_store.take_slot(tx, slot_id, move_id, after=after, now=now):
            return slot_id
    raise SlotGone if wanted else SoldOut


def _lock(db: Database, booking: Booking, one: Move, now: datetime) -> None:
    slot = schedule_store.slot(db, one.slot_id)
    assert slot is not None
    place = slot["his_code"]
    try:
        patient_records.with_code(db, booking.patient_id, lambda code: his_registrations.lock(
            one.trade_no, slot_code=place, patient_code=code, fee_fen=one.fee_fen, hold_until=one.hold_until), now)
    except Rejected as refusal:
        log.event("his.refused", operation="lock", move_id=one.id, code=refusal.code)
        with db.transaction() as tx:
            store.booking(tx, booking.id, lock=True)
            current = move_store.by_id(tx, one.id, lock=True)
            if current is not None and current.state == "HELD":
                move_store.move(tx, current, "RELEASED", now, reason=refusal.code)
                schedule_store.give_back(tx, one.id, on_sale_at=None, now=now,
                                         sold_elsewhere=refusal.code in SOLD_ELSEWHERE)
                outbox.publish(tx, "schedule.refresh", one.schedule_id, due=now, now=now)
                outbox.publish(tx, "move.unlock", one.id, due=now, now=now)
        raise REFUSALS.get(refusal.code, SlotGone if refusal.code in SOLD_ELSEWHERE else NotMovable)() from None
    except Unanswered as silence:
        log.event("his.unanswered", operation="lock", move_id=one.id, reason=silence.reason)
        raise Unavailable("医院系统繁忙，号源已为您保留，请稍后重试。", code="his_unavailable") from None


def _go_on(db: Database, move_id: str, account_id: str, now: datetime) -> None:
    """The HIS holds the place: the difference is to be paid, or the registration is moved at once."""
    with db.transaction() as tx:
        one = move_store.by_id(tx, move_id)
        booking = store.booking(tx, one.booking_id if one is not None else "", lock=True)
        one = move_store.by_id(tx, move_id, lock=True)
        assert one is not None and booking is not None
        if one.state == "RELEASED":
            raise SlotGone
        if one.state != "HELD":
            return
        if booking.state != "CONFIRMED" or booking.trade_no != one.from_trade_no:
            choices.let_go(tx, one, now)
        elif one.difference_fen > 0:
            settings = policy.load(tx)
            until = rules.payment_deadline(one.expires_at, one.hold_until, now, settings)
            payments.open_order(
                tx, kind=MOVE, subject_id=one.id, account_id=account_id,
                openid=patient_store.openid_of(tx, account_id), amount_fen=one.difference_fen,
                description=f"改约补差价 {booking.visit_date:%Y-%m-%d}", expires_at=until, now=now)
            move_store.await_payment(tx, one, until, now)
        else:
            move_store.move(tx, one, "MOVING", now)
            outbox.publish(tx, "move.carry-out", one.id, due=now, now=now)
