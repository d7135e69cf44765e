"""A training planned for a machine that is not there."""

import dataclasses
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from distribution.launching import BACKEND, ROOT, finish, start
from distribution.no_compiler import GRADIENTS, MEMORY, STEP, compiled

from keras_transformer.config import TrainingConfig, preset
from keras_transformer.distribution import plan, planning
from keras_transformer.distribution.chips import CHIPS
from keras_transformer.distribution.machine_plan import Plan, short
from keras_transformer.distribution.program import Collective, collectives, traffic

HERE = Path(__file__).parent
BASE = Plan(
    topology="v5e:2x4",
    devices=8,
    length=64,
    steps=100_000,
    dtype="mixed_bfloat16",
    parameters=60_500_000,
    collectives=[GRADIENTS],
    **STEP,
)


def test_what_follows_from_a_step():
    assert BASE.seconds["compute"] == pytest.approx(1.5566 / 197)
    assert BASE.seconds["memory"] == pytest.approx(34.3 / 819)
    assert BASE.seconds["links"] == pytest.approx(0.35 / 200)
    assert BASE.bound == "memory"
    assert BASE.share_of_peak == pytest.approx(0.1887, abs=1e-4)
    assert BASE.tokens_per_second == pytest.approx(512 * 64 / (34.3 / 819))
    assert BASE.hours == pytest.approx(100_000 * 34.3 / 819 / 3600)
    assert BASE.chip_hours == pytest.approx(8 * BASE.hours)
    # 16 GB without 0.996 GB that stay hold 8.6 times what grows, 1.744 GB for 512 rows.
    assert BASE.largest_batch == 4400 * 64
    heavy = dataclasses.replace(BASE, memory=MEMORY | dict(weights=20e9))
    assert heavy.largest_batch == 0
    found = json.loads(json.dumps(BASE.facts()))
    assert found["bound"] == "memory" and found["assumed"]["memory"] == 16e9
    text = re.sub(" +", " ", str(BASE))
    for said in (
        "8 x TPU v5e",
        "2.74 GB of 16 GB, 17%",
        "read and written 34.3 GB",
        "with on-chip memory 40 GB",
        "2 all-reduce of 8 350 MB sent",
        "41.9 ms, bound by memory",
        "cloud.google.com/tpu/docs/v5e",
    ):
        assert said in text


def test_float32_has_a_peak_of_its_own_on_gpus():
    gpu = dataclasses.replace(BASE, topology="h100:8")
    assert gpu.peak == 989e12 and CHIPS["v5e"].float32 == 197e12
    assert dataclasses.replace(gpu, dtype="float32").peak == 494e12


def test_boxes_send_over_the_network():
    wide = dataclasses.replace(GRADIENTS, group=32)
    boxes = dict(topology="h100:4x8", devices=32)
    inside = dataclasses.replace(BASE, **boxes)
    between = dataclasses.replace(BASE, **boxes, collectives=[wide])
    assert inside.seconds["links"] == pytest.approx(0.35 / 450)
    assert between.seconds["links"] == pytest.approx(0.35 / 450 + 0.35 / 8 / 50)
    assert "between boxes 50 GB/s" in str(between)


def test_numbers_are_short():
    assert [short(7), short(2.5e15)] == ["7 ", "2.5 P"]


def test_all_ways_to_write_a_collective_are_read():
    program = """
      %a = f32[10,2]{1,0} all-reduce(%x), replica_groups=[2,4]<=[8], to_apply=%add
      %b = (f32[], bf16[4]{0}) all-reduce(%y), replica_groups=mesh['a'=2,'b'=4] {'a'}
      %c = f32[8]{0} all-gather-start(%x), replica_groups={{0,1},{2,3},{4,5},{6,7}}
      %d = f32[8]{0} reduce-scatter(%x), replica_groups=[4,2]<=[8], dimensions={0}
      %e = f32[8]{0} collective-permute(%x), source_target_pairs={{0,1},{1,0}}
      %f = f32[8]{0} all-reduce(%x), to_apply=%add
      %g = f32[8]{0} add(%x, %y)
    """
    assert collectives(program, 8) == [
        Collective("all-reduce", 4, 1, 80, 2 * 80 * 3 / 4),
        Collective("all-reduce", 2, 1, 12, 12),
        Collective("all-gather", 2, 1, 32, 16),
        Collective("reduce-scatter", 2, 1, 32, 32),
        Collective("collective-permute", 8, 1, 32, 32),
        Collective("all-reduce", 8, 1, 32, 2 * 32 * 7 / 8),
    ]


