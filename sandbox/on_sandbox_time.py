"""Runs a module or a script on the sandbox's time: ``python on_sandbox_time.py CLOCK LIBRARY -m MODULE …``.

``CLOCK`` is a file that holds the sandbox's offset from real time in nanoseconds (``sandbox/clock.py``); mapped into
memory, a change is seen at once. ``LIBRARY`` is time-machine's extension, which makes ``datetime`` and ``time`` ask
its traveller what time it is. Only the extension, under the name it looks for: the package around it imports unittest,
50 ms at each cold start. The platform stand-in puts this before what it runs. Stdlib only.
"""

import mmap
import runpy
import struct
import sys
from importlib.machinery import ExtensionFileLoader
from importlib.util import module_from_spec, spec_from_loader
from types import ModuleType
from typing import Any

OFFSET = struct.Struct("<q")


class _Traveller:
    """What time it is, for everybody in this process."""

    def __init__(self, clock: str, real_ns: Any) -> None:
        with open(clock, "rb") as file:
            self._offset = mmap.mmap(file.fileno(), OFFSET.size, access=mmap.ACCESS_READ)
        self._real_ns = real_ns

    def time_ns(self) -> int:
        """Nanoseconds since the epoch."""
        return int(self._real_ns() + OFFSET.unpack_from(self._offset)[0])


def travel(clock: str, library: str) -> None:
    """From now on this process lives in the sandbox's time; its monotonic clock stays real."""
    loader = ExtensionFileLoader("_time_machine", library)
    spec = spec_from_loader("_time_machine", loader)
    assert spec is not None
    extension = module_from_spec(spec)
    loader.exec_module(extension)
    found_by_name: Any = ModuleType("time_machine")
    found_by_name._time_machine = extension
    found_by_name.traveller_stack = [_Traveller(clock, extension.original_time_ns)]
    sys.modules["time_machine"] = found_by_name
    extension.patch()


if __name__ == "__main__":
    travel(sys.argv[1], sys.argv[2])
    del sys.path[0]  # this file's folder
    del sys.argv[:3]
    if sys.argv[0] == "-m":
        del sys.argv[0]
        runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
    else:
        runpy.run_path(sys.argv[0], run_name="__main__")
