"""WeChat Pay v3 on the desk: orders, refunds, notices, and the patient's thumb."""

from sandbox.wechatpay.system import WeChatPay

__all__ = ["WeChatPay"]
