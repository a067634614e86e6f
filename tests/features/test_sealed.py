"""No table holds what is a person's own in plain; what older code left so is read the same before and after sealing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hospital.security import cipher, sealed

from sandbox.people import person
from sandbox.phone import Control, Phone, Refused
from tests.features.conftest import Visit, finish
from tests.opened import account_of, code_of, hashed, key, key_of, opened

Ask = Callable[..., list[tuple[Any, ...]]]


def tables(sql: Ask) -> list[str]:
    """Every table there is."""
    return [row[0] for row in sql("SELECT table_name FROM information_schema.tables WHERE table_schema = DATABASE()")]


def text(value: Any) -> str:
    """A column's value, bytes as the characters that they may be."""
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def test_after_a_whole_visit_no_column_of_any_table_holds_a_persons_own_in_plain(
        everything: Phone, control: Control, sql: Ask) -> None:
    [patient] = everything.call("GET", "account/patients")["patients"]
    full = everything.call("POST", f"account/patients/{patient['id']}/reveal", {"code": everything.phone_code()})
    within = [full["name"], full["id_number"], full["phone"], full["birth_date"], full["id_number"][6:14],
              everything.openid, everything.number, everything.token, everything.secret,
              code_of(control, sql, patient["id"])]
    [file] = control("GET", f"/his/patients?id_number={full['id_number']}")["patients"]
    whole = {file["card_number"], *(one["check_code"] for one in everything.invoices() if one["check_code"])}
    assert len(whole) > 2
    found = [(table, one) for table in tables(sql) for row in sql(f"SELECT * FROM `{table}`")
             for value in row if value is not None for one in [*within, *whole]
             if (one in text(value) if one in within else text(value) == one)]
    assert found == []


def test_a_fresh_hospital_writes_nothing_in_plain_from_its_first_row(sql: Ask) -> None:
    assert sql("SELECT value FROM settings WHERE name = 'plain_columns'") == []


# -- what older code wrote --------------------------------------------------------------------------
@pytest.fixture
def old(control: Control, sql: Ask) -> Callable[[Phone, dict[str, Any]], None]:
    """``old(phone, patient)``: their rows as code wrote them that knew no sealed columns."""
    def make(phone: Phone, patient: dict[str, Any]) -> None:
        account, code = account_of(control, sql, phone.openid), code_of(control, sql, patient["id"])
        [(card, born)] = sql("SELECT card_number_enc, birth_date_enc FROM patients WHERE id = %s", (patient["id"],))
        for name, value in (("his_code", code),
                            ("card_number", opened(control, card, f"patients.card_number:{patient['id']}")),
                            ("birth_date", opened(control, born, f"patients.birth_date:{patient['id']}"))):
            sql(f"UPDATE patients SET {name} = %s, {name}_enc = NULL WHERE id = %s", (value, patient["id"]))
        sql("UPDATE patients SET his_code_hash = NULL WHERE id = %s", (patient["id"],))
        sql("UPDATE accounts SET openid = %s, openid_enc = NULL, openid_hash = NULL WHERE id = %s",
            (phone.openid, account))
        sql("UPDATE payments SET openid = %s, openid_enc = NULL WHERE account_id = %s", (phone.openid, account))
        for invoice, sealed_code in sql("SELECT id, check_code_enc FROM invoices WHERE account_id = %s "
                                        "AND check_code_enc IS NOT NULL", (account,)):
            sql("UPDATE invoices SET check_code = %s, check_code_enc = NULL WHERE id = %s",
                (opened(control, sealed_code, f"invoices.check_code:{invoice}"), invoice))
        for table in ("known_bills", "his_events"):
            sql(f"UPDATE {table} SET patient_code = %s WHERE patient_code = %s", (code, key_of(control, code)))

    return make


def shown(phone: Phone, patient: dict[str, Any]) -> list[Any]:
    """All that their owner sees."""
    return [phone.call("GET", path) for path in (
        "account/patients", "booking/bookings", "billing/payments", "invoice/invoices")] + [
        phone.call("POST", f"account/patients/{patient['id']}/reveal", {"code": phone.phone_code()}),
        phone.bills(patient["id"])]


@pytest.fixture
def treated(phone: Phone, patient: dict[str, Any], seen: Visit, ordered: Callable[..., list[dict[str, Any]]],
            control: Control) -> Phone:
    """Somebody with a paid visit, an e-bill and an unpaid bill."""
    seen(phone, patient)
    ordered(patient, "TREATMENT")
    finish(control)
    return phone


