import re
import time
from dataclasses import replace
from itertools import combinations

import matplotlib.pyplot as plt
import nbformat
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats

from cmcsl_lib import corpora
from cmcsl_lib.analysis import sensitivity
from cmcsl_lib.analysis.sensitivity import mean_interval, registry
from cmcsl_lib.corpora import Corpus
from cmcsl_lib.corpora.features import divided, load_features
from cmcsl_lib.experiments.protocol import PROTOCOLS
from cmcsl_lib.experiments.scores import COLUMNS
from cmcsl_lib.files.errors import Absent, CmcslError
from cmcsl_lib.files.paths import REPOSITORY
from cmcsl_lib.plots.sensitivity import forest

NAMES = ["PT", "AF", "CO", "MO", "HP", "CT"]  # not in alphabetical order
APART = pd.DataFrame(np.eye(len(NAMES)), NAMES, NAMES)
LEVELS = {"FULL": 0.9, "PRE": 0.6, "UNI": 0.7, "CMCSL": 0.75}


def made_up(protocol="strict", added=None, budgets=(1, 2), names=NAMES):
    """Scores of two modalities: the method's level, chance, the same under every protocol, and what is added.

    Parameters
    ----------
    added : dict of (method, modality) to sequence of float
        One number per dataset.
    """
    parts = []
    for method, level in LEVELS.items():
        axes = {
            "dataset": names,
            "modality": ["visual", "text"],
            "budget": [0] if method == "FULL" else budgets,
            "repetition": range(5),
            "fold": range(2),
        }
        part = pd.MultiIndex.from_product(axes.values(), names=axes).to_frame(index=False).assign(method=method)
        noise = np.random.default_rng(len(method)).normal(scale=0.002, size=len(part))
        part["balanced_accuracy"] = level + noise
        for modality, values in ((shifted, values) for (of, shifted), values in (added or {}).items() if of == method):
            of_modality = part.modality == modality
            part.loc[of_modality, "balanced_accuracy"] += part.dataset[of_modality].map(
                dict(zip(names, values, strict=True))
            )
        parts.append(part)
    return pd.concat(parts).assign(
        corpus="openclipart", protocol=protocol, preprocessing="L2STD", classifier="GNB", pseudo_label_accuracy=np.nan
    )[list(COLUMNS)]


def both(name, added, **options):
    return pd.concat([made_up(**options), made_up(name, added, **options)], ignore_index=True)


def test_each_change_differs_from_strict_in_what_it_names():
    strict = PROTOCOLS["strict"].described()
    for change in sensitivity.CHANGES:
        differs = {name for name, value in change.protocol.described().items() if value != strict[name]} - {"name"}
        assert len(differs) == (4 if change.protocol.name == "paper" else 1)
    single = {
        name
        for change in sensitivity.CHANGES
        for name, value in change.protocol.described().items()
        if value != strict[name] and change.protocol.name != "paper"
    } - {"name"}
    assert single == set(strict) - {"name"}
    labels = [sensitivity.change_label(change.protocol.name) for change in sensitivity.CHANGES]
    assert len(labels) == len(set(labels)) == 11
    assert labels[:2] == ["seeds=replacement", "scaling=each half"]


def test_the_page_explains_every_change():
    cells = nbformat.read(REPOSITORY / "notebooks" / "11_sensitivity.ipynb", as_version=4).cells
    words = "\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
    explained = dict(re.findall(r"^\| `(.+?)` \| (.+?) \|$", words, re.MULTILINE))
    assert list(explained) == [sensitivity.change_label(change.protocol.name) for change in sensitivity.CHANGES]
    assert all(len(meaning.split()) > 4 for meaning in explained.values())


