"""A hand that taps: finds things as people do, by role and name, and counts its taps."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from playwright.sync_api import BrowserContext, Locator, Page, Request, Response, Route, expect

from sandbox.people import person
from sandbox.phone import Control, Phone

SHOTS = Path(__file__).resolve().parent.parent.parent / "build" / "screens"
WAITS = 20_000  # ms until something is there; a function may start cold
_ELSEWHERE = re.compile(r"^https?://(?!127\.0\.0\.1)")
_OWN = re.compile(r"cdn\.dcloud\.net\.cn/img/shadow-grey\.png")  # the framework's own shadow: blocked, and not missed


def _kept(name: str, value: Any) -> str:
    """A line for a page: something is in the phone's storage, as the framework writes it, unless changed since."""
    kind = {str: "string", int: "number"}.get(type(value), "object")
    kept = json.dumps({"type": kind, "data": value})
    return f"localStorage.getItem({name!r}) ?? localStorage.setItem({name!r}, {json.dumps(kept)});"


class Hand:
    """One phone. ``taps`` counts what was pressed, sheets of the host included."""

    def __init__(self, context: BrowserContext, address: str, control: Control, phone: Phone | None, *,
                 asks_privacy: bool = False) -> None:
        self.context = context
        self.address = address
        self.control = control
        self.taps = 0
        self.faults: list[str] = []
        context.set_default_timeout(WAITS)
        context.route(_ELSEWHERE, self._elsewhere)
        context.add_init_script(_kept("browser:messages", "yes"))
        if not asks_privacy:
            context.add_init_script(_kept("privacy:agreed", 1))
        if phone is not None:  # somebody who has been here before
            context.add_init_script(_kept("session", {"token": phone.token, "secret": phone.secret}) + _kept(
                "browser:phone", {"openid": phone.openid, "phone": phone.number}))
        self.page: Page = context.new_page()
        self.page.on("pageerror", lambda error: self.faults.append(f"error in the page: {error}"))

        self.page.on("response", self._part)

    def _part(self, response: Response) -> None:
        """What a page is made of must be there; what it asks of the functions may well be refused."""
        if response.status >= 400 and response.request.resource_type in ("document", "image", "script", "stylesheet"):
            self.faults.append(f"{response.status}: {response.url}")

    def _elsewhere(self, route: Route, request: Request) -> None:
        if not _OWN.search(request.url):
            self.faults.append(f"asked another address: {request.url}")
        route.abort()

    def let_go(self) -> None:
        """Close the phone. Fails when a page raised an error, lacks a part, or asked an address that is not ours."""
        self.context.close()
        assert not self.faults, "\n".join(self.faults)

    # -- looking ------------------------------------------------------------------------------------
    def open(self, page: str) -> Hand:
        """A page by its address, as a message or a code opens it: ``/visit/registration?id=…``."""
        self.page.goto(f"{self.address}/#{page}")
        self.page.reload()  # the hash alone changes no page of another address
        return self

    def sees(self, text: str | re.Pattern[str]) -> Hand:
        """Wait until a text is there."""
        expect(self.page.get_by_text(text).locator("visible=true").first).to_be_visible(timeout=WAITS)
        return self

    def sees_no(self, text: str | re.Pattern[str]) -> Hand:
        """Wait until a text is not there."""
        expect(self.page.get_by_text(text).locator("visible=true")).to_have_count(0, timeout=WAITS)
        return self

    def text(self) -> str:
        """All that stands on the page."""
        return self.page.locator("uni-page-body").last.inner_text()

    def button(self, name: str | re.Pattern[str], role: Any = "button") -> Locator:
        """The first button (or other role) of that whole name, or that a pattern finds, which can be seen."""
        return self.page.get_by_role(role, name=name, exact=isinstance(name, str)).locator("visible=true").first

    def shot(self, name: str) -> Hand:
        """A picture of the page as it is."""
        SHOTS.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=str(SHOTS / f"{name}.png"), animations="disabled")
        return self

    # -- tapping ------------------------------------------------------------------------------------
    def tap(self, name: str | re.Pattern[str], role: Any = "button") -> Hand:
        """Press what has that name."""
        self.button(name, role).click()
        self.taps += 1
        return self

    def fill(self, label: str, value: str) -> Hand:
        """Type into the field of that name."""
        self.page.get_by_label(label, exact=True).locator("visible=true").first.fill(value)
        return self

    def back(self) -> Hand:
        """The phone's own way back."""
        self.page.go_back()
        return self

    # -- what people do -----------------------------------------------------------------------------
    def openid(self) -> str:
        """Who holds the phone, once it has signed in."""
        kept = self.page.evaluate("localStorage.getItem('browser:phone')")
        return str(json.loads(kept)["data"]["openid"])

    def add_patient(self, number: str = "13800138000") -> dict[str, Any]:
        """From the page that offers it: fill in an invented person and agree; the person."""
        one = person()
        self.fill("姓名", one["name"]).fill("证件号码", one["id_number"]).fill("手机号码", number)
        for box in self.page.get_by_role("checkbox").all():
            box.click()
        self.tap("添加")
        return one
