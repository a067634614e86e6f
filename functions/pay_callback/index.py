"""WeChat Pay's notices of payments and refunds."""

from hospital.payment.api import api
from hospital.runtime.http import http_function

app, main_handler = http_function(api)
