"""Configuration of experiments that are only evaluated: pretrained models and cascades of them, without a training."""

from collections.abc import Sequence
from string import Formatter
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from llast.config.base import Model, Pairs
from llast.config.experiment import DecodingOptions, ExperimentConfig, ModelReference
from llast.languages import PAIRS, X_EN

Precision = Annotated[Literal["bf16", "float32"], Field(description="Of weights and arithmetic.")]


class EvaluationOnly(Model):
    """What every experiment has that is not trained here: where it comes from, its baseline, how it is decoded."""

    PROSE = ("description",)
    extends: str | None = Field(
        None, exclude=True, description="Another experiment, whose values hold where this file says nothing."
    )
    kind: Any
    description: str = Field("", description="What this experiment is, for a reader.")
    baseline: str | None = Field(
        None, description="Another experiment that this one is compared with, where the workflow has both."
    )
    decoding: DecodingOptions = DecodingOptions()

    @property
    def bases(self) -> dict[str, str]:
        """Its models, by dotted key."""
        raise NotImplementedError

    def translates(self, pairs: Sequence[str]) -> list[str]:
        """Those of the pairs that it is evaluated on."""
        return list(pairs)

    def claims(self, pairs: Sequence[str]) -> list[str]:
        """Those of the pairs that count in its averages."""
        return self.translates(pairs)

    @property
    def transcribes(self) -> bool:
        """Whether it can be asked for transcripts."""
        return True


class WhisperOptions(Model):
    """A whole Whisper checkpoint, encoder and decoder."""

    base: ModelReference = Field(
        description="`org/name@revision` on the Hugging Face hub, or a folder, starting with ./ or /."
    )
    window: Literal["30s", "clip"] = Field(
        "30s",
        description="`30s`: pad every clip to 30 s, as Whisper was trained; `clip`: real frames, one clip at a time.",
    )


class WhisperExperiment(EvaluationOnly):
    """Whisper's own translation into English."""

    kind: Literal["whisper"]
    whisper: WhisperOptions
    precision: Precision = "bf16"

    @property
    def bases(self) -> dict[str, str]:
        return {"whisper.base": self.whisper.base}

    def translates(self, pairs: Sequence[str]) -> list[str]:
        """Whisper translates into English only."""
        return [pair for pair in pairs if pair in X_EN]


def _fillable(prompt: str) -> str:
    known = ("text", "source", "target")
    try:
        fields = [part for part in Formatter().parse(prompt) if part[1] is not None]
    except ValueError as error:
        raise ValueError(
            f"{error}: braces stand for themselves where they are doubled, {{{{ and }}}}."
        ) from None
    for _, name, form, conversion in fields:
        if name not in known or form or conversion:
            shown = f"{{{name}{f'!{conversion}' if conversion else ''}{f':{form}' if form else ''}}}"
            raise ValueError(f"{shown} cannot be filled in; known: {{text}}, {{source}}, {{target}}.")
    if [name for _, name, *_ in fields].count("text") != 1:
        raise ValueError("{text} has to stand in it once: the transcript.")
    return prompt


class TextLlmOptions(Model):
    """The language model of a cascade, which translates transcripts."""

    PROSE = ("prompt",)
    base: ModelReference = Field(
        description="`org/name@revision` on the Hugging Face hub, or a folder, starting with ./ or /."
    )
    template: Literal["llama2", "tinyllama", "chat"] = Field(
        "chat", description="`chat`: the LLM's own chat template; the others as for a LLaST model."
    )
    prompt: Annotated[str, AfterValidator(_fillable)] = Field(
        "Translate this {source} sentence into {target}. Answer with the translation alone.\n{text}",
        description="What it is asked: {text}, the transcript; {source} and {target}, the languages' English names.",
    )


class CascadeExperiment(EvaluationOnly):
    """Whisper's transcript, translated by a language model."""

    kind: Literal["cascade"]
    whisper: WhisperOptions
    llm: TextLlmOptions
    precision: Precision = "bf16"

    @property
    def bases(self) -> dict[str, str]:
        return {"whisper.base": self.whisper.base, "llm.base": self.llm.base}


class PretrainedExperiment(EvaluationOnly):
    """A LLaST model that is there already: what `llast export` wrote."""

    kind: Literal["pretrained"]
    model: ModelReference = Field(
        description="`org/name@revision` on the Hugging Face hub, or a folder, starting with ./ or /."
    )
    pairs: Pairs = Field(
        list(PAIRS), min_length=1, description="What it was trained on; these count in its averages."
    )
    asr: bool = Field(True, description="Whether it was trained to transcribe too.")
    precision: Precision = "bf16"

    @property
    def bases(self) -> dict[str, str]:
        return {"model": self.model}

    def claims(self, pairs: Sequence[str]) -> list[str]:
        """It is evaluated on all pairs; those that it was trained on count."""
        return [pair for pair in pairs if pair in self.pairs]

    @property
    def transcribes(self) -> bool:
        return self.asr


EvaluationOnlyExperiment = WhisperExperiment | CascadeExperiment | PretrainedExperiment
Experiment = ExperimentConfig | EvaluationOnlyExperiment
KINDS: dict[str, type[ExperimentConfig] | type[EvaluationOnly]] = {
    "train": ExperimentConfig,
    "whisper": WhisperExperiment,
    "cascade": CascadeExperiment,
    "pretrained": PretrainedExperiment,
}
"""The model of an experiment's file, by its `kind`."""
