"""``report_intake``: reports read a second, HL7 v2 and FHIR, beside the bare library on the same text.

The floor of HL7 is python-hl7's parse of the text as the reader has made it readable; that of FHIR is the check of the
bundle by fhir.resources, of JSON that is read already. One process, in turns, by its processor time.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import hl7
from fhir.resources.R4B.bundle import Bundle
from report_readers.fhir_report import read_fhir
from report_readers.hl7_report import read_hl7
from report_readers.hl7_text import normalise

from scripts.benchmarks import machine
from scripts.benchmarks.town import Place

RESULTS = 40
ROUNDS, TIMES = 7, 40
AIM = 0.5


def message(results: int = RESULTS) -> bytes:
    """A laboratory's ORU^R01 with so many results, a note at every fourth."""
    lines = ["MSH|^~\\&|LIS|HOSPITAL|MINI|CLOUD|20261128093000||ORU^R01|M1|P|2.4||||||GBK",
             "PID|1||P0001^^^HIS^PI||张^三||19900101|M", "PV1|1|O|内科门诊^^^||||||||||||||||V0001",
             "OBR|1|O1|L1|CBC^血常规^L|||20261128080000|||||||20261128081500||||||||20261128092000||HM|F"]
    for at in range(1, results + 1):
        lines.append(f"OBX|{at}|NM|C{at}^项目{at}^L||{at}.50|mmol/L|3.5-9.5|H|||F|||20261128091000")
        if at % 4 == 0:
            lines.append("NTE|1||已复查\\.br\\结果可靠")
    return "\r\n".join(lines).encode("gb18030")


def bundle(results: int = RESULTS) -> bytes:
    """The same as a collection of FHIR resources."""
    def quantity(value: float) -> dict[str, Any]:
        return {"value": value, "unit": "mmol/L", "system": "http://unitsofmeasure.org", "code": "mmol/L"}

    patient = {"reference": "Patient/p"}
    resources: list[dict[str, Any]] = [
        {"resourceType": "DiagnosticReport", "id": "r", "identifier": [{"system": "urn:lis", "value": "L1"}],
         "status": "final", "code": {"text": "血常规"}, "subject": patient, "issued": "2026-11-28T09:30:00+08:00",
         "result": [{"reference": f"Observation/o{at}"} for at in range(results)]},
        {"resourceType": "Patient", "id": "p", "identifier": [{"system": "urn:his", "value": "P0001"}],
         "name": [{"text": "张三"}], "gender": "male", "birthDate": "1990-01-01"}]
    resources += [
        {"resourceType": "Observation", "id": f"o{at}", "status": "final", "subject": patient,
         "code": {"coding": [{"system": "http://loinc.org", "code": f"{at}-1", "display": f"项目{at}"}]},
         "valueQuantity": quantity(at + 0.5), "interpretation": [{"coding": [{
             "system": "http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation", "code": "H"}]}],
         "referenceRange": [{"low": quantity(3.5), "high": quantity(9.5)}]} for at in range(results)]
    entries = [{"fullUrl": f"https://lis.example/{one['resourceType']}/{one['id']}",
        "resource": one} for one in resources]
    return json.dumps({"resourceType": "Bundle", "type": "collection", "entry": entries}, ensure_ascii=False).encode()


def measure(place: Place) -> machine.Report:
    """HL7 is the value; FHIR stands beside it."""
    oru, fhir = message(), bundle()
    text, told = normalise(oru).text, json.loads(fhir)
    works: dict[str, Callable[[], object]] = {
        "hl7": lambda: read_hl7(oru), "bare_hl7": lambda: hl7.parse(text), "fhir": lambda: read_fhir(fhir),
        "bare_fhir": lambda: Bundle.model_validate(told)}
    rates: dict[str, list[float]] = {name: [] for name in works}
    times = place.effort.of(TIMES, 1)
    for number in range(place.effort.of(ROUNDS, 1) + 1):
        for name, work in works.items():
            began = time.process_time()
            for _ in range(times):
                work()
            if number:  # the first warms up
                rates[name].append(times / (time.process_time() - began))
    value, floor, bundles, bare = (machine.median(rates[name], 0) for name in works)
    met = value >= AIM * floor and bundles >= AIM * bare
    return machine.report(value, floor, f"ORU of {RESULTS} results/s", aim=f">= {AIM} of the bare libraries", met=met,
                          fhir={"value": bundles, "floor": bare, "ratio": round(bundles / bare, 3)})
