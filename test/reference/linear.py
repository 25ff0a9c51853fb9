#!/usr/bin/python3
"""Figures that test/unit/test_linear.c and test_logistic.c compare with.

Computes least squares, ridge and logistic regression in arithmetic of 60 to 100 digits (mpmath; the binary value of
each double is taken exactly), runs scikit-learn beside it, checks that both agree, and writes
linear_figures.h and logistic_figures.h next to this file.

    python3 test/reference/linear.py          needs python3-mpmath, python3-numpy, python3-sklearn

Recorded with mpmath 1.2.1, numpy 1.24.2 and scikit-learn 1.2.1 (Debian 12).
"""
import csv
import os
import sys
from fractions import Fraction

import mpmath as mp
import numpy as np

HERE = os.path.dirname(os.path.abspath(__file__))
DATA = os.path.join(HERE, "..", "data")


# ---------------------------------------------------------------- writing C

def number(x):
    return "%.17g" % float(x)


def doubles(f, name, values):
    f.write("static const double %s[] = {\n" % name)
    line = "\t"
    for v in values:
        text = number(v) + ", "
        if len(line) + len(text) > 130:
            f.write(line.rstrip() + "\n")
            line = "\t"
        line += text
    f.write(line.rstrip() + "\n};\n\n")


def head(f, what):
    f.write("/* %s: written by linear.py, see there. */\n\n" % what)


# ---------------------------------------------------------------- least squares

def exact(rows):
    return mp.matrix([[mp.mpf(v) if not isinstance(v, Fraction) else mp.mpf(v.numerator) / v.denominator for v in row] for row in rows])


def least_squares(x, y, intercept=True, weight=None, alpha=0):
    """Coefficients (intercept first) and standard errors; x: list of rows."""
    n = len(x)
    a = exact([([1] if intercept else []) + list(row) for row in x])
    b = exact([[v] for v in y])
    w = [mp.mpf(v) for v in weight] if weight is not None else [mp.mpf(1)] * n
    wa = mp.matrix(a.rows, a.cols)
    for i in range(a.rows):
        for j in range(a.cols):
            wa[i, j] = a[i, j] * w[i]
    gram = wa.T * a
    m = gram.copy()
    for j in range(1 if intercept else 0, a.cols):
        m[j, j] += alpha
    inverse = m ** -1
    coef = inverse * (wa.T * b)
    residual = b - a * coef
    rss = sum(w[i] * residual[i] ** 2 for i in range(n))
    hat = inverse * gram
    df = sum(1 for v in w if v > 0) - sum(hat[j, j] for j in range(a.cols))
    s2 = rss / df
    covariance = inverse * gram * inverse
    return ([coef[j] for j in range(a.cols)], [mp.sqrt(s2 * abs(covariance[j, j])) for j in range(a.cols)], df)


def t_two_sided(t, df):
    return mp.betainc(df / 2, mp.mpf(1) / 2, 0, df / (df + t * t), regularized=True)


def nist(f):
    sets = []
    for line in open(os.path.join(HERE, "nist_strd.txt")):
        words = line.split()
        if words[0] == "#":
            continue
        if words[0] == "set":
            sets.append((words[1], int(words[2]), int(words[3]), []))
        else:
            sets[-1][3].append(words)
    mp.mp.dps = 100
    for name, degree, intercept, rows in sets:
        # As published: decimal numbers, exact powers.
        x = [[Fraction(v) ** k for v in r[1:] for k in range(1, max(degree, 1) + 1)] for r in rows]
        coef, error, _ = least_squares(x, [Fraction(r[0]) for r in rows], bool(intercept))
        # As a table holds them: doubles, powers by repeated multiplication.
        binary = []
        for r in rows:
            line = []
            for v in r[1:]:
                power = 1.0
                for _ in range(max(degree, 1)):
                    power *= float(v)
                    line.append(power)
            binary.append(line)
        bcoef, berror, _ = least_squares(binary, [float(r[0]) for r in rows], bool(intercept))
        key = name.lower()
        doubles(f, key + "_x", [v for line in binary for v in line])
        doubles(f, key + "_y", [float(r[0]) for r in rows])
        doubles(f, key + "_coef", coef)
        doubles(f, key + "_error", error)
        doubles(f, key + "_binary_coef", bcoef)
        doubles(f, key + "_binary_error", berror)
        print(name, [mp.nstr(c, 15) for c in coef], [mp.nstr(c, 15) for c in error])
    f.write("static const NistSet nist_sets[] = {\n")
    for name, degree, intercept, rows in sets:
        k = name.lower()
        f.write('\t{"%s", %d, %d, %s, %s_x, %s_y, %s_coef, %s_error, %s_binary_coef, %s_binary_error},\n' % (
            name, len(rows), degree if degree else len(rows[0]) - 1, "true" if intercept else "false", k, k, k, k, k, k))
    f.write("};\n\n")


