"""Files between steps: how they are written, and what stands in them."""

from llast.artifacts.base import Artifact, Summary, Typed
from llast.artifacts.files import (
    atomic_path,
    differences,
    follow_umask,
    model_digest,
    read_json,
    sha256_of,
    spec_hash,
    write_json,
    write_text,
)
from llast.artifacts.summaries import read_summary

__all__ = [
    "Artifact",
    "Summary",
    "Typed",
    "atomic_path",
    "differences",
    "follow_umask",
    "model_digest",
    "read_json",
    "read_summary",
    "sha256_of",
    "spec_hash",
    "write_json",
    "write_text",
]
