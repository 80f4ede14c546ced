"""What the rules are given: which files each reads, and which part of the configuration.

The rules take attributes and bound methods of one class per file of rules, so that the Snakefile stays data. A rule's
params hold only the part of the configuration that its step reads: Snakemake reruns a job whose params changed, and a
change of beam must not retrain. What depends on wildcards is a method; so is what may hold a user's text in braces,
which Snakemake would take for wildcards.
"""

import json
from typing import Any

from pydantic import BaseModel

Wildcards = Any
"""Snakemake's: an attribute for each wildcard, all of them text."""


def as_options(options: BaseModel) -> str:
    """Options of a step as the JSON text that `--options` takes; the same for equal options."""
    return json.dumps(options.model_dump(mode="json"), sort_keys=True, ensure_ascii=False)


def official_counts_flag(official: bool) -> str:
    """The argument of `join` and `statistics`."""
    return "--official-counts" if official else "--no-official-counts"
