"""The model card of an exported folder."""

import json
import shlex
from pathlib import Path
from typing import Any

import yaml
from pydantic import Field

from llast.artifacts import Artifact
from llast.config.layout import is_folder
from llast.config.steps import TrainSpec
from llast.errors import DataError
from llast.evaluation.metrics import METRICS
from llast.languages import PAIRS, language, split_pair
from llast.markup import markdown_line, markdown_row
from llast.model.bases import known_bases
from llast.release.trained import TrainedCheckpoint
from llast.results.averages import AVERAGES


class Card(Artifact):
    """What a model card is written from.

    Attributes:
        spec: what was trained.
        origin: a sentence on where the weights come from.
        scores: lines of `score_lines`, or none.
        notes: sentences that a reader has to know.
    """

    WRITTEN_BY = "export"

    spec: TrainSpec
    origin: str
    scores: list[str] = Field(default=[])
    notes: list[str] = Field(default=[])

    @classmethod
    def broken(cls, path: Path, problem: str) -> DataError:
        """The error of a card that does not fit."""
        return DataError(
            f"{path}: {problem}. Export or import the model again, into a new folder: llast export."
        )

    def text(self, name: str, merged: bool) -> str:
        """The card as Markdown, with the head that the hub reads.

        Args:
            name: of the model, for its title and its example.
            merged: whether the folder holds the whole model.
        """
        spec = self.spec
        references = {"encoder": spec.encoder.base, "llm": spec.llm.base}
        named = [base.partition("@")[0] for base in references.values() if not is_folder(base)]
        head: dict[str, Any] = {
            "library_name": "transformers",
            "pipeline_tag": "automatic-speech-recognition",
            "tags": ["speech-translation", "llast"],
            "language": sorted(
                {code.split("-")[0] for pair in spec.trained_pairs for code in split_pair(pair)}
            ),
        }
        if named:
            head["base_model"] = named
        source, target = split_pair(spec.trained_pairs[0])
        pairs = ", ".join(
            f"{language(a).name} to {language(b).name}" for a, b in map(split_pair, spec.trained_pairs)
        )
        lora = [part for part, lora in (("encoder", spec.encoder.lora), ("LLM", spec.llm.lora)) if lora]
        trained = "the adaptor" + (f", and LoRA on the {' and the '.join(lora)}" if lora else "")
        sections = [
            "---\n" + yaml.safe_dump(head, sort_keys=False, allow_unicode=True) + "---",
            f"# {markdown_line(name)}",
            "Speech translation after [LLaST](https://arxiv.org/abs/2407.15415): a speech encoder, a three-layer "
            f"adaptor and an LLM. {markdown_line(self.origin)} "
            + (
                "This is the whole model."
                if merged
                else "These are adapters: the bases are loaded from elsewhere."
            ),
            *map(markdown_line, self.notes),
            "## Use",
            "```python\n"
            "from llast import LlastForConditionalGeneration, LlastProcessor\n\n"
            f"model = LlastForConditionalGeneration.from_pretrained({json.dumps(name, ensure_ascii=False)})\n"
            f"processor = LlastProcessor.from_pretrained({json.dumps(name, ensure_ascii=False)})\n\n"
            f'inputs = processor(samples, source="{source}", target="{target}")  # samples: (n,) float, 16 kHz\n'
            "print(processor.decode(model.generate(**inputs, num_beams=5)))\n"
            "```",
            f"Audio files: `llast translate speech.mp3 --model {shlex.quote(name)} --from {source} --to {target}`",
            "## Training",
            f"Directions: {pairs}. Tasks: {', '.join(spec.mixture.tasks)}. Trained: {trained}; both bases are frozen. "
            f"The encoder sees {'30 s windows' if spec.encoder.window == '30s' else 'the real frames of a clip'}.",
            *(["## Scores", "\n".join(self.scores)] if self.scores else []),
            "## Licences of the bases",
            "\n".join(_licence(part, base) for part, base in references.items()),
            "What stands here is derived from these bases: their licences bind whoever passes it on.",
        ]
        return "\n\n".join(sections) + "\n"


def _licence(part: str, reference: str) -> str:
    """A base with its licence, as far as it is known here."""
    base = known_bases().get(reference.partition("@")[0])
    licence = (
        f"{base.licence}. {base.note}" if base else "not known here; look it up before you pass this on."
    )
    return f"- {part}: `{markdown_line(reference)}`: {licence}".rstrip()


def score_lines(checkpoint: TrainedCheckpoint) -> list[str]:
    """The test scores of a checkpoint as a Markdown table with signatures; nothing where it has none."""
    scored = checkpoint.scored
    pairs = [pair for pair in PAIRS if scored and scored.trained_on(pair) and pair in scored.bleu]
    if not scored or not pairs:
        return []
    metrics = [METRICS[name] for name in ("bleu", "bleu_lc", "chrf2")]
    lines = [
        markdown_row(["on test", *(metric.title for metric in metrics), "rows"]),
        "|---|---:|---:|---:|---:|",
    ]
    for pair in pairs:
        own = scored.test[pair]
        values = [f"{own.scored[metric.name].value:.{metric.digits}f}" for metric in metrics]
        lines.append(markdown_row([pair, *values, f"{own.rows} of {own.expected}"]))
    averages = {name: scored.averages[name] for name in AVERAGES if name in scored.averages}
    lines += [markdown_row([f"**{name}**", f"**{mean:.1f}**", "", "", ""]) for name, mean in averages.items()]
    signatures = sorted({scored.test[pair].scored["bleu"].signature for pair in pairs})
    return [*lines, "", "sacreBLEU: " + "; ".join(f"`{signature}`" for signature in signatures)]