def test_effects_are_those_put_in():
    put_in = [0.02, 0.03, 0.04, 0.05, 0.06, -0.02]
    scores = both("strict, seeds=replacement", {("CMCSL", "text"): put_in})
    effects = sensitivity.change_effects(scores, APART)
    assert len(effects) == 8 and set(effects.change) == {"seeds=replacement"}
    by_method = effects.set_index(["method", "modality"])
    row = by_method.loc["CMCSL", "text"]
    # The oracle of independent datasets.
    expected = stats.ttest_1samp(put_in, 0).confidence_interval()
    assert (row.effect, row.low, row.high) == pytest.approx((np.mean(put_in), *expected))
    assert (row.higher, row.significant, row.datasets) == (5, 6, 6)
    others = by_method.drop(("CMCSL", "text"))
    assert (others[["effect", "low", "high", "higher", "significant"]] == 0).all(axis=None)


def test_effects_in_other_folds_have_no_verdicts_within_datasets():
    effects = sensitivity.change_effects(both("strict, folds=creators apart", {("FULL", "text"): [-0.1] * 6}), APART)
    assert effects.significant.isna().all()
    assert effects.set_index(["method", "modality"]).effect["FULL", "text"] == pytest.approx(-0.1)


def test_effects_take_the_shares_of_the_right_datasets():
    put_in = {"PT": 0.0, "AF": 0.1, "CO": 0.5}
    scores = both("strict, seeds=replacement", {("UNI", "text"): list(put_in.values())}, names=list(put_in))
    shared = pd.DataFrame([[1, 0.9, 0], [0.9, 1, 0.1], [0, 0.1, 1]], ["AF", "CO", "PT"], ["AF", "CO", "PT"])
    expected = mean_interval([put_in[name] for name in shared.index], shared)
    row = sensitivity.change_effects(scores, shared).set_index(["method", "modality"]).loc["UNI", "text"]
    assert (row.effect, row.low, row.high) == pytest.approx(expected[:3])
    assert row.low != pytest.approx(mean_interval(list(put_in.values())).low)


def test_levels():
    levels = sensitivity.levels(both("strict, folds=creators apart", {("FULL", "text"): [-0.1] * 6}))
    assert list(levels.index) == ["strict", "folds=creators apart"]
    assert list(levels.columns) == [(method, modality) for method in LEVELS for modality in ("visual", "text")]
    assert list(levels["FULL", "text"]) == pytest.approx([0.9, 0.8], abs=0.001)


def test_an_answer_that_turns_and_one_that_stays():
    # In the text modality the change takes CMCSL below UNI on all six datasets, with the gain the same everywhere.
    answered = sensitivity.answers(both("strict, distances=scaled by width", {("CMCSL", "text"): [-0.1] * 6}), APART)
    # Six datasets can't be significant after Holm's correction.
    assert list(answered.verdict) == ["too few datasets"] * 4
    names = list(corpora.datasets("openclipart"))
    scores = both("strict, distances=scaled by width", {("CMCSL", "text"): [-0.1] * 20}, names=names)
    shared = pd.DataFrame(np.eye(20), names, names)
    answers = sensitivity.answers(scores[scores.budget == 1], shared).set_index(["protocol", "modality"])
    assert list(answers.index) == [
        (protocol, modality) for protocol in ("strict", "distances=scaled by width") for modality in ("visual", "text")
    ]
    assert list(answers.verdict) == ["better", "better", "better", "worse"]
    assert list(answers.above) == [20, 20, 20, 0] and (answers.datasets == 20).all() and (answers.p_value < 0.05).all()
    assert list(answers.loc[("strict", "text"), ["PRE", "UNI", "CMCSL"]]) == [1, 2, 3]
    assert list(answers.loc[("distances=scaled by width", "text"), ["PRE", "UNI", "CMCSL"]]) == [1, 3, 2]
    assert answers.gain["distances=scaled by width", "text"] == pytest.approx(-0.05, abs=0.002)


