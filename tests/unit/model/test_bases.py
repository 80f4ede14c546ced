"""Where base models are looked for."""

from pathlib import Path

import pytest

from llast.errors import DataError
from llast.model.bases import base_config, base_folder


def test_a_base_is_found_in_its_folder_or_where_fetch_model_puts_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    fetched = Path("resources/models/org--tiny@abc")
    fetched.mkdir(parents=True)
    (fetched / "summary.json").write_text("{}")
    (fetched / "config.json").write_text('{"model_type": "llama"}')
    assert base_folder("org/tiny@abc") == fetched
    assert base_config("org/tiny@abc") == {"model_type": "llama"}
    assert base_folder(f"./{fetched}").resolve() == fetched.resolve()
    assert base_config("org/other@abc") is None


def test_a_base_that_is_nowhere_is_a_message(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(DataError, match=r"\./gone"):
        base_folder("./gone")
    wanted = (
        r"llast fetch-model --reference org/tiny@abc --output resources/models/org--tiny@abc/summary.json"
    )
    with pytest.raises(DataError, match=wanted):
        base_folder("org/tiny@abc")
