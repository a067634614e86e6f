"""Hospital policy is data: typed settings with sane defaults, kept in the table ``settings``."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from hospital.database import tasks
from hospital.database.connection import Database, Transaction
from hospital.runtime import log


class Template(BaseModel):
    """A subscription message's template as the hospital chose it in WeChat's library.

    ``keywords`` leads from our names of values to the template's keywords (``{"patient": "name1"}``). ``page``: what a
    tap on the message opens; empty: what it is about. ``long_term``: WeChat asks for it once, for good.
    """

    model_config = ConfigDict(extra="forbid", defer_build=True)
    template_id: str
    keywords: dict[str, str]
    page: str = ""
    long_term: bool = False


@dataclass(frozen=True)
class Rate:
    """How often something may be done: ``burst`` times at once, and once more every ``seconds``."""

    __pydantic_config__ = ConfigDict(extra="forbid")
    burst: Annotated[int, Field(ge=1, le=100_000)]
    seconds: Annotated[float, Field(gt=0, le=86_400)]


class Place(BaseModel):
    """A point on a Chinese map (GCJ-02, as WeChat's and Tencent's maps count), in degrees."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)
    latitude: Annotated[float, Field(ge=-90, le=90)]
    longitude: Annotated[float, Field(ge=-180, le=180)]


