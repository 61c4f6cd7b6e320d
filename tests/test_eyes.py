"""Other features of the pictures, and every label counted."""

import numpy as np
import pandas as pd
import pytest
from test_scorecard import world
from test_sensitivity import made_up

from cmcsl_lib import corpora
from cmcsl_lib.analysis import sensitivity
from cmcsl_lib.analysis.claims import RULES, Source, judge
from cmcsl_lib.analysis.labels import FROZEN, ITEMS, WITH_SEEDS, labels_used
from cmcsl_lib.analysis.sensitivity import registry
from cmcsl_lib.analysis.sensitivity.eyes import CLUSTERS, EXTRACTIONS, VIEWS
from cmcsl_lib.cli import parser
from cmcsl_lib.experiments.protocol import PROTOCOLS
from cmcsl_lib.extraction.transformations import TRANSFORMATIONS
from cmcsl_lib.extraction.visual import CLUSTERED
from cmcsl_lib.files.errors import Absent


@pytest.mark.parametrize("reference", ["strict", "paper"])
def test_combinations_differ_in_features_and_distances_alone(reference):
    rules = [change.protocol for change in sensitivity.combinations(reference)]
    assert rules[0] == PROTOCOLS[reference]
    pairs = [(each.features, each.distances) for each in rules]
    assert len(set(pairs)) == len(pairs) == 2 * len(EXTRACTIONS) == 8
    for each in rules:
        differs = {name for name, value in each.described().items() if value != rules[0].described()[name]}
        assert differs <= {"name", "features", "distances"}
    # The names of the files that are shipped.
    assert rules[-1].name == f"{reference}, features=width 512, distances=scaled by width"
    assert rules[1].name == f"{reference}, distances=scaled by width"


def test_what_is_here_is_loaded_with_its_features_and_distances_and_the_rest_is_listed(monkeypatch):
    computed = []

    def load_scores(corpus, protocol, number, *, datasets, budgets, compute=True):
        computed.extend([protocol.name] if compute else [])
        if protocol.features in ("frozen", "width 512"):
            raise Absent("There are no such features.")
        return made_up(protocol.name, names=list(corpora.datasets("openclipart")))

    monkeypatch.setattr(registry, "load_scores", load_scores)
    scores = sensitivity.load_combinations("openclipart", budgets=[1])
    assert list(scores.groupby(["features", "distances"], sort=False).groups) == [
        ("default", "euclidean"),
        ("default", "scaled by width"),
        ("ResNet-18", "euclidean"),
        ("ResNet-18", "scaled by width"),
    ]
    assert computed == ["strict"], "only the reference's scores are computed"
    missing = sensitivity.missing_changes(scores, sensitivity.combinations("strict"))
    assert missing.change.tolist() == [
        "features=frozen",
        "features=frozen, distances=scaled by width",
        "features=width 512",
        "features=width 512, distances=scaled by width",
    ]
    extract, run = missing.commands.iloc[1].split(" && ")
    assert extract.startswith('cmcsl extract openclipart --name "frozen" ')
    assert extract.endswith("--image-encoder efficientnet-lite0 --start imagenet --finetune no")
    assert extract.count("--start") == extract.count("--finetune") == 1, "what the change says is not said twice"
    assert run == 'cmcsl run 3 --corpus openclipart --change "features=frozen" "distances=scaled by width"'
    only = scores[scores.protocol == "strict"].assign(protocol="paper")
    paper = sensitivity.missing_changes(only, sensitivity.combinations("paper"))
    assert paper.commands.iloc[0] == (
        'cmcsl run 3 --corpus openclipart --protocol paper --change "distances=scaled by width"'
    )


def test_conclusions_say_which_verdicts_all_combinations_share():
    def under(features, gain):
        return world(gain).assign(features=features, distances="euclidean")

    helps = under("one", lambda modality, budget, name: 0.05)
    pictures = under("two", lambda modality, budget, name: 0.05 if modality == "visual" else -0.05)
    table = sensitivity.conclusions(pd.concat([helps, pictures], ignore_index=True))
    verdicts = table.pivot(index="name", columns="features", values="verdict")
    assert verdicts.loc["rq2"].to_dict() == {"one": "holds", "two": "mixed"}
    assert verdicts.loc["text-stronger"].to_dict() == {"one": "holds", "two": "holds"}
    same = table.set_index("name").same.groupby(level=0).first()
    assert same["text-stronger"] and not same["rq2"]
    # Claims on other experiments and classifiers are left out, in both directions.
    assert "raw-text" not in verdicts.index and "lr-no-gain" not in verdicts.index
    assert list(dict.fromkeys(table["name"])) == [name for name in RULES if name in verdicts.index]
    expected = {name: judge(name, Source(pictures))[0] for name in verdicts.index}
    assert verdicts.two.to_dict() == expected


