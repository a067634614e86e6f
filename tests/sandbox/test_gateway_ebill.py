"""The gateway to the e-bill platform: what it sends is taken, what it answers is never believed unsigned."""

from __future__ import annotations

import base64
import json
from collections import deque
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from types import SimpleNamespace
from typing import Any, cast

import pytest
from flask import Flask
from hospital.gateways import ebill
from hospital.gateways.ebill import OUTPATIENT, REGISTRATION, Document, Item
from hospital.gateways.outcome import Rejected, Unanswered
from msgspec.structs import replace

from sandbox.clock import Clock
from sandbox.ebill import EBill
from sandbox.ebill.client import Caller
from sandbox.ebill.envelope import packed
from sandbox.ebill.model import BEIJING
from sandbox.faults import Fault, Faults
from sandbox.system import World

APP_ID, KEY = "HOSPITAL01", "4f0c5e0a9bcd4d21"
AT = datetime(2026, 11, 23, 1, 15, tzinfo=timezone.utc)
FIRST = datetime(2026, 11, 23, tzinfo=BEIJING)
LAST = FIRST + timedelta(days=1) - timedelta(microseconds=1)
DRUG = Item("A01", "阿莫西林胶囊", "0.25g×24粒", "盒", 3, 2000, 6000, "09", "西药费")
OTHER_DRUG = Item("A02", "布洛芬片", "", "盒", 1, 4000, 4000, "09", "西药费")
CARDIOGRAM = Item("E01", "心电图", "", "次", 1, 2345, 2345, "03", "检查费")


@pytest.fixture
def world() -> World:
    clock = Clock()
    clock.set(datetime(2026, 11, 23, 9, 30, tzinfo=BEIJING))
    return World(clock, Faults(), deque())


@pytest.fixture
def platform(world: World, monkeypatch: pytest.MonkeyPatch) -> Iterator[EBill]:
    system = EBill(world, app_id=APP_ID, key=KEY)
    system.serve()
    configure(monkeypatch, ebill_base=system.address)
    yield system


@pytest.fixture
def control(platform: EBill) -> Any:
    app = Flask("control")
    app.register_blueprint(platform.control, url_prefix="/ebill")
    return app.test_client()


def configure(monkeypatch: pytest.MonkeyPatch, **changes: str) -> None:
    settings = {"ebill_app_id": APP_ID, "ebill_key_secret": "hospital/ebill-key", "ebill_place_code": "001", **changes}
    monkeypatch.setattr(ebill, "config", lambda: SimpleNamespace(**settings))
    monkeypatch.setattr(ebill, "secret", {"hospital/ebill-key": KEY}.__getitem__)


def document(bus_no: str = "MP01", **changes: Any) -> Document:
    """123.45 yuan: medicine 100.00 in two lines, an examination 23.45."""
    return replace(Document(
        bus_no, OUTPATIENT, AT, "赵试", "ID_CARD", "330102198001011234", "13800000001", "P-1", "心血管内科", 12345,
        [DRUG, OTHER_DRUG, CARDIOGRAM], "门诊缴费"), **changes)


def costing(fen: int, **changes: Any) -> Document:
    return document(total_fen=fen, items=[replace(DRUG, quantity=1, unit_price_fen=fen, amount_fen=fen)], **changes)


def bills() -> list[ebill.ListedBill]:
    """The day's list, of which every row can be read."""
    found = list(ebill.bills_of(FIRST, LAST))
    assert not any(isinstance(one, ebill.OddBill) for one in found)
    return cast(list[ebill.ListedBill], found)


