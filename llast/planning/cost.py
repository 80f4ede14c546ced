"""What a LLaST experiment costs: parameters, FLOPs of training, FLOPs and token steps of decoding.

FLOPs are those of the matrix products that are executed, recomputation included; one multiply-add is two.
"""

from dataclasses import dataclass
from typing import Any

from llast.config.experiment import LLAMA_TARGETS, WHISPER_TARGETS, ExperimentConfig, LoraOptions
from llast.model.bases import base_config, known_bases

POSITIONS_PER_SECOND = 50
WINDOW_SECONDS = 30
WAVE_CONVOLUTIONS = 2 * 512 * (64 * 10 + 512 * (3 * (32 + 16 + 8 + 4) + 2 * (2 + 1)))
"""FLOPs of the seven convolutions of a HuBERT-like encoder per position of 20 ms (arXiv 2106.07447, table 1)."""


@dataclass(frozen=True)
class Shape:
    """What of a base model decides its cost.

    Attributes:
        layers: of the encoder, or of the LLM.
        width: of the residual stream.
        ffn: of the feed-forward layers.
        query_width: of queries, all heads together.
        key_value_width: of keys and values; smaller with grouped queries.
        vocabulary: of the output layer.
        inputs: FLOPs of an encoder's convolutions per position of 20 ms.
        download_gb: what the hub sends; 0 for a folder.
    """

    layers: int
    width: int
    ffn: int
    query_width: int
    key_value_width: int
    vocabulary: int
    inputs: float = 0.0
    download_gb: float = 0.0

    def linears(self, names: tuple[str, ...]) -> dict[str, tuple[int, int]]:
        """Input and output width of the linear layers of one block, by name."""
        widths = {"q_proj": (self.width, self.query_width), "o_proj": (self.query_width, self.width)}
        widths |= {"k_proj": (self.width, self.key_value_width), "v_proj": (self.width, self.key_value_width)}
        widths |= dict.fromkeys(("fc1", "gate_proj", "up_proj"), (self.width, self.ffn))
        widths |= dict.fromkeys(("fc2", "down_proj"), (self.ffn, self.width))
        return {name: widths.get(name, (self.width, self.width)) for name in names}

    def parameters(self, names: tuple[str, ...]) -> int:
        """Of the linear layers of all blocks."""
        return self.layers * sum(a * b for a, b in self.linears(names).values())

    def lora_parameters(self, names: tuple[str, ...], lora: LoraOptions | None) -> int:
        """Of the adapters."""
        if lora is None:
            return 0
        chosen = tuple(name for name in names if lora.targets is None or name in lora.targets)
        return self.layers * lora.rank * sum(a + b for a, b in self.linears(chosen).values())


def shape_of(reference: str) -> Shape | None:
    """The shape of a base model: of a known one, or from the configuration of one that is here; None: unknown."""
    known = known_bases().get(reference.partition("@")[0])
    config = base_config(reference)
    try:
        return _from_config(config, known.download_gb if known else 0.0) if config else None
    except KeyError:
        return None


def _from_config(config: dict[str, Any], download_gb: float) -> Shape:
    if "encoder_layers" in config:
        width = config["d_model"]
        inputs = 2 * 3 * width * (2 * config.get("num_mel_bins", 80) + width)
        return Shape(
            config["encoder_layers"], width, config["encoder_ffn_dim"], width, width, 0, inputs, download_gb
        )
    width, heads = config["hidden_size"], config["num_attention_heads"]
    head = config.get("head_dim") or width // heads
    return Shape(
        layers=config["num_hidden_layers"],
        width=width,
        ffn=config["intermediate_size"],
        query_width=head * heads,
        key_value_width=head * config.get("num_key_value_heads", heads),
        vocabulary=config.get("vocab_size", 0),
        inputs=WAVE_CONVOLUTIONS + 2 * 512 * width,
        download_gb=download_gb,
    )


@dataclass(frozen=True)
class Flops:
    """A forward pass, by what its backward pass costs.

    Attributes:
        frozen: products with frozen weights: backward, one product for the gradient of the input.
        adapters: products with trained weights: one more for the gradient of the weight.
        attention: products of activations: likewise two.
        inputs: products before the first trained weight, which have no backward pass.
    """

    frozen: float
    adapters: float
    attention: float
    inputs: float = 0.0

    @property
    def forward(self) -> float:
        """FLOPs of one forward pass, without the backward pass."""
        return self.frozen + self.adapters + self.attention + self.inputs

    def forward_backward(self, recomputed: bool) -> float:
        """Forward and backward; with `recomputed` activations, forward twice."""
        once = self.frozen + self.adapters + self.attention
        return once * (1 + recomputed) + self.frozen + 2 * (self.adapters + self.attention) + self.inputs