def taught(scores, items, with_seeds, labels=100):
    """Scores of the study of two classes, at the budgets 1 and 5."""
    one = scores.query("method == 'UNI' and modality == 'text' and budget in (1, 5)")
    return pd.concat(
        [
            one.assign(method=ITEMS, balanced_accuracy=items, n_labels=labels),
            one.assign(method=WITH_SEEDS, balanced_accuracy=with_seeds, n_labels=labels + 2 * one.budget),
        ],
        ignore_index=True,
    )


def test_each_method_stands_at_the_labels_that_it_took():
    scores = world(lambda modality, budget, name: 0.05, names=["AF", "PT"], budgets=(1, 3, 5))
    table = labels_used(scores, taught(scores, 0.8, 0.85), frozen=scores.assign(balanced_accuracy=0.3))
    assert set(table.budget) == {1, 5}, "budgets that the study lacks are left out"
    labels = table.groupby(["method", "budget"]).n_labels.first().unstack()
    assert labels.loc[["PRE", "UNI", FROZEN]].to_numpy().tolist() == [[2, 10]] * 3
    assert labels.loc[["CMCSL", WITH_SEEDS]].to_numpy().tolist() == [[102, 110]] * 2
    assert labels.loc[ITEMS].tolist() == [100, 100]
    accuracy = table.groupby("method").balanced_accuracy.mean()
    assert accuracy[FROZEN] == pytest.approx(0.3) and accuracy[WITH_SEEDS] == pytest.approx(0.85)
    text = scores[(scores.modality == "text") & (scores.method == "UNI") & (scores.budget == 5)]
    row = table[(table.method == "UNI") & (table.budget == 5)].set_index("dataset").balanced_accuracy
    assert row["PT"] == pytest.approx(text[text.dataset == "PT"].balanced_accuracy.mean())
    assert len(table) == 2 * 2 * 6 and not table.isna().any(axis=None)
    assert FROZEN not in set(labels_used(scores, taught(scores, 0.8, 0.85)).method)


def test_the_claim_on_every_label_is_judged_by_what_the_same_labels_teach():
    scores = world(lambda modality, budget, name: 0.05)
    assert judge("every-label", Source(scores))[0] == "not testable"
    assert WITH_SEEDS in judge("every-label", Source(scores))[2]
    names = list(corpora.datasets("openclipart"))
    worse_in = pd.Series(np.where(np.arange(20) < 9, 0.5, 0.0), names)
    mixed = taught(scores, 0.6, 0.7)
    mixed["balanced_accuracy"] += mixed.dataset.map(worse_in)
    for reference, expected in (
        (taught(scores, 0.6, 0.65), "holds"),
        (mixed, "weaker"),
        (taught(scores, 0, 0.9), "fails"),
    ):
        judged = Source(pd.concat([scores, reference], ignore_index=True))
        verdict, numbers, _ = judge("every-label", judged)
        assert verdict == expected and numbers["datasets"] == 20
        # Two classes: six labels of seeds on average, and those of the items.
        assert numbers["mean_labels"] == pytest.approx(106)
        others = {name: judge(name, judged) for name in RULES if name != "every-label"}
        assert others == {name: judge(name, Source(scores)) for name in others}, "no other claim looks at the study"


def test_pictures_of_texts_and_learnt_clusters_are_options_of_the_extraction():
    assert set(VIEWS) == set(TRANSFORMATIONS)
    assert set(CLUSTERS) == set(CLUSTERED)
    for change in (*sensitivity.feature_changes(VIEWS, "paper"), *sensitivity.feature_changes(CLUSTERS, "paper")):
        name = change.protocol.features
        assert change.protocol == PROTOCOLS["paper"].changed(features=name)
        words = ["extract", "openclipart", "--name", name, *change.extraction.split()]
        assert vars(parser().parse_args(words))["name"] == name
