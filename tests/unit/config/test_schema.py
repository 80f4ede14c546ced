"""What is generated from the models is in step with them: schemas for editors, the table of keys."""

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]

from llast.cli.commands import write_schemas
from llast.config.schema import markdown_keys
from llast.config.yaml_file import read_yaml

ROOT = Path(__file__).parents[3]
SCHEMAS = ROOT / "workflow/schemas"
SHIPPED = [
    *[("config", path) for path in sorted((ROOT / "config").glob("*.yaml"))],
    *[("corpus", path) for path in sorted((ROOT / "config/corpora").glob("*.yaml"))],
    *[("experiment", path) for path in sorted((ROOT / "config/experiments").glob("*.yaml"))],
]


def check(name: str, values: Any) -> list[str]:
    schema = json.loads((SCHEMAS / f"{name}.schema.json").read_text())
    Draft202012Validator.check_schema(schema)
    return [error.message for error in Draft202012Validator(schema).iter_errors(values)]


def test_the_committed_schemas_are_those_of_the_models(tmp_path: Path) -> None:
    write_schemas(tmp_path)
    written = {path.name: path.read_text() for path in tmp_path.iterdir()}
    committed = {path.name: path.read_text() for path in SCHEMAS.iterdir()}
    assert committed == written, "run: llast config schema --output workflow/schemas"


def test_the_readme_has_every_key() -> None:
    assert markdown_keys() in (ROOT / "config/README.md").read_text(), (
        "put `llast config keys` into config/README.md"
    )


@pytest.mark.parametrize(("name", "path"), SHIPPED, ids=lambda value: getattr(value, "name", value))
def test_every_shipped_file_fits_its_schema(name: str, path: Path) -> None:
    assert check(name, read_yaml(path)) == []
    assert path.read_text().startswith("# yaml-language-server: $schema="), (
        "editors find the schema by this line"
    )


def test_the_schema_refuses_what_the_loader_refuses() -> None:
    assert check("experiment", {"extends": "llast-2b", "training": {"learning_rat": 1}})
    assert check("experiment", {"training": {"warmup": 3}})
    assert check("corpus", {"pairs": "everything", "source": {"kind": "synthetic"}})
    assert check("config", {"corpus": "demo"})
    assert check("experiment", {"extends": "llast-2b", "mixture": {"tasks": {"asr": None}}}) == []