def test_shared_items_of_a_tiny_corpus():
    # The split takes two of ten of each label set for fine-tuning, so that eight are left.
    kinds = [["animal"], ["food"], ["people"], ["transport"], ["animal", "people"]]
    labels = [kind for kind in kinds for _ in range(10)]
    items = pd.DataFrame({"id": np.arange(50).astype(str), "labels": labels, "image": b"not looked at"})
    shared = sensitivity.shared_items(Corpus("openclipart", items), "AF PT AP AFP")
    # Extracted: AF 8 + 8 + 8 (animal and people is an animal here), PT 8 + 8 + 8, AP 8 + 8, AFP 8 + 8 + 8.
    expected = pd.DataFrame(np.eye(4), shared.index, shared.index)
    for first, second, common, sizes in (
        ("AF", "PT", 8, 24 * 24),
        ("AF", "AP", 8, 24 * 16),
        ("PT", "AP", 8, 24 * 16),
        ("AF", "AFP", 16, 24 * 24),
        ("PT", "AFP", 8, 24 * 24),
        ("AP", "AFP", 16, 16 * 24),
    ):
        expected.loc[first, second] = expected.loc[second, first] = common / sizes**0.5
    pd.testing.assert_frame_equal(shared, expected)
    assert list(shared.index) == ["AF", "PT", "AP", "AFP"]


def test_largest_apart_of_a_chain():
    # Each dataset shares with the next one only: the first, third and fifth are apart.
    shared = pd.DataFrame(np.eye(6) + np.eye(6, k=1) * 0.2 + np.eye(6, k=-1) * 0.2, NAMES, NAMES)
    assert sensitivity.largest_apart(shared) == ["PT", "CO", "HP"]
    assert sensitivity.largest_apart(shared, 0.2) == NAMES
    assert sensitivity.largest_apart(shared * 0 + 1) == ["PT"]


@given(arrays(np.float64, (6, 6), elements=st.sampled_from([0.0, 0.3, 0.6])), st.sampled_from([0.0, 0.3]))
def test_no_larger_set_is_apart_and_none_comes_before_it(upper, allowed):
    shared = np.triu(upper, k=1) + np.triu(upper, k=1).T + np.eye(6)
    largest = sensitivity.largest_apart(pd.DataFrame(shared, NAMES, NAMES), allowed)

    def apart(rows):
        return all(shared[first, second] <= allowed for first, second in combinations(rows, 2))

    # Combinations come in the order of their rows.
    assert [NAMES.index(name) for name in largest] == list(next(filter(apart, combinations(range(6), len(largest)))))
    assert not any(apart(rows) for rows in combinations(range(6), len(largest) + 1))


def test_the_largest_set_apart_of_many_datasets_is_known_at_once():
    began = time.process_time()
    assert sensitivity.largest_apart(pd.DataFrame(np.eye(60))) == list(range(60))
    # Ten threes that share everything: one of each is apart from the others.
    shared = pd.DataFrame(np.kron(np.eye(10), np.ones((3, 3))))
    assert sensitivity.largest_apart(shared) == list(range(0, 30, 3))
    assert time.process_time() - began < 10, "sets are not tried one after the other"


@given(arrays(np.float64, 7, elements=st.floats(-1, 1), unique=True))
def test_independent_values_get_the_usual_interval(values):
    interval = mean_interval(values)
    expected = stats.ttest_1samp(values, 0).confidence_interval()
    assert (interval.low, interval.high) == pytest.approx(tuple(expected))
    assert interval.effective == pytest.approx(7)


@given(arrays(np.float64, 4, elements=st.floats(-1, 1), unique=True), st.integers(2, 5))
def test_values_told_several_times_count_once(values, times):
    repeated = mean_interval(np.repeat(values, times), np.kron(np.eye(4), np.ones((times, times))))
    assert repeated == pytest.approx(mean_interval(values))


def test_effective_number_under_equal_correlation():
    assert mean_interval(np.zeros(10), np.full((10, 10), 0.2) + 0.8 * np.eye(10)).effective == pytest.approx(10 / 2.8)


def test_one_value_has_no_interval():
    interval = mean_interval(np.array([0.3]))
    assert interval.mean == 0.3 and np.isnan(interval.low) and np.isnan(interval.high)


