"""The profile for Slurm knows every rule that it submits."""

import re

from llast.config.yaml_file import read_yaml
from tests.workflow.conftest import ROOT

PROFILE = ROOT / "profiles/slurm/profile.yaml"


def submitted_rules() -> set[str]:
    """Rules that are not local; `train` submits a job of its own."""
    text = "\n".join(path.read_text() for path in sorted((ROOT / "workflow").rglob("*.smk")))
    local = {
        name
        for block in re.findall(r"^localrules:\n((?:    \w+,\n)+)", text, re.MULTILINE)
        for name in block.split(",\n    ")
    }
    local = {name.strip(" ,\n") for name in local}
    return set(re.findall(r"^rule (\w+):", text, re.MULTILINE)) - local


def test_memory_and_time_of_every_job_grow_with_its_retries() -> None:
    resources = read_yaml(PROFILE)["set-resources"]
    assert submitted_rules() == set(resources) - {"train"}
    for rule in submitted_rules():
        assert re.fullmatch(r"\d+ \* attempt", resources[rule]["mem_mb"]), rule
        assert re.fullmatch(r"\d+ \* attempt", resources[rule]["runtime"]), rule


def test_rules_do_not_retry_by_themselves() -> None:
    text = "\n".join(path.read_text() for path in sorted((ROOT / "workflow").rglob("*.smk")))
    assert re.findall(r"^    retries: (\d+)", text, re.MULTILINE) == ["0"], (
        "only train's, whose launcher does it"
    )


def test_everything_about_a_site_is_in_one_block() -> None:
    text = PROFILE.read_text()
    block, rest = text.split("\n\n")[1:3]
    keys = set(re.findall(r"&([\w-]+)", block))
    assert keys
    assert keys == set(re.findall(r"\*([a-z][\w-]*)", rest)) - {"attempt"}
