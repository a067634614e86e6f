"""Every recorded form of an event through the real handlers, where no database is needed."""

from __future__ import annotations

import base64
import importlib.util
import json
import traceback
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hospital.runtime.events import event_function
from hospital.runtime.http import MAX_BODY

from tests.events.conftest import HTTP, JOINED, ROOT, TWICE
from tests.events.echo import main_handler as echo

CONTEXT = {"request_id": "0b7a2a4e-1111-4222-8333-444455556666", "function_name": "echo"}
BODY = {"note": "发热三天", "count": 2}
Handler = Callable[[dict[str, Any], dict[str, Any]], dict[str, Any]]


@pytest.fixture
def event(recorded: Path) -> Callable[..., dict[str, Any]]:
    """``event("url-get", path="/x")``: a recorded event, some of its keys changed."""
    def load(name: str, **changes: Any) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((recorded / f"{name}.json").read_text(encoding="utf-8"))
        return {**found, **changes}
    return load


def index(function: str) -> ModuleType:
    """A function's real ``index``."""
    spec = importlib.util.spec_from_file_location(f"index_{function}", ROOT / "functions" / function / "index.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def content(answer: dict[str, Any], status: int = 200) -> Any:
    """The JSON of an answer, which must have the platform's form."""
    assert answer["statusCode"] == status, answer
    assert answer["isBase64Encoded"] is False
    assert all(isinstance(name, str) and isinstance(value, (str, list)) for name, value in answer["headers"].items())
    json.dumps(answer)
    return json.loads(answer["body"])


# -- what arrives -----------------------------------------------------------------------------------
@pytest.mark.parametrize("name", ["url-get", "gateway-get", "gateway-get-parameters", "url-query-encoded"])
def test_a_query_arrives_from_every_form_of_event(name: str, event: Callable[..., dict[str, Any]]) -> None:
    got = content(echo(event(name), CONTEXT))
    assert (got["q"], got["today"]) == ("张 医生", True)


def test_an_event_without_query_and_body_is_a_plain_request(event: Callable[..., dict[str, Any]]) -> None:
    got = content(echo(event("url-get-without-query"), CONTEXT))
    assert (got["q"], got["today"]) == ("", False)


@pytest.mark.parametrize("name", [
    "url-post", "url-post-base64", "gateway-post", "gateway-post-base64", "gateway-post-headers-upper-case",
    "gateway-post-headers-mixed-case"])
def test_body_headers_and_origin_arrive_from_every_form_of_event(
        name: str, event: Callable[..., dict[str, Any]]) -> None:
    assert content(echo(event(name), CONTEXT)) == {
        "body": BODY, "authorization": "Bearer recorded-token-that-opens-nothing", "secret": "recorded",
        "type": "application/json", "from": "111.206.96.145", "id": CONTEXT["request_id"]}


@pytest.mark.parametrize(("changes", "network"), [
    ({"headers": {"x-scf-remote-addr": "1.2.3.4"}}, "1.2.3.4"),
    ({"headers": {"X-Scf-Remote-Addr": "9.9.9.9", "x-scf-remote-addr": "1.2.3.4"}}, "1.2.3.4"),
    ({"headers": {"x-scf-remote-addr": "9.9.9.9"}, "requestContext": {"sourceIp": "1.2.3.4"}}, "1.2.3.4"),
    ({"headers": {"x-forwarded-for": "9.9.9.9"}}, "")])
def test_where_an_event_s_call_comes_from_is_what_the_platform_says(
        event: Callable[..., dict[str, Any]], changes: dict[str, Any], network: str) -> None:
    assert content(echo(event("url-get", path="/address", **changes), CONTEXT)) == {"address": network}


def test_a_header_that_came_twice_arrives_joined_as_on_the_web(event: Callable[..., dict[str, Any]]) -> None:
    assert content(echo(event("url-get", path="/headers", headers=TWICE), CONTEXT)) == JOINED
    cases = {"X-NONCE": "a", "x-nonce": "b", "Authorization": ["Bearer 1", "Bearer 2"], "cookie": "c=1",
             "Cookie": "d=2"}
    assert content(echo(event("url-get", path="/headers", headers=cases), CONTEXT)) == JOINED


def test_bytes_that_are_no_text_arrive_unchanged(event: Callable[..., dict[str, Any]]) -> None:
    got = content(echo(event("url-post-bytes", httpMethod="PUT"), CONTEXT))
    assert bytes.fromhex(got["raw"]) == b"\x00\xff{not text"


def test_a_signed_body_arrives_byte_for_byte(event: Callable[..., dict[str, Any]]) -> None:
    signed = '{ "a":1.0,\r\n "b" : "é\\u00e9 𠮷" }  '
    plain = content(echo(event("url-post", httpMethod="PUT", body=signed), CONTEXT))
    coded = content(echo(event("gateway-post-base64", httpMethod="PUT",
                               body=base64.b64encode(signed.encode()).decode()), CONTEXT))
    assert bytes.fromhex(plain["raw"]) == bytes.fromhex(coded["raw"]) == signed.encode()


@pytest.mark.parametrize(("query", "q"), [
    ("q=1&q=2", "1"), ("q=a+b", "a b"), ("q=a%2Bb", "a+b"), ("%71=%E5%BC%A0", "张"), ("q=&today=true", ""), ("q", ""),
    ({"q": "a+b"}, "a+b"), ({"%71": "a+b%21"}, "a b!"), ({"q": ["1", "2"]}, "1")], ids=str)
def test_a_query_means_the_same_as_on_the_web(event: Callable[..., dict[str, Any]], query: Any, q: str) -> None:
    assert content(echo(event("url-get", queryString=query), CONTEXT))["q"] == q


@pytest.mark.parametrize(("mark", "is_coded"), [
    (True, True), ("true", True), ("True", True), (False, False), ("false", False), ("", False), (None, False)])
def test_a_body_is_decoded_only_where_the_event_says_so(
        event: Callable[..., dict[str, Any]], mark: Any, is_coded: bool) -> None:
    coded = base64.b64encode(b"bytes").decode()
    got = content(echo(event("url-post", httpMethod="PUT", body=coded, isBase64Encoded=mark), CONTEXT))
    assert bytes.fromhex(got["raw"]) == (b"bytes" if is_coded else coded.encode())


@pytest.mark.parametrize("changes", [
    {"body": "no base64!", "isBase64Encoded": True}, {"body": '{"note": "\ud83d", "count": 1}'},
    {"body": {"note": 1}}, {"headers": {"authorization": "\ud83d", "x-client-secret": None, "SCRIPT_NAME": "/x"}},
    {"headers": None, "body": None}, {"path": "/\ud83d\n\x00"}, {"path": None},
    {"queryString": {"q": "\ud83d", "": None}}, {"httpMethod": None, "requestContext": None},
    {"queryString": "q=%ZZ&&=&%"}], ids=str)
def test_an_odd_event_is_answered_and_never_a_500(
        event: Callable[..., dict[str, Any]], changes: dict[str, Any]) -> None:
    for function in (echo, index("account").main_handler):
        assert function(event("url-post", **changes), CONTEXT)["statusCode"] < 500


def test_a_repeated_and_an_empty_query_field_arrive(event: Callable[..., dict[str, Any]]) -> None:
    got = content(echo(event("url-query-repeated", httpMethod="PUT"), CONTEXT))
    assert (got["ids"], got["empty"]) == (["a", "b"], "")


def test_special_characters_of_a_query_arrive_as_they_were(event: Callable[..., dict[str, Any]]) -> None:
    text = "a&b=c+d #;/?100% é"
    assert content(echo(event("url-get", queryString={"q": text}), CONTEXT))["q"] == text


def test_the_platform_s_request_id_is_the_one_that_is_logged_and_answered(
        event: Callable[..., dict[str, Any]], capsys: pytest.CaptureFixture[str]) -> None:
    answer = echo(event("url-get"), CONTEXT)
    assert answer["headers"]["X-Request-Id"] == CONTEXT["request_id"]
    logged = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["request_id"] for line in logged if line["event"] == "request"] == [CONTEXT["request_id"]]


