"""Common Voice from Mozilla Data Collective: ask its API where a data set can be downloaded.

The interface is that of its Python SDK (`datacollective` 0.7, `download_dataset`), which is not used: it never checks
the digest of what came, adds a whole file to half of one where a server ignores ranges, and does not retry.
"""

import os
import re

from llast.corpus.remote import Remote, ask
from llast.errors import ConfigError, DataError

SITE = "https://mozilladatacollective.com"
API = f"{SITE}/api"
KEY = "MDC_API_KEY"


def locate(data_set: str, source: str) -> Remote:
    """A fresh download address of a data set, which holds for some hours.

    Args:
        data_set: its id.
        source: the language that it is meant to be, for messages.

    Raises:
        ConfigError: there is no key.
        DataError: the service refuses, or answers what we do not understand.
        TryAgain: it may answer later.
    """
    key = os.environ.get(KEY, "").strip()
    page = f"{SITE}/datasets/{data_set}"
    if not key:
        raise ConfigError(
            f"Mozilla Data Collective wants a key: log in on {SITE}, make one, and export it as {KEY} where Snakemake "
            f"runs. Accept the terms of {page} there as well."
        )
    api = os.environ.get("MDC_API_URL", API).rstrip("/")
    shown = f"the data set {data_set} ({source}) of Mozilla Data Collective"
    answer = ask(
        Remote(
            f"{api}/datasets/{data_set}/download",
            shown,
            headers={"Authorization": f"Bearer {key}"},
            remedies={
                401: f"The key in {KEY} is not accepted: make a new one on {SITE} and export that.",
                403: f"Accept its terms first: open {page} in a browser, logged in as the owner of the key.",
                404: f"Correct source.datasets.{source} in the corpus's file: the id is the end of the page's address.",
                410: f"Look on {SITE} for the release that took its place, and correct source.datasets.{source}.",
            },
        ),
        "POST",
    )
    try:
        url, size = str(answer["downloadUrl"]), int(answer["sizeBytes"])
    except (TypeError, KeyError, ValueError):
        raise DataError(
            f"{shown}: the answer has no downloadUrl or sizeBytes. Its interface may have changed: download the "
            "archive with a browser and use a source of kind local."
        ) from None
    checksum = str(answer.get("checksum") or "").lower().removeprefix("sha256:")
    return Remote(
        url,
        shown,
        size=size,
        sha256=checksum if re.fullmatch(r"[0-9a-f]{64}", checksum) else None,
        expires=True,
    )
