"""Configuration files are read strictly, and every mistake is one message that names file, key and what to do."""

import shutil
from pathlib import Path

import pytest

from llast.config.experiment import ExperimentConfig
from llast.config.load import load_corpus, load_trained, load_workflow
from llast.config.yaml_file import read_yaml
from llast.errors import ConfigError
from llast.languages import PAIRS

PARENT = """
encoder: {base: ./enc, window: clip, lora: {rank: 8, alpha: 16}}
llm: {base: ./llm, lora: {rank: 4, alpha: 8}}
mixture: {pairs: [fr_en, de_en], tasks: {st: 1.0, asr: 0.5}}
training: {max_steps: 10, betas: [0.9, 0.95]}
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    for folder in ("corpora", "experiments"):
        (tmp_path / folder).mkdir()
    (tmp_path / "experiments/parent.yaml").write_text(PARENT)
    return tmp_path


def experiment(config: Path, text: str, name: str = "child") -> ExperimentConfig:
    (config / f"experiments/{name}.yaml").write_text(text)
    return load_trained(name, config)


def message(config: Path, text: str) -> str:
    with pytest.raises(ConfigError) as error:
        experiment(config, text)
    return str(error.value).replace(str(config), "CONFIG")


def test_extending_merges_maps_and_replaces_lists(config: Path) -> None:
    child = experiment(config, "extends: parent\ntraining: {betas: [0.5, 0.6]}\nmixture: {pairs: [ja_en]}")
    assert child.training.betas == (0.5, 0.6)
    assert child.training.max_steps == 10
    assert child.mixture.pairs == ["ja_en"]
    assert child.mixture.tasks == {"st": 1.0, "asr": 0.5}
    assert child.encoder.lora is not None
    assert child.encoder.lora.rank == 8


def test_null_takes_out_what_the_parent_set(config: Path) -> None:
    child = experiment(config, "extends: parent\nencoder: {lora: null}\nmixture: {tasks: {asr: null}}")
    assert child.encoder.lora is None
    assert child.encoder.window == "clip"
    assert child.mixture.tasks == {"st": 1.0}


def test_a_grandchild_overrides_its_ancestors_in_order(config: Path) -> None:
    experiment(config, "extends: parent\ntraining: {max_steps: 20, warmup: 0.5}", "middle")
    child = experiment(config, "extends: middle\ntraining: {max_steps: 30}")
    assert (child.training.max_steps, child.training.warmup) == (30, 0.5)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("extends: parent\ntraining: {learning_rat: 1e-4}", ("'training.learning_rat'", "'learning_rate'")),
        ("extend: parent", ("'extend'", "'extends'")),
        (
            "extends: parent\nencoder: {lora: {rnak: 4}}",
            ("'encoder.lora.rnak'", "'rank'", "alpha", "dropout"),
        ),
        ("extends: parent\nmixture: {tasks: {srt: 1}}", ("'mixture.tasks.srt'", "'st' or 'asr'", "cot")),
        ("extends: parent\nencoder: {window: clop}", ("'encoder.window'", "'clop'", "'clip'", "30s")),
        ("extends: parent\nmixture: {pairs: [fr_en, fr_ne]}", ("'mixture.pairs[1]'", "'fr_ne'", "'fr_en'")),
        ("extends: parent\nmixture: {pairs: [fr_en, fr_en]}", ("'mixture.pairs'", "fr_en")),
        ("extends: parent\ntraining: {warmup: 3}", ("'training.warmup'", "3")),
        ("extends: parent\nencoder: {base: openai/whisper-tiny}", ("'encoder.base'", "openai/whisper-tiny@")),
        ("extends: parent\nllm: {base: whisper}", ("'llm.base'", "'whisper'", "./", "org/name@revision")),
        ("extends: paret", ("'extends'", "'paret'", "'parent'", "child, parent")),
        ("extends: child", ("'extends'", "child -> child")),
        ("extends: [parent]", ("'extends'", "['parent']")),
        ("llm: {base: ./a}\nllm: {base: ./b}", (".yaml:2:", "'llm'")),
        ("llm: {base: ./a", (".yaml:1:",)),
        ("- parent", ("list",)),
        ("mixture: {pairs: all}\nllm: {base: ./a}", ("'encoder'",)),
        ("extends: parent\ntraining: 5", ("'training'",)),
    ],
)
def test_a_mistake_names_file_key_and_what_is_near(config: Path, text: str, names: tuple[str, ...]) -> None:
    said = message(config, text)
    assert said.startswith("CONFIG/experiments/child.yaml:")
    assert [name for name in names if name not in said] == []


def test_a_mistake_in_the_parent_names_the_parents_file(config: Path) -> None:
    parent = config / "experiments/parent.yaml"
    parent.write_text(PARENT.replace("max_steps: 10", "max_stepz: 10"))
    said = message(config, "extends: parent\ntraining: {warmup: 0.1}")
    assert said.startswith("CONFIG/experiments/parent.yaml:")
    assert "'training.max_stepz'" in said


def test_two_mistakes_are_two_lines(config: Path) -> None:
    lines = message(config, "extends: parent\ntraining: {warmup: 3, betaz: 1}").splitlines()
    assert [line.split("'")[1] for line in lines] == ["training.betaz", "training.warmup"]


def test_all_pairs_are_those_of_the_corpus(config: Path) -> None:
    (config / "experiments/child.yaml").write_text("extends: parent\nmixture: {pairs: all}")
    assert load_trained("child", config, ["fr_en", "en_de"]).mixture.pairs == ["fr_en", "en_de"]
    assert load_trained("child", config).mixture.pairs == list(PAIRS)


def test_a_training_pair_outside_the_corpus_is_an_error(config: Path) -> None:
    with pytest.raises(ConfigError, match=r"parent\.yaml: 'mixture\.pairs'.*de_en.*fr_en"):
        load_trained("parent", config, ["fr_en"])


def test_a_misspelt_key_of_a_source_is_looked_up_in_its_kind(config: Path) -> None:
    corpus = config / "corpora/small.yaml"
    corpus.write_text("pairs: [fr_en]\nsource: {kind: local, audio: a, tables: b, table: c}")
    with pytest.raises(ConfigError, match=r"small\.yaml: .*'source\.table'.*'tables'.*audio"):
        load_corpus("small", config)
    corpus.write_text("pairs: [fr_en]\nsource: {kind: lokal}")
    with pytest.raises(ConfigError, match=r"'source\.kind'.*'lokal'.*'local'"):
        load_corpus("small", config)
    corpus.write_text("pairs: [fr_en]\nsource: {audio: a}")
    with pytest.raises(ConfigError, match=r"'source\.kind'"):
        load_corpus("small", config)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("{kind: mdc, datasets: {fr: abc}}", r"'source\.datasets'.*\ben\b"),
        (
            "{kind: mdc, datasets: {fr: abc, en: ../x}}",
            r"'source\.datasets\.en'.*\.\./x",
        ),
        ("{kind: mdc, datasets: {fr: abc, eng: abc}}", r"'eng'.*'en'"),
        ("{kind: huggingface, revision: main}", r"'source\.revision'.*main"),
        ("{kind: url, audio: 'cv/{lang}.tar'}", r"'source\.audio'.*http.*kind: local"),
        (
            "{kind: local, audio: 'cv/{language}.tar'}",
            r"'source\.audio'.*\{language\}.*\{lang\}",
        ),
        ("{kind: local, audio: 'cv/{lang}', tables: '{lang}.tsv'}", r"'source\.tables': \{lang\}.*\{pair\}"),
        ("{kind: url, audio: 'https://me:abc@here/{lang}'}", r"'source\.audio'.*\$\{NAME\}"),
        ("{kind: url, audio: 'https://me:${PASSWORD}@here/{lang}?k=${KEY}'}", ""),
        ("{kind: prepared, folder: data/covost2}", ""),
        ("{kind: huggingface}", ""),
    ],
)
def test_a_source_that_cannot_work_is_an_error(config: Path, source: str, message: str) -> None:
    (config / "corpora/small.yaml").write_text(f"pairs: [fr_en, en_de]\nsource: {source}")
    if not message:
        load_corpus("small", config)
        return
    with pytest.raises(ConfigError, match=message) as caught:
        load_corpus("small", config)
    assert "abc@" not in str(caught.value)


def test_a_name_that_a_shell_would_split_is_refused(config: Path) -> None:
    shutil.copy(config / "experiments/parent.yaml", config / "experiments/my model.yaml")
    with pytest.raises(ConfigError, match="'my model'"):
        load_trained("my model", config)


def test_the_workflow_configuration_names_the_file_whose_value_holds(tmp_path: Path) -> None:
    (tmp_path / "base.yaml").write_text("corpus: demo\nexperiments: [a]\nseeds: [1]")
    (tmp_path / "mine.yaml").write_text("seeds: [1, 1]")
    files = [tmp_path / "base.yaml", tmp_path / "mine.yaml"]
    merged = {"corpus": "demo", "experiments": ["a"], "seeds": [1, 1]}
    with pytest.raises(ConfigError, match=r"mine\.yaml: 'seeds'"):
        load_workflow(merged, files)
    with pytest.raises(ConfigError, match=r"--config: .*'sedes'.*'seeds'"):
        load_workflow({**merged, "seeds": [1], "sedes": 3}, files)
    with pytest.raises(ConfigError, match=r"mine\.yaml: 'corpus'"):
        load_workflow({"experiments": ["a"]}, files)
    (tmp_path / "mine.yaml").write_text("experiments: []")
    with pytest.raises(ConfigError, match=r"mine\.yaml: 'experiments'"):
        load_workflow({**merged, "seeds": [1], "experiments": []}, files)
    (tmp_path / "mine.yaml").write_text("seeds: [1]\nseeds: [2]")
    with pytest.raises(ConfigError, match=r"mine\.yaml:2: .*'seeds'"):
        load_workflow(merged, files)


def test_numbers_are_numbers(tmp_path: Path) -> None:
    (tmp_path / "numbers.yaml").write_text("{a: 2e-4, b: 1E3, c: 2.0e-4, d: 3, e: 1e, f: e4}")
    values = {"a": 2e-4, "b": 1000.0, "c": 2e-4, "d": 3, "e": "1e", "f": "e4"}
    assert read_yaml(tmp_path / "numbers.yaml") == values


def test_a_missing_file_is_a_configuration_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nothing\.yaml"):
        read_yaml(tmp_path / "nothing.yaml")
    with pytest.raises(ConfigError, match=rf"nothing\.yaml.*{Path.cwd()}"):
        read_yaml(Path("nothing.yaml"))
    with pytest.raises(ConfigError, match=r"/corpora .*'demo'"):
        load_corpus("demo", tmp_path)
