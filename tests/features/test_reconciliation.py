"""The day closes (日终对账): every line agrees with WeChat, the HIS and the platform, or something is done about it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest

from sandbox.people import person
from tests.faults.outpatient import Care
from tests.features.closing import Day

WECHAT = ("WECHAT", "FUND_FLOW")
NOBODY = f"R{0:026}"  # an order of ours by its number, that nobody knows


def number_at_wechat(care: Care) -> str:
    """The transaction of the last order."""
    return str(care.order()["transaction_id"])


# -- a day on which all goes well -------------------------------------------------------------------
def test_a_whole_day_agrees_in_every_line_and_stands_in_the_sheet(
        today: Day, patient_of: Care, new_session: Callable[..., dict[str, Any]], policy: Callable[..., None]) -> None:
    care, control = patient_of, today.control
    paid_at_once, paid_later = new_session(date=str(today.day)), new_session(date=str(today.day), fee_fen=1800)
    held = care.phone.book(care.patient_id, paid_at_once)
    care.phone.thumb(care.phone.open_payment(held["id"]))
    policy(payment="AT_CHECKIN")
    other = care.phone.add_patient(person())
    held = care.phone.book(other["id"], paid_later)
    care.phone.call("POST", f"booking/bookings/{held['id']}/payment")
    control.settle()
    care.phone.thumb(care.phone.check_in(held["id"])["payment"])
    first, second, third = care.bill(9000, 1000), care.bill(2000, kind="LABORATORY"), care.bill(300, kind="TREATMENT")
    charges = care.paid(first, second, third)
    care.refund(charges[second])
    begun = care.desk_refund(charges[first], item_nos=[2])
    care.work()
    care.check("DONE")

    assert today.close(clock_time="09:59:00") == 0, "WeChat's bills come at ten"
    assert today.waits() == ("WAITING", "WECHAT,FUND_FLOW")
    assert today.close() == 1
    agreed = {key: both for key, both in today.sums().items() if key[1] != "OTHER"}
    money = {"CAPTURE": (3, 16600), "REFUND": (2, -3000)}
    expected = {
        **{(source, movement): one for source in WECHAT for movement, one in money.items()},
        ("HIS", "SETTLEMENT"): (5, 16600), ("HIS", "REVERSAL"): (1, -2000), ("DESK", "REVERSAL"): (1, -1000),
        ("EBILL", "INVOICE"): (6, 16600 + 9000), ("EBILL", "RED"): (2, -12000)}
    assert agreed == {(*key, "AGREED"): (lines, fen, fen) for key, (lines, fen) in expected.items()}
    assert [one["source"] for one in today.shown()["sums"] if one["movement"] != "OTHER"] == [
        "WECHAT", "WECHAT", "FUND_FLOW", "FUND_FLOW", "HIS", "HIS", "DESK", "EBILL", "EBILL"]
    assert today.lines(begun["refund_no"]) == {}
    totals = [row[:6] for row in today.sheet()["汇总"].iter_rows(values_only=True)]
    assert totals[2][0] == "结论：全部一致"
    assert ("微信交易账单", "收款", "一致", 3, 166.0, 166.0) in totals
    assert ("窗口退费", "退费冲销", "一致", 1, -10.0, -10.0) in totals
    assert ("电子票据", "冲红", "一致", 2, -120.0, -120.0) in totals
    assert today.sheet()["差异明细"]["A2"].value == "无差异"

    before = today.books()
    assert today.close(clock_time="11:20:00") == 0, "a second time changes nothing"
    assert today.books() == before
    today.again()
    assert today.books() == before, "nor does drawing it up again"
    assert today.shown()["state"] == "DONE"


def test_a_day_without_any_movement_has_a_statement_too(today: Day) -> None:
    assert today.close() == 1
    assert today.waits() == ("DONE", "")
    assert today.sums() == {}
    assert today.sheet()["差异明细"]["A2"].value == "无差异"


# -- lists that do not come -------------------------------------------------------------------------
def test_what_is_down_is_named_and_only_that_is_read_again(today: Day) -> None:
    control = today.control
    control.fault("his", "list_trades", "error", times=-1)
    control("POST", "/ebill/pause", paused=True)
    assert today.close() == 0
    assert today.waits() == ("WAITING", "HIS,EBILL")
    control("DELETE", "/faults")
    control("POST", "/ebill/pause", paused=False)
    control.fault("wechatpay", "*bill*", "error", times=-1)
    control.fault("cos", "put_object", "error", times=-1)
    assert today.close(clock_time="11:20:00") == 0
    assert today.waits() == ("WAITING", "SHEET")
    control("DELETE", "/faults")
    assert today.close(clock_time="12:20:00") == 1
    assert today.waits() == ("DONE", "")


@pytest.mark.parametrize("fault", ["garbage", "cut_after"])
def test_a_file_that_is_not_whole_is_not_believed(today: Day, fault: str) -> None:
    today.amend(add=[{"out_trade_no": NOBODY, "amount_fen": 700, "transaction_id": f"42{today.day:%Y%m%d}"}])
    today.control.fault("wechatpay", "download_bill", fault, effect=True)
    assert today.close() == 0
    assert today.waits() == ("WAITING", "WECHAT")
    assert ("WECHAT", "CAPTURE", "THEIRS_ONLY") not in today.sums()
    assert today.close(clock_time="11:20:00") == 1
    assert today.sums()["WECHAT", "CAPTURE", "THEIRS_ONLY"] == (1, 0, 700)


def test_a_list_that_does_not_come_for_three_days_is_a_persons_business(today: Day) -> None:
    today.control.fault("his", "list_desk_refunds", "error", times=-1)
    for days in (1, 2):
        today.close(days)
        assert today.tasks() == set()
    today.close(3)
    assert today.tasks() == {("statement.waits", str(today.day))}
    today.control("DELETE", "/faults")
    assert today.close(3, "11:20:00") == 3
    assert today.tasks() == set()


# -- WeChat's bills say something else ---------------------------------------------------------------
def test_lines_that_differ_are_kept_looked_into_and_given_to_staff(today: Day, patient_of: Care) -> None:
    care, unknown = patient_of, f"42{today.day:%Y%m%d}7777"
    care.one_paid(3000)
    missing, missing_at_wechat = care.out_trade_no, number_at_wechat(care)
    care.one_paid(4000)
    changed, changed_at_wechat = care.out_trade_no, number_at_wechat(care)
    today.amend(remove=[missing], change=[{"out_trade_no": changed, "amount_fen": 4001}],
                add=[{"out_trade_no": NOBODY, "amount_fen": 700, "transaction_id": unknown}])
    today.close()
    assert today.lines(missing_at_wechat) == {(source, "CAPTURE"): ("LATE", "QUERIED", False) for source in WECHAT}
    assert today.lines(changed_at_wechat) == {
        (source, "CAPTURE"): ("AMOUNT_DIFFERS", "TASK", False) for source in WECHAT}
    assert today.lines(unknown) == {(source, "CAPTURE"): ("THEIRS_ONLY", "TASK", False) for source in WECHAT}
    assert f"{NOBODY} 微信有收款，系统无此订单" in today.detail(unknown)
    told = {(f"statement.{source.lower()}", number) for source in WECHAT for number in (changed_at_wechat, unknown)}
    assert today.tasks() == told
    assert today.sums()["WECHAT", "CAPTURE", "AMOUNT_DIFFERS"] == (1, 4000, 4001)
    rows = list(today.sheet()["差异明细"].iter_rows(min_row=2, max_col=7, values_only=True))
    assert ("微信交易账单", "收款", changed_at_wechat, "金额不符", 40.0, 40.01, "转人工") in rows
    assert today.sheet()["汇总"]["A3"].value == "结论：差异6笔，其中已平0笔，未平6笔"

    today.close(4)  # with it the statements of the days between
    assert today.tasks() == told | {(f"statement.{source.lower()}", missing_at_wechat) for source in WECHAT}
    today.control("DELETE", f"/wechatpay/bills/{today.day}")
    today.again()
    assert today.tasks() == set(), "WeChat has put its bill right"
    assert today.shown()["open_lines"] == 0


def test_a_movement_that_wechat_does_not_know_is_a_persons_business(today: Day, patient_of: Care) -> None:
    patient_of.one_paid()
    number, refund = number_at_wechat(patient_of), f"{patient_of.out_trade_no}-x"
    try:
        today.sql("INSERT INTO ledger (id, payment_id, movement, movement_key, amount_fen, at, day, recorded_at) "
                  "SELECT CONCAT('Z', SUBSTR(id, 2)), payment_id, 'REFUND', %s, -100, at, day, recorded_at "
                  "FROM ledger WHERE movement_key = %s", (refund, number))
        today.close()
        assert today.lines(refund) == {(source, "REFUND"): ("OURS_ONLY", "TASK", False) for source in WECHAT}
        assert today.tasks() == {(f"statement.{source.lower()}", refund) for source in WECHAT}
    finally:
        today.sql("DELETE FROM ledger WHERE movement_key = %s", (refund,))


# -- what we missed ---------------------------------------------------------------------------------
def test_a_payment_that_nobody_told_us_of_is_found_and_settled(today: Day, patient_of: Care) -> None:
    care = patient_of
    care.control("POST", "/wechatpay/notices/mode", drop=True)
    assert care.order_bills(care.bill(2600))
    number = care.pay()["transaction_id"]
    today.sql("DELETE o FROM outbox o JOIN payments p ON o.subject_id IN (p.id, p.subject_id) "
              "WHERE p.subject_id = %s", (care.id,))
    today.close()
    assert today.lines(number) == {("WECHAT", "CAPTURE"): ("THEIRS_ONLY", "RECORDED", True)}
    assert today.sums()["FUND_FLOW", "CAPTURE", "AGREED"] == (1, 2600, 2600), "it is in our books by then"
    care.work()
    care.check("DONE")
    assert care.history() == ["OPEN>SETTLING", "SETTLING>SETTLED"]
    assert today.tasks() == set()


def test_a_refund_that_nobody_told_us_of_is_found(today: Day, patient_of: Care) -> None:
    care = patient_of
    charge = care.one_paid()
    care.control("POST", "/wechatpay/notices/mode", drop=True)
    care.refund(charge)
    care.control.settle()
    [(refund_id, state)] = today.sql("SELECT r.id, r.state FROM refunds r JOIN payments p ON p.id = r.payment_id "
                                     "WHERE p.subject_id = %s", (care.id,))
    assert state == "PROCESSING"
    today.sql("DELETE FROM outbox WHERE subject_id = %s", (refund_id,))
    care.control.advance(10)  # WeChat pays it back
    [refund] = care.order()["refunds"]
    today.close()
    assert today.lines(refund["out_refund_no"]) == {("WECHAT", "REFUND"): ("THEIRS_ONLY", "RECORDED", True)}
    care.work()
    care.check("DONE")
    assert care.refunds() == [("SUCCEEDED", "", 2500)]


def test_what_the_his_has_settled_and_could_not_tell_is_asked_for_again(today: Day, patient_of: Care) -> None:
    care = patient_of
    care.control.fault("his", "settle_charge", "cut_after", times=-1)
    care.control.fault("his", "check_trade", "error", times=-1)
    assert care.order_bills(care.bill(2600))
    care.pay()
    care.control.settle(60)
    [number] = today.sql("SELECT trade_no FROM charges WHERE order_id = %s", (care.id,))[0]
    today.at("10:19:00", 1)
    care.control("DELETE", "/faults")
    today.close()
    assert today.lines(number) == {("HIS", "SETTLEMENT"): ("THEIRS_ONLY", "ASKED_AGAIN", False)}
    care.work()
    care.check("DONE")
    today.close(2)
    assert today.lines(number) == {("HIS", "SETTLEMENT"): ("THEIRS_ONLY", "RECORDED", True)}
    assert today.settled_on(number) == 1
    assert today.tasks() == set()


def test_a_trade_that_cannot_be_read_is_a_difference_and_the_rest_of_the_list_is_compared(
        today: Day, patient_of: Care) -> None:
    care = patient_of
    bills = [care.bill(2600), care.bill(1400)]
    care.paid(*bills)
    odd, good = (care.number_of(care.charges()[number]) for number in bills)
    today.at("10:19:00", 1)
    care.control.fault("his", "list_trades", "override", times=-1, set={f"trades.trade_no={odd}.paid_fen": "26 yuan"})
    today.close()
    assert today.lines(good) == {}
    assert list(today.lines(odd)) == [("HIS", "SETTLEMENT")]
    assert today.lines(odd)["HIS", "SETTLEMENT"][0] == "AMOUNT_DIFFERS"
    assert today.sums()["HIS", "SETTLEMENT", "AGREED"] == (1, 1400, 1400)


# -- over midnight ----------------------------------------------------------------------------------
def test_a_payment_just_before_midnight_and_its_refund_after_it_agree_each_on_its_day(
        today: Day, patient_of: Care) -> None:
    care = patient_of
    today.at("23:55:00")
    care.phone.sign_in()
    number = care.bill()
    assert care.order_bills(number)
    today.at("23:59:52")  # a slow machine needs a moment
    care.pay()
    paid = number_at_wechat(care)
    today.at("00:00:30", 1)
    care.work(until=lambda: care.state == "DONE")
    care.refund(care.charges()[number])
    care.work()
    care.check("DONE")
    today.close(2)
    assert today.lines(paid) == {}
    assert today.sums()["WECHAT", "CAPTURE", "AGREED"] == (1, 2500, 2500)
    assert today.shown(1)["open_lines"] == 0
    assert {(one["source"], one["movement"]) for one in today.shown(1)["sums"] if one["state"] == "AGREED"} >= {
        ("WECHAT", "REFUND"), ("FUND_FLOW", "REFUND"), ("HIS", "REVERSAL"), ("EBILL", "RED")}


@pytest.mark.parametrize("hours", [0.01, 36])
def test_a_refund_that_wechat_lists_on_the_day_it_was_accepted_is_late_and_evened_out(
        today: Day, patient_of: Care, hours: float) -> None:
    care = patient_of
    charge = care.one_paid()
    care.control("POST", "/wechatpay/bills/mode", refunds_on="acceptance")
    care.control("POST", "/wechatpay/refunds/policy", delay_seconds=hours * 3600)
    today.at("23:59:30")
    care.phone.sign_in()
    care.refund(charge)
    care.control.work()
    [refund] = care.order()["refunds"]
    number, late = refund["out_refund_no"], 2 if hours == 36 else 1
    today.at("00:10:00", 1)
    if late == 1:
        care.work()
    today.close()
    assert {key[0]: one[0] for key, one in today.lines(number).items()} == dict.fromkeys(WECHAT, "LATE")
    assert today.settled_on(number) is None
    today.at("15:00:00", late)
    care.work()
    today.close(late + 1)
    assert today.settled_on(number) == late
    assert {one[0] for one in today.lines(number, late).values()} == {"LATE"}
    assert all(settled for *_, settled in today.lines(number, late).values())
    assert today.tasks() == set()
    care.check("DONE")


# -- taken out in turns -------------------------------------------------------------------------------
@contextmanager
def in_turns(today: Day, trade_no: str, first_fen: int, days: int) -> Iterator[None]:
    """What was taken out of a trade stands in our books in two turns, the second so many days later."""
    its_own = "movement = 'REVERSAL' AND movement_key = %s"
    [(whole,)] = today.sql(f"SELECT amount_fen FROM ledger WHERE {its_own}", (trade_no,))
    today.sql(f"UPDATE ledger SET amount_fen = %s WHERE {its_own}", (first_fen, trade_no))
    today.sql("INSERT INTO ledger (id, payment_id, movement, movement_key, amount_fen, at, day, recorded_at) "
              "SELECT CONCAT('Z', SUBSTR(id, 2)), payment_id, 'REVERSAL', CONCAT(movement_key, '@2'), %s, at, "
              f"DATE_ADD(day, INTERVAL %s DAY), recorded_at FROM ledger WHERE {its_own}",
              (whole - first_fen, days, trade_no))
    try:
        yield
    finally:
        today.sql("DELETE FROM ledger WHERE movement_key = %s", (f"{trade_no}@2",))
        today.sql(f"UPDATE ledger SET amount_fen = %s WHERE {its_own}", (whole, trade_no))


def given_back(care: Care) -> str:
    """A bill, paid and given back whole; its trade number."""
    charge = care.one_paid()
    care.refund(charge)
    care.work()
    return care.number_of(charge)


def test_what_was_taken_out_in_two_turns_on_one_day_agrees_with_the_his(today: Day, patient_of: Care) -> None:
    with in_turns(today, given_back(patient_of), -1500, days=0):
        today.close()
        assert today.sums()["HIS", "REVERSAL", "AGREED"] == (1, -2500, -2500)
        assert today.tasks() == set()


def test_what_was_taken_out_in_two_turns_on_two_days_evens_out_with_the_his(today: Day, patient_of: Care) -> None:
    number = given_back(patient_of)
    with in_turns(today, number, -1500, days=1):
        today.close()
        assert today.lines(number) == {("HIS", "REVERSAL"): ("LATE", "NONE", False)}
        today.close(2)
        assert [today.lines(number, days) for days in (0, 1)] == [{("HIS", "REVERSAL"): ("LATE", "NONE", True)}] * 2
        today.again(1)
        assert [today.lines(number, days) for days in (0, 1)] == [{("HIS", "REVERSAL"): ("LATE", "NONE", True)}] * 2
        assert today.tasks() == set()


def test_a_later_turn_that_the_his_does_not_confirm_is_a_persons_business(today: Day, patient_of: Care) -> None:
    number = given_back(patient_of)
    with in_turns(today, number, -1500, days=1):
        today.sql("UPDATE ledger SET amount_fen = -900 WHERE movement_key = %s", (f"{number}@2",))
        today.close(2)
        assert today.lines(number) == {("HIS", "REVERSAL"): ("AMOUNT_DIFFERS", "TASK", False)}
        assert today.lines(number, 1) == {("HIS", "REVERSAL"): ("OURS_ONLY", "TASK", False)}
        assert today.tasks() == {("statement.his", number)}


# -- drawn up again ---------------------------------------------------------------------------------
def test_drawing_up_a_day_again_reopens_only_what_that_day_evened_out(today: Day) -> None:
    """Two lines of one number and amount, but of different transactions, never evened each other out."""
    today.close()
    for days, ours, theirs, note in ((0, 500, None, "4200001"), (1, None, 500, "4200002"), (2, None, 500, "4200001")):
        today.sql("INSERT INTO statement_lines (id, day, source, movement, number, state, ours_fen, theirs_fen, "
                  "action, settled_on, note) VALUES (%s, %s, 'HIS', 'SETTLEMENT', 'T-of-two', 'LATE', %s, %s, 'NONE', "
                  "%s, %s)", (f"{days:026}", today.day + timedelta(days=days), ours, theirs, today.day, note))
    today.again()
    assert [today.lines("T-of-two", days) for days in (0, 1, 2)] == [
        {}, {("HIS", "SETTLEMENT"): ("LATE", "NONE", True)}, {("HIS", "SETTLEMENT"): ("LATE", "NONE", False)}]


# -- the desk ---------------------------------------------------------------------------------------
def test_a_desk_refund_that_only_one_side_holds_done_is_a_persons_business(today: Day, patient_of: Care) -> None:
    charge = patient_of.one_paid(9000, 1000)
    theirs = patient_of.desk_refund(charge, item_nos=[2])["refund_no"]
    patient_of.work()
    ours = f"DR{today.day:%Y%m%d}999999"
    try:
        today.sql("UPDATE desk_refunds SET refund_no = %s WHERE refund_no = %s", (ours, theirs))
        today.close()
        assert today.lines(theirs) == {("DESK", "REVERSAL"): ("THEIRS_ONLY", "TASK", False)}
        assert today.lines(ours) == {("DESK", "REVERSAL"): ("OURS_ONLY", "TASK", False)}
        assert today.tasks() == {("statement.desk", theirs), ("statement.desk", ours)}
    finally:
        today.sql("UPDATE desk_refunds SET refund_no = %s WHERE refund_no = %s", (theirs, ours))
    today.again()
    assert today.tasks() == set()
    assert today.lines(theirs) == {}
