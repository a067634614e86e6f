"""Closes the day: compares our books with everybody's, looks after orders that stand still and settings not taken.

Every ten minutes it also asks those whose visit is over how it was.
"""

from hospital.booking import ending
from hospital.database import policy
from hospital.database.connection import database
from hospital.feedback import surveys
from hospital.payment.desk_refunds import look
from hospital.reconciliation.service import reconcile
from hospital.reconciliation.stuck import sweep
from hospital.runtime.clock import utc_now
from hospital.runtime.events import event_function

STUCK = "stuck"  # the message of the timer that comes every ten minutes


def _run(event: dict[str, object]) -> dict[str, int]:
    if event.get("Message") == STUCK:
        policy.watch(database(), utc_now())
        moved = sweep(database(), utc_now())  # first: it needs nobody's answer
        found = look(database(), utc_now())
        ended = ending.find(database(), utc_now())
        return {"moved": moved, "found": found, "ended": ended, "asked": surveys.ask(database(), utc_now())}
    return {"count": reconcile(database(), utc_now())}


main_handler = event_function(_run)
