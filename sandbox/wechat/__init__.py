"""WeChat on the desk: the mini-program's server API, and the phones of the people who use it."""

from sandbox.wechat.system import WeChat

__all__ = ["WeChat"]