def table(name):
    rows = list(csv.reader(open(os.path.join(DATA, name + ".csv"))))
    return [r for r in rows[1:]]


def diabetes(f):
    from sklearn.linear_model import LinearRegression, Ridge
    rows = [[float(v) for v in r] for r in table("diabetes")]
    x, y = [r[:-1] for r in rows], [r[-1] for r in rows]
    weight = [float(i % 3) for i in range(len(rows))]
    mp.mp.dps = 60
    for name, w, alpha in (("ols", None, 0), ("weighted", weight, 0), ("ridge", None, 100), ("weighted_ridge", weight, 7.5)):
        coef, error, df = least_squares(x, y, True, w, alpha)
        model = Ridge(alpha=alpha, solver="svd") if alpha else LinearRegression()
        model.fit(x, y, sample_weight=w)
        print("diabetes", name, "against scikit-learn:", max(abs(model.coef_[j] / float(coef[j + 1]) - 1) for j in range(10)))
        doubles(f, "diabetes_%s_coef" % name, coef)
        doubles(f, "diabetes_%s_error" % name, error)
        doubles(f, "diabetes_%s_p" % name, [t_two_sided(coef[j] / error[j], df) for j in range(len(coef))])


# ---------------------------------------------------------------- logistic regression

def logistic(x, y, k, c, weight=None, start=None):
    """Minimises 0.5 |w|^2 + c sum of losses by Newton's method; c None: no penalty.

    Returns per class (intercept, coefficients), their errors from the inverse Hessian; one class for k == 2.
    The columns are standardised inside; k > 2 in an orthonormal basis of the coefficients that sum to 0 over the classes.
    """
    n, p = len(x), len(x[0])
    w = [mp.mpf(v) for v in weight] if weight is not None else [mp.mpf(1)] * n
    lam = mp.mpf(0) if c is None else 1 / mp.mpf(c)
    columns = [[mp.mpf(row[j]) for row in x] for j in range(p)]
    mean = [mp.fsum(col) / n for col in columns]
    sd = [mp.sqrt(mp.fsum((v - mean[j]) ** 2 for v in columns[j]) / n) for j in range(p)]
    z = [[mp.mpf(1)] + [(columns[j][i] - mean[j]) / sd[j] for j in range(p)] for i in range(n)]
    q = p + 1
    if k == 2:
        basis = [[mp.mpf(0)], [mp.mpf(1)]]
    else:
        basis = [[mp.mpf(0)] * (k - 1) for _ in range(k)]
        for d in range(k - 1):
            norm = mp.sqrt((d + 1) * (d + 2))
            for a in range(d + 1):
                basis[a][d] = 1 / norm
            basis[d + 1][d] = -(d + 1) / norm
    m = len(basis[0])
    penalty = [mp.mpf(0)] + [lam / sd[j] ** 2 for j in range(p)]
    u = mp.matrix(m * q, 1)
    if start is not None:
        for j in range(m * q):
            u[j] = start[j]

    def state(u):
        loss, prob = mp.mpf(0), []
        for i in range(n):
            s = [mp.fdot(z[i], u[d * q:(d + 1) * q]) for d in range(m)]
            eta = [mp.fdot(basis[a], s) for a in range(k)]
            top = max(eta)
            e = [mp.exp(v - top) for v in eta]
            total = mp.fsum(e)
            loss += w[i] * (mp.log(total) + top - eta[y[i]])
            prob.append([v / total for v in e])
        return loss + mp.fsum(penalty[j] * u[d * q + j] ** 2 for d in range(m) for j in range(q)) / 2, prob

    value, prob = state(u)
    for iteration in range(60):
        g = mp.matrix(m * q, 1)
        h = mp.matrix(m * q, m * q)
        for i in range(n):
            r = [w[i] * (prob[i][a] - (1 if a == y[i] else 0)) for a in range(k)]
            rb = [mp.fdot(r, [basis[a][d] for a in range(k)]) for d in range(m)]
            pb = [mp.fdot(prob[i], [basis[a][d] for a in range(k)]) for d in range(m)]
            for d in range(m):
                for j in range(q):
                    g[d * q + j] += rb[d] * z[i][j]
                for e in range(d + 1):
                    weight_de = w[i] * (mp.fsum(prob[i][a] * basis[a][d] * basis[a][e] for a in range(k)) - pb[d] * pb[e])
                    for j in range(q):
                        zw = weight_de * z[i][j]
                        for l in range(q if e < d else j + 1):
                            h[d * q + j, e * q + l] += zw * z[i][l]
        for d in range(m):
            for j in range(q):
                g[d * q + j] += penalty[j] * u[d * q + j]
                h[d * q + j, d * q + j] += penalty[j]
        for a in range(m * q):
            for b in range(a):
                h[b, a] = h[a, b]
        step = mp.lu_solve(h, g)
        length = max(abs(v) for v in step)
        t = mp.mpf(1)
        while True:
            trial = u - t * step
            new, new_prob = state(trial)
            if new <= value or length < mp.mpf(10) ** -15:
                break
            t /= 2
        u, value, prob = trial, new, new_prob
        sys.stderr.write("  iteration %d: step %s\n" % (iteration, mp.nstr(length, 3)))
        if length < mp.mpf(10) ** -18:
            break
    covariance = h ** -1
    classes = []
    for a in ([1] if k == 2 else range(k)):
        # coefficient j of class a = sum over d of basis[a][d] u[d][j] / sd[j]; intercept less mean[j] times it
        rows = []
        for j in range(q):
            row = [mp.mpf(0)] * (m * q)
            for d in range(m):
                if j > 0:
                    row[d * q + j] = basis[a][d] / sd[j - 1]
                else:
                    row[d * q] = basis[a][d]
                    for l in range(p):
                        row[d * q + 1 + l] = -basis[a][d] * mean[l] / sd[l]
            rows.append(row)
        coef = [mp.fdot(row, u) for row in rows]
        error = []
        for row in rows:
            v = mp.matrix(row)
            error.append(mp.sqrt((v.T * covariance * v)[0]))
        classes.append((coef, error))
    return classes, u


