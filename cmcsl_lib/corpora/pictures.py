"""Bytes of a picture file, whoever made it, to an upright RGB image."""

import io
import re
import warnings
from typing import TYPE_CHECKING

import numpy as np

from ..files.errors import CmcslError

if TYPE_CHECKING:
    from PIL import Image

#: Formats that are read; others, such as EPS, start programs outside of Pillow.
FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF")
#: More pixels than any poster has; an image that claims more is not decoded.
MOST_PIXELS = 50_000_000
#: Pixels times scans of a JPEG: a progressive one has about ten scans, each of all pixels, a hostile one thousands.
MOST_SCANNED = 20 * MOST_PIXELS
#: Times as long as wide. The shorter side is made 256 pixels, of which a picture of a line would have millions.
LONGEST = 100
#: Of a JPEG: neither a coded byte of 255 nor a restart within a scan. A segment with its length follows.
NEXT_MARKER = re.compile(rb"\xff+([^\x00\xff\xd0-\xd7])")
SIXTEEN_BIT = ("I", "I;16", "I;16L", "I;16B", "I;16N")


def decoded(content: bytes) -> "Image.Image":
    """Decode a picture.

    Parameters
    ----------
    content : bytes
        A file in one of `FORMATS`.

    Returns
    -------
    Image
        Mode RGB, turned as its EXIF data say. Greyscale is repeated to three channels, 16 bits are cut to the upper
        8, palettes and CMYK are converted, and what is transparent is white.

    Raises
    ------
    CmcslError
        If it is no picture, is broken, has more than `MOST_PIXELS` pixels, is more than `LONGEST` times as long as
        wide, or has scans of more than `MOST_SCANNED` pixels; the message is a reason without the item's name.
    """
    from PIL import Image, ImageOps, UnidentifiedImageError

    try:
        with warnings.catch_warnings():
            # Pillow warns from 89 million pixels on, and of harmless damage in EXIF data.
            warnings.simplefilter("ignore")
            with Image.open(io.BytesIO(content), formats=FORMATS) as image:
                if image.width * image.height > MOST_PIXELS:
                    raise CmcslError("image of too many pixels")
                if max(image.size) > LONGEST * min(image.size):
                    raise CmcslError("image too long and narrow")
                if image.format in ("JPEG", "MPO") and _scans(content) * image.width * image.height > MOST_SCANNED:
                    raise CmcslError("image of too many scans")
                return _as_rgb(ImageOps.exif_transpose(image))
    except UnidentifiedImageError:
        raise CmcslError("not an image") from None
    except Image.DecompressionBombError:
        raise CmcslError("image of too many pixels") from None
    except CmcslError:
        raise
    # Decoders raise whatever the damage leads them to.
    except Exception:
        raise CmcslError("broken image") from None


def _scans(content: bytes) -> int:
    """Scans of a JPEG up to its end; not those of a preview in its metadata, nor of what follows it."""
    scans, position = 0, 2
    while (match := NEXT_MARKER.search(content, position)) and match[1] != b"\xd9":
        scans += match[1] == b"\xda"
        position = match.end() + int.from_bytes(content[match.end() : match.end() + 2])
    return scans


def _as_rgb(image: "Image.Image") -> "Image.Image":
    from PIL import Image

    if image.mode in SIXTEEN_BIT:
        upper = np.asarray(image, dtype=np.int64) >> 8
        return Image.fromarray(upper.clip(0, 255).astype(np.uint8)).convert("RGB")
    if image.has_transparency_data:
        seen = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", seen.size, "white"), seen).convert("RGB")
    return image.convert("RGB")
