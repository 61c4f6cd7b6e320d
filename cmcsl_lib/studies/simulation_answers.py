"""What the map of the simulation says, as tables and computed sentences: where CMCSL helps, where it loses, and why.

A gain counts as one, or as a loss, where it is more than twice its standard error away from zero.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from ..errors import CmcslError
from ..features import MODALITIES
from ..protocol import BUDGETS, protocol
from ..summaries import listed
from . import drift, simulation
from .placement import (
    KEYS,
    MEAN,
    agreement,
    deciders,
    gains,
    latent_dependence,
    positions,
    predicted,
    published,
    simulated_deciders,
    with_features,
)

SURE = 2.0
#: Gains of the map, and what they are called.
OUTCOMES = {"visual": "over UNI, visual", "text": "over UNI, text", "better": "over UNI, better modality",
            "ef": "over early fusion", "lf": "over late fusion"}
SIDES = ("weaker", "stronger")
#: What settings are where nothing else is told.
USUAL = simulation.Setting(classes=2)
#: What the paper's datasets are compared with, since their geometry, dependence and part of their size are unknown: a
#: name, and the geometry, rows per class and dependence of the map.
WORLDS = {
    **{f"as openclipart, dependence {rho:g}": ("openclipart", USUAL.rows, rho) for rho in simulation.DEPENDENCES},
    "equal dimensions": ("equal", USUAL.rows, USUAL.dependence),
    "swapped dimensions": ("swapped", USUAL.rows, USUAL.dependence),
    "equal dimensions, 500 rows per class": ("equal", 500, USUAL.dependence),
}


class Study(NamedTuple):
    """Datasets on the map.

    Attributes
    ----------
    place : DataFrame
        One row per dataset: source (corpus, or published), the columns of `placement.with_features`, and rho; what
        only features tell is NaN for published datasets.
    compared : DataFrame
        Of the corpus: source, dataset, modality, budget, gain, predicted.
    paper : DataFrame
        The same of the paper's datasets, for each of `WORLDS`, named in a column world.
    measured, simulated : DataFrame
        Who decides in the corpus's binary datasets (in all, if none is binary): from `placement.deciders`, and from
        `placement.simulated_deciders` at their mean place for each geometry, named in the columns geometry and series.
    """

    place: pd.DataFrame
    compared: pd.DataFrame
    paper: pd.DataFrame
    measured: pd.DataFrame
    simulated: pd.DataFrame


def analyse(table: pd.DataFrame, scores: pd.DataFrame) -> Study:
    """Place the datasets of a corpus and of the paper on the map, and compare what it foretells with what is measured.

    Parameters
    ----------
    table : DataFrame
        The map.
    scores : DataFrame
        The tidy scores table of Experiment 3 of one corpus and protocol.

    Raises
    ------
    CmcslError
        If no budget of the scores is on the map.
    """
    corpus, chosen = scores.corpus.iloc[0], protocol(scores.protocol.iloc[0])
    budgets = sorted(set(scores.budget) & set(BUDGETS))
    if not budgets:
        raise CmcslError(f"Budgets must include one of {BUDGETS[0]}..{BUDGETS[-1]}, those that the map covers.")
    own = with_features(positions(scores), corpus, chosen)
    own["rho"] = latent_dependence(world(table), own)
    compared = gains(scores).merge(predicted(world(table), own, budgets), on=KEYS).assign(source=corpus)
    place, gained = published()
    foretold = [_foretold(table, place, gained, budgets, name) for name in WORLDS]
    few = sorted(set(budgets) & set(simulation.BUDGETS)) or budgets[:1]
    chosen_few = own[own.kind == "binary"] if (own.kind == "binary").any() else own
    return Study(pd.concat([own.assign(source=corpus), place.assign(source="published")], ignore_index=True), compared,
                 pd.concat(foretold, ignore_index=True), deciders(corpus, list(chosen_few.dataset), chosen, few),
                 _simulated_deciders(table, chosen_few, few))


def _foretold(table: pd.DataFrame, place: pd.DataFrame, gained: pd.DataFrame, budgets: Sequence[int],
              name: str) -> pd.DataFrame:
    """Gains of the paper's datasets beside those that one of `WORLDS` foretells."""
    geometry, rows, rho = WORLDS[name]
    wanted = [MEAN] if (gained.budget == MEAN).all() else budgets
    told = predicted(world(table, geometry, rows, dependence=rho), place, wanted)
    return gained.merge(told, on=KEYS).assign(source="published", world=name)


