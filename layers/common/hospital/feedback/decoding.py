"""A picture from a stranger's phone, drawn anew: whatever stood in the file besides the picture is gone.

What a file is, its content says, not its name. Pillow is this function's alone (layers/pictures), and its own
function's memory is all that a picture made to hurt can use up.
"""

from __future__ import annotations

import io
import warnings

FORMATS = ("JPEG", "PNG", "WEBP")
MOST_PIXELS = 50_000_000
LONGEST_SIDE = 20_000  # pixels; a strip of one pixel's height is no picture either
KEPT_SIDE = 2560  # pixels: larger ones are made smaller, a page of print stays legible
QUALITY = 85


class NoPicture(Exception):
    """A file that is not taken. ``reason``: NOT_A_PICTURE, TOO_MANY_PIXELS."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def drawn_anew(content: bytes) -> bytes:
    """The picture in a file as a JPEG of our own: upright, no larger than needed, without EXIF, place or comments.

    Raises NoPicture.
    """
    from PIL import Image, ImageOps

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what Pillow only doubts is decided by the size, here
        try:
            with Image.open(io.BytesIO(content), formats=FORMATS) as found:
                if max(found.size) > LONGEST_SIDE or found.width * found.height > MOST_PIXELS:
                    raise NoPicture("TOO_MANY_PIXELS")
                found.draft("RGB", (KEPT_SIDE, KEPT_SIDE))  # a JPEG is decoded no larger than needed
                found.load()
                upright = ImageOps.exif_transpose(found)
                upright.thumbnail((KEPT_SIDE, KEPT_SIDE))
                see_through = upright.convert("RGBA")
        except NoPicture:
            raise
        except Image.DecompressionBombError:
            raise NoPicture("TOO_MANY_PIXELS") from None
        except Exception:  # noqa: BLE001 - decoders fail in as many ways as files are broken
            raise NoPicture("NOT_A_PICTURE") from None
    page = Image.new("RGB", see_through.size, "white")  # a new one: nothing of the old file's notes comes along
    page.paste(see_through, mask=see_through.getchannel("A"))
    out = io.BytesIO()
    page.save(out, "JPEG", quality=QUALITY)
    return out.getvalue()
