#!/usr/bin/python3
"""Reference figures for mlp, written to test/reference/mlp_figures.h.

  test/reference/mlp.py > test/reference/mlp_figures.h

1. Training step by step: scikit-learn's own MLP with mlplat's first weights and order of rows (both functions of the seed and
   a counter, repeated here), so that every prediction after some epochs must agree up to float32.
2. Quality at equal parameters on real data: means over splits and seeds.
"""
import numpy as np
import sklearn
from sklearn.neural_network import MLPClassifier, MLPRegressor
import warnings

warnings.filterwarnings("ignore")
M = (1 << 64) - 1


def mix(z):
    z = (z + 0x9E3779B97F4A7C15) & M
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & M
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & M
    return z ^ (z >> 31)


def u64(seed, stream, counter):
    return mix(mix(mix(seed) ^ stream) ^ counter)


def uniform(seed, stream, counter):
    return (u64(seed, stream, counter) >> 11) * 2.0 ** -53


SEED = 42


def table(rows, p, classes):
    """mlp_table() of test/unit/mlp_data.h without categories, standardised as MlDesign does."""
    raw = np.array([[uniform(5, f, i) for f in range(p)] for i in range(rows)])
    x = np.where(raw < 0.03, np.nan, 2 * raw - 1)
    y = np.array([0.3 * uniform(5, 1000, i) for i in range(rows)])
    for f in range(p):
        v = np.where(np.isnan(x[:, f]), 0, x[:, f])
        y += v if f % 2 == 0 else -v * v
    if classes == 2:
        y = (y > 0).astype(int)
    elif classes == 3:
        y = np.where(y < -0.5, 0, np.where(y < 0.5, 1, 2))
    mean = np.nanmean(x, axis=0)
    d = np.where(np.isnan(x), 0, x - mean)
    return d / np.sqrt((d * d).mean(axis=0)), y


def given_start(base):
    class Given(base):
        def _init_coef(self, fan_in, fan_out, dtype):
            layer = self.layer_number = getattr(self, "layer_number", -1) + 1
            bound = np.sqrt((2.0 if self.activation == "logistic" else 6.0) / (fan_in + fan_out))
            stream = 0x6D6C700000000000 + layer
            w = [bound * (2 * uniform(SEED, stream, i) - 1) for i in range(fan_in * fan_out + fan_out)]
            return np.array(w[:fan_in * fan_out]).reshape(fan_in, fan_out), np.array(w[fan_in * fan_out:])
    return Given


def shuffled(order, epoch):
    for i in range(len(order), 1, -1):
        j = (u64(SEED, 0x73687566 + epoch, i) * i) >> 64
        order[i - 1], order[j] = order[j], order[i - 1]
    return order


class OrderedShuffle:
    """Stands in for sklearn.utils.shuffle inside the fit: the order of mlplat."""

    def __init__(self):
        self.epoch = 0
        self.order = None

    def __call__(self, sample_idx, random_state=None):
        self.epoch += 1
        if self.order is None:
            self.order = list(range(len(sample_idx)))
        self.order = shuffled(self.order, self.epoch)
        return np.array(self.order)


STEPS = [
    ("sgd", 0, dict(hidden_layer_sizes=(6, 5), activation="tanh", solver="sgd", learning_rate_init=0.05, alpha=0.01, shuffle=False, max_iter=4)),
    ("sgd without nesterov", 2, dict(hidden_layer_sizes=(9,), activation="logistic", solver="sgd", nesterovs_momentum=False, momentum=0.8, learning_rate_init=0.1, alpha=0, shuffle=True, max_iter=5)),
    ("adam", 0, dict(hidden_layer_sizes=(7, 7), activation="relu", solver="adam", learning_rate_init=0.01, alpha=0.1, shuffle=True, max_iter=4)),
    ("adam, three classes", 3, dict(hidden_layer_sizes=(8,), activation="tanh", solver="adam", learning_rate_init=0.02, alpha=0.001, shuffle=True, max_iter=6)),
]
ROWS, P, BATCH, SHOWN = 150, 4, 32, 8

import sklearn.neural_network._multilayer_perceptron as implementation

