"""More than one device, or machine: what the user wants by one name, done by the backend's own engine."""

from keras_transformer.distribution.distribute import distribute
from keras_transformer.distribution.distribution import ONE_DEVICE, Distribution

__all__ = ["ONE_DEVICE", "Distribution", "distribute"]
