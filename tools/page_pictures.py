"""Make the pictures of the page in docs/images anew.

    keras-transformer app demo-run & python tools/page_pictures.py http://127.0.0.1:7860/

It needs playwright and a Chromium, as the tests of the page do.
"""

import shutil
import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

IMAGES = Path(__file__).parents[1] / "docs" / "images"
SENTENCE = "Two young girls are sitting on a bench."
# Name -> window's width and height, and the system's colours.
WINDOWS = {
    "page_desktop": (1280, 800, "light"),
    "page_phone": (390, 844, "dark"),
}


def picture(browser, url, name):
    """Write the picture of a translated sentence, one word of which is pointed at."""
    width, height, scheme = WINDOWS[name]
    size = {"width": width, "height": height}
    page = browser.new_page(viewport=size, color_scheme=scheme)
    page.goto(url)
    field = page.get_by_role("textbox")
    field.fill(SENTENCE)
    field.press("Enter")
    page.get_by_role("region", name="Attention").wait_for(timeout=120_000)
    page.locator(".word").nth(2).hover()
    page.wait_for_timeout(1000)  # until nothing moves
    page.screenshot(path=IMAGES / f"{name}.png", full_page=True)
    page.close()


def main(url):
    with sync_playwright() as driver:
        path = driver.chromium.executable_path
        if not Path(path).exists():
            path = shutil.which("chromium")
        browser = driver.chromium.launch(executable_path=path, args=["--no-sandbox"])
        for name in WINDOWS:
            picture(browser, url, name)
        browser.close()


if __name__ == "__main__":
    main(sys.argv[1])
