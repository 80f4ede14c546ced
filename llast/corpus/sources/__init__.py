"""The kinds of corpus source, one module with one class each.

To add a kind: write its module and name its class here. `base.Source` says what it has to answer.
"""

from typing import Annotated

from pydantic import Field

from llast.corpus.sources.huggingface import HuggingFaceSource
from llast.corpus.sources.local import LocalSource
from llast.corpus.sources.mdc import MdcSource
from llast.corpus.sources.prepared import PreparedSource
from llast.corpus.sources.synthetic import SyntheticSource
from llast.corpus.sources.url import UrlSource

CorpusSource = Annotated[
    LocalSource | UrlSource | MdcSource | HuggingFaceSource | PreparedSource | SyntheticSource,
    Field(discriminator="kind"),
]
"""The key `source` of a corpus file; `kind` says which of them it is."""
