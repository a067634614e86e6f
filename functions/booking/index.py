"""Registration: what is on sale, taking a place, paying, cancelling."""

from hospital.booking.api import api
from hospital.runtime.http import http_function

app, main_handler = http_function(api)
