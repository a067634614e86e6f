"""ORU messages into reports: who, which, what; and what can't be true."""

from __future__ import annotations

import base64
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from hospital.reports.model import Contradictory, Identifier, Note, NotTaken, Unreadable
from report_readers.hl7_report import read_hl7

from tests.unit.senders import item, lab, message, one, texts

BEIJING = timezone(timedelta(hours=8))
PDF = b"%PDF-1.4\n" + bytes(range(256))


def refused(content: bytes) -> tuple[str, str]:
    """Why a message is not taken, and where."""
    with pytest.raises(NotTaken) as told:
        read_hl7(content)
    return told.value.reason, told.value.where


def noted(content: bytes) -> dict[str, str]:
    """Notes by their place."""
    return {note.where: note.text for note in one(content).notes}


def test_a_field_may_repeat_and_a_mark_that_nobody_knows_is_noted() -> None:
    assert item("NM", "K^钾", "", "9", "", "", "H~A~HH", "", "", "F").flags == ("high", "abnormal", "critical-high")
    assert item("NM", "K^钾", "", "9", "", "", "HH", "", "", "F").is_critical
    assert item("NM", "K^钾", "", "9", "", "", "H,A", "", "", "F").flags == ("high", "abnormal")
    content = message("OBX|1|NM|K^钾||9|||↑~特高|||F")
    assert (one(content).items[0].flags, noted(content)["OBX[1]-8(2)"]) == (("high",), "特高")


# -- who and which ----------------------------------------------------------------------------------
def test_a_report_says_whose_it_is_which_and_when() -> None:
    found = one(lab())
    assert (found.source, found.number, found.order_number, found.visit_number) == (
        "青山医院/LIS", "L0001", "O0001", "V0001")
    assert found.patient.identifiers == (
        Identifier("P0001", "HIS", "PI"), Identifier("330102199001011234", "公安", "NI"),
        Identifier("MZ0001", "", "PID-2"))
    assert (found.patient.name, found.patient.sex) == ("张三", "male")
    assert found.patient.birth is not None
    assert (found.patient.birth.at.date().isoformat(), found.patient.birth.precision) == ("1990-01-01", "day")
    assert [found.collected and found.collected.at, found.received and found.received.at,
            found.reported and found.reported.at] == [
        datetime(2026, 11, 28, 8, tzinfo=BEIJING), datetime(2026, 11, 28, 8, 15, tzinfo=BEIJING),
        datetime(2026, 11, 28, 9, 20, tzinfo=BEIJING)]
    assert (found.kind, found.status, found.titles) == ("laboratory", "final", ("血常规",))
    assert (found.author, found.auditor, found.ordering_department) == ("王检验", "李审核", "内科门诊")
    assert (found.version.id, len(found.version.digest), found.processing) == ("M0001", 64, "production")


def test_what_has_no_place_of_its_own_stands_in_the_notes_in_order() -> None:
    found = one(lab(more="ZLB|仪器|A-3^二楼"))
    assert [note for note in found.notes if note.where.startswith(("PID", "ZLB"))] == [
        Note("PID-11", "西湖区1号"), Note("ZLB[1]-1", "仪器"), Note("ZLB[1]-2.1", "A-3"), Note("ZLB[1]-2.2", "二楼")]


@pytest.mark.parametrize(("told", "at", "has_zone"), [
    ("20261128093000+0900", datetime(2026, 11, 28, 8, 30, tzinfo=BEIJING), True),
    ("20261128093000.1234-0000", datetime(2026, 11, 28, 17, 30, 0, 123400, tzinfo=BEIJING), True),
    ("202611280930", datetime(2026, 11, 28, 9, 30, tzinfo=BEIJING), False),
    ("2026-11-28 09:30:00", datetime(2026, 11, 28, 9, 30, tzinfo=BEIJING), False),
    ("20261128", datetime(2026, 11, 28, tzinfo=BEIJING), False)])
def test_a_time_without_a_zone_is_the_hospital_s(told: str, at: datetime, has_zone: bool) -> None:
    found = one(lab(("20261128092000", told))).reported
    assert found is not None
    assert (found.at, found.has_zone, found.text) == (at, has_zone, told)


@pytest.mark.parametrize("told", ["20261345", "00000000", "昨天", "2026112809300", "99991231", "20261128256000"])
def test_a_time_that_is_none_is_noted_and_costs_no_report(told: str) -> None:
    content = lab(("20261128092000", told))
    assert one(content).reported is None
    assert noted(content)["OBR[1]-22"] == told


