"""Every option and every file that a user owns, changed in turn, and the jobs that this makes run again.

What a job is given is read from the rules themselves: Snakemake runs it again when its params or the list of its inputs
change, or when an input is newer. What follows from these jobs `tests/workflow/test_rerun.py` asks Snakemake.
"""

import os
import re
from itertools import product
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from pydantic import BaseModel

from llast.config.corpus import CorpusConfig
from llast.config.evaluation_only import CascadeExperiment, PretrainedExperiment, WhisperExperiment
from llast.config.experiment import ExperimentConfig
from llast.config.resolved import resolve
from llast.config.rules.corpus import CorpusRules
from llast.config.rules.experiment import ExperimentRules
from llast.config.rules.results import ResultsRules
from llast.config.schema import describe
from llast.config.workflow import WorkflowConfig
from llast.errors import ConfigError

RULES = Path(__file__).parents[3] / "workflow" / "rules"
BASES = ("encoder", "llm", "whisper", "exported", "other")
LORA = {"rank": 2, "alpha": 2}
CONFIGS: dict[str, dict[str, Any]] = {
    "config": {"corpus": "small", "experiments": ["one", "two", "w", "c", "p"]},
    "corpora/small": {"pairs": ["fr_en", "en_de"], "source": {"kind": "prepared", "folder": "data"}},
    "experiments/one": {
        "encoder": {"base": "./encoder", "lora": LORA},
        "llm": {"base": "./llm", "lora": LORA},
        "mixture": {"pairs": ["fr_en"]},
        "training": {"checkpoints": 2, "max_steps": 10},
    },
    "experiments/two": {"encoder": {"base": "./other"}, "llm": {"base": "./other"}, "mixture": {"pairs": ["fr_en"]}},
    "experiments/w": {"kind": "whisper", "whisper": {"base": "./whisper"}},
    "experiments/c": {"kind": "cascade", "whisper": {"base": "./whisper"}, "llm": {"base": "./llm"}},
    "experiments/p": {"kind": "pretrained", "model": "./exported"},
}  # fmt: skip
ALL = ("one", "two", "w", "c", "p")


def jobs(rule: str, *names: str) -> set[str]:
    return {f"{rule} {name}" for name in names}


SHOWN = {"table", "report", "track"}
FETCH, RESAMPLE, FILTER = {"fetch"}, {"resample"}, {"filter"}
MIX, TRAIN, DECODE = (jobs(rule, "one") for rule in ("mix", "train", "decode"))
OTHER_MODEL = {"base": "./other"}
Changes = dict[str, tuple[Any, set[str]]]

DECODING: dict[str, Any] = {"num_beams": 2, "max_new_tokens": 9, "batch_tokens": 99, "average_last": 2}
COMMON = {"extends", "kind"}
"""Options that say which configuration it is."""


def of_any(name: str) -> Changes:
    """Options that experiments of every kind have."""
    decoding: Changes = {f"decoding.{key}": (value, jobs("decode", name)) for key, value in DECODING.items()}
    about: Changes = {
        "description": ("words", set()),
        "baseline": ("two", jobs("compare", name) | {"table", "report"}),
    }
    return about | decoding


def of_evaluated(name: str, **options: tuple[Any, bool]) -> Changes:
    """Options of an experiment that is evaluated as it comes: a value, and whether `decode` itself reads it too."""
    changes: Changes = {
        key.replace("__", "."): (value, jobs("describe", name) | (jobs("decode", name) if decodes else set()))
        for key, (value, decodes) in options.items()
    }
    return changes | of_any(name)


