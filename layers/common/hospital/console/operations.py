"""Operators' commands, invoked from the Tencent Cloud console (CAM decides who may).

The event is ``{"action": …, "by": <operator>, …}``; what is returned ends in a log and so has no
personal data. Every command leaves an audit entry: a change in its own transaction with what was and is, one that
asks other systems in between also before it begins, a read and a refusal likewise. Who gave it is the account that
the platform's context names; ``by`` is kept beside it as what was typed.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date, datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from hospital.billing import events as billing_events
from hospital.billing import jobs as billing_jobs
from hospital.billing import store as billing_store
from hospital.booking import by_staff, choices, move_store, moving
from hospital.booking import store as booking_store
from hospital.checkin import service as checkin
from hospital.checkin import store as checkin_store
from hospital.console import custody, entries, holders, noshows, places, voices
from hospital.console.command import Command
from hospital.console.task_list import ListTasks, list_tasks
from hospital.database import outbox, policy, tasks
from hospital.database.connection import Database, Transaction
from hospital.gateways.outcome import Rejected, Unanswered
from hospital.messages import service as messages
from hospital.patients import records as patient_records
from hospital.payment import desk_refunds, refunds
from hospital.reconciliation import service as reconciliation
from hospital.reconciliation import stuck, stuck_store, views
from hospital.reports import service as reports
from hospital.reports import store as report_store
from hospital.runtime.canonical import Id, OptionalId, Text
from hospital.runtime.clock import utc_now
from hospital.runtime.errors import AppError, Conflict, Invalid, NotFound
from hospital.schedules import sync
from hospital.site import service as site
from hospital.site import store as site_store
from hospital.site.model import Department

STUCK = "refund.stuck"


class ChangeSettings(Command):
    """Hospital policy: names and values; null returns one to its default."""

    changes: dict[str, Any]


class DepartmentIn(BaseModel):
    """A second-level department; ``id`` when it exists, so that links to it go on working."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True, defer_build=True)
    id: OptionalId = ""
    name: Annotated[Text, Field(min_length=1, max_length=80)]
    introduction: Annotated[Text, Field(max_length=5000)] = ""
    location: Annotated[Text, Field(max_length=200)] = ""
    his_codes: list[str] = []


class GroupIn(DepartmentIn):
    """A first-level department with those below it."""

    departments: list[DepartmentIn]


class Arrange(Command):
    """The whole two-level tree, in its order."""

    groups: list[GroupIn]


class SyncNow(Command):
    """``schedule`` (a HIS code) limits it to one session."""

    schedule: Annotated[str, Field(max_length=64, pattern=r"^[!-~]*$")] = ""


class OfDay(Command):
    """A hospital day."""

    day: date


class OnTask(Command):
    """A task, and why it is ended like this."""

    task_id: Id
    note: Annotated[Text, Field(min_length=2, max_length=400)]


class MatchPatient(OnTask):
    """``patient_code``: the patient's file as the hospital has it; empty when it was put right there."""

    patient_code: Annotated[str, Field(max_length=64, pattern=r"^[!-~]*$")] = ""


class PaidElsewhere(OnTask):
    """How the hospital paid back what WeChat never will, and where that is proven: a transfer's number.

    ``wechat_fen``: what WeChat has paid of it, when it says another amount than was ordered.
    """

    how: Literal["BANK_TRANSFER", "CASH", "OTHER"]
    reference: Annotated[Text, Field(min_length=4, max_length=64)]
    wechat_fen: Annotated[int, Field(ge=0, le=10**12)] | None = None


def change_settings(db: Database, command: ChangeSettings, now: datetime) -> dict[str, Any]:
    """Change hospital policy. A stored setting that there is no more goes with a null."""
    known = set(policy.Policy.model_fields)
    unknown = {name for name, value in command.changes.items()
               if name not in known and (value is not None or not policy.is_stored(db, name))}
    if unknown:
        raise Invalid("没有这样的设置项。", code="setting_unknown", fields=sorted(unknown))
    with db.transaction() as tx:
        before = policy.stored(tx)
        changed = policy.save(tx, command.changes, now)
        if "message_templates" in command.changes:
            messages.check_templates(changed.message_templates)
            for kind in changed.message_templates:
                tasks.settle(tx, kind=messages.TASK, subject_id=kind, note="set", now=now)
        for name in command.changes:
            tasks.settle(tx, kind=policy.TASK, subject_id=name, note="changed", now=now)
            entries.note(tx, command, name, now, detail={
                "old": before.get(name, "null"),
                "new": json.dumps(command.changes[name], ensure_ascii=False)})
    return {"changed": sorted(command.changes)}


