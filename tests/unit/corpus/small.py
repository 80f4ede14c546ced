"""A small corpus on disk, odd where its keywords say so, and the verbs that make rows of it."""

import contextlib
import io
import os
import tarfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import yaml

from llast.artifacts.corpus import FilterSummary
from llast.cli import main
from llast.config.load import load_corpus
from llast.config.resolved import ResolvedConfig
from llast.config.rules.corpus import CorpusRules
from llast.config.workflow import WorkflowConfig
from llast.doctor.source import check_source
from llast.errors import UserError
from llast.languages import pairs_from, source_languages
from tests.unit.corpus.conftest import tone

ROWS = {"train": 6, "dev": 3, "test": 3}

Content = str | bytes | None
"""What a file holds; None: it is a named pipe, into which nobody writes."""
Edit = Callable[[str], Content]
Clips = dict[str, Content]


def tar(folder: Path, root: str = "") -> bytes:
    """A `.tar.gz` of a folder, below another one."""
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w:gz") as archive:
        for path in sorted(folder.rglob("*"), reverse=True):  # validated.tsv first
            archive.add(path, root + path.relative_to(folder).as_posix(), recursive=False)
    return content.getvalue()


@dataclass
class Small:
    """A corpus with 6 train, 3 dev and 3 test rows a pair. Each keyword is one way in which corpora differ.

    Attributes:
        pairs: its pairs; every source language has the same sentences and clips.
        rows: rows of each split.
        name: of a clip, from `n` (a number over all splits), `i` (one within its split) and `split`.
        in_sentences: its path in `validated.tsv`, from `name` and the same.
        in_tables: its path in the tables.
        in_audio: its file in `clips/`.
        labels: label of a split in the tables, where it is not the split's name.
        sentences: edits the text of `validated.tsv`.
        tables: edits the text of each table; by pair where it is a mapping. None: there is none.
        clips: edits content by file name.
        pack: the end of the archive's name; empty: an unpacked folder.
        packed: the archive's content, made from the folder of `validated.tsv` and `clips/`.
        archive: edits it.
        layout: `prepared` for the folder of the released loader, whose tables are per split.
        source: keys of `source` in the corpus's file, over those that name these files; `{data}` is their folder, and
            None takes a key out.
        corpus: other keys of that file.
    """

    pairs: Sequence[str] = ("de_en",)
    rows: Mapping[str, int] = field(default_factory=lambda: ROWS)
    name: str = "common_voice_de_{n}"
    in_sentences: str = "{name}.wav"
    in_tables: str = "{name}.wav"
    in_audio: str = "{name}.wav"
    labels: Mapping[str, str] = field(default_factory=dict)
    sentences: Edit = str
    tables: Edit | Mapping[str, Edit] | None = str
    clips: Callable[[Clips], Clips] = dict
    pack: str = ""
    packed: Callable[[Path], bytes] = tar
    archive: Callable[[bytes], Content] = bytes
    layout: str = ""
    source: Mapping[str, Any] = field(default_factory=dict)
    corpus: Mapping[str, Any] = field(default_factory=dict)

    def write(self, folder: Path) -> CorpusRules:
        """Write its files and `config/corpora/small.yaml`; what the rules of its steps are given.

        Raises:
            ConfigError: the corpus's file is refused.
        """
        data = folder / "data"
        data.mkdir(parents=True)
        source = self._write_prepared(data) if self.layout == "prepared" else self._write_release(data)
        config = folder / "config" / "corpora" / "small.yaml"
        config.parent.mkdir(parents=True)
        values = {"pairs": list(self.pairs), "source": self._source(data, source), **self.corpus}
        config.write_text(yaml.safe_dump(values))
        corpus = load_corpus("small", folder / "config")
        return CorpusRules(ResolvedConfig(WorkflowConfig(corpus="small", experiments=["none"]), corpus, {}))

    def _source(self, data: Path, written: Mapping[str, Any]) -> dict[str, Any]:
        return {
            key: value.replace("{data}", str(data)) if isinstance(value, str) else value
            for key, value in ({**written, **self.source}).items()
            if value is not None
        }

    def _names(self) -> list[dict[str, Any]]:
        """What paths are made of, a row each."""
        found: list[dict[str, Any]] = []
        for split, count in self.rows.items():
            for i in range(count):
                parts = {"n": 1000 + len(found), "i": i, "split": split}
                found.append({**parts, "name": self.name.format(**parts)})
        return found

    def _sentences(self) -> Content:
        rows = [
            f"spk{row['n'] % 5}\t{self.in_sentences.format(**row)}\tSatz Nummer {row['n']}.\n"
            for row in self._names()
        ]
        return self.sentences("client_id\tpath\tsentence\n" + "".join(rows))

    def _table(self, pair: str) -> Content:
        rows = [
            "{}\tThis is {} {}.\t{}\n".format(
                self.in_tables.format(**row), pair, row["n"], self.labels.get(row["split"], row["split"])
            )
            for row in self._names()
        ]
        return self._edit(pair)("path\ttranslation\tsplit\n" + "".join(rows))

    def _edit(self, pair: str) -> Edit:
        return self.tables.get(pair, str) if isinstance(self.tables, Mapping) else self.tables or str

    def _clips(self) -> Clips:
        return self.clips({self.in_audio.format(**row): _speech(row["n"]) for row in self._names()})

    def _write_release(self, data: Path) -> dict[str, Any]:
        for language in source_languages(list(self.pairs)):
            folder = data / language
            _write(folder / "validated.tsv", self._sentences())
            for name, content in self._clips().items():
                _write(folder / "clips" / name, content)
            if self.pack:
                _write(data / f"{language}{self.pack}", self.archive(self.packed(folder)))
        for pair in self.pairs if self.tables else ():
            _write(data / f"covost_v2.{pair}.tsv", self._table(pair))
        return {
            "kind": "local",
            "audio": f"{data}/{{lang}}{self.pack}",
            "tables": f"{data}/covost_v2.{{pair}}.tsv",
        }

    def _write_prepared(self, data: Path) -> dict[str, Any]:
        for language in source_languages(list(self.pairs)):
            for name, content in self._clips().items():
                _write(data / "audio" / language / "clips_16k" / name, content)
        for pair in self.pairs:
            for split in self.rows:
                lines = [
                    f"{self.in_tables.format(**row)}\tSatz Nummer {row['n']}.\tThis is {pair} {row['n']}.\tspk\n"
                    for row in self._names()
                    if row["split"] == split
                ]
                _write(
                    data / "tsv" / f"covost_v2.{pair}.{split}.tsv",
                    self._edit(pair)("path\tsentence\ttranslation\tclient_id\n" + "".join(lines)),
                )
        return {"kind": "prepared", "folder": str(data)}


