"""Imported models give `transformers`' logits and translations."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")
from checkpoints import FAMILIES, write  # noqa: E402
from exam import numpy  # noqa: E402

from keras_transformer.pretrained.checkpoint import read_config  # noqa: E402
from keras_transformer.pretrained.load import read_model  # noqa: E402


def random_batch(frame, sizes, lengths, width, seed=0):
    """Framed source ids and target ids of random sentences, padded: (B, S), (B, T)."""
    random, special = np.random.default_rng(seed), {frame.pad, frame.begin, frame.end}
    texts = [[i for i in random.integers(4, 68, length) if i not in special] for length in lengths]
    sources = [frame.source(text) for text in texts]
    targets = [frame.target(frame.labels(text[::-1][:width])) for text in texts]
    return tuple(padded(rows, frame.pad) for rows in (sources, targets))


def padded(rows, pad):
    array = np.full((len(rows), max(map(len, rows))), pad, "int32")
    for row, ids in zip(array, rows):
        row[: len(ids)] = ids
    return array


@pytest.fixture(scope="module")
def imported(tmp_path_factory):
    """Their model, ours and the frame of a family; each made once."""
    made = {}

    def imported(family):
        if family not in made:
            folder = tmp_path_factory.mktemp(family)
            theirs, frame = write(folder, family)
            made[family] = theirs, read_model(folder, read_config(folder), frame), frame
        return made[family]

    return imported


@pytest.mark.parametrize("family", FAMILIES)
def test_logits(imported, family):
    theirs, ours, frame = imported(family)
    source_ids, target_ids = random_batch(frame, None, (1, 13, 7, 20, 3), 9)
    with torch.no_grad():
        source, target = (torch.from_numpy(ids).long() for ids in (source_ids, target_ids))
        expected = theirs(
            input_ids=source, attention_mask=source != frame.pad, decoder_input_ids=target, use_cache=False
        )
        expected = expected.logits.numpy()
    found = numpy(ours({"source_ids": source_ids, "target_ids": target_ids}))
    real = target_ids != frame.pad
    real[:, 0] = True  # the begin token, which may be the same as padding
    print(family, np.abs(found - expected)[real].max(), np.abs(expected).max())
    np.testing.assert_allclose(found[real], expected[real], atol=5e-6, rtol=0)
