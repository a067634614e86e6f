"""Calls to the HIS: signatures both ways, and the three outcomes of every call."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import secrets
import time
from collections.abc import Callable, Iterator
from datetime import date, datetime
from decimal import Decimal
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Annotated, Any, Protocol, TypeVar
from urllib.parse import urlencode

from msgspec import Struct
from pydantic import (
    AfterValidator,
    AwareDatetime,
    BeforeValidator,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    PlainSerializer,
    StringConstraints,
    ValidationError,
)
from pydantic_core import core_schema

from hospital.gateways.outcome import Rejected, Unanswered
from hospital.runtime.canonical import TextDates
from hospital.runtime.clock import BEIJING
from hospital.runtime.cloud import secret
from hospital.runtime.config import config
from hospital.runtime.ids import bounded

if TYPE_CHECKING:
    from urllib3 import BaseHTTPResponse, PoolManager

CONNECT_SECONDS = 2.0
READ_SECONDS = 6.0
LIST_SECONDS = 20.0
BILLS_SECONDS = 3.0  # a patient is looking at the screen; last known bills are shown instead
LONGEST_CODE = 48  # of a refusal: it is kept as the reason of what it ends
UNREAD = "\ufffd"  # stands where a character could not be read
CLOCK_SKEW = 300  # seconds by which an answer's timestamp may differ

AnswerT = TypeVar("AnswerT", bound="Answer")
ReadT = TypeVar("ReadT")
_HALF = re.compile("[\ud800-\udfff]")  # a half of a character that UTF-16 writes as two


def _is_written(value: Any) -> Any:
    """A number is no time (pydantic would count it as seconds since 1970), nor is a day."""
    if not (isinstance(value, datetime) or (isinstance(value, str) and len(value) >= len("2026-11-27T09:00"))):
        raise ValueError("not a time")
    return value


def _at_the_hospital(moment: datetime) -> datetime:
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=BEIJING)


def _of_our_time(moment: datetime) -> datetime:
    if not 2000 <= moment.year < 2200:  # at the edges of the calendar another zone's time is out of range
        raise ValueError("not of our time")
    return moment


_ENOUGH = 10 ** 12


class _Rounded:
    """A number of things that is not negative: a whole one as it is, any other to so many places.

    Most are whole, and there are hundreds in a patient's list: those never come to Python.
    """

    def __init__(self, places: int) -> None:
        self._places = places

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        any_other = core_schema.no_info_after_validator_function(self._round, core_schema.decimal_schema())
        return core_schema.union_schema(
            [core_schema.int_schema(strict=True, ge=0, lt=_ENOUGH), any_other], mode="left_to_right",
            custom_error_type="not_a_number", custom_error_message="not a number of things")

    def _round(self, number: Decimal) -> Decimal:
        if not (number.is_finite() and 0 <= number < _ENOUGH):
            raise ValueError("not a number of things")
        return round(number, self._places)


class _NoneIsEmpty:
    """A text; what is null reads as an empty one."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        null = core_schema.no_info_after_validator_function(lambda _: "", core_schema.none_schema())
        return core_schema.union_schema([handler(source), null], mode="left_to_right",
                                        custom_error_type="not_a_text", custom_error_message="not a text")


def plain(number: Decimal | int) -> int | float:
    """A quantity or price as JSON has it: 2, 0.5."""
    return int(number) if number == int(number) else float(number)


# What the fields of answers and events may be. A time has a zone; a number of ours or theirs fits every column.
Moment = Annotated[AwareDatetime, BeforeValidator(_is_written), AfterValidator(_of_our_time)]
LocalMoment = Annotated[datetime, BeforeValidator(_is_written), AfterValidator(_at_the_hospital),
                        AfterValidator(_of_our_time)]  # of what is only shown: one without a zone is the hospital's