@dataclass(frozen=True)
class Ended:
    """How the steps of a corpus ended.

    Attributes:
        step: the one that failed, or the last one; `config` where the corpus's file was refused.
        code: its exit code.
        said: standard error of all of them.
        rows: usable rows of each split, by pair, where all steps are done.
        doctor: what `llast doctor` says of the corpus, if it finds something.
    """

    step: str
    code: int
    said: str
    rows: dict[str, dict[str, int]]
    doctor: str = ""


def run(folder: Path, small: Small) -> Ended:
    """Write a corpus, ask `llast doctor` about it, and run its steps as the workflow calls them."""
    try:
        rules = small.write(folder)
    except UserError as error:
        return Ended("config", error.exit_code, str(error), {})
    check = check_source(rules.resolved, {})
    doctor = check.line() if check.status == "BAD" else ""
    said = io.StringIO()
    rows: dict[str, dict[str, int]] = {}
    step = ""
    for language in rules.resolved.sources:
        wildcards = SimpleNamespace(source=language)
        summary = {
            name: folder / name / language / "summary.json"
            for name in ("fetch", "resample", "join", "filter")
        }
        pairs = pairs_from(language, rules.resolved.corpus.pairs)
        fetched = ["--fetched", str(summary["fetch"])]
        options = {
            "fetch": rules.fetch_options(wildcards),
            "resample": rules.resample_options,
            "filter": rules.filter_options,
        }
        inputs = {
            "fetch": ["--source", language, "--pairs", *pairs, "--downloads", str(folder / "downloads")],
            "resample": fetched,
            "join": [*fetched, rules.official_counts],
            "filter": ["--joined", str(summary["join"]), "--resampled", str(summary["resample"])],
        }
        for step, arguments in inputs.items():
            more = ["--options", options[step]] if step in options else []
            with contextlib.redirect_stderr(said):
                code = main([step, *arguments, "--output", str(summary[step]), *more])
            if code:
                return Ended(step, code, said.getvalue(), {}, doctor)
        for pair, splits in FilterSummary.read(summary["filter"]).details.pairs.items():
            rows[pair] = {
                split: of.rows_out - (of.missing_audio if split != "train" else 0)
                for split, of in splits.items()
            }
    return Ended(step, 0, said.getvalue(), rows, doctor)


@cache
def _speech(number: int) -> bytes:
    """A second of a tone of its own."""
    return tone(1.0, rate=16_000, kind="WAV", pitch=200.0 + number % 100)


def _write(path: Path, content: Content) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if content is None:
        os.mkfifo(path)
    else:
        path.write_bytes(content.encode() if isinstance(content, str) else content)
