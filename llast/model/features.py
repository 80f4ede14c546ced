"""Log-mel features of a batch of clips, computed on the device where the encoder runs.

The values equal those of transformers' `WhisperFeatureExtractor` on the same zero-padded audio.
"""

from functools import lru_cache

import torch
from transformers.audio_utils import mel_filter_bank

SAMPLE_RATE = 16_000
HOP = 160
N_FFT = 400
WINDOW_FRAMES = 3000  # 30 s at 10 ms


def encoder_positions(n_samples: int) -> int:
    """Encoder positions (20 ms each) that a clip of `n_samples` at 16 kHz fills: at least 1, at most 1500."""
    return min(max(1, n_samples // (2 * HOP)), WINDOW_FRAMES // 2)


@lru_cache
def _filters(n_mels: int, device: torch.device) -> torch.Tensor:
    filters = mel_filter_bank(
        num_frequency_bins=1 + N_FFT // 2,
        num_mel_filters=n_mels,
        min_frequency=0.0,
        max_frequency=SAMPLE_RATE / 2,
        sampling_rate=SAMPLE_RATE,
        norm="slaney",
        mel_scale="slaney",
    )
    return torch.from_numpy(filters.T).float().to(device)


def log_mel(samples: torch.Tensor, frames: torch.Tensor, n_mels: int, width: int) -> torch.Tensor:
    """Whisper's log-mel spectrogram of each clip.

    Args:
        samples: (clips, samples) float, 16 kHz, zero-padded on the right.
        frames: (clips,) mel frames of 10 ms that belong to each clip; the rest is zeroed.
        n_mels: mel bins, 80 or 128.
        width: frames to return.

    Returns:
        (clips, n_mels, width) float32. A clip's values do not depend on the other clips of the batch.
    """
    needed = width * HOP + N_FFT  # the last window ends in zeros, whatever the batch's longest clip
    log = _log_power(_fit(samples, needed), n_mels)[..., :width]
    valid = (torch.arange(width, device=samples.device) < frames[:, None])[:, None, :]
    return _compress(log, log.masked_fill(~valid, -10.0)).masked_fill(~valid, 0.0)


def log_mel_30s(samples: torch.Tensor, n_mels: int) -> torch.Tensor:
    """Whisper's log-mel spectrogram of clips padded or cut to 30 s: (clips, samples) to (clips, n_mels, 3000)."""
    log = _log_power(_fit(samples, WINDOW_FRAMES * HOP), n_mels)[..., :WINDOW_FRAMES]
    return _compress(log, log)


def _fit(samples: torch.Tensor, length: int) -> torch.Tensor:
    """Cut or zero-pad (clips, samples) to a length."""
    return torch.nn.functional.pad(samples.float(), (0, max(0, length - samples.shape[1])))[:, :length]


def _log_power(samples: torch.Tensor, n_mels: int) -> torch.Tensor:
    """Decadic logarithm of the mel power; windows are centred, the signal is reflected at both ends."""
    window = torch.hann_window(N_FFT, device=samples.device)
    spectrum = torch.stft(samples, N_FFT, HOP, window=window, return_complex=True)
    power = spectrum.real.square() + spectrum.imag.square()
    mel = _filters(n_mels, samples.device) @ power
    return torch.clamp(mel, min=1e-10).log10()


def _compress(log: torch.Tensor, own: torch.Tensor) -> torch.Tensor:
    """80 dB below the loudest of a clip's `own` values, and into about [-1, 1]."""
    loudest = own.amax(dim=(1, 2), keepdim=True)
    return (torch.maximum(log, loudest - 8.0) + 4.0) / 4.0
