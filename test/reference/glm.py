#!/usr/bin/python3
"""Figures for test/unit/test_glm.c: generalised linear models by statsmodels 0.13.5 at tight tolerances.

Writes glm_figures.h.  Robust errors: White's formulas written out here with the expected information
(statsmodels takes the observed one, which differs where the link is not canonical; where it is canonical, and
for least squares, they are checked against statsmodels' own).
"""
import csv
import os
import warnings

import numpy as np
import statsmodels
import statsmodels.api as sm

HERE = os.path.dirname(os.path.abspath(__file__))
DATA = os.path.join(HERE, "..", "data")
L = sm.families.links
LINKS = {"identity": L.identity, "log": L.log, "logit": L.logit, "probit": L.probit, "cloglog": L.cloglog,
         "inverse": L.inverse_power, "sqrt": L.sqrt, "inverse_squared": L.inverse_squared}
F = sm.families


def doubles(f, name, values):
    f.write("static const double %s[] = {%s};\n" % (name, ", ".join("NAN" if np.isnan(v) else "%.17g" % v for v in values)))


def table(name):
    rows = list(csv.reader(open(os.path.join(DATA, name + ".csv"))))[1:]
    return np.array([[float(v) for v in r] for r in rows])


def robust(res, x, kind):
    """White's covariance with the expected information; canonical or not."""
    fam, mu, y, w = res.model.family, res.mu, res.model.endog, res.model.var_weights
    eta = fam.link(mu)
    slope = 1 / fam.link.deriv(mu)
    v = fam.variance(mu)
    info = w * slope ** 2 / v
    bread = np.linalg.inv(x.T @ (info[:, None] * x))
    psi = w * (y - mu) * slope / v
    h = info * np.einsum("ij,jk,ik->i", x, bread, x)
    n, p = x.shape
    weight = {"HC0": psi ** 2, "HC1": psi ** 2 * n / (n - p), "HC2": psi ** 2 / (1 - h), "HC3": psi ** 2 / (1 - h) ** 2}[kind]
    return np.sqrt(np.diag(bread @ (x.T @ (weight[:, None] * x)) @ bread))


