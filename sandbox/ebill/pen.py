"""Drawing on a PDF page with the one built-in Chinese font: fitted text, lines, seals, stamps."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import pymupdf

Colour = tuple[float, float, float]
BLACK: Colour = (0.1, 0.1, 0.1)
BROWN: Colour = (0.55, 0.25, 0.08)  # what the form itself is printed in
RED: Colour = (0.85, 0.08, 0.08)
GREY: Colour = (0.72, 0.72, 0.72)
_SMALLEST = 5.5
_wide: dict[str, float] = {}  # by character of the one font, at size 1: letters stand side by side
_library: Any = pymupdf  # it carries no types worth checking


class Pen:
    """One page to draw on; lengths in points, from the upper left corner. Lines and level text appear at ``finish``."""

    def __init__(self, page: Any, font: Any) -> None:
        self.page = page
        self._font = font
        self._lines: Any = None  # all of a page in one go
        self._level: dict[tuple[Colour, float], Any] = {}  # one writer a colour: each costs the page a resource

    def finish(self) -> None:
        """Put the level text onto the page."""
        if self._lines is not None:
            self._lines.commit()
            self._lines = None
        for writer in self._level.values():
            writer.write_text(self.page)
        self._level.clear()

    def width(self, text: str, size: float) -> float:
        """How wide ``text`` becomes."""
        for letter in set(text) - _wide.keys():
            _wide[letter] = float(self._font.text_length(letter, fontsize=1))
        return size * sum(_wide[letter] for letter in text)

    def text(self, x: float, y: float, text: str, size: float = 9, *, room: float | None = None, align: str = "left",
             colour: Colour = BLACK, opacity: float = 1) -> None:
        """``text`` with its base line at ``y``. In a ``room`` too narrow it shrinks, then loses its end."""
        if not text:
            return
        if room is not None:
            text, size = self._fitted(text, size, room)
            x += {"left": 0.0, "centre": (room - self.width(text, size)) / 2,
                  "right": room - self.width(text, size)}[align]
        if (colour, opacity) not in self._level:
            self._level[colour, opacity] = _library.TextWriter(self.page.rect, opacity=opacity, color=colour)
        self._level[colour, opacity].append((x, y), text, font=self._font, fontsize=size)

    def turned(self, x: float, y: float, text: str, size: float, degrees: float, colour: Colour,
               opacity: float = 1) -> None:
        """``text`` centred on a point and turned clockwise about it."""
        writer = _library.TextWriter(self.page.rect, opacity=opacity, color=colour)
        writer.append((x - self.width(text, size) / 2, y + size * 0.36), text, font=self._font, fontsize=size)
        writer.write_text(self.page, morph=(_library.Point(x, y), _library.Matrix(-degrees)))

    def line(self, x0: float, y0: float, x1: float, y1: float, width: float = 0.7, colour: Colour = BROWN) -> None:
        """A straight line."""
        shape = self._shape()
        shape.draw_line((x0, y0), (x1, y1))
        shape.finish(color=colour, width=width)

    def box(self, x0: float, y0: float, x1: float, y1: float, width: float = 0.7, colour: Colour = BROWN) -> None:
        """An empty rectangle."""
        shape = self._shape()
        shape.draw_rect((x0, y0, x1, y1))
        shape.finish(color=colour, width=width)

    def image(self, x: float, y: float, side: float, png: bytes) -> None:
        """A square picture."""
        self.page.insert_image((x, y, x + side, y + side), stream=png)

    def seal(self, x: float, y: float, across: float, down: float, rim: str, middle: Sequence[tuple[str, float, float]],
             *, star: bool = False) -> None:
        """A red seal: an ellipse with half axes ``across`` and ``down``, ``rim`` along its upper edge and
        ``middle`` as (text, size, distance below the centre)."""
        page = self.page
        page.draw_oval((x - across, y - down, x + across, y + down), color=RED, width=1.6, stroke_opacity=0.75)
        mean, widest, count = (across + down) / 2, math.pi * 1.15, max(len(rim), 1)
        size = min(down * 0.28, 10.0, widest * mean / (1.05 * count + widest))  # the letters just touch
        spread = min(1.15 * size * (count - 1) / (mean - size), widest)
        for place, letter in enumerate(rim):
            share = place / (len(rim) - 1) - 0.5 if len(rim) > 1 else 0.0
            angle = share * spread
            inner_x, inner_y = across - size * 0.95, down - size * 0.95
            slope = math.atan2(inner_y * math.sin(angle), inner_x * math.cos(angle))
            self.turned(x + inner_x * math.sin(angle), y - inner_y * math.cos(angle), letter, size,
                        math.degrees(slope), RED, 0.8)
        if star:
            points = [(x + math.sin(turn) * reach, y - math.cos(turn) * reach) for turn, reach in (
                (math.pi * corner / 5, down * (0.1 if corner % 2 else 0.26)) for corner in range(10))]
            page.draw_polyline([*points, points[0]], color=RED, fill=RED, width=0.3, fill_opacity=0.75,
                               stroke_opacity=0.75)
        for text, letter_size, below in middle:
            self.text(x - across, y + below, text, letter_size, room=2 * across, align="centre", colour=RED,
                      opacity=0.85)

    def stamp(self, x: float, y: float, text: str, size: float, degrees: float = -14) -> None:
        """A framed red mark across the form, centred on a point."""
        half, high = self.width(text, size) / 2 + size * 0.35, size * 0.75
        turn = math.radians(degrees)
        corners = [(x + dx * math.cos(turn) - dy * math.sin(turn), y + dx * math.sin(turn) + dy * math.cos(turn))
                   for dx, dy in ((-half, -high), (half, -high), (half, high), (-half, high), (-half, -high))]
        self.page.draw_polyline(corners, color=RED, width=2, stroke_opacity=0.7)
        self.turned(x, y, text, size, degrees, RED, 0.7)

    def _shape(self) -> Any:
        self._lines = self._lines or self.page.new_shape()
        return self._lines

    def _fitted(self, text: str, size: float, room: float) -> tuple[str, float]:
        wide = self.width(text, size)
        if wide > room:
            size = max(_SMALLEST, size * room / wide)
        while len(text) > 1 and self.width(text, size) > room:
            text = text[:-2] + "…"
        return text, size
