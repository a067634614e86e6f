"""The journey's last part: what the laboratory and the imaging department send is read, and a value followed."""

from __future__ import annotations

from typing import Any

import requests

from scripts.journey import StepFailed, Walk, expect


def read_reports(steps: Walk) -> None:
    """Two laboratory reports and an examination of the patient. Raises StepFailed, Refused."""
    control, phone, patient_id, journey = steps.control, steps.phone, steps.patient["id"], steps.journey
    code = next(one["patient_code"] for one in control("GET", "/his/bills") if one["patient_code"])

    def reports() -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = phone.call("GET", "reports/reports", params={"patient_id": patient_id})["reports"]
        return found

    with journey.step("报告推送 reports, pushed and listed") as facts:
        control("POST", "/lis/reports", patient_code=code, panel="blood", values={"6690-2": "5.60"})
        control.settle(60)
        control.advance(3600)
        control("POST", "/lis/reports", patient_code=code, panel="blood", values={"6690-2": "12.50", "718-7": "101"})
        control("POST", "/pacs/reports", patient_code=code, push=False)
        control.settle(60)
        control("POST", "/scf/timers/report_sync/every-five-minutes/fire")
        control.settle(60)
        shown = reports()
        expect("reports", len(shown), 3)
        facts += [f"{one['title']} {one['state_text']}" for one in shown]
    with journey.step("检验报告 a sentence, and each result") as facts:
        blood = next(one for one in shown if one["is_abnormal"])
        report = phone.call("GET", f"reports/reports/{blood['id']}")
        facts += [report["sentence"], *(f"{one['name']} {one['value']} {one['unit']} {one['flag_text']}"
                                        for one in report["items"] if one["is_abnormal"])]
        trend = phone.call("GET", f"reports/reports/{blood['id']}/trend", params={"sequence": 1})
        expect("values", [one["value"] for one in trend["points"]], ["5.60", "12.50"])
        facts.append(f"{trend['name']}: {' → '.join(one['value'] for one in trend['points'])}")
    with journey.step("检查报告 texts and a picture, by a link") as facts:
        chest = next(one for one in shown if one["kind"] == "imaging")
        link = phone.call("POST", f"reports/reports/{chest['id']}/files/0/link")
        picture = requests.get(link["url"], timeout=10).content
        if picture[:4] != b"\x89PNG":
            raise StepFailed("the link leads to no picture")
        facts += [chest["title"], phone.call("GET", f"reports/reports/{chest['id']}")["conclusion"],
                  f"{link['media_type']}, {len(picture):,} bytes"]
