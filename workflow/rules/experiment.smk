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
        "llast fetch-model --reference {params.reference} --output {output.summary} --log {log}"


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
        "llast mix --filtered {input.filtered} --seed {wildcards.seed} --output {output.summary}"
        " --options {params.options:q} --log {log}"


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
        "llast train --experiment {wildcards.experiment} --seed {wildcards.seed} --mix {input.mix}"
        " --audio {input.audio} --encoder {input.encoder[0]} --llm {input.llm[0]} --output {output.run}"
        " --options {params.options:q} --cluster {resources.cluster} --nodes {resources.nodes}"
        " --tasks-per-node {resources.tasks_per_node} --gpus-per-node {resources.gpus_per_node}"
        " --threads {resources.cpus_per_task} --minutes {resources.runtime} --memory-mb {resources.mem_mb}"
        " --partition={resources.slurm_partition} --account={resources.slurm_account}"
        " --extra={resources.slurm_extra:q} --container={resources.container_image} --log {log}"


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
        "llast describe --experiment {wildcards.experiment} --seed {wildcards.seed}"
        " --bases {params.bases} --output {output.run} --options {params.options:q} --log {log}"


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
        "llast decode --run {input.run} --checkpoint {wildcards.checkpoint} --source {wildcards.source}"
        " --pairs {params.pairs} --filtered {input.filtered} --resampled {input.resampled}"
        " --bases {params.bases} --output {output.summary}"
        " --options {params.options:q} --threads {resources.cpus_per_task} --log {log}"


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
        "llast score --translated {input.translated} --split {wildcards.split} --output {output.scores}"
        " --options {params.options:q} --workers {resources.cpus_per_task} --log {log}"


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
        "llast compare --experiment {wildcards.experiment} --baseline {params.baseline} --runs {input.runs}"
        " --scores {input.scores} --translated {input.translated} --case {params.case}"
        " --output {output.comparison} --workers {resources.cpus_per_task} --log {log}"
