"""What the Hugging Face hub refuses, said as errors of ours: for base models and for corpora."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

from huggingface_hub.errors import (
    EntryNotFoundError,
    GatedRepoError,
    HfHubHTTPError,
    LocalEntryNotFoundError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from llast.errors import ConfigError, DataError

LOGIN = "hf auth login (or export HF_TOKEN)"


@dataclass(frozen=True)
class HubRepository:
    """A repository of the hub at a revision.

    Attributes:
        kind: what it holds.
        name: `org/name`.
        revision: a commit, branch or tag.
        named_in: where the user named it, such as `source.repository in the corpus's file`.
        instead: a sentence on what else can be done where the hub cannot be reached; may be empty.
    """

    kind: Literal["model", "dataset"]
    name: str
    revision: str
    named_in: str
    instead: str = ""

    def __str__(self) -> str:
        return f"{self.name}@{self.revision[:8]}"

    @property
    def page(self) -> str:
        """Its address, for people."""
        return f"https://huggingface.co/{'datasets/' if self.kind == 'dataset' else ''}{self.name}"

    @property
    def remedies(self) -> dict[int, str]:
        """What to do about an HTTP status that says no."""
        return {
            401: f"Log in to the hub: {LOGIN}.",
            403: f"Accept its terms on {self.page}, then: {LOGIN}.",
        }

    @contextmanager
    def refusals(self, folder: str = "") -> Iterator[None]:
        """Turn what the hub's client raises inside into errors that say what to do.

        Args:
            folder: of the repository, where only that is read.

        Raises:
            ConfigError: no such repository, revision or folder, or one that this account may not read.
            DataError: the hub cannot be reached, or may not be (`HF_HUB_OFFLINE`), or fails.
        """
        try:
            yield
        except GatedRepoError:
            raise ConfigError(f"{self}: {self.remedies[403]}") from None
        except RevisionNotFoundError:
            raise ConfigError(
                f"{self.name} has no revision '{self.revision}': correct {self.named_in}. Commits are listed on "
                f"{self.page}/commits/main."
            ) from None
        except RepositoryNotFoundError:
            raise ConfigError(
                f"the hub has no {self.kind} '{self.name}': correct {self.named_in}. Or it is private: {LOGIN}."
            ) from None
        except (OfflineModeIsEnabled, LocalEntryNotFoundError) as error:
            raise self._unreachable(error) from None
        except EntryNotFoundError:
            raise ConfigError(f"{self} has no folder {folder}: correct {self.named_in}.") from None
        except HfHubHTTPError as error:
            code = error.response.status_code
            remedy = self.remedies.get(code, "Run it again later: it goes on where it stopped.")
            raise DataError(f"{self}: the hub answered HTTP {code}. {remedy}") from None
        except Exception as error:
            # The client lets the errors of its HTTP library through, and that library's name changes (now httpx2).
            libraries = ("httpx", "httpcore", "requests")
            if not any(kind.__module__.startswith(libraries) for kind in type(error).__mro__):
                raise
            raise self._unreachable(error) from None

    def _unreachable(self, error: Exception) -> DataError:
        return DataError(
            f"{self} cannot be downloaded: {error}. Run it again where the network is, without HF_HUB_OFFLINE: it "
            f"goes on where it stopped. {self.instead}".rstrip()
        )
