"""What LIS and PACS push: reports in HL7 v2, FHIR R4 or our JSON."""

from hospital.reports.push_api import api
from hospital.runtime.http import http_function

app, main_handler = http_function(api)
