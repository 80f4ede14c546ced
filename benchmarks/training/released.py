"""A training step that behaves as the released code does (openaudiolab/LLaST with its fork of xtuner).

What it does otherwise than ours, written plainly; llast.model is used for the layers alone:

- a row per target: a clip is encoded again for each of its rows;
- every clip is padded to 30 s for the encoder (model/llast.py, dataset/llast.py:477);
- the decoder half of Whisper runs as well, with LoRA that never gets a gradient, and its output is thrown away;
- a micro-batch is any 16 rows, padded to the longest: all rows have as many audio positions as the longest clip, text
  positions run on through the gap;
- logits, in float32, at all positions, audio and padding included.

It is kinder than the released code in two things: the mels are computed beforehand (there: by workers on the CPU, after
an ffmpeg process per row), and the logits are not copied once more to shift them.
"""

from typing import Any

import torch
from peft import LoraConfig, inject_adapter_in_model
from torch import nn
from training.model import Shape, whisper_config
from transformers.models.whisper.modeling_whisper import WhisperDecoder

from llast.config.experiment import WHISPER_TARGETS
from llast.model.features import log_mel_30s
from llast.training.dataset import TrainingRows
from llast.training.sampler import Example

ROWS_PER_MICRO_BATCH = 16
IGNORE = -100


class ReleasedStep(nn.Module):
    """The released forward pass over the weights of one of our models.

    Args:
        adapted: our model with its adapters; shared, not copied.
        shape: for the decoder half, which our model does not have.
    """

    def __init__(self, adapted: Any, shape: Shape) -> None:
        super().__init__()
        self.llast = adapted.base_model.model
        with torch.device(self.llast.device):
            decoder = WhisperDecoder(whisper_config(shape))
        decoder.to(self.llast.dtype).requires_grad_(False)
        decoder.activation_checkpointing_enable({"use_reentrant": False})
        rank = shape.ranks[0]
        lora = LoraConfig(r=rank, lora_alpha=max(1, rank // 2), target_modules=list(WHISPER_TARGETS))
        self.decoder = inject_adapter_in_model(lora, decoder).to(self.llast.device, self.llast.dtype)

    def forward(
        self,
        mel: torch.Tensor,
        frames: torch.Tensor,
        before: torch.Tensor,
        after: torch.Tensor,
        after_mask: torch.Tensor,
        labels: torch.Tensor,
    ) -> torch.Tensor:
        """Mean loss per target token of a micro-batch; see `micro_batches` for the arguments."""
        encoded = self.llast.encoder(mel, output_hidden_states=True).last_hidden_state
        ids = torch.ones(
            1, len(mel), dtype=torch.long, device=mel.device
        )  # (1, rows) as in model/llast.py:250
        self.decoder(input_ids=ids, encoder_hidden_states=encoded.reshape(1, -1, encoded.shape[-1]))
        longest = int(frames.max())
        speech = self.llast.adaptor(encoded[:, :longest]).unflatten(0, (len(mel), longest))
        embed = self.llast.llm.get_input_embeddings()
        embeddings = torch.cat([embed(before), speech, embed(after)], dim=1)
        heard = torch.arange(longest, device=mel.device) < frames[:, None]
        mask = torch.cat([torch.ones_like(before, dtype=torch.bool), heard, after_mask], dim=1)
        logits = self.llast.llm(
            inputs_embeds=embeddings, attention_mask=mask.long(), use_cache=False
        ).logits.float()
        aligned = torch.cat([labels.new_full((len(mel), before.shape[1] + longest), IGNORE), labels], dim=1)
        # A position's label is the token after it; the first token of the target follows the last of the prompt.
        return nn.functional.cross_entropy(logits.flatten(0, 1), aligned.flatten(), ignore_index=IGNORE)


def micro_batches(rows: TrainingRows, order: list[int], mels: int) -> list[dict[str, torch.Tensor]]:
    """Rows in the given order, 16 at a time, as tensors on the host.

    Each has: mel (rows, mels, 3000); frames (rows,); before (rows, tokens); after and labels (rows, longest), padded;
    after_mask (rows, longest) bool.
    """
    return [
        _collate([rows.batch([Example(int(rows.clip_of_row[row]), (row,))]) for row in part], mels)
        for part in (
            order[start : start + ROWS_PER_MICRO_BATCH]
            for start in range(0, len(order), ROWS_PER_MICRO_BATCH)
        )
    ]


def _collate(parts: list[dict[str, torch.Tensor]], mels: int) -> dict[str, torch.Tensor]:
    before, after, labels = [], [], []
    for part in parts:
        first, last = int(part["speech_at"][0]), int(part["speech_at"][-1])
        length = int((part["clip"][0] >= 0).sum())
        aligned = torch.full_like(part["input_ids"][0], IGNORE)
        aligned[part["labels_at"]] = part["labels"]
        before.append(part["input_ids"][0, :first])
        after.append(part["input_ids"][0, last + 1 : length])
        labels.append(aligned[last + 1 : length])
    pad = nn.utils.rnn.pad_sequence
    lengths = torch.tensor([len(tokens) for tokens in after])
    after_mask = torch.arange(int(lengths.max())) < lengths[:, None]
    return {
        "mel": torch.cat([log_mel_30s(part["samples"], mels) for part in parts]),
        "frames": torch.cat([part["positions"] for part in parts]),
        "before": torch.stack(before),
        "after": pad(after, batch_first=True),
        "after_mask": after_mask,
        "labels": pad(labels, batch_first=True, padding_value=IGNORE),
    }
