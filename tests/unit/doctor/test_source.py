from pathlib import Path

import pytest

from llast.config.corpus import (
    CorpusConfig,
    CorpusSource,
    HuggingFaceSource,
    LocalSource,
    MdcSource,
    PreparedSource,
    UrlSource,
)
from llast.config.resolved import ResolvedConfig
from llast.config.workflow import WorkflowConfig
from llast.doctor.source import check_source

SECRET = "never-to-be-printed"


def resolved(source: CorpusSource) -> ResolvedConfig:
    config = WorkflowConfig(corpus="mine", experiments=["one"])
    return ResolvedConfig(config, CorpusConfig(pairs=["fr_en", "en_de", "en_ja"], source=source), {})


@pytest.mark.parametrize(
    ("source", "environment", "line"),
    [
        (
            MdcSource(datasets={"fr": "a", "en": "b"}),
            {},
            "BAD   corpus      mdc: 2 of 2 languages to fetch; not set: MDC_API_KEY -> export MDC_API_KEY where "
            "Snakemake runs; the key is made on https://mozilladatacollective.com, where each data set's terms are "
            "accepted",
        ),
        (
            MdcSource(datasets={"fr": "a", "en": "b"}),
            {"MDC_API_KEY": SECRET},
            "good  corpus      mdc: 2 of 2 languages to fetch; set: MDC_API_KEY",
        ),
        (
            UrlSource(audio="https://here/{lang}.tar?key=${CV_KEY}"),
            {"CV_KEY": " "},
            "BAD   corpus      url: 2 of 2 languages to fetch; not set: CV_KEY -> export CV_KEY where Snakemake runs",
        ),
        (
            HuggingFaceSource(),
            {},
            "good  corpus      huggingface: 2 of 2 languages to fetch from fixie-ai/covost2, without a token if "
            "there is none",
        ),
        (
            PreparedSource(folder="covost2"),
            {},
            "BAD   corpus      prepared: 2 of 2 languages to fetch; not here: covost2/audio/fr/clips_16k, "
            "covost2/tsv/covost_v2.fr_en.train.tsv, covost2/audio/en/clips_16k and 2 more -> put them there, or "
            "correct source in the corpus's file",
        ),
    ],
)
def test_what_is_missing_has_a_remedy(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    source: CorpusSource,
    environment: dict[str, str],
    line: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    found = check_source(resolved(source), environment).line()
    assert found == line
    assert SECRET not in found


def test_local_archives_are_asked_for_until_they_are_fetched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    source = LocalSource(audio="cv/{lang}.tar.gz", tables="tables/{pair}.tsv")
    assert (
        "not here: cv/fr.tar.gz, tables/fr_en.tsv, cv/en.tar.gz and 2 more"
        in check_source(resolved(source), {}).found
    )
    for name in ("fr", "en"):
        summary = tmp_path / "resources" / "mine" / "fetch" / name / "summary.json"
        summary.parent.mkdir(parents=True)
        summary.write_text("{}")
    assert check_source(resolved(source), {}).line() == "good  corpus      local: all 2 languages fetched"
