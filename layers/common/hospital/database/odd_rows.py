"""Rows of lists from outside that could not be taken: each is a task with its reason, and the rest goes on.

One open task a row and reason, closed by itself once the row is taken. So many with one reason that they can only
have one cause are one task. A list of many parts (a day's, a patient's) is known part by part: what stands in one
that was not read stays on staff's list.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from hospital.database import tasks
from hospital.database.connection import Database
from hospital.runtime import log

TASK = "list.odd-row"
MANY = 10  # rows of one reason
HASH = 26  # characters of a subject that stand for row and reason; before them stands the part


class OddRows:
    """What could not be taken of one list in one reading."""

    def __init__(self, source: str) -> None:
        self.source = source
        self._found: dict[str, dict[tuple[str, str], None]] = defaultdict(dict)  # reason → rows in the order met
        self._parts = set[str]()
        self._undecided = set[str]()
        self._put_off = False

    def add(self, code: str, reason: str, part: str = "") -> None:
        """A row by its code, and why it was not taken."""
        self._found[reason][part, code] = None

    def read(self, part: str) -> None:
        """A part was read to its end (its name: at most 37 letters of ASCII)."""
        self._parts.add(part)

    def keep(self, code: str, reason: str) -> None:
        """A row that could not be decided this time: its task, if it has one, stays."""
        self._undecided |= {_subject("", reason), _subject("", reason, code)}

    def put_off(self) -> None:
        """A row waits for the next reading, whatever it may be: no task is closed in this one."""
        self._put_off = True

    def report(self, db: Database, now: datetime, *, whole: bool = True) -> None:
        """Put them on staff's list, counted each time; close what has been taken since.

        That is what is no longer odd in the parts that were read; and, with the ``whole`` list read, what had no part.
        """
        before = {row["subject_id"] for row in db.all(
            "SELECT subject_id FROM staff_tasks WHERE kind = %s AND state = 'OPEN'", (self._kind,))}
        told = {subject: detail for reason, rows in self._found.items()
                for subject, detail in self._tasks(reason, list(rows), before, whole).items()}
        ended = {subject for subject in before - set(told) - self._undecided
                 if _part(subject) in self._parts or (whole and not _part(subject))} if not self._put_off else set()
        if told:
            log.event("list.odd-rows", source=self.source, rows=sum(len(rows) for rows in self._found.values()))
        if not told and not ended:
            return
        with db.transaction() as tx:
            for subject, detail in told.items():
                tasks.add(tx, kind=self._kind, subject_id=subject, detail=detail, now=now)
            for subject in ended:
                tasks.settle(tx, kind=self._kind, subject_id=subject, note="taken", now=now)

    @property
    def _kind(self) -> str:
        return f"{TASK}.{self.source}"

    def _tasks(self, reason: str, rows: list[tuple[str, str]], before: set[str], whole: bool) -> dict[str, str]:
        """Subjects and details. Of parts that are read one by one, those of the others count to the many."""
        single = {_subject(part, reason, code): f"{self.source} {code or '?'}: {reason}" for part, code in rows}
        others = [] if whole else [one for one in before if _part(one) and _part(one) not in self._parts]
        if len(single) + len(others) <= MANY:
            return single
        known = {} if whole else {subject: detail for subject, detail in single.items() if subject in before}
        if len(known) == len(single):
            return known
        number, first = len(single) + len(others), rows[0][1] or "?"
        return {**known, _subject("", reason): f"{self.source}: {reason}; {number} rows, the first {first}"}


@contextmanager
def reading(db: Database, source: str, now: datetime) -> Iterator[OddRows]:
    """A reading of a list, part by part. What was odd is told also when it ends early."""
    odd, whole = OddRows(source), False
    try:
        yield odd
        whole = True
    finally:
        odd.report(db, now, whole=whole)


def _subject(part: str, *parts: str) -> str:
    # A code of theirs may be longer than a task's subject, and a reason always is.
    return f"{part}{'-' if part else ''}{hashlib.sha256(chr(9).join(parts).encode()).hexdigest()[:HASH]}"


def _part(subject: str) -> str:
    return subject[:-HASH - 1]
