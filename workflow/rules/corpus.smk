# What experiments share: audio and tables of the corpus, one job per source language.


localrules:
    fetch,


rule synthesize:
    output:
        summary="resources/{corpus}/synthesize/{source}/summary.json",
    log:
        "logs/{corpus}/synthesize/{source}.log",
    resources:
        cpus_per_task=1,
        mem_mb=2000,
        runtime=60,
    params:
        pairs=corpus.pairs,
        options=corpus.synthesize_options,
        version=STEP_VERSIONS["synthesize"],
    message:
        "Speak the demo's sentences: {wildcards.source}"
    shell:
        "llast synthesize --source {wildcards.source:q} --pairs {params.pairs:q} --output {output.summary:q}"
        " --options {params.options:q} --workers {resources.cpus_per_task:q} --log {log:q}"


rule fetch:
    input:
        synthesized=corpus.synthesized,
    output:
        summary="resources/{corpus}/fetch/{source}/summary.json",
    log:
        "logs/{corpus}/fetch/{source}.log",
    resources:
        downloads=corpus.downloads,
    params:
        pairs=corpus.pairs,
        options=corpus.fetch_options,
        # Survives an interruption: half a download goes on where it stopped.
        downloads="resources/{corpus}/downloads",
        version=STEP_VERSIONS["fetch"],
    message:
        "Fetch and check the archives: {wildcards.source}"
    shell:
        "llast fetch --source {wildcards.source:q} --pairs {params.pairs:q} --synthesized {input.synthesized:q}"
        " --downloads {params.downloads:q} --output {output.summary:q} --options {params.options:q} --log {log:q}"


rule resample:
    input:
        fetched="resources/{corpus}/fetch/{source}/summary.json",
    output:
        summary="resources/{corpus}/resample/{source}/summary.json",
    log:
        "logs/{corpus}/resample/{source}.log",
    resources:
        cpus_per_task=1,
        mem_mb=4000,
        runtime=720,
    params:
        options=corpus.resample_options,
        version=STEP_VERSIONS["resample"],
    message:
        "Decode clips to 16 kHz: {wildcards.source}"
    shell:
        "llast resample --fetched {input.fetched:q} --output {output.summary:q} --options {params.options:q}"
        " --workers {resources.cpus_per_task:q} --log {log:q}"


rule join:
    input:
        fetched="resources/{corpus}/fetch/{source}/summary.json",
    output:
        summary="resources/{corpus}/join/{source}/summary.json",
    log:
        "logs/{corpus}/join/{source}.log",
    resources:
        mem_mb=8000,
        runtime=60,
    params:
        official_counts=corpus.official_counts,
        version=STEP_VERSIONS["join"],
    message:
        "Join tables and sentences into the official splits: {wildcards.source}"
    shell:
        "llast join --fetched {input.fetched:q} --output {output.summary:q} {params.official_counts:q} --log {log:q}"


rule filter:
    input:
        joined="resources/{corpus}/join/{source}/summary.json",
        resampled="resources/{corpus}/resample/{source}/summary.json",
    output:
        summary="resources/{corpus}/filter/{source}/summary.json",
    log:
        "logs/{corpus}/filter/{source}.log",
    resources:
        mem_mb=8000,
        runtime=60,
    params:
        options=corpus.filter_options,
        version=STEP_VERSIONS["filter"],
    message:
        "Filter train rows: {wildcards.source}"
    shell:
        "llast filter --joined {input.joined:q} --resampled {input.resampled:q} --output {output.summary:q}"
        " --options {params.options:q} --log {log:q}"
