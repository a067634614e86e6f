"""A hospital day that only one test has, and its statement."""

from __future__ import annotations

import io
from collections.abc import Callable
from datetime import date, timedelta
from itertools import count
from typing import Any

import requests
from openpyxl import Workbook, load_workbook

from sandbox.phone import Control

Sql = Callable[..., list[tuple[Any, ...]]]
Found = dict[tuple[str, str], tuple[str, str, bool]]  # source and movement: state, action, whether it is settled
_days = count(1)


class Day:
    """A hospital day of its own, far from the other tests' days, and the statements from it on."""

    def __init__(self, control: Control, sql: Sql) -> None:
        self.control, self.sql = control, sql
        self.day = date(2026, 12, 1) + timedelta(days=9 * next(_days))
        for table in ("statement_lines", "statement_sums", "statements"):
            sql(f"DELETE FROM {table}")
        sql("DELETE FROM staff_tasks WHERE kind LIKE %s", ("statement.%",))
        for back in range(1, 8):
            sql("INSERT INTO statements (day, state, begun_at) VALUES (%s, 'DONE', %s)",
                (self.day - timedelta(days=back), self.day))
        # There has been business before, whichever test comes first: no day before the first movement has a statement.
        sql("INSERT INTO ledger (id, payment_id, movement, movement_key, amount_fen, at, day, recorded_at) "
            "VALUES (%s, %s, 'CAPTURE', 'before', 1, %s, %s, %s)", ("0" * 26, "0" * 26, *[date(2026, 11, 1)] * 3))
        self.at("09:00:00")

    def end(self) -> None:
        """What it left for others to stumble on is gone."""
        self.control("DELETE", f"/wechatpay/bills/{self.day}")
        self.sql("DELETE FROM ledger WHERE id = %s", ("0" * 26,))

    def at(self, clock_time: str, days: int = 0) -> None:
        """The clock, so many days later."""
        self.control("PUT", "/clock", now=f"{self.day + timedelta(days=days)}T{clock_time}+08:00")

    def close(self, days: int = 1, clock_time: str = "10:20:00") -> int:
        """The timer fires on a later day; how many statements it finished."""
        self.at(clock_time, days)
        answer = self.control("POST", "/scf/timers/reconcile/daily/fire")
        assert "error" not in answer, answer
        return int(answer["result"]["count"])

    def shown(self, days: int = 0) -> dict[str, Any]:
        """A day's statement as operators see it."""
        answer: dict[str, Any] = self.control.operate("statement.show", day=str(self.day + timedelta(days=days)))
        return answer

    def again(self, days: int = 0) -> None:
        """An operator has it drawn up again."""
        self.control.operate("statement.make", day=str(self.day + timedelta(days=days)))

    def waits(self) -> tuple[str, str]:
        """The statement's state and what it waits for."""
        shown = self.shown()
        return shown["state"], shown["waiting_for"]

    def sums(self) -> dict[tuple[str, str, str], tuple[int, int, int]]:
        """Count, our and their fen, by source, movement and state."""
        return {(one["source"], one["movement"], one["state"]): (one["lines"], one["ours_fen"], one["theirs_fen"])
                for one in self.shown()["sums"]}

    def lines(self, number: str, days: int = 0) -> Found:
        """What its statement says about a number."""
        return {(source, movement): (state, action, on is not None) for source, movement, state, action, on in self.sql(
            "SELECT source, movement, state, action, settled_on FROM statement_lines WHERE day = %s AND number = %s",
            (self.day + timedelta(days=days), number))}

    def detail(self, number: str) -> str:
        """What it says besides."""
        return str(self.sql("SELECT detail FROM statement_lines WHERE day = %s AND number = %s",
                            (self.day, number))[0][0])

    def settled_on(self, number: str) -> int | None:
        """How many days later its line was evened out; None: it is open."""
        on: date | None = self.sql("SELECT settled_on FROM statement_lines WHERE day = %s AND number = %s",
                                   (self.day, number))[0][0]
        return None if on is None else (on - self.day).days

    def tasks(self) -> set[tuple[str, str]]:
        """Kind and subject of the open tasks about statements."""
        return {(row[0], row[1]) for row in self.sql(
            "SELECT kind, subject_id FROM staff_tasks WHERE state = 'OPEN' AND kind LIKE %s", ("statement.%",))}

    def sheet(self) -> Workbook:
        """The stored workbook."""
        bucket = self.control("GET", "/scf/env/reconcile")["COS_BUCKET"]
        answer = requests.get(f"{self.control.addresses['control']}/cos/objects/{self.shown()['file']}",
                              params={"bucket": bucket}, timeout=60)
        assert answer.status_code == 200, answer.text
        return load_workbook(io.BytesIO(answer.content))

    def amend(self, **how: Any) -> None:
        """WeChat's two bills of the day say something else."""
        self.control("POST", f"/wechatpay/bills/{self.day}/amend", **how)

    def books(self) -> list[Any]:
        """Everything that drawing up a statement could have written, but for the statement's own times."""
        return [self.sql(f"SELECT * FROM {table} ORDER BY 1, 2") for table in (
            "statement_lines", "statement_sums", "ledger", "outbox", "staff_tasks")]
