"""Looks at uploaded pictures: alone with files from strangers, and the only one that has what decodes them."""

from hospital.database.connection import database
from hospital.database.outbox import work_off
from hospital.feedback.pictures import PICTURES
from hospital.runtime.events import timer_function
from hospital.security import cipher

main_handler = timer_function(lambda: work_off(database(), PICTURES, function="pictures", ready=cipher.ready))
