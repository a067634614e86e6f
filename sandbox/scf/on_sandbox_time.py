"""Runs a module or a script under libfaketime on Python 3.11 or newer: ``python on_sandbox_time.py -m gunicorn …``.

There ``time.sleep`` waits for an absolute moment of the monotonic clock, which libfaketime 0.9.10 shifts
wrongly (EINVAL); everything else, locks and queues too, waits rightly. The platform stand-in puts this
before what it runs; the cloud's Python is 3.10 and needs none of it. Stdlib only.
"""

import runpy
import select
import sys
import time
from typing import Any


def _sleep(seconds: Any) -> None:
    if seconds < 0:
        raise ValueError("sleep length must be non-negative")
    select.select([], [], [], seconds)


if __name__ == "__main__":
    time.sleep = _sleep
    del sys.path[0]  # this file's folder
    del sys.argv[0]
    if sys.argv[0] == "-m":
        del sys.argv[0]
        runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
    else:
        runpy.run_path(sys.argv[0], run_name="__main__")