# -- issuing ----------------------------------------------------------------------------------------
def test_a_bill_is_issued_as_the_document_says(platform: EBill, control: Any) -> None:
    bill = ebill.issue(document())
    assert (bill.batch_code, bill.number, len(bill.check_code)) == ("33060126", "0000000001", 6)
    assert bill.issued_at - platform.clock.now() < timedelta(seconds=5)
    assert bill.file_url.startswith(f"{platform.address}/bills/33060126-0000000001.pdf?token=")
    kept = platform.book.find(bill.batch_code, bill.number)
    assert (kept.total_fen, kept.payer, kept.bus_no, kept.bus_at) == (12345, "赵试", "MP01", AT)
    assert (kept.channels, kept.parts["ownPay"]) == ({"05": 12345}, 12345)
    assert [(line.name, line.amount_fen) for line in kept.charges] == [("西药费", 10000), ("检查费", 2345)]
    assert [(line.name, line.price, line.number, line.amount_fen) for line in kept.details] == [
        ("阿莫西林胶囊", "20.00", "3", 6000), ("布洛芬片", "40.00", "1", 4000), ("心电图", "23.45", "1", 2345)]


def test_a_registration_has_its_own_form(platform: EBill, world: World) -> None:
    fee = Item("R01", "挂号费", "", "次", 1, 2500, 2500, "13", "挂号费")
    ebill.issue(document(bus_type=REGISTRATION, items=[fee], total_fen=2500))
    assert world.journal[-1]["operation"] == "invoice_registration"
    state = ebill.state_of("MP01", REGISTRATION)
    assert state is not None
    assert not (state.written_off or state.on_paper)


@pytest.mark.parametrize("fen", [1, 10, 99, 100, 12345, 10**8, 10**10])
def test_amounts_go_there_and_back_to_the_fen(platform: EBill, fen: int) -> None:
    bill = ebill.issue(costing(fen))
    ebill.write_off(bill.batch_code, bill.number, reason="退费", operator="小程序", at=AT)
    assert [one.total_fen for one in bills()] == [fen, -fen]


def test_every_name_and_document_that_a_patient_can_have_is_taken(platform: EBill) -> None:
    people = [("张三丰", "ID_CARD", "11010519491231002X"), ("Anne-Marie O’Neil", "PASSPORT", "E12345678"),
              ("买买提·吐尔逊", "HK_MACAU_PERMIT", "H0123456789"), ("𠮷野", "TAIWAN_PERMIT", "01234567"),
              ("长" * 50, "PASSPORT", "A1")]
    for place, (name, id_type, number) in enumerate(people):
        bill = ebill.issue(document(f"MP{place}", payer=name, id_type=id_type, id_number=number))
        assert platform.book.find(bill.batch_code, bill.number).payer == name


def test_texts_longer_than_the_platform_takes_are_cut(platform: EBill) -> None:
    long = replace(DRUG, code="C" * 64, name="名" * 101, specification="规" * 300, unit="单" * 100, remark="注" * 300)
    bill = ebill.issue(document(items=[long, OTHER_DRUG, CARDIOGRAM], patient_code="P" * 64, department="科" * 80,
                                remark="注" * 300))
    assert platform.book.find(bill.batch_code, bill.number).details[0].name == "名" * 100


def test_an_item_of_which_a_part_went_back_is_one_of_what_is_left(platform: EBill) -> None:
    left = replace(DRUG, amount_fen=5999)
    bill = ebill.issue(document(items=[left], total_fen=5999))
    line = platform.book.find(bill.batch_code, bill.number).details[0]
    assert (line.price, line.number, line.amount_fen) == ("59.99", "1", 5999)


def test_amounts_that_do_not_agree_are_refused(platform: EBill) -> None:
    with pytest.raises(Rejected) as refusal:
        ebill.issue(document(total_fen=12346))
    assert (refusal.value.code, "totalAmt" in refusal.value.message) == ("E1002", True)


def test_the_same_document_is_the_same_bill_and_another_under_its_number_is_refused(platform: EBill) -> None:
    first = ebill.issue(document())
    assert ebill.issue(document()) == first
    assert ebill.issue(document(bus_at=AT.astimezone(BEIJING))) == first
    with pytest.raises(Rejected, match="E1003"):
        ebill.issue(document(payer="钱试"))
    assert len(platform.book.all()) == 1


def test_a_bill_whose_answer_was_lost_is_the_same_when_asked_again(platform: EBill, world: World) -> None:
    world.faults.add(Fault("ebill", "invoice_outpatient", "cut_after"))
    with pytest.raises(Unanswered) as silence:
        ebill.issue(document())
    assert silence.value.sent
    state = ebill.state_of("MP01", OUTPATIENT)
    assert state is not None
    assert ebill.issue(document()) == state.issued
    assert len(platform.book.all()) == 1


