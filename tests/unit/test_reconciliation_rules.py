"""Comparing a day's two sides: sorting beyond memory, joining, and when a line is late or a person's business."""

from __future__ import annotations

import gc
import tempfile
from collections import Counter
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from hospital.reconciliation import model, rules, sheet, sorting
from hospital.reconciliation.model import (
    AMOUNT_DIFFERS,
    DETAIL_DIFFERS,
    LATE,
    OURS_ONLY,
    THEIRS_ONLY,
    Difference,
    Finding,
    Line,
    Tally,
)
from hospital.runtime.clock import BEIJING
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from openpyxl import load_workbook

MONDAY = date(2026, 11, 23)
NUMBERS = st.text("0129AZaz-_|*@", min_size=1, max_size=6)
AMOUNTS = st.integers(-5, 5).filter(bool)
SIDE = st.dictionaries(st.tuples(st.sampled_from(["CAPTURE", "REFUND"]), NUMBERS), AMOUNTS, max_size=30)
Side = dict[tuple[str, str], int]


def compare(theirs: list[str], ours: Side) -> tuple[list[Difference], dict[str, Tally]]:
    agreed: dict[str, Tally] = {}
    mine = iter(sorted((f"{movement}\t{number}", fen, "") for (movement, number), fen in ours.items()))
    return list(rules.join("WECHAT", rules.entries(sorted(theirs)), mine, agreed)), agreed


def lines(side: Side) -> list[str]:
    return [rules.line(movement, number, fen) for (movement, number), fen in side.items()]


# -- sorting ----------------------------------------------------------------------------------------
@given(st.lists(NUMBERS.map(lambda text: text + "\n"), max_size=60), st.integers(1, 9))
@settings(max_examples=60)
def test_lines_come_out_sorted_whatever_the_size_of_a_run(some: list[str], run: int) -> None:
    with sorting.in_order(iter(some), run) as ordered:
        assert list(ordered) == sorted(some)


