"""Configuration of an experiment: the model, its training rows, its training and its decoding."""

import re
from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, model_validator

from llast.config.base import Distinct, Model, Pairs, Text, check_hub_name, without_braces
from llast.config.deepspeed import EngineOptions, ZeroOptions, check_engine

WHISPER_TARGETS = ("q_proj", "k_proj", "v_proj", "out_proj", "fc1", "fc2")
LLAMA_TARGETS = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")


def check_hub_reference(reference: str) -> str:
    """`org/name@revision` on the Hugging Face hub, as it is.

    Raises:
        ValueError: it is none.
    """
    name, at, revision = reference.partition("@")
    check_hub_name(name)
    if not at:
        raise ValueError(
            f"'{reference}' has no revision. Pin one: {reference}@COMMIT, as listed on the model's page."
        )
    if not re.fullmatch(r"\w[\w.-]*", revision, re.ASCII):
        raise ValueError(f"'{revision}' is no revision: a commit, or the name of a branch or tag.")
    return reference


def _known_reference(reference: str) -> str:
    if reference.startswith(("./", "/")):
        return without_braces(reference)
    if "/" not in reference:
        raise ValueError(f"'{reference}' is neither a folder (starting with ./ or /) nor org/name@revision.")
    return check_hub_reference(reference)


ModelReference = Annotated[str, AfterValidator(_known_reference)]
"""A base model: `org/name@revision` on the Hugging Face hub, or a folder, starting with ./ or /."""


class LoraOptions(Model):
    """Low-rank adapters on every listed linear layer of a frozen base (arXiv 2106.09685)."""

    rank: int = Field(ge=1, le=8192)
    alpha: int = Field(ge=1, le=1_000_000, description="The adapter's output is scaled by alpha / rank.")
    dropout: float = Field(0.0, ge=0, lt=1, description="On the input of the adapters, in training.")
    targets: Distinct[Text] | None = Field(
        None,
        min_length=1,
        max_length=1000,
        description="Names of linear layers; default: all of the encoder's, or of the LLM's, blocks.",
    )


class EncoderOptions(Model):
    """The speech encoder: the encoder half of a Whisper checkpoint, or a HuBERT-like model."""

    base: ModelReference = Field(
        description="`org/name@revision` on the Hugging Face hub, or a folder, starting with ./ or /."
    )
    window: Literal["30s", "clip"] = Field(
        "30s",
        description="`30s`: pad every clip to 30 s, as Whisper was trained; `clip`: real frames only, as all others.",
    )
    lora: LoraOptions | None = None


class AdaptorOptions(Model):
    """The three-layer MLP between encoder and LLM."""

    stack: int = Field(
        1, ge=1, le=1500, description="Encoder frames concatenated into one LLM position; the paper uses 1."
    )


class LlmOptions(Model):
    """The language model: a causal LM of transformers; `docs/models.md` says which families can be used."""

    base: ModelReference = Field(
        description="`org/name@revision` on the Hugging Face hub, or a folder, starting with ./ or /."
    )
    template: Literal["llama2", "tinyllama", "chat"] = Field(
        "llama2",
        description="`llama2`, `tinyllama`: the released code's, pieces tokenised apart; `chat`: the LLM's own.",
    )
    load_in_4bit: bool = Field(
        False, description="Hold the base in NF4, as released: a quarter of the memory; on a GPU only."
    )
    lora: LoraOptions | None = None


def _some_rows(tasks: dict[str, float]) -> dict[str, float]:
    if not any(tasks.values()):
        raise ValueError(
            "no task has a share above 0: nothing would be trained on. Give one of st, asr, cot some."
        )
    return tasks


class MixtureOptions(Model):
    """Which rows an experiment trains on."""

    pairs: Pairs = Field(min_length=1, description="Training directions, or the word `all` for the corpus's.")
    tasks: Annotated[
        dict[Literal["st", "asr", "cot"], Annotated[float, Field(ge=0, le=1)]], AfterValidator(_some_rows)
    ] = Field(
        {"st": 1.0, "asr": 1.0},
        description="Share of each task's rows that is used: 1 = all, 0.5 = half of them, drawn by seed. `st`: "
        "translation; `asr`: transcript; `cot`: transcript, then translation on a line of its own.",
    )
    en_x_step: int = Field(
        1,
        ge=1,
        description="Use every n-th row of each direction out of English (`en2x_sample_step` of the released code).",
    )
    temperature: float = Field(
        1.0,
        ge=1,
        description="Sampling of source languages: their shares of the rows are proportional to rows^(1/temperature); "
        "rows of small languages are repeated, of large ones left out. 1: natural.",
    )
    speeds: list[Annotated[float, Field(ge=0.5, le=2)]] = Field(
        [1.0],
        min_length=1,
        max_length=100,
        description="Each clip is played at one of these speeds, drawn by seed; [0.9, 1.0, 1.1] is speed perturbation.",
    )
    dev_rows: int = Field(
        256,
        ge=0,
        description="Rows of the dev sets that the loss is measured on in training, equally many of each direction; "
        "0: none.",
    )
    leakage: Literal["drop", "count"] = Field(
        "count",
        description="Train rows whose text occurs in a dev or test set of that language: drop or only count.",
    )


Share = Annotated[float, Field(ge=0, lt=1)]


