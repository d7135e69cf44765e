"""The memory of attention in a window, beside that of the same attention by a mask.

    python -m benchmarks.window [--length 16384] [--window 512]

Each is one causal self-attention of 8 heads of 64, float32, one text, in a process of
its own; printed is what the process takes more than one that attends to 64 positions.
"""

import argparse
import resource
import subprocess
import sys

import numpy as np


def attend(kind, length, window):
    """Attend once; the largest memory of this process in MiB."""
    from keras import ops

    from keras_transformer import MultiHeadAttention
    from keras_transformer.layers.window import window_mask

    x = ops.convert_to_tensor(np.ones((1, length, 512), "float32"))
    if kind == "window":
        layer = MultiHeadAttention(8, 64, window=window)
        output = layer(x, use_causal_mask=True)
    else:
        near = window_mask(length, length, window)
        layer = MultiHeadAttention(8, 64)
        output = layer(x, attention_mask=near, use_causal_mask=True)
    ops.convert_to_numpy(output)  # JAX may still be at work
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def measure(*arguments):
    """What a new process takes, in MiB."""
    command = [
        sys.executable,
        "-m",
        "benchmarks.window",
        "--kind",
        *map(str, arguments),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return float(done.stdout.splitlines()[-1])


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--length", type=int, default=16_384)
    parser.add_argument("--window", type=int, default=512)
    parser.add_argument("--kind", nargs=3, metavar=("KIND", "LENGTH", "WINDOW"))
    options = parser.parse_args()
    if options.kind:
        kind, length, window = options.kind
        print(attend(kind, int(length), int(window)))
        return
    for kind in ("window", "mask"):
        least = measure(kind, 64, min(options.window, 64))
        most = measure(kind, options.length, options.window)
        print(f"{kind}: {most - least:,.0f} MiB")


if __name__ == "__main__":
    main()
