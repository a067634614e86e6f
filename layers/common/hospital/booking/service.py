"""What a patient does: take a place, pay for it, cancel. What follows by itself is in ``jobs.py``."""

from __future__ import annotations

import json
import random
from datetime import date, datetime, timedelta
from functools import partial
from typing import Any

from msgspec.structs import asdict

from hospital.booking import block_store as blocks
from hospital.booking import choices, move_store, rules, sold_out, store
from hospital.booking.model import SESSION_STOPPED, Booking, NewBooking, Offer, Place
from hospital.database import outbox, policy, repeats, tasks
from hospital.database.connection import Database, Duplicate, Row, Transaction
from hospital.gateways.his import registrations as his_registrations
from hospital.gateways.outcome import Rejected, Unanswered
from hospital.patients import access as patients
from hospital.patients import proof_store
from hospital.patients import records as patient_records
from hospital.patients import rules as patient_rules
from hospital.patients import store as patient_store
from hospital.payment import service as payments
from hospital.payment import store as payment_store
from hospital.payment.model import REGISTRATION
from hospital.runtime import log
from hospital.runtime.clock import hospital_day
from hospital.runtime.errors import AppError, Conflict, NotFound, Unavailable
from hospital.runtime.ids import new_id
from hospital.schedules import rules as schedule_rules
from hospital.schedules import store as schedule_store
from hospital.security import audit, limits
from hospital.security.sessions import Caller

LOOKS, TRIES = 4, 3  # how often free places are looked for, and how many are tried each time
BACK_TO_WAIT = "waitlist.back"  # an arrow: a place that was offered was none
PATIENCE = 1  # seconds that one who books waits for another request of the same patient, twice at most


class SlotGone(Conflict):
    """The place, or the last one, was taken."""

    code, message = "slot_gone", "该号源已被抢先预约，请选择其他时间或医生。"


class SoldOut(SlotGone):
    """No place of the session is free."""


class HoldExpired(Conflict):
    """The place was held long enough and is on sale again."""

    code, message = "hold_expired", "号源保留时间已过，请重新挂号。"


# -- taking a place: our database alone -------------------------------------------------------------
def book_slot(db: Database, order: NewBooking, *, caller: Caller, key: str, now: datetime) -> str:
    """Take one place for one patient and hold it. Returns the answer as JSON, the same for a repeat.

    Raises SlotGone, NotFound (session, patient), ConsentRequired, Blacklisted, Conflict (day not open, fee changed,
    already booked, limits), TooMany (tries, unpaid places), Invalid (key used for another request).
    """
    request = repeats.digest("book", json.dumps(asdict(order), sort_keys=True))
    settings = policy.load(db, caller.policy)
    limits.here("booking", caller.account_id, settings, now)
    try:
        return _take(db, order, settings, account_id=caller.account_id, key=key, request=request, now=now)
    except (Duplicate, AppError) as refusal:
        # A repeat finds its own place taken, its own registration there, or sales ended since.
        answer = repeats.answered(db, owner=caller.account_id, key=key, request=request)
        if answer is not None:
            return answer
        if isinstance(refusal, SoldOut):
            sold_out.saw(db, order.schedule_id, now)
        if isinstance(refusal, AppError):
            raise
        if refusal.key in (store.LIVE_KEY, "bookings_session"):
            raise _booked_already(db, order, caller.account_id, settings, now) from None
        raise


def _booked_already(db: Database, order: NewBooking, account_id: str, settings: policy.Policy, now: datetime
                    ) -> Conflict:
    """The refusal of a second registration. A stranger's does not bar who has proven that the patient is theirs.

    Who only made the record is a stranger to who has proven more. What the stranger has not paid, or left behind with
    their binding, is let go; else their hold is the owner's to end.
    """
    usual = Conflict("该就诊人已预约该医生同一时段，请勿重复挂号。", code="already_booked")
    other = store.in_the_way(db, order.patient_id, order.schedule_id)
    if other is None or other.account_id == account_id or not patients.may(
            db, account_id, order.patient_id, "RECORD", now):
        return usual
    hold = proof_store.latest_hold(db, other.account_id, order.patient_id)
    mine = proof_store.latest_hold(db, account_id, order.patient_id)
    if hold is None or mine is None or not patient_rules.is_strangers(
            patient_rules.level_of(hold[0], settings), hold[1], mine[1]):
        return usual
    if other.state in ("HELD", "AWAITING_PAYMENT") or not hold[2]:
        try:
            cancel_booking(db, other.id, account_id=other.account_id, now=now)
        except Conflict as refusal:  # it moved on meanwhile
            log.event("booking.kept", booking_id=other.id, code=refusal.code)
    return Conflict("另一微信账号已为该就诊人预约该医生同一时段。请稍后重试；"
                    "如仍不成功，请在就诊人详情中查看并解除对方的绑定。", code="booked_by_another")


