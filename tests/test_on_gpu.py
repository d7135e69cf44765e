"""The check of a GPU goes on after a step that fails, and says why."""

import sys
from types import SimpleNamespace

from benchmarks import on_gpu


def test_each_step_is_right_or_has_a_reason(tmp_path):
    options = SimpleNamespace(out=tmp_path, rehearse=True, multi30k=None)

    def found(name, needed=(), seconds=60):
        return on_gpu.run_step(name, needed, options, seconds)

    right = found("installs")
    assert right["ok"] and right["python"] == sys.version.split()[0]
    missing = found("installs", ("json", "no_such_package"))
    assert missing == {"ok": False, "reason": "not installed: no_such_package"}
    assert found("installs", seconds=0.001)["reason"] == "not done within 0 s"
    assert "KeyError: 'unheard'" in found("unheard")["reason"]
    assert "no trained run" in found("translate torch")["reason"]
    results = {"a": {**right, "seconds": 1.0}, "b": {**missing, "seconds": 0.0}}
    lines = list(on_gpu.table(results))
    assert lines[2].startswith("| a | right | 1 | python 3")
    assert lines[3] == "| b | FAILED: not installed: no_such_package | 0 |  |"


def test_the_steps_fit_into_nine_minutes():
    limits = [on_gpu.LIMITS[name.split(" ")[0]] for name, _ in on_gpu.steps()]
    assert sum(limits) <= on_gpu.TOTAL == 540
