"""What a report says, as its system has it, and how it is written: HL7 v2 in GBK, FHIR R4, our JSON."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import Any

BEIJING = timezone(timedelta(hours=8))
Form = str  # hl7, fhir or json

# By name: title, specimen, and the items: code, name, unit, range, an ordinary value.
PANELS: dict[str, tuple[str, str, list[tuple[str, str, str, str, str]]]] = {
    "blood": ("血常规", "全血", [
        ("6690-2", "白细胞计数", "10*9/L", "3.5-9.5", "6.20"), ("789-8", "红细胞计数", "10*12/L", "4.3-5.8", "4.70"),
        ("718-7", "血红蛋白", "g/L", "130-175", "145"), ("777-3", "血小板计数", "10*9/L", "125-350", "221"),
        ("1988-5", "C反应蛋白", "mg/L", "0-10", "3.1")]),
    "sugar": ("空腹血糖", "血清", [("14771-0", "葡萄糖", "mmol/L", "3.9-6.1", "5.2")]),
    "sugar_mg": ("空腹血糖", "血清", [("14771-0", "葡萄糖", "mg/dL", "70-110", "94")]),
    "hiv": ("HIV抗体筛查", "血清", [("7918-6", "HIV抗体", "", "阴性", "阴性")]),
}
TITLES = {"chest": "胸部X线正位片", "ultrasound": "腹部彩超"}


@dataclass
class Made:
    """A report. ``items`` are as in ``PANELS``, with a flag at the end (``H``, ``L``, ``HH``, empty)."""

    number: str
    patient: dict[str, Any]  # as the HIS has them on file
    kind: str
    title: str
    status: str
    version: int
    at: datetime
    items: list[tuple[str, str, str, str, str, str]] = field(default_factory=list)
    specimen: str = ""
    findings: str = ""
    conclusion: str = ""
    files: list[tuple[str, str, bytes]] = field(default_factory=list)  # title, media type, content
    visit_number: str = ""
    collected: datetime | None = None
    sensitivity: str = ""


_HL7_STATUS = {"registered": "O", "preliminary": "P", "final": "F", "corrected": "C", "cancelled": "X",
               "entered-in-error": "X"}
_SEX = {"MALE": ("M", "male"), "FEMALE": ("F", "female")}


def hl7(one: Made) -> bytes:
    """An ORU of 2.4 in GBK, as laboratories here send it."""
    def moment(at: datetime | None) -> str:
        return at.astimezone(BEIJING).strftime("%Y%m%d%H%M%S") if at else ""

    person, status, collected = one.patient, _HL7_STATUS[one.status], moment(one.collected or one.at)
    lines = [
        ["MSH", "^~\\&", "LIS", "LAB", "MP", "HOSPITAL", moment(one.at), "", "ORU^R01", f"{one.number}-{one.version}",
         "P", "2.4", "", "", "", "", "", "GB 18030-2000"],
        ["PID", "1", "", f"{person['patient_code']}^^^HIS^MR", "", _escaped(person["name"]), "",
         person["birth_date"].replace("-", ""), _SEX[person["sex"]][0]],
        ["PV1", "1", "O", "内科门诊", *[""] * 15, one.visit_number],
        ["OBR", "1", f"O{one.number}", one.number, f"{one.number[:1]}^{one.title}^L", "", "", collected, *[""] * 6,
         collected, one.specimen, "王医生", "", "", "", "", "", moment(one.at), "", "HM", status, *[""] * 6, "李审核"]]
    for place, (code, name, unit, usual, value, flag) in enumerate(one.items, start=1):
        kind = "NM" if value.replace(".", "", 1).isdecimal() else "ST"
        lines.append(["OBX", str(place), kind, f"{code}^{_escaped(name)}^LN", "", _escaped(value), _escaped(unit),
                      usual, flag, "", "", status, "", "", collected, "检验科"])
    return "".join("|".join(line) + "\r" for line in lines).encode("gb18030")


def _escaped(text: str) -> str:
    return "".join({"|": "\\F\\", "^": "\\S\\", "~": "\\R\\", "\\": "\\E\\", "&": "\\T\\"}.get(char, char)
                   for char in text)


def fhir(one: Made) -> bytes:
    """A DiagnosticReport with its patient inside."""
    person = one.patient
    status = {"registered": "registered", "preliminary": "preliminary"}.get(one.status, one.status)
    report = {
        "resourceType": "DiagnosticReport", "id": one.number, "status": status,
        "meta": {"versionId": str(one.version), "lastUpdated": _iso(one.at)},
        "identifier": [{"system": "PACS", "value": one.number}],
        "category": [{"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v2-0074", "code": "RAD"}]}],
        "code": {"text": one.title},
        "contained": [{"resourceType": "Patient", "id": "p", "identifier": [
            {"type": {"coding": [{"code": "MR"}]}, "assigner": {"display": "HIS"}, "value": person["patient_code"]}],
            "name": [{"text": person["name"]}], "gender": _SEX[person["sex"]][1], "birthDate": person["birth_date"]}],
        "subject": {"reference": "#p"}, "effectiveDateTime": _iso(one.collected or one.at), "issued": _iso(one.at),
        "performer": [{"display": "张影像"}], "conclusion": one.conclusion,
        "presentedForm": [{"contentType": kind, "title": title, "data": base64.b64encode(content).decode()}
                          for title, kind, content in one.files]}
    return json.dumps({name: value for name, value in report.items() if value}, ensure_ascii=False).encode()


def contract(one: Made) -> bytes:
    """Our own JSON (docs/report-contract.yaml)."""
    person = one.patient
    report = {
        "source": "PACS", "number": one.number, "version": {"id": str(one.version), "at": _iso(one.at)},
        "kind": one.kind, "status": one.status,
        "patient": {"numbers": [{"value": person["patient_code"], "assigner": "HIS", "kind": "MR"}],
                    "name": person["name"], "sex": _SEX[person["sex"]][1], "birth_date": person["birth_date"]},
        "titles": [one.title], "findings": one.findings, "conclusion": one.conclusion,
        "items": [{"name": name, "codes": [{"code": code, "system": "LN"}], "value": value, "unit": unit,
                   "references": [{"text": usual}] if usual else []}
                  for code, name, unit, usual, value, _ in one.items],
        "attachments": [{"media_type": kind, "title": title, "data": base64.b64encode(content).decode()}
                        for title, kind, content in one.files],
        "visit_number": one.visit_number, "collected_at": _iso(one.collected or one.at), "reported_at": _iso(one.at),
        "department": "放射科", "author": "张影像", "auditor": "赵主任", "sensitivity": one.sensitivity}
    return json.dumps({"reports": [report]}, ensure_ascii=False).encode()


def _iso(at: datetime) -> str:
    return at.astimezone(BEIJING).isoformat(timespec="seconds")


WRITERS = {"hl7": hl7, "fhir": fhir, "json": contract}
MEDIA = {"hl7": "text/plain", "fhir": "application/fhir+json", "json": "application/json"}
