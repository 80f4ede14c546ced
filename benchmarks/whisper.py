"""Whisper with beam 5 against transformers' `generate` in one batch: same model, clips, prompts and texts.

The shapes are those of Whisper base; weights are random, but end their texts as translations do.
"""

import tempfile
from pathlib import Path
from typing import Any

import torch
from decoding import MOST_TOKENS, Ending, clips
from record import ROOT, Measured, in_turn, main
from transformers import GenerationMixin, WhisperConfig, WhisperForConditionalGeneration

from llast.config.evaluation_only import WhisperExperiment
from llast.config.experiment import DecodingOptions
from llast.evaluation.systems.base import SystemInputs
from llast.evaluation.systems.whisper import WhisperSystem
from llast.model.decoding import Clip, Request
from llast.model.features import log_mel_30s

TOKENIZER = ROOT / "llast/demo/base_models/whisper"
TARGET = 3.0
"""What is asked for: times `generate`."""


def build(folder: Path) -> WhisperSystem:
    """A system with the shapes of Whisper base, vocabulary included."""
    torch.manual_seed(0)
    config = WhisperConfig(
        vocab_size=51_865, d_model=512, encoder_layers=6, decoder_layers=6, encoder_attention_heads=8,
        decoder_attention_heads=8, encoder_ffn_dim=2048, decoder_ffn_dim=2048, pad_token_id=2, bos_token_id=1,
        eos_token_id=2, decoder_start_token_id=1, suppress_tokens=None, begin_suppress_tokens=None,
    )  # fmt: skip
    model = WhisperForConditionalGeneration(config)
    model.save_pretrained(folder)
    for file in TOKENIZER.glob("*token*"):
        (folder / file.name).symlink_to(file)
    options = {"kind": "whisper", "whisper": {"base": "./whisper", "window": "30s"}, "precision": "float32"}
    decoding = DecodingOptions(num_beams=5, max_new_tokens=MOST_TOKENS, batch_tokens=65_536)
    inputs = SystemInputs(None, {"whisper": folder}, decoding, torch.device("cpu"))
    system = WhisperSystem(WhisperExperiment.model_validate(options), inputs)
    system.model.proj_out = Ending(system.model.proj_out)
    return system


def measure(full: bool) -> list[Measured]:
    """Clips a second, both ways."""
    samples = clips(10 if full else 3)
    request = (Request("asr", "en", "en"),)
    ids: dict[str, list[list[int]]] = {}
    with tempfile.TemporaryDirectory() as folder:
        system = build(Path(folder))

    def ours() -> None:
        found: dict[int, list[int]] = {}
        system.tokenizer = Kept(found_in := [])
        heard = [Clip(len(clip) / 16_000, lambda clip=clip: clip, request) for clip in samples]  # type: ignore[misc]
        for batch in system(heard):
            found.update(zip(batch.clips, found_in.pop(), strict=True))
        ids["ours"] = [found[clip] for clip in range(len(samples))]

    @torch.no_grad()
    def theirs() -> None:
        mels = torch.cat([log_mel_30s(torch.from_numpy(clip)[None], 80) for clip in samples])
        start = torch.full((len(samples), 1), 1)
        output: Any = GenerationMixin.generate(
            system.model,
            mels,
            decoder_input_ids=start,
            num_beams=5,
            max_new_tokens=MOST_TOKENS,
            do_sample=False,
        )
        ids["theirs"] = [[token for token in row if token not in (1, 2)] for row in output.tolist()]

    rounds = 3 if full else 1
    seconds = in_turn({"ours": ours, "theirs": theirs}, rounds)
    same = sum(one == other for one, other in zip(*ids.values(), strict=True))
    if same < len(samples):
        raise SystemExit(f"only {same} of {len(samples)} texts are those of generate")
    rate = len(samples) / seconds["theirs"]
    return [
        Measured(
            "whisper",
            f"Whisper base as it comes, beam 5, window 30s: at least {TARGET:g} times as many clips a second as "
            f"transformers' generate in one batch ({len(samples)} clips)",
            len(samples) / seconds["ours"],
            "clips/s",
            rate,
            "generate, all clips at once",
            ours_is=f"{sum(map(len, ids['ours'])) / len(samples):.0f} tokens each, all texts the same",
            target=TARGET * rate,
            rounds=rounds,
        )
    ]


class Kept:
    """Stands for a tokenizer: a model with random weights says nothing that could be read."""

    def __init__(self, batches: list[list[list[int]]]) -> None:
        self.batches = batches

    def get_vocab(self) -> dict[str, int]:
        """No tokens of tasks and languages."""
        return {}

    def batch_decode(self, ids: torch.Tensor, skip_special_tokens: bool) -> list[str]:
        """Keep the ids of a batch."""
        self.batches.append([[token for token in row if token not in (1, 2)] for row in ids.tolist()])
        return [""] * len(ids)


if __name__ == "__main__":
    main(measure)
