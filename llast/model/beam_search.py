"""Beam search over rows that leave when they are done.

transformers' `generate` computes every row of a batch until the last one has ended.
"""

from collections.abc import Sequence
from typing import Protocol

import torch

WORST = -1e9
"""The score of what must not be chosen."""
LOOK_EVERY = 8
"""Tokens between two looks at which rows have ended; each makes a GPU wait. On a CPU there is one after each token."""


class Continuation(Protocol):
    """A decoder in the midst of several texts, its cache included."""

    def __call__(self, texts: torch.Tensor, tokens: torch.Tensor) -> torch.Tensor:
        """Go on with some texts.

        Args:
            texts: (new texts,) which of the last call's texts each one continues. Those that nobody does are done.
            tokens: (new texts,) the next token id of each.

        Returns:
            Logits of the token after that, (new texts, vocabulary).
        """


def beam_search(
    logits: torch.Tensor,
    go_on: Continuation,
    beams: int,
    most: int,
    ends: Sequence[int],
    pad: int,
    never: Sequence[int] = (),
    never_first: Sequence[int] = (),
) -> torch.Tensor:
    """The best texts, as transformers' `generate` finds them: length penalty 1, no early stopping, greedy for one beam.

    Args:
        logits: of the first token of each row, (rows, vocabulary).
        go_on: continues texts; its first call takes every row `beams` times.
        beams: of each row.
        most: tokens of a text.
        ends: ids that end a text.
        pad: id of what stands after the end.
        never: ids that are not chosen.
        never_first: ids that are not chosen as the first token.

    Returns:
        Token ids, (rows, up to `most`), ends included.
    """
    device, count = logits.device, len(logits)
    texts = torch.full((count, most), pad, device=device)
    row = torch.arange(count, device=device)  # that each search is of; those that have ended leave
    said = torch.full((count, 1, most), pad, device=device)
    score = logits.new_zeros((count, 1), dtype=torch.float32)
    done = torch.full((count, beams, most), pad, device=device)
    done_score = logits.new_full((count, beams), WORST, dtype=torch.float32)
    is_open = torch.ones(count, dtype=torch.bool, device=device)
    of_ends = torch.tensor(list(ends), device=device)
    keep = max(2, 1 + len(ends)) * beams  # enough to go on with, should all others end
    for length in range(1, most + 1):
        log_probs = logits.float().log_softmax(-1)
        forbidden = [*never, *never_first] if length == 1 else [*never]
        if forbidden:
            log_probs[:, forbidden] = -torch.inf
        log_probs = log_probs.unflatten(0, said.shape[:2]) + score[..., None]
        vocabulary = log_probs.shape[-1]
        best, index = log_probs.flatten(1).topk(min(keep, log_probs[0].numel()))
        source = index // vocabulary
        candidates = _gather(said, source)
        candidates[..., length - 1] = index % vocabulary
        ended = torch.isin(candidates[..., length - 1], of_ends) | (length == most)

        # Only what is among the best `beams` may count as done; a row that is closed takes nothing more.
        counts = ended & is_open[:, None]
        counts[:, beams:] = False
        merged = torch.cat([done_score, torch.where(counts, best / length, WORST)], dim=1)
        done_score, chosen = merged.topk(beams)
        done = _gather(torch.cat([done, candidates], dim=1), chosen)

        score, chosen = torch.where(ended, WORST, best).topk(min(beams, best.shape[1]))
        said, source = _gather(candidates, chosen), source.gather(1, chosen)
        # A row is closed when the best that goes on scores no better than the worst of `beams` that are done.
        is_open &= score[:, 0] / length > done_score[:, -1]
        if beams == 1:
            is_open &= done_score[:, 0] == WORST
        if length == most:
            break
        before = torch.arange(len(row), device=device)[:, None] * (1 if length == 1 else beams) + source
        if device.type == "cpu" or length % LOOK_EVERY == 0:
            left = is_open.nonzero()[:, 0]
            if len(left) < len(row):
                texts[row] = done[:, 0]
                row, said, score, before = row[left], said[left], score[left], before[left]
                done, done_score, is_open = done[left], done_score[left], is_open[left]
            if not len(row):
                break
        logits = go_on(before.flatten(), said[..., length - 1].flatten())
    texts[row] = done[:, 0]
    return texts


def _gather(texts: torch.Tensor, index: torch.Tensor) -> torch.Tensor:
    """Of (rows, texts, tokens) those of an index (rows, chosen)."""
    return texts.gather(1, index[..., None].expand(-1, -1, texts.shape[2]))
