"""The command line: `llast VERB ...`, a verb for each step of the workflow and a few beside them.

Nothing heavy is imported before a verb runs: `llast --help` has to be quick.
"""

import argparse
import contextlib
import errno
import json
import os
import select
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from llast import __version__
from llast.cli.arguments import Verb
from llast.cli.log import tee
from llast.cli.verbs import GROUPS, VERBS
from llast.disk import refusal_in
from llast.errors import ConfigError, DataError, UserError

INTERRUPTED = 130
_NO_PATH = (errno.EISDIR, errno.ENOTDIR, errno.ENAMETOOLONG, errno.ELOOP, errno.EEXIST)
NO_READER = 141
"""What a shell says of a program that SIGPIPE ended."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one verb; what goes wrong becomes one line on standard error and an exit code.

    Exit codes: 0 done, 1 a defect of this program, 2 configuration or usage, 3 data, 4 a training job, 130
    interrupted.
    """
    values = vars(_parser().parse_args(arguments))
    verb: Verb = values.pop("verb")
    path, debug = values.pop("log"), values.pop("debug")
    with tee(path) as log:
        try:
            _print(_call(verb, values), values.get("output"))
        except KeyboardInterrupt:
            return _say(verb, "interrupted. Run it again to go on.", INTERRUPTED)
        except Exception as error:
            if isinstance(error, BrokenPipeError) and _nobody_reads():
                return NO_READER
            if debug:
                traceback.print_exc()
            user_error = _as_user_error(error) or _wrong_path(error, values)
            if not user_error and log and not debug:
                traceback.print_exc(file=log)
            for link in _chain(error):
                traceback.clear_frames(
                    link.__traceback__
                )  # ends the line of a progress bar that stands there
            if user_error:
                return _say(verb, str(user_error), user_error.exit_code)
            return _say(verb, f"{_last_line(error)} (a defect of llast; {path or '--debug'} shows where)", 1)
    return 0


def _call(verb: Verb, values: Mapping[str, Any]) -> Any:
    """Import the verb's function, which may be heavy, and call it with the arguments by name."""
    given = dict(values)
    if verb.offline:
        from llast.doctor.places import OFFLINE

        os.environ.update(dict.fromkeys(OFFLINE, "1"))  # read when Hugging Face's libraries are imported
    if endpoint := os.environ.get("HF_ENDPOINT", "").strip():  # the hub's client cannot be imported with some
        from llast.config.base import is_server

        if not is_server(endpoint):
            raise ConfigError(
                f"HF_ENDPOINT is '{endpoint}', which is no address of a server: unset it, or export "
                "https://huggingface.co."
            )
    if "threads" in given and not verb.machine:
        os.environ["OMP_NUM_THREADS"] = str(given["threads"])  # read when torch is imported
    if verb.options:
        given["options"] = _options(verb.options, given["options"])
    if verb.machine:
        from llast.config.validation import validate

        model = _load(verb.machine)
        fields = {name: given.pop(name) for name in model.model_fields}
        given["machine"] = validate(model, fields, "arguments")
    return _load(verb.function)(**given)


def _print(result: Any, output: Path | None) -> None:
    """Tell what a verb's function returned, as `Verb` says; files speak for themselves."""
    if isinstance(result, str):
        sys.stdout.write(result if result.endswith("\n") else f"{result}\n")
    elif isinstance(result, Path):
        print(result)
    elif isinstance(result, Iterator):
        for line in result:
            print(line, flush=True)
    elif result is not None:
        from llast.artifacts import Summary

        if isinstance(result, Summary):
            print(f"{output}: {result.line()}", file=sys.stderr)
    sys.stdout.flush()  # at exit, Python would show a traceback where nobody reads any more


def _nobody_reads() -> bool:
    """Whether standard output is a pipe whose reader has gone, as `| head` does; then it leads nowhere from here on."""
    stdout, reader = 1, select.poll()
    reader.register(stdout, 0)
    if not any(event & select.POLLERR for _, event in reader.poll(0)):
        return False
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stdout)
    os.close(nowhere)
    return True


def _say(verb: Verb, message: str, code: int) -> int:
    with contextlib.suppress(OSError):  # a full disk holds the terminal's copy, too: then the exit code tells
        print(f"llast {verb.name}: {message}", file=sys.stderr)
    return code


def _as_user_error(error: BaseException) -> UserError | None:
    """The error that the user can mend in a chain of errors, if there is one."""
    for link in _chain(error):
        if isinstance(link, UserError):
            return link
        if isinstance(link, PermissionError) and link.filename:
            return DataError(
                f"{link.filename}: permission denied. Let this account read it, or write where it has to be written."
            )
        if refusal := refusal_in(link):
            file = getattr(link, "filename", None)
            where = f" (while writing {file})" if file else ""
            return DataError(f"{refusal.says}{where}. {refusal.remedy}")
        if problem := _of_the_machine(link):
            return DataError(problem)
    return None


