"""Lists of the day with lines that are odd, of others, or in another layout: each stands alone, the others count."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from sandbox.phone import Refused
from tests.faults.outpatient import Care
from tests.features.closing import Day


def ours(number: int) -> str:
    """The number of an order as we give them, that nobody knows."""
    return f"P{number:026}"


def paid(care: Care, fen: int) -> tuple[str, str]:
    """A bill is paid: our number of the order, and WeChat's."""
    care.one_paid(fen)
    return care.out_trade_no, str(care.order()["transaction_id"])


def unread(today: Day) -> list[tuple[str, str, str, str]]:
    """Source, number, state and action of the lines that could not be read."""
    return today.sql("SELECT source, number, state, action FROM statement_lines WHERE day = %s "
                     "AND movement = 'UNREADABLE' ORDER BY source, number", (today.day,))


# -- columns ----------------------------------------------------------------------------------------
def test_a_line_in_dollars_of_another_day_or_revoked_does_not_agree(today: Day, patient_of: Care) -> None:
    said = {"币种": {"货币种类": "USD"}, "当日": {"交易时间": f"{today.day - timedelta(days=1)} 09:00:00"},
            "撤销": {"交易状态": "REVOKED"}, "订单号": {"商户订单号": ours(7)}}
    numbers = {}
    for place, (word, columns) in enumerate(said.items()):
        order, numbers[word] = paid(patient_of, 3000 + place)
        today.amend(change=[{"out_trade_no": order, "columns": columns}], bills=["trade"])
    today.close()
    for word, number in numbers.items():
        assert today.lines(number) == {("WECHAT", "CAPTURE"): ("DETAIL_DIFFERS", "TASK", False)}, word
        assert word in today.detail(number)
    assert today.tasks() == {("statement.wechat", number) for number in numbers.values()}
    assert today.sums()["FUND_FLOW", "CAPTURE", "AGREED"] == (4, 12006, 12006)


def test_a_trade_of_the_his_with_another_payment_does_not_agree(today: Day, patient_of: Care) -> None:
    charge = patient_of.one_paid(3000)
    [(number,)] = today.sql("SELECT trade_no FROM charges WHERE id = %s", (charge["id"],))
    for told in ("4200000000000001", None):
        today.control.fault("his", "list_trades", "override", times=-1,
                            set={f"trades.trade_no={number}.transaction_id": told})
        if told:
            today.close()
        else:
            today.again()
        assert today.lines(number) == {("HIS", "SETTLEMENT"): ("DETAIL_DIFFERS", "TASK", False)}
        assert today.tasks() == {("statement.his", number)}
        assert "微信支付订单号" in today.detail(number)
        today.control("DELETE", "/faults")
    today.again()
    assert (today.lines(number), today.tasks()) == ({}, set())


def test_a_trade_of_the_his_with_another_payment_is_not_evened_out_by_ours_of_the_next_day(
        today: Day, patient_of: Care) -> None:
    charge = patient_of.one_paid(3000)
    [(number,)] = today.sql("SELECT trade_no FROM charges WHERE id = %s", (charge["id"],))
    today.sql("UPDATE ledger SET at = at + INTERVAL 1 DAY, day = day + INTERVAL 1 DAY "
              "WHERE movement = 'SETTLEMENT' AND movement_key = %s", (number,))  # as when we booked it after midnight
    for told in ("4200000000000001", None):
        today.control.fault("his", "list_trades", "override", times=-1,
                            set={f"trades.trade_no={number}.transaction_id": told})
        today.close(2) if told else today.again()
        assert today.lines(number) == {("HIS", "SETTLEMENT"): ("THEIRS_ONLY", "TASK", False)}
        assert "微信支付订单号" in today.detail(number)
        assert today.lines(number, 1) == {("HIS", "SETTLEMENT"): ("LATE", "QUERIED", False)}
        today.control("DELETE", "/faults")
    today.again()
    assert {one[2] for day in (0, 1) for one in today.lines(number, day).values()} == {True}, "the same payment does"
    assert today.tasks() == set()


def test_a_refund_that_wechat_does_not_list_and_names_of_another_order_is_a_persons_business(
        today: Day, patient_of: Care) -> None:
    charge = patient_of.one_paid(3000)
    patient_of.refund(charge)
    patient_of.work()
    [refund] = patient_of.order()["refunds"]
    number = refund["out_refund_no"]
    both = [("WECHAT", "REFUND"), ("FUND_FLOW", "REFUND")]
    today.amend(remove=[number])
    today.control.fault("wechatpay", "query_refund", "override", times=-1, set={"out_trade_no": ours(7)})
    today.close()
    assert today.lines(number) == dict.fromkeys(both, ("OURS_ONLY", "TASK", False))
    today.control("DELETE", "/faults")
    today.again()
    assert today.lines(number) == dict.fromkeys(both, ("LATE", "QUERIED", False))


