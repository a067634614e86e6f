"""What the platform accepts: the business data of each operation, checked field by field, amounts in yuan."""

from __future__ import annotations

import hashlib
import json
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from sandbox.ebill.model import INSURANCE_CHANNEL, Line, Refused, moment

LONGEST_PAGE = 200


def _real_moment(digits: str) -> str:
    moment(digits)
    return digits


Code = Annotated[str, Field(pattern=r"^[0-9A-Za-z_-]{1,50}$")]
Text = Annotated[str, Field(min_length=1, max_length=100)]
Moment = Annotated[str, AfterValidator(_real_moment)]
Yuan = Annotated[str, Field(pattern=r"^(0|[1-9][0-9]{0,9})\.[0-9]{2}$")]
Price = Annotated[str, Field(pattern=r"^(0|[1-9][0-9]{0,9})\.[0-9]{2,4}$")]
Number = Annotated[str, Field(pattern=r"^(0|[1-9][0-9]{0,7})(\.[0-9]{1,2})?$")]
Page = Annotated[int, Field(ge=1, le=1_000_000)]


def fen(amount: str) -> int:
    """A yuan text with two decimals, in fen."""
    return int(amount.replace(".", ""))


class Data(BaseModel):
    """Business data; fields that are not modelled pass unread, as with the real platform."""

    model_config = ConfigDict(strict=True, extra="ignore")


class Channel(Data):
    """How much came by which channel (05 WeChat, 11 insurance, 02 cash …)."""

    payChannelCode: str = Field(pattern=r"^[0-9]{2}$")
    payChannelValue: Yuan


class Charge(Data):
    """A line of the bill itself: one category of charges."""

    sortNo: int | None = None
    chargeCode: Code
    chargeName: Text
    unit: str = Field(default="项", max_length=20)
    std: Price
    number: Number
    amt: Yuan
    selfAmt: Yuan = "0.00"
    remark: str = Field(default="", max_length=200)

    def line(self) -> Line:
        """As kept."""
        return Line(self.chargeCode, self.chargeName, self.unit, self.std, self.number, fen(self.amt),
                    remark=self.remark)


class Detail(Charge):
    """A line of the itemised list; it belongs to the charge of the same ``chargeCode``."""

    listDetailNo: str = Field(default="", max_length=60)
    code: str = Field(default="", max_length=50)
    name: Text

    def line(self) -> Line:
        """As kept."""
        return Line(self.chargeCode, self.name, self.unit, self.std, self.number, fen(self.amt),
                    group=self.chargeName, remark=self.remark)


class Issue(Data):
    """A bill to issue: registration, outpatient or inpatient."""

    busNo: str = Field(pattern=r"^[\x21-\x7e]{1,50}$")
    busType: str = Field(pattern=r"^[0-9A-Za-z]{1,20}$")
    payer: Text
    busDateTime: Moment
    placeCode: Code
    totalAmt: Yuan
    payerType: Literal["1", "2"]
    cardType: str = Field(min_length=1, max_length=10)
    cardNo: str = Field(min_length=1, max_length=50)
    tel: str = Field(default="", pattern=r"^([0-9+-]{5,20})?$")
    accountPay: Yuan
    fundPay: Yuan
    otherfundPay: Yuan
    ownPay: Yuan
    selfPayAmt: Yuan
    payChannelDetail: list[Channel] = Field(min_length=1, max_length=20)
    chargeDetail: list[Charge] = Field(min_length=1, max_length=100)
    listDetail: list[Detail] = Field(default=[], max_length=2000)
    payee: str = Field(default="", max_length=50)
    author: str = Field(default="", max_length=100)
    checker: str = Field(default="", max_length=100)
    sex: str = Field(default="", max_length=4)
    age: str = Field(default="", max_length=10)
    patientNo: str = Field(default="", max_length=30)
    caseNumber: str = Field(default="", max_length=50)
    patientCategory: str = Field(default="", max_length=60)
    consultationDate: str = Field(default="", max_length=10)
    medicalInstitution: str = Field(default="", max_length=30)
    medicalCareType: str = Field(default="", max_length=60)
    medicalInsuranceID: str = Field(default="", max_length=30)
    inHospitalDate: str = Field(default="", max_length=10)
    outHospitalDate: str = Field(default="", max_length=10)
    remark: str = Field(default="", max_length=200)

    def channels(self) -> dict[str, int]:
        """Channel code → fen."""
        sums: dict[str, int] = {}
        for one in self.payChannelDetail:
            sums[one.payChannelCode] = sums.get(one.payChannelCode, 0) + fen(one.payChannelValue)
        return sums

    def parts(self) -> dict[str, int]:
        """The insurance's and the patient's parts in fen."""
        names = ("accountPay", "fundPay", "otherfundPay", "ownPay", "selfPayAmt")
        return {name: fen(getattr(self, name)) for name in names}

    def check_sums(self, *, details: bool) -> None:
        """Every sum must agree to the fen. Raises Refused E1002 naming what does not.

        ``details``: the itemised list is required (not for registrations).
        """
        total = fen(self.totalAmt)
        if total == 0:
            raise Refused("E1002", "开票总金额totalAmt应大于0")
        if sum(fen(charge.amt) for charge in self.chargeDetail) != total:
            raise Refused("E1002", "收费项目chargeDetail金额合计与totalAmt不符")
        channels, parts = self.channels(), self.parts()
        if sum(channels.values()) != total:
            raise Refused("E1002", "交费渠道payChannelDetail金额合计与totalAmt不符")
        insurance = parts["accountPay"] + parts["fundPay"] + parts["otherfundPay"]
        if channels.get(INSURANCE_CHANNEL, 0) != insurance:
            raise Refused("E1002", "医保渠道(11)金额与accountPay、fundPay、otherfundPay合计不符")
        if parts["ownPay"] + parts["selfPayAmt"] > total:
            raise Refused("E1002", "ownPay与selfPayAmt合计大于totalAmt")
        if details and not self.listDetail:
            raise Refused("E1001", "listDetail不能为空")
        self._check_details()

    def _check_details(self) -> None:
        if not self.listDetail:
            return
        charged: dict[str, int] = {}
        for charge in self.chargeDetail:
            charged[charge.chargeCode] = charged.get(charge.chargeCode, 0) + fen(charge.amt)
        listed: dict[str, int] = {}
        for detail in self.listDetail:
            cost = (Decimal(detail.std) * Decimal(detail.number) * 100).to_integral_value(ROUND_HALF_UP)
            if abs(int(cost) - fen(detail.amt)) > 1:
                raise Refused("E1002", "清单明细listDetail的单价乘数量与金额不符")
            listed[detail.chargeCode] = listed.get(detail.chargeCode, 0) + fen(detail.amt)
        if listed != charged:
            raise Refused("E1002", "清单明细listDetail按chargeCode合计与chargeDetail不符")


