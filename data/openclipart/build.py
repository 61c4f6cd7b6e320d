"""Build ``openclipart.parquet`` from the unpacked Debian packages openclipart-png and openclipart-svg.

Run ``python data/openclipart/build.py UNPACKED_FOLDER``; README.md beside this file tells how to get the
folder, what each rule is for, and what the result holds. The same packages and library versions give the
same bytes.
"""

import argparse
import hashlib
import html
import io
import re
from collections import Counter
from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from cmcsl_lib.files.errors import CmcslError
from cmcsl_lib.files.paths import written_whole

#: The 28 labels and the keywords and folder names that give them. The library has no fixed classes: each
#: uploader chose keywords freely, so synonyms and the best-filled subtopics are gathered under one label.
#: The same words are taken out of every text, since otherwise the text would state the class.
LABELS = {
    "animal": (
        "animal",
        "mammal",
        "bird",
        "insect",
        "bugs",
        "fish",
        "dinosaur",
        "dog",
        "cat",
        "amphibian",
        "reptile",
    ),
    "building": ("building", "house", "home", "city", "furniture", "church"),
    "button": ("button", "led"),
    "clothing": ("clothing", "hat", "footwear"),
    "computer": (
        "computer",
        "hardware",
        "network",
        "networksym",
        "desktop",
        "internet",
        "pc",
        "laptop",
    ),
    "drink": ("drink", "beverage", "alcohol"),
    "electronics": (
        "electronics",
        "electronic",
        "electricity",
        "device",
        "tv",
        "telephone",
        "phone",
        "battery",
        "bulb",
        "cellular",
        "satellite",
    ),
    "flag": ("flag", "signalflag"),
    "food": (
        "food",
        "fruit",
        "dessert",
        "icecream",
        "vegetable",
        "protein",
        "carbohydrate",
        "dairy",
        "meats and eggs",
        "breads and carbs",
    ),
    "game": ("game", "card", "chess", "dice", "toy"),
    "holiday": (
        "holiday",
        "christmas",
        "xmas",
        "easter",
        "valentine",
        "halloween",
        "thanksgiving",
        "festive",
        "party",
    ),
    "map": ("map", "geography", "coastline"),
    "mapsym": ("mapsym", "map symbol", "aiga symbol"),
    "music": ("music", "musicstuff", "instrument"),
    "office": ("office", "education", "book", "study", "school"),
    "pattern": ("pattern", "decoration"),
    "people": ("people", "person", "woman", "women", "man", "men", "bodypart", "face", "stickmen"),
    "plant": ("plant", "tree", "flower", "evergreen"),
    "religion": ("religion", "christianity"),
    "roadsign": ("roadsign", "road sign", "warning", "caution"),
    "science": ("science", "medicine"),
    "shape": ("shape", "arrow", "arrowshape", "callout", "jigsaw", "flowchart", "geometry"),
    "smiley": ("smiley", "smilie"),
    "space": ("space", "astronomy", "planet", "star"),
    "sport": ("sport", "baseball", "football", "soccer", "yoga"),
    "tool": ("tool", "work", "equipment", "weapon", "gun"),
    "transport": (
        "transport",
        "transportation",
        "vehicle",
        "car",
        "boat",
        "boating",
        "sailing",
        "aircraft",
        "airplane",
        "train",
    ),
    "weather": ("weather", "weathersym", "cloud", "sun", "moon", "lightning"),
}

#: Folders of bare building material (gradients, star polygons, icon themes) and of copies.
SKIPPED_FOLDERS = re.compile(r"shapes/stars|computer/icons|unsorted/duplicates|special/gradients")
#: Keywords that sort or advertise, and say nothing about the drawing.
EMPTY_KEYWORDS = re.compile(
    r"hash.*|unsorted|special|signs and symbols|symbols?|signs?|icons?|recreation|webpage|menu|entertainment"
    r"|containers|svg|open ?clip ?art|clip ?art|magick|theme|work|architetto francesco rollandin"
)
#: Phrases about the file, its uploader or its licence instead of the drawing.
BOILERPLATE = re.compile(
    r"clip-?art by [\w ]+? - |this work is dedicated to the|public domain\.?|\bsvg\b|eps converted from"
    r"|by alan horkan,? 2004\.?"
)
ADDRESS = re.compile(r"\S+@\S+|\S+://\S+|\bwww\.\S+")

#: The largest drawing of the packages has 623 million pixels; Pillow takes that for an attack by default.
Image.MAX_IMAGE_PIXELS = 700_000_000

