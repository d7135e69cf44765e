"""A `PyDataset` of texts as one of ids; KerasHub's pipelines know none."""

import keras


class IdDataset(keras.utils.PyDataset):
    """The batches of a `PyDataset`, each as the preprocessor makes it.

    The dataset's workers do the work, and it hears of epochs.
    """

    def __init__(self, texts, preprocess):
        super().__init__(
            workers=texts.workers,
            use_multiprocessing=texts.use_multiprocessing,
            max_queue_size=texts.max_queue_size,
        )
        self.texts = texts
        self.preprocess = preprocess

    @property
    def num_batches(self):
        return self.texts.num_batches

    def __getitem__(self, index):
        parts = keras.utils.unpack_x_y_sample_weight(self.texts[index])
        batch = self.preprocess(*parts)
        return keras.tree.map_structure(keras.ops.convert_to_numpy, batch)

    def on_epoch_begin(self):
        self.texts.on_epoch_begin()

    def on_epoch_end(self):
        self.texts.on_epoch_end()
