"""The SCF runtime: real processes, real HTTP, the cloud's limits."""

from __future__ import annotations

import os
import sys
import sysconfig
import time
from collections import deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import requests
from flask import Flask

from sandbox.clock import Clock
from sandbox.faults import Fault, Faults
from sandbox.scf import Scf
from sandbox.scf.errors import InvokeError
from sandbox.system import World

ROOT = Path(__file__).parents[2]
LAYERS = [ROOT / "layers" / "common", Path(sysconfig.get_paths()["purelib"]).resolve()]
READERS = [ROOT / "layers" / "reports"]

MANIFEST = """
app: t
stage: dev
component: multi-scf
name: t
inputs:
  timeout: 1
  layers: [{name: common, path: layers/common}]
  environments: [{key: STAGE, value: "${env:STAGE}"}]
  functions:
    door: {src: functions/door, type: web, timeout: 2, instanceConcurrencyConfig: {maxConcurrency: 8}}
    plain: {src: functions/plain, type: web, reservedConcurrency: 1}
    broken: {src: functions/broken, type: web}
    jobs: {src: functions/jobs, reservedConcurrency: 1}
    api: {src: functions/api}
    readers: {src: functions/api, layers: [{name: common, path: layers/common}, {name: readers, path: layers/reports}]}
  triggers:
    - {type: http, function: door}
    - {type: http, function: plain}
    - {type: http, function: broken}
    - {type: http, function: api}
"""

# Served by the project's own scf_bootstrap, that is by gunicorn from the layer.
DOOR = """
import json, os, threading, time
eight = threading.Barrier(8)
def app(environ, start_response):
    path = environ["PATH_INFO"]
    if path == "/slow":
        time.sleep(5)
    if path == "/meet":
        eight.wait()  # until eight requests are in this process at once
    if path == "/crash":
        os.kill(os.getppid(), 9)
        os._exit(1)
    body = environ["wsgi.input"].read()
    answer = {"raw": environ["RAW_URI"], "method": environ["REQUEST_METHOD"], "body": body.decode("latin-1"),
              "remote": environ.get("HTTP_X_SCF_REMOTE_ADDR"), "id": environ.get("HTTP_X_SCF_REQUEST_ID"),
              "pid": os.getpid(), "env": dict(os.environ), "cwd": os.getcwd()}
    start_response("201 Created", [("Content-Type", "application/json"), ("Set-Cookie", "a=1"),
                                   ("Set-Cookie", "b=2")])
    return [json.dumps(answer).encode()]
"""

# A bootstrap of the function's own, standard library only.
PLAIN = """#!/bin/bash
exec /var/lang/python310/bin/python3.10 server.py 0.0.0.0:9000
"""
PLAIN_SERVER = """
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        if self.path.startswith("/slow?"):
            open(self.path.partition("=")[2]).read()  # until who opened the other end closes it
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")
host, port = sys.argv[1].split(":")
ThreadingHTTPServer((host, int(port)), Handler).serve_forever()
"""

JOBS = """
import os, sys, time
print("loaded", sys.path)
calls = 0
def main_handler(event, context):
    global calls
    calls += 1
    print("printed by the handler")
    what = event.get("do") if isinstance(event, dict) else None
    if what == "raise":
        raise ValueError("13800000000")
    if what == "sleep":
        time.sleep(event["seconds"])
    if what == "wait":
        open(event["file"] + ".in", "w").close()
        while not os.path.exists(event["file"]):
            time.sleep(0.01)
    if what == "exit":
        os._exit(3)
    if what == "big":
        return "x" * (6 * 1024 * 1024)
    if what == "unserializable":
        return {1, 2}
    return {"event": event, "context": context, "calls": calls, "pid": os.getpid(), "env": dict(os.environ),
            "path": sys.path, "cwd": os.getcwd()}
"""

API = """
import base64, json
def main_handler(event, context):
    if event["path"] == "/binary":
        return {"isBase64Encoded": True, "statusCode": 200, "headers": {"Content-Type": "image/png"},
                "body": base64.b64encode(b"\\x89PNG").decode()}
    if event["path"] == "/raise":
        raise ValueError("secret")
    if event["path"] == "/odd":
        return "no answer"
    return {"isBase64Encoded": False, "statusCode": 202,
            "headers": {"Content-Type": "application/json", "Key": ["v1", "v2"]}, "body": json.dumps(event)}
"""


