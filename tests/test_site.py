"""Every page of the built book in a browser: opened as a file, on wide and narrow screens, in light and dark."""

import os
import re
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

import pytest
import yaml
from bs4 import BeautifulSoup

from cmcsl_lib.book.pdf import QUIET, browser
from cmcsl_lib.files.paths import REPOSITORY

pytestmark = pytest.mark.slow

#: Bytes that one page may load, its own included; more where readers explore data that the page holds.
MAX_WEIGHT, MAX_INTERACTIVE_WEIGHT = 2_000_000, 4_000_000
INTERACTIVE = ("explorer", "algorithm")
#: Impacts of axe-core that count as faults.
FAULTS = ("serious", "critical")
#: Takes away words of code beyond the second of their kind, and rows of a table beyond its eighth: axe-core takes its
#: time for each, and they look as those before them.
WITHOUT_REPETITIONS = """() => {
    const seen = {};
    for (const word of document.querySelectorAll(".highlight span")) {
        const kind = `${word.className} in ${word.closest(".highlight").parentElement.className}`;
        seen[kind] = (seen[kind] ?? 0) + 1;
        if (seen[kind] > 2) word.replaceWith(word.textContent);
    }
    document.querySelectorAll("tbody tr:nth-child(n + 9)").forEach(row => row.remove());
}"""
STILL = "*, *::before, *::after { transition: none !important; animation: none !important; }"


def page_names() -> list[str]:
    """Pages of the table of contents and the two that Sphinx adds, as paths below the HTML folder without ending."""

    def files(entry: dict) -> list[str]:
        below = [child for key in ("chapters", "sections", "parts") for child in entry.get(key, ())]
        own = [entry[key] for key in ("root", "file") if key in entry]
        return [*own, *(name for child in below for name in files(child))]

    toc = yaml.safe_load((REPOSITORY / "_toc.yml").read_text(encoding="utf-8"))
    return [*files(toc), "search", "genindex"]


class Visit(NamedTuple):
    """What one page did in the browser."""

    requests: set[str]
    messages: list[str]
    faults: list[str]
    overflow: int
    wide: list[str]
    height: int
    images: list[str]


@pytest.fixture(scope="module")
def chromium(built_book):
    """A browser without window; where there is none tests are skipped, but not in continuous integration."""
    path = browser()
    if path is None:
        reason = "Chromium is not installed (Debian: apt-get install chromium)"
        pytest.fail(reason) if os.environ.get("CI") == "true" else pytest.skip(reason)
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=path, args=list(QUIET))
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def visits(chromium, built_book) -> dict[str, Visit]:
    """Each page of the book, visited."""
    from axe_playwright_python.base import AXE_SCRIPT

    context = chromium.new_context(viewport={"width": 1280, "height": 800}, color_scheme="light")
    visited = {name: visit(context, built_book / f"{name}.html", AXE_SCRIPT) for name in page_names()}
    context.close()
    return visited


def visit(context, path: Path, axe: str) -> Visit:
    """Open a page, with all opened on a screen of 375 px too, then see it by axe-core in light and dark."""
    page = context.new_page()
    requests, messages = set(), []
    page.on("request", lambda request: requests.add(request.url))
    page.on("requestfailed", lambda request: messages.append(f"failed: {request.url}"))
    page.on("pageerror", lambda error: messages.append(f"error: {error}"))
    page.on("console", lambda message: messages.append(message.text) if message.type == "error" else None)
    page.goto(path.as_uri())
    page.add_style_tag(content=STILL)
    height = page.evaluate("document.documentElement.scrollHeight")
    page.evaluate("document.querySelectorAll('details').forEach(part => part.open = true)")
    wide = page.evaluate(
        "[...document.querySelectorAll('.cmcsl-table')]"
        ".filter(table => table.scrollWidth > table.clientWidth).map(table => table.ariaLabel)"
    )
    page.set_viewport_size({"width": 375, "height": 800})
    overflow = page.evaluate("document.documentElement.scrollWidth - innerWidth")
    images = page.evaluate(
        "[...document.querySelectorAll('article img')]"
        ".filter(image => !image.closest('a')?.innerText).map(image => image.alt)"
    )
    page.set_viewport_size({"width": 1280, "height": 800})
    page.evaluate(WITHOUT_REPETITIONS)
    page.evaluate(axe)
    faults = []
    for scheme, rules in (("light", "undefined"), ("dark", "['color-contrast']")):
        page.emulate_media(color_scheme=scheme)
        # Files may not be read by scripts, so that axe-core is told not to try.
        result = page.evaluate(f"axe.run({{runOnly: {rules}, preload: false, resultTypes: ['violations']}})")
        faults += [
            f"{scheme}: {fault['id']}: {node['html'][:200]}"
            for fault in result["violations"]
            if fault["impact"] in FAULTS
            for node in fault["nodes"]
        ]
    page.close()
    return Visit(requests, messages, faults, overflow, wide, height, images)