def _take(db: Database, order: NewBooking, settings: policy.Policy, *, account_id: str, key: str, request: bytes,
          now: datetime) -> str:
    after = schedule_rules.earliest_start(now, settings)
    booking_id = new_id()
    with db.transaction(lock_wait=PATIENCE) as tx:
        bound, offer = store.lock_and_look(tx, order, account_id, settings, after=after, since=now - rules.DAY,
                                           now=now, tries=TRIES)
        if offer is None:
            raise NotFound("未找到该出诊安排，请返回重试。", code="schedule_not_found")
        _check_on_sale(offer, order, settings, now)
        patients.may_act(bound, offer.consents, "REGISTER", settings, now)
        check_blocks(tx, order.patient_id, bound, offer, settings, now)
        refusal = (rules.too_many(offer.counts.live, offer.counts.that_day, settings)
                   or rules.too_many_unpaid(offer.counts, settings, now))
        if refusal is not None:
            raise refusal
        if offer.twice:
            raise Duplicate(store.LIVE_KEY)
        place = _pick(tx, order, offer.places, booking_id, after, now)
        booking = held(booking_id, order, offer, place, account_id=account_id, settings=settings, now=now,
                       until=now + timedelta(minutes=settings.hold_minutes))
        store.insert(tx, booking, now)
        audit.by_account(tx, account_id, "booking.hold", booking.id, now)
        answer = json.dumps(_held(booking), ensure_ascii=False)
        repeats.record(tx, owner=account_id, key=key, request=request, answer=answer, now=now)
        outbox.publish(tx, "booking.expire", booking.id, due=booking.expires_at, now=now)
    log.event("booking.held", booking_id=booking.id, schedule_id=order.schedule_id)
    return answer


def held(booking_id: str, order: NewBooking, offer: Offer, place: Place, *, account_id: str, until: datetime,
         settings: policy.Policy, now: datetime, waitlist_id: str | None = None) -> Booking:
    """A registration whose place is held ``until`` then."""
    return Booking(
        booking_id, account_id, order.patient_id, order.schedule_id, place.id, offer.doctor_id, offer.visit_date,
        offer.period, place.starts_at, offer.fee_fen, settings.payment, "HELD", "", f"B{booking_id}", False, until, "",
        "", now, hold_until=rules.hold_until(until, settings), clinic_room=offer.clinic_room, waitlist_id=waitlist_id,
        cancel_until=schedule_rules.cancel_deadline(offer.visit_date, place.starts_at, settings))


def check_blocks(tx: Transaction, patient_id: str, bound: Row | None, offer: Offer, settings: policy.Policy,
                 now: datetime) -> None:
    """Raise Blacklisted when the patient (``bound``, as ``lock_and_look`` has found them) may not book for a while."""
    proven = bound is not None and patient_rules.is_enough("RECORD", bound["level"], settings)
    if blocks.until(offer.blocked, proven=proven) is not None:
        blocks.check(tx, patient_id, proven=proven, now=now)


def _check_on_sale(offer: Offer, order: NewBooking, settings: policy.Policy, now: datetime) -> None:
    if offer.state != "OPEN":
        raise Conflict("该医生本次出诊已停诊，请选择其他医生或日期。", code="session_stopped")
    if not schedule_rules.is_open_day(offer.visit_date, now, settings):
        raise Conflict(f"该日期尚未放号或已结束，放号时间为每日{settings.release_time:%H:%M}。", code="day_not_open")
    if order.fee_fen != offer.fee_fen:
        raise Conflict("挂号费用已变更，请刷新后重新确认。", code="fee_changed")


def too_many(tx: Transaction, account_id: str, patient_id: str, day: date, settings: policy.Policy, now: datetime
             ) -> Conflict | None:
    """The refusal of one more registration, when the patient (locked) has as many as the hospital allows."""
    return rules.too_many(*store.live_counts(tx, account_id, patient_id, day, hospital_day(now), settings), settings)


