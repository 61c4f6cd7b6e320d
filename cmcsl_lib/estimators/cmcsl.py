"""CMCSL as a classifier: modalities label the unlabelled rows for each other (Section III)."""

import warnings
from numbers import Integral, Real
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from sklearn.utils.metaestimators import available_if

from ..files.errors import CmcslError, check_choice
from .base import ModalityClassifier, View, base_has
from .inputs import decode, encode
from .propagation import Opinion, opinion
from .strategies import EXCHANGES, Decision, decide

TRANSFERS = ("exchange", "crosswise")


class Seeds(NamedTuple):
    """Seeds of earlier batches, c of them, in the order in which they came.

    Attributes
    ----------
    codes : ndarray of shape (c,), dtype int64
        Their classes.
    numbers : ndarray of shape (c,), dtype int64
        Their row numbers, counted from the first row of the stream.
    views : dict of str to View
        Their preprocessed features.
    """

    codes: np.ndarray
    numbers: np.ndarray
    views: dict[str, View]

    def joined(self, codes: np.ndarray, numbers: np.ndarray, views: dict[str, View]) -> "Seeds":
        """These, and after them other rows."""
        both = {
            name: View(
                np.concatenate([self.views[name].rows, len(self.codes) + view.rows]),
                np.concatenate([self.views[name].X, view.X]),
            )
            for name, view in views.items()
        }
        return Seeds(np.concatenate([self.codes, codes]), np.concatenate([self.numbers, numbers]), both)

    def newest(self, count: int | None) -> "Seeds":
        """The labelled rows among these, of each class the last `count`."""
        labeled = np.flatnonzero(self.codes >= 0)
        if count is not None:
            of_class = (labeled[self.codes[labeled] == code] for code in np.unique(self.codes[labeled]))
            labeled = np.sort(np.concatenate([rows[-count:] for rows in of_class]))
        place = np.full(len(self.codes), -1)
        place[labeled] = np.arange(len(labeled))
        views = {
            name: View(place[view.rows][place[view.rows] >= 0], view.X[place[view.rows] >= 0])
            for name, view in self.views.items()
        }
        return Seeds(self.codes[labeled], self.numbers[labeled], views)


