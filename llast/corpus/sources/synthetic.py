"""Source `synthetic`: the archives that the step synthesize has made."""

from collections.abc import Sequence
from typing import Literal

from pydantic import Field

from llast.config.base import Model
from llast.corpus.sources.base import Amount, Fetched, Folders, Source
from llast.corpus.sources.covost import read_release
from llast.errors import DataError


class SynthesizeOptions(Model):
    """The demo's corpus: synthetic speech in the shape of Common Voice and CoVoST-2."""

    grammar: Literal["sentences", "phrasebook"] = Field(
        "sentences",
        description="`sentences`: a grammar over six languages; `phrasebook`: a few sentences in all 22.",
    )
    train: int = Field(900, ge=1, le=1_000_000, description="Clean train clips per source language.")
    dev: int = Field(40, ge=1, le=1_000_000, description="Clean dev clips per source language.")
    test: int = Field(100, ge=1, le=1_000_000, description="Clean test clips per source language.")
    seed: int = Field(1, ge=0, le=2**32 - 1, description="Draws sentences, voices and defects.")
    dirt: bool = Field(
        True, description="Add the defects of the real corpus: broken clips, odd labels, CSV residue."
    )


class SyntheticSource(Source):
    """The archives that the step `synthesize` writes."""

    kind: Literal["synthetic"] = "synthetic"
    options: SynthesizeOptions = SynthesizeOptions()

    def for_language(self, language: str) -> "SyntheticSource":
        """What it is made of is the business of the step synthesize, whose summary fetch reads."""
        return SyntheticSource()

    @property
    def synthesize_options(self) -> SynthesizeOptions:
        return self.options

    def rows(self, split: str) -> int:
        return int(getattr(self.options, split))

    def size(self, amount: Amount) -> float:
        return amount.seconds * amount.mp3_rate

    def fetch(self, language: str, pairs: Sequence[str], folders: Folders) -> Fetched:
        if folders.synthesized is None:
            raise DataError(
                "a synthetic source needs the summary of the step synthesize. Run that step first."
            )
        audio, validated = read_release(folders.synthesized / f"{language}.tar.gz", language)
        tables = {pair: folders.synthesized / f"covost_v2.{pair}.tsv.tar.gz" for pair in pairs}
        return Fetched(audio, validated, tables)
