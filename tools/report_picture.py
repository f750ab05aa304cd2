"""Draws docs/report.png: a part of the report of the samples, as a browser shows it. Needs playwright and a Chromium.

make report && python -m tools.report_picture work/report/index.html
"""

import shutil
import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

PICTURE = Path(__file__).parents[1] / "docs" / "report.png"
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
WIDTH, HEIGHT = 1000, 1020  # of what is shown, in CSS pixels
SECTION = "CommonCrawl"
PATIENCE = 60_000  # milliseconds


def draw(page_file: Path, picture: Path) -> None:
    """Takes the picture.

    Args:
        page_file: The report.
        picture: Where it goes, as PNG.
    """
    browser_file = next((found for name in BROWSERS if (found := shutil.which(name))), None)
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=browser_file, args=["--no-sandbox"])
        page = browser.new_context(viewport={"width": WIDTH, "height": HEIGHT}, color_scheme="light").new_page()
        page.goto(page_file.resolve().as_uri())
        page.wait_for_selector("html[data-plots=drawn]", state="attached", timeout=PATIENCE)
        top = page.locator("h2", has_text=SECTION).first.bounding_box()["y"] - 20
        clip = {"x": 0, "y": top, "width": WIDTH, "height": HEIGHT}
        page.screenshot(path=picture, full_page=True, clip=clip)
        browser.close()


if __name__ == "__main__":
    draw(Path(sys.argv[1]), PICTURE)
    print(PICTURE)
