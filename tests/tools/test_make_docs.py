"""The API reference is made, with warnings as errors, and shows every public name."""

import importlib
import importlib.util
import re
import warnings
from pathlib import Path

import pytest

pytest.importorskip("pdoc", reason="the extra `docs` is not installed")

ROOT = Path(__file__).parents[2]

spec = importlib.util.spec_from_file_location(
    "make_docs", ROOT / "tools" / "make_docs.py"
)
make_docs = importlib.util.module_from_spec(spec)
spec.loader.exec_module(make_docs)


def test_every_public_name_is_in_the_reference(tmp_path):
    modules = make_docs.make(tmp_path)
    inits = ROOT.glob("keras_transformer/*/__init__.py")
    parts = {path.parent.name for path in inits} | {"config"}
    assert {f"keras_transformer.{name}" for name in parts} == {*modules[1:]}
    assert "distribution" in parts
    pages = tmp_path / "keras_transformer"
    for module in modules:
        names = getattr(importlib.import_module(module), "__all__", ())
        page = tmp_path / f"{module.replace('.', '/')}.html"
        text = page.read_text(encoding="utf-8")
        # The public namespaces are modules with pages of their own.
        shown = [name for name in names if not (pages / f"{name}.html").exists()]
        assert [name for name in shown if f'id="{name}"' not in text] == [], module
    assert 'id="serve"' in (pages / "app" / "page.html").read_text(encoding="utf-8")
    for path in tmp_path.rglob("*.html"):  # the pages load nothing from elsewhere
        text = path.read_text(encoding="utf-8")
        assert not re.search(r'(src|<link[^>]*href)="(https?:)?//', text), path


def test_a_warning_is_an_error(tmp_path, monkeypatch):
    monkeypatch.setattr(
        make_docs.pdoc,
        "pdoc",
        lambda *names, output_directory: warnings.warn("no such name", stacklevel=1),
    )
    with pytest.raises(UserWarning, match="no such name"):
        make_docs.make(tmp_path)
