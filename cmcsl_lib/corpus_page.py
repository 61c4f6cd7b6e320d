"""What the pages on corpora, items and encoders show, and sentences where a corpus lacks something."""

import numpy as np
import pandas as pd
from IPython.display import Markdown, display

from . import facts
from .corpora import Corpus, Subset, openclipart
from .features import Features
from .figures import PageFigure, gallery, training_curves
from .sensitivity import overlap, shared_items


def about_corpus(corpus: Corpus) -> str:
    """A corpus in sentences: what its items are, how many there are and how many labels."""
    told = f"{openclipart.ABOUT} " if corpus.name == "openclipart" else ""
    without = int((corpus.items.labels.str.len() == 0).sum())
    rest = f" {without} items have none, and no experiment uses them." if without else ""
    return f"{told}{facts.about_items(corpus)}{rest}"


def about_extraction(corpus: Corpus) -> str | None:
    """The encoders and the split of a corpus in sentences; None if its features were made elsewhere."""
    return f"{facts.about_encoders()} {facts.about_split(corpus)}" if corpus.has_images else None


def limits(corpus: Corpus, names: list[str] | str | None = None) -> str:
    """A Markdown list of what numbers from a corpus can't tell.

    Parameters
    ----------
    names : list of str or str, optional
        Datasets; default: all.
    """
    told = [facts.about_creators(corpus.name, names),
            f"- **Shared items.** {overlap(shared_items(corpus, names))} A method that is better in many datasets has "
            "not been confirmed as many times independently."]
    if corpus.name == "openclipart":
        told.append(openclipart.LIMIT)
    if corpus.has_images:
        told.append("- **One split** of the items into those that train the visual encoder and the rest, and one "
                    "training of each encoder; [Sensitivity](11_sensitivity.ipynb) tries others.")
    return "\n".join(filter(None, told))


def note_absent_images(corpus: Corpus) -> None:
    """A sentence on the page if a corpus has no images, but only features that were made elsewhere."""
    if not corpus.has_images:
        _note(f"The corpus {corpus.name} has no images and texts: its features were made elsewhere.")


def example_rows(rows: int, count: int = 12) -> np.ndarray:
    """Numbers of rows at equal steps through a list of that many."""
    return np.arange(0, rows, max(1, rows // count))[:count]


def settings_table(features: Features) -> pd.DataFrame | None:
    """What the encoders were run with, one row per setting; None, and a sentence, where that is not known."""
    settings = features.metadata.get("settings", {})
    if not settings:
        return _note(f"The features of {features.corpus} do not tell what they were made with.")
    return pd.Series(settings, name="value").rename_axis("setting").map(str).to_frame()


def pooled_curve(features: Features) -> PageFigure | None:
    """Loss of the training that the visual encoder starts from; None, and a sentence, if there was none."""
    losses = features.metadata.get("visual", {}).get("pooled_loss")
    if not losses:
        return _note(f"There was no training on the fine-tuning items of the whole corpus {features.corpus}.")
    return training_curves({"all fine-tuning items": losses}, "Start: one training on the pooled 20%")


def finetuning_curves(chosen: dict[str, Features]) -> PageFigure | None:
    """Loss of each dataset's fine-tuning; None, and a sentence, if there was none."""
    losses = {name: its.metadata.get("visual", {}).get("finetuning_loss") for name, its in chosen.items()}
    if bare := [name for name, values in losses.items() if not values]:
        _note(f"The visual encoder was not fine-tuned for {', '.join(bare)}.")
    there = {name: values for name, values in losses.items() if values}
    return training_curves(there, "Fine-tuning of each dataset") if there else None


def shapes_table(chosen: dict[str, Features]) -> pd.DataFrame:
    """Rows, those with a class, and widths of features by dataset, and what the visual encoder started from."""
    return pd.DataFrame(
        [(name, len(its.y), its.visual.shape[1], its.text.shape[1],
          its.metadata.get("visual", {}).get("start", "made elsewhere")) for name, its in chosen.items()],
        columns=["dataset", "rows", "visual features", "text features", "start"],
    )


def items_gallery(corpus: Corpus, ids: pd.Series, captions: list[str], *layout) -> PageFigure | None:
    """Images of items by their ids with a caption below each; None if there are no images or no items.

    Parameters
    ----------
    *layout
        Columns and places, as `figures.gallery` takes them.
    """
    if not corpus.has_images or not len(ids):
        return None
    rows = pd.Index(corpus.items.id).get_indexer(ids)
    return gallery(corpus, rows, captions, *layout)


def finetuning_gallery(corpus: Corpus, divided: Subset) -> PageFigure | None:
    """Images of some items that a dataset's visual encoder is fine-tuned on, with their classes."""
    some = example_rows(len(divided.finetuning_rows))
    captions = [divided.classes[label] for label in divided.finetuning_y[some]]
    return items_gallery(corpus, corpus.items.id.iloc[divided.finetuning_rows[some]], captions)


def seeds_gallery(corpus: Corpus, table: pd.DataFrame) -> PageFigure | None:
    """Images of the seeds of `exchange.exchange_table`, one line for each class; None if there are no images."""
    seeds = table[table.seed].sort_values("true", kind="stable")
    within = seeds.groupby("true").cumcount()
    columns = int(within.max()) + 1
    places = seeds.groupby("true").ngroup() * columns + within
    return items_gallery(corpus, seeds.id, seeds.true.tolist(), columns, places.tolist())


def disagreements_gallery(corpus: Corpus, table: pd.DataFrame, *, right: bool, count: int = 6) -> PageFigure | None:
    """Images whose modalities gave different labels, with both, who decided, and the label kept.

    Parameters
    ----------
    table : DataFrame
        From `exchange.exchange_table`.
    right : bool
        Whether the label kept is the true one.
    count : int
        Images at most for each modality that decided.
    """
    its = table[~table.agree & (table.right == right)].groupby("decided_by").head(count)
    captions = [f"{row.visual_label} / {row.text_label}\n{row.decided_by} decides:\n{row.label}"
                for row in its.itertuples()]
    return items_gallery(corpus, its.id, captions)


def _note(text: str) -> None:
    display(Markdown(f"**Not here.** {text}"))
