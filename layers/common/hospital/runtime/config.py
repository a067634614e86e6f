"""Configuration: one typed object, read once from the environment.

A missing value fails at start with its name. Fields that end in ``_secret`` hold the *name* of an
SSM entry, which ``runtime.cloud.secret`` resolves on first use.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import lru_cache

from msgspec import Struct


class ConfigError(Exception):
    """The environment lacks a value, or one is malformed; the text names it."""


class Config(Struct, frozen=True):
    """Every variable a function may have, named as in ``serverless.yml`` (there in capitals)."""

    stage: str
    region: str
    mysql_host: str
    mysql_port: int
    mysql_database: str
    mysql_user: str
    mysql_password_secret: str
    data_key_secret: str
    lookup_key_secret: str
    cloud_api_base: str  # empty: the SDK's own endpoints
    sms_base: str  # empty: the SDK's own endpoint
    wechat_base: str
    wechat_app_id: str
    wechat_app_secret: str  # an SSM entry's name, as all that end so
    wechatpay_base: str
    wechatpay_merchant_id: str
    wechatpay_cert_serial: str
    wechatpay_private_key_secret: str
    wechatpay_api_v3_key_secret: str
    wechatpay_public_key_id: str
    wechatpay_public_key_secret: str
    notify_base: str
    his_base: str
    his_client_id: str
    his_key_secret: str
    his_qr_key_secret: str
    his_events_path: str  # the path of our address for events, as the hospital has it on file
    lis_base: str
    lis_key_secret: str
    pacs_base: str
    pacs_key_secret: str
    report_push_path: str  # the path of our address for reports, as LIS and PACS have it on file
    ebill_base: str
    ebill_app_id: str
    ebill_key_secret: str
    ebill_place_code: str
    cos_base: str  # empty: the SDK's own endpoint
    cos_bucket: str
    address_header: str  # in which the platform says who calls a Web function; empty: the connection's own address


MAY_BE_EMPTY = {"cloud_api_base", "sms_base", "cos_base", "address_header"}


def read(environment: Mapping[str, str]) -> Config:
    """Build the configuration.

    Raises ConfigError that names every missing or malformed variable.
    """
    values: dict[str, object] = {}
    wrong: list[str] = []
    for field in Config.__struct_fields__:
        name = field.upper()
        text = environment.get(name)
        if text is None or (text == "" and field not in MAY_BE_EMPTY):
            wrong.append(f"{name} is not set")
        elif field == "mysql_port":
            if text.isdecimal():
                values[field] = int(text)
            else:
                wrong.append(f"{name} is not a port number")
        else:
            values[field] = text
    if wrong:
        raise ConfigError("; ".join(wrong))
    return Config(**values)  # type: ignore[arg-type]


@lru_cache(maxsize=1)
def config() -> Config:
    """This process's configuration."""
    return read(os.environ)
