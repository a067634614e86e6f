"""``make package``: every layer and every function of ``serverless.yml`` as deployable zips in build/package, and the
mini-program's two builds: build/h5, and build/mp-weixin (to be uploaded with WeChat's tools) once ``VITE_API_BASE``
names the functions' address, which stands in it.

The same sources give the same bytes: entries are sorted, have one fixed time, and the byte code is
unchecked (it stays valid whatever times the cloud gives the files it unpacks). Third-party packages come
as wheels for the cloud's image and are kept in build/ until the requirements change.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from sandbox.scf import manifest
from scripts import client

ROOT = Path(__file__).resolve().parent.parent
OUT = ROOT / "build" / "package"
CLOUD_PYTHON = "3.10"
PLATFORMS = ("manylinux_2_28_x86_64", "manylinux2014_x86_64")  # CentOS 8.5; a wheel carries either tag
MB = 1024 * 1024
ZIP_LIMIT = 50 * MB  # one zip through the API
UNPACKED_LIMIT = 500 * MB  # a function with all its layers
LAYER_AIM = 50 * MB  # ours, for the sake of cold starts; unpacked
# What no import reads: pip's own notes and programs, packages' tests, type stubs. None of our packages looks up its own
# metadata on the way to a handler (tests/package imports every function without it).
LEFT_OUT = re.compile(r"(^|/)(__pycache__|\.env|tests?|[^/]+\.dist-info)(/|$)|^bin/|\.py[coi]$")
# What no function of a layer imports: fhir.resources brings three versions of FHIR, of which R4B reads R4.
PRUNED = {"reports": re.compile(r"^(fhir/resources/(?!R4B/|__init__\.py$)|hl7/(mllp/|client\.py))")}
_TIME = (1980, 1, 1, 0, 0, 0)  # the earliest that a zip can say


class CannotPackage(Exception):
    """The zips can't be built, or are larger than the cloud takes; the text says why."""


@dataclass(frozen=True)
class Package:
    """One zip. Sizes are bytes."""

    name: str
    file: Path
    zipped: int
    unpacked: int
    byte_code: bool


def interpreter(version: str) -> str | None:
    """A Python of this version on this machine, found as ``scripts/setup`` does; None when there is none."""
    if "{}.{}".format(*sys.version_info[:2]) == version:
        return sys.executable
    found = shutil.which(f"python{version}")
    if found and _works(found, version):
        return found
    if shutil.which("pyenv"):
        root = subprocess.run(["pyenv", "root"], capture_output=True, text=True, check=False).stdout.strip()
        for one in sorted(Path(root or os.curdir).glob(f"versions/{version}.*/bin/python{version}"), reverse=True):
            if _works(str(one), version):
                return str(one)
    return None


def _works(python: str, version: str) -> bool:
    ask = f"import sys; sys.exit('{{}}.{{}}'.format(*sys.version_info[:2]) != '{version}')"
    return subprocess.run([python, "-c", ask], check=False, capture_output=True).returncode == 0


def build(out: Path = OUT, version: str = CLOUD_PYTHON) -> list[Package]:
    """Build every zip into ``out``, for a Python ``version``; layers first. Raises CannotPackage."""
    functions = manifest.load(ROOT / "serverless.yml").functions
    out.mkdir(parents=True, exist_ok=True)
    for old in out.glob("*.zip"):
        old.unlink()
    python = interpreter(version)
    layers = {f"layers/{path.parent.name}": _layer(path.parent, out, version, python)
              for path in sorted(ROOT.glob("layers/*/requirements.txt"))}
    own = {name: _function(function, out, python) for name, function in sorted(functions.items())}
    problems = too_large(layers, own, functions)
    if problems:
        raise CannotPackage("; ".join(problems))
    return [*layers.values(), *own.values()]


def too_large(layers: dict[str, Package], own: dict[str, Package],
              functions: dict[str, manifest.Function]) -> list[str]:
    """What the cloud would refuse, or is more than our own aim: ``layers`` by path, ``own`` by function."""
    problems = [f"{one.name}: {one.zipped:,} bytes zipped, more than {ZIP_LIMIT:,}"
                for one in (*layers.values(), *own.values()) if one.zipped > ZIP_LIMIT]
    problems += [f"{one.name}: {one.unpacked:,} bytes unpacked, more than our {LAYER_AIM:,}"
                 for one in layers.values() if one.unpacked > LAYER_AIM]
    for name, package in own.items():
        whole = package.unpacked + sum(layers[layer.path].unpacked for layer in functions[name].layers if layer.path)
        if whole > UNPACKED_LIMIT:
            problems.append(f"{name}: {whole:,} bytes unpacked with its layers, more than {UNPACKED_LIMIT:,}")
    return problems


def _layer(folder: Path, out: Path, version: str, python: str | None) -> Package:
    stage = _fresh(out / "stage")
    for source in (_wheels(folder / "requirements.txt", version), folder):
        _copy(source, stage, PRUNED.get(folder.name))
    return _pack(f"layer-{folder.name}", stage, out, python, "/opt")


