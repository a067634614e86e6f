"""Hospital policy is data: typed settings with sane defaults, kept in the table ``settings``."""

from __future__ import annotations

import json
from datetime import datetime, time
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from hospital.database.connection import Database, Transaction


class Template(BaseModel):
    """A subscription message's template as the hospital chose it in WeChat's library.

    ``keywords`` leads from our names of values to the template's keywords (``{"patient": "name1"}``).
    """

    model_config = ConfigDict(extra="forbid", defer_build=True)
    template_id: str
    keywords: dict[str, str]
    page: str = ""


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
    resale_delay_max_seconds: Annotated[int, Field(ge=0, le=3600)] = 0  # random, against scalpers
    checkin_opens_minutes: Annotated[int, Field(ge=0, le=1440)] = 120  # before the session starts
    order_pay_minutes: Annotated[int, Field(ge=2, le=60)] = 15  # to pay bills, or a fee on arrival
    bills_per_payment: Annotated[int, Field(ge=1, le=10)] = 10  # each is a call to the HIS
    ebill_app_id: str = ""  # the mini-program that shows e-bills; empty: there is none to jump to
    ebill_path: str = ""  # its page, with {batch_code}, {number} and {check_code} to be filled in
    patients_per_account: Annotated[int, Field(ge=1)] = 6
    accounts_per_patient: Annotated[int, Field(ge=1)] = 4
    guardian_below_age: Annotated[int, Field(ge=0, le=18)] = 14  # years; PIPL says 14
    session_hours: Annotated[int, Field(ge=1, le=72)] = 12
    message_templates: dict[str, Template] = {}


def load(source: Database | Transaction) -> Policy:
    """The policy in force."""
    rows = source.all("SELECT name, value FROM settings")
    return Policy.model_validate({row["name"]: json.loads(row["value"]) for row in rows})


def save(tx: Transaction, changes: dict[str, object], now: datetime) -> Policy:
    """Change some settings; a value of None returns one to its default.

    Raises pydantic.ValidationError, and changes nothing, when the whole would not be valid.
    """
    stored = {row["name"]: json.loads(row["value"]) for row in tx.all("SELECT name, value FROM settings")}
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