def test_what_moves_to_and_from_main_memory():
    program = """
%fused (x: f32[8]) -> f32[8] {
  ROOT %inside = f32[8]{0} add(%x, %x)
}
%body (state: f32[4]) -> f32[4] {
  %state = f32[4]{0:T(128)} parameter(0)
  ROOT %next = f32[4]{0:T(128)} negate(%state)
}
ENTRY %main (x: f32[8]) -> f32[8] {
  %x = f32[8]{0:T(128)} parameter(0)
  %y = f32[8]{0:T(128)S(1)} fusion(%x), kind=kLoop, calls=%fused
  %z = bf16[8]{0:T(128)} fusion(%x, %y), kind=kLoop, calls=%fused
  %begun = (f32[8]{0:S(1)}, f32[8]{0}, u32[]{:S(2)}) copy-start(%x)
  %copy = f32[8]{0:S(1)} copy-done(%begun)
  %cut = ((f32[8]{0}), f32[2]{0:S(1)}, s32[]{:S(2)}) slice-start(%x), slice={[0:2]}
  %part = f32[2]{0:S(1)} slice-done(%cut)
  %back = (bf16[8]{0}, bf16[8]{0}, u32[]{:S(2)}) copy-start(%z)
  %kept = bf16[8]{0} copy-done(%back)
  %last = f32[4]{0:T(128)} while(%q), condition=%body, body=%body
  ROOT %out = (f32[8]{0}) tuple(%y)
}
"""
    first = 32
    second = 32 + 16
    copies = 32 + 8 + 2 * 16
    loop = 16 + 2 * (16 + 16)  # condition and body, once each
    assert traffic(program) == first + second + copies + loop


@pytest.mark.parametrize(
    "topology, message",
    [
        ("v5e", "be CHIP:SHAPE, such as v5e:2x4 or h100:8, of v4, v5e"),
        ("v7:8", "be CHIP:SHAPE"),
        ("v5e:0x4", "be CHIP:SHAPE"),
        ("v5e:16x32", "be a slice of at most 256 chips; received 'v5e:16x32'"),
        ("h100:16", "be GPUs, at most 8, or boxes and the GPUs of each; received"),
        ("h100:1x1x8", "be GPUs, at most 8"),
    ],
)
def test_machines_that_there_are_not(topology, message):
    with pytest.raises(ValueError, match=f"topology must {message}"):
        plan(topology, preset("base"))


def test_only_data_and_model_are_planned():
    with pytest.raises(ValueError, match="how must be one of data, model; received"):
        plan("v5e:2x4", preset("base"), how="none")


@pytest.mark.parametrize(
    "how, model_devices, message",
    [
        ("data", 4, "how must be 'model' with model_devices; received 'data'"),
        ("model", 0, "model_devices must be at least 1; received 0"),
    ],
)
def test_model_devices_are_those_of_distribute(how, model_devices, message):
    with pytest.raises(ValueError, match=message):
        plan("v5e:2x4", preset("base"), how=how, model_devices=model_devices)


def test_what_is_no_model_or_length():
    message = "model must be a TransformerConfig or a CausalLMConfig; received 'base'"
    with pytest.raises(ValueError, match=message):
        plan("v5e:2x4", "base")
    learned = preset("base", positions="learned", max_positions=64)
    for model, length, most in ((learned, 65, 64), (preset("base"), 0, 100_000)):
        message = f"length must be between 1 and {most}; received {length}"
        with pytest.raises(ValueError, match=message):
            plan("v5e:2x4", model, length=length)


@pytest.mark.parametrize(
    "topology, module, extra",
    [("v5e:2x4", "libtpu", "tpu"), ("h100:8", "jax_cuda12_plugin", "gpu-plan")],
)
def test_a_compiler_that_is_not_installed(monkeypatch, topology, module, extra):
    def found(name):
        return None if name == module else name

    monkeypatch.setattr("importlib.util.find_spec", found)
    message = rf'{module} is not installed: pip install -e "\.\[{extra}\]" in the clone'
    with pytest.raises(ImportError, match=message):
        plan(topology, preset("base"))


