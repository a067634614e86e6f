"""What was taken by who had only made a record bars nobody who has proven more, whoever ended their hold."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sandbox.people import person
from sandbox.phone import Control, Phone
from tests.features.conftest import refused
from tests.opened import code_of

Ask = Callable[..., list[tuple[Any, ...]]]


def seen_at_the_window(control: Control, sql: Ask, holder: Phone, someone: dict[str, Any]) -> dict[str, Any]:
    """Bound unproven, and vouched for with the document."""
    mine = holder.add_patient(someone, proven=False)
    code = code_of(control, sql, mine["id"])
    shown = control.operate("bindings.show", patient_code=code)["bindings"]
    control.operate("binding.vouch", binding_id=shown[-1]["binding"], note="seen with ID card")
    return mine


def leave(maker: Phone, made: dict[str, Any]) -> None:
    maker.call("DELETE", f"account/patients/{made['id']}")


def later(control: Control) -> None:
    """All that follows by itself within some minutes."""
    for _ in range(4):
        control.settle()
        control.advance(70)
        control.work()


def test_a_firm_place_that_the_maker_left_behind_makes_way_for_who_was_seen_at_the_window(
        control: Control, owner: Phone, thief: Phone, sql: Ask, ward: dict[str, Any], visit: Any) -> None:
    made = thief.add_patient(someone := person())
    paid = visit(thief, made, ward)
    leave(thief, made)
    mine = seen_at_the_window(control, sql, owner, someone)
    assert refused(lambda: owner.book(mine["id"], ward)) == (409, "booked_by_another")
    later(control)
    assert thief.booking(paid)["state"] == "CANCELLED"
    assert [one["state"] for one in thief.booking(paid)["refunds"]] == ["SUCCEEDED"]
    assert owner.book(mine["id"], ward)["state"] == "HELD"


def test_a_firm_place_of_a_maker_who_still_holds_the_record_waits_for_the_owners_word(
        control: Control, owner: Phone, thief: Phone, sql: Ask, ward: dict[str, Any], visit: Any) -> None:
    made = thief.add_patient(someone := person())
    paid = visit(thief, made, ward)
    mine = seen_at_the_window(control, sql, owner, someone)
    assert refused(lambda: owner.book(mine["id"], ward)) == (409, "booked_by_another")
    later(control)
    assert thief.booking(paid)["state"] == "CONFIRMED"
    [other] = owner.call("GET", f"account/patients/{mine['id']}/holders")["holders"]
    owner.call("DELETE", f"account/patients/{mine['id']}/holders/{other['id']}")
    later(control)
    assert owner.book(mine["id"], ward)["state"] == "HELD"


def test_to_another_who_only_made_the_record_the_makers_place_is_as_good_as_theirs(
        owner: Phone, thief: Phone, control: Control, ward: dict[str, Any]) -> None:
    made = thief.add_patient(someone := person())
    held = thief.book(made["id"], ward)["id"]
    theirs = owner.add_patient(someone)  # by a code to the phone that its maker gave
    assert theirs["proof"] == "NEW"
    assert refused(lambda: owner.book(theirs["id"], ward)) == (409, "already_booked")
    assert thief.booking(held)["state"] == "HELD"


def test_what_the_maker_left_behind_is_not_counted_and_what_they_hold_is(
        control: Control, owner: Phone, thief: Phone, sql: Ask, policy: Callable[..., None], ward: dict[str, Any],
        session: dict[str, Any], visit: Any) -> None:
    policy(live_bookings_per_patient=1)
    made = thief.add_patient(someone := person())
    visit(thief, made, ward)
    mine = seen_at_the_window(control, sql, owner, someone)
    assert refused(lambda: owner.book(mine["id"], session)) == (409, "too_many_bookings")
    leave(thief, made)
    assert owner.book(mine["id"], session)["state"] == "HELD"


def test_staff_who_end_the_makers_hold_give_back_what_it_took(
        control: Control, thief: Phone, sql: Ask, ward: dict[str, Any], visit: Any) -> None:
    made = thief.add_patient(person())
    paid = visit(thief, made, ward)
    [one] = control.operate("bindings.show", patient_code=code_of(control, sql, made["id"]))["bindings"]
    assert control.operate("binding.end", binding_id=one["binding"], note="a squat") == {"ended": 1}
    later(control)
    assert thief.booking(paid)["state"] == "CANCELLED"


def test_staff_who_end_a_proven_hold_leave_what_it_took(
        control: Control, owner: Phone, record: Any, ward: dict[str, Any], visit: Any) -> None:
    paid = visit(owner, owner.add_patient(record.someone), ward)
    [one] = control.operate("bindings.show", patient_code=record.code)["bindings"]
    assert control.operate("binding.end", binding_id=one["binding"], note="asked by phone") == {"ended": 1}
    later(control)
    assert owner.booking(paid)["state"] == "CONFIRMED"


def test_staff_who_end_a_squat_give_back_what_was_left_behind_but_not_by_whose_phone_is_on_file(
        control: Control, owner: Phone, thief: Phone, sql: Ask, ward: dict[str, Any], session: dict[str, Any],
        visit: Any) -> None:
    made = thief.add_patient(someone := person())
    paid = visit(thief, made, ward)
    leave(thief, made)
    code = code_of(control, sql, made["id"])
    assert control.operate("patient.release", patient_code=code, note="no squat: their own phone") == {"ended": 0}
    later(control)
    assert thief.booking(paid)["state"] == "CONFIRMED"
    control("POST", f"/his/patients/{code}/correct", phone=owner.number)  # at the window
    kept = visit(owner, owner.add_patient(someone), session)
    assert control.operate("patient.release", patient_code=code, note="a squat") == {"ended": 0}
    later(control)
    assert (thief.booking(paid)["state"], owner.booking(kept)["state"]) == ("CANCELLED", "CONFIRMED")
