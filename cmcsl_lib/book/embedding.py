"""Parts of a page that a script draws: their data, styles and scripts stand inside the page, in little room."""

import base64
import io
import json
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from IPython.display import HTML

from ..corpora.pictures import decoded

#: Width and height of a picture in a page, in pixels.
SIDE = 96
#: Quality of WebP, of 100, as Pillow has it by default.
QUALITY = 80


def embedded(name: str, role: str, data: dict, style: Path, scripts: Sequence[Path], call: str) -> HTML:
    """A part of a page that a script draws, with all that it needs inside.

    Parameters
    ----------
    name : str
        Identifier of its element; that of the data ends in ``-data``.
    role : str
        Class of the element.
    data : dict
        JSON values.
    style, scripts : Path, sequence of Path
        Files of CSS and JavaScript.
    call : str
        The function that draws it; it is given the name.

    Returns
    -------
    IPython.display.HTML
        Needs neither server nor network.
    """
    # "</script>" in a text would end the element that holds the data, "<!--<script>" would keep it from ending.
    text = json.dumps(data, separators=(",", ":"), ensure_ascii=False).replace("<", "\\u003c")
    code = "".join(script.read_text(encoding="utf-8") for script in scripts)
    return HTML(
        f'<style>{style.read_text(encoding="utf-8")}</style><div class="{role}" id="{name}">'
        f'<p>This plot needs JavaScript.</p></div><script type="application/json" id="{name}-data">{text}</script>'
        f'<script>{code}{call}("{name}");</script>'
    )


def packed(numbers: np.ndarray, *, differences: bool = False) -> str:
    """Whole numbers for a page, which `packing.js` reads.

    Parameters
    ----------
    numbers : ndarray of int
        From 0 to 65535; read row after row.
    differences : bool
        Whether each number's difference to the one before it is written, which takes less room where neighbours are
        alike.

    Returns
    -------
    str
        Base64 of a zlib stream: of every number the higher byte, then of every number the lower one.
    """
    flat = np.ravel(numbers).astype(np.int64)
    if differences:
        flat = np.diff(flat, prepend=0) % 2**16
    planes = np.stack([flat // 2**8, flat % 2**8]).astype(np.uint8)
    return base64.b64encode(zlib.compress(planes.tobytes(), 9)).decode()


def thumbnail(content: object, side: int = SIDE, quality: int = QUALITY) -> str:
    """A picture for a page, made smaller if it is large.

    Parameters
    ----------
    content : object
        Bytes of a picture's file; anything else where an item has none.
    side : int
        Most pixels in either direction.
    quality : int
        Of what is made smaller, 0 to 100.

    Returns
    -------
    str
        WebP in base64; empty without a picture.
    """
    if not isinstance(content, bytes):
        return ""
    image = decoded(content)
    if max(image.size) > side or content[8:12] != b"WEBP":
        image.thumbnail((side, side))
        small = io.BytesIO()
        image.save(small, "WEBP", quality=quality, method=6)
        content = small.getvalue()
    return base64.b64encode(content).decode()
