"""CMCSL: cross-modality clustering-based self-labeling, and the replication of its paper.

Packages, from top to bottom; none imports what stands below it:

- `files`: paths, checksums, errors, names written safely
- `method`: Algorithm 1 and its preprocessing
- `estimators`: CMCSL and the paper's reference methods as scikit-learn classifiers
- `corpora`: where items come from, their datasets and features
- `extraction`: images and texts to features; the only one that imports torch, but for functions of `estimators.related`
- `experiments`: protocols, folds, runs, scores
- `analysis`: statistics, the paper's tables, effects, claims, errata, sensitivity
- `studies`: beyond the paper
- `plots`: figures that several pages share
- `book`: notebooks to HTML
- `cli`: the command `cmcsl`
"""

__version__ = "0.1.0"
