"""The desk beside the phone: a page on which one hand holds the phone and the other is the world around it.

``page/`` is served as it lies there: plain HTML, CSS and modules, which talk to the control interface alone. Each
file of ``page/sections/`` is a part of the page; what a new system needs of the desk is one more file there.
"""

from __future__ import annotations

from pathlib import Path

from flask import Blueprint, Response, jsonify, send_from_directory

PAGE = Path(__file__).resolve().parent / "page"


def panel() -> Blueprint:
    """The page's routes."""
    desk = Blueprint("panel", "sandbox.panel")

    @desk.get("/")
    @desk.get("/<path:name>")
    def file(name: str = "index.html") -> Response:
        response = send_from_directory(PAGE, name)
        response.cache_control.no_cache = True
        return response

    @desk.get("/sections.json")
    def sections() -> Response:
        return jsonify(sorted(path.name for path in (PAGE / "sections").glob("*.js")))

    return desk
