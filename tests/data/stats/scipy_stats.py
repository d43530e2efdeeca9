"""Records what SciPy gives for densities and distribution functions, in scipy.json: `python scipy_stats.py`, with SciPy 1.17.

Each case is a distribution, its parameters in the order of this crate, points, logarithms of the density (or of the
probability) and the distribution function there. What is not finite is a string.
"""

import json
import math
import pathlib

import numpy as np
from scipy import stats

REAL = [-30.0, -3.0, -0.7, 0.0, 0.1, 0.5, 1.0, 2.5, 40.0]
POSITIVE = [-1.0, 1e-9, 0.05, 0.5, 1.0, 1.7, 3.0, 12.0, 60.0]
UNIT = [-0.5, 1e-9, 0.1, 0.25, 0.5, 0.75, 0.999, 1.5]
COUNTS = [-1.0, 0.0, 1.0, 2.0, 2.5, 3.0, 7.0, 15.0, 40.0]

TABLE = {
    "normal": (REAL, [(0.0, 1.0), (1.5, 0.25), (-2.0, 10.0)], lambda m, s: stats.norm(m, s)),
    "t": (REAL, [(1.0, 0.0, 1.0), (2.5, 1.0, 0.5), (30.0, -1.0, 2.0)], lambda df, m, s: stats.t(df, m, s)),
    "cauchy": (REAL, [(0.0, 1.0), (1.5, 0.25)], lambda m, s: stats.cauchy(m, s)),
    "laplace": (REAL, [(0.0, 1.0), (1.5, 0.25)], lambda m, s: stats.laplace(m, s)),
    "logistic": (REAL, [(0.0, 1.0), (1.5, 0.25)], lambda m, s: stats.logistic(m, s)),
    "gamma": (POSITIVE, [(1.0, 1.0), (0.3, 2.0), (7.5, 0.5), (150.0, 0.02)], lambda a, s: stats.gamma(a, scale=s)),
    "inverse_gamma": (POSITIVE, [(1.0, 1.0), (0.3, 2.0), (7.5, 5.0)], lambda a, s: stats.invgamma(a, scale=s)),
    "beta": (UNIT, [(1.0, 1.0), (0.5, 0.5), (2.0, 5.0), (80.0, 30.0)], lambda a, b: stats.beta(a, b)),
    "chi2": (POSITIVE, [(1.0,), (2.0,), (5.5,), (40.0,)], lambda df: stats.chi2(df)),
    "exponential": (POSITIVE, [(1.0,), (0.25,), (10.0,)], lambda s: stats.expon(scale=s)),
    "weibull": (POSITIVE, [(1.0, 1.0), (0.5, 2.0), (3.0, 1.5)], lambda c, s: stats.weibull_min(c, scale=s)),
    "lognormal": (POSITIVE, [(1.0, 1.0), (0.25, 3.0), (2.0, 0.5)], lambda s, scale: stats.lognorm(s, scale=scale)),
    "poisson": (COUNTS, [(0.0,), (0.5,), (3.0,), (25.0,)], lambda rate: stats.poisson(rate)),
    "binomial": (COUNTS, [(7.0, 0.3), (40.0, 0.9), (15.0, 0.0), (3.0, 1.0)], lambda n, p: stats.binom(int(n), p)),
    "negative_binomial": (COUNTS, [(1.0, 0.5), (3.5, 0.2), (10.0, 0.9)], lambda n, p: stats.nbinom(n, p)),
}


def number(x):
    x = float(x)
    return x if math.isfinite(x) else str(x)


cases = []
for name, (points, parameters, distribution) in TABLE.items():
    for p in parameters:
        d = distribution(*p)
        points_of = [x + 1e-3 if name in ("laplace",) and x == p[0] else x for x in points]
        x = np.array(points_of)
        log = d.logpmf(x) if hasattr(d.dist, "logpmf") else d.logpdf(x)
        cases.append({
            "distribution": name, "parameters": list(p), "x": points_of,
            "log": [number(y) for y in log], "cdf": [number(y) for y in d.cdf(x)],
        })

for a, x in [([1.0, 1.0, 1.0], [0.2, 0.3, 0.5]), ([0.5, 2.0, 4.0], [0.1, 0.6, 0.3]), ([30.0, 1.0], [0.95, 0.05])]:
    cases.append({"distribution": "dirichlet", "parameters": a, "x": x, "log": [number(stats.dirichlet(a).logpdf(x))], "cdf": []})

lines = ",\n".join(json.dumps(case) for case in cases)
pathlib.Path(__file__).with_name("scipy.json").write_text(f"[\n{lines}\n]\n")
