"""Bytes of HL7 as real senders make them: nothing is lost where the library alone loses it."""

from __future__ import annotations

import gzip
import re
import time

import hl7
import pytest
from hospital.reports.model import Unreadable
from report_readers.hl7_message import Message
from report_readers.hl7_report import read_hl7
from report_readers.hl7_text import Separators, Text, Unescape, messages, normalise
from report_readers.limits import Limits

from tests.unit.senders import LAB, lab, one

PLAIN = one(lab())


def same(content: bytes) -> bool:
    """Whether a message says what the plain one says."""
    found = one(content)
    return (found.items, found.patient, found.titles, found.conclusion) == (
        PLAIN.items, PLAIN.patient, PLAIN.titles, PLAIN.conclusion)


@pytest.mark.parametrize("end", ["\r", "\n", "\r\n", "\r\r", "\n\n", "\r\n\r\n", "\n\r", "\r \r"])
def test_any_line_end_says_the_same(end: str) -> None:
    assert same(lab(("\r", end)))


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_bare_python_hl7_loses_results_at_line_feeds(end: str) -> None:
    parsed = hl7.parse(LAB.replace("\r", end))
    with pytest.raises(KeyError):
        parsed.segments("OBX")


@pytest.mark.parametrize(("before", "after"), [
    (b"\x0b", b"\x1c\r"), (b"\x0b", b"\x1c"), (b"\xef\xbb\xbf", b""), (b"\x0b\xef\xbb\xbf", b"\x1c\r"),
    (b"\r\n \t", b"\r\n\r\n"), (b"", b"\x00")])
def test_frames_marks_and_blanks_around_a_message_are_nothing(before: bytes, after: bytes) -> None:
    assert same(before + lab() + after)


def test_bare_python_hl7_fails_at_a_mark_of_byte_order() -> None:
    with pytest.raises(hl7.HL7Exception):
        hl7.parse(b"\xef\xbb\xbf" + lab())


@pytest.mark.parametrize(("declared", "charset"), [
    ("UNICODE UTF-8", "utf-8"), ("UTF-8", "utf-8"), ("unicode utf-8", "utf-8"), ("UNICODE", "utf-8"), ("", "utf-8"),
    ("GB 18030-2000", "gb18030"), ("GBK", "gbk"), ("GB2312", "gb2312"), ("", "gb18030"), ("ASCII", "gb18030"),
    ("8859/1", "utf-8"), ("NOBODY KNOWS", "gb18030"), ("UNICODE UTF-8", "gb18030"),
    ("GB18030~UNICODE UTF-8", "gb18030")])
def test_characters_are_read_by_what_is_told_else_by_what_they_are(declared: str, charset: str) -> None:
    assert same(lab(("UNICODE UTF-8", declared)).decode().encode(charset))


