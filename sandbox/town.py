"""The whole outside world together: every system, their keys, and the functions between them."""

from __future__ import annotations

import io
import json
import os
import secrets
import sys
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import unquote_to_bytes

from flask import Blueprint, Flask, current_app, jsonify, request
from flask.typing import ResponseReturnValue

from sandbox import serving
from sandbox.clock import Clock
from sandbox.cloud_api import CloudApi
from sandbox.cos import Cos
from sandbox.ebill import EBill
from sandbox.faults import KINDS, Fault, Faults
from sandbox.his import His
from sandbox.his.money import Charge
from sandbox.his.places import plan
from sandbox.his.profile import PROFILE
from sandbox.hosting import host
from sandbox.reports import ReportSystem
from sandbox.scf import Scf
from sandbox.sms import Sms
from sandbox.sms.system import policy_settings as sms_settings
from sandbox.system import System, World
from sandbox.templates import TEMPLATES, policy_templates
from sandbox.wechat import WeChat
from sandbox.wechatpay import WeChatPay

PROJECT = Path(__file__).resolve().parent.parent
APP_ID = "wx7e57000000000001"
MERCHANT = "1900000001"
PUBLIC_KEY_ID = "PUB_KEY_ID_TEST_0000000001"
PLACE_CODE = "001"
BUCKET = "hospital-1250000000"
PAGES = PROJECT / "build" / "h5"
_CONTROL_BYTES = 16 * 1024 * 1024  # of a body: an event for a function may have 6 MB
EVENTS_PATH = "/api/his_events/events"
REPORTS_PATH = "/api/report_push/reports"
SETTLE_SECONDS = 90.0  # real; whatever is under way ends within, on a busy machine too


@dataclass(frozen=True)
class Database:
    """The MySQL server that the functions use: root without a password, on this machine."""

    host: str
    port: int
    name: str


