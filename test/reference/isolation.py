#!/usr/bin/python3
"""Figures that test/unit/test_isolation.c compares with.

Scores of scikit-learn's IsolationForest on rows that both can make: 2,000 rows of 4 numbers, normal (twelve uniforms
less six), the first 40 uniform between -6 and 6.  Means and standard deviations over 20 seeds.

    python3 test/reference/isolation.py > test/reference/isolation_figures.h
"""
import numpy as np
import sklearn
from sklearn.ensemble import IsolationForest
from sklearn.ensemble._iforest import _average_path_length
from sklearn.metrics import roc_auc_score

MASK = (1 << 64) - 1
N, P, ODD, SEEDS = 2000, 4, 40, 20


def mix64(z):
    z = (z + 0x9E3779B97F4A7C15) & MASK
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
    return z ^ (z >> 31)


def uniform(seed, stream, counter):
    return (mix64(mix64(mix64(seed) ^ stream) ^ counter) >> 11) * 2.0 ** -53


def main():
    x = np.array([[uniform(7, f, i) * 12 - 6 if i < ODD else sum(uniform(8, f, 12 * i + j) for j in range(12)) - 6
                   for f in range(P)] for i in range(N)])
    odd = np.arange(N) < ODD
    rows = []
    for seed in range(SEEDS):
        score = -IsolationForest(random_state=seed).fit(x).score_samples(x)
        rows.append((roc_auc_score(odd, score), score.mean(), score.std(), score[odd].mean(), (score > 0.5).mean()))
    rows = np.array(rows)
    print("/* Written by isolation.py with scikit-learn %s, numpy %s. */" % (sklearn.__version__, np.__version__))
    print("static const struct\n{\n\tconst char *name;\n\tdouble\t\tmean;\n\tdouble\t\tdeviation;\n}\t\t\tisolation_figures[] = {")
    for k, name in enumerate(("auc", "score", "deviation of scores", "score of the odd", "flagged")):
        print('\t{"%s", %.9g, %.9g},' % (name, rows[:, k].mean(), rows[:, k].std()))
    print("};\n\nstatic const struct\n{\n\tdouble\t\tn;\n\tdouble\t\tpath;\n}\t\t\tisolation_paths[] = {")
    for n in (1, 2, 3, 5, 10, 256, 100000):
        print("\t{%d, %.17g}," % (n, _average_path_length(np.array([n]))[0]))
    print("};")


main()
