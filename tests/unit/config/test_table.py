"""A line per configuration and per command line: what is in it, and what the message has to name; None: it is good.

Each goes through `llast` itself, in one process. What is refused ends with exit code 2 and one line.
"""

import shlex
from pathlib import Path

import pytest

from llast import cli

GOOD = {
    "config.yaml": "corpus: c\nexperiments: [e]\nconfig_dir: .\n",
    "corpora/c.yaml": "pairs: [fr_en, en_de]\nsource: {kind: synthetic}\n",
    "experiments/good.yaml": "encoder: {base: ./w}\nllm: {base: ./w}\n"
    "mixture: {pairs: all}\ntraining: {max_steps: 5}\n",
    "experiments/cascade.yaml": "kind: cascade\nwhisper: {base: ./w}\nllm: {base: ./w}\n",
    "experiments/e.yaml": "extends: good\n",
    "w/config.json": "{}",
}


def deep(levels: int) -> str:
    return "[" * levels + "]" * levels


# Laid over a good experiment.
EXPERIMENT: dict[str, str | None] = {
    "training: {learning_rate: 1e-4, betas: [0, 0.5], clip_norm: 1e9}": None,
    "training: {max_steps: 5.0}": None,
    'description: "ü, 日本語, $(x), {a}, =1+1, | a | b |"': None,
    "description: |\n  several\n  lines\n": None,
    "training: {learning_rate: .inf}": "'training.learning_rate'",
    "training: {learning_rate: -.inf}": "'training.learning_rate'",
    "training: {learning_rate: .nan}": "'training.learning_rate'",
    "training: {learning_rate: 1e999}": "'training.learning_rate'",
    "training: {learning_rate: 0}": "'training.learning_rate'",
    "training: {learning_rate: -1}": "'training.learning_rate'",
    "training: {learning_rate: true}": "'training.learning_rate'",
    "training: {learning_rate: 100}": "'training.learning_rate'",
    'training: {learning_rate: "1e-4"}': "'training.learning_rate'",
    "training: {learning_rate: 1e-4 # 5}": ".yaml:",
    "training: {learning_rate: [1e-4]}": "'training.learning_rate'",
    "training: {learning_rate: 2020-01-01}": "'training.learning_rate'",
    "training: {epochs: .inf, max_steps: null}": "'training.epochs'",
    "training: {epochs: 1e300, max_steps: null}": "'training.epochs'",
    "training: {epochs: 0}": "'training.epochs'",
    "training: {epochs: null, max_steps: null}": "'training'",
    "training: {max_steps: 0}": "'training.max_steps'",
    "training: {max_steps: -3}": "'training.max_steps'",
    "training: {max_steps: 2.5}": "'training.max_steps'",
    "training: {max_steps: yes}": "'training.max_steps'",
    "training: {max_steps: 99999999999999999999999}": "'training.max_steps'",
    "training: {max_steps: 1000000000}": "'training.max_steps'",
    "training: {checkpoints: 5}": None,
    "training: {checkpoints: 6}": "max_steps (5)",
    "training: {checkpoints: 0}": "'training.checkpoints'",
    "training: {checkpoints: 1000000000}": "'training.checkpoints'",
    "training: {max_steps: 100000000, checkpoints: 1000000000}": "'training.checkpoints'",
    "training: {checkpoints: true}": "'training.checkpoints'",
    "training: {rows_per_update: 0}": "'training.rows_per_update'",
    "training: {rows_per_update: .nan}": "'training.rows_per_update'",
    "training: {tokens_per_micro_batch: 0}": "'training.tokens_per_micro_batch'",
    "training: {save_every: 0}": "'training.save_every'",
    "training: {save_every: .inf}": "'training.save_every'",
    "training: {dev_every: 0}": "'training.dev_every'",
    "training: {warmup: 1.5}": "'training.warmup'",
    "training: {warmup: -0.1}": "'training.warmup'",
    "training: {betas: [0.9, 1]}": "'training.betas[1]'",
    "training: {betas: [1.0, 0.9]}": "'training.betas[0]'",
    "training: {betas: [-0.1, 0.9]}": "'training.betas[0]'",
    "training: {betas: [0.9, .nan]}": "'training.betas[1]'",
    "training: {betas: [true, 0.9]}": "'training.betas'",
    "training: {betas: [0.9]}": "'training.betas",
    "training: {betas: [0.9, 0.9, 0.9]}": "'training.betas",
    "training: {betas: 0.9}": "'training.betas'",
    "training: {weight_decay: -1}": "'training.weight_decay'",
    "training: {weight_decay: .inf}": "'training.weight_decay'",
    "training: {clip_norm: 0}": "'training.clip_norm'",
    "training: {clip_norm: .inf}": "'training.clip_norm'",
    "training: {loss_limit: 1}": "'training.loss_limit'",
    "training: {precision: fp16}": "'training.precision'",
    "training: {gradient_checkpointing: 1}": "'training.gradient_checkpointing'",
    'training: {gradient_checkpointing: "yes"}': "'training.gradient_checkpointing'",
    "training: null": None,
    "training: []": "'training'",
    "training: 5": "'training'",
    "mixture: {tasks: {st: 0, asr: 0}}": "'mixture.tasks'",
    "mixture: {tasks: {st: 0.0, asr: -0.0}}": "'mixture.tasks'",
    "mixture: {tasks: {st: 1.5}}": "'mixture.tasks.st'",
    "mixture: {tasks: {st: .nan}}": "'mixture.tasks.st'",
    "mixture: {tasks: {st: true}}": "'mixture.tasks'",
    "mixture: {tasks: {mt: 1}}": "'mixture.tasks.mt'",
    "mixture: {tasks: [st]}": "'mixture.tasks'",
    "mixture: {pairs: []}": "'mixture.pairs'",
    "mixture: {pairs: [en_fr]}": "'mixture.pairs[0]'",
    "mixture: {pairs: [ja_en]}": "'mixture.pairs'",
    "mixture: {pairs: true}": "'mixture.pairs'",
    "mixture: {pairs: [fr_en, 1]}": "'mixture.pairs[1]'",
    "mixture: {en_x_step: 0}": "'mixture.en_x_step'",
    "mixture: {temperature: 0.5}": "'mixture.temperature'",
    "mixture: {temperature: .inf}": "'mixture.temperature'",
    "mixture: {speeds: []}": "'mixture.speeds'",
    "mixture: {speeds: [0.1]}": "'mixture.speeds[0]'",
    "mixture: {speeds: [.nan]}": "'mixture.speeds[0]'",
    "mixture: {speeds: [true]}": "'mixture.speeds'",
    "mixture: {speeds: 1.0}": "'mixture.speeds'",
    "mixture: {dev_rows: -1}": "'mixture.dev_rows'",
    "mixture: {leakage: yes}": "'mixture.leakage'",
    "encoder: {lora: {rank: 0, alpha: 1}}": "'encoder.lora.rank'",
    "encoder: {lora: {rank: 1, alpha: 0}}": "'encoder.lora.alpha'",
    "encoder: {lora: {rank: true, alpha: 1}}": "'encoder.lora.rank'",
    "encoder: {lora: {rank: 1000000000, alpha: 1}}": "'encoder.lora.rank'",
    "encoder: {lora: {rank: 1, alpha: 1, dropout: 1}}": "'encoder.lora.dropout'",
    "encoder: {lora: {rank: 1, alpha: 1, dropout: .nan}}": "'encoder.lora.dropout'",
    "encoder: {lora: {rank: 1, alpha: 1, targets: []}}": "'encoder.lora.targets'",
    'encoder: {lora: {rank: 1, alpha: 1, targets: [""]}}': "'encoder.lora.targets[0]'",
    "encoder: {lora: {rank: 1, alpha: 1, targets: [q, q]}}": "'encoder.lora.targets'",
    "llm: {lora: {rank: 1, alpha: 1, targets: []}}": "'llm.lora.targets'",
    "llm: {lora: {rank: 1, alpha: 1, targets: q_proj}}": "'llm.lora.targets'",
    "adaptor: {stack: 0}": "'adaptor.stack'",
    "adaptor: {stack: 1000000}": "'adaptor.stack'",
    "adaptor: {stack: false}": "'adaptor.stack'",
    "decoding: {num_beams: 0}": "'decoding.num_beams'",
    "decoding: {num_beams: 1000000000}": "'decoding.num_beams'",
    "decoding: {max_new_tokens: 0}": "'decoding.max_new_tokens'",
    "decoding: {batch_tokens: .inf}": "'decoding.batch_tokens'",
    "decoding: {average_last: 0}": "'decoding.average_last'",
    "decoding: {num_beams: true}": "'decoding.num_beams'",
    f"decoding: {deep(20)}": "'decoding'",
    f"decoding: {deep(3000)}": "experiments/e.yaml",
    "training: {deepspeed: {zero_optimization: {stage: 3, overlap_comm: false}, memory_breakdown: true}}": None,
    "training: {deepspeed: {gradient_accumulation_steps: 4}}": "training.rows_per_update",
    "training: {deepspeed: {train_batch_size: 4}}": "training.rows_per_update",
    "training: {deepspeed: {train_micro_batch_size_per_gpu: 4}}": "training.tokens_per_micro_batch",
    "training: {deepspeed: {gradient_clipping: 0.5}}": "training.clip_norm",
    "training: {deepspeed: {optimizer: {type: Adam}}}": "training.betas",
    "training: {deepspeed: {scheduler: {type: WarmupLR}}}": "training.warmup",
    "training: {deepspeed: {fp16: {enabled: true}}}": "training.precision",
    "training: {deepspeed: {bf16: {enabled: true}}}": "zero_optimization, communication_data_type",
    "training: {deepspeed: {data_types: {grad_accum_dtype: bf16}}}": "training.precision",
    "training: {deepspeed: {activation_checkpointing: {}}}": "training.gradient_checkpointing",
    "training: {deepspeed: {gradient_allreduce_op: sum}}": "'gradient_allreduce_op'",
    "training: {deepspeed: {zero_optimisation: {stage: 3}}}": "'zero_optimization'",
    "training: {deepspeed: {zero_optimization: {stages: 3}}}": "'stage'",
    "training: {deepspeed: {zero_optimization: {offload_optimizer: {device: cpu}}}}": "offload_param",
    "training: {deepspeed: {zero_optimization: {stage: 4}}}": "1, 2, 3",
    "training: {deepspeed: {zero_optimization: {stage: 0}}}": "'training.deepspeed.zero_optimization.stage'",
    "training: {deepspeed: {zero_optimization: {stage: true}}}": "'zero_optimization.stage'",
    "training: {deepspeed: {zero_optimization: {stage: 2, reduce_bucket_size: 0}}}": "reduce_bucket_size",
    "training: {deepspeed: {zero_optimization: 2}}": "'training.deepspeed.zero_optimization'",
    "training: {deepspeed: {zero_optimization: {stage: 1}, communication_data_type: fp8}}": "communication_data_type'",
    "training: {deepspeed: {comms_logger: {enabled: .nan}}}": "'training.deepspeed.comms_logger.enabled'",
    "training: {deepspeed: 2}": "'training.deepspeed'",
    "llm: {base: -x}": "'llm.base'",
    "llm: {base: -x/y@main}": "'llm.base'",
    "llm: {base: ../..}": "'llm.base'",
    "llm: {base: ../..@main}": "'llm.base'",
    "llm: {base: x/..@main}": "'llm.base'",
    "llm: {base: x/y--z@main}": "'llm.base'",
    "llm: {base: x/y@-z}": "'llm.base'",
    "llm: {base: 'x/y@a b'}": "'llm.base'",
    "llm: {base: ''}": "'llm.base'",
    "llm: {base: ./nowhere}": "./nowhere",
    "llm: {base: './w $(touch EXECUTED) x'}": "$(touch EXECUTED)",
    "llm: {base: './a{b}'}": "'llm.base'",
    'llm: {base: "./w\\n"}': "'llm.base'",
    'llm: {base: "./w\\0"}': "'llm.base'",
    'llm: {base: "./w\\e[31m"}': "'llm.base'",
    'llm: {base: "./w\\u2028"}': "'llm.base'",
    "llm: {base: null}": "'llm.base'",
    "llm: {base: 5}": "'llm.base'",
    "llm: {base: x/y@main}": None,
    "llm: {template: llama3}": "'llm.template'",
    "llm: {load_in_4bit: 1}": "'llm.load_in_4bit'",
    "description: 2020-01-01": "'description'",
    "description: 2020-99-99": "experiments/e.yaml:2",
    "description: 2020-01-01 10:00:00": "'description'",
    "description: !!binary aGVsbG8=": "'description'",
    "description: !!set {a, b}": "'description'",
    "description: !!omap [a: 1]": "'description",
    "description: !!float abc": "experiments/e.yaml:2",
    "description: !!int abc": "experiments/e.yaml:2",
    "description: !!bool abc": "experiments/e.yaml:2",
    "description: !!timestamp abc": "experiments/e.yaml:2",
    "description: !!python/object/apply:os.system [touch EXECUTED]": "experiments/e.yaml:2",
    "description: !unknown a": "experiments/e.yaml:2",
    f"description: {'9' * 5000}": "experiments/e.yaml:2",
    f"description: {'a' * 20_000}": "'description'",
    "description: 5": "'description'",
    "description: yes": "'description'",
    'description: "\\ud800"': "'description'",
    'description: "\\x07"': "'description'",
    "description: \x07": "experiments/e.yaml:2",
    "baseline: e": "'baseline'",
    "baseline: nowhere": "'baseline'",
    "baseline: ''": "'baseline'",
    "baseline: [good]": "'baseline'",
    "kind: wisper": "'kind'",
    "kind: [train]": "'kind'",
    "kind: true": "'kind'",
    "? [a, b]\n: 1": "experiments/e.yaml:2",
    "? {a: b}\n: 1": "experiments/e.yaml:2",
    "1: 2": "experiments/e.yaml",
    "no: 2": "false",
    "null: 2": "null",
    "2020-01-01: 2": "experiments/e.yaml",
    "training: &a {deepspeed: *a}": "training",
    "training: &a {<<: *a}": None,
    "training: {deepspeed: &a [*a]}": "training.deepspeed",
    "training: {deepspeed: {a: &a [1,1,1,1,1,1,1,1,1,1], b: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a,*a], c: &c "
    "[*b,*b,*b,*b,*b,*b,*b,*b,*b,*b], d: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c,*c], e: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d,*d], "
    "f: &f [*e,*e,*e,*e,*e,*e,*e,*e,*e,*e], g: &g [*f,*f,*f,*f,*f,*f,*f,*f,*f,*f]}}": "training.deepspeed",
    "training: {max_steps: 1}\ntraining: {max_steps: 2}": "experiments/e.yaml:3",
    "training: {max_steps: 1": "experiments/e.yaml",
    "training: *nowhere": "experiments/e.yaml:2",
    "\ttraining: 1": "experiments/e.yaml:2",
    "---\na: 1": "experiments/e.yaml:2",
    "colour: blue": "'colour'",
}

