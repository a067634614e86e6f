"""Keeps what callers read of people, and whenever one asks for what is another's."""

from __future__ import annotations

from hospital.database.connection import Database, database
from hospital.runtime.clock import utc_now
from hospital.security import audit
from hospital.security.sessions import Caller

# What an id of ours may name, unless it is the asking account's own. A patient who was ever bound is no stranger.
_FOREIGN = " UNION ALL ".join((
    "SELECT 'patient' AS kind FROM patients p WHERE p.id = %s AND NOT EXISTS "
    "(SELECT 1 FROM bindings b WHERE b.account_id = %s AND b.patient_id = p.id)",
    "SELECT 'booking' AS kind FROM bookings WHERE id = %s AND account_id <> %s",
    "SELECT 'waitlist' AS kind FROM waitlist WHERE id = %s AND account_id <> %s",
    "SELECT 'order' AS kind FROM charge_orders WHERE id = %s AND account_id <> %s",
    "SELECT 'charge' AS kind FROM charges c JOIN charge_orders o ON o.id = c.order_id "
    "WHERE c.id = %s AND o.account_id <> %s",
    "SELECT 'payment' AS kind FROM payments WHERE id = %s AND account_id <> %s",
    "SELECT 'invoice' AS kind FROM invoices WHERE id = %s AND account_id <> %s",
    "SELECT 'report' AS kind FROM reports r WHERE r.id = %s AND NOT EXISTS (SELECT 1 FROM bindings b "
    "JOIN patients q ON q.id = b.patient_id JOIN patients o ON o.record_id = q.record_id "
    "WHERE b.account_id = %s AND o.id = r.patient_id)",
    "SELECT 'message' AS kind FROM messages WHERE id = %s AND account_id <> %s",
    "SELECT 'complaint' AS kind FROM complaints WHERE id = %s AND account_id <> %s",
    "SELECT 'picture' AS kind FROM pictures WHERE id = %s AND account_id <> %s",
))


class AuditWatch:
    """Writes it into the audit: reads once an hour and subject, other people's ids likewise."""

    def read(self, caller: Caller, route: str, asked: list[str]) -> None:
        """A caller was shown what a route tells of a person."""
        audit.note(database(), actor=f"account:{caller.account_id}", action=f"read {route}",
                   subject=asked[0] if asked else caller.account_id, result="done", now=utc_now())

    def refused(self, caller: Caller, route: str, asked: list[str], code: str) -> None:
        """A caller was refused: kept when an id in the request is there and another's."""
        for one in dict.fromkeys(asked):
            kind = _whose(database(), one, caller.account_id)
            if kind:
                foreign(database(), caller.account_id, route, f"{kind}:{one}", code)


def foreign(db: Database, account_id: str, route: str, subject: str, code: str) -> None:
    """An account has asked for what is another's, by an id, a bill's number or a printed code."""
    audit.note(db, actor=f"account:{account_id}", action=f"foreign {route}", subject=subject, result=code,
               now=utc_now())


def _whose(db: Database, one: str, account_id: str) -> str:
    """What an id names that is not the account's; empty when there is no such thing, or it is theirs."""
    row = db.one(f"{_FOREIGN} LIMIT 1", (one, account_id) * _FOREIGN.count("UNION ALL") + (one, account_id))
    return str(row["kind"]) if row else ""


watch = AuditWatch()
