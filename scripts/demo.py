"""``make demo``: a patient's whole journey against the sandbox, a line per step; then it keeps serving."""

from __future__ import annotations

import argparse
import contextlib
import signal
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sandbox.people import person
from sandbox.phone import Control, Phone, Refused
from scripts import books, local_db, town

ROOT = Path(__file__).resolve().parent.parent
PORT = 8700


class StepFailed(Exception):
    """A step did not end as it should; the text says how it did."""


class Journey:
    """Prints the steps, numbered and timed."""

    def __init__(self) -> None:
        self.number = 0

    @contextlib.contextmanager
    def step(self, title: str) -> Iterator[list[str]]:
        """One step; what is put into the list is printed behind its title."""
        self.number += 1
        started, facts = time.perf_counter(), list[str]()
        try:
            yield facts
        except Exception:
            print(f"{self.number:2}. {title:32} ✗  FAILED", flush=True)
            raise
        print(f"{self.number:2}. {title:32} ✓  {'  '.join(facts)}  ({(time.perf_counter() - started) * 1000:.0f} ms)",
              flush=True)


def yuan(fen: int) -> str:
    """For people."""
    return f"¥{fen // 100}.{fen % 100:02d}"


def expect(what: str, actual: Any, wanted: Any) -> None:
    """Raises StepFailed when they differ."""
    if actual != wanted:
        raise StepFailed(f"{what} is {actual!r}, expected {wanted!r}")


def walk(control: Control, mysql: str, database: str) -> None:
    """The first complete visit. Raises StepFailed, Refused."""
    journey, phone = Journey(), Phone(control)
    with journey.step("登录 sign in") as facts:
        phone.sign_in()
        phone.allow_messages("patients")
        phone.allow_messages("booking")
        facts += [f"openid {phone.openid}", f"session …{phone.token[-6:]}"]
    with journey.step("添加就诊人 add a family member") as facts:
        patient = phone.add_patient(person(age=62), relation="PARENT")
        facts += [f"{patient['name']} {patient['id_number']}", f"card {patient['card_number']}"]
    with journey.step("绑定通知 bound, announced") as facts:
        control.settle()
        facts += phone.inbox("绑定通知")[0]["lines"][:2]
    with journey.step("科室 departments, two levels") as facts:
        groups = phone.call("GET", "booking/departments")["groups"]
        facts.append(f"{len(groups)} groups, {sum(len(one['departments']) for one in groups)} departments")
    with journey.step("搜索医生 search by initials") as facts:
        initials, session = find_session(phone)
        facts += [f"“{initials}” finds {session['doctor_name']} {session['doctor_title']}",
                  f"{session['department_name']} {session['visit_date']} {session['period']}",
                  f"{yuan(session['fee_fen'])}, {session['free']} places left"]
    with journey.step("占号 take a place") as facts:
        held = phone.book(patient["id"], session)
        facts += [f"booking {held['id']}", f"at {held['starts_at']}", f"held until {held['expires_at'][11:19]} UTC"]
    with journey.step("锁号、下单 lock in HIS, open payment") as facts:
        payment = phone.open_payment(held["id"])
        facts += [payment["package"]]
    with journey.step("微信支付 pay") as facts:
        paid = phone.thumb(payment)
        facts += [f"transaction {paid['transaction_id']}", f"order {paid['out_trade_no']}", yuan(session["fee_fen"])]
    with journey.step("HIS 确认 confirmed in the HIS") as facts:
        control.settle()
        shown = phone.booking(held["id"])
        expect("the registration", shown["state"], "CONFIRMED")
        facts += [f"visit number {shown['visit_number']}", shown["location"]]
    with journey.step("挂号成功通知 message in the inbox") as facts:
        expect("messages", len(phone.inbox("挂号成功通知")), 1)
        facts += phone.inbox("挂号成功通知")[0]["lines"]
    with journey.step("取消预约 cancel") as facts:
        facts.append(phone.call("POST", f"booking/bookings/{held['id']}/cancellation")["state"])
        control.settle()
        expect("the registration", phone.booking(held["id"])["state"], "CANCELLED")
        facts.append("→ CANCELLED in our books and in the HIS")
    with journey.step("退款 refunded") as facts:
        control.advance(20)  # WeChat Pay takes a few seconds
        control.work()
        refund = phone.booking(held["id"])["refunds"][0]
        expect("the refund", refund["state"], "SUCCEEDED")
        facts += [yuan(refund["amount_fen"]), f"at {refund['succeeded_at']}"]
    with journey.step("取消通知 told so") as facts:
        facts += phone.inbox("取消预约通知")[0]["lines"]
    with journey.step("对账 the books agree") as facts:
        report = books.compare(control, mysql, database)
        expect("differences", report.differences, [])
        facts += [f"captured {yuan(report.captured_fen)}", f"confirmed {yuan(report.confirmed_fen)}",
                  f"refunded {yuan(report.refunded_fen)}"]


def find_session(phone: Phone) -> tuple[str, dict[str, Any]]:
    """A session with free places on a coming day, and the initials that found its doctor."""
    for day in phone.call("GET", "booking/days")["days"][1:]:
        for session in phone.call("GET", "booking/sessions", params={"day": day["day"]})["sessions"]:
            if session["free"] and session["state"] == "OPEN":
                from hospital.site.rules import spellings

                initials = min(spellings(session["doctor_name"]), key=lambda text: (len(text), text))
                found = phone.call("GET", "booking/doctors", params={"q": initials})["doctors"]
                expect("found by initials", session["doctor_id"] in [one["id"] for one in found], True)
                return initials, session
    raise StepFailed("no session has a free place")


def main() -> int:
    """Start everything, walk the journey, then serve until told to stop (or end at once: --once)."""
    parser = argparse.ArgumentParser(prog="make demo", description=main.__doc__)
    parser.add_argument("--once", action="store_true")
    once = parser.parse_args().once
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    print("starting MariaDB, the sandbox and the functions …", flush=True)
    try:
        server, port = local_db.start(ROOT / "build" / "demo" / "db")
    except local_db.NoServer as problem:
        print(problem, file=sys.stderr)
        return 1
    mysql = f"127.0.0.1:{port}"
    try:
        with town.running(mysql, "hospital_demo", ROOT / "build" / "demo",
                          *([] if once else ["--port", str(PORT)])) as control:
            walk(control, mysql, "hospital_demo")
            print("the journey is complete")
            if not once:
                serve(control, mysql)
    except (town.DidNotStart, StepFailed, Refused, RuntimeError, TimeoutError) as problem:
        print(f"the journey stopped: {problem}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("stopping")
    finally:
        local_db.stop(server)
    return 0


def serve(control: Control, mysql: str) -> None:
    """Say where everything is, and wait for Ctrl-C."""
    print("\nServing until Ctrl-C. Try for example")
    print(f"  curl {control.addresses['scf']}/api/booking/departments")
    print(f"  curl {control.addresses['control']}/clock")
    for name, address in {**control.addresses, "mysql (root, database hospital_demo)": mysql}.items():
        if name != "pid":
            print(f"  {name:40} {address}")
    threading.Event().wait()


if __name__ == "__main__":
    sys.exit(main())
