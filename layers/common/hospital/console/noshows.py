"""Operators' commands about missed visits: who is barred from booking, barring and letting by hand, taking one back.

A patient is named by the code of the hospital's file; blocks and missed visits by their ids.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, time
from typing import Annotated, Any

from pydantic import Field

from hospital.console import entries
from hospital.console.command import Command
from hospital.console.holders import OfPatient, OnPatient
from hospital.database.connection import Database, Row
from hospital.noshow import blocking, service, store
from hospital.patients import record_store
from hospital.patients import store as patients
from hospital.runtime.canonical import Id, OptionalId, Text
from hospital.runtime.clock import at_hospital
from hospital.runtime.errors import Conflict, NotFound
from hospital.security import cipher

MOST = 200


class ListBlocks(Command):
    """Blocks that hold now, page by page: ``after`` is the ``next`` of the page before."""

    after: OptionalId = ""
    limit: Annotated[int, Field(ge=1, le=MOST)] = 100


class AddBlock(OnPatient):
    """Whom, why (their accounts are shown it), and the hospital day from which they may book again."""

    until: date


class OnBlock(Command):
    """A block as ``blacklist.list`` names it, and why it is lifted."""

    block_id: Id
    note: Annotated[Text, Field(min_length=2, max_length=400)]


class OnNoShow(Command):
    """A missed visit as ``no_shows.show`` names it, and why it does not count."""

    no_show_id: Id
    note: Annotated[Text, Field(min_length=2, max_length=400)]


def list_blocks(db: Database, command: ListBlocks, now: datetime) -> dict[str, Any]:
    """Who may not book now: ids, by what, until when."""
    page = store.blocks_in_force(db, now, command.after, command.limit + 1)
    shown = page[:command.limit]
    return {"blocks": [_block(row) for row in shown], "next": shown[-1]["id"] if len(page) > len(shown) else None}


def show(db: Database, command: OfPatient, now: datetime) -> dict[str, Any]:
    """What a person has missed, and every block of theirs."""
    found = _known(db, command.patient_code)
    with db.transaction() as tx:
        entries.note(tx, command, found, now, "shown", personal=command.model_dump(include=entries.FREE))
    return {"no_shows": [
        {"id": row["id"], "booking": row["booking_id"], "account": row["account_id"], "patient": row["patient_id"],
         "visit_date": str(row["visit_date"]), "is_proven": bool(row["is_proven"]), "led_to_block": row["block_id"],
         "taken_back_at": _moment(row["taken_back_at"]), "taken_back_by": row["taken_back_by"]}
        for row in store.of_patient(db, found, MOST)],
        "blocks": [_block(row) for row in store.blocks_of(db, found, MOST)]}


def add(db: Database, command: AddBlock, now: datetime) -> dict[str, Any]:
    """Bar a person from booking. Raises NotFound, Conflict (the day is no later one)."""
    cipher.ready()
    found = _known(db, command.patient_code)
    with db.transaction() as tx:
        record_store.lock(tx, found)
        block_id = blocking.add(tx, found, command.note, at_hospital(command.until, time(0)), now)
        entries.note(tx, command, block_id, now, detail={"until": str(command.until)},
                     personal=command.model_dump(include=entries.FREE))
    return {"block": block_id}


def lift(db: Database, command: OnBlock, now: datetime) -> dict[str, Any]:
    """Let somebody book again before their time. Raises NotFound."""
    cipher.ready()
    with db.transaction() as tx:
        if not blocking.lift(tx, command.block_id, "STAFF", now):
            raise NotFound("没有这条正在生效的黑名单。", code="block_not_found")
        entries.note(tx, command, command.block_id, now, personal=command.model_dump(include=entries.FREE))
    return {"lifted": command.block_id}


def take_back(db: Database, command: OnNoShow, now: datetime) -> dict[str, Any]:
    """A missed visit does not count; the block that it led to goes with it. Raises NotFound, Conflict (it did not)."""
    cipher.ready()
    missed = store.no_show(db, command.no_show_id)
    if missed is None:
        raise NotFound("没有这条爽约记录。", code="no_show_not_found")
    with db.transaction() as tx:
        if not service.take_back(tx, missed, "STAFF", now):
            raise Conflict("该爽约记录已撤销。", code="taken_back_already")
        entries.note(tx, command, command.no_show_id, now, personal=command.model_dump(include=entries.FREE))
    return {"taken_back": command.no_show_id}


COMMANDS: dict[str, tuple[type[Command], Callable[[Database, Any, datetime], dict[str, Any]]]] = {
    "blacklist.list": (ListBlocks, list_blocks), "no_shows.show": (OfPatient, show), "blacklist.add": (AddBlock, add),
    "blacklist.lift": (OnBlock, lift), "no_show.take_back": (OnNoShow, take_back)}
READS = {"blacklist.list", "no_shows.show"}


def _known(db: Database, patient_code: str) -> str:
    found = patients.of_code(db, patient_code)
    if not found:
        raise NotFound("没有绑定该患者编号的就诊人。", code="patient_not_found")
    return found[0]


def _block(row: Row) -> dict[str, Any]:
    return {"id": row["id"], "patient": row["patient_id"], "source": row["source"], "reach": row["reach"],
            "missed": row["missed"], "begins_at": _moment(row["begins_at"]), "ends_at": _moment(row["ends_at"]),
            "lifted_at": _moment(row["lifted_at"]), "lifted_by": row["lifted_by"]}


def _moment(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment is not None else None
