#!/usr/bin/env python3
"""Figures for test/unit/test_knn.c from scikit-learn's nearest neighbours, by brute force.

    /usr/bin/python3 test/reference/knn.py > test/reference/knn_figures.h

Recorded with scikit-learn 1.2.1 (Debian 12).  Queries lie between rows, so that no two neighbours are equally near:
0.37 times row i plus 0.63 times row 7 i + 3 (modulo the number of rows).  For each case the answers to the first 40 queries.
"""
import csv
import os

import numpy as np
import sklearn
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.preprocessing import StandardScaler

DATA = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "data")


def load(name, words):
    with open(os.path.join(DATA, name + ".csv")) as file:
        rows = list(csv.reader(file))[1:]
    x = np.array([[float(v) for v in row[:-1]] for row in rows])
    return x, np.array([words.index(row[-1]) if words else float(row[-1]) for row in rows])


def queries(x):
    i = np.arange(40)
    return 0.37 * x[i] + 0.63 * x[(7 * i + 3) % len(x)]


def case(name, model, x, y, scale=False):
    q = queries(x)
    if scale:
        scaler = StandardScaler().fit(x)
        x, q = scaler.transform(x), scaler.transform(q)
    model.fit(x, y)
    answers = model.predict_proba(q) if hasattr(model, "predict_proba") else model.predict(q)
    figures = ", ".join("%.17g" % v for v in answers.ravel())
    print(f"static const double {name}_figures[] = {{{figures}}};")


print(f"/* Made by test/reference/knn.py with scikit-learn {sklearn.__version__}; do not edit. */")
iris = load("iris", ["setosa", "versicolor", "virginica"])
digits = load("digits", [str(d) for d in range(10)])
wine = load("wine", ["0", "1", "2"])
diabetes = load("diabetes", None)
case("iris_uniform", KNeighborsClassifier(15, algorithm="brute"), *iris)
case("iris_distance", KNeighborsClassifier(15, weights="distance", algorithm="brute"), *iris, scale=True)
case("digits_manhattan", KNeighborsClassifier(9, weights="distance", metric="manhattan", algorithm="brute"), *digits)
case("diabetes_scaled", KNeighborsRegressor(7, weights="distance", algorithm="brute"), *diabetes, scale=True)
case("wine_chebyshev", KNeighborsClassifier(3, weights="distance", metric="chebyshev", algorithm="brute"), *wine, scale=True)