def test_a_client_s_own_request_id_is_not_believed(event: Callable[..., dict[str, Any]]) -> None:
    forged = event("url-get")
    forged["headers"]["X-SCF-Request-Id"] = "forged-by-the-client"
    assert content(echo(forged, CONTEXT))["id"] == CONTEXT["request_id"]


def test_the_first_forwarded_hop_is_not_believed(event: Callable[..., dict[str, Any]]) -> None:
    for name in ("url-post", "gateway-post"):
        forged = event(name)
        forged["headers"]["X-Forwarded-For"] = "8.8.8.8, 111.206.96.145"
        assert content(echo(forged, CONTEXT))["from"] == "111.206.96.145"


@pytest.mark.parametrize("form", ["url-get", "gateway-get"])
def test_a_wrong_method_is_told_which_ones_the_address_takes(
        event: Callable[..., dict[str, Any]], form: str) -> None:
    for method in ("PATCH", "OPTIONS"):
        answer = echo(event(form, httpMethod=method, path="/echo"), CONTEXT)
        assert content(answer, 405)["error"]["code"] == "method_not_allowed"
        assert answer["headers"]["Allow"] == "DELETE, GET, HEAD, POST, PUT"


# -- what goes out ----------------------------------------------------------------------------------
def test_an_answer_without_content_has_an_empty_body(event: Callable[..., dict[str, Any]]) -> None:
    answer = echo(event("url-get", httpMethod="DELETE"), CONTEXT)
    assert (answer["statusCode"], answer["isBase64Encoded"], answer["body"]) == (204, False, "")


def test_a_header_with_two_values_goes_out_as_a_list(event: Callable[..., dict[str, Any]]) -> None:
    answer = echo(event("url-get", path="/twice"), CONTEXT)
    assert answer["headers"]["Link"] == ["<a>", "<b>"]


