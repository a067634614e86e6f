"""Configuration: read once from the environment; what is missing fails with its name."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from hospital.runtime.config import MAY_BE_EMPTY, Config, ConfigError, read

ROOT = Path(__file__).resolve().parent.parent.parent
WHOLE = {field.upper(): f"value of {field}" for field in Config.__struct_fields__} | {"MYSQL_PORT": "3306"}


def test_every_value_is_read_under_its_name() -> None:
    config = read({**WHOLE, "PATH": "/bin"})
    assert (config.mysql_port, config.his_base, config.stage) == (3306, "value of his_base", "value of stage")


@pytest.mark.parametrize("name", sorted(WHOLE))
def test_a_missing_variable_is_named(name: str) -> None:
    with pytest.raises(ConfigError, match=rf"^{name} is not set$"):
        read({key: value for key, value in WHOLE.items() if key != name})


@pytest.mark.parametrize("name", sorted(WHOLE))
def test_an_empty_variable_is_missing_unless_it_may_be_empty(name: str) -> None:
    if name.lower() in MAY_BE_EMPTY:
        assert getattr(read({**WHOLE, name: ""}), name.lower()) == ""
    else:
        with pytest.raises(ConfigError, match=name):
            read({**WHOLE, name: ""})


def test_all_that_is_missing_is_named_at_once_and_no_value_is_told() -> None:
    with pytest.raises(ConfigError) as problem:
        read({"HIS_BASE": "https://his.example", "MYSQL_PORT": "33o6"})
    text = str(problem.value)
    assert all(name in text for name in WHOLE if name != "HIS_BASE")
    assert "MYSQL_PORT is not a port number" in text
    assert "his.example" not in text
    assert "33o6" not in text


def test_the_functions_are_given_exactly_these_variables() -> None:
    declared = yaml.safe_load((ROOT / "serverless.yml").read_text())["inputs"]["environments"]
    assert sorted(one["key"] for one in declared) == sorted(WHOLE)


def test_secrets_are_names_of_entries_and_never_values() -> None:
    declared = yaml.safe_load((ROOT / "serverless.yml").read_text())["inputs"]["environments"]
    for one in declared:
        assert one["key"].endswith("_SECRET") == one["value"].startswith("hospital/")
