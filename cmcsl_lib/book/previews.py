"""A Sphinx extension: what the links of a page lead to is shown beside them (book/_static/previews.js).

A page that is opened as a file may not read other pages, so the words stand in a script that all pages load.
"""

import json
import posixpath
from collections.abc import Iterator
from pathlib import Path

from docutils import nodes
from docutils.nodes import document
from sphinx import addnodes
from sphinx.application import Sphinx

#: The script that holds them, among the book's static files.
DATA = "previews_data.js"
#: Characters of a preview, about six lines of it.
LONGEST = 420
#: How the answer of a page begins, which its preview leaves out.
ANSWER = "In short."


class Previews:
    """What links lead to, gathered while pages are written.

    Attributes
    ----------
    texts : dict of str to list of str
        Title and words, by the address of a page or of a place in it, as seen from the first folder of the book.
    linked : set of str
        Addresses that some page links to.
    """

    def __init__(self) -> None:
        self.texts: dict[str, list[str]] = {}
        self.linked: set[str] = set()

    def gather(self, app: Sphinx, doctree: document, docname: str) -> None:
        """Note the places of a page, and where its links lead."""
        if app.builder.name != "html":
            return
        page = app.builder.get_target_uri(docname)
        for name, title, words in places(doctree):
            self.texts[f"{page}#{name}" if name else page] = [title, shortened(words)]
        for link in doctree.findall(nodes.reference):
            path, _, anchor = (link.get("refuri") or f"#{link.get('refid')}").partition("#")
            target = posixpath.normpath(posixpath.join(posixpath.dirname(page), path)) if path else page
            self.linked.add(f"{target}#{anchor}" if anchor else target)

    def write(self, app: Sphinx, exception: Exception | None) -> None:
        """Write what is linked to as a script."""
        linked = {name: self.texts[name] for name in sorted(self.linked & self.texts.keys())}
        write_constant(app, exception, DATA, "cmcslPreviews", linked)


def write_constant(app: Sphinx, exception: Exception | None, script: str, name: str, value: dict) -> None:
    """Write a script that gives a constant to the scripts of the HTML pages, unless the build has failed."""
    if not exception and app.builder.name == "html":
        text = json.dumps(value, ensure_ascii=False, indent=0)
        Path(app.outdir, "_static", script).write_text(f'"use strict";\nconst {name} = {text};\n', encoding="utf-8")


def places(doctree: document) -> Iterator[tuple[str, str, str]]:
    """Id, title and first words of the places of a page that links may lead to; the page itself has no id."""
    sections = list(doctree.findall(nodes.section))
    if sections:
        yield "", title_of(sections[0]), answer(doctree) or first_words(sections[0])
    for section in sections:
        for name in section["ids"]:
            yield name, title_of(section), first_words(section)
    for cited in doctree.findall(lambda node: isinstance(node, nodes.citation | nodes.footnote)):
        for name in cited["ids"]:
            yield name, "", first_words(cited)
    for described in doctree.findall(addnodes.desc):
        for signature in described.findall(addnodes.desc_signature):
            for name in signature["ids"]:
                yield name, name, first_words(described[-1])


def title_of(section: nodes.section) -> str:
    """The heading of a section."""
    heading = section.next_node(nodes.title)
    return heading.astext() if heading else ""


def first_words(place: nodes.Element) -> str:
    """The first paragraph of a place, unless a formula is in it, which would be LaTeX."""
    for child in place.children:
        if isinstance(child, nodes.paragraph):
            return "" if child.next_node(nodes.math) else child.astext()
        if isinstance(child, nodes.section):
            break
    return ""


def answer(doctree: document) -> str:
    """The words of the box that a page opens with, or none."""
    for cell in doctree.findall(nodes.container):
        if "tag_answer" in cell["classes"]:
            box = cell.next_node(nodes.block_quote)
            return box.astext().removeprefix(ANSWER) if box else ""
    return ""


def shortened(text: str) -> str:
    """A text in one line, which ends with a word where it is too long."""
    text = " ".join(text.split())
    return text if len(text) <= LONGEST else text[:LONGEST].rpartition(" ")[0] + " …"


def setup(app: Sphinx) -> dict[str, bool]:
    """What Sphinx calls."""
    previews = Previews()
    app.connect("doctree-resolved", previews.gather)
    app.connect("build-finished", previews.write)
    # Before the book's own scripts, which read it.
    app.add_js_file(DATA)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