def test_a_batch_must_fit(monkeypatch):
    compiled(monkeypatch, memory=MEMORY | dict(temporaries=30e9))
    message = r"batch_tokens must fit into 16 GB: about 16,384 do; received 32768"
    with pytest.raises(ValueError, match=message):
        plan("v5e:2x4", preset("base"), length=64)


def test_what_the_compiler_refuses_is_one_error(monkeypatch):
    compiled(monkeypatch, error="model_devices must divide the 8 devices; received 3")
    with pytest.raises(ValueError, match="^model_devices must divide the 8 devices"):
        plan("v5e:2x4", preset("base"), how="model", model_devices=3)


def test_a_plan_in_python(monkeypatch):
    given = compiled(monkeypatch)
    training = TrainingConfig(max_updates=10, gradient_accumulation=3)
    found = plan("v5p:2x2x2", preset("tiny"), training=training)
    assert found.steps == 30 and found.chip is CHIPS["v5p"]
    (task,) = given
    assert (task["chip"], task["sizes"]) == ("v5p", [2, 2, 2])
    assert (task["rows"], task["length"], task["how"]) == (128, 32, "data")


@pytest.mark.skipif(BACKEND != "jax", reason="reads JAX's programs")
@pytest.mark.parametrize(
    "how, model_devices",
    [("data", 0), pytest.param("model", 4, marks=pytest.mark.slow)],
)
def test_a_plan_compiles_what_runs(tmp_path, how, model_devices):
    program = [HERE / "planned_and_run.py", how, model_devices, tmp_path]
    # Of equal programs a cache would compile one.
    own = dict(JAX_ENABLE_COMPILATION_CACHE="false")
    (written,) = finish(start(program, devices=8, **own))
    found = json.loads(written.splitlines()[-1])
    assert found["plan"] == found["run"]
    assert found["in the plan"] == found["on the devices"]
    cut = [spec for spec in found["on the devices"] if "model" in spec]
    assert bool(cut) == (how == "model")
    for stage in ("before_optimizations", "cpu_after_optimizations"):
        run, planned = sorted(tmp_path.glob(f"*train_step.{stage}.txt"))
        assert instructions(run) == instructions(planned)


def instructions(path):
    """Those of a program that XLA wrote, without where they come from."""
    lines = re.findall(r"^  (?:ROOT )?%?[\w.-]+ = .*$", path.read_text(), re.MULTILINE)
    assert len(lines) > 1000
    return [re.sub(r", metadata=\{[^}]*\}", "", line) for line in lines]


@pytest.fixture(scope="module")
def for_a_tpu():
    """What the compiler for TPUs makes of small models."""
    pytest.importorskip("libtpu", reason="the extra tpu is not installed")
    paths = os.pathsep.join([str(ROOT), str(ROOT / "tests")])
    environment = os.environ | planning.ENVIRONMENT | dict(PYTHONPATH=paths)
    command = [sys.executable, str(HERE / "for_a_tpu.py")]
    done = subprocess.run(command, env=environment, capture_output=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


SLOW = pytest.mark.slow  # a minute and a half of compiling


@SLOW
def test_devices_that_share_batches_exchange_gradients_alone(for_a_tpu):
    found = for_a_tpu["data"]
    assert found["kinds"] == ["all-reduce"]
    assert found["reductions"] <= 2
    # Of 790,000 bytes of bfloat16, and the embedding's in float32.
    assert found["memory"]["temporaries"] < found["temporary_bound"] / 4


@SLOW
def test_devices_that_share_a_model_hold_their_part(for_a_tpu):
    found = for_a_tpu["model"]
    for whole, part in found["matrices"]:
        assert whole[0] * whole[1] == 4 * part[0] * part[1]
    memory = for_a_tpu["data"]["memory"]
    for kind in ("weights", "optimizer"):
        assert found["memory"][kind] < 0.26 * memory[kind]
    assert found["memory"]["temporaries"] < found["temporary_bound"] / 4


@SLOW
def test_the_kernel_of_attention_is_that_of_a_tpu(for_a_tpu):
    assert for_a_tpu["same kernels"]


@SLOW
def test_encoder_and_search_compile_for_a_tpu(for_a_tpu):
    for in_search, in_encoder in for_a_tpu["search"].values():
        assert in_search > 0 and in_encoder == 0
