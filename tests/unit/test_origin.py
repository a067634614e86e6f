"""Where a request comes from, as the platform says it."""

from __future__ import annotations

from typing import Any

import pytest
from hospital.runtime import origin
from hospital.runtime.event_form import translate


@pytest.mark.parametrize(("environ", "address"), [
    ({"REMOTE_ADDR": "10.0.0.1"}, "10.0.0.1"),
    ({"REMOTE_ADDR": "10.0.0.1", "HTTP_X_SCF_REMOTE_ADDR": "111.206.96.145"}, "111.206.96.145"),
    ({"REMOTE_ADDR": "10.0.0.1", "HTTP_X_SCF_REMOTE_ADDR": "2001:db8::1"}, "2001:db8::1"),
    ({"REMOTE_ADDR": "10.0.0.1", "HTTP_X_SCF_REMOTE_ADDR": "1.2.3.4, 111.206.96.145"}, "111.206.96.145"),
    ({"HTTP_X_SCF_REMOTE_ADDR": "张三"}, ""), ({"HTTP_X_FORWARDED_FOR": "1.2.3.4"}, ""), ({}, "")])
def test_the_address_is_the_platform_s_or_the_connection_s_and_nothing_else(environ: dict[str, Any], address: str
                                                                            ) -> None:
    assert origin.of_request(environ, "r-1") == origin.Origin(address, "r-1")


def test_a_gateway_s_word_counts_before_a_header() -> None:
    event = {"httpMethod": "GET", "path": "/x", "headers": {"X-Scf-Remote-Addr": "1.2.3.4"},
             "requestContext": {"sourceIp": "111.206.96.145"}}
    assert translate(event, {})["multiValueHeaders"]["x-scf-remote-addr"] == ["111.206.96.145"]


@pytest.mark.parametrize(("context", "uin"), [
    ({"tencentcloud_uin": "100000000001"}, "100000000001"), ({"tencentcloud_uin": 100000000001}, "100000000001"),
    ({"tencentcloud_uin": "root; --"}, ""), ({}, "")])
def test_an_invocation_is_by_the_account_that_its_context_names(context: dict[str, Any], uin: str) -> None:
    assert origin.of_invocation({**context, "request_id": "r-2"}) == origin.Origin("", "r-2", uin)
