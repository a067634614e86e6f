"""States, kinds and words: what senders write, and what it is here."""

from __future__ import annotations

import re

from hospital.reports.model import ItemStatus, Kind, Sex, Status

# HL7's table 0123 (OBR-25) and 0085 (OBX-11).
REPORT_STATUS: dict[str, Status] = {
    "O": "registered", "I": "registered", "S": "registered", "N": "registered", "A": "preliminary", "P": "preliminary",
    "R": "preliminary", "M": "preliminary", "F": "final", "C": "corrected", "X": "cancelled"}
ITEM_STATUS: dict[str, ItemStatus] = {
    "I": "registered", "O": "registered", "P": "preliminary", "R": "preliminary", "S": "preliminary", "F": "final",
    "U": "final", "V": "final", "C": "corrected", "A": "amended", "B": "amended", "X": "cancelled", "N": "cancelled",
    "D": "deleted", "W": "entered-in-error"}
# FHIR's DiagnosticReport.status and Observation.status; ``unknown`` is a code of theirs and no state to show.
FHIR_STATUS: dict[str, Status] = {
    "registered": "registered", "partial": "preliminary", "preliminary": "preliminary", "final": "final",
    "amended": "amended", "corrected": "corrected", "appended": "amended", "cancelled": "cancelled",
    "entered-in-error": "entered-in-error"}
FHIR_ITEM_STATUS: dict[str, ItemStatus] = {
    "registered": "registered", "preliminary": "preliminary", "final": "final", "amended": "amended",
    "corrected": "corrected", "cancelled": "cancelled", "entered-in-error": "entered-in-error"}
SEX: dict[str, Sex] = {
    "M": "male", "F": "female", "O": "other", "A": "other", "N": "other", "U": "unknown", "男": "male", "女": "female",
    "1": "male", "2": "female", "0": "unknown", "9": "unknown", "未知": "unknown", "MALE": "male", "FEMALE": "female",
    "OTHER": "other", "UNKNOWN": "unknown"}
# Table 0074, diagnostic service sections.
SECTIONS: dict[str, Kind] = {
    **dict.fromkeys(["LAB", "CH", "HM", "BG", "BLB", "CG", "CO", "CUS_LAB", "DNA", "HLA", "IMM", "SR", "TX", "URN"],
                    "laboratory"),
    **dict.fromkeys(["MB", "MCB", "MYC", "PAR", "VR"], "microbiology"),
    **dict.fromkeys(["RAD", "RX", "RUS", "US", "OUS", "VUS", "CT", "CTH", "NMR", "MR", "NMS", "NRS", "XRC", "MAM",
                     "IMG", "DR", "CR", "DX", "PET", "RC"], "imaging"),
    **dict.fromkeys(["SP", "PAT", "CP", "PTH", "OSL"], "pathology"),
    **dict.fromkeys(["EC", "ECG", "EKG"], "ecg"), **dict.fromkeys(["ES", "END"], "endoscopy"),
    **dict.fromkeys(["GE", "CYG"], "genetics")}
_TITLES: list[tuple[Kind, re.Pattern[str]]] = [
    ("pathology", re.compile(r"病理|活检|组织学|细胞学|patholog|cytolog|histolog", re.IGNORECASE)),
    ("endoscopy", re.compile(r"内镜|胃镜|肠镜|喉镜|支气管镜|膀胱镜|endoscop|colonoscop|gastroscop", re.IGNORECASE)),
    ("ecg", re.compile(r"心电|\b(?:ECG|EKG)\b|electrocardio", re.IGNORECASE)),
    ("genetics", re.compile(r"基因|染色体|genetic|genom", re.IGNORECASE)),
    ("imaging", re.compile(
        r"超声|彩超|B超|磁共振|核磁|放射|透视|造影|钼靶|X线|X光|平片|骨密度"
        r"|(?<![A-Za-z])(?:CT|MRI?|DR|CR|CTA|MRA|PET|DXA)(?![A-Za-z])|radiolog|ultraso|x-ray", re.IGNORECASE)),
    ("microbiology", re.compile(r"培养|药敏|细菌|真菌|culture|suscept|microbiolog", re.IGNORECASE))]
_FINDINGS = re.compile(r"所见|描述|findings?\b", re.IGNORECASE)
_CONCLUSION = re.compile(r"诊断|结论|印象|提示|意见|impression|conclusion|diagnosis", re.IGNORECASE)
# Words that name the whole section, in any kind of report; ``病理诊断号`` is none of them.
_EXACTLY = re.compile(
    r"(?:(?P<findings>(?:影像|检查|超声|镜下|肉眼|大体|放射|内镜)?(?:所见|描述)|影像学?表现)"
    r"|(?:影像|检查|超声|镜下|病理|心电图?|放射|内镜|临床)?(?:学)?(?:诊断|结论|印象|提示)(?:意见)?)[:：]?")


def kind_of(section: str, titles: tuple[str, ...]) -> Kind | None:
    """What kind a section or a title says the report is; None: neither says."""
    if section.upper() in SECTIONS:
        found = SECTIONS[section.upper()]
        if found != "laboratory":
            return found
    for kind, words in _TITLES:
        if any(words.search(title) for title in titles):
            return kind
    return SECTIONS.get(section.upper())


def part_of_text(name: str, suffix: str, kind: Kind | None) -> str:
    """Whether a text is ``findings`` or ``conclusion`` of the report, by LOINC's suffix or its name; else empty."""
    if suffix in ("GDT", "IMP"):
        return "findings" if suffix == "GDT" else "conclusion"
    if exact := _EXACTLY.fullmatch(name.strip()):
        return "findings" if exact["findings"] else "conclusion"
    if kind in ("imaging", "pathology", "ecg", "endoscopy"):
        if _FINDINGS.search(name):
            return "findings"
        if _CONCLUSION.search(name):
            return "conclusion"
    return ""


def states_together(states: list[Status]) -> Status:
    """The state of a report of several parts: no part is shown as further than it is."""
    telling = [one for one in states if one not in ("cancelled", "entered-in-error")] or states
    if all(one == telling[0] for one in telling):
        return telling[0]
    if any(one in ("registered", "preliminary") for one in telling):
        return "preliminary"
    return next(one for one in ("corrected", "amended", "final", "cancelled", "entered-in-error") if one in telling)