@dataclass(frozen=True)
class LlastCost:
    """What an experiment costs per clip, position and token.

    Args:
        experiment: its configuration.
        encoder: shape of the base encoder.
        llm: shape of the base LLM.
    """

    experiment: ExperimentConfig
    encoder: Shape
    llm: Shape

    @property
    def adaptor_parameters(self) -> int:
        """Three linear layers with biases; the first one takes `stack` encoder positions."""
        width = self.llm.width
        return width * (self.encoder.width * self.experiment.adaptor.stack) + 2 * width * width + 3 * width

    @property
    def trained_parameters(self) -> int:
        """Parameters that training changes."""
        encoder = self.encoder.lora_parameters(WHISPER_TARGETS, self.experiment.encoder.lora)
        llm = self.llm.lora_parameters(LLAMA_TARGETS, self.experiment.llm.lora)
        return encoder + llm + self.adaptor_parameters

    @property
    def layers_per_token(self) -> int:
        """Layers that a token goes through."""
        return self.llm.layers

    def positions(self, seconds: float) -> float:
        """LLM positions of a clip's audio."""
        return seconds * POSITIONS_PER_SECOND / self.experiment.adaptor.stack

    def encoder_forward(self, seconds: float) -> Flops:
        """The encoder on a clip, forward."""
        frames = self._frames(seconds)
        return Flops(
            frozen=frames * 2 * self.encoder.parameters(WHISPER_TARGETS),
            adapters=frames * 2 * self.encoder.lora_parameters(WHISPER_TARGETS, self.experiment.encoder.lora),
            attention=frames * 4 * self.encoder.layers * self.encoder.width * frames,
            inputs=frames * self.encoder.inputs,
        )

    def llm_forward(self, positions: float, context: float) -> Flops:
        """The LLM's blocks on `positions` that each are compared with `context` others, forward."""
        return Flops(
            frozen=positions * 2 * self.llm.parameters(LLAMA_TARGETS),
            adapters=positions * 2 * self.llm.lora_parameters(LLAMA_TARGETS, self.experiment.llm.lora),
            attention=positions * 4 * self.llm.layers * self.llm.query_width * context,
        )

    def _frames(self, seconds: float) -> float:
        window = WINDOW_SECONDS if self.experiment.encoder.window == "30s" else seconds
        return window * POSITIONS_PER_SECOND

    def output_flops(self, tokens: float) -> float:
        """FLOPs of the output layer."""
        return 2 * self.llm.width * self.llm.vocabulary * tokens

    def training_flops(self, seconds: float, rows: float, prompt: float, target: float) -> float:
        """FLOPs of a training step on one clip with its rows: forward, backward and what is computed again.

        An encoder without adapters has no backward pass at all.
        """
        recomputed = (
            self.experiment.training.gradient_checkpointing is True
        )  # `auto`: as long as memory suffices
        audio = self.positions(seconds)
        positions = audio + rows * (prompt + target)
        encoder = self.encoder_forward(seconds)
        # Under a block mask every position is compared with all of its sequence.
        return (
            (encoder.forward_backward(recomputed) if self.experiment.encoder.lora else encoder.forward)
            + self.llm_forward(positions, positions).forward_backward(recomputed)
            + 2 * audio * self.adaptor_parameters * 3
            + self.output_flops(rows * target) * 2
        )

    def prefill_flops(self, seconds: float, rows: float, prompt: float) -> float:
        """FLOPs until the first token of a clip's hypotheses; its audio is read once for all of them.

        Adapters are merged into the bases before decoding.
        """
        audio = self.positions(seconds)
        passes = (
            self.encoder_forward(seconds),
            self.llm_forward(audio, audio),
            self.llm_forward(rows * prompt, audio),
        )
        return sum(flops.forward - flops.adapters for flops in passes)

    def decoding_flops(self, seconds: float, rows: float, target: float) -> float:
        """FLOPs of the tokens of `rows` hypotheses, all beams."""
        tokens = rows * target * self.experiment.decoding.num_beams
        blocks = self.llm_forward(tokens, self.positions(seconds) + target)
        return blocks.forward - blocks.adapters + self.output_flops(tokens)

    def batches(self, seconds: float, rows: float, prompt: float, target: float) -> float:
        """Batches that these hypotheses are decoded in."""
        options = self.experiment.decoding
        held = self.positions(seconds) + rows * options.num_beams * (prompt + target)
        return held / options.batch_tokens
