"""How a doctor's name may be spelled in a search box."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from datetime import datetime, timedelta
from itertools import islice, product

from msgspec import Struct

from hospital.runtime import canonical

EDITION = 1  # counted up when other spellings come out: stored ones are then made anew
MOST_SPELLINGS = 24  # of one name; characters with many readings multiply
LONGEST = 320  # characters of a spelling, as wide as its column

# Readings that characters have as surnames, and that pypinyin does not know.
_AS_SURNAMES = {"贠": ["yun"], "黑": ["he"], "谌": ["shen"], "难": ["ning"]}


def spellings(name: str) -> set[str]:
    """Full pinyin and initials of every reading of a name, lower case, without tones, dots or spaces.

    Characters with several readings (曾 ceng/zeng, 单 dan/shan/chan) give each; ü is found as v, as u and, as
    passports have it, as yu. Accents are left out, and so is a character that nobody has a reading for.
    """
    from pypinyin import Style, pinyin

    plain = re.sub(r"[^\w]", "", canonical.name(name)).lower()
    found: set[str] = set()
    # As words (万俟 is moqi), and character by character (曾经国 is zeng jingguo, whatever 曾经 is).
    for text in (plain, list(plain)):
        readings = [[reading for reading in map(_ascii, more) if reading] or [""]
                    for more in pinyin(text, style=Style.NORMAL, heteronym=True, v_to_u=False)]
        if plain[:1] in _AS_SURNAMES and len(readings) > 0:
            readings[0] = [*_AS_SURNAMES[plain[0]], *readings[0]]
        # The surname's readings vary fastest, so the cut never loses one of them.
        for backwards in islice(product(*reversed(readings)), MOST_SPELLINGS):
            reading = backwards[::-1]
            full = "".join(reading)
            found |= {full, "".join(syllable[:1] for syllable in reading)}
            if "v" in full:
                found |= {full.replace("v", "u"), full.replace("v", "yu")}
    return {spelling[:LONGEST] for spelling in found if spelling}


def _ascii(reading: str) -> str:
    """A reading's letters; of what has none (a character that pypinyin gives back as it is), nothing."""
    return re.sub(r"[^a-z0-9]", "", unicodedata.normalize("NFD", reading))


def search_text(text: str) -> str:
    """A search box's text as spellings are stored; empty when it has other characters than letters."""
    plain = re.sub(r"[\s'·.]", "", canonical.name(text)).lower().replace("ü", "v")
    plain = "".join(char for char in unicodedata.normalize("NFD", plain) if unicodedata.category(char) != "Mn")
    return plain if re.fullmatch(r"[a-z]+", plain) else ""


# -- the HIS's lists --------------------------------------------------------------------------------
SECOND_LOOK = timedelta(minutes=4)  # they are read every five


def is_doubted(missing: int, known: int, percent: int) -> bool:
    """Whether a list has lost more than ``percent`` of what was known at once."""
    return missing * 100 > known * percent


def is_second_look(missing_since: datetime | None, now: datetime) -> bool:
    """Whether what is missing was missing before, long enough ago."""
    return missing_since is not None and now - missing_since >= SECOND_LOOK


class Drop(Struct, frozen=True):
    """What a list has no more: what of it is believed, what is doubted and (of that) was not missing before."""

    gone: list[str]
    waiting: list[str]
    fresh: list[str]
    doubted: bool


def drop(missing: Mapping[str, datetime | None], *, known: int, listed: int, percent: int, now: datetime) -> Drop:
    """Decide about what is ``missing`` (since when, if it was before) of what is ``known``.

    A list with nothing in it (``listed``) is never believed, and says nothing of when something was missed.
    """
    if known and not listed:
        return Drop([], list(missing), [], True)
    doubted = is_doubted(len(missing), known, percent)
    gone = [code for code, since in missing.items() if not doubted or is_second_look(since, now)]
    believed = set(gone)
    waiting = [code for code in missing if code not in believed]
    return Drop(gone, waiting, [code for code in waiting if missing[code] is None], doubted)
