"""The command line: quick help, one message per mistake, exit codes, a log that keeps what the terminal showed."""

import argparse
import errno
import inspect
import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import llast.cli as cli
from llast.cli.arguments import Verb
from llast.cli.log import tee
from llast.cli.steps import STEPS
from llast.cli.verbs import VERBS
from llast.config.steps import Machine
from llast.doctor.places import OFFLINE
from llast.errors import ConfigError, DataError, JobError

ROOT = Path(__file__).parents[2]


def llast(*arguments: str, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "llast", *arguments]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "120"}
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd, env=environment, check=False)


def test_help_imports_nothing_heavy() -> None:
    program = (
        "import sys, llast.cli\n"
        "try: llast.cli.main(['--help'])\n"
        "except SystemExit: pass\n"
        "print('HEAVY', {'torch', 'pydantic', 'numpy', 'yaml', 'pyarrow', 'transformers', 'mlflow'} & set(sys.modules))"
    )
    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT, check=True
    )
    assert "HEAVY set()" in result.stdout
    assert all(verb.name.split()[0] in result.stdout for verb in VERBS)


@pytest.mark.parametrize("verb", VERBS, ids=lambda verb: verb.name)
def test_every_verb_has_help_with_its_sentence_and_its_options(
    verb: Verb, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    with pytest.raises(SystemExit) as leave:
        cli.main([*verb.name.split(), "--help"])
    text = capsys.readouterr().out
    assert leave.value.code == 0
    assert verb.help in text
    if verb.options:
        assert all(key in text for key in cli._load(verb.options).model_fields)


def actions(verb: Verb) -> dict[str, argparse.Action]:
    """What the command line takes for a verb, by parameter of its function."""
    parser = cli._Parser()
    parser._add_arguments(verb)
    own = ("help", "log", "debug", "explain")
    return {action.dest: action for action in parser._actions if action.dest not in own}


@pytest.mark.parametrize("verb", VERBS, ids=lambda verb: verb.name)
def test_the_arguments_of_a_verb_are_the_parameters_of_its_function(verb: Verb) -> None:
    parameters = dict(inspect.signature(cli._load(verb.function)).parameters)
    taken = actions(verb)
    assert (parameters.pop("options", None) is not None) == bool(verb.options)
    taken.pop("options", None)
    if verb.machine:
        fields = cli._load(verb.machine).model_fields
        assert all(taken.pop(name).default == field.default for name, field in fields.items())
        parameters.pop("machine")
    assert taken.keys() == parameters.keys()
    for name, action in taken.items():
        default = parameters[name].default
        assert action.required == (default is inspect.Parameter.empty), name
        if not action.required:
            assert action.default == default, name
        flag = f"--{name.rstrip('_').replace('_', '-')}"
        assert flag in action.option_strings or action.option_strings == [], name


def shell_lines() -> dict[str, str]:
    """The command of each rule."""
    text = "\n".join(path.read_text() for path in sorted((ROOT / "workflow/rules").glob("*.smk")))
    rules = dict(re.findall(r"^rule (\w+):\n(.*?)(?=^\S|\Z)", text, re.MULTILINE | re.DOTALL))
    return {
        rule: "".join(re.findall(r'"(.*)"', body.partition("    shell:")[2])) for rule, body in rules.items()
    }


def test_every_rule_calls_the_verb_of_its_name_with_arguments_that_it_has() -> None:
    lines, verbs = shell_lines(), {verb.name: verb for verb in STEPS}
    assert {rule.replace("_", "-") for rule in lines} == verbs.keys()
    for rule, line in lines.items():
        verb = verbs[rule.replace("_", "-")]
        assert line.startswith(f"llast {verb.name} --")
        given = set(re.findall(r"(?:^| )(--[a-z-]+)", line))
        taken = actions(verb).values()
        assert given <= {flag for action in taken for flag in action.option_strings} | {"--log"}, rule
        assert "--log {log:q}" in line
        assert [place for place in re.findall(r"{(.*?)}", line) if not place.endswith(":q")] == [], (
            "not quoted"
        )
        assert given >= {action.option_strings[0] for action in taken if action.required}, rule
        assert ("--options" in given) == bool(verb.options), rule


@pytest.mark.parametrize("value", ["nan", "inf", "-inf", "1e999", "0", "-1", "long"])
def test_a_number_that_is_none_is_refused(value: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as leave:
        cli.main(
            ["translate", "a.wav", "--model", "m", "--from", "fr", "--to", "en", "--segment-seconds", value]
        )
    assert leave.value.code == 2
    assert "--segment-seconds" in capsys.readouterr().err


def test_help_tells_defaults_and_meaning_of_options(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        cli.main(["resample", "--help"])
    text = capsys.readouterr().out
    assert re.search(r"min_seconds \(number\) 0\.1\n +\w+", text)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (
            '{"min_second": 1}',
            r"llast resample: --options: .*'min_second'.*'min_seconds'",
        ),
        ("{min_seconds: 1}", r"llast resample: --options .*JSON"),
    ],
)
def test_bad_options_are_a_message_and_exit_code_2(tmp_path: Path, options: str, expected: str) -> None:
    output = str(tmp_path / "summary.json")
    result = llast("resample", "--fetched", "none.json", "--output", output, "--options", options)
    assert result.returncode == 2
    assert re.match(expected, result.stderr)
    assert "Traceback" not in result.stderr


def test_missing_data_is_a_message_and_exit_code_3(tmp_path: Path) -> None:
    result = llast("join", "--fetched", "none/summary.json", "--output", "out/summary.json", cwd=tmp_path)
    assert result.returncode == 3
    assert result.stderr.startswith("llast join: none/summary.json")
    assert len(result.stderr.splitlines()) == 1
    assert not (tmp_path / "out/summary.json").exists()


@pytest.mark.parametrize("endpoint", ["http://[::1", "http://hub:99999", "https://", "hub"])
def test_a_hub_that_cannot_be_is_said_whatever_the_verb(
    endpoint: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setenv("HF_ENDPOINT", endpoint)
    output = str(tmp_path / "summary.json")
    assert cli.main(["fetch-model", "--reference", "org/name@main", "--output", output]) == 2
    assert f"HF_ENDPOINT is '{endpoint}'" in capsys.readouterr().err


@pytest.mark.parametrize(
    "line",
    [
        "config schema --output file/x",
        "config schema --output /proc/x",
        f"config schema --output {'a' * 300}",
        "table --runs folder --scores file --output out/bleu_table.csv",
        "join --fetched folder --output out/summary.json",
        "statistics --corpus folder --output s.csv",
        "statistics --corpus loop --output s.csv",
        'mix --filtered folder --seed 1 --output o/summary.json --options \'{"pairs": ["fr_en"]}\'',
        "score --translated folder --split dev --output o.json",
    ],
)
def test_a_path_that_cannot_be_is_no_defect(
    line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("file").touch()
    Path("folder").mkdir()
    Path("loop").symlink_to("loop")
    assert cli.main(shlex.split(line)) == 3
    (said,) = capsys.readouterr().err.splitlines()
    assert any(word[:200] in said for word in line.split()[2:])
    assert "defect" not in said


def test_inputs_that_are_no_json_are_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    (tmp_path / "deep").write_text("[" * 100_000)
    (tmp_path / "bytes").write_bytes(b"\xff\xfe")
    for name in ("pipe", "folder", "deep", "bytes", "absent"):
        path = str(tmp_path / name)
        assert cli.main(["statistics", "--corpus", path, "--output", str(tmp_path / "s.csv")]) == 3
        said = capsys.readouterr().err
        assert path in said
        assert said.count("\n") == 1


def test_an_output_that_is_no_summary_is_refused(tmp_path: Path) -> None:
    result = llast("join", "--fetched", "a", "--output", str(tmp_path))
    assert result.returncode == 2
    assert "FOLDER/summary.json" in result.stderr


def run(monkeypatch: pytest.MonkeyPatch, error: BaseException, *arguments: str) -> int:
    def fail() -> None:
        raise error

    monkeypatch.setattr(cli, "VERBS", (Verb("fail", "Fail.", "step:fail"),))
    monkeypatch.setattr(cli, "_load", lambda name: fail)
    return cli.main(["fail", *arguments])


def chained(inner: BaseException) -> BaseException:
    outer = RuntimeError("the worker failed")
    outer.__cause__ = inner
    return outer


@pytest.mark.parametrize(
    ("error", "code", "names"),
    [
        (ConfigError("mend the key."), 2, "mend the key."),
        (DataError("bring the file."), 3, "bring the file."),
        (JobError("look at the log."), 4, "look at the log."),
        (chained(DataError("bring the file.")), 3, "bring the file."),
        (OSError(errno.ENOSPC, "No space left on device", "out/shard.arrow"), 3, "out/shard.arrow"),
        (chained(OSError(errno.ENOSPC, "No space")), 3, "disk"),
        (PermissionError(errno.EACCES, "Permission denied", "cv/fr.tar.gz"), 3, "cv/fr.tar.gz"),
        (IsADirectoryError(errno.EISDIR, "Is a directory", "results/one"), 3, "results/one"),
        (FileNotFoundError(errno.ENOENT, "No such file", "what/no/argument/names"), 1, "--debug"),
        (OSError(errno.ESTALE, "Stale file handle", "store/shard.arrow"), 3, "store/shard.arrow"),
        (OSError(errno.EMFILE, "Too many open files"), 3, "ulimit -n"),
        (chained(MemoryError()), 3, "memory"),
        (KeyboardInterrupt(), 130, ""),
        (KeyError("x"), 1, "--debug"),
    ],
    ids=str,
)
def test_errors_become_one_line_and_an_exit_code(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    error: BaseException,
    code: int,
    names: str,
) -> None:
    assert run(monkeypatch, error) == code
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("llast fail: ")
    assert names in line


def test_debug_shows_the_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, DataError("bring the file."), "--debug") == 3
    assert "Traceback" in capsys.readouterr().err


def test_a_defects_traceback_is_in_the_log_alone(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    log = tmp_path / "new/fail.log"
    assert run(monkeypatch, KeyError("x"), "--log", str(log)) == 1
    assert "Traceback" not in capsys.readouterr().err
    assert "Traceback" in log.read_text()
    assert re.match(rf"llast fail: KeyError: 'x' .*{log}", log.read_text().splitlines()[-1])


@pytest.mark.parametrize("flush", [True, False])
def test_a_reader_that_goes_away_is_no_defect(flush: bool) -> None:
    """As with `llast translate ... | head -1`: quiet, whether the verb flushes each line or Python does at its end."""
    program = (
        "import sys, llast.cli as cli\n"
        "cli.VERBS = (cli.Verb('say', 'Say.', 'step:say'),)\n"
        f"cli._load = lambda name: lambda: print('a line', flush={flush})\n"
        "sys.exit(cli.main(['say']))\n"
    )
    reader, writer = os.pipe()
    os.close(reader)
    command, environment = [sys.executable, "-c", program], {**os.environ, "PYTHONPATH": str(ROOT)}
    result = subprocess.run(
        command, stdout=writer, stderr=subprocess.PIPE, text=True, env=environment, check=False
    )
    os.close(writer)
    assert (result.returncode, result.stderr) == (141, "")


def test_a_broken_pipe_elsewhere_is_one(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, BrokenPipeError(errno.EPIPE, "Broken pipe")) == 1
    assert "BrokenPipeError" in capsys.readouterr().err


def test_the_log_takes_lines_and_now_and_then_a_progress_bar(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with tee(tmp_path / "log"):
        print("start", file=sys.stderr)
        for step in range(3):
            sys.stderr.write(f"\rstep {step}\r")
        sys.stderr.write("\rdone\n")
        sys.stderr.write("left over")
    print("after", file=sys.stderr)
    assert capsys.readouterr().err == "start\n\rstep 0\r\rstep 1\r\rstep 2\r\rdone\nleft overafter\n"
    assert (tmp_path / "log").read_text() == "start\nstep 0\ndone\nleft over\n"


def test_train_gets_its_machine_from_arguments_and_not_from_options(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    calls: list[dict[str, Any]] = []
    monkeypatch.setattr("llast.launch.train.launch", lambda **values: calls.append(values))
    for name in OFFLINE:
        monkeypatch.setenv(name, "")  # so that what the verb sets ends with this test
    (tmp_path / "config.json").write_text("{}")
    model = str(tmp_path / "config.json")
    options = {
        "encoder": {"base": "./enc"},
        "adaptor": {},
        "llm": {"base": "./llm"},
        "mixture": {"pairs": ["fr_en"]},
        "training": {},
    }
    files = ["--mix", "m/summary.json", "--audio", "a/summary.json", "--encoder", model, "--llm", model]
    arguments = [
        "--experiment",
        "e",
        "--seed",
        "1",
        *files,
        "--output",
        "run.json",
        "--options",
        json.dumps(options),
    ]
    machine = ["--tasks-per-node", "8", "--gpus-per-node", "8", "--memory-mb", "0", "--partition", ""]
    assert cli.main(["train", *arguments, *machine]) == 0
    assert {os.environ[name] for name in OFFLINE} == {"1"}
    (call,) = calls
    assert call["options"].mixture.pairs == ["fr_en"]
    assert call["machine"] == Machine(tasks_per_node=8, gpus_per_node=8)
    assert call["encoder"] == tmp_path, "a file of a model stands for its folder"
    assert cli.main(["train", *arguments, "--nodes", "0"]) == 2


def test_config_check_and_show(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    assert cli.main(["config", "check", "--config", "config/covost2.yaml", "config/covost2-smoke.yaml"]) == 0
    assert re.search(r"config/covost2\.yaml: .*5.*36", capsys.readouterr().out)
    assert cli.main(["config", "show", "--config", "config/covost2.yaml"]) == 0
    assert "base: NousResearch/Llama-2-7b-chat-hf@" in capsys.readouterr().out
