"""Works off the outbox: every arrow between systems but refunds and pictures."""

from hospital.billing import events
from hospital.billing import jobs as billing
from hospital.billing import unbound as billing_unbound
from hospital.booking import ending, moving
from hospital.booking import jobs as booking
from hospital.booking import unbound as booking_unbound
from hospital.checkin import service as checkin
from hospital.checkin import unbound as checkin_unbound
from hospital.console import custody
from hospital.database.connection import database
from hospital.database.outbox import work_off
from hospital.feedback import handling as feedback
from hospital.guide import service as guide
from hospital.invoices import service as invoices
from hospital.messages import service as messages
from hospital.patients import holders
from hospital.patients import records as patients
from hospital.payment import jobs as payment
from hospital.queue import service as queue
from hospital.reports import service as reports
from hospital.runtime.events import timer_function
from hospital.schedules import sync as schedules
from hospital.security import cipher
from hospital.waitlist import jobs as waitlist

HANDLERS = {**schedules.WORKER, **booking.WORKER, **ending.WORKER, **moving.WORKER, **checkin.WORKER, **billing.WORKER,
            **events.WORKER, **payment.WORKER, **invoices.WORKER, **messages.WORKER, **patients.WORKER,
            **holders.WORKER, **booking_unbound.WORKER, **checkin_unbound.WORKER, **billing_unbound.WORKER,
            **custody.WORKER, **feedback.WORKER, **waitlist.WORKER, **reports.WORKER,
            **queue.WORKER, **guide.WORKER}

main_handler = timer_function(lambda: work_off(database(), HANDLERS, function="worker", ready=cipher.ready))
