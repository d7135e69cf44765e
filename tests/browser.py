"""The browser in which tests open pages."""

import shutil
from pathlib import Path

import pytest


def chromium():
    """The path of a Chromium: playwright's own if it is there, else the system's."""
    playwright = pytest.importorskip(
        "playwright.sync_api", reason="playwright is not installed"
    )
    with playwright.sync_playwright() as driver:
        own = driver.chromium.executable_path
    if Path(own).exists():
        return own
    found = shutil.which("chromium") or shutil.which("google-chrome")
    if not found:
        pytest.skip(
            "there is no Chromium: `playwright install chromium`, or "
            "`apt-get install chromium`"
        )
    return found
