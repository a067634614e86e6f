"""Files inside a message: base64 that is whole, of a kind that its bytes agree to."""

from __future__ import annotations

import base64
import binascii
import re

from hospital.reports.model import Attachment, Contradictory, Unreadable

from report_readers.limits import Limits

_MARKS = ((b"%PDF-", "application/pdf"), (b"\xff\xd8\xff", "image/jpeg"), (b"\x89PNG\r\n\x1a\n", "image/png"),
          (b"GIF8", "image/gif"), (b"II*\x00", "image/tiff"), (b"MM\x00*", "image/tiff"), (b"BM", "image/bmp"),
          (b"PK\x03\x04", "application/zip"))
_SURE = {"application/pdf", "image/jpeg", "image/png", "image/gif", "image/tiff", "image/bmp"}
_SAME = {"image/jpg": "image/jpeg", "image/pjpeg": "image/jpeg", "image/tif": "image/tiff", "image/x-bmp": "image/bmp"}
_SPACE = re.compile(r"\s+")


def decoded(text: str, limits: Limits, where: str) -> bytes:
    """The bytes of a base64 text. Raises Unreadable when it is cut off, or larger than an honest file."""
    plain = _SPACE.sub("", text)
    if len(plain) // 4 * 3 > limits.attachment:
        raise Unreadable("too-large", where, f"the file has more than {limits.attachment} bytes")
    try:
        content = base64.b64decode(plain + "=" * (-len(plain) % 4 if not plain.endswith("=") else 0), validate=True)
    except (binascii.Error, ValueError):
        raise Unreadable("base64", where, "the file is not whole base64") from None
    if not content:
        raise Unreadable("empty", where, "the file has no content")
    return content


def attachment(content: bytes, declared: str, title: str, where: str) -> Attachment:
    """A file of the kind that it is declared to be, or that its first bytes show.

    Raises Contradictory when it is declared a picture or a PDF and is none.
    """
    shown = next((kind for mark, kind in _MARKS if content.startswith(mark)), "")
    told = _SAME.get(declared.strip().lower(), declared.strip().lower())
    if told in _SURE and shown != told:
        raise Contradictory("attachment-type", where, "the file is not of the kind that it is said to be")
    return Attachment(shown if shown in _SURE else told or shown or "application/octet-stream", title, content)


def media_type(kind: str, subtype: str) -> str:
    """HL7's type and subtype of data (``Application``, ``PDF``; ``IM``, ``JPEG``) as a media type; empty: not known."""
    kind, subtype = kind.strip().lower(), subtype.strip().lower()
    if "/" in subtype or "/" in kind:
        return subtype if "/" in subtype else kind
    for told in (subtype, kind):
        if told in ("pdf", "x-pdf"):
            return "application/pdf"
        if told in ("jpeg", "jpg", "png", "gif", "tiff", "tif", "bmp"):
            return _SAME.get(f"image/{told}", f"image/{told}")
    kind = {"im": "image", "ap": "application", "tx": "text", "text": "text"}.get(kind, kind)
    return f"{kind}/{subtype}" if kind in ("image", "application", "text", "audio", "video") and subtype else ""