CHANGES: dict[str, tuple[type[BaseModel], Changes]] = {
    "config": (
        WorkflowConfig,
        {
            "experiments": (["one", "two", "w", "c"], {"decode p", "describe p", "score p"} | SHOWN),
            "seeds": ([1, 2], SHOWN),  # jobs of the new seed, and what shows all
            "dev_rows": (7, jobs("decode", *ALL)),
            "test_rows": (7, jobs("decode", *ALL)),
            "asr_rows": (7, jobs("decode", *ALL)),
            "case": ("lower", SHOWN),
            "comet_command": ("comet", jobs("score", *ALL)),
            "comet_model": ("org/comet", jobs("score", *ALL)),
            "tracking_uri": ("http://server", set()),
        },
    ),
    "corpora/small": (
        CorpusConfig,
        {
            "source.folder": ("elsewhere", FETCH),
            "source.copy_audio": (True, FETCH),
            "splits": ({"validation": "dev"}, FETCH),
            "dev_sets": (False, FETCH | jobs("decode", *ALL) | SHOWN),
            "official_counts": (True, {"join", "statistics"}),
            "resample.min_seconds": (0.2, RESAMPLE),
            "resample.clips_per_shard": (5, RESAMPLE),
            "filter.repair_source": (False, FILTER),
            "filter.drop_unfit": (False, FILTER),
            "filter.min_seconds": (1.0, FILTER),
            "filter.max_seconds": (20.0, FILTER),
            "filter.max_characters": (100, FILTER),
            "filter.max_speech_rate": (3.0, FILTER),
            "filter.min_speech_rate": (0.2, FILTER),
            "filter.max_length_ratio": (3.0, FILTER),
            "filter.max_missing": (0.5, FILTER),
        },
    ),
    "experiments/one": (
        ExperimentConfig,
        {
            "encoder.base": ("./other", TRAIN | DECODE),
            "encoder.window": ("clip", TRAIN),
            "encoder.lora": (None, TRAIN),
            "encoder.lora.rank": (3, TRAIN),
            "encoder.lora.alpha": (3, TRAIN),
            "encoder.lora.targets": (["fc1"], TRAIN),
            "adaptor.stack": (2, TRAIN),
            "llm.base": ("./other", TRAIN | DECODE),
            "llm.template": ("chat", TRAIN),
            "llm.load_in_4bit": (True, TRAIN),
            "llm.lora": (None, TRAIN),
            "llm.lora.rank": (3, TRAIN),
            "llm.lora.alpha": (3, TRAIN),
            "llm.lora.targets": (["fc1"], TRAIN),
            "mixture.pairs": (["en_de"], MIX | TRAIN),
            "mixture.tasks": ({"st": 1.0}, MIX | TRAIN | DECODE),  # whether there are transcripts to ask for
            "mixture.en_x_step": (2, MIX | TRAIN),
            "mixture.temperature": (2.0, MIX | TRAIN),
            "mixture.speeds": ([0.9], MIX | TRAIN),
            "mixture.dev_rows": (3, MIX | TRAIN),
            "mixture.leakage": ("drop", MIX | TRAIN),
            "training.epochs": (2.0, TRAIN),
            "training.max_steps": (11, TRAIN),
            "training.rows_per_update": (3, TRAIN),
            "training.tokens_per_micro_batch": (100, TRAIN),
            "training.learning_rate": (0.1, TRAIN),
            "training.warmup": (0.1, TRAIN),
            "training.betas": ([0.8, 0.9], TRAIN),
            "training.weight_decay": (0.1, TRAIN),
            "training.clip_norm": (2.0, TRAIN),
            "training.loss_limit": (5.0, TRAIN),
            "training.checkpoints": (3, TRAIN | SHOWN),
            "training.save_every": (3, TRAIN),
            "training.dev_every": (3, TRAIN),
            "training.precision": ("float32", TRAIN),
            "training.gradient_checkpointing": (True, TRAIN),
            "training.compile": (False, TRAIN),
            "training.deepspeed": ({"zero_optimization": {"stage": 1}}, TRAIN),
            **of_any("one"),
        },
    ),
    "experiments/w": (
        WhisperExperiment,
        of_evaluated(
            "w",
            whisper__base=("./other", True),
            whisper__window=("clip", False),
            precision=("float32", False),
        ),
    ),
    "experiments/c": (
        CascadeExperiment,
        of_evaluated(
            "c",
            whisper__base=("./other", True),
            whisper__window=("clip", False),
            llm__base=("./other", True),
            llm__template=("llama2", False),
            llm__prompt=("Say {text}", False),
            precision=("float32", False),
        ),
    ),
    "experiments/p": (
        PretrainedExperiment,
        of_evaluated(
            "p",
            model=("./other", True),
            pairs=(["fr_en"], False),
            asr=(False, True),
            precision=("float32", False),
        ),
    ),
}
"""By configuration: its options, each with another value and the jobs that read it. Those of a training that decide no
weight lead to its job too, which finds all done (`tests/unit/training/test_identity.py`)."""

