"""The plan gives each rule the part of the configuration that its step reads, and nothing else."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from llast.config.plan import Plan, make_plan
from llast.config.steps import DecodeOptions, DescribeOptions, FetchOptions, TrainSpec
from llast.errors import ConfigError

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


def plan(workflow: dict[str, Any], corpus: dict[str, Any], one: dict[str, Any]) -> Plan:
    Path("config/corpora/small.yaml").write_text(yaml.safe_dump(corpus))
    Path("config/experiments/one.yaml").write_text(yaml.safe_dump(one))
    Path("config/experiments/two.yaml").write_text(yaml.safe_dump(EXPERIMENT))
    return make_plan(workflow)


def merged(base: dict[str, Any], change: dict[str, Any]) -> dict[str, Any]:
    return {**base, **{k: {**base.get(k, {}), **v} if isinstance(v, dict) else v for k, v in change.items()}}


def params(a_plan: Plan) -> dict[str, str]:
    """What every rule is given besides files, by rule and what it is for."""
    found = {}
    rules = [name for name in dir(a_plan) if name.endswith("_options")]
    for rule in rules:
        for experiment in a_plan.experiments:
            wildcards = SimpleNamespace(experiment=experiment, source="fr", seed="1")
            scope = experiment if rule in ("mix_options", "train_options", "decode_options") else "corpus"
            found[f"{rule.removesuffix('_options')} {scope}"] = getattr(a_plan, rule)(wildcards)
    return found


def name(value: object) -> str:
    """A test's name, the same in every process: the order of a set is not."""
    return str(sorted(value) if isinstance(value, set) else value)


@pytest.mark.parametrize(
    ("change", "reruns"),
    [
        ({"decoding": {"num_beams": 2}}, {"decode one"}),
        ({"training": {"learning_rate": 1e-3}}, {"train one"}),
        ({"training": {"deepspeed": {"zero_optimization": {"stage": 3}}}}, {"train one"}),
        ({"encoder": {"window": "clip"}}, {"train one"}),
        ({"llm": {"lora": {"rank": 1, "alpha": 1}}}, {"train one"}),
        ({"adaptor": {"stack": 2}}, {"train one"}),
        ({"mixture": {"tasks": {"st": 1.0}}}, {"mix one", "train one", "decode one"}),
        ({"description": "another word"}, set()),
    ],
    ids=name,
)
def test_a_change_of_an_experiment_reaches_the_rules_that_read_it(
    here: Path, change: dict[str, Any], reruns: set[str]
) -> None:
    before = params(plan(WORKFLOW, CORPUS, EXPERIMENT))
    after = params(plan(WORKFLOW, CORPUS, merged(EXPERIMENT, change)))
    assert {name for name in before if before[name] != after[name]} == reruns


@pytest.mark.parametrize(
    ("change", "reruns"),
    [
        ({"resample": {"min_seconds": 0.2}}, {"resample corpus"}),
        ({"filter": {"max_seconds": 20}}, {"filter corpus"}),
        ({"official_counts": True}, {"join corpus", "statistics corpus"}),
        ({"source": {"options": {"train": 6}}}, {"synthesize corpus"}),
        (
            {"source": {"kind": "local", "audio": "a", "tables": "b", "options": None}},
            {"synthesize corpus", "fetch corpus"},
        ),
    ],
    ids=name,
)
def test_a_change_of_the_corpus_reaches_the_rules_that_read_it(
    here: Path, change: dict[str, Any], reruns: set[str]
) -> None:
    before = params(plan(WORKFLOW, CORPUS, EXPERIMENT))
    corpus = merged(CORPUS, change)
    corpus["source"] = {key: value for key, value in corpus["source"].items() if value is not None}
    after = params(plan(WORKFLOW, corpus, EXPERIMENT))
    assert {name for name in before if before[name] != after[name]} == reruns


@pytest.mark.parametrize(
    ("change", "reruns"),
    [
        ({"dev_rows": 7}, {"decode one", "decode two"}),
        ({"tracking_uri": "http://server"}, set()),
        ({"seeds": [3]}, set()),
    ],
    ids=name,
)
def test_a_change_of_the_workflow_reaches_the_rules_that_read_it(
    here: Path, change: dict[str, Any], reruns: set[str]
) -> None:
    before = params(plan(WORKFLOW, CORPUS, EXPERIMENT))
    after = params(plan({**WORKFLOW, **change}, CORPUS, EXPERIMENT))
    assert {name for name in before if before[name] != after[name]} == reruns


def test_options_are_what_the_steps_models_read(here: Path) -> None:
    a_plan = plan(WORKFLOW, CORPUS, EXPERIMENT)
    wildcards = SimpleNamespace(experiment="one", source="zh-CN", seed="1")
    one = a_plan.trained["one"]
    assert TrainSpec.model_validate_json(a_plan.train_options(wildcards)).training == one.training
    assert DecodeOptions.model_validate_json(a_plan.decode_options(wildcards)).dev_rows == 500
    assert FetchOptions.model_validate_json(a_plan.fetch_options(wildcards)).source.kind == "synthetic"
    assert json.loads(a_plan.synthesize_options(wildcards))["train"] == 5


