"""What a Web function's process runs: gunicorn around the ``app`` of the function's ``index.py``.

``python -m hospital.runtime.serve ADDRESS``, in the function's folder. gunicorn's own command line makes a parser
of 150 options, twice; here it is what its documentation calls a custom application. ``WEB_CONCURRENCY`` in the
environment is still the number of processes.
"""

from __future__ import annotations

import gc
import os
import sys
from importlib import import_module
from typing import Any

THREADS = 16
SETTINGS = {
    "threads": THREADS,
    "worker_connections": 256,
    "worker_tmp_dir": "/tmp",  # noqa: S108 - the only place that a function may write to
    "keepalive": 75,
    "control_socket_disable": True,
    "forwarder_headers": "",  # none may speak for a proxy of ours, there is none: a client's SCRIPT_NAME was a 500
    "preload_app": True,  # a door that can't be opened ends the process at once, and a new worker finds all imported
}


def main(address: str) -> None:
    """Serve until the platform ends the process."""
    gc.disable()  # what imports make stays: looking for garbage among it is 3 % of a cold start

    from gunicorn.app.base import BaseApplication

    from hospital.runtime.server import Worker

    class Function(BaseApplication):  # type: ignore[misc]
        """One door of the house."""

        def load_config(self) -> None:
            for name, value in {**SETTINGS, "bind": address, "worker_class": Worker}.items():
                self.cfg.set(name, value)

        def load(self) -> Any:
            sys.path.insert(0, os.getcwd())
            app = import_module("index").app
            gc.freeze()  # nor is it looked through later, and its pages stay shared with the worker
            gc.enable()
            return app

    Function().run()


if __name__ == "__main__":
    main(sys.argv[1])
