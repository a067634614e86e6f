"""Operators' commands about the hospital's places: loaded as a whole, from a file, checked before anything changes."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from hospital.console import entries
from hospital.console.command import Command
from hospital.database.connection import Database
from hospital.guide import store
from hospital.guide.plan import Plan


class LoadPlaces(Command):
    """The whole plan: buildings, places, walks, preparations."""

    plan: Plan


def load(db: Database, command: LoadPlaces, now: datetime) -> dict[str, Any]:
    """Make a plan the one in force. The one before stays in the table."""
    plan = command.plan
    counts = {"buildings": len(plan.buildings), "places": len(plan.places), "walks": len(plan.walks),
              "preparations": len(plan.preparations)}
    with db.transaction() as tx:
        row_id = store.load(tx, plan, now)
        entries.note(tx, command, row_id, now, detail=counts)
    return {"plan": row_id, **counts}


def show(db: Database, command: Command, now: datetime) -> dict[str, Any]:
    """The plan in force, as ``places.load`` takes it."""
    return {"plan": store.current(db).model_dump(mode="json", exclude_defaults=True)}


COMMANDS: dict[str, tuple[type[Command], Callable[[Database, Any, datetime], dict[str, Any]]]] = {
    "places.load": (LoadPlaces, load), "places.show": (Command, show)}
