"""What tests of reports share."""

from __future__ import annotations

from typing import Any

from sandbox.phone import Control, Phone


def listed(phone: Phone, patient: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = phone.call("GET", "reports/reports", params={"patient_id": patient["id"]})["reports"]
    return found


def shown(phone: Phone, patient: dict[str, Any]) -> dict[str, Any]:
    """The one report of a patient."""
    [one] = listed(phone, patient)
    report: dict[str, Any] = phone.call("GET", f"reports/reports/{one['id']}")
    return report


def use_reports(control: Control, phone: Phone, patient: dict[str, Any], code: str) -> dict[str, str]:
    """Every route of reports, once; the ids of a report and of a file of it."""
    control("POST", "/lis/reports", patient_code=code, panel="hiv")
    control("POST", "/lis/reports", patient_code=code, panel="blood")
    control("POST", "/pacs/reports", patient_code=code)
    control.settle()
    lines = listed(phone, patient)
    secret = next(one["id"] for one in lines if one["is_hidden"])
    phone.call("POST", f"reports/reports/{secret}/reveal", {"code": phone.phone_code()})
    blood = next(one["id"] for one in lines if one["title"] == "血常规")
    phone.call("GET", f"reports/reports/{blood}/trend", params={"sequence": 1})
    picture = next(one["id"] for one in lines if one["kind"] == "imaging")
    phone.call("GET", f"reports/reports/{picture}")
    phone.call("POST", f"reports/reports/{picture}/files/0/link")
    return {"report_id": picture, "number": "0"}
