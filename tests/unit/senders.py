"""Messages of invented senders in Chinese, and what the tests ask of a report."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from typing import Any

import msgspec
from hospital.reports.model import Item, Report
from report_readers.hl7_report import read_hl7

LAB = "\r".join([
    "MSH|^~\\&|LIS|青山医院|MINI|HOSPITAL|20261128093000||ORU^R01|M0001|P|2.4||||||UNICODE UTF-8",
    "PID|1|MZ0001|P0001^^^HIS^PI~330102199001011234^^^公安^NI||张^三||19900101|M|||西湖区1号",
    "PV1|1|O|内科门诊||||||||||||||||V0001",
    "ORC|RE|O0001|L0001",
    "OBR|1|O0001|L0001|CBC^血常规^L|||20261128080000|||||||20261128081500||||||||20261128092000||HM|F"
    "|||||||0123&王检验|0456&李审核",
    "OBX|1|NM|WBC^白细胞计数^L||12.50|10*9/L|3.5-9.5|H|||F|||20261128091000",
    "NTE|1||已复查",
    "OBX|2|NM|HGB^血红蛋白^L||135|g/L|130-175|N|||F", ""])


def lab(*changes: tuple[str, str], more: str = "") -> bytes:
    """The laboratory's message with texts changed, and segments added (a line each)."""
    text = LAB + more.strip().replace("\n", "\r") + "\r"
    for before, after in changes:
        assert before in text
        text = text.replace(before, after)
    return text.encode()


def one(content: bytes) -> Report:
    """The only report of a message."""
    found = read_hl7(content)
    assert len(found) == 1
    return found[0]


def message(*segments: str) -> bytes:
    """The laboratory's header, patient and order, with these segments below."""
    return "\r".join([*LAB.split("\r")[:5], *segments, ""]).encode()


def item(*fields: str) -> Item:
    """The only item of an OBX, whose fields from OBX-2 on are given."""
    found = one(message("|".join(["OBX", "1", *fields])))
    assert len(found.items) == 1
    return found.items[0]


def texts(report: Report) -> Iterator[str]:
    """Every text in a report."""
    yield from _texts(msgspec.structs.asdict(report))


def _texts(node: Any) -> Iterator[str]:
    if isinstance(node, str):
        yield node
    elif isinstance(node, msgspec.Struct):
        yield from _texts(msgspec.structs.asdict(node))
    elif isinstance(node, dict):
        for child in node.values():
            yield from _texts(child)
    elif isinstance(node, tuple):
        for child in node:
            yield from _texts(child)
    else:
        assert node is None or isinstance(node, bytes | int | bool | Decimal | datetime)
