"""What every test shares: the sandbox with all functions on a real database, and a reset after each test."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hospital.runtime.config import Config

from sandbox.limits import allow_many_files
from sandbox.people import person
from sandbox.phone import Control, Phone
from sandbox.town import EVENTS_PATH
from scripts import local_db, town
from tests import shuffle
from tests.faults.outpatient import Care
from tests.opened import code_of

ROOT = Path(__file__).resolve().parent.parent
MORNING = "2026-11-23T07:30:00+08:00"  # a Monday: half an hour after the release of Monday the 30th
RESULTS = ROOT / "build" / "test-results.json"


# Doors are imported into this process by a few tests, and don't open without their configuration. The
# functions' own processes get theirs from the sandbox.
os.environ.setdefault("ADDRESS_HEADER", "X-Scf-Remote-Addr")
for field in Config.__struct_fields__:
    os.environ.setdefault(field.upper(), "0")


# -- the world --------------------------------------------------------------------------------------
@pytest.fixture(scope="session")
def mysql() -> str:
    """host:port of the server (``make test`` sets it)."""
    address = os.environ.get("MYSQL")
    if not address:
        pytest.exit("run the tests with `make test`, or name a MySQL server: MYSQL=127.0.0.1:PORT", returncode=2)
    return address


@pytest.fixture(scope="session")
def database_name() -> str:
    """This worker's own database."""
    return f"hospital_test_{os.environ.get('PYTEST_XDIST_WORKER', 'gw')}"


@pytest.fixture(scope="session")
def world(mysql: str, database_name: str) -> Iterator[Control]:
    """The sandbox and every function, running; timers fire only when a test says so."""
    state = ROOT / "build" / "test" / database_name
    with town.running(mysql, database_name, state, "--manual-timers", "--now", MORNING) as control:
        town.warm_up(control)
        yield control


@pytest.fixture
def control(world: Control, mysql: str, database_name: str) -> Iterator[Control]:
    """The sandbox's control interface; whatever a test changed is put back afterwards.

    Its lists show what came since the test began: what all tests before it left would have to be read each time.
    A choice that it left open is over: else the money would go back on a day of another test.
    """
    yield world.from_now_on()
    host, _, port = mysql.partition(":")
    with local_db.connect(host, int(port), database_name) as connection, connection.cursor() as cursor:
        cursor.execute("UPDATE booking_choices SET state = 'ENDED' WHERE state = 'OPEN'")
    world.together(
        ("DELETE", "/faults", {}),
        ("POST", "/wechatpay/notices/mode", {"hold": False, "reorder": False, "drop": False}),
        ("PUT", "/wechatpay/notices/next", {}),
        ("POST", "/wechatpay/refunds/policy", {"delay_seconds": 3, "outcome": "SUCCESS", "times": -1}),
        ("POST", "/wechatpay/balance", {"enough": True}),
        ("POST", "/wechatpay/bills/mode", {"refunds_on": "success", "bom": True}),
        ("POST", "/ebill/pause", {"paused": False}),
        ("DELETE", "/his/events", {}),  # before the end of a hold would send them
        ("PUT", "/his/events-mode", {"drop": False, "duplicate": False, "hold": False, "reorder": False}),
        ("PUT", "/his/events-url", {"url": world.addresses["scf"] + EVENTS_PATH}),
        *((method, f"/{system}/{path}", body) for system in ("lis", "pacs") for method, path, body in (
            ("DELETE", "pushes", {}), ("PUT", "mode", {"drop": False, "duplicate": False, "hold": False}))),
        ("PUT", "/clock", {"now": MORNING}))  # once all of it has settled


@pytest.fixture
def policy(control: Control) -> Iterator[Callable[..., None]]:
    """``policy(days_ahead=3, …)`` changes hospital policy for this test."""
    changed: set[str] = set()

    def change(**settings: Any) -> None:
        changed.update(settings)
        control.operate("settings.change", changes=settings)

    yield change
    if changed:
        control.operate("settings.change", changes=dict.fromkeys(changed))


@pytest.fixture
def sql(world: Control, mysql: str, database_name: str) -> Iterator[Callable[..., list[tuple[Any, ...]]]]:
    """``sql("SELECT …", args)`` looks into the database itself."""
    host, _, port = mysql.partition(":")
    connection = local_db.connect(host, int(port), database_name)

    def ask(statement: str, args: tuple[Any, ...] | dict[str, Any] = ()) -> list[tuple[Any, ...]]:
        with connection.cursor() as cursor:
            cursor.execute(statement, args)
            return list(cursor.fetchall())

    yield ask
    connection.close()