@pytest.mark.parametrize(("name", "read", "others"), [
    ("张^三", "张三", ()), ("张三", "张三", ()), ("Smith^John^A", "Smith John A", ()),
    ("Zhang^San~张^三", "张三", ("Zhang San",)), ("古丽米热·艾比布力", "古丽米热·艾比布力", ())])
def test_a_name_in_characters_comes_before_its_letters(name: str, read: str, others: tuple[str, ...]) -> None:
    person = one(lab(("张^三", name))).patient
    assert (person.name, person.other_names) == (read, others)


@pytest.mark.parametrize(("sex", "read"), [
    ("M", "male"), ("女", "female"), ("2", "female"), ("U", "unknown"), ("?", "")])
def test_sex_is_one_of_ours_or_noted(sex: str, read: str) -> None:
    content = lab(("|19900101|M|", f"|19900101|{sex}|"))
    assert one(content).patient.sex == read
    assert ("PID-8" in noted(content)) is (read == "")


def test_without_pid_pv1_orc_or_obr_there_is_still_a_report() -> None:
    lines = lab().decode().split("\r")
    found = one("\r".join(line for line in lines if not line.startswith(("PID", "PV1", "ORC"))).encode())
    assert (found.number, found.patient.identifiers, len(found.items)) == ("L0001", (), 2)
    found = one("\r".join(line for line in lines if not line.startswith(("OBR", "ORC"))).encode())
    assert (found.number, found.status, len(found.items)) == ("", "final", 2)
    assert one("\r".join(line for line in lines if not line.startswith("OBR")).encode()).number == "L0001"


def test_orders_of_one_number_are_one_report_with_its_titles_in_order() -> None:
    found = one(lab(more="OBR|2|O0002|L0001|CRP^C反应蛋白^L|||||||||||||||||||||F\n"
                         "OBX|1|NM|CRP^超敏^L||3|mg/L|0-10||||F"))
    assert found.titles == ("血常规", "C反应蛋白")
    assert [(one.sequence, one.panel) for one in found.items] == [(1, "血常规"), (2, "血常规"), (3, "C反应蛋白")]
    assert Note("OBR[2]-2", "O0002") in found.notes


def test_orders_of_several_numbers_are_several_reports_of_the_same_patient() -> None:
    found = read_hl7(lab(more="ORC|RE|O2|L2\nOBR|2|O2|L2|SH^生化^L|||||||||||||||||||||P\n"
                              "OBX|1|NM|K^钾^L||4.0|mmol/L|||||P"))
    assert [(report.number, report.status, len(report.items)) for report in found] == [
        ("L0001", "final", 2), ("L2", "preliminary", 1)]
    assert found[0].patient == found[1].patient
    assert {report.visit_number for report in found} == {"V0001"}
    assert {report.ordering_department for report in found} == {"内科门诊"}


OTHER = ("PID|2||P0002^^^HIS^PI||李^四||19850505|F\nOBR|1|O2|L2|SH^生化^L|||||||||||||||||||||F\n"
         "OBX|1|NM|K^钾^L||4.0||||||F")


def test_several_patients_reports_in_one_message_stay_apart() -> None:
    first, second = read_hl7(lab(more=OTHER))
    assert (first.patient.name, second.patient.name) == ("张三", "李四")
    assert not any("李" in text and "李审核" not in text for text in texts(first))
    assert not any("张" in text or "西湖区" in text for text in texts(second))


def test_a_patient_who_is_told_again_before_each_order_is_one() -> None:
    lines = lab().decode().split("\r")
    again = lines[1].replace("PID|1|", "PID|2|")
    found = one(lab(more=f"{again}\nOBR|2|O0001|L0001|CRP^C反应蛋白^L|||||||||||||||||||||F\n"
                         "OBX|1|NM|CRP^超敏^L||3||||||F"))
    assert len(found.items) == 3


def test_notes_at_each_level_are_where_they_belong() -> None:
    text = lab(("PV1|1", "NTE|1|L|病人备注\rPV1|1"), ("OBX|1|NM", "NTE|1||医嘱备注\rOBX|1|NM"))
    found = one(text)
    assert (found.items[0].note, found.items[1].note) == ("已复查", "")
    assert [note.text for note in found.notes if note.where.startswith("NTE") and note.where.endswith("-3")] == [
        "病人备注", "医嘱备注"]


