import json
import os
import random
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from sacrebleu import corpus_bleu

from llast.artifacts.scores import ScoreFile
from llast.artifacts.summaries import DecodeDetails, DecodeSummary, Hypotheses, Split
from llast.config.steps import ScoreOptions
from llast.errors import ConfigError, DataError
from llast.evaluation.score import score

SENTENCES = {
    "en": [
        "The boat waits by the river.",
        "Two Birds sing, and it rains!",
        "We don't know that old house.",
        "Yes.",
    ],
    "de": [
        "Das Boot wartet am Fluss.",
        "Zwei Vögel singen, und es regnet!",
        "Wir kennen das alte Haus nicht.",
        "Ja.",
    ],
    "zh-CN": ["船在河边等着。", "两只鸟在唱歌，下雨了！", "我们不认识那座老房子。", "是的 OK。"],
    "ja": [
        "船は川のそばで待っています。",
        "二羽の鳥が歌い、雨が降る！",
        "私たちはその古い家を知りません。",
        "はい。",
    ],
}


def rows_of(pair: str, count: int) -> list[dict[str, Any]]:
    """Rows whose hypotheses are partly right, one of them empty and one with a line separator inside."""
    draw = random.Random(pair)
    target = SENTENCES[pair.split("_")[1]]
    rows: list[dict[str, Any]] = []
    for i in range(count):
        reference = target[i % len(target)]
        hypothesis = reference if draw.random() < 0.5 else target[draw.randrange(len(target))].lower()
        row = {"clip": f"clip{i}", "sentence": "…", "reference": reference, "hypothesis": hypothesis}
        rows.append({**row, "seconds": 2.0})
    if count > 2:
        rows[0]["hypothesis"] = ""
        rows[1]["hypothesis"] = "a\u2028" + rows[1]["reference"]
    return rows


def write_translation(
    folder: Path,
    pairs: dict[str, list[dict[str, Any]]],
    step: int = 150,
    claimed: int | None = None,
    missing: int = 0,
) -> Path:
    """A translate summary with its hypotheses."""
    described: dict[str, dict[Split, Hypotheses]] = {}
    for pair, rows in pairs.items():
        folder.mkdir(parents=True, exist_ok=True)
        lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        (folder / f"{pair}.test.jsonl").write_text(lines, encoding="utf-8")
        count = len(rows) if claimed is None else claimed
        described[pair] = {
            "test": Hypotheses(rows=count, expected=count + missing, file=f"{pair}.test.jsonl")
        }
    details = DecodeDetails(experiment="x", seed=3, checkpoint=1, step=step, pairs=described)
    DecodeSummary(version=1, rows_in=0, rows_out=0, details=details).write(folder / "summary.json")
    return folder / "summary.json"


def sacrebleu(folder: Path, rows: list[dict[str, Any]], *options: str) -> dict[str, Any]:
    """What sacreBLEU's own command line says of the rows."""
    for name in ("hypothesis", "reference"):
        # sacreBLEU's files have a sentence a line; the separator becomes the space that its tokenizers make of it
        (folder / name).write_text(
            "".join(row[name].replace("\u2028", " ") + "\n" for row in rows), encoding="utf-8"
        )
    command = [
        sys.executable,
        "-m",
        "sacrebleu",
        "reference",
        "-i",
        "hypothesis",
        "-f",
        "json",
        "-w",
        "8",
        *options,
    ]
    environment = {k: v for k, v in os.environ.items() if k != "SACREBLEU_SEED"}
    done = subprocess.run(command, cwd=folder, env=environment, check=True, capture_output=True, text=True)
    result: dict[str, Any] = json.loads(done.stdout)
    return result


