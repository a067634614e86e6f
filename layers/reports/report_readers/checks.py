"""What no report may say, whichever form it came in."""

from __future__ import annotations

from hospital.reports.model import WITH_CONTENT, Contradictory, Item, Person, Report


def check(report: Report) -> None:
    """Raises Contradictory when one person has two numbers of one kind, or a finished report says nothing."""
    one_number(report.patient)
    if report.status in WITH_CONTENT and not (
            report.findings.strip() or report.conclusion.strip() or report.attachments
            or any(_says(item) for item in report.items)):
        raise Contradictory("final-without-values", "report", "a finished report has no value, text or file")


def one_number(person: Person) -> None:
    """Raises Contradictory when the same assigner gives two numbers of the same kind to one person."""
    known: dict[tuple[str, str], str] = {}
    for one in person.identifiers:
        if known.setdefault((one.assigner, one.kind), one.value) != one.value:
            raise Contradictory("two-patient-numbers", "patient", "one report has two numbers of one kind of patient")


def together(reports: tuple[Report, ...]) -> None:
    """Raises Contradictory when one number of a source stands below two patients, or below one told in two ways."""
    known = set()
    for report in reports:
        which = (report.source, report.number)
        if report.number and which in known:
            raise Contradictory("two-patients", "patient", "one report's number stands below two patients")
        known.add(which)


def _says(item: Item) -> bool:
    return (item.value is not None and bool(item.value.text.strip() or item.value.absent)) or bool(item.note.strip()) \
        or any(_says(member) for member in item.members)
