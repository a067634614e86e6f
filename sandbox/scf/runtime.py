"""What runs inside an event function's process: loads the handler, then serves one event after another.

Started as ``python runtime.py <handler> <event fd> <answer fd>``. Standard library only, and nothing of the
sandbox: the process holds the function, its layers and this file. One JSON line comes in per event, one
goes out per answer; whatever the function prints goes to its log.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import traceback
from typing import Any


def main() -> None:
    """Serve until the event pipe is closed."""
    handler_name, event_fd, answer_fd = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    os.set_inheritable(event_fd, False)
    os.set_inheritable(answer_fd, False)
    own = os.path.dirname(os.path.abspath(__file__))
    sys.path[:] = [place for place in sys.path if place != own]
    sys.argv = [handler_name]
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    with open(event_fd, encoding="utf-8") as events, open(answer_fd, "w", encoding="utf-8") as answers:

        def answer(message: dict[str, Any]) -> None:
            answers.write(json.dumps(message, allow_nan=False) + "\n")
            answers.flush()

        try:
            module_name, _, function_name = handler_name.rpartition(".")
            handler = getattr(importlib.import_module(module_name.replace("/", ".")), function_name)
        except Exception as error:
            answer({"error": type(error).__name__, "stack": traceback.format_exc()})
            return
        answer({"ready": True})
        for line in events:
            message = json.loads(line)
            try:
                answer({"result": handler(message["event"], message["context"])})
            except Exception as error:
                answer({"error": type(error).__name__, "stack": traceback.format_exc()})


if __name__ == "__main__":
    main()
