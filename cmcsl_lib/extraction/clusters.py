"""Clusters as classes that an image encoder is trained on, without labels: DeepCluster and XDC.

DeepCluster [1]_ groups pictures by what the encoder makes of them, trains it on the groups, and begins again; XDC [2]_
takes the groups of the other modality, here of the texts.

.. [1] M. Caron, P. Bojanowski, A. Joulin, and M. Douze, "Deep clustering for unsupervised learning of visual
   features", Proceedings of the European Conference on Computer Vision, 2018.
.. [2] H. Alwassel, D. Mahajan, B. Korbar, L. Torresani, B. Ghanem, and D. Tran, "Self-supervised learning by
   cross-modal audio-video clustering", Advances in Neural Information Processing Systems, vol. 33, 2020.
"""

import warnings

import numpy as np

#: Most clusters, and items that there are at least for each of them. [1]_ finds ten times the number of classes best.
CLUSTERS, ITEMS = 100, 10
#: How often the features of pictures are grouped anew; [1]_ does it before each epoch. Texts are grouped once.
ROUNDS = 5


def cluster_count(items: int) -> int:
    """How many clusters some items are divided into.

    Parameters
    ----------
    items : int
        At least one.

    Returns
    -------
    int
        Fewer than `CLUSTERS` where there are fewer than `ITEMS` for each.
    """
    return min(CLUSTERS, max(2, items // ITEMS), items)


def assigned(features: np.ndarray, seed: int) -> np.ndarray:
    """Cluster of each row by k-means.

    Parameters
    ----------
    features : ndarray of shape (n, d)
        Rows of length 1.
    seed : int
        Of the first centres.

    Returns
    -------
    ndarray of shape (n,), dtype int64
        From 0; clusters that would be empty are left out.
    """
    from sklearn.cluster import KMeans
    from sklearn.exceptions import ConvergenceWarning

    kmeans = KMeans(cluster_count(len(features)), n_init=1, random_state=seed)
    with warnings.catch_warnings():
        # Equal texts are one point, and there may be fewer points than clusters.
        warnings.simplefilter("ignore", ConvergenceWarning)
        groups = kmeans.fit_predict(features)
    return np.unique(groups, return_inverse=True)[1].astype(np.int64)
