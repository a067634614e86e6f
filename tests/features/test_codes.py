"""Codes to the phone on file: how many from all together, what a wrong one leaves, and when a right one is used up."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

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
    assert refused(lambda: strangers[2].sms_code(theirs[2]["id"], number)) == (409, "proof_too_often")
    assert len(control("GET", f"/sms/phones/{owner.number}")) == 2
    assert owner.sms_code(own["id"], number)
    another = Record(control, phone=Phone(control).number)  # another phone is another's
    assert strangers[2].sms_code(steal(strangers[2], another)["id"], another.someone["id_number"])
    control.advance(86400)
    strangers[2].sign_in()
    assert strangers[2].sms_code(theirs[2]["id"], number)


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
