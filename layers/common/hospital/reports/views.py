"""How reports are shown to whom they are about, or who acts for them."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from hospital.patients.model import Identity
from hospital.patients.rules import mask_name
from hospital.reports import rules
from hospital.reports.model import CRITICAL, Report
from hospital.reports.rules import Shown
from hospital.reports.store import Kept, Version
from hospital.runtime.clock import hospital_day
from hospital.runtime.http import Model

KINDS = {"laboratory": "检验", "microbiology": "微生物检验", "imaging": "影像检查", "pathology": "病理",
         "ecg": "心电图",
         "endoscopy": "内镜检查", "genetics": "基因检测", "other": "检查"}
STATES = {"PENDING": "未出", "READY": "已出", "CORRECTED": "已更正", "WITHDRAWN": "已撤回"}
_STATUSES = {"registered": "已登记", "preliminary": "初步结果", "final": "已审核发布",
             "amended": "已补充", "corrected": "已更正",
             "cancelled": "已取消", "entered-in-error": "已撤回（发错）"}
HIDDEN_TITLE = "检验检查报告"
HIDDEN = "这份报告涉及隐私，请再验证一次医院预留的手机号后查看。"


class ReportLine(Model):
    """A report in the list. Of one that asks for the second check (``is_hidden``) no title and no sentence."""

    id: str
    kind: str
    kind_text: str
    title: str
    state: str
    state_text: str
    sentence: str
    is_abnormal: bool
    is_hidden: bool
    department: str
    visit_number: str
    at: datetime


class ResultView(Model):
    """A result. ``low``, ``high`` and ``number`` (decimal texts) are there where a bar can be drawn.

    ``level``: how deep it stands below another (a panel's, an organism's). ``flag``: LOW, HIGH, OTHER or empty.
    """

    sequence: int
    level: int
    role: str
    name: str
    panel: str
    value: str
    unit: str
    reference: str
    number: str | None
    low: str | None
    high: str | None
    flag: str
    flag_text: str
    is_abnormal: bool
    is_critical: bool
    measure: str
    method: str
    note: str
    has_trend: bool


class FileView(Model):
    """A file of a report, by its place in it. ``is_here``: it can be opened; else only at the hospital."""

    number: int
    title: str
    media_type: str
    is_here: bool


class VersionView(Model):
    """A sending of a report: what it was, and when."""

    status_text: str
    at: datetime


class ReportView(Model):
    """A report. ``is_hidden``: it asks for the second check, and nothing of its content is here.

    Of one that is PENDING or WITHDRAWN neither results nor texts are shown.
    """

    id: str
    patient_id: str
    patient_name: str
    kind: str
    kind_text: str
    title: str
    state: str
    state_text: str
    sentence: str
    is_hidden: bool
    department: str
    ordering_department: str
    ordered_by: str
    author: str
    auditor: str
    specimen: str
    number: str
    collected_at: datetime | None
    received_at: datetime | None
    reported_at: datetime | None
    items: list[ResultView]
    findings: str
    conclusion: str
    files: list[FileView]
    notes: list[str]
    history: list[VersionView]


class Point(Model):
    """A value at a time. ``number`` is a decimal text; ``value`` as printed. ``is_limit``: only that it is beyond."""

    report_id: str
    at: datetime
    number: str
    value: str
    flag_text: str
    is_limit: bool


class Trend(Model):
    """The same item in one unit over time, the oldest first; the range is the newest's."""

    name: str
    unit: str
    low: str | None
    high: str | None
    points: list[Point]


def moment_of(kept: Kept) -> datetime:
    """When a report is of, as its list says."""
    report = kept.content.report
    told = report.reported or report.audited or report.collected or report.version.at
    return told.at if told else kept.received_at


def line(kept: Kept, person: Identity, words: list[str]) -> ReportLine:
    """A report as the list shows it."""
    report = kept.content.report
    is_hidden = rules.is_sensitive(report, words)
    shown = judged(kept, person) if kept.state in rules.SHOWN else []
    return ReportLine(
        id=kept.id, kind="other" if is_hidden else report.kind,
        kind_text="检查" if is_hidden else KINDS[report.kind], title=HIDDEN_TITLE if is_hidden else title(report),
        state=kept.state, state_text=STATES[kept.state],
        sentence=HIDDEN if is_hidden else first_words(kept, shown),
        is_abnormal=not is_hidden and any(one.is_abnormal for one in shown), is_hidden=is_hidden,
        department="" if is_hidden else report.department, visit_number=report.visit_number, at=moment_of(kept))


def judged(kept: Kept, person: Identity) -> list[Shown]:
    """The audited results of a report, for this person at that time."""
    return rules.judged(kept.content.report, person.sex, person.birth_date, hospital_day(moment_of(kept)))


def title(report: Report) -> str:
    """What a report is called."""
    return "、".join(one for one in report.titles if one) or KINDS[report.kind]


