#!/usr/bin/env python3
"""Reference figures for test/unit/test_metrics.c from scikit-learn.

    python3 test/reference/metrics.py > test/reference/metrics_figures.h

Definitions that differ from scikit-learn's defaults are stated where they are computed.
"""
import numpy as np
import sklearn
from sklearn import metrics as m

rng = np.random.default_rng(7)


def array(name, values, kind="double"):
    text = ", ".join(repr(int(v)) if kind != "double" else repr(float(v)) for v in np.ravel(values))
    print(f"static const {kind} {name}[] = {{{text}}};")


def figures(name, **values):
    for key, value in values.items():
        print(f"#define {name.upper()}_{key.upper()} {float(value)!r}")


print("/* Made by test/reference/metrics.py with scikit-learn %s; do not edit. */" % sklearn.__version__)

# Regression, with and without weights.
y = rng.normal(50, 20, 40)
p = y + rng.normal(0, 7, 40)
w = rng.integers(0, 4, 40).astype(float)
array("reg_y", y)
array("reg_p", p)
array("reg_w", w)
for label, weight in (("reg", None), ("reg_weighted", w)):
    figures(label, rmse=np.sqrt(m.mean_squared_error(y, p, sample_weight=weight)),
            mae=m.mean_absolute_error(y, p, sample_weight=weight), r2=m.r2_score(y, p, sample_weight=weight))

# Two classes, scores with many ties and one probability of exactly 0 for a positive row.
n = 60
y = rng.integers(0, 2, n)
s = np.round(np.clip(0.5 + (y - 0.5) * 0.4 + rng.normal(0, 0.3, n), 0.05, 0.95) * 20) / 20
s[np.flatnonzero(y)[0]] = 0.0
w = rng.random(n)
array("bin_y", y)
array("bin_s", s)
array("bin_w", w)
for label, weight in (("bin", None), ("bin_weighted", w)):
    k = dict(sample_weight=weight)
    hard = (s > 0.5).astype(int)     # the first of equal probabilities wins
    clipped = np.clip(s, 1e-15, 1 - 1e-15)
    figures(label, accuracy=m.accuracy_score(y, hard, **k), precision=m.precision_score(y, hard, **k),
            recall=m.recall_score(y, hard, **k), f1=m.f1_score(y, hard, **k), auc=m.roc_auc_score(y, s, **k),
            logloss=m.log_loss(y, np.column_stack([1 - clipped, clipped]), **k), brier=m.brier_score_loss(y, s, **k))
fpr, tpr, threshold = m.roc_curve(y, s, drop_intermediate=False)
threshold[0] = 2                     # infinity here, 1 + the greatest score there
array("roc_fpr", fpr)
array("roc_tpr", tpr)
array("roc_threshold", threshold)

# Four classes, of which one is never predicted and one is predicted but for few rows.
n, c = 80, 4
y = rng.integers(0, c, n)
z = rng.normal(0, 1, (n, c))
z[np.arange(n), y] += 1.2
z[:, 3] -= 6
p = np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)
w = rng.random(n)
array("multi_y", y)
array("multi_p", p)
array("multi_w", w)
onehot = np.eye(c)[y]
for label, weight in (("multi", None), ("multi_weighted", w)):
    k = dict(sample_weight=weight)
    hard = p.argmax(axis=1)
    figures(label, accuracy=m.accuracy_score(y, hard, **k),
            precision=m.precision_score(y, hard, average="macro", zero_division=0, **k),
            recall=m.recall_score(y, hard, average="macro", **k), f1=m.f1_score(y, hard, average="macro", **k),
            auc=np.mean([m.roc_auc_score(y == j, p[:, j], **k) for j in range(c)]),
            logloss=m.log_loss(y, p, **k),
            brier=np.average(((p - onehot) ** 2).sum(axis=1), weights=weight))
