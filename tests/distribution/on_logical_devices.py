"""`keras-transformer ...` with the processor as two devices of TensorFlow's."""

import sys

import tensorflow as tf

from keras_transformer.cli.main import main

(processor,) = tf.config.list_physical_devices("CPU")
tf.config.set_logical_device_configuration(
    processor, [tf.config.LogicalDeviceConfiguration()] * 2
)
sys.exit(main())