class Hours(BaseModel):
    """When something is open, as a patient reads it: 门诊, 周一至周日 8:00–17:30."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)
    what: Annotated[str, Field(min_length=1, max_length=20)]
    when: Annotated[str, Field(min_length=1, max_length=60)]


Phone = Annotated[str, Field(pattern=r"^(\+?[0-9][0-9 -]{2,20})?$")]


class Policy(BaseModel):
    """Every setting, its unit in its name, its default here."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    release_time: time = time(7, 0)  # hospital time at which a new day opens for booking
    days_ahead: Annotated[int, Field(ge=0, le=60)] = 7
    same_day_closes_minutes: Annotated[int, Field(ge=0, le=240)] = 10  # before the slot starts
    hold_minutes: Annotated[int, Field(ge=1, le=60)] = 15
    pay_minutes_at_least: Annotated[int, Field(ge=1, le=30)] = 3  # left to pay once payment is opened
    payment: Literal["AT_BOOKING", "AT_CHECKIN"] = "AT_BOOKING"
    cancel_days_before: Annotated[int, Field(ge=0, le=7)] = 0  # the cut-off's day, before the visit
    cancel_until: time | None = None  # hospital time on that day; None: until the slot starts
    live_bookings_per_patient: Annotated[int, Field(ge=1)] = 6
    live_bookings_per_patient_and_day: Annotated[int, Field(ge=1)] = 3
    # A list of the HIS that has lost more than this share is believed on a second look only.
    believed_drop_percent: Annotated[int, Field(ge=0, le=100)] = 20
    # So many sessions with patients are believed to be stopped at once; more only up to this share of all such.
    believed_stopped_sessions: Annotated[int, Field(ge=0, le=10_000)] = 10
    believed_stopped_percent: Annotated[int, Field(ge=0, le=100)] = 20
    stopped_choice_hours: Annotated[int, Field(ge=1, le=168)] = 24  # to choose after a stop; then the money goes back
    quiet_from: time = time(21, 0)  # hospital time; who is asleep is not reminded of anything
    quiet_until: time = time(8, 0)
    remind_visit_at: time = time(18, 0)  # hospital time, on the day before
    unpaid_reminder_hours: Annotated[list[Annotated[int, Field(ge=1, le=720)]], Field(max_length=5)] = [24, 72]
    bulk_messages_per_second: Annotated[int, Field(ge=1, le=10_000)] = 100  # of all instances together
    resale_delay_max_seconds: Annotated[int, Field(ge=0, le=3600)] = 0  # random, against scalpers
    waitlist_per_session: Annotated[int, Field(ge=0, le=500)] = 30  # people; 0: there is no waiting list
    waitlist_per_account: Annotated[int, Field(ge=1, le=50)] = 5  # entries at once, for whomever
    waitlist_offer_minutes: Annotated[int, Field(ge=5, le=240)] = 30  # so long a place is kept for who is offered it
    # Who sleeps loses nothing: offers are made between these times, and at night for what begins within so many hours.
    waitlist_offers_from: time = time(7, 0)
    waitlist_offers_until: time = time(22, 0)
    waitlist_night_hours: Annotated[int, Field(ge=0, le=24)] = 2
    # So many missed visits within so many months (the last ones, or those of the calendar) bar a person from booking
    # for so many months, or (0) until the month ends. 0 no-shows: nobody is barred.
    no_shows_to_block: Annotated[int, Field(ge=0, le=100)] = 3
    no_show_window_months: Literal[1, 3, 6, 12] = 12
    no_show_window: Literal["ROLLING", "CALENDAR"] = "ROLLING"
    no_show_block_months: Annotated[int, Field(ge=0, le=24)] = 1
    no_show_grace_minutes: Annotated[int, Field(ge=0, le=1440)] = 60  # after a session's end, until the HIS is asked
    no_show_ask_days: Annotated[int, Field(ge=1, le=30)] = 7  # what is not known is asked for; corrections are heard
    checkin_opens_minutes: Annotated[int, Field(ge=0, le=1440)] = 120  # before the session starts
    queue_near: Annotated[int, Field(ge=0, le=50)] = 3  # so many before them: who waits is told; 0: nobody is
    guide_days: Annotated[int, Field(ge=1, le=60)] = 7  # how long what was paid and not done yet is led to
    order_pay_minutes: Annotated[int, Field(ge=2, le=60)] = 15  # to pay bills, or a fee on arrival
    bills_per_payment: Annotated[int, Field(ge=1, le=10)] = 10  # each is a call to the HIS
    ebill_app_id: str = ""  # the mini-program that shows e-bills; empty: there is none to jump to
    ebill_path: str = ""  # its page, with {batch_code}, {number} and {check_code} to be filled in
    patients_per_account: Annotated[int, Field(ge=1)] = 6
    accounts_per_patient: Annotated[int, Field(ge=1)] = 4  # proven ones; the others see nothing and count for nothing
    # What a binding is worth that was made by name and number, before there was proof.
    bindings_before_proof: Literal["LIMITED", "FULL"] = "LIMITED"
    proof_visit_days: Annotated[int, Field(ge=0, le=3650)] = 180  # how old a visit may prove; 0: none does
    proof_tries: Annotated[int, Field(ge=1, le=20)] = 5  # wrong ones: for each code, and of visits a day
    proof_code_minutes: Annotated[int, Field(ge=1, le=30)] = 5
    proof_codes_per_day: Annotated[int, Field(ge=1, le=20)] = 5  # for an account and patient
    # By all who have not proven it yet. SMS itself sends five an hour and ten a day: what is left is its owner's.
    proof_codes_per_phone_and_hour: Annotated[int, Field(ge=1, le=1000)] = 3
    proof_codes_per_phone_and_day: Annotated[int, Field(ge=1, le=1000)] = 5
    bound_notices_per_day: Annotated[int, Field(ge=0, le=20)] = 3  # by SMS, to the phone on a patient's file
    sms_app_id: str = ""  # SmsSdkAppId; empty: the hospital sends no SMS
    sms_sign: str = ""
    sms_code_template: str = ""  # {1} the code, {2} the minutes; empty: nothing is proven by SMS
    sms_code_template_abroad: str = ""  # the same for numbers outside the mainland
    sms_bound_template: str = ""  # {1} the day; empty: the phone on file is told nothing
    guardian_below_age: Annotated[int, Field(ge=0, le=18)] = 14  # years; PIPL says 14
    # How many who book are admitted a second after a release, by lot (0: no waiting room), and how many are expected.
    waiting_room_per_second: Annotated[int, Field(ge=0, le=100_000)] = 0
    waiting_room_crowd: Annotated[int, Field(ge=1, le=1_000_000)] = 10_000
    survey_days: Annotated[int, Field(ge=1, le=90)] = 14  # how long a finished visit may be rated
    survey_invites: bool = True  # whether patients are asked to, once a visit
    survey_smallest_group: Annotated[int, Field(ge=2, le=1000)] = 5  # answers of fewer are shown to nobody
    complaint_answer_days: Annotated[int, Field(ge=1, le=60)] = 5  # working days of the office
    complaint_warn_percent: Annotated[int, Field(ge=1, le=99)] = 60  # of that time; then staff are reminded
    complaint_reopen_days: Annotated[int, Field(ge=1, le=60)] = 7  # after an answer
    office_ends: time = time(17, 30)  # hospital time, of the office that answers complaints
    office_days_off: list[date] = []  # public holidays
    office_days: list[date] = []  # weekends that are worked for them
    pictures_kept_hours: Annotated[int, Field(ge=1, le=720)] = 24  # that were uploaded and never sent off
    session_hours: Annotated[int, Field(ge=1, le=72)] = 12
    session_idle_minutes: Annotated[int, Field(ge=15, le=4320)] = 600  # unused for so long, a session ends
    sessions_per_account: Annotated[int, Field(ge=1, le=50)] = 5  # with one more, the one idle for longest ends
    audit_days: Annotated[int, Field(ge=184, le=36500)] = 1096  # the law asks for six months at least
    inbox_days: Annotated[int, Field(ge=30, le=3650)] = 180  # how long messages lie in the mini-program's inbox
    plain_columns: bool = False  # what is sealed now is written open too, while code from before runs (personal.seal)
    # How many at most, so that nobody takes what is for all: docs/decisions/0016-limits.md says whom each counts for.
    unpaid_places_per_account: Annotated[int, Field(ge=1, le=100)] = 6  # held at once, for whomever
    given_up_places_per_account_and_day: Annotated[int, Field(ge=1, le=1000)] = 15  # not paid for, or cancelled
    places_on_trust_per_account: Annotated[int, Field(ge=1, le=100)] = 12  # paid for on arrival, or free; to come
    limit_sign_in_per_address: Rate = Rate(burst=600, seconds=0.2)
    limit_sign_in_per_account: Rate = Rate(burst=30, seconds=60)
    limit_matching_per_account: Rate = Rate(burst=20, seconds=1200)
    limit_matching_per_document: Rate = Rate(burst=12, seconds=3600)  # by one account
    limit_matching_per_address: Rate = Rate(burst=300, seconds=3)
    limit_wrong_names: Rate = Rate(burst=15, seconds=3600)  # for one document: staff are told
    limit_phone: Rate = Rate(burst=10, seconds=300)  # by one account; WeChat charges for each
    limit_reveal: Rate = Rate(burst=10, seconds=600)  # of one patient by one account
    limit_codes: Rate = Rate(burst=5, seconds=600)  # to one phone by one account; each is a text message
    limit_codes_per_account: Rate = Rate(burst=10, seconds=600)
    limit_notices: Rate = Rate(burst=1, seconds=3600)  # of new bindings, to one phone
    limit_orders: Rate = Rate(burst=40, seconds=60)  # by one account
    limit_words: Rate = Rate(burst=20, seconds=60)  # texts by one account; WeChat looks at each
    limit_complaints: Rate = Rate(burst=5, seconds=3600)  # by one account
    limit_pictures: Rate = Rate(burst=30, seconds=60)  # by one account
    limit_booking: Rate = Rate(burst=60, seconds=0.5)  # tries by one account, in each instance
    # A report whose titles or results have one of these words is announced without content, and shown after a second
    # check; so is one that its sender marks.
    report_sensitive_words: Annotated[list[Annotated[str, Field(min_length=2, max_length=40)]],
                                      Field(max_length=100)] = [
        "HIV", "人类免疫缺陷", "艾滋", "梅毒", "TPPA", "TRUST", "淋球菌", "淋病", "尖锐湿疣", "亲子", "遗传", "基因",
        "妊娠", "毒品", "吗啡", "精神"]
    message_templates: dict[str, Template] = {}
    # The hospital's face: what anybody may know of it. Empty ones are not shown.
    hospital_name: Annotated[str, Field(max_length=40)] = ""  # in full, as its licence has it
    hospital_short_name: Annotated[str, Field(max_length=10)] = ""  # what the navigation bar has room for
    hospital_badge: Annotated[str, Field(max_length=2)] = ""  # one or two characters
    hospital_badge_picture: Annotated[str, Field(pattern=r"^([\w./-]{1,200})?$")] = ""  # its key in COS; instead
    hospital_address: Annotated[str, Field(max_length=80)] = ""
    hospital_place: Place | None = None
    hospital_phone: Phone = ""
    hospital_emergency_phone: Phone = ""
    hospital_hours: Annotated[list[Hours], Field(max_length=10)] = []
    hospital_licence: Annotated[str, Field(max_length=60)] = ""  # 医疗机构执业许可证登记号
    hospital_icp: Annotated[str, Field(max_length=60)] = ""  # the mini-program's ICP filing number (备案号)

    @field_validator("ebill_path")
    @classmethod
    def _has_only_known_blanks(cls, path: str) -> str:
        if re.search(r"[{}]", re.sub("|".join(re.escape(f"{{{name}}}") for name in EBILL_BLANKS), "", path)):
            raise ValueError(f"only {', '.join(EBILL_BLANKS)} may stand in braces")
        return path

    def ebill_page(self, **blanks: str) -> str:
        """``ebill_path``, filled in. Replaced, never formatted: a stored text is no program."""
        return re.sub(r"\{(\w+)\}", lambda blank: blanks[blank[1]], self.ebill_path)


