"""``package``: bytes of each zip and the unpacked size of each layer, built afresh for this Python."""

from __future__ import annotations

import sys
import zipfile
from pathlib import Path

from scripts import package
from scripts.benchmarks import machine
from scripts.benchmarks.town import Place

VERSION = "{}.{}".format(*sys.version_info[:2])  # the cloud's where this machine has it; see scripts/setup


def built(place: Place) -> list[package.Package]:
    """The zips, made once a run. Raises CannotPackage."""
    if not place.packages:
        place.packages = package.build(place.folder / "package", VERSION)
    return place.packages


def measure(place: Place) -> machine.Report:
    """The value is what the largest layer weighs unpacked; the floor is the aim itself."""
    packages = built(place)
    largest = max(one.unpacked for one in packages if one.name.startswith("layer-"))
    return machine.report(
        largest, package.LAYER_AIM, "bytes unpacked", aim="a layer <= 50 MB", met=largest <= package.LAYER_AIM,
        zips={one.name: one.zipped for one in packages}, unpacked={one.name: one.unpacked for one in packages},
        byte_code=all(one.byte_code for one in packages), python=VERSION)


def unpack(place: Place, folder: Path) -> Path:
    """Every function into a folder of its name, the layer beside them; where the layer is."""
    for one in built(place):
        name = one.name.removeprefix("function-").replace("layer-common", "opt")
        with zipfile.ZipFile(one.file) as archive:
            archive.extractall(folder / name)
    return folder / "opt"
