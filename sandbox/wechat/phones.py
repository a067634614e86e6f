"""The people's side of WeChat: their phones, the codes these hand out, consents and the inbox."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal

CODE_LIFE = timedelta(minutes=5)
CodeKind = Literal["login", "phone"]
CountryAs = Literal["number", "text"]


@dataclass
class Phone:
    """One person's WeChat. ``consents``: messages still allowed per template; -1 is a lasting consent.

    ``number`` is without its ``country``'s code, which is told as a number (WeChat's example) or a text (its table).
    """

    openid: str
    unionid: str
    number: str
    country: str = "86"
    country_as: CountryAs = "number"
    consents: dict[str, int] = field(default_factory=dict)
    inbox: list[dict[str, Any]] = field(default_factory=list)


@dataclass
class Code:
    """A code the mini-program got on the phone: for one use, within 5 minutes."""

    kind: CodeKind
    phone: Phone
    made_at: datetime
    used: bool = False

    def expired(self, now: datetime) -> bool:
        """Whether its 5 minutes are over."""
        return now - self.made_at > CODE_LIFE


class Phones:
    """All phones and codes. The caller holds the system's lock."""

    def __init__(self) -> None:
        self._phones: dict[str, Phone] = {}
        self._codes: dict[str, Code] = {}

    def new(self, number: str | None, country: str = "86", country_as: CountryAs = "number") -> Phone:
        """A new person's phone; a number is made up when none is given."""
        number = number or f"13{secrets.choice('0123456789')}{secrets.randbelow(10**8):08d}"
        phone = Phone(_wechat_id(), _wechat_id(), number, country, country_as)
        self._phones[phone.openid] = phone
        return phone

    def get(self, openid: object) -> Phone | None:
        """The phone of ``openid``; None when there is no such person."""
        return self._phones.get(openid) if isinstance(openid, str) else None

    def new_code(self, kind: CodeKind, phone: Phone, now: datetime) -> str:
        """A fresh code of ``kind`` for this person."""
        length = 32 if kind == "login" else 64
        code = ("0" if kind == "login" else "") + secrets.token_hex(length // 2)
        self._codes[code] = Code(kind, phone, now)
        return code

    def code(self, kind: CodeKind, code: object) -> Code | None:
        """The code if one of this kind was ever handed out; it may be used or expired."""
        known = self._codes.get(code) if isinstance(code, str) else None
        return known if known and known.kind == kind else None


def _wechat_id() -> str:
    return "o" + secrets.token_urlsafe(21)[:27]
