"""A file is translated by Ray's workers as by the plain command, whoever is killed."""

import contextlib
import functools
import gzip
import importlib.util
import os
import re
import shlex
import signal
import subprocess
import sys
import time
import uuid
import warnings
from pathlib import Path

import keras
import pytest
from small import contents

from keras_transformer.cli.main import main
from keras_transformer.cli.parser import build_parser
from keras_transformer.export import ctranslate2

pytest.importorskip("ray", reason="the extra `bulk` is not installed")

import pyarrow as pa  # noqa: E402
import ray  # noqa: E402
import yaml  # noqa: E402
from pyarrow import parquet  # noqa: E402
from ray.cluster_utils import Cluster  # noqa: E402

from keras_transformer.bulk import THREADS, translate_file  # noqa: E402

LINES = ["a b", "", "  ", "c\u2028d", "e\x85f\tg", "ä\x0bö"] * 5


@pytest.fixture(scope="module")
def address():
    """That of two machines with a processor each, as far as Ray can tell."""
    ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
        cluster.add_node(num_cpus=1)
        yield cluster.address
        cluster.shutdown()


def start(folder, failing=False):
    """A worker that spells in capitals; the first to come to line 15 is killed."""
    if failing:
        raise ValueError("no such run")

    def texts_of(lines, number):
        last = number + len(lines) - 1
        mark = Path(folder, "killed")
        if number <= 15 <= last and not mark.exists():
            mark.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        warnings.warn(f"lines {number} to {last}", stacklevel=1)
        return [f"{n} {line.upper()}" for n, line in enumerate(lines, number)]

    return texts_of


@pytest.fixture
def bulk(address, tmp_path):
    """`translate_file`, in batches of 2, whose output is the only new file."""
    (tmp_path / "marks").mkdir()
    how = functools.partial(start, tmp_path / "marks")
    return functools.partial(translate_file, start=how, batch_size=2, address=address)


@pytest.mark.slow
def test_order_and_empty_lines_are_kept_and_a_killed_worker_is_replaced(bulk, tmp_path):
    source = tmp_path / "in.gz"
    output = tmp_path / "out.gz"
    source.write_bytes(gzip.compress("\r\n".join(LINES).encode()))
    said = []
    bulk(source, output, workers=2, say=said.append)
    expected = "".join(f"{n} {line.upper()}\n" for n, line in enumerate(LINES, 1))
    assert gzip.decompress(output.read_bytes()).decode() == expected
    assert (tmp_path / "marks" / "killed").exists()
    # Chunks of one batch, two and four.
    for rows in ("1 to 2", "3 to 6", "7 to 14"):
        assert f"warning: lines {rows}" in said
    assert said[-1].startswith("30 lines in ")
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "in.gz",
        "marks",
        "out.gz",
    ]


@pytest.mark.slow
def test_a_parquet_file_gets_a_column(bulk, tmp_path):
    source = tmp_path / "in.parquet"
    output = tmp_path / "out.parquet"
    texts = [None, "a", "", "b"] * 5
    kinds = {"id": pa.int16(), "text": pa.large_string()}
    columns = {"id": [*range(20)], "text": texts}
    table = pa.table(columns, pa.schema(kinds).with_metadata({"who": "we"}))
    parquet.write_table(table, source)
    bulk(source, output, column="text", say=[].append)
    found = parquet.read_table(output)
    expected = [
        None if text is None else f"{n} {text.upper()}"
        for n, text in enumerate(texts, 1)
    ]
    assert found.drop(["translation"]).equals(table, check_metadata=True)
    assert found["translation"].to_pylist() == expected


def test_a_link_is_read_by_its_own_ending(tmp_path):
    (tmp_path / "blob").write_bytes(gzip.compress(b"a\n\xff"))
    (tmp_path / "in.gz").symlink_to("blob")
    with pytest.raises(ValueError, match=r"in\.gz must be UTF-8; line 2 is not"):
        translate_file(tmp_path / "in.gz", tmp_path / "out", start, batch_size=2)


@pytest.mark.slow
def test_no_lines_are_no_lines(bulk, tmp_path):
    (tmp_path / "in").touch()
    bulk(tmp_path / "in", tmp_path / "out", say=[].append)
    assert (tmp_path / "out").read_bytes() == b""


@pytest.mark.slow
@pytest.mark.parametrize(
    "last, failing, message",
    [
        (b"z", True, "^no such run(\n|$)"),
        (b"\xff", False, "in must be UTF-8; line 31 is not"),
    ],
)
def test_an_error_is_the_workers_and_leaves_nothing(
    bulk, tmp_path, last, failing, message
):
    source = tmp_path / "in"
    source.write_bytes("\n".join([*LINES, ""]).encode() + last)
    how = functools.partial(start, tmp_path / "marks", failing)
    before = contents(tmp_path)
    with pytest.raises(ValueError, match=message):
        bulk(source, tmp_path / "out", start=how, say=[].append)
    assert not ray.is_initialized()
    (tmp_path / "marks" / "killed").unlink(missing_ok=True)
    assert contents(tmp_path) == before


@pytest.mark.slow
def test_keras_translates_in_workers_as_in_one_process(
    address, trained, corpus, tmp_path, monkeypatch
):
    monkeypatch.setenv("KERAS_BACKEND", keras.backend.backend())
    files = ["--input", corpus[2], "--output", tmp_path / "out"]
    words = [*map(str, ["translate", trained, *files, "--batch-size", 3])]
    environment = {**os.environ, **dict.fromkeys(THREADS, "1")}
    command = [sys.executable, "-m", "keras_transformer", *words]
    subprocess.run(command, env=environment, check=True)
    expected = (tmp_path / "out").read_bytes()
    (tmp_path / "out").unlink()
    assert main([*words, "--bulk", "--address", address]) == 0
    assert (tmp_path / "out").read_bytes() == expected and expected.count(b"\n") == 8