def faulty(visits: dict[str, Visit], faults) -> dict[str, object]:
    """Faults by page, of those pages that have some."""
    return {name: value for name, visited in visits.items() if (value := faults(visited))}


def local(url: str) -> Path:
    return Path(unquote(urlsplit(url).path))


def test_no_request_leaves_a_page(visits):
    assert visits and all(visited.requests for visited in visits.values())
    assert not faulty(
        visits, lambda visited: [url for url in visited.requests if urlsplit(url).scheme not in ("file", "data")]
    )


def test_every_file_that_a_page_loads_is_part_of_the_book(visits, built_book):
    def outside(visited: Visit) -> list[str]:
        files = [local(url) for url in visited.requests if url.startswith("file:")]
        return [str(path) for path in files if not path.is_file() or not path.is_relative_to(built_book)]

    assert not faulty(visits, outside)


def test_the_console_stays_silent(visits):
    assert not faulty(visits, lambda visited: visited.messages)


def test_axe_finds_no_serious_fault_in_light_and_dark(visits):
    assert not faulty(visits, lambda visited: visited.faults)


def test_no_page_scrolls_sideways_on_a_narrow_screen(visits):
    assert not faulty(visits, lambda visited: max(visited.overflow, 0))


def test_no_table_scrolls_sideways_on_a_wide_screen(visits):
    assert not faulty(visits, lambda visited: visited.wide)


def test_the_simulation_leaves_most_of_its_figures_to_an_appendix(visits):
    assert visits["book/notebooks/15_simulation"].height < 7_500


def test_images_have_a_text_alternative_that_says_something(visits):
    assert sum(len(visited.images) for visited in visits.values()) > 10
    assert not faulty(visits, lambda visited: [alt for alt in visited.images if len(alt) < 20 or "_images" in alt])


def test_pages_are_light(visits):
    def weight(visited: Visit) -> int:
        return sum(local(url).stat().st_size for url in visited.requests if url.startswith("file:"))

    def most(name: str) -> int:
        return MAX_INTERACTIVE_WEIGHT if any(part in name for part in INTERACTIVE) else MAX_WEIGHT

    weights = {name: weight(visited) for name, visited in visits.items()}
    assert min(weights.values()) > 100_000
    assert not {name: heavy for name, heavy in weights.items() if heavy > most(name)}


def test_search_finds_a_page_without_a_server(chromium, built_book):
    page = chromium.new_page()
    messages = []
    page.on("console", lambda message: messages.append(message.text) if message.type == "error" else None)
    page.goto((built_book / "book" / "index.html").as_uri())
    page.keyboard.press("Control+k")
    page.keyboard.type("bibliography")
    page.keyboard.press("Enter")
    page.wait_for_selector("ul.search li a")
    assert "Bibliography" in page.locator("ul.search").inner_text()
    assert not messages
    page.close()


def test_results_of_a_search_show_the_words_around(chromium, built_book):
    page = chromium.new_page()
    messages = []
    page.on("console", lambda message: messages.append(message.text) if message.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: messages.append(str(error)))
    page.goto((built_book / "search.html").as_uri() + "?q=temperature")
    page.wait_for_selector("ul.search li p.context")
    page.wait_for_function("document.querySelector('#search-results').innerText.includes('finished')")
    contexts = page.locator("ul.search li p.context").all_inner_texts()
    assert len(contexts) > 1 and all("temperature" in context.lower() for context in contexts)
    assert not messages
    page.close()


def test_words_of_a_search_are_marked_on_pages_with_drawings(chromium, built_book):
    page = chromium.new_page()
    messages = []
    page.on("pageerror", lambda error: messages.append(str(error)))
    page.goto((built_book / "search.html").as_uri() + "?q=trained")
    page.wait_for_selector("ul.search li a")
    page.goto((built_book / "book" / "index.html").as_uri())
    page.wait_for_selector("span.highlighted")
    assert not messages
    page.close()