CASCADE: dict[str, str | None] = {
    "llm: {prompt: '{text} {source} {target} {{a}}'}": None,
    'llm: {prompt: "{text}\\nin {target}"}': None,
    "llm: {prompt: '{text[0]}'}": "{text[0]}",
    "llm: {prompt: '{text.__class__}'}": "{text.__class__}",
    "llm: {prompt: '{text!r}'}": "{text!r}",
    "llm: {prompt: '{text:>1000000000}'}": "{text:>1000000000}",
    "llm: {prompt: '{txt}'}": "{txt}",
    "llm: {prompt: '{0}'}": "{0}",
    "llm: {prompt: '{}'}": "{}",
    "llm: {prompt: '{text'}": "'llm.prompt'",
    "llm: {prompt: 'text}'}": "'llm.prompt'",
    "llm: {prompt: '{text} {text}'}": "{text}",
    "llm: {prompt: 'to {target}'}": "{text}",
    "llm: {prompt: ''}": "{text}",
    'llm: {prompt: "{text}\\0"}': "'llm.prompt'",
    "llm: {prompt: 5}": "'llm.prompt'",
    "whisper: {window: 30}": "'whisper.window'",
    "whisper: {base: -x}": "'whisper.base'",
    "precision: fp16": "'precision'",
    "training: {}": "'training'",
}