def show_departments(db: Database, command: Command, now: datetime) -> dict[str, Any]:
    """The tree as ``departments.arrange`` takes it, and HIS departments that stand nowhere in it."""
    roots = site_store.tree(db)
    used = {code for root in roots for one in root.children for code in one.his_codes}
    return {"groups": _groups(roots), "unused_his_codes": sorted(site_store.known_his_codes(db) - used)}


def _groups(roots: list[Department]) -> list[dict[str, Any]]:
    return [{"id": root.id, "name": root.name, "departments": [
        {"id": one.id, "name": one.name, "introduction": one.introduction, "location": one.location,
         "his_codes": one.his_codes} for one in root.children]} for root in roots]


def arrange_departments(db: Database, command: Arrange, now: datetime) -> dict[str, Any]:
    """Replace the tree."""
    with db.transaction() as tx:
        before = _groups(site_store.tree(tx))
        count = site.arrange(tx, [Department(
            root.id, root.name, root.introduction, root.location, root.his_codes,
            [Department(one.id, one.name, one.introduction, one.location, one.his_codes) for one in root.departments])
            for root in command.groups])
        entries.note(tx, command, "tree", now, detail={"old": before, "new": _groups(site_store.tree(tx))})
    return {"departments": count}


def sync_now(db: Database, command: SyncNow, now: datetime) -> dict[str, Any]:
    """Take directory and sessions over from the HIS now."""
    changed = site.sync_directory(db, now) + sync.sync_schedules(db, now, only=command.schedule)
    with db.transaction() as tx:
        entries.note(tx, command, command.schedule or "all", now, detail={"changed": changed})
    return {"changed": changed}


def make_statement(db: Database, command: OfDay, now: datetime) -> dict[str, Any]:
    """Draw a day's statement up again, also when it was done."""
    done = reconciliation.statement(db, command.day, now, again=True)
    with db.transaction() as tx:
        entries.note(tx, command, str(command.day), now, result="done" if done else "waits")
    return {"day": str(command.day), "done": done}


def show_statement(db: Database, command: OfDay, now: datetime) -> dict[str, Any]:
    """A day's statement: how much of what is in which state, and where the sheet lies in COS."""
    shown = views.show(db, command.day)
    if shown is None:
        raise NotFound("该日对账单尚未生成。", code="statement_not_found")
    return shown


def retry_task(db: Database, command: OnTask, now: datetime) -> dict[str, Any]:
    """Try now what a task is about: a hanging step, a stuck refund, what could not be read, a report that is nobody's,
    clinics that are stopped indeed.

    While some of those events are left (``left``), the task stays.
    """
    task = _open_task(db, command.task_id)
    left = 0
    with db.transaction() as tx:
        if task["job_id"]:
            again = outbox.retry(tx, task["job_id"], now)
        elif task["kind"] == billing_events.UNREADABLE:
            taken, left = billing_events.read_again(tx, task["subject_id"], now)
            again = taken > 0
        elif task["kind"] == choices.MANY:
            again = choices.believe(tx, now) > 0
        elif task["kind"] == reports.UNREADABLE:
            again = report_store.read_again(tx, task["subject_id"], now) > 0
        elif task["kind"] == reports.MISMATCH:
            again = reports.look(tx, task["subject_id"], now)
        else:
            again = refunds.send_again(tx, task["subject_id"], now)
        if not again:
            raise Conflict("该任务没有可重试的步骤。", code="nothing_to_retry")
        if left:
            entries.note(tx, command, command.task_id, now)
        else:
            _end(tx, command, task, f"retry: {command.note}", now)
    return {"retried": command.task_id, "left": left}


