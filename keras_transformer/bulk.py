"""A file of any size, translated by Ray Data on one machine or a cluster.

The machine of the command reads the file in chunks of lines, each a row of a dataset,
and writes their translations in the same order; workers translate them.
"""

import contextlib
import functools
import os
import tempfile
import time
import warnings
from pathlib import Path

from .config import expect
from .decoding.base_translator import in_chunks
from .process.bars import advance, doing
from .process.extras import needed
from .runs.sealed_files import new_file
from .text.lines import read_lines

needed("ray", "pyarrow", extra="bulk")

import pyarrow as pa  # noqa: E402
import ray  # noqa: E402
from ray.data import ActorPoolStrategy, DataContext  # noqa: E402
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy  # noqa: E402

from .data.parquet import read_column, write_translations  # noqa: E402

RETRIES = 3  # of a chunk whose worker died
STORE = 1 << 28  # bytes between reading and writing, when Ray is started here
# Where OpenMP (PyTorch, CTranslate2), TensorFlow and XLA look for their threads.
THREADS = ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS")
THREADS += ("NPROC",)


def translate_file(
    source,
    output,
    start,
    batch_size,
    column=None,
    workers=None,
    address=None,
    say=print,
):
    """Translate the lines of a file, or a column of a Parquet file, into another file.

    Order and empty lines are kept; a worker that dies is replaced, and its chunk is
    translated again. `output` appears when it is whole.

    Args:
        source: text file on this machine, plain or `.gz`, or Parquet file.
        output: file of that kind to write; Parquet has one more column, `translation`.
        start: called once in each worker; gives a function of a list of sentences and
            the number of the first, from 1, that gives a list of as many texts.
        batch_size: sentences of a batch; chunks are those of `BaseTranslator.stream`.
        column: the column of sentences of a Parquet file; None if it is none.
        workers: processes that translate; by default one for each GPU or, without any,
            for each processor.
        address: HOST:PORT of a Ray cluster with this machine in it, or "auto"; without
            it Ray is started on this machine for the time of the call.
        say: called with workers' warnings, and at the end with lines and seconds.

    Raises:
        ValueError: if a file is not as described; what a worker raises.
    """
    source = Path(source).absolute()
    changed = source.stat().st_mtime_ns
    lines = functools.partial(read_lines, source)
    if column is not None:
        lines = functools.partial(read_column, source, column)
    with doing("counting the lines"):  # what cannot be read need not wait for Ray
        total = sum(1 for _ in lines())
    chunks = functools.partial(read_chunks, lines, batch_size)
    with new_file(output) as file:
        translating = doing("translating", total, "lines")
        started = ray_started(workers, address)
        with translating, started, DataContext.current(settings()):
            texts = in_order(dataset_of(chunks, start, workers), say)
            if column is not None:
                write_translations(file.buffer, texts, source, column)
            for text in texts:
                print(text, file=file)
        is_same = source.stat().st_mtime_ns == changed
        expect(is_same, str(source), "stay as it is meanwhile", "a change")


def read_chunks(lines, batch_size, _):
    """Tables of one row: lines, and the number of the first."""
    number = 1
    for chunk in in_chunks(lines(), batch_size):
        yield pa.table({"number": [number], "lines": [chunk]})
        number += len(chunk)


class Worker:
    """What translates chunks, in a process of its own."""

    def __init__(self, start, threads):
        os.environ.update(dict.fromkeys(THREADS, str(threads)))
        self.start = start

    @functools.cached_property
    def translate(self):  # not in __init__: of its errors Ray hands on the text alone
        return self.start()

    def __call__(self, table):
        (row,) = table.to_pylist()
        with warnings.catch_warnings(record=True) as heard:
            texts = self.translate(row["lines"], row["number"])
        said = pa.array([[str(one.message) for one in heard]], pa.list_(pa.string()))
        return pa.table({"texts": [texts], "said": said})


def dataset_of(chunks, start, workers):
    """The Ray dataset of translated chunks; here no file is read yet."""
    resources = ray.cluster_resources()
    processors = int(resources.get("CPU", 1))
    graphics = int(resources.get("GPU", 0))
    workers = workers or graphics or processors
    machines = [int(node["Resources"].get("CPU", 0)) for node in ray.nodes()]
    smallest = min(filter(None, machines), default=1)
    threads = max(1, min(smallest, processors // workers))
    here = NodeAffinitySchedulingStrategy(
        ray.get_runtime_context().get_node_id(), False
    )
    how = dict(batch_size=1, batch_format="pyarrow")
    # No processor for who reads: the workers may have taken all.
    read = ray.data.from_items([0]).map_batches(
        chunks, num_cpus=0, scheduling_strategy=here, **how
    )
    return read.map_batches(
        Worker,
        fn_constructor_args=(start, threads),
        compute=ActorPoolStrategy(size=workers),
        num_cpus=threads,
        num_gpus=min(graphics, 1),
        max_task_retries=RETRIES,
        **how,
    )


def in_order(dataset, say):
    """The texts of a dataset."""
    begun = time.monotonic()
    done = 0
    try:
        for row in dataset.iter_rows():
            for warning in row["said"]:
                say(f"warning: {warning}")
            yield from row["texts"]
            done += len(row["texts"])
            advance(len(row["texts"]))
    except ray.exceptions.RayTaskError as error:
        raise error.cause from None
    say(f"{done:,} lines in {time.monotonic() - begun:,.0f} s")


def settings():
    """What Ray Data is to do otherwise than by default."""
    context = DataContext.get_current().copy()
    context.execution_options.preserve_order = True
    context.target_max_block_size = 1  # bytes: no row waits for another
    context.execution_no_progress_timeout_s = -1  # a chunk may take its time
    context.max_consecutive_actor_init_deaths = RETRIES
    context.raise_original_map_exception = True
    context.enable_progress_bars = False
    return context


@contextlib.contextmanager
def ray_started(workers, address):
    """Ray of a cluster, or on this machine alone and out of others' reach."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    how = dict(log_to_driver=False)
    # Not in TMPDIR: the paths of sockets are short.
    place = tempfile.TemporaryDirectory(
        prefix="ray-", dir="/tmp", ignore_cleanup_errors=True
    )
    with place as folder:
        if not address:
            how.update(include_dashboard=False, object_store_memory=STORE)
            how.update(_temp_dir=folder, _node_ip_address="127.0.0.1")
            how["num_cpus"] = workers and max(workers, os.cpu_count())
        try:
            ray.init(address or "local", **how)
            yield
        finally:
            ray.shutdown()