EBILL_BLANKS = ("batch_code", "number", "check_code")
TASK = "setting.ignored"
_said: set[tuple[str, str]] = set()  # by this process, of settings that it does not take


# What tells one state of the table from another, read along with something else: count, contents, last change.
VERSION = ("(SELECT CONCAT(COUNT(*), ' ', COALESCE(SUM(CRC32(CONCAT(name, '=', value))), 0), ' ', "
           "COALESCE(MAX(changed_at), '')) FROM settings)")
_in_force: tuple[str, Policy] | None = None  # a version, and the policy that was read when it was seen
_read_before: tuple[dict[str, str], Policy, dict[str, str]] | None = None  # rows, and what was made of them


def load(source: Database | Transaction, version: str = "") -> Policy:
    """The policy in force. A stored setting that this code does not know or take is at its default.

    With its ``VERSION`` as just read, the table is asked only when that has changed.
    """
    global _in_force  # noqa: PLW0603 - replaced as a whole: threads see the old one or the new one
    known = _in_force
    if version and known is not None and known[0] == version:
        return known[1]
    policy, ignored = _read(source)
    for name, value in ignored.items():
        if (name, value) not in _said:
            _said.add((name, value))
            log.event(TASK, setting=name)
    if version:
        _in_force = (version, policy)
    return policy


