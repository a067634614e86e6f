"""How often who may do what: each limit from both sides, told when it ends, and never another's way to lock one out."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Any

import pytest
import requests

from sandbox.people import person, serial
from sandbox.phone import Control, Phone, Refused
from scripts import local_db
from tests.features.whose import Record, steal
from tests.opened import hashed

Ask = Callable[..., list[tuple[Any, ...]]]
Change = Callable[..., None]


def somewhere() -> str:
    """An address that no other test calls from."""
    number = serial()
    return f"127.252.{number // 250 % 250}.{1 + number % 250}"


def sign_in(phone: Phone, **headers: str) -> requests.Response:
    code = phone.control("POST", f"/wechat/phones/{phone.openid}/login-code")["code"]
    return phone.raw("POST", "account/sessions", {"code": code, "secret_hash": "0" * 64}, headers=headers)


def guess(phone: Phone, someone: dict[str, Any], **changes: Any) -> requests.Response:
    """Adds a patient; who is tried with another name is guessed at."""
    texts = {one["purpose"]: one["version"] for one in phone.call("GET", "account/consents")["texts"]}
    return phone.raw("POST", "account/patients", {
        "phone": phone.number, "relation": "OTHER", "name": someone["name"], "id_type": someone["id_type"],
        "id_number": someone["id_number"],
        "consents": [{"purpose": "HEALTH_DATA", "version": texts["HEALTH_DATA"]}], **changes})


def reveal(phone: Phone, patient_id: str) -> requests.Response:
    return phone.raw("POST", f"account/patients/{patient_id}/reveal", {"code": "guess"})


def refused(answer: requests.Response, code: str = "too_many_requests") -> int:
    """The seconds after which who was refused may come again; the sentence says so too."""
    error = answer.json()["error"]
    assert (answer.status_code, error["code"]) == (429, code), error
    assert "后再试" in error["message"]
    wait = int(answer.headers["Retry-After"])
    assert wait >= 1
    return wait


# -- signing in -------------------------------------------------------------------------------------
def test_sign_ins_from_one_address_have_a_limit_that_another_address_does_not_meet(
        control: Control, policy: Change) -> None:
    policy(limit_sign_in_per_address={"burst": 3, "seconds": 50})
    address = somewhere()
    phones = [Phone(control, address=address) for _ in range(5)]
    assert [sign_in(phone).status_code for phone in phones[:3]] == [201] * 3
    wait = refused(sign_in(phones[3]))
    assert wait <= 50
    for name in ("X-Scf-Remote-Addr", "X-Forwarded-For", "X-Real-Ip", "Forwarded"):  # nobody says where they are
        refused(sign_in(phones[3], **{name: "9.9.9.9"}))
    assert sign_in(Phone(control, address=somewhere())).status_code == 201
    control.advance(wait)
    assert sign_in(phones[3]).status_code == 201
    refused(sign_in(phones[4]))


def test_sign_ins_of_one_person_have_a_limit_and_the_sessions_they_have_go_on(control: Control, policy: Change) -> None:
    policy(limit_sign_in_per_account={"burst": 2, "seconds": 600})
    mine, others = Phone(control).sign_in(), Phone(control).sign_in()
    assert sign_in(mine).status_code == 201
    wait = refused(sign_in(mine))
    assert mine.call("GET", "account/me")["patients"] == 0
    assert sign_in(others).status_code == 201
    control.advance(wait)
    assert sign_in(mine).status_code == 201


# -- matching ---------------------------------------------------------------------------------------
def test_names_for_one_number_can_be_guessed_so_often_and_the_owner_is_not_locked_out(
        control: Control, policy: Change, stranger: dict[str, Any]) -> None:
    policy(limit_matching_per_document={"burst": 3, "seconds": 600})
    guesser, owner = Phone(control).sign_in(), Phone(control).sign_in()
    for name in ("王一", "王二", "王三"):
        assert guess(guesser, stranger, name=name).json()["error"]["code"] == "patient_mismatch"
    wait = refused(guess(guesser, stranger, name="王四"))
    assert wait <= 600
    refused(guess(guesser, stranger))  # not even with the right one
    control("POST", "/scf/instances/stop", function="account")
    refused(guess(guesser, stranger, name="王五"))  # another instance knows too
    assert guess(guesser, person()).status_code == 201  # others can still be added
    assert guess(owner, stranger).status_code == 201
    control.advance(wait)
    assert guess(guesser, stranger, name="王六").json()["error"]["code"] == "patient_mismatch"
    refused(guess(guesser, stranger, name="王七"))


def test_sixty_guesses_at_one_number_are_stopped_after_twelve(control: Control, stranger: dict[str, Any]) -> None:
    guesser = Phone(control).sign_in()
    answers = [guess(guesser, stranger, name=f"王{one}").status_code for one in "一二三四五六七八九十甲乙丙丁戊" * 4]
    assert answers == [409] * 12 + [429] * 48


def test_of_wrong_names_for_one_number_from_many_accounts_staff_are_told_and_the_owner_is_added(
        control: Control, stranger: dict[str, Any], policy: Change) -> None:
    policy(limit_wrong_names={"burst": 2, "seconds": 3600})

    def told() -> int:
        return sum(one["times"] for one in control.operate("tasks.list", kind="patient.guessed")["tasks"])

    before, guessers = told(), [Phone(control).sign_in() for _ in range(4)]
    for guesser, name in zip(guessers, ("王一", "王二", "王三", "王四"), strict=True):
        assert guess(guesser, stranger, name=name).json()["error"]["code"] == "patient_mismatch"
    assert told() == before + 2
    assert guess(Phone(control).sign_in(), stranger).status_code == 201


def test_an_account_adds_so_many_people_whoever_they_are(control: Control, policy: Change) -> None:
    policy(limit_matching_per_account={"burst": 2, "seconds": 600})
    phone, other = Phone(control).sign_in(), Phone(control).sign_in()
    assert [guess(phone, person()).status_code for _ in range(2)] == [201, 201]
    wait = refused(guess(phone, person()))
    assert guess(other, person()).status_code == 201
    control.advance(wait)
    assert guess(phone, person()).status_code == 201


def test_many_accounts_at_one_address_share_a_limit_of_matching(control: Control, policy: Change) -> None:
    policy(limit_matching_per_address={"burst": 2, "seconds": 600})
    address = somewhere()
    crowd = [Phone(control, address=address).sign_in() for _ in range(3)]
    assert [guess(phone, person()).status_code for phone in crowd[:2]] == [201, 201]
    wait = refused(guess(crowd[2], person()))
    assert guess(Phone(control, address=somewhere()).sign_in(), person()).status_code == 201
    control.advance(wait)
    assert guess(crowd[2], person()).status_code == 201


def test_strangers_who_use_up_an_address_cost_nobody_else_tries_of_their_own(control: Control, policy: Change) -> None:
    policy(limit_matching_per_address={"burst": 1, "seconds": 60},
           limit_matching_per_document={"burst": 1, "seconds": 3600},
           limit_matching_per_account={"burst": 1, "seconds": 3600})
    address, someone = somewhere(), person()
    stranger, honest = (Phone(control, address=address).sign_in() for _ in range(2))
    assert guess(stranger, person()).status_code == 201
    for _ in range(3):
        wait = refused(guess(honest, someone))
        assert wait <= 60
        control("POST", "/scf/instances/stop", function="account")  # each instance asks for itself
    control.advance(wait)
    assert guess(honest, someone).status_code == 201


def test_who_has_used_up_their_own_tries_uses_up_none_of_their_address(control: Control, policy: Change) -> None:
    policy(limit_matching_per_address={"burst": 2, "seconds": 600},
           limit_matching_per_account={"burst": 1, "seconds": 3600})
    address = somewhere()
    guesser, honest = (Phone(control, address=address).sign_in() for _ in range(2))
    assert guess(guesser, person()).status_code == 201
    for _ in range(3):
        refused(guess(guesser, person()))
        control("POST", "/scf/instances/stop", function="account")
    assert guess(honest, person()).status_code == 201


# -- second checks ----------------------------------------------------------------------------------
def test_a_record_can_be_opened_so_often_and_by_others_who_hold_it_all_the_same(
        control: Control, policy: Change) -> None:
    policy(limit_reveal={"burst": 2, "seconds": 600})
    someone = person()
    guesser, owner = Phone(control).sign_in(), Phone(control).sign_in()
    theirs, mine = guesser.add_patient(someone)["id"], owner.add_patient(someone)["id"]
    beside = guesser.add_patient(person())["id"]
    assert [reveal(guesser, theirs).status_code for _ in range(2)] == [400, 400]
    wait = refused(reveal(guesser, theirs))
    assert reveal(guesser, beside).status_code == 400
    assert reveal(owner, mine).status_code == 400
    control.advance(wait)
    assert reveal(guesser, theirs).status_code == 400


def test_phone_numbers_are_asked_of_wechat_so_often(control: Control, policy: Change) -> None:
    policy(limit_phone={"burst": 1, "seconds": 600})
    phone, other = Phone(control).sign_in(), Phone(control).sign_in()
    assert phone.call("POST", "account/phone", {"code": phone.phone_code()})["phone"]
    wait = refused(phone.raw("POST", "account/phone", {"code": phone.phone_code()}))
    assert other.call("POST", "account/phone", {"code": other.phone_code()})["phone"]
    control.advance(wait)
    assert phone.call("POST", "account/phone", {"code": phone.phone_code()})["phone"]


# -- orders -----------------------------------------------------------------------------------------
def test_orders_that_are_given_up_again_and_again_end_and_leave_no_more_rows(
        control: Control, phone: Phone, patient: dict[str, Any], ordered: Callable[..., list[dict[str, Any]]],
        policy: Change, sql: Ask) -> None:
    policy(limit_orders={"burst": 2, "seconds": 600})
    bills = ordered(patient, "LABORATORY")
    bills = phone.bills(patient["id"])
    keys = [secrets.token_hex(16) for _ in range(3)]
    for key in keys[:2]:
        made = phone.order(patient["id"], bills, key=key)
        phone.call("POST", f"billing/orders/{made['id']}/cancellation")
    chosen = [{name: one[name] for name in ("bill_no", "version", "total_fen")} for one in bills]
    wait = refused(phone.raw("POST", "billing/orders", {"patient_id": patient["id"], "bills": chosen}, key=keys[2]))
    assert sql("SELECT COUNT(*) FROM charge_orders WHERE patient_id = %s", (patient["id"],)) == [(2,)]
    assert phone.order(patient["id"], bills, key=keys[1])["id"] == made["id"]  # a repeat is no further one
    control.advance(wait)
    assert phone.order(patient["id"], bills, key=keys[2])["state"] == "OPEN"


# -- places -----------------------------------------------------------------------------------------
def book(phone: Phone, patient_id: str, session: dict[str, Any]) -> requests.Response:
    return phone.raw("POST", "booking/bookings", {
        "patient_id": patient_id, "schedule_id": session["id"], "fee_fen": session["fee_fen"]},
        key=secrets.token_hex(16))


def test_tries_to_book_have_a_limit_and_others_are_served(control: Control, guest: Phone, ill: dict[str, Any],
                                                          ward: dict[str, Any], policy: Change) -> None:
    policy(limit_booking={"burst": 2, "seconds": 30})
    other = Phone(control).sign_in()
    assert [book(guest, ill["id"], ward).status_code for _ in range(2)] == [201, 409]
    wait = refused(book(guest, ill["id"], ward))
    assert book(other, other.add_patient(person())["id"], ward).status_code == 201
    control.advance(wait)
    assert book(guest, ill["id"], ward).json()["error"]["code"] == "already_booked"


def test_an_account_holds_so_many_places_unpaid_whoever_they_are_for(
        control: Control, guest: Phone, ward: dict[str, Any], policy: Change) -> None:
    policy(unpaid_places_per_account=2)
    people = [guest.add_patient(person()) for _ in range(4)]
    held = [guest.book(one["id"], ward) for one in people[:2]]
    wait = refused(book(guest, people[2]["id"], ward), "too_many_unpaid")
    assert 14 * 60 < wait <= 15 * 60  # until the first of them ends
    guest.thumb(guest.open_payment(held[0]["id"]))  # what is paid counts no more
    control.settle()
    third = guest.book(people[2]["id"], ward)
    guest.open_payment(held[1]["id"])  # what is being paid does
    refused(book(guest, people[3]["id"], ward), "too_many_unpaid")
    guest.call("POST", f"booking/bookings/{third['id']}/cancellation")
    assert guest.book(people[3]["id"], ward)["state"] == "HELD"


def test_others_who_hold_places_for_the_same_person_do_not_use_up_one_s_own(
        control: Control, guest: Phone, new_session: Callable[..., dict[str, Any]], policy: Change) -> None:
    policy(unpaid_places_per_account=1)
    someone, other = person(), Phone(control).sign_in()
    mine, theirs = guest.add_patient(someone), other.add_patient(someone)
    assert other.book(theirs["id"], new_session())["state"] == "HELD"
    assert guest.book(mine["id"], new_session())["state"] == "HELD"
    refused(book(guest, mine["id"], new_session()), "too_many_unpaid")


def test_invented_people_bound_and_unbound_hold_no_more_than_one_account_may(
        control: Control, guest: Phone, ward: dict[str, Any], sql: Ask) -> None:
    account = sql("SELECT id FROM accounts WHERE openid_hash = %s", (hashed(control, "openid", guest.openid),))[0][0]
    most, bound = 0, 0
    for _ in range(24):
        answer = guess(guest, person())
        if answer.status_code == 429:
            break
        bound += 1
        patient = answer.json()["id"]
        book(guest, patient, ward)
        guest.call("DELETE", f"account/patients/{patient}")
        [(held,)] = sql("SELECT COUNT(*) FROM bookings WHERE account_id = %s AND state IN ('HELD', 'AWAITING_PAYMENT')",
                        (account,))
        most = max(most, held)
    assert bound == 20
    assert 1 <= most <= 6


def test_places_are_given_up_or_not_paid_for_so_often_a_day(
        control: Control, guest: Phone, ill: dict[str, Any], ward: dict[str, Any], policy: Change) -> None:
    policy(given_up_places_per_account_and_day=2)
    other = Phone(control).sign_in()
    first = guest.book(ill["id"], ward)
    guest.call("POST", f"booking/bookings/{first['id']}/cancellation")
    second = guest.book(ill["id"], ward)
    control.advance(15 * 60 + 1)
    control.work("worker")
    assert guest.booking(second["id"])["reason"] == "EXPIRED"
    wait = refused(book(guest, ill["id"], ward), "too_many_given_up")
    assert 23 * 3600 < wait < 24 * 3600
    assert book(other, other.add_patient(person())["id"], ward).status_code == 201
    control.advance(wait)
    guest.sign_in()
    assert book(guest, ill["id"], ward).status_code == 201


# -- the buckets themselves -------------------------------------------------------------------------
def test_who_has_rested_is_forgotten_at_night(control: Control, sql: Ask) -> None:
    Phone(control).sign_in()
    assert sql("SELECT COUNT(*) FROM buckets WHERE name = 'sign_in_per_account'")[0][0] > 0
    control.advance(40 * 3600)
    control("POST", "/scf/timers/housekeeping/every-night/fire")
    now = control("GET", "/clock")["now"][:19].replace("T", " ")
    assert sql("SELECT COUNT(*) FROM buckets WHERE full_at < %s - INTERVAL 1 HOUR", (now,)) == [(0,)]


def test_nobody_is_named_in_a_bucket(control: Control, sql: Ask) -> None:
    phone = Phone(control).sign_in()
    for (owner,) in sql("SELECT owner FROM buckets"):
        assert len(owner) == 16
        assert phone.openid.encode() not in owner


def test_while_the_database_does_not_tell_sign_in_goes_on_and_guesses_wait(
        control: Control, mysql: str, database_name: str, sql: Ask) -> None:
    phone = Phone(control).sign_in()
    assert phone.raw("POST", "account/phone", {"code": "guess"}).status_code == 400
    host, _, port = mysql.partition(":")
    other = local_db.connect(host, int(port), database_name)
    try:
        other.begin()
        with other.cursor() as cursor:
            cursor.execute("SELECT * FROM buckets FOR UPDATE")
            cursor.fetchall()
            assert phone.raw("POST", "account/phone", {"code": "guess"}).status_code == 503
            assert guess(phone, person()).status_code == 503
            assert sign_in(phone).status_code == 201
    finally:
        other.close()
    assert phone.raw("POST", "account/phone", {"code": "guess"}).status_code == 400


@pytest.mark.parametrize("value", [{"burst": 0, "seconds": 1}, {"burst": 1, "seconds": 0}, {"burst": 1}, 5,
                                   {"burst": 1, "seconds": 1, "more": 1}, {"burst": 1, "seconds": 100_000}])
def test_a_limit_that_is_none_can_not_be_set(control: Control, value: Any) -> None:
    with pytest.raises(Refused) as refusal:
        control.operate("settings.change", changes={"limit_orders": value})
    assert "limit_orders" in str(refusal.value.error)


# -- codes to the phone on file ---------------------------------------------------------------------
def ask_code(phone: Phone, patient: dict[str, Any]) -> requests.Response:
    return phone.raw("POST", f"account/patients/{patient['id']}/proof-codes")


@pytest.mark.parametrize(("limit", "shared"), [("limit_codes_per_account", False), ("limit_codes", True)])
def test_text_messages_with_codes_have_a_limit_for_who_asks_for_them_and_nobody_else_s(
        control: Control, policy: Change, limit: str, shared: bool) -> None:
    policy(**{limit: {"burst": 2, "seconds": 300}}, proof_codes_per_phone_and_hour=5)
    number = Phone(control).number
    records = [Record(control, phone=number if shared else Phone(control).number) for _ in range(3)]
    mine, another = Phone(control).sign_in(), Phone(control).sign_in()
    first, second, third = (steal(mine, record) for record in records)
    for one in (first, second):
        assert ask_code(mine, one).status_code == 202
        control.advance(31)  # SMS itself sends no two texts to a phone within half a minute
    wait = refused(ask_code(mine, third))
    assert ask_code(another, steal(another, records[2])).status_code == 202
    control.advance(max(wait, 31))
    assert ask_code(mine, third).status_code == 202
