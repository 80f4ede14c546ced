"""The averages of the BLEU table, and which BLEU counts."""

from typing import Literal

from llast.languages import EN_X, LANGUAGES, PAPER_X_EN, X_EN, split_pair

AVERAGES: dict[str, tuple[str, ...]] = {
    "avg_x_en": X_EN,
    "avg_en_x": EN_X,
    "avg_x_en_6": PAPER_X_EN,
    **{
        f"avg_{resource}": tuple(pair for pair in X_EN if LANGUAGES[split_pair(pair)[0]].resource == resource)
        for resource in ("high", "mid", "low")
    },
}
"""Averages and their pairs; high, mid and low are the resource classes of X->En."""

WHOLE = ("avg_x_en_6",)
"""Averages that only mean something over all of their pairs."""

AVERAGE_NAMES = {
    "avg_x_en": "average X→en",
    "avg_en_x": "average en→X",
    "avg_x_en_6": "average of the paper's six",
    "avg_high": "average X→en, high resource",
    "avg_mid": "average X→en, mid resource",
    "avg_low": "average X→en, low resource",
}
"""The averages in words."""

Case = Literal["cased", "lower"]
HEADLINES: dict[Case, str] = {"cased": "bleu", "lower": "bleu_lc"}
"""The metric that tables show, checkpoints are chosen by and experiments are compared by."""
