import json

import keras
import numpy as np
import pytest
from distribution.launching import BACKEND

from keras_transformer.config import CausalLMConfig, TrainingConfig, preset
from keras_transformer.distribution.distribute import distribute
from keras_transformer.distribution.distribution import (
    ONE_DEVICE,
    Distribution,
    transform_gradients,
)
from keras_transformer.distribution.launcher import launched

NAMES = """WORLD_SIZE RANK TF_CONFIG SLURM_STEP_NUM_TASKS SLURM_PROCID
KERAS_DISTRIBUTION_NUM_PROCESSES KERAS_DISTRIBUTION_PROCESS_ID
KERAS_DISTRIBUTION_JOB_ADDRESSES""".split()


def only(*backends):
    return pytest.mark.skipif(BACKEND not in backends, reason=f"of {backends}")


@pytest.fixture(autouse=True)
def no_launcher(monkeypatch):
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)


class Second(Distribution):
    """Process 1 of 2, with a process 0 that says nothing or that it failed."""

    process = 1
    processes = 2

    def __init__(self, failed=0):
        self.failed = failed

    def sum(self, array):
        return array + self.failed


def test_undistributed_is_one_device():
    assert distribute() is distribute("none") is ONE_DEVICE and launched() == (0, 1)
    assert ONE_DEVICE.shard == (0, 1, 1) and str(ONE_DEVICE) == "1 x 1 devices"


def test_one_process_gathers_what_it_has():
    assert ONE_DEVICE.gather(["ein Hund", "", "\0"]) == [["ein Hund", "", "\0"]]
    np.testing.assert_array_equal(ONE_DEVICE.all_gather(np.array([1, 2])), [[1, 2]])
    np.testing.assert_array_equal(ONE_DEVICE.sum(np.array([1, 2])), [1, 2])


def test_processes_must_find_the_same():
    ONE_DEVICE.must_agree("checkpoints", 1, 2)
    message = r"must find the same checkpoints; received \[\[0\], \[3\]\]"
    with pytest.raises(ValueError, match=message):
        Second().must_agree("checkpoints", 3)


def test_an_error_in_process_0_is_one():
    with pytest.raises(KeyError), ONE_DEVICE.main_process_first():
        raise KeyError
    message = "process 0 failed; its own output says why"
    with (
        pytest.raises(ValueError, match=message),
        Second(failed=1).main_process_first() as is_first,
    ):
        assert not is_first


def test_optimizers_of_keras_alone_cannot_be_distributed():
    with pytest.raises(ValueError, match="be a GradientTransform .* received 'SGD'"):
        transform_gradients(keras.optimizers.SGD(), list)


NO_MODEL = "KERAS_BACKEND must be jax with how='model'; received"
if BACKEND == "jax":
    NO_MODEL = "how='model' must have several devices"


@pytest.mark.parametrize(
    "how, model_devices, message",
    [
        ("both", None, "how must be one of auto, none, data, model; received 'both'"),
        ("data", 2, "how must be 'model' with model_devices; received 'data'"),
        ("model", 0, "model_devices must be at least 1; received 0"),
        ("data", None, "how='data' must have several devices or processes, .*ed 1"),
        ("model", None, NO_MODEL),
    ],
)
def test_says_what_cannot_be(how, model_devices, message):
    with pytest.raises(ValueError, match=message):
        distribute(how, model_devices)


def tell(monkeypatch, number, count):
    """What the backend's launcher says, in its own words."""
    workers = ["127.0.0.1:1"] * count if isinstance(count, int) else count
    task = {"type": "worker", "index": number}
    config = {"cluster": {"worker": workers}, "task": task}
    monkeypatch.setenv("TF_CONFIG", json.dumps(config))
    for name in ("RANK", "KERAS_DISTRIBUTION_PROCESS_ID"):
        monkeypatch.setenv(name, str(number))
    for name in ("WORLD_SIZE", "KERAS_DISTRIBUTION_NUM_PROCESSES"):
        monkeypatch.setenv(name, str(count))