CORPUS: dict[str, str | None] = {
    "filter: {min_seconds: 1, max_seconds: 2}": None,
    "filter: {min_seconds: 31}": "'filter'",
    "filter: {min_seconds: 5, max_seconds: 1}": "min_seconds (5.0)",
    "filter: {min_seconds: -1}": "'filter.min_seconds'",
    "filter: {max_seconds: .inf}": "'filter.max_seconds'",
    "filter: {max_seconds: true}": "'filter.max_seconds'",
    "filter: {max_characters: 0}": "'filter.max_characters'",
    "filter: {max_speech_rate: 1}": "'filter.max_speech_rate'",
    "filter: {min_speech_rate: 1}": "'filter.min_speech_rate'",
    "filter: {max_length_ratio: .nan}": "'filter.max_length_ratio'",
    "filter: {max_missing: 1.5}": "'filter.max_missing'",
    "filter: {repair_source: 1}": "'filter.repair_source'",
    "resample: {min_seconds: 0}": "'resample.min_seconds'",
    "resample: {min_seconds: 1000}": "'resample.min_seconds'",
    "resample: {clips_per_shard: 0}": "'resample.clips_per_shard'",
    "resample: {clips_per_shard: 1e12}": "'resample.clips_per_shard'",
    "official_counts: 1": "'official_counts'",
    "official_counts: [true]": "'official_counts'",
}

