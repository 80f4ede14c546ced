"""Write the demo's table in README.md from results/bleu_table.csv: `make demo`, then `python tools/readme_table.py`."""

import csv
from pathlib import Path

import yaml

from llast.languages import PAIRS
from llast.markup import markdown_row

ROOT = Path(__file__).parents[1]
START, END = "<!-- written by tools/readme_table.py -->\n", "<!-- end -->\n"


def demo() -> tuple[list[str], list[str], int]:
    """Experiments and pairs of the demo's configuration, and test rows of a pair."""
    config = yaml.safe_load((ROOT / "config/config.yaml").read_text(encoding="utf-8"))
    corpus = yaml.safe_load((ROOT / f"config/corpora/{config['corpus']}.yaml").read_text(encoding="utf-8"))
    return config["experiments"], corpus["pairs"], corpus["source"]["options"]["test"]


def markdown(table: Path, experiments: list[str], pairs: list[str], test_rows: int) -> str:
    """The BLEU of each experiment's chosen checkpoint: pairs into English, their average, pairs out of English.

    Raises:
        SystemExit: the table is not that of these experiments and pairs.
    """
    rows = []
    if table.exists():
        with table.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
    chosen = {row["experiment"]: row for row in rows if row["chosen"] == "true"}
    columns = [name for name in rows[0] if name in PAIRS] if rows else []
    if list(chosen) != experiments or set(columns) != set(pairs):
        raise SystemExit(
            f"{table} is not the demo's ({' '.join(experiments)}; {' '.join(pairs)}): run `make demo`."
        )
    into = [pair for pair in columns if pair.endswith("_en")]
    columns = [*into, "avg_x_en", *(pair for pair in columns if pair not in into)]
    names = {"avg_x_en": "**average X→en**"}
    heads = [names.get(name, name.replace("-CN", "").replace("_", "→")) for name in columns]
    lines = [
        markdown_row([f"BLEU on test ({test_rows} rows a pair)", *heads]),
        "|---" + "|---:" * len(columns) + "|",
    ]
    for experiment, row in chosen.items():
        scores = [f"{float(row[name]):.1f}" for name in columns]
        scores[len(into)] = f"**{scores[len(into)]}**"
        lines.append(markdown_row([f"`{experiment}`", *scores]))
    return "".join(f"{line}\n" for line in lines)


def main() -> None:
    """Put the table between the two markers."""
    readme = ROOT / "README.md"
    before, rest = readme.read_text(encoding="utf-8").split(START)
    table = markdown(ROOT / "results/bleu_table.csv", *demo())
    readme.write_text(f"{before}{START}{table}{END}{rest.split(END, 1)[1]}", encoding="utf-8")


if __name__ == "__main__":
    main()
