"""The queue: the number that was called, those ahead, and about how long it takes."""

from hospital.queue.api import api
from hospital.runtime.http import http_function

app, main_handler = http_function(api)
