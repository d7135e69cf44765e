"""Translates with the two files of an ONNX export: `python translate.py "A sentence." ...`

Needs onnxruntime, sentencepiece and NumPy. Greedy search, as short as it can be said.
"""

import json
import sys
from pathlib import Path

import numpy as np
import onnxruntime

PAD, BEGIN, END = 0, 2, 3
LONGEST = 256  # tokens of a source, END included; the rest is cut off


class OnnxTransformer:
    """The encoder and the decoder of an export."""

    def __init__(self, folder):
        self.encoder, self.decoder = (
            onnxruntime.InferenceSession(Path(folder) / name, providers=["CPUExecutionProvider"])
            for name in ("encoder.onnx", "decoder.onnx")
        )

    def begin(self, source_ids, length):
        """Source ids (B, S) -> what every step reads, and an empty cache of so many target positions."""
        keys, values = self.encoder.run(["cross_keys", "cross_values"], {"source_ids": source_ids})
        read = {"source_ids": source_ids, "cross_keys": keys, "cross_values": values}
        blocks, rows, heads, _, _ = keys.shape
        cache = [np.zeros((blocks, rows, heads, length, x.shape[-1]), "float32") for x in (keys, values)]
        return read, cache

    def step(self, ids, index, read, cache):
        """The tokens (B,) at one position -> logits (B, V) of the next, and the cache."""
        inputs = {"ids": ids, "index": np.array(index, "int32"), "self_keys": cache[0], "self_values": cache[1], **read}
        logits, *cache = self.decoder.run(["logits", "new_self_keys", "new_self_values"], inputs)
        return logits, cache

    def logits(self, source_ids, target_ids):
        """The logits (B, T, V) of given targets (B, T), the first of which is BEGIN."""
        read, cache = self.begin(source_ids, target_ids.shape[1])
        found = []
        for index in range(target_ids.shape[1]):
            logits, cache = self.step(target_ids[:, index], index, read, cache)
            found.append(logits)
        return np.stack(found, axis=1)

    def greedy(self, source_ids, extra_length=50, longest=10**9):
        """The likeliest token at each position, up to END, `extra_length` more than the source has, or `longest`."""
        limits = np.minimum((source_ids != PAD).sum(1) + extra_length, longest)
        read, cache = self.begin(source_ids, limits.max())
        ids, found, live = np.full(len(source_ids), BEGIN, "int32"), [], limits > 0
        for index in range(limits.max()):
            logits, cache = self.step(ids, index, read, cache)
            logits[:, [PAD, BEGIN]] = -np.inf
            ids = np.where(live, logits.argmax(1), PAD).astype("int32")
            found.append(ids)
            live &= (ids != END) & (index + 1 < limits)
            if not live.any():
                break
        return np.stack(found, axis=1)


def main():
    import sentencepiece

    folder = Path(__file__).parent
    names = ("tokenizer.source.model", "tokenizer.target.model")
    names = names if (folder / names[0]).exists() else ("tokenizer.model", "tokenizer.model")
    source, target = (sentencepiece.SentencePieceProcessor(model_file=str(folder / name)) for name in names)
    config = json.loads((folder / "config.json").read_text())["model"]
    longest = config["max_positions"] if config["positions"] == "learned" else 10**9
    model = OnnxTransformer(folder)
    for text in sys.argv[1:] or sys.stdin:
        ids = source.encode(text.rstrip("\r\n"))[: min(LONGEST, longest) - 1]
        found = model.greedy(np.array([[*ids, END]], "int32"), longest=longest)[0] if text.strip() else []
        print(target.decode([int(i) for i in found]), flush=True)


if __name__ == "__main__":
    main()
