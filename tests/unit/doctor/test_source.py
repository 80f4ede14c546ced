from pathlib import Path

import pytest

from llast.config.corpus import CorpusConfig
from llast.config.resolved import ResolvedConfig
from llast.config.workflow import WorkflowConfig
from llast.corpus.sources import CorpusSource
from llast.corpus.sources.huggingface import HuggingFaceSource
from llast.corpus.sources.local import LocalSource
from llast.corpus.sources.mdc import MdcSource
from llast.corpus.sources.prepared import PreparedSource
from llast.corpus.sources.url import UrlSource
from llast.doctor.source import check_source

SECRET = "never-to-be-printed"


def resolved(source: CorpusSource) -> ResolvedConfig:
    config = WorkflowConfig(corpus="mine", experiments=["one"])
    return ResolvedConfig(config, CorpusConfig(pairs=["fr_en", "en_de", "en_ja"], source=source), {})


@pytest.mark.parametrize(
    ("source", "environment", "status", "names"),
    [
        (
            MdcSource(datasets={"fr": "a", "en": "b"}),
            {},
            "BAD",
            ["2 of 2 languages", "MDC_API_KEY", "https://mozilladatacollective.com"],
        ),
        (
            MdcSource(datasets={"fr": "a", "en": "b"}, tables="https://here/{pair}?key=${TABLES}"),
            {"MDC_API_KEY": SECRET},
            "BAD",
            ["not set: TABLES"],
        ),
        (MdcSource(datasets={"fr": "a", "en": "b"}), {"MDC_API_KEY": SECRET}, "good", ["set: MDC_API_KEY"]),
        (
            UrlSource(audio="https://here/{lang}.tar?key=${CV_KEY}"),
            {"CV_KEY": " "},
            "BAD",
            ["url: 2 of 2 languages", "export CV_KEY"],
        ),
        (HuggingFaceSource(), {}, "good", ["fixie-ai/covost2"]),
        (
            HuggingFaceSource(tables="tables/{pair}.tsv"),
            {},
            "BAD",
            ["tables/fr_en.tsv, tables/en_de.tsv, tables/en_ja.tsv"],
        ),
        (
            PreparedSource(folder="covost2"),
            {},
            "BAD",
            ["covost2/audio/fr/clips_16k, covost2/tsv/covost_v2.fr_en.test.tsv, ", "and 2 more"],
        ),
    ],
)
def test_what_is_missing_has_a_remedy(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    source: CorpusSource,
    environment: dict[str, str],
    status: str,
    names: list[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    found = check_source(resolved(source), environment)
    assert found.status == status
    assert bool(found.remedy) == (status == "BAD")
    assert all(name in found.line() for name in names)
    assert SECRET not in found.line()


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
    assert check_source(resolved(source), {}).status == "good"
