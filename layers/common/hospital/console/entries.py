"""The audit entries of operators' commands."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from hospital.console.command import Command
from hospital.database.connection import Transaction
from hospital.runtime import origin
from hospital.security import audit

FREE = {"note", "reference", "patient_code", "text"}  # may say anything of a person: sealed


def note(tx: Transaction, command: Command, subject: str, now: datetime, result: str = "done", *,
         detail: dict[str, Any] | None = None, personal: dict[str, Any] | None = None) -> None:
    """What a command did, or that it was refused, with the result's code."""
    audit.record(tx, actor=operator(), claimed=command.by, action=command.action, subject=subject, result=result,
                 now=now, detail=detail, personal=personal)


def given(tx: Transaction, command: Command, now: datetime, result: str) -> None:
    """A command as it was given, before it is carried out."""
    note(tx, command, subject_of(command), now, result,
         detail=command.model_dump(mode="json", exclude={"action", "by", *FREE}, exclude_defaults=True),
         personal=command.model_dump(mode="json", include=FREE, exclude_defaults=True))


def operator() -> str:
    """The account under which the platform ran the command; the invocation's id leads to who gave it (CloudAudit)."""
    return f"operator:{origin.current().uin or 'unknown'}"


def subject_of(command: Command) -> str:
    """What a command is about: the task, the day, the account …"""
    names = ("task_id", "binding_id", "day", "account_id", "schedule", "subject_id", "subject", "entry_id",
             "complaint_id", "block_id", "no_show_id")
    return next((str(one) for one in (getattr(command, name, "") for name in names) if one), "all")