def test_a_bill_that_never_came_about_is_unknown(platform: EBill, world: World) -> None:
    world.faults.add(Fault("ebill", "invoice_outpatient", "cut_before"))
    with pytest.raises(Unanswered):
        ebill.issue(document())
    assert ebill.state_of("MP01", OUTPATIENT) is None


# -- answers that are none --------------------------------------------------------------------------
def every_call() -> list[Callable[[], Any]]:
    return [lambda: ebill.issue(document()), lambda: ebill.state_of("MP01", OUTPATIENT),
            lambda: ebill.write_off("33060126", "0000000001", reason="退费", operator="小程序", at=AT),
            lambda: list(ebill.bills_of(FIRST, LAST))]


@pytest.mark.parametrize("call", range(4))
@pytest.mark.parametrize("fault", [
    {"kind": "garbage"}, {"kind": "garbage", "params": {"status": 502}}, {"kind": "error"}, {"kind": "cut_before"},
    {"kind": "refuse", "params": {"code": "E0005"}}, {"kind": "refuse", "params": {"code": "E0004"}},
    {"kind": "refuse", "params": {"code": "E9999"}}])
def test_what_says_nothing_about_the_bill_is_no_answer(platform: EBill, world: World, call: int, fault: dict[str, Any]
                                                       ) -> None:
    world.faults.add(Fault("ebill", "*", **fault))
    with pytest.raises(Unanswered) as silence:
        every_call()[call]()
    assert "赵试" not in silence.value.reason


@pytest.mark.parametrize("call", range(4))
def test_an_answer_signed_with_another_key_or_altered_is_none(platform: EBill, monkeypatch: pytest.MonkeyPatch,
                                                              call: int) -> None:
    ebill.issue(document())
    genuine = platform.gate.answer
    forged = {"data": packed({"result": "S0000", "message": packed({"billBatchCode": "1"})})}
    for changes in ({"sign": "0" * 32}, {"sign": "签"}, {"sign": None}, {"noise": "other"}, forged):
        monkeypatch.setattr(platform.gate, "answer", lambda *said, changes=changes: genuine(*said) | changes)
        with pytest.raises(Unanswered):
            every_call()[call]()


def test_an_answer_that_lacks_its_signature_or_anything_else_is_none(platform: EBill, monkeypatch: pytest.MonkeyPatch
                                                                     ) -> None:
    genuine = platform.gate.answer
    for content in ([], {}, {"data": ""}, 7):
        monkeypatch.setattr(platform.gate, "answer", lambda *said, content=content: content)
        with pytest.raises(Unanswered, match="unreadable"):
            ebill.issue(document())
    for message in ({}, {"billBatchCode": 7}, [], "no json"):
        monkeypatch.setattr(platform.gate, "answer", lambda *said, message=message: genuine("S0000", message))
        with pytest.raises(Unanswered, match="unreadable"):
            ebill.issue(document())
    whole = {"billBatchCode": "33060126", "billNo": "1", "random": "a"}
    for time in ("", "20261323091500000", "2026112309150000x", "20261123091500"):
        monkeypatch.setattr(platform.gate, "answer",
                            lambda *said, time=time: genuine("S0000", {**whole, "createTime": time}))
        with pytest.raises(Unanswered, match="time"):
            ebill.issue(document())


def test_an_answer_about_another_bill_is_none(platform: EBill, monkeypatch: pytest.MonkeyPatch) -> None:
    ebill.issue(document("MP02"))
    with platform.app.test_request_context():
        other = platform._states({"busNo": "MP02", "busType": OUTPATIENT})
    monkeypatch.setitem(platform.app.view_functions, "states", lambda: platform.answer("S0000", other))
    with pytest.raises(Unanswered, match="another bill"):
        ebill.state_of("MP01", OUTPATIENT)


