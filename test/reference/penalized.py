#!/usr/bin/python3
"""Figures for test/unit/test_penalized.c: ridge, lasso and elastic net by scikit-learn 1.2.1 at tight tolerances.

Writes penalized_figures.h.  Cross-validation: the folds are drawn as src/ml/algo/gram.c draws them, the models of
each fold are fitted by scikit-learn on the rows themselves.
"""
import csv
import os

import numpy as np
import sklearn
from sklearn.linear_model import ElasticNet, Lasso, Ridge

HERE = os.path.dirname(os.path.abspath(__file__))
DATA = os.path.join(HERE, "..", "data")
MASK = (1 << 64) - 1


def doubles(f, name, values):
    f.write("static const double %s[] = {%s};\n" % (name, ", ".join("%.17g" % v for v in values)))


def table(name):
    rows = list(csv.reader(open(os.path.join(DATA, name + ".csv"))))[1:]
    return np.array([[float(v) for v in r] for r in rows])


def mix(z):
    z = (z + 0x9E3779B97F4A7C15) & MASK
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
    return z ^ (z >> 31)


def folds(n, k, seed):
    """The fold of each row: of k consecutive rows each falls into another one."""
    fold = []
    for group in range((n + k - 1) // k):
        random = mix(mix(mix(seed) ^ 0x666f6c64) ^ group)
        order = list(range(k))
        for j in range(k - 1, 0, -1):
            other = random % (j + 1)
            random //= j + 1
            order[j], order[other] = order[other], order[j]
        fold += order
    return np.array(fold[:n])


def estimator(kind, alpha, ratio, positive, intercept):
    if kind == "ridge":
        return Ridge(alpha=alpha, solver="svd", fit_intercept=intercept)
    if kind == "lasso":
        return Lasso(alpha=alpha, tol=1e-14, max_iter=10000000, positive=positive, fit_intercept=intercept)
    return ElasticNet(alpha=alpha, l1_ratio=ratio, tol=1e-14, max_iter=10000000, positive=positive, fit_intercept=intercept)


def fit(kind, x, y, alpha, ratio=0.5, standardize=True, weight=None, positive=False, intercept=True):
    """(intercept, coefficients) in the units of x."""
    w = np.ones(len(y)) if weight is None else weight
    mean = np.average(x, axis=0, weights=w)
    sd = np.sqrt(np.average((x - mean) ** 2, axis=0, weights=w)) if standardize else np.ones(x.shape[1])
    model = estimator(kind, alpha, ratio, positive, intercept).fit(x / sd, y, sample_weight=weight)
    return model.intercept_, model.coef_ / sd


def main():
    t = table("diabetes")
    x, y = t[:, :-1], t[:, -1]
    weight = np.arange(len(y)) % 3 * 1.0
    with open(os.path.join(HERE, "penalized_figures.h"), "w") as f:
        f.write("/* Written by test/reference/penalized.py with scikit-learn %s, numpy %s. */\n" % (sklearn.__version__, np.__version__))
        cases = [
            ("ridge_units", "ridge", dict(alpha=100, standardize=False)),
            ("ridge_standard", "ridge", dict(alpha=100)),
            ("ridge_weighted", "ridge", dict(alpha=7.5, weight=weight)),
            ("lasso_units", "lasso", dict(alpha=0.5, standardize=False)),
            ("lasso_standard", "lasso", dict(alpha=1.5)),
            ("lasso_weighted", "lasso", dict(alpha=2.0, weight=weight)),
            ("lasso_plain", "lasso", dict(alpha=3.0, intercept=False, standardize=False)),
            ("elastic_units", "elastic", dict(alpha=0.1, ratio=0.3, standardize=False)),
            ("elastic_standard", "elastic", dict(alpha=0.2, ratio=0.7)),
            ("elastic_weighted", "elastic", dict(alpha=0.3, ratio=0.5, weight=weight)),
            ("elastic_positive", "elastic", dict(alpha=0.3, ratio=0.5, positive=True)),
        ]
        for name, kind, options in cases:
            b0, b = fit(kind, x, y, **options)
            doubles(f, name, [b0] + list(b) if options.get("intercept", True) else list(b))
        # Cross-validation: mean squared error of 5 folds for the 20 penalties of a path.
        fold = folds(len(y), 5, 42)
        for kind, ratio in (("lasso", 1.0), ("elastic", 0.4), ("ridge", 0.0)):
            mean, sd = x.mean(axis=0), x.std(axis=0)
            z = (x - mean) / sd
            c = z.T @ (y - y.mean())
            if kind == "ridge":
                alphas = 100 * np.linalg.eigvalsh(z.T @ z)[-1] * 1e-9 ** (np.arange(20) / 19)
            else:
                alphas = np.abs(c).max() / len(y) / ratio * 1e-4 ** (np.arange(20) / 19)
            mse = []
            for alpha in alphas:
                error = np.zeros(5)
                for k in range(5):
                    b0, b = fit(kind, x[fold != k], y[fold != k], alpha, ratio)
                    error[k] = ((y[fold == k] - b0 - x[fold == k] @ b) ** 2).mean()
                count = np.bincount(fold)
                average = np.average(error, weights=count)
                mse.append((average, np.sqrt(np.average((error - average) ** 2, weights=count) / 4)))
            best = int(np.argmin([m for m, _ in mse]))
            limit = mse[best][0] + mse[best][1]
            rule = min(k for k in range(best + 1) if mse[k][0] <= limit)
            b0, b = fit(kind, x, y, alphas[best], ratio)
            doubles(f, kind + "_cv", [alphas[0], alphas[best], mse[best][0], mse[best][1], alphas[rule]])
            doubles(f, kind + "_cv_coef", [b0] + list(b))
            print(kind, best, rule, mse[best])


main()
