"""What a user may ask of devices, for a training and for a plan of one."""

from ..config import expect, one_of


def check_choice(how, model_devices, known):
    """Raise a `ValueError` unless there is such a way, with so many model devices."""
    one_of("how", how, known)
    if model_devices is not None:
        expect(how == "model", "how", "be 'model' with model_devices", how)
        expect(model_devices >= 1, "model_devices", "be at least 1", model_devices)
