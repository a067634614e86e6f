"""Use cases of reconciliation: the statement of each hospital day.

A statement may be drawn up again at any time, by anybody, twice at once: each run replaces what the one before
said, and only the one that began last may write.
"""

from __future__ import annotations

import json
import tempfile
import time
from collections import defaultdict
from datetime import date, datetime, timedelta
from itertools import islice
from typing import IO

from msgspec.structs import astuple, replace

from hospital.database import tasks
from hospital.database.connection import Database, Transaction
from hospital.gateways import cos
from hospital.gateways.outcome import Rejected, Unanswered
from hospital.gateways.wechatpay_bills import NotReady
from hospital.reconciliation import remedies, rules, sheet, sorting, sources, store
from hospital.reconciliation.model import (
    AGREED,
    DONE,
    EXPLAINED,
    OTHER,
    SETTLED,
    SHEET,
    SOURCES,
    TASK,
    Difference,
    Finding,
    Line,
    Tally,
)
from hospital.runtime import log
from hospital.runtime.clock import hospital_day

LOOKS = 1000  # differences of one source that are looked into; so many can only be one fault, a person's business
AT_ONCE = 500  # rows an INSERT
IN_MEMORY = 1_000_000  # bytes of findings before they go to a file

Sums = defaultdict[tuple[str, str, str], Tally]


def reconcile(db: Database, now: datetime, seconds: float = 600) -> int:
    """Draw up what is missing of the last days' statements, the oldest first. Returns how many were finished.

    After ``seconds`` no other one is begun: the timer comes again.
    """
    deadline, finished = time.monotonic() + seconds, 0
    failed: Exception | None = None
    for day in rules.days_to_state(store.first_day(db), hospital_day(now)):
        if time.monotonic() > deadline:
            break
        try:
            there = store.row(db, day)
            if there is None or there["state"] != DONE:
                finished += statement(db, day, now)
        except Exception as error:  # noqa: BLE001 - raised below: one day's fault must not keep the others waiting
            log.failure("statement.failed", error, day=str(day))
            failed = error
    if failed is not None:
        raise failed
    return finished


def statement(db: Database, day: date, now: datetime, again: bool = False) -> bool:
    """Draw up a day's statement, or what is missing of it; ``again``: all of it, though it is done.

    True when it is finished now. False: it was done, another run is at it, or a list could not be read;
    then the next run takes it up.
    """
    with db.transaction() as tx:
        wanted = store.claim(tx, day, now, again=again)
    if wanted is None:
        return False
    patience = remedies.Patience()
    waits = _compare(db, day, [one for one in wanted if one != SHEET], now, patience)
    if waits is None:
        return False
    if not waits:
        _look_again(db, day, now, patience)
        waits = _store_sheet(db, day, now)
    log.event("statement.drawn", day=str(day), waits_for=",".join(waits))
    return not waits


# -- comparing --------------------------------------------------------------------------------------
def _compare(db: Database, day: date, wanted: list[str], now: datetime, patience: remedies.Patience
             ) -> list[str] | None:
    """Compare the wanted sources and write what they say. The sources that could not be read; None: taken over."""
    sums: Sums = defaultdict(Tally)
    waits: dict[str, str] = {}  # and why
    many: list[str] = []
    with tempfile.SpooledTemporaryFile(IN_MEMORY, "w+", encoding="utf-8", newline="\n") as findings:
        for source in wanted:
            try:
                looked = _compare_source(db, source, day, now, patience, findings, sums)
            except (NotReady, Unanswered, Rejected) as problem:
                waits[source] = getattr(problem, "reason", type(problem).__name__)
                log.event("statement.list-missing", day=str(day), source=source, problem=waits[source])
            else:
                many += [source] if looked > LOOKS else []
        read = [source for source in wanted if source not in waits]
        with db.transaction() as tx:
            if not store.still_mine(tx, day, now):
                return None
            told = store.told_lines(tx, day, read)
            explained = {_known_by(line.difference): line.finding for line in store.explained_lines(tx, day, read)}
            store.clear(tx, day, read)
            findings.seek(0)
            _write_lines(tx, day, findings, told, explained, now)
            store.insert_sums(tx, day, sums)
            for source in read:
                _say_many(tx, day, source, source in many, now)
            if waits:
                store.wait_for(tx, day, list(waits))
                _say_waiting(tx, day, waits, now)
    return list(waits)


def _compare_source(db: Database, source: str, day: date, now: datetime, patience: remedies.Patience,
                    findings: IO[str], sums: Sums) -> int:
    """Compare one source, findings to the file. Returns how many differences there are. Raises as its list does."""
    others, agreed, count = Tally(), dict[str, Tally](), 0
    strangers = sources.Strangers(day)
    with (sorting.in_order(sources.theirs(source, day, others)) as lines,
          sources.ours(db, source, day) as ours):
        for one in rules.join(source, rules.entries(lines), ours, agreed):
            if strangers.has(one):
                others.add(0, one.theirs_fen or 0)
                continue
            count += 1
            finding = remedies.look(db, day, one, now, patience) if count <= LOOKS else remedies.unlooked(one)
            sums[source, one.movement, finding.state].add(one.ours_fen or 0, one.theirs_fen or 0)
            findings.write(json.dumps([astuple(one), astuple(finding)], default=str) + "\n")
    for movement, tally in agreed.items():
        sums[source, movement, AGREED] = tally
    if others.lines:
        sums[source, OTHER, AGREED] = others
    return count