@pytest.mark.parametrize(
    ("pair", "tokenizer"), [("fr_en", "13a"), ("en_de", "13a"), ("en_zh-CN", "zh"), ("en_ja", "ja-mecab")]
)
def test_sacrebleu_command_line_agrees(tmp_path: Path, pair: str, tokenizer: str) -> None:
    rows = rows_of(pair, 40)
    scored = score([write_translation(tmp_path, {pair: rows})], "test", tmp_path / "score.json").pairs[pair]
    metrics = scored.scored

    bleu = sacrebleu(tmp_path, rows, "-m", "bleu", "-tok", tokenizer, "--confidence")
    assert 5 < bleu["score"] < 95
    assert metrics["bleu"].value == pytest.approx(bleu["score"], abs=1e-6)
    assert metrics["bleu"].signature == bleu["signature"]
    assert metrics["bleu"].interval is not None
    low, high = metrics["bleu"].interval
    assert (low + high) / 2 == pytest.approx(bleu["confidence_mean"], abs=1e-6)
    assert (high - low) / 2 == pytest.approx(bleu["confidence_var"], abs=1e-6)

    def found(name: str) -> tuple[Any, str]:
        return pytest.approx(metrics[name].value), metrics[name].signature

    lower = sacrebleu(tmp_path, rows, "-m", "bleu", "-tok", tokenizer, "--lowercase", "--confidence")
    assert (lower["score"], lower["signature"]) == found("bleu_lc")
    assert sum(metrics["bleu_lc"].interval or ()) / 2 == pytest.approx(lower["confidence_mean"], abs=1e-6)
    chrf = sacrebleu(tmp_path, rows, "-m", "chrf")
    assert (chrf["score"], chrf["signature"]) == found("chrf2")
    if pair in ("en_zh-CN", "en_ja"):
        char = sacrebleu(tmp_path, rows, "-m", "bleu", "-tok", "char")
        assert (char["score"], char["signature"]) == found("bleu_char")
    else:
        assert "bleu_char" not in metrics


@pytest.mark.parametrize("pair", ["fr_en", "zh-CN_en", "en_de", "en_zh-CN", "en_ja"])
def test_lower_cased_bleu_is_the_released_scorers(tmp_path: Path, pair: str) -> None:
    """xtuner's sacrebleu_metric.py, branch add_llast: lower() on both sides, the tokenizer by the run's label."""
    rows = rows_of(pair, 40)
    label = f"_e1_{pair.replace('zh-CN', 'zh')}"
    tokenizer = "zh" if "en_zh" in label else "ja-mecab" if "en_ja" in label else "13a"
    released = corpus_bleu(
        [row["hypothesis"].lower() for row in rows],
        [[row["reference"].lower() for row in rows]],
        smooth_method="exp",
        force=False,
        lowercase=False,
        tokenize=tokenizer,
        use_effective_order=False,
    )
    path = write_translation(tmp_path, {pair: rows})
    metrics = score([path], "test", tmp_path / "score.json").pairs[pair].scored
    assert metrics["bleu_lc"].value == released.score
    assert metrics["bleu"].value != released.score or pair == "en_zh-CN" or pair == "en_ja"


def test_the_interval_does_not_hang_on_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_translation(tmp_path, {"fr_en": rows_of("fr_en", 40)})
    usual = score([path], "test", tmp_path / "1.json")
    monkeypatch.setenv("SACREBLEU_SEED", "7")
    assert score([path], "test", tmp_path / "2.json") == usual


def test_workers_change_nothing(tmp_path: Path) -> None:
    pairs = {pair: rows_of(pair, 12) for pair in ("fr_en", "de_en", "en_ja")}
    path = write_translation(tmp_path, pairs)
    alone = score([path], "test", tmp_path / "1.json")
    assert score([path], "test", tmp_path / "2.json", workers=2) == alone


