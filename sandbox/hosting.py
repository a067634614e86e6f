"""Static hosting: the browser's version of the mini-program at ``/``, and the desk beside it at ``/town/desk/``.

Below ``/town/`` it passes the control interface on: a browser has no WeChat in it, and asks its world for one.
It shares the gateway's address and nothing else: neither the functions' faults nor the journal concern it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import requests
from flask import Flask, Response, request, send_from_directory

from sandbox.panel import panel

_ANSWERED_IN = 120  # seconds; a settling town takes its time
_FUNCTIONS = "/api"


def host(gateway: Flask, pages: Path, control: Callable[[], str], limit: int) -> None:
    """Let ``gateway`` answer its functions alone, and a site all else: see ``site``. ``limit``: of a body, in bytes."""
    functions, rest = gateway.wsgi_app, site(pages, control, limit)

    def by_path(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        path = environ["PATH_INFO"]
        chosen = functions if path == _FUNCTIONS or path.startswith(f"{_FUNCTIONS}/") else rest
        return chosen(environ, start_response)

    gateway.wsgi_app = by_path  # type: ignore[method-assign]


def site(pages: Path, control: Callable[[], str], limit: int) -> Flask:
    """What serves the folder ``pages`` (a built client; empty: 404), the desk, and the ``control`` interface."""
    app = Flask("sandbox.hosting", static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = limit
    app.register_blueprint(panel(), url_prefix="/town/desk")

    @app.get("/")
    @app.get("/<path:name>")
    def file(name: str = "index.html") -> Response:
        response = send_from_directory(pages, name)
        # Names under assets/ change with their content; everything else is looked for anew.
        response.cache_control.no_cache = None if name.startswith("assets/") else True
        response.cache_control.max_age = 31_536_000 if name.startswith("assets/") else None
        return response

    @app.route("/town/<path:rest>", methods=["GET", "POST", "PUT", "DELETE"])
    def town(rest: str) -> Response:
        answer = requests.request(request.method, f"{control()}/{rest}", params=list(request.args.items(multi=True)),
                                  data=request.get_data(), timeout=_ANSWERED_IN,
                                  headers={"Content-Type": request.content_type or "application/json"})
        return Response(answer.content, answer.status_code, content_type=answer.headers.get("Content-Type"))

    return app