class Desk:
    """The runtime with its two addresses."""

    def __init__(self, folder: Path, **options: Any) -> None:
        project = folder / "project"
        for name, files in {
            "door": {"index.py": DOOR, ".env": "SECRET=1"},
            "plain": {"scf_bootstrap": PLAIN, "server.py": PLAIN_SERVER},
            "broken": {"scf_bootstrap": "#!/bin/bash\necho broken on purpose; exit 1\n"},
            "jobs": {"index.py": JOBS},
            "api": {"index.py": API},
        }.items():
            (project / "functions" / name).mkdir(parents=True)
            for file, text in files.items():
                (project / "functions" / name / file).write_text(text)
                if file == "scf_bootstrap":
                    (project / "functions" / name / file).chmod(0o755)
        (project / "scripts").mkdir()
        (project / "scripts" / "scf_bootstrap").write_text((ROOT / "scripts" / "scf_bootstrap").read_text())
        (project / "serverless.yml").write_text(MANIFEST)
        self.world = World(Clock(), Faults(), deque(maxlen=1000))
        self.scf = Scf(
            self.world, manifest=project / "serverless.yml", project=project,
            layer_paths={"layers/common": LAYERS, "layers/reports": READERS}, python=[sys.executable, "-S"],
            state=folder / "state", values={"STAGE": "test"}, **options,
            credentials={"secret_id": "AKID", "secret_key": "KEY", "token": "TOKEN"},
        )
        self.api = self.scf.serve() + "/api"
        control = Flask("control")
        control.register_blueprint(self.scf.control, url_prefix="/scf")
        self.control = control.test_client()

    def get(self, path: str) -> Any:
        return self.control.get("/scf" + path).get_json()

    def post(self, path: str, body: Any = None) -> Any:
        return self.control.post("/scf" + path, json=body).get_json()


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    desk = Desk(tmp_path_factory.mktemp("scf"))
    yield desk
    desk.scf.stop()


def gone(pid: int) -> bool:
    """Whether the process ends within 5 s; one that is only not yet reaped has ended."""
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except (FileNotFoundError, ProcessLookupError):
            return True
        if state == "Z":
            return True
        time.sleep(0.02)
    return False


# -- Web functions ------------------------------------------------------------------------------
def test_web_function_gets_plain_http_and_its_answer_comes_back_whole(desk: Desk) -> None:
    answer = requests.post(f"{desk.api}/door/a%2Fb//c?x=1&x=%20", data=b"hi", headers={
        "X-Scf-Request-Id": "forged", "X-Scf-Remote-Addr": "forged"}, timeout=20)
    seen = answer.json()
    assert answer.status_code == 201
    assert seen["raw"] == "/a%2Fb//c?x=1&x=%20" and seen["body"] == "hi" and seen["method"] == "POST"
    assert seen["remote"] == "127.0.0.1" and seen["id"] == answer.headers["X-Scf-Request-Id"] != "forged"
    assert answer.raw.headers.getlist("Set-Cookie") == ["a=1", "b=2"]
    assert requests.get(f"{desk.api}/door", timeout=20).json()["raw"] == "/"
    assert requests.head(f"{desk.api}/door/x", timeout=20).status_code == 201


def test_web_function_sees_only_the_clouds_environment(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEAK", "1")
    requests.get(f"{desk.api}/door/x", timeout=20)
    desk.post("/instances/stop", {"function": "door"})
    seen = requests.get(f"{desk.api}/door/x", timeout=20).json()
    expected = {"STAGE": "test", "TENCENTCLOUD_SECRETID": "AKID", "TENCENTCLOUD_SESSIONTOKEN": "TOKEN",
                "TENCENTCLOUD_RUNENV": "SCF", "SCF_FUNCTIONNAME": "door"}
    assert expected.items() <= seen["env"].items()
    assert "LEAK" not in seen["env"] and "TZ" not in seen["env"]
    assert seen["env"]["PYTHONPATH"].split(":") == [seen["cwd"], *map(str, LAYERS)]
    assert not Path(seen["cwd"], ".env").exists()


def test_a_function_sees_the_layers_that_it_binds_and_no_other(desk: Desk) -> None:
    platform, functions = desk.scf.platform, desk.scf.manifest.functions
    folder = Path("/code")

    def path(function: str) -> list[str]:
        return platform.environment(functions[function], folder)["PYTHONPATH"].split(":")

    assert path("api") == ["/code", *map(str, LAYERS)]
    assert path("readers") == ["/code", *map(str, LAYERS), *map(str, READERS)]


def test_web_function_serves_many_at_once_in_one_instance(desk: Desk) -> None:
    requests.get(f"{desk.api}/door/x", timeout=20)
    with ThreadPoolExecutor(8) as clients:
        answers = list(clients.map(lambda _: requests.get(f"{desk.api}/door/meet", timeout=20), range(8)))
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.json()["pid"] for answer in answers}) == 1
    facts = desk.get("/functions")["door"]
    assert facts["instances"] == 1 and facts["cold_starts"][-1]["first_answer_ms"] > 0
    assert requests.get(facts["addresses"][0] + "/direct", timeout=5).status_code == 201