def test_a_glossary_is_read_before_workers_start(trained, tmp_path, capsys):
    (tmp_path / "in").write_text("a man\n")
    (tmp_path / "terms.tsv").write_text("man\n")
    files = ["--input", str(tmp_path / "in"), "--output", str(tmp_path / "out")]
    terms = ["--glossary", str(tmp_path / "terms.tsv")]
    assert main(["translate", str(trained), "--bulk", *files, *terms]) == 2
    message = "terms.tsv, line 1, must be a source term and a target term; received"
    assert message in capsys.readouterr().err


def test_without_the_extra(monkeypatch):
    find = importlib.util.find_spec

    def find_others(name):
        return None if name == "ray" else find(name)

    monkeypatch.setattr("importlib.util.find_spec", find_others)
    monkeypatch.delitem(sys.modules, "keras_transformer.bulk")
    expected = r'^ray is not installed: pip install -e "\.\[bulk\]" in the clone$'
    with pytest.raises(ImportError, match=expected):
        importlib.import_module("keras_transformer.bulk")


def test_the_page_of_clusters_is_spelled_right():
    page = (Path(__file__).parent.parent / "docs" / "bulk.md").read_text("utf-8")
    for block in re.findall(r"```yaml\n(.*?)```", page, flags=re.DOTALL):
        assert {"cluster_name", "kind"} & {*yaml.safe_load(block)}
    commands = re.findall(r"keras-transformer (translate RUN .*?)['\n]", page)
    assert len(commands) == 4
    for command in commands:
        assert build_parser().parse_args(shlex.split(command)).bulk


@pytest.fixture(scope="module")
def fast(trained, tmp_path_factory):
    """A run for CTranslate2, where a sentence has one thread on any machine."""
    out = tmp_path_factory.mktemp("fast") / "run"
    ctranslate2(trained, out, extra_length=2, batch_size=4)
    return out


@pytest.fixture
def command(fast, tmp_path):
    """Start `translate --bulk` on a file of so many lines; where it writes."""
    mark = uuid.uuid4().hex

    def begin(lines, *flags):
        text = "".join(f"A man {n} sits.\n\n" for n in range(lines // 2))
        (tmp_path / "in").write_text(text)
        files = ["--input", "in", "--output", "out", "--runtime", "ctranslate2"]
        words = ["translate", str(fast), *files, *flags]
        process = subprocess.Popen(
            [sys.executable, "-m", "keras_transformer", *words, "--bulk"],
            cwd=tmp_path,
            env={**os.environ, "BULK_MARK": mark},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        return process, words

    begin.mark = mark
    return begin


def processes(mark):
    """The titles of the processes that began with a mark, by their numbers."""
    found = {}
    for path in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if mark.encode() in (path / "environ").read_bytes():
                found[int(path.name)] = (path / "cmdline").read_bytes().decode()
    return found


def wait_for(title, mark):
    """The number of the first process with a title."""
    deadline = time.monotonic() + 300
    while time.monotonic() < deadline:
        for number, found in processes(mark).items():
            if found.startswith(title):
                return number
        time.sleep(0.05)
    raise TimeoutError(title)


def all_end(mark):
    """Whether all processes with a mark end; Ray's last ones do so by themselves."""
    deadline = time.monotonic() + 60
    while processes(mark) and time.monotonic() < deadline:
        time.sleep(0.05)
    return not processes(mark)


READING = "ray::MapBatches(read_chunks)"
TRANSLATING = "ray::MapWorker(MapBatches(Worker)).submit"


def check(process, words, tmp_path, monkeypatch):
    """The command has written what the plain one writes, and left nothing else."""
    printed, said = process.communicate(timeout=600)
    assert process.returncode == 0 and printed == "", said
    begin = (
        "keras-transformer: ",
        "starting: ",
        "counting the lines: ",
        "translating: ",
    )
    assert all(line.startswith(begin) for line in said.splitlines()), said
    bulk = (tmp_path / "out").read_bytes()
    monkeypatch.chdir(tmp_path)
    assert main(words) == 0
    assert (tmp_path / "out").read_bytes() == bulk
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in", "out"]


def test_the_command_writes_what_the_plain_one_writes(command, tmp_path, monkeypatch):
    process, words = command(50, "--n-best", "2", "--token-scores")
    check(process, words, tmp_path, monkeypatch)
    assert all_end(command.mark)


@pytest.mark.slow
def test_a_kill_changes_no_byte_of_10_000_lines(command, tmp_path, monkeypatch):
    process, words = command(10_000)
    # Who reads waits for the workers, which are slow to start.
    for title in (READING, TRANSLATING):
        os.kill(wait_for(title, command.mark), signal.SIGKILL)
    check(process, words, tmp_path, monkeypatch)


@pytest.mark.slow
def test_an_interrupt_leaves_nothing(command, tmp_path):
    process, _ = command(100_000)
    wait_for(TRANSLATING, command.mark)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does
    printed, said = process.communicate(timeout=60)
    assert process.returncode == 130 and printed == ""
    assert said.endswith("keras-transformer: interrupted\n")
    assert [path.name for path in tmp_path.iterdir()] == ["in"]
    assert all_end(command.mark)