@pytest.mark.parametrize("name", ["url-post", "url-post-base64"])
def test_a_body_larger_than_any_honest_one_is_refused(name: str, event: Callable[..., dict[str, Any]]) -> None:
    text = json.dumps({"note": "x" * MAX_BODY, "count": 1})
    huge = base64.b64encode(text.encode()).decode() if name.endswith("base64") else text
    assert content(echo(event(name, body=huge), CONTEXT), 413)["error"]["code"] == "too_large"


# -- the functions themselves -----------------------------------------------------------------------
@pytest.mark.parametrize("function", HTTP)
@pytest.mark.parametrize("name", ["url-get", "gateway-get"])
def test_every_http_function_answers_an_unknown_path(
        function: str, name: str, event: Callable[..., dict[str, Any]]) -> None:
    answer = index(function).main_handler(event(name, path="/no/such/address"), CONTEXT)
    assert content(answer, 404)["error"]["code"] == "no_such_address"
    assert answer["headers"]["Cache-Control"] == "no-store"


@pytest.mark.parametrize("name", ["url-get", "gateway-get"])
@pytest.mark.parametrize("path", ["/me", "/api/account/me"])
def test_a_request_without_session_is_refused(
        name: str, path: str, event: Callable[..., dict[str, Any]]) -> None:
    nobody = event(name, path=path)
    nobody["headers"] = {key: value for key, value in nobody["headers"].items() if key.lower() != "authorization"}
    assert content(index("account").main_handler(nobody, CONTEXT), 401)["error"]["code"] == "unauthorized"


@pytest.mark.parametrize("name", ["url-post", "url-post-base64", "gateway-post", "gateway-post-base64"])
def test_a_wrong_sign_in_names_its_fields_and_not_their_values(
        name: str, event: Callable[..., dict[str, Any]], capsys: pytest.CaptureFixture[str]) -> None:
    text = json.dumps({"code": "one-code", "secret_hash": "three"})
    body = base64.b64encode(text.encode()).decode() if name.endswith("base64") else text
    answer = index("account").main_handler(event(name, path="/sessions", body=body), CONTEXT)
    assert content(answer, 422)["error"]["fields"] == ["secret_hash"]
    assert "three" not in answer["body"] + capsys.readouterr().out


@pytest.mark.parametrize("name", ["url-post", "url-post-bytes", "gateway-post"])
def test_a_body_that_is_no_json_is_refused(name: str, event: Callable[..., dict[str, Any]]) -> None:
    changes = {} if name.endswith("bytes") else {"body": "{"}
    answer = index("account").main_handler(event(name, path="/sessions", **changes), CONTEXT)
    assert content(answer, 400)["error"]["code"] == "malformed_json"


@pytest.mark.parametrize("name", ["url-get", "gateway-get", "gateway-get-parameters"])
def test_a_wrong_query_names_its_fields(name: str, event: Callable[..., dict[str, Any]]) -> None:
    wrong = event(name, path="/sessions")
    wrong["queryString" if wrong.get("queryString") else "queryStringParameters"] = {"day": "tomorrow"}
    assert content(index("booking").main_handler(wrong, CONTEXT), 422)["error"]["fields"] == ["day"]


@pytest.mark.parametrize("function", HTTP)
@pytest.mark.parametrize("name", ["timer", "invoke-wake", "cos", "cls", "ckafka"])
def test_an_event_that_is_no_request_is_answered_as_an_unknown_path(
        function: str, name: str, event: Callable[..., dict[str, Any]], capsys: pytest.CaptureFixture[str]) -> None:
    answer = index(function).main_handler(event(name), CONTEXT)
    assert content(answer, 404)["error"]["code"] == "no_such_address"


@pytest.mark.parametrize("name", ["timer", "invoke-wake", "cos", "cls", "ckafka"])
def test_an_event_that_is_no_command_is_refused_by_operations_and_nothing_of_it_is_repeated(
        name: str, event: Callable[..., dict[str, Any]], capsys: pytest.CaptureFixture[str]) -> None:
    answer = index("operations").main_handler(event(name), CONTEXT)
    assert answer["error"]["code"] == "invalid"
    logged = capsys.readouterr().out
    assert [json.loads(line)["event"] for line in logged.splitlines()] == ["event.done"]
    for told in (logged, json.dumps(answer, ensure_ascii=False)):
        assert not any(word in told for word in ("10001", "bucket", "H4sI", "report-ready", "2026-11-22T23:30"))


def test_what_an_event_function_raises_tells_nothing_of_what_went_wrong_but_its_kind(
        event: Callable[..., dict[str, Any]], capsys: pytest.CaptureFixture[str]) -> None:
    def fails(_event: dict[str, Any]) -> dict[str, Any]:
        raise ValueError("Duplicate entry '13800000001' for key 'phone'")

    with pytest.raises(Exception) as caught:
        event_function(fails)(event("timer"), CONTEXT)
    told = "".join(traceback.format_exception(type(caught.value), caught.value, caught.tb))
    assert "13800000001" not in told
    assert "ValueError" in str(caught.value)
    logged = json.loads(capsys.readouterr().out)
    assert (logged["event"], logged["error"]) == ("event.failed", "ValueError")
