"""The last steps of ``make demo``: what the patient thinks of the visit, and what the hospital answers."""

from __future__ import annotations

from typing import Any

from scripts.journey import Walk, clock, expect

TEXT = "候诊区的饮水机没有热水，老人吃药不方便。"
ANSWER = "已修好并安排专人每天检查，谢谢您的提醒。"


def think(walk: Walk) -> None:
    """The visit is rated; a suggestion with a picture is answered. Raises StepFailed, Refused."""
    phone, control = walk.phone.sign_in(), walk.control
    visit = next(one for one in phone.call("GET", "booking/bookings")["bookings"] if one["state"] == "CHECKED_IN")
    with walk.step("就诊评价 the visit is rated") as facts:
        asked = walk.told("就诊评价提醒", 1)[0]["lines"][-1]
        state = phone.rate_visit(visit["id"], overall=5, doctor=5, waiting=3, again="yes", words="医生很耐心。")
        expect("the survey", (state, phone.rate_visit(visit["id"], overall=1, doctor=1)), ("ANSWERED", "ANSWERED"))
        results = control.operate("survey.results", since=visit["visit_date"], until=visit["visit_date"])
        facts += [asked, state, f"shown to staff: {len(results['groups'])} groups, {results['hidden']} too small"]
    with walk.step("投诉建议 a word with a picture") as facts:
        picture = phone.add_picture((walk.folder / "prescription.png").read_bytes(), "image/png")
        filed = phone.complain(TEXT, kind="SUGGESTION", about="VISIT", about_id=visit["id"], picture_ids=[picture])
        walk.until("the picture", lambda: _pictures(phone.complaint(filed["id"])), ["READY"])
        facts += [f"number {filed['number']}", filed["about_text"],
                  f"answered by {filed['due_at'][:10]} {clock(filed['due_at'])}", "picture READY, without EXIF"]
    with walk.step("答复 the hospital answers") as facts:
        [listed] = control.operate("complaint.list", number=filed["number"])["complaints"]
        control.operate("complaint.answer", complaint_id=listed["id"], text=ANSWER)
        told = walk.told("投诉建议答复通知", 1)[0]["lines"]
        rated = phone.call("POST", f"feedback/complaints/{filed['id']}/rating", {"stars": 5})
        expect("the suggestion", (rated["state"], rated["stars"]), ("ANSWERED", 5))
        facts += [*told, "★★★★★"]


def _pictures(complaint: dict[str, Any]) -> list[str]:
    return [one["state"] for one in complaint["pictures"]]
