"""Reading the audit. What is sealed in it stays so: what a command returns ends in a log."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Annotated, Any

from pydantic import AwareDatetime, Field

from hospital.console.command import Command
from hospital.database.connection import Database, Row
from hospital.runtime.http import OptionalId
from hospital.security import audit


class ListAudit(Command):
    """Which entries: of an ``actor`` or ``action`` (``operator:*``, ``booking.*``), about a ``subject``, from an
    ``address``, ``since`` and before ``until``; newest first, page by page: ``before`` is the ``next`` of the last one.
    """

    actor: Annotated[str, Field(max_length=64, pattern=r"^[!-~]*$")] = ""
    actions: Annotated[str, Field(max_length=64, pattern=r"^[ -~]*$")] = ""
    subject: Annotated[str, Field(max_length=64, pattern=r"^[!-~]*$")] = ""
    address: Annotated[str, Field(max_length=45, pattern=r"^[0-9A-Fa-f:.]*\*?$")] = ""
    since: AwareDatetime | None = None
    until: AwareDatetime | None = None
    before: OptionalId = ""
    limit: Annotated[int, Field(ge=1, le=200)] = 100


def list_audit(db: Database, command: ListAudit, now: datetime) -> dict[str, Any]:
    """A page of entries."""
    wanted = audit.Filter(command.actor, command.actions, command.subject, command.address, command.since,
                          command.until)
    page = audit.page(db, wanted, before=command.before, limit=command.limit + 1)
    shown = page[:command.limit]
    return {"entries": [_shown(row) for row in shown], "next": shown[-1]["id"] if len(page) > len(shown) else None}


def _shown(row: Row) -> dict[str, Any]:
    return {**{name: row[name] or "" for name in ("id", "actor", "claimed", "action", "subject", "result", "address",
                                                  "request_id")},
            "at": row["at"].isoformat(), "detail": json.loads(row["detail"]) if row["detail"] else {},
            "has_sealed_values": bool(row["has_personal"])}
