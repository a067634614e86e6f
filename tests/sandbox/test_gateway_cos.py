"""The gateway to COS: what is put comes back by a link for a while, and by nothing else."""

from __future__ import annotations

import io
from collections import deque
from collections.abc import Iterator
from datetime import timedelta
from types import SimpleNamespace
from urllib.parse import parse_qsl, urlsplit

import pytest
import qcloud_cos.cos_client
import requests
from hospital.gateways import cos
from hospital.gateways.outcome import Rejected, Unanswered

from sandbox.clock import Clock
from sandbox.cos import Cos
from sandbox.faults import Fault, Faults
from sandbox.system import World

BUCKET, KEY = "hospital-1250000000", "invoices/01M82SGZ5SEFVK8VK5YHH20BS3.pdf"
PDF, CONTENT = "application/pdf", b"%PDF-1.7 content"
KEYS = {"TENCENTCLOUD_SECRETID": "AKIDcos", "TENCENTCLOUD_SECRETKEY": "coskey", "TENCENTCLOUD_SESSIONTOKEN": "t+/= 1"}


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Iterator[Cos]:
    system = Cos(World(Clock(), Faults(), deque()), secret_id="AKIDcos", secret_key="coskey", token="t+/= 1",
                 buckets=[BUCKET])
    address = system.serve()
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(qcloud_cos.cos_client, "time", SimpleNamespace(sleep=lambda seconds: None))  # before a retry
    configure(monkeypatch, f"{address}/{BUCKET}")
    yield system
    cos._client_for.cache_clear()


def configure(monkeypatch: pytest.MonkeyPatch, base: str, bucket: str = BUCKET) -> None:
    monkeypatch.setattr(cos, "config", lambda: SimpleNamespace(
        cos_base=base, cos_bucket=bucket, region="ap-guangzhou"))
    cos._client_for.cache_clear()


def put(content: bytes = CONTENT, key: str = KEY) -> None:
    cos.put(key, content, content_type=PDF)


def get(url: str) -> requests.Response:
    return requests.get(url, timeout=10)


def test_a_file_comes_back_by_its_link_under_its_name(store: Cos) -> None:
    put()
    assert cos.exists(KEY)
    answer = get(cos.link(KEY, seconds=300, filename="门诊 票据,1;\"2\".pdf"))
    assert (answer.status_code, answer.content, answer.headers["Content-Type"]) == (200, CONTENT, PDF)
    assert answer.headers["Content-Disposition"] == (
        "attachment;filename*=UTF-8''%E9%97%A8%E8%AF%8A%20%E7%A5%A8%E6%8D%AE%2C1%3B%222%22.pdf")
    assert answer.headers["x-cos-server-side-encryption"] == "AES256"


def test_a_file_that_is_there_is_replaced_and_an_open_one_can_be_put(store: Cos) -> None:
    put(b"%PDF old")
    cos.put(KEY, io.BytesIO(CONTENT), content_type=PDF)
    assert get(cos.link(KEY, seconds=60, filename="a.pdf")).content == CONTENT


def test_a_file_that_is_removed_is_gone_and_to_remove_it_again_is_no_matter(store: Cos) -> None:
    put()
    cos.remove(KEY)
    assert not cos.exists(KEY)
    cos.remove(KEY)


def test_a_file_that_is_not_there_does_not_exist(store: Cos) -> None:
    assert not cos.exists("invoices/none.pdf")
    assert get(cos.link("invoices/none.pdf", seconds=60, filename="a.pdf")).status_code == 404


def test_without_a_link_or_with_an_altered_one_nobody_reads(store: Cos) -> None:
    put()
    put(b"another", key="invoices/other.pdf")
    link = cos.link(KEY, seconds=300, filename="a.pdf")
    bare, _, query = link.partition("?")
    assert get(bare).status_code == 403
    assert get(link.replace(KEY, "invoices/other.pdf")).status_code == 403
    for name, value in parse_qsl(query):
        if name in ("q-sign-algorithm", "q-header-list", "q-url-param-list"):
            continue
        altered = requests.Request("GET", bare, params=dict(parse_qsl(query)) | {name: f"{value}0"}).prepare().url
        assert altered is not None
        assert get(altered).status_code in (400, 403), name
    assert requests.put(link, data=b"mine", timeout=10).status_code == 403
    assert requests.delete(link, timeout=10).status_code == 403
    assert cos.exists(KEY)


def test_a_link_ends(store: Cos) -> None:
    put()
    link = cos.link(KEY, seconds=300, filename="a.pdf")
    store.clock.advance(timedelta(seconds=295))
    assert get(link).status_code == 200
    store.clock.advance(timedelta(seconds=10))
    assert get(link).status_code == 403


def test_a_link_opens_one_file_by_one_way_and_does_not_hold_the_key(store: Cos) -> None:
    link = cos.link(KEY, seconds=300, filename="a.pdf")
    assert "coskey" not in link
    assert urlsplit(link).path == f"/{BUCKET}/{KEY}"
    assert set(dict(parse_qsl(link.partition("?")[2]))["q-url-param-list"].split(";")) == {
        "response-content-disposition", "x-cos-security-token"}