@pytest.mark.parametrize("charset", ["utf-16", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("end", ["", "\n"])
def test_two_bytes_a_character_are_seen(charset: str, end: str) -> None:
    assert same((lab().decode() + end).encode(charset))


def test_a_mark_of_byte_order_says_more_than_msh_18() -> None:
    assert same(b"\xef\xbb\xbf" + lab(("UNICODE UTF-8", "GBK")))


def test_traditional_characters_are_read_as_told() -> None:
    content = lab(("UNICODE UTF-8", "BIG-5"), ("张^三", "張^三")).decode()
    content = re.sub("[^\x00-\x7f張三]", "", content)
    assert one(content.encode("big5")).patient.name == "張三"


def test_bytes_that_are_no_characters_are_refused_by_the_field_s_name() -> None:
    with pytest.raises(Unreadable) as told:
        read_hl7(lab().replace("已复查".encode(), b"\xff\xff\xfe"))
    assert (told.value.reason, told.value.where) == ("charset", "MSH-18")


# -- separators -------------------------------------------------------------------------------------
@pytest.mark.parametrize("encoding", ["", "^", "^~", "^~\\", "^~\\&", "^~\\&#", "^~^&"])
def test_an_unusual_msh_2_is_filled_up_with_what_is_usual(encoding: str) -> None:
    assert same(lab(("|^~\\&|LIS", f"|{encoding}|LIS")))


def test_a_separator_told_twice_is_what_it_is_told_to_be_first() -> None:
    found = one(lab(("|^~\\&|LIS", "|^^\\&|LIS")))
    assert (found.items, found.patient.name) == (PLAIN.items, "张三")


def test_other_separators_than_the_usual_say_the_same() -> None:
    swap = str.maketrans("|^~\\&", "@!%$*")
    assert "@" not in LAB
    content = lab(("10*9/L", "10/L")).decode().translate(swap)
    found = one(content.encode())
    assert [(item.name, item.value) for item in found.items] == [(item.name, item.value) for item in PLAIN.items]
    assert found.patient == PLAIN.patient


def test_without_a_subcomponent_separator_an_ampersand_is_text() -> None:
    found = one(lab(("|^~\\&|LIS", "|^~\\|LIS"), ("血常规", "血常规&CRP"), ("李审核", "李审核")))
    assert found.titles == ("血常规&CRP",)
    assert found.auditor != "李审核"


@pytest.mark.parametrize(("header", "where"), [
    ("MSHA^~\\&A", "MSH-1"), ("MSH ^~\\&", "MSH-1"), ("MSH|abcd|", "MSH-2"), ("MSH|^~\\&#$%!@|", "MSH-2")])
def test_separators_that_are_letters_or_too_many_are_refused(header: str, where: str) -> None:
    with pytest.raises(Unreadable) as told:
        normalise(lab(("MSH|^~\\&|", header)))
    assert (told.value.reason, told.value.where) == ("separator", where)


# -- segments ---------------------------------------------------------------------------------------
def test_a_line_that_begins_no_segment_goes_on_with_the_text_before() -> None:
    found = one(lab(("已复查", "已复查\n请结合临床，\n随诊")))
    assert found.items[0].note == "已复查\n请结合临床，\n随诊"


@pytest.mark.parametrize("content", [b"", b" \r\n", b"\x0b\x1c\r"])
def test_nothing_is_no_message(content: bytes) -> None:
    with pytest.raises(Unreadable) as told:
        read_hl7(content)
    assert told.value.reason in ("empty", "no-header")


@pytest.mark.parametrize("content", [b"hello", b"PID|1\rMSH|^~\\&|", b"MSH", b"MSH|", b"{\"a\": 1}", b"\x00\x01\x02"])
def test_what_begins_with_no_header_is_refused(content: bytes) -> None:
    with pytest.raises(Unreadable):
        read_hl7(content)


def test_messages_in_one_piece_are_told_apart() -> None:
    first, second = lab(), lab(("M0001", "M0002"), ("L0001", "L0002"))
    for content in (b"\x0b" + first + b"\x1c\r\x0b" + second + b"\x1c\r", first + second, first + b"\n" + second,
                    b"FHS|^~\\&|A\rBHS|^~\\&|A\r" + first + second + b"BTS|2\rFTS|1\r"):
        found = messages(content)
        assert [one(part).version.id for part in found] == ["M0001", "M0002"]
    assert messages(first) == [first]


def test_two_messages_read_as_one_are_refused() -> None:
    with pytest.raises(Unreadable) as told:
        read_hl7(lab() + lab())
    assert told.value.reason == "several-messages"


# -- escapes ----------------------------------------------------------------------------------------
def unescaped(text: str, charset: str = "utf-8") -> str:
    return Unescape(Separators(), charset)(text)


@pytest.mark.parametrize(("sent", "meant"), [
    ("a\\F\\b\\S\\c\\T\\d\\R\\e\\E\\f", "a|b^c&d~e\\f"),
    ("a\\E\\R\\", "a\\R\\"), ("\\E\\F\\E\\", "\\F\\"), ("\\E\\\\E\\", "\\\\"),
    ("50\\5", "50\\5"), ("C:\\a\\T\\", "C:\\a&"), ("\\", "\\"), ("a\\", "a\\"), ("\\\\", "\\\\"),
    ("一\\.br\\二\\.BR\\三", "一\n二\n三"), ("完\\.br\\", "完\n"), ("a\\.sp2\\b\\.sp+1\\c\\.sp\\d", "a\n\nb\nc\nd"),
    ("a\\.sk3\\b", "a   b"), ("\\.in+4\\a\\.ti-2\\b\\.fi\\c\\.nf\\d", "abcd"), ("\\.ce\\题", "\n题"),
    ("\\H\\急\\N\\诊", "急诊"), ("D:\\H\\a", "D:\\H\\a"), ("a\\N\\b", "a\\N\\b"),
    ("\\XE5BCA0\\", "张"), ("\\XE5\\\\XBC\\\\XA0\\", "张"), ("\\xe5bca0\\", "张"), ("a\\X0D0A\\b", "a\nb"),
    ("a\\X000d\\b", "a\nb"), ("a\\X0d\\b", "a\nb"), ("\\X0\\", "\\X0\\"), ("\\XZZ\\", "\\XZZ\\"),
    ("\\X00\\", "\\X00\\"), ("\\X07\\", "\\X07\\"),
    ("\\Cxxyy\\", "\\Cxxyy\\"), ("\\C2842\\ \\M2842\\ \\Z1\\", "\\C2842\\ \\M2842\\ \\Z1\\"),
    ("a\\P\\b", "a\\P\\b"), ("\\Q\\", "\\Q\\")])
def test_an_escape_is_taken_back_and_what_is_none_stays(sent: str, meant: str) -> None:
    assert unescaped(sent) == meant


@pytest.mark.filterwarnings("ignore:The 'warn' method:DeprecationWarning")
@pytest.mark.parametrize("sent", ["50\\5", "a\\E\\R\\", "\\XE5BCA0\\", "\\C2842\\ \\M2842\\"])
def test_bare_python_hl7_loses_text_at_such_escapes(sent: str) -> None:
    assert hl7.parse(LAB).unescape(sent) != unescaped(sent)


def test_hexadecimal_is_in_the_message_s_own_characters() -> None:
    assert unescaped("\\XD5C5\\", "gb18030") == "张"
    assert unescaped("\\XD5C5\\", "utf-8") == "张"  # no UTF-8 it could be


def test_a_truncation_sign_is_one_only_where_it_is_declared() -> None:
    assert Unescape(Separators(truncation="#"), "utf-8")("a\\P\\b") == "a#b"


def test_an_escape_character_of_the_sender_s_own_is_the_only_one() -> None:
    own = Unescape(Separators(escape="!"), "utf-8")
    assert own("a!F!b\\F\\!E!") == "a|b\\F\\!"


# -- limits -----------------------------------------------------------------------------------------
def test_a_message_larger_than_any_honest_one_is_refused_also_compressed() -> None:
    small = Limits(message=len(lab()))
    assert normalise(lab(), small)
    assert normalise(gzip.compress(lab()), small)
    for content in (lab() + b" ", gzip.compress(lab() + b" "), gzip.compress(b"MSH|^~\\&|" + b"a" * 50_000_000)):
        with pytest.raises(Unreadable) as told:
            normalise(content, small)
        assert told.value.reason == "too-large"


@pytest.mark.parametrize("content", [gzip.compress(lab())[:-20], b"\x1f\x8b" + b"a" * 100])
def test_a_compressed_body_that_is_broken_is_refused(content: bytes) -> None:
    with pytest.raises(Unreadable) as told:
        normalise(content)
    assert told.value.reason == "compression"


def test_too_many_segments_results_or_reports_and_a_text_without_end_are_refused() -> None:
    many = lab(more="\n".join(f"OBX|{number}|ST|X{number}||1||||||F" for number in range(20)))
    for limits, reason in ((Limits(segments=20), "too-many"), (Limits(items=10), "too-many")):
        with pytest.raises(Unreadable) as told:
            read_hl7(many, limits)
        assert told.value.reason == reason
    orders = lab(more="\n".join(f"OBR|{number}||N{number}|X|||||||||||||||||||||F\nOBX|1|ST|A||1||||||F"
                                for number in range(5)))
    with pytest.raises(Unreadable):
        read_hl7(orders, Limits(reports=3))
    with pytest.raises(Unreadable) as told:
        read_hl7(lab(("西湖区1号", "长" * 200)), Limits(text=100))
    assert told.value.reason == "too-long"
    assert len(read_hl7(orders)) == 6


def test_neither_broken_lines_nor_broken_marks_make_reading_slow() -> None:
    began = time.process_time()
    assert len(read_hl7(lab(("已复查", "x\r" * 400_000)))[0].items[0].note) == 800_000 - 1
    assert "\\H\\" in unescaped("\\H\\" * 200_000)
    assert time.process_time() - began < 60  # it takes one second, and took hours when each was done again for all


def test_too_many_texts_without_a_place_are_refused_over_all_reports_together() -> None:
    other = "OBR|2||L2|X" + "|" * 21 + "F\nOBX|1|ST|A||1||||||F"
    content = lab(more="\n".join([other, *["ZZZ|1|2|3|4"] * 10]))
    notes = sum(len(report.notes) for report in read_hl7(content))
    assert read_hl7(content, Limits(notes=notes))
    with pytest.raises(Unreadable) as told:
        read_hl7(content, Limits(notes=notes - 1))
    assert (told.value.reason, told.value.where) == ("too-many", "message")


def test_what_nobody_took_is_told_by_its_place() -> None:
    segment = Message(Text("MSH|^~\\&|A\rZZZ|1^2|x~y^z", Separators(), "utf-8")).segments[1]
    assert segment.take(1, 1) == "2"
    assert [(note.where, note.text) for note in segment.rest()] == [
        ("ZZZ[1]-1.1", "1"), ("ZZZ[1]-2", "x"), ("ZZZ[1]-2(2).1", "y"), ("ZZZ[1]-2(2).2", "z")]
