"""Reminds patients of a visit tomorrow and of bills that are not paid: plans by the clock, tells at WeChat's rate."""

from hospital.database.connection import database
from hospital.reminders.service import run
from hospital.runtime.events import timer_function

main_handler = timer_function(lambda: run(database()))
