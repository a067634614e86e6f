"""Our own JSON for hospitals whose systems speak neither HL7 v2 nor FHIR; ``docs/report-contract.yaml`` is made of it.

A name that is not here is refused: misspelled, its value would be lost.
"""

from __future__ import annotations

from decimal import Decimal
from hashlib import sha256
from typing import Annotated, Any

from hospital.reports import model
from hospital.reports.model import Unreadable
from msgspec.structs import replace
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from report_readers import attachments, checks, values
from report_readers.json_text import parse, place
from report_readers.limits import DEFAULT, Limits, at_most
from report_readers.moments import moment

Number = Annotated[str, Field(max_length=128)]
Line = Annotated[str, Field(max_length=512)]
Text = Annotated[str, Field(max_length=200_000)]
Time = Annotated[str, Field(max_length=40, description="ISO 8601, as 2026-11-28T09:30:00+08:00; without a zone it is "
                                                      "Beijing's; a day alone where the time is not known.")]
Bound = Annotated[Decimal, Field(max_digits=40, allow_inf_nan=False)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, defer_build=True)


class Coded(_Part):
    """A code with the system that it is of, and its words there."""

    code: Number
    system: Line = ""
    text: Line = ""


class PatientNumber(_Part):
    """A number of the patient. ``kind``: what it is, as ``MR`` (record), ``VN`` (visit), ``NI`` (identity card)."""

    value: Annotated[Number, Field(min_length=1)]
    assigner: Line = ""
    kind: Number = ""


class Patient(_Part):
    """Whose report it is."""

    numbers: Annotated[tuple[PatientNumber, ...], Field(strict=False, min_length=1, max_length=20)]
    name: Annotated[Line, Field(min_length=1)]
    sex: model.Sex = ""
    birth_date: Time = ""


class Usual(_Part):
    """A reference range, as it is printed (``3.9-6.1``); ``note`` says for whom."""

    text: Line
    low: Annotated[Bound | None, Field(strict=False)] = None
    high: Annotated[Bound | None, Field(strict=False)] = None
    note: Line = ""


class Result(_Part):
    """One result. ``value`` is its text as it is printed, also of a number: ``5.40`` is not 5.4."""

    name: Annotated[Line, Field(min_length=1)]
    codes: Annotated[tuple[Coded, ...], Field(strict=False, max_length=10)] = ()
    value: Text = ""
    value_codes: Annotated[tuple[Coded, ...], Field(strict=False, max_length=10)] = ()
    absent: Annotated[Line, Field(description="Why there is no value, where there is none.")] = ""
    unit: Number = ""
    references: Annotated[tuple[Usual, ...], Field(strict=False, max_length=20)] = ()
    flags: Annotated[tuple[model.Flag, ...], Field(strict=False, max_length=10)] = ()
    status: Annotated[model.ItemStatus | None, Field(description="None: the report's.")] = None
    method: Line = ""
    note: Text = ""
    panel: Line = ""
    role: Annotated[model.Role, Field(description="organism: its members are what was tested against it.")] = ""
    measure: model.Measure = ""
    observed_at: Time = ""
    members: Annotated[tuple[Result, ...], Field(strict=False)] = ()


class File(_Part):
    """A file: its bytes in base64, or where it lies."""

    media_type: Number
    title: Line = ""
    data: Annotated[str, Field(description="base64, at most 4 MB decoded")] = ""
    url: Annotated[str, Field(max_length=2048)] = ""


class Sending(_Part):
    """Which version of the report this is: a later one replaces an earlier one of the same source and number."""

    id: Annotated[Number, Field(min_length=1)]
    at: Time


class PushedReport(_Part):
    """One report."""

    source: Annotated[Line, Field(min_length=1, description="The system that numbers the reports.")]
    number: Annotated[Number, Field(min_length=1, description="Its number there; it never changes.")]
    version: Sending
    kind: model.Kind
    status: model.Status
    patient: Patient
    titles: Annotated[tuple[Line, ...], Field(strict=False, min_length=1, max_length=50)]
    items: Annotated[tuple[Result, ...], Field(strict=False)] = ()
    findings: Text = ""
    conclusion: Text = ""
    attachments: Annotated[tuple[File, ...], Field(strict=False, max_length=50)] = ()
    order_number: Number = ""
    accession_number: Number = ""
    visit_number: Number = ""
    collected_at: Time = ""
    received_at: Time = ""
    reported_at: Time = ""
    audited_at: Time = ""
    specimen: Line = ""
    department: Line = ""
    ordering_department: Line = ""
    ordered_by: Line = ""
    author: Line = ""
    auditor: Line = ""
    sensitivity: Number = ""
    notes: Annotated[tuple[Text, ...], Field(strict=False, max_length=200)] = ()


