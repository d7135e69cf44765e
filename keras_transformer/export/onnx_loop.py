"""Translates with the two files of an ONNX export: `python translate.py "A sentence." ...`

Needs onnxruntime, sentencepiece and NumPy. Greedy search, as short as it can be said.
"""

import json
import sys
from pathlib import Path

import numpy as np
import onnxruntime

LONGEST = 256  # tokens of a source, END included; the rest is cut off


class OnnxTransformer:
    """The encoder and the decoder of an export, and the ids of pad, begin and end: those of our own tokenizers."""

    def __init__(self, folder, pad=0, begin=2, end=3):
        self.pad, self.ends = pad, (begin, end)
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
        """The logits (B, T, V) of given targets (B, T), the first of which is the begin token."""
        read, cache = self.begin(source_ids, target_ids.shape[1])
        found = []
        for index in range(target_ids.shape[1]):
            logits, cache = self.step(target_ids[:, index], index, read, cache)
            found.append(logits)
        return np.stack(found, axis=1)

    def greedy(self, source_ids, extra_length=50, longest=10**9):
        """The likeliest token at each position, up to the end, `extra_length` more than the source, or `longest`."""
        pad, (begin, end) = self.pad, self.ends
        never = sorted({pad, begin} - {end})
        limits = np.minimum((source_ids != pad).sum(1) + extra_length, longest)
        read, cache = self.begin(source_ids, limits.max())
        ids, found, live = np.full(len(source_ids), begin, "int32"), [], limits > 0
        for index in range(limits.max()):
            logits, cache = self.step(ids, index, read, cache)
            logits[:, never] = -np.inf
            ids = np.where(live, logits.argmax(1), pad).astype("int32")
            found.append(ids)
            live &= (ids != end) & (index + 1 < limits)
            if not live.any():
                break
        return np.stack(found, axis=1)


class OwnTokenizer:
    """A SentencePiece model whose ids are the model's."""

    def __init__(self, path):
        import sentencepiece

        self.model = sentencepiece.SentencePieceProcessor(model_file=str(path))

    def encode(self, text):
        return self.model.encode(text)

    def decode(self, ids):
        return self.model.decode(ids)


class MarianTokenizer:
    """The SentencePiece models of an imported Marian model, and the ids that its vocabulary gives to their pieces."""

    def __init__(self, folder):
        import sentencepiece

        self.encoder, self.decoder = (
            sentencepiece.SentencePieceProcessor(model_file=str(folder / f"{side}.spm"))
            for side in ("encoder", "decoder")
        )
        self.pieces = json.loads((folder / "pieces.json").read_text(encoding="utf-8"))
        self.ids = {piece: number for number, piece in enumerate(self.pieces)}
        self.kind = json.loads((folder / "kind.json").read_text(encoding="utf-8"))
        if self.kind["kind"] != "marian":
            sys.exit(
                f"translate.py: error: it has no tokenizer of the kind {self.kind['kind']}; OnnxTransformer takes ids"
            )

    def encode(self, text):
        code, found, rest = text.partition("<<")
        pieces = [code + found] if found and text.startswith(">>") else []
        pieces += self.encoder.encode(rest if pieces else text, out_type=str)
        ids = [self.ids.get(piece, self.kind["special"]["unknown"]) for piece in pieces]
        return [*self.kind["source_prefix"], *ids]

    def decode(self, ids):
        skipped = {*self.kind["special"].values(), *self.kind["hidden"]}
        return self.decoder.decode_pieces([self.pieces[i] for i in ids if i not in skipped]).strip()


def tokenizers(folder):
    """Those of source and target."""
    if (folder / "tokenizer.model").exists():
        return [OwnTokenizer(folder / "tokenizer.model")] * 2
    if (folder / "tokenizer.source.model").exists():
        return [OwnTokenizer(folder / f"tokenizer.{side}.model") for side in ("source", "target")]
    names = ("tokenizer", "tokenizer") if (folder / "tokenizer").exists() else ("tokenizer.source", "tokenizer.target")
    return [MarianTokenizer(folder / name) for name in names]


def main():
    folder = Path(__file__).parent
    config = json.loads((folder / "config.json").read_text())["model"]
    source, target = tokenizers(folder)
    longest = config["max_positions"] if config["positions"] == "learned" else 10**9
    end = config["end_id"]
    model = OnnxTransformer(folder, config["pad_id"], config["begin_id"], end)
    for text in sys.argv[1:] or sys.stdin:
        ids = source.encode(text.rstrip("\r\n"))[: min(LONGEST, longest) - 1]
        found = model.greedy(np.array([[*ids, end]], "int32"), longest=longest)[0] if text.strip() else []
        print(target.decode([int(i) for i in found]), flush=True)


if __name__ == "__main__":
    main()