def test_transcripts_are_scored_by_language(tmp_path: Path) -> None:
    path = write_translation(tmp_path, {"en_de": rows_of("en_de", 12)})
    heard = {"clip": "a", "sentence": "The boat's here, isn't it?", "seconds": 1.0}
    row = heard | {"reference": heard["sentence"], "hypothesis": "the boats here isn’t it"}
    (tmp_path / "en.asr.test.jsonl").write_text(json.dumps(row) + "\n")
    summary = DecodeSummary.read(path)
    transcripts = {"test": Hypotheses(rows=1, expected=2, file="en.asr.test.jsonl")}
    details = summary.details.model_copy(update={"transcripts": transcripts})
    summary.model_copy(update={"details": details}).write(path)
    result = score([path], "test", tmp_path / "score.json")
    english = result.transcripts["en"]
    assert (english.rows, english.expected, list(english.scored)) == (1, 2, ["wer", "wer_whisper"])
    assert english.scored["wer"].value == 20.0
    assert "punctuation removed except apostrophe and hyphen" in english.scored["wer"].signature
    assert list(result.pairs) == ["en_de"]


def test_comet_is_run_where_it_is_named(tmp_path: Path) -> None:
    """A program in the place of `comet-score`, which cannot be installed beside transformers 5: what it is given."""
    program = tmp_path / "comet-score"
    program.write_text(
        "#!/bin/sh\nset -e\n"
        'printf "%s\\n" "$@" > "$(dirname "$0")/arguments"\n'
        'printf "%s\\tscore: %s\\n" "$6" "0.$(cat "$4" | wc -l)"\n'
    )
    program.chmod(0o755)
    path = write_translation(tmp_path / "x", {"fr_en": rows_of("fr_en", 12)})
    options = ScoreOptions(comet_command=f"{program} --gpus 0")
    comet = score([path], "test", tmp_path / "score.json", options).pairs["fr_en"].scored["comet"]
    assert comet.value == 0.12, "a line per row, the one with a separator inside too"
    assert comet.signature == "comet|model:Unbabel/wmt22-comet-da"
    arguments = (tmp_path / "arguments").read_text().split()
    assert arguments[:3] == ["--gpus", "0", "-s"]
    assert arguments[-4:] == ["--model", "Unbabel/wmt22-comet-da", "--quiet", "--only_system"]
    off = score([path], "test", tmp_path / "score.json").pairs["fr_en"].scored
    assert "comet" not in off, "off by default"

    program.write_text("#!/bin/sh\necho its-own-words >&2\nexit 1\n")
    with pytest.raises(DataError, match="its-own-words"):
        score([path], "test", tmp_path / "score.json", options)
    with pytest.raises(ConfigError, match=r"comet_command.*/nowhere/comet-score"):
        score([path], "test", tmp_path / "score.json", ScoreOptions(comet_command="/nowhere/comet-score"))


def test_the_file_says_what_was_scored(tmp_path: Path) -> None:
    english = write_translation(tmp_path / "en", {"en_ja": rows_of("en_ja", 12)}, missing=2)
    french = write_translation(tmp_path / "fr", {"fr_en": rows_of("fr_en", 12)})
    result = score([english, french], "test", tmp_path / "score.json")
    assert ScoreFile.read(tmp_path / "score.json") == result
    found = (result.experiment, result.seed, result.checkpoint, result.step, result.split)
    assert found == ("x", 3, 1, 150, "test")
    assert list(result.pairs) == ["fr_en", "en_ja"]
    assert (result.pairs["en_ja"].rows, result.pairs["en_ja"].expected) == (12, 14)
    assert result == score([french, english], "test", tmp_path / "again.json")


def test_a_pair_without_rows_and_one_with_few(tmp_path: Path) -> None:
    path = write_translation(tmp_path, {"fr_en": [], "de_en": rows_of("de_en", 2)}, missing=5)
    pairs = score([path], "test", tmp_path / "score.json").pairs
    assert (pairs["fr_en"].rows, pairs["fr_en"].expected) == (0, 5)
    assert pairs["fr_en"].metrics == {"bleu": None, "bleu_lc": None, "chrf2": None}
    assert pairs["de_en"].scored["bleu"].interval is None


