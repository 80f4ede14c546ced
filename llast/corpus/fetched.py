"""Where the files of a source language lie, as the step fetch has recorded it."""

from dataclasses import dataclass
from pathlib import Path

from llast.artifacts import read_summary


@dataclass(frozen=True)
class Fetched:
    """The files of one source language.

    Attributes:
        source: source language.
        audio: Common Voice archive or folder.
        audio_sha256: its digest.
        root: folder of `validated.tsv` and `clips/` in it.
        validated: `validated.tsv`, taken out of it.
        tables: CoVoST-2 table of each pair, `.tsv` or `.tar.gz`.
    """

    source: str
    audio: Path
    audio_sha256: str
    root: str
    validated: Path
    tables: dict[str, Path]

    @classmethod
    def read(cls, summary: Path) -> "Fetched":
        """Read the summary of the step fetch."""
        details = read_summary(summary).details
        return cls(
            source=details["source"],
            audio=Path(details["audio"]["path"]),
            audio_sha256=details["audio"]["sha256"],
            root=details["audio"]["root"],
            validated=summary.parent / details["validated"],
            tables={pair: Path(table["path"]) for pair, table in details["tables"].items()},
        )
