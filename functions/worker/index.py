"""Works off the outbox: every arrow between systems but refunds."""

from hospital.booking import jobs as booking
from hospital.database.connection import database
from hospital.database.outbox import work_off
from hospital.messages import service as messages
from hospital.payment import jobs as payment
from hospital.runtime.events import timer_function

HANDLERS = {**booking.WORKER, **payment.WORKER, **messages.WORKER}

main_handler = timer_function(lambda: work_off(database(), HANDLERS, function="worker"))
