"""A bill as it looks: the form of a medical e-bill as PDF and as a picture, and its QR code.

Every sheet says in grey that it is a specimen: it looks like a fiscal bill and must never pass for one.
"""

from __future__ import annotations

import base64
import io
import threading
from functools import lru_cache
from typing import Any

import pymupdf
import segno

from sandbox.ebill.capitals import capitals
from sandbox.ebill.model import BEIJING, NORMAL, Bill, Line, yuan
from sandbox.ebill.pen import BLACK, BROWN, GREY, RED, Pen

WIDE, HIGH = 680.0, 420.0
_LEFT, _RIGHT = 34.0, WIDE - 34.0
_HEAD, _ROW, _ROWS = 18.0, 16.0, 7
_TOP = 132.0  # upper edge of the table
_TOTAL = _TOP + _HEAD + _ROW * _ROWS
_OTHER = _TOTAL + 22
_BOTTOM = _OTHER + 70
_LIST_ROWS = 19
_COLUMNS = (("项目名称", 134.0, "left"), ("数量/单位", 60.0, "centre"), ("金额（元）", 66.0, "right"),
            ("备注", 46.0, "centre"))
_LIST_COLUMNS = (("序号", 34.0, "centre"), ("类别", 92.0, "left"), ("项目名称", 246.0, "left"),
                 ("单位", 44.0, "centre"), ("单价", 66.0, "right"), ("数量", 54.0, "right"),
                 ("金额（元）", 76.0, "right"))
_library: Any = pymupdf
_drawing = threading.Lock()  # PyMuPDF must not be used by two threads at once


def pdf(bill: Bill, hospital: str, province: str) -> bytes:
    """The bill, followed by its itemised list, as a PDF."""
    with _drawing:
        document = _drawn(bill, hospital, province)
        document.subset_fonts()
        content: bytes = document.tobytes(garbage=3, deflate=True, no_new_id=True)
        document.close()
    return content


def picture(bill: Bill, hospital: str, province: str) -> bytes:
    """The bill's face as a PNG at 150 dots an inch."""
    with _drawing:
        document = _drawn(bill, hospital, province, face_only=True)
        content: bytes = document[0].get_pixmap(dpi=150).tobytes("png")
        document.close()
    return content


def qr_base64(bill: Bill) -> str:
    """The bill's QR code as a PNG in base64."""
    return base64.b64encode(_qr(_qr_text(bill))).decode()


def _qr_text(bill: Bill) -> str:
    day = bill.created_at.astimezone(BEIJING)
    return f"01,06,{bill.batch_code},{bill.number},{yuan(bill.total_fen)},{day:%Y%m%d},{bill.random}"


@lru_cache(maxsize=2048)
def _qr(text: str) -> bytes:
    out = io.BytesIO()
    segno.make(text, error="m", micro=False).save(out, kind="png", scale=4, border=1)
    return out.getvalue()


def _drawn(bill: Bill, hospital: str, province: str, *, face_only: bool = False) -> Any:
    document, font = _library.open(), _library.Font("china-s")
    document.set_metadata({"title": province + bill.name, "author": hospital})
    form = _form(hospital, province)
    _face(_printed_on(document, font, form, 0), bill, hospital, province)
    if not face_only:
        pages = [bill.details[first:first + _LIST_ROWS] for first in range(0, len(bill.details), _LIST_ROWS)]
        for place, lines in enumerate(pages):
            pen = _printed_on(document, font, form, 1)
            _list_page(pen, bill, hospital, lines, place, len(pages))
    return document


@lru_cache(maxsize=8)
def _form(hospital: str, province: str) -> Any:
    """What is the same on every bill and takes longest to draw: a face's specimen and seals, a list's specimen."""
    document, font = _library.open(), _library.Font("china-s")
    for face in (True, False):
        pen = Pen(document.new_page(width=WIDE, height=HIGH), font)
        for x, y in ((150, 205), (500, 205), (325, 330)):
            pen.turned(x, y, "样票 · 沙箱环境 · 无效", 20, -18, GREY, 0.45)
        if face:
            pen.seal(WIDE / 2, 44, 52, 31, f"{province}财政票据", [("监制章（样）", 6.5, 26)])
            pen.seal(_LEFT + 292, _BOTTOM + 29, 33, 33, hospital, [("收费专用章（样）", 6, 18)], star=True)
        pen.finish()
    document.subset_fonts()
    return document


def _printed_on(document: Any, font: Any, form: Any, page: int) -> Pen:
    """A new page with the form's ``page`` under what is to come."""
    sheet = document.new_page(width=WIDE, height=HIGH)
    sheet.show_pdf_page(sheet.rect, form, page)
    return Pen(sheet, font)


