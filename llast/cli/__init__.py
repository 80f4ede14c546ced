"""The command line: `llast VERB ...`, a verb for each step of the workflow and a few beside them.

Nothing heavy is imported before a verb runs: `llast --help` has to be quick.
"""

import argparse
import errno
import json
import os
import select
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llast import __version__
from llast.cli.arguments import Verb
from llast.cli.log import tee
from llast.cli.verbs import GROUPS, VERBS
from llast.errors import ConfigError, DataError, UserError

if TYPE_CHECKING:
    from pydantic import BaseModel

INTERRUPTED = 130
NO_READER = 141
"""What a shell says of a program that SIGPIPE ended."""
_FULL = (errno.ENOSPC, errno.EDQUOT)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one verb; what goes wrong becomes one line on standard error and an exit code.

    Exit codes: 0 done, 1 a defect of this program, 2 configuration or usage, 3 data, 4 a training job, 130
    interrupted.
    """
    args = _parser().parse_args(arguments)
    verb: Verb = args.verb
    with tee(args.log) as log:
        try:
            options = [_options(verb.options, args.options)] if verb.options else []
            if summary := verb.run(args, *options):
                print(f"{args.output.parent}: {summary.line()}", file=sys.stderr)
            sys.stdout.flush()  # at exit, Python would show a traceback where nobody reads any more
        except KeyboardInterrupt:
            return _say(verb, "interrupted. Run it again to go on.", INTERRUPTED)
        except Exception as error:
            if isinstance(error, BrokenPipeError) and _nobody_reads():
                return NO_READER
            if args.debug:
                traceback.print_exc()
            user_error = _as_user_error(error)
            if user_error:
                return _say(verb, str(user_error), user_error.exit_code)
            if log and not args.debug:
                traceback.print_exc(file=log)
            return _say(
                verb, f"{_last_line(error)} (a defect of llast; {args.log or '--debug'} shows where)", 1
            )
    return 0


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
        if (isinstance(link, OSError) and link.errno in _FULL) or "No space left on device" in str(link):
            file = getattr(link, "filename", None)
            where = f" (while writing {file})" if file else ""
            return DataError(
                f"the disk is full{where}. Make room and run it again: it goes on with what is complete."
            )
    return None


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
    except json.JSONDecodeError as error:
        raise ConfigError(f"--options is not JSON: {error}.") from None
    return validate(_model(name), values, "--options")


def _model(name: str) -> "type[BaseModel]":
    module, _, attribute = name.partition(":")
    model: type[BaseModel] = getattr(import_module(module), attribute)
    return model


class _Parser(argparse.ArgumentParser):
    """A verb's parser, which looks its options up only when it is asked for help."""

    options: str | None = None

    def format_help(self) -> str:
        if not self.options:
            return super().format_help()
        from llast.config.schema import describe

        lines = ["keys of --options, with their defaults:"]
        for key in describe(_model(self.options)):
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
        _add_verb(groups[group_name](name, help=verb.help, description=verb.help), verb)
    return parser


def _add_verb(parser: _Parser, verb: Verb) -> None:
    for name, settings in verb.arguments.items():
        parser.add_argument(name, **settings)
    if verb.options:
        parser.options = verb.options
        parser.add_argument("--options", metavar="JSON", default="{}", help="see below")
    parser.add_argument("--log", type=Path, metavar="FILE", help="write standard error to this file, too")
    parser.add_argument("--debug", action="store_true", help="show where an error comes from")
    parser.set_defaults(verb=verb)
