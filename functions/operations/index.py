"""Operators' commands: settings, departments, tasks."""

from hospital.console.operations import operate
from hospital.database.connection import database
from hospital.runtime.events import event_function

main_handler = event_function(lambda event: operate(database(), event))
