"""From the bytes of an HL7 v2 message, as real senders make them, to the text that python-hl7 reads without loss.

python-hl7 loses every OBX when segments end with a line feed, fails at doubled line ends, a mark of byte order or other
character sets than UTF-8, and at an unusual MSH-2; its own unescape loses text. So all of that is settled here.
"""

from __future__ import annotations

import codecs
import re
from functools import lru_cache

from hospital.reports.model import Unreadable
from msgspec import Struct

from report_readers.limits import DEFAULT, Limits, at_most, unpacked

_FRAME = b"\x0b\x1c"  # MLLP
_MARKS = {codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}
_SEGMENT = re.compile(r"[A-Z][A-Z0-9]{2}")
_HEADER = re.compile(rb"(?:^|[\r\n])[ \t]*(?:\xef\xbb\xbf)?(MSH[^A-Za-z0-9\s])")
_BATCH = ("FHS", "BHS", "BTS", "FTS")
_UNUSED = "\ue000\ue001\ue002\ue003\ue004\ue005\ue006\ue007"  # for separators that the sender does not have
# Table 0211, and what else is written in MSH-18.
CHARSETS = {
    "UNICODE UTF-8": "utf-8", "UNICODE": "utf-8", "UTF-8": "utf-8", "UTF8": "utf-8", "ASCII": "utf-8",
    "UNICODE UTF-16": "utf-16", "UTF-16": "utf-16",
    "GB 18030-2000": "gb18030", "GB18030": "gb18030", "GB 18030": "gb18030", "GB18030-2000": "gb18030",
    "GBK": "gb18030", "GB2312": "gb18030", "GB 2312": "gb18030", "CP936": "gb18030",
    "BIG-5": "big5hkscs", "BIG5": "big5hkscs",
    "CNS 11643-1992": "big5hkscs", "KS X 1001": "euc_kr", "ISO IR87": "iso2022_jp", "ISO IR159": "iso2022_jp_1",
    **{f"8859/{number}": f"iso8859-{number}" for number in (1, 2, 3, 4, 5, 6, 7, 8, 9, 15)}}


class Separators(Struct, frozen=True):
    """One character each; a private one, which occurs nowhere, where the sender has none."""

    field: str = "|"
    component: str = "^"
    repetition: str = "~"
    escape: str = "\\"
    subcomponent: str = "&"
    truncation: str = ""

    @property
    def encoding(self) -> str:
        """MSH-2 of an answer; no private character leaves us."""
        told = (self.component, self.repetition, self.escape, self.subcomponent)
        free = iter(one for one in "^~\\&$%!@" if one not in (self.field, *told))
        return "".join(next(free) if one in _UNUSED else one for one in told) + self.truncation


class Text(Struct, frozen=True):
    """A message as text: segments end with a carriage return, MSH-2 holds exactly the four separators in use."""

    text: str
    separators: Separators
    charset: str  # Python's name of it


def messages(content: bytes) -> list[bytes]:
    """The single messages of what came in one piece: MLLP frames one after the other, a batch, or one alone."""
    pieces = [piece for piece in re.split(rb"\x1c\r?|\x0b", content) if piece.strip()]
    found: list[bytes] = []
    for piece in pieces:
        starts = [match.start(1) for match in _HEADER.finditer(piece)]
        ends = [*starts[1:], len(piece)]
        found += [piece[start:end] for start, end in zip(starts, ends, strict=True)] if starts else [piece]
    return found


def normalise(content: bytes, limits: Limits = DEFAULT) -> Text:
    """The text of one message. Raises Unreadable."""
    whole, charset = _decoded(unpacked(content, limits).lstrip(_FRAME + b" \t\r\n"))
    lines = _lines(whole.replace("\x1c", "").replace("\x0b", ""))
    if not lines or not lines[0].startswith("MSH") or len(lines[0]) < 5:
        raise Unreadable("no-header", "MSH", "the message does not begin with a header segment")
    if any(line.startswith("MSH" + lines[0][3]) for line in lines[1:]):
        raise Unreadable("several-messages", "MSH", "there is more than one message in one")
    at_most(len(lines), limits.segments, "segments", "message")
    separators, rest = _separators(lines[0], whole)
    inner = "".join((separators.component, separators.repetition, separators.escape, separators.subcomponent))
    lines[0] = f"MSH{separators.field}{inner}{separators.field}{rest}"
    return Text("\r".join(lines), separators, charset)


def _decoded(content: bytes) -> tuple[str, str]:
    for mark, name in _MARKS.items():
        if content.startswith(mark):  # says more than any field
            return _strictly(content, name), name.removesuffix("-sig")
    if content[:6:2] == b"MSH" or content[1:6:2] == b"MSH":  # two bytes a character, and no mark
        name = "utf-16-le" if content[1:2] == b"\x00" else "utf-16-be"
        return _strictly(content, name), name
    content = content.strip(_FRAME + b" \t\r\n\x00")
    charset = CHARSETS.get(" ".join(_declared(content).upper().split()), "")
    if charset.startswith("iso8859") and not content.isascii() and _fits(content, "utf-8"):
        charset = "utf-8"  # what is UTF-8 by its bytes is no Latin text: the sender's setting was never changed
    for name in (*([charset] if charset else []), "utf-8", "gb18030"):
        if _fits(content, name):
            return content.decode(name), name
    raise Unreadable("charset", "MSH-18", "the text is neither in the character set told nor in UTF-8 or GB18030")


def _strictly(content: bytes, charset: str) -> str:
    try:
        return content.decode(charset)
    except UnicodeDecodeError:
        raise Unreadable("charset", "MSH-18", "the text is not in its own character set") from None


