"""Writes ``docs/report-contract.yaml``: our own JSON of reports, from the model that reads it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from report_readers.contract import Push

FILE = Path(__file__).resolve().parent.parent / "docs" / "report-contract.yaml"
DESCRIPTION = """\
For hospitals whose systems speak neither HL7 v2 nor FHIR: a laboratory, imaging or pathology system (below: *the
sender*, 发送方) sends finished or changed reports. Written by `scripts/report_contract.py` from the model that
reads it.

## Promises
1. **Identity (报告标识).** `source` and `number` together name a report for ever. A later sending of it has another
   `version.id` and a later `version.at`, and replaces the earlier one whole.
2. **Values are text (结果为文本).** `value` is what is printed, `5.40` and not 5.4; numbers, ranges, titers and steps
   are read from it. `unit` and reference range must be of one unit.
3. **Names are strict.** A name that is not written here is refused with 422, as its value would be lost.
4. **Nothing is guessed.** A finished report (`final`, `amended`, `corrected`) has a value, a text or a file. A
   report of a patient with two numbers of one assigner and kind is refused.
5. **Withdrawal (撤回).** `entered-in-error` and `cancelled` withdraw a report, `deleted` a result.
6. **Errors** name the field and never a value: `reason` is a stable code (`invalid`, `time`, `base64`, `too-large`,
   `too-many`, `too-deep`, `not-json`, `doubled-name`, `status-unknown`, `two-patients`, `two-patient-numbers`,
   `final-without-values`, `unit-changes`, `attachment-type`). Codes are never reused for another meaning.

Limits: 6 MB a message (gzip is opened, and counts unpacked), 200 reports, 5,000 results, 4 MB a file.
"""
EXAMPLE: dict[str, Any] = {"reports": [{
    "source": "LIS", "number": "L20261128001", "version": {"id": "1", "at": "2026-11-28T09:30:00+08:00"},
    "kind": "laboratory", "status": "final",
    "patient": {"numbers": [{"value": "P0001", "assigner": "HIS", "kind": "MR"}], "name": "张三", "sex": "male",
                "birth_date": "1990-01-01"},
    "titles": ["血常规"],
    "items": [{"name": "白细胞计数", "codes": [{"code": "6690-2", "system": "LN"}], "value": "12.50", "unit": "10*9/L",
               "references": [{"text": "3.5-9.5"}], "flags": ["high"]}],
    "order_number": "O0001", "collected_at": "2026-11-28T08:00:00+08:00", "reported_at": "2026-11-28T09:20:00+08:00",
    "department": "检验科", "author": "王检验", "auditor": "李审核"}]}


def document() -> dict[str, Any]:
    """The contract as OpenAPI 3.1."""
    schema = Push.model_json_schema(ref_template="#/components/schemas/{model}")
    schemas = {**schema.pop("$defs"), "Push": schema}
    refusal = {"type": "object", "required": ["reason", "where", "sentence"], "properties": {
        "reason": {"type": "string"}, "where": {"type": "string"}, "sentence": {"type": "string"}}}
    body = {"required": True, "content": {"application/json": {
        "schema": {"$ref": "#/components/schemas/Push"}, "example": EXAMPLE}}}
    answers = {"200": {"description": "Taken: every report of the body."}, "422": {
        "description": "Refused, and nothing of the body is taken.",
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Refusal"}}}}}
    return {
        "openapi": "3.1.0",
        "info": {"title": "Reports for the patient mini-program (检验检查报告推送)", "version": "1.0.0",
                 "summary": "What a hospital's system sends when a report is ready, changed or withdrawn.",
                 "description": DESCRIPTION},
        "webhooks": {"reports": {"post": {"operationId": "push_reports", "summary": "Send reports",
                                          "requestBody": body, "responses": answers}}},
        "components": {"schemas": {**schemas, "Refusal": refusal}}}


def text() -> str:
    """The file."""
    return yaml.dump(document(), Dumper=_Dumper, allow_unicode=True, sort_keys=False, width=120)


class _Dumper(yaml.SafeDumper):
    """Texts of several lines as they are, and nothing by reference."""

    def ignore_aliases(self, _: Any) -> bool:
        """Always."""
        return True


def _written(dumper: yaml.SafeDumper, told: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", told, style="|" if "\n" in told else None)


_Dumper.add_representer(str, _written)

if __name__ == "__main__":
    FILE.write_text(text())
