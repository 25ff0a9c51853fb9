#!/usr/bin/env python3
"""Figures for test/unit/test_distributions.c: scipy.stats fits of columns of test/data, and quantiles.

    /usr/bin/python3 test/reference/distributions.py > test/reference/distributions_figures.h

Recorded with scipy 1.10.1 (Debian 12).  Likelihoods are maximised to 1e-12 from scipy's own fit on.
"""
import csv
import os

import numpy as np
import scipy
from scipy import optimize, special, stats

DATA = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "data")


def column(name, number):
    with open(os.path.join(DATA, name + ".csv")) as file:
        return np.array([float(row[number]) for row in list(csv.reader(file))[1:]])


def best(x, logpdf, start):
    """Maximum of the likelihood over logarithms of positive parameters, and standard errors by the inverse of a numeric Hessian."""
    target = lambda t: -np.sum(logpdf(x, *np.exp(t)))
    t = optimize.minimize(target, np.log(start), method="Nelder-Mead", options={"xatol": 1e-12, "fatol": 1e-12, "maxiter": 20000}).x
    return np.exp(t), -target(t)


def show(name, values):
    print("static const double %s[] = {%s};" % (name, ", ".join("%.15g" % v for v in values)))


print(f"/* Made by test/reference/distributions.py with scipy {scipy.__version__}; do not edit. */")
bmi = column("diabetes", 2)
progression = column("diabetes", -1) / 400
pixels = column("digits", 11)
gamma, likelihood = best(bmi, lambda x, k, r: stats.gamma.logpdf(x, k, scale=1 / r), (30, 1))
show("gamma_bmi", [*gamma, likelihood])
weibull, likelihood = best(bmi, lambda x, k, s: stats.weibull_min.logpdf(x, k, scale=s), (6, 28))
show("weibull_bmi", [*weibull, likelihood])
beta, likelihood = best(progression, stats.beta.logpdf, (1, 1))
show("beta_progression", [*beta, likelihood])
negative, likelihood = best(pixels, lambda x, r, m: stats.nbinom.logpmf(x, r, r / (r + m)), (1, pixels.mean()))
show("negative_binomial_pixels", [*negative, likelihood])
show("normal_bmi", [bmi.mean(), bmi.std(), np.sum(stats.norm.logpdf(bmi, bmi.mean(), bmi.std())), stats.kstest(bmi, "norm", (bmi.mean(), bmi.std())).statistic])
show("lognormal_bmi", [np.log(bmi).mean(), np.log(bmi).std(), np.sum(stats.lognorm.logpdf(bmi, np.log(bmi).std(), scale=np.exp(np.log(bmi).mean())))])
show("laplace_bmi", [*stats.laplace.fit(bmi), np.sum(stats.laplace.logpdf(bmi, *stats.laplace.fit(bmi)))])
show("gamma_distance", [stats.kstest(bmi, "gamma", (gamma[0], 0, 1 / gamma[1])).statistic])
malignant = np.array([1, 0, 0, 1, 1, 0, 0, 0, 0, 1])
show("bernoulli_posterior", [stats.beta.mean(2 + 4, 3 + 6), stats.beta.std(6, 9), stats.beta.ppf(0.05, 6, 9), stats.beta.ppf(0.95, 6, 9)])
show("poisson_posterior", [*(lambda a, b: (a / b, np.sqrt(a) / b, stats.gamma.ppf(0.025, a, scale=1 / b), stats.gamma.ppf(0.975, a, scale=1 / b)))(2 + pixels.sum(), 0.5 + len(pixels))])
n, m, ss = len(bmi), bmi.mean(), ((bmi - bmi.mean()) ** 2).sum()
m0, k0, a0, b0 = 20.0, 2.0, 3.0, 10.0
k, a = k0 + n, a0 + n / 2
mu, b = (k0 * m0 + n * m) / k, b0 + ss / 2 + k0 * n * (m - m0) ** 2 / (2 * k)
show("normal_posterior", [mu, stats.t.ppf(0.975, 2 * a, mu, np.sqrt(b / (a * k))), np.sqrt(b / (a - 1)), np.sqrt(stats.invgamma.ppf(0.025, a, scale=b)), np.sqrt(stats.invgamma.ppf(0.975, a, scale=b))])
show("digammas", special.digamma([1e-3, 0.5, 1, 3.7, 12, 1e5]))
show("trigammas", special.polygamma(1, [1e-3, 0.5, 1, 3.7, 12, 1e5]))
show("quantiles", [stats.norm.ppf(0.975), stats.norm.ppf(1e-6), stats.t.ppf(0.9, 3), stats.gamma.ppf(0.01, 0.3, scale=2), stats.beta.ppf(0.999, 0.5, 7)])
# Large shapes, at quarters of a deviation to seven of them, and quantiles.
show("gamma_uppers", [special.gammaincc(a, a + z * np.sqrt(a)) for a in (1.1e5, 1e8, 1e12) for z in (-4, -1.5, -0.25, 0, 0.25, 2, 7)])
show("large_quantiles", [stats.gamma.ppf(p, a) for a in (1e8, 1e12) for p in (0.025, 0.975)])
