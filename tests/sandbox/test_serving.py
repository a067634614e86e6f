"""What no caller of the sandbox may do to it, and how each server says so."""

from __future__ import annotations

import http.client
import json
import resource
import socket
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from sandbox import serving
from sandbox.clock import Clock
from sandbox.cloud_api import CloudApi
from sandbox.cos import Cos
from sandbox.ebill import EBill
from sandbox.ebill.system import BASE as EBILL
from sandbox.faults import Fault, Faults
from sandbox.his import His
from sandbox.system import System, World
from sandbox.wechat import WeChat
from tests.sandbox.test_scf import Desk
from tests.sandbox.test_wechatpay import pay

__all__ = ["pay"]  # a fixture
HEAD = "POST {path} HTTP/1.1\r\nHost: here\r\nTransfer-Encoding: chunked\r\nContent-Type: application/json\r\n\r\n"
LONGEST = b"ffffffffffffffff\r\n"


def world() -> World:
    return World(Clock(), Faults(), deque())


OTHERS: dict[str, Callable[[], System]] = {
    "his": lambda: His(world(), client_id="mini", key="k" * 32),
    "wechat": lambda: WeChat(world(), app_id="wx", app_secret="s" * 32, templates={}),
    "cos": lambda: Cos(world(), secret_id="AKID", secret_key="k"),
    "ebill": lambda: EBill(world(), app_id="T", key="k" * 32),
}


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    desk = Desk(tmp_path_factory.mktemp("scf"), run_timers=False)
    yield desk
    desk.scf.stop()


