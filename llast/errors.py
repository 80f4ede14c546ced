"""Errors that a user can cause, each with the exit code that the command line returns for it."""


class UserError(Exception):
    """Something the user can mend. The message says what, where and the next thing to do."""

    exit_code = 1


class ConfigError(UserError):
    """A configuration that cannot be used: an unknown key, a value out of range, a name that does not exist."""

    exit_code = 2


class DataError(UserError):
    """Data that is missing, broken or does not fit: an archive, a table, a checkpoint, a full disk."""

    exit_code = 3


class JobError(UserError):
    """A training job that ended before its work was done. What it had saved is kept."""

    exit_code = 4
