#!/usr/bin/env python3
"""Figures for test/unit/test_prep.c: scikit-learn's scalers, imputers and discretizer, and target
encoding written out in numpy (the formula of scikit-learn's TargetEncoder, which came with 1.3).

    python3 test/reference/prep.py > test/reference/prep_figures.h

Written with scikit-learn 1.2.1 and numpy 1.24.2.
"""
import numpy as np
import sklearn
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.impute import SimpleImputer
from sklearn.preprocessing import KBinsDiscretizer, MinMaxScaler, RobustScaler, StandardScaler

rng = np.random.default_rng(7)
N = 40
x = np.round(rng.gamma(2.0, 30.0, N), 1)
x[[3, 17, 30]] = np.nan
x[[5, 6, 7]] = 42.5
city = rng.integers(0, 4, N)
y = np.round(rng.normal(10, 4, N) + city, 2)
k = rng.integers(0, 3, N)


def put(name, values, kind="double"):
    print(f"static const {kind} {name}[] = {{")
    values = np.asarray(values).ravel()
    for i in range(0, len(values), 6):
        print("\t" + ", ".join("NAN" if v != v else (f"{v:.17g}" if kind == "double" else str(int(v))) for v in values[i:i + 6]) + ",")
    print("};\n")


def target(c, t, smooth):
    """One number for each category: t is a number, or 0/1 of a class."""
    mean, variance, out = t.mean(), t.var(), []
    for level in range(c.max() + 1):
        own = t[c == level]
        n = len(own)
        if n == 0:
            out.append(mean)
        elif smooth == "auto":
            share = variance * n / (variance * n + own.var())
            out.append(share * own.mean() + (1 - share) * mean)
        else:
            out.append((own.sum() + smooth * mean) / (n + smooth))
    return out


X = x.reshape(-1, 1)
print(f"/* Written by test/reference/prep.py with scikit-learn {sklearn.__version__} and numpy {np.__version__}. */\n")
print(f"#define REF_N {N}\n")
put("ref_x", x)
put("ref_city", city, "int")
put("ref_y", y)
put("ref_class", k, "int")
put("ref_standard", StandardScaler().fit_transform(X))
put("ref_min_max", MinMaxScaler((-1, 1)).fit_transform(X))
put("ref_robust", RobustScaler().fit_transform(X))
for how in ("mean", "median", "most_frequent"):
    put(f"ref_impute_{how}", SimpleImputer(strategy=how).fit_transform(X))
full = x[~np.isnan(x)].reshape(-1, 1)
bins = KBinsDiscretizer(5, encode="ordinal", strategy="quantile").fit(full)
buckets = np.full(N, np.nan)
buckets[~np.isnan(x)] = bins.transform(full).ravel()
put("ref_buckets", buckets)
put("ref_log1p", np.log1p(x))
put("ref_clip", np.clip(x, np.nanquantile(x, 0.1), np.nanquantile(x, 0.9)))
put("ref_target_auto", target(city, y, "auto"))
put("ref_target_10", target(city, y, 10.0))
put("ref_target_binary", target(city, (k == 1).astype(float), "auto"))
put("ref_target_class", np.column_stack([target(city, (k == c).astype(float), "auto") for c in range(3)]))

docs = ["the cat sat on the mat", "dogs run in the park", "a cat and a dog", "", "run dogs run", "the park the park the park",
        "mat mat mat cat dog", "nothing here"]


def put_matrix(name, vectorizer):
    """Fitted on the first six texts."""
    vectorizer.fit(docs[:6])
    print(f"static const char *const {name}_terms[] = {{" + ", ".join(f'"{t}"' for t in vectorizer.get_feature_names_out()) + ", NULL};\n")
    put(name, vectorizer.transform(docs).toarray())


print("static const char *const ref_docs[] = {")
for d in docs:
    print(f'\t"{d}",')
print("};\n")
put_matrix("ref_tfidf", TfidfVectorizer(analyzer=str.split))
put_matrix("ref_tfidf_sublinear", TfidfVectorizer(analyzer=str.split, sublinear_tf=True, min_df=2, norm=None))
put_matrix("ref_tfidf_few", TfidfVectorizer(analyzer=str.split, max_features=2))
put_matrix("ref_tfidf_max_df", TfidfVectorizer(analyzer=str.split, max_df=0.4, min_df=0.2))