def embedded_members():
    corpus = corpora.load("openclipart")
    everything = np.arange(len(corpus.items))
    return np.array([np.isin(everything, divided(corpus, name).rows) for name in corpora.datasets(corpus.name)])


def test_coverage_where_datasets_share_items():
    # Each item has an effect of its own, and a dataset's result is the mean of its items' effects: variances then
    # differ between datasets, which the interval does not know.
    members = embedded_members()
    shared = sensitivity.shared_items(corpora.load("openclipart"))
    effects = np.random.default_rng(1410).normal(size=(4000, members.shape[1]))
    results = effects @ (members / members.sum(axis=1, keepdims=True)).T
    allowing, naive = mean_interval(results, shared.to_numpy()), mean_interval(results)
    covered, covered_naively = (
        ((intervals.low <= 0) & (intervals.high >= 0)).mean() for intervals in (allowing, naive)
    )
    # The standard error of a coverage of 0.95 is 0.0034 here; the approximation errs to the safe side.
    assert 0.94 <= covered <= 0.98
    assert covered_naively < 0.6


def test_coverage_under_the_very_model():
    shared = sensitivity.shared_items(corpora.load("openclipart")).to_numpy()
    results = np.random.default_rng(1410).multivariate_normal(np.zeros(20), shared, size=4000, method="eigh")
    interval = mean_interval(results, shared)
    assert 0.94 <= ((interval.low <= 0) & (interval.high >= 0)).mean() <= 0.975
    # The variance is estimated without bias: squared standard errors are on average the squared errors. Degrees of
    # freedom come here from the eigenvalues of the centred matrix.
    centring = np.eye(20) - 1 / 20
    eigenvalues = np.linalg.eigvalsh(centring @ shared @ centring)
    factor = stats.t.ppf(0.975, eigenvalues.sum() ** 2 / (eigenvalues**2).sum())
    standard_errors = (interval.high - interval.low) / 2 / factor
    # The mean of 4000 squared normal errors has a relative standard error of sqrt(2 / 4000) = 0.022.
    assert (standard_errors**2).mean() == pytest.approx((interval.mean**2).mean(), rel=0.08)


def test_gains_with_all_intervals():
    shared = APART.copy()
    shared.loc["PT", "AF"] = shared.loc["AF", "PT"] = 0.8
    spread = [0.01, 0.02, 0.03, 0.04, 0.05, 0.06]
    other = made_up("strict, seeds=replacement", {("CMCSL", "visual"): [1.0] * 6})
    scores = pd.concat([made_up(added={("CMCSL", "visual"): spread}), other], ignore_index=True)
    gains = sensitivity.gains_with_intervals(scores, shared)
    assert list(gains.interval.unique()) == ["independent", "shared items", "nearly apart"]
    assert list(gains.modality[:4]) == ["visual"] * 2 + ["text"] * 2
    assert list(gains.budget.unique()) == [1, 2] and len(gains) == 12
    naive, allowing, apart = gains[(gains.modality == "visual") & (gains.budget == 1)].itertuples()
    assert naive.gain == allowing.gain == pytest.approx(0.05 + np.mean(spread), abs=0.003)
    assert apart.gain == pytest.approx(0.05 + np.mean([0.01, 0.03, 0.04, 0.05, 0.06]), abs=0.003)
    assert (naive.effective, allowing.effective, apart.effective) == pytest.approx((6, 36 / 7.6, 5))
    assert (naive.datasets, allowing.datasets, apart.datasets) == (6, 6, 5)
    assert allowing.high - allowing.low > naive.high - naive.low
    only = made_up()
    assert sensitivity.gains_with_intervals(only[only.budget == 1], APART * 0 + 1).interval.nunique() == 2


