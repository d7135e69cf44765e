"""The Transformer of "Attention Is All You Need" in Keras 3.

It is trained, checked and served on TensorFlow, JAX or PyTorch. The public names are
listed in `__init__.pyi`; each is imported when it is first used, so that what needs
no Keras starts without it.
"""

import lazy_loader
import wrapt

__version__ = "0.1.0"
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)


@wrapt.when_imported("keras")
def register_classes(keras):
    """Make Keras know our classes, whichever of the two packages is imported first.

    `keras.models.load_model` finds a class only when its module has been imported.
    """
    import keras_transformer.layers
    import keras_transformer.models
    import keras_transformer.training.loss
    import keras_transformer.training.metrics
    import keras_transformer.training.optimizer
    import keras_transformer.training.r_drop
    import keras_transformer.training.schedule  # noqa: F401


@wrapt.when_imported("keras_hub")
def register_kerashub_classes(keras_hub):
    """Make KerasHub know our classes: `from_preset` finds those that are registered."""
    import keras_transformer.kerashub.seq_2_seq_lm  # noqa: F401