CORPUS_FILES: dict[str, str | None] = {
    "pairs: [fr_en, en_de]\nsource: {kind: synthetic, options: {train: 0}}": "'source.options.train'",
    "pairs: [fr_en, en_de]\nsource: {kind: synthetic, options: {train: 1000000000000}}": "'source.options.train'",
    "pairs: [fr_en, en_de]\nsource: {kind: synthetic, options: {seed: -1}}": "'source.options.seed'",
    "pairs: [fr_en, en_de]\nsource: {kind: synthetic, options: {dirt: 0}}": "'source.options.dirt'",
    "pairs: [fr_en, en_de]\nsource: {kind: synthetic, options: null}": "'source.options'",
    "pairs: []\nsource: {kind: synthetic}": "'pairs'",
    "pairs: [fr_en, fr_en]\nsource: {kind: synthetic}": "fr_en",
    "pairs: fr_en\nsource: {kind: synthetic}": "'pairs'",
    "pairs: [fr-en]\nsource: {kind: synthetic}": "'pairs[0]'",
    "pairs: [no]\nsource: {kind: synthetic}": "'pairs[0]'",
    "source: {kind: synthetic}": "'pairs'",
    "pairs: [fr_en, en_de]": "'source'",
    "pairs: [fr_en, en_de]\nsource: {kind: 5}": "'source.kind'",
    "pairs: [fr_en, en_de]\nsource: synthetic": "'source'",
    "pairs: [fr_en, en_de]\nsource: {kind: local, audio: ''}": "'source.audio'",
    'pairs: [fr_en, en_de]\nsource: {kind: local, audio: "a\\nb"}': "'source.audio'",
    "pairs: [fr_en, en_de]\nsource: {kind: local, audio: 'ftp://a/{lang}'}": "'source.audio'",
    "pairs: [fr_en, en_de]\nsource: {kind: prepared, folder: ''}": "'source.folder'",
    "pairs: [fr_en, en_de]\nsource: {kind: prepared, folder: a, copy_audio: 1}": "'source.copy_audio'",
    "pairs: [fr_en, en_de]\nsource: {kind: huggingface, repository: ../..}": "'source.repository'",
    "pairs: [fr_en, en_de]\nsource: {kind: huggingface, repository: -x/y}": "'source.repository'",
    "pairs: [fr_en, en_de]\nsource: {kind: huggingface, revision: main}": "'source.revision'",
    "pairs: [fr_en, en_de]\nsource: {kind: mdc, datasets: {fr: -a, en: b}}": "'source.datasets.fr'",
    "pairs: [fr_en, en_de]\nsource: {kind: url, audio: 'http:///{lang}'}": "'source.audio'",
    "pairs: [fr_en, en_de]\nsource: {kind: url, audio: 'http://a:99999/{lang}'}": "'source.audio'",
    "pairs: [fr_en, en_de]\nsource: {kind: url, audio: 'http://a b/{lang}'}": "'source.audio'",
    "pairs: [fr_en, en_de]\nsource: {kind: url, audio: 'http://a..b/{lang}'}": "'source.audio'",
    "pairs: [fr_en, en_de]\nsource: {kind: url, audio: 'http://münchen.de/{lang}'}": None,
    "pairs: [fr_en, en_de]\nsource: {kind: url, audio: 'http://u:${KEY}@${HOST}/{lang}'}": None,
    "": "'pairs'",
    "[]": "list",
    "text": "str",
}

