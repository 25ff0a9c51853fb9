#!/usr/bin/python3
"""Figures that test/unit/test_trees_quality.c compares with.

Grows scikit-learn's trees and forests on the splits that the test uses and writes trees.txt next to this file.

    python3 test/reference/trees.py       needs python3-sklearn, python3-numpy

Split number s of a set: row i (0-based) is a test row when mix64(i + 1000003 * s) % 10 < 3, where mix64 is
splitmix64's mixer (src/ml/base/rng.h).

  tree SET PARAMETERS LEAVES DIFFERENT  then the predictions (of a classification the shares of every class) of the
      test rows of split 0.  scikit-learn breaks ties between features at random: a row on whose prediction 30 seeds
      do not agree is written as "-".
  forest SET METHOD METRIC VALUE        the mean over five splits and five seeds, default parameters.
"""
import os

import numpy as np
import sklearn
from sklearn.ensemble import ExtraTreesClassifier, ExtraTreesRegressor, RandomForestClassifier, RandomForestRegressor
from sklearn.metrics import accuracy_score, mean_squared_error
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

HERE = os.path.dirname(os.path.abspath(__file__))
DATA = os.path.join(HERE, "..", "data")
SETS = [("iris", 3), ("wine", 3), ("digits", 10), ("breast_cancer", 2), ("diabetes", 0)]
TREES = [{"max_depth": 3}, {"max_leaf_nodes": 12}, {"min_samples_leaf": 8, "min_samples_split": 25}, {"ccp_alpha": 0.01}, {"min_impurity_decrease": 0.01}]
CRITERIA = {True: "entropy", False: "poisson"}
SPLITS = 5
SEEDS = 5
MASK = (1 << 64) - 1


def mix64(z):
    z = (z + 0x9E3779B97F4A7C15) & MASK
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
    return z ^ (z >> 31)


def read(name):
    table = np.loadtxt(os.path.join(DATA, name + ".csv"), delimiter=",", skiprows=1, dtype=str)
    target = table[:, -1]
    y = np.unique(target, return_inverse=True)[1] if name == "iris" else target.astype(float)
    return table[:, :-1].astype(float), y.astype(float)


def halves(n, split):
    test = np.array([mix64(i + 1000003 * split) % 10 < 3 for i in range(n)])
    return ~test, test


def trees(out):
    for name, classes in SETS:
        x, y = read(name)
        train, test = halves(len(y), 0)
        for params in TREES + [{"max_depth": 4, "criterion": CRITERIA[classes > 0]}]:
            if not classes:                 # the impurity of numbers has their unit
                params = {k: v * 1000 if k in ("ccp_alpha", "min_impurity_decrease") else v for k, v in params.items()}
            seen = []
            for seed in range(30):
                kind = DecisionTreeClassifier if classes else DecisionTreeRegressor
                model = kind(random_state=seed, **params).fit(x[train], y[train])
                p = model.predict_proba(x[test]) if classes else model.predict(x[test])[:, None]
                seen.append(p)
            agree = np.ptp(np.array(seen), axis=0).max(axis=1) < 1e-9
            words = ",".join("%s=%s" % item for item in params.items())
            print("tree", name, words, model.get_n_leaves(), file=out)
            for p, sure in zip(seen[0], agree):
                print(" ".join("%.12g" % v for v in p) if sure else "-", file=out)


def forests(out):
    kinds = {"random_forest": (RandomForestClassifier, RandomForestRegressor), "extra_trees": (ExtraTreesClassifier, ExtraTreesRegressor)}
    for name, classes in SETS:
        x, y = read(name)
        for method, kind in kinds.items():
            figures = []
            for split in range(SPLITS):
                train, test = halves(len(y), split)
                for seed in range(SEEDS):
                    model = kind[0 if classes else 1](random_state=seed, n_jobs=2).fit(x[train], y[train])
                    if classes:
                        figures.append(accuracy_score(y[test], model.predict(x[test])))
                    else:
                        figures.append(mean_squared_error(y[test], model.predict(x[test])) ** 0.5)
            print("forest", name, method, "accuracy" if classes else "rmse", "%.6f" % np.mean(figures), file=out)


def main():
    with open(os.path.join(HERE, "trees.txt"), "w") as out:
        print("# Written by trees.py with scikit-learn %s, numpy %s." % (sklearn.__version__, np.__version__), file=out)
        trees(out)
        forests(out)


main()