def told(address: str, *sent: bytes, hang_up: bool = True) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body answered to these bytes."""
    host, port = address.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), 20) as line:
        for part in sent:
            line.sendall(part)
        if hang_up:
            line.shutdown(socket.SHUT_WR)
        answer = b""
        while part := line.recv(65536):
            answer += part
            head, _, body = answer.partition(b"\r\n\r\n")
            if body and not hang_up:
                break
    status, *headers = head.decode("latin-1").split("\r\n")
    return int(status.split()[1]), dict(one.split(": ", 1) for one in headers), body


def peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


@pytest.mark.parametrize("hang_up", [True, False], ids=["hangs up", "waits"])
@pytest.mark.parametrize(("name", "path"), [
    ("his", "/his/v1/registrations/lock"), ("wechat", "/cgi-bin/stable_token"),
    ("ebill", f"{EBILL}/invEBillRegistration")])
def test_an_endless_chunk_is_refused_before_it_is_read(name: str, path: str, hang_up: bool) -> None:
    system, before = OTHERS[name](), peak_mb()
    status, _, _ = told(system.serve(), HEAD.format(path=path).encode(), LONGEST, b"x" * 1000, hang_up=hang_up)
    assert (status, peak_mb() - before < 100) == (413, True)
    system.stop()


def test_every_server_of_the_sandbox_has_such_a_limit(pay: System, platform: Desk) -> None:
    systems: list[System] = [pay, platform.scf, *(make() for make in OTHERS.values())]
    assert {type(one).__name__ for one in systems} | {CloudApi.__name__} == {
        "WeChatPay", "Scf", "His", "WeChat", "Cos", "EBill", "CloudApi"}
    assert all(one.max_body_bytes <= 64 * 1024 * 1024 for one in systems)
    status, _, body = told(pay.address, HEAD.format(path="/v3/pay/transactions/jsapi").encode(), LONGEST)
    assert (status, json.loads(body)["code"]) == (413, "INVALID_REQUEST")


def test_a_chunk_that_breaks_off_is_no_endless_body() -> None:
    system = OTHERS["his"]()
    status, _, body = told(system.serve(), HEAD.format(path="/his/v1/registrations/lock").encode(), b"ff\r\nabc")
    assert (status, json.loads(body)["code"]) == (400, "MALFORMED")
    system.stop()


@pytest.mark.parametrize(("how", "is_kept"), [
    ({"body": b"{}"}, True), ({"body": b"x" * 70_000}, False), ({"body": iter([b"{}"])}, False),
    ({"headers": {"Connection": "close"}}, False)], ids=["read", "too long", "in chunks", "not wanted"])
def test_a_connection_is_kept_for_the_next_call_unless_some_of_this_one_may_be_unread(how: dict[str, Any],
                                                                                    is_kept: bool) -> None:
    system = OTHERS["his"]()
    line = http.client.HTTPConnection(system.serve().removeprefix("http://"), timeout=20)
    for _ in range(2):
        line.request("POST", "/his/v1/registrations/lock", **how)
        assert json.loads(line.getresponse().read())["code"]
        assert (line.sock is not None) is is_kept
    line.close()
    system.stop()


def test_a_call_that_is_cut_ends_its_connection_and_the_next_is_answered_on_a_new_one() -> None:
    system = OTHERS["his"]()
    line = http.client.HTTPConnection(system.serve().removeprefix("http://"), timeout=20)
    line.request("GET", "/his/v1/departments")
    line.getresponse().read()
    system.world.faults.add(Fault("his", "*", "cut_after"))
    line.request("GET", "/his/v1/departments")
    with pytest.raises(ConnectionError):
        line.getresponse()
    line.close()
    line.request("GET", "/his/v1/departments")
    assert json.loads(line.getresponse().read())["code"]
    system.stop()


@pytest.mark.parametrize(("parts", "status"), [
    ([LONGEST, b"x" * 1000], 413), ([b"6ffff0\r\n", b"x" * 1000], 413), ([b"zz\r\n"], 400), ([b"5\r\nab"], 400)])
def test_the_gateway_refuses_odd_bodies_in_json_and_runs_nothing(platform: Desk, parts: list[bytes], status: int
                                                                 ) -> None:
    got, headers, body = told(platform.scf.address, HEAD.format(path="/api/door/x").encode(), *parts)
    answer = json.loads(body)
    assert (got, headers["Content-Type"], answer["errorCode"]) == (status, "application/json", -1)
    assert answer["requestId"] == headers["X-Scf-Request-Id"]


@pytest.mark.parametrize("path", [
    b"/api/door/a\x1fb", b"/api/door/a b", b"/api/\x0bdoor", b"/other", b"/", b"/api/nobody%0A/x", b"/api/%00"])
def test_the_gateway_answers_json_whatever_the_path(platform: Desk, path: bytes) -> None:
    status, headers, body = told(platform.scf.address, b"GET " + path + b" HTTP/1.1\r\nHost: here\r\n\r\n")
    assert (status in (400, 404), headers["Content-Type"], json.loads(body)["errorCode"]) == (
        True, "application/json", -1)


@pytest.mark.parametrize("path", ["/api/door/a%0Ab", "/api/door/a%00%7F", "/api/door//a", "/api/door/a%0A"])
def test_what_can_be_a_path_reaches_the_function_as_it_came(platform: Desk, path: str) -> None:
    status, _, body = told(platform.scf.address, f"GET {path} HTTP/1.1\r\nHost: here\r\n\r\n".encode())
    assert (status, json.loads(body)["raw"]) == (201, path.removeprefix("/api/door"))


def test_a_chunked_body_within_the_limit_arrives_whole(platform: Desk) -> None:
    parts = [b"3\r\nabc\r\n", b"A\r\n0123456789\r\n", b"0\r\n\r\n"]
    status, _, body = told(platform.scf.address, HEAD.format(path="/api/door/x").encode(), *parts)
    assert (status, json.loads(body)["body"]) == (201, "abc0123456789")


def test_the_control_interface_has_the_same_limit(tmp_path: Path) -> None:
    from flask import Flask, request

    app = Flask("control")
    app.post("/x")(lambda: {"bytes": len(request.get_data())})
    address = serving.serve(app, 0, name="t", limit=1000, malformed=lambda _, phrase: {"error": phrase})
    assert told(address, HEAD.format(path="/x").encode(), LONGEST)[0] == 413
    assert told(address, b"POST /x HTTP/1.1\r\nContent-Length: 1001\r\n\r\n")[0] == 413
    assert json.loads(told(address, b"GET /a b HTTP/1.1\r\n\r\n")[2]) == {"error": "Bad Request"}


def test_an_answer_has_one_date_and_the_functions_own_goes_through() -> None:
    from flask import Flask

    app = Flask("t")
    app.get("/own", endpoint="own")(lambda: ("", 200, {"Date": "Sun, 22 Nov 2026 23:30:25 GMT"}))
    app.get("/none", endpoint="none")(lambda: "")
    address = serving.serve(app, 0, name="dates", limit=1000, malformed=lambda _, phrase: {"error": phrase})
    assert requests.get(f"{address}/own", timeout=10).headers["Date"] == "Sun, 22 Nov 2026 23:30:25 GMT"
    assert requests.get(f"{address}/none", timeout=10).headers["Date"].endswith("GMT")