def test_every_internal_link_and_anchor_is_there(built_book):
    pages = {
        path: BeautifulSoup(path.read_bytes(), "html.parser")
        for path in built_book.rglob("*.html")
        if "_static" not in path.parts
    }
    anchors = {path: {tag["id"] for tag in page.find_all(id=True)} for path, page in pages.items()}
    broken, seen = [], 0
    for path, page in pages.items():
        for href in {tag["href"] for tag in page.find_all("a", href=True)}:
            parts = urlsplit(href)
            if parts.scheme or parts.netloc:
                continue
            seen += 1
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            if not target.is_file() or (parts.fragment and unquote(parts.fragment) not in anchors[target]):
                broken.append(f"{path.relative_to(built_book)}: {href}")
    assert seen > 100 and not broken


def test_each_executed_notebook_can_be_downloaded_as_run(built_book):
    from cmcsl_lib.book.pages import pages

    for page in pages():
        html = (built_book / page.output.relative_to(REPOSITORY)).with_suffix(".html")
        links = [
            tag["href"]
            for tag in BeautifulSoup(html.read_bytes(), "html.parser").find_all("a", href=True)
            if tag["href"].endswith(".ipynb")
        ]
        assert [(html.parent / link).resolve().read_bytes() for link in links] == [page.output.read_bytes()]


BAD_PAGE = """<!doctype html><html lang="en"><head><title>Bad</title></head><body><main><article>
<h1>Bad</h1><img src="https://example.invalid/out.png" alt="out"><script>undefined_function()</script>
<p style="color: #999; background: #fff">Pale.</p><div style="width: 900px">Wide.</div>
<div class="cmcsl-table" aria-label="Cut" style="overflow: auto; width: 9px">Words</div>
</article></main></body></html>"""


def test_a_bad_page_would_be_noticed(chromium, tmp_path):
    from axe_playwright_python.base import AXE_SCRIPT

    (tmp_path / "bad.html").write_text(BAD_PAGE, encoding="utf-8")
    context = chromium.new_context(viewport={"width": 1280, "height": 800})
    seen = visit(context, tmp_path / "bad.html", AXE_SCRIPT)
    context.close()
    assert "https://example.invalid/out.png" in seen.requests
    assert any("undefined_function" in text for text in seen.messages)
    assert any("color-contrast" in text for text in seen.faults)
    assert seen.overflow > 400 and seen.wide == ["Cut"] and seen.images == ["out"]


def preview(page):
    """What stands beside a link now: the text of the preview, or None."""
    card = page.locator("#cmcsl-preview")
    return card.inner_text() if card.is_visible() else None


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 375)])
def test_links_show_what_they_lead_to_on_hover_and_focus_until_escape(chromium, built_book, scheme, width):
    from axe_playwright_python.base import AXE_SCRIPT

    context = chromium.new_context(viewport={"width": width, "height": 800}, color_scheme=scheme)
    page = context.new_page()
    page.goto((built_book / "book" / "index.html").as_uri())
    page.add_style_tag(content=STILL)
    card = page.locator("#cmcsl-preview")
    citation = page.locator("article a[href*='bibliography.html#']").first
    citation.hover()
    card.wait_for()
    assert "Cross-modality clustering" in preview(page) and citation.get_attribute("title") is None
    # The pointer may go to the words, and they stay.
    card.hover()
    page.wait_for_timeout(400)
    assert preview(page)
    box, (right, bottom) = card.bounding_box(), page.evaluate("[innerWidth, innerHeight]")
    assert box["x"] >= 0 and box["x"] + box["width"] <= right and box["y"] >= 0 and box["y"] + box["height"] <= bottom
    page.evaluate(AXE_SCRIPT)
    result = page.evaluate("axe.run({preload: false, resultTypes: ['violations']})")
    assert not [fault for fault in result["violations"] if fault["impact"] in FAULTS]
    page.keyboard.press("Escape")
    assert preview(page) is None
    page.mouse.move(0, 0)
    # By keys: the link after the citation leads to a page, whose answer it shows.
    citation.focus()
    page.keyboard.press("Tab")
    link = page.locator("a:focus")
    assert link.get_attribute("aria-describedby") == "cmcsl-preview"
    assert preview(page).startswith("Method: Algorithm 1") and "nearest seed" in preview(page)
    page.keyboard.press("Escape")
    assert preview(page) is None and link.get_attribute("aria-describedby") is None
    page.keyboard.press("Tab")
    assert preview(page).startswith("Explorer")
    page.keyboard.press("Shift+Tab")
    assert preview(page).startswith("Method")
    context.close()


def test_the_summary_prints_on_one_side(chromium, built_book, tmp_path):
    page = chromium.new_page()
    page.goto((built_book / "book" / "summary.html").as_uri())
    printed = page.pdf(format="A4", prefer_css_page_size=True)
    page.close()
    # Chromium writes the objects of pages uncompressed.
    assert len(re.findall(rb"/Type\s*/Page\b(?!s)", printed)) == 1
