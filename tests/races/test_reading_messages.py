"""A message is read on several phones at once: each is told that it is, and it is counted once."""

from __future__ import annotations

from collections import Counter

from sandbox.people import person
from tests.races.ground import Ground, clients, together


def test_of_two_messages_that_are_read_on_many_phones_at_once_none_is_counted_twice_and_none_stays(
        ground: Ground) -> None:
    member = ground.newcomer()
    member.phone.add_patient(person())
    ground.control.settle()
    phones = clients(member.phone, 12)
    newest, first = (one["id"] for one in phones[0].call("GET", "messages/inbox")["messages"])
    assert phones[0].call("GET", "messages/unread") == {"unread": 2}
    told = together([lambda p=phone: p.raw("POST", f"messages/inbox/{newest}/read").status_code  # type: ignore[misc]
                     for phone in phones[:6]]
                    + [lambda p=phone: p.call("GET", "messages/unread")["unread"] for phone in phones[6:]])  # type: ignore[misc]
    assert Counter(told[:6]) == {204: 6}
    assert set(told[6:]) <= {1, 2}
    assert phones[0].call("GET", "messages/unread") == {"unread": 1}
    told = together([lambda p=phone: p.raw("POST", "messages/inbox/read-all", {"newest": newest}).status_code  # type: ignore[misc]
                     for phone in phones[:6]]
                    + [lambda p=phone: p.raw("POST", f"messages/inbox/{first}/read").status_code  # type: ignore[misc]
                       for phone in phones[6:]])
    assert Counter(told) == {204: 12}
    assert phones[0].call("GET", "messages/unread") == {"unread": 0}
