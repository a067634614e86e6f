"""The price list: drugs, examinations, laboratory tests and treatments, and where each is done.

Prices are of the usual size, made up from the seed; insurance classes are A (甲类), B (乙类) and
C (丙类, the patient pays all of it).
"""

from __future__ import annotations

from dataclasses import replace
from random import Random

from sandbox.his.money import BILL_KINDS, BillItem

Place = tuple[str, str, str]  # code, name and place of an executing department; no outpatient department
PHARMACY: Place = ("8101", "门诊西药房", "门诊楼1层西药房")
_HERBS: Place = ("8102", "门诊中药房", "中医楼1层中药房")
_LABORATORY: Place = ("8201", "检验科", "门诊楼2层采血处")
_SAMPLES: Place = ("8201", "检验科", "门诊楼2层标本接收处")
_RADIOLOGY: Place = ("8301", "放射科", "医技楼1层放射科登记处")
_ULTRASOUND: Place = ("8302", "超声医学科", "医技楼2层超声科登记处")
_CARDIOGRAM: Place = ("8303", "心电图室", "门诊楼3层心电图室")
_ENDOSCOPY: Place = ("8304", "内镜中心", "医技楼3层内镜中心")
_FUNCTION: Place = ("8305", "肺功能室", "门诊楼3层肺功能室")
_INJECTION: Place = ("8401", "门诊注射室", "门诊楼1层注射室")
_DRESSING: Place = ("8402", "门诊换药室", "门诊楼4层换药室")
_PHYSIO: Place = ("8403", "理疗室", "康复楼1层理疗室")
_ACUPUNCTURE: Place = ("8404", "针灸治疗室", "中医楼2层针灸治疗室")

# Every department that carries out orders, by its code: name and place.
PLACES = {place[0]: place[1:] for place in (
    PHARMACY, _HERBS, _LABORATORY, _RADIOLOGY, _ULTRASOUND, _CARDIOGRAM, _ENDOSCOPY, _FUNCTION, _INJECTION, _DRESSING,
    _PHYSIO, _ACUPUNCTURE)}
PHARMACIES = {PHARMACY[0]: 8, _HERBS[0]: 3}  # code: how many windows
# (name, specification, unit, insurance class, usual price in fen, where, most of it in one order)
_Row = tuple[str, str, str, str, int, Place, int]

