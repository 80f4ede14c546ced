"""Configuration of a corpus: where its tables and audio come from and how its steps treat them."""

import re
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from llast.config.base import Language, Model, Pairs
from llast.languages import source_languages


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


def _check_address(text: str, known: tuple[str, ...]) -> str:
    plain = re.sub(r"\$\{\w+\}", "", text)
    for name in re.findall(r"\{(.*?)\}", plain):
        if name not in known:
            raise ValueError(
                f"{{{name}}} stands for nothing here; known: {', '.join(f'{{{one}}}' for one in known)}."
            )
    if "://" in text and not text.startswith(("http://", "https://")):
        raise ValueError("an address starts with http:// or https://.")
    if re.search(r"//[^/?]*:[^/?@]+@", plain):
        raise ValueError(
            "an address must not hold a password: configurations are kept with the results. "
            "Write ${NAME} for it and export NAME."
        )
    return text


def _check_http(text: str) -> str:
    if not text.startswith(("http://", "https://")):
        raise ValueError("an address starts with http:// or https://; files that are here: kind: local.")
    return text


Audio = Annotated[str, AfterValidator(lambda text: _check_address(text, ("lang",)))]
Tables = Annotated[
    str,
    AfterValidator(lambda text: _check_address(text, ("pair",))),
    Field(
        description="CoVoST-2 table of a pair: an address, or a file that is here, such as "
        "`covost/covost_v2.{pair}.tsv.tar.gz` or the bare .tsv."
    ),
]
OFFICIAL_TABLES = "https://dl.fbaipublicfiles.com/covost/covost_v2.{pair}.tsv.tar.gz"


class LocalSource(Model):
    """Common Voice that is already here. `{lang}` and `{pair}` in paths are filled in."""

    kind: Literal["local"] = "local"
    audio: Audio = Field(
        description="Common Voice archive (.tar, .tar.gz) or unpacked folder of a language: `cv/{lang}.tar.gz`."
    )
    tables: Tables = OFFICIAL_TABLES


class UrlSource(Model):
    """Common Voice from any server."""

    kind: Literal["url"] = "url"
    audio: Annotated[Audio, AfterValidator(_check_http)] = Field(
        description="Address of the Common Voice archive of a language, with `{lang}`. `${NAME}` is filled in from the "
        "environment when it is used, for keys that no file may hold."
    )
    tables: Tables = OFFICIAL_TABLES


class MdcSource(Model):
    """Common Voice from Mozilla Data Collective; its key is in `MDC_API_KEY`, its terms accepted there."""

    kind: Literal["mdc"] = "mdc"
    datasets: dict[Language, Annotated[str, Field(pattern=r"^[\w-]+$")]] = Field(
        description="Data set id of each source language: the end of its page's address."
    )
    tables: Tables = OFFICIAL_TABLES


class HuggingFaceSource(Model):
    """The clips of CoVoST-2 as parquet on the Hugging Face hub, each language once."""

    kind: Literal["huggingface"] = "huggingface"
    repository: str = Field(
        "fixie-ai/covost2",
        pattern=r"^[\w.-]+/[\w.-]+$",
        description="With `{pair}/{split}-*.parquet`, columns id, sentence, client_id and audio.",
    )
    revision: str = Field(
        "17c8c81e331e7a6929118121771a58c7ef7331d8",
        pattern=r"^[0-9a-f]{40}$",
        description="Commit of the repository, in full: what is read must not change.",
    )
    tables: Tables = OFFICIAL_TABLES


class PreparedSource(Model):
    """A folder in the layout of the LLaST README: split tables and 16 kHz clips."""

    kind: Literal["prepared"] = "prepared"
    folder: str = Field(
        description="With `tsv/covost_v2.{pair}.{split}.tsv` and `audio/{lang}/clips_16k/{clip}.wav` or `.mp3.wav`."
    )
    copy_audio: bool = Field(
        False,
        description="Store the clips as FLAC in shards, as for other sources; false: read them where they are.",
    )


class SyntheticSource(Model):
    """The archives that the step `synthesize` writes."""

    kind: Literal["synthetic"] = "synthetic"
    options: SynthesizeOptions = SynthesizeOptions()


CorpusSource = Annotated[
    LocalSource | UrlSource | MdcSource | HuggingFaceSource | PreparedSource | SyntheticSource,
    Field(discriminator="kind"),
]


class ResampleOptions(Model):
    """16 kHz mono FLAC in Arrow shards."""

    min_seconds: float = Field(0.1, gt=0, description="Shorter decoded clips go to quarantine.")
    clips_per_shard: int = Field(2000, ge=1, description="Also the most work that an interruption loses.")


class FilterOptions(Model):
    """Which train rows are kept. dev and test are never filtered."""

    repair_source: bool = Field(True, description="Undo CSV quoting residue in source sentences.")
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


class CorpusConfig(Model):
    """A corpus file, `config/corpora/{name}.yaml`."""

    pairs: Pairs = Field(min_length=1, description="CoVoST-2 pairs, or the word `all` for the 36.")
    source: CorpusSource
    official_counts: bool = Field(
        False, description="Compare rows per split with the published CoVoST-2 counts."
    )
    resample: ResampleOptions = ResampleOptions()
    filter: FilterOptions = FilterOptions()

    @model_validator(mode="after")
    def _every_language_has_a_data_set(self) -> Self:
        if isinstance(self.source, MdcSource):
            missing = [code for code in source_languages(self.pairs) if code not in self.source.datasets]
            if missing:
                raise ValueError(f"'source.datasets' has no id for {', '.join(missing)}.")
        return self