def _face(pen: Pen, bill: Bill, hospital: str, province: str) -> None:
    _title(pen, bill, province)
    _table(pen, bill)
    _sum_and_facts(pen, bill)
    _foot(pen, bill, hospital)
    if bill.reverses:
        pen.stamp(WIDE / 2, _TOP + 78, "红 字", 34)
    elif bill.state != NORMAL:
        pen.stamp(WIDE / 2, _TOP + 78, "已 冲 红", 34)
    elif bill.paper:
        pen.stamp(WIDE / 2, _TOP + 78, "已换开纸质票据", 26)
    pen.finish()


def _title(pen: Pen, bill: Bill, province: str) -> None:
    pen.image(_LEFT, 16, 62, _qr(_qr_text(bill)))
    title = f"{province}{bill.name}"
    size = 21.0
    half = pen.width(title, size) / 2
    pen.text(WIDE / 2 - half, 51, title, size, colour=BROWN)
    pen.line(WIDE / 2 - half - 12, 60, WIDE / 2 + half + 12, 60, 1.0)
    pen.line(WIDE / 2 - half - 12, 62.5, WIDE / 2 + half + 12, 62.5, 0.5)
    if bill.reverses:
        pen.text(WIDE / 2 + half + 10, 50, "（红字）", 15, colour=RED)
    day = bill.created_at.astimezone(BEIJING)
    rows = (
        (("票据代码：", bill.batch_code), ("票据号码：", bill.number)),
        (("交款人统一社会信用代码：", _masked(bill.facts["cardNo"])), ("校验码：", bill.random)),
        (("交款人：", bill.payer), ("开票日期：", f"{day:%Y-%m-%d}")),
    )
    for place, row in enumerate(rows):
        y = 92 + place * 16
        for x, room, (label, value) in zip((_LEFT + 2, WIDE - 214), (390.0, 178.0), row, strict=True):
            start = pen.width(label, 9.5)
            pen.text(x, y, label, 9.5, colour=BROWN)
            pen.text(x + start, y, value, 9.5, room=room - start)


