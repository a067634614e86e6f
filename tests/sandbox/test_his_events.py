"""Events that the HIS pushes: signed, repeated on its schedule, lost or doubled on demand."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from sandbox.his.signing import sign_request
from tests.sandbox.his_till import Till, hold_against

PATH = "/api/his_events/events?from=his"


class Ear:
    """Takes events at an address; answers ``status``."""

    def __init__(self) -> None:
        self.heard: list[tuple[dict[str, str], bytes]] = []
        self.status = 204
        ear = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                ear.heard.append(({name.lower(): value for name, value in self.headers.items()}, body))
                self.send_response(ear.status)
                self.end_headers()

            def log_message(self, *args: Any) -> None:
                """Quiet."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}{PATH}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def events(self) -> list[dict[str, Any]]:
        return [json.loads(body) for _, body in self.heard]


@pytest.fixture
def ear() -> Iterator[Ear]:
    made = Ear()
    yield made
    made.server.shutdown()


@pytest.fixture
def till(ear: Ear) -> Iterator[Till]:
    made = Till()
    assert made.order_of("events-url", {"url": ear.url}, "PUT")[0] == 200
    yield made
    made.his.stop()
    made.caller.session.close()


def settle(till: Till) -> dict[str, Any]:
    answer: dict[str, Any] = till.order_of("events/settle", {"timeout": 5})[1]
    assert answer["settled"]
    return answer


def test_each_thing_that_happens_is_told_signed_and_in_the_contracts_form(till: Till, ear: Ear) -> None:
    bill, gone = till.bill(count=2), till.bill()
    till.order_of(f"bills/{gone['bill_no']}/change", {"amount_fen": 5})
    till.order_of(f"bills/{gone['bill_no']}/cancel")
    till.take("C00001", bill)
    till.settle("C00001", bill["total_fen"])
    refund = till.desk_refund("C00001", item_nos=[1])[1]
    till.order_of(f"bills/{bill['bill_no']}/execute")
    till.order_of(f"bills/{bill['bill_no']}/execute")  # no news
    desk = till.bill()
    till.order_of(f"bills/{desk['bill_no']}/pay-at-desk")
    settle(till)
    told = sorted((one["type"], one["bill_no"]) for one in ear.events())
    assert told == sorted([
        ("BILL_CREATED", bill["bill_no"]), ("BILL_CREATED", gone["bill_no"]), ("BILL_CREATED", desk["bill_no"]),
        ("BILL_CHANGED", gone["bill_no"]), ("BILL_CANCELLED", gone["bill_no"]),
        ("DESK_REFUND_REQUESTED", bill["bill_no"]), ("ITEM_EXECUTED", bill["bill_no"]),
        ("BILL_PAID_AT_DESK", desk["bill_no"])])
    for headers, body in ear.heard:
        assert headers["x-his-client"] == "his"
        assert headers["x-his-signature"] == sign_request(
            "k" * 32, "POST", PATH, headers["x-his-timestamp"], headers["x-his-nonce"], body)
        hold_against({"$ref": "#/components/schemas/Event"}, json.loads(body))
    about = next(one for one in ear.events() if one["type"] == "DESK_REFUND_REQUESTED")
    assert (about["refund_no"], about["trade_no"], about["patient_code"]) == (
        refund["refund_no"], "C00001", till.patient)


def test_an_event_is_repeated_on_the_schedule_until_it_is_taken(till: Till, ear: Ear) -> None:
    ear.status = 500
    till.bill()
    settle(till)
    due = datetime.fromisoformat(till.order_of("events", method="GET")[1][0]["deliveries"][0]["at"])
    for number, seconds in enumerate((10, 60, 300, 1800, 7200), start=2):
        due += timedelta(seconds=seconds)
        till.clock.set(due - timedelta(seconds=3))
        settle(till)
        assert len(ear.heard) == number - 1
        till.clock.set(due)
        settle(till)
        assert len(ear.heard) == number
    assert settle(till)["later"] == 0  # that was the last
    assert len({one["event_id"] for one in ear.events()}) == 1
    assert len({headers["x-his-nonce"] for headers, _ in ear.heard}) == 6
    listed = till.order_of("events", method="GET")[1]
    assert [one["status"] for one in listed[0]["deliveries"]] == [500] * 6
    assert listed[0]["done"] is False


def test_a_taken_event_is_not_repeated(till: Till, ear: Ear) -> None:
    till.bill()
    settle(till)
    till.clock.advance(timedelta(hours=3))
    settle(till)
    assert len(ear.heard) == 1
    assert till.order_of("events", method="GET")[1][0]["done"] is True


def test_events_are_lost_doubled_or_held_on_demand(till: Till, ear: Ear) -> None:
    till.order_of("events-mode", {"drop": True}, "PUT")
    till.bill()
    settle(till)
    assert ear.heard == []
    assert till.order_of("events", method="GET")[1][0]["lost"] is True
    till.order_of("events-mode", {"drop": False, "duplicate": True}, "PUT")
    till.bill()
    settle(till)
    assert len({one["event_id"] for one in ear.events()}) == 1
    assert len(ear.heard) == 2
    till.order_of("events-mode", {"duplicate": False, "hold": True}, "PUT")
    till.bill()
    settle(till)
    assert len(ear.heard) == 2
    assert till.order_of("events-mode", {"hold": False}, "PUT")[1]["held"] == 0
    settle(till)
    assert len(ear.heard) == 3


def test_events_that_are_still_due_can_be_forgotten(till: Till, ear: Ear) -> None:
    ear.status = 500
    till.bill()
    settle(till)
    assert till.order_of("events", method="DELETE")[0] == 204
    assert settle(till)["later"] == 0
    assert till.order_of("events", method="GET")[1] == []


def test_without_an_address_nothing_is_told(till: Till, ear: Ear) -> None:
    till.order_of("events-url", {"url": ""}, "PUT")
    till.bill()
    settle(till)
    assert ear.heard == []


def test_wrong_control_requests_are_answered_with_an_error(till: Till) -> None:
    for path, body, method in (("events-url", {"url": "ftp://x"}, "PUT"), ("events-url", {}, "PUT"),
                               ("events-mode", {"drop": 1}, "PUT"), ("events-mode", {"lose": True}, "PUT"),
                               ("events/settle", {"timeout": "x"}, "POST")):
        status, answer = till.order_of(path, body, method)
        assert status == 422
        assert answer["error"]


def test_the_journal_tells_each_delivery(till: Till, ear: Ear) -> None:
    bill = till.bill()
    settle(till)
    line = next(line for line in till.his.world.journal if line["operation"] == "event")
    assert (line["system"], line["status"], line["type"], line["bill_no"]) == (
        "his", 204, "BILL_CREATED", bill["bill_no"])


def test_a_registration_that_the_window_ends_is_told_of_by_its_number(till: Till, ear: Ear) -> None:
    till.registered("T00001", till.session(fee_fen=0), 0, prepaid=False)
    assert till.order_of("registrations/T00001/end-at-desk")[0] == 200
    settle(till)
    [event] = ear.events()
    assert (event["type"], event["trade_no"], event["patient_code"]) == (
        "REGISTRATION_CANCELLED", "T00001", till.patient_named(0))
