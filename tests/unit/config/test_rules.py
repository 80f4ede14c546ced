"""Each rule is given the part of the configuration that its step reads, and nothing else."""

import json
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from llast.config import layout
from llast.config.resolved import ResolvedConfig, resolve
from llast.config.rules.corpus import CorpusRules
from llast.config.rules.experiment import ExperimentRules
from llast.config.rules.results import ResultsRules
from llast.config.steps import DecodeOptions, DescribeOptions, FetchOptions, TrainSpec
from llast.errors import ConfigError

ROOT = Path(__file__).parents[3]
WORKFLOW = {"corpus": "small", "experiments": ["one", "two"], "seeds": [1, 2]}
CORPUS = {
    "pairs": ["fr_en", "zh-CN_en", "en_de"],
    "source": {"kind": "synthetic", "options": {"train": 5}},
}
EXPERIMENT = {
    "encoder": {"base": "org/enc@abc"},
    "llm": {"base": "./llm"},
    "mixture": {"pairs": ["fr_en"]},
    "training": {"checkpoints": 2},
}


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for folder in ("config/corpora", "config/experiments", "llm"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "llm/config.json").write_text("{}")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def resolved(workflow: dict[str, Any], corpus: dict[str, Any], one: dict[str, Any]) -> ResolvedConfig:
    Path("config/corpora/small.yaml").write_text(yaml.safe_dump(corpus))
    Path("config/experiments/one.yaml").write_text(yaml.safe_dump(one))
    Path("config/experiments/two.yaml").write_text(yaml.safe_dump(EXPERIMENT))
    return resolve(workflow)


def merged(base: dict[str, Any], change: dict[str, Any]) -> dict[str, Any]:
    return {**base, **{k: {**base.get(k, {}), **v} if isinstance(v, dict) else v for k, v in change.items()}}


def test_options_are_what_the_steps_models_read(here: Path) -> None:
    config = resolved(WORKFLOW, CORPUS, EXPERIMENT)
    corpus, experiment = CorpusRules(config), ExperimentRules(config)
    wildcards = SimpleNamespace(experiment="one", source="zh-CN", seed="1")
    training = config.trained["one"].training
    assert TrainSpec.model_validate_json(experiment.train_options(wildcards)).training == training
    assert DecodeOptions.model_validate_json(experiment.decode_options(wildcards)).dev_rows == 500
    assert FetchOptions.model_validate_json(corpus.fetch_options(wildcards)).source.kind == "synthetic"
    assert json.loads(corpus.synthesize_options)["train"] == 5


def test_inputs_are_the_files_that_are_needed(here: Path) -> None:
    config = resolved(WORKFLOW, CORPUS, EXPERIMENT)
    corpus, experiment, results = CorpusRules(config), ExperimentRules(config), ResultsRules(config)
    wildcards = SimpleNamespace(experiment="one", source="en", seed="2", checkpoint="1")
    assert corpus.pairs(wildcards) == ["en_de"]
    assert corpus.synthesized == ["resources/small/synthesize/{source}/summary.json"]
    assert experiment.train_audio(wildcards) == ["resources/small/resample/fr/summary.json"], (
        "of trained pairs only"
    )
    assert experiment.filtered == [f"resources/small/filter/{s}/summary.json" for s in ("fr", "zh-CN", "en")]
    assert experiment.encoder_files(wildcards) == ["resources/models/org--enc@abc/summary.json"]
    assert experiment.llm_files(wildcards) == ["llm/config.json"]
    assert config.models == {"org--enc@abc": "org/enc@abc"}
    assert experiment.decoded(wildcards) == [
        f"results/one/seed2/decode/checkpoint1/{source}/summary.json" for source in ("fr", "zh-CN", "en")
    ]
    assert len(results.run_manifests) == 4
    assert len(results.score_files) == 4 * 2 * 2
    assert results.published(wildcards) == []


def outputs() -> dict[str, list[str]]:
    """What each rule declares to write."""
    text = "\n".join(path.read_text() for path in sorted((ROOT / "workflow/rules").glob("*.smk")))
    rules = re.findall(r"^rule (\w+):\n(.*?)(?=^\S|\Z)", text, re.MULTILINE | re.DOTALL)
    blocks = {rule: re.search(r"    output:\n(.*?)\n    \w", body, re.DOTALL) for rule, body in rules}
    return {
        rule: re.findall(r'"((?:results|resources)/[^"]*)"', block.group(1))
        for rule, block in blocks.items()
        if block
    }


def test_the_rules_write_where_the_layout_says() -> None:
    run = layout.run_folder("{experiment}", "{seed}")
    steps = ("synthesize", "fetch", "resample", "join", "filter")
    expected = {step: layout.corpus_summary("{corpus}", step, "{source}") for step in steps} | {
        "fetch_model": layout.model_summary("{model}"),
        "mix": layout.mix_summary(run),
        "train": layout.run_manifest(run, "train"),
        "describe": layout.run_manifest(run, "describe"),
        "decode": layout.decode_summary(run, "{checkpoint}", "{source}"),
        "score": layout.score_file(run, "{checkpoint}", "{split}"),
        "compare": layout.comparison(run),
        "statistics": layout.CORPUS_STATISTICS,
        "report": layout.REPORT,
        "track": layout.TRACK,
    }
    found = outputs()
    table = found.pop("table")
    assert found == {rule: [path] for rule, path in expected.items()}
    assert {layout.TABLE, layout.SCORES} <= set(table)


def test_a_corpus_without_dev_sets_decodes_and_scores_none(here: Path) -> None:
    config = resolved(WORKFLOW, {**CORPUS, "dev_sets": False}, EXPERIMENT)
    scores = ResultsRules(config).score_files
    assert scores
    assert not [path for path in scores if ".dev." in path]
    assert any(".dev." in path for path in ResultsRules(resolved(WORKFLOW, CORPUS, EXPERIMENT)).score_files)


