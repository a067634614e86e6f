"""How a doctor's name may be spelled in a search box."""

from __future__ import annotations

import re
from itertools import islice, product

MOST_SPELLINGS = 24  # of one name; characters with many readings multiply


def spellings(name: str) -> set[str]:
    """Full pinyin and initials of every reading of a name, lower case, without tones or spaces.

    Characters with several readings (曾 ceng/zeng, 单 dan/shan/chan) give each; ü is found as v and as u.
    """
    from pypinyin import Style, pinyin

    plain = re.sub(r"\s", "", name).lower()
    found: set[str] = set()
    # As words (万俟 is moqi), and character by character (曾经国 is zeng jingguo, whatever 曾经 is).
    for text in (plain, list(plain)):
        readings = pinyin(text, style=Style.NORMAL, heteronym=True, v_to_u=False)
        # The surname's readings vary fastest, so the cut never loses one of them.
        for backwards in islice(product(*reversed(readings)), MOST_SPELLINGS):
            reading = backwards[::-1]
            full = "".join(reading)
            found |= {full, "".join(syllable[:1] for syllable in reading)}
            if "v" in full:
                found.add(full.replace("v", "u"))
    return {spelling for spelling in found if spelling.isascii() and spelling}


def search_text(text: str) -> str:
    """A search box's text as spellings are stored; empty when it has other characters than letters."""
    plain = re.sub(r"[\s'’·.]", "", text).lower()
    return plain if re.fullmatch(r"[a-z]+", plain) else ""
