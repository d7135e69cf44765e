import keras
import numpy as np
import pytest

from keras_transformer import Transformer, TransformerConfig, compile_for_training
from keras_transformer.models.untuned import UntunedBatches, untuned

IS_TENSORFLOW = keras.backend.backend() == "tensorflow"
INPUTS = {"source_ids": np.full((2, 3), 5), "target_ids": np.full((2, 3), 6)}
LABELS = np.full((2, 3), 7)
CONFIG = TransformerConfig(
    source_vocab_size=40,
    target_vocab_size=40,
    encoder_layers=1,
    decoder_layers=1,
    d_model=8,
    d_ff=12,
    num_heads=2,
)


def new_model():
    keras.utils.set_random_seed(1)
    return compile_for_training(Transformer(CONFIG))


class Batches(keras.utils.PyDataset):
    """Some batches, that remember what is asked of them."""

    def __init__(self, has_labels=True):
        super().__init__()
        self.has_labels = has_labels
        self.read = []
        self.orders = []  # of each epoch

    def __len__(self):
        return 5

    def __getitem__(self, index):
        self.read.append(index)
        return (INPUTS, LABELS) if self.has_labels else (INPUTS,)

    def on_epoch_end(self):
        self.orders.append([*self.read])
        self.read.clear()


@pytest.fixture(scope="module")
def model():
    return new_model()


@pytest.fixture
def pipelines(monkeypatch):
    """The pipelines of tf.data that TensorFlow reads in a test."""
    made = []
    make = UntunedBatches.get_tf_dataset

    def made_by_us(self):
        made.append(make(self))
        return made[-1]

    monkeypatch.setattr(UntunedBatches, "get_tf_dataset", made_by_us)
    return made


def are_tuned(pipelines):
    return [pipeline.options().autotune.enabled is not False for pipeline in pipelines]


def test_no_thread_tunes_what_a_model_reads(model, pipelines):
    model.fit(Batches(), validation_data=Batches(), verbose=0)
    model.evaluate(Batches(), verbose=0)
    predicted = model.predict(Batches(has_labels=False), verbose=0)
    assert predicted.shape == (10, 3, 40)
    assert are_tuned(pipelines) == ([False] * 4 if IS_TENSORFLOW else [])


def test_other_data_stay_as_they_are():
    for data in (None, INPUTS, (INPUTS, LABELS), iter([(INPUTS, LABELS)])):
        assert untuned(data) is data


def whole(batches):
    """The orders of whole epochs: Keras looks at the first batches before."""
    return [tuple(order[-5:]) for order in batches.orders if len(order) >= 5]


def test_batches_come_as_fit_says(model):
    """In their order or shuffled, and they hear of each epoch's end."""

    batches = Batches()
    model.fit(batches, epochs=2, shuffle=False, verbose=0)
    assert whole(batches) == [(0, 1, 2, 3, 4)] * 2
    batches.orders.clear()
    model.fit(batches, epochs=8, verbose=0)
    orders = set(whole(batches))
    assert {tuple(sorted(order)) for order in orders} == {(0, 1, 2, 3, 4)}
    assert len(orders) > 1


def test_as_keras_reads_them():
    ours = new_model().fit(Batches(), epochs=2, verbose=0)
    theirs = keras.Model.fit(new_model(), Batches(), epochs=2, verbose=0)
    assert ours.history == theirs.history


def test_targets_beside_batches_are_refused(model):
    with pytest.raises(ValueError, match="PyDataset"):
        model.fit(Batches(), LABELS, verbose=0)
    with pytest.raises(ValueError, match="PyDataset"):
        model.evaluate(Batches(), sample_weight=np.ones(2), verbose=0)


def test_a_class_weight_is_refused_wherever_it_stands(model):
    message = "class_weight must be absent"
    with pytest.raises(ValueError, match=message):
        model.fit(Batches(), class_weight={1: 2.0})
    places = [Batches(), None, None, 1, 0, None, 0.0, None, True, {1: 2.0}]
    with pytest.raises(ValueError, match=message):
        model.fit(*places)


def test_arguments_that_keras_does_not_know(model):
    with pytest.raises(TypeError, match="batches"):
        model.fit(batches=Batches())
