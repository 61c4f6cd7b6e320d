"""A Sphinx extension: results of the search show the words around what was searched for.

Sphinx takes them from the pages that it has found, which browsers refuse where the book is opened as files. So the
words of all pages stand in a script, which book/_static/search.js hands to it.
"""

from docutils import nodes
from docutils.nodes import document
from sphinx.application import Sphinx

from .previews import write_constant

#: The script that holds them, among the book's static files, and the one that reads it.
DATA, SCRIPT = "search_data.js", "search.js"
#: Nodes whose words can be found.
BLOCKS = nodes.title | nodes.paragraph


class Words:
    """The words of the pages, gathered while they are written.

    Attributes
    ----------
    pages : dict of str to dict of str to str
        Words of each section by its id, of each page by its name.
    """

    def __init__(self) -> None:
        self.pages: dict[str, dict[str, str]] = {}

    def gather(self, app: Sphinx, doctree: document, docname: str) -> None:
        """Note the words of a page."""
        if app.builder.name == "html":
            self.pages[docname] = {section["ids"][0]: words(section) for section in doctree.findall(nodes.section)}

    def write(self, app: Sphinx, exception: Exception | None) -> None:
        """Write the words of all pages as a script."""
        write_constant(app, exception, DATA, "cmcslWords", self.pages)


def words(section: nodes.section) -> str:
    """Heading and paragraphs of a section, without those of the sections in it."""
    own = [child for child in section.children if not isinstance(child, nodes.section)]
    blocks = [block for child in own for block in child.findall(lambda node: isinstance(node, BLOCKS))]
    return " ".join(" ".join(map(without_formulas, blocks)).split())


def without_formulas(block: nodes.Element) -> str:
    """The words of a heading or paragraph; formulas would be LaTeX."""
    return "".join(text for text in block.findall(nodes.Text) if not isinstance(text.parent, nodes.math))


def load_words(app: Sphinx, pagename: str, templatename: str, context: dict, doctree: document | None) -> None:
    """Load the words where they are searched, and nowhere else."""
    if pagename == "search":
        app.add_js_file(DATA)
        app.add_js_file(SCRIPT)


def setup(app: Sphinx) -> dict[str, bool]:
    """What Sphinx calls."""
    gathered = Words()
    app.connect("doctree-resolved", gathered.gather)
    app.connect("html-page-context", load_words)
    app.connect("build-finished", gathered.write)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
