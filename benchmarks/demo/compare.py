"""Is one experiment better than another by more than chance? Paired bootstrap over their test rows (sacreBLEU's own).

Needs the results of `make demo`, or of another workflow with the experiments named.
"""

import argparse
import json
import os
from pathlib import Path

import pyarrow.csv as csv

from llast.languages import X_EN, split_pair


def translations(experiment: str, seed: int, pairs: list[str]) -> tuple[list[str], list[str]]:
    """Hypotheses and references of the checkpoint chosen on dev, over all test rows of the pairs."""
    table = csv.read_csv("results/bleu_table.csv").to_pylist()
    row = next(
        r
        for r in table
        if (r["experiment"], r["seed"], str(r["chosen"]).lower()) == (experiment, seed, "true")
    )
    folder = Path("results") / experiment / f"seed{seed}" / "translate" / f"checkpoint{row['checkpoint']}"
    records = [
        json.loads(line)
        for pair in pairs
        for line in (folder / split_pair(pair)[0] / f"{pair}.test.jsonl").read_text("utf-8").split("\n")[:-1]
    ]
    return [r["hypothesis"] for r in records], [r["reference"] for r in records]


def main() -> None:
    """Print BLEU of both with intervals, and the p-value of their difference."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--baseline", default="demo-adaptor-only")
    parser.add_argument("--system", default="demo-llast")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()

    os.environ.setdefault("SACREBLEU_SEED", "12345")
    from sacrebleu.metrics import BLEU
    from sacrebleu.significance import PairedTest

    header = csv.read_csv("results/bleu_table.csv").column_names
    pairs = [pair for pair in X_EN if pair in header]
    systems, references = [], []
    for name in (arguments.baseline, arguments.system):
        hypotheses, references = translations(name, arguments.seed, pairs)
        systems.append((name, hypotheses))
    test = PairedTest(systems, {"BLEU": BLEU(references=[references])}, None, test_type="bs", n_samples=1000)
    _, results = test()
    print(f"BLEU over {len(references)} test rows of {' '.join(pairs)}")
    for name, result in zip(results["System"], results["BLEU"], strict=True):
        p_value = "" if result.p_value is None else f"   p = {result.p_value:.4f}"
        print(f"{name:>30} {result.score:6.1f} ({result.mean:.1f} ± {result.ci:.1f}){p_value}")


if __name__ == "__main__":
    main()
