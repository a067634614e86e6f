"""A request on its way in: what of it has come, and whether it is whole.

No thread is given to a request before all of it is there (``runtime.server``), so a client that dribbles costs a
socket and not a thread. Only where a request ends is read here; everything else is left to gunicorn's parser, which
refuses what is ambiguous.
"""

from __future__ import annotations

import re

LINE, HEAD = 8 * 1024, 32 * 1024  # bytes; the largest honest head is 2 KB
BODY = 64 * 1024 + 1  # so many bytes of a body are kept, of most doors: one more than they take
LARGEST = 6 * 1024 * 1024  # the platform passes on no larger body
CHUNKED = 128 * 1024  # of a body in chunks, with the chunks' own lines

_LENGTH = re.compile(rb"\r\ncontent-length[ \t]*:[ \t]*([^\r\n]*)", re.I)
_NUMBER = re.compile(rb"[0-9]{1,18}")
_CODING = re.compile(rb"\r\ntransfer-encoding[ \t]*:[ \t]*([^\r\n]*)", re.I)
_EXPECTS = re.compile(rb"\r\nexpect[ \t]*:[ \t]*100-continue[ \t]*\r\n", re.I)
_SIZE = re.compile(rb"([0-9A-Fa-f]{1,8})[ \t]*(?:;[ \t]*[!#-:<-~][^\r\n]*)?\r\n")
_SIZE_LINE = 1024


class Arrival:
    """The bytes of one request, of its body as many as to ``keep``.

    ``refused``: a status for which it is not waited any longer; 0 while all is well.
    ``whole``: it can be read to its end, without the client. ``astray``: its end is not known, so the connection
    takes no other request. ``expects``: the client waits to be told to send the body.
    """

    def __init__(self, already: bytes = b"", keep: int = BODY) -> None:
        self._keep = keep
        self.whole, self.astray, self.expects, self.refused = False, False, False, 0
        self._bytes = bytearray()
        self._head = -1  # where the body begins
        self._end = -1  # where the request ends, when that is known
        self._dropped = 0  # bytes of the body that nobody will read
        self._chunk = 0  # where the next chunk begins
        if already:
            self.feed(already)

    def __len__(self) -> int:
        return len(self._bytes) + self._dropped

    def feed(self, piece: bytes) -> None:
        """More of it has come."""
        self._bytes += piece
        if self._head < 0 and not self._find_head(len(self._bytes) - len(piece)):
            return
        if self.refused or self.whole:
            return
        if self._end < 0:
            self._read_chunks()
        elif len(self) >= self._end:
            self.whole = True
        elif len(self._bytes) > self._head + self._keep:
            surplus = len(self._bytes) - self._head - self._keep
            del self._bytes[-surplus:]
            self._dropped += surplus

    def taken(self) -> tuple[bytes, int, bytes]:
        """The request, how many bytes of its body's end were not kept, and what came after it."""
        end = len(self._bytes) if self._end < 0 else max(self._end - self._dropped, 0)
        return bytes(self._bytes[:end]), self._dropped, bytes(self._bytes[end:])

    def _find_head(self, before: int) -> bool:
        at = self._bytes.find(b"\r\n\r\n", max(0, before - 3))
        if at < 0 or at > HEAD:
            if b"\r\n" not in self._bytes[:LINE] and len(self._bytes) >= LINE:
                self.refused = 414
            elif len(self._bytes) > HEAD:
                self.refused = 431
            return False
        self._head = self._chunk = at + 4
        head = bytes(self._bytes[:at + 2])
        coding = _CODING.search(head)
        if coding is not None:
            if coding[1].strip().lower() != b"chunked":  # the parser refuses it
                self.whole = self.astray = True
        else:
            length = _LENGTH.search(head)
            told = length[1].strip(b" \t") if length else b"0"
            if _NUMBER.fullmatch(told) is None:  # whatever the parser takes it for, nothing behind it is a request
                self.refused = 400
                return True
            self._end = self._head + int(told)
            if int(told) > LARGEST:
                self.refused = 413
        self.expects = _EXPECTS.search(head) is not None
        return True

    def _read_chunks(self) -> None:
        while True:
            size = _SIZE.match(self._bytes, self._chunk)
            if size is None:
                line = self._bytes.find(b"\r\n", self._chunk, self._chunk + _SIZE_LINE)
                if line >= 0 or len(self._bytes) > self._chunk + _SIZE_LINE:
                    self.whole = self.astray = True  # no chunk: the parser says so
                break
            if int(size[1], 16) == 0:
                self._end_of_chunks(size.end())
                break
            after = size.end() + int(size[1], 16)
            if len(self._bytes) < after + 2:
                break
            if self._bytes[after:after + 2] != b"\r\n":
                self.whole = self.astray = True
                break
            self._chunk = after + 2
        if not self.whole and len(self._bytes) > self._head + CHUNKED:
            self.refused = 413

    def _end_of_chunks(self, at: int) -> None:
        """The last chunk's line ends ``at``: the end follows, or trailers and an empty line."""
        if self._bytes[at:at + 2] == b"\r\n":
            self._end = at + 2
        elif (found := self._bytes.find(b"\r\n\r\n", at)) >= 0:
            self._end = found + 4
        self.whole = self._end >= 0