# -- others under the same merchant number ----------------------------------------------------------
def test_lines_of_others_are_counted_and_hide_nothing_of_ours(today: Day, patient_of: Care) -> None:
    order, number = paid(patient_of, 3000)
    kiosk: dict[str, Any] = {"公众账号ID": "wx00000000000kiosk"}
    mark = f"{today.day:%Y%m%d}"
    today.amend(remove=[order], add=[
        {"out_trade_no": "KIOSK-1129-001", "amount_fen": 700, "transaction_id": f"42{mark}1"},
        {"out_trade_no": "KIOSK-1129-001", "amount_fen": 700, "out_refund_no": "KIOSK-1129-001-R",
         "transaction_id": f"42{mark}1", "refund_id": f"50{mark}1"},
        {"out_trade_no": ours(1), "amount_fen": 900, "transaction_id": f"42{mark}2", "columns": kiosk}],
        bills=["trade"])
    today.amend(remove=[order], add=[
        {"out_trade_no": "KIOSK-1129-001", "amount_fen": 700, "transaction_id": f"42{mark}1"},
        {"out_trade_no": "KIOSK-1129-001", "amount_fen": 700, "out_refund_no": "KIOSK-1129-001-R",
         "transaction_id": f"42{mark}1", "refund_id": f"50{mark}1"},
        {"out_trade_no": ours(1), "amount_fen": 900, "transaction_id": f"42{mark}2"}],
        bills=["fundflow"])
    today.close()
    assert today.tasks() == set()
    assert today.sql("SELECT DISTINCT number FROM statement_lines WHERE day = %s", (today.day,)) == [(number,)]
    for source in ("WECHAT", "FUND_FLOW"):
        assert today.sums()[source, "OTHER", "AGREED"] == (3, 0, 900), source
        assert today.sums()[source, "CAPTURE", "LATE"] == (1, 3000, 0)


# -- refunds that WeChat closed ----------------------------------------------------------------------
def test_a_refund_and_its_closing_on_one_day_come_to_nothing(today: Day, patient_of: Care) -> None:
    order, _ = paid(patient_of, 2500)
    line = {"out_trade_no": order, "amount_fen": 2500, "out_refund_no": f"{order}-cancelled"}
    today.amend(add=[line, {**line, "closed": True}], bills=["fundflow"])
    today.close()
    assert today.shown()["open_lines"] == 0
    assert today.tasks() == set()


def test_a_refund_that_is_closed_on_the_next_day_is_evened_out_there(today: Day, patient_of: Care) -> None:
    care = patient_of
    charge = care.one_paid()
    care.control("POST", "/wechatpay/refunds/policy", outcome="CLOSED", delay_seconds=3, times=1)
    care.refund(charge)
    care.work()
    [refund] = care.order()["refunds"]
    number = refund["out_refund_no"]
    line = {"out_trade_no": care.out_trade_no, "amount_fen": 2500, "out_refund_no": number}
    today.amend(add=[line], bills=["fundflow"])
    later = today.day.fromordinal(today.day.toordinal() + 1)
    today.control("POST", f"/wechatpay/bills/{later}/amend", add=[{**line, "closed": True}], bills=["fundflow"])
    try:
        today.close()
        assert today.lines(number) == {("FUND_FLOW", "REFUND"): ("LATE", "QUERIED", False)}
        today.close(2)
        assert today.settled_on(number) == 1
        assert today.lines(number, 1) == {("FUND_FLOW", "REFUND"): ("LATE", "NONE", True)}
        assert today.tasks() == set()
    finally:
        today.control("DELETE", f"/wechatpay/bills/{later}")
    care.phone.sign_in()
    care.recover()
    care.check("DONE")


