# What all experiments end in: the table, the report, the runs in MLflow.


localrules:
    all,
    table,
    report,
    track,


rule table:
    input:
        runs=results.run_manifests,
        scores=results.score_files,
        comparisons=results.comparisons,
        published=results.published,
    output:
        wide=report(
            "results/bleu_table.csv",
            caption="../report/wide.rst",
            category="Scores",
            labels={"what": "BLEU by pair and checkpoint (CSV)"},
        ),
        scores=report(
            "results/scores.csv",
            caption="../report/scores.rst",
            category="Scores",
            labels={"what": "Every metric (CSV)"},
        ),
        seeds=report(
            "results/bleu_seeds.csv",
            caption="../report/seeds.rst",
            category="Scores",
            labels={"what": "Spread over seeds (CSV)"},
        ),
        markdown="results/bleu_table.md",
    log:
        "logs/table.log",
    params:
        case=results.case,
        version=STEP_VERSIONS["table"],
    message:
        "Make the table of BLEU scores"
    shell:
        "llast table --runs {input.runs:q} --scores {input.scores:q} --comparisons {input.comparisons:q}"
        " --published {input.published:q} --case {params.case:q} --output {output.wide:q} --log {log:q}"


rule statistics:
    input:
        corpus=results.corpus_summaries,
    output:
        statistics="results/corpus_statistics.csv",
    log:
        "logs/statistics.log",
    resources:
        mem_mb=4000,
        runtime=30,
    params:
        official_counts=results.official_counts,
        version=STEP_VERSIONS["statistics"],
    message:
        "Count what the corpus holds"
    shell:
        "llast statistics --corpus {input.corpus:q} --output {output.statistics:q} {params.official_counts:q} --log {log:q}"


rule report:
    input:
        runs=results.run_manifests,
        corpus=results.corpus_summaries,
        statistics=rules.statistics.output.statistics,
        mixes=results.mix_summaries,
        scores=results.score_files,
        comparisons=results.comparisons,
        published=results.published,
    output:
        report=report(
            "results/report.html",
            caption="../report/report.rst",
            category="Report",
            labels={"what": "Scores, curves, rows, sentences"},
        ),
    log:
        "logs/report.log",
    params:
        title=results.title,
        case=results.case,
        version=STEP_VERSIONS["report"],
    message:
        "Write the report"
    shell:
        "llast report --runs {input.runs:q} --scores {input.scores:q} --corpus {input.corpus:q}"
        " --statistics {input.statistics:q} --mixes {input.mixes:q}"
        " --comparisons {input.comparisons:q} --published {input.published:q}"
        " --title {params.title:q} --case {params.case:q} --output {output.report:q} --log {log:q}"


rule track:
    input:
        runs=results.run_manifests,
        scores=results.score_files,
        artifacts=[
            *rules.table.output,
            rules.statistics.output.statistics,
            rules.report.output.report,
        ],
    output:
        track="results/track.json",
    log:
        "logs/track.log",
    params:
        case=results.case,
        version=STEP_VERSIONS["track"],
    message:
        "Log the runs to MLflow"
    shell:
        "llast track --runs {input.runs:q} --scores {input.scores:q} --artifacts {input.artifacts:q}"
        " --case {params.case:q} --output {output.track:q} --log {log:q}"
