"""WeChat Pay v3 for one merchant, in public-key mode."""

from __future__ import annotations

from sandbox.wechatpay.bills import Bills
from sandbox.wechatpay.control import Control
from sandbox.wechatpay.counter import Counter
from sandbox.wechatpay.refunds import Refunds
from sandbox.wechatpay.transactions import Transactions


class WeChatPay(Counter):
    """api.mch.weixin.qq.com for one merchant, with all its operations and the control side."""

    def add_operations(self) -> None:
        """Orders, refunds, bills, and the patient's thumb."""
        Bills(self)
        Control(self, Transactions(self), Refunds(self))
