"""POST Object: the gateway's form uploads what it says and nothing else; the store keeps to its policy."""

from __future__ import annotations

import base64
import json
from collections import deque
from collections.abc import Iterator
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
import requests
from hospital.gateways import cos
from hospital.gateways.outcome import Rejected, Unanswered
from hospital.runtime.clock import utc_now

from sandbox.clock import Clock
from sandbox.cos import Cos
from sandbox.cos.posting import signature
from sandbox.faults import Fault, Faults
from sandbox.system import World

BUCKET, KEY, TOKEN = "hospital-1250000000", "uploads/0a1b2c", "t+/= 1"


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Iterator[Cos]:
    system = Cos(World(Clock(), Faults(), deque()), secret_id="AKIDcos", secret_key="coskey", token=TOKEN,
                 buckets=[BUCKET])
    for name, value in (("SECRETID", "AKIDcos"), ("SECRETKEY", "coskey"), ("SESSIONTOKEN", TOKEN)):
        monkeypatch.setenv(f"TENCENTCLOUD_{name}", value)
    base = f"{system.serve()}/{BUCKET}"
    monkeypatch.setattr(cos, "config", lambda: SimpleNamespace(cos_base=base, cos_bucket=BUCKET, region="ap-guangzhou"))
    cos._client_for.cache_clear()
    yield system
    cos._client_for.cache_clear()


def form(**changes: Any) -> cos.UploadForm:
    return cos.upload_form(**{"key": KEY, "content_type": "image/png", "at_most": 100, "seconds": 600,
                              "now": utc_now(), **changes})


def post(one: cos.UploadForm, content: bytes | None = b"picture", **changes: str) -> tuple[int, str]:
    """Status and the refusal's code."""
    fields = {name: value for name, value in {**one.fields, **changes}.items() if value}
    files = {"file": ("a.png", content, "application/x-other")} if content is not None else {"other": ("", b"")}
    answer = requests.post(one.url, data=fields, files=files, timeout=10)
    return answer.status_code, answer.text.partition("<Code>")[2].partition("</Code>")[0]


def test_a_posted_file_is_stored_under_the_form_s_key_and_type(store: Cos) -> None:
    assert post(form()) == (204, "")
    assert cos.get(KEY, at_most=100) == b"picture"
    head = cos._client().head_object(Bucket=BUCKET, Key=KEY)
    assert (head["Content-Type"], head["x-cos-server-side-encryption"]) == ("image/png", "AES256")
    assert [line["operation"] for line in store.world.journal][:1] == ["post_object"]
    assert post(form(), success_action_status="200")[0] == 200


@pytest.mark.parametrize(("changes", "code"), [
    ({"key": "uploads/other"}, "AccessDenied"), ({"Content-Type": "text/html"}, "AccessDenied"),
    ({"Content-Type": ""}, "AccessDenied"), ({"q-signature": "0" * 40}, "SignatureDoesNotMatch"),
    ({"q-key-time": "1;9999999999"}, "SignatureDoesNotMatch"), ({"q-ak": "AKIDother"}, "InvalidAccessKeyId"),
    ({"x-cos-security-token": "other"}, "InvalidAccessKeyId"), ({"policy": "%%"}, "InvalidPolicyDocument"),
    ({"key": ""}, "InvalidArgument")])
def test_any_other_form_is_refused(store: Cos, changes: dict[str, str], code: str) -> None:
    assert post(form(), **changes) == (403, code)
    assert cos.get(KEY, at_most=100) is None


def test_a_file_of_another_size_is_refused_and_so_is_none(store: Cos) -> None:
    assert post(form(), b"x" * 101) == (400, "EntityTooLarge")
    assert post(form(), b"") == (400, "EntityTooSmall")
    assert post(form(), None) == (403, "InvalidArgument")
    assert post(form(), b"x" * 100) == (204, "")


def test_a_form_ends_in_time_and_does_not_begin_before(store: Cos) -> None:
    one = form(seconds=60)
    store.clock.advance(timedelta(seconds=61))
    assert post(one) == (403, "AccessDenied")
    assert post(form(now=utc_now() + timedelta(hours=1))) == (403, "AccessDenied")


def test_a_policy_must_name_the_signature_s_own_parts(store: Cos) -> None:
    one = form()
    text = json.dumps({**json.loads(base64.b64decode(one.fields["policy"])), "conditions": [{"bucket": BUCKET}]})
    signed = {"policy": base64.b64encode(text.encode()).decode(),
              "q-signature": signature(text, one.fields["q-key-time"], "coskey")}
    assert post(one, **signed) == (403, "InvalidPolicyDocument")


def test_a_page_of_any_address_may_post(store: Cos) -> None:
    asked = requests.options(form().url, headers={"Origin": "http://page", "Access-Control-Request-Method": "POST"},
                             timeout=10)
    assert (asked.status_code, asked.headers["Access-Control-Allow-Origin"]) == (200, "*")


# -- reading it -------------------------------------------------------------------------------------
def test_a_file_that_is_not_there_is_none_and_a_longer_one_than_asked_for_is_told(store: Cos) -> None:
    assert cos.get(KEY, at_most=10) is None
    cos.put(KEY, b"x" * 11, content_type="image/png")
    with pytest.raises(cos.TooLong):
        cos.get(KEY, at_most=10)
    assert cos.get(KEY, at_most=11) == b"x" * 11


@pytest.mark.parametrize(("kind", "params", "outcome"), [
    ("cut_before", {}, Unanswered), ("cut_after", {}, Unanswered), ("garbage", {}, Unanswered),
    ("error", {"status": 503}, Unanswered), ("refuse", {"code": "AccessDenied", "status": 403}, Unanswered),
    ("refuse", {"code": "InvalidArgument", "status": 400}, Rejected),
    ("refuse", {"code": "NoSuchBucket", "status": 404}, Rejected)])
def test_what_is_no_answer_is_not_taken_for_a_file_or_for_none(
        store: Cos, kind: str, params: dict[str, Any], outcome: type[Exception]) -> None:
    cos.put(KEY, b"picture", content_type="image/png")
    store.world.faults.add(Fault("cos", "get_object", kind, times=-1, params=params))
    with pytest.raises(outcome):
        cos.get(KEY, at_most=100)
