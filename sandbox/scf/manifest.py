"""``serverless.yml`` as typed, checked data: what the sandbox, the packager and the deployer all read.

Needs only the standard library and PyYAML. Times are seconds, memory is MB, as in the file.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from sandbox.scf.cron import Cron, CronError

ENVIRONMENT_BYTES = 4096  # keys and values of one function together
MAX_LAYERS = 5
MAX_FUNCTIONS = 50
MAX_TRIGGERS = 10  # of one type for one function
RESERVED_PREFIXES = ("SCF_", "QCLOUD_", "TENCENTCLOUD_")
TRIGGER_TYPES = ("http", "timer", "cos", "cls", "ckafka")

_PLACEHOLDER = re.compile(r"\$\{env:([A-Za-z_][A-Za-z0-9_]*)\}")
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,58}[A-Za-z0-9]")
_TYPES = {"web": "web", "http": "web", "event": "event"}


class ManifestError(ValueError):
    """The manifest asks for something that SCF would refuse; the text says what and where."""


@dataclass(frozen=True)
class Layer:
    """A layer by its name, made from a folder of ours (``path``) or published already (``version``)."""

    name: str
    path: str | None
    version: int | None


@dataclass(frozen=True)
class Timer:
    """A timer trigger; ``argument`` becomes the event's ``Message``."""

    name: str
    cron: Cron
    enabled: bool
    argument: str


@dataclass(frozen=True)
class HttpTrigger:
    """A Function URL."""

    auth_type: str
    intranet: bool
    extranet: bool


@dataclass(frozen=True)
class Trigger:
    """A trigger of another type (cos, cls, ckafka), its parameters as written."""

    type: str
    parameters: dict[str, Any]


@dataclass(frozen=True)
class Function:
    """One function with everything that holds for it, common settings merged in."""

    name: str
    type: str  # "web" or "event"
    src: str
    handler: str
    runtime: str
    memory_mb: int
    timeout_s: int
    init_timeout_s: int
    environment: dict[str, str]
    layers: tuple[Layer, ...]
    role: str | None
    vpc: dict[str, str]
    cls: dict[str, str]
    async_run: bool
    message_ttl_s: int
    retries: int
    reserved_concurrency: int | None
    max_concurrency: int  # requests at once in one instance; 1 for event functions
    timers: tuple[Timer, ...]
    http: HttpTrigger | None
    other_triggers: tuple[Trigger, ...]

    def timer(self, name: str) -> Timer:
        """The timer of that name. Raises KeyError."""
        for timer in self.timers:
            if timer.name == name:
                return timer
        raise KeyError(f"function {self.name} has no timer {name}")


@dataclass(frozen=True)
class Manifest:
    """The whole file."""

    app: str
    stage: str
    name: str
    region: str
    functions: dict[str, Function]


def load(path: Path, values: Mapping[str, str] | None = None) -> Manifest:
    """Read and check the manifest at ``path``.

    ``values`` fills every ``${env:NAME}``; None leaves the placeholders standing (for the packager, which
    needs no values). Raises ManifestError, and OSError when the file can't be read.
    """
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise ManifestError(f"{path.name} is not YAML: {error}") from error
    return parse(document, values)


def parse(document: Any, values: Mapping[str, str] | None = None) -> Manifest:
    """Check a manifest that is already read; see ``load``."""
    if values is not None:
        missing: set[str] = set()
        document = _filled(document, values, missing)
        if missing:
            raise ManifestError(f"no value for ${{env:…}}: {', '.join(sorted(missing))}")
    root = _mapping(document, "the manifest")
    inputs = _mapping(root.get("inputs"), "inputs")
    functions = _mapping(inputs.get("functions"), "inputs.functions")
    if not 0 < len(functions) <= MAX_FUNCTIONS:
        raise ManifestError(f"{len(functions)} functions; a namespace holds 1 to {MAX_FUNCTIONS}")
    triggers = _triggers(inputs.get("triggers") or [], functions)
    return Manifest(
        app=str(root.get("app", "")), stage=str(root.get("stage", "")), name=str(root.get("name", "")),
        region=str(inputs.get("region", "ap-guangzhou")),
        functions={name: _function(name, _mapping(own, f"function {name}"), inputs, triggers.get(name, []))
                   for name, own in functions.items()},
    )


