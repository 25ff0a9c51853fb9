"""The peers of test/bench/run: runs XGBoost, scikit-learn and pandas on the same rows, prints one JSON object.

  peers.py names
  peers.py csv FILE.csv TASK MODEL REPEATS THREADS       last two columns: the target and the part ("train" or "test")
  peers.py explain FILE.csv LEAVES ROWS REPEATS
  peers.py gbdt LIBRARY FILE.f32 COLUMNS ROWS TASK LEAVES CATEGORIES REPEATS THREADS
  peers.py predict LIBRARY FILE.f32 COLUMNS ROWS REPEATS
  peers.py export TABLE DIRECTORY THREADS                through psql, which finds the server by its environment
  peers.py algorithm NAME FILE.f32 COLUMNS ROWS REPEATS THREADS

A .f32 file (make_data) holds float32 rows, the target last, first the ROWS for training, then those for the test; the last CATEGORIES columns are
codes.  The time is that of the library alone: the rows are in arrays already, which they are not when mlplat starts.
"""
import json
import os
import resource
import statistics
import subprocess
import sys
import time
import warnings

import numpy as np

warnings.filterwarnings("ignore")


def names():
    """Peers that this machine has, with their versions."""
    found = {}
    for name in ("sklearn", "xgboost", "lightgbm", "pandas", "numpy"):
        try:
            found[name] = __import__(name).__version__
        except ImportError:
            pass
    return found


def timed(repeats, work):
    """The median of the seconds of so many runs, and what the last one returned."""
    seconds = []
    for _ in range(repeats):
        began = time.perf_counter()
        result = work()
        seconds.append(time.perf_counter() - began)
    return statistics.median(seconds), result


def peak_memory():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def load_csv(path):
    with open(path) as file:
        file.readline()
        rows = [line.rstrip("\n").split(",") for line in file]
    table = np.array([[float(v) if v else np.nan for v in row[:-1]] for row in rows])
    train = np.array([row[-1] == "train" for row in rows])
    x, y = np.ascontiguousarray(table[:, :-1]), table[:, -1]
    return x[train], y[train], x[~train], y[~train]


def load_float32(path, columns):
    table = np.fromfile(path, np.float32).reshape(-1, columns + 1)
    return np.ascontiguousarray(table[:, :-1]), table[:, -1].copy()


def auc(y, score):
    """Area under the ROC curve; the mean of one against the rest for several classes."""
    from sklearn.metrics import roc_auc_score
    if score.ndim == 2 and score.shape[1] > 2:
        return roc_auc_score(y, score, multi_class="ovr", average="macro")
    return roc_auc_score(y, score if score.ndim == 1 else score[:, 1])


def rmse(y, predicted):
    return float(np.sqrt(np.mean((predicted - y) ** 2)))


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


def csv(path, task, model, repeats, threads):
    x, y, x_test, y_test = load_csv(path)
    seconds, fitted = timed(int(repeats), lambda: make(model, task, int(threads)).fit(x, y))
    score = rmse(y_test, fitted.predict(x_test)) if task == "regression" else auc(y_test, fitted.predict_proba(x_test))
    return {"seconds": seconds, "score": float(score)}


def boosting(task, leaves, threads):
    return {"objective": "reg:squarederror" if task == "regression" else "binary:logistic", "max_leaves": leaves, "max_depth": 0,
            "grow_policy": "lossguide", "eta": 0.1, "tree_method": "hist", "max_bin": 255, "lambda": 0, "min_child_weight": 1e-3,
            "nthread": threads, "verbosity": 0}


def xgboost_steps(task, leaves, categories, columns, threads):
    """How XGBoost bins rows, boosts, and predicts."""
    import xgboost
    kinds = ["q"] * (columns - categories) + ["c"] * categories
    categorical = {"feature_types": kinds, "enable_categorical": True} if categories else {}
    return (lambda x, y: xgboost.QuantileDMatrix(x, y, max_bin=255, nthread=threads, **categorical),
            lambda bins: xgboost.train(boosting(task, leaves, threads), bins, 100),
            lambda fitted, x: fitted.predict(xgboost.DMatrix(x, nthread=threads, **categorical)))


def lightgbm_steps(task, leaves, categories, columns, threads):
    """How LightGBM bins rows, boosts, and predicts."""
    import lightgbm
    settings = {"objective": "regression" if task == "regression" else "binary", "num_leaves": leaves, "learning_rate": 0.1, "max_bin": 255,
                "num_threads": threads, "verbosity": -1}
    return (lambda x, y: lightgbm.Dataset(x, y, params=settings, categorical_feature=list(range(columns - categories, columns))).construct(),
            lambda bins: lightgbm.train(settings, bins, 100),
            lambda fitted, x: fitted.predict(x, num_threads=threads))


STEPS = {"xgboost": xgboost_steps, "lightgbm": lightgbm_steps}


def gbdt(library, path, columns, rows, task, leaves, categories, repeats, threads):
    """Binning, and 100 trees."""
    columns, rows, leaves, categories, threads = int(columns), int(rows), int(leaves), int(categories), int(threads)
    x, y = load_float32(path, columns)
    bin_rows, boost, predict_rows = STEPS[library](task, leaves, categories, columns, threads)
    bin_seconds, boost_seconds = [], []
    for _ in range(int(repeats)):
        began = time.perf_counter()
        bins = bin_rows(x[:rows], y[:rows])
        between = time.perf_counter()
        fitted = boost(bins)
        boost_seconds.append(time.perf_counter() - between)
        bin_seconds.append(between - began)
    memory = peak_memory()
    score = predict_rows(fitted, x[rows:])
    score = rmse(y[rows:], score) if task == "regression" else auc(y[rows:], score)
    return {"seconds": statistics.median(map(sum, zip(bin_seconds, boost_seconds))), "bin": statistics.median(bin_seconds),
            "boost": statistics.median(boost_seconds), "score": float(score), "memory": memory}


