"""The LLaST model: Whisper encoder, MLP adaptor, causal LM (arXiv 2407.15415, section 3)."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedModel
from transformers.models.whisper.modeling_whisper import WhisperEncoder
from transformers.utils import ModelOutput

from llast.model.adaptor import Adaptor, stacked
from llast.model.configuration import LlastConfig
from llast.model.encoder import encode_clips, load_encoder

IGNORE = -100
DTYPES = {"bf16": torch.bfloat16, "float32": torch.float32}
"""Dtypes by their name in an experiment (`training.precision`)."""


@dataclass
class LlastOutput(ModelOutput):
    """Result of a training forward pass.

    Attributes:
        loss: scalar float32, cross-entropy summed over all target tokens.
        target_tokens: scalar, how many target tokens there were.
    """

    loss: torch.Tensor | None = None
    target_tokens: torch.Tensor | None = None


class LlastForConditionalGeneration(PreTrainedModel):
    """Speech in, text out. Built from frozen bases with `from_bases`; adapters are added by `llast.model.lora`."""

    config_class = LlastConfig
    config: LlastConfig
    _supports_sdpa = True
    supports_gradient_checkpointing = True
    _no_split_modules = ["WhisperEncoderLayer", "LlamaDecoderLayer"]  # noqa: RUF012

    def __init__(
        self, config: LlastConfig, encoder: WhisperEncoder | None = None, llm: PreTrainedModel | None = None
    ) -> None:
        super().__init__(config)
        self.encoder = encoder if encoder is not None else WhisperEncoder(config.encoder_config)
        self.llm: Any = llm if llm is not None else AutoModelForCausalLM.from_config(config.llm_config)
        self.adaptor = Adaptor(config.encoder_config.d_model, config.llm_config.hidden_size, config.stack)
        if encoder is None:
            self.post_init()

    @classmethod
    def from_bases(
        cls, encoder: Path, llm: Path, window: str, stack: int, template: str, dtype: torch.dtype
    ) -> "LlastForConditionalGeneration":
        """A model on the weights of two Hugging Face folders, frozen, with a fresh adaptor."""
        speech = load_encoder(encoder, dtype)
        text = AutoModelForCausalLM.from_pretrained(llm, dtype=dtype, attn_implementation="sdpa")
        speech.requires_grad_(False)
        text.requires_grad_(False)
        llm_config = AutoConfig.from_pretrained(llm)
        config = LlastConfig(speech.config, llm_config, window=window, stack=stack, template=template)
        model = cls(config, speech, text)
        model.adaptor.to(dtype)
        return model

    def embed_audio(self, samples: torch.Tensor, positions: torch.Tensor) -> torch.Tensor:
        """What the LLM reads in place of the audio.

        Args:
            samples: (clips, samples) float, 16 kHz, zero-padded.
            positions: (clips,) encoder positions (20 ms) of each clip.

        Returns:
            (clips, longest, LLM width); a clip's own positions come first, what follows is of no use.
        """
        hidden = encode_clips(self.encoder, samples, positions, self.config.window)
        inside = torch.arange(hidden.shape[1], device=hidden.device) < positions[:, None]
        return self.adaptor(hidden * inside[..., None])

    def forward(
        self,
        samples: torch.Tensor,
        positions: torch.Tensor,
        input_ids: torch.Tensor,
        position_ids: torch.Tensor,
        branch: torch.Tensor,
        audio: torch.Tensor,
        labels: torch.Tensor,
        **_: Any,
    ) -> LlastOutput:
        """Summed loss of clips with all their rows.

        A sequence is the text before the audio, the audio, then one branch per row (prompt and target). Every
        branch sees the shared start and itself, at the positions it would have alone, so losses and gradients equal
        those of separate rows. Logits are computed at target positions only.

        Args:
            samples: (clips, samples) float, 16 kHz, zero-padded.
            positions: (clips,) encoder positions of each clip.
            input_ids: (clips, length) token ids; any id where the audio stands.
            position_ids: (clips, length).
            branch: (clips, length) 0 for the shared start, 1.. for the rows, -1 for padding.
            audio: (clips, length) bool, where the audio stands.
            labels: (clips, length) the next token where it is a target, else -100.
        """
        speech = self.embed_audio(samples, positions)
        embeddings = self.llm.get_input_embeddings()(input_ids)
        inside = (
            torch.arange(speech.shape[1], device=speech.device)
            < (-(-positions // self.config.stack))[:, None]
        )
        embeddings = embeddings.masked_scatter(audio[..., None], speech[inside].to(embeddings.dtype))
        hidden = self.llm.get_decoder()(
            inputs_embeds=embeddings,
            attention_mask=branch_mask(branch, embeddings.dtype, self.llm.config._attn_implementation),
            position_ids=position_ids,
            use_cache=False,
        ).last_hidden_state
        wanted = labels != IGNORE
        logits = self.llm.get_output_embeddings()(hidden[wanted]).float()
        loss = nn.functional.cross_entropy(logits, labels[wanted], reduction="sum")
        return LlastOutput(loss=loss, target_tokens=wanted.sum())

    @torch.no_grad()
    def generate(
        self,
        samples: torch.Tensor,
        positions: torch.Tensor,
        clip: torch.Tensor,
        before: list[torch.Tensor],
        after: list[torch.Tensor],
        **generation: Any,
    ) -> torch.Tensor:
        """Generate the target of each row; each clip is encoded once.

        Args:
            samples: (clips, samples) float, 16 kHz, zero-padded.
            positions: (clips,) encoder positions of each clip.
            clip: (rows,) index of each row's clip.
            before: per row, token ids before the audio, BOS included.
            after: per row, token ids after the audio.
            generation: passed to the LLM's `generate` (num_beams, max_new_tokens, ...).

        Returns:
            (rows, new tokens) ids of the generated text only.
        """
        speech = self.embed_audio(samples, positions)
        embed: nn.Embedding = self.llm.get_input_embeddings()
        sequences = []
        for row, index in enumerate(clip.tolist()):
            own = speech[index, : stacked(int(positions[index]), self.config.stack)].to(embed.weight.dtype)
            sequences.append(torch.cat([embed(before[row]), own, embed(after[row])]))
        longest = max(len(sequence) for sequence in sequences)
        mask = torch.zeros(len(sequences), longest, dtype=torch.long, device=speech.device)
        inputs = sequences[0].new_zeros(len(sequences), longest, sequences[0].shape[1])
        for row, sequence in enumerate(sequences):
            inputs[row, longest - len(sequence) :] = sequence
            mask[row, longest - len(sequence) :] = 1
        output: torch.Tensor = self.llm.generate(
            inputs_embeds=inputs, attention_mask=mask, do_sample=False, **generation
        )
        return output


def branch_mask(branch: torch.Tensor, dtype: torch.dtype, attention: str | None) -> torch.Tensor:
    """Who sees whom: (clips, 1, length, length), boolean for sdpa, additive for eager attention.

    A position sees earlier positions of the shared start (branch 0) and of its own branch. Padding sees itself, for
    a row without any key has no softmax. A boolean mask is silently wrong under eager attention, which adds it.
    """
    length = branch.shape[1]
    causal = torch.ones(length, length, dtype=torch.bool, device=branch.device).tril()
    query, key = branch[:, :, None], branch[:, None, :]
    seen = causal & ((key == 0) | (key == query)) & (key >= 0)
    seen = seen | torch.eye(length, dtype=torch.bool, device=branch.device)
    if attention == "eager":
        floor = torch.finfo(dtype).min
        return torch.zeros(seen.shape, dtype=dtype, device=branch.device).masked_fill(~seen, floor)[:, None]
    return seen[:, None]
