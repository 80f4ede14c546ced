"""LLaST's prompts: what the LLM reads before and after the audio.

Wording and chat templates are those of the released code (`<audio>\\nPlease translate the French sentence into
English.`; no system prompt, one wording per task). The text before the audio and the text after it are tokenised
apart, without special tokens, so that a SentencePiece tokenizer puts its word-start mark on each piece.
"""

from dataclasses import dataclass
from typing import Literal

from llast.languages import language

Task = Literal["st", "asr", "cot"]
TASKS: tuple[Task, ...] = ("st", "asr", "cot")

TEMPLATES = {
    "llama2": "[INST] {input} [/INST]",
    # The end-of-sequence mark after <|assistant|> stands so in the released template.
    "tinyllama": "<|user|>\n{input}</s>\n<|assistant|></s>\n",
}
"""The released chat templates. Any other LLM has its own: `chat`."""
AUDIO = "<audio>"


@dataclass(frozen=True)
class Prompt:
    """Text around the audio of one row: `before`, the audio frames, `after`, then the target."""

    before: str
    after: str


def instruction(task: Task, source: str, target: str) -> str:
    """The instruction of a task, with English language names. `target` equals `source` for `asr`."""
    spoken, written = language(source).name, language(target).name
    if task == "asr":
        return f"Please transcribe the {spoken} sentence into {spoken}."
    if task == "st":
        return f"Please translate the {spoken} sentence into {written}."
    return f"Please transcribe the {spoken} sentence, then translate it into {written}."


def message(task: Task, source: str, target: str) -> str:
    """What the user says, `<audio>` included."""
    return f"{AUDIO}\n{instruction(task, source, target)}"


def prompt(task: Task, source: str, target: str, template: str) -> Prompt:
    """The prompt of one row in a chat template, a name of `TEMPLATES`."""
    return around_audio(TEMPLATES[template].format(input=message(task, source, target)))


def around_audio(text: str) -> Prompt:
    """Split a text in a chat template at its one `<audio>`."""
    before, after = text.split(AUDIO)
    return Prompt(before, after)