def test_a_sender_may_tell_things_twice_and_nothing_is_told_at_all() -> None:
    found = one(lab(("|M|||", "|M|\"\"||"), ("已复查", "已复查~请随诊"), ("已复查", "正常3~5个，已复查")))
    assert found.items[0].note == "正常3~5个，已复查\n请随诊"
    assert '""' not in list(texts(found))
    nothing = item("NM", "K^钾", "", "9", '""', '""', '""', "", "", '""')
    assert (nothing.unit, nothing.references, nothing.flags) == ("", (), ())
    assert one(lab(("||HM|F|", '||HM|""|'))).status == "final"


# -- states -----------------------------------------------------------------------------------------
@pytest.mark.parametrize(("code", "status"), [
    ("O", "registered"), ("I", "registered"), ("S", "registered"), ("A", "preliminary"), ("P", "preliminary"),
    ("R", "preliminary"), ("F", "final"), ("C", "corrected"), ("X", "cancelled"), ("", "final")])
def test_obr_25_says_the_report_s_state_else_its_results_do(code: str, status: str) -> None:
    assert one(lab(("||HM|F|", f"||HM|{code}|"))).status == status


@pytest.mark.parametrize(("code", "status"), [
    ("F", "final"), ("P", "preliminary"), ("C", "corrected"), ("X", "cancelled"), ("D", "deleted"),
    ("W", "entered-in-error"), ("R", "preliminary"), ("A", "amended"), ("U", "final"),
    ("I", "registered"), ("", "final"), ("f", "final")])
def test_obx_11_says_a_result_s_state_else_the_report_does(code: str, status: str) -> None:
    assert item("NM", "K^钾", "", "4", "", "", "", "", "", code).status == status


def test_a_report_of_several_parts_is_as_far_as_the_least_of_them() -> None:
    more = "OBR|2||L0001|B|||||||||||||||||||||{0}\nOBX|1|ST|B||1||||||{0}"
    for code, status in (("P", "preliminary"), ("I", "preliminary"), ("C", "corrected"), ("X", "final"),
                         ("F", "final")):
        assert one(lab(more=more.format(code))).status == status


@pytest.mark.parametrize(("content", "where"), [
    (lab(("||HM|F|", "||HM|Q|")), "OBR[1]-25"), (lab(("|N|||F", "|N|||Q")), "OBX[2]-11"),
    (lab(("||HM|F|", "||HM||"), ("|||F", "|||")), "OBR[1]-25")])
def test_a_state_that_is_not_among_the_codes_is_refused(content: bytes, where: str) -> None:
    assert refused(content) == ("status-unknown", where)


@pytest.mark.parametrize(("code", "read"), [
    ("P", "production"), ("T", "training"), ("D", "debugging"), ("", "production")])
def test_a_message_of_a_trial_says_so(code: str, read: str) -> None:
    assert one(lab(("|M0001|P|", f"|M0001|{code}|"))).processing == read


# -- what can't be true -----------------------------------------------------------------------------
@pytest.mark.parametrize(("content", "reason", "where"), [
    (lab(("~330102", "~P0002^^^HIS^PI~330102")), "two-patient-numbers", "patient"),
    (lab(more=OTHER.replace("L2", "L0001")), "two-patients", "patient"),
    (message(), "final-without-values", "report"),
    (message("OBX|1|NM|K^钾||||||||F", "OBX|2|TX|N^备注||  ||||||F"), "final-without-values", "report"),
    (message("OBX|1|NM|GLU^葡萄糖||98|mg/dL|3.9-6.1 mmol/L||||F"), "unit-changes", "OBX[1]-7"),
    (message("OBX|1|FT|A^甲||一|mg||||||F", "OBX|2|FT|A^甲||二|ug||||||F"), "unit-changes", "OBX[2]-6"),
    (lab(("|M0001|P|", "|M0001|Q|")), "processing-unknown", "MSH-11")])
def test_what_says_two_things_at_once_is_contradictory(content: bytes, reason: str, where: str) -> None:
    with pytest.raises(Contradictory) as told:
        read_hl7(content)
    assert (told.value.reason, told.value.where) == (reason, where)


