"""What happened to one clip on its way through the corpus steps, for a person who asks."""

from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq

from llast.artifacts.corpus import FetchSummary, FilterSummary, ResampleSummary
from llast.corpus.archive import clip_id, read_table
from llast.corpus.filter import REPAIRED
from llast.corpus.join import COLUMNS
from llast.corpus.store import AudioStore
from llast.corpus.tables import read_covost
from llast.corpus.tsv import read_tsv_file
from llast.errors import DataError
from llast.languages import SPLITS


def explain(clip: str, resources: Path) -> list[str]:
    """Lines that say, for each corpus and pair that has the clip, what became of it and why.

    Args:
        clip: clip id; a file name with folder or extension does as well.
        resources: folder of all corpora, `resources/{corpus}/{step}/{source}/`.

    Raises:
        DataError: no finished step `filter` knows the clip.
    """
    clip = clip_id(clip)
    lines = []
    languages = sorted(resources.glob("*/filter/*/summary.json"))
    for filtered in languages:
        source, corpus = filtered.parent.name, filtered.parents[2]
        rows = list(_rows(clip, corpus, source)) or list(_unjoined(clip, corpus / "fetch" / source))
        if rows:
            lines += [f"{corpus.name} {source}: {_audio(clip, corpus / 'resample' / source)}", *rows]
    if not lines:
        known = ", ".join(f"{path.parents[2].name} {path.parent.name}" for path in languages) or "none"
        raise DataError(
            f"no table names the clip '{clip}' (finished corpora: {known}, below {resources}). "
            "A clip id is a file name of Common Voice, such as common_voice_fr_17299399."
        )
    return lines


def _audio(clip: str, resampled: Path) -> str:
    summary = resampled / "summary.json"
    seconds = AudioStore.open(summary).seconds(clip)
    if seconds is not None:
        return f"audio of {seconds:.2f} s"
    reasons = ResampleSummary.read(summary).details.reasons
    return f"no audio ({reasons.get(clip, 'not asked for')})"


def _rows(clip: str, corpus: Path, source: str) -> Iterator[str]:
    joined, filtered = corpus / "join" / source, corpus / "filter" / source
    dropped = pq.read_table(filtered / "dropped.parquet", filters=[("clip", "=", clip)]).to_pylist()
    reasons = {(row["pair"], row["split"]): row["reason"] for row in dropped}
    changes = read_tsv_file(filtered / "repaired.tsv", REPAIRED)
    repaired = {
        (pair, split, before): after
        for pair, split, repaired_clip, before, after in zip(
            *(changes[name] for name in REPAIRED), strict=True
        )
        if repaired_clip == clip
    }
    for pair in FilterSummary.read(filtered / "summary.json").details.pairs:
        for split in SPLITS:
            path_of_table = joined / f"covost_v2.{pair}.{split}.tsv"
            if clip.encode() not in path_of_table.read_bytes():
                continue  # parsing takes seconds for a large pair
            table = read_tsv_file(path_of_table, COLUMNS)
            for path, sentence, translation in zip(*(table[name] for name in COLUMNS[:3]), strict=True):
                if clip_id(path) != clip:
                    continue
                reason = reasons.get((pair, split))
                yield f"  {pair} {split}: {f'dropped: {reason}' if reason else 'kept'}"
                for column, text in (("sentence", sentence), ("translation", translation)):
                    yield f"    {column:<12} {text}"
                    if (pair, split, text) in repaired:
                        yield f"    repaired to  {repaired[pair, split, text]}"


def _unjoined(clip: str, fetched: Path) -> Iterator[str]:
    """Rows of a clip that the step join left out of all its pairs, as far as the files of CoVoST-2 are still here."""
    if not (fetched / "summary.json").exists():
        return
    files = FetchSummary.read(fetched / "summary.json").details
    for pair, file in files.tables.items():
        path = Path(file.path)
        if not path.exists() or clip.encode() not in read_table(path):
            continue
        table = read_covost(path)
        for name, label, translation in zip(
            *(table[c] for c in ("path", "split", "translation")), strict=True
        ):
            if clip_id(name) != clip:
                continue
            reason = "not_validated (no sentence)" if label in files.splits else "label (that of no split)"
            yield f"  {pair} {label}: dropped: {reason}"
            yield f"    translation  {translation}"
