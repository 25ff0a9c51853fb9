#!/usr/bin/python3
"""Figures that test/unit/test_gbdt_losses.c compares with.

Trains XGBoost and scikit-learn with losses beside the usual ones, and XGBoost with its own defaults, on the splits of
gbdt.py, and writes gbdt_losses.txt next to this file.

    /usr/bin/python3 test/reference/gbdt_losses.py       needs python3-xgboost, python3-sklearn, python3-numpy

100 rounds of at most 7 leaves, learning rate 0.05, no L2, start from the average, 20 rows a leaf for scikit-learn and a
hessian of 1 for XGBoost.  What is reported is the mean deviance (poisson, gamma, tweedie of power 1.5) or pinball loss
(quantile 0.8) on the test rows, and for "defaults" RMSE or the area under the ROC curve; mean over five splits.
"""
import os

import numpy as np
import sklearn
import xgboost
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.metrics import mean_pinball_loss, mean_squared_error, mean_tweedie_deviance, roc_auc_score

from gbdt import DATA, HERE, SPLITS, mix64

LOSSES = [("poisson", "count:poisson", 1), ("gamma", "reg:gamma", 2), ("tweedie", "reg:tweedie", 1.5)]


def load(name):
    data = np.loadtxt(os.path.join(DATA, name + ".csv"), delimiter=",", skiprows=1)
    return data[:, :-1], data[:, -1]


def splits(n):
    for split in range(SPLITS):
        yield np.array([mix64(i + 1000003 * split) % 10 < 3 for i in range(n)])


def boosted(objective, x, y, x_test):
    params = {"objective": objective, "tree_method": "hist", "grow_policy": "lossguide", "max_leaves": 7, "max_depth": 0, "eta": 0.05,
              "lambda": 0, "min_child_weight": 1, "max_bin": 256, "nthread": 1, "seed": 0, "base_score": float(y.mean()), "tweedie_variance_power": 1.5}
    return xgboost.train(params, xgboost.DMatrix(x, label=y), 100).predict(xgboost.DMatrix(x_test))


def main():
    figures = {}
    x, y = load("diabetes")
    for test in splits(len(y)):
        for name, objective, power in LOSSES:
            p = boosted(objective, x[~test], y[~test], x[test])
            figures.setdefault("diabetes " + name, []).append(mean_tweedie_deviance(y[test], p, power=power))
        model = HistGradientBoostingRegressor(loss="quantile", quantile=0.8, learning_rate=0.05, max_iter=100, max_leaf_nodes=7, early_stopping=False)
        figures.setdefault("diabetes quantile", []).append(mean_pinball_loss(y[test], model.fit(x[~test], y[~test]).predict(x[test]), alpha=0.8))
        p = xgboost.XGBRegressor(tree_method="hist", n_jobs=1, base_score=float(y[~test].mean())).fit(x[~test], y[~test]).predict(x[test])
        figures.setdefault("diabetes defaults", []).append(mean_squared_error(y[test], p) ** 0.5)
    x, y = load("breast_cancer")
    for test in splits(len(y)):
        p = xgboost.XGBClassifier(tree_method="hist", n_jobs=1).fit(x[~test], y[~test]).predict_proba(x[test])[:, 1]
        figures.setdefault("breast_cancer defaults", []).append(roc_auc_score(y[test], p))
    with open(os.path.join(HERE, "gbdt_losses.txt"), "w") as out:
        out.write("# Written by gbdt_losses.py with xgboost %s, scikit-learn %s, numpy %s.\n# set, loss, mean value on the test rows\n"
                  % (xgboost.__version__, sklearn.__version__, np.__version__))
        for name, values in figures.items():
            out.write("%s %.9g\n" % (name, np.mean(values)))


main()