class BillNumbers(Data):
    """Which bill."""

    billBatchCode: str = Field(pattern=r"^[0-9]{8}$")
    billNo: str = Field(pattern=r"^[0-9]{10}$")


class WriteOff(BillNumbers):
    """A bill to reverse."""

    reason: str = Field(min_length=1, max_length=200)
    operator: str = Field(min_length=1, max_length=60)
    busDateTime: Moment
    placeCode: Code


class TurnPaper(BillNumbers):
    """A bill that was printed on a numbered paper form."""

    pBillBatchCode: str = Field(pattern=r"^[0-9A-Za-z]{1,50}$")
    pBillNo: str = Field(pattern=r"^[0-9A-Za-z]{1,20}$")
    busDateTime: Moment
    placeCode: Code
    operator: str = Field(min_length=1, max_length=60)


class States(Data):
    """Either both bill numbers, or the business number (with its type when it is not unique)."""

    billBatchCode: str | None = Field(default=None, pattern=r"^[0-9]{8}$")
    billNo: str | None = Field(default=None, pattern=r"^[0-9]{10}$")
    busNo: str | None = Field(default=None, min_length=1, max_length=50)
    busType: str | None = Field(default=None, pattern=r"^[0-9A-Za-z]{1,20}$")


class Period(Data):
    """From and to (both included), by the time of the business."""

    busBgnDate: Moment
    busEndDate: Moment
    placeCode: Code | None = None

    def bounds(self) -> tuple[datetime, datetime]:
        """As moments. Raises Refused E1001 when the end is before the start."""
        first, last = moment(self.busBgnDate), moment(self.busEndDate)
        if last < first:
            raise Refused("E1001", "busEndDate早于busBgnDate")
        return first, last


class Listing(Period):
    """One page of a period. ``dataType``: 1 e-bills, 2 red e-bills, 3 turned to paper; none: 1 and 2."""

    dataType: Literal["1", "2", "3"] | None = None
    pageNo: Page
    pageSize: int = Field(ge=1, le=LONGEST_PAGE)


Some = TypeVar("Some", bound=Data)


def read(model: type[Some], data: dict[str, Any]) -> Some:
    """``data`` as ``model``. Raises Refused E1001 naming the first wrong field, never its value."""
    try:
        return model.model_validate(data)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False, include_context=False)[0]
        field = ".".join(str(part) for part in first["loc"])
        raise Refused("E1001", f"字段{field}缺失或格式不正确" if field else "业务数据格式不正确") from None


def fingerprint(operation: str, data: dict[str, Any]) -> str:
    """The same for the same content of one operation, whatever the order of its fields."""
    text = json.dumps(data, sort_keys=True)
    return hashlib.sha256(f"{operation}\n{text}".encode()).hexdigest()
