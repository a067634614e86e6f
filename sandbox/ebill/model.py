"""What the platform keeps: bills, their red counterparts and paper copies."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any

BEIJING = timezone(timedelta(hours=8))
NORMAL, WRITTEN_OFF, RED = "1", "2", "3"  # the wire's state: valid, reversed by a red bill, a red bill itself
INSURANCE_CHANNEL = "11"


class Refused(Exception):
    """A definite refusal: the platform's code (E…) and a Chinese sentence."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


def stamp(at: datetime) -> str:
    """A moment as 17 digits of Beijing time, to the millisecond."""
    local = at.astimezone(BEIJING)
    return f"{local:%Y%m%d%H%M%S}{local.microsecond // 1000:03d}"


def moment(digits: str) -> datetime:
    """The moment that 17 digits of Beijing time mean. Raises ValueError."""
    if len(digits) != 17 or not (digits.isascii() and digits.isdecimal()):
        raise ValueError("17 digits, yyyyMMddHHmmssSSS")
    return datetime.strptime(digits[:14], "%Y%m%d%H%M%S").replace(
        microsecond=int(digits[14:]) * 1000, tzinfo=BEIJING)


def yuan(fen: int) -> str:
    """Fen as yuan with two decimals."""
    return f"{'-' if fen < 0 else ''}{abs(fen) // 100}.{abs(fen) % 100:02d}"


@dataclass(frozen=True)
class Line:
    """One line of a bill. ``price`` and ``number`` as sent (decimal texts), ``amount_fen`` what it costs."""

    code: str
    name: str
    unit: str
    price: str
    number: str
    amount_fen: int
    group: str = ""  # of a detail: the name of the charge it belongs to
    remark: str = ""


@dataclass
class Bill:
    """One e-bill. A red one has a negative total and names the bill it reverses (``reverses``)."""

    batch_code: str  # 票据代码, 8 digits
    number: str  # 票据号码, 10 digits
    random: str  # 校验码, 6 characters
    kind: str  # 门诊 or 住院: which form it is printed on
    bus_no: str
    bus_type: str
    bus_at: datetime
    place_code: str
    created_at: datetime
    total_fen: int
    payer: str
    charges: list[Line]
    details: list[Line]
    channels: dict[str, int]  # channel code → fen
    parts: dict[str, int]  # accountPay, fundPay, otherfundPay, ownPay, selfPayAmt → fen
    facts: dict[str, str]  # the other texts of the request, for the printed form
    token: str  # without it neither picture nor PDF is shown
    fingerprint: str = ""
    reverses: Bill | None = None
    red: Bill | None = None
    red_fingerprint: str = ""
    paper: tuple[str, str] | None = None  # code and number of the paper bill
    paper_fingerprint: str = ""

    @property
    def key(self) -> tuple[str, str]:
        """Its two numbers."""
        return self.batch_code, self.number

    @property
    def name(self) -> str:
        """What the form is called, without the province."""
        return f"医疗{self.kind}收费票据（电子）"

    @property
    def state(self) -> str:
        """The wire's state."""
        if self.reverses:
            return RED
        return WRITTEN_OFF if self.red else NORMAL

    def view(self) -> dict[str, Any]:
        """For the control interface; no personal data."""
        return {
            "billBatchCode": self.batch_code, "billNo": self.number, "busNo": self.bus_no, "busType": self.bus_type,
            "busDateTime": stamp(self.bus_at), "createTime": stamp(self.created_at), "total_fen": self.total_fen,
            "state": self.state, "channels_fen": dict(self.channels),
            "red": {"billBatchCode": self.red.batch_code, "billNo": self.red.number,
                    "total_fen": self.red.total_fen} if self.red else None,
            "reverses": {"billBatchCode": self.reverses.batch_code, "billNo": self.reverses.number}
            if self.reverses else None,
            "paper": {"pBillBatchCode": self.paper[0], "pBillNo": self.paper[1]} if self.paper else None,
        }
