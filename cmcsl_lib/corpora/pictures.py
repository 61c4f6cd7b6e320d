"""Bytes of a picture file, whoever made it, to an upright RGB image."""

import io
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
        If it is no picture, is broken, or has more than `MOST_PIXELS` pixels; the message is a reason without the
        item's name.
    """
    from PIL import Image, ImageOps, UnidentifiedImageError

    try:
        with warnings.catch_warnings():
            # Pillow warns from 89 million pixels on, and of harmless damage in EXIF data.
            warnings.simplefilter("ignore")
            with Image.open(io.BytesIO(content), formats=FORMATS) as image:
                if image.width * image.height > MOST_PIXELS:
                    raise CmcslError("image of too many pixels")
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


def _as_rgb(image: "Image.Image") -> "Image.Image":
    from PIL import Image

    if image.mode in SIXTEEN_BIT:
        upper = np.asarray(image, dtype=np.int64) >> 8
        return Image.fromarray(upper.clip(0, 255).astype(np.uint8)).convert("RGB")
    if image.has_transparency_data:
        seen = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", seen.size, "white"), seen).convert("RGB")
    return image.convert("RGB")
