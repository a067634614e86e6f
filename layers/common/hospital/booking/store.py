"""SQL of registrations."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date, datetime
from typing import Any

from hospital.booking import block_store as blocks
from hospital.booking import move_store, rules
from hospital.booking.model import DOUBLED, LIVE, MOVES, Booking, Counts, NewBooking, Offer, Place
from hospital.database import tasks
from hospital.database.connection import Database, Duplicate, Row, Transaction
from hospital.database.policy import Policy
from hospital.patients import store as patients
from hospital.patients.record_store import OTHERS, SAME
from hospital.runtime.clock import hospital_day
from hospital.runtime.errors import IllegalMove
from hospital.runtime.ids import first_of, new_id
from hospital.schedules import store as schedules

Source = Database | Transaction
LIVE_KEY = "bookings_live"  # one registration of a patient for a doctor and period


def insert(tx: Transaction, booking: Booking, now: datetime) -> None:
    """A new registration, written with the transaction's end.

    That raises Duplicate ("bookings_live", "bookings_session") when the patient has one like it.
    """
    tx.insert_soon(
        "bookings", id=booking.id, account_id=booking.account_id, patient_id=booking.patient_id,
        schedule_id=booking.schedule_id, slot_id=booking.slot_id, doctor_id=booking.doctor_id,
        visit_date=booking.visit_date, period=booking.period, starts_at=booking.starts_at,
        fee_fen=booking.fee_fen, payment_policy=booking.payment_policy, state=booking.state,
        trade_no=booking.trade_no, expires_at=booking.expires_at, created_at=now, changed_at=now,
        hold_until=booking.hold_until, cancel_until=booking.cancel_until, clinic_room=booking.clinic_room,
        **({"waitlist_id": booking.waitlist_id} if booking.waitlist_id else {}))


def booking(source: Source, booking_id: str, *, lock: bool = False) -> Booking | None:
    """One registration."""
    row = source.one(f"SELECT * FROM bookings WHERE id = %s{' FOR UPDATE' if lock else ''}", (booking_id,))
    return Booking.of(row) if row else None


def of_ids(source: Source, booking_ids: list[str]) -> dict[str, Booking]:
    """Some registrations, by id."""
    if not booking_ids:
        return {}
    return {row["id"]: Booking.of(row) for row in source.all(
        f"SELECT * FROM bookings WHERE id IN ({', '.join(['%s'] * len(booking_ids))})", booking_ids)}


def of_trade(source: Source, trade_no: str) -> Booking | None:
    """The registration of a number in the HIS."""
    row = source.one("SELECT * FROM bookings WHERE trade_no = %s", (trade_no,))
    return Booking.of(row) if row else None


def firm_of_trades(source: Source, trade_nos: list[str]) -> list[str]:
    """Of some numbers, the registrations (ids) that are firm in our books, and not their patients' to choose about."""
    if not trade_nos:
        return []
    marks = ", ".join(["%s"] * len(trade_nos))
    return [row["id"] for row in source.all(
        f"SELECT b.id FROM bookings b WHERE b.state IN ('CONFIRMED', 'CHECKED_IN') AND b.trade_no IN ({marks}) "
        "AND NOT EXISTS (SELECT 1 FROM booking_choices c WHERE c.booking_id = b.id AND c.open_flag = 1) ORDER BY b.id",
        trade_nos)]


def of_account(source: Source, account_id: str, booking_id: str) -> Booking | None:
    """One of the account's registrations; None when unknown or another's."""
    row = source.one("SELECT * FROM bookings WHERE id = %s AND account_id = %s", (booking_id, account_id))
    return Booking.of(row) if row else None


_LIKE_IT = ("k.live_flag = 1 AND (k.schedule_id = s.id OR k.doctor_id = s.doctor_id AND k.visit_date = s.visit_date "
            "AND k.period = s.period)")


def in_the_way(source: Source, patient_id: str, schedule_id: str) -> Booking | None:
    """A live registration of the patient, by whichever document, in this session or with its doctor in the period."""
    row = source.one(f"SELECT k.* FROM bookings k JOIN schedules s ON s.id = %s WHERE k.patient_id IN {SAME} "
                     f"AND {_LIKE_IT} ORDER BY k.id LIMIT 1", (schedule_id, patient_id))
    return Booking.of(row) if row else None


def page_of_account(source: Source, account_id: str, before: str, limit: int) -> list[Booking]:
    """The account's registrations, newest first, older than the id ``before`` (empty: from the newest)."""
    return [Booking.of(row) for row in source.all(
        "SELECT * FROM bookings WHERE account_id = %s AND id < %s ORDER BY id DESC LIMIT %s",
        (account_id, before or "Z" * 26, limit))]


