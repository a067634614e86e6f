"""The built zips, unpacked and imported the way SCF does it. Built for this Python where 3.10 is missing."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import http.client
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hospital.runtime.config import Config

from sandbox.scf import manifest
from scripts import package
from tests.photos import photo, size_of

ROOT = Path(__file__).resolve().parent.parent.parent
FUNCTIONS = manifest.load(ROOT / "serverless.yml").functions
WEB = sorted(name for name, one in FUNCTIONS.items() if one.type == "web")
RUNNING = "{}.{}".format(*sys.version_info[:2])
VERSION = package.CLOUD_PYTHON if package.interpreter(package.CLOUD_PYTHON) else RUNNING
REQUEST = "6e0c1d3a-0000-4000-8000-000000000001"
CLOUD_PYTHON = "/var/lang/python310/bin/python3.10"

# Runs in the clean process: no source may be compiled, and nothing may come from elsewhere than the zips.
IMPORT = """
import importlib.machinery, json, sys
stdlib = [path for path in sys.path if path not in %(places)r and path]
compiled = []
def source_to_code(self, data, path, *, _optimize=-1):
    compiled.append(path)
    return compile(data, path, "exec", dont_inherit=True, optimize=_optimize)
importlib.machinery.SourceFileLoader.source_to_code = source_to_code
import index
files = {name: getattr(module, "__file__", None) for name, module in sys.modules.items()}
json.dump({
    "handler": callable(index.main_handler), "app": callable(getattr(index, "app", None)),
    "compiled": [path for path in compiled if path.startswith(tuple(%(places)r))],
    "elsewhere": sorted(name for name, file in files.items()
                        if file and not file.startswith((*%(places)r, *stdlib))),
    "hospital": files["hospital"],
}, sys.stdout)
"""


# What a start does without: each is imported where it is used, or by nobody. Any of them costs 5 to 200 ms.
LATER = ["argparse", "asyncio", "cryptography.x509", "encodings.idna", "importlib.metadata", "openpyxl", "PIL",
         "phonenumbers", "pydantic.plugin._loader", "pypinyin", "qcloud_cos", "requests", "serverless_wsgi", "sqlite3",
         "tencentcloud", "unittest", "urllib3", "wechatpayv3", "wechatpy", "xml.dom"]
LATER_IN_EVENT_FUNCTIONS = [*LATER, "gunicorn", "http.client", "werkzeug"]

# Says what a start has made besides imports: a model that is built, a dataclass, a rule that can build its address.
START = """
import dataclasses, json, sys
made = []
process = dataclasses._process_class
def noted(cls, *args):
    made.append(f"dataclass {cls.__module__}.{cls.__name__}")
    return process(cls, *args)
dataclasses._process_class = noted
import index
from pydantic import BaseModel
def all_of(kind):
    for one in kind.__subclasses__():
        yield one
        yield from all_of(one)
made += [f"model {one.__module__}.{one.__name__}" for one in all_of(BaseModel) if one.__pydantic_complete__]
app = getattr(index, "app", None)
written = [rule.rule for rule in app._routes.map.iter_rules() if "<builder" in rule._build.__name__] if app else []
json.dump({"modules": sorted(sys.modules), "made": [one for one in made if "hospital" in one], "written": written},
          sys.stdout)
"""


@pytest.fixture(scope="session")
def python() -> str:
    """The interpreter that stands for the cloud's."""
    found = package.interpreter(VERSION)
    assert found
    return found


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> list[package.Package]:
    """Every zip."""
    return package.build(tmp_path_factory.mktemp("zips"), VERSION)


