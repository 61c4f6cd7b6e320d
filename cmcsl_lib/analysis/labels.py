"""Labels truly used: those of the seeds, and those that the visual network was fine-tuned with."""

import pandas as pd

#: Methods that are trained on the texts of the fine-tuning items, without any propagation.
ITEMS = "fine-tuning items"
WITH_SEEDS = "fine-tuning items and seeds"
#: CMCSL with features of pictures that took no label.
FROZEN = "CMCSL, frozen"


def labels_used(scores: pd.DataFrame, taught: pd.DataFrame, frozen: pd.DataFrame | None = None) -> pd.DataFrame:
    """Balanced accuracy in the text modality against the number of labels that it took.

    PRE and UNI take the seeds alone, since the texts' encoder has seen no label of the corpus. CMCSL takes those of the
    fine-tuning items as well: its exchange compares with distances between pictures, as the network sees them.

    Parameters
    ----------
    scores : DataFrame
        Of Experiment 3, of one corpus and protocol.
    taught : DataFrame
        Of the study ``finetuning``, with the same features; methods are compared at its budgets.
    frozen : DataFrame, optional
        Of Experiment 3 with features of pictures that took no label: the seeds are all labels of their `FROZEN`. None
        or an empty table leaves it out.

    Returns
    -------
    DataFrame
        One row per dataset, method and budget: these, n_labels, balanced_accuracy; means over folds.
    """
    text = scores[(scores.modality == "text") & scores.method.isin(["PRE", "UNI", "CMCSL"])]
    parts = [text, taught]
    if frozen is not None and len(frozen):
        own = frozen[(frozen.modality == "text") & (frozen.method == "CMCSL")]
        parts.append(own.assign(method=FROZEN))
    every = pd.concat([part[part.budget.isin(taught.budget)] for part in parts])
    keys = ["dataset", "method", "budget"]
    means = every.groupby(keys, sort=False).balanced_accuracy.mean().reset_index()
    counts = taught.pivot_table(index=["dataset", "budget"], columns="method", values="n_labels")
    items, seeds = counts[ITEMS].rename("items"), (counts[WITH_SEEDS] - counts[ITEMS]).rename("seeds")
    means = means.join(items, on=items.index.names).join(seeds, on=seeds.index.names).dropna(subset="items")
    takes_items, takes_seeds = means.method.isin(["CMCSL", ITEMS, WITH_SEEDS]), means.method != ITEMS
    means["n_labels"] = means["items"] * takes_items + means["seeds"] * takes_seeds
    return means[[*keys, "n_labels", "balanced_accuracy"]].reset_index(drop=True)