class TrainingOptions(Model):
    """Schedule and optimiser. Defaults are the released LLaST configuration."""

    epochs: float | None = Field(
        1.0, gt=0, le=100_000, description="Passes over the mixture; give this or max_steps."
    )
    max_steps: int | None = Field(
        None, ge=1, le=100_000_000, description="Optimiser steps; overrides epochs."
    )
    rows_per_update: int = Field(
        256, ge=1, description="Rows (clip, task, target) in a step, over all ranks."
    )
    tokens_per_micro_batch: int = Field(
        16384,
        ge=1,
        description="Most LLM positions that one rank holds at once, but for a few per cent of padding.",
    )
    learning_rate: float = Field(2e-4, gt=0, le=1, description="At its peak, after the warm-up.")
    warmup: float = Field(
        0.03, ge=0, le=1, description="Share of the steps with linear warm-up; then cosine to 0."
    )
    betas: tuple[Share, Share] = Field((0.9, 0.999), strict=False, description="Of AdamW.")  # a list in JSON
    weight_decay: float = Field(0.0, ge=0, le=1, description="Of AdamW.")
    clip_norm: float = Field(1.0, gt=0, description="Largest norm of the gradient of an update.")
    loss_limit: float = Field(
        3.0,
        gt=1,
        description="Training stops where an update's loss is above so many times that of the first one.",
    )
    checkpoints: int = Field(
        1, ge=1, le=1000, description="Checkpoints kept and evaluated, evenly spaced, the last at the end."
    )
    save_every: int = Field(
        500, ge=1, description="Optimiser steps between states that training can resume from."
    )
    dev_every: int = Field(
        100, ge=1, description="Optimiser steps between measurements of the loss on `mixture.dev_rows`."
    )
    precision: Literal["bf16", "float32"] = Field("bf16", description="Of the bases and of the arithmetic.")
    gradient_checkpointing: bool | None = Field(
        None,
        description="Compute activations again when going back: less memory, more time. By default if memory asks.",
    )
    compile: bool | None = Field(
        None,
        description="Compile the blocks (torch.compile). By default on a GPU with a compiler, unless memory asks.",
    )
    deepspeed: Annotated[dict[str, Any], AfterValidator(check_engine)] = Field(
        {"zero_optimization": {"stage": 2}},
        description=f"Passed to the DeepSpeed engine: {', '.join(EngineOptions.model_fields)}; of zero_optimization "
        f"{', '.join(ZeroOptions.model_fields)}. All else is the trainer's.",
    )

    @model_validator(mode="after")
    def _has_length(self) -> "TrainingOptions":
        if self.epochs is None and self.max_steps is None:
            raise ValueError("give epochs or max_steps")
        if self.max_steps is not None and self.checkpoints > self.max_steps:
            raise ValueError(
                f"checkpoints ({self.checkpoints}) are more than max_steps ({self.max_steps}): one needs a step at "
                "least. Lower checkpoints, or train longer."
            )
        return self


class DecodingOptions(Model):
    """How hypotheses are generated."""

    num_beams: int = Field(5, ge=1, le=1000, description="1: greedy.")
    max_new_tokens: int = Field(256, ge=1, le=100_000, description="Longest hypothesis.")
    batch_tokens: int = Field(
        16384,
        ge=1,
        description="Most positions that the cache holds at once, over all beams, for texts of usual length.",
    )
    average_last: int = Field(
        1,
        ge=1,
        le=1000,
        description="Evaluate each checkpoint as the mean of itself and those before it, so many in all.",
    )


class ExperimentConfig(Model):
    """An experiment file, `config/experiments/{name}.yaml`; `extends:` is resolved before validation."""

    PROSE = ("description",)
    extends: str | None = Field(
        None, exclude=True, description="Another experiment, whose values hold where this file says nothing."
    )
    kind: Literal["train"] = Field(
        "train", description="`train`: train adapters, then evaluate each checkpoint."
    )
    description: str = Field("", description="What this experiment is, for a reader.")
    baseline: str | None = Field(
        None,
        description="Another experiment that this one is compared with by paired bootstrap, pair by pair, where the "
        "workflow has both.",
    )
    encoder: EncoderOptions
    adaptor: AdaptorOptions = AdaptorOptions()
    llm: LlmOptions
    mixture: MixtureOptions
    training: TrainingOptions = TrainingOptions()
    decoding: DecodingOptions = DecodingOptions()

    @property
    def bases(self) -> dict[str, str]:
        """Its base models, by dotted key."""
        return {"encoder.base": self.encoder.base, "llm.base": self.llm.base}

    @property
    def transcribes(self) -> bool:
        """Whether it can be asked for transcripts."""
        return bool(self.mixture.tasks.get("asr"))

    def translates(self, pairs: Sequence[str]) -> list[str]:
        """Those of the pairs that it is evaluated on: all, whatever it was trained on."""
        return list(pairs)

    @model_validator(mode="after")
    def _one_dropout(self) -> "ExperimentConfig":
        both = [lora.dropout for lora in (self.encoder.lora, self.llm.lora) if lora]
        if len(set(both)) > 1:
            raise ValueError(
                "encoder.lora.dropout and llm.lora.dropout must be equal: peft has one per adapter"
            )
        return self
