"""The ``reports`` function: a patient's reports, each one's results and files, the second check, a value over time."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated

from pydantic import Field

from hospital.database import policy
from hospital.database.connection import database
from hospital.gateways import cos
from hospital.patients import access
from hospital.patients import service as patients_service
from hospital.patients import store as patients
from hospital.patients.model import Identity
from hospital.patients.proof_api import SecondCheck
from hospital.reports import rules, store, views
from hospital.reports.store import Kept
from hospital.reports.views import ReportLine, ReportView, Trend
from hospital.runtime.canonical import Id, OptionalId
from hospital.runtime.clock import utc_now
from hospital.runtime.errors import Forbidden, NotFound
from hospital.runtime.http import Api, Model
from hospital.security import audit
from hospital.security.sessions import Caller, authenticate
from hospital.security.watch import watch

api = Api("reports", authenticate, watch)

PAGE = 20
FOLLOWED = 200  # reports that a value is followed through
LINK_LIFE = timedelta(minutes=10)
_EXTENSIONS = {"application/pdf": "pdf", "image/png": "png", "image/jpeg": "jpg"}


class OfPatient(Model):
    """Whose, and where a page starts: the last id of the page before."""

    patient_id: Id
    before: OptionalId = ""


class Reports(Model):
    """A page of reports, the last that came first. ``next`` is the cursor of the page after, if any."""

    reports: list[ReportLine]
    next: str | None


class OfItem(Model):
    """Which result of the report, by its place."""

    sequence: Annotated[int, Field(ge=1, le=100_000)]


class FileLink(Model):
    """Where a file is until ``expires_at``; whoever has the address can open it."""

    number: int
    url: str
    media_type: str
    expires_at: datetime


class Revealed(Model):
    """A report after the second check, with the links of its files, which are given at no other time."""

    report: ReportView
    links: list[FileLink]


@api.get("/reports")
def list_reports(caller: Caller, query: OfPatient) -> Reports:
    """A patient's reports (检验检查报告), the last that came first."""
    db = database()
    access.check(db, caller.account_id, query.patient_id, "RECORD", utc_now())
    person, words = patients.record(db, query.patient_id).identity, policy.load(db).report_sensitive_words
    page = store.page_of_patient(db, query.patient_id, query.before, PAGE + 1)
    return Reports(reports=[views.line(one, person, words) for one in page[:PAGE]],
                   next=page[PAGE - 1].id if len(page) > PAGE else None)


@api.get("/reports/<report_id>")
def get_report(caller: Caller, report_id: str) -> ReportView:
    """One report; of a sensitive one only that there is one."""
    kept, patient_id, person = _mine(caller, report_id)
    return _view(kept, patient_id, person, revealed=False)


@api.post("/reports/<report_id>/reveal")
def reveal(caller: Caller, report_id: str, body: SecondCheck) -> Revealed:
    """A sensitive report, after a second check of the phone on the hospital's file."""
    kept, patient_id, person = _mine(caller, report_id)
    patients_service.check_again(database(), caller.account_id, patient_id, "report.reveal", report_id,
                                 phone_code=body.code or "", sms_code=body.sms_code or "", now=utc_now())
    shown = _view(kept, patient_id, person, revealed=True)
    return Revealed(report=shown, links=[_link(kept, one.number) for one in shown.files if one.is_here])


@api.post("/reports/<report_id>/files/<number>/link")
def link(caller: Caller, report_id: str, number: str) -> FileLink:
    """A link to a picture or a PDF, good for ten minutes. Those of a sensitive report come with the second check."""
    kept, patient_id, person = _mine(caller, report_id)
    shown = _view(kept, patient_id, person, revealed=False)
    if shown.is_hidden:
        raise Forbidden("请先验证医院预留的手机号，再打开这份报告。", code="second_check_required")
    if not any(str(one.number) == number and one.is_here for one in shown.files):
        raise NotFound("未找到该文件，请刷新报告后重试。", code="file_not_found")
    with database().transaction() as tx:  # before there is a link: whoever has it can open the file
        audit.by_account(tx, caller.account_id, "report.link", kept.id, utc_now())
    return _link(kept, int(number))


@api.get("/reports/<report_id>/trend")
def trend(caller: Caller, report_id: str, query: OfItem) -> Trend:
    """One result over time: the same item by code and unit, in all reports of the patient."""
    db = database()
    kept, patient_id, person = _mine(caller, report_id)
    words = policy.load(db).report_sensitive_words
    followed = None
    if kept.state in rules.SHOWN and not rules.is_sensitive(kept.content.report, words):
        followed = views.trend(kept, query.sequence, store.page_of_patient(db, patient_id, "", FOLLOWED), person, words)
    if followed is None:
        raise NotFound("这一项没有可以对比的数值。", code="trend_not_found")
    return followed


def _mine(caller: Caller, report_id: str) -> tuple[Kept, str, Identity]:
    """A report of somebody whom the caller may read of: it, the patient as they have them bound, and who that is.

    Raises NotFound, and what speaks against reading, where the patient is the caller's.
    """
    db, now = database(), utc_now()
    kept = store.by_id(db, report_id)
    bound = [one.id for one in patients.bound_patients(db, caller.account_id)] if kept is not None else []
    theirs = [one for one in bound if kept is not None and store.is_of(db, kept, one)]
    if kept is None or not theirs or (kept.shown_at is None and kept.state == "WITHDRAWN"):
        raise NotFound("未找到该报告，请返回重试。", code="report_not_found")
    readable = [one for one in theirs if access.may(db, caller.account_id, one, "RECORD", now)]
    if not readable:
        access.check(db, caller.account_id, theirs[0], "RECORD", now)
    return kept, readable[0], patients.record(db, readable[0]).identity


def _view(kept: Kept, patient_id: str, person: Identity, *, revealed: bool) -> ReportView:
    db = database()
    return views.whole(kept, patient_id, person, store.versions(db, kept.id), policy.load(db).report_sensitive_words,
                       revealed=revealed)


def _link(kept: Kept, number: int) -> FileLink:
    file = kept.content.files[number]
    name = f"报告{number + 1}.{_EXTENSIONS.get(file.media_type, 'bin')}"
    url = cos.link(file.key, seconds=int(LINK_LIFE.total_seconds()), filename=name)
    return FileLink(number=number, url=url, media_type=file.media_type, expires_at=utc_now() + LINK_LIFE)
