"""Rows of lists from outside that could not be taken: each is a task with its reason, and the rest goes on.

One open task a row and reason, closed by itself once the row is taken. So many with one reason that they can only
have one cause are one task.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime

from hospital.database import tasks
from hospital.database.connection import Database
from hospital.runtime import log

TASK = "list.odd-row"
MANY = 10  # rows of one reason


class OddRows:
    """What could not be taken of one list in one reading."""

    def __init__(self, source: str) -> None:
        self.source = source
        self._found: dict[str, dict[str, None]] = defaultdict(dict)  # reason → codes in the order met
        self._undecided: set[str] = set()
        self._put_off = False

    def add(self, code: str, reason: str) -> None:
        """A row by its code, and why it was not taken."""
        self._found[reason][code] = None

    def keep(self, code: str, reason: str) -> None:
        """A row that could not be decided this time: its task, if it has one, stays."""
        self._undecided |= {_subject(reason), _subject(reason, code)}

    def put_off(self) -> None:
        """A row waits for the next reading, whatever it may be: no task is closed in this one."""
        self._put_off = True

    def report(self, db: Database, now: datetime, *, whole: bool = True) -> None:
        """Put them on staff's list, counted each time; with the ``whole`` list read, close what was taken since."""
        told = {subject: detail for reason, codes in self._found.items()
                for subject, detail in self._tasks(reason, codes)}
        before = {row["subject_id"] for row in db.all(
            "SELECT subject_id FROM staff_tasks WHERE kind = %s AND state = 'OPEN'", (self._kind,))}
        ended = before - set(told) - self._undecided if whole and not self._put_off else set()
        if told:
            log.event("list.odd-rows", source=self.source, rows=sum(len(codes) for codes in self._found.values()))
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

    def _tasks(self, reason: str, codes: Iterable[str]) -> list[tuple[str, str]]:
        named = list(codes)
        if len(named) > MANY:
            return [(_subject(reason), f"{self.source}: {reason}; {len(named)} rows, the first {named[0] or '?'}")]
        return [(_subject(reason, code), f"{self.source} {code or '?'}: {reason}") for code in named]


def _subject(*parts: str) -> str:
    # A code of theirs may be longer than a task's subject, and a reason always is.
    return hashlib.sha256("\t".join(parts).encode()).hexdigest()[:26]
