"""What each verb does with its arguments: import the step, which may be heavy, and call it."""

import os
from argparse import Namespace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from llast.artifacts import Summary


def synthesize(args: Namespace, options: Any) -> "Summary":
    from llast.demo.synthesize import synthesize

    return synthesize(args.source, args.pairs, args.output.parent, options, workers=args.workers)


def fetch(args: Namespace, options: Any) -> "Summary":
    from llast.corpus.fetch import fetch

    return fetch(
        args.source, args.pairs, args.output.parent, options.source, args.synthesized, args.downloads
    )


def fetch_model(args: Namespace) -> "Summary":
    from llast.model.fetch_model import fetch_model

    return fetch_model(args.reference, args.output.parent)


def resample(args: Namespace, options: Any) -> "Summary":
    from llast.corpus.resample import resample

    return resample(args.fetched, args.output.parent, options, workers=args.workers)


def join(args: Namespace) -> "Summary":
    from llast.corpus.join import join

    return join(args.fetched, args.output.parent, args.official_counts)


def filter_(args: Namespace, options: Any) -> "Summary":
    from llast.corpus.filter import filter_rows

    return filter_rows(args.joined, args.resampled, args.output.parent, options)


def explain(clip: str) -> None:
    from pathlib import Path

    from llast.corpus.explain import explain

    print("\n".join(explain(clip, Path("resources"))))


def statistics(args: Namespace) -> None:
    from llast.corpus.statistics import statistics

    statistics(args.corpus, args.output, args.official_counts)


def mix(args: Namespace, options: Any) -> "Summary":
    from llast.mixture.mix import mix

    return mix(args.filtered, args.output.parent, options, args.seed)


def _offline() -> None:
    """Compute nodes have no network: what is missing in the folders is an error at once, not after a timeout."""
    from llast.doctor.places import OFFLINE

    os.environ.update(dict.fromkeys(OFFLINE, "1"))  # read when Hugging Face's libraries are imported


def train(args: Namespace, options: Any) -> None:
    _offline()
    from llast.config.steps import Machine
    from llast.launch.train import launch

    machine = Machine(
        cluster=args.cluster,
        nodes=args.nodes,
        tasks_per_node=args.tasks_per_node,
        gpus_per_node=args.gpus_per_node,
        threads=args.threads,
        minutes=args.minutes,
        memory_mb=args.memory_mb or None,
        partition=args.partition or None,
        account=args.account or None,
        extra=args.extra,
        container=args.container or None,
    )
    launch(
        args.experiment,
        args.seed,
        args.mix,
        args.audio,
        args.encoder,
        args.llm,
        args.output,
        options,
        machine,
    )


def describe(args: Namespace, options: Any) -> None:
    from llast.evaluation.describe import describe

    describe(args.experiment, args.seed, dict(args.bases), args.output, options)


def decode(args: Namespace, options: Any) -> "Summary":
    _threads(args)
    _offline()
    from llast.evaluation.decode import decode

    return decode(
        run=args.run,
        checkpoint=args.checkpoint,
        source=args.source,
        pairs=args.pairs,
        filtered=args.filtered,
        resampled=args.audio,
        bases=dict(args.bases),
        output=args.output.parent,
        options=options,
        threads=args.threads,
    )


def _threads(args: Namespace) -> None:
    os.environ["OMP_NUM_THREADS"] = str(args.threads)  # read when torch is imported


def translate(args: Namespace) -> None:
    _threads(args)
    import json

    from llast.release.translate_files import as_record, translate_files

    several = len(args.files) > 1
    for one in translate_files(
        args.files,
        args.model,
        args.from_,
        args.to,
        args.checkpoint,
        args.beams,
        args.segment_seconds,
        args.threads,
    ):
        plain = f"{one.file}\t{one.text}" if several else one.text
        record = json.dumps(as_record(one, args.from_, args.to), ensure_ascii=False)
        print(record if args.jsonl else plain, flush=True)


def export(args: Namespace) -> None:
    from llast.release.export import export

    export(args.model, args.output, args.adapters_only, args.checkpoint)
    print(args.output)


def import_xtuner(args: Namespace) -> None:
    import sys

    from llast.config.load import load_trained
    from llast.release.import_xtuner import import_xtuner

    experiment = load_trained(args.experiment, args.config_dir)
    done = import_xtuner(args.checkpoint, experiment, args.output, args.encoder_alpha, args.llm_alpha)
    tensors, parameters = done.dropped
    say = [f"{len(done.tensors)} tensors of adapters and adaptor"]
    if tensors:
        say.append(
            f"{tensors} tensors ({parameters:,} parameters) of LoRA on Whisper's decoder, never used, left out"
        )
    if done.unknown:
        say.append(f"{len(done.unknown)} tensors that stand for nothing here: {', '.join(done.unknown)}")
    print("\n".join(say), file=sys.stderr)
    print(args.output)


def score(args: Namespace, options: Any) -> None:
    from llast.evaluation.score import score

    score(args.translated, args.split, args.output, options, args.workers)


def compare(args: Namespace) -> None:
    from llast.evaluation.compare import compare

    compare(
        args.experiment,
        args.baseline,
        args.runs,
        args.scores,
        args.translated,
        args.output,
        args.case,
        args.workers,
    )


def table(args: Namespace) -> None:
    from llast.results.table import read_runs, table

    runs = read_runs(args.runs, args.scores, args.case)
    table(runs, args.output.parent, args.comparisons, args.published)


def report(args: Namespace) -> None:
    from llast.results.report.report import report

    report(
        table=args.table,
        scores=args.scores,
        runs=args.runs,
        corpus=args.corpus,
        statistics=args.statistics,
        mixes=args.mixes,
        score_files=args.score_files,
        comparisons=args.comparisons,
        case=args.case,
        output=args.output,
        title=args.title,
        note=args.note or None,
        published=args.published,
        tracking_uri=args.tracking_uri,
    )


def track(args: Namespace) -> None:
    from llast.results.tracking.track import track

    track(args.runs, args.scores, args.artifacts, args.tracking_uri, args.output, args.case)


def plan(args: Namespace) -> None:
    from llast.planning.plan import plan_text

    print(plan_text(args.configfile, args.profile, args.benchmarks), end="")


def doctor(args: Namespace) -> None:
    from llast.doctor.doctor import doctor

    doctor(args.configfile, args.profile, args.benchmarks)


def config_show(args: Namespace) -> None:
    from llast.config.load import read_yaml
    from llast.config.plan import make_plan
    from llast.config.schema import as_yaml

    print(as_yaml(make_plan(read_yaml(args.config), [args.config])), end="")


def config_check(args: Namespace) -> None:
    from llast.config.load import read_yaml
    from llast.config.plan import make_plan

    for path in args.config:
        plan = make_plan(read_yaml(path), [path])
        print(f"{path}: good (experiments: {len(plan.experiments)}, pairs: {len(plan.corpus.pairs)})")


def config_schema(args: Namespace) -> None:
    from llast.config.schema import write_schemas

    write_schemas(args.output)


def config_keys(args: Namespace) -> None:
    from llast.config.schema import markdown_keys

    print(markdown_keys(), end="")