def move(tx: Transaction, booking_: Booking, state: str, now: datetime, *, reason: str = "", **changes: Any) -> None:
    """Move a locked registration along the table and write its history. Raises IllegalMove, Duplicate."""
    if state not in MOVES[booking_.state]:
        raise IllegalMove(f"booking {booking_.id}: {booking_.state} to {state}")
    columns = {"state": state, "reason": reason, "changed_at": now, **changes}
    left = booking_.state in LIVE and state not in LIVE
    if left:
        columns["beside"] = ""
    names = ", ".join(f"{name} = %s" for name in columns)
    tx.run(f"UPDATE bookings SET {names} WHERE id = %s", (*columns.values(), booking_.id))
    tx.insert_soon("booking_history", id=new_id(), booking_id=booking_.id, from_state=booking_.state,
                   to_state=state, reason=reason, at=now)
    if booking_.state == "CONFIRMED":  # whatever was open to its patient is decided
        move_store.close_choice(tx, booking_.id, "CANCELLED" if state == "CANCELLING" else "ENDED", now)
    if left:
        not_doubled(tx, booking_, now)
        stand_alone(tx, booking_, now)


def not_doubled(tx: Transaction, booking_: Booking, now: datetime) -> None:
    """One that stood beside another of its patient's does so no more: staff have nothing to decide."""
    if booking_.beside:
        tasks.settle(tx, kind=DOUBLED, subject_id=booking_.id, note="stands beside no other any more", now=now)


def stand_alone(tx: Transaction, gone: Booking, now: datetime) -> None:
    """The place that a registration has left: what stood beside it there is under the keys of one a session again.

    Of several that stand there one takes its turn; the others go on standing beside that.
    """
    for row in tx.all("SELECT * FROM bookings WHERE patient_id = %s AND live_flag = 1 AND beside <> '' AND id <> %s "
                      "AND (schedule_id = %s OR (doctor_id = %s AND visit_date = %s AND period = %s)) ORDER BY id",
                      (gone.patient_id, gone.id, gone.schedule_id, gone.doctor_id, gone.visit_date, gone.period)):
        try:
            reseat(tx, row["id"], {"beside": ""})
        except Duplicate:
            continue  # another registration of theirs is still there
        not_doubled(tx, Booking.of(row), now)


def reseat(tx: Transaction, booking_id: str, columns: dict[str, Any]) -> None:
    """What a registration is for, as the hospital has it now. Raises Duplicate: the patient has another one there."""
    tx.run(f"UPDATE bookings SET {', '.join(f'{name} = %s' for name in columns)} WHERE id = %s",
           (*columns.values(), booking_id))


def insert_change(tx: Transaction, was: Booking, now: datetime) -> str:
    """Keep what a registration was before the hospital changed it; the change's id."""
    change_id = new_id()
    tx.insert("booking_changes", id=change_id, booking_id=was.id, doctor_id=was.doctor_id, visit_date=was.visit_date,
              period=was.period, starts_at=was.starts_at, clinic_room=was.clinic_room, at=now)
    return change_id


def changes_of(source: Source, booking_ids: list[str]) -> list[Row]:
    """What some registrations were before each change, the earliest first."""
    if not booking_ids:
        return []
    return source.all("SELECT booking_id, doctor_id, visit_date, period, starts_at, clinic_room, at "
                      f"FROM booking_changes WHERE booking_id IN ({', '.join(['%s'] * len(booking_ids))}) ORDER BY id",
                      booking_ids)


def mark_locked(tx: Transaction, booking_id: str) -> None:
    """The HIS holds the place under the registration's number."""
    tx.run("UPDATE bookings SET his_locked = 1 WHERE id = %s", (booking_id,))


def end_hold(tx: Transaction, booking_id: str, now: datetime) -> None:
    """The patient gives up: the hold ends now."""
    tx.run("UPDATE bookings SET expires_at = %s WHERE id = %s", (now, booking_id))


# Whose registrations of a patient count for an account: its own, and of those who have proven (once) to hold them.
# What strangers took in the patient's name, who never proved that they may, is not counted against who did; nor what
# was left behind by who had only made the record. By whichever of the patient's documents.
# _TWICE: by another one there is a registration like it already (by the same one the keys refuse it); the record is
# locked.
_COUNTED = (f"k.patient_id IN {SAME} AND k.live_flag = 1 AND k.visit_date >= %s AND (k.account_id = %s OR EXISTS "
            "(SELECT 1 FROM bindings b JOIN patients x ON x.id = b.patient_id JOIN patients y ON y.id = k.patient_id "
            "WHERE b.account_id = k.account_id AND x.record_id = y.record_id AND COALESCE(b.level, %s) = 'FULL' "
            "AND (b.bound_flag = 1 OR COALESCE(b.proof, '') <> 'NEW')))")
