"""A line over which phones and the control interface are called: what ``requests`` answers, for a third of its price.

A test makes hundreds of calls; of each, most of the time went into what nobody here needs: cookies, proxies,
redirects.
"""

from __future__ import annotations

import json as notation
import sys
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import requests
import urllib3
from requests.structures import CaseInsensitiveDict

_KEPT = 10  # connections to a server; of more at once the rest are closed afterwards
_SAFE = "!#$%&'()*+,/:;=?@[]~"  # as requests leaves them in an address


class Line:
    """Kept connections to each server, from an address of one's own where one is given.

    All of 127.0.0.0/8 is this machine (only Linux lets one choose).
    """

    def __init__(self, address: str = "") -> None:
        self._from: dict[str, Any] = {"source_address": (address, 0)} if address and sys.platform == "linux" else {}
        self._pools: dict[str, urllib3.HTTPConnectionPool] = {}

    def request(self, method: str, url: str, *, params: Any = None, json: Any = None, data: Any = None,
                headers: Mapping[str, str] | None = None, timeout: float = 60) -> requests.Response:
        """One request to a plain HTTP address, its redirects not followed. Raises requests.RequestException."""
        host, _, path = url.partition("://")[2].partition("/")
        target = quote(f"/{path}", safe=_SAFE)
        if params:
            asked = urlencode([one for one in _listed(params) if one[1] is not None], doseq=True)
            target += ("&" if "?" in target else "?") + asked if asked else ""
        told = dict(headers or {})
        body = data
        if json is not None:
            body = notation.dumps(json).encode()
            told.setdefault("Content-Type", "application/json")
        try:
            answer = self._pool(host).urlopen(method, target, body=body, headers=told, retries=False, redirect=False,
                                              timeout=timeout)
        except urllib3.exceptions.ReadTimeoutError as late:
            raise requests.ReadTimeout(late) from late
        except (urllib3.exceptions.HTTPError, OSError) as lost:
            raise requests.ConnectionError(lost) from lost
        return _read(url, answer)

    def _pool(self, host: str) -> urllib3.HTTPConnectionPool:
        pool = self._pools.get(host)
        if pool is None:
            at = urlsplit(f"//{host}")
            pool = self._pools[host] = urllib3.HTTPConnectionPool(
                at.hostname or "", at.port, maxsize=_KEPT, **self._from)
        return pool


def _listed(params: Any) -> list[tuple[Any, Any]]:
    return list(params.items()) if isinstance(params, Mapping) else list(params)


def _read(url: str, answer: urllib3.BaseHTTPResponse) -> requests.Response:
    response = requests.Response()
    response.url, response.status_code, response.reason = url, answer.status, answer.reason or ""
    response.headers = CaseInsensitiveDict(answer.headers)
    response._content = answer.data
    response.encoding = requests.utils.get_encoding_from_headers(response.headers)
    return response