def test_a_launcher_numbers_the_processes(monkeypatch):
    tell(monkeypatch, 1, 3)
    assert launched() == (1, 3)
    message = "how='none' must have a single process; received 3"
    with pytest.raises(ValueError, match=message):
        distribute("none")
    tell(monkeypatch, 2, 2)
    message = "must number the processes from 0; received 'process 2 of 2'"
    with pytest.raises(ValueError, match=message):
        launched()


@only("tensorflow", "jax")
def test_torchrun_is_torchs(monkeypatch):
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "run")
    message = "KERAS_BACKEND must be torch under torchrun; received '(tensorflow|jax)'"
    with pytest.raises(ValueError, match=message):
        distribute("auto")


@only("torch", "jax")
def test_numbers_must_be_numbers(monkeypatch):
    tell(monkeypatch, "first", 2)
    with pytest.raises(ValueError, match="be a whole number in .*; received 'first'"):
        launched()


@only("tensorflow", "jax")
def test_slurm_numbers_the_processes(monkeypatch):
    monkeypatch.setenv("SLURM_STEP_NUM_TASKS", "4")
    monkeypatch.setenv("SLURM_PROCID", "3")
    assert launched() == (3, 4)


def test_a_batch_script_of_slurms_is_one_process(monkeypatch):
    monkeypatch.setenv("SLURM_PROCID", "0")
    assert launched() == (0, 1)


@only("torch")
def test_slurm_alone_starts_no_processes_of_torch(monkeypatch):
    monkeypatch.setenv("SLURM_PROCID", "1")
    monkeypatch.setenv("SLURM_STEP_NUM_TASKS", "2")
    message = "SLURM_STEP_NUM_TASKS must be 1 without torchrun; received 2"
    with pytest.raises(ValueError, match=message):
        distribute("auto")
    tell(monkeypatch, 1, 2)
    assert launched() == (1, 2)


@only("torch", "jax")
@pytest.mark.parametrize("given", ["PROCESS_ID", "JOB_ADDRESSES"])
def test_half_of_what_a_launcher_says(monkeypatch, given):
    given = f"KERAS_DISTRIBUTION_{given}"
    missing = "KERAS_DISTRIBUTION_NUM_PROCESSES"
    if BACKEND == "torch":
        given = "RANK"
        missing = "WORLD_SIZE"
    monkeypatch.setenv(given, "1")
    message = f"{missing} must be a whole number in the environment; received ''"
    with pytest.raises(ValueError, match=message):
        launched()


@only("torch")
def test_torch_says_that_it_uses_one_gpu_of_several(monkeypatch):
    import torch

    monkeypatch.setattr(torch.cuda, "device_count", lambda: 4)
    message = "one of 4 GPUs is used: torchrun starts a process for each"
    with pytest.warns(UserWarning, match=message):
        assert distribute() is ONE_DEVICE


@only("jax")
class TestJax:
    def test_needs_an_address(self, monkeypatch):
        tell(monkeypatch, 0, 2)
        message = "JOB_ADDRESSES must hold process 0's host:port; received ''"
        with pytest.raises(ValueError, match=message):
            distribute("data")

    @pytest.mark.parametrize(
        "visible, expected", [(None, None), ("", None), ("3", [0]), ("0,1", [0, 1])]
    )
    def test_uses_the_gpus_that_it_is_shown(self, monkeypatch, visible, expected):
        from keras_transformer.distribution.on_jax import own_gpus

        monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
        if visible is not None:
            monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
        assert own_gpus() == expected

    @pytest.mark.parametrize("name, size", [("num_heads", 4), ("source_vocab_size", 9)])
    def test_what_is_cut_must_be_divisible(self, name, size):
        from keras_transformer.distribution.on_jax import OnJax

        distribution = OnJax("model", 1)
        distribution.model_devices = 8
        model = preset("base", share_embeddings=False, **{name: size})
        message = f"{name} must be a multiple of 8, the devices that share a model; re"
        with pytest.raises(ValueError, match=message):
            distribution.check(model, TrainingConfig())
        message = "must divide the 1 devices of a process; received 3"
        with pytest.raises(ValueError, match=message):
            OnJax("model", 3)

    def test_language_models_are_cut(self):
        from keras_transformer.distribution.on_jax import OnJax

        model = preset("base", CausalLMConfig, vocab_size=9)
        distribution = OnJax("data", None)
        distribution.check(model, TrainingConfig())
        distribution.model_devices = 8
        message = "vocab_size must be a multiple of 8, the devices that share a model"
        with pytest.raises(ValueError, match=message):
            distribution.check(model, TrainingConfig())


