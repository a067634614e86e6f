"""Sends money back: works off the outbox's refund topics, so that slow refunds delay nothing else."""

from hospital.database.connection import database
from hospital.database.outbox import work_off
from hospital.payment.jobs import REFUND
from hospital.runtime.events import timer_function
from hospital.security import cipher

main_handler = timer_function(lambda: work_off(database(), REFUND, function="refund", ready=cipher.ready))
