"""The paper's recipe: schedule, optimizer, loss and metrics; and `train`."""

# Before our own modules: the import of Keras imports all that it must know of ours.
import keras  # noqa: F401
