"""What several test folders need: tiny base models and a small set of training rows, made in seconds."""

import io
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import soundfile

os.environ.setdefault("OMP_NUM_THREADS", "1")
# Hundreds of processes that tests start, of which none loads in 4 bits, each a second sooner.
os.environ["PYTHONPATH"] = os.pathsep.join(
    filter(None, [str(Path(__file__).parent / "without_bitsandbytes"), os.environ.get("PYTHONPATH")])
)
sys.modules.pop("bitsandbytes", None)  # the tests themselves have it, in workers of pytest-xdist, too

TEXTS = [
    "the red house",
    "a small dog sleeps",
    "she reads",
    "we see two cats",
    "he buys bread",
    "it rains today",
]


@pytest.fixture(autouse=True)
def same_environment() -> Iterator[None]:
    """A verb that is called in this process sets variables for the libraries that it imports."""
    before = dict(os.environ)
    yield
    os.environ.clear()
    os.environ.update(before)


@pytest.fixture(scope="session")
def base_models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `whisper/` and `llama/`: random weights, in Hugging Face format."""
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import (
        LlamaConfig,
        LlamaForCausalLM,
        PreTrainedTokenizerFast,
        WhisperConfig,
        WhisperFeatureExtractor,
        WhisperForConditionalGeneration,
    )

    folder = tmp_path_factory.mktemp("bases")
    torch.manual_seed(0)
    whisper = WhisperConfig(
        d_model=32,
        encoder_layers=2,
        decoder_layers=1,
        encoder_attention_heads=4,
        decoder_attention_heads=4,
        encoder_ffn_dim=64,
        decoder_ffn_dim=64,
        vocab_size=100,
        max_target_positions=16,
        pad_token_id=0,
        bos_token_id=1,
        eos_token_id=2,
        decoder_start_token_id=1,
        suppress_tokens=None,
        begin_suppress_tokens=None,
    )
    WhisperForConditionalGeneration(whisper).save_pretrained(folder / "whisper")
    WhisperFeatureExtractor().save_pretrained(folder / "whisper")
    bpe = Tokenizer(models.BPE(unk_token="<unk>", byte_fallback=True))
    bpe.pre_tokenizer = pre_tokenizers.Metaspace()
    bpe.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    special = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256))]
    prompts = ["[INST] \nPlease translate the French sentence into English. [/INST]"]
    bpe.train_from_iterator(TEXTS + prompts, trainers.BpeTrainer(vocab_size=400, special_tokens=special))
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=bpe, bos_token="<s>", eos_token="</s>", unk_token="<unk>", pad_token="</s>"
    )
    tokenizer.save_pretrained(folder / "llama")
    llama = LlamaConfig(
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        vocab_size=len(tokenizer),
    )
    LlamaForCausalLM(llama).save_pretrained(folder / "llama")
    return folder


@pytest.fixture(scope="session")
def training_rows(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Path]]:
    """Summaries of `mix` and of `resample` (fr): 24 clips of noise, each with an ST row, two of three with ASR too;
    three of the rows are those of dev as well."""
    from llast.artifacts.corpus import Leakage, MixDetails, MixSummary, ResampleDetails, ResampleSummary
    from llast.corpus.decode import DecodedClip
    from llast.corpus.store import write_index, write_shard
    from llast.mixture.rows import ROWS, write_rows

    root = tmp_path_factory.mktemp("rows")
    store = root / "resample" / "fr" / "store"
    store.mkdir(parents=True)
    random = np.random.default_rng(0)
    clips, rows = [], []
    for number in range(24):
        samples = (0.1 * random.standard_normal(int(random.integers(4_000, 16_000)))).astype(np.float32)
        name = f"clip{number:02d}"
        flac = io.BytesIO()
        soundfile.write(flac, samples, 16_000, format="FLAC", subtype="PCM_16")
        clips.append(DecodedClip(name, len(samples) / 16_000, flac.getvalue()))
        text = f"{TEXTS[number % 6]} and {TEXTS[number // 6]}"
        rows.append((name, "fr", "st", "en", text, len(samples) / 16_000, 0, 1.0))
        if number % 3:
            rows.append((name, "fr", "asr", "fr", text[::-1], len(samples) / 16_000, 0, 1.0))
    write_shard(store / "shard-00000.arrow", iter(clips), 100)
    write_index(store, 1)
    resample = store.parent / "summary.json"
    stored = ResampleDetails(
        store="store", audio="audio", seconds=sum(clip.seconds for clip in clips), quarantine=[]
    )
    ResampleSummary(version=1, rows_in=24, rows_out=24, details=stored).write(resample)
    names = ["clip", "source", "task", "target", "text", "seconds", "copy", "speed"]
    mix = root / "mix" / "summary.json"
    mix.parent.mkdir()
    write_rows(mix, pa.table(dict(zip(names, zip(*sorted(rows), strict=True), strict=True)), schema=ROWS))
    dev = [(name, *rest) for name, *rest in sorted(rows) if name in ("clip02", "clip21")]
    write_rows(mix, pa.table(dict(zip(names, zip(*dev, strict=True), strict=True)), schema=ROWS), "dev")
    leakage = Leakage(mode="count", rows=0, directions={})
    mixed = MixDetails(tasks={}, pairs={}, asr={}, repeated=0, clips=24, dev_rows=len(dev), leakage=leakage)
    MixSummary(version=1, rows_in=len(rows), rows_out=len(rows), details=mixed).write(mix)
    return mix, [resample]


@pytest.fixture(scope="session")
def results() -> Callable[..., Any]:
    """The function that writes a results tree: `tests/results_tree.py`."""
    from tests.results_tree import write_results

    return write_results
