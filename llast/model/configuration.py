"""Configuration of a LLaST model in Hugging Face style."""

from typing import Any

from transformers import AutoConfig, PretrainedConfig, WhisperConfig


class LlastConfig(PretrainedConfig):
    """Shape of a LLaST model: a Whisper encoder, a three-layer MLP adaptor, a causal LM (arXiv 2407.15415).

    Args:
        encoder_config: configuration of the Whisper checkpoint.
        llm_config: configuration of the causal LM.
        window: `30s` or `clip`, what the encoder sees of a clip.
        stack: encoder positions concatenated into one LLM position.
        template: chat template, a name of `llast.model.prompts.TEMPLATES`.
    """

    model_type = "llast"

    def __init__(
        self,
        encoder_config: dict[str, Any] | PretrainedConfig | None = None,
        llm_config: dict[str, Any] | PretrainedConfig | None = None,
        window: str = "30s",
        stack: int = 1,
        template: str = "llama2",
        **kwargs: Any,
    ) -> None:
        if isinstance(encoder_config, dict):
            encoder_config = WhisperConfig(**encoder_config)
        if isinstance(llm_config, dict):
            llm_config = AutoConfig.for_model(**llm_config)
        self.encoder_config: Any = encoder_config or WhisperConfig()
        self.llm_config: Any = llm_config or AutoConfig.for_model("llama")
        self.window = window
        self.stack = stack
        self.template = template
        super().__init__(**kwargs)