Code = Annotated[str, Field(pattern=r"^[0-9A-Za-z_-]{1,64}$")]
Number = Annotated[str, Field(pattern=r"^[!-~]{1,64}$")]
OptionalNumber = Annotated[str | None, Field(pattern=r"^[!-~]{0,64}$")]
Fen = Annotated[int, Field(strict=True, ge=0, le=10**11)]  # never a text: "26.00" is not 26 fen
Whole = Annotated[int, Field(strict=True, ge=0, le=2**31 - 1)]  # that counts, or tells apart
# Of a name: where a character is lost, who or what is meant can't be told for certain.
Legible = StringConstraints(pattern=f"^[^{UNREAD}]*$")
Words = Annotated[str, _NoneIsEmpty()]  # nothing hangs on it
Quantity = Annotated[Decimal | int, _Rounded(4), PlainSerializer(plain)]
Price = Annotated[Decimal | int, _Rounded(6), PlainSerializer(plain)]  # fen, and parts of it


class Answer(TextDates):
    """What the HIS answers; fields that we don't read are ignored, so it may add some."""

    model_config = ConfigDict(extra="ignore", defer_build=True, frozen=True)


class Odd(Struct, frozen=True):
    """A row of a list that can't be read: its number (made up where it has none), and the fields that are wrong."""

    number: str
    fields: list[str]
    is_named: bool = True  # the number is the row's own

    @property
    def detail(self) -> str:
        """For a task: never a value."""
        return f"unreadable: {', '.join(self.fields)}"


def read_row(row: Any, kind: type[AnswerT], number: str) -> AnswerT | Odd:
    """One row of a list, which stands for itself: what can't be read leaves the others alone.

    ``number`` is the field that has the row's own.
    """
    try:
        return kind.model_validate(row)
    except ValidationError as error:
        problems = error.errors(include_url=False, include_context=False, include_input=False)
        name = row.get(number) if isinstance(row, dict) else None
        is_named = isinstance(name, (str, int)) and name != ""
        if not is_named:  # parts of it may be read already: they are written as they show themselves
            name = "row-" + hashlib.sha256(json.dumps(row, sort_keys=True, default=repr).encode()).hexdigest()[:32]
        return Odd(str(name), sorted({".".join(str(part) for part in one["loc"]) or "row" for one in problems})[:20],
                   is_named)


def read_json(content: bytes, kind: type[AnswerT]) -> AnswerT:
    """A text as JSON. Where a character can't be read (one cut in half, another encoding's byte), UNREAD stands for it.

    So one name spoils its own row and never a whole list. Raises ValidationError.
    """
    try:
        return kind.model_validate_json(content)
    except ValidationError as error:
        if not any(one["type"] == "json_invalid" for one in error.errors(include_url=False, include_input=False)):
            raise
        try:
            told = _loads(content)
        except (ValueError, RecursionError):  # no JSON at all
            raise error from None
        return kind.model_validate_json(json.dumps(told))


def _loads(content: bytes) -> Any:
    """JSON, with UNREAD for what is no character. Raises ValueError, RecursionError."""
    told = json.loads(content.decode("utf-8", "replace"))
    return json.loads(_HALF.sub(UNREAD, json.dumps(told, ensure_ascii=False)))  # whole pairs are one character by now


class _Page(Protocol):
    @property
    def next_cursor(self) -> str | None: ...


PageT = TypeVar("PageT", bound=_Page)


def pages(ask: Callable[[str], PageT]) -> Iterator[PageT]:
    """The pages of a list, asked for by the cursor of the page before (the first by none).

    Raises Unanswered, also when a cursor comes again: such a list has no end.
    """
    cursor, asked = "", {""}
    while True:
        page = ask(cursor)
        yield page
        if page.next_cursor is None:
            return
        cursor = page.next_cursor
        if cursor in asked:
            raise Unanswered("his: a list whose cursor comes again")
        asked.add(cursor)