def test_inputs_are_the_files_that_are_needed(here: Path) -> None:
    a_plan = plan(WORKFLOW, CORPUS, EXPERIMENT)
    wildcards = SimpleNamespace(experiment="one", source="en", seed="2", checkpoint="1")
    assert a_plan.source_pairs(wildcards) == ["en_de"]
    assert a_plan.fetch_inputs(wildcards) == ["resources/small/synthesize/en/summary.json"]
    assert a_plan.train_audio(wildcards) == ["resources/small/resample/fr/summary.json"], (
        "of trained pairs only"
    )
    assert a_plan.mix_inputs(wildcards) == [
        f"resources/small/filter/{s}/summary.json" for s in ("fr", "zh-CN", "en")
    ]
    assert a_plan.encoder_files(wildcards) == ["resources/models/org--enc@abc/summary.json"]
    assert a_plan.llm_files(wildcards) == ["llm/config.json"]
    assert a_plan.models == {"org--enc@abc": "org/enc@abc"}
    assert a_plan.translations(wildcards) == [
        f"results/one/seed2/decode/checkpoint1/{source}/summary.json" for source in ("fr", "zh-CN", "en")
    ]
    assert len(a_plan.run_files(wildcards)) == 4
    assert len(a_plan.score_files(wildcards)) == 4 * 2 * 2
    assert a_plan.published_scores(wildcards) == []


def test_published_scores_stand_beside_real_data_only(here: Path) -> None:
    local = {**CORPUS, "source": {"kind": "local", "audio": "a", "tables": "b"}}
    a_plan = plan(WORKFLOW, local, EXPERIMENT)
    wildcards = SimpleNamespace(source="fr")
    assert a_plan.published_scores(wildcards) == ["config/published.csv"]
    assert a_plan.fetch_inputs(wildcards) == []


def test_another_languages_data_set_fetches_nothing_again(here: Path) -> None:
    wildcards = SimpleNamespace(source="fr")

    def options(**ids: str) -> str:
        source = {"kind": "mdc", "datasets": {"fr": "f", "zh-CN": "z", "en": "e", **ids}}
        return plan(WORKFLOW, {**CORPUS, "source": source}, EXPERIMENT).fetch_options(wildcards)

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
    a_plan = plan(WORKFLOW, {**CORPUS, "source": source}, EXPERIMENT)
    assert a_plan.downloads(SimpleNamespace(source="fr")) == downloads


def test_a_base_model_that_is_not_there_is_a_configuration_error(here: Path) -> None:
    with pytest.raises(ConfigError, match=r"experiment 'one': 'llm.base': there is no model in \./nowhere"):
        plan(WORKFLOW, CORPUS, merged(EXPERIMENT, {"llm": {"base": "./nowhere"}}))


WHISPER = {"kind": "whisper", "whisper": {"base": "org/whisper@abc"}}
CASCADE = {"kind": "cascade", "whisper": {"base": "org/whisper@abc"}, "llm": {"base": "./llm"}}


def test_what_is_not_trained_is_described_and_runs_once(here: Path) -> None:
    a_plan = plan(WORKFLOW, CORPUS, WHISPER)
    wildcards = SimpleNamespace(experiment="one", source="fr", seed="1", checkpoint="1")
    assert a_plan.run_files(wildcards) == [
        "results/one/seed1/describe/run.json",
        "results/two/seed1/train/run.json",
        "results/two/seed2/train/run.json",
    ]
    assert len(a_plan.mix_summaries(wildcards)) == 2
    assert len(a_plan.score_files(wildcards)) == 2 + 2 * 4
    folder = "results/one/seed1/decode/checkpoint1"
    assert a_plan.translations(wildcards) == [
        f"{folder}/{source}/summary.json" for source in ("fr", "zh-CN")
    ], "Whisper translates into English only"
    assert a_plan.base_arguments(wildcards) == "whisper=resources/models/org--whisper@abc/summary.json"
    assert DecodeOptions.model_validate_json(a_plan.decode_options(wildcards)).asr_rows == 500
    spec = DescribeOptions.model_validate_json(a_plan.described(wildcards))
    assert spec.pairs == ["fr_en", "zh-CN_en"]
    with pytest.raises(ConfigError, match="'one' is of kind 'whisper', which is not trained"):
        a_plan.train_options(wildcards)


def test_a_cascade_needs_all_its_models_and_translates_everything(here: Path) -> None:
    a_plan = plan(WORKFLOW, CORPUS, CASCADE)
    wildcards = SimpleNamespace(experiment="one", source="en", seed="1", checkpoint="1")
    assert a_plan.base_files(wildcards) == [
        "resources/models/org--whisper@abc/summary.json",
        "llm/config.json",
    ]
    assert a_plan.base_arguments(wildcards).endswith(" llm=llm/config.json")
    assert set(a_plan.models) == {"org--whisper@abc", "org--enc@abc"}
    assert a_plan.decode_pairs(wildcards) == ["en_de"]
    before = a_plan.described(wildcards), a_plan.decode_options(wildcards)
    changed = plan(WORKFLOW, CORPUS, {**CASCADE, "decoding": {"num_beams": 1}})
    assert changed.described(wildcards) == before[0], "a beam changes what is translated, not what it is"
    assert changed.decode_options(wildcards) != before[1]


def test_kinds_that_cannot_be(here: Path) -> None:
    with pytest.raises(ConfigError, match=r"one.yaml: 'kind' is 'wisper'. Did you mean 'whisper'"):
        plan(WORKFLOW, CORPUS, {**WHISPER, "kind": "wisper"})
    with pytest.raises(ConfigError, match=r"one.yaml: unknown key 'training'"):
        plan(WORKFLOW, CORPUS, {**WHISPER, "training": {}})
    with pytest.raises(ConfigError, match="kind whisper translates into English only"):
        plan({**WORKFLOW, "experiments": ["one"]}, {**CORPUS, "pairs": ["en_de"]}, WHISPER)
    for prompt, message in (
        ("{txt}", "'txt' cannot be filled in"),
        ("to {target}", "has to stand in it once"),
    ):
        with pytest.raises(ConfigError, match=rf"'llm.prompt': .*{message}"):
            plan(WORKFLOW, CORPUS, {**CASCADE, "llm": {"base": "./llm", "prompt": prompt}})
