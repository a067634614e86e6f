"""E-bills that are issued or reversed after their day was closed are compared all the same."""

from __future__ import annotations

from datetime import timedelta

from tests.faults.outpatient import Care
from tests.features.closing import Day


def bus_no(care: Care) -> str:
    """The platform's number of the account's last e-bill."""
    return str(care.sql("SELECT CONCAT('MP', MAX(id)) FROM invoices WHERE account_id = %s", (care.account_id,))[0][0])


def platform(today: Day, *, down: bool) -> None:
    today.control("POST", "/ebill/pause", paused=down)


def test_an_e_bill_that_is_issued_after_its_day_was_closed_is_compared_all_the_same(
        today: Day, patient_of: Care) -> None:
    platform(today, down=True)
    patient_of.one_paid()
    number = bus_no(patient_of)
    assert today.close() == 0
    assert today.waits() == ("WAITING", "EBILL")
    platform(today, down=False)
    assert today.close(clock_time="11:20:00") == 1
    assert today.lines(number) == {("EBILL", "INVOICE"): ("LATE", "WAITS", False)}
    assert (today.detail(number), today.sums()["EBILL", "INVOICE", "LATE"]) == ("开具中", (1, 2500, 0))
    patient_of.work()
    patient_of.check("DONE")
    today.close(2)
    assert today.lines(number) == {("EBILL", "INVOICE"): ("LATE", "QUERIED", True)}
    assert (today.settled_on(number), today.tasks()) == (1, set())
    today.again()
    assert today.lines(number) == {}, "the platform lists it on the day of the business"


def test_an_e_bill_that_is_not_issued_for_three_days_is_a_persons_business_until_it_is(
        today: Day, patient_of: Care) -> None:
    platform(today, down=True)
    patient_of.one_paid()
    number = bus_no(patient_of)
    platform(today, down=False)
    today.close(3)
    assert today.tasks() == set()
    today.close(4)
    assert today.lines(number) == {("EBILL", "INVOICE"): ("LATE", "TASK", False)}
    assert today.tasks() == {("statement.ebill", number)}
    platform(today, down=True)
    today.close(5)
    assert today.tasks() >= {("statement.ebill", number)}, "no answer is no news"
    platform(today, down=False)
    patient_of.work()
    today.close(5, "11:20:00")
    assert today.lines(number) == {("EBILL", "INVOICE"): ("LATE", "QUERIED", True)}
    assert today.tasks() == set()


def test_an_e_bill_that_is_no_more_needed_is_evened_out_and_so_is_a_late_reversal(
        today: Day, patient_of: Care) -> None:
    care = patient_of
    issued = care.one_paid(3000)
    reversed_later = bus_no(care)
    platform(today, down=True)
    care.refund(issued)
    care.control.settle()
    care.control.advance(20)
    care.control.work()
    void = care.one_paid(4000)
    never_issued = bus_no(care)
    platform(today, down=False)
    today.close()
    assert today.lines(reversed_later) == {("EBILL", "RED"): ("LATE", "WAITS", False)}
    assert today.lines(never_issued) == {("EBILL", "INVOICE"): ("LATE", "WAITS", False)}
    assert today.detail(reversed_later) == "冲红中"
    today.sql("UPDATE outbox SET due_at = %s WHERE topic = 'invoice.issue' AND state = 'PENDING'",
              (f"{today.day + timedelta(days=1)} 04:00:00",))  # noon at the hospital
    care.phone.sign_in()
    care.refund(void)
    care.work()
    assert care.invoices() == [("WRITTEN_OFF", 3000), ("VOID", 4000)]
    today.close(2)
    assert today.lines(reversed_later) == {("EBILL", "RED"): ("LATE", "QUERIED", True)}
    assert today.lines(never_issued) == {("EBILL", "INVOICE"): ("LATE", "NONE", True)}
    assert today.tasks() == set()


def test_an_e_bill_that_the_list_leaves_out_is_settled_by_asking(today: Day, patient_of: Care) -> None:
    patient_of.one_paid()
    number = bus_no(patient_of)
    today.sql("UPDATE invoices SET bus_at = bus_at - INTERVAL 1 DAY WHERE CONCAT('MP', id) = %s", (number,))
    day_before = str(today.day - timedelta(days=1))
    today.control.operate("statement.make", day=day_before)
    assert today.lines(number, -1) == {("EBILL", "INVOICE"): ("LATE", "QUERIED", False)}
    today.sql("UPDATE invoices SET bus_at = bus_at + INTERVAL 1 DAY WHERE CONCAT('MP', id) = %s", (number,))
    today.close()
    assert today.lines(number, -1) == {("EBILL", "INVOICE"): ("LATE", "QUERIED", True)}
    assert today.lines(number) == {}


def test_the_reversal_of_an_e_bill_turned_to_paper_is_the_desks(today: Day, patient_of: Care) -> None:
    care = patient_of
    charge = care.one_paid()
    [invoice] = care.phone.invoices()
    platform(today, down=True)
    care.refund(charge)
    care.control.settle()
    care.control.advance(20)
    care.control.work()
    care.control("POST", f"/ebill/bills/{invoice['batch_code']}/{invoice['number']}/turn-paper")
    platform(today, down=False)
    today.close()
    assert today.lines(bus_no(care)) == {("EBILL", "RED"): ("LATE", "WAITS", False)}
    care.work()
    assert care.invoices() == [("ON_PAPER", 2500)]
    today.close(2)
    assert today.lines(bus_no(care)) == {("EBILL", "RED"): ("LATE", "NONE", True)}
    today.again()
    assert today.lines(bus_no(care)) == {}
    assert today.sums()["EBILL", "INVOICE", "AGREED"] == (1, 2500, 2500), "it was issued, and that stands"
