"""Whatever a sender of FHIR writes: every text is found in the report."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.unit.senders import texts
from tests.unit.test_fhir_reports import GLUCOSE, PATIENT, REPORT, bundle, changed, one

WORDS = st.text(st.characters(exclude_categories=["Cs", "Cc", "Cn", "Zs", "Zl", "Zp"]), min_size=1, max_size=12)


@settings(max_examples=40, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(WORDS, min_size=13, max_size=13))
def test_every_text_of_a_message_is_found_in_its_report(words: list[str]) -> None:
    (number, title, display, name, city, item_name, unit, value, note, conclusion, method, whom, extra) = words
    found = one(bundle(
        changed(REPORT, identifier=[{"value": number}], conclusion=conclusion,
                code={"text": title, "coding": [{"display": display}]},
                extension=[{"url": "urn:x", "valueString": extra}]),
        changed(GLUCOSE, code={"text": item_name, "coding": [{"display": display}]}, note=[{"text": note}],
                valueQuantity=None, valueString=value, method={"text": method, "coding": [{"display": unit}]},
                referenceRange=[{"text": "1", "appliesTo": [{"text": whom}]}]),
        changed(PATIENT, name=[{"text": name, "family": extra}], address=[{"city": city}])))
    everything = list(texts(found))
    for word in words:
        assert any(word in text for text in everything)
    assert (found.number, found.titles, found.patient.name) == (number, (title,), name)
