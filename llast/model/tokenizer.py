"""The tokenizer of a base LLM, as its `tokenizer.json` has it."""

from pathlib import Path
from typing import Any

from transformers import (
    AutoConfig,
    AutoTokenizer,
    GenerationConfig,
    PreTrainedTokenizerBase,
    PreTrainedTokenizerFast,
)
from transformers.utils import GENERATION_CONFIG_NAME

from llast.errors import DataError
from llast.model.weights import first_line, reading

TOKENIZER_FILE = "tokenizer.json"


def load_tokenizer(folder: Path, rebuild: bool = False) -> PreTrainedTokenizerBase:
    """The tokenizer of a Hugging Face folder.

    `tokenizer.json` is taken as it is. `AutoTokenizer` rebuilds the pipelines of some families from other files: a
    Llama's, where `legacy` is false or absent, loses the word-start marks that its normaliser puts before every piece
    of text, and another version of transformers may rebuild it differently. Special tokens and the chat template come
    from the files beside it.

    Args:
        folder: of the model.
        rebuild: take what `AutoTokenizer` makes in any case, for what its class does besides.

    Raises:
        DataError: there is no tokenizer, or it cannot be read.
    """
    try:
        if rebuild or not (folder / TOKENIZER_FILE).is_file():
            return _rebuilt(folder)
        tokenizer: Any = PreTrainedTokenizerFast.from_pretrained(folder)
        if tokenizer.eos_token is None:  # GPT-2's files, for one, leave the special tokens to its class
            known, vocabulary = _rebuilt(folder).special_tokens_map, tokenizer.get_vocab()
            tokenizer.add_special_tokens(
                {name: token for name, token in known.items() if token in vocabulary}
            )
    except Exception as error:  # of tokenizers, of transformers, of whatever else reads these files
        raise DataError(
            f"the tokenizer of {folder} cannot be read: {first_line(error)} Is {TOKENIZER_FILE} there, and "
            "whole? Copy or fetch the model's files again."
        ) from None
    found: PreTrainedTokenizerBase = tokenizer
    return found


def ends_of(folder: Path) -> list[int]:
    """Ids of the tokens that end a text for the LLM of a folder, by its generation configuration or its own.

    Raises:
        DataError: one of them cannot be read, or what it names are no ids.
    """
    found: Any = None
    with reading(folder):
        if (folder / GENERATION_CONFIG_NAME).exists():
            found = GenerationConfig.from_pretrained(folder).eos_token_id
        if found is None:
            found = AutoConfig.from_pretrained(folder, trust_remote_code=False).get_text_config().eos_token_id
    ends = found if isinstance(found, list) else [] if found is None else [found]
    if any(type(end) is not int or end < 0 for end in ends):
        raise DataError(
            f"{folder}: eos_token_id is {found!r}; it has to be the id of a token, or a list of them. Correct "
            f"{GENERATION_CONFIG_NAME} or config.json there."
        )
    return sorted(ends)


def _rebuilt(folder: Path) -> PreTrainedTokenizerBase:
    tokenizer: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
    files = {*tokenizer.vocab_files_names.values(), TOKENIZER_FILE}
    if not any((folder / name).is_file() for name in files):  # then it knows the special tokens only
        raise FileNotFoundError(f"there is none of {', '.join(sorted(files))}.")
    return tokenizer
