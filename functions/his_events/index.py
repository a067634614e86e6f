"""What the hospital pushes: new, changed and paid bills, refunds begun at the desk."""

from hospital.billing.events_api import api
from hospital.runtime.http import http_function

app, main_handler = http_function(api)
