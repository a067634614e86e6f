"""Reads what LIS and PACS list, for whatever was never pushed, and again what staff want read again."""

from hospital.database.connection import database
from hospital.reports.intake import poll
from hospital.runtime.clock import utc_now
from hospital.runtime.events import timer_function

main_handler = timer_function(lambda: poll(database(), utc_now()))
