"""`llast plan`: published amounts, results that exist, machines of a profile, figures that benchmarks replace."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from llast.errors import ConfigError, DataError
from llast.planning.figures import load_figures
from llast.planning.machines import read_profile

RECORD = '[{"full": true, "date": "2026-11-24", "machine": "one H200", "rates": {"score_speed": %s}}]'
ROOT = Path(__file__).parents[3]


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    for name in ("config", "profiles", "llast"):
        (tmp_path / name).symlink_to(ROOT / name)
    return tmp_path


def llast_plan(folder: Path, *arguments: object, code: int = 0) -> str:
    result = subprocess.run(
        [sys.executable, "-m", "llast", "plan", *map(str, arguments)],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert result.returncode == code, result.stderr
    return result.stdout if code == 0 else result.stderr


def stage(text: str, name: str) -> dict[str, str]:
    lines = text.splitlines()
    head = ["stage", "jobs", "done", "rows", "audio", "disk", "cores", "gpus"]
    (line,) = [line for line in lines if line.startswith(f"{name} ") and len(line.split()) == 8]
    return dict(zip(head, line.split(), strict=True))


def totals(text: str, name: str) -> list[str]:
    (line,) = [line for line in text.splitlines() if re.match(rf"{name} +\d", line)]
    return line.split()[1:]


def test_covost2_has_the_published_rows_and_hours(clone: Path) -> None:
    text = llast_plan(clone, "--profile", "profiles/slurm")
    assert re.match(r"config/config\.yaml \+ config/covost2\.yaml: .*\bcovost2\b.*\b36 pairs.*\b22 ", text)
    assert (
        stage(text, "resample")["rows"] == "1,164,638"
    )  # clips, summed over the languages of arXiv 2007.10310
    assert stage(text, "resample")["audio"] == "1,637"
    assert stage(text, "join")["rows"] == f"{652_586 + 94_780 + 96_780 + 15 * (289_430 + 2 * 15_531):,}"
    # One epoch of the released configuration: 454,125 ST and as many ASR, 868,290 En->X and 289,430 English ASR.
    assert "llast-2b: 2,065,970 rows on 743,555 clips, 8,071 steps" in text
    x_en, en_x = 21 * 500 - 116 + 96_780, 15 * (500 + 15_531)  # ta dev: 384
    # Three trained experiments and a cascade on all pairs, Whisper into English.
    assert stage(text, "score")["rows"] == f"{4 * (x_en + en_x) + x_en:,}"
    assert re.search(r"[Aa]rchives.* 103 GB", text)


def test_training_needs_gpus_where_the_profile_has_some_and_cores_where_not(clone: Path) -> None:
    slurm = llast_plan(clone, "--profile", "profiles/slurm")
    local = llast_plan(clone, "--configfile", "config/covost2.yaml")
    assert stage(slurm, "train")["cores"] == stage(local, "train")["gpus"] == "-"
    assert float(stage(slurm, "train")["gpus"]) > 1
    assert float(stage(local, "train")["cores"].replace(",", "")) > 1000
    (hours, wall) = re.findall(r"trained; ([\d.]+) GPU-hours, ([\d.]+) h on 8", slurm)[0]
    assert float(wall) == pytest.approx(float(hours) / 8, abs=0.5 / 8 + 0.005), "hours are rounded"


def test_what_exists_is_counted_and_taken_off_what_is_left(clone: Path) -> None:
    before = llast_plan(clone)
    assert totals(before, "all") == [*totals(before, "left")]
    for file in (
        "resources/demo/resample/fr",
        "resources/demo/resample/de",
        "results/demo-llast/seed1/train",
    ):
        (clone / file).mkdir(parents=True)
    (clone / "resources/demo/resample/fr/summary.json").touch()
    (clone / "results/demo-llast/seed1/train/run.json").touch()
    after = llast_plan(clone)
    assert (stage(after, "resample")["jobs"], stage(after, "resample")["done"]) == ("6", "1")
    assert (stage(after, "train")["jobs"], stage(after, "train")["done"]) == ("2", "1")
    assert totals(after, "all")[2:] == totals(before, "all")[2:]
    assert int(totals(after, "left")[0]) == int(totals(before, "left")[0]) - 2
    assert float(totals(after, "left")[3]) < float(totals(before, "left")[3])


def test_benchmarks_of_this_machine_replace_shipped_figures(clone: Path) -> None:
    def record(value: float, date: str, full: bool = True) -> list[dict[str, object]]:
        return [{"rates": {"gpu_utilisation": value}, "date": date, "full": full, "machine": "one H200"}]

    shipped = llast_plan(clone, "--profile", "profiles/slurm")
    assert re.search(r"gpu_utilisation +0.136 .* measured: .*H200", shipped)
    results = clone / "benchmarks/results"
    results.mkdir(parents=True)
    (results / "newest.json").write_text(json.dumps(record(0.0272, "2026-11-24")))
    (results / "older.json").write_text(json.dumps(record(0.9, "2026-11-23")))
    (results / "reduced.json").write_text(json.dumps(record(0.8, "2026-11-25", full=False)))
    measured = llast_plan(clone, "--profile", "profiles/slurm")
    assert re.search(
        r"gpu_utilisation +0.0272 .* measured here: .*newest.json, 2026-11-24, one H200", measured
    )
    hours = [float(stage(text, "train")["gpus"]) for text in (shipped, measured)]
    assert hours[1] == pytest.approx(5 * hours[0], rel=0.02)


@pytest.mark.parametrize(
    "text", ["{}x", "[{}]", RECORD % "NaN", RECORD % "1e999", RECORD % "0", RECORD % '"fast"']
)
def test_a_record_that_cannot_be_used_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "broken.json").write_text(text)
    with pytest.raises(DataError, match=r"broken\.json"):
        load_figures(tmp_path)


def test_a_record_that_can_be_used_is_read(tmp_path: Path) -> None:
    (tmp_path / "good.json").write_text(RECORD % "12")
    assert load_figures(tmp_path)["score_speed"].value == 12


@pytest.mark.parametrize("nodes", [".nan", ".inf", "1e999", "0", "-1", "1.5", "some"])
def test_a_profile_with_a_number_that_is_none_is_named(tmp_path: Path, nodes: str) -> None:
    profile = tmp_path / "profile.yaml"
    profile.write_text(f"set-resources: {{train: {{nodes: {nodes}}}}}")
    with pytest.raises(ConfigError, match=r"profile\.yaml: 'set-resources\.train\.nodes'"):
        read_profile(tmp_path)
    profile.write_text(f"set-resources: ['train:nodes={nodes}']")
    with pytest.raises(ConfigError, match=r"profile\.yaml: 'set-resources\.train\.nodes'"):
        read_profile(profile)


def test_rows_of_every_task_are_counted_and_directions_out_of_english_thinned(clone: Path) -> None:
    (clone / "config").unlink()
    shutil.copytree(ROOT / "config", clone / "config")
    (clone / "config/experiments/mixed.yaml").write_text(
        "extends: llast-2b\nmixture: {pairs: [ja_en, en_de, en_ja], tasks: {st: 0.5, asr: 1, cot: 1}, en_x_step: 4}\n"
    )
    (clone / "mine.yaml").write_text("corpus: covost2\nexperiments: [mixed]\n")
    japanese, english = 1_119, 289_430  # rows of train, as published
    rows = 1.5 * japanese + japanese + 1.5 * 2 * -(-english // 4) + english
    text = llast_plan(clone, "--configfile", "mine.yaml")
    (line,) = [line for line in text.splitlines() if "mixed:" in line]
    assert line.startswith(f"mixed: {rows:,.0f} rows on {japanese + english:,} clips, ")


def test_a_base_that_nobody_knows_is_named_and_not_counted(clone: Path) -> None:
    (clone / "config").unlink()
    (clone / "config/experiments").mkdir(parents=True)
    for name in ("config.yaml", "covost2.yaml", "corpora", "experiments/llast-2b.yaml"):
        (clone / "config" / name).symlink_to(ROOT / "config" / name)
    (clone / "config/experiments/other.yaml").write_text("extends: llast-2b\nllm: {base: who/knows@main}\n")
    (clone / "mine.yaml").write_text("corpus: covost2\nexperiments: [other]\n")
    text = llast_plan(clone, "--configfile", "mine.yaml")
    assert "who/knows@main" in text
    assert stage(text, "train")["cores"] == "-"


@pytest.mark.parametrize(
    ("source", "fetched", "stored"),
    [
        ("local", 0.4, 94),
        ("huggingface", 47.6, 94),
        ("prepared", 0, 0),
    ],
)
def test_the_source_decides_what_is_downloaded_and_stored(
    clone: Path, source: str, fetched: float, stored: float
) -> None:
    (clone / "config").unlink()
    shutil.copytree(ROOT / "config", clone / "config")
    more = {"local": ", audio: 'cv/{lang}'", "prepared": ", folder: data"}.get(source, "")
    (clone / "config/corpora/covost2.yaml").write_text(f"pairs: all\nsource: {{kind: {source}{more}}}\n")
    text = llast_plan(clone, "--configfile", "config/covost2.yaml")
    assert float(stage(text, "fetch")["disk"].replace("-", "0")) == pytest.approx(fetched, rel=0.02, abs=0.05)
    assert float(stage(text, "resample")["disk"].replace("-", "0")) == pytest.approx(stored, rel=0.02)


def test_mistakes_are_one_message(clone: Path) -> None:
    assert "there is no profile.yaml in nowhere" in llast_plan(clone, "--profile", "nowhere", code=2)
    assert "missing.yaml does not exist" in llast_plan(clone, "--configfile", "missing.yaml", code=2)


def test_nothing_heavy_is_imported(clone: Path) -> None:
    program = (
        "import sys; from llast.cli import main; assert main(['plan']) == 0; "
        "print(sorted({'torch', 'transformers', 'mlflow', 'snakemake'} & set(sys.modules)))"
    )
    output = subprocess.run(
        [sys.executable, "-c", program], cwd=clone, capture_output=True, text=True, timeout=60
    )
    assert output.stdout.splitlines()[-1] == "[]"
