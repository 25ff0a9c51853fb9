#!/usr/bin/python3
"""Figures for test/unit/test_bayes.c: scikit-learn's BayesianRidge at a tight tolerance, and the conjugate posterior
by other algebra: one system for constant and coefficients together, the evidence as a density of all rows.

Writes bayes_figures.h.
"""
import csv
import os

import numpy as np
import scipy
import sklearn
from scipy.stats import multivariate_t
from sklearn.linear_model import BayesianRidge

HERE = os.path.dirname(os.path.abspath(__file__))
DATA = os.path.join(HERE, "..", "data")


def doubles(f, name, values):
    f.write("static const double %s[] = {%s};\n" % (name, ", ".join("%.17g" % v for v in values)))


def conjugate(x, y, precision, a0, b0, weight):
    """Posterior under b ~ N(0, s2 / precision), a flat constant, s2 ~ IG(a0, b0)."""
    n, p = x.shape
    full = np.column_stack([np.ones(n), x])
    prior = np.diag(np.r_[0, precision])
    m = full.T @ (weight[:, None] * full) + prior
    mean = np.linalg.solve(m, full.T @ (weight * y))
    a = a0 + (n - 1) / 2
    b = b0 + ((weight * y * y).sum() - mean @ m @ mean) / 2
    return mean, np.sqrt(b / a * np.diag(np.linalg.inv(m))), a, b


def main():
    rows = list(csv.reader(open(os.path.join(DATA, "diabetes.csv"))))[1:]
    t = np.array([[float(v) for v in r] for r in rows])
    x, y = t[:, :-1], t[:, -1]
    n, p = x.shape
    with open(os.path.join(HERE, "bayes_figures.h"), "w") as f:
        f.write("/* Written by test/reference/bayes.py with scikit-learn %s, scipy %s, numpy %s. */\n" % (sklearn.__version__, scipy.__version__, np.__version__))
        sd = x.std(axis=0)
        for name, scale in (("units", np.ones(p)), ("standard", sd)):
            m = BayesianRidge(tol=1e-14, n_iter=100000).fit(x / scale, y)
            doubles(f, "evidence_" + name, np.r_[m.intercept_, m.coef_ / scale])
            doubles(f, "evidence_%s_error" % name, np.sqrt(np.diag(m.sigma_)) / scale)
            doubles(f, "evidence_%s_fit" % name, [m.alpha_, m.lambda_])
        weight = np.arange(n) % 3 + 1.0
        for name, w, precision in (("units", np.ones(n), 10 * np.ones(p)), ("weighted", weight, 10 * np.ones(p)), ("standard", np.ones(n), 50 * sd ** 2)):
            mean, error, a, b = conjugate(x, y, precision, 2.5, 1000, w)
            doubles(f, "conjugate_" + name, mean)
            doubles(f, "conjugate_%s_error" % name, error)
            # Contrasts orthogonal to the constant (in the units of the weights) have a proper density.
            u = np.sqrt(w) / np.sqrt(w.sum())
            q = np.linalg.svd(u[None, :])[2][1:]
            z = q @ (np.sqrt(w)[:, None] * x)
            shape = 1000 / 2.5 * (np.eye(n - 1) + z @ np.diag(1 / precision) @ z.T)
            log = multivariate_t.logpdf(q @ (np.sqrt(w) * y), shape=shape, df=5) - 0.5 * np.log(w.sum()) + 0.5 * np.log(w).sum()
            doubles(f, "conjugate_%s_fit" % name, [a, b, log])
            print(name, a, b, log)


main()
