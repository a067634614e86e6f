"""Every route of every HTTP function, from the Api objects themselves, so that none can be forgotten."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from hospital.billing.api import api as billing
from hospital.billing.events_api import api as his_events
from hospital.booking.api import api as booking
from hospital.checkin.api import api as checkin
from hospital.content.api import api as content
from hospital.feedback.api import api as feedback
from hospital.invoices.api import api as invoice
from hospital.journey.api import api as guide
from hospital.messages.api import api as messages
from hospital.noshow import api as noshow
from hospital.patients.api import api as account
from hospital.payment.api import api as pay_callback
from hospital.queue.api import api as queue
from hospital.reports.api import api as reports
from hospital.reports.push_api import api as report_push
from hospital.runtime.http import Route
from hospital.waitlist import api as waitlist

APIS = (account, billing, booking, checkin, content, feedback, guide, his_events, invoice, messages, pay_callback,
        queue, report_push, reports)
UNKNOWN = "0" * 26
assert noshow.api is waitlist.api is booking  # both have added their routes to it


class Door(NamedTuple):
    """One route of one function."""

    function: str
    route: Route

    def __str__(self) -> str:
        return f"{self.route.method} {self.function}{self.route.path}"

    @property
    def ids(self) -> list[str]:
        """The names of its path parameters."""
        return re.findall(r"<(\w+)>", self.route.path)

    def path(self, **ids: str) -> str:
        """Where to call it; ids not given are well-formed and unknown."""
        return self.function + re.sub(r"<(\w+)>", lambda found: ids.get(found[1], UNKNOWN), self.route.path)


DOORS = [Door(api.name, route) for api in APIS for route in api.routes]
PRIVATE = [door for door in DOORS if not door.route.public]
WITH_BODY = [door for door in DOORS if "body" in door.route.takes]


def named(door: Any) -> str:
    """A test's id."""
    return str(door)
