"""Amounts in capital numerals (大写), after the rules for filling in payment instruments (支付结算办法, annex 1)."""

from __future__ import annotations

_DIGITS = "零壹贰叁肆伍陆柒捌玖"
_PLACES = ("", "拾", "佰", "仟")
_GROUPS = ("", "万", "亿")


def capitals(fen: int) -> str:
    """``fen`` as a Chinese legal amount, as 壹佰贰拾叁元肆角伍分.

    Whole yuan and whole jiao end with 整. Raises ValueError from a trillion (10^12) yuan on.
    """
    sign, fen = ("负" if fen < 0 else ""), abs(fen)
    whole, jiao, cents = fen // 100, fen // 10 % 10, fen % 10
    if whole >= 10**12:
        raise ValueError("too large for a bill")
    text = f"{_whole(whole)}元" if whole else ""
    if jiao:
        # 1680.32: the yuan place is 0 and the jiao is not, so one 零 stands between them
        text += ("零" if whole and whole % 10 == 0 else "") + _DIGITS[jiao] + "角"
    if cents:
        text += ("零" if whole and not jiao else "") + _DIGITS[cents] + "分"
    elif text:
        text += "整"
    return sign + (text or "零元整")


def _whole(number: int) -> str:
    groups = []
    while number:
        number, group = divmod(number, 10_000)
        groups.append(group)
    text = ""
    for place in range(len(groups) - 1, -1, -1):
        group = groups[place]
        if not group:
            continue
        gap = text and (group < 1000 or groups[place + 1] == 0)
        text += ("零" if gap else "") + _group(group) + _GROUPS[place]
    return text


def _group(number: int) -> str:
    text, zero = "", False
    for place in (3, 2, 1, 0):
        digit = number // 10**place % 10
        if digit:
            text += ("零" if zero and text else "") + _DIGITS[digit] + _PLACES[place]
            zero = False
        else:
            zero = True
    return text
