"""Takes departments, doctors, sessions and slots over from the HIS."""

from hospital.database.connection import database
from hospital.runtime.clock import utc_now
from hospital.runtime.events import timer_function
from hospital.schedules.sync import sync_schedules
from hospital.site.service import sync_directory

main_handler = timer_function(
    lambda: sync_directory(database(), utc_now()) + sync_schedules(database(), utc_now()))
