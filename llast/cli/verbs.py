"""The verbs: for each its sentence, its arguments, and the step that it runs."""

import os
from argparse import Action, ArgumentParser, ArgumentTypeError, BooleanOptionalAction, Namespace
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llast.cli import run
from llast.errors import UserError

if TYPE_CHECKING:
    from llast.artifacts import Summary

Arguments = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class Verb:
    """A verb of the command line.

    Attributes:
        name: `group verb` or `verb`.
        help: one sentence.
        run: is given the parsed arguments, and the options if there are any; returns the step's summary if it has one.
        arguments: those of `argparse`, by name.
        options: `module:model` of what `--options` holds.
        by_hand: arguments of a second way to call it, for people; the verb's own are the workflow's.
    """

    name: str
    help: str
    run: Callable[..., "Summary | None"]
    arguments: Arguments = field(default_factory=dict)
    options: str | None = None
    by_hand: Arguments = field(default_factory=dict)


def _summary(text: str) -> Path:
    path = Path(text)
    if path.name != "summary.json":
        raise ArgumentTypeError(f"'{text}': this step writes FOLDER/summary.json and its data beside it")
    return path


def _model_folder(text: str) -> Path:
    """A folder, or any file directly in it: what Snakemake watches is a file."""
    path = Path(text)
    return path.parent if path.is_file() else path


def _named_model(text: str) -> tuple[str, Path]:
    name, sign, path = text.partition("=")
    if not sign:
        raise ArgumentTypeError(f"'{text}': name each model, such as llm={text}")
    return name, _model_folder(path)


def _file(text: str, **more: Any) -> dict[str, Any]:
    return {"type": Path, "required": True, "metavar": "FILE", "help": text, **more}


def _files(text: str) -> dict[str, Any]:
    return _file(text, nargs="+")


def _number(text: str, default: int | None = None) -> dict[str, Any]:
    return {"type": int, "required": default is None, "default": default, "metavar": "N", "help": text}


class _Explain(Action):
    """`llast filter --explain CLIP_ID`: answers and ends, as `--help` does; the step's own arguments are not needed."""

    def __call__(
        self, parser: ArgumentParser, namespace: Namespace, values: Any, option: str | None = None
    ) -> None:
        try:
            run.explain(values)
        except UserError as error:
            parser.exit(error.exit_code, f"{parser.prog}: {error}\n")
        parser.exit(0)


SUMMARY = {"--output": _file("FOLDER/summary.json, written last; the data lies beside it", type=_summary)}
SOURCE = {"--source": {"required": True, "metavar": "LANG", "help": "source language, such as fr or zh-CN"}}
PAIRS = {
    "--pairs": {"required": True, "nargs": "+", "metavar": "PAIR", "help": "pairs out of it, such as fr_en"}
}
WORKERS = {"--workers": _number("processes to work in", 1)}
OFFICIAL = {
    "--official-counts": {
        "action": BooleanOptionalAction,
        "default": False,
        "help": "compare rows per split with the published counts",
    }
}
SEED = {"--seed": _number("seed")}
BASES = {
    "--encoder": _file("folder of the base encoder", type=_model_folder, metavar="DIR"),
    "--llm": _file("folder of the base LLM", type=_model_folder, metavar="DIR"),
}
NAMED_BASES = {
    "--bases": {
        "type": _named_model,
        "nargs": "+",
        "required": True,
        "metavar": "NAME=DIR",
        "help": "folders of the models that the experiment is made of: encoder and llm, or others",
    }
}
TRACKING = {
    "--tracking-uri": {
        "default": os.environ.get("MLFLOW_TRACKING_URI", "sqlite:///results/mlflow.db"),
        "metavar": "URI",
        "help": "MLflow store, by default $MLFLOW_TRACKING_URI, else sqlite:///results/mlflow.db",
    }
}
CASE = {
    "--case": {
        "choices": ["cased", "lower"],
        "default": "cased",
        "help": "the BLEU that counts; lower: as the released LLaST scorer (default: %(default)s)",
    }
}
RUNS = {
    "--runs": _files("run.json of each run"),
    "--scores": _files("score files of their checkpoints"),
}

