"""Translates with the two files of an ONNX export: `python translate.py "A sentence." ...`

Needs onnxruntime, sentencepiece and NumPy. Greedy search, as short as it can be said.
"""

import json
import re
import sys
from pathlib import Path

import numpy as np
import onnxruntime

# Tokens of a source, all that stands around it included; the rest is cut off.
LONGEST = 256


class OnnxTransformer:
    """The encoder and the decoder of an export, and the ids of pad, begin and end: those of our own tokenizers."""

    def __init__(self, folder, pad=0, begin=2, end=3):
        self.pad, self.ends = pad, (begin, end)
        self.encoder, self.decoder = (
            onnxruntime.InferenceSession(
                Path(folder) / name, providers=["CPUExecutionProvider"]
            )
            for name in ("encoder.onnx", "decoder.onnx")
        )

    def begin(self, source_ids, length):
        """Source ids (B, S) -> what every step reads, and an empty cache of so many target positions."""
        keys, values = self.encoder.run(
            ["cross_keys", "cross_values"], {"source_ids": source_ids}
        )
        read = {"source_ids": source_ids, "cross_keys": keys, "cross_values": values}
        blocks, rows, heads, _, _ = keys.shape
        cache = [
            np.zeros((blocks, rows, heads, length, x.shape[-1]), "float32")
            for x in (keys, values)
        ]
        return read, cache

    def step(self, ids, index, read, cache):
        """The tokens (B,) at one position -> logits (B, V) of the next, and the cache."""
        inputs = {
            "ids": ids,
            "index": np.array(index, "int32"),
            "self_keys": cache[0],
            "self_values": cache[1],
            **read,
        }
        logits, *cache = self.decoder.run(
            ["logits", "new_self_keys", "new_self_values"], inputs
        )
        return logits, cache

    def logits(self, source_ids, target_ids):
        """The logits (B, T, V) of given targets (B, T), the first of which is the begin token."""
        read, cache = self.begin(source_ids, target_ids.shape[1])
        found = []
        for index in range(target_ids.shape[1]):
            logits, cache = self.step(target_ids[:, index], index, read, cache)
            found.append(logits)
        return np.stack(found, axis=1)

    def greedy(self, source_ids, extra_length=50, longest=10**9, prefix=()):
        """The likeliest token at each position, up to the end, `extra_length` more than the source, or `longest`.

        The first ones are those of `prefix`: of a model for many languages, the code of
        the one to translate into.
        """
        pad, (begin, end) = self.pad, self.ends
        never = sorted({pad, begin} - {end})
        limits = np.minimum((source_ids != pad).sum(1) + extra_length, longest)
        read, cache = self.begin(source_ids, limits.max())
        ids, found, live = np.full(len(source_ids), begin, "int32"), [], limits > 0
        for index in range(limits.max()):
            logits, cache = self.step(ids, index, read, cache)
            logits[:, never] = -np.inf
            chosen = logits.argmax(1) if index >= len(prefix) else prefix[index]
            ids = np.where(live, chosen, pad).astype("int32")
            found.append(ids)
            live &= (ids != end) & (index + 1 < limits)
            if not live.any():
                break
        return np.stack(found, axis=1)


class OwnTokenizer:
    """A SentencePiece model whose ids are the model's."""

    around = {"source_prefix": [], "source_suffix": [3], "target_prefix": []}

    def __init__(self, path):
        import sentencepiece

        self.model = sentencepiece.SentencePieceProcessor(model_file=str(path))

    def encode(self, text):
        return self.model.encode(text)

    def decode(self, ids):
        return self.model.decode(ids)


class ImportedTokenizer:
    """The SentencePiece models of an imported Marian or M2M100, and the ids that its vocabulary gives to their pieces.

    Those of other imported models treat characters and spaces by rules of their own,
    too long to say again here.
    """

    def __init__(self, folder):
        import sentencepiece

        self.around = json.loads((folder / "kind.json").read_text(encoding="utf-8"))
        kind, rule = self.around["kind"], self.around.get("rule", "sentencepiece")
        names = {"marian": ("encoder", "decoder"), "multilingual": ("text", "text")}
        if kind not in names or rule != "sentencepiece":
            sys.exit(
                f"translate.py: error: it cannot cut text as this model's {kind} tokenizer does; "
                "OnnxTransformer(folder, ...).greedy takes ids"
            )
        self.is_marian = kind == "marian"
        self.encoder, self.decoder = (
            sentencepiece.SentencePieceProcessor(model_file=str(folder / f"{name}.spm"))
            for name in names[kind]
        )
        self.pieces = json.loads((folder / "pieces.json").read_text(encoding="utf-8"))
        self.ids = {piece: number for number, piece in enumerate(self.pieces)}
        marks = sorted(self.around["marks"], key=len, reverse=True)
        self.marks = re.compile(f"({'|'.join(map(re.escape, marks)) or '(?!)'})")
        special = {*self.around["special"].values(), *self.around["hidden"]}
        self.skipped = special | {self.ids[mark] for mark in marks}

    def encode(self, text):
        parts, pieces = self.marks.split(text), []  # a text, a mark, a text, ...
        for number, part in enumerate(parts):
            pieces += [part] if number % 2 else self.cut(part)
        return [
            self.ids.get(piece, self.around["special"]["unknown"]) for piece in pieces
        ]

    def cut(self, text):
        code, found, rest = text.partition("<<")
        if not (self.is_marian and found and text.startswith(">>")):
            return self.encoder.encode(text, out_type=str)
        return [code + found, *self.encoder.encode(rest, out_type=str)]

    def decode(self, ids):
        text = self.decoder.decode_pieces(
            [self.pieces[i] for i in ids if i not in self.skipped]
        )
        return (text.replace("\u2581", " ") if self.is_marian else text).strip()


def tokenizers(folder):
    """Those of source and target."""
    if (folder / "tokenizer.model").exists():
        return [OwnTokenizer(folder / "tokenizer.model")] * 2
    if (folder / "tokenizer.source.model").exists():
        return [
            OwnTokenizer(folder / f"tokenizer.{side}.model")
            for side in ("source", "target")
        ]
    names = (
        ("tokenizer", "tokenizer")
        if (folder / "tokenizer").exists()
        else ("tokenizer.source", "tokenizer.target")
    )
    return [ImportedTokenizer(folder / name) for name in names]


def main():
    folder = Path(__file__).parent
    config = json.loads((folder / "config.json").read_text())["model"]
    source, target = tokenizers(folder)
    longest = config["max_positions"] if config["positions"] == "learned" else 10**9
    before, behind = source.around["source_prefix"], source.around["source_suffix"]
    room = min(LONGEST, longest) - len(before) - len(behind)
    model = OnnxTransformer(
        folder, config["pad_id"], config["begin_id"], config["end_id"]
    )
    for text in sys.argv[1:] or sys.stdin:
        ids, found = [*before, *source.encode(text.rstrip("\r\n"))[:room], *behind], []
        if text.strip():
            found = model.greedy(
                np.array([ids], "int32"),
                longest=longest,
                prefix=target.around["target_prefix"],
            )[0]
        print(target.decode([int(i) for i in found]), flush=True)


if __name__ == "__main__":
    main()
