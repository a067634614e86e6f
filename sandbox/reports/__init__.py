"""The hospital's LIS and PACS: they make reports of whom the HIS knows, push them, and list what they pushed."""

from sandbox.reports.system import ReportSystem

__all__ = ["ReportSystem"]
