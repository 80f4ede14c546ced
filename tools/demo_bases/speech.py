"""The demo's speech model: a Whisper of three encoder and two decoder layers that transcribes synthetic speech.

The encoder runs on a clip's real frames only, as in training with `window: clip`. A connectionist temporal
classification (CTC) loss on the encoder makes it align early: at every fourth position, which is the rate of the
demo's adaptor, whatever the position to start from, and against the language model's embeddings, so that what the
adaptor has to learn is one map for all tokens. The CTC layer itself is thrown away.
"""

import logging
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import soxr
import torch
from torch import nn
from transformers import PreTrainedTokenizerFast, WhisperConfig, WhisperForConditionalGeneration

from llast.corpus.decode import SAMPLE_RATE, decode_clip, decode_flac
from llast.demo.grammar import LANGUAGES, render
from llast.demo.meanings import Meaning
from llast.demo.speech import VOICES_PER_LANGUAGE, encode_mp3, speak, voice_of
from llast.model.encoders.whisper import encode_mels
from llast.model.features import log_mel
from llast.model.processing import pad_audio
from llast.progress import progress
from tools.demo_bases.text import BOS, EOS, IGNORED, UNK, encode, learning_rate

logger = logging.getLogger(__name__)

BLANK = UNK
STACK = 4
N_MELS = 80


@dataclass(frozen=True)
class SpeechTraining:
    """How the speech model is made."""

    width: int = 128
    encoder_layers: int = 3
    decoder_layers: int = 2
    steps: int = 3000
    clips: int = 32
    peak_rate: float = 1.5e-3
    first_clips: int = 1500
    clips_per_round: int = 250
    steps_per_round: int = 50
    share_mp3: float = 0.2


@dataclass(frozen=True)
class Clip:
    """A spoken sentence: log-mel (80, even number of frames) and its token ids without special tokens."""

    mel: torch.Tensor
    tokens: list[int]
    lang: str
    text: str


def record(tokenizer: PreTrainedTokenizerFast, meaning: Meaning, lang: str, voice: int, as_mp3: bool) -> Clip:
    """Speak a meaning; `as_mp3` takes the corpus's way through 48 kHz mp3, which takes twice as long."""
    text = render(meaning, lang)
    spoken, rate = speak(text, lang, voice_of(lang, voice))
    if as_mp3:
        samples = decode_flac(decode_clip(text, encode_mp3(spoken, rate), 0.1, 0.0).flac)
    else:
        samples = soxr.resample(spoken, rate, SAMPLE_RATE)
    padded, positions = pad_audio([samples])
    mel = log_mel(padded, 2 * positions, N_MELS, int(2 * positions))[0]
    return Clip(mel.half(), encode(tokenizer, text), lang, text)  # a whole pool of clips is kept in memory


def features(clips: Sequence[Clip]) -> tuple[torch.Tensor, torch.Tensor]:
    """Log-mel (clips, 80, frames) of a batch, zero beyond a clip's end, and the number of frames of each clip."""
    frames = torch.tensor([clip.mel.shape[1] for clip in clips])
    mel = torch.zeros(len(clips), N_MELS, int(frames.max()))
    for row, clip in enumerate(clips):
        mel[row, :, : frames[row]] = clip.mel
    return mel, frames


class Aligner(nn.Module):
    """Scores of tokens at encoder positions: a linear map of the position against each token's embedding.

    The embeddings (vocabulary, width) are the language model's and stay as they are. The blank is the zero vector.
    """

    def __init__(self, width: int, embedding: torch.Tensor) -> None:
        super().__init__()
        self.map = nn.Linear(width, embedding.shape[1], bias=False)
        self.bias = nn.Parameter(torch.zeros(len(embedding)))
        classes = embedding.detach().float().clone()
        classes[BLANK] = 0.0
        self.classes = nn.Parameter(classes, requires_grad=False)

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        """(clips, positions, width) to logits (clips, positions, vocabulary)."""
        return nn.functional.linear(self.map(hidden), self.classes, self.bias)