@pytest.fixture(scope="session")
def cloud(built: list[package.Package], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The common layer under ``opt``, any other under ``opt-<name>``, each function under ``user/<name>``.

    With the times that the cloud gave the files.
    """
    root = tmp_path_factory.mktemp("cloud")
    for one in built:
        kind, _, name = one.name.partition("-")
        opt = root / ("opt" if name == "common" else f"opt-{name}")
        with zipfile.ZipFile(one.file) as archive:
            for entry in archive.infolist():
                path = Path(archive.extract(entry, opt if kind == "layer" else root / "user" / name))
                path.chmod(entry.external_attr >> 16 & 0o777)
                os.utime(path, (1_900_000_000, 1_900_000_000))
    return root


def places(cloud: Path, function: str) -> list[Path]:
    """Where its code is: its own folder, and those of the layers that it binds."""
    layers = [Path(one.path).name for one in FUNCTIONS[function].layers if one.path is not None]
    return [cloud / "user" / function, *(cloud / ("opt" if name == "common" else f"opt-{name}") for name in layers)]


def environment(cloud: Path, function: str) -> dict[str, str]:
    """All that the process is given."""
    return {"PYTHONPATH": ":".join(map(str, places(cloud, function))), "PYTHONDONTWRITEBYTECODE": "1",
            "PATH": "/usr/bin:/bin", **{field.upper(): "0" for field in Config.__struct_fields__}}


def imported(cloud: Path, python: str, function: str) -> dict[str, object]:
    """What a clean process says after importing a function's ``index``."""
    code = IMPORT % {"places": tuple(f"{one}/" for one in places(cloud, function))}
    done = subprocess.run([python, "-S", "-c", code], env=environment(cloud, function), cwd=cloud / "user" / function,
                          capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    said: dict[str, object] = json.loads(done.stdout)
    return said


@pytest.mark.parametrize("function", sorted(FUNCTIONS))
def test_a_function_imports_from_its_zip_and_the_layer_alone_without_compiling(
        function: str, cloud: Path, python: str) -> None:
    said = imported(cloud, python, function)
    assert said == {"handler": True, "app": function in WEB, "compiled": [], "elsewhere": [],
                    "hospital": f"{cloud}/opt/hospital/__init__.py"}


@pytest.mark.parametrize("function", sorted(FUNCTIONS))
def test_a_start_imports_and_makes_nothing_that_only_later_work_needs(
        function: str, cloud: Path, python: str) -> None:
    done = subprocess.run([python, "-S", "-c", START], env=environment(cloud, function), cwd=cloud / "user" / function,
                          capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    later = LATER if function in WEB else LATER_IN_EVENT_FUNCTIONS
    assert [name for name in later if name in said["modules"]] == []
    assert set(said["made"]) <= {"dataclass hospital.database.policy.Rate"}  # a field of a pydantic model
    assert said["written"] == []


def test_what_a_web_function_imported_is_not_looked_through_for_garbage_and_what_comes_later_is(
        cloud: Path, python: str) -> None:
    code = """
import gc
from gunicorn.arbiter import Arbiter
Arbiter.run = lambda self: None
from hospital.runtime import serve
serve.main("127.0.0.1:0")
print(gc.isenabled(), gc.get_freeze_count() > 10_000)
"""
    done = subprocess.run([python, "-S", "-c", code], env=environment(cloud, "account"), cwd=cloud / "user" / "account",
                          capture_output=True, text=True, check=False, timeout=60)
    assert (done.stdout, done.stderr) == ("True True\n", "")


@pytest.mark.parametrize("name", ["qcloud_cos", "openpyxl", "wechatpayv3.core", "wechatpy", "pypinyin"])
def test_a_package_that_is_imported_where_it_is_used_comes_from_the_layer_alone(
        name: str, cloud: Path, python: str) -> None:
    done = subprocess.run([python, "-S", "-c", f"import {name}; print({name}.__file__)"],
                          env=environment(cloud, "worker"), capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"{cloud}/opt/")


def test_the_check_for_byte_code_notices_a_missing_file(cloud: Path, python: str, tmp_path: Path) -> None:
    copy = tmp_path / "cloud"
    (copy / "user").mkdir(parents=True)
    (copy / "opt").mkdir()
    shutil.copytree(cloud / "user" / "account", copy / "user" / "account")
    for entry in (cloud / "opt").iterdir():
        if entry.name != "hospital":
            (copy / "opt" / entry.name).symlink_to(entry)
    shutil.copytree(cloud / "opt" / "hospital", copy / "opt" / "hospital")
    next((copy / "opt" / "hospital" / "runtime" / "__pycache__").glob("config.*.pyc")).unlink()
    assert imported(copy, python, "account")["compiled"] == [f"{copy}/opt/hospital/runtime/config.py"]


def test_every_source_file_has_byte_code_that_does_not_depend_on_times(built: list[package.Package]) -> None:
    tag = f"cpython-{VERSION.replace('.', '')}"
    for one in built:
        with zipfile.ZipFile(one.file) as archive:
            names = set(archive.namelist())
            sources = [Path(name) for name in names if name.endswith(".py")]
            assert sources
            for source in sources:
                code = (source.parent / "__pycache__" / f"{source.stem}.{tag}.pyc").as_posix()
                assert code in names
                assert archive.read(code)[4:8] == b"\x01\0\0\0"  # hash-based, unchecked (PEP 552)


@pytest.mark.parametrize("function", WEB)
def test_a_web_function_s_bootstrap_starts_its_server_and_answers(
        function: str, cloud: Path, python: str) -> None:
    with server(cloud, python, function) as port:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        connection.request("GET", "/no-such-address", headers={"X-Scf-Request-Id": REQUEST})
        answer = connection.getresponse()
        error = json.loads(answer.read())["error"]
        connection.close()
    assert answer.status == 404
    assert error["code"] == "no_such_address"
    assert error["request_id"] == answer.getheader("X-Request-Id") != REQUEST


@contextlib.contextmanager
def server(cloud: Path, python: str, function: str) -> Iterator[int]:
    """A function's ``scf_bootstrap`` running with this machine's interpreter and a free port."""
    folder = cloud / "user" / function
    text = (folder / "scf_bootstrap").read_text()
    assert CLOUD_PYTHON in text
    assert "0.0.0.0:9000" in text
    script = folder / "bootstrap_here"
    script.write_text(text.replace(CLOUD_PYTHON, f"{python} -S").replace("0.0.0.0:9000", "127.0.0.1:0"))
    script.chmod(0o755)
    process = subprocess.Popen([str(script)], cwd=folder, env=environment(cloud, function), text=True,
                               stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, start_new_session=True)
    try:
        assert process.stderr is not None
        port, said = 0, []
        for line in process.stderr:
            said.append(line)
            listening = re.search(r"Listening at: http://127\.0\.0\.1:(\d+)", line)
            if listening:
                port = int(listening[1])
                break
        assert port, said
        yield port
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def test_a_web_function_s_bootstrap_is_executable_and_an_event_function_has_none(
        built: list[package.Package]) -> None:
    for one in built:
        kind, _, name = one.name.partition("-")
        if kind == "layer":
            continue
        with zipfile.ZipFile(one.file) as archive:
            if name not in WEB:
                assert "scf_bootstrap" not in archive.namelist()
                continue
            entry = archive.getinfo("scf_bootstrap")
            assert entry.external_attr >> 16 == 0o100755
            assert entry.create_system == 3
            script = archive.read(entry)
            assert script.startswith(b"#!/bin/bash\n")
            assert b"\r" not in script


def test_every_function_of_the_list_has_its_zip_and_there_is_no_other(built: list[package.Package]) -> None:
    functions = [f"function-{name}" for name in FUNCTIONS]
    assert sorted(one.name for one in built) == sorted(["layer-common", "layer-pictures", "layer-reports", *functions])
    assert {one.file.name for one in built} == {path.name for path in built[0].file.parent.glob("*")}


def test_sizes_are_told_truly_and_within_the_cloud_s_limits_and_our_aim(built: list[package.Package]) -> None:
    for one in built:
        with zipfile.ZipFile(one.file) as archive:
            assert one.unpacked == sum(entry.file_size for entry in archive.infolist())
        assert one.zipped == one.file.stat().st_size <= 50 * 2**20
        assert one.unpacked <= 50 * 2**20, "more than our aim for a layer"


def test_zips_that_the_cloud_would_refuse_are_named(built: list[package.Package]) -> None:
    layer = built[0]
    own = {name: next(one for one in built if one.name == f"function-{name}") for name in FUNCTIONS}

    def problems(layer: package.Package, **changed: package.Package) -> list[str]:
        layers = {"layers/common": layer, "layers/pictures": built[1], "layers/reports": built[2]}
        return package.too_large(layers, {**own, **changed}, FUNCTIONS)

    assert problems(layer) == []
    assert len(problems(dataclasses.replace(layer, zipped=50 * 2**20 + 1))) == 1
    assert len(problems(dataclasses.replace(layer, unpacked=50 * 2**20 + 1))) == 1
    too_big = dataclasses.replace(own["worker"], unpacked=500 * 2**20)
    assert [text.partition(":")[0] for text in problems(layer, worker=too_big)] == ["worker"]


def test_the_same_sources_give_the_same_bytes(built: list[package.Package], tmp_path: Path) -> None:
    again = package.build(tmp_path, VERSION)
    assert [(one.name, digest(one)) for one in again] == [(one.name, digest(one)) for one in built]


def digest(one: package.Package) -> str:
    """Of a zip's bytes."""
    return hashlib.sha256(one.file.read_bytes()).hexdigest()


def test_no_zip_holds_keys_addresses_the_sandbox_tests_or_this_machine_s_paths(built: list[package.Package]) -> None:
    key = re.compile(rb"-----BEGIN [A-Z ]*PRIVATE KEY-----\\?[rn\s]+[A-Za-z0-9+/=\\\s]{100}")
    here = re.compile(b"|".join(re.escape(str(path).encode()) for path in (ROOT, built[0].file.parent)))
    ours = re.compile(rb"https?://|\b\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3}\b|localhost|test-only|AKID|sandbox|faketime")
    for one in built:
        with zipfile.ZipFile(one.file) as archive:
            for name in archive.namelist():
                content = archive.read(name)
                assert not re.search(r"(^|/)(sandbox|scripts|tests?|\.env|bin|[^/]+\.dist-info)(/|$)", name), name
                assert not key.search(content), name
                assert not here.search(content), name
                if name.startswith(("hospital/", "report_readers/")) or not one.name.startswith("layer-"):
                    content = content.replace(b"http://terminology.hl7.org/CodeSystem/", b"")  # names: nobody is asked
                    content = content.replace(b"0.0.0.0:9000", b"") if name == "scf_bootstrap" else content
                    assert not ours.search(content), (name, ours.search(content))


READ = """
import importlib.machinery, json, sys
compiled = []
def source_to_code(self, data, path, *, _optimize=-1):
    compiled.append(path)
    return compile(data, path, "exec", dont_inherit=True, optimize=_optimize)
importlib.machinery.SourceFileLoader.source_to_code = source_to_code
from report_readers.contract import read_contract
from report_readers.hl7_report import read_hl7
before = sorted(name for name in sys.modules if name.partition(".")[0] in ("fhir", "fhir_core"))
from report_readers.fhir_report import read_fhir
hl7, fhir = sys.stdin.buffer.read().split(b"%%%")
told = [len(read(content)[0].items) for read, content in ((read_hl7, hl7), (read_fhir, fhir))]
files = [getattr(module, "__file__", None) or "" for module in sys.modules.values()]
places = tuple(sys.argv[1:])
json.dump({"told": told, "before": before, "compiled": [one for one in compiled if one.startswith(places)],
           "fhir": sorted({one.rpartition("/")[0] for one in files if "/fhir/resources/" in one})}, sys.stdout)
"""


def test_the_readers_of_reports_work_from_the_two_layers_alone_and_bring_one_fhir(cloud: Path, python: str) -> None:
    hl7 = (b"MSH|^~\\&|L|H|||20261128||ORU^R01|1|P|2.4\rPID|1||7\rOBR|1||R1|CBC|||||||||||||||||||||F\r"
           b"OBX|1|NM|WBC||5||||||F\r")
    fhir = json.dumps({"resourceType": "DiagnosticReport", "status": "final", "code": {"text": "CBC"},
                       "contained": [{"resourceType": "Observation", "id": "a", "status": "final",
                                      "code": {"text": "WBC"}, "valueString": "5"}], "result": [{"reference": "#a"}]})
    done = subprocess.run(
        [python, "-S", "-c", READ, f"{cloud}/opt/", f"{cloud}/opt-reports/"], input=hl7 + b"%%%" + fhir.encode(),
        env={**environment(cloud, "worker"), "PYTHONPATH": f"{cloud / 'opt'}:{cloud / 'opt-reports'}"},
        capture_output=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    place = f"{cloud}/opt-reports/fhir/resources"
    assert json.loads(done.stdout) == {"told": [1, 1], "before": [], "compiled": [], "fhir": [place, f"{place}/R4B"]}


DRAW = """
import sys
from hospital.feedback.decoding import drawn_anew
sys.stdout.buffer.write(drawn_anew(sys.stdin.buffer.read()))
"""


def test_pictures_are_decoded_from_the_two_layers_alone(cloud: Path, python: str) -> None:
    for kind in ("jpeg", "png"):
        done = subprocess.run(
            [python, "-S", "-c", DRAW], input=photo(kind=kind), capture_output=True, check=False, timeout=60,
            env={**environment(cloud, "pictures"), "PYTHONPATH": f"{cloud / 'opt'}:{cloud / 'opt-pictures'}"})
        assert (done.returncode, size_of(done.stdout)) == (0, (60, 40)), done.stderr


def test_the_layer_says_what_it_is_made_of(cloud: Path) -> None:
    pinned = (ROOT / "layers" / "common" / "requirements.txt").read_text()
    assert (cloud / "opt" / "requirements.txt").read_text() == pinned
    libraries = [path for path in (cloud / "opt").rglob("*.so*") if path.is_file()]
    assert libraries
    for library in libraries:
        content = library.read_bytes()
        assert content[:4] == b"\x7fELF"
        assert content[18:20] == b"\x3e\0", "the cloud's machines are x86-64"
