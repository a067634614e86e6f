"""Subscription messages: binding and unbinding announced once; consent bookkeeping; WeChat's data limits."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from sandbox.people import person
from sandbox.phone import Control, Phone
from sandbox.templates import policy_templates
from tests.opened import account_of

Ask = Callable[..., list[tuple[Any, ...]]]
BOUND, UNBOUND = "绑定通知", "解除绑定通知"


@pytest.fixture
def reader(guest: Phone) -> Phone:
    """A phone that allows messages about patients, its number verified: WeChat is asked for nothing else."""
    guest.verify_phone()
    guest.allow_messages("patients")
    return guest


@pytest.fixture
def states(control: Control, sql: Ask) -> Callable[[Phone], list[tuple[Any, ...]]]:
    """``states(phone)``: kind, state and code of what was to be sent to a phone, oldest first."""
    return lambda phone: sql("SELECT kind, state, code FROM messages WHERE account_id = %s ORDER BY id",
                             (account_of(control, sql, phone.openid),))


@pytest.mark.feature("me.bound-notice")
def test_binding_a_patient_is_announced_once(control: Control, reader: Phone) -> None:
    someone = person()
    bound = reader.add_patient(someone)
    control.settle()
    control.work()
    [message] = reader.inbox()
    assert message["template_name"] == BOUND
    assert message["lines"][0] == f"就诊人: {someone['name']}"
    assert message["lines"][1].endswith(bound["card_number"][-2:])
    assert message["lines"][2] == "绑定时间: 2026年11月23日 07:30"
    assert someone["id_number"] not in str(message)


@pytest.mark.feature("me.unbound-notice")
def test_unbinding_a_patient_is_announced_once(control: Control, reader: Phone) -> None:
    someone = person()
    bound = reader.add_patient(someone)
    reader.call("DELETE", f"account/patients/{bound['id']}")
    control.settle()
    control.work()
    assert len(reader.inbox()) == 2
    [message] = reader.inbox(UNBOUND)
    assert message["lines"][0] == f"就诊人: {someone['name']}"
    assert message["lines"][2] == "解绑时间: 2026年11月23日 07:30"


def test_binding_the_same_person_again_is_announced_again(control: Control, reader: Phone) -> None:
    someone = person()
    for _ in range(2):
        reader.call("DELETE", f"account/patients/{reader.add_patient(someone)['id']}")
    control.settle()
    assert (len(reader.inbox(BOUND)), len(reader.inbox(UNBOUND))) == (2, 2)


def test_without_consent_nothing_is_sent_and_nothing_else_suffers(
        control: Control, guest: Phone, states: Callable[[Phone], list[tuple[Any, ...]]]) -> None:
    guest.add_patient(person())
    control.settle()
    control.work()
    assert states(guest) == [("patient_bound", "REFUSED", "43101")]
    assert guest.inbox() == []
    assert len(guest.call("GET", "account/patients")["patients"]) == 1


def test_each_tap_of_consent_is_one_message(control: Control, guest: Phone,
                                            states: Callable[[Phone], list[tuple[Any, ...]]]) -> None:
    guest.allow_messages("patients", times=1)
    for _ in range(2):
        guest.add_patient(person())
        control.settle()
    assert states(guest) == [("patient_bound", "SENT", ""), ("patient_bound", "REFUSED", "43101")]
    assert len(guest.inbox(BOUND)) == 1


@pytest.mark.parametrize(("scene", "count"), [("booking", 3), ("patients", 2)])
def test_a_scene_asks_for_at_most_three_templates(guest: Phone, scene: str, count: int) -> None:
    ids = guest.call("GET", "messages/templates", params={"scene": scene})["template_ids"]
    assert len(set(ids)) == count <= 3


def test_an_unknown_scene_is_not_found(guest: Phone) -> None:
    assert guest.raw("GET", "messages/templates", params={"scene": "x"}).status_code == 404


@pytest.mark.parametrize(("name", "shown"), [
    ("阿卜杜热合曼·买买提依明江", "阿卜杜热合曼·买买提"),
    ("Wolfeschlegelsteinhausen Bergerdorff", "Wolfeschlegelsteinh"),
    ("Anne O'Neil-Smith Jr.", "Anne O'Neil-Smith Jr")])
def test_a_long_name_is_cut_to_what_wechat_takes(
        control: Control, reader: Phone, states: Callable[[Phone], list[tuple[Any, ...]]], name: str, shown: str
        ) -> None:
    reader.add_patient({**person(), "name": name})
    control.settle()
    assert states(reader) == [("patient_bound", "SENT", "")]
    line = reader.inbox(BOUND)[0]["lines"][0].removeprefix("就诊人: ")
    assert line.startswith(shown)
    assert len(line) <= (20 if name.isascii() else 10)


@pytest.mark.parametrize("name", ["买买提 艾力", "张\U00020bb7", "玛利亚-李"])
def test_a_name_with_characters_that_wechat_refuses_is_announced_all_the_same(
        control: Control, reader: Phone, states: Callable[[Phone], list[tuple[Any, ...]]], name: str) -> None:
    reader.add_patient({**person(), "name": name})
    control.settle()
    assert states(reader) == [("patient_bound", "SENT", "")]


def test_a_long_department_and_note_fit_into_things_of_twenty_characters(
        control: Control, guest: Phone, states: Callable[[Phone], list[tuple[Any, ...]]], new_session: Any,
        visit: Any) -> None:
    guest.allow_messages("booking")
    shown, long = control.operate("departments.show")["groups"], "老年心血管与代谢性疾病多学科联合诊疗示范中心门诊"
    renamed = [{**group, "departments": [
        {**one, "name": long if "1101" in one["his_codes"] else one["name"]}
        for one in group["departments"]]} for group in shown]
    control.operate("departments.arrange", groups=renamed)
    try:
        visit(guest, guest.add_patient(person()), new_session(department_code="1101"))
        control.settle()
    finally:
        control.operate("departments.arrange", groups=shown)
    assert ("booking_confirmed", "SENT", "") in states(guest)
    assert "科室: 老年心血管与代谢性疾病多学科联合诊疗示…" in guest.inbox("挂号成功通知")[0]["lines"]


@pytest.fixture
def no_templates(control: Control) -> Iterator[None]:
    control.operate("settings.change", changes={"message_templates": {}})
    yield
    control.operate("settings.change", changes={"message_templates": policy_templates()})


@pytest.mark.usefixtures("no_templates")
def test_a_hospital_without_a_template_sends_nothing_and_goes_on(
        control: Control, guest: Phone, states: Callable[[Phone], list[tuple[Any, ...]]]) -> None:
    assert guest.call("GET", "messages/templates", params={"scene": "patients"}) == {"template_ids": []}
    guest.add_patient(person())
    control.settle()
    assert states(guest) == [("patient_bound", "NO_TEMPLATE", "")]


@pytest.mark.parametrize("errcode", [40001, 42001])
def test_a_message_survives_a_token_that_ended(
        control: Control, reader: Phone, states: Callable[[Phone], list[tuple[Any, ...]]], errcode: int,
        wechat_token_ends: Callable[[int], None]) -> None:
    wechat_token_ends(errcode)
    reader.add_patient(person())
    control.settle()
    assert states(reader) == [("patient_bound", "SENT", "")]
    assert len(reader.inbox()) == 1


@pytest.mark.parametrize("kind", ["error", "cut_before", "garbage"])
def test_a_message_for_which_no_token_could_be_had_was_not_sent_and_is_sent_later(
        control: Control, reader: Phone, states: Callable[[Phone], list[tuple[Any, ...]]], kind: str,
        wechat_token_ends: Callable[[int], None]) -> None:
    wechat_token_ends(40001)
    control.fault("wechat", "stable_token", kind)
    reader.add_patient(person())
    control.settle()
    assert [one[1] for one in states(reader)] == ["QUEUED"]
    control.advance(10)
    control.work("worker")
    assert [one[1] for one in states(reader)] == ["SENT"]
    assert len(reader.inbox()) == 1


@pytest.mark.parametrize(("fault", "state", "arrived"), [("cut_after", "UNCERTAIN", 1), ("garbage", "UNCERTAIN", 0)])
def test_a_message_without_an_answer_is_not_sent_again(
        control: Control, reader: Phone, states: Callable[[Phone], list[tuple[Any, ...]]], fault: str, state: str,
        arrived: int) -> None:
    control.fault("wechat", "send_message", fault)
    reader.add_patient(person())
    control.settle()
    control.advance(600)
    control.work("worker")
    assert [one[1] for one in states(reader)] == [state]
    assert len(reader.inbox()) == arrived


def test_a_message_that_wechat_was_too_busy_for_is_sent_later(
        control: Control, reader: Phone, states: Callable[[Phone], list[tuple[Any, ...]]]) -> None:
    control.fault("wechat", "send_message", "refuse", code="-1")
    reader.add_patient(person())
    control.settle()
    assert [one[1] for one in states(reader)] == ["QUEUED"]
    control.advance(10)
    control.work("worker")
    assert [one[1] for one in states(reader)] == ["SENT"]
    assert len(reader.inbox()) == 1


@pytest.fixture
def told_twice(control: Control, reader: Phone) -> Callable[[], None]:
    """``told_twice()``: two messages to one account at the same moment, bound and then unbound."""
    def act() -> None:
        reader.call("DELETE", f"account/patients/{reader.add_patient(person())['id']}")
        control.settle()

    return act


def test_an_accounts_messages_arrive_in_the_order_they_were_queued_though_the_first_is_slow(
        control: Control, reader: Phone, told_twice: Callable[[], None]) -> None:
    control.fault("wechat", "send_message", "delay", seconds=1.5)
    told_twice()
    assert [one["template_name"] for one in reader.inbox()] == [BOUND, UNBOUND]


def test_a_message_waits_for_the_one_before_it_that_wechat_was_too_busy_for(
        control: Control, reader: Phone, told_twice: Callable[[], None],
        states: Callable[[Phone], list[tuple[Any, ...]]]) -> None:
    control.fault("wechat", "send_message", "refuse", code="-1")
    told_twice()
    assert [one[1] for one in states(reader)] == ["QUEUED", "QUEUED"]
    control.advance(10)
    control.work("worker")
    assert [one["template_name"] for one in reader.inbox()] == [BOUND, UNBOUND]
    assert [one[1] for one in states(reader)] == ["SENT", "SENT"]


@pytest.mark.parametrize("fault", ["cut_after", "refuse"])
def test_a_message_that_ended_otherwise_holds_up_no_other(
        control: Control, reader: Phone, told_twice: Callable[[], None],
        states: Callable[[Phone], list[tuple[Any, ...]]], fault: str) -> None:
    control.fault("wechat", "send_message", fault, code="43101")
    told_twice()
    assert [one[1] for one in states(reader)] == [{"cut_after": "UNCERTAIN", "refuse": "REFUSED"}[fault], "SENT"]


def test_a_message_that_staff_gave_up_holds_up_no_other(
        control: Control, reader: Phone, told_twice: Callable[[], None], sql: Ask,
        states: Callable[[Phone], list[tuple[Any, ...]]]) -> None:
    control.fault("wechat", "send_message", "refuse", code="-1")
    told_twice()
    sql("UPDATE outbox o JOIN messages m ON m.id = o.subject_id SET o.state = 'GIVEN_UP' "
        "WHERE m.account_id = %s AND m.kind = 'patient_bound'", (account_of(control, sql, reader.openid),))
    control.advance(61)
    control.work("worker")
    assert [one[1] for one in states(reader)] == ["QUEUED", "SENT"]
