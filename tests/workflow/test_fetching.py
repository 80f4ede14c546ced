"""Fetching through the workflow: as many downloads at once as it is told, and keys that are written nowhere."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.corpus.conftest import Release, tone
from tests.unit.corpus.server import KEY, SIGNATURE, Server, serving
from tests.workflow.conftest import Workplace

LANGUAGES = ("fr", "de", "es", "it")
FETCHED = [f"resources/mine/fetch/{source}/summary.json" for source in LANGUAGES]


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    with serving() as server:
        monkeypatch.setenv("MDC_API_URL", server.url("api"))
        monkeypatch.setenv("MDC_API_KEY", KEY)
        yield server


@pytest.fixture
def place(workplace: Workplace, server: Server, tmp_path_factory: pytest.TempPathFactory) -> Workplace:
    """A corpus of four languages on Data Collective, whose terms are accepted."""
    files = tmp_path_factory.mktemp("files")
    for source in LANGUAGES:
        release = Release(source)
        for number, label in enumerate(("train", "dev", "test")):
            release.add(f"{source}{number}.mp3", tone(1.0), f"n{number}", f"m{number}", label, f"{source}_en")
        release.write(files)
    for path in files.iterdir():
        server.files[path.name] = path.read_bytes()
    server.data_sets = {f"cm{source}": f"{source}.tar.gz" for source in LANGUAGES}
    server.accepted = set(server.data_sets)
    server.pause_s = 0.5
    config = workplace.folder / "config"
    (config / "corpora").mkdir(parents=True)
    (config / "config.yaml").write_text("corpus: mine\nexperiments: [mine]\nconfig_dir: config\n")
    data_sets = "".join(f"    {source}: cm{source}\n" for source in LANGUAGES)
    (config / "corpora" / "mine.yaml").write_text(
        f"pairs: [{', '.join(f'{source}_en' for source in LANGUAGES)}]\n"
        f"source:\n  kind: mdc\n  tables: {server.url('covost_v2.{pair}.tsv.tar.gz')}\n  datasets:\n{data_sets}"
    )
    (config / "experiments").mkdir()
    base = (workplace.folder / "tests/workflow/config_small/experiments/small.yaml").read_text()
    (config / "experiments" / "mine.yaml").write_text(base)
    return workplace


def written(folder: Path) -> bytes:
    """Every byte that the workflow has written, Snakemake's own records included; names of files as well."""
    files = [path for path in folder.rglob("*") if path.is_file() and not path.is_symlink()]
    assert any(".snakemake" in path.parts for path in files)
    return b"".join(str(path).encode() + path.read_bytes() for path in files)


def test_keys_are_written_nowhere_and_downloads_are_bounded(place: Workplace, server: Server) -> None:
    server.accepted.remove("cmit")
    result = place.snakemake("--cores", "4", "--keep-going", "--resources", "downloads=2", "--", *FETCHED)
    assert result.returncode == 3, result.stdout[-3000:]
    assert "https://mozilladatacollective.com/datasets/cmit" in result.stdout
    assert [(place.folder / path).exists() for path in FETCHED] == [True, True, True, False]
    started_together = [int(count) for count in re.findall(r"Execute (\d+) jobs", result.stdout)]
    assert max(started_together) == 2
    assert server.most_at_once <= 2
    everything = written(place.folder) + result.stdout.encode()
    server.accepted.add("cmit")
    again = place.snakemake("--cores", "4", "-p", "--debug-dag", "--", *FETCHED)
    assert again.returncode == 0, again.stdout[-3000:]
    everything += written(place.folder) + again.stdout.encode()
    assert everything.count(b"cmit") > 0
    assert KEY.encode() not in everything
    assert SIGNATURE.encode() not in everything
    assert server.asked(SIGNATURE) == 4
