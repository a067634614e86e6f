"""What WeChat says of a phone number, read."""

from __future__ import annotations

from typing import Any

import pytest
from hospital.gateways import wechat
from hospital.gateways.outcome import Unanswered


@pytest.mark.parametrize(("told", "country"), [(86, "86"), ("86", "86"), (852, "852"), ("+49", "+49")])
def test_a_country_is_read_from_a_number_or_a_text(told: Any, country: str) -> None:
    assert wechat._country({"countryCode": told}) == country


@pytest.mark.parametrize("told", [True, None, "", 86.0, [86]])
def test_what_is_neither_a_number_nor_a_text_is_no_country(told: Any) -> None:
    with pytest.raises(Unanswered):
        wechat._country({"countryCode": told})