def _pick(tx: Transaction, order: NewBooking, places: list[Place], booking_id: str, after: datetime, now: datetime
          ) -> Place:
    if order.slot_id is not None and not places:
        raise NotFound("未找到该号源，请返回重试。", code="slot_not_found")
    for look in range(LOOKS if order.slot_id is None else 1):
        if look:  # in a rush, those seen free may all be gone while one waited for the first
            places = [Place(row["id"], row["starts_at"]) for row in schedule_store.some_free(
                tx, order.schedule_id, after=after, now=now, limit=TRIES)]
        if not places:
            raise SoldOut
        for place in places:
            if schedule_store.take_slot(tx, place.id, booking_id, after=after, now=now):
                return place
    raise SlotGone


def _held(booking: Booking) -> dict[str, Any]:
    return {"id": booking.id, "state": booking.state, "starts_at": booking.starts_at.isoformat(),
            "fee_fen": booking.fee_fen, "needs_payment": booking.needs_payment,
            "expires_at": booking.expires_at.isoformat()}


# -- the second request: lock it in the HIS, open the payment ---------------------------------------
def pay_booking(db: Database, booking_id: str, *, account_id: str, now: datetime) -> dict[str, str] | None:
    """Lock a held place in the HIS, then open its payment: what the client needs to pay.

    None when nothing is to be paid now: the HIS then confirms by itself. Repeatable until it is paid.
    Raises NotFound, ConsentRequired, HoldExpired, SlotGone (sold at the window meanwhile), Conflict, Unavailable.
    """
    booking = store.of_account(db, account_id, booking_id)
    if booking is None:
        raise NotFound("未找到该挂号记录。", code="booking_not_found")
    patients.check(db, account_id, booking.patient_id, "PAY", now)
    if booking.state not in ("HELD", "AWAITING_PAYMENT"):
        raise HoldExpired if booking.state == "RELEASED" else Conflict(code="not_payable")
    if booking.expires_at <= now:
        raise HoldExpired
    settings = policy.load(db)
    held_until = booking.hold_until or rules.hold_until(booking.expires_at, settings)
    deadline = rules.payment_deadline(booking.expires_at, held_until, now, settings)
    if not booking.his_locked:
        _lock(db, booking, held_until, now)  # the same for every repeat, as the HIS compares
    with db.transaction() as tx:
        current = store.booking(tx, booking_id, lock=True)
        assert current is not None
        if current.state == "HELD":
            store.mark_locked(tx, booking_id)
            _open(tx, current, account_id, deadline, now)
        elif current.state != "AWAITING_PAYMENT":
            raise HoldExpired if current.state == "RELEASED" else Conflict(code="not_payable")
    payment = payment_store.of_subject(db, REGISTRATION, booking_id)
    return payments.begin(db, payment, now) if payment is not None else None


def _open(tx: Transaction, booking: Booking, account_id: str, deadline: datetime, now: datetime) -> None:
    if not booking.needs_payment:
        store.move(tx, booking, "CONFIRMING", now)
        outbox.publish(tx, "booking.confirm", booking.id, due=now, now=now)
        audit.by_account(tx, account_id, "booking.confirm", booking.id, now)
        return
    payments.open_order(
        tx, kind=REGISTRATION, subject_id=booking.id, account_id=account_id,
        openid=patient_store.openid_of(tx, account_id), amount_fen=booking.fee_fen,
        description=f"门诊挂号 {booking.visit_date:%Y-%m-%d}", expires_at=deadline, now=now)
    store.move(tx, booking, "AWAITING_PAYMENT", now, expires_at=deadline)


def _lock(db: Database, booking: Booking, until: datetime, now: datetime) -> None:
    try:
        lock_in_his(db, booking, until, now)
    except Rejected as refusal:
        log.event("his.refused", operation="lock", booking_id=booking.id, code=refusal.code)
        sold = refusal.code in SOLD_ELSEWHERE
        with db.transaction() as tx:
            current = store.booking(tx, booking.id, lock=True)
            if current is not None and current.state == "HELD":
                store.move(tx, current, "RELEASED", now, reason=refusal.code)
                if current.waitlist_id and (sold or refusal.code == "FEE_CHANGED"):  # they wait again, as before
                    outbox.publish(tx, BACK_TO_WAIT, current.waitlist_id, due=now, now=now)
                schedule_store.give_back(tx, current.id, on_sale_at=None, sold_elsewhere=sold, now=now)
                outbox.publish(tx, "schedule.refresh", current.schedule_id, due=now, now=now)
                outbox.publish(tx, "booking.unlock", current.id, due=now, now=now)
                if refusal.code == "TRADE_CONFLICT":
                    tasks.add(tx, kind="booking.his-refused", subject_id=current.id, now=now,
                              detail="TRADE_CONFLICT at the lock: the HIS has another order under "
                                     f"{current.trade_no}; nothing was paid. Ends with task.close")
        raise REFUSALS.get(refusal.code, SlotGone if sold else _Refused)() from None
    except Unanswered as silence:
        log.event("his.unanswered", operation="lock", booking_id=booking.id, reason=silence.reason)
        raise Unavailable("医院系统繁忙，号源已为您保留，请稍后重试。", code="his_unavailable") from None


