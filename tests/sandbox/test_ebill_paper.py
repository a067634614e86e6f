"""E-bills on paper: amounts in capitals, the PDF with its list, the picture, the QR code, and who may see them."""

from __future__ import annotations

import base64
from collections import deque
from dataclasses import replace
from datetime import datetime
from typing import Any

import pymupdf
import pytest
import requests
from flask import Flask

from sandbox.clock import Clock
from sandbox.ebill import EBill, paper
from sandbox.ebill.capitals import capitals
from sandbox.ebill.model import BEIJING, Bill, Line, yuan
from sandbox.faults import Faults
from sandbox.system import World

library: Any = pymupdf


@pytest.fixture(scope="module")
def ebill() -> EBill:
    clock = Clock()
    clock.set(datetime(2026, 11, 23, 9, 30, tzinfo=BEIJING))
    system = EBill(World(clock, Faults(), deque()), app_id="A", key="K")
    system.serve()
    return system


@pytest.fixture(scope="module")
def control(ebill: EBill) -> Any:
    app = Flask("control")
    app.register_blueprint(ebill.control, url_prefix="/ebill")
    return app.test_client()


def sheet(charges: int, details: int) -> Bill:
    facts = dict.fromkeys(("sex", "age", "patientNo", "caseNumber", "patientCategory", "consultationDate",
                           "medicalInstitution", "medicalCareType", "medicalInsuranceID", "inHospitalDate",
                           "outHospitalDate", "payee", "checker", "author", "remark"), "")
    lines = [Line(str(one), f"项目{one}", "项", "1.00", "1", 100 + one) for one in range(charges)]
    items = [Line("0", f"明细{one}", "盒", "1.00", "1", 100, group="项目0") for one in range(details)]
    at = datetime(2026, 11, 23, 9, tzinfo=BEIJING)
    parts = dict.fromkeys(("accountPay", "fundPay", "otherfundPay", "ownPay", "selfPayAmt"), 0)
    total = sum(line.amount_fen for line in lines)
    return Bill("33060126", "0000000001", "a1b2c3", "门诊", "B" * 50, "02", at, "001", at, total, "赵试", lines, items,
                {"05": total}, parts, {**facts, "cardNo": "330102198001011234"}, "token")


def text_of(content: bytes) -> list[str]:
    """Each page's text: as drawn (turned words whole), then by lines (labels beside their values)."""
    return ["".join((page.get_text() + page.get_text(sort=True)).split())
            for page in library.open(stream=content, filetype="pdf")]


@pytest.mark.parametrize(("fen", "words"), [
    (12345, "壹佰贰拾叁元肆角伍分"), (0, "零元整"), (5, "伍分"), (50, "伍角整"), (1000, "壹拾元整"),
    (140950, "壹仟肆佰零玖元伍角整"), (600714, "陆仟零柒元壹角肆分"), (168032, "壹仟陆佰捌拾元零叁角贰分"),
    (10700053, "壹拾万柒仟元零伍角叁分"), (1640902, "壹万陆仟肆佰零玖元零贰分"), (32504, "叁佰贰拾伍元零肆分"),
    (100000100, "壹佰万零壹元整"), (10000000000, "壹亿元整"), (10100000000, "壹亿零壹佰万元整"),
    (10000000100, "壹亿零壹元整"), (2000100000, "贰仟万壹仟元整"), (-12345, "负壹佰贰拾叁元肆角伍分"),
    (10**14 - 1, "玖仟玖佰玖拾玖亿玖仟玖佰玖拾玖万玖仟玖佰玖拾玖元玖角玖分"),
])
def test_amounts_in_capitals_follow_the_rules_for_payment_instruments(fen: int, words: str) -> None:
    assert capitals(fen) == words


def test_an_amount_too_large_for_a_bill_has_no_capitals() -> None:
    with pytest.raises(ValueError, match="too large"):
        capitals(10**14)


def test_fen_become_yuan_with_their_sign() -> None:
    assert [yuan(fen) for fen in (0, 5, 12345, -5, -12300)] == ["0.00", "0.05", "123.45", "-0.05", "-123.00"]


