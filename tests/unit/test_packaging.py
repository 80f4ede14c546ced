"""pyproject.toml, constraints.txt and environment.yml give the same environment, and hold what the code imports."""

import ast
import importlib.metadata
import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parents[2]
COMMANDS = {"snakemake", "snakemake-executor-plugin-slurm"}  # run, not imported
PARTS = {"pydantic_core"}  # imported under a name of its own, installed and pinned with pydantic
THE_READERS = {
    "config/corpora/mine.yaml",
    "config/experiments/llast-2b-no-asr.yaml",
}  # files that pages tell to write
ACCELERATOR = ("cuda-", "nvidia-", "triton")  # come with torch's CUDA build only, pinned by torch itself


@pytest.fixture(scope="module")
def project() -> dict[str, Any]:
    return dict(tomllib.loads((ROOT / "pyproject.toml").read_text())["project"])


@pytest.fixture(scope="module")
def pins() -> dict[str, Version]:
    lines = [line for line in (ROOT / "constraints.txt").read_text().splitlines() if not line.startswith("#")]
    pairs = [re.fullmatch(r"([\w.-]+)==([\w.]+)", line) for line in lines]
    assert all(pairs), "constraints.txt holds exact public versions only"
    return {canonicalize_name(pair[1]): Version(pair[2]) for pair in pairs if pair}


def direct(project: dict[str, Any]) -> list[Requirement]:
    extras = project["optional-dependencies"].values()
    return [Requirement(text) for texts in [project["dependencies"], *extras] for text in texts]


def imports(folder: Path) -> Iterator[str]:
    for path in folder.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                yield from (alias.name.split(".")[0] for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                yield node.module.split(".")[0]


def test_constraints_pin_every_direct_dependency_within_its_bounds(
    project: dict[str, Any], pins: dict[str, Version]
) -> None:
    wrong = [
        str(r)
        for r in direct(project)
        if pins.get(canonicalize_name(r.name), Version("0")) not in r.specifier
    ]
    assert not wrong


def test_constraints_pin_everything_that_these_need(
    project: dict[str, Any], pins: dict[str, Version]
) -> None:
    waiting, seen, unpinned = direct(project), set(), set()
    while waiting:
        requirement = waiting.pop()
        key = (canonicalize_name(requirement.name), frozenset(requirement.extras))
        if key in seen or (key[0].startswith(ACCELERATOR) and key[0] not in pins):
            continue
        seen.add(key)
        if key[0] not in pins:
            unpinned.add(key[0])
            continue
        for inner in map(Requirement, importlib.metadata.requires(key[0]) or []):
            extras = requirement.extras or {""}
            if inner.marker is None or any(inner.marker.evaluate({"extra": extra}) for extra in extras):
                waiting.append(inner)
    assert unpinned <= {"setuptools", "pip"}
    assert {name for name, _ in seen} >= set(pins), "pins that nothing needs"


def test_this_environment_is_the_pinned_one(pins: dict[str, Version]) -> None:
    installed = {name: Version(importlib.metadata.version(name)).public for name in pins}
    assert installed == {name: str(version) for name, version in pins.items()}


def test_conda_environment_is_the_same(project: dict[str, Any]) -> None:
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())["dependencies"]
    (python,) = [item for item in environment if isinstance(item, str) and item.startswith("python=")]
    assert Version(python.removeprefix("python=")) in SpecifierSet(project["requires-python"])
    (with_pip,) = [item["pip"] for item in environment if isinstance(item, dict)]
    extras = ",".join(sorted(project["optional-dependencies"]))
    assert with_pip == ["--constraint constraints.txt", f"--editable .[{extras}]"]


def test_dependencies_are_what_the_code_imports(project: dict[str, Any]) -> None:
    distributions = importlib.metadata.packages_distributions()
    foreign = {
        name for name in imports(ROOT / "llast") if name not in sys.stdlib_module_names | PARTS | {"llast"}
    }
    optional = {
        canonicalize_name(Requirement(text).name) for text in project["optional-dependencies"]["demo"]
    }
    declared = {canonicalize_name(Requirement(text).name) for text in project["dependencies"]} | optional
    offered = {
        name: {canonicalize_name(found) for found in distributions.get(name, [name])} for name in foreign
    }
    undeclared = [name for name, found in offered.items() if not found & declared]
    assert not undeclared
    assert declared - COMMANDS <= set().union(*offered.values()), "dependencies that nothing imports"


def test_each_dependency_has_its_reason(project: dict[str, Any]) -> None:
    decisions = (ROOT / "docs" / "decisions.md").read_text().split("## Dependencies")[1].split("\n## ")[0]
    reasons = set(re.findall(r"^\| `([\w.-]+)", decisions, re.MULTILINE))
    assert reasons == {requirement.name for requirement in direct(project)}


@pytest.mark.parametrize("recipe", ["llast.def", "Dockerfile"])
def test_containers_hold_the_pinned_environment(recipe: str, project: dict[str, Any]) -> None:
    text = (ROOT / "containers" / recipe).read_text()
    conda = (ROOT / "environment.yml").read_text()
    python = re.search(r"python:([\d.]+)-slim", text)
    assert python
    assert f"python={python[1]}\n" in conda
    assert f"Python {python[1]}." in (ROOT / "constraints.txt").read_text().splitlines()[0]
    assert "pip install --no-cache-dir --constraint constraints.txt '.[gpu]'" in text
    assert "gpu" in project["optional-dependencies"]
    copied = re.findall(r"^(?:COPY |    )((?:[\w.]+ )+)/opt/llast/", text, re.MULTILINE)
    files = {name for names in copied for name in names.split()}
    assert {"pyproject.toml", "constraints.txt", "llast"} <= files
    assert all((ROOT / name).exists() for name in files), "everything that the recipe copies"


@pytest.mark.parametrize(
    "page",
    [
        *(ROOT / "docs").glob("*.md"),
        *(ROOT / name for name in ("README.md", "config/README.md", "profiles/slurm/README.md")),
    ],
    ids=lambda page: str(page.relative_to(ROOT)),
)
def test_what_a_page_names_exists(page: Path) -> None:
    named = re.findall(r"(?<![\w./-])(?:llast|tools|config|tests)/[\w./{*<-]*", page.read_text())
    paths = {name.rstrip(".-") for name in named if not re.search(r"[{*<]", name)}
    assert not sorted(path for path in paths - THE_READERS if not (ROOT / path).exists())
