"""The outbox's patience, who works which topic off, ids, and the policy's limits."""

from __future__ import annotations

import ast
import importlib
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest
from hospital.booking.choices import CLINICS
from hospital.booking.jobs import RETAKEN_HOLD
from hospital.database import outbox
from hospital.database.policy import Policy
from hospital.feedback.pictures import PICTURES
from hospital.gateways import wechat, wechatpay
from hospital.gateways.his import wire as his_wire
from hospital.payment.jobs import REFUND
from hospital.payment.model import CHARGE, PREFIXES, REGISTRATION
from hospital.reconciliation.stuck_store import WATCHED
from hospital.runtime import ids
from pydantic import ValidationError

HOUSE = Path(outbox.__file__).resolve().parent.parent


def test_it_waits_longer_each_time_and_gives_up_within_hours() -> None:
    assert sorted(set(outbox.BACK_OFF)) == outbox.BACK_OFF
    assert outbox.BACK_OFF[0] <= timedelta(seconds=10)
    assert timedelta(hours=1) <= sum(outbox.BACK_OFF, timedelta()) <= timedelta(hours=4)


def test_a_place_taken_again_is_locked_for_longer_than_the_outbox_tries() -> None:
    longest = sum(outbox.BACK_OFF, timedelta()) + outbox.LEASE * (len(outbox.BACK_OFF) + 1)
    assert longest < RETAKEN_HOLD


def test_a_lease_is_longer_than_the_calls_of_one_handler() -> None:
    slowest = max(his_wire.CONNECT_SECONDS + his_wire.READ_SECONDS, sum(wechat.TIMEOUT), sum(wechatpay.TIMEOUT))
    assert timedelta(seconds=4 * slowest) < outbox.LEASE
    assert timedelta(seconds=2 * (his_wire.CONNECT_SECONDS + his_wire.LIST_SECONDS)) < outbox.LEASE


def test_every_topic_has_a_handler_in_the_function_that_claims_it() -> None:
    worker = importlib.import_module("functions.worker.index").HANDLERS
    assert {outbox.function_of(topic) for topic in worker} == {"worker"}
    assert {outbox.function_of(topic) for topic in REFUND} == {"refund"}
    assert {outbox.function_of(topic) for topic in PICTURES} == {"pictures"}
    assert {outbox.function_of(topic) for topic in CLINICS} == {"clinic_changes"}
    published = {node.args[1].value for path in HOUSE.rglob("*.py") for node in ast.walk(ast.parse(path.read_text()))
                 if isinstance(node, ast.Call) and getattr(node.func, "attr", "") in ("publish", "bring_forward")
                 and isinstance(node.args[1], ast.Constant)}
    assert len(published) >= 8
    published |= {f"{kind}.{what}" for kind in PREFIXES for what in ("paid", "refund-accepted")}
    published |= {f"{kind}.reversed" for kind in (REGISTRATION, CHARGE)} | {one.topic for one in WATCHED}
    assert published <= set(worker) | set(REFUND) | set(PICTURES) | set(CLINICS)


def test_ids_are_time_ordered_and_never_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    assert len({ids.new_id() for _ in range(1000)}) == 1000
    made = []
    for millisecond in range(0, 10_000_000_000_000, 99_999_999_999):
        monkeypatch.setattr(ids, "time", SimpleNamespace(time_ns=lambda at=millisecond: at * 1_000_000))
        made.append(ids.new_id())
    assert made == sorted(made)
    assert all(len(one) == 26 and set(one) <= set("0123456789ABCDEFGHJKMNPQRSTVWXYZ") for one in made)


def test_ids_of_one_millisecond_keep_the_order_in_which_they_were_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ids, "time", SimpleNamespace(time_ns=lambda: 1_795_390_100_123_000_000))
    made = [ids.new_id() for _ in range(1000)]
    assert made == sorted(set(made))
    assert len({one[:10] for one in made}) == 1
    monkeypatch.setattr(ids, "time", SimpleNamespace(time_ns=lambda: 1_795_390_100_122_000_000))
    assert ids.new_id() < made[0]  # a clock that was put back is believed


@pytest.mark.parametrize("change", [
    {"days_ahead": -1}, {"days_ahead": 61}, {"hold_minutes": 0}, {"payment": "LATER"}, {"release_time": "25:00"},
    {"session_hours": 0}, {"resale_delay_max_seconds": 3601}, {"cancel_until": "noon"}, {"unheard_of": 1},
    {"message_templates": {"x": {"template_id": 1}}}, {"patients_per_account": 0}])
def test_a_policy_that_makes_no_sense_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Policy.model_validate(change)
