"""What patients think: rating a visit; complaints, suggestions, praise and questions, with pictures."""

from hospital.feedback.api import api
from hospital.runtime.http import http_function

app, main_handler = http_function(api)
