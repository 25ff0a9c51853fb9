#!/usr/bin/python3
"""Figures that test/unit/test_gbdt_quality.c compares with.

Trains XGBoost and scikit-learn's HistGradientBoosting with the parameters that gbdt is given, on the splits
that the test uses, and writes gbdt.txt next to this file.

    python3 test/reference/gbdt.py       needs python3-xgboost, python3-sklearn, python3-numpy

Split number s of a set: row i (0-based) is a test row when mix64(i + 1000003 * s) % 10 < 3, where mix64 is
splitmix64's mixer (src/ml/base/rng.h).

Two settings, each against the peer whose options can say the same:
  xgboost  31 leaves, lossguide, eta 0.1, 100 rounds, lambda 0, min_child_weight 1, start from the average;
           gbdt: min_data_in_leaf=1 min_sum_hessian_in_leaf=1 min_data_in_bin=1 max_bin=256
  sklearn  31 leaves, learning rate 0.1, 100 rounds, 20 rows a leaf, no L2, 255 bins, no early stopping;
           gbdt: its defaults
"""
import os

import numpy as np
import sklearn
import xgboost
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.metrics import log_loss, mean_squared_error, roc_auc_score

HERE = os.path.dirname(os.path.abspath(__file__))
DATA = os.path.join(HERE, "..", "data")
SETS = [("breast_cancer", 2), ("wine", 3), ("diabetes", 0), ("digits", 10)]
SPLITS = 5
MASK = (1 << 64) - 1


def mix64(z):
    z = (z + 0x9E3779B97F4A7C15) & MASK
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
    return z ^ (z >> 31)


def with_xgboost(x, y, classes, x_test):
    params = {"tree_method": "hist", "grow_policy": "lossguide", "max_leaves": 31, "max_depth": 0, "eta": 0.1,
              "lambda": 0, "alpha": 0, "gamma": 0, "min_child_weight": 1, "max_bin": 256, "nthread": 1, "seed": 0}
    if classes == 0:
        params.update(objective="reg:squarederror", base_score=float(y.mean()))
    elif classes == 2:
        params.update(objective="binary:logistic", base_score=float(y.mean()))
    else:
        params.update(objective="multi:softprob", num_class=classes)
    model = xgboost.train(params, xgboost.DMatrix(x, label=y), num_boost_round=100)
    return model.predict(xgboost.DMatrix(x_test))


def with_sklearn(x, y, classes, x_test):
    args = dict(learning_rate=0.1, max_iter=100, max_leaf_nodes=31, min_samples_leaf=20, l2_regularization=0,
                max_bins=255, early_stopping=False)
    if classes == 0:
        return HistGradientBoostingRegressor(**args).fit(x, y).predict(x_test)
    p = HistGradientBoostingClassifier(**args).fit(x, y).predict_proba(x_test)
    return p[:, 1] if classes == 2 else p


def judge(y, p, classes):
    if classes == 0:
        return [("rmse", mean_squared_error(y, p) ** 0.5)]
    if classes == 2:
        return [("auc", roc_auc_score(y, p)), ("logloss", log_loss(y, p))]
    p = p / p.sum(axis=1, keepdims=True)
    return [("auc", roc_auc_score(y, p, multi_class="ovr")), ("logloss", log_loss(y, p))]


def main():
    with open(os.path.join(HERE, "gbdt.txt"), "w") as out:
        out.write("# Written by gbdt.py with xgboost %s, scikit-learn %s, numpy %s.\n"
                  % (xgboost.__version__, sklearn.__version__, np.__version__))
        out.write("# set, peer, split, metric, value on the test rows\n")
        for name, classes in SETS:
            data = np.loadtxt(os.path.join(DATA, name + ".csv"), delimiter=",", skiprows=1)
            x, y = data[:, :-1], data[:, -1]
            for split in range(SPLITS):
                test = np.array([mix64(i + 1000003 * split) % 10 < 3 for i in range(len(y))])
                for peer, fit in (("xgboost", with_xgboost), ("sklearn", with_sklearn)):
                    p = fit(x[~test], y[~test], classes, x[test])
                    for metric, value in judge(y[test], p, classes):
                        out.write("%s %s %d %s %.9g\n" % (name, peer, split, metric, value))
                out.flush()


if __name__ == "__main__":
    main()