def _simulated_deciders(table: pd.DataFrame, place: pd.DataFrame, budgets: Sequence[int]) -> pd.DataFrame:
    middle = place[list(MODALITIES)].mean()
    return pd.concat([
        simulated_deciders(binary(table, geometry), middle.visual, middle.text, budgets)
        .assign(series=f"simulated, {dimensions[0]} and {dimensions[1]} dimensions", geometry=geometry)
        for geometry, dimensions in simulation.GEOMETRIES.items()], ignore_index=True)


def marks(place: pd.DataFrame, kind: str = "binary") -> pd.DataFrame:
    """Datasets of one kind, each with the nearest dependence of the map; NaN where it is unknown."""
    grid, its = np.array(simulation.DEPENDENCES), place[place.kind == kind]
    nearest = [grid[np.abs(grid - rho).argmin()] if rho == rho else np.nan for rho in its.rho]
    return its[["source", "dataset", *MODALITIES]].assign(dependence=nearest)


def world(table: pd.DataFrame, geometry: str | None = "openclipart", rows: int = USUAL.rows,
          **choices: object) -> pd.DataFrame:
    """Rows of the map with one geometry (None: any), number of rows, and further choices: columns and their values."""
    chosen = (table.rows == rows) & (geometry is None or table.geometry == geometry)
    for column, value in choices.items():
        chosen &= table[column] == value
    return table[chosen]


def binary(table: pd.DataFrame, geometry: str | None = "openclipart", **choices: object) -> pd.DataFrame:
    """The map of two classes with the middle dependence, near that of the embedded corpus."""
    return world(table, geometry, classes=USUAL.classes, dependence=USUAL.dependence, **choices)


def long_gains(table: pd.DataFrame, outcomes: Sequence[str] = tuple(OUTCOMES)) -> pd.DataFrame:
    """One row per gain of the map: its columns, outcome (as in `OUTCOMES`), gain, error."""
    keys = ["classes", "geometry", "dependence", "rows", "visual", "text", "exchange", "budget"]
    return pd.concat([
        table[keys].assign(outcome=OUTCOMES[name], gain=table[f"gain_{name}"], error=table[f"error_{name}"])
        for name in outcomes], ignore_index=True)


def panels(table: pd.DataFrame, outcomes: Sequence[str], budgets: Sequence[int] | None = None, *,
           joined: bool = False) -> pd.DataFrame:
    """`long_gains` with a column panel of headings: the budget, or outcome and budget joined.

    Parameters
    ----------
    outcomes : sequence of str
        Keys of `OUTCOMES`.
    budgets : sequence of int, optional
        Default: all of the map.
    """
    told = long_gains(table if budgets is None else table[table.budget.isin(budgets)], outcomes)
    seeds = told.budget.map(_seeds)
    return told.assign(panel=told.outcome + ",\n" + seeds if joined else seeds)


def verdicts(table: pd.DataFrame) -> pd.DataFrame:
    """Shares of the map's cells where CMCSL gains and where it loses, by outcome and budget.

    Cells where both modalities are at chance are left out: nothing can help or hurt there.

    Returns
    -------
    DataFrame
        Columns outcome, budget, share_gaining, share_losing, gain (mean), gain_worst, gain_best.
    """
    told = long_gains(table[(table.visual > 0) | (table.text > 0)])
    told = told.assign(share_gaining=told.gain > SURE * told.error, share_losing=told.gain < -SURE * told.error,
                       gain_worst=told.gain, gain_best=told.gain)
    return told.groupby(["outcome", "budget"], sort=False).agg(
        {"share_gaining": "mean", "share_losing": "mean", "gain": "mean", "gain_worst": "min", "gain_best": "max"}
    ).reset_index()


def sides(table: pd.DataFrame) -> pd.DataFrame:
    """Gains over UNI of the weaker and of the stronger modality, by exchange strategy and budget.

    Returns
    -------
    DataFrame
        Columns exchange, budget, and for each side S gain_S (mean over cells with modalities of unequal strength),
        share_gaining_S, share_losing_S.
    """
    unequal = table[table.visual != table.text]
    stronger = (unequal.text > unequal.visual).map({True: "text", False: "visual"})
    found = unequal[["exchange", "budget"]].copy()
    for side, modality in zip(SIDES, (stronger.map({"text": "visual", "visual": "text"}), stronger), strict=True):
        gain, error = (unequal[f"{what}_visual"].where(modality == "visual", unequal[f"{what}_text"])
                       for what in ("gain", "error"))
        found[f"gain_{side}"] = gain
        found[f"share_gaining_{side}"], found[f"share_losing_{side}"] = gain > SURE * error, gain < -SURE * error
    return found.groupby(["exchange", "budget"], sort=False).mean().reset_index()


