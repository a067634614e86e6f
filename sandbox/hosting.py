"""Static hosting: the browser's version of the mini-program at ``/`` of the gateway's address.

Below ``/town/`` it passes the control interface on: a browser has no WeChat in it, and asks its world for one.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import requests
from flask import Blueprint, Response, request, send_from_directory

_ANSWERED_IN = 120  # seconds; a settling town takes its time


def hosting(pages: Path, control: Callable[[], str]) -> Blueprint:
    """Routes that serve the folder ``pages`` (a built client; empty: 404) and reach the ``control`` interface."""
    site = Blueprint("hosting", "sandbox.hosting")

    @site.get("/")
    @site.get("/<path:name>")
    def file(name: str = "index.html") -> Response:
        response = send_from_directory(pages, name)
        # Names under assets/ change with their content; everything else is looked for anew.
        response.cache_control.no_cache = None if name.startswith("assets/") else True
        response.cache_control.max_age = 31_536_000 if name.startswith("assets/") else None
        return response

    @site.route("/town/<path:rest>", methods=["GET", "POST", "PUT", "DELETE"])
    def town(rest: str) -> Response:
        answer = requests.request(request.method, f"{control()}/{rest}", params=list(request.args.items(multi=True)),
                                  data=request.get_data(), timeout=_ANSWERED_IN,
                                  headers={"Content-Type": request.content_type or "application/json"})
        return Response(answer.content, answer.status_code, content_type=answer.headers.get("Content-Type"))

    return site
