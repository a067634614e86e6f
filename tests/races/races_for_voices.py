"""Races of what patients think. Each is named for what holds, and tells what was broken."""

from __future__ import annotations

from sandbox.phone import Phone, Refused
from tests.photos import photo
from tests.races.ground import TODAY, Ground, clients, together

AT_ONCE = 6
TEXT = "候诊区的饮水机坏了好几天，没有人修。"
OVER = f"{TODAY}T13:00:00+08:00"


def _answers(ground: Ground) -> int:
    return ground.count("SELECT COUNT(*) FROM survey_answers")


def a_visit_is_rated_once(ground: Ground) -> list[str]:
    """One finished visit, rated from many phones of its account at the same moment."""
    member = ground.newcomer()
    session = ground.session(2, TODAY, fee_fen=0)
    booking = member.phone.book(member.patient_id, session)["id"]
    member.phone.call("POST", f"booking/bookings/{booking}/payment")
    ground.work()
    member.phone.check_in(booking)
    ground.control("PUT", "/clock", now=OVER)
    before = _answers(ground)
    told = together([lambda p=phone, n=number: p.call(  # type: ignore[misc]
        "POST", f"feedback/visits/{booking}/survey", {"version": 1, "answers": {"overall": 1 + n % 5, "doctor": 5}})
        for number, phone in enumerate(clients(member.phone, AT_ONCE))])
    broken = [f"answered {one}" for one in told if one != {"state": "ANSWERED"}]
    if _answers(ground) - before != 1:
        broken.append(f"a visit was rated {_answers(ground) - before} times")
    return broken


def a_complaint_is_answered_once_and_reopened_once(ground: Ground) -> list[str]:
    """Several of the staff answer the same complaint at the same moment; then several phones ask for another look."""
    phone = Phone(ground.control).sign_in()
    complaint = phone.complain(TEXT)["id"]
    together([lambda n=number: ground.control.operate(  # type: ignore[misc]
        "complaint.answer", complaint_id=complaint, text=f"第{n}份答复：已修好。") for number in range(4)])
    together([lambda p=one: p.call("POST", f"feedback/complaints/{complaint}/reopening",  # type: ignore[misc]
                                   {"text": "今天又坏了，麻烦再看一下。"}) for one in clients(phone, AT_ONCE)])
    broken = []
    for what, word in (("ANSWERED", "answered"), ("REOPENED", "reopened")):
        times = ground.count("SELECT COUNT(*) FROM complaint_entries WHERE complaint_id = %s AND what = %s",
                             (complaint, what))
        if times != 1:
            broken.append(f"a complaint was {word} {times} times")
    return broken


def a_picture_goes_into_one_complaint(ground: Ground) -> list[str]:
    """One picture, sent off with several complaints at the same moment."""
    phone = Phone(ground.control).sign_in()
    picture = phone.add_picture(photo())
    told = together([lambda p=one, n=number: p.complain(f"{TEXT}{n}", picture_ids=[picture])  # type: ignore[misc]
                     for number, one in enumerate(clients(phone, 4))])
    taken = [one for one in told if not isinstance(one, Exception)]
    broken = [f"refused: {one}" for one in told if isinstance(one, Refused) and one.code != "picture_gone"]
    return broken if len(taken) == 1 else [*broken, f"a picture went into {len(taken)} complaints"]


RACES = [a_visit_is_rated_once, a_complaint_is_answered_once_and_reopened_once, a_picture_goes_into_one_complaint]