@pytest.mark.parametrize(("unit", "reference"), [
    ("10^9/L", "3.5-9.5 10*9/L"), ("10*9/L", "3.5--9.5×10⁹/L"), ("umol/L", "3-5 μmol/L"), ("U/L", "0-40 IU/L"),
    ("mm/h", "0-20mm/hr"), ("mg/dL", "3-5 (空腹)"), ("%", "40~60"), ("", "3-5 g/L")])
def test_one_unit_in_two_spellings_is_one(unit: str, reference: str) -> None:
    assert item("NM", "A^甲", "", "4", unit, reference, "", "", "", "F").unit == unit


@pytest.mark.parametrize(("content", "reason", "where"), [
    (lab(("ORU^R01", "ADT^A01")), "not-a-report", "MSH-9"), (lab(("|P|2.4|", "|P|3.0|")), "version", "MSH-12"),
    (b"MSH|^~\\&|A|B|||||ORU^R01|1|P|2.4\rPID|1||1", "no-report", "PID"),
    (b"MSH|^~\\&|A|B|||||ORU^R01|1|P|2.4\r", "no-report", "OBR"),
    (lab(more="PID|2||9"), "no-report", "PID[2]")])
def test_what_is_no_report_is_refused(content: bytes, reason: str, where: str) -> None:
    with pytest.raises(Unreadable) as told:
        read_hl7(content)
    assert (told.value.reason, told.value.where) == (reason, where)


def test_no_sentence_repeats_a_value() -> None:
    secret = "330102199001011234"
    for content in (lab(("||HM|F|", f"||HM|{secret}|")), lab(("|N|||F", f"|N|||{secret}")), lab(("ORU^R01", secret)),
                    lab(("|P|2.4|", f"|P|{secret}|")), message(f"OBX|1|ED|A||^^PDF^Base64^{secret}!||||||F")):
        with pytest.raises(NotTaken) as told:
            read_hl7(content)
        assert secret not in f"{told.value} {told.value.reason} {told.value.where} {told.value.sentence}"


# -- versions of HL7 --------------------------------------------------------------------------------
@pytest.mark.parametrize("version", ["2.3", "2.3.1", "2.4", "2.5", "2.5.1", "2.6", "2.7", "2.4^CHN", ""])
@pytest.mark.parametrize("event", ["ORU^R01", "ORU^R01^ORU_R01", "ORU", "ORU^R32"])
def test_versions_2_3_to_2_7_say_the_same(version: str, event: str) -> None:
    assert one(lab(("ORU^R01", event), ("|P|2.4|", f"|P|{version}|"))).items == one(lab()).items


# -- files ------------------------------------------------------------------------------------------
def file(*parts: str, status: str = "F", kind: str = "ED") -> Any:
    """The attachments of a message with one such OBX."""
    sent = f"OBX|1|{kind}|PDF^报告单^L||{'^'.join(parts)}||||||{status}"
    return one(message(sent, "OBX|2|ST|A||1||||||F")).attachments


def test_a_file_is_its_bytes_and_of_the_kind_that_they_are() -> None:
    data = base64.b64encode(PDF).decode()
    (found,) = file("LIS", "Application", "PDF", "Base64", data)
    assert (found.media_type, found.title, found.data) == ("application/pdf", "报告单", PDF)
    broken = "\\X0D0A\\".join(data[at:at + 76] for at in range(0, len(data), 76))
    assert file("", "", "", "Base64", broken)[0].media_type == "application/pdf"
    picture = base64.b64encode(b"\xff\xd8\xff\xe0x").decode()
    assert file("", "IM", "JPEG", "Base64", picture)[0].media_type == "image/jpeg"
    assert file("", "AP", "PDF", "Hex", PDF.hex())[0].data == PDF


@pytest.mark.parametrize(("parts", "reason"), [
    (("", "AP", "PDF", "Base64", "JVBERi0!"), "base64"), (("", "AP", "PDF", "Base64", "JVBER"), "base64"),
    (("", "AP", "PDF", "Hex", "0G"), "hex"), (("", "AP", "PDF", "Base64", ""), "empty"),
    (("", "AP", "PDF", "Base64", "aGVsbG8="), "attachment-type"),
    (("", "IM", "PNG", "Base64", "JVBERi0x"), "attachment-type"),
    (("", "AP", "PDF", "Base64", "A" * 6_000_000), "too-large")])
def test_a_file_that_is_not_what_it_says_is_refused(parts: tuple[str, ...], reason: str) -> None:
    with pytest.raises(NotTaken) as told:
        file(*parts)
    assert (told.value.reason, told.value.where) == (reason, "OBX[1]-5")


