"""Check-in: today's registrations, a place in the queue, the fee when it is paid on arrival."""

from hospital.checkin.api import api
from hospital.runtime.http import http_function

app, main_handler = http_function(api)