OPTIONAL = {"required": False}
MODEL = {
    "--model": _file(
        "a run (results/NAME/seed1), a checkpoint (.../step-000100) or an exported folder", metavar="DIR"
    )
}
CHECKPOINT = {
    "type": int,
    "metavar": "N",
    "help": "which checkpoint of a run; default: the best on dev, without scores the last",
}

PLANNED = {
    "--configfile": _file(
        "laid over config/config.yaml, as Snakemake does; default: the profile's",
        required=False,
        nargs="+",
        default=[],
    ),
    "--profile": _file(
        "Snakemake profile, for the machines; default: this one, no GPU",
        required=False,
        metavar="DIR",
    ),
    "--benchmarks": _file(
        "records of make bench (default: %(default)s)",
        required=False,
        metavar="DIR",
        default=Path("benchmarks/results"),
    ),
}


GROUPS = {
    "demo": "Parts of the demo that are committed and need no rebuilding.",
    "config": "Look at, check and describe configurations.",
}

VERBS = (
    Verb(
        "synthesize",
        "Make a synthetic corpus of one source language, in the shape of Common Voice and CoVoST-2.",
        run.synthesize,
        {**SOURCE, **PAIRS, **SUMMARY, **WORKERS},
        "llast.config.corpus:SynthesizeOptions",
    ),
    Verb(
        "fetch",
        "Find or download the archive and the tables of one source language.",
        run.fetch,
        {
            **SOURCE,
            **PAIRS,
            "--synthesized": _file(
                "summary of synthesize, for a synthetic source", required=False, nargs="?"
            ),
            "--downloads": _file("folder for downloads, which an interruption leaves alone", metavar="DIR"),
            **SUMMARY,
        },
        "llast.config.steps:FetchOptions",
    ),
    Verb(
        "fetch-model",
        "Download a base model from the Hugging Face hub.",
        run.fetch_model,
        {"--reference": {"required": True, "metavar": "ORG/NAME@REVISION", "help": "the model"}, **SUMMARY},
    ),
    Verb(
        "resample",
        "Decode the clips that some table refers to, as 16 kHz FLAC in Arrow shards.",
        run.resample,
        {"--fetched": _file("summary of fetch"), **SUMMARY, **WORKERS},
        "llast.config.corpus:ResampleOptions",
    ),
    Verb(
        "join",
        "Join tables and transcripts into the official train, dev and test splits.",
        run.join,
        {
            "--fetched": _file("summary of fetch"),
            **OFFICIAL,
            **SUMMARY,
        },
    ),
    Verb(
        "filter",
        "Drop train rows that are of no use, and count each of them; dev and test stay whole.",
        run.filter_,
        {
            "--joined": _file("summary of join"),
            "--resampled": _file("summary of resample"),
            **SUMMARY,
            "--explain": {
                "action": _Explain,
                "metavar": "CLIP_ID",
                "help": "only say what happened to a clip, in every corpus below resources/",
            },
        },
        "llast.config.corpus:FilterOptions",
    ),
    Verb(
        "statistics",
        "Count rows, hours, speakers and what splits share, per pair; and what was lost, by reason.",
        run.statistics,
        {
            "--corpus": _files("summaries of resample, join and filter"),
            **OFFICIAL,
            "--output": _file("CSV file to write"),
        },
    ),
    Verb(
        "mix",
        "Choose the training rows of an experiment.",
        run.mix,
        {"--filtered": _files("summaries of filter, one per source language"), **SEED, **SUMMARY},
        "llast.config.experiment:MixtureOptions",
    ),
    Verb(
        "train",
        "Train the adapters of an experiment, on this machine or as a Slurm job; goes on where it was interrupted.",
        run.train,
        {
            "--experiment": {"required": True, "metavar": "NAME", "help": "name of the experiment"},
            **SEED,
            "--mix": _file("summary of mix"),
            "--audio": _files("summaries of resample"),
            **BASES,
            "--output": _file("run.json, written when all is done; checkpoints lie beside it"),
            "--cluster": {
                "choices": ["local", "slurm"],
                "default": "local",
                "help": "where (default: %(default)s)",
            },
            "--nodes": _number("nodes", 1),
            "--tasks-per-node": _number("processes on each node, one per GPU", 1),
            "--gpus-per-node": _number("GPUs on each node", 0),
            "--threads": _number("CPU threads of each process", 1),
            "--minutes": _number("time limit of a Slurm job", 2880),
            "--memory-mb": _number("memory on each node of a Slurm job; 0: the cluster's default", 0),
            "--partition": {"default": "", "metavar": "NAME", "help": "Slurm partition"},
            "--account": {"default": "", "metavar": "NAME", "help": "Slurm account"},
            "--extra": {
                "default": "",
                "metavar": "OPTIONS",
                "help": "more options of sbatch, as --name=value",
            },
            "--container": {
                "default": "",
                "metavar": "IMAGE",
                "help": "Apptainer image for the processes of a Slurm job",
            },
        },
        "llast.config.steps:TrainSpec",
    ),
    Verb(
        "describe",
        "Describe an experiment that is evaluated as it comes, without a training: what train does for the others.",
        run.describe,
        {
            "--experiment": {"required": True, "metavar": "NAME", "help": "name of the experiment"},
            **SEED,
            **NAMED_BASES,
            "--output": _file("run.json to write"),
        },
        "llast.config.steps:UntrainedSpec",
    ),
    Verb(
        "translate",
        "Translate audio files; or, as a step, the dev and test rows of one source language with one checkpoint.",
        run.translate,
        {
            "--run": _file("run.json of train or of describe"),
            "--checkpoint": _number("number of the checkpoint, from 1"),
            **SOURCE,
            **PAIRS,
            "--filtered": _file("summary of filter"),
            "--audio": _file("summary of resample"),
            **NAMED_BASES,
            "--threads": _number("CPU threads (default: %(default)s)", 1),
            **SUMMARY,
        },
        "llast.config.steps:TranslateOptions",
        {
            "files": {
                "type": Path,
                "nargs": "*",
                "metavar": "FILE",
                "help": "wav, mp3, flac, ... of any length",
            },
            **MODEL,
            "--from": {
                "dest": "from_",
                "required": True,
                "metavar": "LANG",
                "help": "the language spoken, such as fr",
            },
            "--to": {
                "required": True,
                "metavar": "LANG",
                "help": "the language to write; the spoken one: a transcript",
            },
            "--checkpoint": CHECKPOINT,
            "--beams": _number("beams of the search; 1: greedy (default: %(default)s)", 5),
            "--piece": {
                "type": float,
                "default": 30.0,
                "metavar": "SECONDS",
                "help": "longer files are cut at pauses into pieces of at most so long (default: %(default)g)",
            },
            "--jsonl": {
                "action": "store_true",
                "help": "a JSON object per file, with the times of its pieces",
            },
            "--threads": _number("CPU threads (default: %(default)s)", 1),
        },
    ),
    Verb(
        "export",
        "Write a trained model as one folder in Hugging Face format, with a model card.",
        run.export,
        {
            **MODEL,
            "--checkpoint": CHECKPOINT,
            "--adapters-only": {
                "action": "store_true",
                "help": "name the bases, do not merge the adapters into them: a small folder",
            },
            "--output": _file("folder to write; must not exist", metavar="DIR"),
        },
    ),
    Verb(
        "import-xtuner",
        "Turn a checkpoint of the released LLaST code into a folder of adapters.",
        run.import_xtuner,
        {
            "checkpoint": {
                "type": Path,
                "metavar": "CHECKPOINT",
                "help": "mp_rank_00_model_states.pt, the folder with it, or a file with a state_dict",
            },
            "--experiment": {
                "required": True,
                "metavar": "NAME",
                "help": "the experiment that it is of, such as llast-2b: its bases, template and alphas",
            },
            "--config-dir": _file(
                "where experiments/NAME.yaml is (default: %(default)s)",
                required=False,
                metavar="DIR",
                default=Path("config"),
            ),
            "--encoder-alpha": {
                **_number("alpha of the LoRA on the encoder, which the file does not say"),
                **OPTIONAL,
            },
            "--llm-alpha": {**_number("alpha of the LoRA on the LLM"), **OPTIONAL},
            "--output": _file("folder to write; must not exist", metavar="DIR"),
        },
    ),
    Verb(
        "score",
        "Score one checkpoint on one split: BLEU and chrF2 of every pair.",
        run.score,
        {
            "--translated": _files("summaries of translate, one per source language"),
            "--split": {"choices": ["dev", "test"], "required": True, "help": "which rows"},
            "--output": _file("JSON file to write"),
            **WORKERS,
        },
        "llast.config.steps:ScoreOptions",
    ),
    Verb(
        "compare",
        "Test whether an experiment differs from its baseline by more than chance, pair by pair.",
        run.compare,
        {
            "--experiment": {"required": True, "metavar": "NAME", "help": "name of the experiment"},
            "--baseline": {
                "required": True,
                "metavar": "NAME",
                "help": "name of the experiment to compare it with",
            },
            "--runs": _files("run.json of both"),
            "--scores": _files("score files of all checkpoints of both"),
            "--translated": _files("summaries of translate, all checkpoints of both"),
            **CASE,
            "--output": _file("JSON file to write"),
            **WORKERS,
        },
    ),
    Verb(
        "table",
        "Gather all scores: scores.csv, bleu_table.csv, .md and .html, bleu_seeds.csv.",
        run.table,
        {
            **RUNS,
            "--comparisons": _file("files of compare", required=False, nargs="*", default=[]),
            "--published": _file("published scores to set beside ours", required=False, nargs="?"),
            **CASE,
            "--output": _file("bleu_table.csv; the others are written beside it"),
        },
    ),
    Verb(
        "report",
        "Write one HTML file with the table, plots and what the pipeline did with the rows.",
        run.report,
        {
            "--table": _file("bleu_table.csv"),
            "--scores": _file("scores.csv"),
            "--runs": _files("run.json of each run"),
            "--corpus": _files("summaries of synthesize, resample, join and filter"),
            "--statistics": _file("corpus_statistics.csv", required=False, nargs="?"),
            "--mixes": _file("summaries of mix; none where nothing is trained", nargs="*"),
            "--score-files": _files("score files of all checkpoints"),
            "--comparisons": _file("files of compare", required=False, nargs="*", default=[]),
            "--published": _file("published scores to compare with", required=False, nargs="?"),
            "--title": {"default": "LLaST", "metavar": "TEXT", "help": "title (default: %(default)s)"},
            "--note": {"default": "", "metavar": "TEXT", "help": "what a reader has to know first"},
            **TRACKING,
            **CASE,
            "--output": _file("HTML file to write"),
        },
    ),
    Verb(
        "track",
        "Bring every run, its curves, its scores and the table to MLflow; can be repeated.",
        run.track,
        {
            **RUNS,
            "--artifacts": _files("files to keep with the runs"),
            **TRACKING,
            **CASE,
            "--output": _file("JSON file to write"),
        },
    ),
    Verb(
        "plan",
        "Say what a workflow would do before anything runs: jobs, rows, hours, disk, core- and GPU-hours.",
        run.plan,
        PLANNED,
    ),
    Verb(
        "doctor",
        "Check that everything is here that a workflow needs; a line each, with the remedy.",
        run.doctor,
        PLANNED,
    ),
    Verb(
        "demo base-models",
        "Pre-train the demo's tiny encoder and LLM (half an hour on one core).",
        run.base_models,
        {"--output": _file("folder to write", metavar="DIR"), "--seed": _number("seed", 1)},
    ),
    Verb(
        "config show",
        "Print what a configuration comes to, with everything that is extended and every default.",
        run.config_show,
        {"--config": _file("such as config/config.yaml")},
    ),
    Verb(
        "config check",
        "Check configurations and all experiments that they name.",
        run.config_check,
        {"--config": _files("such as config/config.yaml")},
    ),
    Verb(
        "config schema",
        "Write JSON schemas of the configuration files, for editors.",
        run.config_schema,
        {"--output": _file("folder to write", metavar="DIR")},
    ),
    Verb("config keys", "Print a Markdown table of every configuration key.", run.config_keys),
)
