"""Bytes of a picture file, whoever made it, to an upright RGB image."""

import io
import re
import warnings
from collections.abc import Callable
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
#: Goes up whenever the same bytes come to other pixels, so that images decoded before are decoded again.
DECODING = 2
INTEGERS = ("I", "I;16", "I;16L", "I;16B", "I;16N")
#: Bits of cameras and scanners, which files of wider numbers don't name; 14 would be taken for a dark picture of 16.
DEPTHS = (8, 10, 12, 16)
#: Pillow keeps the upper 8 of 16 bits of a color: of 12 bits only these remain.
UPPER_OF_TWELVE = 15
#: Bytes of a color profile or text in a PNG; Pillow's own bound of 1 MiB refuses whole pictures for them.
LONGEST_TEXT = 16 << 20
#: Lines of pixels that are converted together.
STRIP = 256


def decoded(content: bytes) -> "Image.Image":
    """Decode a picture.

    Parameters
    ----------
    content : bytes
        A file in one of `FORMATS`.

    Returns
    -------
    Image
        Mode RGB, turned as its EXIF data say. Greyscale is repeated to three channels, palettes and CMYK are
        converted, and what is transparent is white. Grey values in wider integers are cut to the upper 8 of as many
        bits of `DEPTHS` as the brightest one needs; floats from 0 to 1 or from 0 to 255 become 0 to 255.

    Raises
    ------
    CmcslError
        If it is no picture, is broken, has more than `MOST_PIXELS` pixels, is more than `LONGEST` times as long as
        wide, has scans of more than `MOST_SCANNED` pixels, or has values whose scale is unknown; the message is a
        reason without the item's name.
    """
    from PIL import Image, ImageOps, PngImagePlugin, UnidentifiedImageError

    PngImagePlugin.MAX_TEXT_CHUNK = max(PngImagePlugin.MAX_TEXT_CHUNK, LONGEST_TEXT)
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
                # Loading forgets how the file stores its values.
                sixteen_bit = ";16" in str(image.tile)
                # Where nothing is to be turned, that spares a copy.
                ImageOps.exif_transpose(image, in_place=True)
                return _as_rgb(image, sixteen_bit)
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


def _as_rgb(image: "Image.Image", sixteen_bit: bool) -> "Image.Image":
    from PIL import Image

    if image.mode == "F" or image.mode in INTEGERS:
        return Image.fromarray(_eight_bit(np.asarray(image))).convert("RGB")
    if sixteen_bit and np.max(image.convert("RGB").getextrema()) <= UPPER_OF_TWELVE:
        raise CmcslError("image of 12 bits or fewer in 16")
    if not image.has_transparency_data:
        return image.convert("RGB")
    # Strip by strip: whole, it would take the memory of five images.
    rgb = Image.new("RGB", image.size)
    for top in range(0, image.height, STRIP):
        seen = image.crop((0, top, image.width, min(top + STRIP, image.height))).convert("RGBA")
        rgb.paste(Image.alpha_composite(Image.new("RGBA", seen.size, "white"), seen).convert("RGB"), (0, top))
    return rgb


def _eight_bit(values: np.ndarray) -> np.ndarray:
    """Grey values on the scale that their range shows, as bytes; no guess where it shows none."""
    low, high = values.min(), values.max()
    if values.dtype.kind == "f":
        # NaN is in no range.
        if not (low >= 0 and high <= 255):
            raise CmcslError("image of floats beyond 0 to 255")
        scale = 255 if high <= 1 else 1
        return _by_strips(values, lambda strip: np.rint(strip * scale))
    if low < 0 or high >= 1 << DEPTHS[-1]:
        raise CmcslError("image of integers beyond 16 bits")
    depth = next(depth for depth in DEPTHS if high < 1 << depth)
    return _by_strips(values, lambda strip: strip >> (depth - 8))


def _by_strips(values: np.ndarray, scaled: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """Bytes of scaled values, without an array of these in their own width."""
    result = np.empty(values.shape, dtype=np.uint8)
    for top in range(0, len(values), STRIP):
        result[top : top + STRIP] = scaled(values[top : top + STRIP])
    return result
