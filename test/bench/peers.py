"""The peers of test/bench/run: fits XGBoost and scikit-learn on the same rows, prints one JSON object a line.

  peers.py FILE.csv TASK MODEL REPEATS THREADS
  peers.py explain FILE.csv LEAVES ROWS REPEATS
  peers.py fit FILE.bin COLUMNS ROWS TASK REPEATS THREADS
  peers.py names

FILE has a header; its last two columns are the target and the part ("train" or "test").  The time is that of fit() alone:
the rows are in arrays already, which they are not when mlplat starts.
"""
import json
import statistics
import sys
import time
import warnings

import numpy as np

warnings.filterwarnings("ignore")


def names():
    """Peers that this machine has, with their versions."""
    found = {}
    for name in ("sklearn", "xgboost"):
        try:
            found[name] = __import__(name).__version__
        except ImportError:
            pass
    return found


def load(path):
    with open(path) as file:
        columns = file.readline().strip().split(",")
        rows = [line.rstrip("\n").split(",") for line in file]
    table = np.array([[float(v) if v else np.nan for v in row[:-1]] for row in rows])
    train = np.array([row[-1] == "train" for row in rows])
    x, y = np.ascontiguousarray(table[:, :-1]), table[:, -1]
    return x[train], y[train], x[~train], y[~train], columns


def auc(y, score):
    """Area under the ROC curve; the mean of one against the rest for several classes."""
    from sklearn.metrics import roc_auc_score
    if score.ndim == 2 and score.shape[1] > 2:
        return roc_auc_score(y, score, multi_class="ovr", average="macro")
    return roc_auc_score(y, score[:, 1])


def make(model, task, threads):
    """An untrained peer with the parameters that test/bench/run gives to mlplat."""
    if model == "xgboost":
        import xgboost
        kind = xgboost.XGBRegressor if task == "regression" else xgboost.XGBClassifier
        return kind(n_estimators=100, max_leaves=31, max_depth=0, grow_policy="lossguide", learning_rate=0.1, tree_method="hist",
                    max_bin=256, reg_lambda=1, min_child_weight=1, n_jobs=threads, verbosity=0)
    if model == "histgb":
        from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
        kind = HistGradientBoostingRegressor if task == "regression" else HistGradientBoostingClassifier
        return kind(max_iter=100, max_leaf_nodes=31, learning_rate=0.1, l2_regularization=1, min_samples_leaf=20, early_stopping=False)
    if model == "logistic":
        from sklearn.linear_model import LogisticRegression
        return LogisticRegression(C=1.0, tol=1e-4, max_iter=1000, n_jobs=threads)
    from sklearn.linear_model import LinearRegression
    return LinearRegression(n_jobs=threads)


def fit(path, columns, rows, task, repeats, threads):
    """XGBoost on float32 rows that fit_kernel has written: binning and 100 trees of 31 leaves."""
    import xgboost
    table = np.fromfile(path, np.float32).reshape(-1, columns + 1)
    x, y = np.ascontiguousarray(table[:, :-1]), table[:, -1]
    settings = {"objective": "reg:squarederror" if task == "regression" else "binary:logistic", "max_leaves": 31, "max_depth": 0,
                "grow_policy": "lossguide", "eta": 0.1, "tree_method": "hist", "max_bin": 255, "lambda": 0, "min_child_weight": 1e-3,
                "nthread": threads, "verbosity": 0}
    seconds = []
    for _ in range(repeats):
        began = time.perf_counter()
        fitted = xgboost.train(settings, xgboost.DMatrix(x[:rows], y[:rows], nthread=threads), 100)
        seconds.append(time.perf_counter() - began)
    score = fitted.predict(xgboost.DMatrix(x[rows:], nthread=threads))
    if task == "regression":
        score = float(np.sqrt(np.mean((score - y[rows:]) ** 2)))
    else:
        score = auc(y[rows:], np.column_stack([1 - score, score]))
    return {"seconds": statistics.median(seconds), "score": float(score)}


def explain(path, leaves, rows, repeats):
    """Contributions of so many rows by XGBoost on one thread."""
    import xgboost
    x, y, x_test, _, _ = load(path)
    fitted = xgboost.train({"objective": "binary:logistic", "max_leaves": leaves, "max_depth": 0, "grow_policy": "lossguide", "eta": 0.1,
                            "tree_method": "hist", "max_bin": 256, "lambda": 1, "min_child_weight": 1, "verbosity": 0}, xgboost.DMatrix(x, y), 100)
    fitted.set_param({"nthread": 1})
    wanted = xgboost.DMatrix(x_test[:rows], nthread=1)
    seconds = []
    for _ in range(repeats):
        began = time.perf_counter()
        contributions = fitted.predict(wanted, pred_contribs=True)
        seconds.append(time.perf_counter() - began)
    error = np.abs(contributions.astype(np.float64).sum(axis=1) - fitted.predict(wanted, output_margin=True)).max()
    print(json.dumps({"rows_per_s": len(contributions) / statistics.median(seconds), "error": float(error)}))


def main():
    if sys.argv[1] == "names":
        print(json.dumps(names()))
        return
    if sys.argv[1] == "fit":
        print(json.dumps(fit(sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), sys.argv[5], int(sys.argv[6]), int(sys.argv[7]))))
        return
    if sys.argv[1] == "explain":
        explain(sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), int(sys.argv[5]))
        return
    path, task, model, repeats, threads = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]), int(sys.argv[5])
    x, y, x_test, y_test, _ = load(path)
    seconds = []
    for _ in range(repeats):
        fitted = make(model, task, threads)
        began = time.perf_counter()
        fitted.fit(x, y)
        seconds.append(time.perf_counter() - began)
    if task == "regression":
        score = float(np.sqrt(np.mean((fitted.predict(x_test) - y_test) ** 2)))
    else:
        score = float(auc(y_test, fitted.predict_proba(x_test)))
    began = time.perf_counter()
    fitted.predict(x_test) if task == "regression" else fitted.predict_proba(x_test)
    predict = time.perf_counter() - began
    print(json.dumps({"seconds": statistics.median(seconds), "score": score, "predict_rows_per_s": len(y_test) / predict}))


main()
