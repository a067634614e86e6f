"""The manifest and the timer expressions: what is read, and what is refused with a clear reason."""

from __future__ import annotations

import copy
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest

from sandbox.scf.cron import Cron, CronError
from sandbox.scf.manifest import ManifestError, load, parse

ROOT = Path(__file__).parents[2]
GOOD: dict[str, Any] = {
    "app": "hospital", "stage": "dev", "component": "multi-scf", "name": "hospital",
    "inputs": {
        "region": "ap-guangzhou", "memorySize": 256, "timeout": 30,
        "layers": [{"name": "common", "path": "layers/common"}],
        "environments": [{"key": "STAGE", "value": "${env:STAGE}"}],
        "functions": {
            "door": {"src": "./functions/door", "type": "web",
                     "instanceConcurrencyConfig": {"maxConcurrency": 8}},
            "worker": {"src": "./functions/worker", "timeout": 120,
                       "environments": [{"key": "OWN", "value": "x"}]},
        },
        "triggers": [
            {"type": "http", "function": "door", "parameters": {"authType": "NONE"}},
            {"type": "timer", "function": "worker",
             "parameters": {"name": "tick", "cronExpression": "0 * * * * * *", "argument": "hello"}},
        ],
    },
}


def changed(path: str, value: Any) -> dict[str, Any]:
    document = copy.deepcopy(GOOD)
    node: Any = document
    *parents, last = path.split("/")
    for key in parents:
        node = node[int(key)] if isinstance(node, list) else node[key]
    node[last] = value
    return document


def test_the_projects_own_manifest_is_read() -> None:
    manifest = load(ROOT / "serverless.yml")
    assert manifest.functions
    assert all(function.environment for function in manifest.functions.values())


def test_common_settings_hold_unless_a_function_has_its_own() -> None:
    manifest = parse(GOOD, {"STAGE": "test"})
    door, worker = manifest.functions["door"], manifest.functions["worker"]
    assert (door.type, door.timeout_s, door.max_concurrency, door.memory_mb) == ("web", 30, 8, 256)
    assert (worker.type, worker.timeout_s, worker.max_concurrency, worker.retries) == ("event", 120, 1, 2)
    assert door.environment == {"STAGE": "test"}
    assert worker.environment == {"OWN": "x"}, "a function's own list replaces the common one"
    assert door.http and door.http.extranet and not worker.http
    assert worker.timer("tick").argument == "hello"


@pytest.mark.parametrize(("path", "value", "reason"), [
    ("inputs/triggers", [{"type": "http", "function": "nobody"}], "nobody"),
    ("inputs/environments", [{"key": "A", "value": "${env:UNKNOWN}"}], "UNKNOWN"),
    ("inputs/layers", [{"name": f"l{i}", "version": 1} for i in range(6)], "6 layers"),
    ("inputs/environments", [{"key": "A", "value": "x" * 4096}], "4097 bytes"),
    ("inputs/environments", [{"key": "SCF_X", "value": "1"}], "reserved"),
    ("inputs/environments", [{"key": "QCLOUD_X", "value": "1"}], "reserved"),
    ("inputs/environments", [{"key": "TENCENTCLOUD_SECRETID", "value": "1"}], "reserved"),
    ("inputs/triggers/1/parameters/cronExpression", "* * * * *", "5 fields"),
    ("inputs/timeout", 901, "timeout"),
    ("inputs/functions/worker/timeout", 0, "timeout"),
    ("inputs/functions/worker/memorySize", 100, "memorySize"),
    ("inputs/functions/worker/type", "batch", "batch"),
    ("inputs/functions/worker/handler", "main", "handler"),
    ("inputs/functions/worker/retryNum", 3, "retryNum"),
    ("inputs/functions/worker/instanceConcurrencyConfig", {"maxConcurrency": 2}, "web functions only"),
    ("inputs/functions", {}, "0 functions"),
])
def test_what_scf_would_refuse_is_refused_with_the_reason(path: str, value: Any, reason: str) -> None:
    with pytest.raises(ManifestError, match=reason):
        parse(changed(path, value), {"STAGE": "test"})


def test_environment_of_exactly_4_kb_is_allowed() -> None:
    parse(changed("inputs/environments", [{"key": "A", "value": "x" * 4095}]), {})


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=timezone.utc)


@pytest.mark.parametrize(("expression", "after", "fires"), [
    ("0 * * * * * *", "2026-11-22T03:00:00", "2026-11-22T03:01:00"),
    ("40 */5 * * * * *", "2026-11-22T03:00:39", "2026-11-22T03:00:40"),
    ("40 */5 * * * * *", "2026-11-22T03:00:40", "2026-11-22T03:05:40"),
    ("0 30 3 * * * *", "2026-11-22T00:00:00", "2026-11-22T19:30:00"),  # 03:30 in Beijing
    ("0 0 9-17/4 * * 1-5 *", "2026-11-20T10:00:00", "2026-11-23T01:00:00"),  # Friday evening -> Monday
    ("0 0 0 1 * 0 *", "2026-11-01T16:00:00", "2026-11-07T16:00:00"),  # the 1st or a Sunday
    ("0 0 0 29 2 * *", "2026-01-01T00:00:00", "2028-02-28T16:00:00"),
    ("0 0 0 1 1 * 2030", "2026-01-01T00:00:00", "2029-12-31T16:00:00"),
])
def test_cron_fires_in_beijing_time(expression: str, after: str, fires: str) -> None:
    assert Cron.parse(expression).next_after(utc(after)) == utc(fires)


def test_cron_with_a_past_year_never_fires() -> None:
    assert Cron.parse("0 0 0 1 1 * 2020").next_after(utc("2026-01-01T00:00:00")) is None


@pytest.mark.parametrize("expression", [
    "60 * * * * * *", "* * * * * 7 *", "a * * * * * *", "*/0 * * * * * *", "5/2 * * * * * *",
    "9-5 * * * * * *", "",
])
def test_bad_cron_is_refused(expression: str) -> None:
    with pytest.raises(CronError):
        Cron.parse(expression)
