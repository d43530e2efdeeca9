"""Reference values of distributions of vectors and matrices, by SciPy, and of samples, by JAX: multivariate.json."""

import json
import os

os.environ["JAX_ENABLE_X64"] = "1"
import jax
import numpy as np
from scipy import stats
from scipy.special import gammaln

random = np.random.default_rng(7)


def positive(n):
    a = random.normal(size=(n, n))
    return a @ a.T + 0.5 * np.eye(n)


def correlation(n):
    c = positive(n)
    d = np.sqrt(np.diag(c))
    return c / np.outer(d, d)


def lkj(r, eta):
    n = len(r)
    k = np.arange(1, n)
    z = np.sum(k / 2 * np.log(np.pi) + gammaln(eta + (n - 1 - k) / 2) - gammaln(eta + (n - 1) / 2))
    return (eta - 1) * np.linalg.slogdet(r)[1] - z


cases = {"normal": [], "wishart": [], "lkj": [], "sample": []}
for n in (1, 2, 3, 5, 9):
    x, mean, cov = random.normal(size=n), random.normal(size=n), positive(n)
    y = stats.multivariate_normal.logpdf(x, mean, cov)
    cases["normal"].append(dict(x=x.tolist(), mean=mean.tolist(), cov=cov.tolist(), y=float(y)))
    x, v, df = positive(n), positive(n), n + 1.5
    cases["wishart"].append(dict(x=x.tolist(), scale=v.tolist(), df=df, y=float(stats.wishart.logpdf(x, df, v))))
    r = correlation(n)
    cases["lkj"].append(dict(r=r.tolist(), eta=1.7, y=float(lkj(r, 1.7))))
for n in (1, 3, 8):
    mean, cov = random.normal(size=n), positive(n)
    y = jax.random.multivariate_normal(jax.random.key(5), mean, cov, (4,), dtype="float64")
    cases["sample"].append(dict(mean=mean.tolist(), cov=cov.tolist(), y=np.array(y).tolist()))
with open(os.path.join(os.path.dirname(__file__), "multivariate.json"), "w") as file:
    json.dump(cases, file)
