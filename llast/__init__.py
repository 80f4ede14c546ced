"""LLaST: speech-to-text translation with a speech encoder and an LLM (arXiv 2407.15415).

from llast import LlastForConditionalGeneration, LlastProcessor
"""

import logging
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from llast.model.modeling import LlastForConditionalGeneration as LlastForConditionalGeneration
    from llast.model.processing import LlastProcessor as LlastProcessor

__version__ = "0.1.0"

# peft imports it where it is installed, and on a CPU it then talks of kernels that nobody needs.
logging.getLogger("bitsandbytes").setLevel(logging.ERROR)


def __getattr__(name: str) -> Any:
    """The classes for users, imported when they are asked for: they bring torch with them."""
    if name == "LlastForConditionalGeneration":
        from llast.model.modeling import LlastForConditionalGeneration

        return LlastForConditionalGeneration
    if name == "LlastProcessor":
        from llast.model.processing import LlastProcessor

        return LlastProcessor
    raise AttributeError(f"module 'llast' has no attribute '{name}'")