def map_told() -> str:
    """What the map was made with: sizes, repetitions, strengths, dependences, geometries, budgets."""
    settings, columns = simulation.SETTINGS, simulation.WIDTHS
    sizes = {f"{setting.rows} rows per class (mean of {setting.repetitions} repetitions)" for setting in settings}
    geometries = (f"*{name}* {visual}/{text}" for name, (visual, text) in simulation.GEOMETRIES.items())
    return (f"Features have {columns['visual']} columns (visual) and {columns['text']} (text); directions are "
            f"{listed(geometries)}. There are datasets of {_numbers({setting.classes for setting in settings})} "
            f"classes, with {listed(sorted(sizes))} in each half; the maps below show {USUAL.rows}. Strengths are "
            f"{_numbers(simulation.STRENGTHS)}; dependences {_numbers(simulation.DEPENDENCES)}, and "
            f"{USUAL.dependence:g} where nothing else is told; seeds per class {_numbers(simulation.BUDGETS)}. A gain "
            f"or a loss counts where it is more than {SURE:g} standard errors from zero.")


def _numbers(values: Iterable[float]) -> str:
    return listed(f"{value:g}" for value in sorted(values))


def losses_told(table: pd.DataFrame) -> str:
    """Sentences: how often CMCSL gains and loses on the map at its smallest and largest budget."""
    made, told = verdicts(table), []
    ends = [made.budget.min(), made.budget.max()]
    for outcome, its in made.groupby("outcome", sort=False):
        parts = [f"at {_seeds(row.budget)} it gains in {row.share_gaining:.0%} of the cells and loses in "
                 f"{row.share_losing:.0%} (from {row.gain_worst:+.3f} to {row.gain_best:+.3f})"
                 for row in its[its.budget.isin(ends)].itertuples()]
        told.append(f"- CMCSL {outcome}: {'; '.join(parts)}.")
    return "\n".join(told)


def sides_told(table: pd.DataFrame) -> str:
    """A Markdown list, one sentence per budget: what exchange gives the weaker and takes from the stronger modality."""
    told = []
    for budget, its in sides(table).groupby("budget"):
        its = its.set_index("exchange")
        both = its.gain_weaker + its.gain_stronger
        parts = [f"{what} `{name}`: {its.gain_weaker[name]:+.3f} and {its.gain_stronger[name]:+.3f}"
                 for what, name in (("with", "distance"), ("the sum of both is largest with", both.idxmax()),
                                    ("and smallest with", both.idxmin()))]
        told.append(f"- {_seeds(budget).capitalize()}: the weaker and the stronger modality gain on average, "
                    f"{'; '.join(parts)}.")
    return "\n".join(told)


def why_told(simulated: pd.DataFrame, measured: pd.DataFrame) -> str:
    """Sentences: who decides with few and with many seeds, and how often this is right.

    Parameters
    ----------
    simulated : DataFrame
        From `placement.simulated_deciders`.
    measured : DataFrame
        From `placement.deciders`.
    """
    told = []
    budgets = sorted(set(simulated.budget) & set(measured.budget))
    for budget in dict.fromkeys([budgets[0], budgets[-1]]):
        its = simulated[(simulated.geometry == "openclipart") & (simulated.budget == budget)].set_index("exchange")
        paper, real = its.loc["distance"], measured[measured.budget == budget].mean(numeric_only=True)
        told.append(
            f"With {_seeds(budget)} the text decides {paper.text_decides:.0%} of the labels that differ in the "
            f"simulation, and {real.text_decides:.0%} on these datasets. In the simulation the text is right in "
            f"{paper.right_text:.0%} of them, the image in {paper.right_visual:.0%}, what CMCSL keeps in "
            f"{paper.right_kept:.0%}, and a coin that names the text as often in {paper.right_coin:.0%}; on the "
            f"datasets {real.right_text:.0%}, {real.right_visual:.0%} and {real.right_kept:.0%}. With `probability` "
            f"the text decides {its.loc['probability'].text_decides:.0%}, and {its.loc['probability'].right_kept:.0%} "
            "are right.")
    return "\n\n".join(told)


def agreement_told(compared: pd.DataFrame, what: str) -> str:
    """Sentences: how often the map names the sign of CMCSL - UNI in each modality.

    Parameters
    ----------
    compared : DataFrame
        As `placement.agreement` takes it.
    what : str
        Whose datasets, for example ``"openclipart"``.
    """
    made = agreement(compared).set_index("modality")
    parts = [f"in {modality} {row.share_agreeing:.0%} of {row.compared:.0f}, "
             f"{'more' if row.share_agreeing > row.share_commoner else 'no more'} often than who always names the "
             f"commoner sign ({row.share_commoner:.0%}; rank correlation {row.rank_correlation:.2f}; mean measured "
             f"{row.gain_measured:+.3f}, foretold {row.gain_predicted:+.3f})"
             for modality, row in made.loc[list(MODALITIES)].iterrows()]
    how = "gains averaged over budgets" if (compared.budget == MEAN).all() else "gains, dataset by dataset and budget"
    return f"The map names the right sign of {what}'s {how}: {'; '.join(parts)}."


