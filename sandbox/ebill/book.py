"""The platform's books: issuing, reversing, turning to paper, and the lists. The caller holds the lock."""

from __future__ import annotations

import secrets
import string
from collections.abc import Iterator
from datetime import datetime

from sandbox.ebill.model import BEIJING, Bill, Line, Refused, moment
from sandbox.ebill.wire import Issue, Listing, Period, States, TurnPaper, WriteOff, fen

OUTPATIENT, INPATIENT = "门诊", "住院"
_KIND_CODES = {OUTPATIENT: "01", INPATIENT: "02"}
_MEDICAL = "06"  # the class of medical bills in the ministry's bill codes
_RANDOM = string.digits + string.ascii_lowercase
_PRINTED = ("sex", "age", "patientNo", "caseNumber", "patientCategory", "consultationDate", "medicalInstitution",
            "medicalCareType", "medicalInsuranceID", "inHospitalDate", "outHospitalDate", "payee", "checker",
            "author", "cardNo", "remark")


class Book:
    """All bills of one hospital. ``region``: the two digits of the province that supervises the bills."""

    def __init__(self, region: str, place_code: str) -> None:
        self._region = region
        self._place_code = place_code
        self._bills: dict[tuple[str, str], Bill] = {}  # in the order of issue, red ones too
        self._by_business: dict[tuple[str, str], Bill] = {}
        self._papers: set[tuple[str, str]] = set()
        self._last: dict[str, int] = {}  # batch code → its last number

    # -- writing --------------------------------------------------------------------------------
    def issue(self, wish: Issue, kind: str, fingerprint: str, now: datetime) -> Bill:
        """The bill for this business: a new one, or the one issued for the same content before.

        Raises Refused E1003 for another content under the same busNo and busType, E1010 for a foreign place.
        """
        known = self._by_business.get((wish.busType, wish.busNo))
        if known is not None:
            if known.fingerprint != fingerprint:
                raise Refused("E1003", "业务流水号busNo已开票,且本次请求内容与原请求不一致")
            return known
        self._check_place(wish.placeCode)
        bill = Bill(
            *self._numbers(kind, now), kind, wish.busNo, wish.busType, moment(wish.busDateTime), wish.placeCode, now,
            fen(wish.totalAmt), wish.payer, [one.line() for one in wish.chargeDetail],
            [one.line() for one in wish.listDetail], wish.channels(), wish.parts(),
            {name: str(getattr(wish, name)) for name in _PRINTED}, secrets.token_hex(16), fingerprint,
        )
        self._bills[bill.key] = bill
        self._by_business[wish.busType, wish.busNo] = bill
        return bill

    def write_off(self, wish: WriteOff, fingerprint: str, now: datetime) -> Bill:
        """The red bill that reverses a bill: a new one, or the same again for the same request.

        Raises Refused E1004 unknown, E1005 turned to paper, E1006 reversed by another request, E1007 is red.
        """
        bill = self.find(wish.billBatchCode, wish.billNo)
        if bill.red is not None:
            if bill.red_fingerprint != fingerprint:
                raise Refused("E1006", "该票据已冲红")
            return bill.red
        if bill.reverses is not None:
            raise Refused("E1007", "红字票据不能再冲红")
        if bill.paper is not None:
            raise Refused("E1005", "该票据已换开纸质票据,请先收回并作废纸质票据")
        self._check_place(wish.placeCode)
        red = Bill(
            *self._numbers(bill.kind, now), bill.kind, bill.bus_no, bill.bus_type, moment(wish.busDateTime),
            wish.placeCode, now, -bill.total_fen, bill.payer, [_negative(line) for line in bill.charges],
            [_negative(line) for line in bill.details], {code: -part for code, part in bill.channels.items()},
            {name: -part for name, part in bill.parts.items()}, {**bill.facts, "remark": wish.reason},
            secrets.token_hex(16), reverses=bill,
        )
        self._bills[red.key] = red
        bill.red, bill.red_fingerprint = red, fingerprint
        return red

    def turn_paper(self, wish: TurnPaper, fingerprint: str) -> Bill:
        """Note the paper form that replaces a bill.

        Raises Refused E1004 unknown, E1006 reversed, E1007 is red, E1008 another paper or a used one.
        """
        bill, paper = self.find(wish.billBatchCode, wish.billNo), (wish.pBillBatchCode, wish.pBillNo)
        if bill.paper is not None:
            if bill.paper_fingerprint != fingerprint:
                raise Refused("E1008", "该票据已换开纸质票据")
            return bill
        if bill.reverses is not None:
            raise Refused("E1007", "红字票据不能换开纸质票据")
        if bill.red is not None:
            raise Refused("E1006", "该票据已冲红")
        if paper in self._papers:
            raise Refused("E1008", "纸质票据号码已被使用")
        self._check_place(wish.placeCode)
        bill.paper, bill.paper_fingerprint = paper, fingerprint
        self._papers.add(paper)
        return bill

    def forget(self, bill: Bill) -> None:
        """Lose a bill with its red one, as if it had never been issued (control)."""
        for one in (bill, bill.red):
            if one is not None:
                self._bills.pop(one.key, None)
        self._by_business.pop((bill.bus_type, bill.bus_no), None)

    # -- reading --------------------------------------------------------------------------------
    def all(self) -> list[Bill]:
        """Every bill in the order of issue, red ones too."""
        return list(self._bills.values())

    def find(self, batch_code: str, number: str) -> Bill:
        """The bill with these numbers. Raises Refused E1004."""
        bill = self._bills.get((batch_code, number))
        if bill is None:
            raise Refused("E1004", "票据不存在")
        return bill

    def asked(self, wish: States) -> Bill:
        """The bill a states call asks about. Raises Refused E1001 (ambiguous), E1004."""
        if wish.billBatchCode is not None and wish.billNo is not None:
            return self.find(wish.billBatchCode, wish.billNo)
        if wish.busNo is None:
            raise Refused("E1001", "请提供billBatchCode和billNo,或busNo")
        if wish.busType is not None:
            one = self._by_business.get((wish.busType, wish.busNo))
            found = [one] if one else []
        else:
            found = [bill for (_, bus_no), bill in self._by_business.items() if bus_no == wish.busNo]
        if not found:
            raise Refused("E1004", "票据不存在")
        if len(found) > 1:
            raise Refused("E1001", "busNo对应多张票据,请提供busType")
        return found[0]

    def listed(self, wish: Listing) -> list[Bill]:
        """The bills of a period by business time, in the order of issue."""
        found = list(self.within(wish))
        if wish.dataType == "3":
            return [bill for bill in found if bill.paper is not None]
        if wish.dataType is not None:
            return [bill for bill in found if (bill.reverses is not None) is (wish.dataType == "2")]
        return found

    def within(self, wish: Period) -> Iterator[Bill]:
        """All bills whose business lies in the period."""
        first, last = wish.bounds()
        for bill in self._bills.values():
            if first <= bill.bus_at <= last and wish.placeCode in (None, bill.place_code):
                yield bill

    # -- numbers --------------------------------------------------------------------------------
    def _numbers(self, kind: str, now: datetime) -> tuple[str, str, str]:
        batch = f"{self._region}{_MEDICAL}{_KIND_CODES[kind]}{now.astimezone(BEIJING):%y}"
        self._last[batch] = self._last.get(batch, 0) + 1
        return batch, f"{self._last[batch]:010d}", "".join(secrets.choice(_RANDOM) for _ in range(6))

    def _check_place(self, place_code: str) -> None:
        if place_code != self._place_code:
            raise Refused("E1010", "开票点placeCode不存在")


def _negative(line: Line) -> Line:
    return Line(line.code, line.name, line.unit, line.price, f"-{line.number}", -line.amount_fen, line.group,
                line.remark)