def first_words(kept: Kept, shown: list[Shown]) -> str:
    """The sentence that comes first, by state."""
    if kept.state == "PENDING":
        return "报告还没有出，出来后会通知您。"
    if kept.state == "WITHDRAWN":
        return "医院撤回了这份报告，请不要再用它。有疑问请问您的医生。"
    told = rules.sentence(kept.content.report, shown)
    return f"这份报告更正过，请以现在的为准。{told}" if kept.state == "CORRECTED" else told


def whole(kept: Kept, patient_id: str, person: Identity, history: list[Version], words: list[str], *, revealed: bool
          ) -> ReportView:
    """A report as its page shows it; ``revealed``: the second check was made."""
    report = kept.content.report
    is_hidden = rules.is_sensitive(report, words) and not revealed
    is_shown = kept.state in rules.SHOWN and not is_hidden
    shown = judged(kept, person) if is_shown else []

    def told(text: str) -> str:
        return "" if is_hidden else text

    return ReportView(
        id=kept.id, patient_id=patient_id, patient_name=mask_name(person.name),
        kind="other" if is_hidden else report.kind, kind_text="检查" if is_hidden else KINDS[report.kind],
        title=HIDDEN_TITLE if is_hidden else title(report), state=kept.state, state_text=STATES[kept.state],
        sentence=HIDDEN if is_hidden else first_words(kept, shown), is_hidden=is_hidden,
        department=told(report.department), ordering_department=told(report.ordering_department),
        ordered_by=told(report.ordered_by), author=told(report.author), auditor=told(report.auditor),
        specimen=told(report.specimen), number=told(report.number),
        collected_at=report.collected.at if report.collected and not is_hidden else None,
        received_at=report.received.at if report.received and not is_hidden else None,
        reported_at=report.reported.at if report.reported and not is_hidden else None,
        items=[_item(one, report) for one in shown],
        findings=report.findings if is_shown else "", conclusion=report.conclusion if is_shown else "",
        files=[FileView(number=number, title=one.title, media_type=one.media_type, is_here=bool(one.key))
               for number, one in enumerate(kept.content.files)] if is_shown else [],
        notes=[one.text for one in report.notes if one.where.startswith("NTE")] if is_shown else [],
        history=[VersionView(status_text=_STATUSES[one.status], at=one.told_at or one.received_at) for one in history])


def _item(one: Shown, report: Report) -> ResultView:
    item, usual = one.item, one.usual
    flag = "HIGH" if not rules.HIGH.isdisjoint(one.flags) else "LOW" if not rules.LOW.isdisjoint(one.flags) else "OTHER"
    number = rules.measured(item)
    value = item.value.text or item.value.absent if item.value else ""
    return ResultView(
        sequence=item.sequence, level=one.level, role=item.role, name=item.name, panel=item.panel, value=value,
        unit=item.unit, reference=usual.text if usual else "；".join(
            f"{ref.note} {ref.text}".strip() for ref in item.references),
        number=plain(number) if number is not None and usual is not None else None,
        low=plain(usual.low) if usual is not None and usual.low is not None else None,
        high=plain(usual.high) if usual is not None and usual.high is not None else None,
        flag=flag if rules.meaning(one.flags) else "", flag_text=rules.meaning(one.flags), is_abnormal=one.is_abnormal,
        is_critical=not CRITICAL.isdisjoint(one.flags), measure=item.measure, method=item.method, note=item.note,
        has_trend=number is not None and bool(rules.item_keys(item, report.source)))


def plain(number: Decimal) -> str:
    """A decimal without an exponent."""
    return f"{number:f}"


def trend(of: Kept, sequence: int, kept: list[Kept], person: Identity, words: list[str]) -> Trend | None:
    """The item with this place in a report, in all reports of the person; None: there is none to be followed."""
    asked = next((one for one in judged(of, person) if one.item.sequence == sequence), None)
    keys = rules.item_keys(asked.item, of.content.report.source) if asked else set()
    if asked is None or not keys or rules.measured(asked.item) is None:
        return None
    unit = rules.unit_key(asked.item.unit)
    points = []
    for one in kept:
        report = one.content.report
        if one.state not in rules.SHOWN or (one.id != of.id and rules.is_sensitive(report, words)):
            continue
        for shown in judged(one, person):
            item, number = shown.item, rules.measured(shown.item)
            if (number is None or item.value is None or rules.unit_key(item.unit) != unit
                    or keys.isdisjoint(rules.item_keys(item, report.source))):
                continue
            at = item.observed or report.collected
            points.append(Point(report_id=one.id, at=at.at if at else moment_of(one), number=plain(number),
                                value=item.value.text, flag_text=rules.meaning(shown.flags),
                                is_limit=item.value.comparator != ""))
    usual = asked.usual
    return Trend(name=asked.item.name, unit=asked.item.unit,
                 low=plain(usual.low) if usual and usual.low is not None else None,
                 high=plain(usual.high) if usual and usual.high is not None else None,
                 points=sorted(points, key=lambda point: point.at))
