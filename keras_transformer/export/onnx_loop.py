"""Translates with an ONNX export: `python translate.py "A sentence." ...`

Needs onnxruntime, sentencepiece and NumPy. Greedy search, as short as it can be said.
With an imported model, ids of pieces stand for the text: `python translate.py "8 5 9"`.
"""

import json
import re
import sys
from pathlib import Path

import numpy as np
import onnxruntime
import sentencepiece

NO_LIMIT = 10**9


class OnnxTransformer:
    """The encoder and the decoder of an export.

    Args:
        folder: where they lie.
        pad, begin, end: ids; those of our own tokenizers when absent.
    """

    def __init__(self, folder, pad=0, begin=2, end=3):
        self.pad = pad
        self.begin_id = begin
        self.end = end
        cpu = ["CPUExecutionProvider"]
        for side in ("encoder", "decoder"):
            path = Path(folder) / f"{side}.onnx"
            session = onnxruntime.InferenceSession(path, providers=cpu)
            setattr(self, side, session)

    def begin(self, source_ids, length):
        """Source ids (B, S) -> what every step reads, and an empty cache.

        The cache has room for so many target positions.
        """
        read = {"source_ids": source_ids}
        names = ["cross_keys", "cross_values"]
        cross = self.encoder.run(names, read)
        read |= zip(names, cross)
        cache = []
        for array in cross:
            *sizes, _, size = array.shape
            cache.append(np.zeros((*sizes, length, size), "float32"))
        return read, cache

    def step(self, ids, index, read, cache):
        """The tokens (B,) at a position -> logits (B, V) of the next, and the cache."""
        keys, values = cache
        inputs = {
            **read,
            "ids": ids,
            "index": np.array(index, "int32"),
            "self_keys": keys,
            "self_values": values,
        }
        names = ["logits", "new_self_keys", "new_self_values"]
        logits, *cache = self.decoder.run(names, inputs)
        return logits, cache

    def logits(self, source_ids, target_ids):
        """The logits (B, T, V) of targets (B, T) that start with the begin token."""
        length = target_ids.shape[1]
        read, cache = self.begin(source_ids, length)
        found = []
        for index in range(length):
            logits, cache = self.step(target_ids[:, index], index, read, cache)
            found.append(logits)
        return np.stack(found, axis=1)

    def greedy(self, source_ids, extra_length=50, longest=NO_LIMIT, prefix=()):
        """The likeliest token at each position.

        A translation ends with the end token, or when it is `extra_length` longer than
        its source, or `longest`. It begins with the ids of `prefix`: of a model for
        many languages, the code of the one to translate into.
        """
        never = sorted({self.pad, self.begin_id} - {self.end})
        limits = (source_ids != self.pad).sum(axis=1) + extra_length
        limits = np.minimum(limits, longest)
        read, cache = self.begin(source_ids, limits.max())
        ids = np.full(len(source_ids), self.begin_id, "int32")
        live = limits > 0
        found = []
        for index in range(limits.max()):
            logits, cache = self.step(ids, index, read, cache)
            logits[:, never] = -np.inf
            chosen = prefix[index] if index < len(prefix) else logits.argmax(axis=1)
            ids = np.where(live, chosen, self.pad).astype("int32")
            found.append(ids)
            live &= (ids != self.end) & (index + 1 < limits)
            if not live.any():
                break
        return np.stack(found, axis=1)


class Ids:
    """What stands for the tokenizers of imported models, which are not here."""

    def __init__(self, size):
        self.size = size

    def encode(self, text):
        numbers = text.split()
        for number in numbers:
            if not re.fullmatch("[0-9]{1,9}", number) or int(number) >= self.size:
                must = f"ids must be numbers from 0 to {self.size - 1}"
                sys.exit(f"translate.py: error: {must}; received {number!r}")
        return list(map(int, numbers))

    def decode(self, ids):
        return " ".join(map(str, ids))


def tokenizer(folder, side, size):
    """That of `"source"` or `"target"`, which has so many tokens."""
    for path in (folder / f"tokenizer.{side}.model", folder / "tokenizer.model"):
        if path.exists():
            return sentencepiece.SentencePieceProcessor(model_file=str(path))
    return Ids(size)


def given_texts():
    """The command's arguments, or the lines of standard input, as text."""
    name = "the text"
    number = 0
    try:
        for text in sys.argv[1:]:
            text.encode("utf-8")
            yield text
        lines = [] if sys.argv[1:] else sys.stdin.buffer
        for number, line in enumerate(lines, start=1):
            name = f"standard input, line {number},"
            if number == 1:
                line = line.removeprefix(b"\xef\xbb\xbf")
            yield line.removesuffix(b"\n").removesuffix(b"\r").decode("utf-8")
    except UnicodeError as error:
        sys.exit(f"translate.py: error: {name} must be UTF-8: {error.reason}")


def main():
    folder = Path(__file__).parent
    config = json.loads((folder / "config.json").read_text())
    form = config["sentence_format"]
    special = form["special"]
    model = OnnxTransformer(folder, special["pad"], special["begin"], special["end"])
    longest = config["positions"] or NO_LIMIT
    before = form["source_prefix"]
    behind = form["source_suffix"]
    prefix = form["target_prefix"]
    # Tokens of a source, all that stands around it included; the rest is cut off.
    width = min(config["longest_source"], longest)
    room = width - len(before) - len(behind)
    sides = ("source", "target")
    sizes = [config["model"][f"{side}_vocab_size"] for side in sides]
    source, target = map(tokenizer, [folder, folder], sides, sizes)
    for text in given_texts():
        found = []
        ids = source.encode(text.replace("\0", ""))
        if len(ids) > room:
            said = f"translate.py: cut to {width} tokens: {text[:60]!r}..."
            print(said, file=sys.stderr)
            ids = ids[:room]
        if ids and not re.fullmatch(config["blank"], text):
            ids = np.array([[*before, *ids, *behind]], "int32")
            found = model.greedy(ids, longest=longest, prefix=prefix)[0].tolist()
        # Line n translates line n.
        print(" ".join(target.decode(found).splitlines()), flush=True)


if __name__ == "__main__":
    main()