@pytest.mark.parametrize("reference", [" ", "\u200b"])
def test_references_that_are_all_empty_have_no_score(tmp_path: Path, reference: str) -> None:
    rows = [{**row, "reference": reference} for row in rows_of("en_ja", 20)]
    own = score([write_translation(tmp_path, {"en_ja": rows})], "test", tmp_path / "score.json").pairs[
        "en_ja"
    ]
    assert own.metrics == {"bleu": None, "bleu_lc": None, "bleu_char": None, "chrf2": None}
    assert (own.rows, own.by_seconds) == (20, [])
    assert ScoreFile.read(tmp_path / "score.json").pairs["en_ja"] == own


def test_perfect_hypotheses_score_100_and_no_more(tmp_path: Path) -> None:
    rows = [{**row, "hypothesis": row["reference"]} for row in rows_of("fr_en", 40)]
    scored = score([write_translation(tmp_path, {"fr_en": rows})], "test", tmp_path / "score.json").pairs[
        "fr_en"
    ]
    for name in ("bleu", "bleu_lc"):
        assert scored.scored[name].value == 100
        assert max(scored.scored[name].interval or ()) <= 100
    assert scored.scored["chrf2"].value == 100
    assert all(sample.chrf2 <= 100 for kind in scored.samples.values() for sample in kind)


def test_hypotheses_that_are_all_empty_score_zero(tmp_path: Path) -> None:
    rows = [{**row, "hypothesis": ""} for row in rows_of("fr_en", 20)]
    path = write_translation(tmp_path, {"fr_en": rows})
    metrics = score([path], "test", tmp_path / "score.json").pairs["fr_en"].scored
    assert (metrics["bleu"].value, metrics["bleu"].interval, metrics["chrf2"].value) == (0, (0, 0), 0)


def test_what_does_not_fit_is_refused(tmp_path: Path) -> None:
    rows = rows_of("fr_en", 12)
    good = write_translation(tmp_path / "good", {"fr_en": rows})
    other_step = write_translation(tmp_path / "other", {"de_en": rows}, step=300)
    cut = write_translation(tmp_path / "cut", {"de_en": rows}, claimed=13)
    doubled = write_translation(tmp_path / "doubled", {"fr_en": [*rows[:11], rows[3]]})
    gone = write_translation(tmp_path / "gone", {"fr_en": rows})
    (gone.parent / "fr_en.test.jsonl").unlink()
    cases: list[tuple[list[Path], Split, str]] = [  # the last is what the message has to name
        ([good, other_step], "test", f"{other_step}"),
        ([good, good.parent / "../good/summary.json"], "test", "../good/summary.json"),
        ([good, cut], "test", f"{cut.parent}/de_en.test.jsonl"),
        ([doubled], "test", f"{doubled.parent}/fr_en.test.jsonl: lines 4 and 12"),
        ([gone], "test", f"{gone.parent}/fr_en.test.jsonl"),
        ([good], "dev", f"{good}"),
        ([], "test", "no "),
    ]
    for translated, split, named in cases:
        with pytest.raises(DataError, match=re.escape(named)):
            score(translated, split, tmp_path / "score.json")
    assert not (tmp_path / "score.json").exists()


@pytest.mark.parametrize("hypothesis", ["null", "3", "[]", '{"text": "a"}'])
def test_a_hypothesis_that_is_no_text_is_named(tmp_path: Path, hypothesis: str) -> None:
    path = write_translation(tmp_path, {"fr_en": rows_of("fr_en", 3)})
    file = tmp_path / "fr_en.test.jsonl"
    lines = file.read_text(encoding="utf-8").split("\n")
    lines[1] = json.dumps({**json.loads(lines[1]), "hypothesis": json.loads(hypothesis)})
    file.write_text("\n".join(lines), encoding="utf-8")
    with pytest.raises(DataError, match=f"{re.escape(str(file))}: line 2: 'hypothesis'"):
        score([path], "test", tmp_path / "score.json")
