#!/usr/bin/env python3
"""Figures for test/unit/test_naive_bayes.c from scikit-learn's naive Bayes.

    /usr/bin/python3 test/reference/naive_bayes.py > test/reference/naive_bayes_figures.h

Recorded with scikit-learn 1.2.1 (Debian 12).  For each case: the sum over all rows of the logarithm of the probability of
the true class, and the logarithms of the probabilities of three rows.
"""
import csv
import os

import numpy as np
import sklearn
from sklearn.naive_bayes import BernoulliNB, CategoricalNB, GaussianNB, MultinomialNB

DATA = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "data")


def load(name, words):
    with open(os.path.join(DATA, name + ".csv")) as file:
        rows = list(csv.reader(file))[1:]
    x = np.array([[float(v) for v in row[:-1]] for row in rows])
    return x, np.array([words.index(row[-1]) for row in rows])


def case(name, model, x, y, weights=None):
    logs = model.fit(x, y, sample_weight=weights).predict_log_proba(x)
    rows = [0, len(y) // 2, len(y) - 1]
    total = logs[np.arange(len(y)), y].sum()
    figures = ", ".join("%.17g" % v for v in np.concatenate([[total], logs[rows].ravel()]))
    print(f"static const double {name}_figures[] = {{{figures}}};")


print(f"/* Made by test/reference/naive_bayes.py with scikit-learn {sklearn.__version__}; do not edit. */")
iris = load("iris", ["setosa", "versicolor", "virginica"])
wine = load("wine", ["0", "1", "2"])
digits = load("digits", [str(d) for d in range(10)])
weights = np.arange(len(iris[1])) % 3
case("iris_gaussian", GaussianNB(), *iris)
case("iris_weighted", GaussianNB(), *iris, weights=weights)
case("wine_gaussian", GaussianNB(var_smoothing=1e-3), *wine)
case("digits_multinomial", MultinomialNB(alpha=0.5), *digits)
case("digits_bernoulli", BernoulliNB(binarize=7), *digits)
case("digits_categorical", CategoricalNB(fit_prior=False), *digits)
