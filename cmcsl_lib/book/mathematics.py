"""A Sphinx extension: formulas become MathML as the book is built, which browsers show without any script."""

import re

from docutils import nodes
from math_core import LatexError, LatexToMathML
from sphinx.application import Sphinx
from sphinx.errors import SphinxError
from sphinx.util.math import get_node_equation_number
from sphinx.writers.html5 import HTML5Translator

CONVERTER = LatexToMathML(fancy_error=False)
#: Environments that would number their lines themselves.
NUMBERED = re.compile(r"\\(begin|end)\{(align|equation|gather|multline)\}")


def mathml(latex: str, display: bool = False) -> str:
    """A formula as MathML, in a line or displayed by itself.

    Several displayed lines without an environment are aligned, as Sphinx does with MathJax.
    """
    formula = NUMBERED.sub(r"\\\1{\2*}", latex.strip())
    if display and r"\\" in formula and r"\begin" not in formula:
        formula = rf"\begin{{aligned}}{formula}\end{{aligned}}"
    try:
        return CONVERTER.convert_with_local_state(formula, displaystyle=display)
    except LatexError as error:
        raise SphinxError(f"The formula {latex!r} can't be shown: {error}") from None


def visit_math(self: HTML5Translator, node: nodes.math) -> None:
    """Write a formula in a line."""
    self.body.append(mathml(node.astext()))
    raise nodes.SkipNode


def visit_math_block(self: HTML5Translator, node: nodes.math_block) -> None:
    """Write a formula by itself, with its number if it has one; too wide, it scrolls within itself."""
    self.body.append(self.starttag(node, "div", CLASS="formula"))
    self.body.append(f'<div class="formula-body">{mathml(node.astext(), display=True)}</div>')
    if node["number"]:
        self.body.append(f'<span class="eqno">({get_node_equation_number(self, node)})')
        self.add_permalink_ref(node, "Link to this equation")
        self.body.append("</span>")
    self.body.append("</div>\n")
    raise nodes.SkipNode


def setup(app: Sphinx) -> dict[str, bool]:
    """What Sphinx calls."""
    app.add_html_math_renderer("mathml", (visit_math, None), (visit_math_block, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