def test_what_older_code_wrote_is_read_the_same_and_sealed_by_an_order(
        treated: Phone, patient: dict[str, Any], control: Control, sql: Ask,
        old: Callable[[Phone, dict[str, Any]], None]) -> None:
    account, code = account_of(control, sql, treated.openid), code_of(control, sql, patient["id"])
    before = shown(treated, patient)
    old(treated, patient)
    assert shown(treated.sign_in(), patient) == before
    assert sql("SELECT COUNT(*) FROM accounts WHERE openid = %s", (treated.openid,)) == [(1,)]
    first = control.operate("personal.seal", all_functions_are_new=True)
    assert (first["sealed"] > 3, first["left"]) == (True, False)
    assert sql("SELECT openid, openid_hash FROM accounts WHERE id = %s", (account,)) == [
        (None, hashed(control, "openid", treated.openid))]
    assert sql("SELECT his_code, card_number, birth_date FROM patients WHERE id = %s", (patient["id"],)) == [
        (None, None, None)]
    assert (code_of(control, sql, patient["id"]), account_of(control, sql, treated.openid)) == (code, account)
    assert {row[0] for row in sql("SELECT openid FROM payments WHERE account_id = %s", (account,))} == {""}
    assert {row[0] for row in sql("SELECT check_code FROM invoices WHERE account_id = %s", (account,))} == {""}
    for table in ("known_bills", "his_events"):
        assert sql(f"SELECT COUNT(*) FROM {table} WHERE patient_code = %s", (code,)) == [(0,)]
        assert sql(f"SELECT COUNT(*) > 0 FROM {table} WHERE patient_code = %s", (key_of(control, code),)) == [(1,)]
    assert shown(treated.sign_in(), patient) == before
    assert control.operate("personal.seal", all_functions_are_new=True) == {"sealed": 0, "left": False}


def test_a_second_person_is_not_given_a_record_that_older_code_keeps_in_plain(
        control: Control, guest: Phone, ill: dict[str, Any], sql: Ask,
        old: Callable[[Phone, dict[str, Any]], None]) -> None:
    code = code_of(control, sql, ill["id"])
    old(guest, ill)
    other = Phone(control).sign_in()
    control.fault("his", "match_patient", "override", set={"patient_code": code})
    with pytest.raises(Refused) as refusal:
        other.add_patient(person())
    assert refusal.value.code == "patient_refused"
    assert sql("SELECT COUNT(*) FROM patients WHERE his_code = %s OR his_code_hash = %s",
               (code, hashed(control, "patient_code", code))) == [(1,)]
    control("DELETE", "/faults")
    control.operate("personal.seal", all_functions_are_new=True)


def test_an_event_finds_a_patient_whose_code_stands_in_plain(
        control: Control, phone: Phone, patient: dict[str, Any], ordered: Callable[..., list[dict[str, Any]]],
        sql: Ask, old: Callable[[Phone, dict[str, Any]], None]) -> None:
    old(phone, patient)
    sql("UPDATE patients SET his_code_hash = %s WHERE id = %s",  # as after the order's first half
        (hashed(control, "patient_code", code_of(control, sql, patient["id"])), patient["id"]))
    [bill] = ordered(patient, "TREATMENT")
    assert sql("SELECT state FROM known_bills WHERE bill_no = %s", (bill["bill_no"],)) == [("UNPAID",)]
    control.operate("personal.seal", all_functions_are_new=True)


def test_sealing_needs_the_word_that_no_older_code_runs(control: Control) -> None:
    for wrong in ({}, {"all_functions_are_new": False}):
        with pytest.raises(Refused) as refusal:
            control.operate("personal.seal", **wrong)
        assert refusal.value.code == "invalid"


# -- while older code runs beside -------------------------------------------------------------------
class Source:
    """The test's own connection, as stores ask it."""

    def __init__(self, sql: Ask) -> None:
        self._sql = sql
        self.asked = 0

    def one(self, statement: str, args: tuple[Any, ...] = ()) -> dict[str, Any] | None:
        """The first row."""
        self.asked += 1
        rows = self._sql(statement, args)
        return {"kept": rows[0][0]} if rows else None


@pytest.fixture
def beside(control: Control, sql: Ask, monkeypatch: pytest.MonkeyPatch) -> Source:
    """A process that has not asked yet, with the functions' keys."""
    monkeypatch.setattr(sealed, "_sealed_for_good", False)
    keys = {name: key(control, name) for name in ("data", "lookup")}
    monkeypatch.setattr(cipher, "_data_key", lambda: keys["data"])
    monkeypatch.setattr(cipher, "_lookup_key", lambda: keys["lookup"])
    return Source(sql)


def test_while_older_code_runs_beside_the_plain_columns_are_written_and_then_never_again(
        beside: Any, control: Control, sql: Ask) -> None:
    sql("INSERT INTO settings (name, value, changed_at) VALUES ('plain_columns', 'true', NOW())")
    try:
        assert sealed.columns(beside, "his_code", "P1", "patients.his_code:X") == {"his_code": "P1",
                                                                                   "his_code_enc": None}
        assert sealed.stored(beside, "patient_code", "P1") == "P1"
    finally:
        control.operate("personal.seal", all_functions_are_new=True)
    assert sql("SELECT value FROM settings WHERE name = 'plain_columns'") == []
    written = sealed.columns(beside, "his_code", "P1", "patients.his_code:X")
    assert (written["his_code"], sealed.value(written, "his_code", "patients.his_code:X")) == (None, "P1")
    assert sealed.stored(beside, "patient_code", "P1") == key_of(control, "P1")
    asked = beside.asked
    assert sealed.keeps_plain(beside) is False
    assert beside.asked == asked  # once told, it does not ask again


def test_a_key_stands_for_one_value_of_one_kind(beside: Any) -> None:
    one = sealed.key("patient_code", "P1")
    assert sealed.key("patient_code", one) == one
    assert sealed.hash_of("patient_code", one) == sealed.hash_of("patient_code", "P1") == cipher.lookup(
        "patient_code", "P1")
    assert len({one, sealed.key("patient_code", "P2"), sealed.key("openid", "P1")}) == 3
    assert len(one) <= 64
