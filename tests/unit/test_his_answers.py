"""What the HIS answers, read: an amount is whole fen, a number fits, a character that is lost spoils its own row."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timezone
from decimal import Decimal
from typing import Any

import pytest
from hospital.gateways.his import bills, schedules
from hospital.gateways.his.bills import Bill, _Bills
from hospital.gateways.his.desk_refunds import DeskRefund
from hospital.gateways.his.directory import Doctor, _Doctors
from hospital.gateways.his.events import Event
from hospital.gateways.his.persons import MatchedPatient, PatientFile, VisitChecked
from hospital.gateways.his.trades import EndedTrade, MoneyTrade, Trade
from hospital.gateways.his.wire import UNREAD, Answer, Odd, pages, read_json, read_row
from hospital.gateways.outcome import Unanswered
from pydantic import ValidationError

AT = "2026-11-23T07:30:00+08:00"
BILL = {"bill_no": "B1", "patient_code": "P1", "kind": "TREATMENT", "created_at": AT, "pay_before": AT, "version": 1,
        "total_fen": 2600, "state": "UNPAID", "locked_by_trade": None,
        "items": [{"item_no": 1, "name": "针灸", "quantity": 1, "unit_price_fen": 2600, "amount_fen": 2600}]}
REFUND = {"refund_no": "R1", "trade_no": "T1", "kind": "CHARGE", "amount_fen": 2600, "created_at": AT,
          "items": [{"item_no": 1, "amount_fen": 2600}], "state": "REQUESTED", "out_refund_no": None}
TRADE = {"trade_no": "T1", "state": "SETTLED", "paid_fen": 2600, "transaction_id": "4200001", "refund_fen": 0}
MONEY = {**TRADE, "settled_at": AT, "cancelled_at": None}
ENDED = {"trade_no": "T1", "kind": "REGISTRATION", "state": "CANCELLED"}
PERSON = {"patient_code": "P1", "card_number": "000123", "created": True}
NO_WHOLE = ["26", "26.00", True, 26.5, -5, 10**30, [26]]
NO_NUMBER = [26, True, "", "x" * 65, "费用", "a b", 10**30, None]
WHOLE: list[tuple[type[Answer], dict[str, Any], str]] = [
    (Bill, BILL, "total_fen"), (Bill, BILL, "version"), (Bill, BILL, "items.0.amount_fen"),
    (Bill, BILL, "items.0.item_no"), (DeskRefund, REFUND, "amount_fen"), (DeskRefund, REFUND, "items.0.amount_fen"),
    (DeskRefund, REFUND, "items.0.item_no"), (Trade, TRADE, "paid_fen"), (Trade, TRADE, "refund_fen"),
    (MoneyTrade, MONEY, "paid_fen"), (MoneyTrade, MONEY, "refund_fen")]
NUMBERS: list[tuple[type[Answer], dict[str, Any], str]] = [
    (Bill, BILL, "bill_no"), (Bill, BILL, "patient_code"), (DeskRefund, REFUND, "refund_no"),
    (DeskRefund, REFUND, "trade_no"), (Trade, TRADE, "trade_no"), (MoneyTrade, MONEY, "trade_no"),
    (EndedTrade, ENDED, "trade_no"), (MatchedPatient, PERSON, "patient_code"), (MatchedPatient, PERSON, "card_number")]


def changed(content: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    """The content with another value at a path."""
    told: Any = json.loads(json.dumps(content))
    *way, last = [int(part) if part.isdecimal() else part for part in path.split(".")]
    place = told
    for part in way:
        place = place[part]
    place[last] = value
    return dict(told)


@pytest.mark.parametrize(("kind", "content", "path"), WHOLE)
@pytest.mark.parametrize("value", NO_WHOLE)
def test_an_amount_a_version_and_an_item_s_number_are_whole_and_never_guessed(
        kind: type[Answer], content: dict[str, Any], path: str, value: Any) -> None:
    assert read_row(content, kind, "bill_no") == kind.model_validate(content)
    found = read_row(changed(content, path, value), kind, "bill_no")
    assert isinstance(found, Odd)
    assert found.fields == [path]


@pytest.mark.parametrize(("kind", "content", "path"), NUMBERS)
@pytest.mark.parametrize("value", NO_NUMBER)
def test_a_number_that_fits_no_column_is_odd_where_it_is_read(
        kind: type[Answer], content: dict[str, Any], path: str, value: Any) -> None:
    kind.model_validate(content)
    found = read_row(changed(content, path, value), kind, "bill_no")
    assert isinstance(found, Odd)
    assert found.fields == [path]


@pytest.mark.parametrize("value", [1, True, "费用", "x" * 65])
def test_a_transaction_is_a_number_or_none(value: Any) -> None:
    for kind, content in ((Trade, TRADE), (MoneyTrade, MONEY)):
        assert isinstance(read_row(changed(content, "transaction_id", value), kind, "trade_no"), Odd)
        assert not isinstance(read_row(changed(content, "transaction_id", None), kind, "trade_no"), Odd)


@pytest.mark.parametrize(("told", "read"), [(3, 3), (0, 0), (-1, None), ("3", None), (True, None), (10**30, None)])
def test_how_many_are_before_a_patient_holds_nobody_up(told: Any, read: int | None) -> None:
    assert Trade.model_validate({**TRADE, "ahead": told}).ahead == read


# -- characters that are lost -----------------------------------------------------------------------
def doctors(*names: bytes) -> bytes:
    """The bytes of a list of doctors."""
    return b'{"doctors": [' + b", ".join(
        b'{"code": "D%d", "name": "%s", "title": "", "department_codes": []}' % (place, name)
        for place, name in enumerate(names)) + b"]}"


@pytest.mark.parametrize("lost", [b"\\ud842", b"\\udfb7", "吴".encode("gbk"), "吴".encode()[:2], b"\\ud842\\u0041"])
def test_a_character_that_is_lost_spoils_its_own_row_and_no_other(lost: bytes) -> None:
    content = doctors("张伟".encode(), lost, b"\\ud842\\udfb7", "𠮷".encode())
    first, odd, *rest = [read_row(row, Doctor, "code") for row in read_json(content, _Doctors).doctors]
    assert isinstance(first, Doctor)
    assert first.name == "张伟"
    assert isinstance(odd, Odd)
    assert (odd.number, odd.fields) == ("D1", ["name"])
    assert [one.name for one in rest if isinstance(one, Doctor)] == ["𠮷", "𠮷"]


def test_a_lost_character_in_what_is_only_shown_stands_as_such() -> None:
    content = json.dumps({"bills": [{**BILL, "doctor_name": "@"}]}).encode().replace(b"@", b"\\ud842")
    [bill] = [read_row(row, Bill, "bill_no") for row in read_json(content, _Bills).bills]
    assert isinstance(bill, Bill)
    assert bill.doctor_name == UNREAD


def test_a_lost_character_in_an_event_s_note_does_not_refuse_it() -> None:
    told = {"event_id": "E1", "type": "BILL_CHANGED", "occurred_at": AT, "patient_code": "P1", "note": "@"}
    assert read_json(json.dumps(told).encode().replace(b"@", b"\xd5"), Event).event_id == "E1"


@pytest.mark.parametrize("content", [b"", b"{", b"\xff", b'{"doctors": [', b"[" * 100_000, b"\\ud842"])
def test_what_is_no_json_stays_none(content: bytes) -> None:
    with pytest.raises(ValidationError):
        read_json(content, _Doctors)


# -- lists ------------------------------------------------------------------------------------------
@dataclass
class Page:
    """A page of a list."""

    next_cursor: str | None


def asked(*cursors: str | None) -> Iterator[str]:
    """The cursors that are asked for when the pages name these as the next."""
    told, was = iter(cursors), list[str]()

    def ask(cursor: str) -> Page:
        was.append(cursor)
        return Page(next(told))

    for _ in pages(ask):
        yield was[-1]


def test_a_list_is_read_from_cursor_to_cursor_to_its_end() -> None:
    assert list(asked("a", "b", None)) == ["", "a", "b"]


@pytest.mark.parametrize("cursors", [("a", "a"), ("a", "b", "a"), ("",)])
def test_a_list_whose_cursor_comes_again_is_unanswered(cursors: tuple[str, ...]) -> None:
    with pytest.raises(Unanswered, match="cursor"):
        list(asked(*cursors))


def test_a_session_without_a_code_is_an_odd_row_whatever_its_slots() -> None:
    slot = {"code": "S1", "number": 1, "starts_at": AT, "ends_at": AT, "state": "FREE"}
    page = schedules._page([{"slots": [slot]}, {"slots": [{**slot, "number": "1"}]}])
    assert [one.is_named for one in page.odd] == [False, False]
    assert [one.fields for one in page.odd_slots] == [["number"]]
    assert len({one.number for one in page.odd}) == 2


FILE = {"patient_code": "P1", "card_number": "000123", "id_type": "ID_CARD", "id_number": "110101199003070011",
        "name": "单晓雨", "sex": "MALE", "birth_date": "1990-03-07"}


@pytest.mark.parametrize(("phone", "read"), [
    ("138 1234 5678", "13812345678"), ("+8613812345678", "13812345678"), ("+852 6123 4567", "+85261234567"),
    (None, None), ("", None), ("0571-8888", None), ("无", None), (13812345678, None), (["13812345678"], None)])
def test_a_phone_on_file_is_one_that_messages_reach_or_none(phone: Any, read: str | None) -> None:
    assert PatientFile.model_validate({**FILE, "phone": phone}).phone == read


def test_a_file_without_phone_or_guardian_proves_nothing_and_is_read() -> None:
    file = PatientFile.model_validate(FILE)
    assert (file.phone, file.guardian, file.opened_at) == (None, None, None)


@pytest.mark.parametrize("guardian", [None, {}, {"id_type": "ID_CARD"}, "欧阳", {"id_type": "ID_CARD", "id_number": 5},
                                      {"id_type": "ID_CARD", "id_number": "1" * 65}])
def test_a_guardian_on_file_that_can_not_be_read_proves_nothing(guardian: Any) -> None:
    assert PatientFile.model_validate({**FILE, "guardian": guardian}).guardian is None


def test_a_guardian_on_file_is_read_in_the_canonical_form() -> None:
    file = PatientFile.model_validate({**FILE, "guardian": {"id_type": "PASSPORT", "id_number": " e1234567 "}})
    assert file.guardian is not None
    assert (file.guardian.id_type, file.guardian.id_number) == ("PASSPORT", "E1234567")


@pytest.mark.parametrize(("said", "read"), [
    ("2019-03-04T08:00:00+08:00", datetime(2019, 3, 4, tzinfo=timezone.utc)),
    ("2000-01-01T00:00:00+08:00", datetime(1999, 12, 31, 16, tzinfo=timezone.utc)),
    *((odd, None) for odd in (None, "", 0, 86400, "1900-01-01T00:00:00+08:00", "1970-01-01T00:00:00Z", "2019-03-04",
                              "2019-03-04T08:00:00", "soon", {}, True))])
def test_since_when_a_file_exists_is_a_moment_of_our_time_or_not_said(said: Any, read: datetime | None) -> None:
    assert PatientFile.model_validate({**FILE, "opened_at": said}).opened_at == read


def test_a_visit_is_known_with_its_day() -> None:
    told = VisitChecked.model_validate({"known": True, "date": "2026-11-20"})
    assert (told.known, str(told.on)) == (True, "2026-11-20")
    assert VisitChecked.model_validate({"known": False, "date": None}).on is None
    for wrong in ({"date": "2026-11-20"}, {"known": True, "date": 20261120}, {"known": True, "date": "soon"}):
        with pytest.raises(ValidationError):
            VisitChecked.model_validate(wrong)


# -- quantities and texts ---------------------------------------------------------------------------
@pytest.mark.parametrize(("told", "read", "shown"), [
    ("2", 2, 2), ("2.0", 2, 2), ("0", 0, 0), ("0.5", Decimal("0.5"), 0.5), ("0.33335", Decimal("0.3334"), 0.3334),
    ('"3"', 3, 3), ("999999999999", 999999999999, 999999999999)])
def test_a_quantity_is_read_alike_in_a_list_and_alone_and_shown_as_json_has_it(
        told: str, read: Decimal | int, shown: float) -> None:
    text = json.dumps({"bills": [changed(BILL, "items.0.quantity", "?")]}).replace('"?"', told)
    [bill] = bills.read_bills(text.encode())
    assert isinstance(bill, Bill)
    assert bill == read_row(json.loads(text)["bills"][0], Bill, "bill_no")
    assert bill.items[0].quantity == read
    dumped = json.loads(bill.model_dump_json())["items"][0]["quantity"]
    assert (dumped, type(dumped)) == (shown, type(shown))


@pytest.mark.parametrize("told", ["-1", "-0.5", "1000000000000", "1e30", '"many"', "null", "NaN", "[1]"])
def test_what_is_no_quantity_makes_its_row_odd_and_names_the_field(told: str) -> None:
    text = json.dumps({"bills": [BILL, changed(BILL, "items.0.quantity", "?")]}).replace('"?"', told)
    good, odd = bills.read_bills(text.encode())
    assert isinstance(good, Bill)
    assert isinstance(odd, Odd)
    assert (odd.number, odd.fields) == ("B1", ["items.0.quantity"])


def test_a_text_that_is_null_is_empty_and_one_that_is_no_text_makes_its_row_odd() -> None:
    told = [{**BILL, "department_name": None}, {**BILL, "department_name": 7},
            changed(BILL, "items.0.name", f"针{UNREAD}")]
    first, *odd = bills.read_bills(json.dumps({"bills": told}).encode())
    assert isinstance(first, Bill)
    assert first.department_name == ""
    assert [one.fields for one in odd if isinstance(one, Odd)] == [["department_name"], ["items.0.name"]]