_TWICE = f"EXISTS (SELECT 1 FROM bookings k WHERE k.patient_id IN {OTHERS} AND {_LIKE_IT})"
# What an account has not paid for: held now; given up, or not paid in time, since a moment; and places that it has on
# trust (to be paid for on arrival, or free) from a day on, held ones too, or they would become firm past the limit.
# What the house has offered to who waited is not held against them.
_UNPAID = (
    "SELECT COALESCE(SUM(x.held), 0) AS unpaid, MIN(CASE WHEN x.held THEN x.expires_at END) AS unpaid_until, "
    "COALESCE(SUM(x.gone), 0) AS given_up, MIN(CASE WHEN x.gone THEN x.changed_at END) AS given_up_since, "
    "COALESCE(SUM(x.trusted), 0) AS on_trust, MIN(CASE WHEN x.trusted THEN x.visit_date END) AS on_trust_until "
    "FROM (SELECT expires_at, changed_at, visit_date, "
    "id >= %s AND state IN ('HELD', 'AWAITING_PAYMENT') AND waitlist_id IS NULL AS held, "
    "changed_at >= %s AND (state = 'RELEASED' AND reason IN ('GIVEN_UP', 'EXPIRED') "
    "OR state = 'CANCELLED' AND reason = '' AND (payment_policy = 'AT_CHECKIN' OR fee_fen = 0)) AS gone, "
    "visit_date >= %s AND state IN ('HELD', 'CONFIRMING', 'CONFIRMED', 'CANCELLING') "
    "AND (payment_policy = 'AT_CHECKIN' OR fee_fen = 0) AS trusted "
    "FROM bookings WHERE account_id = %s AND id >= %s) x")
_CHOSEN = "SELECT id, starts_at FROM slots WHERE id = %s AND schedule_id = %s"


def lock_and_look(tx: Transaction, order: NewBooking, account_id: str, settings: Policy, *, after: datetime,
                  since: datetime, now: datetime, tries: int) -> tuple[Row | None, Offer | None]:
    """The account and one of its patients, locked, and with those in hand what the order is about.

    One exchange for all that is read before a place is taken. None: not the account's patient; no such session.
    ``since``: from when on places that were given up count.
    """
    patients.lock_account_soon(tx, account_id)  # one at a time, or its limits would be passed together
    bound = tx.ask_soon(patients.LOCK_BOUND, (account_id, order.patient_id))
    places, where = ((schedules.SOME_FREE, (order.schedule_id, now, after, schedules.NEAREST, tries))
                     if order.slot_id is None else (_CHOSEN, (order.slot_id, order.schedule_id)))
    counted = (order.patient_id, hospital_day(now), account_id, settings.bindings_before_proof)
    unpaid = (first_of(since), since, hospital_day(now), account_id, first_of(now - rules.LONGEST_AHEAD))
    rows = tx.all(  # a statement of its own, so that it sees what was committed while the locks were waited for
        "SELECT s.doctor_id, s.visit_date, s.period, s.fee_fen, s.state, s.clinic_room, "
        f"(SELECT GROUP_CONCAT(c.purpose) FROM {patients.IN_FORCE}) AS consents, "
        f"(SELECT COUNT(*) FROM bookings k WHERE {_COUNTED}) AS live, "
        f"(SELECT COUNT(*) FROM bookings k WHERE {_COUNTED} AND k.visit_date = s.visit_date) AS that_day, "
        f"{_TWICE} AS twice, u.unpaid, u.unpaid_until, u.given_up, u.given_up_since, u.on_trust, u.on_trust_until, "
        "x.blocked_for_all, x.blocked_unproven, f.id AS place, f.starts_at "
        f"FROM schedules s JOIN ({_UNPAID}) u ON 1 = 1 JOIN ({blocks.IN_FORCE}) x ON 1 = 1 "
        f"LEFT JOIN ({places}) f ON 1 = 1 WHERE s.id = %s",
        (account_id, order.patient_id, now, *counted, *counted, order.patient_id, *unpaid, order.patient_id, now,
         *where, order.schedule_id))
    patient = patients.opened(bound.one())
    if not rows:
        return patient, None
    one = rows[0]
    counts = Counts(one["live"], one["that_day"], int(one["unpaid"]), one["unpaid_until"], int(one["given_up"]),
                    one["given_up_since"], int(one["on_trust"]), one["on_trust_until"])
    return patient, Offer(
        order.schedule_id, one["doctor_id"], one["visit_date"], one["period"], one["fee_fen"], one["state"],
        one["clinic_room"], set((one["consents"] or "").split(",")), counts, bool(one["twice"]),
        [Place(row["place"], row["starts_at"]) for row in rows if row["place"] is not None],
        {name: one[name] for name in ("blocked_for_all", "blocked_unproven")})