class Town:
    """Starts and owns every system. ``state`` is a folder for logs and staging.

    ``moment`` is what the clock shows at the start (aware); with ``sandbox_time`` the function processes live
    by the same clock, without it on real time (for benchmarks). ``layer`` is the house that the functions run on:
    a changed copy, when a test shows what a protection is good for.
    """

    def __init__(self, database: Database, state: Path, *, moment: datetime | None = None, timers: bool = True,
                 manifest: Path = PROJECT / "serverless.yml", sandbox_time: bool = True, port: int = 0,
                 layer: Path = PROJECT / "layers" / "common") -> None:
        state = state.resolve()
        state.mkdir(parents=True, exist_ok=True)
        self.clock = Clock(state / "clock")
        if moment is not None:
            self.clock.set(moment)
        self.world = World(self.clock, Faults(), deque(maxlen=20_000))
        self._keys = _Keys.make()
        self.systems: dict[str, System] = {}
        # The HIS and the functions are told these two addresses, so they must be known before anything serves.
        self._gateway, self._cloud_api = (port, port + 5) if port else (_free_port(), _free_port())
        self._start_outside(port)
        python = functions_python(state / "clock" if sandbox_time else None)
        self._start_cloud(database, state, timers, manifest, python, layer)
        self.control = _serve_control(self, port and port + 6)

    def _start_outside(self, port: int) -> None:
        keys = self._keys
        self.his = His(self.world, client_id="miniprogram", key=keys.his_key, qr_key=keys.his_qr_key,
                       events_url=f"http://127.0.0.1:{self._gateway}{EVENTS_PATH}")
        self.wechat = WeChat(self.world, app_id=APP_ID, app_secret=keys.wechat_app_secret, templates=TEMPLATES)
        self.wechatpay = WeChatPay(
            self.world, app_id=APP_ID, merchant_id=MERCHANT, merchant_serial=keys.merchant_serial,
            merchant_public_key_pem=keys.merchant_public, platform_private_key_pem=keys.platform_private,
            public_key_id=PUBLIC_KEY_ID, api_v3_key=keys.api_v3_key)
        self.cos = Cos(self.world, secret_id=keys.credentials["secret_id"], secret_key=keys.credentials["secret_key"],
                       token=keys.credentials["token"], buckets=[BUCKET])
        self.ebill = EBill(self.world, app_id=keys.ebill_app_id, key=keys.ebill_key, place_code=PLACE_CODE)
        self.sms = Sms(self.world, credentials=keys.credentials)
        reports_url = f"http://127.0.0.1:{self._gateway}{REPORTS_PATH}"
        self.lis, self.pacs = (
            ReportSystem(self.world, name, key=key, push_url=reports_url, person=self.his.person)
            for name, key in (("lis", keys.lis_key), ("pacs", keys.pacs_key)))
        for offset, system in ((1, self.his), (2, self.wechat), (3, self.wechatpay), (4, self.cos), (7, self.ebill),
                               (8, self.sms), (9, self.lis), (10, self.pacs)):
            self._add(system, port and port + offset)

    def _start_cloud(self, database: Database, state: Path, timers: bool, manifest: Path, python: list[str],
                     layer: Path) -> None:
        keys = self._keys
        values: dict[str, str] = {
            "STAGE": "sandbox", "VPC_ID": "vpc-sandbox", "SUBNET_ID": "subnet-sandbox",
            "CLS_LOGSET_ID": "logset-sandbox", "CLS_TOPIC_ID": "topic-sandbox",
            "MYSQL_HOST": database.host, "MYSQL_PORT": str(database.port), "MYSQL_DATABASE": database.name,
            "MYSQL_USER": "root", "WECHAT_APP_ID": APP_ID, "WECHATPAY_MERCHANT_ID": MERCHANT,
            "WECHATPAY_CERT_SERIAL": keys.merchant_serial, "WECHATPAY_PUBLIC_KEY_ID": PUBLIC_KEY_ID,
            "SMS_BASE": self.sms.address,
            "HIS_CLIENT_ID": "miniprogram", "HIS_EVENTS_PATH": EVENTS_PATH, "WECHAT_BASE": self.wechat.address,
            "WECHATPAY_BASE": self.wechatpay.address, "HIS_BASE": self.his.address,
            "EBILL_BASE": self.ebill.address, "EBILL_APP_ID": keys.ebill_app_id, "EBILL_PLACE_CODE": PLACE_CODE,
            "LIS_BASE": self.lis.address, "PACS_BASE": self.pacs.address, "REPORT_PUSH_PATH": REPORTS_PATH,
            # Without its scheme this is the SDK's ``Domain``: that of one bucket, here path style.
            "COS_BASE": f"{self.cos.address}/{BUCKET}", "COS_BUCKET": BUCKET,
            "CLOUD_API_BASE": f"http://127.0.0.1:{self._cloud_api}",
            "NOTIFY_BASE": f"http://127.0.0.1:{self._gateway}/api/pay_callback",
        }
        self.scf = Scf(self.world, manifest=manifest, project=PROJECT, state=state / "scf", values=values,
                       layer_paths=_layers(layer), python=python, credentials=keys.credentials,
                       run_timers=timers)
        self.cloud = CloudApi(self.world, scf=self.scf, secrets=keys.entries(), credentials=keys.credentials)
        self._add(self.cloud, self._cloud_api)
        host(self.scf.app, PAGES, lambda: self.control, _CONTROL_BYTES)
        self._add(self.scf, self._gateway)

    def _add(self, system: System, port: int) -> None:
        system.serve(port)
        self.systems[system.name] = system

    def prepare(self) -> None:
        """What a hospital does once: choose its templates, take over the HIS's directory and sessions."""
        chosen = {"message_templates": policy_templates(), **sms_settings(), **PROFILE}
        for event in ({"action": "settings.change", "changes": chosen},
                      {"action": "places.load", "plan": plan()}, {"action": "schedules.sync"}):
            result: Any = self.scf.invoke("operations", {**event, "by": "sandbox"}, asynchronous=False)
            if "error" in result:
                raise RuntimeError(f"{event['action']}: {result['error']}")

    def addresses(self) -> dict[str, str]:
        """Where everything answers."""
        return {"control": self.control, **{name: system.address for name, system in self.systems.items()}}

    def settle(self, timeout: float) -> bool:
        """Wait until no notice or event is under way and no function has anything to do; False when time ran out.

        What got no answer in time is pushed again: whether it does within 5 s is the machine's affair, not a test's.
        """
        deadline = threading.Event()
        timer = threading.Timer(timeout, deadline.set)
        timer.start()
        try:
            quiet = 0
            while quiet < 2 and not deadline.is_set():
                for pushes in (self.wechatpay.notices.deliveries, self.his.events.deliveries, self.lis.deliveries,
                               self.pacs.deliveries):
                    pushes.hurry()
                before = len(self.world.journal), self.world.journal[-1]["at"] if self.world.journal else ""
                if not (self.wechatpay.notices.settle(1.0)["settled"] and self.his.events.settle(1.0)["settled"]
                        and self.lis.deliveries.settle(1.0)["settled"] and self.pacs.deliveries.settle(1.0)["settled"]
                        and self.scf.settle(1.0)):
                    quiet = 0
                    continue
                after = len(self.world.journal), self.world.journal[-1]["at"] if self.world.journal else ""
                quiet = quiet + 1 if before == after else 0
            return quiet >= 2
        finally:
            timer.cancel()

    def lengths(self) -> dict[str, int]:
        """How many rows the lists of the control interface have that only grow, by path."""
        with self.his.lock:
            his = {"/his/books": sum(1 for _ in self.his.registrations.all()), "/his/bills": len(self.his.bills.all()),
                   "/his/charges": sum(1 for _ in self.his.trades.of_kind(Charge)),
                   "/his/desk-refunds": len(self.his.desk_refunds.all())}
        return {**his, "/wechatpay/orders": len(self.wechatpay.book.orders), "/ebill/bills": len(self.ebill.book.all()),
                "/wechatpay/notices": len(self.wechatpay.notices.deliveries.listing())}

    def stop(self) -> None:
        """End every process the town started."""
        for system in self.systems.values():
            system.stop()