_DRUGS: list[_Row] = [
    ("阿莫西林胶囊", "0.25g×24粒", "盒", "A", 980, PHARMACY, 3),
    ("头孢克肟分散片", "0.1g×6片", "盒", "B", 2150, PHARMACY, 3),
    ("左氧氟沙星片", "0.5g×4片", "盒", "A", 1360, PHARMACY, 3),
    ("阿奇霉素片", "0.25g×6片", "盒", "A", 1890, PHARMACY, 2),
    ("布洛芬缓释胶囊", "0.3g×20粒", "盒", "A", 1620, PHARMACY, 2),
    ("对乙酰氨基酚片", "0.5g×12片", "盒", "A", 480, PHARMACY, 2),
    ("奥美拉唑肠溶胶囊", "20mg×14粒", "盒", "A", 1280, PHARMACY, 4),
    ("雷贝拉唑钠肠溶片", "10mg×14片", "盒", "B", 3560, PHARMACY, 4),
    ("铝碳酸镁咀嚼片", "0.5g×20片", "盒", "B", 1980, PHARMACY, 3),
    ("多潘立酮片", "10mg×30片", "盒", "A", 1540, PHARMACY, 2),
    ("蒙脱石散", "3g×10袋", "盒", "A", 1450, PHARMACY, 2),
    ("苯磺酸氨氯地平片", "5mg×28片", "盒", "A", 860, PHARMACY, 3),
    ("缬沙坦胶囊", "80mg×28粒", "盒", "A", 2240, PHARMACY, 3),
    ("酒石酸美托洛尔片", "25mg×20片", "盒", "A", 620, PHARMACY, 4),
    ("阿托伐他汀钙片", "20mg×28片", "盒", "A", 1130, PHARMACY, 3),
    ("阿司匹林肠溶片", "100mg×30片", "盒", "A", 1470, PHARMACY, 3),
    ("硫酸氢氯吡格雷片", "75mg×28片", "盒", "A", 7240, PHARMACY, 2),
    ("盐酸二甲双胍片", "0.5g×30片", "盒", "A", 1090, PHARMACY, 4),
    ("格列美脲片", "2mg×24片", "盒", "A", 1860, PHARMACY, 3),
    ("甘精胰岛素注射液", "3ml:300单位", "支", "B", 6990, PHARMACY, 3),
    ("左甲状腺素钠片", "50μg×100片", "盒", "A", 3120, PHARMACY, 2),
    ("氯雷他定片", "10mg×12片", "盒", "A", 1590, PHARMACY, 2),
    ("孟鲁司特钠片", "10mg×30片", "盒", "B", 4680, PHARMACY, 2),
    ("布地奈德福莫特罗吸入粉雾剂", "160μg/4.5μg×60吸", "支", "B", 16880, PHARMACY, 1),
    ("氨溴索口服溶液", "100ml:0.6g", "瓶", "A", 1260, PHARMACY, 2),
    ("碳酸钙D3片", "600mg×60片", "瓶", "C", 6180, PHARMACY, 2),
    ("甲钴胺片", "0.5mg×48片", "盒", "B", 2660, PHARMACY, 3),
    ("双氯芬酸二乙胺乳胶剂", "20g:0.2g", "支", "B", 2380, PHARMACY, 2),
    ("玻璃酸钠滴眼液", "0.1%×10ml", "支", "B", 3240, PHARMACY, 2),
    ("糠酸莫米松鼻喷雾剂", "50μg×60揿", "瓶", "B", 4120, PHARMACY, 1),
    ("丹参滴丸", "27mg×180丸", "瓶", "B", 2780, PHARMACY, 3),
    ("连花清瘟胶囊", "0.35g×36粒", "盒", "A", 1890, PHARMACY, 2),
    ("六味地黄丸", "200丸", "瓶", "A", 1680, PHARMACY, 2),
    ("维生素C泡腾片", "1g×15片", "支", "C", 3580, PHARMACY, 2),
    ("黄芪配方颗粒", "10g×1袋", "袋", "B", 420, _HERBS, 14),
    ("当归配方颗粒", "10g×1袋", "袋", "B", 560, _HERBS, 14),
    ("茯苓配方颗粒", "10g×1袋", "袋", "B", 380, _HERBS, 14),
]
_EXAMINATIONS: list[_Row] = [
    ("常规十二导联心电图", "", "次", "A", 2600, _CARDIOGRAM, 1),
    ("动态心电图（24小时）", "", "次", "B", 18000, _CARDIOGRAM, 1),
    ("胸部正侧位X线摄影", "2个体位", "次", "A", 11000, _RADIOLOGY, 1),
    ("胸部CT平扫", "64排及以上", "次", "B", 21800, _RADIOLOGY, 1),
    ("颅脑CT平扫", "64排及以上", "次", "B", 21800, _RADIOLOGY, 1),
    ("颅脑磁共振平扫", "3.0T", "次", "B", 52000, _RADIOLOGY, 1),
    ("腰椎磁共振平扫", "3.0T", "次", "B", 52000, _RADIOLOGY, 1),
    ("腹部彩色多普勒超声", "肝胆胰脾", "次", "A", 13800, _ULTRASOUND, 1),
    ("甲状腺彩色多普勒超声", "含颈部淋巴结", "次", "A", 11800, _ULTRASOUND, 1),
    ("心脏彩色多普勒超声", "含左心功能", "次", "B", 22600, _ULTRASOUND, 1),
    ("颈动脉彩色多普勒超声", "双侧", "次", "A", 15800, _ULTRASOUND, 1),
    ("无痛胃镜检查", "含静脉麻醉", "次", "C", 68000, _ENDOSCOPY, 1),
    ("电子胃镜检查", "", "次", "B", 28600, _ENDOSCOPY, 1),
    ("肺通气功能检查", "", "次", "A", 9800, _FUNCTION, 1),
]
_BY_NAME_ONLY: list[_Row] = [  # ordered by their code, and by no chance
    ("经腹妇科彩色多普勒超声", "憋尿", "次", "A", 13800, _ULTRASOUND, 1),
    ("泌尿系彩色多普勒超声", "憋尿", "次", "A", 13800, _ULTRASOUND, 1),
    ("上消化道钡餐造影", "", "次", "B", 16500, _RADIOLOGY, 1),
]
_LABORATORY_TESTS: list[_Row] = [
    ("血常规（五分类）", "静脉血", "次", "A", 2000, _LABORATORY, 1),
    ("尿常规", "随机尿", "次", "A", 1200, _SAMPLES, 1),
    ("便常规及隐血", "粪便", "次", "A", 1500, _SAMPLES, 1),
    ("C反应蛋白", "静脉血", "次", "A", 3200, _LABORATORY, 1),
    ("肝功能十一项", "静脉血", "次", "A", 7600, _LABORATORY, 1),
    ("肾功能四项", "静脉血", "次", "A", 3600, _LABORATORY, 1),
    ("血脂七项", "静脉血", "次", "B", 6800, _LABORATORY, 1),
    ("空腹血糖", "静脉血", "次", "A", 600, _LABORATORY, 1),
    ("糖化血红蛋白", "静脉血", "次", "A", 6500, _LABORATORY, 1),
    ("甲状腺功能五项", "静脉血", "次", "B", 16500, _LABORATORY, 1),
    ("凝血功能四项", "静脉血", "次", "A", 7200, _LABORATORY, 1),
    ("D-二聚体", "静脉血", "次", "B", 6000, _LABORATORY, 1),
    ("肌钙蛋白I", "静脉血", "次", "B", 8800, _LABORATORY, 1),
    ("肿瘤标志物七项", "静脉血", "次", "C", 39000, _LABORATORY, 1),
    ("25-羟基维生素D", "静脉血", "次", "C", 12000, _LABORATORY, 1),
    ("过敏原特异性IgE筛查", "静脉血", "次", "B", 22000, _LABORATORY, 1),
    ("乙肝两对半定量", "静脉血", "次", "A", 9000, _LABORATORY, 1),
    ("呼吸道病原体核酸六项", "咽拭子", "次", "C", 24000, _SAMPLES, 1),
]
_TREATMENTS: list[_Row] = [
    ("静脉输液", "含一次性输液器", "组", "A", 1450, _INJECTION, 3),
    ("肌肉注射", "", "次", "A", 400, _INJECTION, 3),
    ("皮下注射", "", "次", "A", 400, _INJECTION, 3),
    ("雾化吸入治疗", "含面罩", "次", "A", 1200, _INJECTION, 3),
    ("换药（中）", "", "次", "A", 2600, _DRESSING, 3),
    ("清创缝合（小）", "", "次", "A", 14500, _DRESSING, 1),
    ("红外线治疗", "20分钟", "次", "B", 1200, _PHYSIO, 5),
    ("超短波治疗", "20分钟", "次", "B", 1600, _PHYSIO, 5),
    ("颈椎牵引", "20分钟", "次", "B", 3200, _PHYSIO, 5),
    ("普通针刺", "5个穴位", "次", "A", 2600, _ACUPUNCTURE, 5),
    ("电针治疗", "2个穴位", "次", "B", 2200, _ACUPUNCTURE, 5),
    ("拔罐疗法", "3罐", "次", "B", 1500, _ACUPUNCTURE, 3),
]