def lock_in_his(db: Database, booking: Booking, until: datetime, now: datetime) -> None:
    """Take the place in the HIS under the registration's number; repeatable. Raises Rejected, Unanswered."""
    slot = schedule_store.slot(db, booking.slot_id)
    assert slot is not None
    place = slot["his_code"]
    patient_records.with_code(db, booking.patient_id, lambda code: his_registrations.lock(
        booking.trade_no, slot_code=place, patient_code=code, fee_fen=booking.fee_fen, hold_until=until), now)


class _Refused(Conflict):
    code, message = "his_refused", "医院系统未能受理本次挂号，请选择其他时间，或到人工窗口办理。"


class _Stopped(Conflict):
    code, message = "session_stopped", "该医生本次出诊已停诊，请选择其他医生或日期。"


class _FeeChanged(Conflict):
    code, message = "fee_changed", "挂号费用已变更，请重新挂号。"


class _Duplicate(Conflict):
    code, message = "already_booked", "该就诊人在医院已有同一医生同一时段的挂号，请勿重复挂号。"


SOLD_ELSEWHERE = {"SLOT_TAKEN", "LOCK_EXPIRED", "SLOT_UNKNOWN"}
REFUSALS: dict[str, type[Conflict]] = {
    "SCHEDULE_STOPPED": _Stopped, "FEE_CHANGED": _FeeChanged, "DUPLICATE_REGISTRATION": _Duplicate,
    "TRADE_CLOSED": HoldExpired, patient_records.UNKNOWN: patient_records.RecordChanged}


# -- cancelling -------------------------------------------------------------------------------------
def cancel_booking(db: Database, booking_id: str, *, account_id: str, now: datetime) -> str:
    """Give a registration up; its state after. The HIS, the refund and the message follow by themselves.

    Raises NotFound, Conflict (past the cut-off, or in a state that can't be cancelled). Repeatable.
    """
    with db.transaction() as tx:
        booking = store.booking(tx, booking_id, lock=True)
        if booking is None or booking.account_id != account_id:
            raise NotFound("未找到该挂号记录。", code="booking_not_found")
        if booking.state in ("RELEASED", "CANCELLING", "CANCELLED", "REJECTED"):
            return booking.state
        state = _give_up(tx, booking, policy.load(tx), now)
        audit.by_account(tx, account_id, "booking.cancel", booking.id, now, old=booking.state, new=state)
        return state


def _give_up(tx: Transaction, booking: Booking, settings: policy.Policy, now: datetime) -> str:
    if booking.state == "HELD":
        store.move(tx, booking, "RELEASED", now, reason=booking.ends_as("GIVEN_UP"))
        schedule_store.give_back(tx, booking.id, sold_elsewhere=False, now=now,
                                 on_sale_at=schedule_rules.on_sale_again(now, settings, random.random()))
        outbox.publish(tx, "booking.unlock", booking.id, due=now, now=now)
        tx.after_commit["on sale again"] = partial(sold_out.forget, booking.schedule_id)
        return "RELEASED"
    if booking.state == "AWAITING_PAYMENT":  # WeChat must be asked first: they may be paying now
        store.end_hold(tx, booking.id, now)
        outbox.bring_forward(tx, "booking.expire", booking.id, now)
        return booking.state
    if booking.state == "CHECKED_IN":
        raise Conflict("已取号，不能在线取消，请到人工窗口办理退号。", code="checked_in")
    if booking.state != "CONFIRMED":
        raise Conflict("挂号正在确认中，请稍后再取消。", code="confirming")
    choice, moving = move_store.choice_of(tx, booking.id), move_store.live(tx, booking.id)
    if choice is None and now >= rules.cut_off(booking, settings):
        raise Conflict("已超过线上取消时限，如需退号请到人工窗口办理。", code="cancel_closed")
    if moving is not None and not choices.let_go(tx, moving, now):
        raise Conflict("正在为您改约，请稍后刷新查看。", code="moving")
    store.move(tx, booking, "CANCELLING", now, reason=SESSION_STOPPED if choice is not None else "")
    outbox.publish(tx, "booking.cancel", booking.id, due=now, now=now)
    return "CANCELLING"