@dataclass(frozen=True)
class _Keys:
    """Test keys, made fresh at every start; none is stored in the project."""

    his_key: str
    his_qr_key: str
    lis_key: str
    pacs_key: str
    ebill_app_id: str
    ebill_key: str
    wechat_app_secret: str
    merchant_private: str
    merchant_public: str
    merchant_serial: str
    platform_private: str
    platform_public: str
    api_v3_key: str
    credentials: dict[str, str]

    @classmethod
    def make(cls) -> _Keys:
        merchant, platform = _rsa(), _rsa()
        return cls(
            f"test-only-{secrets.token_hex(24)}", f"test-only-{secrets.token_hex(24)}",
            f"test-only-{secrets.token_hex(24)}", f"test-only-{secrets.token_hex(24)}", f"TEST{secrets.token_hex(6)}",
            f"test-only-{secrets.token_hex(24)}", secrets.token_hex(16), merchant[0], merchant[1],
            secrets.token_hex(20).upper(), platform[0], platform[1], secrets.token_hex(16),
            {"secret_id": f"AKIDtestonly{secrets.token_hex(12)}", "secret_key": secrets.token_hex(16),
             "token": f"test-only-{secrets.token_hex(16)}"})

    def entries(self) -> dict[str, str]:
        """The SSM entries that serverless.yml names."""
        return {
            "hospital/mysql-password": "", "hospital/data-key": secrets.token_hex(16),
            "hospital/lookup-key": secrets.token_hex(32), "hospital/wechat-app-secret": self.wechat_app_secret,
            "hospital/wechatpay-private-key": self.merchant_private,
            "hospital/wechatpay-api-v3-key": self.api_v3_key,
            "hospital/wechatpay-public-key": self.platform_public, "hospital/his-key": self.his_key,
            "hospital/his-qr-key": self.his_qr_key, "hospital/ebill-key": self.ebill_key,
            "hospital/lis-key": self.lis_key, "hospital/pacs-key": self.pacs_key,
        }


def _layers(house: Path) -> dict[str, list[Path]]:
    """What stands for a layer: its folder (the common one's is ``house``), and its packages from scripts/setup."""
    found = {f"layers/{path.name}": [path, PROJECT / "build" / f"opt-{path.name}"] for path in PROJECT.glob("layers/*")}
    return {**found, "layers/common": [house, PROJECT / "build" / "opt"]}


def _rsa() -> tuple[str, str]:
    from cryptography.hazmat.primitives import serialization as pem
    from cryptography.hazmat.primitives.asymmetric import rsa

    key = rsa.generate_private_key(65537, 2048)
    return (key.private_bytes(pem.Encoding.PEM, pem.PrivateFormat.PKCS8, pem.NoEncryption()).decode(),
            key.public_key().public_bytes(pem.Encoding.PEM, pem.PublicFormat.SubjectPublicKeyInfo).decode())


def functions_python(clock: Path | None) -> list[str]:
    """The functions' interpreter, without this environment's packages; living by ``clock`` if there is one."""
    plain = [sys.executable, "-S"]
    if clock is None:
        return plain
    library = find_spec("_time_machine")
    assert library is not None
    assert library.origin is not None
    return [*plain, str(PROJECT / "sandbox" / "on_sandbox_time.py"), str(clock), library.origin]


def _free_port() -> int:
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


