"""What patients write and photograph, while COS or WeChat misbehaves, or our own function dies in the middle."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
import requests

from sandbox.phone import Control, Phone
from tests.features.test_complaint_pictures import MINUTES_LATER, in_cos
from tests.photos import photo, size_of

Ask = Callable[..., list[tuple[Any, ...]]]
TEXT = "卫生间的水龙头坏了好几天，地上全是水，老人容易滑倒。"


# -- WeChat -----------------------------------------------------------------------------------------
@pytest.mark.parametrize(("fault", "params"), [
    ("cut_before", {}), ("cut_after", {}), ("error", {"status": 502}), ("garbage", {}),
    ("refuse", {"code": "45009"}), ("override", {"set": {"result": {"suggest": "who knows"}}})])
def test_while_wechat_is_silent_a_complaint_is_received_and_looked_at_later(
        control: Control, phone: Phone, sql: Ask, fault: str, params: dict[str, Any]) -> None:
    control.fault("wechat", "check_text", fault, times=2, **params)  # the request, and the first try of the job
    filed = phone.complain(TEXT)
    control.settle()
    state = "SELECT text_state FROM complaints WHERE id = %s"
    assert sql(state, (filed["id"],)) == [("UNCHECKED",)]
    control("DELETE", "/faults")
    control.advance(60)
    control.work()
    expected = "UNCHECKED" if fault == "refuse" else "PASSED"  # a definite no is not asked again: staff see it
    assert sql(state, (filed["id"],)) == [(expected,)]


# -- COS --------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("operation", "fault", "params"), [
    ("get_object", "cut_before", {}), ("get_object", "error", {"status": 503}), ("get_object", "garbage", {}),
    ("put_object", "cut_after", {}), ("put_object", "error", {"status": 500}), ("put_object", "cut_before", {}),
    ("delete_object", "error", {"status": 503}), ("delete_object", "cut_after", {})])
def test_whatever_cos_does_wrong_the_picture_is_ready_in_the_end_and_nothing_stays_behind(
        control: Control, phone: Phone, operation: str, fault: str, params: dict[str, Any]) -> None:
    before = in_cos(control)
    control.fault("cos", operation, fault, times=2, **params)  # the SDK's own second try too
    filed = phone.complain(TEXT, picture_ids=[phone.add_picture(photo())])
    control.settle()
    control("DELETE", "/faults")
    for _ in range(3):
        control.advance(60)
        control.work("pictures")
    [shown] = phone.complaint(filed["id"])["pictures"]
    assert shown["state"] == "READY"
    assert size_of(requests.get(shown["url"], timeout=30).content) == (60, 40)
    control.advance(MINUTES_LATER)
    control.work("pictures")
    assert {key.split("/")[0] for key in in_cos(control) - before} <= {"pictures"}


# -- our own function -------------------------------------------------------------------------------
def waiting(control: Control, operation: str) -> None:
    """Until a call is held."""
    until = time.monotonic() + 60
    while not control("GET", "/faults")["faults"][0]["hits"]:
        assert time.monotonic() < until, f"{operation} was not called"
        time.sleep(0.01)


@pytest.mark.parametrize("operation", ["get_object", "put_object", "delete_object"])
def test_a_picture_whose_function_dies_is_taken_over_and_nothing_stays_behind(
        control: Control, phone: Phone, operation: str) -> None:
    before = in_cos(control)
    control.settle()
    control.fault("cos", operation, "hold")
    filed = phone.complain(TEXT, picture_ids=[phone.add_picture(photo())])
    waiting(control, operation)
    assert control("POST", "/scf/instances/stop", function="pictures")["stopped"] >= 1
    control("DELETE", "/faults")
    control.settle()
    assert operation == "delete_object" or phone.complaint(filed["id"])["pictures"][0]["state"] == "UPLOADED"
    control.advance(100)  # the dead one's lease is over
    control.work("pictures")
    assert phone.complaint(filed["id"])["pictures"][0]["state"] == "READY"
    control.advance(MINUTES_LATER)
    control.work("pictures")
    assert {key.split("/")[0] for key in in_cos(control) - before} == {"pictures"}