def test_the_pdf_shows_numbers_payer_items_both_amounts_and_that_it_is_a_specimen() -> None:
    face, items = text_of(paper.pdf(sheet(3, 2), "示范医院", "浙江省"))
    for shown in ("浙江省医疗门诊收费票据（电子）", "票据代码：33060126", "票据号码：0000000001", "校验码：a1b2c3",
                  "开票日期：2026-11-23", "交款人：赵试", "项目2", "1.02", "叁元零叁分", "¥3.03", "样票", "B" * 50,
                  "收费专用章"):
        assert shown in face, shown
    assert "19800101" not in face
    assert "明细1" in items


def test_charges_that_do_not_fit_are_summed_in_the_last_line_and_the_list_runs_on() -> None:
    pages = text_of(paper.pdf(sheet(20, 40), "示范医院", "浙江省"))
    assert len(pages) == 4
    assert "其余7项（见清单）" in pages[0]
    assert yuan(sum(100 + one for one in range(13, 20))) in pages[0]
    assert "第3页/共3页" in pages[3]


def test_reversed_red_and_printed_bills_say_so() -> None:
    black = sheet(1, 0)
    red = replace(black, number="0000000002", total_fen=-100, reverses=black)
    assert "红字" in text_of(paper.pdf(red, "示范医院", "浙江省"))[0]
    assert "已冲红" in text_of(paper.pdf(replace(black, red=red), "示范医院", "浙江省"))[0]
    assert "已换开纸质票据" in text_of(paper.pdf(replace(black, paper=("1", "2")), "示范医院", "浙江省"))[0]
    plain = text_of(paper.pdf(black, "示范医院", "浙江省"))[0]
    assert "已" not in plain
    assert "红字" not in plain


def test_no_text_of_a_full_bill_leaves_the_page_or_runs_over_its_neighbour() -> None:
    long = sheet(14, 0)
    long.facts.update(dict.fromkeys(long.facts, "很长的内容" * 12))
    content = paper.pdf(replace(long, payer="长" * 100), "示范医院", "浙江省")
    face = library.open(stream=content, filetype="pdf")[0]
    printed = [span["bbox"] for block in face.get_text("dict")["blocks"] for line in block.get("lines", [])
               for span in line["spans"] if span["color"] not in (0xD91414, 0xB8B8B8) and span["text"].strip()]
    assert len(printed) > 80
    for place, (x0, y0, x1, y1) in enumerate(printed):
        assert 0 <= x0 < x1 <= paper.WIDE
        assert 0 <= y0 < y1 <= paper.HIGH
        for left, top, right, bottom in printed[:place]:
            assert min(x1, right) - max(x0, left) < 1 or min(y1, bottom) - max(y0, top) < 4, (x0, y0, left, top)


def test_the_same_bill_is_the_same_pdf_to_the_byte() -> None:
    assert paper.pdf(sheet(2, 1), "示范医院", "浙江省") == paper.pdf(sheet(2, 1), "示范医院", "浙江省")


def test_picture_and_pdf_are_served_to_who_has_the_token_only(ebill: EBill, control: Any) -> None:
    made = control.post("/ebill/bills", json={"busNo": "DESK-1", "amount_fen": 501}).json
    for url, start, kind in ((made["pictureUrl"], b"\x89PNG", "image/png"),
                             (made["pdfUrl"], b"%PDF", "application/pdf")):
        answer = requests.get(url, timeout=20)
        assert (answer.status_code, answer.headers["Content-Type"]) == (200, kind)
        assert answer.content.startswith(start)
        address = url.partition("?")[0]
        for wrong in (address, f"{address}?token=", f"{address}?token={'0' * 32}", url.replace("000001", "000009")):
            assert requests.get(wrong, timeout=5).status_code == 404


def test_the_qr_code_is_a_png() -> None:
    assert base64.b64decode(paper.qr_base64(sheet(1, 0))).startswith(b"\x89PNG")