def last_known() -> Policy | None:
    """The policy that this process has last seen by its version, however long ago."""
    return _in_force[1] if _in_force is not None else None


def load_version(db: Database) -> Policy:
    """The policy in force, by its version."""
    row = db.one(f"SELECT {VERSION} AS version")
    assert row is not None
    return load(db, row["version"])


def watch(db: Database, now: datetime) -> int:
    """Put stored settings that are not taken on staff's list, and take off what is right again; how many are not."""
    _, ignored = _read(db)
    listed = {row["subject_id"] for row in tasks.page(db, tasks.Filter(kind=TASK), after="", newest=False, limit=1000)}
    with db.transaction() as tx:
        for name in ignored:
            tasks.add(tx, kind=TASK, subject_id=name, now=now,
                      detail="no such setting" if name not in Policy.model_fields else "not a value that it may have")
        for name in sorted(listed - set(ignored)):
            tasks.settle(tx, kind=TASK, subject_id=name, note="in force", now=now)
    return len(ignored)


def is_stored(db: Database, name: str) -> bool:
    """Whether there is a row of that name, known or not."""
    return name.isascii() and db.one("SELECT 1 FROM settings WHERE name = %s", (name,)) is not None


def stored(source: Database | Transaction) -> dict[str, str]:
    """Every stored setting as it is (JSON), taken or not."""
    return {row["name"]: row["value"] for row in source.all("SELECT name, value FROM settings")}


def _read(source: Database | Transaction) -> tuple[Policy, dict[str, str]]:
    """The policy in force, and the stored settings that are not in it: name and text."""
    global _read_before  # noqa: PLW0603 - as above
    stored = {row["name"]: row["value"] for row in source.all("SELECT name, value FROM settings")}
    if _read_before is None or _read_before[0] != stored:
        _read_before = (stored, *_made_of(stored))
    return _read_before[1:]


def _made_of(stored: dict[str, str]) -> tuple[Policy, dict[str, str]]:
    try:
        return Policy.model_validate({name: json.loads(text) for name, text in stored.items()}), {}
    except ValueError:  # one of them: they are looked at one by one
        taken = {name: json.loads(text) for name, text in stored.items() if _is_taken(name, text)}
        return Policy.model_validate(taken), {name: text for name, text in stored.items() if name not in taken}


def _is_taken(name: str, text: str) -> bool:
    try:
        Policy.model_validate({name: json.loads(text)})
    except (ValidationError, ValueError):
        return False
    return True


def save(tx: Transaction, changes: dict[str, object], now: datetime) -> Policy:
    """Change some settings; a value of None returns one to its default (and removes a row of none).

    Raises pydantic.ValidationError, and changes nothing, when one would not be valid.
    """
    stored = _read(tx)[0].model_dump(exclude_unset=True)
    for name, value in changes.items():
        if value is None:
            stored.pop(name, None)
        else:
            stored[name] = value
    policy = Policy.model_validate(stored)
    for name, value in changes.items():
        if value is None:
            tx.run("DELETE FROM settings WHERE name = %s", (name,))
        else:
            tx.run("REPLACE INTO settings (name, value, changed_at) VALUES (%s, %s, %s)",
                   (name, json.dumps(value, ensure_ascii=False), now))
    return policy