def main():
    warnings.simplefilter("ignore")
    t = table("diabetes")
    y0 = t[:, -1]
    targets = {"value": y0, "share": (y0 > 140).astype(float), "count": np.floor(y0 / 25), "part": np.where(y0 < 80, 0, y0 / 100), "raised": y0 + 300}
    weights = np.arange(len(y0)) % 3 + 1.0
    cases = [
        # name, family, link, options, target, weighted, offset column, exposure column
        ("gaussian_identity", F.Gaussian, "identity", {}, "value", False, None, None),
        ("gaussian_weighted", F.Gaussian, "identity", {}, "value", True, 9, None),
        ("gaussian_log", F.Gaussian, "log", {}, "value", False, None, None),
        ("binomial_logit", F.Binomial, "logit", {}, "share", False, None, None),
        ("binomial_probit", F.Binomial, "probit", {}, "share", False, None, None),
        ("binomial_cloglog", F.Binomial, "cloglog", {}, "share", True, None, None),
        ("poisson_log", F.Poisson, "log", {}, "count", False, None, None),
        ("poisson_exposure", F.Poisson, "log", {}, "count", True, None, 3),
        ("poisson_offset", F.Poisson, "log", {}, "count", False, 9, 4),
        ("poisson_sqrt", F.Poisson, "sqrt", {}, "count", False, None, None),
        ("gamma_inverse", F.Gamma, "inverse", {}, "value", False, None, None),
        ("gamma_log", F.Gamma, "log", {}, "value", True, None, None),
        ("inverse_gaussian_canonical", F.InverseGaussian, "inverse_squared", {}, "raised", False, None, None),
        ("inverse_gaussian_log", F.InverseGaussian, "log", {}, "value", False, None, None),
        ("negative_binomial", F.NegativeBinomial, "log", {"alpha": 0.5}, "count", False, None, None),
        ("tweedie", F.Tweedie, "log", {"var_power": 1.5}, "part", False, None, None),
    ]
    with open(os.path.join(HERE, "glm_figures.h"), "w") as f:
        f.write("/* Written by test/reference/glm.py with statsmodels %s, numpy %s. */\n" % (statsmodels.__version__, np.__version__))
        for name, family, link, options, target, weighted, offset, exposure in cases:
            y = targets[target]
            drop = [c - 1 for c in (offset, exposure) if c]
            x = sm.add_constant(np.delete(t[:, :-1], drop, axis=1))
            more = {}
            if offset:
                more["offset"] = t[:, offset - 1]
            if exposure:
                more["exposure"] = t[:, exposure - 1]
            model = sm.GLM(y, x, family=family(link=LINKS[link](), **options), var_weights=weights if weighted else None, **more)
            res = model.fit(tol=1e-14, maxiter=1000, tol_criterion="params")
            llf = res.llf
            if name == "gaussian_log":
                llf = sm.families.Gaussian().loglike(y, res.mu, scale=((y - res.mu) ** 2).mean())
            if family is F.Binomial and weighted:
                llf = (weights * (y * np.log(res.mu) + (1 - y) * np.log(1 - res.mu))).sum()
            if family is F.Tweedie:
                from scipy.special import wright_bessel
                p, mu, phi = 1.5, res.mu, res.scale
                alpha, kappa, pos = (2 - p) / (1 - p), mu ** (2 - p) / (2 - p), np.where(y > 0, y, 1)
                wright = wright_bessel(-alpha, 0, ((p - 1) * phi / pos) ** alpha / ((2 - p) * phi))
                llf = np.where(y > 0, np.log(wright) - np.log(pos) + (y * mu ** (1 - p) / (1 - p) - kappa) / phi, -kappa / phi).sum()
            k = x.shape[1]
            doubles(f, name + "_coef", res.params)
            doubles(f, name + "_error", res.bse)
            doubles(f, name + "_fit", [res.deviance, res.null_deviance, res.pearson_chi2, res.scale, llf, -2 * llf + 2 * k, -2 * llf + np.log(len(y)) * k])
            for kind in ("HC0", "HC3") if name in ("poisson_log", "gamma_log", "gaussian_weighted") else ():
                errors = robust(res, x, kind)
                if name == "poisson_log" and kind == "HC0":
                    print("HC0 against statsmodels", abs(errors / model.fit(tol=1e-14, maxiter=1000, cov_type="HC0").bse - 1).max())
                doubles(f, "%s_%s" % (name, kind), errors)
            print(name, res.converged, res.fit_history["iteration"], "%.6g" % res.deviance)
        x = sm.add_constant(t[:, :-1])
        ols = sm.OLS(y0, x)
        for kind in ("HC0", "HC1", "HC2", "HC3"):
            doubles(f, "ols_" + kind, ols.fit(cov_type=kind).bse)
        res = ols.fit()
        doubles(f, "ols_fit", [res.rsquared, res.rsquared_adj, res.fvalue, res.f_pvalue, np.sqrt(res.scale), res.llf, res.aic, res.bic])
        res = sm.WLS(y0, x, weights=weights).fit()
        doubles(f, "wls_fit", [res.rsquared, res.rsquared_adj, res.fvalue, res.f_pvalue, np.sqrt(res.scale), res.llf, res.aic, res.bic])
        logit = sm.Logit(targets["share"], x)
        res = logit.fit(method="newton", tol=1e-14, disp=0)
        doubles(f, "logit_fit", [res.llf, res.llnull, res.llr, res.llr_pvalue, res.prsquared, res.aic, res.bic])
        for kind in ("HC0",):  # its HC1 has no correction
            doubles(f, "logit_" + kind, logit.fit(method="newton", tol=1e-14, disp=0, cov_type=kind).bse)
        glm = sm.GLM(targets["share"], x, family=F.Binomial()).fit(tol=1e-14, maxiter=1000)
        for kind in ("HC1", "HC2", "HC3"):
            doubles(f, "logit_" + kind, robust(glm, x, kind))
        # The shape of a negative binomial by maximum likelihood.
        from statsmodels.discrete.discrete_model import NegativeBinomial
        spread = targets["count"] ** 2
        nb = NegativeBinomial(spread, x).fit(method="newton", maxiter=1000, tol=1e-12, disp=0,
                                             start_params=np.r_[sm.GLM(spread, x, family=F.Poisson()).fit().params, 0.5])
        glm = sm.GLM(spread, x, family=F.NegativeBinomial(alpha=nb.params[-1])).fit(tol=1e-14, maxiter=1000, tol_criterion="params")
        print("nb", nb.params[-1], nb.llf, abs(glm.params / nb.params[:-1] - 1).max())
        doubles(f, "nb_estimated_coef", nb.params[:-1])
        doubles(f, "nb_estimated_error", glm.bse)
        doubles(f, "nb_estimated_fit", [nb.params[-1], nb.llf, nb.aic])


main()
