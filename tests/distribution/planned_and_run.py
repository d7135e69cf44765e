"""A step as `fit` runs it and as a plan compiles it, on eight virtual CPU devices.

    python planned_and_run.py HOW MODEL_DEVICES FOLDER

XLA writes both programs into FOLDER; prints the sharding of each variable in both.
"""

import json
import os
import re
import sys

how, model_devices, folder = sys.argv[1:]
os.environ["XLA_FLAGS"] += f" --xla_dump_to={folder} --xla_dump_hlo_as_text"
os.environ["XLA_FLAGS"] += " --xla_dump_hlo_module_re=.*train_step.*"

import keras  # noqa: E402
import numpy as np  # noqa: E402
from jax.experimental import topologies  # noqa: E402

from keras_transformer.config import TrainingConfig, TransformerConfig  # noqa: E402
from keras_transformer.distribution import training_step  # noqa: E402
from keras_transformer.distribution.distribute import distribute  # noqa: E402
from keras_transformer.distribution.on_jax import OnJax  # noqa: E402
from keras_transformer.models.kinds import model_of  # noqa: E402
from keras_transformer.training.recipe import compile_for_training  # noqa: E402

ROWS = 16
LENGTH = 5
SMALL = TransformerConfig(
    source_vocab_size=24,
    target_vocab_size=24,
    encoder_layers=1,
    decoder_layers=1,
    d_model=16,
    d_ff=32,
    num_heads=8,
)
TRAINING = TrainingConfig()


class OneBatch(keras.utils.PyDataset):
    """The same batch again and again, as `TokenBatches` would give it."""

    def __len__(self):
        return 1

    def __getitem__(self, index):
        ids = np.ones((ROWS, LENGTH), "int32")
        inputs = {"source_ids": ids, "target_ids": ids}
        return inputs, ids, np.ones((ROWS, LENGTH), "float32")


def fitted(distribution):
    """A model after one step of `fit`."""
    with distribution.scope():
        model = compile_for_training(model_of(SMALL), TRAINING, loss_reduction="sum")
        distribution.prepare(model)
        model.fit(OneBatch(), shuffle=False, verbose=0)
        return model


def shardings(model):
    """The sharding of each variable of a model and its optimizer, by its path."""
    engine = keras.distribution.distribution()
    found = {}
    for variable in (*model.variables, *model.optimizer.variables):
        layout = engine.get_variable_layout(variable).backend_layout
        # Keras numbers what has no name of its own.
        path = re.sub(r"(adam|seed_generator)_\d+", r"\1", variable.path)
        found[path] = str(layout.spec)
    return found


shared = int(model_devices) or None
present = distribute(how, shared)
run = fitted(present)
described = OnJax(how, shared, topologies.get_attached_topology().devices)
step, state = training_step.lowered_step(SMALL, TRAINING, described, ROWS, LENGTH)
step.compile()
model = training_step.described_model(SMALL, TRAINING, described)
printed = {}
for name, distribution, found in (("run", present, run), ("plan", described, model)):
    with distribution.scope():
        printed[name] = shardings(found)
whole = [variable.value.sharding.spec for variable in run.trainable_variables]
printed["on the devices"] = [str(spec) for spec in whole]
printed["in the plan"] = [str(one.sharding.spec) for one in state[0]]
print(json.dumps(printed))
