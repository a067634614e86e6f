"""Staff's list of tasks: what is open, since when, how often, and which command ends it."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, Any

from pydantic import Field

from hospital.console.command import Command
from hospital.database import tasks
from hospital.database.connection import Database, Row
from hospital.runtime.canonical import OptionalId

CLOSE = ("task.close",)
# By kind: what ends it, the usual way first. Every kind that is put on the list stands here or in ENDS_OF_FAMILIES.
ENDS: dict[str, tuple[str, ...]] = {
    "registration.paid.hangs": ("task.retry", "task.refund", "task.close"),
    "booking.confirm.hangs": ("task.retry", "task.refund", "task.close"),
    "charge.settle.hangs": ("task.retry", "task.refund", "task.close"),
    "checkin.carry-out.hangs": ("task.retry", "task.refund", "task.close"),
    "checkin.paid.hangs": ("task.retry", "task.refund", "task.close"),
    **dict.fromkeys(("move.paid.hangs", "move.carry-out.hangs"), ("task.retry", "task.refund", "task.close")),
    "clinic.many-stopped": ("task.retry", "task.close"),
    "booking.cancel.hangs": ("task.retry", "task.refund", "task.close"),
    "charge.cancel.hangs": ("task.retry", "task.refund", "task.close"),
    "booking.his-refused": ("task.refund", "task.close"),
    "charge.his-refused": ("task.refund", "task.close"),
    "registration.ended": ("task.refund", "task.close"),
    "order.stuck": ("task.refund", "task.close"),
    "refund.stuck": ("task.retry", "refund.paid_elsewhere", "refund.give_up"),
    "statement.many": ("statement.make", "task.close"),
    "statement.waits": ("statement.make", "task.close"),
    "message.template": ("settings.change", "task.close"),
    "sms.refused": ("settings.change", "task.close"),
    "setting.ignored": ("settings.change", "task.close"),
    "binding.untold": ("binding.end", "binding.vouch", "task.close"),
    "patient.unmatched": ("patient.match", "task.close"),
    **dict.fromkeys(("list.shrunken", "schedule.missing-today"), ("schedules.sync", "task.close")),
    **dict.fromkeys(("complaint.due-soon", "complaint.overdue"),
                    ("complaint.take", "complaint.answer", "complaint.hand_over", "task.close")),
    **dict.fromkeys(("event.unreadable", "report.unreadable", "report.mismatch"), ("task.retry", "task.close")),
    **dict.fromkeys((
        "list.shrunken-believed", "patient.record-shared", "patient.guessed", "invoice.on-paper", "schedule.stopped",
        "schedule.places-missing",
        "booking.unlock-refused", "booking.doubled", "booking.changed-late", "booking.free-cancel-refused",
        "checkin.his-refused", "charge.unlock-refused", "payment.unknown-order",
        "payment.paid-twice", "payment.amount-differs", "payment.another-payer", "payment.not-ours",
        "payment.transaction-elsewhere", "desk-refund.refused", "desk-refund.report-refused",
        "attendance.unknown", "refund.slow", "refund.unknown", "refund.amount-differs", "refund.paid-after-all"),
        CLOSE),
    **dict.fromkeys(("list.odd-row.bill", "list.odd-row.desk-refund", "list.odd-row.trade",
                     "list.odd-row.attendance"), CLOSE)}
ENDS_OF_FAMILIES: dict[str, tuple[str, ...]] = {
    ".hangs": ("task.retry", "task.close"),  # a step in the outbox, by its topic
    "list.odd-row.": ("schedules.sync", "task.close"),  # a row of a list of the HIS
    "statement.": ("statement.make", "task.close"),  # a line of a source
}


class ListTasks(Command):
    """Which open tasks: of a ``kind`` (``refund.*``), about a ``subject_id``, older than some hours; page by page.

    ``after`` is the ``next`` of the page before. Oldest first, unless ``newest_first``.
    """

    kind: Annotated[str, Field(max_length=64, pattern=r"^[a-z_.-]*\*?$")] = ""
    subject_id: Annotated[str, Field(max_length=200)] = ""
    older_than_hours: Annotated[int, Field(ge=0, le=100_000)] = 0
    newest_first: bool = False
    after: OptionalId = ""
    limit: Annotated[int, Field(ge=1, le=200)] = 100


def list_tasks(db: Database, command: ListTasks, now: datetime) -> dict[str, Any]:
    """All kinds of open tasks with their numbers, and a page of the tasks asked for: ids and codes only."""
    wanted = tasks.Filter(kind=command.kind, subject_id=command.subject_id, before=(
        now - timedelta(hours=command.older_than_hours) if command.older_than_hours else None))
    page = tasks.page(db, wanted, after=command.after, newest=command.newest_first, limit=command.limit + 1)
    shown = page[:command.limit]
    return {"kinds": [{"kind": row["kind"], "number": row["number"], "ends_with": ends_with(row["kind"]),
                       **_ages(row, row["first_seen_at"], now)} for row in tasks.kinds(db)],
            "tasks": [{**{name: row[name] for name in ("id", "kind", "subject_id", "job_id", "detail", "times")},
                       "ends_with": ends_with(row["kind"]), **_ages(row, row["created_at"], now)} for row in shown],
            "next": shown[-1]["id"] if len(page) > len(shown) else None}


def ends_with(kind: str) -> list[str]:
    """The commands that end a task of this kind, the usual one first."""
    if kind in ENDS:
        return list(ENDS[kind])
    families = (commands for part, commands in ENDS_OF_FAMILIES.items()
                if (kind.endswith(part) if part.startswith(".") else kind.startswith(part)))
    return list(next(families, CLOSE))


def _ages(row: Row, first: datetime, now: datetime) -> dict[str, Any]:
    return {"first_seen_at": first.isoformat(), "last_seen_at": row["last_seen_at"].isoformat(),
            "age_hours": round((now - first) / timedelta(hours=1), 1)}
