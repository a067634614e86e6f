"""Messages: the mini-program's own inbox, and what WeChat may send."""

from hospital.messages.api import api
from hospital.runtime.http import http_function

app, main_handler = http_function(api)
