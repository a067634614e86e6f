"""Reports of laboratories and examinations: my patients' lists, each one's results and files, a value over time."""

from hospital.reports.api import api
from hospital.runtime.http import http_function

app, main_handler = http_function(api)
