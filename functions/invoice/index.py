"""Fiscal e-bills: my list, each one's numbers, a link to its PDF."""

from hospital.invoices.api import api
from hospital.runtime.http import http_function

app, main_handler = http_function(api)
