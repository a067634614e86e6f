"""How doctors' names may be spelled in a search box."""

from __future__ import annotations

import pytest
from hospital.site.rules import LONGEST, search_text, spellings


@pytest.mark.parametrize(("name", "found"), [
    ("王伟", {"wangwei", "ww"}),
    ("曾小贤", {"zengxiaoxian", "cengxiaoxian", "zxx", "cxx"}),
    ("单田芳", {"shantianfang", "dantianfang", "chantianfang", "stf", "dtf", "ctf"}),
    ("吕布", {"lvbu", "lubu", "lb"}),
    ("仇英", {"qiuying", "chouying", "qy", "cy"}),
    ("欧阳修", {"ouyangxiu", "oyx"}),
    ("尉迟恭", {"yuchigong", "ycg"}),
    ("万俟卨", {"moqixie", "mqx"}),
    ("解晓东", {"xiexiaodong", "jiexiaodong"}),
    ("阿 明", {"aming", "am"}),
    ("Anna李", {"annali"}),
    ("古丽米热·艾比布力", {"gulimireaibibuli", "glmrabbl"}),
    ("鞠㛃萍", {"jujieping", "jjp"}),
    ("贠小苏", {"yunxiaosu", "yxs"}),
    ("谌龙", {"shenlong", "chenlong"}),
    ("吕绿", {"lyulyu", "lvlv", "lulu", "ll"}),
    ("\ue863明", {"yanming", "ym"}),
    ("靳\U0003149a明", {"jinming", "jm"}),
    ("José", {"jose"})])
def test_every_reading_of_a_name_is_found(name: str, found: set[str]) -> None:
    assert found <= spellings(name)


@pytest.mark.parametrize(("name", "spelled"), [
    ("曾经国", "zengjingguo"), ("单于涛", "shanyutao"), ("任重行", "renzhongxing"), ("曾和行", "zenghexing"),
    ("曾单和行", "zengshanhexing"), ("重庆", "zhongqing")])
def test_a_name_that_is_a_word_too_is_found_by_its_characters(name: str, spelled: str) -> None:
    assert spelled in spellings(name)


@pytest.mark.parametrize("name", ["王伟", "曾单和行", "单长乐行重"])
def test_spellings_are_lower_ascii_and_not_too_many(name: str) -> None:
    found = spellings(name)
    assert all(one.isascii() and one == one.lower() and len(one) <= 120 for one in found)
    assert 2 <= len(found) <= 150


@pytest.mark.parametrize(("text", "stored"), [
    ("Zeng Xiao-xian", ""), ("Zeng XiaoXian", "zengxiaoxian"), ("xi'an", "xian"), ("ou·yang", "ouyang"), ("曾", ""),
    ("zeng小", ""), ("%", ""), ("1", ""), ("", ""), ("lü", "lv"), ("ＬＹＵ", "lyu"),
    ("José", "jose"), ("gu•li\u200b", "guli")])
def test_a_search_text_is_letters_or_nothing(text: str, stored: str) -> None:
    assert search_text(text) == stored


def test_a_spelling_of_the_longest_name_fits_its_column() -> None:
    found = spellings("单" + "庄" * 49)
    assert {"zhuang" * 49} <= {one[-294:] for one in found}
    assert max(len(one) for one in found) <= LONGEST
