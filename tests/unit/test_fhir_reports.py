"""FHIR R4 into reports: references, bundles, values; and what can't be true."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
from decimal import Decimal
from typing import Any

import pytest
from fhir.resources.R4B.diagnosticreport import DiagnosticReport
from hospital.reports.model import Contradictory, Identifier, Item, NotTaken, Report, Unreadable
from report_readers.fhir_items import INTERPRETATION
from report_readers.fhir_report import read_fhir
from report_readers.limits import Limits

from tests.unit.senders import texts

Json = dict[str, Any]
BASE = "https://fhir.example/r4"
PATIENT = {"resourceType": "Patient", "id": "p1", "identifier": [
    {"system": "urn:his", "value": "P0001", "type": {"coding": [{"code": "MR"}]}},
    {"system": "urn:id", "value": "3301"}],
    "name": [{"text": "张三"}, {"family": "Zhang", "given": ["San"]}], "gender": "male", "birthDate": "1990-01-01",
    "address": [{"city": "杭州"}]}
GLUCOSE = {"resourceType": "Observation", "id": "o1", "status": "final", "code": {"text": "葡萄糖"},
           "subject": {"reference": "Patient/p1"}, "valueQuantity": {"value": 5.4, "unit": "mmol/L"}}
REPORT = {"resourceType": "DiagnosticReport", "id": "r1", "identifier": [{"system": "urn:lis", "value": "L0001"}],
          "status": "final", "code": {"text": "生化"}, "subject": {"reference": "Patient/p1"},
          "result": [{"reference": "Observation/o1"}]}


def bundle(*resources: Json, kind: str = "collection", base: str = BASE, **more: Any) -> bytes:
    """A bundle with full URLs of a server."""
    entries = [{"fullUrl": f"{base}/{one['resourceType']}/{one['id']}", "resource": one} for one in resources]
    return json.dumps({"resourceType": "Bundle", "type": kind, "entry": entries, **more}).encode()


def changed(content: Json, **fields: Any) -> Json:
    """A resource with other fields; None takes one away."""
    told = {**content, **fields}
    return {name: value for name, value in told.items() if value is not None}


def one(content: bytes, limits: Limits | None = None) -> Report:
    """The only report of a body."""
    (found,) = read_fhir(content, limits or Limits())
    return found


def item(**fields: Any) -> Item:
    """The only item of a report whose observation has these fields."""
    return one(bundle(REPORT, changed(GLUCOSE, **fields), PATIENT)).items[0]


def refused(content: bytes, limits: Limits | None = None) -> tuple[type[NotTaken], str, str]:
    """Why a body is not taken, and where."""
    with pytest.raises(NotTaken) as told:
        read_fhir(content, limits or Limits())
    return type(told.value), told.value.reason, told.value.where


PLAIN = one(bundle(REPORT, GLUCOSE, PATIENT))


# -- who and which ----------------------------------------------------------------------------------
def test_a_report_says_whose_it_is_and_which() -> None:
    assert (PLAIN.source, PLAIN.number, PLAIN.status, PLAIN.kind, PLAIN.titles) == (
        "urn:lis", "L0001", "final", "laboratory", ("生化",))
    assert PLAIN.patient.identifiers == (Identifier("P0001", "urn:his", "MR"), Identifier("3301", "urn:id", ""))
    assert (PLAIN.patient.name, PLAIN.patient.other_names, PLAIN.patient.sex) == ("张三", ("Zhang San",), "male")
    assert "杭州" in [note.text for note in PLAIN.notes]
    assert (PLAIN.items[0].value and str(PLAIN.items[0].value.number), PLAIN.items[0].unit) == ("5.4", "mmol/L")


@pytest.mark.parametrize("kind", ["collection", "transaction", "document", "message", "searchset", "batch", "history"])
def test_bundles_of_every_kind_say_the_same(kind: str) -> None:
    request = {"request": {"method": "PUT", "url": "x"}} if kind in ("transaction", "batch", "history") else {}
    body = json.loads(bundle(REPORT, GLUCOSE, PATIENT, kind=kind))
    if kind in ("document", "message"):
        body["identifier"], body["timestamp"] = {"value": "1", "system": "urn:x"}, "2026-11-28T09:30:00+08:00"
    for entry in body["entry"]:
        entry.update(request)
    assert one(json.dumps(body).encode()).items == PLAIN.items


def test_a_report_with_all_that_it_contains_says_the_same() -> None:
    alone = changed(REPORT, contained=[changed(GLUCOSE, subject={"reference": "#p1"}), PATIENT],
                    subject={"reference": "#p1"}, result=[{"reference": "#o1"}])
    found = one(json.dumps(alone).encode())
    assert (found.items, found.patient) == (PLAIN.items, PLAIN.patient)


@pytest.mark.parametrize("reference", ["Observation/o1", f"{BASE}/Observation/o1", "Observation/o1/_history/2",
                                       f"{BASE}/Observation/o1/_history/3"])
def test_a_reference_may_be_relative_absolute_or_of_a_version(reference: str) -> None:
    assert one(bundle(changed(REPORT, result=[{"reference": reference}]), GLUCOSE, PATIENT)).items == PLAIN.items


def test_a_reference_may_be_a_uuid() -> None:
    uuids = {name: f"urn:uuid:0000000{at}-0000-4000-8000-000000000000" for at, name in enumerate("rop")}
    entries = [
        {"fullUrl": uuids["r"], "resource": changed(REPORT, id=None, subject={"reference": uuids["p"]},
                                                    result=[{"reference": uuids["o"]}])},
        {"fullUrl": uuids["o"], "resource": changed(GLUCOSE, id=None, subject={"reference": uuids["p"]})},
        {"fullUrl": uuids["p"], "resource": changed(PATIENT, id=None)}]
    found = one(json.dumps({"resourceType": "Bundle", "type": "collection", "entry": entries}).encode())
    assert (found.items, found.patient) == (PLAIN.items, PLAIN.patient)


def test_of_two_servers_resources_the_one_of_the_same_base_is_meant() -> None:
    body = json.loads(bundle(REPORT, GLUCOSE, PATIENT))
    other = changed(GLUCOSE, valueQuantity={"value": 99})
    body["entry"].insert(0, {"fullUrl": "https://other.example/Observation/o1", "resource": other})
    assert one(json.dumps(body).encode()).items == PLAIN.items


def test_a_reference_that_could_mean_two_is_refused() -> None:
    body = json.loads(bundle(REPORT, GLUCOSE, GLUCOSE, PATIENT))
    for entry in body["entry"]:
        del entry["fullUrl"]
    assert refused(json.dumps(body).encode())[1] == "reference-ambiguous"


def test_a_patient_who_is_not_in_the_message_is_known_by_what_is_told() -> None:
    subject = {"reference": "Patient/p1", "display": "张三", "identifier": {"system": "urn:his", "value": "P0001"}}
    person = one(bundle(changed(REPORT, subject=subject), GLUCOSE)).patient
    assert person.identifiers == (Identifier("P0001", "urn:his", ""), Identifier("p1", "", "reference"))
    assert person.name == "张三"


def test_what_surrounds_a_report_has_its_places() -> None:
    specimen = {"resourceType": "Specimen", "id": "s", "type": {"text": "血清"},
                "receivedTime": "2026-11-28T08:15:00+08:00",
                "collection": {"collectedDateTime": "2026-11-28T08:00:00+08:00"},
                "accessionIdentifier": {"value": "A1"}}
    order = {"resourceType": "ServiceRequest", "id": "q", "status": "active", "intent": "order",
             "subject": {"reference": "Patient/p1"}, "identifier": [{"value": "O1"}]}
    visit = {"resourceType": "Encounter", "id": "e", "status": "finished", "class": {"code": "AMB"},
             "identifier": [{"value": "V1"}]}
    doctor = {"resourceType": "Practitioner", "id": "d", "name": [{"family": "李", "given": ["审核"]}]}
    found = one(bundle(changed(
        REPORT, specimen=[{"reference": "Specimen/s"}], basedOn=[{"reference": "ServiceRequest/q"}],
        encounter={"reference": "Encounter/e"}, issued="2026-11-28T09:30:00+08:00", conclusion="正常",
        performer=[{"reference": "Organization/x", "display": "检验科"},
        {"reference": "Practitioner/y", "display": "王"}],
        resultsInterpreter=[{"reference": "Practitioner/d"}],
        meta={"versionId": "3", "lastUpdated": "2026-11-28T09:31:00+08:00", "security": [{"code": "R"}]}),
        GLUCOSE, PATIENT, specimen, order, visit, doctor))
    assert (found.specimen, found.accession_number, found.order_number, found.visit_number) == ("血清", "A1", "O1",
        "V1")
    assert (found.department, found.author, found.auditor, found.conclusion) == ("检验科", "王", "李审核", "正常")
    assert (found.version.id, found.sensitivity) == ("3", "R")
    assert [at and at.text[11:16] for at in (found.collected, found.received, found.reported, found.version.at)] == [
        "08:00", "08:15", "09:30", "09:31"]


def test_reports_of_two_patients_stay_apart_and_what_they_share_is_each_one_s() -> None:
    second = changed(REPORT, id="r2", identifier=[{"system": "urn:lis", "value": "L2"}],
        subject={"reference": "Patient/p2"},
                     result=[{"reference": "Observation/o2"}])
    others = [changed(GLUCOSE, id="o2", subject={"reference": "Patient/p2"}),
              changed(PATIENT, id="p2", identifier=[{"value": "P2"}], name=[{"text": "李四"}])]
    shared = {"resourceType": "Specimen", "id": "s", "type": {"text": "血清"}}
    first, other = read_fhir(bundle(
        *(changed(one, specimen=[{"reference": "Specimen/s"}]) for one in (REPORT, second)), GLUCOSE, PATIENT, *others,
        shared))
    assert (first.patient.name, other.patient.name) == ("张三", "李四")
    assert (first.specimen, other.specimen) == ("血清", "血清")
    assert not any("李四" in text for text in texts(first))
    assert not any("张三" in text for text in texts(other))


def test_two_reports_may_name_the_same_result() -> None:
    second = changed(REPORT, id="r2", identifier=[{"system": "urn:lis", "value": "L2"}])
    first, other = read_fhir(bundle(REPORT, second, GLUCOSE, PATIENT))
    assert first.items == other.items == PLAIN.items
    assert first.patient == other.patient == PLAIN.patient


# -- values -----------------------------------------------------------------------------------------
@pytest.mark.parametrize(("fields", "text", "number", "unit"), [
    ({"valueQuantity": {"value": 5.40, "comparator": "<", "code": "mg"}}, "<5.4", "5.4", "mg"),
    ({"valueString": "1:80"}, "1:80", None, ""), ({"valueInteger": 7}, "7", "7", ""),
    ({"valueBoolean": True}, "true", None, ""),
    ({"valueRange": {"low": {"value": 1, "unit": "g"}, "high": {"value": 2, "unit": "g"}}}, "1-2", None, "g"),
    ({"valueRatio": {"numerator": {"value": 1}, "denominator": {"value": 320}}}, "1:320", None, ""),
    ({"valueRatio": {"numerator": {"value": 3, "unit": "g"}, "denominator": {"value": 4, "unit": "L"}}}, "3:4", None,
    "g/L"),
    ({"valueCodeableConcept": {"text": "阳性", "coding": [{"code": "P"}]}}, "阳性", None, ""),
    ({"valueDateTime": "2026-11-28"}, "2026-11-28", None, ""), ({"valueTime": "09:30:00"}, "09:30:00", None, ""),
    ({"valuePeriod": {"start": "2026-11-27", "end": "2026-11-28"}}, "2026-11-27/2026-11-28", None, "")])
def test_each_kind_of_value_is_text_and_number(fields: Json, text: str, number: str | None, unit: str) -> None:
    found = item(valueQuantity=None, **fields) if "valueQuantity" not in fields else item(**fields)
    assert found.value is not None
    assert (found.value.text, found.value.number and str(found.value.number), found.unit) == (text, number, unit)


def test_titers_ranges_and_steps_can_be_computed_with() -> None:
    ratio = item(valueQuantity=None, valueRatio={"numerator": {"value": 1, "comparator": ">"},
        "denominator": {"value": 80}})
    assert ratio.value is not None
    assert (ratio.value.titer, ratio.value.comparator) == (Decimal(80), ">")
    assert item(valueQuantity=None, valueString="阳性(+)").value.ordinal == "+"  # type: ignore[union-attr]


def test_a_number_keeps_its_digits() -> None:
    body = bundle(REPORT, GLUCOSE, PATIENT).replace(b'"value": 5.4,', b'"value": 5.400,')
    found = one(body).items[0].value
    assert found is not None
    assert found.text == "5.400"


def test_marks_are_read_by_code_or_text_and_unknown_ones_of_the_system_refused() -> None:
    def marked(*told: Json) -> Any:
        return item(interpretation=list(told)).flags

    def coding(code: str, system: str = INTERPRETATION) -> Json:
        return {"coding": [{"system": system, "code": code, "display": "x"}]}

    assert marked(coding("H"), coding("A")) == ("high", "abnormal")
    assert marked({"text": "偏高"}) == ("high",)
    assert marked(coding("CAR")) == ()
    assert marked(coding("LOCAL", "urn:mine")) == ()
    assert item(interpretation=[coding("HH")]).is_critical
    with pytest.raises(Contradictory) as told:
        marked(coding("NOPE"))
    assert (told.value.reason, told.value.where) == ("flag-unknown", "Observation[1].interpretation[0]")


def test_what_is_usual_is_told_for_whom() -> None:
    found = item(referenceRange=[
        {"low": {"value": 3.9, "unit": "mmol/L"}, "high": {"value": 6.1, "unit": "mmol/L"}},
        {"text": "<7", "appliesTo": [{"text": "孕妇"}],
        "age": {"low": {"value": 18, "unit": "岁"}, "high": {"value": 45, "unit": "岁"}}},
        {"high": {"value": 7}, "type": {"text": "治疗"}}]).references
    assert [(one.text, one.low and str(one.low), one.high and str(one.high), one.note) for one in found] == [
        ("3.9-6.1", "3.9", "6.1", ""), ("<7", None, None, "孕妇 18岁-45岁"), ("<=7", None, "7", "治疗")]


def test_panels_hold_their_members_and_components() -> None:
    part = changed(GLUCOSE, id="o2", hasMember=None, component=[{"code": {"text": "a"}, "valueInteger": 1}])
    found = one(bundle(
        REPORT, changed(GLUCOSE, valueQuantity=None, hasMember=[{"reference": "Observation/o2"}]), part,
        PATIENT)).items[0]
    assert (found.role, [one.sequence for one in found.members], found.members[0].members[0].name) == ("panel", [2],
        "a")


# -- files ------------------------------------------------------------------------------------------
PDF = b"%PDF-1.4 x"
DATA = base64.b64encode(PDF).decode()
HASH = base64.b64encode(hashlib.sha1(PDF).digest()).decode()


@pytest.mark.parametrize(("form", "reason"), [
    ({"contentType": "application/pdf", "data": "JVBE"}, "attachment-type"),
    ({"contentType": "image/png", "data": DATA}, "attachment-type"),
    ({"contentType": "application/pdf", "data": DATA, "hash": base64.b64encode(b"0" * 20).decode()}, "attachment-hash"),
    ({"contentType": "application/pdf"}, "empty")])
def test_a_form_that_is_not_what_it_says_is_refused(form: Json, reason: str) -> None:
    _, told, where = refused(bundle(changed(REPORT, presentedForm=[form]), GLUCOSE, PATIENT))
    assert (told, where) == (reason, "DiagnosticReport[1].presentedForm[0]")


def test_a_form_is_its_bytes_or_its_address() -> None:
    forms = [{"contentType": "application/pdf", "data": DATA, "hash": HASH, "title": "报告"},
        {"url": "https://x.example/1"}]
    found = one(bundle(changed(REPORT, presentedForm=forms), GLUCOSE, PATIENT)).attachments
    assert [(one.media_type, one.title, one.data, one.url) for one in found] == [
        ("application/pdf", "报告", PDF, ""), ("", "", b"", "https://x.example/1")]
    small = Limits(attachment=5)
    assert refused(bundle(changed(REPORT, presentedForm=forms), GLUCOSE, PATIENT), small)[1] == "too-large"


def test_pictures_are_followed_to_their_media() -> None:
    media = {"resourceType": "Media", "id": "m", "status": "completed",
        "content": {"contentType": "application/pdf", "data": DATA}}
    found = one(bundle(changed(REPORT, media=[{"link": {"reference": "Media/m"}}]), GLUCOSE, PATIENT, media))
    assert found.attachments[0].data == PDF


# -- what can't be true or read ---------------------------------------------------------------------
@pytest.mark.parametrize(("status", "read"), [
    ("registered", "registered"), ("partial", "preliminary"), ("preliminary", "preliminary"), ("final", "final"),
    ("amended", "amended"), ("corrected", "corrected"), ("appended", "amended"), ("cancelled", "cancelled"),
    ("entered-in-error", "entered-in-error")])
def test_the_report_s_state_is_one_of_ours(status: str, read: str) -> None:
    assert one(bundle(changed(REPORT, status=status), GLUCOSE, PATIENT)).status == read


def test_bare_fhir_resources_lets_a_state_through_that_is_none() -> None:
    assert DiagnosticReport.model_validate({"resourceType": "DiagnosticReport", "status": "nope",
        "code": {"text": "x"}})


TWO = {"resourceType": "Patient", "id": "p2", "name": [{"text": "李四"}]}


@pytest.mark.parametrize(("resources", "reason", "where"), [
    ([changed(REPORT, status="nope"), GLUCOSE, PATIENT], "status-unknown", "DiagnosticReport[1].status"),
    ([changed(REPORT, status="unknown"), GLUCOSE, PATIENT], "status-unknown", "DiagnosticReport[1].status"),
    ([REPORT, changed(GLUCOSE, status="done"), PATIENT], "status-unknown", "Observation[1].status"),
    ([changed(REPORT, result=None), PATIENT], "final-without-values", "report"),
    ([REPORT, changed(GLUCOSE, valueQuantity=None), PATIENT], "final-without-values", "report"),
    ([REPORT, changed(GLUCOSE, subject={"reference": "Patient/p2"}), PATIENT], "two-patients",
    "Observation[1].subject"),
    ([REPORT, changed(GLUCOSE, subject={"reference": "https://other.example/Patient/p9"}), PATIENT], "two-patients",
     "Observation[1].subject"),
    ([REPORT, GLUCOSE, PATIENT, TWO], "result-without-report", "Patient[2]"),
    ([REPORT, GLUCOSE, PATIENT, changed(GLUCOSE, id="o9", subject={"reference": "Patient/p2"})],
    "result-without-report",
     "Observation[2]"),
    ([REPORT, GLUCOSE, changed(PATIENT, identifier=[{"system": "a", "value": "1"}, {"system": "a", "value": "2"}])],
     "two-patient-numbers", "patient"),
    ([REPORT, changed(GLUCOSE, referenceRange=[{"low": {"value": 70, "unit": "mg/dL"}}]), PATIENT], "unit-changes",
     "Observation[1].referenceRange[0]"),
    ([REPORT, changed(REPORT, id="r2"), GLUCOSE, PATIENT], "two-patients", "patient")])
def test_what_says_two_things_at_once_is_contradictory(resources: list[Json], reason: str, where: str) -> None:
    assert refused(bundle(*resources)) == (Contradictory, reason, where)


@pytest.mark.parametrize(("resources", "reason"), [
    ([GLUCOSE, PATIENT], "no-report"), ([REPORT, PATIENT], "reference-unresolved"),
    ([changed(REPORT, result=[{"display": "x"}]), PATIENT], "reference-unresolved"),
    ([changed(REPORT, result=[{"reference": "Patient/p1"}]), PATIENT], "not-an-observation"),
    ([changed(REPORT, subject={"reference": "Group/g"}), GLUCOSE], "not-a-patient"),
    ([REPORT, changed(GLUCOSE, valueQuantity={"value": "5.4"}), PATIENT], "number"),
    ([REPORT, changed(GLUCOSE, valueString="x"), PATIENT], "invalid-fhir"),
    ([changed(REPORT, conclusoin="x"), GLUCOSE, PATIENT], "invalid-fhir"),
    ([changed(REPORT, code=None), GLUCOSE, PATIENT], "invalid-fhir"),
    ([changed(REPORT, issued="yesterday"), GLUCOSE, PATIENT], "invalid-fhir"),
    ([REPORT, changed(GLUCOSE, hasMember=[{"reference": "Observation/o1"}]), PATIENT], "too-deep")])
def test_what_is_no_report_of_fhir_is_refused(resources: list[Json], reason: str) -> None:
    kind, told, _ = refused(bundle(*resources))
    assert (kind, told) == (Unreadable, reason)


@pytest.mark.parametrize(("body", "reason"), [
    (b"", "empty"), (b"[]", "not-an-object"), (b"{", "not-json"), (b"\xff", "charset"),
    (b'{"a": 1, "a": 2}', "doubled-name"),
    (b'{"a": NaN}', "number"), (b'{"a": 1%s}' % (b"0" * 100), "number"), (b'{"a": 1e999}', "number"),
    (b'{"a":' * 60 + b"1" + b"}" * 60, "too-deep"), (b'{"a":' * 5000 + b"1" + b"}" * 5000, "too-deep"),
    (b'{"resourceType": "Observation"}', "no-report"), (b"{}", "no-report"),
    (gzip.compress(b"{" + b" " * 20_000_000 + b"}"), "too-large")])
def test_a_body_that_is_none_is_refused(body: bytes, reason: str) -> None:
    assert refused(body)[1] == reason


def test_a_mark_of_byte_order_is_nothing() -> None:
    assert one(b"\xef\xbb\xbf" + bundle(REPORT, GLUCOSE, PATIENT)).items == PLAIN.items


def test_too_many_results_are_refused_over_all_reports_together() -> None:
    reports = [changed(REPORT, id=f"r{at}", identifier=[{"value": f"L{at}"}]) for at in range(3)]
    body = bundle(*reports, GLUCOSE, PATIENT)
    assert len(read_fhir(body, Limits(items=3))) == 3
    assert refused(body, Limits(items=2))[1] == "too-many"
    assert refused(body, Limits(reports=2))[1] == "too-many"


def test_too_many_objects_or_texts_without_a_place_are_refused() -> None:
    body = bundle(REPORT, GLUCOSE, PATIENT)
    assert refused(body, Limits(elements=10))[1] == "too-many"
    assert one(body, Limits(notes=len(PLAIN.notes))).notes == PLAIN.notes
    assert refused(body, Limits(notes=len(PLAIN.notes) - 1))[1] == "too-many"


def test_no_sentence_repeats_a_value() -> None:
    secret = "330102199001011234"
    for resources in ([changed(REPORT, status=secret), GLUCOSE],
        [changed(REPORT, id=secret, result=[{"reference": "x"}])],
                      [changed(REPORT, **{secret: 1})], [REPORT, changed(GLUCOSE, id=secret)],
                      [changed(REPORT, issued=secret), GLUCOSE]):
        with pytest.raises(NotTaken) as told:
            read_fhir(bundle(*resources))
        assert secret not in f"{told.value} {told.value.reason} {told.value.where} {told.value.sentence}"
