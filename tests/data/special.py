"""Writes special.csv: functions that are compositions, with two derivatives, by mpmath; and values at edges by SciPy."""

import math

import scipy.special as sc
from mpmath import mp, mpf

mp.prec = 2600


def erfc_inv(x):
    """By Newton's method on ln erfc; of 2 - x the negative."""
    if x > 1:
        return -erfc_inv(2 - x)
    y = mp.sqrt(-mp.log(x)) if x < 0.5 else (1 - x) * mp.sqrt(mp.pi) / 2
    for _ in range(60):
        value = mp.erfc(y)
        y += mp.log(value / x) * value / (2 / mp.sqrt(mp.pi) * mp.exp(-y * y))
    return y


def multigammaln(p):
    return lambda x: p * (p - 1) * mp.log(mp.pi) / 4 + sum(mp.loggamma(x - mpf(j) / 2) for j in range(p))


def log_sigmoid(x):
    return -mp.log1p(mp.exp(-x))


SMOOTH = {
    "erfc_inv": (erfc_inv, [1e-300, 1e-100, 1e-17, 1e-5, 0.01, 0.3, 0.7, 0.99, 0.9999999, 1.0000001, 1.3, 1.9, 1.99999]),
    "log_sigmoid": (log_sigmoid, [-700.0, -37.5, -1.0, -1e-5, 0.3, 2.0, 36.0, 100.0, 700.0]),
    **{f"multigammaln_{p}": (multigammaln(p), [0.5 * (p - 1) + d for d in (1e-3, 0.1, 0.5, 1.7, 10.25, 300.5)]) for p in (1, 2, 3, 7, 40)},
}
ENDS = [0.0, -0.0, 0.5, 1.0, 2.0, -0.5, -1.0, -1.5, -2.0, -10.25, 180.0, math.inf, -math.inf, math.nan]
NAMES = {"rel_entr": sc.rel_entr, "kl_div": sc.kl_div, "zeta": sc.zeta}

with open("special.csv", "w") as file:
    file.write("function,x,y,value,slope,curvature\n")
    for name, (f, points) in SMOOTH.items():
        for x in points:
            h = mpf(x) * mpf(2) ** -150
            below, at, above = (f(mpf(x) + k * h) for k in (-1, 0, 1))
            row = [at, (above - below) / (2 * h), (above - 2 * at + below) / (h * h)]
            file.write(",".join([name, repr(x), ""] + [repr(float(y)) for y in row]) + "\n")
    for name in ("gammasgn", "exp1", "expi", "spence", "rgamma"):
        for x in ENDS:
            file.write(f"{name},{x!r},,{float(getattr(sc, name)(x))!r},,\n")
    for name, f in NAMES.items():
        for x in ENDS:
            for y in ENDS:
                file.write(f"{name},{x!r},{y!r},{float(f(x, y))!r},,\n")
