"""CMCSL as a classifier: modalities label the unlabelled rows for each other (Section III)."""

import warnings
from collections.abc import Mapping
from numbers import Integral
from types import MappingProxyType
from typing import Any, NamedTuple, Self

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from sklearn import get_config
from sklearn.base import BaseEstimator, clone
from sklearn.utils.metadata_routing import MetadataRouter, MethodMapping
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import has_fit_parameter

from ..files.errors import CmcslError, check_choice
from ..method.calibrated import ROUNDS, SEED_WEIGHT, calibrated_labels
from ..method.fusion import held_out_parts, temperature_and_weight
from .base import CALIBRATED as CALIBRATED_FUSION
from .base import FUSIONS, ModalityClassifier, base_has, log_probabilities
from .inputs import Features, Modalities, decode, encode, metadata_of
from .modality import Modality
from .propagation import Opinion, opinion
from .strategies import CALIBRATED, EXCHANGES, Decision, decide, decide_together

TRANSFERS = ("exchange", "crosswise")


class SelfLabelingClassifier(ModalityClassifier):
    """Base of the classifiers that label unlabelled rows; a subclass says which modalities teach which.

    Parameters
    ----------
    base_estimator, modalities, preprocessing, class_weight, fusion, propagator, min_margin : optional
        As for `CMCSLClassifier`.
    """

    fusions = (CALIBRATED_FUSION, *FUSIONS)
    #: How modalities are compared where a subclass has no such parameters.
    exchange = "distance"
    rounds = 0

    def __init__(
        self,
        base_estimator: BaseEstimator | None = None,
        *,
        modalities: Modalities = None,
        preprocessing: str | BaseEstimator = "L2STD",
        class_weight: str | Mapping[Any, float] | None = "share",
        fusion: str = CALIBRATED_FUSION,
        propagator: BaseEstimator | None = None,
        min_margin: float = 0.0,
    ) -> None:
        super().__init__(
            base_estimator, modalities=modalities, preprocessing=preprocessing, class_weight=class_weight, fusion=fusion
        )
        self.propagator = propagator
        self.min_margin = min_margin

    def fit(self, X: Features, y: ArrayLike, *, labeled: ArrayLike | None = None, **params: Any) -> Self:
        """Label the unlabelled rows, and train one classifier per modality on all labels.

        Parameters
        ----------
        X : array-like or DataFrame of shape (n, d), or dict of str to array-like of shape (n, d of the modality)
            Features of labelled and unlabelled rows. A row whose values in one modality are all NaN lacks it.
        y : array-like of shape (n,)
            Class of each row; -1 (in a list of strings, an array of objects or one of pandas None and NaN as well)
            where it has no label.
        labeled : array-like of shape (n,), dtype bool, optional
            Which rows have a label: in the others y is not looked at, and -1 may be a class. Default: the rows where y
            is not -1, None or NaN. After a meta-estimator has numbered the classes anew, only this says which rows
            have none (see Notes of `CMCSLClassifier`).
        **params : dict
            Metadata for the `fit` of the base estimator, such as `sample_weight`, which a propagator that takes it is
            given as well; what has n entries is cut to the rows that a classifier is trained on. With metadata routing
            enabled, base estimator and propagator must request it.

        Returns
        -------
        self
            Fitted.

        Raises
        ------
        ValueError
            If a parameter or the input is not as described; the message names it.
        """
        modalities, codes, metadata, decisions = self._label(X, y, labeled, params)
        labels, soft = _hard_and_soft(decisions, codes)
        training_sets = self._teach(modalities, labels, codes, metadata, soft)
        parts = self._parts_to_hold_out(modalities, labels, codes)
        classifiers = self._train(modalities, training_sets, parts)
        self.estimators_ = {name: everything for name, (everything, *_) in classifiers.items()}
        self._calibrate(modalities, classifiers, parts, labels, codes, soft)
        self._keep_seeds(modalities, codes)
        return self

    def label(self, X: Features, y: ArrayLike, *, labeled: ArrayLike | None = None, **params: Any) -> Self:
        """Label the unlabelled rows as `fit` does, but train no classifier: for those who want the labels alone.

        Parameters
        ----------
        X, y, labeled : array-like
            As for `fit`.
        **params : dict
            As for `fit`; a propagator may take some.

        Returns
        -------
        self
            With the labels and where they come from, and not fitted to predict.

        Raises
        ------
        ValueError
            As `fit`.
        """
        if hasattr(self, "estimators_"):
            del self.estimators_
        self._label(X, y, labeled, params)
        return self

    def _label(
        self, X: Features, y: ArrayLike, labeled: ArrayLike | None, params: dict[str, Any]
    ) -> tuple[dict[str, Modality], np.ndarray, dict[str, Any], dict[str, Decision]]:
        """Label the rows, and return what `_begin_fit` does and the labels for each modality's classifier."""
        modalities, codes, metadata = self._begin_fit(X, y, labeled, params)
        if labeled is None and (codes >= 0).all():
            warnings.warn(
                "y has no unlabelled row, so that there is nothing to label. If some rows should have none: "
                "scikit-learn's VotingClassifier and others number the classes anew, and take -1 for one; say with "
                "labeled which rows have a label.",
                stacklevel=3,
            )
        weights = self._route_to_propagator(params, "fit", len(codes))
        opinions = self._label_by_modality(modalities, codes, weights, stacklevel=4)
        self.seeds_right_ = {name: _seeds_right(each) for name, each in opinions.items()}
        decisions, overall = self._label_across_modalities(modalities, opinions, codes)
        self._record(opinions, decisions, overall)
        return modalities, codes, metadata, decisions

    def _check_parameters(self) -> None:
        super()._check_parameters()
        self._check_share("min_margin")

    def _teachers(self, modality: str) -> list[str]:
        """Modalities whose labels a modality's classifier is trained on; where they differ, the surest decides."""
        raise NotImplementedError

    def get_metadata_routing(self) -> MetadataRouter:
        """Route the metadata of `fit` and `partial_fit` to the base estimator, and to the `fit` of the propagator.

        Returns
        -------
        MetadataRouter
            See the metadata routing of scikit-learn.
        """
        router = super().get_metadata_routing()
        if self.propagator is not None:
            mapping = MethodMapping().add(caller="fit", callee="fit").add(caller="partial_fit", callee="fit")
            router.add(propagator=self.propagator, method_mapping=mapping)
        return router

    def _route_to_propagator(self, params: dict[str, Any], method: str, n: int) -> dict[str, Any]:
        """Metadata for the `fit` of the propagator, of n rows; without metadata routing weights, if it takes any."""
        if self.propagator is None:
            return {}
        if not get_config()["enable_metadata_routing"]:
            takes = has_fit_parameter(self.propagator, "sample_weight")
            params = {name: value for name, value in params.items() if takes and name == "sample_weight"}
        return self._route(params, method, n, "propagator", "fit")

    def _label_by_modality(
        self, modalities: Mapping[str, Modality], codes: np.ndarray, metadata: Mapping[str, Any], stacklevel: int
    ) -> dict[str, Opinion]:
        """CLUSTERING and PROPAGATE, or the propagator, in each modality; warnings point so many calls up."""
        opinions = {}
        for name, X in modalities.items():
            absent = np.setdiff1d(np.arange(len(self.classes_)), codes[X.rows])
            if len(absent):
                listed = ", ".join(map(repr, self.classes_[absent].tolist()))
                warnings.warn(
                    f"Modality {name!r} has no seed of class {listed}: it labels no row so.", stacklevel=stacklevel
                )
            opinions[name] = opinion(self.propagator, X, codes, len(self.classes_), X.rows, metadata)
        return opinions

    def _label_across_modalities(
        self, modalities: Mapping[str, Modality], opinions: Mapping[str, Opinion], codes: np.ndarray
    ) -> tuple[dict[str, Decision], Decision]:
        """NEAREST for each modality's classifier, among its teachers, and overall, among all who teach any."""
        teachers = {name: tuple(self._teachers(name)) for name in opinions}
        everyone = tuple(name for name in opinions if any(name in names for names in teachers.values()))
        decisions, groups = {}, {*teachers.values(), everyone}
        if self.exchange == CALIBRATED:
            for names in groups:
                teaching = [modalities[name] for name in names]
                present, nearest = [each.rows for each in teaching], [opinions[name].distance for name in names]
                labels = calibrated_labels(teaching, codes, len(self.classes_), self.rounds, present, nearest)
                decisions[names] = decide_together(
                    {name: opinions[name] for name in names}, labels, codes, self.min_margin
                )
        else:
            comparable = {name: EXCHANGES[self.exchange](each, codes >= 0) for name, each in opinions.items()}
            for names in groups:
                decisions[names] = decide({name: opinions[name] for name in names}, comparable, codes, self.min_margin)
        return {name: decisions[names] for name, names in teachers.items()}, decisions[everyone]

    def _parts_to_hold_out(
        self, modalities: Mapping[str, Modality], labels: Mapping[str, np.ndarray], codes: np.ndarray
    ) -> dict[str, np.ndarray]:
        """Parts of the rows that have each modality and a label, by which its classifier is calibrated; -1 elsewhere.

        A modality is left out that has too few rows, or if nothing is to be calibrated.
        """
        parts: dict[str, np.ndarray] = {}
        if self.fusion != CALIBRATED_FUSION or not hasattr(self._base(), "predict_proba"):
            return parts
        for name, X in modalities.items():
            places = np.flatnonzero(labels[name][X.rows] >= 0)
            rows = X.rows[places]
            # Two classes must be left whatever part is held out.
            if np.sort(np.bincount(labels[name][rows], minlength=max(len(self.classes_), 2)))[-2] > 1:
                parts[name] = np.full(len(X), -1)
                parts[name][places] = held_out_parts(labels[name][rows], codes[rows] >= 0)
        return parts

    def _calibrate(
        self,
        modalities: Mapping[str, Modality],
        classifiers: Mapping[str, list[BaseEstimator]],
        parts: Mapping[str, np.ndarray],
        labels: Mapping[str, np.ndarray],
        codes: np.ndarray,
        soft: Mapping[str, np.ndarray | None],
    ) -> None:
        """Learn the temperature and the weight of each modality from rows that are held out of its training."""
        if self.fusion != CALIBRATED_FUSION or not hasattr(self._base(), "predict_proba"):
            return
        k = len(self.classes_)
        self.temperatures_, self.modality_weights_ = dict.fromkeys(modalities, 1.0), dict.fromkeys(modalities, 1.0)
        for name, own in parts.items():
            X, (_, *held_out) = modalities[name], classifiers[name]
            logs = np.empty((len(X), k))
            for part, classifier in enumerate(held_out):
                places = np.flatnonzero(own == part)
                logs[places] = log_probabilities(classifier, X.at(places), k)
            places = np.flatnonzero(own >= 0)
            rows, shares = X.rows[places], soft[name]
            targets = np.eye(k)[labels[name][rows]] if shares is None else shares[rows]
            self.temperatures_[name], self.modality_weights_[name] = temperature_and_weight(
                logs[places], targets, codes[rows]
            )

    def _record(self, opinions: Mapping[str, Opinion], decisions: Mapping[str, Decision], overall: Decision) -> None:
        """Set the attributes that say which labels rows got, and where from."""
        alone = {name: each.label for name, each in opinions.items()}
        alone |= {name: _most_probable(each)[0] for name, each in overall.by_modality.items()}
        self.unimodal_transduction_ = {name: decode(label, self.classes_) for name, label in alone.items()}
        self.transduction_by_modality_ = {name: decode(each.label, self.classes_) for name, each in decisions.items()}
        # Modalities that are taught the same share one table.
        tables = {id(decision): self._provenance(decision) for decision in decisions.values()}
        self.provenance_ = {name: tables[id(decision)] for name, decision in decisions.items()}
        self.transduction_ = decode(overall.label, self.classes_)
        self.deciding_modality_, self.distance_, self.margin_, self.seed_row_ = overall[1:5]
        if overall.posterior is not None:
            self.probability_, self.probability_by_modality_ = overall.posterior, dict(overall.by_modality)

    def _provenance(self, decision: Decision) -> pd.DataFrame:
        """Where labels come from; what each modality says by itself only if they decided together."""
        columns = {
            "label": decode(decision.label, self.classes_),
            "deciding_modality": pd.Series(decision.modality, dtype=object),
            "distance": decision.distance,
            "margin": decision.margin,
            "seed_row": decision.seed,
        }
        if decision.posterior is not None:
            columns["probability"] = decision.posterior.max(axis=1)
            for name, each in decision.by_modality.items():
                label, probability = _most_probable(each)
                columns |= {f"{name}_label": decode(label, self.classes_), f"{name}_probability": probability}
        return pd.DataFrame(columns)

    def _keep_seeds(self, modalities: dict[str, Modality], codes: np.ndarray) -> None:
        """Keep what `partial_fit` needs of these rows, in a classifier that has it."""


