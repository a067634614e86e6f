"""Guidance: where, when, what to bring, which window, in which order; the visit as one timeline."""

from hospital.journey.api import api
from hospital.runtime.http import http_function

app, main_handler = http_function(api)
