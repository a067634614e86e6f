"""SQL of surveys. An answer leads to no visit, patient or account; what was written is sealed."""

from __future__ import annotations

import json
import os
from datetime import date, datetime
from typing import Any

from msgspec import convert, to_builtins

from hospital.database.connection import Database, Duplicate, Row, Transaction
from hospital.feedback.model import Form, Group, Question
from hospital.runtime.ids import derived
from hospital.security import cipher

Source = Database | Transaction
GROUPS = {"department": "a.his_department", "doctor": "a.doctor_id", "week": "CAST(a.week AS CHAR)", "all": "'all'"}


def form(source: Source, now: datetime, version: int = 0) -> Form | None:
    """A version of the questions, or (0) the one in force. None: there is no such version (yet)."""
    row = source.one("SELECT version, questions FROM survey_forms WHERE effective_at <= %s "
                     "AND (version = %s OR %s = 0) ORDER BY version DESC LIMIT 1", (now, version, version))
    return Form(row["version"], read_questions(json.loads(row["questions"]))) if row else None


def read_questions(told: list[dict[str, Any]]) -> tuple[Question, ...]:
    """Questions as they are stored."""
    return convert(told, tuple[Question, ...])


def insert_form(tx: Transaction, questions: tuple[Question, ...], effective_at: datetime) -> int:
    """The next version; its number. One at a time: two at once would take the same."""
    row = tx.one("SELECT version FROM survey_forms ORDER BY version DESC LIMIT 1 FOR UPDATE")
    version = (row["version"] if row else 0) + 1
    tx.insert("survey_forms", version=version, effective_at=effective_at,
              questions=json.dumps(to_builtins(questions), ensure_ascii=False))
    return int(version)


def visit_hash(booking_id: str) -> bytes:
    """What stands for a visit that was rated."""
    return cipher.lookup("survey.visit", booking_id)


def is_answered(source: Source, booking_id: str) -> bool:
    """Whether a visit was rated."""
    row = source.one("SELECT 1 AS found FROM survey_visits WHERE visit_hash = %s", (visit_hash(booking_id),))
    return row is not None


def insert(tx: Transaction, booking_id: str, *, version: int, week: date, his_department: str, doctor_id: str,
           marks: dict[str, str], words: dict[str, str], words_state: str) -> bool:
    """Keep a visit's answers, apart from the visit. False when it was rated before."""
    try:
        tx.insert("survey_visits", visit_hash=visit_hash(booking_id))
    except Duplicate:
        return False
    answer_id = derived(os.urandom(32))  # no time in it
    sealed = cipher.seal(json.dumps(words, ensure_ascii=False), f"survey_answers.words:{answer_id}") if words else None
    tx.insert("survey_answers", id=answer_id, version=version, week=week, his_department=his_department,
              doctor_id=doctor_id, words_enc=sealed, words_state=words_state)
    tx.insert_many("survey_marks", [{"answer_id": answer_id, "question": question, "mark": mark}
                                    for question, mark in marks.items()])
    return True


def unasked(source: Source, *, ended_since: datetime, now: datetime, days: tuple[date, date], kind: str) -> list[str]:
    """Checked-in registrations whose session ended since then, and about which no message of this kind was queued."""
    return [row["id"] for row in source.all(
        "SELECT b.id FROM schedules s JOIN bookings b ON b.schedule_id = s.id WHERE s.visit_date BETWEEN %s AND %s "
        "AND s.ends_at > %s AND s.ends_at <= %s AND b.state = 'CHECKED_IN' AND NOT EXISTS "
        "(SELECT 1 FROM messages m WHERE m.message_key = CONCAT(%s, '.', b.id)) ORDER BY b.id",
        (*days, ended_since, now, kind))]


# -- what is made of many ---------------------------------------------------------------------------
def groups(source: Source, by: str, since: date, until: date) -> list[Group]:
    """Answers of the weeks from ``since`` up to ``until`` (not with it), in groups, by their key."""
    key, period = GROUPS[by], (since, until)
    counts = source.all(f"SELECT {key} AS name, COUNT(*) AS answers FROM survey_answers a "
                        "WHERE a.week >= %s AND a.week < %s GROUP BY name ORDER BY name", period)
    marks: dict[str, dict[str, dict[str, int]]] = {}
    for row in source.all(f"SELECT {key} AS name, m.question, m.mark, COUNT(*) AS number FROM survey_answers a "
                          "JOIN survey_marks m ON m.answer_id = a.id WHERE a.week >= %s AND a.week < %s "
                          "GROUP BY name, m.question, m.mark", period):
        marks.setdefault(row["name"], {}).setdefault(row["question"], {})[row["mark"]] = row["number"]
    return [Group(row["name"], row["answers"], marks.get(row["name"], {})) for row in counts]


def words(source: Source, since: date, until: date, departments: list[str]) -> list[Row]:
    """What was written in some departments, opened, in no order of time: department, state, words by question."""
    if not departments:
        return []
    rows = source.all(
        "SELECT id, his_department, words_enc, words_state FROM survey_answers WHERE week >= %s AND week < %s "
        f"AND words_enc IS NOT NULL AND his_department IN ({', '.join(['%s'] * len(departments))}) ORDER BY id",
        (since, until, *departments))
    return [{"his_department": row["his_department"], "words_state": row["words_state"],
             "words": json.loads(cipher.unseal(row["words_enc"], f"survey_answers.words:{row['id']}"))} for row in rows]
