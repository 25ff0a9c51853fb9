#!/usr/bin/env python3
"""Reference figures for test/unit/test_elementary.c from mpmath with 60 digits.

    python3 test/reference/elementary.py > test/reference/elementary_figures.h
"""
import mpmath as mp

mp.mp.dps = 60


def normal(z):
    return mp.erfc(mp.mpf(z) / mp.sqrt(2))


def student(t, df):
    t, df = mp.mpf(t), mp.mpf(df)
    x = df / (df + t * t)
    if df < 10000:
        return mp.betainc(df / 2, mp.mpf(1) / 2, 0, x, regularized=True)
    # Relative to the density at t: mpmath's quadrature aims at an absolute error.
    density = mp.exp(mp.loggamma((df + 1) / 2) - mp.loggamma(df / 2) - (df + 1) / 2 * mp.log1p(t * t / df)) / mp.sqrt(df * mp.pi)
    steps = [k / max(t, mp.mpf(1)) for k in range(120)]
    return 2 * density * mp.quad(lambda s: mp.exp(-(df + 1) / 2 * mp.log1p(s * (2 * t + s) / (df + t * t))), steps)


def table(name, arguments, function):
    print(f"static const double {name}[][{len(arguments[0]) + 1}] = {{")
    for a in arguments:
        print("\t{" + ", ".join(repr(float(v)) for v in a) + ", " + mp.nstr(function(*a), 18) + "},")
    print("};")


print(f"/* Made by test/reference/elementary.py with mpmath {mp.__version__}; do not edit. */")
exact = [-745.0, -700.25, -37.5, -1.0, -0.34375, -1e-10, 1e-300, 0.5, 1.0, 2.75, 10.0, 100.125, 709.5]
table("exp_figures", [(x,) for x in exact], lambda x: mp.exp(mp.mpf(x)))
table("expm1_figures", [(x,) for x in exact if x > -40], lambda x: mp.expm1(mp.mpf(x)))
positive = [5e-324, 1e-310, 1e-300, 0.1, 0.5, 0.7071, 0.99999, 1.00001, 1.5, 2.0, 10.0, 12345.678, 1e300]
table("log_figures", [(x,) for x in positive], lambda x: mp.log(mp.mpf(x)))
table("log1p_figures", [(x,) for x in [-0.999, -0.5, -0.25, -1e-12, 1e-20, 1e-5, 0.25, 0.5, 1.0, 30.0, 1e10, 1e300]],
      lambda x: mp.log1p(mp.mpf(x)))
table("normal_figures", [(z,) for z in [1e-9, 0.1, 0.5, 1.0, 1.96, 2.0, 2.5, 5.0, 10.0, 20.0, 37.0]], normal)
table("student_figures", [(t, df) for df in [1.0, 2.0, 3.0, 7.5, 30.0, 199.0, 210.0, 5000.0, 1e6, 1e9]
                          for t in [1e-8, 0.1, 0.9, 1.7, 1.75, 2.0, 5.0, 12.0, 30.0]], student)