def _seeds_right(opinion: Opinion) -> tuple[int, int]:
    """How many seeds are nearest to another one of their class, and how many have another one there."""
    if opinion.seed_distance is None:
        return 0, 0
    own = opinion.seed_distance[np.arange(len(opinion.seeds)), opinion.seed_label]
    judged = np.isfinite(own)
    # A tie with another class is no sign of the own one.
    nearer = (opinion.seed_distance <= own[:, None]).sum(axis=1) == 1
    return int((judged & nearer).sum()), int(judged.sum())


def _most_probable(probabilities: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Number of the most probable class of each row, -1 where all is NaN, and its probability."""
    known = ~np.isnan(probabilities[:, 0])
    return np.where(known, np.nan_to_num(probabilities).argmax(axis=1), -1), probabilities.max(axis=1)


def _hard_and_soft(
    decisions: Mapping[str, Decision], codes: np.ndarray
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray | None]]:
    """Labels of each modality's classifier, and how much each row belongs to each class where that is known."""
    weight = np.where(codes >= 0, SEED_WEIGHT, 1.0)[:, None]
    return (
        {name: decision.label for name, decision in decisions.items()},
        {
            name: None if decision.posterior is None else decision.posterior * weight
            for name, decision in decisions.items()
        },
    )


class CMCSLClassifier(SelfLabelingClassifier):
    """CMCSL: modalities label the unlabelled rows together, and a classifier is trained in each.

    Labelled rows are the seeds. In each modality every row takes the class of its nearest seed; where modalities
    differ, the one that is closer to its seed decides (Algorithm 1). With its defaults and two modalities this is the
    method of the paper. With one modality it is UNI.

    Parameters
    ----------
    base_estimator : estimator, optional
        Classifier that is cloned for each modality; default `GaussianNB()`. It is fitted to class numbers 0..k-1.
    modalities : dict of str to columns, sequence of str or None, default=None
        Columns of each modality of X: a slice, column positions, a mask with one truth value per column, or column
        names of a DataFrame. Columns of no modality are left aside, but must be numbers. Ties go to the modality that
        stands first. Where X is a dict of arrays, names alone or None will do. None takes all columns of an array as
        one modality.
    preprocessing : {"RAW", "L2", "STD", "MM", "L2STD", "DECIMAL", "PCAL2"} or transformer, default="L2STD"
        Fitted to each modality's rows, labelled or not (`cmcsl_lib.method.preprocessing.preprocessor`). A transformer
        may fill in NaN in some of a modality's columns; else they are refused.
    exchange : {"distance", "rank", "scale", "probability", "calibrated"}, default="distance"
        How distances of different modalities are compared. ``distance``: as they are, as in the paper. ``rank``: as
        the share of the modality's unlabelled rows that lie at most so far from their seeds. ``scale``: divided by
        the mean distance in the cluster. ``probability``: as probabilities, softmax of the distances to the classes
        at a temperature that is calibrated on the seeds, each judged by the others. ``calibrated``: not compared but
        added up, as evidence on one scale, and estimated once more by co-EM [1]_ (`cmcsl_lib.method.calibrated`);
        a base estimator that takes `sample_weight` is trained on the probabilities, seeds counting twice.
    rounds : int, default=2
        Rounds of re-estimation by ``calibrated``; 0 for none.
    propagator : estimator, optional
        Replaces clustering around the seeds; any classifier with `predict_proba`, semi-supervised ones taking -1 for
        no label. 1 - probability takes the place of the distance. None goes with ``calibrated``.
    min_margin : float in [0, 1], default=0.0
        Pseudo-labels with a smaller margin (`margin_`) are not used, and are -1 in `transduction_`.
    transfer : {"exchange", "crosswise"} or name of a modality, default="exchange"
        Who teaches the classifiers. ``exchange``: all modalities together. ``crosswise``: each one is taught by the
        others alone. A name: this modality alone teaches all, the one-way transfer of APMA.
    class_weight : {"share", "balanced"}, dict or None, default="share"
        Rows are weighted by their (pseudo-)label. ``share``: by 1 - (share of the class among the seeds), as in the
        paper's protocol, if the base estimator takes `sample_weight`. ``balanced`` or a dict: as in scikit-learn,
        by the classes of the seeds.
    fusion : {"calibrated", "mean", "maximum"}, default="calibrated"
        How `predict` combines the probabilities of the modalities that a row has. ``calibrated``: their mean, after
        each modality's are put right by a temperature, weighted by its accuracy on the seeds; both come from
        classifiers that are trained on two thirds of the rows, three times (by `partial_fit`, of the first batch). The
        paper keeps modalities apart: `predict_by_modality`.
    max_seeds : int, optional
        Seeds of earlier batches that `partial_fit` keeps per class, the newest; default all.

    Attributes
    ----------
    classes_ : ndarray of shape (k,)
    transduction_ : ndarray of shape (n,)
        Label of each training row: its own, or its pseudo-label; -1 (None if classes are no signed numbers) if there
        is none that is sure enough.
    deciding_modality_ : ndarray of shape (n,), dtype object
        Name of the modality that the label comes from, None if none speaks of the row. By ``calibrated``, the one
        that by itself finds the label most probable.
    distance_ : ndarray of shape (n,), dtype float64
        Distance to the seed in that modality, in the unit of the preprocessed features, or 1 - probability by the
        propagator; 0 for labelled rows, NaN if none decided.
    margin_ : ndarray of shape (n,), dtype float64
        1 - d / d', in [0, 1]: d is the distance that decided, d' the smallest that speaks for another class, in any
        modality, both made comparable by `exchange`. 0 is a tie, 1 a labelled row. By ``calibrated``, the difference of
        the two highest probabilities.
    seed_row_ : ndarray of shape (n,), dtype int64
        Row of the seed that the label comes from, its own for a labelled row; -1 with a propagator. After
        `partial_fit` rows are counted from the start of the stream.
    provenance_ : dict of str to DataFrame
        What each modality's classifier was taught: label, deciding_modality, distance, margin, seed_row; by
        ``calibrated`` also probability, and for each modality M what it says by itself, M_label and M_probability.
        All are one table unless `transfer` makes a difference.
    probability_ : ndarray of shape (n, k), dtype float64
        Probability of each class, by ``calibrated`` alone; also of rows whose margin is too small.
    probability_by_modality_ : dict of str to ndarray of shape (n, k)
        The same by each modality alone, NaN where it says nothing.
    transduction_by_modality_ : dict of str to ndarray of shape (n,)
        The labels in `provenance_`.
    unimodal_transduction_ : dict of str to ndarray of shape (n,)
        What each modality says by itself; -1 or None where it is missing.
    seeds_right_ : dict of str to (int, int)
        In each modality, how many seeds are nearest to another one of their class, and of how many that can be said.
        A share near chance means that the modality does not tell the classes apart. (0, 0) with a propagator.
    estimators_, preprocessors_ : dict of str to estimator
        Of each modality.
    temperatures_, modality_weights_ : dict of str to float
        Of each modality, by the fusion ``calibrated`` of a base estimator with `predict_proba`.
    modalities_ : dict of str to ndarray of int64
        Columns of each modality.
    n_features_in_ : int
    feature_names_in_ : ndarray of str
        If X had column names that are strings.

    Notes
    -----
    Some of scikit-learn's meta-estimators number the classes of y before they pass it on, so that "no label" becomes a
    class: VotingClassifier, StackingClassifier, BaggingClassifier, OneVsRestClassifier, CalibratedClassifierCV, and
    cross_val_predict with another method than predict. With metadata routing enabled, voting, bagging and one-vs-rest
    work: give y any class in the rows without a label, `set_fit_request(labeled=True)` on the classifier, and
    ``fit(X, y, labeled=mask)``. Stacking and calibration learn from y themselves: fit these to labelled rows alone.
    Cross-validation divides rows, so it takes one array or frame with `modalities`, not a dict of arrays.

    References
    ----------
    .. [1] K. Nigam and R. Ghani, "Analyzing the effectiveness and applicability of co-training", Proceedings of the
       Ninth International Conference on Information and Knowledge Management, 2000.

    Examples
    --------
    Two modalities of one feature each. Row 1 is close to class 0 in the first, row 2 to class 1 in the second.

    >>> import numpy as np
    >>> X = np.array([[0., 0.], [1., 7.], [6., 9.], [9., 9.], [10., 10.]])
    >>> y = [0, -1, -1, -1, 1]
    >>> cmcsl = CMCSLClassifier(modalities={"visual": [0], "text": [1]}, preprocessing="RAW").fit(X, y)
    >>> cmcsl.transduction_
    array([0, 0, 1, 1, 1])
    >>> cmcsl.provenance_["visual"]  # doctest: +NORMALIZE_WHITESPACE
       label deciding_modality  distance    margin  seed_row
    0      0            visual       0.0  1.000000         0
    1      0            visual       1.0  0.666667         0
    2      1              text       1.0  0.833333         4
    3      1            visual       1.0  0.888889         4
    4      1            visual       0.0  1.000000         4

    A row without text is classified by the visual modality alone.

    >>> cmcsl.predict([[1., np.nan], [9., 9.]])
    array([0, 1])

    Only labels that are sure enough are used for training:

    >>> cmcsl.set_params(min_margin=0.7).fit(X, y).transduction_
    array([ 0, -1,  1,  1,  1])
    """

    def __init__(
        self,
        base_estimator: BaseEstimator | None = None,
        *,
        modalities: Modalities = None,
        preprocessing: str | BaseEstimator = "L2STD",
        exchange: str = "distance",
        rounds: int = ROUNDS,
        propagator: BaseEstimator | None = None,
        min_margin: float = 0.0,
        transfer: str = "exchange",
        class_weight: str | Mapping[Any, float] | None = "share",
        fusion: str = CALIBRATED_FUSION,
        max_seeds: int | None = None,
    ) -> None:
        super().__init__(
            base_estimator,
            modalities=modalities,
            preprocessing=preprocessing,
            class_weight=class_weight,
            fusion=fusion,
            propagator=propagator,
            min_margin=min_margin,
        )
        self.exchange = exchange
        self.rounds = rounds
        self.transfer = transfer
        self.max_seeds = max_seeds

    @available_if(base_has("partial_fit"))
    def partial_fit(self, X: Features, y: ArrayLike, classes: ArrayLike | None = None, **params: Any) -> Self:
        """Learn from one batch of a stream.

        The batch's labelled rows become seeds beside those of earlier batches, of which the newest `max_seeds` of
        each class are kept; so seeds follow a drift. They label the batch, and each modality's classifier goes
        on to learn from it. Preprocessing stays as the first batch made it, because classifiers could not go on in
        another space. Labels and their provenance are those of the last batch.

        Parameters
        ----------
        X : array-like or DataFrame of shape (n, d), or dict of str to array-like
            The batch.
        y : array-like of shape (n,)
            As for `fit`; after the first batch all rows may be unlabelled.
        classes : array-like of shape (k,), optional
            All classes of the stream; default those that are labelled in the first batch. Each must have a seed
            there. May be left out in later calls.
        **params : dict
            Metadata for the `partial_fit` of the base estimator.

        Returns
        -------
        self
            Fitted.

        Raises
        ------
        AttributeError
            If the base estimator has no `partial_fit`.
        ValueError
            As `fit`; also if a class has no seed, or is not one of the stream's.
        """
        first = not self.__sklearn_is_fitted__()
        classes = None if classes is None else np.unique(classes)
        features, codes = self._validate(X, y, classes) if first else self._validate_batch(X, y, classes)
        batch = self._preprocess(features, fit=first)
        metadata = self._route(params, "partial_fit", len(codes))
        weights = self._route_to_propagator(params, "partial_fit", len(codes))
        rows = _StreamRows(batch, codes, np.arange(len(codes)), weights)
        if not first:
            rows = self._seeds.followed_by(rows._replace(numbers=self._rows_seen + rows.numbers))
        opinions = self._label_by_modality(rows.modalities, rows.codes, rows.metadata, stacklevel=3)
        self.seeds_right_ = {name: _seeds_right(each) for name, each in opinions.items()}
        decisions, overall = self._label_across_modalities(rows.modalities, opinions, rows.codes)
        # Of the seeds of earlier batches, which come first, nothing is recorded.
        start = len(rows.codes) - len(codes)
        opinions = {name: each._replace(label=each.label[start:]) for name, each in opinions.items()}
        decisions = {name: _of_batch(each, start, rows.numbers) for name, each in decisions.items()}
        self._record(opinions, decisions, _of_batch(overall, start, rows.numbers))
        labels, soft = _hard_and_soft(decisions, codes)
        training_sets = self._teach(batch, labels, rows.codes, metadata, soft)
        if first:
            parts = self._parts_to_hold_out(batch, labels, codes)
            self._calibrate(batch, self._train(batch, training_sets, parts), parts, labels, codes, soft)
            self.estimators_ = {name: clone(self._base()) for name in batch}
        for name, estimator in self.estimators_.items():
            if len(training_sets[name].rows):
                training_sets[name].train(estimator, batch[name], "partial_fit", classes=np.arange(len(self.classes_)))
        self._keep_seeds(*rows)
        return self

    def _check_parameters(self) -> None:
        super()._check_parameters()
        check_choice(self.exchange, (*EXCHANGES, CALIBRATED), "exchange")
        if not isinstance(self.rounds, Integral) or self.rounds < 0:
            raise CmcslError(f"rounds must be a whole number of at least 0, got {self.rounds!r}.")
        if self.exchange == CALIBRATED and self.propagator is not None:
            raise CmcslError("exchange 'calibrated' works on distances to the seeds: leave out propagator.")
        if self.max_seeds is not None and not (isinstance(self.max_seeds, Integral) and self.max_seeds >= 1):
            raise CmcslError(f"max_seeds must be a whole number of at least 1 or None, got {self.max_seeds!r}.")

    def _validate(
        self, X: Features, y: ArrayLike, classes: np.ndarray | None = None, labeled: ArrayLike | None = None
    ) -> tuple[dict[str, Modality], np.ndarray]:
        features, codes = super()._validate(X, y, classes, labeled)
        check_choice(self.transfer, (*TRANSFERS, *self.modalities_), "transfer")
        without = [label for code, label in enumerate(self.classes_.tolist()) if code not in codes]
        if without:
            raise CmcslError(
                f"y has no seed for class {', '.join(map(repr, without))}: at least one row of every "
                "class must be labelled."
            )
        return features, codes

    def _validate_batch(
        self, X: Features, y: ArrayLike, classes: np.ndarray | None
    ) -> tuple[dict[str, Modality], np.ndarray]:
        """As `_validate`, of a batch that is not the first."""
        self._check_parameters()
        if classes is not None and not np.array_equal(classes, self.classes_):
            raise CmcslError(
                f"classes must be those of the first batch, {self.classes_.tolist()}, got {classes.tolist()}."
            )
        return self._known(X, y)[1], encode(y, self.classes_)[1]

    def _teachers(self, modality: str) -> list[str]:
        every = list(self.modalities_)
        if self.transfer == "exchange" or len(every) == 1:
            return every
        return [name for name in every if name != modality] if self.transfer == "crosswise" else [self.transfer]

    def _keep_seeds(
        self,
        modalities: dict[str, Modality],
        codes: np.ndarray,
        numbers: np.ndarray | None = None,
        metadata: Mapping[str, Any] = MappingProxyType({}),
    ) -> None:
        rows = _StreamRows(modalities, codes, np.arange(len(codes)) if numbers is None else numbers, metadata)
        self._seeds, self._rows_seen = rows.newest_seeds(self.max_seeds), int(rows.numbers[-1]) + 1


class _StreamRows(NamedTuple):
    """Rows of a stream: preprocessed features, class numbers, row numbers from its start, the propagator's metadata."""

    modalities: dict[str, Modality]
    codes: np.ndarray
    numbers: np.ndarray
    metadata: Mapping[str, Any]

    def followed_by(self, batch: "_StreamRows") -> "_StreamRows":
        """These rows, and those of a batch after them."""
        modalities = {}
        for name, X in self.modalities.items():
            after = batch.modalities[name]
            rows = np.concatenate([X.rows, len(self.codes) + after.rows])
            # A modality that the whole batch lacks has no preprocessed columns.
            features = np.concatenate([X[:], after[:]]) if len(after) else X[:]
            modalities[name] = Modality(features, rows, source=np.arange(len(rows)))
        codes, numbers = (np.concatenate(pair) for pair in zip(self[1:3], batch[1:3], strict=True))
        # Metadata that the seeds have and the batch has not, or the other way round, are those of no row.
        metadata = {
            key: np.concatenate([self.metadata[key], value]) if np.ndim(value) else value
            for key, value in batch.metadata.items()
            if key in self.metadata or not np.ndim(value)
        }
        return _StreamRows(modalities, codes, numbers, metadata)

    def newest_seeds(self, count: int | None) -> "_StreamRows":
        """The labelled rows, of each class the last `count`."""
        seeds = np.flatnonzero(self.codes >= 0)
        if count is not None:
            of_class = (seeds[self.codes[seeds] == code] for code in np.unique(self.codes[seeds]))
            seeds = np.sort(np.concatenate([rows[-count:] for rows in of_class]))
        modalities = {}
        for name, X in self.modalities.items():
            places = np.flatnonzero(np.isin(X.rows, seeds))
            rows = np.searchsorted(seeds, X.rows[places])
            modalities[name] = Modality(X[places], rows, source=np.arange(len(rows)))
        metadata = metadata_of(self.metadata, seeds, len(self.codes))
        return _StreamRows(modalities, self.codes[seeds], self.numbers[seeds], metadata)


def _of_batch(decision: Decision, start: int, numbers: np.ndarray) -> Decision:
    """A decision on the rows from `start` on; seeds by their row numbers in the stream."""
    return Decision(
        label=decision.label[start:],
        modality=decision.modality[start:],
        distance=decision.distance[start:],
        margin=decision.margin[start:],
        seed=np.where(decision.seed >= 0, numbers[decision.seed], -1)[start:],
        posterior=None if decision.posterior is None else decision.posterior[start:],
        by_modality={name: each[start:] for name, each in decision.by_modality.items()},
    )
