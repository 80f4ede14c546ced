# What one experiment makes, for each of its seeds: training rows, checkpoints, hypotheses, scores.


localrules:
    fetch_model,
    train,
    describe,


rule fetch_model:
    output:
        summary="resources/models/{model}/summary.json",
    log:
        "logs/models/{model}.log",
    resources:
        downloads=1,
    params:
        reference=experiment.model_reference,
        version=STEP_VERSIONS["fetch_model"],
    message:
        "Download the base model {wildcards.model}"
    shell:
        "llast fetch-model --reference {params.reference:q} --output {output.summary:q} --log {log:q}"


rule mix:
    input:
        filtered=experiment.filtered,
    output:
        summary="results/{experiment}/seed{seed}/mix/summary.json",
    log:
        "logs/{experiment}/seed{seed}/mix.log",
    resources:
        mem_mb=8000,
        runtime=60,
    params:
        options=experiment.mix_options,
        version=STEP_VERSIONS["mix"],
    message:
        "Mix the training rows of {wildcards.experiment}, seed {wildcards.seed}"
    shell:
        "llast mix --filtered {input.filtered:q} --seed {wildcards.seed:q} --output {output.summary:q}"
        " --options {params.options:q} --log {log:q}"


# Runs where Snakemake runs and submits the training itself, locally or to Slurm: an allocation that only waits for
# another one would be waste. Checkpoints lie beside run.json, undeclared, so that they survive an interruption.
rule train:
    input:
        mix="results/{experiment}/seed{seed}/mix/summary.json",
        audio=experiment.train_audio,
        encoder=experiment.encoder_files,
        llm=experiment.llm_files,
    output:
        run="results/{experiment}/seed{seed}/train/run.json",
    log:
        "logs/{experiment}/seed{seed}/train.log",
    retries: 0  # the launcher counts the restarts that bring nothing
    threads: 2
    resources:
        cluster="local",
        nodes=1,
        tasks_per_node=2,
        gpus_per_node=0,
        cpus_per_task=1,
        mem_mb=0,
        runtime=2880,
        slurm_partition="",
        slurm_account="",
        slurm_extra="",
        container_image="",
    params:
        options=experiment.train_options,
        version=STEP_VERSIONS["train"],
    message:
        "Train {wildcards.experiment}, seed {wildcards.seed}"
    shell:
        "llast train --experiment {wildcards.experiment:q} --seed {wildcards.seed:q} --mix {input.mix:q}"
        " --audio {input.audio:q} --encoder={input.encoder[0]:q} --llm={input.llm[0]:q} --output {output.run:q}"
        " --options {params.options:q} --cluster {resources.cluster:q} --nodes {resources.nodes:q}"
        " --tasks-per-node {resources.tasks_per_node:q} --gpus-per-node {resources.gpus_per_node:q}"
        " --threads {resources.cpus_per_task:q} --minutes {resources.runtime:q} --memory-mb {resources.mem_mb:q}"
        " --partition={resources.slurm_partition:q} --account={resources.slurm_account:q}"
        " --extra={resources.slurm_extra:q} --container={resources.container_image:q} --log {log:q}"


# What stands in for the training of an experiment that is evaluated as it comes: it only says what is evaluated.
rule describe:
    input:
        models=experiment.base_files,
    output:
        run="results/{experiment}/seed{seed}/describe/run.json",
    log:
        "logs/{experiment}/seed{seed}/describe.log",
    params:
        bases=experiment.base_arguments,
        options=experiment.describe_options,
        version=STEP_VERSIONS["describe"],
    message:
        "Describe {wildcards.experiment}"
    shell:
        "llast describe --experiment {wildcards.experiment:q} --seed {wildcards.seed:q}"
        " --bases {params.bases:q} --output {output.run:q} --options {params.options:q} --log {log:q}"


rule decode:
    input:
        run=experiment.run_manifest,
        filtered=experiment.filtered_source,
        resampled=experiment.resampled_source,
        models=experiment.base_files,
    output:
        summary="results/{experiment}/seed{seed}/decode/checkpoint{checkpoint}/{source}/summary.json",
    log:
        "logs/{experiment}/seed{seed}/decode/checkpoint{checkpoint}/{source}.log",
    resources:
        cpus_per_task=1,
        mem_mb=16000,
        runtime=1440,
    params:
        pairs=experiment.decode_pairs,
        bases=experiment.base_arguments,
        options=experiment.decode_options,
        version=STEP_VERSIONS["decode"],
    message:
        "Decode {wildcards.source} with checkpoint {wildcards.checkpoint} of {wildcards.experiment}, seed {wildcards.seed}"
    shell:
        "llast decode --run {input.run:q} --checkpoint {wildcards.checkpoint:q} --source {wildcards.source:q}"
        " --pairs {params.pairs:q} --filtered {input.filtered:q} --resampled {input.resampled:q}"
        " --bases {params.bases:q} --output {output.summary:q}"
        " --options {params.options:q} --threads {resources.cpus_per_task:q} --log {log:q}"


rule score:
    input:
        translated=experiment.decoded,
    output:
        scores="results/{experiment}/seed{seed}/score/checkpoint{checkpoint}.{split}.json",
    log:
        "logs/{experiment}/seed{seed}/score/checkpoint{checkpoint}.{split}.log",
    resources:
        cpus_per_task=1,
        mem_mb=8000,
        runtime=120,
    params:
        options=experiment.score_options,
        version=STEP_VERSIONS["score"],
    message:
        "Score {wildcards.split} of checkpoint {wildcards.checkpoint} of {wildcards.experiment}, seed {wildcards.seed}"
    shell:
        "llast score --translated {input.translated:q} --split {wildcards.split:q} --output {output.scores:q}"
        " --options {params.options:q} --workers {resources.cpus_per_task:q} --log {log:q}"


rule compare:
    input:
        runs=experiment.compared_runs,
        scores=experiment.compared_scores,
        translated=experiment.compared_hypotheses,
    output:
        comparison="results/{experiment}/seed{seed}/compare/comparison.json",
    log:
        "logs/{experiment}/seed{seed}/compare.log",
    resources:
        cpus_per_task=1,
        mem_mb=8000,
        runtime=120,
    params:
        baseline=experiment.baseline,
        case=results.case,
        version=STEP_VERSIONS["compare"],
    message:
        "Compare {wildcards.experiment}, seed {wildcards.seed}, with {params.baseline}"
    shell:
        "llast compare --experiment {wildcards.experiment:q} --baseline {params.baseline:q} --runs {input.runs:q}"
        " --scores {input.scores:q} --translated {input.translated:q} --case {params.case:q}"
        " --output {output.comparison:q} --workers {resources.cpus_per_task:q} --log {log:q}"
