#!/usr/bin/python3
"""Figures for test/unit/test_svm.c: LinearSVC and LinearSVR of scikit-learn 1.2.1 (liblinear) at tight tolerances.

Writes svm_figures.h: coefficients, and the objective computed here from them, which a better solver may not exceed.
"""
import csv
import os
import warnings

import numpy as np
import sklearn
from sklearn.svm import LinearSVC, LinearSVR

HERE = os.path.dirname(os.path.abspath(__file__))
DATA = os.path.join(HERE, "..", "data")


def doubles(f, name, values):
    f.write("static const double %s[] = {%s};\n" % (name, ", ".join("%.17g" % v for v in np.ravel(values))))


def table(name):
    return list(csv.reader(open(os.path.join(DATA, name + ".csv"))))[1:]


def main():
    warnings.simplefilter("ignore")
    with open(os.path.join(HERE, "svm_figures.h"), "w") as f:
        f.write("/* Written by test/reference/svm.py with scikit-learn %s, numpy %s. */\n" % (sklearn.__version__, np.__version__))
        rows = table("iris")
        species = ["setosa", "versicolor", "virginica"]
        x, y = np.array([[float(v) for v in r[:-1]] for r in rows]), np.array([species.index(r[-1]) for r in rows])
        rows = table("diabetes")
        dx, dy = np.array([[float(v) for v in r[:-1]] for r in rows]), np.array([float(r[-1]) for r in rows])
        dz = (dx - dx.mean(axis=0)) / dx.std(axis=0)
        two = y > 0
        for name, loss, c, weight in (("squared", "squared_hinge", 1.0, None), ("hinge", "hinge", 1.0, None), ("weighted", "squared_hinge", 0.3, np.arange(100) % 3 * 1.0)):
            m = LinearSVC(loss=loss, C=c, tol=1e-12, max_iter=50000000, dual=True if loss == "hinge" else False).fit(x[two], y[two] - 1, sample_weight=weight)
            r = np.maximum(0, 1 - (2 * (y[two] - 1) - 1) * (x[two] @ m.coef_[0] + m.intercept_[0]))
            w = np.ones(100) if weight is None else weight
            objective = 0.5 * ((m.coef_ ** 2).sum() + m.intercept_[0] ** 2) + c * (w * (r if loss == "hinge" else r ** 2)).sum()
            doubles(f, "svc_" + name, np.r_[m.intercept_, m.coef_[0]])
            f.write("static const double svc_%s_objective = %.17g;\n" % (name, objective))
            print(name, m.n_iter_, objective)
        m = LinearSVC(C=1.0, tol=1e-12, max_iter=10000000, dual=False).fit(x, y)
        doubles(f, "svc_three", np.column_stack([m.intercept_, m.coef_]))
        print("three: accuracy", m.score(x, y))
        f.write("static const double svc_three_accuracy = %.17g;\n" % m.score(x, y))
        for name, loss, c, epsilon in (("squared", "squared_epsilon_insensitive", 1.0, 5.0), ("plain", "epsilon_insensitive", 0.5, 10.0), ("zero", "epsilon_insensitive", 1.0, 0.0)):
            m = LinearSVR(loss=loss, C=c, epsilon=epsilon, tol=1e-10, max_iter=20000000, dual=loss != "squared_epsilon_insensitive").fit(dz, dy)
            r = np.maximum(0, abs(dy - m.predict(dz)) - epsilon)
            objective = 0.5 * ((m.coef_ ** 2).sum() + m.intercept_[0] ** 2) + c * (r if loss == "epsilon_insensitive" else r ** 2).sum()
            doubles(f, "svr_" + name, np.r_[m.intercept_, m.coef_])
            f.write("static const double svr_%s_objective = %.17g;\n" % (name, objective))
            print(name, m.n_iter_, objective)


main()
