"""The build for WeChat: taken by WeChat's compilers, run in a WeChat of our own against the real functions."""

from __future__ import annotations

import base64
import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from sandbox.people import person
from sandbox.phone import Control, Phone
from sandbox.templates import policy_templates
from sandbox.town import APP_ID
from scripts import client
from tests.photos import photo

BASE = "https://hospital.invalid"  # nobody's, by RFC 2606: the phone of the tests knows where it leads
RUNTIME = client.CLIENT / "tests" / "wechat"
MOST = 2 * 1024 * 1024  # bytes of a package
SCRIPTS_AND_MORE = (".js", ".json", ".wxml", ".wxss", ".wxs")
# what stands there as a text and is asked by nobody: an error's explanation, a licence's origin, the name of a language
SAID = ("https://vuejs.org/error-reference/", "https://uniapp.dcloud.net.cn/tutorial/", "https://github.com/emn178/js-sha256",
        "http://www.w3.org/2000/svg")

Run = Callable[..., dict[str, Any]]


@pytest.fixture(scope="session")
def build() -> Path:
    """The folder of a build from the sources as they are."""
    return client.build("mp-weixin", BASE, "mp-weixin-tested")


def node(script: str, *words: str, given: dict[str, Any] | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["node", str(RUNTIME / script), *words], text=True, capture_output=True, check=False,
                          timeout=150, env={**os.environ, "GIVEN": json.dumps(given or {}), "NO_COLOR": "1"})


@pytest.fixture
def run(build: Path, control: Control) -> Iterator[Run]:
    """``run(journey, session=…)``: what came of it. Raises AssertionError with what the page showed."""

    def go(journey: str, **given: Any) -> dict[str, Any]:
        done = node("run.mjs", journey, given={
            "folder": str(build), "base": BASE, "api": control.addresses["scf"],
            "control": control.addresses["control"], "files": control.addresses["cos"],
            "appId": APP_ID, "patient": person(), **given})
        assert done.returncode == 0, done.stderr
        result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        return result

    yield go


# -- the build as it lies there ---------------------------------------------------------------------
def test_wechats_compilers_take_all_of_it_and_every_script_loads(build: Path) -> None:
    done = node("look.mjs", str(build))
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(("file", "broken"), [("home/home.wxml", "\n<view>"), ("parts/tap-row.wxss", "\n.row {{")])
def test_a_broken_file_is_named_with_its_line(build: Path, tmp_path: Path, file: str, broken: str) -> None:
    copy = shutil.copytree(build, tmp_path / "build")
    with (copy / file).open("a") as one:
        one.write(broken)
    done = node("look.mjs", str(copy))
    assert done.returncode == 1
    assert re.search(re.escape(file) + r"\D+[12]\b", done.stdout), done.stdout


def test_each_package_is_small_enough_and_has_its_pages(build: Path) -> None:
    app = json.loads((build / "app.json").read_text())
    assert {root: size for root, size in client.packages(build).items() if size > MOST} == {}
    pages = app["pages"] + [f"{one['root']}/{page}" for one in app["subPackages"] for page in one["pages"]]
    assert [page for page in pages for end in ("js", "json", "wxml") if not (build / f"{page}.{end}").is_file()] == []


def test_nothing_of_the_browsers_twin_and_no_other_address_is_in_it(build: Path) -> None:
    sheet = (client.CLIENT / "src" / "platform" / "sheet.ts").read_text()
    browser = (client.CLIENT / "src" / "platform" / "browser.ts").read_text()
    foreign = {"/town", "browser:phone", ".sheet form", "navigator.geolocation", "preloadAssets",
               *re.findall(r"'([^'\n]*[\u4e00-\u9fff]{6,}[^'\n]*)'", sheet + browser)}
    wechat = (client.CLIENT / "src" / "platform" / "wechat.ts").read_text()
    found = set()
    for path in build.rglob("*"):
        if path.suffix in SCRIPTS_AND_MORE:
            text = path.read_text()
            name = str(path.relative_to(build))
            found |= {(name, one) for one in foreign if one in text and one not in wechat}
            found |= {(name, one) for one in re.findall(r"(?:https?|wss?)://[^\s\"'`)\\]+", text)
                      if one != BASE and not one.startswith(SAID)}
    assert found == set()


def test_patients_are_not_counted_by_the_frameworks_maker() -> None:
    """uni-app counts visits unless it is told not to, from the day on which the program has an id."""
    manifest = json.loads((client.CLIENT / "src" / "manifest.json").read_text())
    assert manifest["uniStatistics"] == {"enable": False}
    assert all("uniStatistics" not in part for part in manifest.values() if isinstance(part, dict))