class Catalogue:
    """The price list of one hospital; the same seed gives the same prices and the same orders."""

    def __init__(self, seed: int) -> None:
        rng = Random(f"catalogue {seed}")
        self._rows: dict[str, list[tuple[BillItem, int]]] = {}  # by kind: one piece of it, and the most
        tables = zip(BILL_KINDS, "YCHZ", (_DRUGS, _EXAMINATIONS, _LABORATORY_TESTS, _TREATMENTS), strict=True)
        for kind, letter, rows in tables:
            self._rows[kind] = [(_piece(f"{letter}{at:04d}", row, rng), row[-1])
                                for at, row in enumerate(rows, start=1)]
        self._by_code = {item.code: item for rows in self._rows.values() for item, _ in rows}
        apart = Random(f"catalogue by name {seed}")
        self._by_code |= {f"B{at:04d}": _piece(f"B{at:04d}", row, apart)
                          for at, row in enumerate(_BY_NAME_ONLY, start=1)}

    def find(self, code: str) -> BillItem | None:
        """One piece of this, numbered 1."""
        return self._by_code.get(code)

    def usual(self, kind: str) -> BillItem:
        """What stands for a made-up item of this kind: where it is done, and its class."""
        return self._table(kind)[0][0]

    def _table(self, kind: str) -> list[tuple[BillItem, int]]:
        return self._rows.get(kind, self._rows["TREATMENT"])  # odd kinds have no list of their own

    def order(self, kind: str, count: int | None, rng: Random) -> list[BillItem]:
        """A believable order of ``count`` items (a usual number by default), each with its quantity."""
        rows = self._table(kind)
        count = count or rng.randint(1, 4)
        chosen = rng.sample(rows, count) if count <= len(rows) else rng.choices(rows, k=count)
        return [replace(item, item_no=at, quantity=rng.randint(1, most))
                for at, (item, most) in enumerate(chosen, start=1)]


def _piece(code: str, row: _Row, rng: Random) -> BillItem:
    name, specification, unit, insurance, usual, place, _ = row
    price = usual + usual * rng.randint(-8, 8) // 100
    return BillItem(1, code, name, specification, unit, 1, price, *place, insurance)

