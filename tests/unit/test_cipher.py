"""Personal data at rest: sealed for one place, found by keyed hashes."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace

import pytest
from hospital.security import cipher

PLACE = "patients.name:01ARZ3NDEKTSV4RRFFQ69G5FAV"


@pytest.fixture(autouse=True)
def keys(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, str]]:
    """Keys that SSM would give."""
    entries = {"data": "0123456789abcdeffedcba9876543210", "lookup": "ab" * 32}
    monkeypatch.setattr(cipher, "secret", entries.__getitem__)
    monkeypatch.setattr(cipher, "config", lambda: SimpleNamespace(data_key_secret="data", lookup_key_secret="lookup"))
    forget()
    yield entries
    forget()


def forget() -> None:
    """The keys are kept for the life of a process."""
    cipher._data_key.cache_clear()
    cipher._lookup_key.cache_clear()


@pytest.mark.parametrize("text", ["张三", "", "11010519491231002X", "😀\x00", "长" * 500])
def test_what_is_sealed_opens_at_its_place(text: str) -> None:
    stored = cipher.seal(text, PLACE)
    assert cipher.unseal(stored, PLACE) == text
    assert len(stored) == 1 + 12 + len(text.encode()) + 16
    assert not text or text.encode() not in stored


def test_the_same_text_is_never_sealed_the_same() -> None:
    assert len({cipher.seal("张三", PLACE) for _ in range(50)}) == 50


def test_a_value_moved_to_another_row_or_column_does_not_open() -> None:
    stored = cipher.seal("张三", PLACE)
    for place in (PLACE[:-1] + "W", PLACE.replace("name", "phone"), ""):
        with pytest.raises(cipher.Unreadable):
            cipher.unseal(stored, place)


def test_a_value_altered_in_any_byte_does_not_open() -> None:
    stored = cipher.seal("张三", PLACE)
    for at in range(len(stored)):
        with pytest.raises(cipher.Unreadable):
            cipher.unseal(stored[:at] + bytes([stored[at] ^ 1]) + stored[at + 1:], PLACE)


@pytest.mark.parametrize("stored", [b"", b"\x01", b"\x01" + b"0" * 27, b"\x02" + b"0" * 60, b"0" * 60])
def test_what_was_never_sealed_does_not_open(stored: bytes) -> None:
    with pytest.raises(cipher.Unreadable):
        cipher.unseal(stored, PLACE)


def test_a_value_under_another_key_does_not_open(keys: dict[str, str]) -> None:
    stored = cipher.seal("张三", PLACE)
    keys["data"] = "00" * 16
    forget()
    with pytest.raises(cipher.Unreadable):
        cipher.unseal(stored, PLACE)


@pytest.mark.parametrize("key", ["", "00" * 15, "00" * 32, "zz" * 16])
def test_a_key_of_another_size_is_refused(keys: dict[str, str], key: str) -> None:
    keys["data"] = key
    with pytest.raises(ValueError):
        cipher.seal("张三", PLACE)


def test_a_look_up_hash_is_equal_only_for_equal_kind_and_text(keys: dict[str, str]) -> None:
    hashed = cipher.lookup("identity.ID_CARD", "11010519491231002X")
    assert len(hashed) == 32
    assert cipher.lookup("identity.ID_CARD", "１１０１０５１９４９１２３１００２Ｘ") == hashed  # however it was typed
    assert cipher.lookup("identity.PASSPORT", "11010519491231002X") != hashed
    assert cipher.lookup("identity.ID_CARD", "110105194912310021") != hashed
    keys["lookup"] = "cd" * 32
    forget()
    assert cipher.lookup("identity.ID_CARD", "11010519491231002X") != hashed
