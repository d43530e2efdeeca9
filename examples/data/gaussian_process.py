"""Writes gaussian_process.csv: points, and what NumPy and SciPy say about the process that fits them best.

Run in this folder: python gaussian_process.py
"""

import numpy as np
from scipy.linalg import cho_factor, cho_solve
from scipy.optimize import minimize

rng = np.random.default_rng(0)
x = np.round(np.concatenate([np.linspace(0, 3, 10), np.linspace(6, 8, 10)]), 3)
y = np.round((np.cos(x) + 0.1 * rng.standard_normal(20)) / 2, 3)


def covariance(p, x, z):
    return np.exp(2 * p[1] - 0.5 * ((x[:, None] - z[None, :]) / np.exp(p[2])) ** 2)


def factor(p):
    return cho_factor(covariance(p, x, x) + np.exp(2 * p[3]) * np.eye(len(x)), lower=True)


def cost(p):
    """Minus the log-likelihood, and its gradient by ½ tr((K⁻¹ - α αᵀ) ∂K) (Rasmussen and Williams, 5.9)."""
    c, off = factor(p), y - p[0]
    k, alpha = covariance(p, x, x), cho_solve(c, off)
    value = 0.5 * (off @ alpha) + np.log(np.diag(c[0])).sum() + 0.5 * len(x) * np.log(2 * np.pi)
    inner = cho_solve(c, np.eye(len(x))) - np.outer(alpha, alpha)
    by_length = k * ((x[:, None] - x[None, :]) / np.exp(p[2])) ** 2
    slopes = [0.5 * (inner * dk).sum() for dk in (2 * k, by_length, 2 * np.exp(2 * p[3]) * np.eye(len(x)))]
    return value, np.array([-alpha.sum(), *slopes])


start = np.array([0.0, 0.0, 0.0, -1.0])
fit = minimize(cost, start, jac=True, method="BFGS", options={"gtol": 1e-12})
p = fit.x
for _ in range(3):  # Newton's method, with differences of gradients
    h = 1e-5
    curvature = np.array([(cost(p + h * e)[1] - cost(p - h * e)[1]) / (2 * h) for e in np.eye(4)])
    p = p - np.linalg.solve(curvature, cost(p)[1])

at = np.linspace(-1, 10, 12)
c, cross = factor(p), covariance(p, x, at)
mean = p[0] + cross.T @ cho_solve(c, y - p[0])
deviation = np.sqrt(np.exp(2 * p[1]) - (cross * cho_solve(c, cross)).sum(0))

with open("gaussian_process.csv", "w") as file:
    rows = [("observed", *row) for row in zip(x, y)]
    rows += [("start", *cost(start)), ("best", -cost(p)[0], *p)]
    rows += [("predicted", *row) for row in zip(at, mean, deviation)]
    for kind, *numbers in rows:
        print(kind, *(repr(float(number)) for number in np.hstack(numbers)), sep=",", file=file)