def test_web_function_that_is_too_slow_is_cut_off_and_one_that_crashed_replaced(desk: Desk) -> None:
    slow = requests.get(f"{desk.api}/door/slow", timeout=20)
    assert slow.status_code == 504
    assert slow.json()["statusCode"] == 433 and slow.json()["errorMessage"].endswith("after 2 seconds")
    crashed = requests.get(f"{desk.api}/door/crash", timeout=20)
    assert (crashed.status_code, crashed.json()["statusCode"]) == (500, 439)
    assert requests.get(f"{desk.api}/door/x", timeout=20).status_code == 201


def test_web_function_with_its_own_bootstrap_and_reserved_concurrency(desk: Desk, tmp_path: Path) -> None:
    assert requests.get(f"{desk.api}/plain/x", timeout=20).text == "ok"
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    with ThreadPoolExecutor(2) as clients:
        slow = clients.submit(requests.get, f"{desk.api}/plain/slow?gate={gate}", timeout=20)
        with gate.open("w"):  # opens once the function has the other end
            refused = requests.get(f"{desk.api}/plain/x", timeout=20)
        assert (refused.status_code, refused.json()["statusCode"]) == (429, 432)
        assert slow.result().status_code == 200


def test_bootstrap_that_ends_is_a_start_error_told_in_the_log(desk: Desk) -> None:
    answer = requests.get(f"{desk.api}/broken/x", timeout=20)
    assert (answer.status_code, answer.json()["statusCode"]) == (500, 405)
    assert "broken on purpose" in desk.get("/logs/broken?tail=5")["lines"]


@pytest.mark.parametrize("path", ["/jobs/x", "/nobody/x"])
def test_only_functions_with_an_http_trigger_have_an_address(desk: Desk, path: str) -> None:
    assert requests.get(desk.api + path, timeout=20).status_code == 404


def test_body_over_6_mb_is_refused(desk: Desk) -> None:
    answer = requests.post(f"{desk.api}/door/x", data=b"x" * (6 * 1024 * 1024 + 1), timeout=20)
    assert (answer.status_code, answer.json()["statusCode"]) == (413, 406)


def test_faults_and_journal_know_the_router(desk: Desk) -> None:
    desk.world.faults.add(Fault("scf", "route", "error"))
    assert requests.get(f"{desk.api}/door/x", timeout=20).status_code == 500
    line = desk.world.journal[-1]
    assert (line["system"], line["operation"], line["fault"]) == ("scf", "route", "error")


# -- Event functions ----------------------------------------------------------------------------
def test_event_function_gets_event_and_context_one_at_a_time(desk: Desk) -> None:
    first = desk.scf.invoke("jobs", {"a": "中文"}, asynchronous=False)
    second = desk.scf.invoke("jobs", {}, asynchronous=False)
    assert first["event"] == {"a": "中文"} and first["pid"] == second["pid"]
    assert second["calls"] == first["calls"] + 1
    assert first["context"]["function_name"] == "jobs" and first["context"]["time_limit_in_ms"] == 1000
    assert '"STAGE": "test"' in first["context"]["environment"]
    assert first["path"][0] == first["cwd"] and not any("sandbox" in entry for entry in first["path"])
    assert "PATH" in first["env"] and "PYTEST_CURRENT_TEST" not in first["env"]
    lines = desk.get("/logs/jobs?tail=400")["lines"]
    assert "printed by the handler" in lines and any(line.startswith("Response RequestId") for line in lines)


@pytest.mark.parametrize(("event", "status"), [
    ({"do": "raise"}, 430), ({"do": "unserializable"}, 430), ({"do": "exit"}, 439),
    ({"do": "sleep", "seconds": 3}, 433), ({"do": "big"}, 407), ({"x": "y" * (6 * 1024 * 1024)}, 406),
])
def test_event_function_errors_have_the_clouds_codes_and_the_next_call_works(
    desk: Desk, event: Any, status: int
) -> None:
    answer = desk.post("/invoke/jobs", {"event": event})
    assert answer["error"]["statusCode"] == status and answer["error"]["errorCode"] == -1
    assert "13800000000" not in answer["error"]["errorMessage"]
    assert desk.post("/invoke/jobs", {"event": {"x": 1}})["result"]["event"] == {"x": 1}


