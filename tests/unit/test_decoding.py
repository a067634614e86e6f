"""A picture is drawn anew: nothing of the file comes along but the picture; what is none is refused with its reason."""

from __future__ import annotations

import pytest
from hospital.feedback.decoding import KEPT_SIDE, NoPicture, drawn_anew
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.photos import COMMENT, PLACE, bomb, colour_at, photo, size_of


@pytest.mark.parametrize("kind", ["jpeg", "png"])
def test_a_photo_becomes_a_jpeg_without_place_or_comment(kind: str) -> None:
    content = photo(kind=kind)
    assert kind == "png" or (PLACE in content and COMMENT in content)
    clean = drawn_anew(content)
    assert clean.startswith(b"\xff\xd8\xff")
    assert [word for word in (PLACE, COMMENT, b"Exif") if word in clean] == []
    assert size_of(clean) == (60, 40)
    assert (colour_at(clean, 5, 20), colour_at(clean, 55, 20)) == ("red", "blue")


def test_a_photo_that_lies_on_its_side_stands_upright_afterwards() -> None:
    clean = drawn_anew(photo(turned=True))
    assert size_of(clean) == (40, 60)
    assert (colour_at(clean, 20, 5), colour_at(clean, 20, 55)) == ("red", "blue")


def test_a_large_photo_is_made_smaller() -> None:
    assert size_of(drawn_anew(photo(KEPT_SIDE * 2, 20))) == (KEPT_SIDE, 10)


@pytest.mark.parametrize(("content", "reason"), [
    (bomb(), "TOO_MANY_PIXELS"), (bomb(21_000), "TOO_MANY_PIXELS"), (bomb(5_000), "NOT_A_PICTURE"),
    (b"", "NOT_A_PICTURE"), (b"<svg onload=alert(1)>", "NOT_A_PICTURE"), (photo()[:300], "NOT_A_PICTURE"),
    (b"\xff\xd8\xff" + b"\0" * 1000, "NOT_A_PICTURE"), (b"%PDF-1.7", "NOT_A_PICTURE"),
    (b"GIF89a\x01\x00\x01\x00\x80\x00\x00\x00\x00\x00\xff\xff\xff!\xf9\x04\x01\x00\x00\x00\x00,\x00\x00\x00\x00\x01\x00"
     b"\x01\x00\x00\x02\x02D\x01\x00;", "NOT_A_PICTURE")])
def test_a_file_that_is_none_is_refused_with_its_reason(content: bytes, reason: str) -> None:
    with pytest.raises(NoPicture) as refusal:
        drawn_anew(content)
    assert refusal.value.reason == reason


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_a_damaged_photo_is_drawn_or_refused_and_nothing_else(data: st.DataObject) -> None:
    whole = bytearray(photo())
    for place in data.draw(st.lists(st.integers(0, len(whole) - 1), min_size=1, max_size=8)):
        whole[place] = data.draw(st.integers(0, 255))
    try:
        assert drawn_anew(bytes(whole)).startswith(b"\xff\xd8\xff")
    except NoPicture as refusal:
        assert refusal.reason in ("NOT_A_PICTURE", "TOO_MANY_PIXELS")
