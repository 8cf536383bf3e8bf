"""Settings of all tests. Machines of a CI are slow at times: a property may take as long as the whole test may."""

import os
import shutil
from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("forage", settings(), deadline=None)
settings.load_profile("forage")
CHROMIUM = ("chromium", "chromium-browser", "google-chrome")
FLAGS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip


@pytest.fixture(scope="session")
def real_data():
    """name -> folder of downloaded data, beside the checkout or in $FORAGE_DATA; it may not be given away with the project."""

    def of(name):
        place = Path(os.environ.get("FORAGE_DATA", Path(__file__).parents[2] / "shared" / "data")) / name
        if not place.is_dir():
            stop = pytest.fail if os.environ.get("CI") else pytest.skip
            stop(f"{place} is not there: set FORAGE_DATA to the folder that holds {name}")
        return place

    return of


@pytest.fixture(scope="session")
def real_source(real_data):
    """The real click log."""
    return real_data("bestbuy_games")


@pytest.fixture(scope="module")
def chromium():
    """Debian's Chromium, driven by Playwright. Of one file: while it runs, tests cannot start an event loop of their own."""
    path = next((found for name in CHROMIUM if (found := shutil.which(name))), None)
    if path is None:
        pytest.skip("no Chromium: install the package chromium (Debian: apt-get install chromium)")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        browser.close()