def test_sync_call_beyond_reserved_concurrency_is_refused(desk: Desk, tmp_path: Path) -> None:
    go, busy = tmp_path / "go", tmp_path / "go.in"
    with ThreadPoolExecutor(1) as other:
        first = other.submit(desk.scf.invoke, "jobs", {"do": "wait", "file": str(go)}, asynchronous=False)
        while not busy.exists():
            assert not first.done()
        with pytest.raises(InvokeError) as refused:
            desk.scf.invoke("jobs", {}, asynchronous=False)
        assert refused.value.status == 432
        go.touch()
        first.result()


def test_http_reaches_an_event_function_in_the_function_url_form(desk: Desk) -> None:
    answer = requests.post(f"{desk.api}/api/p%C3%A9?a=1&b=2&b=3", json={"k": 1}, timeout=20)
    event = answer.json()
    assert answer.status_code == 202 and answer.raw.headers.getlist("Key") == ["v1", "v2"]
    assert event["path"] == "/pé" and event["queryString"] == {"a": "1", "b": ["2", "3"]}
    assert event["httpMethod"] == "POST" and event["body"] == '{"k": 1}' and "requestContext" not in event
    assert event["headers"]["x-scf-remote-addr"] == "127.0.0.1"
    assert requests.get(f"{desk.api}/api/binary", timeout=20).content == b"\x89PNG"
    raised = requests.get(f"{desk.api}/api/raise", timeout=20)
    assert (raised.status_code, raised.json()["errorCode"]) == (500, -1) and "secret" not in raised.text
    assert requests.get(f"{desk.api}/api/odd", timeout=20).status_code == 502


def test_http_reaches_an_event_function_in_the_gateway_form_on_demand(desk: Desk) -> None:
    assert desk.control.put("/scf/event-form/api", json={"form": "tea"}).status_code == 400
    assert desk.control.put("/scf/event-form/api", json={"form": "gateway"}).status_code == 200
    event = requests.post(f"{desk.api}/api/x?a=1", data=b"\xff\x00", timeout=20).json()
    desk.control.put("/scf/event-form/api", json={"form": "url"})
    assert event["requestContext"]["sourceIp"] == "127.0.0.1" and event["isBase64Encoded"] is True
    assert event["body"] == "/wA=" and event["queryString"] == {"a": "1"}


@pytest.mark.parametrize("form", ["url", "gateway"])
def test_events_can_come_undecoded_and_with_words_for_flags(desk: Desk, form: str) -> None:
    raw = {"form": form, "query": "raw", "flags": "text"}
    assert desk.control.put("/scf/event-form/api", json=raw).get_json() == {"function": "api", **raw}
    query = "q=a+b&q=%E5%BC%A0&%E5%90%8D=1&bare"
    event = requests.post(f"{desk.api}/api/x?{query}", data=b"text", timeout=20).json()
    binary = requests.post(f"{desk.api}/api/x", data=b"\xff", timeout=20).json()
    desk.control.put("/scf/event-form/api", json={"form": "url"})
    assert event["queryString"] == {"q": ["a+b", "%E5%BC%A0"], "%E5%90%8D": "1", "bare": ""}
    assert (event["isBase64Encoded"], event["body"]) == ("false", "text")
    assert (binary["isBase64Encoded"], binary["body"]) == ("true", "/w==")
    plain = requests.get(f"{desk.api}/api/x?{query}", timeout=20).json()
    assert plain["queryString"] == {"q": ["a b", "张"], "名": "1", "bare": ""}
    for wrong in ({"query": "odd"}, {"flags": True}, {"shape": "url"}):
        assert desk.control.put("/scf/event-form/api", json=wrong).status_code == 400


# -- Life and death -----------------------------------------------------------------------------
def test_idle_instances_end_and_stop_leaves_nothing(tmp_path: Path) -> None:
    desk = Desk(tmp_path, idle_seconds=0.4, run_timers=False, strip_prefix=False)
    seen = requests.get(f"{desk.api}/door/x", timeout=20).json()
    assert seen["raw"] == "/api/door/x"
    assert gone(seen["pid"]) and desk.get("/functions")["door"]["instances"] == 0
    seen = requests.get(f"{desk.api}/door/x", timeout=20).json()
    worker = desk.scf.invoke("jobs", {}, asynchronous=False)
    desk.scf.stop()
    assert gone(seen["pid"]) and gone(worker["pid"])
    assert not list((tmp_path / "state" / "code").iterdir())
