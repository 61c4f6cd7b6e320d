"""A renderer for MyST-NB: figures that notebooks show with a caption become numbered figures of the book."""

from typing import ClassVar

from docutils import nodes
from myst_nb.core.render import MimeData, MimeRenderPlugin, NbElementRenderer

from .display import FIGURE_TYPE


class FigureOutput(MimeRenderPlugin):
    """What pyproject.toml names as a renderer."""

    mime_priority_overrides: ClassVar = [("*", FIGURE_TYPE, 1)]

    @staticmethod
    def handle_mime(renderer: NbElementRenderer, data: MimeData, inline: bool) -> list[nodes.Element] | None:
        """Make a figure with its caption, and below it the links; other outputs are left to MyST-NB."""
        if data.mime_type != FIGURE_TYPE or inline:
            return None
        image, = renderer.render_image(MimeData("image/png", data.content["png"], line=data.line))
        image["alt"] = data.content["alt"]
        figure = nodes.figure("", image, nodes.caption("", data.content["caption"]))
        links = nodes.raw("", f'<p class="cmcsl-files">{data.content["links"]}</p>', format="html")
        return [figure, links]
