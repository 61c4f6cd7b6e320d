"""Small hand-made data with known answers."""

import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings

from cmcsl_lib.corpora.features import Features

# How long an example takes says more about what else the machine does than about the code.
settings.register_profile("cmcsl", deadline=None)
settings.load_profile("cmcsl")

if "PYTEST_XDIST_WORKER" in os.environ:
    # Tests run side by side, one on each core: PyTorch's and OpenMP's threads would fight over them.
    os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.hookimpl(tryfirst=True)  # before xdist reads the marks
def pytest_collection_modifyitems(items):
    """Keep the tests of the built book together: one process builds it, and none waits meanwhile."""
    for item in items:
        if "built_book" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.xdist_group("book"))


@pytest.fixture
def make_features():
    """Make features of well separated classes: a function of classes, rows per class and a seed."""

    def make(classes=("animal", "food"), rows=40, seed=0, dataset="AF") -> Features:
        random = np.random.default_rng(seed)
        y = np.repeat(np.arange(len(classes)), rows)
        matrices = {}
        for name, width, strength in (("visual", 512, 0.15), ("text", 384, 0.25)):
            centres = random.normal(size=(len(classes), width))
            matrices[name] = random.normal(size=(len(y), width)) + strength * centres[y]
        return Features("openclipart", dataset, tuple(classes), np.arange(len(y)).astype(str), y, **matrices)

    return make


@pytest.fixture
def in_this_process(monkeypatch):
    """What has a process of its own, which takes seconds to start, runs in that of the test."""
    from cmcsl_lib.extraction import texts, transformations

    for module in (texts, transformations):
        monkeypatch.setattr(module, "in_own_process", lambda function, *arguments: function(*arguments))


@pytest.fixture
def execute_pages(tmp_path, monkeypatch):
    """A function that executes pages one after the other; their failures are those of the test."""
    from cmcsl_lib.book import execution

    # A build of the book empties its own.
    monkeypatch.setattr(execution, "RUNNING", tmp_path / "running")
    monkeypatch.setattr(execution, "FAILED", tmp_path / "failed")

    def execute(pages):
        for page in pages:
            failure = execution.execute(page)
            assert failure is None, failure.get_msg()

    return execute


@pytest.fixture(scope="session")
def built_book() -> Path:
    """Folder of the HTML book, brought up to date once for all tests."""
    from cmcsl_lib.book.schedule import build

    return build().parent


@pytest.fixture(scope="module")
def browser():
    """A Chromium without window; where there is none, tests are skipped."""
    from cmcsl_lib.book import pdf

    sync_api = pytest.importorskip("playwright.sync_api")
    path = pdf.browser()
    if path is None:
        pytest.skip("there is no Chromium on this machine")
    with sync_api.sync_playwright() as playwright:
        yield playwright.chromium.launch(executable_path=path, args=list(pdf.QUIET))


@pytest.fixture
def open_html(browser, tmp_path):
    """Open HTML as a local file; afterwards nothing else was asked for and the console stayed silent."""
    messages, asked, opened = [], [], []

    def open_page(body, head="", address="", **options):
        path = tmp_path / "page.html"
        path.write_text(f'<!doctype html><html lang="en"><meta charset="utf-8">{head}<body>{body}', encoding="utf-8")
        page = browser.new_page(**{"viewport": {"width": 1280, "height": 900}} | options)
        opened.append(page)
        page.on("console", lambda message: messages.append(message.text))
        page.on("pageerror", lambda error: messages.append(str(error)))
        page.on("request", lambda request: asked.append(request.url))
        page.goto(path.as_uri() + address)
        page.wait_for_selector("svg > g, svg > text")
        return page

    yield open_page
    for page in opened:
        page.close()
    assert not messages
    assert all(
        url.startswith(("data:", "blob:")) or url.split("#")[0] == (tmp_path / "page.html").as_uri() for url in asked
    )
