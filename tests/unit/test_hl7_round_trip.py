"""Whatever a sender writes, with whatever separators, line ends and characters: every text is found in the report."""

from __future__ import annotations

from dataclasses import dataclass

from hospital.reports.model import Report
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from report_readers.hl7_report import read_hl7
from report_readers.hl7_text import Separators, Unescape

from tests.unit.senders import texts

PUNCTUATION = "|^~\\&#$%!@*;:,?=+<>{}[]/"
# Every character that GB18030 and UTF-8 both have, but for control characters and the private ones.
LETTERS = st.characters(exclude_categories=["Cs", "Cc", "Co", "Cn"])
WORDS = st.text(LETTERS, min_size=1, max_size=12).map(str.strip).filter(lambda text: text and text != '""')
PROSE = st.lists(WORDS, min_size=1, max_size=3).map("\n".join)


@dataclass(frozen=True)
class Sender:
    """How somebody writes HL7."""

    field: str
    component: str
    repetition: str
    escape: str
    subcomponent: str
    charset: str
    end: str
    before: bytes
    after: bytes

    def text(self, text: str) -> str:
        """A text, escaped."""
        signs = {self.field: "F", self.component: "S", self.repetition: "R", self.escape: "E", self.subcomponent: "T"}
        out = "".join(f"{self.escape}{signs[char]}{self.escape}" if char in signs else char for char in text)
        return out.replace("\n", f"{self.escape}.br{self.escape}")

    def segment(self, *fields: str | list[str]) -> str:
        """A segment of texts, or of lists of components."""
        return self.field.join(self.component.join(map(self.text, one)) if isinstance(one, list) else self.text(one)
                               for one in fields)

    def message(self, *segments: str) -> bytes:
        """The bytes that go over the wire."""
        told = {"utf-8": "UNICODE UTF-8", "gb18030": "GB 18030-2000", "utf-16": "UNICODE UTF-16"}[self.charset]
        encoding = self.component + self.repetition + self.escape + self.subcomponent
        rest = self.segment("LIS", "HOSPITAL", "", "", "20261128", "", ["ORU", "R01"], "M1", "P", "2.4", *[""] * 5,
                            told)
        text = self.end.join([f"MSH{self.field}{encoding}{self.field}{rest}", *segments, ""])
        return self.before + text.encode(self.charset) + self.after


@st.composite
def senders(draw: st.DrawFn) -> Sender:
    """Somebody."""
    signs = draw(st.permutations(PUNCTUATION))[:5]
    charset = draw(st.sampled_from(["utf-8", "gb18030", "utf-16"]))
    frame = draw(st.sampled_from([(b"", b""), (b"\x0b", b"\x1c\r"), (b"\xef\xbb\xbf", b""), (b"\r\n", b"\n")]))
    return Sender(*signs, charset, draw(st.sampled_from(["\r", "\n", "\r\n", "\r\r", "\n\n"])),
                  *(frame if charset == "utf-8" else (b"", b"")))


def found(report: Report, text: str) -> bool:
    """Whether a text stands in the report."""
    return any(text in one for one in texts(report))


MANY = settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])


@MANY
@given(senders(), st.lists(WORDS, min_size=12, max_size=12), PROSE, PROSE)
def test_every_text_of_a_message_is_found_in_its_report(
        sender: Sender, words: list[str], prose: str, other: str) -> None:
    (name, given_name, number, title, code, item, note, unknown, status, address, method, mark) = words
    (report,) = read_hl7(sender.message(
        sender.segment("PID", "1", "", ["P1", "", "", "HIS"], "", [name, given_name], *[""] * 5, [address, "x"]),
        sender.segment("OBR", "1", "", [number, "LIS"], [code, title, "L"], *[""] * 20, "F"),
        sender.segment("OBX", "1", "FT", ["T", item, "L"], mark, prose, "", "", "", "", "", "F"),
        sender.segment("NTE", "1", "", note),
        sender.segment("OBX", "2", "CE", ["C", item, "L", "", "", "", "", "", method], "", [code, other], *[""] * 5,
                       "F", "", "", "", "", "", ["", method]),
        sender.segment("ZZZ", unknown, ["", status, "y"])))
    for text in (*words, prose, other, "HIS"):
        assert found(report, text)
    assert report.items[0].value is not None
    assert report.items[0].value.text == prose
    assert report.titles == (title,)
    assert report.number == number


@MANY
@given(senders(), PROSE)
def test_an_escaped_text_comes_back_as_it_was(sender: Sender, text: str) -> None:
    separators = Separators(sender.field, sender.component, sender.repetition, sender.escape, sender.subcomponent)
    assert Unescape(separators, "utf-8")(sender.text(text)) == text


@MANY
@given(st.text(st.sampled_from("ab\\张 .XFSTREHNCMZ05br"), max_size=20))
def test_of_a_text_that_was_never_escaped_every_letter_that_is_no_command_stays(text: str) -> None:
    read = Unescape(Separators(), "utf-8")(text)
    assert read.count("张") == text.count("张")
    assert read.count(" ") >= text.count(" ")
    if "\\" not in text:
        assert read == text


@MANY
@given(senders(), st.lists(st.tuples(st.sampled_from(["ST", "TX", "NM", "SN", "CE", "CWE", "DT", "TS", "XX", ""]),
                                     st.lists(WORDS, min_size=1, max_size=4)), min_size=1, max_size=5))
def test_components_of_any_type_of_value_are_found(sender: Sender, values: list[tuple[str, list[str]]]) -> None:
    (report,) = read_hl7(sender.message(
        sender.segment("OBR", "1", "", "N", "T", *[""] * 20, "F"),
        *(sender.segment("OBX", str(at), kind, [f"C{at}"], "", parts, "", "", "", "", "", "F")
          for at, (kind, parts) in enumerate(values)),
        sender.segment("OBX", "9", "ST", "E", "", "1", "", "", "", "", "", "F")))
    for _, parts in values:
        for part in parts:
            assert found(report, part)