@pytest.mark.parametrize(("name", "value"), [
    ("TENCENTCLOUD_SECRETID", "AKIDother"), ("TENCENTCLOUD_SECRETKEY", "forged"), ("TENCENTCLOUD_SESSIONTOKEN", "old"),
    ("TENCENTCLOUD_SESSIONTOKEN", ""), ("TENCENTCLOUD_SECRETID", "")])
def test_with_keys_that_are_not_ours_nothing_is_done(store: Cos, monkeypatch: pytest.MonkeyPatch, name: str, value: str
                                                     ) -> None:
    put(key="before")
    other = f"{KEY}.{name}.{value}"  # of this case alone: the bucket is shared
    monkeypatch.setenv(name, value)
    with pytest.raises(Unanswered):
        put(key=other)
    with pytest.raises(Unanswered):
        cos.exists(other)
    monkeypatch.setenv(name, KEYS[name])
    assert not cos.exists(other)


def test_keys_that_the_platform_renewed_are_used_from_then_on(store: Cos, monkeypatch: pytest.MonkeyPatch) -> None:
    put()
    store.secret_id, store.secret_key, store.token = "AKIDnew", "newkey", "new"
    with pytest.raises(Unanswered, match="403"):
        put()
    for name, value in zip(KEYS, ("AKIDnew", "newkey", "new"), strict=True):
        monkeypatch.setenv(name, value)
    put(b"renewed")
    assert get(cos.link(KEY, seconds=60, filename="a.pdf")).content == b"renewed"


def test_a_definite_refusal_is_told_by_its_code(store: Cos, monkeypatch: pytest.MonkeyPatch) -> None:
    store.world.faults.add(Fault("cos", "put_object", "refuse", params={"code": "EntityTooLarge", "status": 400}))
    with pytest.raises(Rejected, match="EntityTooLarge"):
        put()
    other = "nowhere-1250000000"
    configure(monkeypatch, f"{store.address}/{other}", bucket=other)
    with pytest.raises(Rejected, match="NoSuchBucket"):
        put()


@pytest.mark.parametrize("fault", [
    {"kind": "error"}, {"kind": "error", "params": {"status": 503}}, {"kind": "cut_before"},
    {"kind": "garbage", "params": {"status": 502}}, {"kind": "garbage", "params": {"status": 400}},
    {"kind": "refuse", "params": {"code": "SlowDown", "status": 503}},
    {"kind": "refuse", "params": {"code": "RequestTimeTooSkewed", "status": 403}}])
def test_what_says_nothing_about_the_file_is_no_answer(store: Cos, fault: dict[str, object]) -> None:
    for call in (put, lambda: cos.exists(KEY), lambda: cos.remove(KEY)):
        store.world.faults.add(Fault("cos", "*", times=2, **fault))  # type: ignore[arg-type]
        with pytest.raises(Unanswered):
            call()
        store.world.faults.clear()


def test_a_put_whose_answer_was_lost_is_tried_once_more_and_is_there(store: Cos) -> None:
    store.world.faults.add(Fault("cos", "put_object", "cut_after"))
    cos.put(KEY, io.BytesIO(CONTENT), content_type=PDF)
    assert get(cos.link(KEY, seconds=60, filename="a.pdf")).content == CONTENT
    store.world.faults.add(Fault("cos", "put_object", "cut_after", times=2))
    with pytest.raises(Unanswered) as silence:
        put()
    assert silence.value.sent


def test_a_store_that_is_away_or_slow_does_not_answer(store: Cos, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cos, "TIMEOUT", (0.5, 0.2))
    cos._client_for.cache_clear()
    store.world.faults.add(Fault("cos", "put_object", "delay", times=2, params={"seconds": 1}))
    with pytest.raises(Unanswered) as silence:
        put()
    assert silence.value.sent
    configure(monkeypatch, f"http://127.0.0.1:9/{BUCKET}")
    with pytest.raises(Unanswered) as silence:
        put()
    assert not silence.value.sent


def test_without_an_address_the_sdks_own_is_used(store: Cos, monkeypatch: pytest.MonkeyPatch) -> None:
    configure(monkeypatch, "")
    address = urlsplit(cos.link(KEY, seconds=60, filename="a.pdf"))
    assert (address.scheme, address.netloc, address.path) == (
        "https", f"{BUCKET}.cos.ap-guangzhou.myqcloud.com", f"/{KEY}")


def test_the_sdk_writes_neither_links_nor_keys_into_our_log(store: Cos, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("DEBUG"):
        put()
        cos.link(KEY, seconds=60, filename="a.pdf")
        with pytest.raises(Unanswered):
            store.world.faults.add(Fault("cos", "*", "error", times=2))
            put()
    assert not [record for record in caplog.records if record.name.startswith("qcloud_cos")]
