"""Hospital policy: checked when it is set; what is stored and not taken is at its default, with a task."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from sandbox.phone import Control, Phone, Refused
from sandbox.templates import policy_templates

Ask = Callable[..., list[tuple[Any, ...]]]
Store = Callable[[str, str], None]


@pytest.fixture
def stored(sql: Ask) -> Iterator[Store]:
    """``stored(name, text)``: a row that another program (older, newer) has left, or a hand."""
    before: dict[str, list[tuple[Any, ...]]] = {}

    def store(name: str, text: str) -> None:
        before.setdefault(name, sql("SELECT value FROM settings WHERE name = %s", (name,)))
        sql("REPLACE INTO settings (name, value, changed_at) VALUES (%s, %s, '2026-11-23')", (name, text))

    yield store
    for name, rows in before.items():
        sql("DELETE FROM settings WHERE name = %s", (name,))
        for (text,) in rows:
            store(name, text)


def ignored(control: Control) -> dict[str, dict[str, Any]]:
    """The tasks about settings that are not taken, by name, after the timer that looks."""
    answer = control("POST", "/scf/timers/reconcile/every-ten-minutes/fire")
    assert "error" not in answer, answer
    control.settle()
    return {one["subject_id"]: one for one in control.tasks(kind="setting.ignored")}


def refusal(control: Control, **changes: Any) -> list[str]:
    """The fields for which a change is refused."""
    with pytest.raises(Refused) as refused:
        control.operate("settings.change", changes=changes)
    fields = refused.value.error["fields"]
    return [one["field"] if isinstance(one, dict) else one for one in fields]


# -- what is stored ---------------------------------------------------------------------------------
@pytest.mark.parametrize(("name", "text"), [
    ("weather", '"fine"'), ("days_ahead", "900"), ("days_ahead", '"many"'), ("release_time", "{"),
    ("payment", '"LATER"'), ("ebill_path", '"p?{batch_code.__class__}"'), ("message_templates", '{"refunded": 7}'),
    ("hold_minutes", "null")])
def test_a_stored_setting_that_is_not_taken_is_at_its_default_and_every_page_goes_on(
        control: Control, guest: Phone, stored: Store, name: str, text: str) -> None:
    stored("patients_per_account", "4")  # beside it: goes on being in force
    stored(name, text)
    for path in ("account/me", "account/patients", "booking/departments", "billing/payments", "invoice/invoices"):
        assert guest.raw("GET", path).status_code == 200, path
    assert Phone(control).sign_in().token
    for times in (1, 2):  # one task, counted
        task = ignored(control)[name]
        assert (task["times"], task["ends_with"][0]) == (times, "settings.change")
    assert task["detail"] == ("no such setting" if name == "weather" else "not a value that it may have")
    assert text not in task["detail"]
    control.operate("settings.change", changes={name: None})
    assert name not in ignored(control)


def test_beside_a_setting_that_is_not_taken_others_can_be_changed(control: Control, stored: Store, sql: Ask) -> None:
    stored("weather", "1")
    stored("days_ahead", "-1")
    control.operate("settings.change", changes={"hold_minutes": 20})
    try:
        assert sql("SELECT value FROM settings WHERE name = 'hold_minutes'") == [("20",)]
    finally:
        control.operate("settings.change", changes={"hold_minutes": None})


def test_a_task_about_a_setting_ends_by_itself_when_the_row_is_right_again(control: Control, stored: Store) -> None:
    stored("days_ahead", "-1")
    assert "days_ahead" in ignored(control)
    stored("days_ahead", "7")
    assert "days_ahead" not in ignored(control)


def test_a_setting_that_there_never_was_cannot_be_set_nor_removed(control: Control) -> None:
    assert refusal(control, weather=1) == ["weather"]
    assert refusal(control, weather=None) == ["weather"]


# -- what is set ------------------------------------------------------------------------------------
@pytest.mark.parametrize("path", ["p?c={code}", "p?{batch_code.__class__}", "p?{0}", "p?{batch_code!r}", "p?{", "p?}",
                                  "p?{{number}}", "p?{number:>9}", "p?{}", "p?{batch_code[0]}"])
def test_a_page_with_unknown_blanks_is_refused_when_it_is_set(control: Control, path: str) -> None:
    assert refusal(control, ebill_path=path) == ["ebill_path"]


def test_a_page_may_leave_blanks_out_and_hold_signs_of_other_languages(control: Control, policy: Callable[..., None]
                                                                       ) -> None:
    policy(ebill_path="p?n={number}&m={number}&100%s$x%(y)s")


@pytest.mark.parametrize(("kind", "keywords", "field"), [
    ("checked_in", {"number": "letter4"}, "keywords.number"), ("refunded", {"amount": "phrase2"}, "keywords.amount"),
    ("refunded", {"note": "time2"}, "keywords.note"), ("refunded", {"weather": "thing2"}, "keywords.weather"),
    ("refunded", {"note": "nothing"}, "keywords.note")])
def test_a_template_whose_keyword_cannot_hold_its_value_is_refused_when_it_is_set(
        control: Control, kind: str, keywords: dict[str, str], field: str) -> None:
    others = policy_templates()
    changed = {**others, kind: {**others[kind], "keywords": keywords}}
    assert refusal(control, message_templates=changed) == [f"message_templates.{kind}.{field}"]
    assert refusal(control, message_templates={**others, "weather": others[kind]}) == ["message_templates.weather"]