def predict(library, path, columns, rows, repeats):
    """Predicting in one batch on one thread; of XGBoost the faster of its two ways."""
    columns, rows = int(columns), int(rows)
    x, y = load_float32(path, columns)
    bin_rows, boost, predict_rows = STEPS[library]("classification", 31, 0, columns, 2)
    fitted = boost(bin_rows(x[:100000], y[:100000]))
    _, _, predict_rows = STEPS[library]("classification", 31, 0, columns, 1)
    if library == "xgboost":
        fitted.set_param({"nthread": 1})
    seconds, _ = timed(int(repeats), lambda: predict_rows(fitted, x[:rows]))
    if library == "xgboost":
        seconds = min(seconds, timed(int(repeats), lambda: fitted.inplace_predict(x[:rows]))[0])
    return {"rows_per_s": rows / seconds}


def export(table, directory, threads):
    """Rows out by COPY, pandas, XGBoost, predictions back by COPY; seconds of each."""
    import pandas
    import xgboost
    psql = ["psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-c"]
    rows_file, scores_file = os.path.join(directory, "rows.csv"), os.path.join(directory, "scores.csv")
    marks = [time.perf_counter()]
    subprocess.run(psql + [f"COPY {table} TO STDOUT (FORMAT csv, HEADER)"], stdout=open(rows_file, "w"), check=True)
    marks.append(time.perf_counter())
    frame = pandas.read_csv(rows_file)
    marks.append(time.perf_counter())
    x = frame.drop(columns=["id", "y"]).to_numpy(np.float32)
    fitted = xgboost.train(boosting("classification", 31, int(threads)),
                           xgboost.QuantileDMatrix(x, frame["y"].map({"t": 1, "f": 0}), max_bin=255, nthread=int(threads)), 100)
    scores = fitted.inplace_predict(x)
    marks.append(time.perf_counter())
    pandas.DataFrame({"id": frame["id"], "score": scores}).to_csv(scores_file, index=False)
    subprocess.run(psql + ["CREATE TABLE scores_back (id int, score float8)"], check=True)
    subprocess.run(psql + ["COPY scores_back FROM STDIN (FORMAT csv, HEADER)"], stdin=open(scores_file), check=True)
    marks.append(time.perf_counter())
    subprocess.run(psql + ["DROP TABLE scores_back"], check=True)
    steps = [b - a for a, b in zip(marks, marks[1:])]
    return {"seconds": sum(steps), "out": steps[0], "load": steps[1], "fit": steps[2], "back": steps[3]}


def explain(path, leaves, rows, repeats):
    """Contributions of so many rows by XGBoost on one thread."""
    import xgboost
    x, y, x_test, _ = load_csv(path)
    fitted = xgboost.train({"objective": "binary:logistic", "max_leaves": int(leaves), "max_depth": 0, "grow_policy": "lossguide", "eta": 0.1,
                            "tree_method": "hist", "max_bin": 256, "lambda": 1, "min_child_weight": 1, "verbosity": 0}, xgboost.DMatrix(x, y), 100)
    fitted.set_param({"nthread": 1})
    wanted = xgboost.DMatrix(x_test[:int(rows)], nthread=1)
    seconds, contributions = timed(int(repeats), lambda: fitted.predict(wanted, pred_contribs=True))
    error = np.abs(contributions.astype(np.float64).sum(axis=1) - fitted.predict(wanted, output_margin=True)).max()
    return {"rows_per_s": len(contributions) / seconds, "error": float(error)}


def algorithm(name, path, columns, rows, repeats, threads):
    """scikit-learn's fit with the parameters that parts/algorithms.pl gives to mlplat; quality where it can be compared."""
    from sklearn import cluster, decomposition, ensemble, linear_model, mixture, naive_bayes, neural_network
    columns, rows, threads = int(columns), int(rows), int(threads)
    x, y = load_float32(path, columns)
    x, y, x_test, y_test = x[:rows], y[:rows], x[rows:], y[rows:]
    make_it = {
        "kmeans": lambda: cluster.KMeans(n_clusters=20, n_init=1, max_iter=20, tol=0, random_state=0),
        "pca": lambda: decomposition.PCA(n_components=10),
        "logistic_regression": lambda: linear_model.LogisticRegression(n_jobs=threads),
        "naive_bayes": naive_bayes.GaussianNB,
        "random_forest": lambda: ensemble.RandomForestClassifier(100, n_jobs=threads, random_state=0),
        "mlp": lambda: neural_network.MLPClassifier((64, 64), max_iter=1, batch_size=200, random_state=0),
        "gmm": lambda: mixture.GaussianMixture(10, covariance_type="diag", max_iter=10, tol=0, random_state=0),
        "elastic_net": lambda: linear_model.ElasticNetCV(l1_ratio=0.5, n_alphas=100, cv=5, n_jobs=threads),
    }[name]
    supervised = name not in ("kmeans", "pca", "gmm")
    seconds, fitted = timed(int(repeats), lambda: make_it().fit(x, y) if supervised else make_it().fit(x))
    score = {
        "kmeans": lambda: -fitted.inertia_, "pca": lambda: fitted.explained_variance_ratio_.sum(), "gmm": lambda: fitted.score(x),
        "elastic_net": lambda: rmse(y_test, fitted.predict(x_test)),
    }.get(name, lambda: auc(y_test, fitted.predict_proba(x_test)))()
    return {"seconds": seconds, "score": float(score)}


def main():
    known = {work.__name__: work for work in (names, csv, explain, gbdt, predict, export, algorithm)}
    print(json.dumps(known[sys.argv[1]](*sys.argv[2:])))


main()