CONFIG: dict[str, str | None] = {
    "seeds: [0, 4294967295]": None,
    "tracking_uri: http://[::1]:5000": None,
    "tracking_uri: http://me:secret@host": None,
    "tracking_uri: sqlite:////data/ml flow.db": None,
    "comet_command: /opt/comet/bin/comet-score --gpus 0": None,
    "seeds: []": "'seeds'",
    "seeds: 1": "'seeds'",
    "seeds: [-1]": "'seeds[0]'",
    "seeds: [1, 1]": "'seeds'",
    "seeds: [true]": "'seeds'",
    "seeds: ['1']": "'seeds'",
    "seeds: [1.5]": "'seeds[0]'",
    "seeds: [4294967296]": "'seeds[0]'",
    "seeds: [.inf]": "'seeds[0]'",
    "seeds: !!set {1, 2}": "config.yaml",
    "dev_rows: 0": "'dev_rows'",
    "dev_rows: .inf": "'dev_rows'",
    "dev_rows: true": "'dev_rows'",
    "test_rows: -1": "'test_rows'",
    "asr_rows: -1": "'asr_rows'",
    "case: a b": "'case'",
    "case: true": "'case'",
    'case: "a\\0b"': "'case'",
    "comet_command: ''": "'comet_command'",
    "comet_command: ' '": "'comet_command'",
    'comet_command: "comet-score \'a"': "'comet_command'",
    "comet_model: ''": "'comet_model'",
    "tracking_uri: ''": "'tracking_uri'",
    "tracking_uri: ' '": "'tracking_uri'",
    "tracking_uri: 5": "'tracking_uri'",
    "tracking_uri: 'sqlite:'": "'tracking_uri'",
    "tracking_uri: 'sqlite:///'": "'tracking_uri'",
    "tracking_uri: 'http://'": "'tracking_uri'",
    "tracking_uri: http://host:99999": "'tracking_uri'",
    "tracking_uri: http://host:port": "'tracking_uri'",
    'tracking_uri: "http://host\\n"': "'tracking_uri'",
    "# \x00": "config.yaml:4",
    "# \x07": "config.yaml:4",
    "&a : *a": "config.yaml",
}

