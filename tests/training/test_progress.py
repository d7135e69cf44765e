import dataclasses
import json
import math
import os
import signal
import threading

from small import session

from keras_transformer.training.progress import Progress, signals_noted


def test_scores_are_ranked(tmp_path):
    scores = [3.0, 1.0, 4.0, 1.0]
    shared = session(tmp_path, patience=2)
    assert not shared.patience_is_over()
    shared.progress.scores = scores
    assert shared.ranked_epochs() == [1, 3, 0, 2]
    assert [shared.is_better(score) for score in (9.0, math.nan)] == [True, False]
    shared.progress.best = 1.0
    assert shared.is_better(0.5) and not shared.is_better(1.0)
    assert shared.patience_is_over() and shared.is_done()
    shared = session(tmp_path, monitor="bleu", patience=2)
    shared.progress.scores = scores
    assert shared.ranked_epochs() == [2, 0, 1, 3]
    shared.progress.best = 1.0
    assert shared.is_better(2.0) and not shared.is_better(1.0)
    assert not shared.patience_is_over()


def test_progress_goes_through_json():
    progress = Progress(epoch=2, batch=1, batches=9, scores=[2.0, 1.5], best=1.5)
    values = json.loads(json.dumps(dataclasses.asdict(progress)))
    assert Progress(**values) == progress


def test_a_signal_is_noted_and_a_second_one_obeyed(capsys, monkeypatch):
    before = signal.getsignal(signal.SIGTERM)
    received = []
    with signals_noted(received):
        os.kill(os.getpid(), signal.SIGTERM)
        assert received == [signal.SIGTERM]
    assert signal.getsignal(signal.SIGTERM) is before
    assert (
        "SIGTERM: leaving after one more checkpoint; once more: leaving at once"
        in capsys.readouterr().err
    )
    left = []
    monkeypatch.setattr(os, "_exit", left.append)
    with signals_noted([]):
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGTERM)
    assert left == [128 + signal.SIGTERM]
    ended = []

    def in_a_thread():
        with signals_noted([]):  # where no handler can be set
            ended.append(True)

    thread = threading.Thread(target=in_a_thread)
    thread.start()
    thread.join()
    assert ended == [True]
