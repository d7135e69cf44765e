import keras
import numpy as np
import pytest

from keras_transformer.training.optimizer import paper_adam
from keras_transformer.training.schedule import WarmupSchedule


@pytest.mark.parametrize("accumulation", [1, 3])
@pytest.mark.parametrize("d_model, warmup, scale", [(512, 4000, 1.0), (128, 7, 2.5)])
def test_the_papers_formula(d_model, warmup, scale, accumulation):
    schedule = WarmupSchedule(d_model, warmup, scale, accumulation)
    for update in (1, 2, warmup - 1, warmup, warmup + 1, 100_000):
        expected = scale * d_model**-0.5 * min(update**-0.5, update * warmup**-1.5)
        # Keras counts from 0.
        for batch in range((update - 1) * accumulation, update * accumulation):
            assert float(schedule(batch)) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("accumulation", [None, 2])
def test_saved_and_loaded_with_the_model(tmp_path, accumulation):
    schedule = WarmupSchedule(16, 50, 0.5, accumulation or 1)
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    model.compile(paper_adam(schedule, gradient_accumulation_steps=accumulation), "mse")
    model.fit(np.ones((8, 3)), np.ones((8, 2)), batch_size=1, verbose=0)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    updates = 8 // (accumulation or 1)
    for optimizer in (model.optimizer, loaded.optimizer):
        assert int(optimizer.iterations) == updates
        expected = 0.5 * 16**-0.5 * (updates + 1) * 50**-1.5  # of the next update
        assert float(optimizer.learning_rate) == pytest.approx(expected, rel=1e-5)
        saved = optimizer.get_config()["learning_rate"]["config"]
        assert saved == schedule.get_config()
    loaded.fit(np.ones((2, 3)), np.ones((2, 2)), batch_size=1, verbose=0)


@pytest.mark.parametrize(
    "name", ["d_model", "warmup_updates", "scale", "gradient_accumulation_steps"]
)
def test_bad_arguments(name):
    bad = {0: "above 0; rec", np.inf: "finite; rec", "8": "a number; received '8'"}
    for value, what in bad.items():
        with pytest.raises(ValueError, match=f"{name} must be {what}"):
            WarmupSchedule(**{"d_model": 8, name: value})
