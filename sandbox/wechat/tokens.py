"""Stable access tokens: life 7200 s, renewed in their last 5 minutes, refreshed by force at a price."""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone

LIFE_SECONDS = 7200
OVERLAP_SECONDS = 300  # the newest token is replaced this long before its end; the old one lives on as long
FORCED_A_DAY = 20
FORCED_APART_SECONDS = 30
_FORM = re.compile(r"[A-Za-z0-9_-]{64,512}")
_BEIJING = timezone(timedelta(hours=8))


class TokenRefused(Exception):
    """WeChat's answer to a wrong token or a refused refresh."""

    def __init__(self, errcode: int, errmsg: str) -> None:
        super().__init__(errmsg)
        self.errcode = errcode
        self.errmsg = errmsg


@dataclass
class _Token:
    ends: float  # sandbox time, seconds
    revoked: int = 0  # the errcode it earns since it was made invalid; 0 while it is good


class Tokens:
    """Every token ever given out. The caller holds the system's lock."""

    def __init__(self) -> None:
        self._tokens: dict[str, _Token] = {}
        self._newest = ""
        self._forced: list[datetime] = []

    def stable(self, now: datetime, force: bool) -> tuple[str, int]:
        """The token to use and the seconds it still lives.

        Raises TokenRefused: 45009 after 20 forced refreshes in a Beijing day, 45011 within 30 s of the last.
        """
        moment = now.timestamp()
        if force:
            self._allow_force(now)
            self.revoke(40001)
        else:
            newest = self._tokens.get(self._newest)
            if newest and not newest.revoked and newest.ends - moment > OVERLAP_SECONDS:
                return self._newest, int(newest.ends - moment)
            if newest and not newest.revoked and newest.ends > moment:
                newest.ends = moment + OVERLAP_SECONDS
        self._newest = f"{secrets.randbelow(100):02d}_{secrets.token_urlsafe(96)}"
        self._tokens[self._newest] = _Token(moment + LIFE_SECONDS)
        return self._newest, LIFE_SECONDS

    def check(self, token: str | None, now: datetime) -> None:
        """Raises TokenRefused: 41001 missing, 40014 malformed, 40001 wrong or replaced, 42001 expired."""
        if not token:
            raise TokenRefused(41001, "access_token missing")
        if not _FORM.fullmatch(token):
            raise TokenRefused(40014, "invalid access_token")
        known = self._tokens.get(token)
        if known is None or known.revoked == 40001:
            raise TokenRefused(40001, "invalid credential, access_token is invalid or not latest")
        if known.revoked or known.ends <= now.timestamp():
            raise TokenRefused(42001, "access_token expired")

    def revoke(self, errcode: int) -> None:
        """Make every token invalid now; from here on each earns ``errcode`` (40001 or 42001)."""
        for token in self._tokens.values():
            token.revoked = token.revoked or errcode

    def _allow_force(self, now: datetime) -> None:
        today = now.astimezone(_BEIJING).date()
        self._forced = [at for at in self._forced if at.astimezone(_BEIJING).date() == today]
        if len(self._forced) >= FORCED_A_DAY:
            raise TokenRefused(45009, "reach max api daily quota limit")
        if self._forced and (now - self._forced[-1]).total_seconds() < FORCED_APART_SECONDS:
            raise TokenRefused(45011, "api minute-quota reach limit, must slower, retry next minute")
        self._forced.append(now)
