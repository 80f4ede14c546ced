"""Opening the rows of the paper's mixture when training starts: time, and memory that a rank has of its own."""

import sys
import tempfile
from pathlib import Path

from made_up import make_up
from record import Measured, main, run
from tables import join_and_filter, mix

from llast.languages import PAPER_X_EN, source_languages
from llast.mixture.rows import rows_path

LLM = Path(__file__).parents[1] / "llast/demo/base_models/llama"
PAIRS = [*PAPER_X_EN, "en_ja", "en_de", "en_zh-CN"]
TARGET_S, OWN_MIB = 20.0, 32.0
OPEN = """
import sys, time
from pathlib import Path
from llast.mixture.rows import open_rows
from llast.training.dataset import TrainingRows
from llast.training.sampler import UpdateSampler
from llast.model.processing import LlastProcessor
def anonymous():  # without the pages of mapped files, which ranks share
    status = Path("/proc/self/status").read_text()
    return int(status.split("RssAnon:")[1].split()[0]) / 1024
mix, llm, *audio = map(Path, sys.argv[1:])
processor = LlastProcessor.from_llm(llm, "tinyllama")
processor.target_ids(["warm up"])
own, began = anonymous(), time.perf_counter()
rows = TrainingRows(mix, audio, processor, 1)
updates = UpdateSampler(rows.clip_of_row, 256, 1).epoch(0)
lengths = [rows.length(example) for example in next(updates)]
took, own = time.perf_counter() - began, anonymous() - own
texts = open_rows(mix).column("text")[:: 20].to_pylist()
began = time.perf_counter()
processor.target_ids(texts)
print(len(rows), took, own, (time.perf_counter() - began) * len(rows) / len(texts))
"""


def measure(full: bool) -> list[Measured]:
    """The rows come out of join, filter and mix; the audio is only an index."""
    share = 1.0 if full else 1 / 50
    sources = source_languages(PAIRS)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for source in sources:
            make_up(folder, source, share, PAIRS)
            join_and_filter(folder, source)
        mix(folder, sources, PAIRS)
        summary = folder / "mix/summary.json"
        size = rows_path(summary).stat().st_size / 2**20
        audio = [str(folder / "resample" / source / "summary.json") for source in sources]
        ran = run([sys.executable, "-c", OPEN, str(summary), str(LLM), *audio])
    count, seconds, own, tokenised = (float(word) for word in ran.output.split()[-4:])
    return [
        Measured(
            "training_rows",
            f"{count:,.0f} training rows are opened and the first update is put together, against tokenising all first",
            seconds,
            "s",
            tokenised,
            "tokenising all rows, from a twentieth of them",
            target=TARGET_S,
            lower_is_better=True,
        ),
        Measured(
            "training_rows_memory",
            f"a rank holds of its own at most {OWN_MIB:.0f} MiB and a quarter of {count:,.0f} rows, an epoch's order "
            "included",
            own,
            "MiB",
            size,
            "a copy of the rows",
            target=OWN_MIB + size / 4,
            lower_is_better=True,
        ),
    ]


if __name__ == "__main__":
    main(measure)