def test_published_scores_stand_beside_real_data_only(here: Path) -> None:
    local = {**CORPUS, "source": {"kind": "local", "audio": "{lang}", "tables": "{pair}"}}
    config = resolved(WORKFLOW, local, EXPERIMENT)
    assert ResultsRules(config).published(SimpleNamespace()) == [], "there is no such file"
    Path("config/published.csv").touch()
    assert ResultsRules(config).published(SimpleNamespace()) == ["config/published.csv"]
    assert ResultsRules(resolved(WORKFLOW, CORPUS, EXPERIMENT)).published(SimpleNamespace()) == []
    assert CorpusRules(config).synthesized == []


def test_another_languages_data_set_fetches_nothing_again(here: Path) -> None:
    wildcards = SimpleNamespace(source="fr")

    def options(**ids: str) -> str:
        source = {"kind": "mdc", "datasets": {"fr": "f", "zh-CN": "z", "en": "e", **ids}}
        config = resolved(WORKFLOW, {**CORPUS, "source": source}, EXPERIMENT)
        return CorpusRules(config).fetch_options(wildcards)

    assert options(en="new") == options() != options(fr="new")


@pytest.mark.parametrize(
    ("source", "downloads"),
    [
        ({"kind": "synthetic"}, 0),
        ({"kind": "prepared", "folder": "data"}, 0),
        ({"kind": "local", "audio": "cv/{lang}"}, 1),
        ({"kind": "huggingface"}, 1),
    ],
)
def test_what_may_download_takes_one_of_the_slots(here: Path, source: dict[str, str], downloads: int) -> None:
    assert CorpusRules(resolved(WORKFLOW, {**CORPUS, "source": source}, EXPERIMENT)).downloads == downloads


def test_a_base_model_that_is_not_there_is_a_configuration_error(here: Path) -> None:
    with pytest.raises(ConfigError, match=r"'one': 'llm\.base': .*\./nowhere"):
        resolved(WORKFLOW, CORPUS, merged(EXPERIMENT, {"llm": {"base": "./nowhere"}}))


WHISPER = {"kind": "whisper", "whisper": {"base": "org/whisper@abc"}}
CASCADE = {"kind": "cascade", "whisper": {"base": "org/whisper@abc"}, "llm": {"base": "./llm"}}


def test_what_is_only_evaluated_is_described_and_runs_once(here: Path) -> None:
    config = resolved(WORKFLOW, CORPUS, WHISPER)
    experiment, results = ExperimentRules(config), ResultsRules(config)
    wildcards = SimpleNamespace(experiment="one", source="fr", seed="1", checkpoint="1")
    assert results.run_manifests == [
        "results/one/seed1/describe/run.json",
        "results/two/seed1/train/run.json",
        "results/two/seed2/train/run.json",
    ]
    assert len(results.mix_summaries) == 2
    assert len(results.score_files) == 2 + 2 * 4
    folder = "results/one/seed1/decode/checkpoint1"
    assert experiment.decoded(wildcards) == [
        f"{folder}/{source}/summary.json" for source in ("fr", "zh-CN")
    ], "Whisper translates into English only"
    assert experiment.base_arguments(wildcards) == ["whisper=resources/models/org--whisper@abc/summary.json"]
    assert DecodeOptions.model_validate_json(experiment.decode_options(wildcards)).asr_rows == 500
    spec = DescribeOptions.model_validate_json(experiment.describe_options(wildcards))
    assert spec.pairs == ["fr_en", "zh-CN_en"]
    with pytest.raises(ConfigError, match=r"'one' .*'whisper'"):
        experiment.train_options(wildcards)


def test_a_cascade_needs_all_its_models_and_translates_everything(here: Path) -> None:
    config = resolved(WORKFLOW, CORPUS, CASCADE)
    experiment = ExperimentRules(config)
    wildcards = SimpleNamespace(experiment="one", source="en", seed="1", checkpoint="1")
    assert experiment.base_files(wildcards) == [
        "resources/models/org--whisper@abc/summary.json",
        "llm/config.json",
    ]
    assert experiment.base_arguments(wildcards)[1] == "llm=llm/config.json"
    assert set(config.models) == {"org--whisper@abc", "org--enc@abc"}
    assert experiment.decode_pairs(wildcards) == ["en_de"]
    greedy = ExperimentRules(resolved(WORKFLOW, CORPUS, {**CASCADE, "decoding": {"num_beams": 1}}))
    assert greedy.describe_options(wildcards) == experiment.describe_options(wildcards), (
        "a beam changes what is decoded, not what it is"
    )
    assert greedy.decode_options(wildcards) != experiment.decode_options(wildcards)


def test_kinds_that_cannot_be(here: Path) -> None:
    with pytest.raises(ConfigError, match=r"one\.yaml: 'kind' .*'wisper'.*'whisper'"):
        resolved(WORKFLOW, CORPUS, {**WHISPER, "kind": "wisper"})
    with pytest.raises(ConfigError, match=r"one\.yaml: .*'training'"):
        resolved(WORKFLOW, CORPUS, {**WHISPER, "training": {}})
    with pytest.raises(ConfigError, match="'one': kind whisper"):
        resolved({**WORKFLOW, "experiments": ["one"]}, {**CORPUS, "pairs": ["en_de"]}, WHISPER)
    for prompt, message in (
        ("{txt}", r"\{txt\}"),
        ("to {target}", r"\{text\}"),
    ):
        with pytest.raises(ConfigError, match=rf"'llm.prompt': .*{message}"):
            resolved(WORKFLOW, CORPUS, {**CASCADE, "llm": {"base": "./llm", "prompt": prompt}})
