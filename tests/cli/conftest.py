"""One run that the command `train` made, and the command called in this process."""

import pytest
from small import FLAGS, write_corpus

from keras_transformer.cli import main as cli

SETTINGS = """
source = '{0}'
target = '{1}'
valid_source = '{2}'
valid_target = '{3}'
preset = 'small'
[model]
dropout = 0.25
num_heads = 4
[data]
max_ratio = 3
[training]
max_updates = 1
seed = 5
"""


@pytest.fixture(scope="session")
def run(tmp_path_factory):
    """A run of flags and a settings file; the corpus is beside it."""
    folder = tmp_path_factory.mktemp("cli")
    settings = folder / "run.toml"
    settings.write_text(SETTINGS.format(*write_corpus(folder)))
    command = ["train", str(folder / "run"), "--config", str(settings), *FLAGS]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            "keras_transformer.data.batches.bucket_edges", lambda longest: (longest,)
        )
        assert cli.main([*command, "--max-updates", "2"]) == 0
    return folder / "run"


@pytest.fixture
def main(capsys, monkeypatch):
    """Run a command that must succeed; its standard output. It shows no progress."""
    monkeypatch.setattr("keras_transformer.process.bars.SHORT", 1000)

    def call(*arguments):
        capsys.readouterr()
        status = cli.main([str(argument) for argument in arguments])
        out, err = capsys.readouterr()
        assert status == 0 and not err, err
        return out

    return call
