"""The SCF runtime with its control interface."""

from __future__ import annotations

from sandbox.scf import control
from sandbox.scf.service import Service


class Scf(Service):
    """The platform, and what tests order from it."""

    def add_operations(self) -> None:
        """The control interface."""
        control.add_routes(self)
