"""Where everything is in the invented hospital, as an operator loads it."""

from __future__ import annotations

import re
from typing import Any

from sandbox.his.catalogue import PLACES
from sandbox.his.departments import all_departments

_BUILDINGS = {"门诊楼": ("mz", 7), "医技楼": ("yj", 3), "妇儿楼": ("fe", 4), "感染楼": ("gr", 1), "肿瘤楼": ("zl", 1),
              "康复楼": ("kf", 1), "中医楼": ("zy", 2)}
_WALKS = [("门诊楼", "医技楼", 3), ("门诊楼", "妇儿楼", 6), ("门诊楼", "中医楼", 5), ("门诊楼", "康复楼", 7),
          ("门诊楼", "肿瘤楼", 8), ("门诊楼", "感染楼", 9), ("医技楼", "妇儿楼", 5), ("医技楼", "中医楼", 7)]
_DAY = [{"opens": "08:00", "closes": "12:00"}, {"opens": "13:30", "closes": "17:00"}]
_HOURS: dict[str, list[dict[str, Any]]] = {
    "8101": [{"opens": "07:30", "closes": "20:30"}], "8102": [{"opens": "07:30", "closes": "17:30"}],
    "8201": [{"opens": "07:00", "closes": "11:30"}, {"opens": "13:30", "closes": "16:30"}],
    "8301": [{"opens": "07:30", "closes": "21:00"}],
    "8304": [{"days": [1, 2, 3, 4, 5, 6], "opens": "08:00", "closes": "11:30"},
             {"days": [1, 2, 3, 4, 5], "opens": "13:30", "closes": "16:30"}],
    "8401": [{"opens": "07:30", "closes": "21:00"}]}
_KINDS = {"81": "PHARMACY", "82": "LABORATORY", "83": "EXAMINATION", "84": "TREATMENT"}
_WAYS = {"8101": "进大厅左手边", "8201": "2层出电梯左转", "8301": "从连廊进医技楼，1层直走",
         "8302": "医技楼2层出电梯右转",
         "8303": "3层出电梯右转到底", "8304": "医技楼3层出电梯左转", "8305": "3层心电图室对面"}
_BRING = {"8301": ["检查申请单"], "8302": ["检查申请单"], "8304": ["检查申请单", "一位家属陪同"]}

PREPARATIONS: list[dict[str, Any]] = [
    {"name": "空腹抽血", "named": ["肝功能", "空腹血糖", "血脂", "肾功能"], "fasting": True, "minutes": 5,
     "advice": "抽血前8小时不吃东西，可以喝少量白开水。"},
    {"name": "抽血", "named": ["血常规", "C反应蛋白", "糖化血红蛋白", "甲状腺功能", "凝血", "D-二聚体", "肌钙蛋白",
                             "肿瘤标志物", "维生素D", "IgE", "乙肝"], "minutes": 5},
    {"name": "留标本", "named": ["尿常规", "便常规", "核酸"], "minutes": 5},
    {"name": "腹部超声", "named": ["腹部彩色多普勒"], "fasting": True, "minutes": 15,
     "advice": "检查前8小时不吃东西。"},
    {"name": "憋尿超声", "named": ["经腹妇科", "泌尿系彩色多普勒"], "full_bladder": True, "drink_minutes": 60,
     "minutes": 15, "advice": "喝500～800毫升水，等有明显尿意。"},
    {"name": "超声", "named": ["彩色多普勒"], "minutes": 15},
    {"name": "胃镜", "named": ["胃镜"], "fasting": True, "minutes": 30, "advice": "检查前8小时不吃东西、4小时不喝水。"},
    {"name": "CT平扫", "named": ["CT平扫"], "minutes": 15},
    {"name": "钡餐", "named": ["钡餐"], "fasting": True, "minutes": 30, "after": ["腹部超声", "胃镜", "CT平扫"],
     "advice": "钡剂会影响超声、胃镜和CT，要在它们之后做。"},
    {"name": "磁共振", "named": ["磁共振"], "minutes": 30,
     "advice": "请取下手表、钥匙等金属物品；装有起搏器的请先告诉医生。"},
    {"name": "X线", "named": ["X线"], "minutes": 10}, {"name": "心电图", "named": ["心电图"], "minutes": 8},
    {"name": "肺功能", "named": ["肺通气"], "minutes": 20}]


def plan() -> dict[str, Any]:
    """The whole of it."""
    rooms = sorted({one.location for one in all_departments()})
    clinics = [_place(f"c{at:03d}", text, "CLINIC", his=[one.code for one in all_departments() if one.location == text],
                      hours=_DAY) for at, text in enumerate(rooms, start=1)]
    executing = [_place(code, where, _KINDS[code[:2]], name=name, his=[code, name], hours=_HOURS.get(code, _DAY),
                        way=_WAYS.get(code, ""), bring=_BRING.get(code, []))
                 for code, (name, where) in PLACES.items()]
    gate = _place("gate", "门诊楼1层大厅", "DESK", name="门诊大厅")
    return {
        "buildings": [{"code": code, "name": name, "floors": [{"level": level, "name": f"{level}层"}
                                                              for level in range(1, top + 1)]}
                      for name, (code, top) in _BUILDINGS.items()],
        "places": [gate, *clinics, *executing],
        "walks": [{"between": [_BUILDINGS[one][0], _BUILDINGS[other][0]], "minutes": minutes}
                  for one, other, minutes in _WALKS],
        "preparations": PREPARATIONS, "entrance": "gate",
        "arrive_bring": ["身份证或医保卡", "以前的病历和检查结果"]}


def _place(code: str, text: str, kind: str, *, name: str = "", his: list[str] | None = None,
           hours: list[dict[str, Any]] | None = None, way: str = "", bring: list[str] | None = None) -> dict[str, Any]:
    found = re.fullmatch(r"(.+?楼)([0-9]+)层(.*)", text)
    assert found is not None, text
    building, level, room = found[1], int(found[2]), found[3]
    return {"code": code, "name": name or text, "building": _BUILDINGS[building][0], "level": level, "room": room,
            "kind": kind, "his": his or [], "hours": hours or [], "way": way, "bring": bring or []}