def test_a_pointer_is_an_address() -> None:
    (found,) = file("https://pacs.example/v?id=1\\T\\x=2", "PACS", "IM", "JPEG", kind="RP")
    assert (found.url, found.media_type, found.data) == ("https://pacs.example/v?id=1&x=2", "image/jpeg", b"")


@pytest.mark.parametrize(("status", "state"), [("D", "deleted"), ("W", "entered-in-error"), ("X", "cancelled")])
def test_a_file_that_is_taken_back_is_not_shown(status: str, state: str) -> None:
    found = one(message(f"OBX|1|ED|P^报告单||^AP^PDF^Base64^JVBERi0x||||||{status}", "OBX|2|ST|A||1||||||F"))
    assert (found.attachments, found.items[0].name, found.items[0].status) == ((), "报告单", state)


# -- imaging and pathology --------------------------------------------------------------------------
def test_findings_and_conclusion_are_whole_and_in_order() -> None:
    found = one(message(
        "OBR|2||L0001|CT01^胸部CT平扫^L||||||||||||||||||||RAD|F", "OBX|1|TX|F^影像所见^L||双肺纹理清晰。||||||F",
        "OBX|2|TX|F^影像所见^L||未见结节。||||||F", "NTE|1||层厚5mm",
        "OBX|3|FT|I^影像诊断^L||未见异常\\.br\\建议复查||||||F"))
    assert found.findings == "双肺纹理清晰。\n未见结节。\n层厚5mm"
    assert found.conclusion == "未见异常\n建议复查"
    assert found.items == ()


@pytest.mark.parametrize(("code", "place"), [
    ("24627-2&GDT^CT^LN", "findings"), ("24627-2&IMP^CT^LN", "conclusion"), ("1^检查所见^L", "findings"),
    ("1^诊断意见^L", "conclusion"), ("1^镜下所见：^L", "findings"), ("1^病理诊断号^L", ""), ("1^结论^L", "conclusion")])
def test_what_a_text_is_is_told_by_its_suffix_or_its_name(code: str, place: str) -> None:
    found = one(message(f"OBX|1|TX|{code}||正文||||||F"))
    assert {"findings": found.findings, "conclusion": found.conclusion,
            "": found.items[0].value.text if found.items and found.items[0].value else ""}[place] == "正文"


def test_a_text_that_is_taken_back_is_not_shown_as_finding() -> None:
    found = one(message("OBX|1|TX|F^影像所见||旧||||||D", "OBX|2|TX|F^影像所见||新||||||F"))
    assert (found.findings, found.items[0].status) == ("新", "deleted")


@pytest.mark.parametrize(("section", "title", "kind"), [
    ("RAD", "胸片", "imaging"), ("", "胸部CT平扫", "imaging"), ("", "心电图", "ecg"), ("SP", "活检", "pathology"),
    ("", "无痛胃镜", "endoscopy"), ("LAB", "痰培养", "microbiology"), ("MB", "X", "microbiology"),
    ("CH", "生化", "laboratory"), ("", "甲状腺彩超", "imaging"), ("", "ACTH", "laboratory"),
    ("", "BRCA基因检测", "genetics")])
def test_the_kind_is_told_by_section_or_title(section: str, title: str, kind: str) -> None:
    assert one(lab(("CBC^血常规^L", f"1^{title}^L"), ("||HM|F|", f"||{section}|F|"))).kind == kind


# -- long texts -------------------------------------------------------------------------------------
def test_a_text_over_several_lines_is_one_and_repeated_results_stay_apart() -> None:
    found = one(message("OBX|1|FT|N^说明||一||||||F", "OBX|2|FT|N^说明||二||||||F", "OBX|3|FT|N^说明|2|三||||||F",
                        "OBX|4|ST|B^压力|1|120||||||F", "OBX|5|ST|B^压力|2|80||||||F", "OBX|6|ST|B^压力|2|81||||||F"))
    assert [(one.sequence, one.group, one.value and one.value.text) for one in found.items] == [
        (1, "", "一\n二"), (2, "2", "三"), (3, "1", "120"), (4, "2", "80"), (5, "2", "81")]


def test_decimals_keep_their_digits() -> None:
    value = item("NM", "K^钾", "", "4.10", "", "", "", "", "", "F").value
    assert value is not None
    assert (value.text, value.number, str(value.number)) == ("4.10", Decimal("4.1"), "4.10")
