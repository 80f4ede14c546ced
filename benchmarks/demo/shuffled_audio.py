"""Do the demo's scores come from the audio? Translate its test rows with the clips shuffled among them.

Needs the results of `make demo`. Prints BLEU per pair with the right clips (from the results) and with the wrong ones.
A model that guesses from the prompt, or that knows the test sentences, keeps its score.
"""

import argparse
import json
import sys
import tempfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from llast.artifacts.run import Run
from llast.artifacts.scores import ScoreFile
from llast.config.resolved import resolve
from llast.config.steps import DecodeOptions
from llast.evaluation.decode import decode
from llast.evaluation.score import score
from llast.languages import X_EN, pairs_from


def shuffled(filtered: Path, pairs: list[str], folder: Path) -> Path:
    """A copy of a filter's test rows in which every row has another row's clip."""
    for pair in pairs:
        table = pq.read_table(filtered.parent / f"{pair}.test.parquet")
        texts = table.column("translation").to_pylist()
        # Sorted by text and rotated by half: no row keeps its clip, nor gets one that says the same.
        by_text = np.argsort(texts, kind="stable")
        order = np.empty_like(by_text)
        order[by_text] = np.roll(by_text, len(by_text) // 2)
        assert all(texts[row] != texts[other] for row, other in enumerate(order))
        for name in ("clip", "seconds"):
            index = table.column_names.index(name)
            table = table.set_column(index, name, table.column(name).take(pa.array(order)))
        pq.write_table(table, folder / f"{pair}.test.parquet")
    return folder / "summary.json"


def main() -> None:
    """Print the comparison; exit 1 if the shuffled average reaches --limit."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--experiment", default="demo-llast")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--limit", type=float, default=10.0)
    arguments = parser.parse_args()

    import yaml

    resolved = resolve(yaml.safe_load(Path("config/config.yaml").read_text()))
    experiment = resolved.experiments[arguments.experiment]
    results = Path("results") / arguments.experiment / f"seed{arguments.seed}"
    run = results / "train" / "run.json"
    checkpoint = Run.read(run).checkpoints[-1].checkpoint
    scores = ScoreFile.read(results / "score" / f"checkpoint{checkpoint}.test.json")
    right = {pair: own.metrics["bleu"].value for pair, own in scores.pairs.items() if own.rows}
    into_english = [pair for pair in resolved.corpus.pairs if pair in X_EN]
    wrong: dict[str, float] = {}
    options = DecodeOptions(decoding=experiment.decoding, splits=["test"])
    with tempfile.TemporaryDirectory() as scratch:
        for source in resolved.sources:
            pairs = pairs_from(source, into_english)
            if not pairs:
                continue
            corpus = Path("resources") / resolved.config.corpus
            folder = Path(scratch) / source
            folder.mkdir()
            rows = shuffled(corpus / "filter" / source / "summary.json", pairs, folder)
            resampled = corpus / "resample" / source / "summary.json"
            output = folder / "hypotheses"
            bases = {"encoder": Path(experiment.encoder.base), "llm": Path(experiment.llm.base)}
            decode(run, checkpoint, source, pairs, rows, resampled, bases, output, options, threads=2)
            scored = score([output / "summary.json"], "test", folder / "scores.json")
            wrong |= {pair: scored.pairs[pair].metrics["bleu"].value for pair in pairs}
    print(f"{'pair':>10} {'right clip':>11} {'wrong clip':>11}   (BLEU)")
    for pair in wrong:
        print(f"{pair:>10} {right[pair]:11.1f} {wrong[pair]:11.1f}")
    average = sum(wrong.values()) / len(wrong)
    print(f"{'average':>10} {np.mean([right[pair] for pair in wrong]):11.1f} {average:11.1f}")
    print(json.dumps({"shuffled_average": round(average, 2)}))
    sys.exit(average >= arguments.limit)


if __name__ == "__main__":
    main()
