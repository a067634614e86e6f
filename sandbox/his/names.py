"""Invented people's names.

Surnames with several readings are here on purpose: search by pinyin trips on them.
"""

from __future__ import annotations

from random import Random

# Read otherwise as a surname than as a word, or easily mistyped: 曾 Zeng, 单 Shan, 仇 Qiu, 解 Xie, 查 Zha…
HETERONYMS = [
    "曾", "单", "仇", "解", "查", "吕", "盖", "任", "华", "朴", "缪", "区", "翟", "乐", "覃", "冼", "晁",
    "宁", "尉迟", "万俟", "逄", "员", "种", "燕", "葛", "哈", "令狐", "长孙", "那",
]
SURNAMES = [
    "王", "李", "张", "刘", "陈", "杨", "黄", "赵", "周", "吴", "徐", "孙", "朱", "马", "胡", "郭", "林",
    "何", "高", "梁", "郑", "罗", "宋", "谢", "唐", "韩", "曹", "许", "邓", "萧", "冯", "程", "蔡", "彭",
    "潘", "袁", "于", "董", "余", "苏", "叶", "魏", "蒋", "田", "杜", "丁", "沈", "姜", "范", "江", "傅",
    "钟", "卢", "汪", "戴", "崔", "陆", "廖", "姚", "方", "金", "邱", "夏", "谭", "韦", "贾", "邹", "石",
    "熊", "孟", "秦", "白", "欧阳", "司徒", "上官", "诸葛",
]
_MALE = [
    "伟", "志强", "建国", "志明", "俊杰", "海涛", "文博", "振华", "晓东", "国栋", "立新", "明远", "家豪",
    "宏伟", "永健", "子昂", "少华", "卫国", "天佑", "景行", "思源", "广平", "启航", "重阳", "长青",
    "世杰", "泽宇", "浩然",
]
_FEMALE = [
    "敏", "静", "丽华", "秀英", "雅琴", "晓燕", "玉兰", "婷婷", "慧敏", "雪梅", "佳怡", "思雨", "红霞",
    "春燕", "嘉欣", "文静", "淑贞", "美玲", "海燕", "乐怡", "若曦", "诗涵", "晓蓉", "月华", "瑞雪",
    "梦洁", "桂芳", "丹",
]


def distinct(rng: Random, number: int) -> list[tuple[str, str]]:
    """``number`` people with different names, and their sex; every fifth surname has several readings."""
    found: dict[str, str] = {}
    while len(found) < number:
        turn, rest = divmod(len(found), 5)
        surname = rng.choice(SURNAMES) if rest else HETERONYMS[turn % len(HETERONYMS)]
        sex = rng.choice(("MALE", "FEMALE"))
        found.setdefault(surname + rng.choice(_MALE if sex == "MALE" else _FEMALE), sex)
    return list(found.items())
