"""Races for places and people. Each is named for what holds; it runs once and tells what was broken."""

from __future__ import annotations

import secrets
import time
from typing import Any

from sandbox.people import person
from sandbox.phone import Phone, Refused
from tests.features.whose import Record, passport_of
from tests.opened import hashed
from tests.races.ground import CROWD, HOT, Ground, broken_answers, clients, later, together, won

HELD_FOR = 0.6  # seconds; less than who takes a place waits for another
SOLD_TWICE = ("SELECT COUNT(*) FROM (SELECT slot_id FROM bookings WHERE live_flag = 1 AND schedule_id = %s "
              "GROUP BY slot_id HAVING COUNT(*) > 1) twice")


def a_hot_session_sells_each_place_once(ground: Ground) -> list[str]:
    """Everybody wants one of a few places."""
    return _rush(ground, [ground.hot])


def many_sessions_sell_each_place_once(ground: Ground) -> list[str]:
    """Everybody wants a place, of several sessions."""
    return _rush(ground, ground.many)


def _rush(ground: Ground, sessions: list[dict[str, Any]]) -> list[str]:
    asked = [(one.phone, one.patient_id, sessions[at % len(sessions)]) for at, one in enumerate(ground.crowd)]
    results = together([lambda p=phone, i=patient, s=session: p.book(i, s)  # type: ignore[misc]
                        for phone, patient, session in asked])
    broken = broken_answers(results, "slot_gone")
    for session in sessions:
        got = len(won([result for result, ask in zip(results, asked, strict=True) if ask[2] is session]))
        live = ground.count("SELECT COUNT(*) FROM bookings WHERE schedule_id = %s AND live_flag = 1", (session["id"],))
        free = ground.count("SELECT COUNT(*) FROM slots WHERE schedule_id = %s AND booking_id IS NULL",
                            (session["id"],))
        if (got, live, free) != (HOT, HOT, 0):
            broken.append(f"{got} were promised a place, {live} have one, {free} of {HOT} are free")
        if ground.count(SOLD_TWICE, (session["id"],)):
            broken.append("a place was sold twice")
    ground.give_up([(ask[0], result["id"]) for result, ask in zip(results, asked, strict=True)
                    if result in won(results)])
    for session in sessions:
        free = ground.count("SELECT COUNT(*) FROM slots WHERE schedule_id = %s AND booking_id IS NULL "
                            "AND state = 'OPEN'", (session["id"],))
        if free != HOT:
            broken.append(f"all given up, and {free} of {HOT} are free")
    return broken


def a_patient_has_one_registration_with_a_doctor(ground: Ground) -> list[str]:
    """One patient, four accounts, four devices each, one session."""
    one = person()
    phones = [ground.newcomer().phone for _ in range(4)]
    patients = [phone.add_patient(one)["id"] for phone in phones]
    asked = [(device, patient) for phone, patient in zip(phones, patients, strict=True)
             for device in clients(phone, 4)]
    results = together([lambda p=phone, i=patient: p.book(i, ground.wide)  # type: ignore[misc]
                        for phone, patient in asked])
    live = ground.count("SELECT COUNT(*) FROM bookings WHERE patient_id = %s AND live_flag = 1", (patients[0],))
    return broken_answers(results, "already_booked") + (
        [] if (len(won(results)), live) == (1, 1) else [f"{len(won(results))} were told yes, {live} are live"])


def a_person_with_two_documents_has_one_registration_with_a_doctor(ground: Ground) -> list[str]:
    """One record, an account by each of its documents, eight devices each, one session."""
    record = Record(ground.control, phone="13900001234")
    phones, passport = [ground.newcomer().phone for _ in range(2)], record.passport()
    patients = [phone.add_patient(one, proven=False)["id"]
                for phone, one in zip(phones, (record.someone, passport), strict=True)]
    asked = [(device, patient) for phone, patient in zip(phones, patients, strict=True) for device in clients(phone, 8)]
    results = together([lambda p=phone, i=patient: p.book(i, ground.wide)  # type: ignore[misc]
                        for phone, patient in asked])
    live = ground.count("SELECT COUNT(*) FROM bookings WHERE patient_id IN (%s, %s) AND live_flag = 1", patients)
    return broken_answers(results, "already_booked") + (
        [] if (len(won(results)), live) == (1, 1) else [f"{len(won(results))} were told yes, {live} are live"])


