"""Official examples of FHIR R4, read: what can be a report is one, and every text of it is found."""

from __future__ import annotations

import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hospital.reports.model import Item, NotTaken, Report, Value
from report_readers.fhir_report import read_fhir
from report_readers.fhir_resources import narrative

from tests.unit.senders import texts

EXAMPLES = Path(__file__).parent / "fhir_examples"


def example(name: str) -> Any:
    """One file's content."""
    return json.loads((EXAMPLES / f"{name}.json").read_text())


def read(*names: str) -> Report:
    """The report of one file, or of a bundle of several resources."""
    if len(names) == 1:
        (report,) = read_fhir((EXAMPLES / f"{names[0]}.json").read_bytes())
        return report
    entries = [(EXAMPLES / f"{name}.json").read_text() for name in names]
    bundle = '{"resourceType": "Bundle", "type": "searchset", "entry": [%s]}'
    (report,) = read_fhir((bundle % ", ".join(f'{{"resource": {entry}}}' for entry in entries)).encode())
    return report


def leaves(node: Any, name: str = "") -> Iterator[str]:
    """Every text of a file, but for what becomes ours."""
    if isinstance(node, dict):
        for key, child in node.items():
            if key not in OURS and not ("value" in node and key in ("system", "code")):
                yield from leaves(child, key)
    elif isinstance(node, list):
        for child in node:
            yield from leaves(child, name)
    elif isinstance(node, str):
        yield from narrative(node).split("\n") if name == "div" else [node]


# States and marks are codes of ours then; references are followed; a unit is not told by a second code, too.
OURS = ("resourceType", "reference", "status", "interpretation", "comparator", "gender", "fullUrl")
READ = [("Bundle-lipids",), ("Bundle-report",), ("Bundle-micro",), ("Bundle-lri-example",), ("DiagnosticReport-f201",),
        ("DiagnosticReport-pap",), ("DiagnosticReport-ultrasound",),
        ("DiagnosticReport-102", "Observation-bmd", "Patient-pat2")]


@pytest.mark.parametrize("names", READ, ids="+".join)
def test_every_text_of_an_example_is_found_in_its_report(names: tuple[str, ...]) -> None:
    found = "\n".join(texts(read(*names)))
    for name in names:
        for text in leaves(example(name)):
            assert text in found


@pytest.mark.parametrize(("name", "where"), [
    ("DiagnosticReport-102", "result"), ("DiagnosticReport-example-pgx", "result"), ("Bundle-dg2", "result"),
    ("Bundle-f001", "result"), ("Bundle-f202", "result")])
def test_a_report_without_the_results_that_it_names_is_refused(name: str, where: str) -> None:
    with pytest.raises(NotTaken) as told:
        read(name)
    assert (told.value.reason, told.value.where) == ("reference-unresolved", f"DiagnosticReport[1].{where}[0]")


def test_one_with_its_results_its_order_and_its_patient_is_whole() -> None:
    entries = [*example("Bundle-f001")["entry"], *({"resource": example(f"Observation-f00{at}")} for at in range(1, 6)),
               {"resource": example("Patient-f001")}]
    (found,) = read_fhir(json.dumps({"resourceType": "Bundle", "type": "collection", "entry": entries}).encode())
    assert (found.source, found.number) == ("http://www.bmc.nl/zorgportal/identifiers/reports", "nr1239044")
    assert (found.order_number, found.department, found.conclusion) == (
        "L2381", "Burgers University Medical Centre", "Core lab")
    assert found.patient.identifiers[0].value == "738472983"
    assert (found.patient.name, found.patient.sex) == ("van de Heuvel Pieter", "male")
    glucose = found.items[0]
    assert (glucose.name, glucose.value and glucose.value.text, glucose.unit, glucose.flags) == (
        "Glucose [Moles/volume] in Blood", "6.3", "mmol/l", ("high",))
    assert [(str(one.low), str(one.high)) for one in glucose.references] == [("3.1", "6.2")]
    assert len(found.items) == 5


def test_a_panel_s_members_and_an_organism_s_antibiotics_stand_below_it() -> None:
    def flat(items: tuple[Item, ...]) -> Iterator[Item]:
        for item in items:
            yield item
            yield from flat(item.members)

    micro = read("Bundle-micro")
    assert micro.kind == "microbiology"
    assert sum(item.role == "antibiotic" for item in flat(micro.items)) == 19
    grown = read("Bundle-lri-example").items[1]
    assert grown.role == "organism"
    assert [(item.role, item.measure, item.unit) for item in grown.members] == [
        ("", "", ""), ("antibiotic", "MIC", "ug/ml"), ("antibiotic", "MIC", "ug/ml"), ("antibiotic", "MIC", "ug/ml")]


def bundled(*names: str) -> Report:
    """A report of these official observations."""
    entries = [{"resource": {"resourceType": "DiagnosticReport", "status": "final", "code": {"text": "X"},
                             "result": [{"reference": f"Observation/{example(name)['id']}"} for name in names]}}]
    body = json.dumps({"resourceType": "Bundle", "type": "collection", "entry": entries})
    more = "".join(f', {{"resource": {(EXAMPLES / f"{name}.json").read_text()}}}' for name in names)
    (report,) = read_fhir((body[:-2] + more + "]}").encode())
    return report


def test_components_samples_and_missing_values_are_what_they_are() -> None:
    pressure, ekg, unsat, apgar = bundled("Observation-blood-pressure", "Observation-ekg", "Observation-unsat",
                                          "Observation-10minute-apgar-score").items
    assert [(one.value and one.value.text, one.unit) for one in pressure.members] == [("107", "mmHg"), ("60", "mmHg")]
    assert ekg.members[0].value is not None
    assert ekg.members[0].value.text.startswith("2041 2043 2037")
    assert unsat.value is not None
    assert (unsat.status, unsat.value.text, unsat.value.absent, unsat.note) == (
        "cancelled", "", "Specimen unsatisfactory for evaluation", "Tube broken in transit and sample leaked")
    assert (apgar.value and apgar.value.text, len(apgar.members)) == ("10", 5)


def test_decimals_keep_their_digits_and_absurd_ones_are_refused() -> None:
    text = (EXAMPLES / "Observation-decimal.json").read_text()
    with pytest.raises(NotTaken) as told:
        bundled("Observation-decimal")
    assert told.value.reason == "number"
    observation = text.replace("E-245", "E-22").replace("E+245", "E+22")
    assert observation != text
    report = ('{"resourceType": "DiagnosticReport", "status": "final", "code": {"text": "X"}, "contained": ['
              f'{observation}], "result": [{{"reference": "#decimal"}}]}}')
    (found,) = read_fhir(report.encode())
    assert [one.value and one.value.text for one in found.items[0].members][:3] == ["1.0", "1.00", "1.0"]
    assert found.items[0].members[3].value == Value("1E-22", Decimal("1E-22"))


def test_a_narrative_alone_is_the_finding() -> None:
    found = read("DiagnosticReport-pap")
    assert found.findings == narrative(example("DiagnosticReport-pap")["text"]["div"])
    assert "SPECIMEN" in found.findings.upper()
    assert "<" not in found.findings
