"""Pictures and a sheet that a PACS would have: drawn here, so that they are real PNG and PDF and nobody's."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import pymupdf

_library: Any = pymupdf  # it carries no types worth checking


@lru_cache(maxsize=4)
def chest() -> bytes:
    """A PNG that looks like a chest's picture from afar: dark, two lighter fields, ribs."""
    page = _library.open().new_page(width=360, height=420)
    page.draw_rect(page.rect, color=(0.05, 0.05, 0.07), fill=(0.05, 0.05, 0.07))
    page.draw_oval((60, 60, 300, 380), color=(0.3, 0.3, 0.32), fill=(0.22, 0.22, 0.25), width=3)
    for left, right in ((80, 165), (195, 280)):
        page.draw_oval((left, 110, right, 330), color=(0.15, 0.15, 0.17), fill=(0.09, 0.09, 0.11), width=2)
    for y in range(120, 330, 26):
        for x0, x1, bend in ((170, 78, 16), (190, 282, 16)):
            page.draw_curve((x0, y), ((x0 + x1) / 2, y - bend), (x1, y + 10), color=(0.5, 0.5, 0.52), width=3)
    page.draw_line((180, 70), (180, 370), color=(0.6, 0.6, 0.62), width=12)
    return bytes(page.get_pixmap(dpi=72).tobytes("png"))


@lru_cache(maxsize=16)
def sheet(title: str, text: str) -> bytes:
    """A PDF with a report's words."""
    document = _library.open()
    page = document.new_page()
    page.insert_text((72, 90), title, fontname="china-s", fontsize=20)
    page.insert_textbox((72, 120, 520, 700), text, fontname="china-s", fontsize=12)
    return bytes(document.tobytes(no_new_id=True))
