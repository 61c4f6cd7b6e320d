"""Sentences of the pages on data, extraction and tests, computed from what they speak of."""

import numpy as np
import pandas as pd
from sklearn.metrics import balanced_accuracy_score
from sklearn.naive_bayes import MultinomialNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from .corpora import Corpus, creators, finetuning_split
from .corpora.catalogue import datasets as catalogue
from .errors import Absent, CmcslError
from .features import MODALITIES, WIDTHS, Features, load_features
from .protocol import FOLDS, PROTOCOLS, REPETITIONS, folds
from .published import printed_table
from .runs import load_scores
from .statistics import ALPHA
from .summaries import listed

APART = "creators apart"


def about_paper_data() -> str:
    """The paper's data, from its Table I."""
    printed = printed_table(1)
    kinds = printed.drop_duplicates("dataset").kind.value_counts()
    sizes = printed.groupby("dataset").samples.sum()
    return (f"The paper divides films of MM-IMDb into {len(sizes)} datasets, {kinds['binary']} binary and "
            f"{kinds['multiclass']} multiclass, of {sizes.min():,} to {sizes.max():,} items (its Table I).")


def about_items(corpus: Corpus) -> str:
    """Items and labels of a corpus."""
    each = corpus.items.labels.map(len)
    return (f"The corpus has {len(corpus.items):,} items with {corpus.items.labels.explode().nunique()} labels; "
            f"{(each > 1).mean():.1%} of the items carry more than one.")


def about_split(corpus: Corpus) -> str:
    """The one division of a corpus into items for training the visual encoder and for everything else."""
    chosen = finetuning_split(corpus)
    return (f"One split is made for the whole corpus: {chosen.sum():,} items ({chosen.mean():.1%}) train the visual "
            f"encoder; the features of the other {(~chosen).sum():,} are extracted, and every experiment runs on them.")


def about_encoders() -> str:
    """How wide the features of both modalities are."""
    return (f"Images become {WIDTHS['visual']} features of a fine-tuned ResNet-18, texts {WIDTHS['text']} features of "
            "all-MiniLM-L6-v2.")


def about_tests() -> str:
    """What the verdicts in the tables of the experiments mean."""
    return ("The sign > names what a value is significantly better than: within a dataset by the combined "
            f"{REPETITIONS}x{FOLDS} CV F test, in the rows of averaged ranks over datasets by the two-sided "
            "Wilcoxon signed-rank test with Holm's correction, each modality by itself (significance level "
            f"{ALPHA}; the higher the rank, the better).")


def about_significance(compared: str) -> str:
    """What "significant" means on the pages of the research questions.

    Parameters
    ----------
    compared : str
        What the pairs of the correction are pairs of, for example "PRE, UNI and CMCSL".
    """
    return ("Significant means: by a two-sided Wilcoxon signed-rank test over datasets, each modality by itself, with "
            f"Holm's correction over the pairs of {compared} (level {ALPHA}). Datasets of one corpus share items, so "
            "they are not independent and these tests are too confident; [Sensitivity](11_sensitivity.ipynb) allows "
            "for that.")


def creators_alone(corpus: str, names: list[str] | str | None = None) -> pd.Series:
    """How well the name of an item's creator alone tells its class.

    Parameters
    ----------
    corpus : str
    names : list of str or str, optional
        Datasets; default: all.

    Returns
    -------
    Series
        Mean balanced accuracy over the folds of the strict protocol, by dataset, of naive Bayes on creators' names.

    Raises
    ------
    CmcslError
        If the corpus does not tell who made its items.
    """
    return pd.Series({name: _creators_alone(load_features(corpus, name)) for name in catalogue(corpus, names)})


def _creators_alone(features: Features) -> float:
    made_by = creators(features.corpus, features.ids)[:, None]
    model = make_pipeline(OneHotEncoder(handle_unknown="ignore"), MultinomialNB())
    scores = []
    for _, _, training, test in folds(features, PROTOCOLS["strict"]):
        model.fit(made_by[training], features.y[training])
        scores.append(balanced_accuracy_score(features.y[test], model.predict(made_by[test])))
    return float(np.mean(scores))


def about_creators(corpus: str, names: list[str] | str | None = None) -> str:
    """How much creators give away, and what keeping them apart costs. Nothing where the corpus does not name them.

    Parameters
    ----------
    names : list of str or str, optional
        Datasets; default: all.
    """
    try:
        alone = creators_alone(corpus, names)
    except CmcslError:
        return ""
    told = [f"- **Authors.** Uploaders drew series of similar items, so the creator's name alone gives a mean balanced "
            f"accuracy of {alone.mean():.3f} over {len(alone)} datasets (naive Bayes)."]
    try:
        both = [_full(corpus, protocol, names) for protocol in ("strict", APART)]
    except Absent:
        return told[0]
    changes = [f"from {both[0][modality]:.3f} to {both[1][modality]:.3f} ({modality})" for modality in MODALITIES]
    return (f"{told[0]} With creators kept apart between halves, Gaussian naive Bayes on all labels falls "
            f"{listed(changes)}; [Sensitivity](11_sensitivity.ipynb) shows what becomes of the other methods.")


def _full(corpus: str, name: str, names: list[str] | str | None) -> pd.Series:
    """Mean balanced accuracy of FULL by modality, from scores that are there."""
    protocol = PROTOCOLS["strict"].changed(folds=APART) if name == APART else PROTOCOLS[name]
    scores = load_scores(corpus, protocol, 3, datasets=names, compute=False)
    return scores[(scores.method == "FULL") & (scores.classifier == "GNB")].groupby("modality").balanced_accuracy.mean()
