"""Trainings that cannot go on: one message on the terminal, and no second try."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.slurm.trainings import SPEC, TWO_NODES, Rows, Training


def test_what_trying_again_does_not_help(
    cluster: Path, base_models: Path, training_rows: Rows, tmp_path: Path
) -> None:
    diverging = {"learning_rate": 1.0, "warmup": 0.0, "loss_limit": 1.0001, "rows_per_update": 1}
    options = SPEC.training.model_copy(update=diverging)
    memory = Training(base_models, training_rows, tmp_path, "memory", *TWO_NODES, "--memory-mb", "150")
    diverged = Training(
        base_models,
        training_rows,
        tmp_path,
        "diverged",
        *TWO_NODES,
        spec=SPEC.model_copy(update={"training": options}),
    )
    refused = Training(base_models, training_rows, tmp_path, "refused", *TWO_NODES, "--partition", "nowhere")
    for training in (memory, diverged, refused):
        training.start()
    with ThreadPoolExecutor() as pool:
        list(pool.map(Training.end, (memory, diverged, refused), (4, 4, 2)))
    assert "for lack of memory" in memory.said()
    assert "mem_mb of the rule train" in memory.said()
    assert "TrainingDiverged: " in diverged.said()
    assert f"log: {diverged.folder}" in diverged.said()
    assert "Slurm does not take the job" in refused.said()
    assert "invalid partition" in refused.said()
    for training in (memory, diverged):
        assert len(list(training.folder.glob("*/jobs/*_submitted.pkl"))) == 1
        assert "Traceback" not in training.said()
        assert len(training.said().splitlines()) < 12
