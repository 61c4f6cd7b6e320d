"""CMCSL against UNI on made-up scores of which the answer is known, and by pandas and SciPy themselves."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import rankdata, wilcoxon

from cmcsl_lib.analysis import effects
from cmcsl_lib.analysis.effects import (
    FIT,
    against_uni,
    distinct,
    gains,
    label_traces,
    load_sources,
    preprocessing_ranks,
    with_groups,
)
from cmcsl_lib.analysis.statistics import can_be_significant
from cmcsl_lib.corpora.dataset_classes import OPENCLIPART
from cmcsl_lib.experiments.published import available
from cmcsl_lib.experiments.scores import COLUMNS
from cmcsl_lib.experiments.sources import source_scores
from cmcsl_lib.files.errors import Absent, CmcslError

originals = pytest.mark.skipif(
    not available(), reason="the authors' score arrays are absent: set CMCSL_PUBLISHED_SCORES or fetch them"
)
NAMES = list(OPENCLIPART)
CLASSIFIERS = ("GNB", "LR", "CART")
PREPROCESSINGS = ("RAW", "L2", "STD", "MM", "L2STD")
UP, DOWN, MIXED, NONE = 0.05, -0.05, [0.02, -0.02], 0.0


def made_up(gains, names=NAMES, budgets=(1, 2), by="classifier", corpus="openclipart"):
    """Scores in which CMCSL - UNI has the given gains, {classifier or preprocessing: (visual, text)}.

    A list of gains is repeated over datasets; gains grow from dataset to dataset, so that none are tied.
    """
    rows = []
    for key, pair in gains.items():
        for modality, gain in zip(("visual", "text"), pair, strict=True):
            grown = np.resize(gain, len(names)) * (1 + np.arange(len(names)) / 100)
            for place, (name, difference) in enumerate(zip(names, grown, strict=True)):
                uni = 0.6 + place / 1000
                rows += [
                    (name, modality, method, key, value)
                    for method, value in (("PRE", 0.5), ("UNI", uni), ("CMCSL", uni + difference))
                ]
    scores = pd.DataFrame(rows, columns=["dataset", "modality", "method", by, "balanced_accuracy"])
    fits = pd.MultiIndex.from_product([budgets, range(5), range(2)], names=["budget", "repetition", "fold"])
    scores = scores.merge(fits.to_frame(index=False), how="cross")
    defaults = {
        "corpus": corpus,
        "protocol": "strict",
        "preprocessing": "L2STD",
        "classifier": "GNB",
        "pseudo_label_accuracy": np.nan,
    }
    return scores.assign(**{name: value for name, value in defaults.items() if name not in scores})[list(COLUMNS)]


def random_scores(by, values, names=NAMES):
    """Made-up scores with noise of their own in every row."""
    scores = made_up(dict.fromkeys(values, (UP, MIXED)), names, by=by)
    return scores.assign(balanced_accuracy=np.random.default_rng(0).uniform(0.3, 0.9, len(scores)))


def full(classifier, preprocessing, modality, value):
    """FULL in every dataset and fold."""
    keys = pd.MultiIndex.from_product([NAMES, range(5), range(2)], names=["dataset", "repetition", "fold"])
    return keys.to_frame(index=False).assign(
        corpus="openclipart",
        protocol="strict",
        modality=modality,
        method="FULL",
        preprocessing=preprocessing,
        classifier=classifier,
        budget=0,
        balanced_accuracy=value,
        pseudo_label_accuracy=np.nan,
    )[list(COLUMNS)]


def test_verdicts():
    table = against_uni(made_up({"GNB": (UP, DOWN), "LR": (MIXED, NONE)}), ["classifier"])
    table = table.set_index(["classifier", "modality"])
    assert table.verdict.to_dict() == {
        ("GNB", "visual"): "better",
        ("GNB", "text"): "worse",
        ("LR", "visual"): "no difference",
        ("LR", "text"): "no difference",
    }
    assert table.above.to_list() == [20, 0, 10, 0] and (table.datasets == 20).all()
    row = table.loc["GNB", "visual"]
    assert row.gain == pytest.approx(0.05 * (1 + np.arange(20).mean() / 100))
    assert row.CMCSL - row.UNI == pytest.approx(row.gain) and row.PRE == pytest.approx(0.5)
    # 20 differences of one sign: two-sided p is 2 / 2^20, and the three pairs have it alike.
    assert row.p_value == pytest.approx(3 * 2**-19)
    assert table.share_equal.to_list() == [0, 0, 0, 1] and table.p_value["LR", "text"] == 1


def test_rows_of_one_value_stand_together():
    """Published scores go modality by modality through all classifiers."""
    scores = random_scores("classifier", CLASSIFIERS, NAMES[:2]).sort_values("modality", kind="stable")
    table = against_uni(scores, ["classifier"])
    assert list(zip(table.classifier, table.modality, strict=True)) == [
        (name, modality) for name in CLASSIFIERS for modality in ("text", "visual")
    ]
    assert table.index.to_list() == list(range(6))


def test_against_uni_is_what_scipy_says():
    scores = random_scores("classifier", CLASSIFIERS)
    for row in against_uni(scores, ["classifier"]).itertuples():
        part = scores[(scores.classifier == row.classifier) & (scores.modality == row.modality)]
        means = part.groupby(["dataset", "method"]).balanced_accuracy.mean().unstack()
        assert [row.PRE, row.UNI, row.CMCSL] == pytest.approx(means[["PRE", "UNI", "CMCSL"]].mean().to_list())
        assert row.gain == pytest.approx((means.CMCSL - means.UNI).mean())
        assert row.above == (means.CMCSL > means.UNI).sum() and row.datasets == len(NAMES)
        p = {
            pair: wilcoxon(means[pair[0]], means[pair[1]]).pvalue
            for pair in (("PRE", "UNI"), ("PRE", "CMCSL"), ("UNI", "CMCSL"))
        }
        # Holm: the smallest p-value three times, the second twice, each at least the one before it.
        corrected = np.maximum.accumulate(np.sort(list(p.values())) * [3, 2, 1]).clip(max=1)
        place = sorted(p.values()).index(p["UNI", "CMCSL"])
        assert row.p_value == pytest.approx(corrected[place])
        assert (row.verdict == "no difference") == (corrected[place] >= 0.05)


@given(st.lists(st.integers(-20, 20), min_size=8, max_size=9))
@settings(max_examples=10)
def test_verdicts_are_symmetric(differences):
    scores = made_up({"GNB": (np.array(differences) / 100, UP)}, NAMES[: len(differences)], budgets=(1,))
    turned = scores.assign(method=scores.method.replace({"UNI": "CMCSL", "CMCSL": "UNI"}))
    one, other = against_uni(scores), against_uni(turned)
    assert other.p_value.to_list() == pytest.approx(one.p_value.to_list())
    swapped = {"better": "worse", "worse": "better"}
    assert other.verdict.to_list() == [swapped.get(verdict, verdict) for verdict in one.verdict]
    assert other.gain.to_list() == pytest.approx((-one.gain).to_list())


def test_every_fit_is_needed():
    scores = made_up({"GNB": (UP, UP)})
    lacking = (scores.method == "UNI") & (scores.dataset == "PT") & (scores.fold == 1) & (scores.modality == "text")
    with pytest.raises(CmcslError, match="GNB, text must hold PRE, UNI and CMCSL"):
        against_uni(scores[~lacking], ["classifier"])


def test_few_datasets_give_no_verdict():
    scores = made_up({"GNB": (UP, UP), "LR": (DOWN, DOWN)}, ["AF", "AFP"])
    assert set(against_uni(scores, ["classifier"]).verdict) == {"too few datasets"}
    prepared = made_up(dict.fromkeys(PREPROCESSINGS, (UP, UP)), ["AF"], by="preprocessing")
    ranked = preprocessing_ranks(prepared)
    assert (ranked.better_than == "").all() and ranked.CMCSL.to_list() == pytest.approx([0.65] * 10)


@pytest.mark.parametrize(
    ("rows", "comparisons", "expected"),
    [
        (5, 1, False),
        (6, 1, True),
        (6, 3, False),
        (7, 3, True),
        (8, 10, False),
        (9, 10, True),
    ],
)
def test_can_be_significant(rows, comparisons, expected):
    assert can_be_significant(rows, comparisons) is expected
    assert (comparisons * wilcoxon(np.arange(1, rows + 1)).pvalue < 0.05) == expected


def test_gains_by_hand():
    table = gains(made_up({"GNB": (UP, DOWN)}, NAMES[:2]), ["classifier"])
    assert table.columns.to_list() == ["classifier", "modality", "dataset", "UNI", "CMCSL", "gain"]
    assert table.gain.to_list() == pytest.approx([0.05, 0.0505, -0.05, -0.0505])
    assert table.UNI.to_list() == pytest.approx([0.6, 0.601] * 2)


def test_gains_are_what_pandas_says():
    scores = random_scores("classifier", CLASSIFIERS, NAMES[:3])
    keys = ["classifier", "budget", "modality", "dataset"]
    means = scores.groupby([*keys, "method"]).balanced_accuracy.mean().unstack()
    table = gains(scores, ["classifier", "budget"]).set_index(keys)
    assert len(table) == 3 * 2 * 2 * 3
    expected = (means.CMCSL - means.UNI).reindex(table.index)
    assert table.gain.to_list() == pytest.approx(expected.to_list())


def test_gains_at_few_and_many_seeds():
    few, many = made_up({"GNB": (UP, UP)}, budgets=(3,)), made_up({"GNB": (UP, DOWN)}, budgets=(7,))
    mean = gains(pd.concat([few, many]), ["budget"]).groupby(["modality", "budget"]).gain.mean()
    assert mean["text", 3] == pytest.approx(0.05475) and mean["text", 7] == pytest.approx(-0.05475)
    assert mean["visual", 3] == mean["visual", 7]


def test_datasets_that_lack_a_method_have_no_gain():
    scores = made_up({"GNB": (UP, UP)}, ["AF", "PT"])
    table = gains(scores[(scores.method != "UNI") | (scores.dataset == "PT")])
    assert set(table.dataset) == {"PT"} and len(table) == 2


def by_preprocessing(best, improved=()):
    """CMCSL is best under `best`; it is better than UNI under those improved, else worse."""
    parts = []
    for place, name in enumerate(PREPROCESSINGS):
        gain = UP if name in improved else DOWN
        part = made_up({name: (gain, gain)}, by="preprocessing")
        parts.append(part.assign(balanced_accuracy=part.balanced_accuracy + (0.3 if name == best else place / 100)))
    return pd.concat(parts)


def test_ranks_of_preprocessings():
    scores = by_preprocessing("MM", improved=("MM", "L2"))
    best = preprocessing_ranks(scores).query("preprocessing == 'MM'")
    assert best.modality.to_list() == ["visual", "text"]
    assert best.average_rank.to_list() == [5, 5] and best.better_than.to_list() == ["RAW, L2, STD, L2STD"] * 2
    verdicts = against_uni(scores, ["preprocessing"])
    assert verdicts[verdicts.verdict == "better"].preprocessing.to_list() == ["L2", "L2", "MM", "MM"]
    assert (verdicts.share_equal == 0).all()


def test_ranks_with_a_tie_and_labels_of_one_modality():
    tied = made_up({"RAW": (UP, NONE), "L2": (UP, NONE), "STD": (UP, DOWN)}, by="preprocessing")
    ranked = preprocessing_ranks(tied)
    assert ranked.average_rank.to_list() == [2, 2, 2, 2.5, 2.5, 1]
    assert ranked.better_than.to_list() == ["", "", "", "STD", "STD", ""]
    shares = against_uni(tied, ["preprocessing"]).set_index(["preprocessing", "modality"]).share_equal
    assert shares["RAW", "text"] == 1 and shares["L2", "visual"] == 0


def test_ranks_are_what_scipy_says():
    scores = random_scores("preprocessing", PREPROCESSINGS)
    scores = pd.concat([scores.assign(source="one"), scores.assign(source="other")])
    ranked = preprocessing_ranks(scores, ["source"])
    assert ranked.source.to_list() == ["one"] * 10 + ["other"] * 10
    for (_, modality), part in ranked.groupby(["source", "modality"]):
        cmcsl = scores[(scores.method == "CMCSL") & (scores.modality == modality) & (scores.source == "one")]
        means = cmcsl.groupby(["dataset", "preprocessing"]).balanced_accuracy.mean().unstack()[list(PREPROCESSINGS)]
        assert part.preprocessing.to_list() == list(PREPROCESSINGS)
        assert part.average_rank.to_list() == pytest.approx(rankdata(means, axis=1).mean(axis=0).tolist())
        assert part.CMCSL.to_list() == pytest.approx(means.mean().to_list())


def test_traces_of_labels():
    scores = made_up(dict.fromkeys(CLASSIFIERS, (UP, UP)))
    accurate = scores.assign(pseudo_label_accuracy=scores.method.map({"UNI": 0.7, "CMCSL": 0.8}))
    raw = [full(name, "RAW", modality, 0.8) for name in CLASSIFIERS for modality in ("visual", "text")]
    same, other = (
        [full(name, "L2STD", modality, value) for name in CLASSIFIERS for modality in ("visual", "text")]
        for value in (0.8, 0.9)
    )
    traces = label_traces(pd.concat([accurate, *raw, *other]))
    assert (
        traces[["share_as_unprocessed", "share_right_UNI", "share_right_CMCSL"]].to_numpy().tolist()
        == [pytest.approx([0, 0.7, 0.8])] * 6
    )
    # FULL of LR alone scores as without preprocessing, and no accuracy is known.
    traces = label_traces(pd.concat([scores, *raw, *same[2:4], *other[:2], *other[4:]]))
    shares = traces.groupby("classifier").share_as_unprocessed.agg(["min", "max"])
    assert shares.loc["LR"].to_list() == [1, 1] and (shares.drop("LR") == 0).all(axis=None)
    assert traces.share_right_UNI.isna().all() and (traces.share_equal == 0).all()


def test_traces_by_source():
    known = [full("GNB", preprocessing, "text", 0.8) for preprocessing in ("RAW", "L2STD")]
    scores = pd.concat([made_up({"GNB": (UP, NONE)}), *known])
    traces = label_traces(pd.concat([scores.assign(source="one"), scores.assign(source="other")]), ["source"])
    assert traces.source.to_list() == ["one", "one", "other", "other"]
    text = traces[traces.modality == "text"]
    assert text.share_as_unprocessed.to_list() == [1, 1] and text.share_equal.to_list() == [1, 1]
    assert traces[traces.modality == "visual"].share_as_unprocessed.isna().all()


def test_shared_fits_stand_once():
    scores = made_up({"GNB": (UP, UP)}, ["AF"])
    assert len(distinct(pd.concat([scores, scores.assign(pseudo_label_accuracy=0.5)]))) == len(scores)


def test_groups_of_datasets():
    scores = with_groups(made_up({"GNB": (UP, UP)}, ["AF", "PT", "CO", "AFP"]))
    assert scores.groupby("dataset").group.unique().map(list).to_dict() == {
        "AF": ["binary"],
        "PT": ["binary"],
        "CO": ["binary"],
        "AFP": ["multiclass"],
    }


def test_sources_that_are_absent_are_left_out(monkeypatch, tmp_path):
    monkeypatch.setenv("CMCSL_HOME", str(tmp_path))
    monkeypatch.setenv("CMCSL_PUBLISHED_SCORES", str(tmp_path))
    scores = load_sources([1, 3], datasets="AF AFP", budgets=(1, 2))
    assert set(scores.source) == {"openclipart, strict"}
    assert list(scores.columns) == [*COLUMNS, "group", "source"]
    assert set(scores.preprocessing) == {"RAW", "L2STD"} and set(scores.budget) == {0, 1, 2}
    assert dict(zip(scores.dataset, scores.group, strict=True)) == {"AF": "binary", "AFP": "multiclass"}
    assert not scores.duplicated(["modality", "method", "preprocessing", "classifier", *FIT]).any()
    alone = source_scores("openclipart", 3, datasets="AF AFP", budgets=(1, 2))
    processed = scores[scores.preprocessing == "L2STD"].reset_index(drop=True)
    pd.testing.assert_frame_equal(processed[list(COLUMNS)], alone)
    with pytest.raises(Absent):
        load_sources([3], "mm-imdb")


def test_only_the_scores_of_the_corpus_are_computed(monkeypatch):
    asked = []

    def recorded(source, number, protocol, **options):
        asked.append((source, number, options["compute"], options["datasets"], options["classifiers"]))
        if source != "openclipart" and not (source == "mm-imdb" and options["compute"]):
            raise Absent("gone")
        return made_up({"GNB": (UP, UP)}, ["AF"] if source == "openclipart" else ["HR"], corpus=source)

    monkeypatch.setattr(effects, "source_scores", recorded)
    load_sources([3], datasets="AF", classifiers=("LR",))
    load_sources([2], "mm-imdb", datasets="HR", classifiers=("LR",))
    assert asked == [
        ("published", 3, False, None, ("LR",)),
        ("openclipart", 3, True, "AF", ("LR",)),
        ("mm-imdb", 3, False, None, ("LR",)),
        ("published", 2, False, None, None),
        ("mm-imdb", 2, True, "HR", None),
    ]


@originals
def test_sources_stand_below_each_other():
    scores = load_sources([3], datasets="AF", budgets=(1,))
    assert scores.source.unique().tolist()[:2] == ["published scores", "openclipart, strict"]
    published = scores[scores.source == "published scores"].reset_index(drop=True)
    pd.testing.assert_frame_equal(published[list(COLUMNS)], source_scores("published", 3, budgets=(1,)))
    assert published.groupby("group").dataset.nunique().to_dict() == {"binary": 10, "multiclass": 10}


def test_answers_of_the_published_scores():
    gnb = with_groups(source_scores("published", 3))
    verdicts = against_uni(gnb, ["group"]).set_index(["modality", "group"])
    assert (against_uni(gnb).verdict == "better").all() and (against_uni(gnb).datasets == 20).all()
    assert verdicts.verdict[verdicts.verdict != "better"].to_dict() == {("text", "multiclass"): "no difference"}
    assert verdicts.p_value["text", "multiclass"] == pytest.approx(0.084, abs=5e-4)
    two = source_scores("published", 2)
    ranked = preprocessing_ranks(two)
    best = ranked.loc[ranked.groupby("modality").average_rank.idxmax()].set_index("modality").preprocessing
    assert best.to_dict() == {"visual": "L2STD", "text": "RAW"}
    better = against_uni(two, ["preprocessing"]).query("verdict == 'better'").preprocessing.value_counts()
    assert better.index[better == 2].to_list() == ["L2STD"]


def test_published_scores_of_other_classifiers_are_without_preprocessing():
    scores = distinct(
        pd.concat(
            [
                source_scores("published", 1),
                source_scores("published", 2),
                source_scores("published", 3, classifiers=CLASSIFIERS),
            ]
        )
    )
    traces = label_traces(scores).set_index(["classifier", "modality"])
    assert (traces.share_as_unprocessed[["CART"]] == 1).all() and traces.share_as_unprocessed["LR", "text"] == 1
    assert traces.share_as_unprocessed["LR", "visual"] > 0.5
    assert traces.share_as_unprocessed["GNB", "visual"] == 0
    assert traces.share_equal["LR", "text"] == traces.share_equal["CART", "text"] == 0.9945