def live_counts(tx: Transaction, account_id: str, patient_id: str, day: date, today: date, settings: Policy
                ) -> tuple[int, int]:
    """The patient's live registrations from today on, and those on one day, as they count for an account."""
    row = tx.one("SELECT COUNT(*) AS total, COALESCE(SUM(k.visit_date = %s), 0) AS that_day FROM bookings k "
                 f"WHERE {_COUNTED}",
                 (day, patient_id, today, account_id, settings.bindings_before_proof))
    assert row is not None
    return int(row["total"]), int(row["that_day"])


def live_of_session(source: Source, schedule_id: str) -> list[str]:
    """The live registrations in a session, or for a place that stands in it now, the earliest first."""
    return [row["id"] for row in source.all(
        "SELECT id FROM bookings WHERE schedule_id = %s AND live_flag = 1 UNION SELECT b.id FROM slots x "
        "JOIN bookings b ON b.id = x.booking_id WHERE x.schedule_id = %s AND b.live_flag = 1 ORDER BY id",
        (schedule_id, schedule_id))]


def arrived_of_session(source: Source, schedule_id: str) -> int:
    """How many patients of a session have checked in."""
    row = source.one("SELECT COUNT(*) AS arrived FROM bookings WHERE schedule_id = %s AND state = 'CHECKED_IN'",
                     (schedule_id,))
    return int(row["arrived"]) if row else 0


def note(tx: Transaction, booking_: Booking, reason: str, now: datetime) -> None:
    """Write into its history what has happened to a registration that stays in its state."""
    tx.insert_soon("booking_history", id=new_id(), booking_id=booking_.id, from_state=booking_.state,
                   to_state=booking_.state, reason=reason, at=now)


def tokens_of_holders(source: Source, schedule_id: str) -> list[bytes]:
    """The hashes of the tokens of every account that has a live registration in a session."""
    return [row["token_hash"] for row in source.all(
        "SELECT DISTINCT s.token_hash FROM bookings b JOIN sessions s ON s.account_id = b.account_id "
        "WHERE b.schedule_id = %s AND b.live_flag = 1", (schedule_id,))]


def doctors_seen(source: Source, account_id: str, patient_ids: Collection[str], limit: int = 20) -> list[str]:
    """Doctors with whom the account had registered these patients, the latest first (quick registration)."""
    if not patient_ids:
        return []
    marks = ", ".join(["%s"] * len(patient_ids))
    return [row["doctor_id"] for row in source.all(
        "SELECT doctor_id, MAX(id) AS latest FROM bookings WHERE account_id = %s "
        f"AND patient_id IN ({marks}) AND state IN ('CONFIRMED', 'CHECKED_IN', 'CANCELLING', 'CANCELLED') "
        "GROUP BY doctor_id ORDER BY latest DESC LIMIT %s", (account_id, *patient_ids, limit))]


def unfinished(source: Source, account_id: str, patient_id: str, *, until: datetime) -> list[tuple[str, str]]:
    """The live registrations that an account has made for a patient until then: id, state."""
    return [(row["id"], row["state"]) for row in source.all(
        "SELECT id, state FROM bookings WHERE account_id = %s AND patient_id = %s AND live_flag = 1 "
        "AND created_at <= %s ORDER BY id", (account_id, patient_id, until))]


def left_behind(source: Source, account_id: str, patient_id: str, *, until: datetime) -> list[tuple[str, str]]:
    """As :func:`unfinished`, by whichever document; what was made under a binding that stands is left out."""
    return [(row["id"], row["state"]) for row in source.all(
        f"SELECT k.id, k.state FROM bookings k WHERE k.account_id = %s AND k.patient_id IN {SAME} "
        "AND k.live_flag = 1 AND k.created_at <= %s AND NOT EXISTS (SELECT 1 FROM bindings b "
        "WHERE b.account_id = k.account_id AND b.patient_id = k.patient_id AND b.bound_flag = 1 "
        "AND b.bound_at <= k.created_at) ORDER BY k.id", (account_id, patient_id, until))]
