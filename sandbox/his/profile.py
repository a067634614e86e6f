"""The invented hospital as anybody may know it, as the hospital's settings say it. Its telephones ring nowhere."""

from __future__ import annotations

from typing import Any

PROFILE: dict[str, Any] = {
    "hospital_name": "示范市第一人民医院", "hospital_short_name": "示范市一院", "hospital_badge": "一院",
    "hospital_address": "示范市中心区健康路1号", "hospital_place": {"latitude": 30.2741, "longitude": 120.1551},
    "hospital_phone": "0571-00000000", "hospital_emergency_phone": "0571-00000120",
    "hospital_hours": [{"what": "门诊", "when": "周一至周日 7:30–11:30、13:30–17:00"},
                       {"what": "急诊", "when": "24小时"}, {"what": "人工窗口", "when": "7:00–18:00"}],
    "hospital_licence": "示范00000000000", "hospital_icp": "示ICP备00000000号-1X"}
