"""The demo's table in the README is of the demo's experiments and pairs, in the form that its script writes."""

import csv
import re
from pathlib import Path

import pytest

from tools.readme_table import END, ROOT, START, demo, markdown

WIDE = "experiment,seed,checkpoint,step,chosen,de_en,zh-CN_en,en_ja,avg_x_en,avg_en_x\n"


def test_a_table_has_the_chosen_checkpoint_and_the_average_of_pairs_into_english(tmp_path: Path) -> None:
    scores = "a,1,1,2,false,1,2,3,4,5\na,1,2,4,true,10.25,20,30,15.125,30\nb,1,1,2,true,1,2,3,1.5,3\n"
    (tmp_path / "table.csv").write_text(WIDE + scores)
    written = markdown(tmp_path / "table.csv", ["a", "b"], ["zh-CN_en", "en_ja", "de_en"], 7)
    assert written.splitlines() == [
        "| BLEU on test (7 rows a pair) | de→en | zh→en | **average X→en** | en→ja |",
        "|---|---:|---:|---:|---:|",
        "| `a` | 10.2 | 20.0 | **15.1** | 30.0 |",
        "| `b` | 1.0 | 2.0 | **1.5** | 3.0 |",
    ]
    with pytest.raises(SystemExit):
        markdown(tmp_path / "table.csv", ["a"], ["zh-CN_en", "en_ja", "de_en"], 7)
    with pytest.raises(SystemExit):
        markdown(tmp_path / "table.csv", ["a", "b"], ["zh-CN_en", "en_ja"], 7)


def test_the_readme_has_the_table_of_the_demo(tmp_path: Path) -> None:
    shown = (ROOT / "README.md").read_text(encoding="utf-8").split(START)[1].split(END)[0]
    head, _, *rows = [re.split(r" *\| *", line.strip("|\n ")) for line in shown.splitlines()]
    names = {"fr→en": "fr_en", "zh→en": "zh-CN_en", "en→zh": "en_zh-CN", "**average X→en**": "avg_x_en"}
    columns = [names.get(name, name.replace("→", "_")) for name in head[1:]]
    table = tmp_path / "table.csv"
    with table.open("w", encoding="utf-8") as file:
        writer = csv.DictWriter(file, ["experiment", "chosen", *columns])
        writer.writeheader()
        for name, *scores in rows:
            values = dict(zip(columns, (score.strip("*") for score in scores), strict=True))
            writer.writerow({"experiment": name.strip("`"), "chosen": "true", **values})
    assert markdown(table, *demo()) == shown