def _wrong_path(error: BaseException, values: Mapping[str, Any]) -> DataError | None:
    """A path that cannot be, or a given one that is not there: an argument that the user can correct."""
    for link in _chain(error):
        if isinstance(link, OSError) and isinstance(link.filename, str):
            given = link.errno == errno.ENOENT and any(_near(link.filename, path) for path in _paths(values))
            if given or link.errno in _NO_PATH:
                reason = (link.strerror or "").lower()
                return DataError(
                    f"{link.filename:.200}: {reason}. Correct the path, or move away what is in it."
                )
    return None


def _paths(value: Any) -> Iterator[Path]:
    """The paths among a verb's arguments."""
    if isinstance(value, Path):
        yield value
    elif isinstance(value, Mapping):
        yield from _paths(list(value.values()))
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _paths(inner)


def _near(name: str, path: Path) -> bool:
    """Whether a file is at a path, or next to it: temporary files are."""
    return Path(name).parent in (path, path.parent) or Path(name) in (path, *path.parents)


def _of_the_machine(error: BaseException) -> str:
    """What the machine lacks; empty if that is not it."""
    code = error.errno if isinstance(error, OSError) else None
    if isinstance(error, MemoryError) or code == errno.ENOMEM or "can't allocate memory" in str(error):
        return "memory is used up. Give it more, or run fewer steps at once (--cores), and run it again."
    if code in (errno.EMFILE, errno.ENFILE):
        return "too many files are open. Allow more (ulimit -n 4096) and run it again."
    if code in (errno.EIO, errno.ESTALE, errno.ENOTCONN):
        where = f" of {error.filename}" if isinstance(error, OSError) and error.filename else ""
        return f"the file system{where} fails ({os.strerror(code)}). Run it again when it can be read and written."
    return ""


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _last_line(error: BaseException) -> str:
    return traceback.format_exception_only(error)[-1].strip()


def _options(name: str, text: str) -> Any:
    """The typed options of a step, from JSON."""
    from llast.config.validation import validate

    try:
        values = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"--options is not JSON: {error}.") from None
    return validate(_load(name), values, "--options")


def _load(name: str) -> Any:
    """`module:attribute`, imported."""
    module, _, attribute = name.partition(":")
    return getattr(import_module(module), attribute)


class _Parser(argparse.ArgumentParser):
    """A verb's parser, which gets its arguments when it is asked: those of `machine` and the help need pydantic."""

    verb: Verb | None = None

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        if self.verb:
            self._add_arguments(self.verb)
        return super().parse_known_args(args, namespace)

    def _add_arguments(self, verb: Verb) -> None:
        for name, settings in verb.arguments.items():
            self.add_argument(name, **settings)
        for name, field in _load(verb.machine).model_fields.items() if verb.machine else ():
            self.add_argument(
                f"--{name.replace('_', '-')}",
                default=field.default,
                metavar="VALUE",
                help=f"{field.description} Default: {field.default!r}",
            )
        if verb.options:
            self.add_argument("--options", metavar="JSON", default="{}", help="see below")
        self.add_argument("--log", type=Path, metavar="FILE", help="write standard error to this file, too")
        self.add_argument("--debug", action="store_true", help="show where an error comes from")
        self.set_defaults(verb=verb)

    def format_help(self) -> str:
        if not (self.verb and self.verb.options):
            return super().format_help()
        from llast.config.schema import describe

        lines = ["keys of --options, with their defaults:"]
        for key in describe(_load(self.verb.options)):
            lines.append(f"  {key.name} ({key.type}) {key.default}".rstrip())
            if key.text:
                lines.append(f"      {key.text}")
        return super().format_help() + "\n" + "\n".join(lines) + "\n"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="llast",
        description="LLaST: speech-to-text translation with a Whisper encoder and an LLM. "
        "Snakemake runs the verbs below; each can be run by hand as well.",
        epilog="Exit codes: 0 done, 2 configuration or usage, 3 missing or broken data, 4 a failed training job, "
        "130 interrupted.",
    )
    parser.add_argument("--version", action="version", version=f"llast {__version__}")
    top = parser.add_subparsers(title="verbs", metavar="VERB", required=True, parser_class=_Parser)
    groups: dict[str, Callable[..., _Parser]] = {"": top.add_parser}
    for name, text in GROUPS.items():
        group = top.add_parser(name, help=text, description=text)
        inner = group.add_subparsers(title="verbs", metavar="VERB", required=True, parser_class=_Parser)
        groups[name] = inner.add_parser
    for verb in VERBS:
        group_name, _, name = verb.name.rpartition(" ")
        groups[group_name](name, help=verb.help, description=verb.help).verb = verb
    return parser
