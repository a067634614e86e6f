"""Signing in, patients (就诊人), consents."""

from hospital.patients.api import api
from hospital.runtime.http import http_function

app, main_handler = http_function(api)