NOT_HERE = {
    "config": {"corpus", "config_dir"},  # everything lies elsewhere then
    "corpora/small": {"pairs", "source.kind"},  # likewise; other kinds are below
    "experiments/one": {"encoder.lora.dropout", "llm.lora.dropout"},  # both at once, below
}

SOURCES: dict[str, tuple[dict[str, Any], Changes]] = {
    "local": ({"audio": "{lang}.tar.gz"}, {"audio": ("{lang}.tar", FETCH), "tables": ("{pair}.tsv", FETCH)}),
    "url": (
        {"audio": "https://a/{lang}.tar.gz"},
        {"audio": ("https://b/{lang}.tar.gz", FETCH), "tables": ("https://b/{pair}.tsv", FETCH)},
    ),
    "mdc": (
        {"datasets": {"fr": "f", "en": "e"}},
        {"datasets": ({"fr": "g", "en": "e"}, FETCH), "tables": ("https://b/{pair}.tsv", FETCH)},
    ),
    "huggingface": (
        {},
        {
            "repository": ("org/other", FETCH),
            "revision": ("0" * 40, FETCH),
            "tables": ("https://b/{pair}.tsv", FETCH),
        },
    ),
    "synthetic": (
        {},
        {
            "options.grammar": ("phrasebook", {"synthesize"}),
            "options.train": (5, {"synthesize"}),
            "options.dev": (5, {"synthesize"}),
            "options.test": (5, {"synthesize"}),
            "options.seed": (5, {"synthesize"}),
            "options.dirt": (False, {"synthesize"}),
        },
    ),
}

FILES: dict[str, set[str]] = {
    **{
        f"llm/{name}": TRAIN | DECODE | jobs("describe", "c") | jobs("decode", "c")
        for name in (
            "config.json",
            "model.safetensors",
            "generation_config.json",
            "tokenizer.json",
            "tokenizer.model",
            "vocab.txt",
            "chat_template.jinja",
        )
    },
    "encoder/preprocessor_config.json": TRAIN | DECODE,
    "whisper/merges.txt": {f"{rule} {name}" for rule in ("describe", "decode") for name in ("w", "c")},
    "exported/adapter/adapter_model.safetensors": jobs("describe", "p") | jobs("decode", "p"),
    "config/published.csv": {"table", "report"},
    "llm/README.md": set(),
}


def read_rules() -> dict[str, dict[str, str]]:
    """By rule, what its inputs and params are made from: `experiment.train_options`, for one."""
    found = {}
    for file in sorted(RULES.glob("*.smk")):
        for rule, body in re.findall(
            r"^rule (\w+):\n(.*?)(?=^\S|\Z)", file.read_text(), re.MULTILINE | re.DOTALL
        ):
            blocks = re.findall(r"^    (input|params):\n((?:        .*\n)+)", body, re.MULTILINE)
            found[rule] = {
                f"{block}.{key}": value
                for block, lines in blocks
                for key, value in re.findall(r"^        (\w+)=(.*),$", lines, re.MULTILINE)
            }
    return found


def test_params_are_of_the_configuration_and_never_of_the_machine() -> None:
    rules = read_rules()
    assert len(rules) > 12
    for rule, values in rules.items():
        for key, value in values.items():
            known = re.fullmatch(r'(experiment|corpus|results)\.\w+|STEP_VERSIONS\["\w+"\]|"[^"]*"', value)
            assert known or key.startswith("input."), (rule, key)
        assert values["params.version"] == f'STEP_VERSIONS["{rule}"]'


def given() -> dict[str, Any]:
    """What each job is given, by rule and what it is for; of files that are there, when they were changed."""
    config = resolve(yaml.safe_load(Path("config/config.yaml").read_text()))
    parts = {
        "experiment": ExperimentRules(config),
        "corpus": CorpusRules(config),
        "results": ResultsRules(config),
    }
    found: dict[str, Any] = {}
    for rule, values in read_rules().items():
        of_corpus = rule in ("synthesize", "fetch", "resample", "join", "filter", "statistics")
        of_experiment = rule in ("mix", "train", "describe", "decode", "score", "compare")
        names = list(config.experiments) if of_experiment else [""]
        for name, source in product(names, config.sources if of_corpus or rule == "decode" else [""]):
            if rule == "fetch_model":  # every base is a folder here
                continue
            wildcards = SimpleNamespace(experiment=name, source=source, seed="1", checkpoint="1")
            if rule == "compare" and config.experiments[name].baseline is None:
                continue
            try:
                values_of = {key: value_of(parts, value, wildcards) for key, value in values.items()}
            except ConfigError:  # what is evaluated only is not trained, and the other way around
                continue
            found.setdefault(f"{rule} {name}".strip(), []).append(values_of)
    return found