def test_no_build_is_made_without_the_address_of_the_functions() -> None:
    for base in ("", "http://hospital.invalid"):
        with pytest.raises(client.ClientFailed, match="VITE_API_BASE"):
            client.run("build:mp-weixin", VITE_API_BASE=base)


# -- in a hand --------------------------------------------------------------------------------------
def test_a_place_is_booked_paid_and_cancelled(run: Run, control: Control, session: dict[str, Any]) -> None:
    done = run("registers", session=session)
    control.settle()
    control.advance(10)
    control.settle()
    [order] = control("GET", "/wechatpay/orders")
    assert (order["openid"], order["total_fen"]) == (done["openid"], 2500)
    assert [one["amount_fen"] for one in order["refunds"]] == [2500]
    assert {"login", "request", "requestPayment"} <= set(done["called"])


def test_a_closed_sheet_leaves_the_place_held_to_be_paid_later(run: Run, session: dict[str, Any]) -> None:
    run("closesTheSheet", session=session)


def test_a_sheet_that_fails_is_no_payment(run: Run, control: Control, session: dict[str, Any]) -> None:
    run("isRefusedByTheSheet", session=session)
    [order] = control("GET", "/wechatpay/orders")
    assert order["state"] == "NOTPAY"


@pytest.fixture
def owner(phone: Phone, patient: dict[str, Any]) -> dict[str, Any]:
    """Somebody who has been here before and has a proven patient."""
    return {"openid": phone.openid, "phone": phone.number, "session": {"token": phone.token, "secret": phone.secret}}


def test_bills_are_paid_together_their_e_bill_is_opened_and_one_is_given_back(
        run: Run, control: Control, owner: dict[str, Any], bill: Run) -> None:
    bill("LABORATORY", 3000, 1250)
    bill("EXAMINATION", 20000)
    run("paysBills", owner=owner)
    control.settle()
    control.advance(10)
    control.settle()
    [order] = control("GET", "/wechatpay/orders")
    assert (order["openid"], order["total_fen"]) == (owner["openid"], 24250)
    assert [one["amount_fen"] for one in order["refunds"]] == [4250]


def test_the_code_on_a_prescription_is_scanned_and_paid(
        run: Run, control: Control, owner: dict[str, Any], bill: Run) -> None:
    token = control("POST", f"/his/bills/{bill('PRESCRIPTION', 8800)['bill_no']}/qr")["token"]
    run("scansAPrescription", owner=owner, code=token)
    assert [one["total_fen"] for one in control("GET", "/wechatpay/orders")] == [8800]


def test_a_word_to_the_hospital_has_its_picture(run: Run, control: Control) -> None:
    done = run("complains", photo=base64.b64encode(photo()).decode())
    control.settle()
    assert {"chooseMedia", "getImageInfo", "uploadFile"} <= set(done["called"])
    assert [one["kind"] for one in control.operate("complaint.list")["complaints"]][-1:] == ["COMPLAINT"]


def test_wechats_interface_is_used_as_it_wants_to_be(run: Run) -> None:
    run("usesWeChat", templates=[one["template_id"] for one in policy_templates().values()][:3])


def test_a_message_opens_what_it_is_about_also_when_nothing_was_running(
        run: Run, control: Control, phone: Phone, patient: dict[str, Any], session: dict[str, Any]) -> None:
    phone.thumb(phone.open_payment(phone.book(patient["id"], session)["id"]))
    control.settle()
    page = "/" + phone.inbox("挂号成功通知")[0]["page"]
    run("opensAMessage", owner={"openid": phone.openid}, opens=page, shows="取消挂号")
    run("opensAMessage", owner={"openid": phone.openid}, opens="/messages/inbox", shows="挂号成功")
    run("opensAMessage", opens=page, shows="没有成功", leads="返回首页")  # by a stranger


def test_the_privacy_guide_is_put_before_the_first_personal_field_refused_and_agreed_to(
        run: Run, session: dict[str, Any]) -> None:
    done = run("mindsThePrivacyGuide", session=session)
    assert {"getPrivacySetting", "makePhoneCall"} <= set(done["called"])


def test_every_page_opens_by_its_address(run: Run, session: dict[str, Any]) -> None:
    doctor, department = session["doctor_id"], session["department_id"]
    run("opensEveryPage", openings={
        "booking/doctors": f"department={department}", "booking/doctor": f"id={doctor}",
        "booking/confirm": f"doctor={doctor}&session={session['id']}",
        "visit/registration": f"id={doctor}", "family/patient": f"id={doctor}", "family/consent": f"id={doctor}",
        "family/holders": f"id={doctor}", "account/text": "purpose=PRIVACY_POLICY", "feedback/survey": f"id={doctor}",
        "feedback/complaint": f"id={doctor}", "way/visit": f"id={doctor}", "way/queue": f"id={doctor}",
        "way/timeline": f"id={doctor}"})
