"""A Sphinx extension: it refuses pages that are not up to date, completes pages, and adds launching and the PDF."""

import base64
import re
import shutil
from html import unescape
from pathlib import Path

import nbformat
from docutils import nodes
from docutils.nodes import document
from sphinx.application import Sphinx
from sphinx.config import Config
from sphinx.environment import BuildEnvironment
from sphinx.errors import ExtensionError
from sphinx_book_theme.header_buttons.launch import add_launch_buttons

from .display import LONG, framed
from .execution import BUILD
from .freshness import executed_page, stale
from .pages import EXECUTED
from .pdf import PDF

#: What the workflow that publishes the book puts on the branch that launch buttons open.
LAUNCH = BUILD / "launch"
#: First cell of a notebook there. Colab has the notebook alone; Binder and a clone have the library.
GET_LIBRARY = """\
import sys

if "google.colab" in sys.modules:
    !git clone --quiet --depth 1 {url} cmcsl
    %cd cmcsl
    %pip install --quiet --editable .[book]"""
#: A file that a link carries in its address.
CARRIED = re.compile(r'download="([\w.-]+)" href="data:(?:image/svg\+xml|text/csv);base64,([A-Za-z0-9+/=]+)"')
#: A figure's image, and the link to its drawing below.
WHOLE = re.compile(
    r'(<figure[^>]*>\s*)(<img [^>]*>)(?=(?:(?!<figure).)*?download="[\w.-]+\.svg" href="([^"]+)")', re.DOTALL
)
#: How pandas shows a table in a notebook; its own style and the count of its rows are left out.
PANDAS_TABLE = re.compile(
    r'<div>\s*<style scoped>.*?</style>\s*(<table [^>]*class="dataframe[^>]*>.*?</table>)\s*'
    r"(?:<p>[^<]*rows × [^<]*</p>\s*)?</div>",
    re.DOTALL,
)
#: How headings of folded sections begin, and what opens the fold.
APPENDIX = "Appendix"
FOLD = '<details class="cmcsl-appendix"><summary>Show the appendix</summary>'
#: What axe-core finds in the theme's and docutils' HTML, and what should stand there.
REPAIRS = {
    '<div role="list" class="citation-list">': '<div class="citation-list">',
    ' role="doc-biblioentry"': "",
}


def drop_dead_buttons(app: Sphinx, config: Config) -> None:
    """Without the address of the repository there is nothing to launch."""
    if not config.html_theme_options.get("repository_url"):
        for option in ("repository_url", "launch_buttons"):
            config.html_theme_options.pop(option, None)


def executed_notebooks(env: BuildEnvironment) -> dict[str, Path]:
    """Executed notebooks among the book's pages, by the name that Sphinx has for them, in reading order of names."""
    paths = {name: Path(env.doc2path(name)) for name in sorted(env.found_docs)}
    return {name: path for name, path in paths.items() if EXECUTED in path.parents}


def make_figures_countable(app: Sphinx, doctree: document) -> None:
    """Give figures without a name one, without which Sphinx does not number them."""
    for number, figure in enumerate(doctree.findall(nodes.figure), start=1):
        if not figure["ids"]:
            figure["ids"].append(f"figure-{number}")


def fold_appendices(app: Sphinx, doctree: document) -> None:
    """Fold what stands below headings that begin with *Appendix*, for those readers to open who look for it."""
    for section in list(doctree.findall(nodes.section)):
        if section[0].astext().startswith(APPENDIX):
            section.insert(1, nodes.raw("", FOLD, format="html"))
            section.append(nodes.raw("", "</details>", format="html"))


def refuse_stale(app: Sphinx, env: BuildEnvironment, docnames: list[str]) -> None:
    """Raise an error that lists the pages which are not up to date, each with what of it changed."""
    pages = map(executed_page, executed_notebooks(env).values())
    if changed := [f"  {page.name}: {', '.join(reasons)}" for page in pages if (reasons := stale(page))]:
        raise ExtensionError("\n".join(["These executed notebooks are not up to date; run `cmcsl book`:", *changed]))


def frame_table(match: re.Match[str]) -> str:
    """A table as pandas shows it, in the frame of the book's other tables."""
    table = match[1].replace("<th>", '<th scope="col">')
    heads = [text for text in re.findall("<th[^>]*>([^<]*)</th>", table) if text]
    # Names of columns may go on in the next line.
    table = re.sub("(?<=>)[^<]*(?=</th>)", lambda name: name[0].replace("_", "_<wbr>"), table)
    return framed(table, ", ".join(map(unescape, heads[:3])), long=table.count("<tr") > LONG)


