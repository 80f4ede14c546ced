"""Configuration of a LLaST model in Hugging Face style."""

from pathlib import Path
from typing import Any

from transformers import AutoConfig, PretrainedConfig

from llast.artifacts import read_json
from llast.config.steps import TrainSpec
from llast.model.encoders.base import speech_encoder
from llast.model.weights import reading


class LlastConfig(PretrainedConfig):
    """Shape of a LLaST model: a speech encoder, a three-layer MLP adaptor, a causal LM (arXiv 2407.15415).

    Args:
        encoder_config: configuration of the model that the speech encoder is, or is a part of.
        llm_config: configuration of the causal LM.
        window: `30s` or `clip`, what the encoder sees of a clip.
        normalize: whether the encoder gets clips of mean 0 and variance 1.
        stack: encoder positions concatenated into one LLM position.
        template: chat template, a name of `llast.model.prompts.TEMPLATES`, or `chat` for the tokenizer's own.
        bases: of a folder that holds adapters only: where the weights of `encoder` and `llm` are, as
            `org/name@revision` or a folder.
        load_in_4bit: whether such a folder's LLM is loaded in NF4, as it was trained.
    """

    model_type = "llast"
    sub_configs = {"encoder_config": AutoConfig, "llm_config": AutoConfig}  # noqa: RUF012

    def __init__(
        self,
        encoder_config: dict[str, Any] | PretrainedConfig | None = None,
        llm_config: dict[str, Any] | PretrainedConfig | None = None,
        window: str = "30s",
        normalize: bool = False,
        stack: int = 1,
        template: str = "llama2",
        bases: dict[str, str] | None = None,
        load_in_4bit: bool = False,
        **kwargs: Any,
    ) -> None:
        self.encoder_config: Any = _config(encoder_config, "whisper")
        self.llm_config: Any = _config(llm_config, "llama")
        self.window = window
        self.normalize = normalize
        self.stack = stack
        self.template = template
        self.bases = bases
        self.load_in_4bit = load_in_4bit
        super().__init__(**kwargs)

    @classmethod
    def from_bases(cls, encoder: Path, llm: Path, **options: Any) -> "LlastConfig":
        """The configuration of a model on the bases in two Hugging Face folders.

        Raises:
            ConfigError: LLaST cannot use the encoder.
            DataError: a configuration is missing or broken.
        """
        with reading(encoder):
            speech = AutoConfig.from_pretrained(encoder, trust_remote_code=False)
        with reading(llm):
            text = AutoConfig.from_pretrained(llm, trust_remote_code=False)
        normalize = speech_encoder(speech, str(encoder)).normalizes(encoder)
        return cls(speech, text, normalize=normalize, **options)


def model_options(spec: TrainSpec) -> dict[str, Any]:
    """The options of `LlastConfig` that an experiment decides, besides its bases."""
    return {
        "window": spec.encoder.window,
        "stack": spec.adaptor.stack,
        "template": spec.llm.template,
        "load_in_4bit": spec.llm.load_in_4bit,
    }


def is_exported(model: Path) -> bool:
    """Whether a folder was written by `save_pretrained`, `llast export` or `llast import-xtuner`."""
    file = model / "config.json"
    config = read_json(file) if file.is_file() else None
    return isinstance(config, dict) and config.get("model_type") == LlastConfig.model_type


def _config(value: dict[str, Any] | PretrainedConfig | None, default: str) -> PretrainedConfig:
    if isinstance(value, PretrainedConfig):
        return value
    config: PretrainedConfig = AutoConfig.for_model(**{"model_type": default, **(value or {})})
    return config


AutoConfig.register(LlastConfig.model_type, LlastConfig)