class SelfLabelingClassifier(ModalityClassifier):
    """Base of the classifiers that label unlabelled rows; a subclass says which modalities teach which.

    Parameters
    ----------
    base_estimator, modalities, preprocessing, class_weight, fusion, propagator, min_margin
        As in `CMCSLClassifier`.
    """

    _exchange = "distance"

    def __init__(
        self,
        base_estimator=None,
        *,
        modalities=None,
        preprocessing="L2STD",
        class_weight="share",
        fusion="mean",
        propagator=None,
        min_margin=0.0,
    ):
        super().__init__(
            base_estimator, modalities=modalities, preprocessing=preprocessing, class_weight=class_weight, fusion=fusion
        )
        self.propagator = propagator
        self.min_margin = min_margin

    def _teachers(self, modality: str) -> list[str]:
        """Modalities whose labels a modality's classifier is trained on; where they differ, the surest decides."""
        raise NotImplementedError

    def _check_parameters(self) -> None:
        super()._check_parameters()
        if not isinstance(self.min_margin, Real) or not 0 <= self.min_margin <= 1:
            raise CmcslError(f"min_margin must be a number in [0, 1], got {self.min_margin!r}.")

    def _taught(self, views: dict[str, View], codes: np.ndarray, metadata: dict[str, Any]) -> dict[str, np.ndarray]:
        return self._self_label(views, codes, np.arange(len(codes)), 0)

    def _self_label(
        self, views: dict[str, View], codes: np.ndarray, numbers: np.ndarray, start: int
    ) -> dict[str, np.ndarray]:
        """Label rows, keep where each label comes from, and return what each modality's classifier is taught.

        Parameters
        ----------
        numbers : ndarray of shape (n,), dtype int64
            Number of each row, by which `seed_row_` tells it.
        start : int
            Rows before this one only serve as seeds; nothing is kept of them.
        """
        self._warn_of_classes_without_seeds(views, codes)
        opinions = {
            name: opinion(self.propagator, *view[::-1], codes, len(self.classes_)) for name, view in views.items()
        }
        compared = {name: EXCHANGES[self._exchange](each, codes >= 0) for name, each in opinions.items()}
        self.unimodal_transduction_ = {
            name: decode(each.label[start:], self.classes_) for name, each in opinions.items()
        }
        decisions, taught = {}, {}
        for name in views:
            teachers = tuple(self._teachers(name))
            if teachers not in decisions:
                decisions[teachers] = self._decision(teachers, opinions, compared, codes, numbers, start)
            taught[name] = decisions[teachers]
        every = tuple(name for name in views if any(name in teachers for teachers in decisions))
        if every not in decisions:
            decisions[every] = self._decision(every, opinions, compared, codes, numbers, start)
        self.provenance_ = {name: self._table(decision) for name, decision in taught.items()}
        self._tell(decisions[every])
        self.transduction_by_modality_ = {
            name: decode(decision.label, self.classes_) for name, decision in taught.items()
        }
        return {name: decision.label for name, decision in taught.items()}

    def _warn_of_classes_without_seeds(self, views: dict[str, View], codes: np.ndarray) -> None:
        for name, view in views.items():
            absent = np.setdiff1d(np.arange(len(self.classes_)), codes[view.rows])
            if len(absent):
                listed = ", ".join(map(repr, self.classes_[absent].tolist()))
                warnings.warn(f"Modality {name!r} has no seed of class {listed}: it labels no row so.", stacklevel=5)

    def _decision(
        self,
        teachers: tuple[str, ...],
        opinions: dict[str, Opinion],
        compared: dict[str, np.ndarray],
        codes: np.ndarray,
        numbers: np.ndarray,
        start: int,
    ) -> Decision:
        """Labels by some modalities, those without enough margin taken back; modality as an index of all."""
        label, modality, distance, margin, seed = (
            array[start:]
            for array in decide(
                [opinions[name] for name in teachers], [compared[name] for name in teachers], codes >= 0
            )
        )
        places = np.array([list(opinions).index(name) for name in teachers])
        known = codes[start:]
        # A labelled row keeps its label also where none of the teachers has it.
        label = np.where(margin < self.min_margin, -1, label)
        label = np.where(known >= 0, known, label)
        return Decision(
            label,
            np.where(modality >= 0, places[modality], -1),
            distance,
            margin,
            np.where(seed >= 0, numbers[seed], -1),
        )

    def _tell(self, decision: Decision) -> None:
        """Keep labels and their provenance as attributes."""
        table = self._table(decision)
        self.transduction_ = decode(decision.label, self.classes_)
        self.deciding_modality_ = table.deciding_modality.to_numpy(dtype=object)
        self.distance_, self.margin_, self.seed_row_ = decision.distance, decision.margin, decision.seed

    def _table(self, decision: Decision) -> pd.DataFrame:
        """A decision as a table, one row per row."""
        names = np.array([*self.modalities_, None], dtype=object)
        return pd.DataFrame(
            {
                "label": decode(decision.label, self.classes_),
                "deciding_modality": pd.Series(names[decision.modality], dtype=object),
                "distance": decision.distance,
                "margin": decision.margin,
                "seed_row": decision.seed,
            }
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
    preprocessing : {"RAW", "L2", "STD", "MM", "L2STD"} or transformer, default="L2STD"
        Fitted to each modality's rows, labelled or not. A transformer may fill in NaN in some of a modality's columns;
        else they are refused.
    exchange : {"distance", "rank", "scale", "probability"}, default="distance"
        How distances of different modalities are compared. ``distance``: as they are, as in the paper. ``rank``: as
        the share of the modality's unlabelled rows that lie at most so far from their seeds. ``scale``: divided by
        the mean distance in the cluster. ``probability``: as probabilities, softmax of the distances to the classes
        at a temperature that is calibrated on the seeds, each judged by the others.
    propagator : estimator, optional
        Replaces clustering around the seeds; any classifier with `predict_proba`, semi-supervised ones taking -1 for
        no label. 1 - probability takes the place of the distance.
    min_margin : float in [0, 1], default=0.0
        Pseudo-labels with a smaller margin (`margin_`) are not used, and are -1 in `transduction_`.
    transfer : {"exchange", "crosswise"} or name of a modality, default="exchange"
        Who teaches the classifiers. ``exchange``: all modalities together. ``crosswise``: each one is taught by the
        others alone. A name: this modality alone teaches all, the one-way transfer of APMA.
    class_weight : {"share", "balanced"}, dict or None, default="share"
        Rows are weighted by their (pseudo-)label. ``share``: by 1 - (share of the class among the seeds), as in the
        paper's protocol, if the base estimator takes `sample_weight`. ``balanced`` or a dict: as in scikit-learn,
        by the classes of the seeds.
    fusion : {"mean", "maximum"}, default="mean"
        How `predict` combines the probabilities of the modalities that a row has. The paper keeps modalities
        apart: `predict_by_modality`.
    max_seeds : int, optional
        Seeds of earlier batches that `partial_fit` keeps per class, the newest; default all.

    Attributes
    ----------
    classes_ : ndarray of shape (k,)
    transduction_ : ndarray of shape (n,)
        Label of each training row: its own, or its pseudo-label; -1 (None if classes are no signed numbers) if there
        is none that is sure enough.
    deciding_modality_ : ndarray of shape (n,), dtype object
        Name of the modality that the label comes from, None if none speaks of the row.
    distance_ : ndarray of shape (n,), dtype float64
        Distance to the seed in that modality, in the unit of the preprocessed features, or 1 - probability by the
        propagator; 0 for labelled rows, NaN if none decided.
    margin_ : ndarray of shape (n,), dtype float64
        1 - d / d', in [0, 1]: d is the distance that decided, d' the smallest that speaks for another class, in any
        modality, both made comparable by `exchange`. 0 is a tie, 1 a labelled row.
    seed_row_ : ndarray of shape (n,), dtype int64
        Row of the seed that the label comes from, its own for a labelled row; -1 with a propagator. After
        `partial_fit` rows are counted from the start of the stream.
    provenance_ : dict of str to DataFrame
        What each modality's classifier was taught: label, deciding_modality, distance, margin, seed_row. All are
        the same unless `transfer` makes a difference.
    transduction_by_modality_ : dict of str to ndarray of shape (n,)
        The labels in `provenance_`.
    unimodal_transduction_ : dict of str to ndarray of shape (n,)
        What each modality says by itself; -1 or None where it is missing.
    estimators_, preprocessors_ : dict of str to estimator
        Of each modality.
    modalities_ : dict of str to ndarray of int64
        Columns of each modality.
    n_features_in_ : int
    feature_names_in_ : ndarray of str
        If X had column names that are strings.

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
        base_estimator=None,
        *,
        modalities=None,
        preprocessing="L2STD",
        exchange="distance",
        propagator=None,
        min_margin=0.0,
        transfer="exchange",
        class_weight="share",
        fusion="mean",
        max_seeds=None,
    ):
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
        self.transfer = transfer
        self.max_seeds = max_seeds

    @available_if(base_has("partial_fit"))
    def partial_fit(self, X, y, classes=None, **params):
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
            As in `fit`; after the first batch all rows may be unlabelled.
        classes : array-like of shape (k,), optional
            All classes of the stream; default those that are labelled in the first batch. Each must have a seed
            there. May be left out in later calls.
        **params
            Metadata for the `partial_fit` of the base estimator.

        Returns
        -------
        self

        Raises
        ------
        AttributeError
            If the base estimator has no `partial_fit`.
        ValueError
            As `fit`; also if a class has no seed, or is not one of the stream's.
        """
        classes = None if classes is None else np.unique(classes)
        if self.__sklearn_is_fitted__():
            matrix, codes = self._go_on(X, y, classes)
        else:
            matrix, codes = self._start(X, y, classes)
        views, metadata = self._views(matrix), self._routed(params, "partial_fit", len(matrix))
        labeled = np.concatenate([self._seeds.codes, codes])
        taught = self._taught(views, codes, metadata)
        self.estimators_ = self._trained(
            getattr(self, "estimators_", {}), views, taught, labeled, metadata, "partial_fit"
        )
        return self

    @property
    def _exchange(self) -> str:
        return self.exchange

    def _check_parameters(self) -> None:
        super()._check_parameters()
        check_choice(self.exchange, EXCHANGES, "exchange")
        if self.max_seeds is not None and not (isinstance(self.max_seeds, Integral) and self.max_seeds >= 1):
            raise CmcslError(f"max_seeds must be a whole number of at least 1 or None, got {self.max_seeds!r}.")

    def _start(self, X: Any, y: Any, classes: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
        matrix, codes = super()._start(X, y, classes)
        check_choice(self.transfer, (*TRANSFERS, *self.modalities_), "transfer")
        without = [label for code, label in enumerate(self.classes_.tolist()) if code not in codes]
        if without:
            raise CmcslError(
                f"y has no seed for class {', '.join(map(repr, without))}: at least one row of every "
                "class must be labelled."
            )
        nothing = {
            name: View(np.arange(0), np.empty((0, self._features(matrix, name, np.arange(0)).shape[1])))
            for name in self.modalities_
        }
        self._seeds, self._rows_seen = Seeds(np.arange(0), np.arange(0), nothing), 0
        return matrix, codes

    def _go_on(self, X: Any, y: Any, classes: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
        """Matrix and class numbers of a batch that is not the first."""
        self._check_parameters()
        if classes is not None and not np.array_equal(classes, self.classes_):
            raise CmcslError(
                f"classes must be those of the first batch, {self.classes_.tolist()}, got {classes.tolist()}."
            )
        return self._known_matrix(X, y), encode(y, self.classes_)[1]

    def _teachers(self, modality: str) -> list[str]:
        every = list(self.modalities_)
        if self.transfer == "exchange" or len(every) == 1:
            return every
        return [name for name in every if name != modality] if self.transfer == "crosswise" else [self.transfer]

    def _taught(self, views: dict[str, View], codes: np.ndarray, metadata: dict[str, Any]) -> dict[str, np.ndarray]:
        start, numbers = len(self._seeds.codes), self._rows_seen + np.arange(len(codes))
        # Not all transformers keep the number of columns.
        known = {
            name: View(seeds.rows, seeds.X.reshape(-1, views[name].X.shape[1]))
            for name, seeds in self._seeds.views.items()
        }
        joined = self._seeds._replace(views=known).joined(codes, numbers, views)
        taught = self._self_label(joined.views, joined.codes, joined.numbers, start)
        self._seeds, self._rows_seen = joined.newest(self.max_seeds), self._rows_seen + len(codes)
        return taught