def take_out(app: Sphinx, pagename: str, context: dict) -> None:
    """Write the files that a page carries in its links into ``_downloads/PAGE/``, and lead the links there.

    In an executed notebook the links of a figure hold its SVG and CSV, so that it works alone. In the book they would
    load with the page; files load only for readers who ask for them. A figure itself opens its SVG.
    """

    def beside(match: re.Match[str]) -> str:
        name, content = match.groups()
        below = f"_downloads/{pagename}/{name}"
        path = Path(app.outdir, below)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(base64.b64decode(content))
        return f'download="{name}" href="{context["pathto"](below, resource=True)}"'

    whole = r'\1<a class="cmcsl-whole" title="Open the whole figure" href="\3">\2</a>'
    context["body"] = WHOLE.sub(whole, CARRIED.sub(beside, context["body"]))


def complete_page(app: Sphinx, pagename: str, templatename: str, context: dict, doctree: document | None) -> None:
    """Repair a page's HTML and take out files; give the front page its badges and the link to the PDF."""
    for wrong, right in REPAIRS.items():
        context["body"] = context.get("body", "").replace(wrong, right)
    context["body"] = PANDAS_TABLE.sub(frame_table, context["body"])
    take_out(app, pagename, context)
    navigation = context.get("generate_toctree_html")
    if navigation:
        context["generate_toctree_html"] = lambda *arguments, **options: re.sub(
            "<summary>", '<summary aria-label="Pages of this chapter">', str(navigation(*arguments, **options))
        )
    if pagename == app.config.root_doc and app.builder.name == "html":
        links = [*badges(app, templatename, context), *pdf_link(context)]
        heading_end = f'</h1>\n<p class="cmcsl-launch">{" ".join(links)}</p>' if links else "</h1>"
        context["body"] = context["body"].replace("</h1>", heading_end, 1)


def badges(app: Sphinx, templatename: str, context: dict) -> list[str]:
    """Links that launch the first notebook of the book; none without the address of the repository."""
    first = next(iter(executed_notebooks(app.env)))
    groups: list[dict] = []
    launched = {"pagename": first, "sourcename": f"{first}.ipynb", "header_buttons": groups}
    add_launch_buttons(app, first, templatename, context | launched, None)
    return [
        f'<a class="cmcsl-badge" href="{button["url"]}"><img src="{context["pathto"](button["icon"], 1)}" alt="">'
        f"Open in {button['text']}</a>"
        for group in groups
        for button in group["buttons"]
    ]


def pdf_link(context: dict) -> list[str]:
    """A link to the book's PDF, if it was printed."""
    return [f'<a class="cmcsl-badge" href="{context["pathto"](PDF.name, 1)}">Whole book as PDF</a>'] * PDF.is_file()


def finish(app: Sphinx, exception: Exception | None) -> None:
    """Put the PDF beside the HTML, and write what launch buttons open."""
    if exception or app.builder.name != "html":
        return
    if PDF.is_file():
        shutil.copy(PDF, app.outdir)
    shutil.rmtree(LAUNCH, ignore_errors=True)
    if url := app.config.html_theme_options.get("repository_url"):
        for name, path in executed_notebooks(app.env).items():
            notebook = nbformat.read(path, as_version=4)
            cell = nbformat.v4.new_code_cell(GET_LIBRARY.format(url=url), id=f"{path.stem[:2]}-library")
            notebook.cells.insert(0, cell)
            copy = LAUNCH / f"{name}.ipynb"
            copy.parent.mkdir(parents=True, exist_ok=True)
            nbformat.write(notebook, copy)


def setup(app: Sphinx) -> dict[str, bool]:
    """What Sphinx calls."""
    app.connect("config-inited", drop_dead_buttons)
    app.connect("env-before-read-docs", refuse_stale)
    # Before Sphinx counts, as its environment collects.
    app.connect("doctree-read", make_figures_countable, priority=100)
    app.connect("doctree-read", fold_appendices)
    # After the theme, which has 501.
    app.connect("html-page-context", complete_page, priority=600)
    app.connect("build-finished", finish)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