SIDE = 96
WEBP_QUALITY = 80
ITEMS_PER_TEXT = 3
NAMESPACES = {
    "cc": "http://web.resource.org/cc/",
    "dc": "http://purl.org/dc/elements/1.1/",
    "rdf": "http://www.w3.org/1999/02/22-rdf-syntax-ns#",
}
SCHEMA = pa.schema(
    {
        "source": pa.string(),
        "title": pa.string(),
        "creator": pa.string(),
        "text": pa.string(),
        "labels": pa.list_(pa.string()),
        "image": pa.binary(),
    }
)


def forms(word: str) -> set[str]:
    """`word` with its regular English plurals."""
    return {word, word + "s", word + "es"} | ({word[:-1] + "ies"} if word.endswith("y") else set())


LABEL_OF_WORD = {form: label for label, words in LABELS.items() for word in words for form in forms(word)}
LABEL_WORDS = re.compile(
    r"\b(?:" + "|".join(sorted(map(re.escape, LABEL_OF_WORD), key=lambda word: (-len(word), word))) + r")\b"
)


def read_metadata(svg: bytes) -> dict | None:
    """Title, description, keywords, creator and licence in the RDF block of an SVG file, None if unreadable.

    The block is cut out before it is parsed: many files are not well-formed elsewhere, and a block without
    a document type cannot declare entities, so the parser expands nothing.
    """
    block = re.search(rb"<cc:Work\b.*?</cc:Work>", svg, re.DOTALL)
    if block is None:
        return None
    declarations = "".join(f' xmlns:{prefix}="{uri}"' for prefix, uri in NAMESPACES.items())
    try:
        work = ET.fromstring(b"<root%s>%s</root>" % (declarations.encode(), block.group()))[0]
    except ET.ParseError:
        return None

    def text(path: str) -> str:
        return " ".join((work.findtext(path, "", NAMESPACES) or "").split())

    licence = work.find("cc:license", NAMESPACES)
    return {
        "title": text("dc:title"),
        "description": text("dc:description"),
        "creator": text("dc:creator/cc:Agent/dc:title"),
        "keywords": [item.text for item in work.iterfind("dc:subject//rdf:li", NAMESPACES) if item.text],
        "licence": "" if licence is None else licence.get(f"{{{NAMESPACES['rdf']}}}resource", ""),
    }


def plain(text: str) -> str:
    """Lower-case words of `text` without markup, addresses, boilerplate, digits and punctuation."""
    text = re.sub(r"<[^>]*>", " ", text).lower()
    text = BOILERPLATE.sub(" ", ADDRESS.sub(" ", text))
    return " ".join(re.findall(r"[^\W\d_]+", text))


def without_addresses(name: str) -> str:
    """A title or a creator's name without e-mail and web addresses.

    Creators must stay told apart and named: one who gave nothing but an address keeps the name within it.
    """
    name = html.unescape(name)
    bare = " ".join(ADDRESS.sub(" ", re.sub(r"(?i)\(?\be-?mail:", " ", name)).split()).strip(" ,-")
    return bare or re.sub(r"^(?:\w+:)?(?://)?(?:www\.)?|@.*", "", name)


def file_words(source: str, creator: str, known: str) -> str:
    """Words of the file name that `known` lacks; uploads carry the creator's name, often cut short, in it."""
    names = re.findall(r"[^\W\d_]+", creator.lower())
    words = re.findall(r"[^\W\d_]+", source.rsplit("/", 1)[-1].lower())
    return " ".join(
        word
        for word in words
        if not any(other.startswith(word) for other in known.split())
        and not any(name.startswith(word) or (len(name) > 3 and word.startswith(name)) for name in names)
    )


def make_text(source: str, metadata: dict, keywords: list[str]) -> str:
    """Title, description, file name and free keywords, joined with ". ", without any word of `LABELS`."""
    title, description = plain(metadata["title"]), plain(metadata["description"])
    segments = [title] + ([description] if description != title else [])
    segments.append(file_words(source, metadata["creator"], " ".join(segments)))
    said = " ".join(segments)
    free = [word for word in keywords if word not in LABEL_OF_WORD and not EMPTY_KEYWORDS.fullmatch(word)]
    segments.append(" ".join(plain(word) for word in free if word not in said))
    kept = (" ".join(w for w in LABEL_WORDS.sub(" ", segment).split() if len(w) > 1) for segment in segments)
    return ". ".join(segment for segment in kept if segment)


