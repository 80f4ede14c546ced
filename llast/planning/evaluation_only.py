"""How much arithmetic an experiment is that is only evaluated, in the terms of `llast.planning.work`."""

from dataclasses import dataclass

from llast.config.evaluation_only import CascadeExperiment, WhisperExperiment
from llast.config.experiment import LLAMA_TARGETS, WHISPER_TARGETS
from llast.planning.work import POSITIONS_PER_SECOND, WINDOW_SECONDS, Shape

WINDOW = WINDOW_SECONDS * POSITIONS_PER_SECOND


@dataclass(frozen=True)
class EvaluationOnlyWork:
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
    def step_layers(self) -> int:
        """Layers that a token goes through; in a cascade, those of its LLM after those of Whisper's decoder."""
        return self.whisper.layers + (self.llm.layers if self.llm else 0)

    def prefill(self, seconds: float, rows: float, prompt: float) -> float:
        """FLOPs until the first token: the encoder, what the decoder makes of its output, the LLM on its prompts."""
        one = self.whisper
        encode = 2 * one.parameters(WHISPER_TARGETS) + 4 * one.layers * one.width * WINDOW + one.inputs
        cross = 4 * one.layers * one.width**2
        read = 2 * self.llm.parameters(LLAMA_TARGETS) * rows * 2 * prompt if self.llm else 0.0
        return WINDOW * (encode + cross) + read

    def decode(self, seconds: float, rows: float, target: float) -> float:
        """FLOPs of the tokens of `rows` hypotheses, all beams; a cascade's are said twice, spoken and translated."""
        one, tokens = self.whisper, rows * target * self.experiment.decoding.num_beams
        each = one.parameters(WHISPER_TARGETS) + 2 * one.layers * one.width**2 + one.width * one.vocabulary
        spoken = tokens * (2 * each + 4 * one.layers * one.width * WINDOW)
        if self.llm is None:
            return spoken
        return spoken + tokens * 2 * (
            self.llm.parameters(LLAMA_TARGETS) + self.llm.width * self.llm.vocabulary
        )

    def batches(self, seconds: float, rows: float, prompt: float, target: float) -> float:
        """Batches that these hypotheses are decoded in."""
        options = self.experiment.decoding
        return rows * options.num_beams * WINDOW / options.batch_tokens
