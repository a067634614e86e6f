"""The statement as a workbook for the hospital's accountants: sums on one page, every difference on the other."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime
from decimal import Decimal
from typing import IO, TYPE_CHECKING, Any

from hospital.database.connection import Row
from hospital.reconciliation.model import AGREED, Line
from hospital.runtime.clock import BEIJING

if TYPE_CHECKING:
    from openpyxl.worksheet._write_only import WriteOnlyWorksheet

CONTENT_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
MOST_LINES = 200_000  # on the page of differences; a page holds 1,048,576 rows, and nobody reads more

SOURCE_NAMES = {"WECHAT": "微信交易账单", "FUND_FLOW": "微信资金账单", "HIS": "医院系统", "DESK": "窗口退费",
                "EBILL": "电子票据"}
MOVEMENT_NAMES = {"CAPTURE": "收款", "REFUND": "退款", "SETTLEMENT": "入账", "REVERSAL": "退费冲销", "INVOICE": "开票",
                  "RED": "冲红", "UNREADABLE": "无法识别的行", "OTHER": "其他（不参与核对）"}
STATE_NAMES = {"AGREED": "一致", "OURS_ONLY": "仅我方有", "THEIRS_ONLY": "仅对方有", "AMOUNT_DIFFERS": "金额不符",
               "DETAIL_DIFFERS": "内容不符", "LATE": "跨日"}
ACTION_NAMES = {"NONE": "无需处理", "RECORDED": "已补记", "QUERIED": "已查询确认", "ASKED_AGAIN": "已催办",
                "WAITS": "待再次核对", "TASK": "转人工", "EXPLAINED": "人工已说明"}
SUM_HEADS = {"来源": 16, "类别": 20, "状态": 12, "笔数": 10, "我方金额(元)": 16, "对方金额(元)": 16}  # name: width
LINE_HEADS = {"来源": 16, "类别": 12, "单号": 62, "状态": 12, "我方金额(元)": 14, "对方金额(元)": 14, "处理": 14,
              "说明": 60, "已平日期": 12}
NUMBER_HEADS = {"笔数", "我方金额(元)", "对方金额(元)", "已平日期"}


def write(file: IO[bytes], day: date, now: datetime, sums: list[Row], open_count: int, lines: Iterator[Line]) -> None:
    """Write the workbook of a day; row by row, so that its length costs no memory."""
    from openpyxl import Workbook

    book = Workbook(write_only=True)
    page = _page(book, "汇总", SUM_HEADS, frozen=5)
    page.append([_bold(page, f"{day} 对账单")])
    page.append([f"生成时间：{now.astimezone(BEIJING):%Y-%m-%d %H:%M}"])
    page.append([_bold(page, f"结论：{_conclusion(sums, open_count)}")])
    page.append(_heads(page, SUM_HEADS))
    for row in sums:
        page.append([SOURCE_NAMES[row["source"]], MOVEMENT_NAMES[row["movement"]], STATE_NAMES[row["state"]],
                     row["line_count"], _yuan(page, row["ours_fen"]), _yuan(page, row["theirs_fen"])])
    page = _page(book, "差异明细", LINE_HEADS, frozen=2)
    page.append(_heads(page, LINE_HEADS))
    number = -1
    for number, line in enumerate(lines):
        if number == MOST_LINES:
            page.append([_bold(page, f"仅列出前{MOST_LINES}条，其余请在系统中查询")])
            break
        page.append([SOURCE_NAMES[line.source], MOVEMENT_NAMES[line.movement], _text(page, line.number),
                     STATE_NAMES[line.state], _yuan(page, line.ours_fen), _yuan(page, line.theirs_fen),
                     ACTION_NAMES[line.action], _text(page, line.detail), line.settled_on])
    if number < 0:
        page.append(["无差异"])
    book.save(file)


def _conclusion(sums: list[Row], open_count: int) -> str:
    different = sum(row["line_count"] for row in sums if row["state"] != AGREED)
    if not different:
        return "全部一致"
    return f"差异{different}笔，其中已平{different - open_count}笔，未平{open_count}笔"


def _page(book: Any, title: str, heads: dict[str, int], frozen: int) -> WriteOnlyWorksheet:
    """A page with its columns' widths; the rows above number ``frozen`` stay in sight."""
    page: WriteOnlyWorksheet = book.create_sheet(title)
    for letter, width in zip("ABCDEFGHI", heads.values(), strict=False):
        page.column_dimensions[letter].width = width
    page.freeze_panes = f"A{frozen}"
    page.page_setup.orientation, page.page_setup.paperSize = "landscape", 9  # A4
    page.sheet_properties.pageSetUpPr.fitToPage = True
    page.page_setup.fitToHeight = 0  # one page wide, as long as it is
    return page


def _heads(page: WriteOnlyWorksheet, names: dict[str, int]) -> list[Any]:
    """A row of heads, those of numbers above their numbers' right end."""
    from openpyxl.styles import Alignment

    heads = [_bold(page, name) for name in names]
    for head in heads:
        if head.value in NUMBER_HEADS:
            head.alignment = Alignment(horizontal="right")
    return heads


def _bold(page: WriteOnlyWorksheet, text: str) -> Any:
    from openpyxl.styles import Font

    cell = _text(page, text)
    cell.font = Font(name="Calibri", size=11, bold=True)
    return cell


def _text(page: WriteOnlyWorksheet, text: str) -> Any:
    """A text as it is: one that begins with ``=`` would be a formula."""
    from openpyxl.cell import WriteOnlyCell

    cell = WriteOnlyCell(page, text)
    cell.data_type = "s"
    return cell


def _yuan(page: WriteOnlyWorksheet, fen: int | None) -> Any:
    """Yuan as a number; nothing where there is no amount."""
    from openpyxl.cell import WriteOnlyCell

    if fen is None:
        return None
    cell = WriteOnlyCell(page, Decimal(int(fen)) / 100)
    cell.number_format = "0.00"
    return cell