def test_a_platform_that_is_down_or_silent_does_not_answer(platform: EBill, control: Any, world: World,
                                                           monkeypatch: pytest.MonkeyPatch) -> None:
    control.post("/ebill/pause", json={"paused": True})
    with pytest.raises(Unanswered, match="503"):
        ebill.issue(document())
    control.post("/ebill/pause", json={"paused": False})
    monkeypatch.setattr(ebill, "READ_SECONDS", 0.2)
    world.faults.add(Fault("ebill", "invoice_outpatient", "delay", params={"seconds": 1}))
    with pytest.raises(Unanswered, match="ReadTimeoutError") as silence:
        ebill.issue(document())
    assert silence.value.sent
    configure(monkeypatch, ebill_base="http://127.0.0.1:9")
    with pytest.raises(Unanswered) as silence:
        ebill.issue(document())
    assert not silence.value.sent


def test_no_request_is_the_copy_of_another(platform: EBill, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Any] = []
    monkeypatch.setattr(platform.gate, "open", lambda raw: seen.append(json.loads(raw)) or {"busNo": "MP01"})
    for _ in range(3):
        with pytest.raises(Rejected, match="E1001"):
            ebill.issue(document())
    assert len({one["noise"] for one in seen}) == 3
    assert len({one["data"] for one in seen}) == 1
    assert json.loads(base64.b64decode(seen[0]["data"]))["payer"] == "赵试"


# -- reversing, paper, lists ------------------------------------------------------------------------
def test_a_bill_is_written_off_once(platform: EBill) -> None:
    bill = ebill.issue(document())

    def back(**changes: Any) -> tuple[str, str]:
        wish: dict[str, Any] = {"reason": "门诊退费", "operator": "小程序", "at": AT, **changes}
        return ebill.write_off(bill.batch_code, bill.number, **wish)

    red = back()
    assert red == ("33060126", "0000000002") == back()
    with pytest.raises(Rejected, match="E1006"):
        back(at=AT + timedelta(seconds=1))
    state = ebill.state_of("MP01", OUTPATIENT)
    assert state is not None
    assert (state.issued, state.written_off, (state.red_batch_code, state.red_number)) == (bill, True, red)


def test_a_write_off_whose_answer_was_lost_is_found_and_is_the_same_again(platform: EBill, world: World) -> None:
    bill = ebill.issue(document())
    world.faults.add(Fault("ebill", "write_off", "cut_after"))
    with pytest.raises(Unanswered):
        ebill.write_off(bill.batch_code, bill.number, reason="退费", operator="小程序", at=AT)
    state = ebill.state_of("MP01", OUTPATIENT)
    assert state is not None
    assert state.written_off
    assert ebill.write_off(bill.batch_code, bill.number, reason="退费", operator="小程序", at=AT) == (
        state.red_batch_code, state.red_number)


def test_a_bill_on_paper_is_told_and_not_written_off(platform: EBill, control: Any) -> None:
    bill = ebill.issue(document())
    control.post(f"/ebill/bills/{bill.batch_code}/{bill.number}/turn-paper", json={})
    state = ebill.state_of("MP01", OUTPATIENT)
    assert state is not None
    assert state.on_paper
    with pytest.raises(Rejected, match="E1005"):
        ebill.write_off(bill.batch_code, bill.number, reason="退费", operator="小程序", at=AT)
    assert [one.on_paper for one in bills()] == [True]


def test_a_refusal_to_say_how_a_bill_stands_is_no_answer(platform: EBill, world: World) -> None:
    world.faults.add(Fault("ebill", "states", "refuse", params={"code": "E1001"}))
    with pytest.raises(Unanswered, match="E1001"):
        ebill.state_of("MP01", OUTPATIENT)