# -- people and sessions ----------------------------------------------------------------------------
@pytest.fixture
def phone(control: Control) -> Phone:
    """A WeChat user, signed in, who allowed every message."""
    one = Phone(control).sign_in()
    one.allow_every_message()
    return one


@pytest.fixture
def patient(phone: Phone) -> dict[str, Any]:
    """A person bound to ``phone``."""
    return phone.add_patient(person(), relation="SELF")


@pytest.fixture
def care(control: Control, sql: Callable[..., list[tuple[Any, ...]]], mysql: str, database_name: str) -> Care:
    """An account with a patient for whom doctors order things, and who allowed every message."""
    return Care(control, sql, (mysql, database_name))


@pytest.fixture
def new_session(control: Control, sql: Callable[..., list[tuple[Any, ...]]]) -> Callable[..., dict[str, Any]]:
    """``new_session(slots=5, fee_fen=2500, date="2026-11-25")``: a fresh doctor's session, on sale.

    As the mini-program shows it, with the HIS's own view under ``his``.
    """

    def make(*, slots: int = 6, fee_fen: int = 2500, date: str = "2026-11-25", period: str = "MORNING",
             kind: str = "EXPERT", **more: Any) -> dict[str, Any]:
        doctor = {} if "doctor_code" in more else {"doctor": "new", "department_code": departments[0]["code"]}
        made = control("POST", "/his/schedules", date=date, period=period, kind=kind, fee_fen=fee_fen, slots=slots,
                       **{**doctor, **more})
        control.operate("schedules.sync", schedule=made["code"])
        doctor_id, schedule_id = sql("SELECT doctor_id, id FROM schedules WHERE his_code = %s", (made["code"],))[0]
        shown = Phone(control).call("GET", "booking/sessions", params={"doctor_id": doctor_id, "day": date})
        return {**next(one for one in shown["sessions"] if one["id"] == schedule_id), "his": made}

    departments = control("GET", "/his/departments")["departments"]
    return make


@pytest.fixture
def session(new_session: Callable[..., dict[str, Any]]) -> dict[str, Any]:
    """One fresh session of six places on Wednesday morning, 25 yuan; ``his`` is the HIS's view of it."""
    return new_session()


@pytest.fixture
def bill(control: Control, sql: Any, patient: dict[str, Any]) -> Callable[..., dict[str, Any]]:
    """``bill("LABORATORY", 3000, …)``: the doctor orders something, an item for each price in fen."""
    code = code_of(control, sql, patient["id"])

    def order(kind: str, *prices: int) -> dict[str, Any]:
        items = [{"name": f"项目{number + 1}", "unit_price_fen": price} for number, price in enumerate(prices)]
        made: dict[str, Any] = control("POST", "/his/bills", patient_code=code, kind=kind, items=items)
        return made

    return order


# -- in which order, and which feature each test shows ----------------------------------------------
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Shuffle, and remember each test's feature claims in its report."""
    shuffle.shuffle(items, shuffle.seed())
    for item in items:
        for mark in item.iter_markers("feature"):
            item.user_properties.append(("feature", {"id": mark.args[0], "screen": mark.kwargs.get("screen", False)}))


class _Results:
    def __init__(self) -> None:
        self.tests: dict[str, dict[str, Any]] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Keep the worst outcome of a test's phases."""
        features = [value for name, value in report.user_properties if name == "feature"]
        kept = self.tests.setdefault(report.nodeid, {"test": report.nodeid, "features": features, "outcome": "passed"})
        if report.failed or (report.skipped and kept["outcome"] == "passed"):
            kept["outcome"] = report.outcome

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Write what ``make features`` reads; a run of a few tests leaves the whole run's results alone."""
        options = session.config.option
        whole = session.config.args_source is pytest.Config.ArgsSource.TESTPATHS
        if whole and not (options.keyword or options.markexpr or options.collectonly):
            RESULTS.parent.mkdir(exist_ok=True)
            RESULTS.write_text(json.dumps(list(self.tests.values()), indent=1))


def pytest_configure(config: pytest.Config) -> None:
    """Collect results in the controlling process only; it also chooses its workers' seed."""
    allow_many_files()
    shuffle.seed()
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(_Results(), "hospital-results")