def refund_task(db: Database, command: OnTask, now: datetime) -> dict[str, Any]:
    """End a registration or a bill that hangs between payment and HIS: refund it, unless the HIS has it after all."""
    task = _open_task(db, command.task_id)
    kind, subject_id = task["kind"], task["subject_id"]
    if stuck_store.paid_nothing(db, subject_id):  # before the HIS is told that its number is dead
        raise Conflict("系统未记到该订单的收款金额，没有可退的款项。", code="nothing_to_refund")
    if kind in by_staff.TASKS or (kind == stuck.TASK and booking_store.booking(db, subject_id)):
        state = by_staff.refund(db, subject_id, "REFUSED_BY_STAFF", now)
    elif kind in moving.TASKS or (kind == stuck.TASK and move_store.by_id(db, subject_id)):
        state = moving.refuse(db, subject_id, "REFUSED_BY_STAFF", now)
    elif kind in checkin.TASKS or (kind == stuck.TASK and checkin_store.by_id(db, subject_id)):
        state = checkin.refuse(db, subject_id, "REFUSED_BY_STAFF", now)
    elif kind in billing_jobs.TASKS or (kind == stuck.TASK and billing_store.charge(db, subject_id)):
        state = billing_jobs.refuse(db, subject_id, "REFUSED_BY_STAFF", now)
    else:
        raise Conflict("该任务不能以退费结束。", code="not_refundable")
    with db.transaction() as tx:
        entries.note(tx, command, command.task_id, now, result=state)
    return {"task": command.task_id, "state": state}


def give_up_refund(db: Database, command: OnTask, now: datetime) -> dict[str, Any]:
    """End a stuck refund of the desk's that WeChat will never make: the desk is told, and pays in another way."""
    state = desk_refunds.give_up(db, _stuck_refund(db, command.task_id), now)
    with db.transaction() as tx:
        entries.note(tx, command, command.task_id, now, result=state)
    return {"task": command.task_id, "state": state}


def pay_elsewhere(db: Database, command: PaidElsewhere, now: datetime) -> dict[str, Any]:
    """End a stuck refund that WeChat will never make, or made in another amount: the rest went back in another way."""
    state = refunds.paid_elsewhere(db, _stuck_refund(db, command.task_id), how=command.how,
                                   reference=command.reference, wechat_fen=command.wechat_fen, now=now)
    with db.transaction() as tx:
        entries.note(tx, command, command.task_id, now, result=state)
    return {"task": command.task_id, "state": state}


def match_patient(db: Database, command: MatchPatient, now: datetime) -> dict[str, Any]:
    """End what the HIS could not match: under the code of the hospital's file, or under what we know of the patient."""
    task = _open_task(db, command.task_id)
    if task["kind"] != patient_records.UNMATCHED:
        raise Conflict("该任务不是待核对的就诊人档案。", code="not_a_patient")
    patient_records.match_by_staff(db, task["subject_id"], command.patient_code, now)
    with db.transaction() as tx:
        tasks.resolve(tx, command.task_id, by=command.by, note=command.note, now=now)
        entries.note(tx, command, command.task_id, now)
    return {"matched": task["subject_id"]}


def close_task(db: Database, command: OnTask, now: datetime) -> dict[str, Any]:
    """Close a task that was settled by hand elsewhere; a hanging step is not tried any more."""
    task = _open_task(db, command.task_id)
    with db.transaction() as tx:
        if task["kind"] == STUCK and refunds.is_stuck(tx, task["subject_id"]):
            raise Conflict("退款仍停滞，请用 task.retry、refund.give_up 或 refund.paid_elsewhere 处理。",
                           code="refund_still_stuck")
        reconciliation.explain(tx, task["kind"], task["subject_id"], command.note, now)
        if task["job_id"]:
            outbox.give_up(tx, task["job_id"])
        _end(tx, command, task, command.note, now)
    return {"closed": command.task_id}


