"""Each outside call of a visit, each way it can go wrong, once and for a while: nothing is lost."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.faults.conftest import Visit

FAULTS: dict[str, tuple[str, dict[str, Any]]] = {
    "refuse": ("refuse", {}), "delay": ("delay", {"seconds": 0.3}), "error": ("error", {}),
    "cut-before": ("cut_before", {}), "cut-after": ("cut_after", {}),
    "garbage": ("garbage", {}), "garbage-after": ("garbage", {"effect": True}),
}
LASTING = ("error", "cut-before", "cut-after", "garbage")
A_WHILE = 3  # calls


def to_confirmed(visit: Visit) -> None:
    """Book and pay; the HIS confirms."""
    visit.book()
    if visit.open():
        visit.pay()
    visit.work()


def to_cancelled(visit: Visit) -> None:
    """The whole visit, to the refund."""
    to_confirmed(visit)
    visit.cancel()
    visit.work()


def without_a_notice(visit: Visit) -> None:
    """The notice is lost: WeChat must be asked."""
    visit.held_and_paid(notify=False)
    visit.work()


def given_up(visit: Visit) -> None:
    """Locked, then given up without paying."""
    visit.book()
    visit.open()
    visit.cancel()
    visit.work()


def asked_about(visit: Visit) -> None:
    """The HIS's answer to the confirmation is lost: its books must be asked."""
    visit.control.fault("his", "confirm_registration", "cut_after")
    to_confirmed(visit)


def with_a_new_token(visit: Visit) -> None:
    """WeChat has revoked the access token."""
    visit.control("POST", "/wechat/tokens/expire")
    to_confirmed(visit)


# Which way leads through a call, how it ends, and how it ends when the call is refused.
ROUTES: dict[tuple[str, str], tuple[Callable[[Visit], None], str, str]] = {
    ("his", "lock_registration"): (to_confirmed, "CONFIRMED", "RELEASED"),
    ("his", "confirm_registration"): (to_confirmed, "CONFIRMED", "REJECTED"),
    ("his", "check_trade"): (asked_about, "CONFIRMED", "CONFIRMED"),
    ("his", "cancel_registration"): (to_cancelled, "CANCELLED", "CONFIRMED"),
    ("his", "unlock_registration"): (given_up, "RELEASED", "RELEASED"),
    ("wechatpay", "create_order"): (to_confirmed, "CONFIRMED", "CONFIRMED"),
    ("wechatpay", "query_order"): (without_a_notice, "CONFIRMED", "CONFIRMED"),
    ("wechatpay", "close_order"): (given_up, "RELEASED", "RELEASED"),
    ("wechatpay", "create_refund"): (to_cancelled, "CANCELLED", "CANCELLED"),
    ("wechatpay", "query_refund"): (to_cancelled, "CANCELLED", "CANCELLED"),
    ("wechat", "send_message"): (to_confirmed, "CONFIRMED", "CONFIRMED"),
    ("wechat", "stable_token"): (with_a_new_token, "CONFIRMED", "CONFIRMED"),
    ("cloud", "invoke"): (to_confirmed, "CONFIRMED", "CONFIRMED"),
}
READS = {"check_trade", "query_order", "query_refund", "stable_token"}  # without an effect there is no "after" it
# To us an answer that is late, but in time, is an answer; and bytes that say nothing are as good as none. Both are
# tried where they would cost most.
COSTLY = {"confirm_registration", "cancel_registration", "create_order", "create_refund"}
CASES = [pytest.param(system, operation, fault, id=f"{operation}-{fault}")
         for system, operation in ROUTES for fault in FAULTS
         if not (operation in READS and fault.endswith("-after"))
         and (operation in COSTLY or fault not in ("delay", "garbage-after"))]


@pytest.mark.parametrize(("system", "operation", "fault"), CASES)
def test_a_visit_ends_well_whatever_one_call_does(visit: Visit, system: str, operation: str, fault: str) -> None:
    walk, ends, ends_refused = ROUTES[system, operation]
    kind, params = FAULTS[fault]
    visit.control.settle()  # the patient is bound and told so: the fault is for what follows
    visit.control.fault(system, operation, kind, **params)
    walk(visit)
    struck = [one["hits"] for one in visit.control("GET", "/faults")["faults"] if one["operation"] == operation]
    visit.recover()
    visit.check(ends_refused if fault == "refuse" else ends)
    assert struck == [1], "the visit did not make this call"
    if visit.state == "CONFIRMED" and operation not in ("send_message", "cancel_registration"):
        assert [one["template_name"] for one in visit.phone.inbox()] == ["挂号成功通知"]
    if visit.state in ("CANCELLED", "REJECTED"):
        assert visit.order()["refunded_fen"] == visit.order()["total_fen"] == 2500


@pytest.mark.parametrize(("system", "fault"), [
    *(("his", fault) for fault in LASTING), *(("wechatpay", fault) for fault in LASTING),
    ("wechat", "cut-before"), ("wechat", "error"), ("cloud", "cut-before"), ("cloud", "garbage")])
def test_a_visit_ends_well_when_a_system_is_down_for_a_while(visit: Visit, system: str, fault: str) -> None:
    def down() -> None:
        visit.control("DELETE", "/faults")
        visit.control.fault(system, "*", FAULTS[fault][0], times=A_WHILE)

    visit.book()
    down()
    assert visit.open()
    down()
    visit.pay()
    visit.work()
    assert visit.state == "CONFIRMED"
    down()
    visit.cancel()
    visit.work()
    visit.recover()
    visit.check("CANCELLED")
    assert visit.order()["refunded_fen"] == 2500