def a_patients_day_has_its_limit(ground: Ground) -> list[str]:
    """One patient with many doctors on one day; three registrations are allowed."""
    member = ground.newcomer()
    results = together([lambda p=phone, s=session: p.book(member.patient_id, s)  # type: ignore[misc]
                        for phone, session in zip(clients(member.phone, len(ground.doctors)), ground.doctors,
                                                  strict=True)])
    live = ground.count("SELECT COUNT(*) FROM bookings WHERE patient_id = %s AND live_flag = 1", (member.patient_id,))
    return broken_answers(results, "too_many_that_day", "too_many_bookings") + (
        [] if (len(won(results)), live) == (3, 3) else [f"{live} registrations on one day"])


def a_repeated_request_books_once(ground: Ground) -> list[str]:
    """The same request with the same key, from many connections."""
    member, key = ground.newcomer(), secrets.token_hex(16)
    results = together([lambda p=phone: p.book(member.patient_id, ground.wide, key=key)  # type: ignore[misc]
                        for phone in clients(member.phone, 16)])
    answers = {str(sorted(one.items())) for one in won(results)}
    made = ground.count("SELECT COUNT(*) FROM bookings WHERE patient_id = %s", (member.patient_id,))
    return broken_answers(results) + (
        [] if (len(answers), made) == (1, 1) else [f"{len(answers)} different answers, {made} registrations"])


def an_account_holds_so_many_places_unpaid(ground: Ground) -> list[str]:
    """One account with six people, each with many doctors, at once; six places may be held unpaid."""
    member = ground.newcomer()
    people = [member.patient_id, *(member.phone.add_patient(person())["id"] for _ in range(5))]
    asked = [(patient, session) for patient in people for session in ground.doctors[:5]]
    results = together([lambda p=phone, i=patient, s=session: p.book(i, s)  # type: ignore[misc]
                        for phone, (patient, session) in zip(clients(member.phone, len(asked)), asked, strict=True)])
    held = [one["id"] for one in won(results)]
    stored = ground.count("SELECT COUNT(*) FROM bookings b JOIN accounts a ON a.id = b.account_id "
                          "WHERE a.openid_hash = %s AND b.state = 'HELD'",
                          (hashed(ground.control, "openid", member.phone.openid),))
    ground.give_up([(member.phone, one) for one in held])
    return broken_answers(results, "too_many_unpaid", "too_many_that_day", "too_many_bookings", "slot_gone") + (
        [] if (len(held), stored) == (6, 6) else [f"{len(held)} were promised, {stored} are held unpaid"])


def an_account_has_so_many_places_on_trust(ground: Ground) -> list[str]:
    """One account with five people, each in sessions that cost nothing, at once; three places may be on trust."""
    member = ground.newcomer()
    people = [member.patient_id, *(member.phone.add_patient(person())["id"] for _ in range(4))]
    asked = [(patient, session) for patient in people for session in ground.free]
    devices = clients(member.phone, len(asked))
    ground.control.operate("settings.change", changes={"places_on_trust_per_account": 3})
    try:
        results = together([lambda p=phone, i=patient, s=session: p.book(i, s)  # type: ignore[misc]
                            for phone, (patient, session) in zip(devices, asked, strict=True)])
    finally:
        ground.control.operate("settings.change", changes={"places_on_trust_per_account": None})
    held = [one["id"] for one in won(results)]
    ground.give_up([(member.phone, one) for one in held])
    return broken_answers(results, "too_many_on_trust", "too_many_unpaid", "too_many_that_day", "too_many_bookings",
                          "slot_gone") + ([] if len(held) == 3 else [f"{len(held)} are on trust"])


