"""A translator that shouts, so that a test sees what was translated."""

from keras_transformer.decoding.base_translator import Hypothesis
from keras_transformer.documents.translate import translate_document


def shout(sentences):
    """Upper case; the longer a sentence, the less certain it is."""
    for sentence in sentences:
        scores = (-0.1, -len(sentence) / 10)
        yield [Hypothesis(sentence.upper(), sum(scores), (1, 2), scores)]


def shouted(folder, name, text, translate=shout, **how):
    """What becomes of a document with this name and text, or bytes."""
    data = text if isinstance(text, bytes) else text.encode()
    (folder / name).write_bytes(data)
    output = folder / f"output-{name}"
    translate_document(folder / name, output, translate, **how)
    found = output.read_bytes()
    return found if isinstance(text, bytes) else found.decode()


def saying(text):
    """A translator that always says the same."""

    def translate(sentences):
        return [[Hypothesis(text, -1.0, (1,), (-1.0,))] for _ in sentences]

    return translate
