"""The address of an MLflow store, for whoever opens it, looks at it or shows it."""

from pathlib import Path

SQLITE = "sqlite:///"


def database_of(uri: str) -> Path | None:
    """The file of a SQLite store; None: a server."""
    return Path(uri.removeprefix(SQLITE)) if uri.startswith(SQLITE) else None


def without_password(text: str, uri: str) -> str:
    """A text as it may be shown and written to files: the password in a tracking URI is left out."""
    account, _, _ = uri.partition("://")[2].rpartition("@")
    password = account.partition(":")[2]
    return text.replace(f":{password}@", ":***@") if password else text
