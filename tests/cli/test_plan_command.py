"""`plan` prints what a training needs of a machine that is not there."""

import dataclasses
import json

import pytest
from distribution.no_compiler import compiled

from keras_transformer.cli.main import main as command
from keras_transformer.config import (
    CausalLMConfig,
    DataConfig,
    TrainingConfig,
    preset,
)
from keras_transformer.runs.run import Run, RunConfig


@pytest.fixture
def refused(capsys):
    """Run a command that must fail; its one line."""

    def call(*arguments):
        assert command([str(argument) for argument in arguments]) == 2
        (line,) = capsys.readouterr().err.splitlines()
        return line

    return call


def test_the_command(monkeypatch, main, tmp_path):
    given = compiled(monkeypatch)
    flags = "--preset big --topology h100:2x8 --distribute model --model-devices 2"
    sizes = "--vocab-size 900 --batch-tokens 25000 --dtype mixed_bfloat16 --dropout 0"
    file = tmp_path / "plan.json"
    text = main("plan", *flags.split(), *sizes.split(), "--length", 64, "--json", file)
    assert "16 x NVIDIA H100" in text and "mixed_bfloat16" in text
    assert json.loads(file.read_text())["topology"] == "h100:2x8"
    (task,) = given
    assert (task["rows"], task["how"], task["model_devices"]) == (384, "model", 2)
    model = preset("big", source_vocab_size=900, target_vocab_size=900, dropout=0.0)
    assert task["model"] == dataclasses.asdict(model)


def test_the_command_with_a_run(monkeypatch, main, run):
    given = compiled(monkeypatch)
    main("plan", run, "--topology", "v6e:2x4", "--dtype", "mixed_bfloat16")
    (task,) = given
    own = Run.open(run).config
    assert task["model"] == dataclasses.asdict(own.model)
    expected = dataclasses.replace(own.training, dtype="mixed_bfloat16")
    assert task["training"] == dataclasses.asdict(expected)


def test_flags_that_would_be_ignored(monkeypatch, refused, run):
    compiled(monkeypatch)
    said = refused("plan", "--topology", "v5e:2x4", "--model-devices", 2)
    assert "--model-devices must be absent without --distribute model" in said
    said = refused("plan", run, "--topology", "v5e:2x4", "--vocab-size", 99)
    assert "--vocab-size must be absent with RUN" in said
    said = refused("plan", run, "--topology", "v5e:2x4", "--preset", "big")
    assert "--preset must be absent with RUN" in said
    said = refused("plan", "--topology", "v5e:2x4", "--json", "absent/plan.json")
    assert "--json must be a file of a folder that exists; received" in said
    said = refused("plan", "--topology", "v5e:2x4", "--json", run)
    assert "--json must be a file of a folder that exists; received" in said
    said = refused("plan", "--topology", "v5e:2x4", "--rotary-base", 5)
    assert "--rotary-base must be absent without --positions rotary" in said


def test_a_language_model_has_no_encoder(monkeypatch, refused, run):
    config = RunConfig(preset("tiny", CausalLMConfig), DataConfig(), TrainingConfig())
    monkeypatch.setattr(Run, "open", lambda path: Run(path, config))
    said = refused("plan", run, "--topology", "v5e:2x4", "--encoder-layers", 12)
    assert "--encoder-layers must be absent for a CausalLMConfig; received 12" in said


def test_a_plan_is_shown_before_it_is_written(monkeypatch, tmp_path, capsys):
    def full(path):
        raise OSError("No space left on device")

    compiled(monkeypatch)
    monkeypatch.setattr("keras_transformer.cli.plan.new_file", full)
    arguments = ["plan", "--topology", "v5e:2x4", "--json", str(tmp_path / "plan.json")]
    assert command(arguments) == 2
    assert "8 x TPU v5e" in capsys.readouterr().out


SMALL = "--preset tiny --encoder-layers 1 --decoder-layers 1 --vocab-size 512"


@pytest.mark.slow
def test_costs_of_a_gpu_are_those_of_a_tpu(main, tmp_path):
    pytest.importorskip("libtpu", reason="the extra tpu is not installed")
    pytest.importorskip("jax_cuda12_plugin", reason="the extra gpu-plan is not")
    found = {}
    for topology in ("v5e:2x2", "h100:4"):
        file = tmp_path / "plan.json"
        batch = ["--batch-tokens", 8192, "--dtype", "mixed_bfloat16"]
        where = ["--topology", topology, "--json", file]
        main("plan", *SMALL.split(), *batch, *where)
        found[topology] = json.loads(file.read_text())
    tpu, gpu = found.values()
    assert gpu["flops"] == pytest.approx(tpu["flops"], rel=0.2)
    assert gpu["bytes"] == pytest.approx(tpu["counted_bytes"], rel=0.5)
    assert tpu["bytes"] < tpu["counted_bytes"]
    assert gpu["memory"]["weights"] == tpu["memory"]["weights"]
