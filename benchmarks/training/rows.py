"""Rows like those of the paper's mixture, with noise for speech: what training_step.py and loader.py train on."""

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import soundfile
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from llast.artifacts.corpus import Leakage, MixDetails, MixSummary, ResampleDetails, ResampleSummary
from llast.corpus.decode import DecodedClip
from llast.corpus.store import write_index, write_shard
from llast.mixture.rows import ROWS, write_rows
from llast.model.processing import LlastProcessor
from llast.training.dataset import TrainingRows

ENGLISH_CLIPS, OTHER_CLIPS = 289_430, 454_125
"""Train clips of the paper's nine directions. English: three targets and its transcript; others: English and theirs."""

MEAN_S = 8.0 * 0.62
TARGETS = {"en": ("de", "ja", "zh-CN", "en"), "fr": ("en", "fr")}


def paper_rows(
    folder: Path, count: int, vocabulary: int, stack: int, seconds: float = MEAN_S
) -> TrainingRows:
    """Rows of `paper_mix`, opened, whose words are tokens."""
    mix, audio = paper_mix(folder, count, [f"w{word}" for word in range(3, vocabulary)], seconds)
    return TrainingRows(mix, audio, _processor(vocabulary), stack)


def paper_mix(
    folder: Path, count: int, words: Sequence[str], mean_s: float = MEAN_S
) -> tuple[Path, list[Path]]:
    """Write training rows with CoVoST-2's lengths: clips of 5 s on average (1 to 15), 4.5 words a second.

    Another `mean_s` makes all clips shorter or longer alike.

    Returns the summary of the mixture and that of each language's audio.
    """
    random = np.random.default_rng(0)
    clips: dict[str, list[DecodedClip]] = {"en": [], "fr": []}
    rows: list[tuple[str, str, str, str, str, float, int, float]] = []
    while len(rows) < count:
        source = "en" if random.random() < ENGLISH_CLIPS / (ENGLISH_CLIPS + OTHER_CLIPS) else "fr"
        seconds = float(np.clip(random.gamma(8.0, 0.62), 1, 15)) * mean_s / MEAN_S
        name = f"clip{len(clips[source]):06d}"
        clips[source].append(DecodedClip(name, seconds, _noise(random, seconds)))
        for target in TARGETS[source][: count - len(rows)]:
            length = max(3, round(4.5 * seconds * random.lognormal(0.0, 0.2)))
            text = " ".join(words[word] for word in random.integers(len(words), size=length))
            rows.append((name, source, "asr" if target == source else "st", target, text, seconds, 0, 1.0))
    columns = zip(*sorted(rows, key=lambda row: (row[1], row[0])), strict=True)
    mix = folder / "mix" / "summary.json"
    write_rows(mix, pa.table(dict(zip(ROWS.names, columns, strict=True)), schema=ROWS))
    leakage = Leakage(mode="count", rows=0, directions={})
    details = MixDetails(tasks={}, pairs={}, asr={}, repeated=0, clips=0, dev_rows=0, leakage=leakage)
    MixSummary(version=1, rows_in=len(rows), rows_out=len(rows), details=details).write(mix)
    return mix, [_store(folder / source, own) for source, own in clips.items() if own]


def _noise(random: np.random.Generator, seconds: float) -> bytes:
    flac = io.BytesIO()
    samples = 0.1 * random.standard_normal(round(16_000 * seconds))
    soundfile.write(flac, samples, 16_000, format="FLAC", subtype="PCM_16")
    return flac.getvalue()


def _store(folder: Path, clips: list[DecodedClip]) -> Path:
    (folder / "store").mkdir(parents=True)
    write_shard(folder / "store/shard-00000.arrow", iter(clips), len(clips))
    write_index(folder / "store", 1)
    summary = folder / "summary.json"
    details = ResampleDetails(store="store", audio="audio", seconds=0.0, quarantine=[])
    ResampleSummary(version=1, rows_in=len(clips), rows_out=len(clips), details=details).write(summary)
    return summary


def _processor(vocabulary: int) -> LlastProcessor:
    """A word is a token; those of the prompts, which are not in the vocabulary, are one each too."""
    tokens = ["<unk>", "<s>", "</s>", *(f"w{word}" for word in range(3, vocabulary))]
    words = Tokenizer(models.WordLevel({token: number for number, token in enumerate(tokens)}, "<unk>"))
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=words, bos_token="<s>", eos_token="</s>", unk_token="<unk>"
    )
    return LlastProcessor(tokenizer, "llama2")
