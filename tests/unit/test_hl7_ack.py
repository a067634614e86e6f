"""The answer to a message: in the sender's separators and characters, with the place and never a value."""

from __future__ import annotations

from datetime import datetime, timezone

import hl7
import pytest
from hospital.reports.model import Contradictory, NotTaken, Unreadable
from report_readers.hl7_ack import acknowledge, answer_to
from report_readers.hl7_report import read_hl7
from report_readers.hl7_text import messages

from tests.unit.senders import LAB, lab

NOW = datetime(2026, 11, 28, 1, 30, tzinfo=timezone.utc)


def answered(content: bytes, problem: NotTaken | None = None) -> list[list[str]]:
    """An answer's segments in fields, MSH-1 counted."""
    text = acknowledge(content, problem, NOW, "A1").decode()
    assert text.endswith("\r")
    lines = [line.split("|") for line in text[:-1].split("\r")]
    lines[0].insert(1, "|")
    return lines


def test_a_report_that_is_taken_is_acknowledged_by_its_own_number() -> None:
    header, acknowledged = answered(lab())
    assert header[1:13] == ["|", "^~\\&", "MINI", "HOSPITAL", "LIS", "青山医院", "20261128093000+0800", "", "ACK^R01",
                            "A1", "P", "2.4"]
    assert header[18] == "UNICODE UTF-8"
    assert acknowledged == ["MSA", "AA", "M0001"]


def test_a_problem_is_told_with_its_place_as_the_version_has_it() -> None:
    problem = Contradictory("status-unknown", "OBX[3]-11", "the status | is not among the codes")
    _, acknowledged, error = answered(lab(("|P|2.4|", "|P|2.5.1|")), problem)
    assert acknowledged[:3] == ["MSA", "AE", "M0001"]
    assert error == ["ERR", "", "OBX^3^11", "103^Table value not found^HL70357", "E", "status-unknown", "", "",
                     "the status \\F\\ is not among the codes"]
    *_, error = answered(lab(), problem)
    assert error == ["ERR", "OBX^3^11^103&Table value not found&HL70357"]


@pytest.mark.parametrize(("reason", "answer"), [
    ("not-a-report", "AR"), ("version", "AR"), ("processing-unknown", "AR"), ("status-unknown", "AE"),
    ("base64", "AE")])
def test_what_is_never_for_us_is_rejected_and_what_can_be_mended_is_an_error(reason: str, answer: str) -> None:
    assert answer_to(Unreadable(reason, "", "")) == answer


def test_an_answer_is_in_the_sender_s_separators_and_characters() -> None:
    content = lab(("UNICODE UTF-8", "GBK")).decode().translate(str.maketrans("|^~\\&", "@!%$*"))
    answer = acknowledge(content.encode("gbk"), Unreadable("base64", "OBX[1]-5", "it's 50% @ best!"), NOW, "A@1")
    text = answer.decode("gbk")
    assert text.startswith("MSH@!%$*@MINI@HOSPITAL@LIS@青山医院@")
    assert "@A$F$1@" in text
    assert "50$R$ $F$ best$S$" in text


@pytest.mark.parametrize("encoding", ["", "^", "^~", "^~\\", "^^\\&"])
def test_no_separator_that_is_only_ours_leaves_us(encoding: str) -> None:
    sent = lab(("|^~\\&|LIS", f"|{encoding}|LIS"))
    answer = acknowledge(sent, Unreadable("x", "OBX-1", "a & b ^ c"), NOW, "A1").decode()
    assert not any("\ue000" <= char <= "\uf8ff" for char in answer)
    assert len(set(answer.split("|")[1])) == 4
    assert len(hl7.parse(answer).segments("MSA")) == 1


@pytest.mark.parametrize("content", [b"", b"hello", b"\xff\xfe\xff", b"MSH"])
def test_what_can_t_be_read_at_all_is_answered_too(content: bytes) -> None:
    with pytest.raises(NotTaken) as told:
        read_hl7(content)
    _, acknowledged, error = answered(content, told.value)
    assert (acknowledged[1], acknowledged[2], error[0]) == ("AE", "", "ERR")


def test_a_framed_answer_is_one_frame() -> None:
    answer = acknowledge(lab(), None, NOW, "A1", framed=True)
    assert answer.startswith(b"\x0bMSH")
    assert answer.endswith(b"\r\x1c\r")
    assert len(messages(answer)) == 1


def test_a_header_longer_than_the_standard_s_and_one_shorter_are_answered() -> None:
    short = LAB.replace("|20261128093000||ORU^R01|M0001|P|2.4||||||UNICODE UTF-8", "||||M9")
    header, acknowledged = answered(short.encode())
    assert (header[9], header[12], acknowledged[2]) == ("ACK", "2.5", "M9")