class Push(_Part):
    """What is sent: one report or several."""

    reports: Annotated[tuple[PushedReport, ...], Field(strict=False, min_length=1)]


def read_contract(content: bytes, limits: Limits = DEFAULT) -> tuple[model.Report, ...]:
    """The reports of one body, in its order. Raises Unreadable, Contradictory."""
    told = parse(content, limits)
    try:
        push = Push.model_validate(told)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        where, what = place(first["loc"]).lstrip(".") or "body", first["type"]
        if first["loc"][-1:] == ("status",) and what == "literal_error":
            raise model.Contradictory("status-unknown", where, "the status is not among the codes") from None
        raise Unreadable("invalid", where, f"the field is not what the contract has there ({what})") from None
    at_most(len(push.reports), limits.reports, "reports", "reports")
    digest = sha256(content).hexdigest()
    counted = 0
    found = []
    for number, one in enumerate(push.reports):
        reading = _Reading(one, f"reports[{number}]", limits, counted)
        found.append(reading.report(digest))
        counted += reading.count
    checks.together(tuple(found))
    for report in found:
        checks.check(report)
    return tuple(found)


class _Reading:
    def __init__(self, told: PushedReport, where: str, limits: Limits, before: int) -> None:
        self._told, self._where, self._limits, self._before = told, where, limits, before
        self.count = 0

    def report(self, digest: str) -> model.Report:
        """The report in the house's form."""
        told, at = self._told, self._moment
        numbers = tuple(model.Identifier(one.value, one.assigner, one.kind) for one in told.patient.numbers)
        same: dict[str, Any] = {name: getattr(told, name) for name in (
            "source", "number", "kind", "status", "titles", "findings", "conclusion", "order_number",
            "accession_number", "visit_number", "specimen", "department", "ordering_department", "ordered_by", "author",
            "auditor",
            "sensitivity")}
        return model.Report(
            **same, version=model.Version(told.version.id, at(told.version.at, "version.at"), digest),
            patient=model.Person(numbers, told.patient.name, (), told.patient.sex,
                                 at(told.patient.birth_date, "patient.birth_date")),
            items=tuple(self._item(one, f"items[{number}]") for number, one in enumerate(told.items)),
            attachments=tuple(self._file(one, f"attachments[{number}]") for number, one in enumerate(told.attachments)),
            collected=at(told.collected_at, "collected_at"), received=at(told.received_at, "received_at"),
            reported=at(told.reported_at, "reported_at"), audited=at(told.audited_at, "audited_at"),
            notes=tuple(model.Note(f"notes[{number}]", text) for number, text in enumerate(told.notes)))

    def _moment(self, text: str, where: str) -> model.Moment | None:
        if not text:
            return None
        found = moment(text)
        if found is None:
            raise Unreadable("time", f"{self._where}.{where}", "the time can't be read")
        return found

    def _item(self, told: Result, where: str) -> model.Item:
        self.count += 1
        sequence = self.count
        at_most(self._before + sequence, self._limits.items, "results", f"{self._where}.items")
        value = values.value(told.value) if told.value.strip() else None
        if value is not None or told.absent:
            value = replace(value or model.Value(""), absent=told.absent,
                            codes=tuple(model.Code(one.code, one.system, one.text) for one in told.value_codes))
        usual: list[model.Reference] = []
        for number, one in enumerate(told.references):
            read = values.references(one.text, told.unit, f"{self._where}.{where}.references[{number}]")
            if one.low is not None or one.high is not None or one.note:
                low, high = (one.low, one.high) if (one.low, one.high) != (None, None) or len(read) != 1 else \
                    (read[0].low, read[0].high)
                read = (model.Reference(one.text, low, high, one.note),)
            usual += read
        members = tuple(self._item(one, f"{where}.members[{number}]") for number, one in enumerate(told.members))
        return model.Item(
            sequence, told.name, tuple(model.Code(one.code, one.system, one.text) for one in told.codes), value,
            told.status or self._told.status, told.unit, tuple(usual), told.flags, told.method, told.note,
            panel=told.panel or self._told.titles[0], role=told.role, measure=told.measure,
            observed=self._moment(told.observed_at, f"{where}.observed_at"), members=members)

    def _file(self, told: File, where: str) -> model.Attachment:
        where = f"{self._where}.{where}"
        if not told.data:
            if not told.url:
                raise Unreadable("empty", where, "the file has neither content nor address")
            return model.Attachment(told.media_type, told.title, b"", told.url)
        content = attachments.decoded(told.data, self._limits, where)
        return replace(attachments.attachment(content, told.media_type, told.title, where), url=told.url)
