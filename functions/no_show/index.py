"""After the sessions: who came, who missed, and what follows (爽约)."""

from hospital.database.connection import database
from hospital.noshow.service import look
from hospital.runtime.clock import utc_now
from hospital.runtime.events import timer_function

main_handler = timer_function(lambda: look(database(), utc_now()))