def _fits(content: bytes, charset: str) -> bool:
    try:
        content.decode(charset)
    except UnicodeDecodeError:
        return False
    return True


def _declared(content: bytes) -> str:
    header = re.split(rb"[\r\n]", content, maxsplit=1)[0].decode("latin-1")
    fields = header.split(header[3]) if len(header) > 4 else []
    return re.split(r"[~^]", fields[17])[0].strip() if len(fields) > 17 else ""


def _lines(whole: str) -> list[str]:
    """The segments. A line that begins none goes on with the one before: somebody broke a text."""
    found: list[list[str]] = []
    separator = ""
    for line in re.split(r"[\r\n]+", whole):
        begun = line.lstrip(" \t\ufeff\x00")
        if not begun.strip() or begun[:3] in _BATCH:
            continue
        if not found:
            separator = begun[3:4]
            found.append([begun])
        elif _SEGMENT.match(begun) and begun[3:4] in (separator, ""):
            found.append([begun])
        else:
            found[-1].append(line)
    return ["\n".join(lines) for lines in found]


def _separators(header: str, whole: str) -> tuple[Separators, str]:
    """The separators in use, and the header after MSH-2. Empty or short MSH-2: what the standard suggests.

    A character that is told twice is what it is told to be first.
    """
    field = header[3]
    if field.isalnum() or field.isspace() or field in _UNUSED:
        raise Unreadable("separator", "MSH-1", "the field separator is a letter, a digit or a space")
    told, _, rest = header[4:].partition(field)
    if len(told) > 8 or any(one.isalnum() or one.isspace() for one in told):
        raise Unreadable("separator", "MSH-2", "the separators are no punctuation")
    unused = iter(one for one in _UNUSED if one not in whole)
    chosen: list[str] = []
    for at, usual in enumerate("^~\\&"):
        one = told[at] if at < len(told) else usual if at < 3 or not told else ""
        if not one or one == field or one in chosen:
            one = next(unused, "")
            if not one:
                raise Unreadable("separator", "MSH-2", "private characters stand in the text")
        chosen.append(one)
    truncation = told[4] if len(told) > 4 and told[4] not in (field, *chosen) else ""
    component, repetition, escape, subcomponent = chosen
    return Separators(field, component, repetition, escape, subcomponent, truncation), rest


# -- escapes ----------------------------------------------------------------------------------------
class Unescape:
    """Escapes of one message, taken back. What is no escape stays as it is: no character is ever lost.

    ``\\H\\`` and ``\\N\\`` around a text, and the commands of a page's layout that hold no text, leave nothing behind.
    """

    def __init__(self, separators: Separators, charset: str) -> None:
        self._escape, self._charset = separators.escape, charset
        self._signs = {"F": separators.field, "S": separators.component, "T": separators.subcomponent,
                       "R": separators.repetition, "E": separators.escape, "P": separators.truncation}
        for sign, usual in zip("FSTRE", "|^&~\\", strict=True):
            if self._signs[sign] in _UNUSED:
                self._signs[sign] = usual
        self._known, self._lit = _patterns(separators.escape, bool(separators.truncation))

    def __call__(self, text: str) -> str:
        """The text that was meant."""
        if self._escape not in text:
            return text
        return self._known.sub(self._meant, self._plain(text))

    def _plain(self, text: str) -> str:
        """Without highlighting: of each beginning and the end that follows it nothing stays."""
        begun: re.Match[str] | None = None
        gone: list[re.Match[str]] = []
        for mark in self._lit.finditer(text):
            if mark[1] == "H":
                begun = mark
            elif begun is not None:
                gone += (begun, mark)
                begun = None
        ends = [0, *(mark.end() for mark in gone)]
        starts = [*(mark.start() for mark in gone), len(text)]
        return "".join(text[start:end] for start, end in zip(ends, starts, strict=True))

    def _meant(self, found: re.Match[str]) -> str:
        if found["sign"]:
            return self._signs[found["sign"]]
        if found["hex"]:
            digits = "".join(part[1:] for part in found["hex"].split(self._escape) if part)
            return self._characters(bytes.fromhex(digits)) or found[0]
        if found["skip"] is not None:
            return " " * int(found["skip"] or 1)
        if found["lines"] is not None:
            return "\n" * int(found["lines"] or 1)
        return "\n" if found["line"] else ""

    def _characters(self, content: bytes) -> str:
        if not content.strip(b"\x00\r\n") and content.strip(b"\x00"):
            return "\n"  # a line end, also in two bytes a character
        for charset in (self._charset, "utf-8", "gb18030"):
            try:
                told = content.decode(charset)
            except UnicodeDecodeError:
                continue
            told = re.sub(r"\r\n?", "\n", told)
            return "" if re.search(r"[\x00-\x08\x0b\x0c\x0e-\x1f]", told) else told
        return ""


@lru_cache(maxsize=64)
def _patterns(escape: str, has_truncation: bool) -> tuple[re.Pattern[str], re.Pattern[str]]:
    mark = re.escape(escape)
    known = re.compile(
        rf"{mark}(?P<sign>[FSTRE{'P' if has_truncation else ''}]){mark}"
        rf"|(?P<hex>(?:{mark}[Xx](?:[0-9A-Fa-f]{{2}})+{mark})+)"
        rf"|{mark}\.(?:(?P<line>(?i:br|ce))|(?i:sp)\s*\+?(?P<lines>\d{{0,2}})|(?i:sk)\s*\+?(?P<skip>\d{{0,2}})"
        rf"|(?i:in|ti)\s*[+-]?\d{{0,3}}|(?i:fi|nf)){mark}")
    return known, re.compile(f"{mark}([HN]){mark}")
