"""Codes to the phone on file: how many from all together, what a wrong one leaves, and when a right one is used up."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import requests

from sandbox.phone import Control, Phone
from scripts import local_db
from tests.features.conftest import refused
from tests.features.whose import Record, prove, steal

Ask = Callable[..., list[tuple[Any, ...]]]


def test_many_strangers_together_send_a_phone_so_many_codes_a_day_and_its_proven_owner_gets_theirs(
        control: Control, owner: Phone, record: Record, policy: Callable[..., None]) -> None:
    policy(proof_codes_per_phone_and_day=2)
    number, own = record.someone["id_number"], owner.add_patient(record.someone)
    assert own["level"] == "FULL"
    strangers = [Phone(control).sign_in() for _ in range(3)]
    theirs = [steal(one, record) for one in strangers]
    for one, patient in zip(strangers[:2], theirs[:2], strict=True):
        assert one.sms_code(patient["id"], number)
    assert refused(lambda: strangers[2].sms_code(theirs[2]["id"], number)) == (429, "proof_too_often")
    assert len(control("GET", f"/sms/phones/{owner.number}")) == 2
    assert owner.sms_code(own["id"], number)
    another = Record(control, phone=Phone(control).number)  # another phone is another's
    assert strangers[2].sms_code(steal(strangers[2], another)["id"], another.someone["id_number"])
    control.advance(86400)
    strangers[2].sign_in()
    assert strangers[2].sms_code(theirs[2]["id"], number)


def ask(phone: Phone, patient: dict[str, Any]) -> requests.Response:
    return phone.raw("POST", f"account/patients/{patient['id']}/proof-codes")


def test_strangers_leave_a_proven_owner_a_code_of_those_that_sms_itself_sends_in_an_hour(
        control: Control, owner: Phone, record: Record) -> None:
    own, answers = owner.add_patient(record.someone), []
    for stranger in [Phone(control).sign_in() for _ in range(5)]:
        answers.append(ask(stranger, steal(stranger, record)).status_code)
        control.advance(31)
    assert answers == [202] * 3 + [429] * 2
    for _ in range(4):  # of all of them the phone is told as well
        control.advance(601)
        control.work()
    assert ask(owner, own).status_code == 202


def test_who_asks_for_too_many_codes_is_told_when_there_is_another(
        control: Control, owner: Phone, thief: Phone, record: Record, policy: Callable[..., None]) -> None:
    policy(proof_codes_per_phone_and_hour=1, proof_codes_per_phone_and_day=2)
    mine, another = steal(thief, record), Phone(control).sign_in()
    theirs = steal(another, record)
    assert ask(thief, mine).status_code == 202
    control.advance(1000)
    assert 2500 < told(ask(another, theirs)) <= 2600
    control.advance(2600)
    assert ask(another, theirs).status_code == 202
    assert told(ask(another, theirs)) <= 60
    control.advance(3600)
    wait = told(ask(another, theirs))  # until the first is a day ago
    assert 79100 < wait <= 79200
    control.advance(wait)
    another.sign_in()
    assert ask(another, theirs).status_code == 202


def told(answer: requests.Response) -> int:
    """The seconds after which who was refused may come again; the sentence says so too."""
    error = answer.json()["error"]
    assert (answer.status_code, error["code"]) == (429, "proof_too_often"), error
    assert "后再试" in error["message"]
    return int(answer.headers["Retry-After"])


def test_a_code_that_sms_refused_counts_for_nobody_and_may_be_asked_for_again_at_once(
        control: Control, owner: Phone, thief: Phone, record: Record, policy: Callable[..., None]) -> None:
    policy(proof_codes_per_phone_and_day=1)
    mine = steal(thief, record)
    control.fault("sms", "send_sms", "refuse", code="RequestLimitExceeded.UinLimitExceeded", status=200,
                  about=owner.number)
    assert refused(lambda: thief.call("POST", f"account/patients/{mine['id']}/proof-codes")) == (503, "sms_unavailable")
    assert control.tasks(kind="sms.refused", subject_id="RequestLimitExceeded.UinLimitExceeded") == []
    assert prove(thief, mine, sms_code=thief.sms_code(mine["id"], record.someone["id_number"]))["level"] == "FULL"


def test_each_wrong_code_is_in_the_audit_trail(owner: Phone, record: Record, sql: Ask) -> None:
    mine = owner.add_patient(record.someone)
    code = owner.sms_code(mine["id"], record.someone["id_number"])
    wrong = {"sms_code": f"{(int(code) + 1) % 10 ** 6:06d}"}
    assert refused(lambda: prove(owner, mine, **wrong)) == (400, "code_wrong")
    assert refused(lambda: owner.call("POST", f"account/patients/{mine['id']}/reveal", wrong)) == (400, "code_wrong")
    assert prove(owner, mine, sms_code=code)["level"] == "FULL"
    found = sql("SELECT result FROM audit WHERE action = 'patient.code' AND subject = %s ORDER BY id", (mine["id"],))
    assert found == [("sent",), ("wrong",), ("wrong",)]


def test_a_right_code_that_proves_nothing_yet_is_good_once_there_is_room(
        owner: Phone, thief: Phone, record: Record, policy: Callable[..., None]) -> None:
    policy(accounts_per_patient=1)
    own, mine = owner.add_patient(record.someone), steal(thief, record)
    code = thief.sms_code(mine["id"], record.someone["id_number"])
    for _ in range(6):  # more often than a wrong one may be tried
        assert refused(lambda: prove(thief, mine, sms_code=code)) == (409, "too_many_accounts")
    owner.call("DELETE", f"account/patients/{own['id']}")
    assert prove(thief, mine, sms_code=code)["level"] == "FULL"
    assert refused(lambda: prove(thief, mine, sms_code=code)) == (400, "code_wrong")


def test_a_right_code_is_good_again_when_what_it_proves_could_not_be_written(
        thief: Phone, record: Record, mysql: str, database_name: str, sql: Ask) -> None:
    mine = steal(thief, record)
    code = thief.sms_code(mine["id"], record.someone["id_number"])
    host, _, port = mysql.partition(":")
    other = local_db.connect(host, int(port), database_name)
    try:
        other.begin()
        with other.cursor() as cursor:  # another has the record in hand for longer than anybody waits
            cursor.execute("SELECT * FROM bindings WHERE patient_id = %s FOR UPDATE", (mine["id"],))
            cursor.fetchall()
            assert refused(lambda: prove(thief, mine, sms_code=code))[0] == 429
    finally:
        other.close()
    assert sql("SELECT used_at, tries FROM proof_codes WHERE patient_id = %s", (mine["id"],)) == [(None, 0)]
    assert prove(thief, mine, sms_code=code)["level"] == "FULL"
