"""Configuration of a corpus: where its tables and audio come from and how its steps treat them."""

from typing import Literal, Self

from pydantic import Field, model_validator

from llast.config.base import Model, Pairs
from llast.corpus.sources import CorpusSource
from llast.languages import CorpusSplit


class ResampleOptions(Model):
    """16 kHz mono FLAC in Arrow shards."""

    min_seconds: float = Field(0.1, gt=0, le=30, description="Shorter decoded clips go to quarantine.")
    clips_per_shard: int = Field(
        2000, ge=1, le=1_000_000, description="Also the most work that an interruption loses."
    )


class FilterOptions(Model):
    """Which train rows are kept. dev and test are never filtered."""

    repair_source: bool = Field(
        True,
        description="Undo CSV quoting in source sentences, where Common Voice 4 has left it, and in translations of "
        "tables that were written with it, which is pandas' default.",
    )
    drop_unfit: bool = Field(
        True,
        description="Drop train rows beyond these thresholds, or with an empty text, a target marked REMOVE or a "
        "target equal to the source; false: only those without audio, as the released LLaST code does.",
    )
    min_seconds: float = Field(
        0.5,
        ge=0,
        description="Shorter train clips are dropped. Between fairseq (0.05 s) and SpeechBrain (1 s).",
    )
    max_seconds: float = Field(30.0, gt=0, description="Whisper's window (arXiv 2212.04356).")
    max_characters: int = Field(
        512, ge=1, description="Of source or target text; as in CoVoST 2 (arXiv 2007.10310)."
    )
    max_speech_rate: float | None = Field(
        4.0,
        gt=1,
        description="Most characters per second, as a multiple of the median of the pair's train rows; null: "
        "any. Relative, since a second holds five characters of Chinese and fifteen of French; our choice, for what "
        "is surely wrong.",
    )
    min_speech_rate: float | None = Field(
        0.1,
        gt=0,
        lt=1,
        description="Fewest characters per second, as a share of that median; null: any. Generous: single words are "
        "read into several seconds of recording. Our choice.",
    )
    max_length_ratio: float | None = Field(
        4.0,
        gt=1,
        description="Most characters of the target per character of the source, or the reverse, over the pair's median "
        "ratio; null: any. Moses' clean-corpus-n.perl allows 9, without a median.",
    )
    max_missing: float = Field(
        0.02, ge=0, le=1, description="Largest share of dev or test rows without sentence or audio."
    )

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.min_seconds > self.max_seconds:
            raise ValueError(
                f"min_seconds ({self.min_seconds}) is above max_seconds ({self.max_seconds}): no clip is both. "
                "Exchange them."
            )
        return self


class CorpusConfig(Model):
    """A corpus file, `config/corpora/{name}.yaml`."""

    pairs: Pairs = Field(min_length=1, description="CoVoST-2 pairs, or the word `all` for the 36.")
    source: CorpusSource
    splits: dict[str, CorpusSplit] = Field(
        {},
        description="Split of each label of the tables, beside CoVoST-2's own train, train_covost, dev and test: "
        "`{validation: dev, tst-COMMON: test}`. Rows with other labels are left out and counted.",
    )
    dev_sets: bool = Field(
        True,
        description="Whether each pair has a dev set, on which checkpoints are chosen. false: none is decoded or asked "
        "for, and of each run the last checkpoint is taken.",
    )
    official_counts: bool = Field(
        False, description="Compare rows per split with the published CoVoST-2 counts."
    )
    resample: ResampleOptions = ResampleOptions()
    filter: FilterOptions = FilterOptions()

    @property
    def evaluated(self) -> tuple[Literal["dev", "test"], ...]:
        """The splits that models are evaluated on; each pair needs rows of them."""
        return ("dev", "test") if self.dev_sets else ("test",)

    @model_validator(mode="after")
    def _has_every_pair(self) -> Self:
        self.source.check_pairs(self.pairs)
        return self
