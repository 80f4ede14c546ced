"""What a shell or Slurm would read in names is found before anything runs."""

from pathlib import Path

import pytest
import yaml

from llast.config.resolved import ResolvedConfig, resolve
from llast.doctor.names import check_names, check_site
from llast.planning.machines import read_profile


def resolved(base: str) -> ResolvedConfig:
    """The configuration of one experiment, whose base model lies in a folder."""
    files = {
        "config/corpora/c.yaml": {"pairs": ["fr_en"], "source": {"kind": "synthetic"}},
        "config/experiments/e.yaml": {"kind": "whisper", "whisper": {"base": base}},
        f"{base}/config.json": {},
    }
    for name, values in files.items():
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_text(yaml.safe_dump(values), encoding="utf-8")
    return resolve({"corpus": "c", "experiments": ["e"]})


@pytest.mark.parametrize(
    ("base", "folder", "on_slurm", "status", "names"),
    [
        ("./whisper-ü", "clone", True, "good", ""),
        ("./w $(touch EXECUTED) x", "clone", False, "warn", "$(touch EXECUTED)"),
        ("./my bäses", "clone", False, "warn", "./my bäses"),
        ("./w", "my clone", False, "warn", "my clone"),
        ("./w", "100%j", False, "good", ""),
        ("./w", "100%j", True, "BAD", "100%j"),
        ("./w", "Ada's $(touch EXECUTED)", False, "warn", "Ada's"),
        ("./w", "Ada's $(touch EXECUTED)", True, "BAD", "Ada's"),
        ("./w", "a\nb", False, "BAD", "a\\nb"),
    ],
)
def test_paths(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    base: str,
    folder: str,
    on_slurm: bool,
    status: str,
    names: str,
) -> None:
    here = tmp_path / folder
    here.mkdir()
    monkeypatch.chdir(here)
    check = check_names(resolved(base), here, on_slurm)
    assert check.status == status
    assert names in check.line()
    assert bool(check.remedy) == (status != "good")


@pytest.mark.parametrize(
    ("resources", "status", "names"),
    [
        ({}, "good", ""),
        ({"decode": {"slurm_extra": "--constraint='a100&nvlink'"}}, "good", ""),
        ({"decode": {"slurm_extra": "--constraint=a100&nvlink"}}, "BAD", "decode"),
        ({"decode": {"slurm_extra": '--comment="$(touch EXECUTED)"'}}, "BAD", "decode"),
        ({"decode": {"slurm_extra": "--qos=long"}, "train": {"slurm_extra": "--qos=long"}}, "good", "2"),
        ({"decode": {"slurm_extra": "--qos=$(touch EXECUTED)"}}, "BAD", "$(touch EXECUTED)"),
        ({"train": {"slurm_extra": "--qos='$(touch EXECUTED)'"}}, "good", ""),
        ({"train": {"slurm_extra": "--qos='a"}}, "BAD", "extra"),
        ({"train": {"slurm_extra": "--output=x"}}, "BAD", "--output"),
        ({"train": {"slurm_partition": "a\nb"}}, "BAD", "partition"),
        ({"train": {"container_image": "nowhere.sif"}}, "BAD", "nowhere.sif"),
        ({"train": {"container_image": "docker://x"}}, "good", ""),
    ],
)
def test_values_of_a_site(
    tmp_path: Path, resources: dict[str, dict[str, str]], status: str, names: str
) -> None:
    (tmp_path / "profile.yaml").write_text(yaml.safe_dump({"set-resources": resources}))
    check = check_site(read_profile(tmp_path).site)
    assert check.status == status
    assert names in check.line()