class NotGenuine(Exception):
    """Not signed by the hospital, or not readable. ``reason`` is for the log."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def sign(key: str, *parts: str) -> str:
    """Lower hex HMAC-SHA256 over the parts, one a line."""
    return hmac.new(key.encode(), "\n".join(parts).encode(), hashlib.sha256).hexdigest()


def moment_text(moment: datetime) -> str:
    """As the HIS writes times."""
    return moment.astimezone(BEIJING).isoformat(timespec="seconds")


def day_query(day: date, cursor: str) -> str:
    """The query of a page of a day's list."""
    return urlencode({"date": day.isoformat(), "limit": "200", **({"cursor": cursor} if cursor else {})})


def get(path: str, answer: type[AnswerT], seconds: float | None = None) -> AnswerT:
    """Read; waits ``seconds`` for an answer, or as long as such a read may take. Raises Rejected, Unanswered."""
    return get_as(path, partial(read_json, kind=answer), seconds)


def get_as(path: str, read: Callable[[bytes], ReadT], seconds: float | None = None) -> ReadT:
    """As :func:`get`, of an answer that ``read`` makes sense of. It raises ValidationError of what it can't read."""
    return _call("GET", path, b"", read, seconds or (
        LIST_SECONDS if "?" in path or path in ("/departments", "/doctors") else READ_SECONDS))


def post(path: str, body: dict[str, Any], answer: type[AnswerT]) -> AnswerT:
    """Write. Raises Rejected, Unanswered."""
    return _call("POST", path, json.dumps(body, ensure_ascii=False).encode(), partial(read_json, kind=answer),
                 READ_SECONDS)


def _call(method: str, path: str, body: bytes, read: Callable[[bytes], ReadT], seconds: float) -> ReadT:
    from urllib3 import Timeout
    from urllib3.exceptions import HTTPError, NewConnectionError

    settings = config()
    key = secret(settings.his_key_secret)
    target = f"/his/v1{path}"
    timestamp, nonce = str(int(time.time())), secrets.token_hex(16)
    headers = {
        "Content-Type": "application/json", "X-His-Client": settings.his_client_id,
        "X-His-Timestamp": timestamp, "X-His-Nonce": nonce,
        "X-His-Signature": sign(key, method, target, timestamp, nonce, hashlib.sha256(body).hexdigest()),
    }
    try:
        response = _pool().request(method, settings.his_base + target, body=body, headers=headers,
                                   timeout=Timeout(connect=CONNECT_SECONDS, read=seconds), retries=False,
                                   redirect=False)
        content = response.data
    except NewConnectionError as error:
        raise Unanswered(f"his: {type(error).__name__}", sent=False) from None
    except HTTPError as error:
        raise Unanswered(f"his: {type(error).__name__}") from None
    return _read(response, content, key, nonce, read)


def _read(response: BaseHTTPResponse, content: bytes, key: str, nonce: str, read: Callable[[bytes], ReadT]) -> ReadT:
    given = response.headers
    timestamp = given.get("X-His-Timestamp", "")
    expected = sign(key, str(response.status), timestamp, nonce, hashlib.sha256(content).hexdigest())
    if not (hmac.compare_digest(given.get("X-His-Signature", "").encode(errors="replace"), expected.encode())
            and re.fullmatch("[0-9]{1,12}", timestamp) and abs(time.time() - int(timestamp)) <= CLOCK_SKEW):
        raise Unanswered(f"his: status {response.status} without a valid signature")
    if response.status >= 500 or response.status == 401:
        # 401 is about our clock or nonce, not about the business: an earlier copy may have taken effect.
        raise Unanswered(f"his: status {response.status}")
    try:
        if response.status >= 400:
            refusal = _loads(content)
            raise Rejected(bounded(str(refusal["code"]), LONGEST_CODE), str(refusal.get("message", "")))
        return read(content)
    except (ValidationError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise Unanswered(f"his: unreadable answer ({type(error).__name__})") from None


@lru_cache(maxsize=1)
def _pool() -> PoolManager:
    from urllib3 import PoolManager

    return PoolManager(num_pools=4, maxsize=32)