COMMANDS: dict[str, tuple[type[Command], Callable[[Database, Any, datetime], dict[str, Any]]]] = {
    "settings.change": (ChangeSettings, change_settings),
    "departments.show": (Command, show_departments),
    "departments.arrange": (Arrange, arrange_departments),
    "schedules.sync": (SyncNow, sync_now),
    "statement.make": (OfDay, make_statement),
    "statement.show": (OfDay, show_statement),
    "tasks.list": (ListTasks, list_tasks),
    "task.retry": (OnTask, retry_task),
    "task.refund": (OnTask, refund_task),
    "refund.give_up": (OnTask, give_up_refund),
    "refund.paid_elsewhere": (PaidElsewhere, pay_elsewhere),
    "patient.match": (MatchPatient, match_patient),
    "task.close": (OnTask, close_task),
    "sessions.end": (custody.EndSessions, custody.end_sessions),
    "personal.seal": (custody.SealPersonal, custody.seal_personal),
    "audit.list": (custody.ListAudit, custody.list_audit),
    "audit.open": (custody.OpenEntry, custody.open_entry),
    **holders.COMMANDS,
    **voices.COMMANDS,
    **noshows.COMMANDS,
    **places.COMMANDS,
}
READS = {"departments.show", "statement.show", "tasks.list", "audit.list", "bindings.show", "places.show",
         *voices.READS, *noshows.READS}
# Changed in several transactions, with another system asked between: what is begun is kept before.
BEGUN = {"schedules.sync", "statement.make", "task.refund", "refund.give_up", "refund.paid_elsewhere", "patient.match",
         "sessions.end", "personal.seal", "patient.correct", "patient.release", "audit.open",
         "complaint.open", "survey.words"}


def operate(db: Database, event: dict[str, Any]) -> dict[str, Any]:
    """Carry one command out. A wrong one is answered with what is wrong with it, not raised."""
    action, now = str(event.get("action", "")), utc_now()
    try:
        if action not in COMMANDS:
            raise Invalid(f"unknown action; known: {', '.join(COMMANDS)}", fields=["action"])
        kind, use_case = COMMANDS[action]
        command = kind.model_validate(event)
        if action in READS or action in BEGUN:
            with db.transaction() as tx:
                entries.given(tx, command, now, "read" if action in READS else "begun")
        try:
            return use_case(db, command, now)
        except (AppError, Rejected, Unanswered) as refusal:
            with db.transaction() as tx:
                entries.note(tx, command, entries.subject_of(command), now, getattr(refusal, "code", "unanswered"))
            raise
    except ValidationError as error:
        return {"error": {"code": "invalid", "fields": [
            {"field": ".".join(str(part) for part in problem["loc"]), "problem": problem["msg"]}
            for problem in error.errors(include_url=False, include_context=False, include_input=False)]}}
    except AppError as error:
        return {"error": {"code": error.code, "message": error.message, "fields": error.fields}}
    except Rejected as refusal:
        return {"error": {"code": refusal.code, "message": "refused by another system"}}
    except Unanswered as silence:
        return {"error": {"code": "unanswered", "message": silence.reason}}


def _open_task(source: Database | Transaction, task_id: str, *, lock: bool = False) -> dict[str, Any]:
    task: dict[str, Any] | None = tasks.find(source, task_id, lock=lock)
    if task is None or task["state"] != "OPEN":
        raise NotFound("没有该待办任务，或已处理。", code="task_not_found")
    return task


def _end(tx: Transaction, command: OnTask, task: dict[str, Any], note: str, now: datetime) -> None:
    """End a task as it was read, after what it is about: that is locked first, as by all who add or settle tasks.

    Raises NotFound (ended meanwhile), Conflict (it names another step meanwhile): then nothing is done.
    """
    if _open_task(tx, command.task_id, lock=True)["job_id"] != task["job_id"]:
        raise Conflict("该任务刚刚有了变化，请查看后重试。", code="task_changed")
    tasks.resolve(tx, command.task_id, by=command.by, note=note, now=now)
    entries.note(tx, command, command.task_id, now)


def _stuck_refund(db: Database, task_id: str) -> str:
    """The refund that a task says is stuck."""
    task = _open_task(db, task_id)
    if task["kind"] != STUCK:
        raise Conflict("该任务不是停滞的退款。", code="not_a_stuck_refund")
    return str(task["subject_id"])
