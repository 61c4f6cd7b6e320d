"""A renderer for MyST-NB: figures that notebooks show with a caption become numbered figures of the book."""

from bs4 import BeautifulSoup
from docutils import nodes
from myst_nb.core.render import MimeData, MimeRenderPlugin, NbElementRenderer

from .display import FIGURE, PICTURES


class FigureOutput(MimeRenderPlugin):
    """What pyproject.toml names as a renderer."""

    @staticmethod
    def handle_mime(renderer: NbElementRenderer, data: MimeData, inline: bool) -> list[nodes.Element] | None:
        """Make a figure with its caption, and below it the links; other outputs are left to MyST-NB."""
        if inline or data.mime_type != "text/html" or not data.string.startswith(FIGURE):
            return None
        html = BeautifulSoup(data.string, "html.parser")
        drawing, caption, links = html.select("img, figcaption, figcaption > span")
        png = str(drawing["src"]).removeprefix("data:image/png;base64,")
        (image,) = renderer.render_image(MimeData("image/png", png, line=data.line))
        image["alt"] = drawing["alt"]
        links.extract()
        figure = nodes.figure("", image, nodes.caption("", caption.get_text()))
        if PICTURES in (drawing.get("class") or ()):
            figure["classes"].append(PICTURES)
        return [figure, nodes.raw("", f'<p class="cmcsl-files">{links.decode_contents()}</p>', format="html")]