def draw(path: Path) -> tuple[bytes, bytes] | None:
    """WebP image of a PNG file on a white square of `SIDE` pixels, and its fingerprint; None if near-blank.

    The fingerprint joins a difference hash (16 x 16 signs of horizontal differences of brightness) and
    four coarse colours: equal fingerprints mean the same drawing at another size.
    """
    with Image.open(path) as opened:
        opened.thumbnail((512, 512))
        picture = opened.convert("RGBA")
    side = max(picture.size)
    square = Image.new("RGBA", (side, side), "white")
    square.alpha_composite(picture, ((side - picture.width) // 2, (side - picture.height) // 2))
    image = square.convert("RGB").resize((SIDE, SIDE), Image.Resampling.LANCZOS)
    grey = np.asarray(image.convert("L"), int)
    if (abs(grey - np.median(grey)) > 16).mean() < 0.005:
        return None
    small = np.asarray(image.convert("L").resize((17, 16)), int)
    colours = np.asarray(image.resize((2, 2))) // 24
    fingerprint = np.packbits(small[:, 1:] > small[:, :-1]).tobytes() + colours.tobytes()
    stored = io.BytesIO()
    image.save(stored, "WEBP", quality=WEBP_QUALITY, method=6)
    return stored.getvalue(), fingerprint


def keyword_labels(source: str, keywords: list[str]) -> list[str]:
    """Labels that the keywords and the folder names of an item give, sorted."""
    folders = [part.replace("_", " ") for part in source.split("/")[:-1]]
    return sorted({LABEL_OF_WORD[word] for word in (*keywords, *folders) if word in LABEL_OF_WORD})


def read_items(root: Path) -> pd.DataFrame:
    """One row per usable SVG file that has a drawing in PNG, sorted by source."""
    rows = []
    for svg in sorted((root / "svg").rglob("*.svg")):
        source = svg.relative_to(root / "svg").with_suffix("").as_posix()
        drawing = root / "png" / f"{source}.png"
        if SKIPPED_FOLDERS.search(source) or not drawing.is_file():
            continue
        metadata = read_metadata(svg.read_bytes())
        if metadata is None or "publicdomain" not in metadata["licence"].lower():
            continue
        keywords = list(dict.fromkeys(word.strip().lower().replace("_", " ") for word in metadata["keywords"]))
        labels = keyword_labels(source, keywords)
        text = make_text(source, metadata, keywords)
        drawn = draw(drawing) if labels and text else None
        if drawn is not None:
            image, fingerprint = drawn
            rows.append(
                {
                    "source": source,
                    "title": without_addresses(metadata["title"]),
                    "creator": without_addresses(metadata["creator"]),
                    "text": text,
                    "labels": labels,
                    "image": image,
                    "fingerprint": fingerprint,
                }
            )
    if not rows:
        raise CmcslError(f"No usable item lies below {root}: it must hold the folders svg and png of both packages.")
    return pd.DataFrame(rows).sort_values("source", ignore_index=True)


def merge_copies(items: pd.DataFrame) -> pd.DataFrame:
    """One row per drawing: the copy that says most, with the labels of all copies.

    The library files one drawing under several folders and keywords; which copy stays must not decide what
    the drawing shows.
    """
    labels = items.groupby("fingerprint").labels.agg(lambda sets: sorted(set().union(*sets)))
    longest_first = items.iloc[np.argsort(-items.text.str.len(), kind="stable")]
    kept = longest_first.drop_duplicates("fingerprint").sort_values("source", ignore_index=True)
    return kept.assign(labels=labels[kept.fingerprint].to_list()).drop(columns="fingerprint")


def build(unpacked: Path, output: Path) -> pd.DataFrame:
    """Write the corpus to `output` and return it.

    Parameters
    ----------
    unpacked : Path
        Folder that holds usr/share/openclipart of both packages.
    """
    items = read_items(unpacked / "usr" / "share" / "openclipart")
    items = merge_copies(items)
    items = items[items.groupby("text").cumcount() < ITEMS_PER_TEXT].reset_index(drop=True)
    with written_whole(output) as temporary:
        pq.write_table(
            pa.Table.from_pandas(items, SCHEMA, preserve_index=False),
            temporary,
            compression="zstd",
            compression_level=19,
        )
    return items


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("unpacked", type=Path, help="folder that both packages were unpacked to")
    parser.add_argument("--output", type=Path, default=Path(__file__).with_name("openclipart.parquet"))
    arguments = parser.parse_args()
    try:
        items = build(arguments.unpacked, arguments.output)
    except CmcslError as error:
        parser.exit(2, f"{error}\n")
    print(f"{len(items)} items, SHA-256 {hashlib.sha256(arguments.output.read_bytes()).hexdigest()}")
    for label, count in sorted(Counter(label for labels in items.labels for label in labels).items()):
        print(f"{label} {count}")


if __name__ == "__main__":
    main()