def count_files(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    made: list[Any] = []
    real = tempfile.TemporaryFile

    def make(*args: Any, **how: Any) -> Any:
        made.append(real(*args, **how))
        return made[-1]

    monkeypatch.setattr(sorting.tempfile, "TemporaryFile", make)
    return made


def test_one_run_touches_no_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    made = count_files(monkeypatch)
    with sorting.in_order(["b\n", "a\n"], 2) as ordered:
        assert list(ordered) == ["a\n", "b\n"]
    assert made == []


def test_the_files_are_gone_afterwards_even_if_nobody_read_to_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    made = count_files(monkeypatch)
    with sorting.in_order((f"{number:03}\n" for number in range(10)), 3) as ordered:
        assert next(ordered) == "000\n"
        assert len(made) == 3  # the last run stays in memory
    assert all(file.closed for file in made)


def test_a_list_that_breaks_off_breaks_before_the_first_line_comes_out() -> None:
    def broken() -> Iterator[str]:
        yield "a\n"
        raise ConnectionError

    with pytest.raises(ConnectionError), sorting.in_order(broken(), 1):
        pytest.fail("came out")


def test_no_more_than_two_runs_are_in_memory_while_reading() -> None:
    class Text(str):  # with a dictionary, so that the collector knows each
        pass

    def alive() -> int:
        gc.collect()
        return sum(type(one) is Text for one in gc.get_objects())

    most = 0

    def source() -> Iterator[str]:
        nonlocal most
        for number in range(400):
            yield Text(f"{number}\n")
            if number % 50 == 0:
                most = max(most, alive())

    with sorting.in_order(source(), 40) as ordered:
        assert sum(1 for _ in ordered) == 400
    assert 40 <= most <= 2 * 40 + 1


# -- joining ----------------------------------------------------------------------------------------
@given(SIDE, SIDE)
@settings(max_examples=150)
def test_the_join_says_what_comparing_two_dictionaries_says(theirs: Side, ours: Side) -> None:
    differences, agreed = compare(lines(theirs), ours)
    expected = [(key, ours.get(key), theirs.get(key)) for key in sorted({*theirs, *ours})
                if ours.get(key) != theirs.get(key)]
    assert [((one.movement, one.number), one.ours_fen, one.theirs_fen) for one in differences] == expected
    same = [key for key in theirs if ours.get(key) == theirs[key]]
    assert {movement: tally.lines for movement, tally in agreed.items()} == Counter(key[0] for key in same)
    for movement, tally in agreed.items():
        total = sum(ours[key] for key in same if key[0] == movement)
        assert (tally.ours_fen, tally.theirs_fen) == (total, total)


@given(SIDE, SIDE)
@settings(max_examples=60)
def test_every_fen_of_either_side_is_counted_once(theirs: Side, ours: Side) -> None:
    differences, agreed = compare(lines(theirs), ours)
    assert sum(one.ours_fen or 0 for one in differences) + sum(one.ours_fen for one in agreed.values()) \
        == sum(ours.values())
    assert sum(one.theirs_fen or 0 for one in differences) + sum(one.theirs_fen for one in agreed.values()) \
        == sum(theirs.values())


def test_a_movement_listed_twice_is_a_difference() -> None:
    [one], agreed = compare([rules.line("CAPTURE", "42", 500, "R1"), rules.line("CAPTURE", "42", 500, "R1")],
                            {("CAPTURE", "42"): 500})
    assert (one.state, one.ours_fen, one.theirs_fen, one.note) == (AMOUNT_DIFFERS, 500, 1000, "R1")
    assert agreed == {}


def test_each_state_and_the_note_that_a_list_gives() -> None:
    differences, agreed = compare(
        [rules.line("CAPTURE", "1", 100, "R1"), rules.line("CAPTURE", "3", 300), rules.line("REFUND", "R9-x", -7)],
        {("CAPTURE", "2"): 200, ("CAPTURE", "3"): 301, ("REFUND", "R9-x"): -7})
    assert [(one.number, one.state, one.note) for one in differences] == [
        ("1", THEIRS_ONLY, "R1"), ("2", OURS_ONLY, ""), ("3", AMOUNT_DIFFERS, "")]
    assert {movement: (tally.lines, tally.ours_fen) for movement, tally in agreed.items()} == {"REFUND": (1, -7)}


def test_a_number_that_begins_like_another_is_another() -> None:
    differences, agreed = compare(lines({("REFUND", "P1-c"): -1, ("REFUND", "P1-c-2"): -1, ("REFUND", "P1"): -1}),
                                  {("REFUND", "P1-c-2"): -1, ("REFUND", "P1"): -1})
    assert [one.number for one in differences] == ["P1-c"]
    assert agreed["REFUND"].lines == 2


def join_one(theirs: tuple[int, str], ours: tuple[int, str], key: str = "SETTLEMENT\tT1") -> list[Difference]:
    return list(rules.join("HIS", iter([(key, *theirs)]), iter([(key, *ours)]), {}))


def test_the_same_number_and_amount_with_another_order_or_transaction_differs() -> None:
    [one] = join_one((500, "4200002"), (500, "4200001"))
    assert (one.state, one.ours_fen, one.theirs_fen) == (DETAIL_DIFFERS, 500, 500)
    for theirs, ours in (("4200001", "4200001"), ("", "4200001"), ("4200001", "")):
        assert join_one((500, theirs), (500, ours)) == [], "agrees, or one side does not name it"


@pytest.mark.parametrize("named", ["", "R01"])
def test_a_line_that_something_speaks_against_never_agrees_and_says_what(named: str) -> None:
    [one] = join_one((500, rules.odd("CURRENCY", "R01")), (500, named))
    assert (one.state, one.odd, one.order) == (DETAIL_DIFFERS, "CURRENCY", "R01")
    assert rules.odd("", "R01") == "R01"
    assert Difference("WECHAT", "CAPTURE", "1", None, 5, "R01").order == "R01"


def test_an_odd_line_among_several_of_one_number_is_not_lost_in_their_sum() -> None:
    odd = rules.odd("STATE", "R01")
    for notes in (["R01", odd], [odd, "R01"]):
        [entry] = rules.entries(sorted(rules.line("CAPTURE", "1", 5, note) for note in notes))
        assert entry == ("CAPTURE\t1", 10, odd)


def test_a_refund_and_its_closing_come_to_nothing_and_are_no_difference() -> None:
    both = [rules.line("REFUND", "R1-c", -2500), rules.line("REFUND", "R1-c", 2500)]
    assert compare(both, {}) == ([], {})
    [one], _ = compare(both, {("REFUND", "R1-c"): -2500})
    assert (one.state, one.ours_fen, one.theirs_fen) == (AMOUNT_DIFFERS, -2500, 0), "but not where we booked one"


def test_a_line_that_cannot_be_read_is_a_difference_though_it_counts_for_nothing() -> None:
    [one], _ = compare([rules.line(model.UNREADABLE, "2026-11-23:L7", 0)], {})
    assert (one.movement, one.number, one.state) == (model.UNREADABLE, "2026-11-23:L7", THEIRS_ONLY)


OURS = "P01M82ZM1KXBQRCNCX1XG2RHHX5"


@pytest.mark.parametrize(("movement", "number", "note", "ours"), [
    ("CAPTURE", "42", OURS, True), ("CAPTURE", "42", "KIOSK-1129-001", False), ("CAPTURE", "42", OURS.lower(), False),
    ("CAPTURE", "42", f"{OURS}1", False), ("CAPTURE", "42", "", True), ("REFUND", f"{OURS}-cancelled", "", True),
    ("REFUND", f"{OURS}-c-01M82ZM1KXBQRCNCX1XG2RHHX5@2", OURS, True), ("REFUND", "KIOSK-1129-001-R", "", False)])
def test_orders_of_ours_are_known_by_the_form_of_their_numbers(movement: str, number: str, note: str, ours: bool
                                                               ) -> None:
    assert rules.of_our_form(Difference("WECHAT", movement, number, None, 5, note)) is ours


def test_two_empty_sides_agree() -> None:
    assert compare([], {}) == ([], {})


@pytest.mark.parametrize("number", ["", "4\t2", "4\n2", "号", "4" * 81, "4\x7f2"])
def test_a_number_that_would_not_stay_on_its_line_is_refused(number: str) -> None:
    with pytest.raises(rules.Unreadable):
        rules.line("CAPTURE", number, 1)
    if number:
        with pytest.raises(rules.Unreadable):
            rules.line("CAPTURE", "42", 1, f"\t{number}\n")


def test_neither_side_is_read_ahead_of_what_is_compared() -> None:
    read = [0, 0]

    def side(place: int, fen: int) -> Iterator[rules.Entry]:
        for number in range(1000):
            read[place] += 1
            yield f"CAPTURE\t{number:04}", fen, ""

    differences = rules.join("WECHAT", side(0, 1), side(1, 2), {})
    for number in range(1000):
        assert int(next(differences).number) == number
        assert max(read) <= number + 2


# -- days -------------------------------------------------------------------------------------------
def test_the_last_seven_days_before_today_get_a_statement_oldest_first() -> None:
    days = rules.days_to_state(date(2020, 1, 1), MONDAY)
    assert days == [MONDAY - timedelta(days=back) for back in (7, 6, 5, 4, 3, 2, 1)]


@pytest.mark.parametrize(("first", "count"), [
    (None, 0), (MONDAY, 0), (MONDAY + timedelta(days=1), 0), (MONDAY - timedelta(days=1), 1),
    (MONDAY - timedelta(days=3), 3)])
def test_no_day_before_the_first_movement_gets_one(first: date | None, count: int) -> None:
    assert len(rules.days_to_state(first, MONDAY)) == count


@pytest.mark.parametrize(("days", "overdue"), [(0, False), (2, False), (3, True), (7, True)])
def test_what_is_open_for_three_days_is_a_persons_business(days: int, overdue: bool) -> None:
    assert rules.overdue(MONDAY, MONDAY + timedelta(days=days)) is overdue


# -- counterparts -----------------------------------------------------------------------------------
def difference(ours: int | None, theirs: int | None, note: str = "") -> Difference:
    return Difference("WECHAT", "CAPTURE", "42", ours, theirs, note)


@pytest.mark.parametrize(("one", "ours", "theirs", "met"), [
    (difference(5, None), None, 5, True), (difference(None, 5), 5, None, True),
    (difference(5, None), None, 6, False), (difference(None, 5), 6, None, False),
    (difference(5, None), 5, None, False), (difference(None, 5), None, 5, False),  # twice on one side
    (difference(5, None), 5, 5, False), (difference(5, 6), 6, 5, False), (difference(5, 6), None, 5, False)])
def test_two_days_even_out_when_each_has_exactly_what_the_other_lacks(
        one: Difference, ours: int | None, theirs: int | None, met: bool) -> None:
    assert rules.meets(one, difference(ours, theirs)) is met


def test_a_refund_that_went_out_on_one_day_and_came_in_again_on_another_evens_out() -> None:
    out = Difference("FUND_FLOW", "REFUND", "R1-c", None, -2500)
    assert rules.meets(out, replace(out, theirs_fen=2500))
    assert not rules.meets(out, out)
    assert not rules.meets(difference(None, 5), difference(None, -5)), "a payment does not"


@pytest.mark.parametrize(("theirs", "ours", "met"), [
    ("4200001", "4200001", True), ("", "4200001", True), ("4200001", "", True), (model.PROCESSING, "R01", True),
    ("4200002", "4200001", False), (rules.odd("TRANSACTION", ""), "4200001", False),
    (rules.odd("STATE", "R01"), "R01", False)])
def test_two_days_even_out_only_with_the_same_order_or_transaction_where_both_name_one(
        theirs: str, ours: str, met: bool) -> None:
    one, other = difference(None, 5, theirs), difference(5, None, ours)
    assert (rules.meets(one, other), rules.meets(other, one)) == (met, met)


def test_what_was_taken_out_of_a_trade_in_turns_is_compared_as_the_one_line_of_the_his() -> None:
    ours = [("REVERSAL\tT1", -1500, "42"), ("REVERSAL\tT1@2", -700, "42"), ("REVERSAL\tT1@3", -300, "42"),
            ("REVERSAL\tT2", -100, "43"), ("SETTLEMENT\tT1", 2500, "42")]
    assert list(rules.by_trade(ours)) == [
        ("REVERSAL\tT1", -2500, "42"), ("REVERSAL\tT2", -100, "43"), ("SETTLEMENT\tT1", 2500, "42")]


def turn(day: int, ours: int | None, theirs: int | None, note: str = "42", source: str = "HIS") -> Line:
    return Line(f"{day:026}", MONDAY + timedelta(days=day), source, "REVERSAL", "T1", AMOUNT_DIFFERS, ours, theirs,
                "TASK", "", None, note)


@pytest.mark.parametrize(("turns", "evened"), [
    ([(-1500, -2500), (-1000, None)], True), ([(None, -2500), (-1500, None), (-1000, None)], True),
    ([(-1500, -2500), (-999, None)], False), ([(None, -2500), (-1500, None)], False)])
def test_turns_of_a_trade_on_several_days_even_out_with_the_one_line_of_the_his(
        turns: list[tuple[int | None, int | None]], evened: bool) -> None:
    lines = [turn(day, *both) for day, both in enumerate(turns)]
    for line in lines:
        others = [other for other in lines if other is not line]
        assert rules.evened_by(line.difference, others) == (others if evened else [])


def test_turns_even_out_only_of_the_same_transaction_and_only_in_the_his() -> None:
    one, other = turn(0, -1500, -2500), turn(1, -1000, None)
    assert rules.evened_by(one.difference, [other]) == [other]
    assert rules.evened_by(one.difference, [replace(other, note="43")]) == []
    assert rules.evened_by(one.difference, [replace(other, note=rules.odd("TRANSACTION", ""))]) == []
    assert rules.evened_by(replace(one, source="WECHAT").difference, [replace(other, source="WECHAT")]) == []


def test_what_only_we_have_names_the_order_or_transaction_in_our_books() -> None:
    [one] = rules.join("HIS", iter([]), iter([("SETTLEMENT\tT1", 500, "4200001")]), {})
    assert (one.state, one.note) == (OURS_ONLY, "4200001")


# -- where a line stands ----------------------------------------------------------------------------
def test_every_way_a_line_may_stand_is_in_the_table_and_every_action_has_a_row() -> None:
    assert set(model.LINE_MOVES) == {*(set(sheet.ACTION_NAMES) - {model.RECORDED}), model.SETTLED}
    assert set().union(*model.LINE_MOVES.values()) <= set(model.LINE_MOVES)
    assert model.LINE_MOVES[model.EXPLAINED] == set(), "what staff have said stays"


@pytest.mark.parametrize(("action", "on", "stands"), [
    ("WAITS", None, "WAITS"), ("TASK", None, "TASK"), ("QUERIED", MONDAY, "SETTLED"), ("RECORDED", MONDAY, "SETTLED"),
    ("TASK", MONDAY, "SETTLED"), ("EXPLAINED", MONDAY, "EXPLAINED")])
def test_a_line_stands_where_it_was_brought_until_a_day_evens_it_out(action: str, on: date | None, stands: str
                                                                     ) -> None:
    assert Finding(THEIRS_ONLY, action, "", on).stands == stands


def test_a_stored_line_is_the_difference_it_was_with_the_number_of_its_order() -> None:
    def line(detail: str) -> Line:
        return Line("0" * 26, MONDAY, "WECHAT", "CAPTURE", "42", THEIRS_ONLY, None, 5, "WAITS", detail, None)

    assert line("商户订单号R01 对方未答复").difference == difference(None, 5, "R01")
    assert line("差异过多").difference == difference(None, 5)


# -- the sheet --------------------------------------------------------------------------------------
def test_every_word_that_a_statement_may_hold_has_a_chinese_name() -> None:
    assert set(sheet.SOURCE_NAMES) == set(model.SOURCES)
    assert set(sheet.MOVEMENT_NAMES) == {model.OTHER, model.UNREADABLE,
                                         *(one for some in model.MOVEMENTS.values() for one in some)}
    assert set(sheet.STATE_NAMES) == {model.AGREED, OURS_ONLY, THEIRS_ONLY, AMOUNT_DIFFERS, DETAIL_DIFFERS, LATE}
    assert set(sheet.ACTION_NAMES) == {model.NONE, model.RECORDED, model.QUERIED, model.ASKED_AGAIN, model.WAITS,
                                       model.TASK, model.EXPLAINED}


def test_movements_stand_in_the_order_in_which_both_sides_are_read() -> None:
    assert all([*movements, model.UNREADABLE] == sorted([*movements, model.UNREADABLE])
               for movements in model.MOVEMENTS.values())
    assert Finding(LATE, model.NONE).settled_on is None


def test_the_workbook_has_sums_in_yuan_and_a_row_for_every_difference(tmp_path: Any) -> None:
    sums = [
        {"source": "WECHAT", "movement": "CAPTURE", "state": "AGREED", "line_count": 2, "ours_fen": 12345,
         "theirs_fen": 12345},
        {"source": "WECHAT", "movement": "REFUND", "state": THEIRS_ONLY, "line_count": 1, "ours_fen": 0,
         "theirs_fen": -1}]
    stored = Line("0" * 26, MONDAY, "WECHAT", "REFUND", "=R1-c", THEIRS_ONLY, None, -1, "TASK", "=1+1", MONDAY)
    path = tmp_path / "statement.xlsx"
    with path.open("wb") as file:
        sheet.write(file, MONDAY, datetime(2026, 11, 24, 10, 30, tzinfo=BEIJING), sums, 1, iter([stored]))
    book = load_workbook(path)
    assert book.sheetnames == ["汇总", "差异明细"]
    totals = list(book["汇总"].iter_rows(values_only=True))
    assert totals[0][0] == "2026-11-23 对账单"
    assert totals[1][0] == "生成时间：2026-11-24 10:30"
    assert totals[2][0] == "结论：差异1笔，其中已平0笔，未平1笔"
    assert totals[3] == tuple(sheet.SUM_HEADS)
    assert totals[4] == ("微信交易账单", "收款", "一致", 2, 123.45, 123.45)
    assert book["汇总"]["E5"].number_format == "0.00"
    heads, row = book["差异明细"].iter_rows()
    assert [cell.value for cell in heads] == list(sheet.LINE_HEADS)
    assert [cell.value for cell in row][:8] == [
        "微信交易账单", "退款", "=R1-c", "仅对方有", None, -0.01, "转人工", "=1+1"]
    assert row[2].data_type == row[7].data_type == "s"  # never a formula
    assert row[8].value.date() == MONDAY
    assert heads[0].font.bold
    assert [cell.value for cell in heads if cell.alignment.horizontal == "right"] == [
        "我方金额(元)", "对方金额(元)", "已平日期"]
    assert book["差异明细"].freeze_panes == "A2"


def test_a_day_without_differences_is_said_to_agree(tmp_path: Any) -> None:
    path = tmp_path / "statement.xlsx"
    with path.open("wb") as file:
        sheet.write(file, MONDAY, datetime(2026, 11, 24, 10, 30, tzinfo=BEIJING), [], 0, iter([]))
    book = load_workbook(path)
    assert book["汇总"]["A3"].value == "结论：全部一致"
    assert [row[0] for row in book["差异明细"].iter_rows(min_row=2, values_only=True)] == ["无差异"]


def test_long_numbers_with_one_end_have_a_task_each() -> None:
    end = "0" * 31 + "Z"
    numbers = [end, f"A{end}", f"B{end}", "C" * 40 + end, "D" * 40 + end]
    assert len({rules.subjects(number)[0] for number in numbers}) == len(numbers)
    assert all(len(rules.subjects(number)[0]) <= 64 for number in numbers)
    assert rules.subjects(end) == (end,)
    assert rules.subjects(f"A{end}") == (f"A{end}", end), "a task from before is found by the end"
