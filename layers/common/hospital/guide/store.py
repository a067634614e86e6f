"""SQL of the hospital's places."""

from __future__ import annotations

from datetime import datetime

from pydantic import ValidationError

from hospital.database.connection import Database, Transaction
from hospital.guide.plan import Building, Floor, Plan
from hospital.runtime import log
from hospital.runtime.ids import new_id

_in_force: tuple[str, Plan] | None = None  # by its id; replaced as a whole


def current(source: Database | Transaction) -> Plan:
    """The places in force. One that this code can't read is as if there were none."""
    global _in_force  # noqa: PLW0603 - threads see the old one or the new one
    newest = source.one("SELECT MAX(id) AS id FROM place_plans")
    row_id = str(newest["id"] or "") if newest else ""
    known = _in_force
    if known is None or row_id != known[0]:
        known = _in_force = (row_id, _read(source, row_id) if row_id else _nowhere())
    return known[1]


def _nowhere() -> Plan:
    """Of a hospital that has loaded none: what the HIS says stands for itself."""
    return Plan(buildings=[Building(code="hospital", name="医院", floors=[Floor(level=1, name="1层")])])


def _read(source: Database | Transaction, row_id: str) -> Plan:
    row = source.one("SELECT plan FROM place_plans WHERE id = %s", (row_id,))
    assert row is not None
    try:
        return Plan.model_validate_json(row["plan"])
    except ValidationError:
        log.event("places.unreadable", plan=row_id)
        return _nowhere()


def load(tx: Transaction, plan: Plan, now: datetime) -> str:
    """Make these the hospital's places; the id of the plan."""
    row_id = new_id()
    tx.insert("place_plans", id=row_id, plan=plan.model_dump_json(exclude_defaults=True), loaded_at=now)
    return row_id
