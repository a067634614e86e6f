"""Tencent Cloud SMS on your desk: ``SendSms``, signature and request verified, with the platform's limits."""

from sandbox.sms.system import Sms

__all__ = ["Sms"]
