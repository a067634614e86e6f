"""Stopped and changed clinics: what the hospital says of them is read, patients are told, who chooses nothing is paid.

Works off the outbox's clinic topics, so that a morning of a thousand patients delays nothing else.
"""

from hospital.booking.choices import CLINICS
from hospital.database.connection import database
from hospital.database.outbox import work_off
from hospital.runtime.events import timer_function
from hospital.security import cipher

main_handler = timer_function(lambda: work_off(database(), CLINICS, function="clinic_changes", ready=cipher.ready))