print("/* Written by test/reference/mlp.py with scikit-learn %s, numpy %s. */" % (sklearn.__version__, np.__version__))
print("#define STEP_ROWS %d\n#define STEP_FEATURES %d\n#define STEP_SHOWN %d\n" % (ROWS, P, SHOWN))
print("static const struct\n{\n\tconst char *name;\n\tint\t\t\tn_classes;\n\tconst char *settings;\n\tdouble\t\tprediction[STEP_SHOWN];	/* the value, or the probability of the last class */\n}\t\t\tsteps[] = {")
for name, classes, p in STEPS:
    implementation.shuffle = OrderedShuffle()
    x, y = table(ROWS, P, classes)
    base = MLPClassifier if classes else MLPRegressor
    mean, scale = (0, 1) if classes else (y.mean(), y.std())
    m = given_start(base)(batch_size=BATCH, tol=0, n_iter_no_change=1000, random_state=0, **p)
    m.fit(x, y if classes else (y - mean) / scale)
    out = m.predict_proba(x)[:, -1] if classes else m.predict(x) * scale + mean
    words = dict(hidden_layer_sizes=",".join(map(str, p["hidden_layer_sizes"])), batch_size=BATCH, tol=0, n_iter_no_change=1000)
    words.update({k: str(v).lower() for k, v in p.items() if k != "hidden_layer_sizes"})
    print('\t{"%s", %d, "%s",\n\t{%s}},' % (name, classes, " ".join("%s=%s" % w for w in words.items()), ", ".join("%.9g" % v for v in out[:SHOWN])))
print("};\n")

QUALITY = [
    ("iris", 3, 5, 12, dict(hidden_layer_sizes=(50,), learning_rate_init=0.01)),
    ("wine", 3, 5, 12, dict(hidden_layer_sizes=(50,), learning_rate_init=0.01)),
    ("breast_cancer", 2, 5, 3, dict(hidden_layer_sizes=(50,), learning_rate_init=0.003)),
    ("digits", 10, 2, 3, dict(hidden_layer_sizes=(64, 32), max_iter=40)),
    ("diabetes", 0, 5, 3, dict(hidden_layer_sizes=(20,), activation="tanh", learning_rate_init=0.003, max_iter=60, alpha=1)),
]

print("static const struct\n{\n\tconst char *table;\n\tint\t\t\tn_classes;\n\tint\t\t\tsplits;\n\tint\t\t\tseeds;\n\tconst char *settings;\n\tdouble\t\tscore;		/* accuracy, or R2: the mean over splits and seeds */\n}\t\t\tquality[] = {")
for name, classes, splits, seeds, p in QUALITY:
    rows = [line.strip().split(",") for line in open("test/data/%s.csv" % name)][1:]
    x = np.array([[float(v) for v in r[:-1]] for r in rows])
    words = sorted({r[-1] for r in rows}, key=lambda w: (len(w), w) if w.isdigit() else (0, w))
    y = np.array([words.index(r[-1]) for r in rows]) if classes else np.array([float(r[-1]) for r in rows])
    scores = []
    for split in range(splits):
        test = np.array([mix(i + 1000003 * split) % 10 < 3 for i in range(len(y))])
        mean, sd = x[~test].mean(axis=0), x[~test].std(axis=0)
        z = np.where(sd > 0, (x - mean) / np.where(sd > 0, sd, 1), 0)
        for seed in range(seeds):
            implementation.shuffle = sklearn.utils.shuffle
            base = MLPClassifier if classes else MLPRegressor
            m = base(random_state=seed, **p)
            if classes:
                scores.append((m.fit(z[~test], y[~test]).predict(z[test]) == y[test]).mean())
            else:
                a, b = y[~test].mean(), y[~test].std()
                e = m.fit(z[~test], (y[~test] - a) / b).predict(z[test]) * b + a - y[test]
                scores.append(1 - (e * e).mean() / y[test].var())
    words = dict(p, hidden_layer_sizes=",".join(map(str, p["hidden_layer_sizes"])))
    print('\t{"%s", %d, %d, %d, "%s", %.6f},' % (name, classes, splits, seeds, " ".join("%s=%s" % w for w in words.items()), np.mean(scores)))
print("};")