def _table(pen: Pen, bill: Bill) -> None:
    pen.box(_LEFT, _TOP, _RIGHT, _BOTTOM, 1.2)
    pen.line(_LEFT, _TOP + _HEAD, _RIGHT, _TOP + _HEAD)
    middle = (_LEFT + _RIGHT) / 2
    pen.line(middle, _TOP, middle, _TOTAL)
    for half in (_LEFT, middle):
        x = half
        for name, room, _ in _COLUMNS:
            pen.text(x, _TOP + 13, name, 9, room=room, align="centre", colour=BROWN)
            x += room
            if x < half + sum(column[1] for column in _COLUMNS):
                pen.line(x, _TOP, x, _TOTAL, 0.4)
    for place, line in enumerate(_printed(bill.charges)):
        x = (_LEFT, middle)[place % 2]
        y = _TOP + _HEAD + (place // 2) * _ROW + 11.5
        cells = (line.name, f"{line.number}/{line.unit}" if line.unit else "", yuan(line.amount_fen), line.remark)
        for (_, room, align), cell in zip(_COLUMNS, cells, strict=True):
            pen.text(x + 4, y, cell, 8.5, room=room - 8, align=align, colour=RED if bill.reverses else BLACK)
            x += room


def _printed(charges: list[Line]) -> list[Line]:
    """The lines that fit; the last takes together what does not."""
    most = 2 * _ROWS
    if len(charges) <= most:
        return charges
    rest = charges[most - 1:]
    return [*charges[:most - 1], Line("", f"其余{len(rest)}项（见清单）", "", "", "",
                                      sum(line.amount_fen for line in rest))]


def _sum_and_facts(pen: Pen, bill: Bill) -> None:
    pen.line(_LEFT, _TOTAL, _RIGHT, _TOTAL)
    pen.line(_LEFT, _OTHER, _RIGHT, _OTHER)
    colour = RED if bill.reverses else BLACK
    pen.text(_LEFT + 6, _TOTAL + 15, "金额合计（大写）", 9.5, colour=BROWN)
    pen.text(_LEFT + 92, _TOTAL + 15, capitals(bill.total_fen), 10, room=300, colour=colour)
    pen.text(WIDE - 214, _TOTAL + 15, "（小写）", 9.5, colour=BROWN)
    pen.text(WIDE - 172, _TOTAL + 15, f"¥{yuan(bill.total_fen)}", 10, room=136, colour=colour)
    pen.line(_LEFT + 24, _OTHER, _LEFT + 24, _BOTTOM, 0.5)
    for place, letter in enumerate("其他信息"):
        pen.text(_LEFT, _OTHER + 17 + place * 14, letter, 9.5, room=24, align="centre", colour=BROWN)
    quarter = (_RIGHT - _LEFT - 24) / 4
    column = row = 0
    for label, value, columns in _facts(bill):
        x, y, room = _LEFT + 30 + column * quarter, _OTHER + 12.5 + row * 13.2, columns * quarter - 8
        start = pen.width(label, 7.8)
        pen.text(x, y, label, 7.8, colour=BROWN)
        pen.text(x + start, y, value, 7.8, room=room - start)
        row, column = divmod(row * 4 + column + columns, 4)


def _facts(bill: Bill) -> list[tuple[str, str, int]]:
    """Labelled texts with the columns they take, four columns a row."""
    facts, parts, reverses = bill.facts, bill.parts, bill.reverses
    insurance = parts["accountPay"] + parts["fundPay"] + parts["otherfundPay"]
    stay = f"{facts['inHospitalDate']}至{facts['outHospitalDate']}" if facts["inHospitalDate"] else ""
    inpatient = bill.kind == "住院"
    shown = [
        ("业务流水号：", bill.bus_no, 2), ("住院号：" if inpatient else "门诊号：", facts["patientNo"], 1),
        ("住院时间：" if inpatient else "就诊日期：", stay if inpatient else facts["consultationDate"], 1),
        ("科室：", facts["patientCategory"], 1), ("医疗机构类型：", facts["medicalInstitution"], 1),
        ("性别：", facts["sex"], 1), ("年龄：", facts["age"], 1),
        ("医保类型：", facts["medicalCareType"] or "全自费", 1),
        ("医保编号：", _masked(facts["medicalInsuranceID"]), 1),
        ("医保统筹基金支付：", yuan(parts["fundPay"]), 1), ("其他支付：", yuan(parts["otherfundPay"]), 1),
        ("个人账户支付：", yuan(parts["accountPay"]), 1), ("个人现金支付：", yuan(bill.total_fen - insurance), 1),
        ("个人自付：", yuan(parts["selfPayAmt"]), 1), ("个人自费：", yuan(parts["ownPay"]), 1),
    ]
    if reverses:
        return [*shown, ("原票据：", f"{reverses.batch_code} {reverses.number}", 2), ("备注：", facts["remark"], 2)]
    return [*shown, ("备注：", facts["remark"], 4)]


def _foot(pen: Pen, bill: Bill, hospital: str) -> None:
    y = _BOTTOM + 20
    for x, room, label, value in ((_LEFT + 2, 252.0, "收款单位（章）：", hospital),
                                  (WIDE / 2 + 40, 120.0, "复核人：", bill.facts["checker"] or bill.facts["author"]),
                                  (WIDE - 170, 134.0, "收款人：", bill.facts["payee"])):
        start = pen.width(label, 9.5)
        pen.text(x, y, label, 9.5, colour=BROWN)
        pen.text(x + start, y, value, 9.5, room=room - start)


def _list_page(pen: Pen, bill: Bill, hospital: str, lines: list[Line], page: int, pages: int) -> None:
    colour = RED if bill.reverses else BLACK
    pen.text(_LEFT, 38, f"医疗{bill.kind}收费明细清单", 16, room=_RIGHT - _LEFT, align="centre", colour=BROWN)
    pen.text(_LEFT, 58, f"票据代码：{bill.batch_code}    票据号码：{bill.number}    交款人：{bill.payer}", 9, room=430)
    pen.text(_RIGHT - 150, 58, f"第{page + 1}页/共{pages}页", 9, room=150, align="right")
    top, bottom = 66.0, 66 + _HEAD + _ROW * len(lines)
    pen.box(_LEFT, top, _RIGHT, bottom, 1.0)
    x = _LEFT
    for name, room, _ in _LIST_COLUMNS:
        pen.text(x, top + 13, name, 9, room=room, align="centre", colour=BROWN)
        if x > _LEFT:
            pen.line(x, top, x, bottom, 0.4)
        x += room
    for place, line in enumerate(lines):
        y = top + _HEAD + place * _ROW
        pen.line(_LEFT, y, _RIGHT, y, 0.4)
        x = _LEFT
        cells = (str(page * _LIST_ROWS + place + 1), line.group, line.name, line.unit, line.price, line.number,
                 yuan(line.amount_fen))
        for (_, room, align), cell in zip(_LIST_COLUMNS, cells, strict=True):
            pen.text(x + 4, y + 11.5, cell, 8.5, room=room - 8, align=align, colour=colour)
            x += room
    pen.text(_LEFT, HIGH - 18, hospital, 8.5)
    if page == pages - 1:
        total = sum(line.amount_fen for line in bill.details)
        pen.text(_RIGHT - 250, HIGH - 18, f"合计：¥{yuan(total)}", 9.5, room=250, align="right", colour=colour)
    pen.finish()


def _masked(number: str) -> str:
    """A number with its middle hidden."""
    return number if len(number) < 8 else f"{number[:4]}{'*' * (len(number) - 8)}{number[-4:]}"