def _filled(node: Any, values: Mapping[str, str], missing: set[str]) -> Any:
    if isinstance(node, dict):
        return {key: _filled(value, values, missing) for key, value in node.items()}
    if isinstance(node, list):
        return [_filled(item, values, missing) for item in node]
    if not isinstance(node, str):
        return node
    missing.update(name for name in _PLACEHOLDER.findall(node) if name not in values)
    return _PLACEHOLDER.sub(lambda match: values.get(match[1], ""), node)


def _triggers(listed: Any, functions: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    if not isinstance(listed, list):
        raise ManifestError("inputs.triggers is not a list")
    found: dict[str, list[dict[str, Any]]] = {}
    for item in listed:
        trigger = _mapping(item, "a trigger")
        target, kind = str(trigger.get("function")), str(trigger.get("type"))
        if target not in functions:
            raise ManifestError(f"a {kind} trigger names function {target}, which is not in the list")
        if kind not in TRIGGER_TYPES:
            raise ManifestError(f"trigger of {target}: unknown type {kind}; known: "
                                f"{', '.join(TRIGGER_TYPES)}")
        of_function = found.setdefault(target, [])
        of_function.append({**trigger, "type": kind})
        if sum(other["type"] == kind for other in of_function) > MAX_TRIGGERS:
            raise ManifestError(f"function {target} has more than {MAX_TRIGGERS} {kind} triggers")
    return found


def _function(name: str, own: dict[str, Any], common: dict[str, Any],
              triggers: list[dict[str, Any]]) -> Function:
    where = f"function {name}"
    if not _NAME.fullmatch(name):
        raise ManifestError(f"{where}: the name is not one SCF accepts")

    def setting(key: str, default: Any = None) -> Any:
        return own.get(key, common.get(key, default))

    kind = _TYPES.get(str(setting("type", "event")).lower())
    if kind is None:
        raise ManifestError(f"{where}: unknown type {setting('type')!r}; known: web, event")
    handler = str(setting("handler", "index.main_handler"))
    if not re.fullmatch(r"[\w/-]+\.[A-Za-z_]\w*", handler):
        raise ManifestError(f"{where}: handler {handler!r} is not of the form file.function")
    if "src" not in own:
        raise ManifestError(f"{where}: src is missing")
    memory = _number(setting("memorySize", 128), f"{where}: memorySize", 64, 3072)
    if memory != 64 and memory % 128:
        raise ManifestError(f"{where}: memorySize {memory} is neither 64 nor a multiple of 128")
    concurrency = _mapping(setting("instanceConcurrencyConfig") or {}, f"{where}: instanceConcurrencyConfig")
    if concurrency and kind == "event":
        raise ManifestError(f"{where}: instanceConcurrencyConfig is for web functions only")
    reserved = setting("reservedConcurrency")
    return Function(
        name=name, type=kind, src=str(own["src"]), handler=handler,
        runtime=str(setting("runtime", "Python3.10")), memory_mb=memory,
        timeout_s=_number(setting("timeout", 3), f"{where}: timeout", 1, 900),
        init_timeout_s=_number(setting("initTimeout", 65), f"{where}: initTimeout", 3, 300),
        environment=_environment(setting("environments") or [], where),
        layers=_layers(setting("layers") or [], where),
        role=setting("role"), vpc=_strings(setting("vpc"), f"{where}: vpc"),
        cls=_strings(setting("cls"), f"{where}: cls"),
        async_run=bool(setting("asyncRunEnable", False)),
        message_ttl_s=_number(setting("msgTTL", 21600), f"{where}: msgTTL", 60, 21600),
        retries=_number(setting("retryNum", 2), f"{where}: retryNum", 0, 2),
        reserved_concurrency=None if reserved is None else
        _number(reserved, f"{where}: reservedConcurrency", 1, 10000),
        max_concurrency=_number(concurrency.get("maxConcurrency", 1), f"{where}: maxConcurrency", 1, 100),
        timers=_timers(triggers, kind, where), http=_http(triggers, where),
        other_triggers=tuple(Trigger(item["type"], dict(item.get("parameters") or {})) for item in triggers
                             if item["type"] not in ("http", "timer")),
    )


def _environment(listed: Any, where: str) -> dict[str, str]:
    if not isinstance(listed, list):
        raise ManifestError(f"{where}: environments is not a list of {{key, value}}")
    found: dict[str, str] = {}
    for item in listed:
        pair = _mapping(item, f"{where}: an environment entry")
        key, value = str(pair.get("key", "")), str(pair.get("value", ""))
        if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", key):
            raise ManifestError(f"{where}: environment key {key!r} is not a name")
        if key.startswith(RESERVED_PREFIXES):
            raise ManifestError(f"{where}: environment key {key} begins with a reserved prefix "
                                f"({', '.join(RESERVED_PREFIXES)})")
        if key in found:
            raise ManifestError(f"{where}: environment key {key} is there twice")
        found[key] = value
    size = sum(len(key.encode()) + len(value.encode()) for key, value in found.items())
    if size > ENVIRONMENT_BYTES:
        raise ManifestError(f"{where}: environment has {size} bytes, more than {ENVIRONMENT_BYTES}")
    return found


def _layers(listed: Any, where: str) -> tuple[Layer, ...]:
    if not isinstance(listed, list):
        raise ManifestError(f"{where}: layers is not a list")
    if len(listed) > MAX_LAYERS:
        raise ManifestError(f"{where}: {len(listed)} layers, more than {MAX_LAYERS}")
    found = []
    for item in listed:
        layer = _mapping(item, f"{where}: a layer")
        if not layer.get("name") or ("path" in layer) == ("version" in layer):
            raise ManifestError(f"{where}: a layer needs a name and either a path or a version")
        found.append(Layer(str(layer["name"]), str(layer["path"]) if "path" in layer else None,
                           int(layer["version"]) if "version" in layer else None))
    return tuple(found)


def _timers(triggers: list[dict[str, Any]], kind: str, where: str) -> tuple[Timer, ...]:
    found: list[Timer] = []
    for item in triggers:
        if item["type"] != "timer":
            continue
        if kind == "web":
            raise ManifestError(f"{where}: a web function can't have a timer")
        parameters = _mapping(item.get("parameters"), f"{where}: timer parameters")
        name = str(parameters.get("name") or "")
        if not name or any(other.name == name for other in found):
            raise ManifestError(f"{where}: a timer has no name, or one that is there twice")
        try:
            cron = Cron.parse(str(parameters.get("cronExpression", "")))
        except CronError as error:
            raise ManifestError(f"{where}: timer {name}: {error}") from error
        found.append(Timer(name, cron, bool(parameters.get("enable", True)),
                           str(parameters.get("argument") or "")))
    return tuple(found)


def _http(triggers: list[dict[str, Any]], where: str) -> HttpTrigger | None:
    listed = [item for item in triggers if item["type"] == "http"]
    if not listed:
        return None
    if len(listed) > 1:
        raise ManifestError(f"{where}: more than one http trigger")
    parameters = _mapping(listed[0].get("parameters") or {}, f"{where}: http parameters")
    network = _mapping(parameters.get("netConfig") or {}, f"{where}: netConfig")
    auth = str(parameters.get("authType", "NONE"))
    if auth not in ("NONE", "CAM"):
        raise ManifestError(f"{where}: authType {auth!r} is neither NONE nor CAM")
    return HttpTrigger(auth, bool(network.get("enableIntranet", False)),
                       bool(network.get("enableExtranet", True)))


def _mapping(node: Any, where: str) -> dict[str, Any]:
    if not isinstance(node, dict):
        raise ManifestError(f"{where} is not a mapping")
    return node


def _strings(node: Any, where: str) -> dict[str, str]:
    return {str(key): str(value) for key, value in _mapping(node or {}, where).items()}


def _number(value: Any, where: str, low: int, high: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise ManifestError(f"{where} is {value!r}, must be a whole number from {low} to {high}")
    return value
