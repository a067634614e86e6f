"""Pictures of a complaint: straight into COS under limits of ours, looked at, drawn anew, and nothing left behind."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import requests
from hospital.feedback.pictures import MOST_BYTES

from sandbox.phone import Control, Phone
from tests.features.conftest import refused
from tests.photos import COMMENT, PLACE, bomb, photo, size_of

Ask = Callable[..., list[tuple[Any, ...]]]
TEXT = "卫生间的水龙头坏了好几天，地上全是水，老人容易滑倒。"
MINUTES_LATER = 12 * 60  # no form of before can be used any more


def in_cos(control: Control) -> set[str]:
    """The keys of every file of pictures."""
    bucket = control("GET", "/scf/env/feedback")["COS_BUCKET"]
    objects = control("GET", f"/cos/objects?bucket={bucket}")["objects"]
    return {one["key"] for one in objects if one["key"].startswith(("uploads/", "pictures/"))}


def picture(phone: Phone, picture_id: str) -> dict[str, Any]:
    """One as its owner sees it."""
    answer: dict[str, Any] = phone.call("GET", f"feedback/pictures/{picture_id}")
    return answer


@pytest.mark.feature("feedback.complaint")
def test_a_complaint_has_pictures_without_the_place_where_they_were_taken(control: Control, phone: Phone) -> None:
    before = in_cos(control)
    ids = [phone.add_picture(photo(turned=True)), phone.add_picture(photo(kind="png"), "image/png")]
    filed = phone.complain(TEXT, picture_ids=ids)
    control.settle()
    shown = phone.complaint(filed["id"])["pictures"]
    assert [(one["id"], one["state"]) for one in shown] == [(one, "READY") for one in ids]
    contents = [requests.get(one["url"], timeout=30).content for one in shown]
    assert [size_of(one) for one in contents] == [(40, 60), (60, 40)]
    assert [word for one in contents for word in (PLACE, COMMENT, b"Exif") if word in one] == []
    assert {key.split("/")[0] for key in in_cos(control) - before} == {"pictures"}  # what came is gone
    assert refused(lambda: phone.call("DELETE", f"feedback/pictures/{ids[0]}")) == (409, "picture_sent")


@pytest.mark.feature("feedback.complaint")
def test_what_is_no_picture_is_refused_with_its_reason_whatever_it_is_called(control: Control, phone: Phone) -> None:
    before = in_cos(control)
    for content, words in ((b"%PDF-1.7 invoice", "不是可识别的图片"), (bomb(), "尺寸过大")):
        picture_id = phone.add_picture(content)
        control.settle()
        shown = picture(phone, picture_id)
        assert (shown["state"], shown["url"]) == ("REFUSED", None)
        assert words in shown["reason_text"]
        assert refused(lambda one=picture_id: phone.complain(TEXT, picture_ids=[one])) == (422, "picture_gone")
    assert in_cos(control) == before


def test_cos_itself_refuses_another_key_type_or_size_than_was_given(control: Control, phone: Phone) -> None:
    before = in_cos(control)
    for changes, code in (({"key": "uploads/of-another"}, "AccessDenied"),
                          ({"Content-Type": "text/html"}, "AccessDenied"),
                          ({"q-signature": "0" * 40}, "SignatureDoesNotMatch"),
                          ({"policy": "e30="}, "SignatureDoesNotMatch")):
        _, answer = phone.post_picture(photo(), **changes)
        assert (answer.status_code, code in answer.text) == (403, True), answer.text
    for content, code in ((b"\xff" * (MOST_BYTES + 1), "EntityTooLarge"), (b"", "EntityTooSmall")):
        _, answer = phone.post_picture(content)
        assert (answer.status_code, code in answer.text) == (400, True)
    assert phone.raw("POST", "feedback/pictures", {"content_type": "image/svg+xml"}).status_code == 422
    assert in_cos(control) == before


def test_a_form_ends_after_ten_minutes(control: Control, phone: Phone) -> None:
    form = phone.call("POST", "feedback/pictures", {"content_type": "image/jpeg"})
    control.advance(601)
    answer = requests.post(form["url"], data=form["fields"], files={"file": ("1.jpg", photo(), "image/jpeg")},
                           timeout=30)
    assert (answer.status_code, "AccessDenied" in answer.text) == (403, True)


def test_what_is_uploaded_after_it_was_looked_at_is_neither_shown_nor_kept(control: Control, phone: Phone) -> None:
    before = in_cos(control)
    form = phone.call("POST", "feedback/pictures", {"content_type": "image/jpeg"})
    def post(content: bytes) -> None:
        assert requests.post(form["url"], data=form["fields"], files={"file": ("1.jpg", content, "image/jpeg")},
                             timeout=30).status_code == 204
    post(photo())
    phone.call("POST", f"feedback/pictures/{form['id']}/uploaded")
    control.settle()
    post(photo(120, 80))
    phone.call("POST", f"feedback/pictures/{form['id']}/uploaded")
    assert len(in_cos(control) - before) == 2
    assert size_of(requests.get(picture(phone, form["id"])["url"], timeout=30).content) == (60, 40)
    control.advance(MINUTES_LATER)
    control.work("pictures")
    assert {key.split("/")[0] for key in in_cos(control) - before} == {"pictures"}


def test_said_to_be_uploaded_and_not_there_it_says_so(control: Control, phone: Phone) -> None:
    form = phone.call("POST", "feedback/pictures", {"content_type": "image/jpeg"})
    assert refused(lambda: phone.complain(TEXT, picture_ids=[form["id"]])) == (422, "picture_gone")
    phone.call("POST", f"feedback/pictures/{form['id']}/uploaded")
    control.settle()
    assert "没有传完" in picture(phone, form["id"])["reason_text"]


def test_what_was_never_sent_off_is_gone_the_next_night_and_what_was_stays(control: Control, phone: Phone, sql: Ask
                                                                         ) -> None:
    before = in_cos(control)
    left, sent = phone.add_picture(photo()), phone.add_picture(photo())
    form = phone.call("POST", "feedback/pictures", {"content_type": "image/jpeg"})  # uploaded, and never said so
    requests.post(form["url"], data=form["fields"], files={"file": ("1.jpg", photo(), "image/jpeg")}, timeout=30)
    discarded = phone.add_picture(photo())
    control.settle()
    phone.call("DELETE", f"feedback/pictures/{discarded}")
    filed = phone.complain(TEXT, picture_ids=[sent])
    control.settle()
    control.advance(26 * 3600)
    assert "error" not in control("POST", "/scf/timers/housekeeping/every-night/fire")
    control.settle()
    phone.sign_in()
    assert len(in_cos(control) - before) == 1
    assert [one["state"] for one in phone.complaint(filed["id"])["pictures"]] == ["READY"]
    assert {row[0] for row in sql("SELECT state FROM pictures WHERE id IN (%s, %s, %s)", (left, form["id"], discarded))
            } == {"REMOVED"}
    assert refused(lambda: picture(phone, left)) == (404, "picture_not_found")


def test_a_picture_is_its_account_s_own_and_goes_into_one_complaint(control: Control, phone: Phone) -> None:
    mine = phone.add_picture(photo())
    stranger = Phone(control).sign_in()
    assert refused(lambda: picture(stranger, mine)) == (404, "picture_not_found")
    assert refused(lambda: stranger.call("DELETE", f"feedback/pictures/{mine}")) == (404, "picture_not_found")
    assert refused(lambda: stranger.call("POST", f"feedback/pictures/{mine}/uploaded")) == (404, "picture_not_found")
    assert refused(lambda: stranger.complain(TEXT, picture_ids=[mine])) == (422, "picture_gone")
    phone.complain(TEXT, picture_ids=[mine, mine])
    assert refused(lambda: phone.complain(TEXT + "又坏了", picture_ids=[mine])) == (422, "picture_gone")
    assert phone.raw("POST", "feedback/complaints", {"kind": "COMPLAINT", "text": TEXT, "picture_ids": [mine] * 10},
                     key="k" * 16).status_code == 422


def test_pictures_of_one_account_have_a_limit(control: Control, phone: Phone, policy: Callable[..., None]) -> None:
    policy(limit_pictures={"burst": 2, "seconds": 60})
    for _ in range(2):
        phone.call("POST", "feedback/pictures", {"content_type": "image/jpeg"})
    assert refused(lambda: phone.call("POST", "feedback/pictures", {"content_type": "image/jpeg"})) == (
        429, "too_many_requests")
