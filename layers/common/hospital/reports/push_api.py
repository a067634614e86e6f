"""The ``report_push`` function: what LIS and PACS push, checked over the raw bytes before anything is read.

HL7 v2 is answered by an ACK, FHIR and our JSON by what was wrong: no sender repeats for ever what can't be taken.
"""

from __future__ import annotations

from typing import cast

from werkzeug.wrappers import Response

from hospital.database.connection import database
from hospital.gateways import report_systems
from hospital.gateways.his.wire import NotGenuine
from hospital.gateways.outcome import Rejected, Unanswered
from hospital.gateways.report_systems import Form
from hospital.reports import intake
from hospital.reports.model import NotTaken
from hospital.runtime import log
from hospital.runtime.clock import utc_now
from hospital.runtime.errors import AppError, Unauthorized, Unavailable
from hospital.runtime.http import Api, Call, Model
from hospital.runtime.ids import new_id

api = Api("report_push")

MOST = 6 * 1024 * 1024
_HL7 = {"text/plain", "x-application/hl7-v2+er7", "application/hl7-v2", "application/hl7-v2+er7",
        "application/edi-hl7", "x-hl7", "text/hl7"}
_FORMS: dict[str, Form] = {**dict.fromkeys(_HL7, "hl7"), "application/fhir+json": "fhir", "application/json": "json"}


class Taken(Model):
    """The message was taken, now or before."""

    taken: bool


class WrongForm(AppError):
    """None of the forms that are read here."""

    status, code, message = 415, "form_unknown", "报告格式不支持，请使用 HL7 v2、FHIR R4 或本接口的 JSON。"


@api.post("/reports", public=True, most=MOST)
def push(call: Call) -> Taken:
    """One message of a laboratory, imaging or pathology system: HL7 v2, FHIR R4 or our JSON, by its content type."""
    try:
        sender = report_systems.check_signature(call.request.headers, call.raw)
    except NotGenuine as doubt:
        log.event("report.not-genuine", reason=doubt.reason)
        raise Unauthorized("签名验证失败", code="signature_invalid") from None
    form = _FORMS.get(call.request.mimetype)
    if form is None:
        raise WrongForm
    now = utc_now()
    try:
        problem = intake.take(database(), sender, form, call.raw, "PUSH", now)
    except (Rejected, Unanswered) as silence:
        log.event("report.files-not-stored", sender=sender, reason=silence.reason)
        raise Unavailable("系统繁忙，请稍后重发。", code="files_not_stored") from None
    if form == "hl7":
        from report_readers.hl7_ack import acknowledge

        answer = acknowledge(call.raw, problem, now, new_id())
        return _as_it_is(Response(answer, content_type=call.header("Content-Type")))
    if problem is not None:
        return _as_it_is(_refusal(form, problem))
    return Taken(taken=True)


def _as_it_is(answer: Response) -> Taken:
    """An answer that is no :class:`Taken`: the door passes it on."""
    return cast(Taken, answer)


def _refusal(form: Form, problem: NotTaken) -> Response:
    import json

    told: dict[str, object] = {"reason": problem.reason, "where": problem.where, "sentence": problem.sentence}
    if form == "fhir":
        told = {"resourceType": "OperationOutcome", "issue": [{
            "severity": "error", "code": "invalid", "details": {"text": problem.reason},
            "diagnostics": str(problem)}]}
    return Response(json.dumps(told, ensure_ascii=False), status=422,
                    mimetype="application/fhir+json" if form == "fhir" else "application/json")
