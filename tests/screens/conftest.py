"""A browser, and in it phones: each a fresh context that holds the patient's client and nothing of another test."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, sync_playwright

from sandbox.phone import Control, Phone
from scripts import client
from tests.screens.hand import Hand

CHROMIUM = shutil.which("chromium") or "chromium"  # scripts/setup has looked for it
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync"]
SIZE = {"width": 390, "height": 844}


@pytest.fixture(scope="session")
def pages(world: Control) -> str:
    """The address of the client, built from its sources as they are."""
    client.build("h5")
    return world.addresses["scf"]


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """One Chromium for all journeys of a worker."""
    with sync_playwright() as playwright:
        one = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield one
        one.close()


@pytest.fixture
def new_hand(browser: Browser, pages: str, control: Control) -> Iterator[Callable[..., Hand]]:
    """``new_hand()``: another phone in another hand; ``new_hand(phone)``: that of somebody who has signed in before.

    ``asks_privacy=True``: one on which the privacy policy was not agreed to yet. What went wrong in a page fails the
    test at its end.
    """
    hands: list[Hand] = []

    def take(phone: Phone | None = None, *, asks_privacy: bool = False) -> Hand:
        context = browser.new_context(viewport=SIZE, locale="zh-CN")  # type: ignore[arg-type]
        hands.append(Hand(context, pages, control, phone, asks_privacy=asks_privacy))
        return hands[-1]

    yield take
    for hand in hands:
        hand.let_go()


@pytest.fixture
def hand(new_hand: Callable[..., Hand]) -> Hand:
    """A phone in somebody's hand, with the home page open."""
    return new_hand().open("/")


@pytest.fixture
def payer(new_hand: Callable[..., Hand], phone: Phone, patient: dict[str, Any]) -> Hand:
    """The phone of somebody who has a proven patient."""
    return new_hand(phone)