def turning_told(compared: pd.DataFrame) -> str:
    """Sentence: from which budget on the text loses on average, measured and foretold.

    Parameters
    ----------
    compared : DataFrame
        Of a corpus, as in `Study`.
    """
    means = compared[compared.modality == "text"].groupby("budget")[["gain", "predicted"]].mean()
    parts = []
    for name, column in (("measured", "gain"), ("foretold", "predicted")):
        # Every budget from there on counts, so that one that dips by chance does not.
        losing = (means[column] < 0)[::-1].cummin()[::-1]
        parts.append(f"{name}, from {_seeds(losing.idxmax())} on" if losing.any() else f"{name}, never")
    return (f"On average the text loses by the exchange: {'; '.join(parts)} (budgets {means.index[0]} to "
            f"{means.index[-1]}).")


def paper_told(paper: pd.DataFrame) -> str:
    """Sentences on the paper's datasets: the map's world that foretells most signs, and what it says."""
    share = agreement(paper, ["world"]).set_index("world").share_agreeing
    best = share.idxmax()
    away = (paper.gain - paper.predicted).abs().groupby([paper.modality, paper.world]).mean()
    closest = "; ".join(f"in {modality} *{away[modality].idxmin()}* (off by {away[modality].min():.3f} on average; the "
                        f"farthest world is off by {away[modality].max():.3f})" for modality in MODALITIES)
    return (f"Of {len(share)} worlds, the map names most signs of the paper's datasets right ({share.max():.0%}) with "
            f"*{best}*, fewest ({share.min():.0%}) with *{share.idxmin()}*. The best one is chosen after the fact. "
            + agreement_told(paper[paper.world == best], "the paper")
            + f" Closest in size is {closest}.")


def with_paper(found: Study) -> pd.DataFrame:
    """Comparison of the corpus, and of the paper's datasets in the corpus's world with dependence 0.4, for a figure.

    Of many budgets only those of the map and the mean are kept; others lie in between.
    """
    its = found.paper[found.paper.world == "as openclipart, dependence 0.4"]
    both = pd.concat([found.compared, its], ignore_index=True)[["source", *KEYS, "gain", "predicted"]]
    few = both[both.budget.isin([MEAN, *simulation.BUDGETS])]
    return both if few.empty else few


def geometry_told(place: pd.DataFrame) -> str:
    """Sentence: effective dimensions and dependence of the corpus's datasets, beside those of the map."""
    its = place[place.rho.notna()]
    told = " and ".join(f"{its[f'dimension_{modality}'].mean():.0f} in {modality} "
                        f"({its[f'dimension_{modality}'].min():.0f} to {its[f'dimension_{modality}'].max():.0f})"
                        for modality in MODALITIES)
    visual, text = simulation.GEOMETRIES["openclipart"]
    return (f"The {len(its)} datasets of {its.source.iloc[0]} have so many effective dimensions on average: {told}; "
            f"the map has {visual} and {text}. Their errors correlate by {its.dependence.mean():.2f} on average "
            f"({its.dependence.min():.2f} to {its.dependence.max():.2f}), as those on the map do at a dependence of "
            f"{its.rho.mean():.2f}. In {(its.text > its.visual).sum()} of them the text is stronger.")


def _seeds(budget: int) -> str:
    return f"{budget} seed{'s' if budget > 1 else ''} per class"


def streams_told() -> str:
    """What the streams were made with: batches, rows, labels, turns, repetitions."""
    its = drift.STREAMS[0]
    turns = _numbers(stream.turn for stream in drift.STREAMS)
    return (f"A stream has {its.batches} batches with {its.rows} rows of each of {its.classes} classes; streams turn "
            f"by {turns} degrees in all, {its.repetitions} of each. The first batch has "
            f"{_seeds(its.first)}, each later one {its.later}; methods with a memory keep the newest {drift.NEWEST}.")


def drift_told(streams: pd.DataFrame) -> str:
    """A Markdown list, one sentence per turn: the learners on the last batch, and which one is best.

    Parameters
    ----------
    streams : DataFrame
        From `drift.means`.
    """
    last, told = streams[streams.batch == streams.batch.max()], []
    for turn, its in last.groupby("turn", sort=False):
        means = its.groupby("learner", sort=False).balanced_accuracy.mean()
        parts = "; ".join(f"*{name}* {value:.3f}" for name, value in means.items())
        told.append(f"- A turn by {turn:.0f} degrees: on the last batch, averaged over the modalities, {parts}. Best "
                    f"is *{means.idxmax()}*.")
    return "\n".join(told)
