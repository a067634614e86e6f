"""Registration: what is on sale, taking a place, paying, cancelling; waiting for a place; how a patient stands."""

from hospital.booking.api import api
from hospital.noshow import api as no_shows
from hospital.runtime.http import http_function
from hospital.waitlist import api as waitlist

assert no_shows.api is waitlist.api is api  # both have added their routes to it
app, main_handler = http_function(api)
