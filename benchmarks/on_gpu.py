"""What a machine with a GPU shows, as JSON and as a table, in at most nine minutes.

    benchmarks/on_gpu.sh OUT --multi30k FOLDER

Each step is a process of its own with its own limit; one that fails is a line of the
table, and the others go on. Needs Python alone: the steps say what is missing.
"""

import argparse
import importlib.util
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

BACKENDS = ("jax", "tensorflow", "torch")
RIVALS = {"marian": "transformers", "ctranslate2": "ctranslate2"}
ALWAYS = ("numpy", "keras", "sentencepiece", "sacrebleu", "safetensors")
TOTAL = 540  # seconds
REHEARSED = 300  # seconds of each step in a rehearsal, on a processor that may be slow
LIMITS = {"installs": 15, "correct": 60, "speed": 60, "quality": 75, "translate": 18}


def steps():
    """The name of every step and the packages it needs, in order."""
    yield "installs", ()
    for kind in ("correct", "speed"):
        for backend in BACKENDS:
            yield f"{kind} {backend}", (*ALWAYS, backend)
    yield "quality", (*ALWAYS, "torch")
    for backend in BACKENDS:
        yield f"translate {backend}", (*ALWAYS, backend)
    for name, package in RIVALS.items():
        yield f"translate {name}", (*ALWAYS, "torch", package)


def run_step(name, needed, options, seconds):
    """What a step found: its figures, whether it is right, and the reason if not."""
    missing = [one for one in needed if importlib.util.find_spec(one) is None]
    if missing:
        return {"ok": False, "reason": f"not installed: {', '.join(missing)}"}
    kind, _, what = name.partition(" ")
    backend = what if what in BACKENDS else "torch"
    # JAX and TensorFlow would take the whole memory, whatever they use.
    memory = {"XLA_PYTHON_CLIENT_PREALLOCATE": "false"}
    memory["TF_FORCE_GPU_ALLOW_GROWTH"] = "true"
    own = {"KERAS_BACKEND": backend, "TF_CPP_MIN_LOG_LEVEL": "3", **memory}
    own["JAX_COMPILATION_CACHE_DIR"] = str(options.out / "jax")
    own["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0"
    command = [sys.executable, "-m", "benchmarks.gpu_steps", kind, what]
    command += ["--out", str(options.out)]
    if options.rehearse:
        command.append("--rehearse")
    if options.multi30k:
        command += ["--multi30k", str(options.multi30k)]
    log = options.out / f"{name.replace(' ', '-')}.log"
    with log.open("w") as errors:
        process = subprocess.Popen(
            command,
            env={**os.environ, **own},
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            start_new_session=True,
        )
        reason = None
        try:
            output, _ = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            # The step's own children, too.
            os.killpg(process.pid, signal.SIGKILL)
            output, _ = process.communicate()
            reason = f"not done within {seconds:.0f} s"
    found = {}
    for line in output.splitlines():
        if line.startswith("{"):
            found |= json.loads(line)
    if reason is None and process.returncode != 0:
        lines = log.read_text().strip().splitlines() or ["no message"]
        reason = lines[-1][:200]
    return {"ok": reason is None, "reason": reason, **found}


def table(results):
    """Lines of Markdown, one a step."""
    yield "| step | result | seconds | figures |"
    yield "|---|---|---|---|"
    for name, found in results.items():
        told = ("ok", "reason", "seconds")
        figures = [f"{key} {shown(value)}" for key, value in found.items()]
        figures = [one for one in figures if one.split(" ")[0] not in told]
        result = "right" if found["ok"] else f"FAILED: {found['reason']}"
        cells = [name, result, f"{found['seconds']:.0f}", "; ".join(figures)]
        cells = [cell.replace("|", "/") for cell in cells]
        yield f"| {' | '.join(cells)} |"


def shown(value):
    return f"{value:,.4g}" if isinstance(value, float) else str(value)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("out", type=Path, metavar="OUT", help="folder for the results")
    parser.add_argument(
        "--multi30k",
        type=Path,
        metavar="FOLDER",
        help="with train, val, test_2016_flickr .en.gz and .de.gz "
        "(default: the bundled captions)",
    )
    parser.add_argument(
        "--rehearse", action="store_true", help="tiny sizes, on a CPU; no speeds"
    )
    options = parser.parse_args()
    options.out = options.out.resolve()
    options.out.mkdir(parents=True, exist_ok=True)
    if options.multi30k:
        options.multi30k = options.multi30k.resolve()
    begin = time.monotonic()
    results = {}
    for name, needed in steps():
        started = time.monotonic()
        left = TOTAL - (started - begin)
        limit = min(LIMITS[name.split(" ")[0]], left)
        if options.rehearse:
            limit = REHEARSED
        if limit < 5:
            found = {"ok": False, "reason": f"no time left of {TOTAL} s"}
        else:
            found = run_step(name, needed, options, limit)
        found["seconds"] = round(time.monotonic() - started, 1)
        results[name] = found
        # A run that is cut off leaves what it has found.
        (options.out / "results.json").write_text(json.dumps(results, indent=2))
        text = "\n".join(table(results))
        (options.out / "table.md").write_text(f"{text}\n")
        print(text.splitlines()[-1], flush=True)
    print(text)
    failed = [name for name, found in results.items() if not found["ok"]]
    sys.exit(f"failed: {', '.join(failed)}" if failed else None)


if __name__ == "__main__":
    main()
