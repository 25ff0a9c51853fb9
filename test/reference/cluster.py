#!/usr/bin/python3
"""Figures that test/unit/test_cluster.c compares with: clusterings and projections by scikit-learn.

    python3 test/reference/cluster.py       needs python3-sklearn, python3-numpy; writes cluster.txt next to this file

One figure a line: set, method, name, value.  Features are all columns of test/data/SET.csv but the last; "std" in the
name of a method means that they were divided by their standard deviation (n in the denominator).
"""
import os
import warnings

import numpy as np
import sklearn
from sklearn.cluster import DBSCAN, KMeans
from sklearn.decomposition import PCA, TruncatedSVD
from sklearn.metrics import silhouette_score
from sklearn.mixture import GaussianMixture

HERE = os.path.dirname(os.path.abspath(__file__))
DATA = os.path.join(HERE, "..", "data")
CLUSTERS = {"iris": 3, "wine": 3, "breast_cancer": 2, "diabetes": 4, "digits": 10}
warnings.filterwarnings("ignore")
out = open(os.path.join(HERE, "cluster.txt"), "w")
out.write("# by test/reference/cluster.py: scikit-learn %s, numpy %s\n" % (sklearn.__version__, np.__version__))


def put(name, method, figure, value):
    out.write("%s %s %s %.17g\n" % (name, method, figure, value))


def read(name):
    with open(os.path.join(DATA, name + ".csv")) as f:
        rows = [line.strip().split(",") for line in f][1:]
    return np.array([[float(v) for v in r[:-1]] for r in rows]), [r[-1] for r in rows]


class FromLabels(GaussianMixture):
    """Begins with the clusters given instead of its own."""

    def begin(self, labels):
        self.begin_labels = labels
        return self

    def _initialize_parameters(self, X, random_state):
        resp = np.zeros((len(X), self.n_components))
        resp[np.arange(len(X)), self.begin_labels] = 1
        self._initialize(X, resp)


def kmeans(name, x, method):
    k = CLUSTERS[name]
    model = KMeans(k, n_init=50, random_state=0, tol=0, max_iter=1000).fit(x)
    put(name, method, "inertia", model.inertia_)
    put(name, method, "silhouette", silhouette_score(x, model.labels_))
    for i, size in enumerate(sorted(np.bincount(model.labels_), reverse=True)):
        put(name, method, "size_%d" % i, size)


def projection(name, x, method, model, k):
    t = model.fit_transform(x)
    for c in range(k):
        sign = np.sign(model.components_[c][np.argmax(np.abs(model.components_[c]))])
        put(name, method, "variance_%d" % c, model.explained_variance_[c])
        put(name, method, "ratio_%d" % c, model.explained_variance_ratio_[c])
        put(name, method, "singular_%d" % c, model.singular_values_[c])
        for j in range(min(4, x.shape[1])):
            put(name, method, "loading_%d_%d" % (c, j), sign * model.components_[c][j])
        for i in (0, 1, 77):
            put(name, method, "value_%d_%d" % (i, c), sign * t[i][c])
    rest = ((x - model.inverse_transform(t)) ** 2).sum(axis=1).mean()
    put(name, method, "reconstruction", rest)
    put(name, method, "explained", model.explained_variance_ratio_.sum())


def mixture(name, x, labels, kind):
    k = len(set(labels))
    steps = FromLabels(k, covariance_type=kind, max_iter=12, tol=0).begin(labels).fit(x)
    put(name, "gmm_" + kind, "bound_12", steps.lower_bound_)
    put(name, "gmm_" + kind, "score_12", steps.score(x))
    put(name, "gmm_" + kind, "bic_12", steps.bic(x))
    put(name, "gmm_" + kind, "aic_12", steps.aic(x))
    order = np.argsort(-steps.weights_)
    for r, c in enumerate(order):
        put(name, "gmm_" + kind, "weight_%d" % r, steps.weights_[c])
        put(name, "gmm_" + kind, "mean_%d" % r, steps.means_[c][0])
        put(name, "gmm_" + kind, "proba_%d" % r, steps.predict_proba(x)[60][c])
    best = GaussianMixture(CLUSTERS[name], covariance_type=kind, n_init=10, max_iter=500, random_state=0).fit(x)
    put(name, "gmm_" + kind, "best", best.score(x))


def dbscan(name, x, method, eps, min_samples):
    model = DBSCAN(eps=eps, min_samples=min_samples).fit(x)
    put(name, method, "clusters", model.labels_.max() + 1)
    put(name, method, "noise", (model.labels_ < 0).sum())
    put(name, method, "core", len(model.core_sample_indices_))
    core = np.zeros(len(x), bool)
    core[model.core_sample_indices_] = True
    for c in range(min(6, model.labels_.max() + 1)):
        put(name, method, "rows_%d" % c, (model.labels_ == c).sum())
        put(name, method, "core_%d" % c, ((model.labels_ == c) & core).sum())


for name in CLUSTERS:
    x, labels = read(name)
    kinds = sorted(set(labels), key=lambda v: (len(v), v))
    scaled = x / np.where(x.std(axis=0) > 0, x.std(axis=0), 1)
    kmeans(name, x, "kmeans")
    kmeans(name, scaled, "kmeans_std")
    projection(name, x, "pca", PCA(3, svd_solver="full"), 3)
    projection(name, x, "whitened", PCA(2, svd_solver="full", whiten=True), 2)
    projection(name, scaled, "pca_std", PCA(2, svd_solver="full"), 2)
    projection(name, x, "svd", TruncatedSVD(3, algorithm="arpack", tol=1e-14), 3)
    put(name, "pca", "components_for_95", PCA(0.95, svd_solver="full").fit(x).n_components_)
    if name in ("iris", "wine", "breast_cancer"):
        for kind in ("full", "tied", "diag", "spherical"):
            mixture(name, x, [kinds.index(v) for v in labels], kind)
x, _ = read("iris")
dbscan("iris", x, "dbscan", 0.5, 5)
dbscan("iris", x, "dbscan_fine", 0.3, 3)
x, _ = read("wine")
dbscan("wine", x / x.std(axis=0), "dbscan_std", 2.3, 5)
x, _ = read("digits")
dbscan("digits", x, "dbscan", 20, 5)
x, _ = read("diabetes")
dbscan("diabetes", x, "dbscan", 25, 8)