def test_likeness_compares_pairs_by_what_they_share():
    shared = APART.copy()
    shared.loc["PT", "AF"] = shared.loc["AF", "PT"] = 0.8
    scores = made_up(added={("CMCSL", "text"): [0.3, 0.3, 0, 0, 0, 0]})
    likeness = sensitivity.likeness(scores, shared)
    assert list(likeness["shared"]) == ["0 to 0.05", "0.5 to 1"] and list(likeness.pairs) == [14, 1]
    # Near the ratio of the means of 1 - R, which the median of a ratio need not meet.
    assert likeness.expected[0] == pytest.approx(15 / 14.2, abs=0.02) and 0.02 < likeness.expected[1] < 15 * 0.2 / 14.2
    assert (likeness.limit > likeness.expected).all()
    # Of 15 pairs, eight differ by 0.3; PT and AF do not.
    assert list(likeness.text) == pytest.approx([15 / 14, 0], abs=0.01)
    assert sensitivity.likeness(made_up(names=["AF"]), shared).empty
    assert len(sensitivity.likeness(made_up(names=["PT", "AF"]), shared)) == 1


def test_likeness_does_not_speak_against_results_that_correlate_as_supposed():
    names = list(corpora.datasets("openclipart"))
    shared = sensitivity.shared_items(corpora.load("openclipart"))
    random = np.random.default_rng(1410)
    against = {"as supposed": 0, "not at all": 0}
    for R, supposition in ((shared.to_numpy(), "as supposed"), (np.eye(20), "not at all")):
        for gains in random.multivariate_normal(np.zeros(20), R, size=40, method="eigh"):
            scores = made_up(added={("CMCSL", "text"): gains}, names=names, budgets=(1,))
            last = sensitivity.likeness(scores, shared, draws=500).iloc[-1]
            against[supposition] += last.text > last.limit
    # Of 40, 2 are expected where the supposition holds; more than 6 would come with a probability of 0.3%.
    assert against["as supposed"] <= 6
    assert against["not at all"] >= 20


def test_what_is_missing_is_listed_with_its_commands_and_the_rest_is_loaded(monkeypatch):
    computed = []

    def load_scores(corpus, protocol, number, *, datasets, budgets, compute=True):
        assert (corpus, number, datasets, budgets) == ("openclipart", 3, "AF PT", (1,))
        computed.extend([protocol.name] if compute else [])
        if protocol.features != "default":
            raise Absent("There are no such features.")
        return made_up(protocol.name)

    monkeypatch.setattr(registry, "load_scores", load_scores)
    scores = sensitivity.load_changes("openclipart", datasets="AF PT", budgets=[1])
    assert scores.protocol.iloc[0] == "strict" and scores.protocol.nunique() == 8
    missing = sensitivity.missing_changes(scores)
    assert list(missing.columns) == ["corpus", "change", "reason", "commands"] and len(missing) == 4
    assert list(missing.iloc[3]) == [
        "openclipart",
        "features=split seed 1412",
        "not computed",
        (
            'cmcsl extract openclipart PT AF CO MO HP CT --name "split seed 1412" '
            "--image-encoder efficientnet-lite0 --start imagenet --precision mixed "
            "--split-seed 1412 && cmcsl run 3 --corpus openclipart --datasets PT AF CO MO HP CT "
            '--change "features=split seed 1412"'
        ),
    ]
    paper = (
        sensitivity.missing_changes(made_up(names=list(corpora.datasets("openclipart"))))
        .set_index("change")
        .loc["paper"]
    )
    assert paper.commands == "cmcsl run 3 --corpus openclipart --protocol paper"
    from_paper = sensitivity.load_changes("openclipart", "paper", datasets="AF PT", budgets=(1,))
    assert from_paper.protocol.iloc[0] == "paper" and from_paper.protocol.nunique() == 7
    assert computed == ["strict", "paper"], "only the reference's scores are computed"