def nothing_is_held_for_who_has_withdrawn(ground: Ground) -> list[str]:
    """Consent is withdrawn while places are being taken with it: each is let go, or was never taken.

    The places themselves are locked for a while, so that those who take them stand between the look at the consent
    and their end.
    """
    member = ground.newcomer()
    phone, doctors = member.phone, ground.doctors[:3]
    withdrawal = {"patient_id": member.patient_id, "purpose": "HEALTH_DATA"}
    ids = [one["id"] for one in doctors]
    with ground.held(f"SELECT id FROM slots WHERE schedule_id IN ({', '.join(['%s'] * len(ids))})", ids) as let_go:
        def let_go_soon() -> None:
            time.sleep(HELD_FOR)
            let_go()

        results = together([
            *(lambda p=device, s=session: p.book(member.patient_id, s)  # type: ignore[misc]
              for device, session in zip(clients(phone, len(doctors)), doctors, strict=True)),
            lambda: later(phone, 2, lambda: phone.call("POST", "account/consents/withdrawal", withdrawal)),
            let_go_soon])
    ground.control.settle()
    held = ground.count("SELECT COUNT(*) FROM bookings WHERE patient_id = %s AND live_flag = 1", (member.patient_id,))
    return broken_answers(results, "consent_required", "already_booked", "too_many_that_day", "too_many_bookings",
                          "too_many_unpaid", "slot_gone", "busy") + (
        [f"{held} are held for who has withdrawn"] if held else []) + (
        ["the withdrawal was refused"] if isinstance(results[-2], Refused) else [])


def a_limit_lets_through_as_many_as_it_allows(ground: Ground) -> list[str]:
    """One account tries 32 codes at once; ten tries are allowed."""
    phone = Phone(ground.control).sign_in()
    results = together([lambda p=device: p.call("POST", "account/phone", {"code": "guess"})  # type: ignore[misc]
                        for device in clients(phone, CROWD)])
    through = sum(one.code == "wechat_code_invalid" for one in results)
    return broken_answers(results, "wechat_code_invalid", "too_many_requests") + (
        [] if through == 10 else [f"{through} were let through"])


# -- people -----------------------------------------------------------------------------------------
def a_patient_is_bound_once(ground: Ground) -> list[str]:
    """The same person, added from many devices of one account."""
    phone, one = ground.newcomer().phone, person()
    results = together([lambda p=device: p.add_patient(one)  # type: ignore[misc]
                        for device in clients(phone, 12)])
    ground.control.settle()
    names = [patient["id"] for patient in phone.call("GET", "account/patients")["patients"]]
    return broken_answers(results, "already_bound") + (
        [] if len(won(results)) == 1 and len(names) == len(set(names)) == 2 else [f"bound {len(names) - 1} times"])


def an_account_has_so_many_patients(ground: Ground) -> list[str]:
    """Many people, added at once to one account; six are allowed."""
    phone = ground.newcomer().phone
    results = together([lambda p=device: p.add_patient(person())  # type: ignore[misc]
                        for device in clients(phone, 12)])
    bound = len(phone.call("GET", "account/patients")["patients"])
    return broken_answers(results, "too_many_patients") + ([] if bound == 6 else [f"{bound} patients"])


def a_patient_has_so_many_accounts(ground: Ground) -> list[str]:
    """One person, added at once by many accounts, by two documents; four are proven to hold the record."""
    one = person()
    first = Phone(ground.control).sign_in()
    strangers = [first, *(Phone(ground.control, first.number).sign_in() for _ in range(9))]  # a family's one number
    for phone in strangers:
        phone.verify_phone()
    first.add_patient(one)
    [file] = ground.control("GET", f"/his/patients?id_number={one['id_number']}")["patients"]
    documents = [passport_of(ground.control, file), one]
    results = together([lambda p=phone, d=documents[at % 2]: p.add_patient(d, proven=False)  # type: ignore[misc]
                        for at, phone in enumerate(strangers[1:])])
    bound = ground.count("SELECT COUNT(*) FROM bindings b JOIN accounts a ON a.id = b.account_id WHERE b.bound_flag = 1"
                         " AND b.level = 'FULL' AND a.openid_hash IN (" + ", ".join(["%s"] * 10) + ")",
                         [hashed(ground.control, "openid", phone.openid) for phone in strangers])
    return broken_answers(results, "too_many_accounts") + ([] if bound == 4 else [f"{bound} proven accounts"])


RACES = [a_hot_session_sells_each_place_once, many_sessions_sell_each_place_once,
         a_patient_has_one_registration_with_a_doctor, a_person_with_two_documents_has_one_registration_with_a_doctor,
         a_patients_day_has_its_limit, a_repeated_request_books_once,
         an_account_holds_so_many_places_unpaid, an_account_has_so_many_places_on_trust,
         nothing_is_held_for_who_has_withdrawn, a_limit_lets_through_as_many_as_it_allows, a_patient_is_bound_once,
         an_account_has_so_many_patients, a_patient_has_so_many_accounts]
