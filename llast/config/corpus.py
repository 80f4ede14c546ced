"""Configuration of a corpus: where its tables and audio come from and how its steps treat them."""

from typing import Annotated, Literal

from pydantic import Field

from llast.config.base import Model, Pairs


class SynthesizeOptions(Model):
    """The demo's corpus: synthetic speech in the shape of Common Voice and CoVoST-2."""

    grammar: Literal["sentences", "phrasebook"] = Field(
        "sentences",
        description="`sentences`: a grammar over six languages; `phrasebook`: a few sentences in all 22.",
    )
    train: int = Field(900, ge=1, description="Clean train clips per source language.")
    dev: int = Field(40, ge=1, description="Clean dev clips per source language.")
    test: int = Field(100, ge=1, description="Clean test clips per source language.")
    seed: int = Field(1, ge=0, description="Draws sentences, voices and defects.")
    dirt: bool = Field(
        True, description="Add the defects of the real corpus: broken clips, odd labels, CSV residue."
    )


class LocalSource(Model):
    """Files that are already here. `{lang}` and `{pair}` in the paths are filled in."""

    kind: Literal["local"] = "local"
    audio: str = Field(
        description="Common Voice archive (.tar, .tar.gz) or unpacked folder of a language: `cv/{lang}.tar.gz`."
    )
    tables: str = Field(
        description="CoVoST-2 table of a pair: `covost/covost_v2.{pair}.tsv.tar.gz`, or the bare .tsv."
    )


class UrlSource(Model):
    """Files to download. Tables default to the official address."""

    kind: Literal["url"] = "url"
    audio: str = Field(description="Address of the Common Voice archive of a language, with `{lang}`.")
    tables: str = "https://dl.fbaipublicfiles.com/covost/covost_v2.{pair}.tsv.tar.gz"


class SyntheticSource(Model):
    """The archives that the step `synthesize` writes."""

    kind: Literal["synthetic"] = "synthetic"
    options: SynthesizeOptions = SynthesizeOptions()


CorpusSource = Annotated[LocalSource | UrlSource | SyntheticSource, Field(discriminator="kind")]


class ResampleOptions(Model):
    """16 kHz mono FLAC in Arrow shards."""

    min_seconds: float = Field(0.1, gt=0, description="Shorter decoded clips go to quarantine.")
    clips_per_shard: int = Field(2000, ge=1, description="Also the most work that an interruption loses.")


class FilterOptions(Model):
    """Which train rows are kept. dev and test are never filtered."""

    repair_source: bool = Field(True, description="Undo CSV quoting residue in source sentences.")
    min_seconds: float = Field(0.5, ge=0, description="Shorter train clips are dropped.")
    max_seconds: float = Field(30.0, gt=0, description="Whisper's window (arXiv 2212.04356).")
    max_characters: int = Field(
        512, ge=1, description="Of source or target text; as in CoVoST 2 (arXiv 2007.10310)."
    )
    max_speech_rate: float | None = Field(
        4.0,
        gt=1,
        description="Most characters per second, as a multiple of the median of the pair's train rows; null: "
        "any. Relative, since a second holds five characters of Chinese and fifteen of French.",
    )
    min_speech_rate: float | None = Field(
        0.1,
        gt=0,
        lt=1,
        description="Fewest characters per second, as a share of that median; null: any. Generous: single words are "
        "read into several seconds of recording.",
    )
    max_length_ratio: float | None = Field(
        4.0,
        gt=1,
        description="Most characters of the target per character of the source, or the reverse, over the pair's median "
        "ratio; null: any. Moses' clean-corpus-n.perl allows 9, without a median.",
    )
    max_missing: float = Field(
        0.02, ge=0, le=1, description="Largest share of dev or test rows without audio."
    )


class CorpusConfig(Model):
    """A corpus file, `config/corpora/{name}.yaml`."""

    pairs: Pairs = Field(min_length=1, description="CoVoST-2 pairs, or the word `all` for the 36.")
    source: CorpusSource
    official_counts: bool = Field(
        False, description="Compare rows per split with the published CoVoST-2 counts."
    )
    resample: ResampleOptions = ResampleOptions()
    filter: FilterOptions = FilterOptions()
