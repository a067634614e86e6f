"""The SCF runtime on your desk: runs every function of ``serverless.yml`` the way the cloud does.

``Scf`` is loaded on first use, so that ``sandbox.scf.manifest`` can be read by the packager and the
deployer without the rest of the sandbox.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sandbox.scf.system import Scf

__all__ = ["Scf"]


def __getattr__(name: str) -> Any:
    if name == "Scf":
        from sandbox.scf.system import Scf

        return Scf
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
