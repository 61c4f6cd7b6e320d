"""Pictures of what goes in: items with their captions, and the scheme of the steps that they pass through."""

from collections.abc import Sequence
from textwrap import wrap

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.patches import FancyBboxPatch

from ..corpora import Corpus
from ..corpora.features import MODALITIES, Features
from ..corpora.pictures import decoded
from ..files.escaping import figure_safe

#: Steps of Figure 1, each with the left and the lower end of its box; the encoders are those of the features.
STEPS = {
    "20% of images,\nfor fine-tuning": (0.0, 0.78),
    "80% of images": (0.0, 0.44),
    "80% of texts": (0.0, 0.08),
    "{visual}": (2.3, 0.44),
    "{text}": (2.3, 0.08),
    "Images: L2STD,\nnearest seed": (4.6, 0.44),
    "Texts: L2STD,\nnearest seed": (4.6, 0.08),
    "Exchange:\nsmaller distance\ngives the label": (6.9, 0.26),
    "Classifier\nof images": (9.2, 0.44),
    "Classifier\nof texts": (9.2, 0.08),
}
#: Arrows between them, by their numbers.
ARROWS = ((0, 3), (1, 3), (2, 4), (3, 5), (4, 6), (5, 7), (6, 7), (7, 8), (7, 9))


def scheme(features: Features) -> pd.DataFrame:
    """Draw Figure 1 in our own way: from images and texts to one classifier per modality.

    Parameters
    ----------
    features : Features
        Name their encoders, unless they were made elsewhere.

    Returns
    -------
    DataFrame
        One row per arrow: from, to.
    """
    _, axes = plt.subplots(figsize=(10, 3.4))
    # A folder's name may hold what Matplotlib takes for mathematics.
    encoders = {
        name: figure_safe(features.metadata.get(name, {}).get("encoder", f"{name} encoder").removeprefix("all-"))
        + f"\n{X.shape[1]} features"
        for name, X in zip(MODALITIES, features.modalities, strict=True)
    }
    places, steps = list(STEPS.values()), [text.format(**encoders) for text in STEPS]
    for text, (x, y) in zip(steps, places, strict=True):
        axes.add_patch(FancyBboxPatch((x, y), 1.6, 0.2, boxstyle="round,pad=0.04", fc="#F2F2F2", ec="#444444"))
        axes.text(x + 0.8, y + 0.1, text, ha="center", va="center", fontsize=9)
    for start, end in ARROWS:
        (x0, y0), (x1, y1) = places[start], places[end]
        axes.annotate("", (x1 - 0.06, y1 + 0.1), (x0 + 1.66, y0 + 0.1), arrowprops={"arrowstyle": "->"})
    axes.set(xlim=(-0.1, 11), ylim=(0, 1.05))
    axes.axis("off")
    names = [" ".join(text.split()) for text in steps]
    return pd.DataFrame([(names[start], names[end]) for start, end in ARROWS], columns=["from", "to"])


def gallery(corpus: Corpus, ids: Sequence[str], captions: Sequence[str], columns: int = 6) -> pd.DataFrame:
    """Draw the images of items, line by line, with a caption below each.

    Parameters
    ----------
    corpus : Corpus
        Has images.
    ids : sequence of str
        Identifiers of items, at least one.
    captions : sequence of str
        One per item; long ones are cut.
    columns : int
        Images in a line.

    Returns
    -------
    DataFrame
        One row per image: id, caption.
    """
    images = corpus.items.set_index("id").image.loc[list(ids)]
    wrapped = [
        [short for line in caption.splitlines() for short in wrap(line, 16, max_lines=3, placeholder=" …")]
        for caption in captions
    ]
    lines = -(-len(images) // columns)
    # Inches: room for an image, and below it for the longest caption.
    side, gap = 1.7, 0.15 + 0.2 * max(map(len, wrapped))
    height = lines * (side + gap)
    room = {"left": 0, "right": 1, "bottom": gap / height, "top": 1, "wspace": 0.06, "hspace": gap / side}
    _, axes = plt.subplots(lines, columns, figsize=(1.8 * columns, height), squeeze=False, gridspec_kw=room)
    for place in axes.flat:
        place.axis("off")
        place.set_anchor("S")
    for place, content, caption in zip(axes.flat, images, wrapped, strict=False):
        place.imshow(decoded(content))
        place.set_title(figure_safe("\n".join(caption)), fontsize=12, y=-0.02, va="top", pad=0)
    return pd.DataFrame({"id": list(ids), "caption": list(captions)})
