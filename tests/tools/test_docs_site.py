"""The site of README, docs and the reference is whole, and opens in a browser."""

import re
import shutil
import sys
from pathlib import Path

import pytest
from browser import chromium

pytest.importorskip("material", reason="the extra `docs` is not installed")

from mkdocs.commands.build import build  # noqa: E402
from mkdocs.config import load_config  # noqa: E402
from mkdocs.exceptions import Abort  # noqa: E402

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tools"))

from docs_site import public_names  # noqa: E402


def build_site(folder, **options):
    build(load_config(str(ROOT / "mkdocs.yml"), site_dir=str(folder), **options))


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("site")
    build_site(folder)
    return folder


def test_every_public_name_is_in_the_reference(site):
    text = (site / "reference.html").read_text(encoding="utf-8")
    missing = [
        f"{module}.{name}"
        for module, name in public_names()
        if f'id="{module}.{name}"' not in text
    ]
    assert missing == []
    assert len([*public_names()]) > 40


def test_nothing_is_loaded_from_elsewhere(site):
    loaded = r'(src|<link[^>]*rel="stylesheet"[^>]*href)="(https?:)?//'
    for path in site.rglob("*.html"):
        assert not re.search(loaded, path.read_text(encoding="utf-8")), path


def test_a_link_to_nothing_is_an_error(tmp_path):
    docs = shutil.copytree(ROOT / "docs", tmp_path / "docs")
    with (docs / "layers.md").open("a") as page:
        page.write("\n[nothing](nothing.md)\n")
    with pytest.raises(Abort, match="strict mode"):
        build_site(tmp_path / "site", docs_dir=str(docs))


def test_a_browser_opens_it(site):
    from playwright.sync_api import sync_playwright

    path = chromium()
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=path, args=["--no-sandbox"])
        page = browser.new_page()
        page.goto((site / "index.html").as_uri())
        assert page.locator("h1").first.inner_text() == "keras_transformer"
        width = page.locator("article img").first.evaluate("img => img.naturalWidth")
        assert width > 500
        page.get_by_role("link", name="Troubleshooting").first.click()
        assert page.locator("h1").first.inner_text().startswith("Troubleshooting")
        browser.close()
