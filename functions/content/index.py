"""What anybody may read: the hospital itself, its privacy policy and its terms."""

from hospital.content.api import api
from hospital.runtime.http import http_function

app, main_handler = http_function(api)
