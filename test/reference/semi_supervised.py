#!/usr/bin/env python3
"""Figures for test/unit/test_semi.c from scikit-learn's SelfTrainingClassifier and LabelSpreading.

    /usr/bin/python3 test/reference/semi_supervised.py > test/reference/semi_supervised_figures.h

Recorded with scikit-learn 1.2.1 (Debian 12).  Of each set the rows whose number modulo 10 is 3 keep their label.

Which rows scikit-learn takes for the nearest where several are equally near depends on its way of searching, so the rows of iris
are moved apart a little (row i, column j by 1e-3 sin(i + 7 j)), and the script fails where a choice could still go either way.
"""
import csv
import os
import sys
import warnings

import numpy as np
import sklearn
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import NearestNeighbors
from sklearn.preprocessing import StandardScaler
from sklearn.semi_supervised import LabelSpreading, SelfTrainingClassifier

DATA = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "data")
NEIGHBORS = 7


def load(name, words):
    with open(os.path.join(DATA, name + ".csv")) as file:
        rows = list(csv.reader(file))[1:]
    x = np.array([[float(v) for v in row[:-1]] for row in rows])
    y = np.array([words.index(row[-1]) if words else int(row[-1]) for row in rows])
    if name == "iris":
        i, j = np.indices(x.shape)
        x = x + 1e-3 * np.sin(i + 7 * j)
    return x, np.where(np.arange(len(y)) % 10 == 3, y, -1)


def letters(values):
    return "".join("-" if v < 0 else chr(ord("0") + v) for v in values)


def self_training(name, x, y, model, **options):
    fitted = SelfTrainingClassifier(model, **options).fit(x, y)
    # Would a little other arithmetic choose other rows?
    margin = np.inf
    for n in range(1, fitted.n_iter_ + 1):
        known = (fitted.labeled_iter_ < n) & (fitted.labeled_iter_ >= 0)
        best = model.fit(x[known], fitted.transduction_[known]).predict_proba(x[~known]).max(axis=1)
        if options.get("criterion") == "k_best":
            best = -np.sort(-best)
            k = options["k_best"]
            margin = min(margin, best[k - 1] - best[k] if k < len(best) else 1)
        else:
            margin = min(margin, np.abs(best - options.get("threshold", 0.75)).min())
    print(f"{name}: {fitted.n_iter_} rounds, {fitted.termination_condition_}, margin {margin:.2g}", file=sys.stderr)
    assert margin > 1e-6
    print(f'static const char {name}_rounds[] = "{letters(fitted.labeled_iter_)}";')
    print(f'static const char {name}_labels[] = "{letters(fitted.transduction_)}";')
    print(f"#define {name}_n_iter {fitted.n_iter_}")


def spreading(name, x, y, every, **options):
    x = StandardScaler().fit_transform(x)
    d = np.sort(NearestNeighbors(n_neighbors=NEIGHBORS + 1).fit(x).kneighbors(x)[0], axis=1)
    if options["kernel"] == "knn":
        assert (d[:, NEIGHBORS] - d[:, NEIGHBORS - 1]).min() > 1e-9 and d[:, 1].min() > 0
    fitted = LabelSpreading(**options).fit(x, y)
    shares = fitted.label_distributions_
    sure = np.sort(shares, axis=1)
    assert (sure[:, -1] - sure[:, -2])[sure[:, -1] > 0].min() > 1e-9
    labels = np.where(shares.sum(axis=1) > 0, fitted.classes_[shares.argmax(axis=1)], -1)
    print(f"{name}: {fitted.n_iter_} steps, {np.sum(labels < 0)} rows without any share", file=sys.stderr)
    print(f'static const char {name}_labels[] = "{letters(labels)}";')
    print(f"static const double {name}_shares[] = {{{', '.join('%.17g' % v for v in shares[::every].ravel())}}};")
    print(f"#define {name}_every {every}")
    print(f"#define {name}_n_iter {fitted.n_iter_}")


def main():
    warnings.simplefilter("ignore")  # of newton-cg, which cannot do better than to the last digits
    iris = load("iris", ["setosa", "versicolor", "virginica"])
    digits = load("digits", None)
    logistic = LogisticRegression(solver="newton-cg", tol=1e-8, max_iter=100000)
    print(f"/* test/reference/semi_supervised.py, scikit-learn {sklearn.__version__} */")
    self_training("iris_logistic", *iris, logistic)
    self_training("iris_best", *iris, logistic, criterion="k_best", k_best=8, max_iter=6)
    balanced = LogisticRegression(solver="newton-cg", tol=1e-8, max_iter=100000, class_weight="balanced")
    self_training("iris_balanced", *iris, balanced, threshold=0.6, max_iter=4)
    self_training("iris_strict", *iris, logistic, threshold=0.97)
    self_training("digits_logistic", *digits, logistic)
    self_training("digits_bayes", *digits, GaussianNB(var_smoothing=0.1), threshold=0.9, max_iter=3)
    spreading("iris_knn", *iris, 3, kernel="knn", n_neighbors=NEIGHBORS)
    spreading("iris_rbf", *iris, 3, kernel="rbf")
    spreading("iris_far", *iris, 3, kernel="knn", n_neighbors=NEIGHBORS, alpha=0.9, max_iter=200, tol=1e-6)
    spreading("digits_knn", *digits, 20, kernel="knn", n_neighbors=NEIGHBORS)
    spreading("digits_rbf", *digits, 20, kernel="rbf", gamma=0.05)


if __name__ == "__main__":
    main()
