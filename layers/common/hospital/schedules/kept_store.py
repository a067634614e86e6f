"""Places kept for who waits (候补): while a session has a waiting list, none of its free places is on open sale.

``schedules.waiting`` says how many wait, and is changed under the session's row lock only; whoever gives a place back
asks it under the same lock. So a place comes back either before somebody joins (who then sees it on sale) or after
(and it is kept). Who takes a place needs to know nothing of this: a kept one is on sale when all of us are gone.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timezone

from hospital.database import outbox
from hospital.database.connection import Transaction

KEPT = datetime(9000, 1, 1, tzinfo=timezone.utc)  # ``on_sale_at`` of a kept place
OFFER = "waitlist.offer"  # an arrow: a session has kept places; its subject is the session
# In a statement about ``schedules``: how many wait for a session, by its name or its doctor's day.
_WAITING = ("(SELECT COUNT(*) FROM waitlist w WHERE w.schedule_id = schedules.id AND w.state = 'WAITING') "
            "+ (SELECT COUNT(*) FROM waitlist w WHERE w.doctor_id = schedules.doctor_id "
            "AND w.visit_date = schedules.visit_date AND w.state = 'WAITING')")


def is_awaited(tx: Transaction, schedule_id: str) -> bool:
    """Whether somebody waits for a place of a session; it stays locked."""
    row = tx.one("SELECT waiting FROM schedules WHERE id = %s FOR UPDATE", (schedule_id,))
    return row is not None and row["waiting"] > 0


def count_again(tx: Transaction, schedule_ids: Sequence[str], *, now: datetime, on_sale_at: datetime | None = None
                ) -> None:
    """Who waits for these sessions, or what is free in them, has changed: keep their free places, or sell them again.

    They stay locked. ``on_sale_at``: when places are sold for which nobody waits any more (None: at once).
    """
    if not schedule_ids:
        return
    marks = _marks(schedule_ids)
    tx.run(f"UPDATE schedules SET waiting = {_WAITING} WHERE id IN ({marks}) ORDER BY id", tuple(schedule_ids))
    awaited = [row["id"] for row in tx.all(
        f"SELECT id FROM schedules WHERE id IN ({marks}) AND waiting > 0 ORDER BY id", tuple(schedule_ids))]
    others = [one for one in schedule_ids if one not in awaited]
    if others:
        tx.run(f"UPDATE slots SET on_sale_at = %s WHERE schedule_id IN ({_marks(others)}) AND on_sale_at = %s",
               (on_sale_at, *others, KEPT))
    for one in awaited:
        if tx.run("UPDATE slots SET on_sale_at = %s WHERE schedule_id = %s AND booking_id IS NULL AND state = 'OPEN'",
                  (KEPT, one)):
            outbox.publish(tx, OFFER, one, due=now, now=now)


def _marks(values: Sequence[str]) -> str:
    return ", ".join(["%s"] * len(values))