def logistic_set(f, name, x, y, k, c, weight=None, sklearn=True):
    from sklearn.linear_model import LogisticRegression
    mean, sd = np.mean(x, axis=0), np.std(x, axis=0)
    mp.mp.dps = 40
    classes, _ = logistic(x, y, k, c, weight)
    doubles(f, name + "_coef", [v for coef, _ in classes for v in coef])
    doubles(f, name + "_error", [v for _, error in classes for v in error])
    if not sklearn:
        return
    model = LogisticRegression(C=c, penalty="l2", tol=1e-10, max_iter=100000, solver="newton-cholesky" if k == 2 else "newton-cg")
    model.fit(x, y, sample_weight=weight)
    ours = np.array([[float(v) for v in coef] for coef, _ in classes])
    theirs = np.hstack([model.intercept_[:, None], model.coef_])
    print(name, "against scikit-learn:", np.abs(ours - theirs).max())
    doubles(f, name + "_sklearn", theirs.ravel())


def main():
    with open(os.path.join(HERE, "linear_figures.h"), "w") as f:
        head(f, "Least squares and ridge regression in 60 digits and more")
        f.write("typedef struct NistSet\n{\n\tconst char *name;\n\tint\t\t\trows;\n\tint\t\t\tcolumns;\n\tbool\t\tintercept;\n"
                "\tconst double *x;\t\t\t/* rows x columns, row-major */\n\tconst double *y;\n"
                "\tconst double *coef;\t\t\t/* as certified: exact powers of the decimal numbers */\n\tconst double *error;\n"
                "\tconst double *binary_coef;\t/* of the doubles in x and y */\n\tconst double *binary_error;\n} NistSet;\n\n")
        nist(f)
        diabetes(f)
    if "linear" in sys.argv[1:]:
        return
    with open(os.path.join(HERE, "logistic_figures.h"), "w") as f:
        head(f, "Logistic regression in 40 digits, and by scikit-learn 1.2.1 with tol=1e-10")
        rows = [[float(v) for v in r] for r in table("breast_cancer")]
        x, y = [r[:-1] for r in rows], [int(r[-1]) for r in rows]
        logistic_set(f, "breast_cancer", x, y, 2, 1.0)
        logistic_set(f, "breast_cancer_weighted", [r[:8] for r in x], y, 2, 0.5, [float(i % 3) for i in range(len(x))])
        rows = table("iris")
        species = ["setosa", "versicolor", "virginica"]
        x, y = [[float(v) for v in r[:-1]] for r in rows], [species.index(r[-1]) for r in rows]
        logistic_set(f, "iris", x, y, 3, 1.0)
        two = [i for i in range(len(y)) if y[i] > 0]
        logistic_set(f, "iris_plain", [x[i] for i in two], [y[i] - 1 for i in two], 2, None, sklearn=False)
        rows = table("wine")
        x, y = [[float(v) for v in r[:-1]] for r in rows], [int(r[-1]) for r in rows]
        logistic_set(f, "wine", x, y, 3, 1.0)
        # Unpenalised and not separable: alcohol and malic acid alone.
        logistic_set(f, "wine_plain", [r[:2] for r in x], y, 3, None, sklearn=False)


main()
