"""The hospital's own two levels of departments, apart from the HIS's list."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from sandbox.phone import Control, Phone, Refused
from sandbox.scf.instances import UIN

Ask = Callable[..., list[tuple[Any, ...]]]
Groups = list[dict[str, Any]]
WEDNESDAY = "2026-11-25"


@pytest.fixture
def arranged(control: Control) -> Iterator[Groups]:
    """The tree as it stands; put back afterwards."""
    groups: Groups = control.operate("departments.show")["groups"]
    yield groups
    control.operate("departments.arrange", groups=groups)


def names(phone: Phone) -> list[tuple[str, list[str]]]:
    return [(group["name"], [one["name"] for one in group["departments"]])
            for group in phone.call("GET", "booking/departments")["groups"]]


def sessions(phone: Phone, department_id: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = phone.call(
        "GET", "booking/sessions", params={"department_id": department_id, "day": WEDNESDAY})["sessions"]
    return found


@pytest.mark.feature("departments.two-level")
def test_the_hospital_arranges_its_own_two_levels_and_the_his_keeps_its_list(
        control: Control, guest: Phone, arranged: Groups, ward: dict[str, Any]) -> None:
    his = control("GET", "/his/departments")["departments"]
    assert control.operate("departments.arrange", groups=[
        {"name": "心脑中心", "departments": [
            {"name": "胸痛门诊", "introduction": "胸痛一站式诊治", "location": "一楼", "his_codes": ["1101", "1210"]},
            {"name": "卒中门诊", "his_codes": ["1104"]}]},
        {"name": "儿童中心", "departments": [{"name": "小儿内科", "his_codes": ["1401", "1402"]}]},
    ]) == {"departments": 3}
    shown = guest.call("GET", "booking/departments")["groups"]
    assert names(guest) == [("心脑中心", ["胸痛门诊", "卒中门诊"]), ("儿童中心", ["小儿内科"])]
    chest = shown[0]["departments"][0]
    assert (chest["introduction"], chest["location"]) == ("胸痛一站式诊治", "一楼")
    assert "his_codes" not in chest
    # what is below a department of ours is on sale under its name
    mine = sessions(guest, chest["id"])
    assert ward["id"] in [one["id"] for one in mine]
    assert {(one["department_id"], one["department_name"]) for one in mine} == {(chest["id"], "胸痛门诊")}
    duty = guest.call("GET", f"booking/days/{WEDNESDAY}/departments")["departments"]
    assert {one["name"]: one["group"] for one in duty}["胸痛门诊"] == "心脑中心"
    assert next(one for one in duty if one["id"] == chest["id"])["sessions"] == len(
        [one for one in mine if one["state"] == "OPEN"])
    # the HIS's list is not touched, and taking it over again does not touch ours
    control.operate("schedules.sync")
    assert control("GET", "/his/departments")["departments"] == his
    assert names(guest) == [("心脑中心", ["胸痛门诊", "卒中门诊"]), ("儿童中心", ["小儿内科"])]
    unused = control.operate("departments.show")["unused_his_codes"]
    assert sorted([*unused, "1101", "1210", "1104", "1401", "1402"]) == sorted(one["code"] for one in his)


def test_at_first_the_grouping_of_the_his_stands_in(control: Control, guest: Phone) -> None:
    his: dict[str, list[str]] = {}
    for one in control("GET", "/his/departments")["departments"]:
        his.setdefault(one["parent_name"], []).append(one["name"])
    assert names(guest) == list(his.items())
    assert (len(his) >= 12, sum(map(len, his.values())) >= 40) == (True, True)


def test_an_id_that_is_kept_goes_on_working_under_its_new_name(control: Control, guest: Phone,
                                                               arranged: Groups) -> None:
    heart = arranged[0]["departments"][0]
    before = [one["id"] for one in sessions(guest, heart["id"])]
    control.operate("departments.arrange", groups=[
        {"name": "常用", "departments": [{**heart, "name": "心脏门诊"}]}, *reversed(arranged[1:])])
    after = sessions(guest, heart["id"])
    assert [one["id"] for one in after] == before != []
    assert {one["department_name"] for one in after} == {"心脏门诊"}
    assert names(guest)[1][0] == arranged[-1]["name"]


def test_a_department_of_the_his_may_stand_in_two_places(control: Control, guest: Phone, arranged: Groups,
                                                         ward: dict[str, Any]) -> None:
    control.operate("departments.arrange", groups=[
        {"name": "内科", "departments": [{"name": "心血管内科", "his_codes": ["1101"]}]},
        {"name": "特色", "departments": [{"name": "高血压门诊", "his_codes": ["1101"]}]}])
    for group in guest.call("GET", "booking/departments")["groups"]:
        [one] = group["departments"]
        shown = next(session for session in sessions(guest, one["id"]) if session["id"] == ward["id"])
        assert (shown["department_id"], shown["department_name"]) == (one["id"], one["name"])


CHILD = {"name": "门诊", "his_codes": ["1101"]}


@pytest.mark.parametrize("groups", [
    [{"name": "", "departments": [CHILD]}],
    [{"name": " ", "departments": [CHILD]}],
    [{"name": "甲", "departments": [CHILD]}, {"name": "甲", "departments": []}],
    [{"name": "甲", "departments": [CHILD, {**CHILD, "his_codes": ["1102"]}]}],
    [{"name": "甲", "departments": [{"name": "乙", "his_codes": []}]}],
    [{"name": "甲", "departments": [{"name": "乙", "his_codes": ["9999"]}]}],
    [{"name": "甲", "his_codes": ["1101"], "departments": [CHILD]}],
    [{"name": "甲", "departments": [{**CHILD, "departments": [CHILD]}]}],
    [{"name": "甲"}],
    [{"name": "甲" * 81, "departments": [CHILD]}],
    [{"name": "甲", "id": "1", "departments": [CHILD]}],
    [{"name": "甲", "departments": [CHILD], "color": "red"}],
    "all of them",
])
def test_an_arrangement_that_is_none_is_refused_and_changes_nothing(control: Control, guest: Phone,
                                                                    groups: Any) -> None:
    before = names(guest)
    with pytest.raises(Refused) as refusal:
        control.operate("departments.arrange", groups=groups)
    assert refusal.value.code == "invalid"
    assert refusal.value.error["fields"]
    assert names(guest) == before


@pytest.mark.parametrize("groups", [
    [{"name": "甲", "departments": [{**CHILD, "his_codes": ["1101", "1101"]}]}],
    [{"name": "甲", "id": "0" * 26, "departments": [CHILD]}, {"name": "乙", "id": "0" * 26, "departments": []}],
    [{"name": "甲", "id": "0" * 26, "departments": [{**CHILD, "id": "0" * 26}]}]])
def test_a_doubled_id_or_code_is_refused_and_changes_nothing(control: Control, guest: Phone, groups: Any) -> None:
    before = names(guest)
    with pytest.raises(Refused) as refusal:
        control.operate("departments.arrange", groups=groups)
    assert refusal.value.code == "invalid"
    assert names(guest) == before


def test_who_arranged_is_audited_and_a_nameless_operator_is_refused(control: Control, arranged: Groups,
                                                                    sql: Ask) -> None:
    entries = "SELECT actor, subject, result FROM audit WHERE action = 'departments.arrange' AND claimed = %s"
    control.operate("departments.arrange", groups=arranged, by="lin.yi")
    assert sql(entries, ("lin.yi",)) == [(f"operator:{UIN}", "tree", "done")]
    with pytest.raises(Refused):
        control.operate("departments.arrange", groups=arranged, by="")


def test_an_unknown_department_is_not_found(guest: Phone) -> None:
    for path in ("booking/sessions", "booking/days"):
        answer = guest.raw("GET", path, params={"department_id": "0" * 26})
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "department_not_found")
