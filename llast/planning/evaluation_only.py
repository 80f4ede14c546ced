"""What an experiment that is only evaluated costs, in the terms of `llast.planning.cost`."""

from dataclasses import dataclass

from llast.config.evaluation_only import CascadeExperiment, WhisperExperiment
from llast.config.experiment import LLAMA_TARGETS, WHISPER_TARGETS
from llast.planning.cost import POSITIONS_PER_SECOND, WINDOW_SECONDS, Shape

WINDOW = WINDOW_SECONDS * POSITIONS_PER_SECOND


@dataclass(frozen=True)
class EvaluationOnlyCost:
    """What such an experiment costs.

    Args:
        experiment: its configuration.
        whisper: shape of its Whisper, whose decoder is taken to be as deep as its encoder.
        llm: shape of its LLM, if it has one.
    """

    experiment: WhisperExperiment | CascadeExperiment
    whisper: Shape
    llm: Shape | None = None

    @property
    def layers_per_token(self) -> int:
        """Layers that a token goes through; in a cascade, those of its LLM after those of Whisper's decoder."""
        return self.whisper.layers + (self.llm.layers if self.llm else 0)

    def prefill_flops(self, seconds: float, rows: float, prompt: float) -> float:
        """FLOPs until the first token: the encoder, what the decoder makes of its output, the LLM on its prompts."""
        whisper = self.whisper
        attention = 4 * whisper.layers * whisper.width * WINDOW
        encoder = 2 * whisper.parameters(WHISPER_TARGETS) + attention + whisper.inputs
        cross_keys_values = 4 * whisper.layers * whisper.width**2
        llm = 2 * self.llm.parameters(LLAMA_TARGETS) * rows * 2 * prompt if self.llm else 0.0
        return WINDOW * (encoder + cross_keys_values) + llm

    def decoding_flops(self, seconds: float, rows: float, target: float) -> float:
        """FLOPs of the tokens of `rows` hypotheses, all beams; a cascade generates a transcript and its translation."""
        whisper, tokens = self.whisper, rows * target * self.experiment.decoding.num_beams
        weights = whisper.parameters(WHISPER_TARGETS) + 2 * whisper.layers * whisper.width**2
        output = whisper.width * whisper.vocabulary
        generated = tokens * (2 * (weights + output) + 4 * whisper.layers * whisper.width * WINDOW)
        if self.llm is None:
            return generated
        llm = self.llm.parameters(LLAMA_TARGETS) + self.llm.width * self.llm.vocabulary
        return generated + tokens * 2 * llm

    def batches(self, seconds: float, rows: float, prompt: float, target: float) -> float:
        """Batches that these hypotheses are decoded in."""
        options = self.experiment.decoding
        return rows * options.num_beams * WINDOW / options.batch_tokens
