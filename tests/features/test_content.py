"""The hospital's face: its profile and texts for anybody, from the settings, kept by clients while nothing changes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests

from sandbox.his.profile import PROFILE
from sandbox.phone import Control, Phone, Refused

Ask = Callable[..., list[tuple[Any, ...]]]
Set = Callable[..., None]


def read(control: Control, path: str, **headers: str) -> requests.Response:
    """As anybody asks, without a session."""
    return requests.get(f"{control.addresses['scf']}/api/content/{path}", headers=headers, allow_redirects=False,
                        timeout=30)


@pytest.fixture
def policy(control: Control) -> Iterator[Set]:
    """``policy(hospital_phone=…)`` for this test; afterwards the hospital has its own face again."""
    def change(**settings: Any) -> None:
        control.operate("settings.change", changes=settings)

    yield change
    control.operate("settings.change", changes={"hospital_badge_picture": None, **PROFILE})


def test_anybody_reads_the_hospitals_profile_as_its_settings_say_it(control: Control) -> None:
    shown = read(control, "hospital").json()
    assert {f"hospital_{name}": shown[name] for name in shown if name not in ("texts", "badge_picture")} == PROFILE
    assert shown["badge_picture"] == ""
    assert {one["purpose"]: one["version"] for one in shown["texts"]} == {
        "ABOUT": 1, "PRIVACY_POLICY": 1, "USER_AGREEMENT": 1, "HEALTH_DATA": 2, "CHILD_GUARDIAN": 2}


def test_a_hospital_that_has_set_nothing_has_an_empty_face_and_no_error(control: Control, policy: Set) -> None:
    policy(**dict.fromkeys(PROFILE))
    shown = read(control, "hospital").json()
    assert {name: value for name, value in shown.items() if value and name != "texts"} == {}


def test_what_is_not_given_is_made_of_the_name(control: Control, policy: Set) -> None:
    policy(hospital_badge=None, hospital_short_name=None, hospital_name="江滨医院")
    shown = read(control, "hospital").json()
    assert (shown["badge"], shown["short_name"]) == ("江", "江滨医院")


def test_a_client_keeps_the_answer_and_is_spared_it_until_it_changes(control: Control, policy: Set) -> None:
    first = read(control, "hospital")
    assert first.headers["Cache-Control"] == "public, max-age=300"
    tag = first.headers["ETag"]
    again = read(control, "hospital", **{"If-None-Match": tag})
    assert (again.status_code, again.content) == (304, b"")
    policy(hospital_phone="0571-11111111")
    changed = read(control, "hospital", **{"If-None-Match": tag})
    assert (changed.status_code, changed.json()["phone"]) == (200, "0571-11111111")
    assert changed.headers["ETag"] != tag


@pytest.mark.parametrize(("name", "value"), [
    ("hospital_badge", "一医院"), ("hospital_phone", "call me"), ("hospital_place", {"latitude": 91, "longitude": 0}),
    ("hospital_place", {"latitude": 1}), ("hospital_hours", [{"what": "", "when": "?"}]),
    ("hospital_badge_picture", "a b?c"), ("hospital_name", "院" * 41)])
def test_a_profile_that_cannot_be_shown_is_refused_when_it_is_set(control: Control, name: str, value: Any) -> None:
    with pytest.raises(Refused) as refused:
        control.operate("settings.change", changes={name: value})
    assert all(one["field"].startswith(name) for one in refused.value.error["fields"])


# -- texts ------------------------------------------------------------------------------------------
@pytest.fixture
def new_policy(sql: Ask) -> Iterator[None]:
    """A second privacy policy, in force an hour from the tests' now."""
    sql("INSERT INTO consent_texts (purpose, version, title, body, effective_at) VALUES "
        "('PRIVACY_POLICY', 2, '新政策', '新正文', '2026-11-23 00:30:00')")
    yield
    sql("DELETE FROM consent_texts WHERE purpose = 'PRIVACY_POLICY' AND version = 2")


@pytest.mark.parametrize("purpose", ["ABOUT", "PRIVACY_POLICY", "USER_AGREEMENT", "HEALTH_DATA", "CHILD_GUARDIAN"])
def test_anybody_reads_each_text_before_agreeing_to_anything(control: Control, purpose: str) -> None:
    answer = read(control, f"texts/{purpose}")
    text = answer.json()
    assert (text["purpose"], bool(text["title"]), len(text["body"]) > 50) == (purpose, True, True)
    assert "max-age=300" in answer.headers["Cache-Control"]


@pytest.mark.usefixtures("new_policy")
def test_a_new_version_is_shown_from_its_day_on(control: Control) -> None:
    assert read(control, "texts/PRIVACY_POLICY").json()["version"] == 1
    control.advance(3605)
    assert read(control, "texts/PRIVACY_POLICY").json()["body"] == "新正文"
    [listed] = [one for one in read(control, "hospital").json()["texts"] if one["purpose"] == "PRIVACY_POLICY"]
    assert (listed["version"], listed["title"]) == (2, "新政策")


@pytest.mark.parametrize("purpose", ["NOTHING", "privacy_policy", "%25"])
def test_there_is_no_text_of_another_name(control: Control, purpose: str) -> None:
    answer = read(control, f"texts/{purpose}")
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "text_not_found")


def test_what_is_only_read_is_no_consent_and_cannot_be_consented_to(guest: Phone, ill: dict[str, Any]) -> None:
    shown = guest.call("GET", "account/consents")["texts"]
    assert {one["purpose"] for one in shown} == {"HEALTH_DATA", "CHILD_GUARDIAN"}
    with pytest.raises(Refused) as refused:
        guest.call("POST", "account/consents", {"patient_id": ill["id"], "purpose": "PRIVACY_POLICY", "version": 1})
    assert refused.value.status == 422


# -- the badge --------------------------------------------------------------------------------------
def test_a_badge_that_is_a_picture_comes_from_cos(control: Control, policy: Set) -> None:
    assert read(control, "badge").status_code == 404
    policy(hospital_badge_picture="content/badge.png")
    assert read(control, "hospital").json()["badge_picture"] == "/api/content/badge"
    answer = read(control, "badge")
    address = answer.headers["Location"]
    assert (answer.status_code, address.startswith(f"{control.addresses['cos']}/")) == (302, True)
    shown = requests.get(address, timeout=30)  # signed for that key, under which nobody has put anything here
    assert (shown.status_code, "NoSuchKey" in shown.text, "content/badge.png" in address) == (404, True, True)
