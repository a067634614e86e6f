"""Races of messages. Each is named for what holds, and tells what was broken."""

from __future__ import annotations

from typing import Any

from sandbox.people import person
from sandbox.phone import Control, Phone
from tests.races.ground import Ground, broken_answers, together

ACCOUNTS = 6


def nothing_is_told_of_whom_an_account_has_unbound(ground: Ground) -> list[str]:
    """Messages wait for WeChat and workers try to send them, while their accounts unbind the patients and read."""
    ground.control.settle()
    ground.control.fault("wechat", "send_message", "refuse", times=-1, code="-1")
    names: list[str] = []
    phones: list[Phone] = []
    patients: list[str] = []
    for _ in range(ACCOUNTS):
        phone, someone = Phone(Control(ground.control.addresses)).sign_in(), person()
        phone.allow_every_message()
        patients.append(phone.add_patient(someone)["id"])
        phones.append(phone)
        names.append(someone["name"])
    ground.control.settle()
    ground.control.advance(6)
    done = together([*(lambda p=phone, one=patient: p.call("DELETE", f"account/patients/{one}")  # type: ignore[misc]
                       for phone, patient in zip(phones, patients, strict=True)),
                     *(lambda p=phone: p.call("GET", "messages/inbox") for phone in phones),  # type: ignore[misc]
                     *[ground.fire] * 3])
    ground.control("DELETE", "/faults")
    for _ in range(3):
        ground.work(61)
    broken = broken_answers(done)
    for phone, name in zip(phones, names, strict=True):
        broken += _told(phone, name)
    return broken


def _told(phone: Phone, name: str) -> list[str]:
    bound = phone.inbox("绑定通知")
    kept: list[dict[str, Any]] = phone.call("GET", "messages/inbox")["messages"]
    return ([f"{len(bound)} messages were told of a binding, not one"] * (len(bound) != 1)
            + [f"{name}'s account was told of whom it has unbound: {one['lines']}" for one in bound
               if name in str(one["lines"])]
            + [f"the inbox shows of whom it has unbound: {one['lines']}" for one in kept if one["lines"]])


RACES = [nothing_is_told_of_whom_an_account_has_unbound]