# -- single lines that can't be read -----------------------------------------------------------------
def test_a_line_that_cannot_be_read_is_a_task_and_the_rest_is_compared(today: Day, patient_of: Care) -> None:
    broken, number = paid(patient_of, 3000)
    feed, _ = paid(patient_of, 4000)
    today.amend(change=[{"out_trade_no": broken, "columns": {"订单金额": "3_0.00"}},
                        {"out_trade_no": feed, "columns": {"商品名称": "门诊\n缴费"}}], bills=["trade"])
    today.close()
    assert today.waits() == ("DONE", "")
    [(source, line, state, action)] = unread(today)
    assert (source, line.partition(":")[0], state, action) == ("WECHAT", str(today.day), "THEIRS_ONLY", "TASK")
    assert today.tasks() == {("statement.wechat", line)}
    assert today.lines(number) == {("WECHAT", "CAPTURE"): ("LATE", "QUERIED", False)}
    assert today.sums()["WECHAT", "CAPTURE", "AGREED"] == (1, 4000, 4000), "a line feed in a text breaks nothing"
    assert ("微信交易账单", "无法识别的行", line) in list(
        today.sheet()["差异明细"].iter_rows(min_row=2, max_col=3, values_only=True))
    today.control("DELETE", f"/wechatpay/bills/{today.day}")
    today.again()
    assert (unread(today), today.tasks()) == ([], set())


def test_a_refund_without_our_number_is_a_task_and_the_rest_is_compared(today: Day, patient_of: Care) -> None:
    care = patient_of
    charge = care.one_paid()
    care.refund(charge)
    care.work()
    [refund] = care.order()["refunds"]
    today.amend(change=[{"out_refund_no": refund["out_refund_no"], "columns": {"业务凭证号": ""}}], bills=["fundflow"])
    today.amend(change=[{"out_refund_no": refund["out_refund_no"], "columns": {"商户退款单号": ""}}], bills=["trade"])
    today.close()
    assert today.waits() == ("DONE", "")
    assert [(source, state, action) for source, _, state, action in unread(today)] == [
        ("FUND_FLOW", "THEIRS_ONLY", "TASK"), ("WECHAT", "THEIRS_ONLY", "TASK")]
    for source in ("WECHAT", "FUND_FLOW"):
        assert today.sums()[source, "UNREADABLE", "THEIRS_ONLY"] == (1, 0, -2500)
        assert today.sums()[source, "CAPTURE", "AGREED"] == (1, 2500, 2500)


def test_sums_that_do_not_add_up_beside_a_line_that_cannot_be_read_are_not_believed(today: Day, patient_of: Care
                                                                                   ) -> None:
    order, _ = paid(patient_of, 3000)
    today.amend(change=[{"out_trade_no": order, "columns": {"订单金额": "3_0.00"}}], totals={"总交易单数": "5"},
                bills=["trade"])
    today.close()
    assert today.waits() == ("WAITING", "WECHAT")


# -- other layouts ----------------------------------------------------------------------------------
def test_the_early_layout_and_counts_with_a_decimal_point_agree(today: Day, patient_of: Care) -> None:
    care = patient_of
    charge = care.one_paid()
    care.refund(charge)
    care.work()
    today.amend(layout="early", decimal_counts=True)
    today.close()
    assert (today.waits(), today.tasks(), today.shown()["open_lines"]) == (("DONE", ""), set(), 0)
    for source in ("WECHAT", "FUND_FLOW"):
        assert today.sums()[source, "CAPTURE", "AGREED"] == (1, 2500, 2500)
        assert today.sums()[source, "REFUND", "AGREED"] == (1, -2500, -2500)


# -- what staff say of a line -----------------------------------------------------------------------
def test_a_line_that_staff_explain_ends_with_that_and_stays_so_when_the_day_is_drawn_up_again(
        today: Day, patient_of: Care) -> None:
    order, number = paid(patient_of, 3000)
    today.amend(change=[{"out_trade_no": order, "amount_fen": 3001}], bills=["trade"])
    today.close()
    [(task,)] = today.sql("SELECT id FROM staff_tasks WHERE kind = 'statement.wechat' AND subject_id = %s "
                          "AND state = 'OPEN'", (number,))
    today.control.operate("task.close", task_id=task, note="a cent of WeChat's own rounding")
    assert today.lines(number) == {("WECHAT", "CAPTURE"): ("AMOUNT_DIFFERS", "EXPLAINED", True)}
    assert "a cent of WeChat's own rounding" in today.detail(number)
    today.again()
    assert today.lines(number) == {("WECHAT", "CAPTURE"): ("AMOUNT_DIFFERS", "EXPLAINED", True)}
    assert (today.tasks(), today.shown()["open_lines"]) == (set(), 0)
    today.amend(change=[{"out_trade_no": order, "amount_fen": 3002}], bills=["trade"])
    today.again()
    assert today.lines(number) == {("WECHAT", "CAPTURE"): ("AMOUNT_DIFFERS", "TASK", False)}, "another difference"
    with pytest.raises(Refused):
        today.control.operate("task.close", task_id=task, note="it is closed already")