def test_a_days_bills_come_page_by_page_with_red_ones_and_the_counters(platform: EBill, control: Any, world: World,
                                                                       monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ebill, "PAGE", 2)
    assert list(ebill.bills_of(FIRST, LAST)) == []
    issued = [ebill.issue(costing(100 + number, bus_no=f"MP{number}")) for number in range(3)]
    ebill.issue(document("MP-other-day", bus_at=FIRST - timedelta(milliseconds=1)))
    ebill.issue(costing(7, bus_no="MP-last", bus_at=LAST))
    control.post("/ebill/bills", json={"busNo": "COUNTER", "amount_fen": 5})
    ebill.write_off(issued[0].batch_code, issued[0].number, reason="退费", operator="小程序", at=AT)
    found = bills()
    assert [(one.bus_no, one.total_fen, one.red) for one in found] == [
        ("MP0", 100, False), ("MP1", 101, False), ("MP2", 102, False), ("MP-last", 7, False), ("COUNTER", 5, False),
        ("MP0", -100, True)]
    assert (found[0].batch_code, found[0].number, found[0].bus_type) == (issued[0].batch_code, issued[0].number, "02")
    world.faults.add(Fault("ebill", "by_bus_date", "cut_before", after=2))
    with pytest.raises(Unanswered):
        list(ebill.bills_of(FIRST, LAST))
    world.faults.add(Fault("ebill", "by_bus_date", "refuse", params={"code": "E1001"}))
    with pytest.raises(Unanswered, match="E1001"):
        list(ebill.bills_of(FIRST, LAST))


def test_a_list_that_is_shorter_than_it_says_is_none(platform: EBill, monkeypatch: pytest.MonkeyPatch) -> None:
    ebill.issue(document())
    monkeypatch.setitem(platform.app.view_functions, "by_bus_date",
                        lambda: platform.answer("S0000", {"total": 3, "billList": []}))
    with pytest.raises(Unanswered, match="0 of 3"):
        list(ebill.bills_of(FIRST, LAST))


# -- the file ---------------------------------------------------------------------------------------
def test_the_file_is_the_bills_pdf(platform: EBill) -> None:
    content = ebill.fetch_file(ebill.issue(document()).file_url)
    assert content.startswith(b"%PDF")
    assert content.rstrip().endswith(b"%%EOF")


def test_only_the_platforms_own_address_is_asked(platform: EBill, world: World) -> None:
    url = ebill.issue(document()).file_url
    port = platform.address.rpartition(":")[2]
    asked = len(world.journal)
    for foreign in (
        "", "no address", "http://", "file:///etc/passwd", "http://169.254.0.1/latest", "https://127.0.0.1.evil/x",
        url.replace("http:", "ftp:"), url.replace(port, "9"), url.replace("127.0.0.1", "localhost"),
        url.replace("http://", f"http://127.0.0.1:{port}@evil.test:1/"), url.replace("http://", "http://user:word@"),
        f"http://evil.test\\@127.0.0.1:{port}/x", f"//127.0.0.1:{port}/x",
    ):
        with pytest.raises(Unanswered, match="address") as silence:
            ebill.fetch_file(foreign)
        assert not silence.value.sent, foreign
    assert len(world.journal) == asked


def test_a_file_that_is_missing_no_pdf_too_long_or_moved_is_none(platform: EBill, world: World, control: Any,
                                                                 monkeypatch: pytest.MonkeyPatch) -> None:
    url = ebill.issue(document()).file_url
    with pytest.raises(Unanswered, match="404"):
        ebill.fetch_file(url.replace("token=", "token=x"))
    world.faults.add(Fault("ebill", "pdf", "garbage"))
    with pytest.raises(Unanswered, match="no PDF"):
        ebill.fetch_file(url)
    for kind in ("error", "cut_before", "cut_after"):
        world.faults.add(Fault("ebill", "pdf", kind))
        with pytest.raises(Unanswered):
            ebill.fetch_file(url)
    monkeypatch.setattr(ebill, "LONGEST_FILE", 1000)
    with pytest.raises(Unanswered, match="1001 bytes"):
        ebill.fetch_file(url)


def test_the_signature_is_the_one_the_platform_documents() -> None:
    assert ebill.sign("APP", "KEY", "ZGF0YQ==", "n1") == "9D7E0F0179F369879F683C6D8F260F95"


def test_the_counters_own_caller_and_ours_speak_alike(platform: EBill) -> None:
    bill = ebill.issue(document())
    result, said = Caller(platform.address, APP_ID, KEY)("getEBillStatesByBillInfo", busNo="MP01")
    assert (result, said["billNo"], said["random"]) == ("S0000", bill.number, bill.check_code)