CONFIG_FILES: dict[str, str | None] = {
    "corpus: c\nexperiments: []\nconfig_dir: .": "'experiments'",
    "corpus: c\nexperiments: [e, e]\nconfig_dir: .": "'experiments'",
    "corpus: c\nexperiments: e\nconfig_dir: .": "'experiments'",
    "corpus: c\nexperiments: [-x]\nconfig_dir: .": "'-x'",
    "corpus: c\nexperiments: [../..]\nconfig_dir: .": "'../..'",
    "corpus: c\nexperiments: ['']\nconfig_dir: .": "''",
    'corpus: c\nexperiments: ["e\\n"]\nconfig_dir: .': "'experiments'",
    "corpus: c\nexperiments: [chain0]\nconfig_dir: .": "'extends'",
    "corpus: c\nexperiments: [circle]\nconfig_dir: .": "'extends'",
    "corpus: ../corpora/c\nexperiments: [e]\nconfig_dir: .": "'../corpora/c'",
    "corpus: ''\nexperiments: [e]\nconfig_dir: .": "''",
    "corpus: 1\nexperiments: [e]\nconfig_dir: .": "'corpus'",
    "corpus: c\nexperiments: [e]\nconfig_dir: ''": "'config_dir'",
    "corpus: c\nexperiments: [e]\nconfig_dir: -x": "./-x",
    "corpus: c\nexperiments: [e]\nconfig_dir: 'a{b}'": "'config_dir'",
    "corpus: c\nexperiments: [e]\nconfig_dir: nowhere": "nowhere",
    "experiments: [e]\nconfig_dir: .": "'corpus'",
    "": "'corpus'",
    "null": "'corpus'",
    "5": "int",
}