def _write_lines(tx: Transaction, day: date, findings: IO[str], told: set[tuple[str, str]],
                 explained: dict[Difference, Finding], now: datetime) -> None:
    """Write what was found. ``told``: what staff had been told of; a task about what is no more is settled.

    What staff have ``explained`` stays so, as long as it is the same difference.
    """
    found = (_kept(*_read(text), explained) for text in findings)
    while some := list(islice(found, AT_ONCE)):
        store.insert_lines(tx, day, some)
        for one, finding in some:
            if finding.stands == SETTLED:
                _even_out(tx, day, one, finding.settled_on or day, now)
            elif finding.stands == TASK:
                told.discard((one.source, one.number))
                _add_task(tx, day, one, finding, now)
    for source, number in told:
        _end_task(tx, source, number, note="agrees now", now=now)


def _read(text: str) -> tuple[Difference, Finding]:
    one, finding = json.loads(text)
    found = Finding(*finding)
    return Difference(*one), replace(
        found, settled_on=date.fromisoformat(str(found.settled_on)) if found.settled_on else None)


def _kept(one: Difference, finding: Finding, explained: dict[Difference, Finding]) -> tuple[Difference, Finding]:
    before = explained.get(_known_by(one))
    return one, before if before is not None and finding.stands == TASK and before.state == finding.state else finding


def _known_by(one: Difference) -> Difference:
    """What of a difference must be the same for what staff have said of it."""
    return replace(one, note=one.order if one.movement == "CAPTURE" and one.theirs_fen is not None else "")


def _even_out(tx: Transaction, day: date, one: Difference, on: date, now: datetime) -> None:
    """A line is settled: so are its counterpart and the tasks about both."""
    for other in rules.evened_by(one, store.counterparts(tx, day, one)):
        store.note_finding(tx, other, Finding(other.state, other.action, f"{other.detail}；与{day}账单对平", on))
    _end_task(tx, one.source, one.number, note=f"settled on {on}", now=now)


def _add_task(tx: Transaction, day: date, one: Difference, finding: Finding, now: datetime) -> None:
    tasks.add(tx, kind=_task_kind(one.source), subject_id=one.number, now=now,
              detail=f"{day} {one.movement} {one.number} {finding.state}: ours {one.ours_fen}, theirs {one.theirs_fen} "
                     f"fen; {finding.detail}")


def _task_kind(source: str) -> str:
    return f"statement.{source.lower()}"


def _end_task(tx: Transaction, source: str, number: str, *, note: str, now: datetime) -> None:
    for subject_id in rules.subjects(number):
        tasks.settle(tx, kind=_task_kind(source), subject_id=subject_id, note=note, now=now)


def _say_many(tx: Transaction, day: date, source: str, too_many: bool, now: datetime) -> None:
    kind, subject_id = "statement.many", f"{day} {source}"
    if too_many:
        tasks.add(tx, kind=kind, subject_id=subject_id, detail=f"{source} 账单与系统相差过多，未逐笔处理", now=now)
    else:
        tasks.settle(tx, kind=kind, subject_id=subject_id, note="drawn up again", now=now)


def _say_waiting(tx: Transaction, day: date, waits: dict[str, str], now: datetime) -> None:
    if rules.overdue(day, hospital_day(now)):
        told = ", ".join(f"{what} ({why})" for what, why in waits.items())
        tasks.add(tx, kind="statement.waits", subject_id=str(day), detail=f"waits for {told}", now=now)


# -- open lines of the days before ------------------------------------------------------------------
def _look_again(db: Database, day: date, now: datetime, patience: remedies.Patience) -> None:
    for line in store.open_lines(db, day - timedelta(days=rules.DAYS_BACK), day - timedelta(days=1), LOOKS):
        finding = remedies.look_again(db, line, day, now, patience)
        if finding != Finding(line.state, line.action, line.detail):
            with db.transaction() as tx:
                _note_again(tx, line, finding, now)


def explain(tx: Transaction, kind: str, subject_id: str, note: str, now: datetime) -> int:
    """Staff have closed a task about lines that differ, and say why: the lines end with that. How many there were."""
    sources_of = {_task_kind(source): source for source in SOURCES}
    if kind not in sources_of:
        return 0
    told = store.lines_of_tasks(tx, sources_of[kind])
    lines = ([line for line in told if rules.subjects(line.number)[0] == subject_id]
             or [line for line in told if subject_id in rules.subjects(line.number)])
    for line in lines:
        store.note_finding(tx, line, Finding(line.state, EXPLAINED, f"{line.detail}；人工说明：{note}",
                                             hospital_day(now)))
    return len(lines)


def _note_again(tx: Transaction, line: Line, finding: Finding, now: datetime) -> None:
    store.note_finding(tx, line, finding)
    if finding.settled_on is not None:
        _even_out(tx, line.day, line.difference, finding.settled_on, now)
    elif finding.action == TASK and line.action != TASK:
        _add_task(tx, line.day, line.difference, finding, now)


# -- the sheet --------------------------------------------------------------------------------------
def _store_sheet(db: Database, day: date, now: datetime) -> list[str]:
    """Put the day's sheet into COS and finish the statement; what it waits for when that did not work."""
    key = f"statements/{day}.xlsx"
    try:
        with tempfile.TemporaryFile() as file:
            sheet.write(file, day, now, store.sums(db, day), store.open_count(db, day), store.lines(db, day))
            file.seek(0)
            cos.put(key, file, content_type=sheet.CONTENT_TYPE)
    except (Unanswered, Rejected) as problem:
        log.event("statement.sheet-missing", day=str(day), problem=problem.reason)
        waits = {SHEET: problem.reason}
    else:
        waits = {}
    with db.transaction() as tx:
        if not store.still_mine(tx, day, now):
            return [SHEET]
        if waits:
            store.wait_for(tx, day, list(waits))
            _say_waiting(tx, day, waits, now)
        else:
            store.finish(tx, day, key, now)
            tasks.settle(tx, kind="statement.waits", subject_id=str(day), note="drawn up", now=now)
    return list(waits)


