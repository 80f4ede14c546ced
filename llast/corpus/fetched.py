"""Where the files of a source language lie, as the step fetch has recorded it."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from llast.artifacts import read_summary
from llast.corpus.archive import read_clips
from llast.corpus.prepared import prepared_files
from llast.errors import DataError


@dataclass(frozen=True)
class Fetched:
    """The files of one source language.

    Attributes:
        source: source language.
        kind: what holds the clips: `release` (a Common Voice archive or folder), `parquet` (a folder of such files) or
            `prepared` (a folder of the clips themselves).
        audio: that archive or folder.
        audio_bytes: its size.
        audio_sha256: its digest.
        root: of a release, the folder of `validated.tsv` and `clips/` in it.
        in_place: the clips stay the files that they are.
        validated: `validated.tsv`, taken out of it.
        tables: CoVoST-2 table of each pair, `.tsv` or `.tar.gz`.
    """

    source: str
    kind: str
    audio: Path
    audio_bytes: int
    audio_sha256: str
    root: str
    in_place: bool
    validated: Path
    tables: dict[str, Path]

    @classmethod
    def read(cls, summary: Path) -> "Fetched":
        """Read the summary of the step fetch."""
        details = read_summary(summary).details
        audio = details["audio"]
        return cls(
            source=details["source"],
            kind=audio["kind"],
            audio=Path(audio["path"]),
            audio_bytes=audio["bytes"],
            audio_sha256=audio["sha256"],
            root=audio["root"],
            in_place=audio["in_place"],
            validated=summary.parent / details["validated"],
            tables={pair: Path(table["path"]) for pair, table in details["tables"].items()},
        )

    def clips(self, wanted: Collection[str]) -> Iterator[tuple[str, bytes | Path]]:
        """Yield id and content of each wanted clip that is there, once each; the path of one that stays in place.

        Raises:
            DataError: the archive or folder is missing, damaged, hostile, or an archive not the one that was fetched.
        """
        if self.kind == "release":
            # What is here already is no input of a rule: nothing else notices that another archive took its place.
            if self.audio.is_file() and self.audio.stat().st_size != self.audio_bytes:
                raise DataError(
                    f"{self.audio} is not the archive that the step fetch has read: its size has changed. Run that "
                    "step again (snakemake --forcerun fetch)."
                )
            yield from read_clips(self.audio, self.root, wanted)
        elif self.kind == "parquet":
            from llast.corpus.parquet import read_parquet_clips

            yield from read_parquet_clips(self.audio, wanted)
        else:
            for clip, path in prepared_files(self.audio, wanted):
                yield clip, path if self.in_place else path.read_bytes()
