"""What the tests of the page have in common: one browser, and a local run of its own for each test."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect, sync_playwright

from stage import Stage

CHROMIUM = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")

# Nothing here is slow, but a machine that does other things at once may be.
expect.set_options(timeout=30_000)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """A Chromium without a window: the one in CHROMIUM, or one on the path."""
    path = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, CHROMIUM)), None)
    if not path:
        pytest.fail(
            f"there is no Chromium: none of {', '.join(CHROMIUM)} is on the path. Install one (on Debian and "
            "Ubuntu `apt install chromium`), or name one in CHROMIUM",
            pytrace=False,
        )
    with sync_playwright() as playwright:
        # Its sandbox needs rights that containers do not give; it only sees the page of the local run.
        browser = playwright.chromium.launch(
            executable_path=path, args=["--no-sandbox", "--disable-gpu"]
        )
        yield browser
        browser.close()


@pytest.fixture
def stage(browser: Browser, tmp_path: Path) -> Iterator[Stage]:
    """A fresh local run whose clock stands still, and the page as whoever looks at it."""
    with Stage(browser, tmp_path / "data") as stage:
        yield stage
        stage.check()
