"""A tiny run with two checkpoints, trained and scored."""

from pathlib import Path

import pytest

from llast.artifacts.hypotheses import Hypothesis
from llast.artifacts.scores import ScoreFile
from llast.config.steps import Machine, ScoreOptions, TrainSpec
from llast.evaluation.score import score_pair
from llast.launch.train import launch
from tests.runs import SPLITS


@pytest.fixture(scope="session")
def run(
    base_models: Path, training_rows: tuple[Path, list[Path]], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """`results/tiny/seed1`; the first of its two checkpoints is the better one on dev."""
    folder = tmp_path_factory.mktemp("results") / "tiny" / "seed1"
    options = TrainSpec.model_validate(
        {
            "encoder": {
                "base": f"{base_models}/whisper",
                "window": "clip",
                "lora": {"rank": 4, "alpha": 8},
            },
            "adaptor": {"stack": 4},
            "llm": {"base": f"{base_models}/llama", "lora": {"rank": 2, "alpha": 8}},
            "mixture": {"pairs": ["fr_en", "zh-CN_en"]},
            "training": {
                "max_steps": 4,
                "rows_per_update": 4,
                "precision": "float32",
                "learning_rate": 0.05,
                "checkpoints": 2,
            },
        }
    )
    launch(
        "tiny",
        1,
        *training_rows,
        base_models / "whisper",
        base_models / "llama",
        folder / "train" / "run.json",
        options,
        Machine(),
    )
    texts = ["the cat sat on the mat", "the dog sat on the mat"]
    for checkpoint in (1, 2):
        for split in SPLITS:
            said = (
                texts if (checkpoint, split) == (1, "dev") else [texts[0], texts[checkpoint - 2][:19] + "hat"]
            )
            records = [
                Hypothesis(clip="a", sentence="", reference=reference, hypothesis=hypothesis, seconds=1.0)
                for reference, hypothesis in zip(texts, said, strict=True)
            ]
            ScoreFile(
                experiment="tiny",
                seed=1,
                checkpoint=checkpoint,
                step=2 * checkpoint,
                split=split,
                pairs={
                    pair: score_pair(pair, records, ScoreOptions())
                    for pair in ("fr_en", "zh-CN_en", "de_en", "en_de")
                },
            ).write(folder / "score" / f"checkpoint{checkpoint}.{split}.json")
    return folder