def _function(function: manifest.Function, out: Path, python: str | None) -> Package:
    stage = _fresh(out / "stage")
    _copy(ROOT / function.src, stage)
    if function.type == "web":
        bootstrap = stage / "scf_bootstrap"
        if not bootstrap.exists():
            shutil.copyfile(ROOT / "scripts" / "scf_bootstrap", bootstrap)
        script = bootstrap.read_bytes()
        if b"\r" in script or not script.startswith(b"#!/bin/bash\n"):
            raise CannotPackage(f"{function.name}: scf_bootstrap needs #!/bin/bash and LF line ends")
        bootstrap.chmod(0o755)
    return _pack(f"function-{function.name}", stage, out, python, "/var/user")


def _wheels(requirements: Path, version: str) -> Path:
    """The packages of a requirements file, unpacked; downloaded only when something about them changed."""
    facts = "\n".join((requirements.read_text(), version, *PLATFORMS))
    folder = ROOT / "build" / "wheels" / f"{requirements.parent.name}-{version}"
    stamp = folder.with_name(f"{folder.name}.stamp")
    wanted = sha256(facts.encode()).hexdigest()
    if folder.is_dir() and stamp.exists() and stamp.read_text() == wanted:
        return folder
    fresh = _fresh(folder.with_name(f"{folder.name}-{os.getpid()}"))
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps",
               "--no-compile", "--only-binary=:all:", "--python-version", version, "--target", str(fresh)]
    for platform in PLATFORMS:
        command += ["--platform", platform]
    done = subprocess.run([*command, "-r", str(requirements)], check=False, text=True, capture_output=True)
    if done.returncode:
        shutil.rmtree(fresh)
        raise CannotPackage(f"pip could not fetch the wheels of {requirements}: {done.stderr.strip()[-1500:]}")
    stamp.unlink(missing_ok=True)
    shutil.rmtree(folder, ignore_errors=True)
    fresh.rename(folder)
    stamp.write_text(wanted)
    return folder


def _fresh(folder: Path) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def _copy(source: Path, target: Path, pruned: re.Pattern[str] | None = None) -> None:
    for file in sorted(source.rglob("*")):
        name = file.relative_to(source).as_posix()
        if file.is_file() and not (LEFT_OUT.search(name) or (pruned and pruned.search(name))):
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, target / name)


def _pack(name: str, stage: Path, out: Path, python: str | None, place: str) -> Package:
    if python is not None:
        _compile(python, stage, place)
    file = out / f"{name}.zip"
    unpacked = 0
    with zipfile.ZipFile(file, "w") as archive:
        for path in sorted(path for path in stage.rglob("*") if path.is_file()):
            entry = zipfile.ZipInfo(path.relative_to(stage).as_posix(), _TIME)
            entry.create_system = 3  # Unix: the mode below counts
            entry.external_attr = (0o100755 if path.name == "scf_bootstrap" else 0o100644) << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            content = path.read_bytes()
            unpacked += len(content)
            archive.writestr(entry, content, compresslevel=6)
    shutil.rmtree(stage)
    return Package(name, file, file.stat().st_size, unpacked, python is not None)


def _compile(python: str, stage: Path, place: str) -> None:
    # One process in a fixed order with a fixed hash seed: byte code would differ from run to run otherwise.
    done = subprocess.run(
        [python, "-S", "-m", "compileall", "-q", "-f", "--invalidation-mode", "unchecked-hash",
         "-s", str(stage), "-p", place, str(stage)], check=False, text=True, capture_output=True,
        env={"PYTHONHASHSEED": "0", "PATH": os.environ.get("PATH", "")})
    if done.returncode:
        raise CannotPackage(f"byte code: {(done.stdout + done.stderr).strip()[-1500:]}")


def main() -> int:
    """Build, print a line per zip; 1 when something is missing or too large."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--python", default=CLOUD_PYTHON, metavar="X.Y", help="the runtime's version (default: 3.10)")
    parser.add_argument("--out", type=Path, default=OUT)
    options = parser.parse_args()
    try:
        packages = build(options.out.resolve(), options.python)
        clients = [client.build("h5")] + ([client.build("mp-weixin")] if os.environ.get("VITE_API_BASE") else [])
    except (CannotPackage, client.ClientFailed) as problem:
        print(f"package: {problem}", file=sys.stderr)
        return 1
    if not packages[0].byte_code:
        print(f"package: no Python {options.python} here, so the zips hold no byte code and start slower")
    print(f"{'zip':<40}{'zipped':>12}{'unpacked':>12}   bytes, Python {options.python}")
    for one in packages:
        print(f"{os.path.relpath(one.file):<40}{one.zipped:>12,}{one.unpacked:>12,}")
    for folder in clients:
        size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
        print(f"{os.path.relpath(folder):<40}{'':>12}{size:>12,}")
    if len(clients) == 1:
        print("no build for WeChat: set VITE_API_BASE to the functions' https address", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
