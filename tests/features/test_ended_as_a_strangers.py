"""What a stranger took in a patient's name goes back once their hold is ended, whatever they do meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sandbox.people import person
from sandbox.phone import Control, Phone
from tests.features.conftest import refused
from tests.features.whose import Record, steal
from tests.opened import code_of

Ask = Callable[..., list[tuple[Any, ...]]]


def end_other(holder: Phone, patient: dict[str, Any]) -> None:
    """The one other hold on a record is ended by who has proven that it is theirs."""
    at = f"account/patients/{patient['id']}/holders"
    [other] = holder.call("GET", at)["holders"]
    holder.call("DELETE", f"{at}/{other['id']}")


def later(control: Control) -> None:
    """All that follows by itself within some minutes."""
    for _ in range(4):
        control.settle()
        control.advance(70)
        control.work()


def test_what_becomes_firm_after_the_end_is_cancelled_though_the_stranger_has_bound_the_patient_again(
        control: Control, owner: Phone, thief: Phone, record: Record, ward: dict[str, Any], session: dict[str, Any]
        ) -> None:
    stolen, mine = steal(thief, record), owner.add_patient(record.someone)
    control.fault("his", "confirm_registration", "error", times=-1)
    paid = thief.book(stolen["id"], ward)["id"]
    thief.thumb(thief.open_payment(paid))
    control.settle()
    assert thief.booking(paid)["state"] == "CONFIRMING"
    end_other(owner, mine)
    steal(thief, record)
    control.settle()
    after = thief.book(stolen["id"], session)["id"]
    control("DELETE", "/faults")
    later(control)
    assert thief.booking(paid)["state"] == "CANCELLED"
    assert [one["state"] for one in thief.booking(paid)["refunds"]] == ["SUCCEEDED"]
    assert thief.booking(after)["state"] == "HELD"  # taken under the new binding, which stands


def test_what_is_paid_in_the_moment_of_the_end_goes_back(
        control: Control, owner: Phone, thief: Phone, record: Record, ward: dict[str, Any]) -> None:
    stolen, mine = steal(thief, record), owner.add_patient(record.someone)
    control("POST", "/wechatpay/notices/mode", hold=True)
    paid = thief.book(stolen["id"], ward)["id"]
    thief.thumb(thief.open_payment(paid))
    end_other(owner, mine)
    control("POST", "/wechatpay/notices/mode", hold=False)
    later(control)
    assert thief.booking(paid)["state"] in ("CANCELLED", "REJECTED")
    assert [one["state"] for one in thief.booking(paid)["refunds"]] == ["SUCCEEDED"]


def test_what_took_who_had_made_the_record_goes_back_when_its_owner_ends_their_hold(
        control: Control, owner: Phone, thief: Phone, sql: Ask, ward: dict[str, Any], visit: Any) -> None:
    someone = person()
    made, mine = thief.add_patient(someone), owner.add_patient(someone, proven=False)
    assert (made["proof"], mine["level"]) == ("NEW", "LIMITED")
    paid = visit(thief, made, ward)
    shown = control.operate("bindings.show", patient_code=code_of(control, sql, made["id"]))["bindings"]
    control.operate("binding.vouch", binding_id=shown[1]["binding"], note="seen with ID card")
    end_other(owner, mine)
    later(control)
    assert thief.booking(paid)["state"] == "CANCELLED"
    assert thief.call("GET", "account/patients") == {"patients": []}


def test_what_a_proven_holder_had_made_firm_stays_when_another_ends_their_hold(
        control: Control, owner: Phone, record: Record, ward: dict[str, Any], visit: Any) -> None:
    mine, spouse = owner.add_patient(record.someone), Phone(control).sign_in()
    theirs = spouse.add_patient(record.someone)  # by a code that the owner has told
    paid = visit(spouse, theirs, ward)
    end_other(owner, mine)
    later(control)
    assert spouse.booking(paid)["state"] == "CONFIRMED"


def test_what_was_firm_by_a_hold_of_before_there_was_proof_is_worth_what_the_hospital_says(
        control: Control, owner: Phone, thief: Phone, record: Record, ward: dict[str, Any], session: dict[str, Any],
        visit: Any, sql: Ask, policy: Callable[..., None]) -> None:
    mine, stolen = owner.add_patient(record.someone), steal(thief, record)
    paid = visit(thief, stolen, ward)
    sql("UPDATE bindings SET level = NULL WHERE patient_id = %s AND level = 'LIMITED'", (stolen["id"],))
    policy(bindings_before_proof="FULL")
    end_other(owner, mine)
    later(control)
    assert thief.booking(paid)["state"] == "CONFIRMED"
    again = steal(thief, record)
    more = visit(thief, again, session)
    sql("UPDATE bindings SET level = NULL WHERE patient_id = %s AND level = 'LIMITED'", (stolen["id"],))
    policy(bindings_before_proof=None)
    end_other(owner, mine)
    later(control)
    assert thief.booking(more)["state"] == "CANCELLED"


# -- in the owner's way -----------------------------------------------------------------------------
def test_a_strangers_unpaid_registration_makes_way_for_the_owners(
        owner: Phone, thief: Phone, record: Record, ward: dict[str, Any]) -> None:
    stolen, mine = steal(thief, record), owner.add_patient(record.someone)
    held = thief.book(stolen["id"], ward)["id"]
    assert refused(lambda: owner.book(mine["id"], ward)) == (409, "booked_by_another")
    assert thief.booking(held)["state"] == "RELEASED"
    assert owner.book(mine["id"], ward)["state"] == "HELD"
    assert refused(lambda: owner.book(mine["id"], ward)) == (409, "already_booked")
    assert refused(lambda: thief.book(stolen["id"], ward)) == (409, "already_booked")


def test_a_strangers_firm_registration_makes_way_once_they_are_gone_or_ended(
        control: Control, owner: Phone, thief: Phone, record: Record, ward: dict[str, Any], visit: Any) -> None:
    stolen, mine = steal(thief, record), owner.add_patient(record.someone)
    paid = visit(thief, stolen, ward)
    assert refused(lambda: owner.book(mine["id"], ward)) == (409, "booked_by_another")
    assert thief.booking(paid)["state"] == "CONFIRMED"  # it may be a daughter's: whether it goes is the owner's word
    thief.call("DELETE", f"account/patients/{stolen['id']}")  # and is nobody's to end any more
    control.settle()
    assert refused(lambda: owner.book(mine["id"], ward)) == (409, "booked_by_another")
    later(control)
    assert thief.booking(paid)["state"] == "CANCELLED"
    assert owner.book(mine["id"], ward)["state"] == "HELD"


def test_what_another_proven_holder_has_registered_stays(
        control: Control, owner: Phone, record: Record, ward: dict[str, Any]) -> None:
    mine, spouse = owner.add_patient(record.someone), Phone(control).sign_in()
    held = spouse.book(spouse.add_patient(record.someone)["id"], ward)["id"]
    assert refused(lambda: owner.book(mine["id"], ward)) == (409, "already_booked")
    assert spouse.booking(held)["state"] == "HELD"
