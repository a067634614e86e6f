"""Our own JSON: read as it is written down, and refused where it is not."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from hospital.reports.model import Contradictory, Identifier, NotTaken, Report, Unreadable
from report_readers.contract import read_contract
from report_readers.limits import Limits

from scripts import report_contract

Json = dict[str, Any]
REPORT: Json = {
    "source": "LIS", "number": "L0001", "version": {"id": "2", "at": "2026-11-28T09:30:00+08:00"}, "kind": "laboratory",
    "status": "final", "patient": {"numbers": [{"value": "P0001", "assigner": "HIS", "kind": "MR"}], "name": "张三",
                                   "sex": "male", "birth_date": "1990-01-01"},
    "titles": ["血常规"], "items": [
        {"name": "白细胞", "codes": [{"code": "WBC", "system": "L"}], "value": "12.50", "unit": "10*9/L",
         "references": [{"text": "3.5-9.5"}], "flags": ["high"]},
        {"name": "大肠埃希菌", "role": "organism", "value": "检出", "status": "preliminary", "members": [
            {"name": "氨苄西林", "value": ">=32", "unit": "ug/mL", "measure": "MIC", "role": "antibiotic",
             "flags": ["resistant"]}]}],
    "audited_at": "2026-11-28 09:29", "notes": ["请随诊"]}


def changed(**fields: Any) -> Json:
    """The report with other fields; None takes one away."""
    return {name: value for name, value in {**REPORT, **fields}.items() if value is not None}


def read(*reports: Json, limits: Limits | None = None) -> tuple[Report, ...]:
    """The reports of a body."""
    return read_contract(json.dumps({"reports": reports}).encode(), limits or Limits())


def refused(*reports: Json, limits: Limits | None = None) -> tuple[type[NotTaken], str, str]:
    """Why a body is not taken, and where."""
    with pytest.raises(NotTaken) as told:
        read(*reports, limits=limits)
    return type(told.value), told.value.reason, told.value.where


def test_a_report_is_read_whole() -> None:
    (found,) = read(REPORT)
    assert (found.source, found.number, found.version.id, found.status) == ("LIS", "L0001", "2", "final")
    assert (found.patient.identifiers, found.patient.name) == ((Identifier("P0001", "HIS", "MR"),), "张三")
    first, organism = found.items
    assert first.value is not None
    assert (first.value.text, str(first.value.number), str(first.references[0].low), first.flags, first.status) == (
        "12.50", "12.50", "3.5", ("high",), "final")
    assert (organism.sequence, organism.status, organism.members[0].sequence) == (2, "preliminary", 3)
    assert found.audited is not None
    assert (found.audited.at.isoformat(), found.notes[0].text) == ("2026-11-28T09:29:00+08:00", "请随诊")


def test_several_reports_come_in_order() -> None:
    assert [one.number for one in read(REPORT, changed(number="L2"))] == ["L0001", "L2"]


@pytest.mark.parametrize(("fields", "reason", "where"), [
    ({"conclusoin": "x"}, "invalid", "reports[0].conclusoin"), ({"number": ""}, "invalid", "reports[0].number"),
    ({"number": 5}, "invalid", "reports[0].number"), ({"titles": []}, "invalid", "reports[0].titles"),
    ({"kind": "x"}, "invalid", "reports[0].kind"), ({"patient": None}, "invalid", "reports[0].patient"),
    ({"items": [{"name": "a", "value": 5.4}]}, "invalid", "reports[0].items[0].value"),
    ({"items": [{"name": "a", "value": "5", "flags": ["H"]}]}, "invalid", "reports[0].items[0].flags[0]"),
    ({"audited_at": "gestern"}, "time", "reports[0].audited_at"),
    ({"items": [{"name": "a", "value": "1", "observed_at": "x"}]}, "time", "reports[0].items[0].observed_at"),
    ({"attachments": [{"media_type": "application/pdf"}]}, "empty", "reports[0].attachments[0]"),
    ({"attachments": [{"media_type": "application/pdf", "data": "!"}]}, "base64", "reports[0].attachments[0]")])
def test_what_is_not_in_the_contract_is_refused_by_its_field(fields: Json, reason: str, where: str) -> None:
    assert refused(changed(**fields)) == (Unreadable, reason, where)


@pytest.mark.parametrize(("reports", "reason", "where"), [
    ([changed(status="done")], "status-unknown", "reports[0].status"),
    ([changed(items=[{"name": "a", "value": "1", "status": "done"}])], "status-unknown", "reports[0].items[0].status"),
    ([changed(items=[])], "final-without-values", "report"), ([REPORT, REPORT], "two-patients", "patient"),
    ([changed(patient={"name": "张三", "numbers": [{"value": "1"}, {"value": "2"}]})], "two-patient-numbers",
    "patient"),
    ([changed(items=[{"name": "a", "value": "98", "unit": "mg/dL", "references": [{"text": "3.9-6.1mmol/L"}]}])],
     "unit-changes", "reports[0].items[0].references[0]"),
    ([changed(attachments=[{"media_type": "application/pdf", "data": "aGVsbG8="}])], "attachment-type",
     "reports[0].attachments[0]")])
def test_what_says_two_things_at_once_is_contradictory(reports: list[Json], reason: str, where: str) -> None:
    assert refused(*reports) == (Contradictory, reason, where)


def test_a_file_and_bounds_told_apart_from_their_text_are_taken() -> None:
    data = base64.b64encode(b"%PDF-1.4").decode()
    usual = {"text": "见说明", "low": 3.5, "high": "9.50", "note": "成人"}
    (found,) = read(changed(attachments=[{"media_type": "application/pdf", "data": data, "title": "报告单"}],
                            items=[{"name": "a", "value": "1", "references": [usual]}]))
    assert (found.attachments[0].data, found.attachments[0].title) == (b"%PDF-1.4", "报告单")
    reference = found.items[0].references[0]
    assert (str(reference.low), str(reference.high), reference.note, reference.text) == ("3.5", "9.50", "成人",
        "见说明")


def test_too_many_reports_or_results_are_refused_members_counted() -> None:
    assert refused(REPORT, changed(number="L2"), limits=Limits(reports=1))[1] == "too-many"
    assert read(REPORT, limits=Limits(items=3))
    assert refused(REPORT, limits=Limits(items=2))[1] == "too-many"
    assert refused(REPORT, changed(number="L2"), limits=Limits(items=5))[1] == "too-many"


def test_no_sentence_repeats_a_value() -> None:
    secret = "330102199001011234"
    for fields in ({secret: 1}, {"status": secret}, {"kind": secret}, {"audited_at": secret}):
        with pytest.raises(NotTaken) as told:
            read(changed(**fields))
        assert secret not in f"{told.value} {told.value.where} {told.value.sentence}"


def test_the_written_contract_is_that_of_the_code_and_its_example_is_taken() -> None:
    assert report_contract.FILE.read_text() == report_contract.text()
    assert len(read_contract(json.dumps(report_contract.EXAMPLE).encode())) == 1
