"""What a patient does: join a waiting list, leave it."""

from __future__ import annotations

import random
from datetime import datetime

from hospital.booking import block_store as blocks
from hospital.booking import service as bookings
from hospital.booking import store as booking_store
from hospital.database import outbox, policy
from hospital.database.connection import Database, Transaction
from hospital.patients import access, proof_store
from hospital.patients import store as patients
from hospital.runtime.errors import Conflict, NotFound
from hospital.runtime.ids import new_id
from hospital.schedules import kept_store as kept
from hospital.schedules import rules as schedule_rules
from hospital.security import audit, limits
from hospital.security.sessions import Caller
from hospital.waitlist import store
from hospital.waitlist.model import LET_GO, Covered, Entry, Wish

END = "waitlist.end"  # an arrow: what an entry is for is over


class EntryUnknown(NotFound):
    """Not an entry of the account's."""

    code, message = "waitlist_entry_not_found", "未找到该候补记录，请返回重试。"


def join(db: Database, wish: Wish, *, caller: Caller, now: datetime) -> str:
    """Put a patient on the waiting list of a session, or of a doctor's day; the entry's id, a repeat's the same.

    Raises NotFound (session, patient), ConsentRequired, Blacklisted, Conflict (there are places, no waiting list, full,
    already waiting or registered, limits), TooMany.
    """
    settings = policy.load(db, caller.policy)
    limits.here("booking", caller.account_id, settings, now)
    with db.transaction(lock_wait=bookings.PATIENCE) as tx:
        patients.lock_account_soon(tx, caller.account_id)  # one at a time, or its limit would be passed together
        access.act_for(tx, caller.account_id, wish.patient_id, "REGISTER", settings, now)
        proven = _has_proven(tx, caller.account_id, wish, settings)
        blocks.check(tx, wish.patient_id, proven=proven, now=now)
        sessions = store.covered(tx, wish, lock=True)
        while sessions and (before := store.waits_already(tx, wish, sessions)) is not None:
            if (before.account_id, before.wish) == (caller.account_id, wish):
                return before.id
            if before.account_id == caller.account_id or not proven or _has_proven(
                    tx, before.account_id, before.wish, settings):
                raise Conflict("该就诊人已在候补该医生的号，请勿重复登记。", code="already_waiting")
            end(tx, before, "LEFT", LET_GO, now)  # a stranger does not bar whose record it is
        _check(tx, wish, sessions, caller.account_id, settings, now)
        entry = Entry(new_id(), caller.account_id, wish.patient_id, wish.schedule_id, wish.doctor_id, wish.visit_date,
                      "WAITING", "", None, now, now)
        store.insert(tx, entry)
        kept.count_again(tx, [one.id for one in sessions], now=now)  # what was to be sold later is kept from now on
        outbox.publish(tx, END, entry.id, due=max(one.ends_at for one in sessions), now=now)
        audit.by_account(tx, caller.account_id, "waitlist.join", entry.id, now)
    return entry.id


def _has_proven(tx: Transaction, account_id: str, wish: Wish, settings: policy.Policy) -> bool:
    return proof_store.has_proven(tx, account_id, wish.patient_id, settings.bindings_before_proof)


def _check(tx: Transaction, wish: Wish, sessions: list[Covered], account_id: str, settings: policy.Policy,
           now: datetime) -> None:
    """Raise what speaks against one more in the line of these sessions, which are locked."""
    after = schedule_rules.earliest_start(now, settings)
    sold = [one for one in sessions if one.state == "OPEN" and one.ends_at > after
            and schedule_rules.is_open_day(one.visit_date, now, settings)]
    if not sold:
        raise NotFound("该出诊已停诊、未放号或已结束，请选择其他医生或日期。", code="schedule_not_found")
    if settings.waitlist_per_session == 0:
        raise Conflict("本院暂未开放候补，请选择其他时间或医生。", code="no_waitlist")
    if any(store.is_on_sale(tx, one.id, after=after, now=now) for one in sold):
        raise Conflict("现在还有号，请直接预约。", code="places_free")
    if any(booking_store.in_the_way(tx, wish.patient_id, one.id) for one in sold):
        raise Conflict("该就诊人已预约该医生同一时段，请勿重复登记。", code="already_booked")
    if min(one.waiting for one in sold) >= settings.waitlist_per_session:
        raise Conflict("候补人数已满，请选择其他时间或医生。", code="waitlist_full")
    if store.number_of_account(tx, account_id) >= settings.waitlist_per_account:
        raise Conflict(f"您的候补已达{settings.waitlist_per_account}个，请先取消一个再登记。", code="too_many_waiting")
    refusal = bookings.too_many(tx, account_id, wish.patient_id, sold[0].visit_date, settings, now)
    if refusal is not None:
        raise refusal


def leave(db: Database, entry_id: str, *, account_id: str, now: datetime) -> None:
    """Take an entry off the list. Repeatable. Raises EntryUnknown, Conflict (a place was offered already)."""
    found = store.entry(db, entry_id)
    if found is None or found.account_id != account_id:
        raise EntryUnknown
    with db.transaction() as tx:
        current = end(tx, found, "LEFT", "", now)
        if current.state == "OFFERED":
            raise Conflict("候补的号已为您留好，如不需要请在预约记录中取消。", code="offered")
        if current.state == "WAITING":
            audit.by_account(tx, account_id, "waitlist.leave", entry_id, now)


def end(tx: Transaction, found: Entry, state: str, reason: str, now: datetime) -> Entry:
    """End an entry, if it waits still; what it was. The sessions are locked first, then the entry.

    What is kept for nobody any more is sold as if it came back now.
    """
    sessions = store.covered(tx, found.wish, lock=True)
    current = store.entry(tx, found.id, lock=True)
    assert current is not None
    if current.state == "WAITING":
        store.move(tx, current, state, now, reason=reason)
        kept.count_again(tx, [one.id for one in sessions], now=now, on_sale_at=schedule_rules.on_sale_again(
            now, policy.load(tx), random.random()))
    return current
