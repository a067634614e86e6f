"""Removes what has served its time, every night."""

from hospital.database.connection import database
from hospital.database.housekeeping import clean
from hospital.feedback import pictures
from hospital.runtime.clock import utc_now
from hospital.runtime.events import timer_function

main_handler = timer_function(lambda: clean(database(), utc_now()) + pictures.sweep(database(), utc_now()))
