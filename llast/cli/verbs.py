"""All verbs: those of the workflow, then those that people call and no rule does."""

from pathlib import Path

from llast.cli.arguments import (
    CHECKPOINT,
    CONFIGURED,
    MODEL,
    NEW_FOLDER,
    THREADS,
    Verb,
    between,
    file,
    files,
    name,
    number,
    seconds,
)
from llast.cli.steps import STEPS

GROUPS = {"config": "Look at, check and describe configurations."}

VERBS = (
    *STEPS,
    Verb(
        "translate",
        "Translate audio files with a trained model.",
        "llast.cli.commands:translate",
        {
            "files": {
                "type": Path,
                "nargs": "+",
                "metavar": "FILE",
                "help": "wav, mp3, flac, ... of up to 12 hours",
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
            **CHECKPOINT,
            "--beams": number("beams of the search; 1: greedy (default: %(default)s)", 5),
            "--segment-seconds": {
                "type": seconds,
                "default": 30.0,
                "metavar": "SECONDS",
                "help": "longer files are cut at pauses into segments of at most so long (default: %(default)g)",
            },
            "--jsonl": {
                "action": "store_true",
                "help": "a JSON object per file, with the times of its segments",
            },
            **THREADS,
        },
    ),
    Verb(
        "export",
        "Write a trained model as one folder in Hugging Face format, with a model card.",
        "llast.release.export:export",
        {
            **MODEL,
            **CHECKPOINT,
            "--adapters-only": {
                "action": "store_true",
                "help": "name the bases, do not merge the adapters into them: a small folder",
            },
            **NEW_FOLDER,
        },
    ),
    Verb(
        "import-xtuner",
        "Turn a checkpoint of the released LLaST code into a folder of adapters.",
        "llast.cli.commands:import_xtuner",
        {
            "checkpoint": {
                "type": Path,
                "metavar": "CHECKPOINT",
                "help": "mp_rank_00_model_states.pt, the folder with it, or a file with a state_dict",
            },
            "--experiment": name(
                "the experiment that it is of, such as llast-2b: its bases, template and alphas"
            ),
            "--config-dir": file(
                "where experiments/NAME.yaml is (default: %(default)s)",
                required=False,
                metavar="DIR",
                default=Path("config"),
            ),
            "--encoder-alpha": {
                "type": between(1, 1_000_000),
                "metavar": "N",
                "help": "alpha of the LoRA on the encoder, which the file does not say",
            },
            "--llm-alpha": {
                "type": between(1, 1_000_000),
                "metavar": "N",
                "help": "alpha of the LoRA on the LLM",
            },
            **NEW_FOLDER,
        },
    ),
    Verb(
        "plan",
        "Say what a workflow would do before anything runs: jobs, rows, hours, disk, core- and GPU-hours.",
        "llast.planning.plan:plan_text",
        CONFIGURED,
    ),
    Verb(
        "doctor",
        "Check that everything is here that a workflow needs; a line each, with the remedy.",
        "llast.doctor.doctor:doctor",
        CONFIGURED,
    ),
    Verb(
        "config show",
        "Print what a configuration comes to, with everything that is extended and every default.",
        "llast.cli.commands:show_config",
        {"--config": file("such as config/config.yaml")},
    ),
    Verb(
        "config check",
        "Check configurations and all experiments that they name.",
        "llast.cli.commands:check_configs",
        {"--config": files("such as config/config.yaml")},
    ),
    Verb(
        "config schema",
        "Write JSON schemas of the configuration files, for editors.",
        "llast.cli.commands:write_schemas",
        {"--output": file("folder to write", metavar="DIR")},
    ),
    Verb(
        "config keys",
        "Print a Markdown table of every configuration key.",
        "llast.config.schema:markdown_keys",
    ),
)
