"""Outpatient bills: what is to be paid, paying, refunds on line, payments and receipts."""

from hospital.billing.api import api
from hospital.runtime.http import http_function

app, main_handler = http_function(api)