@only("tensorflow")
class TestTensorFlow:
    @pytest.mark.parametrize(
        "kind, index, number", [("chief", 0, 0), ("chief", "0", 0), ("worker", 1, 2)]
    )
    def test_a_chief_is_process_0(self, monkeypatch, kind, index, number):
        cluster = {"chief": ["a:1"], "worker": ["b:1", "c:1"]}
        config = {"cluster": cluster, "task": {"type": kind, "index": index}}
        monkeypatch.setenv("TF_CONFIG", json.dumps(config))
        assert launched() == (number, 3)

    @pytest.mark.parametrize(
        "config, message",
        [
            ("{", "must be JSON with cluster and task; received"),
            ("[]", "must be JSON with cluster and task; received"),
            (
                '{"cluster": {"ps": ["b:1"]}}',
                "must hold chief and worker alone; re.*ps",
            ),
            (
                '{"cluster": {"worker": "b:1"}}',
                "must hold a list of addresses of each; received 'b:1'",
            ),
        ],
    )
    def test_a_config_must_be_one(self, monkeypatch, config, message):
        monkeypatch.setenv("TF_CONFIG", config)
        with pytest.raises(ValueError, match="TF_CONFIG " + message):
            launched()

    @pytest.mark.parametrize("node, number", [("node9", 1), ("node10", 0)])
    def test_slurm_hosts_have_the_numbers_of_their_addresses(
        self, monkeypatch, node, number
    ):
        from keras_transformer.distribution.on_tensorflow import slurm

        step = dict(
            STEP_NODELIST="node[9-10]",
            STEP_NUM_TASKS=2,
            STEP_TASKS_PER_NODE="1(x2)",
            PROCID=1 - number,
            LOCALID=0,
        )
        for name, value in step.items():
            monkeypatch.setenv(f"SLURM_{name}", str(value))
        monkeypatch.setenv("SLURMD_NODENAME", node)
        config = json.loads(slurm())
        assert config["cluster"]["worker"][number] == f"{node}:20000"
        assert config["task"] == {"type": "worker", "index": number}

    def test_a_process_has_one_gpu(self, monkeypatch):
        from keras_transformer.distribution import on_tensorflow

        class Strategy:
            num_replicas_in_sync = 8

        distribute = on_tensorflow.tf.distribute
        monkeypatch.setattr(distribute, "MultiWorkerMirroredStrategy", Strategy)
        tell(monkeypatch, 0, 2)
        message = "CUDA_VISIBLE_DEVICES must name one GPU a process; received 4"
        with pytest.raises(ValueError, match=message):
            on_tensorflow.MultiWorker()

    @pytest.mark.parametrize(
        "option, message",
        [
            ({"gradient_accumulation": 2}, "gradient_accumulation must be 1"),
            ({"dtype": "mixed_float16"}, "dtype must not be this"),
        ],
    )
    def test_says_what_strategies_of_one_host_cannot(self, option, message):
        from keras_transformer.distribution.on_tensorflow import Mirrored

        message += " where a TensorFlow process has several devices"
        with pytest.raises(ValueError, match=message):
            Mirrored.check(None, preset("tiny"), TrainingConfig(**option))