def decoder_logits(
    model: WhisperForConditionalGeneration, ids: torch.Tensor, hidden: torch.Tensor, inside: torch.Tensor
) -> torch.Tensor:
    """Logits (clips, tokens, vocabulary) of the decoder, which attends to positions `inside` a clip only.

    transformers' own decoder has no mask over the encoder's positions.
    """
    decoder = model.model.decoder
    length = ids.shape[1]
    floor = torch.finfo(torch.float32).min
    causal = torch.full((length, length), floor).triu(1)[None, None]
    across = torch.zeros(inside.shape).masked_fill(~inside, floor)[:, None, None, :]
    state = decoder.embed_tokens(ids) + decoder.embed_positions.weight[:length]
    for layer in decoder.layers:
        state = layer(state, causal, hidden, across, use_cache=False)
    return model.proj_out(decoder.layer_norm(state))


def _losses(
    model: WhisperForConditionalGeneration,
    aligner: Aligner,
    clips: Sequence[Clip],
    hide: torch.Generator,
) -> tuple[torch.Tensor, torch.Tensor]:
    """The loss of a batch, on mels with a few bins and frames hidden; and the decoder's cross entropy in it."""
    mel, frames = features(clips)
    width = mel.shape[2]
    bins = torch.randint(0, 8, (len(clips), 1), generator=hide)
    lowest = torch.randint(0, 73, (len(clips), 1), generator=hide)
    span = torch.randint(0, 9, (len(clips), 1), generator=hide)
    first = torch.randint(0, max(1, width - 9), (len(clips), 1), generator=hide)
    hidden_bins = (torch.arange(N_MELS) >= lowest) & (torch.arange(N_MELS) < lowest + bins)
    hidden_frames = (torch.arange(width) >= first) & (torch.arange(width) < first + span)
    mel = mel.masked_fill(hidden_bins[:, :, None] | hidden_frames[:, None, :], 0.0)

    longest = max(len(clip.tokens) for clip in clips) + 1
    ids = torch.full((len(clips), longest), EOS)
    labels = torch.full((len(clips), longest), IGNORED)
    for row, clip in enumerate(clips):
        ids[row, : len(clip.tokens) + 1] = torch.tensor([BOS, *clip.tokens])
        labels[row, : len(clip.tokens) + 1] = torch.tensor([*clip.tokens, EOS])
    phase = int(torch.randint(0, STACK, (), generator=hide))
    with torch.autocast("cpu", torch.bfloat16):
        encoded = encode_mels(model.model.encoder, mel, frames)
        inside = torch.arange(width // 2) < frames[:, None] // 2
        logits = decoder_logits(model, ids, encoded, inside)
        scores = aligner(encoded[:, phase::STACK])
    entropy = nn.functional.cross_entropy(
        logits.float().flatten(0, 1), labels.flatten(), ignore_index=IGNORED
    )
    alignment = nn.functional.ctc_loss(
        scores.float().log_softmax(-1).transpose(0, 1),
        torch.tensor([token for clip in clips for token in clip.tokens]),
        -(-(frames // 2 - phase) // STACK),
        torch.tensor([len(clip.tokens) for clip in clips]),
        blank=BLANK,
        zero_infinity=True,
    )
    return entropy + alignment, entropy


def train_speech_model(
    tokenizer: PreTrainedTokenizerFast,
    meanings: Sequence[Meaning],
    embedding: torch.Tensor,
    options: SpeechTraining,
    seed: int,
    watch: Callable[[int, WhisperForConditionalGeneration], None] | None = None,
) -> WhisperForConditionalGeneration:
    """Train the speech model from nothing on transcripts of all languages; clips are added as it goes."""
    torch.manual_seed(seed)
    rng, hide = random.Random(seed), torch.Generator().manual_seed(seed)
    model = WhisperForConditionalGeneration(
        WhisperConfig(
            vocab_size=len(tokenizer),
            d_model=options.width,
            encoder_layers=options.encoder_layers,
            decoder_layers=options.decoder_layers,
            encoder_attention_heads=4,
            decoder_attention_heads=4,
            encoder_ffn_dim=4 * options.width,
            decoder_ffn_dim=4 * options.width,
            max_target_positions=64,
            dropout=0.0,
            bos_token_id=BOS,
            eos_token_id=EOS,
            pad_token_id=EOS,
            decoder_start_token_id=BOS,
            suppress_tokens=None,
            begin_suppress_tokens=None,
        )
    )
    model.set_attn_implementation("eager")
    aligner = Aligner(options.width, embedding)
    parameters = [p for part in (model, aligner) for p in part.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(parameters, lr=options.peak_rate, betas=(0.9, 0.98), weight_decay=0.01)
    pool: list[Clip] = []
    queue: list[list[Clip]] = []
    entropy_sum = 0.0
    for step in progress(range(options.steps), "speech model", total=options.steps, unit="step"):
        if not queue:
            pool += _recordings(
                tokenizer,
                meanings,
                options.clips_per_round if pool else options.first_clips,
                options.share_mp3,
                rng,
            )
            queue = list(_batches(pool, options.steps_per_round, options.clips, rng))
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(step, options.steps, options.peak_rate, warm_up=300)
        loss, entropy = _losses(model, aligner, queue.pop(), hide)
        loss.backward()
        nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        entropy_sum += entropy.item()
        if (step + 1) % 100 == 0:
            logger.info("speech model: step %d, cross entropy %.4f", step + 1, entropy_sum / 100)
            entropy_sum = 0.0
            if watch:
                watch(step + 1, model)
    return model.eval()


def _recordings(
    tokenizer: PreTrainedTokenizerFast,
    meanings: Sequence[Meaning],
    count: int,
    share_mp3: float,
    rng: random.Random,
) -> list[Clip]:
    return [
        record(
            tokenizer,
            meanings[int(rng.random() * len(meanings))],
            LANGUAGES[number % len(LANGUAGES)],
            int(rng.random() * VOICES_PER_LANGUAGE),
            rng.random() < share_mp3,
        )
        for number in range(count)
    ]


def _batches(pool: list[Clip], steps: int, size: int, rng: random.Random) -> Iterator[list[Clip]]:
    """Random clips in batches of like length, in random order."""
    drawn = sorted(rng.choices(pool, k=steps * size), key=lambda clip: clip.mel.shape[1])
    starts = [size * step for step in range(steps)]
    rng.shuffle(starts)
    for start in starts:
        yield drawn[start : start + size]


@torch.no_grad()
def transcribe(
    model: WhisperForConditionalGeneration,
    tokenizer: PreTrainedTokenizerFast,
    clips: Sequence[Clip],
    longest: int = 63,
) -> list[str]:
    """Greedy transcripts."""
    mel, frames = features(clips)
    hidden = encode_mels(model.model.encoder, mel, frames)
    inside = torch.arange(hidden.shape[1]) < frames[:, None] // 2
    ids = torch.full((len(clips), 1), BOS)
    while ids.shape[1] <= longest and not (ids == EOS).any(1).all():
        best = decoder_logits(model, ids, hidden, inside)[:, -1:].argmax(-1)
        ids = torch.cat([ids, best], 1)
    rows = [row[: row.index(EOS)] if EOS in row else row for row in ids.tolist()]
    return [text.strip() for text in tokenizer.batch_decode(rows, skip_special_tokens=True)]


def speech_metrics(
    model: WhisperForConditionalGeneration, tokenizer: PreTrainedTokenizerFast, meanings: Sequence[Meaning]
) -> dict[str, float]:
    """Character error rate (%) by language, on clips that go the corpus's way through mp3."""
    rates = {}
    for lang in LANGUAGES:
        clips = [record(tokenizer, meaning, lang, number, True) for number, meaning in enumerate(meanings)]
        errors = sum(
            edit_distance(text, clip.text)
            for text, clip in zip(transcribe(model, tokenizer, clips), clips, strict=True)
        )
        rates[f"cer_{lang}"] = round(100 * errors / sum(len(clip.text) for clip in clips), 2)
    return rates


def edit_distance(text: str, other: str) -> int:
    """Levenshtein distance in characters."""
    previous = list(range(len(other) + 1))
    for row, left in enumerate(text, 1):
        current = [row]
        for column, right in enumerate(other, 1):
            current.append(min(previous[column] + 1, current[-1] + 1, previous[column - 1] + (left != right)))
        previous = current
    return previous[-1]