# -- the control interface --------------------------------------------------------------------------
def _serve_control(town: Town, port: int) -> str:
    app = Flask("sandbox.control")
    app.register_blueprint(_general(town))
    for name, system in town.systems.items():
        app.register_blueprint(system.control, url_prefix=f"/{name}")
    return serving.serve(app, port, name="sandbox-control", limit=_CONTROL_BYTES,
                         malformed=lambda _, phrase: {"error": phrase})


def _general(town: Town) -> Blueprint:
    control = Blueprint("general", "sandbox.control.general")

    @control.get("/")
    def addresses() -> ResponseReturnValue:
        return jsonify(town.addresses())

    @control.get("/clock")
    def clock() -> ResponseReturnValue:
        return jsonify(now=town.clock.now().isoformat())

    def leap(move: Callable[[], None]) -> ResponseReturnValue:
        """Move the clock once nothing is under way: no work lasts as long as the leap would make it seem."""
        if not town.settle(SETTLE_SECONDS):
            return jsonify(error=f"something is still under way after {SETTLE_SECONDS:g} s"), 409
        move()
        return clock()

    @control.put("/clock")
    def set_clock() -> ResponseReturnValue:
        moment = datetime.fromisoformat(str(_json()["now"]))
        if moment.tzinfo is None:
            return jsonify(error="now needs a zone, as in 2026-11-23T07:00:00+08:00"), 400
        return leap(lambda: town.clock.set(moment))

    @control.post("/clock/advance")
    def advance() -> ResponseReturnValue:
        by = timedelta(seconds=float(_json()["seconds"]))
        return leap(lambda: town.clock.advance(by))

    @control.get("/faults")
    def faults() -> ResponseReturnValue:
        return jsonify(faults=town.world.faults.listing(), kinds=KINDS)

    @control.post("/faults")
    def add_fault() -> ResponseReturnValue:
        try:
            fault = town.world.faults.add(Fault(**_json()))
        except (TypeError, ValueError) as error:
            return jsonify(error=str(error)), 400
        return jsonify(id=fault.id)

    @control.delete("/faults")
    def clear_faults() -> ResponseReturnValue:
        town.world.faults.clear(request.args.get("system"))
        return "", 204

    @control.get("/lengths")
    def lengths() -> ResponseReturnValue:
        return jsonify(town.lengths())

    @control.get("/journal")
    def journal() -> ResponseReturnValue:
        wanted = {name: request.args[name] for name in ("system", "operation") if name in request.args}
        lines = [line for line in list(town.world.journal)
                 if all(line.get(name) == value for name, value in wanted.items())]
        return jsonify(lines[-request.args.get("last", len(lines), int):])

    @control.post("/settle")
    def settle() -> ResponseReturnValue:
        return jsonify(settled=town.settle(float(_json().get("timeout", SETTLE_SECONDS))))

    @control.post("/together")
    def together() -> ResponseReturnValue:
        """Calls of this interface in order, each a method, a path and a body; ends at the first refusal."""
        for method, path, body in _json()["calls"]:
            status, answer = _within(method, path, body)
            if status >= 400:
                return answer, status, {"Content-Type": "application/json"}
        return "", 204

    return control


def _within(method: str, path: str, body: Any) -> tuple[int, bytes]:
    """A call of this interface from within one: status and answer. Flask's test client takes as long as the wire."""
    content, (target, _, query), told = json.dumps(body).encode(), path.partition("?"), []
    environ = {**request.environ, "REQUEST_METHOD": method, "PATH_INFO": unquote_to_bytes(target).decode("latin-1"),
               "QUERY_STRING": query, "CONTENT_TYPE": "application/json", "CONTENT_LENGTH": str(len(content)),
               "wsgi.input": io.BytesIO(content)}

    def start_response(status: str, *_: Any) -> Callable[[bytes], None]:
        told.append(int(status.partition(" ")[0]))
        return lambda _: None

    answer = b"".join(current_app.wsgi_app(environ, start_response))
    return told[-1], answer


def _json() -> dict[str, Any]:
    content = request.get_json(silent=True)
    return content if isinstance(content, dict) else {}


def start_of_day() -> datetime:
    """Half past seven of the hospital's present day: sales have been open for half an hour."""
    beijing = timezone(timedelta(hours=8))
    return datetime.now(beijing).replace(hour=7, minute=30, second=0, microsecond=0)


def write_addresses(town: Town, file: Path) -> None:
    """Tell who waits for the town that it is ready, and where."""
    fresh = file.with_suffix(".new")
    fresh.write_text(json.dumps({**town.addresses(), "pid": str(os.getpid())}, indent=1))
    os.replace(fresh, file)