def test_commands_change_one_thing_at_a_time(monkeypatch):
    """A seed is changed, while everything else is as the features were made that the change is compared with."""
    every = list(corpora.datasets("openclipart"))
    settings = {"start": "imagenet", "precision": "mixed (bfloat16)", "images": "224 cropped swapped"}
    settings |= {"image encoder": "resnet18", "fine-tuning": "none", "new layer": 512, "seed": 7, "split seed": 8}
    features = replace(load_features("openclipart", "AF"), metadata={"settings": settings})
    monkeypatch.setattr(registry, "load_features", lambda corpus, dataset: features)
    missing = sensitivity.missing_changes(made_up(names=every)).set_index("change")
    same = "--image-encoder resnet18 --start imagenet --precision mixed --orientation swapped --finetune no --width 512"
    for change, seeds in (
        ("training seed 1411", "--split-seed 8 --seed 1411"),
        ("split seed 1411", "--seed 7 --split-seed 1411"),
    ):
        assert missing.commands[f"features={change}"] == (
            f'cmcsl extract openclipart --name "{change}" {same} {seeds} && '
            f'cmcsl run 3 --corpus openclipart --change "features={change}"'
        )


def test_what_a_corpus_cannot_show_has_a_reason_and_no_command(monkeypatch):
    items = pd.DataFrame({"id": ["1"], "labels": [["a"]], "image": [None]})
    monkeypatch.setattr(registry, "load", lambda name: Corpus(name, items))
    missing = sensitivity.missing_changes(made_up()).set_index("change")
    assert (missing.loc["folds=creators apart"] == ["openclipart", "no creators", ""]).all()
    assert (missing.filter(like="features=", axis=0).reason == "no pictures").all()
    assert ((missing.reason == "not computed") == (missing.commands != "")).all()


def test_a_wrong_name_is_not_taken_for_absence():
    with pytest.raises(CmcslError, match="Unknown dataset"):
        sensitivity.load_changes("openclipart", datasets="XY")
    with pytest.raises(CmcslError, match="Unknown protocol"):
        sensitivity.load_changes("openclipart", "loose")


def test_the_figure_draws_each_mark_once():
    answered = pd.concat(
        [
            sensitivity.answers(both("strict, seeds=replacement", {}), APART).assign(budgets=name)
            for name in ("all", "one")
        ]
    )
    drawn = forest(answered, "protocol", "budgets", "gain", xlabel="CMCSL - UNI", ylabel="Protocol")
    assert drawn.equals(answered)
    axes = plt.gcf().axes
    for axis in axes:
        marks = [line for line in axis.lines if line.get_label() in ("all", "one")]
        assert [len(line.get_xdata()) for line in marks] == [2, 2]
        low, high = sorted(axis.get_ylim())
        assert all(low < y < high for line in marks for y in line.get_ydata()), "marks are not cut"
    assert axes[0].get_ylabel() == "Protocol"
    assert [text.get_text() for text in axes[0].get_yticklabels()] == ["strict", "seeds=replacement"]
    assert axes[0].yaxis_inverted(), "the first line is on top"
    plt.close()


def test_what_belongs_to_both_modalities_is_not_drawn():
    table = pd.DataFrame(
        {
            "change": "one",
            "method": ["FULL", "EF", "UNI"],
            "modality": ["visual", "both", "text"],
            "effect": 0.1,
            "low": 0.0,
            "high": 0.2,
        }
    )
    drawn = forest(table, "change", "method", "effect", xlabel="Effect")
    assert list(drawn.method) == ["FULL", "UNI"]
    assert [text.get_text() for text in plt.gcf().legends[0].get_texts()] == ["FULL", "UNI"]
    plt.close()
    assert forest(table[:0], "change", "method", "effect", xlabel="Effect").empty
    plt.close()


def test_one_dataset_alone_has_no_intervals_and_no_verdicts():
    scores = both("strict, seeds=replacement", {}, names=NAMES[:1])
    shared = pd.DataFrame(np.eye(1), NAMES[:1], NAMES[:1])
    answered = sensitivity.answers(scores, shared)
    assert (answered.verdict == "too few datasets").all() and answered[["low", "high"]].isna().all(axis=None)
    assert sensitivity.gains_with_intervals(scores, shared).low.isna().all()
    assert sensitivity.change_effects(scores, shared).low.isna().all()
