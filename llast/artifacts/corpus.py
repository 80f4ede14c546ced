"""Summaries of the steps up to the mixture: what later steps have to know of corpora and base models."""

from typing import Literal

from pydantic import NonNegativeInt

from llast.artifacts.base import Artifact, Summary, Typed
from llast.languages import CorpusSplit


class SynthesizeDetails(Typed):
    """What the synthetic corpus of a language holds.

    Attributes:
        source: source language.
        pairs: the pairs out of it.
        clean: clips without a defect, by split.
        dirt: file names of the clips with each kind of defect.
        speech_seconds: length of all clips.
    """

    source: str
    pairs: list[str]
    clean: dict[CorpusSplit, int]
    dirt: dict[str, list[str]]
    speech_seconds: float


class SynthesizeSummary(Summary):
    """Summary of the step synthesize; rows are clips."""

    step: Literal["synthesize"] = "synthesize"
    details: SynthesizeDetails


class FetchedAudio(Typed):
    """Where the clips of a source language are.

    Attributes:
        reader: how they are read: a name in `llast.corpus.readers.READERS`.
        path: archive or folder that holds them.
        root: of a Common Voice release, the folder of `validated.tsv` and `clips/` in it.
        bytes: size of the archive, or of all clips of a folder.
        sha256: digest of what decides their content; the archive's own where it is one.
        in_place: whether later steps read the clips there, and no copy is stored.
        example: name of one of its clips, to be shown where none is found; empty if it has none.
    """

    reader: str
    path: str
    root: str = ""
    bytes: int
    sha256: str
    in_place: bool = False
    example: str = ""


class FetchedTable(Typed):
    """A CoVoST-2 table, `.tsv` or `.tar.gz`."""

    path: str
    bytes: int
    sha256: str


class FetchDetails(Typed):
    """Where the files of a source language are.

    Attributes:
        source: source language.
        audio: its clips.
        validated: its sentences: name of a `validated.tsv` beside the summary.
        damaged: rows of it that were set aside; no table needs them.
        tables: by pair.
        splits: split of each label of the tables that counts.
    """

    source: str
    audio: FetchedAudio
    validated: str
    damaged: NonNegativeInt = 0
    tables: dict[str, FetchedTable]
    splits: dict[str, CorpusSplit]


class FetchSummary(Summary):
    """Summary of the step fetch; rows are files."""

    format: int = 3
    step: Literal["fetch"] = "fetch"
    details: FetchDetails


class HubFile(Typed):
    """A file of a repository of the hub.

    Attributes:
        path: in the repository.
        size: in bytes.
        sha256: its digest, where the hub has one.
    """

    path: str
    size: int
    sha256: str | None


class HubListing(Artifact):
    """`files.json`: what a commit of a repository has of a pair; beside the downloaded files."""

    WRITTEN_BY = "fetch"

    files: list[HubFile]


class Quarantined(Typed):
    """A clip that cannot be used, and why."""

    clip: str
    reason: str


class ResampleDetails(Typed):
    """The audio store of a source language.

    Attributes:
        store: name of its folder, beside the summary.
        audio: digest of all that decides the clips and their samples, however they are stored.
        seconds: of audio in it.
        quarantine: clips that are not in it.
    """

    store: str
    audio: str
    seconds: float
    quarantine: list[Quarantined]

    @property
    def reasons(self) -> dict[str, str]:
        """Why a clip is not in the store, by clip id."""
        return {entry.clip: entry.reason for entry in self.quarantine}


class ResampleSummary(Summary):
    """Summary of the step resample; rows are the clips that a table refers to.

    Dropped: `missing` in the archive, `empty`, `undecodable`, `odd_rate`, `truncated`, `silent`, `too_short`,
    `too_long`.
    """

    step: Literal["resample"] = "resample"
    details: ResampleDetails


class RowDifference(Typed):
    """Rows that CoVoST-2 has published, and those found."""

    expected: int
    found: int


class JoinDetails(Typed):
    """Rows of the pairs out of a source language.

    Attributes:
        counts: by pair and split.
        labels: by pair, rows with a label that is no split.
        lost: by pair and split, rows without a sentence.
        official: by pair and split, where rows differ from the published ones.
        short_rows: by table (`validated`, or a pair), rows with too few fields, filled up with empty ones.
        damaged: rows of `validated` that the step fetch has set aside; none of them is needed.
    """

    counts: dict[str, dict[CorpusSplit, int]]
    labels: dict[str, dict[str, int]]
    lost: dict[str, dict[CorpusSplit, int]]
    official: dict[str, dict[CorpusSplit, RowDifference]]
    short_rows: dict[str, int]
    damaged: NonNegativeInt = 0


class JoinSummary(Summary):
    """Summary of the step join; rows are those of the tables.

    Dropped: `label` (that of no split), `not_validated` (no sentence).
    """

    step: Literal["join"] = "join"
    details: JoinDetails


class FilteredSplit(Typed):
    """What became of the rows of a pair and split.

    Attributes:
        rows_in: rows read.
        rows_out: rows written.
        dropped: rows left out, by reason.
        repaired: texts whose CSV quoting was undone, sentences and translations.
        missing_audio: rows without audio.
        seconds: of audio of the rows written.
    """

    rows_in: int
    rows_out: int
    dropped: dict[str, int]
    repaired: int
    missing_audio: int
    seconds: float


class FilterDetails(Typed):
    """What the filter did.

    Attributes:
        pairs: what became of the rows, by pair and split.
    """

    pairs: dict[str, dict[CorpusSplit, FilteredSplit]]


class FilterSummary(Summary):
    """Summary of the step filter; rows are those of all pairs and splits."""

    step: Literal["filter"] = "filter"
    details: FilterDetails


class MixedRows(Typed):
    """Rows of one kind in a mixture, and the audio that they refer to."""

    rows: int
    seconds: float


class Leakage(Typed):
    """Training rows with a text of dev or test.

    Attributes:
        mode: whether they were dropped, or only counted.
        rows: their number.
        directions: their number by task and direction, such as `st fr_en`, where there are any.
    """

    mode: Literal["drop", "count"]
    rows: int
    directions: dict[str, int]


class MixDetails(Typed):
    """What an experiment trains on.

    Attributes:
        tasks: rows by task.
        pairs: rows that have a translation, by pair.
        asr: rows of recognition, by language.
        repeated: rows that are there a second time or more.
        clips: different clips.
        dev_rows: rows of the dev sets that the loss is measured on.
        leakage: rows with a text of dev or test.
    """

    tasks: dict[str, MixedRows]
    pairs: dict[str, MixedRows]
    asr: dict[str, MixedRows]
    repeated: int
    clips: int
    dev_rows: int
    leakage: Leakage


class MixSummary(Summary):
    """Summary of the step mix. Rows in are candidates, and as many more as `temperature` repeats.

    Dropped: `en_x_step`, `leakage`, `share`, `temperature`.
    """

    step: Literal["mix"] = "mix"
    details: MixDetails


class FetchModelDetails(Typed):
    """A base model.

    Attributes:
        reference: `org/name@revision`.
        commit: what the revision stood for.
        files: names of what was downloaded.
    """

    reference: str
    commit: str
    files: list[str]


class FetchModelSummary(Summary):
    """Summary of the step fetch_model; rows are files of the repository.

    Dropped: `other_format`, the same weights for other frameworks.
    """

    step: Literal["fetch_model"] = "fetch_model"
    details: FetchModelDetails