PLACES = {
    "experiments/e.yaml": ("extends: good\n", EXPERIMENT),
    "experiments/e.yaml ": ("extends: cascade\n", CASCADE),
    "corpora/c.yaml": (GOOD["corpora/c.yaml"], CORPUS),
    "corpora/c.yaml ": ("", CORPUS_FILES),
    "config.yaml": (GOOD["config.yaml"], CONFIG),
    "config.yaml ": ("", CONFIG_FILES),
}
CASES = [
    pytest.param(file.strip(), before + text, names, id=f"{file.strip()}: {text[:60]!r}")
    for file, (before, lines) in PLACES.items()
    for text, names in lines.items()
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("table")
    chain = {f"experiments/chain{n}.yaml": f"extends: chain{n + 1}\n" for n in range(1500)}
    chain["experiments/chain1500.yaml"] = "extends: good\n"
    circle = {
        "experiments/circle.yaml": "extends: circle2\n",
        "experiments/circle2.yaml": "extends: circle\n",
    }
    for name, text in (GOOD | chain | circle).items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    return folder


@pytest.mark.parametrize(("file", "text", "names"), CASES)
def test_a_configuration(
    folder: Path,
    file: str,
    text: str,
    names: str | None,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(folder)
    Path(file).write_bytes(text.encode())
    try:
        code = cli.main(["config", "check", "--config", "config.yaml"])
    finally:
        Path(file).write_text(GOOD[file])
    said = capsys.readouterr().err
    assert code == (0 if names is None else 2), said
    assert not Path("EXECUTED").exists()
    if names is not None:
        assert len(said.splitlines()) == max(1, said.count("' is missing."))
        assert "defect" not in said
        assert names in said


def test_there_are_many() -> None:
    assert len(CASES) >= 250


PROFILES: dict[str, str] = {
    "set-resources: 5": "'set-resources'",
    "set-resources: text": "'set-resources'",
    "default-resources: 5": "'default-resources'",
    "configfile: 5": "'configfile'",
    "configfile: [5]": "5 does not exist",
    "configfile: nowhere.yaml": "nowhere.yaml",
    "executor: [slurm]": "'executor'",
    "set-resources: {train: {nodes: 0}}": "'set-resources.train.nodes'",
    "set-resources: {train: {nodes: true}}": "'set-resources.train.nodes'",
    "set-resources: {train: {nodes: .inf}}": "'set-resources.train.nodes'",
    "set-resources: {train: {nodes: 1.5}}": "'set-resources.train.nodes'",
    "set-resources: {train: {nodes: [2]}}": "'set-resources.train.nodes'",
    "set-resources: {train: {tasks_per_node: 0}}": "'set-resources.train.tasks_per_node'",
    "set-resources: {train: {gpus_per_node: -1}}": "'set-resources.train.gpus_per_node'",
    f"set-resources: {{decode: {{gpu: '{'9' * 5000}'}}}}": "'set-resources.decode.gpu'",
    "set-resources: ['train:nodes=0']": "'set-resources.train.nodes'",
    "set-resources: [5]\ndefault-resources: [a]\nconfigfile: nowhere.yaml": "nowhere.yaml",
    "set-resources: &a {train: *a}": "set-resources",
    "? [a]\n: 1": "profile.yaml:1",
    "site: 2020-99-99": "profile.yaml:1",
}


@pytest.mark.parametrize("text", PROFILES)
def test_a_profile(
    text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("profile.yaml").write_text(text)
    assert cli.main(["plan", "--profile", "."]) == 2
    (said,) = capsys.readouterr().err.splitlines()
    assert PROFILES[text] in said
    assert "defect" not in said


SPEC = (
    '{"encoder": {"base": "./w"}, "adaptor": {}, "llm": {"base": "./w"}, "mixture": {"pairs": ["fr_en"]}, '
    '"training": {}}'
)
TRAIN = (
    f"train --experiment e --mix m --audio a --encoder w --llm w --output run.json --options '{SPEC}' --seed "
)
TRANSLATE = "translate a.wav --model m --from fr --to en "
ARGUMENTS: dict[str, str] = {
    TRANSLATE + "--threads 0": "--threads",
    TRANSLATE + "--threads -1": "--threads",
    TRANSLATE + "--threads 1.5": "--threads",
    TRANSLATE + "--threads nan": "--threads",
    TRANSLATE + "--threads 1000000000": "--threads",
    TRANSLATE + "--threads ''": "--threads",
    TRANSLATE + "--beams 0": "--beams",
    TRANSLATE + "--beams 1000000": "--beams",
    TRANSLATE + "--checkpoint 0": "--checkpoint",
    TRANSLATE + "--checkpoint x": "--checkpoint",
    TRANSLATE + "--segment-seconds 0": "--segment-seconds",
    TRANSLATE + "--segment-seconds inf": "--segment-seconds",
    TRAIN + "-1": "--seed",
    TRAIN + "4294967296": "--seed",
    TRAIN + "1 --nodes 0": "'nodes'",
    TRAIN + "1 --threads 0": "'threads'",
    TRAIN + "1 --minutes nan": "'minutes'",
    TRAIN + "1 --cluster cloud": "'cluster'",
    "mix --filtered f --seed x --output a/summary.json": "--seed",
    "resample --fetched f --output a/summary.json --workers 0": "--workers",
    "resample --fetched f --output a/summary.json --workers 1e3": "--workers",
    "resample --fetched f --output a/summary.json --workers 1000000": "--workers",
    "resample --fetched f --output a/summary.json --options '{\"min_seconds\": true}'": "'min_seconds'",
    "resample --fetched f --output a/summary.json --options '[]'": "--options",
    "resample --fetched f --output a/summary.json --options 'null'": "--options",
    f"resample --fetched f --output a/summary.json --options '{deep(5000)}'": "--options",
    "score --translated t --split dev --output s.json --workers 0": "--workers",
    'score --translated t --split dev --output s.json --options \'{"comet_command": ""}\'': "'comet_command'",
    "decode --run r --checkpoint 0 --source fr --pairs fr_en --filtered f --resampled r --bases w=w "
    "--output a/summary.json": "--checkpoint",
    "decode --run r --checkpoint 1 --source fr --pairs fr_en --filtered f --resampled r --bases w "
    "--output a/summary.json": "--bases",
    "compare --experiment -x --baseline e --runs r --scores s --translated t --output o": "--experiment",
    "compare --experiment e --baseline 'a b' --runs r --scores s --translated t --output o": "--baseline",
    "import-xtuner c --experiment e --output o --llm-alpha 0": "--llm-alpha",
    "track --runs r --scores s --artifacts a --output o --tracking-uri ''": "--tracking-uri",
    "track --runs r --scores s --artifacts a --output o --tracking-uri http://h:99999": "--tracking-uri",
    "fetch --source xx --pairs fr_en --downloads d --output a/summary.json": "--source",
    "fetch --source fr --pairs fr_fr --downloads d --output a/summary.json": "--pairs",
    "fetch-model --reference -x --output a/summary.json": "--reference",
    "fetch-model --reference=../.. --output a/summary.json": "--reference",
    "config check --config nowhere.yaml": "nowhere.yaml",
    "config check --config .": "not a file",
    "config show --config nowhere.yaml": "nowhere.yaml",
    "doctor --configfile nowhere.yaml": "nowhere.yaml",
    "plan --profile nowhere": "nowhere",
}


@pytest.mark.parametrize("line", ARGUMENTS)
def test_a_command_line(
    line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    try:
        code = cli.main(shlex.split(line))
    except SystemExit as leave:  # argparse's own way
        code = int(str(leave.code))
    said = capsys.readouterr().err.splitlines()
    assert code == 2, said
    assert ARGUMENTS[line] in said[-1]
    assert "defect" not in said[-1]
    assert list(tmp_path.iterdir()) == []
