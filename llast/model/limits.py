"""What a base LLM can take: token ids, and positions."""

from pathlib import Path
from typing import Any

from torch import nn

from llast.errors import DataError
from llast.model.processing import LlastProcessor


def check_vocabulary(processor: LlastProcessor, llm: Any, folder: Path) -> None:
    """Refuse a tokenizer that gives ids which the LLM has no embedding for.

    Tokens that were added for other uses may lie beyond (Gemma 3's image token does); words, the prompt and the ends of
    a text may not.

    Raises:
        DataError: an id lies beyond the embeddings.
    """
    tokenizer, rows = processor.tokenizer, llm.get_input_embeddings().weight.shape[0]
    before, after = processor.prompt_ids("st", "fr", "en")
    largest = max(*before, *after, *processor.ends, tokenizer.vocab_size - 1)
    if largest >= rows:
        token = tokenizer.convert_ids_to_tokens(largest)
        raise DataError(
            f"{folder}: {f'the token {token}' if token else 'an end of text'} has id {largest}, the embeddings end at "
            f"{rows - 1}. Put the tokenizer and the generation_config.json of this very model there."
        )


def positions_of(llm: Any) -> int | None:
    """How many positions an LLM was made for; None: it does not say."""
    found: int | None = getattr(llm.config.get_text_config(), "max_position_embeddings", None)
    return found


def positions_missing(llm: Any, needed: int, generated: int) -> int:
    """By how many positions an LLM is too short.

    One that looks its positions up in a table fails at the first that is not there, so there has to be room for the
    longest text that it may generate. Others compute them: they have to have room for what they are given.

    Args:
        llm: a causal LM.
        needed: positions of what it is given, or of a whole row in training.
        generated: positions of the longest text that it may generate.
    """
    limit = positions_of(llm)
    tables = [module for module in llm.get_decoder().modules() if isinstance(module, nn.Embedding)]
    more = generated if len(tables) > 1 else 0  # besides that of the tokens
    return 0 if limit is None else max(0, needed + more - limit)
