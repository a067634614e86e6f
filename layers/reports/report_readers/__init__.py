"""Readers of reports: bytes of HL7 v2, FHIR R4 or our own JSON, into :class:`hospital.reports.model.Report`.

Pure: no database, no network, no clock. What can't be read raises ``Unreadable``, what can't be true ``Contradictory``;
both name the field and never a value. ``docs/reports.md`` has the forms and what maps where.
"""