def value_of(parts: dict[str, Any], value: str, wildcards: Any) -> Any:
    """A param, or an input's paths with the times of change of those that are there."""
    part, _, attribute = value.partition(".")
    if part not in parts:
        return value
    made = getattr(parts[part], attribute)
    made = made(wildcards) if callable(made) else made
    paths = [made] if isinstance(made, str) else made if isinstance(made, list) else []
    files = [Path(path) for path in paths if len(path) < 200]  # options are no paths
    return made, [file.stat().st_mtime_ns for file in files if file.is_file()]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in BASES:
        (tmp_path / name / "adapter").mkdir(parents=True)
        (tmp_path / name / "config.json").write_text("{}")
    for folder in ("config/corpora", "config/experiments", "data"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "config/published.csv").touch()
    monkeypatch.chdir(tmp_path)
    write({})
    return tmp_path


def write(changed: dict[str, dict[str, Any]]) -> None:
    for name, values in (CONFIGS | changed).items():
        Path(f"config/{name}.yaml").write_text(yaml.safe_dump(values))


def with_value(values: dict[str, Any], option: str, value: Any) -> dict[str, Any]:
    """A copy with another value at a dotted key."""
    first, _, rest = option.partition(".")
    return values | {first: with_value(values.get(first) or {}, rest, value) if rest else value}


def changed(before: dict[str, Any]) -> set[str]:
    """The jobs that are given something else than before, or are new or gone."""
    after = given()
    return {job for job in before | after if before.get(job) != after.get(job)}


def leaves(model: type[BaseModel]) -> set[str]:
    names = [key.name for key in describe(model)]
    nested = {name.rpartition(".")[0] for name in names} - {"encoder.lora", "llm.lora"}
    return {name for name in names if name not in nested}


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("name", CHANGES)
def test_options(name: str) -> None:
    model, changes = CHANGES[name]
    of_kind = {option for option in leaves(model) if option.startswith("source.")}
    missing = leaves(model) - of_kind - COMMON - NOT_HERE.get(name, set()) - set(changes)
    assert missing == set(), "every option is in the table"
    before = given()
    for option, (value, expected) in changes.items():
        write({name: with_value(CONFIGS[name], option, value)})
        if option == "decoding.average_last" and name != "experiments/one":
            continue  # refused, or of no effect: there is one checkpoint
        assert changed(before) == expected, option


@pytest.mark.usefixtures("here")
def test_the_dropout_of_both_adapters() -> None:
    before = given()
    values = CONFIGS["experiments/one"]
    for part in ("encoder", "llm"):
        values = with_value(values, f"{part}.lora.dropout", 0.1)
    write({"experiments/one": values})
    assert changed(before) == TRAIN


@pytest.mark.usefixtures("here")
def test_options_of_every_kind_of_source() -> None:
    listed = {f"source.{option}" for _, changes in SOURCES.values() for option in changes}
    own = {"source.kind", *(option for option in CHANGES["corpora/small"][1] if option.startswith("source."))}
    assert {option for option in leaves(CorpusConfig) if option.startswith("source.")} == listed | own
    for kind, (options, changes) in SOURCES.items():
        corpus = CONFIGS["corpora/small"] | {"source": {"kind": kind, **options}}
        write({"corpora/small": corpus})
        before = given()
        for option, (value, expected) in changes.items():
            write({"corpora/small": with_value(corpus, f"source.{option}", value)})
            assert changed(before) == expected, (kind, option)


@pytest.mark.parametrize("there", [True, False], ids=["changed", "new"])
def test_files(here: Path, there: bool) -> None:
    for file in FILES if there else ():
        (here / file).touch()
    before = given()
    for file, expected in FILES.items():
        path = here / file
        new = not path.exists()
        path.touch()
        if not new:
            os.utime(path, (1, 1))
        assert changed(before) == expected, file
        before = given()
