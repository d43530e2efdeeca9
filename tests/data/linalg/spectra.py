"""Eigenvalues, singular values and their gradients, with 60 digits by mpmath: writes spectra.csv beside this file.

A line is: what, name, rows, columns, the elements of the matrix in row-major order, then the numbers that the line is of.

- eigh: the ascending eigenvalues w of the symmetric matrix, then the gradient of sum (k+1) w[k], in row-major order.
- svd: the descending singular values s, then the gradient of sum (k+1) s[k].
- eig: real parts of the eigenvalues, ascending (by imaginary part where equal), then their imaginary parts.
- polar: the orthonormal factor.
- spectral: the derivative along V[i, j] = sin(1 + i + j) of the gradient of sum sin w.
"""

import os

import mpmath as mp
import numpy as np

mp.mp.dps = 60
LINES = []


def exact(a):
    return mp.matrix([[mp.mpf(float(x)) for x in row] for row in a])


def line(what, name, a, numbers):
    elements = [repr(float(x)) for x in np.asarray(a).ravel()]
    values = [repr(float(x)) for x in numbers]
    LINES.append(",".join([what, name, str(a.shape[0]), str(a.shape[1])] + elements + values))


def orthogonal(rng, n):
    q, _ = np.linalg.qr(rng.standard_normal((n, n)))
    return q


def symmetric(a):
    return (a + a.T) / 2


def eigh(name, a):
    w, v = mp.eigsy(exact(a))
    n = a.shape[0]
    gradient = [sum((k + 1) * v[i, k] * v[j, k] for k in range(n)) for i in range(n) for j in range(n)]
    line("eigh", name, a, list(w) + gradient)


def svd(name, a):
    u, s, vt = mp.svd_r(exact(a), full_matrices=False)
    m, n = a.shape
    k = min(m, n)
    order = sorted(range(k), key=lambda i: -s[i])
    gradient = [
        sum((r + 1) * u[i, order[r]] * vt[order[r], j] for r in range(k)) for i in range(m) for j in range(n)
    ]
    line("svd", name, a, [s[i] for i in order] + gradient)


def eig(name, a):
    w, _ = mp.eig(exact(a))
    w = sorted(w, key=lambda x: (round(float(mp.re(x)), 8), float(mp.im(x))))
    line("eig", name, a, [mp.re(x) for x in w] + [mp.im(x) for x in w])


def polar(name, a):
    u, _, vt = mp.svd_r(exact(a), full_matrices=False)
    line("polar", name, a, [x for x in u * vt])


def spectral(name, a):
    """Differences of the gradient V cos(w) V^T, with a step of 1e-20."""

    def slope(x):
        w, v = mp.eigsy(x)
        return v * mp.diag([mp.cos(t) for t in w]) * v.T

    n = a.shape[0]
    d = exact([[np.sin(1.0 + i + j) for j in range(n)] for i in range(n)])
    h = mp.mpf(10) ** -20
    bend = (slope(exact(a) + h * d) - slope(exact(a) - h * d)) / (2 * h)
    line("spectral", name, a, [bend[i, j] for i in range(n) for j in range(n)])


rng = np.random.default_rng(18)
random = symmetric(rng.standard_normal((6, 6)))
q = orthogonal(rng, 5)
ill = symmetric(q @ np.diag(np.logspace(0, -12, 5)) @ q.T)
graded = symmetric(rng.standard_normal((5, 5)) * np.outer(np.logspace(0, -8, 5), np.logspace(0, -8, 5)))
for name, a in [("random", random), ("ill", ill), ("graded", graded), ("one", np.array([[-2.5]]))]:
    eigh(name, a)
eigh("tiny", random * 1e-150)
eigh("huge", random * 1e150)

tall = rng.standard_normal((7, 4))
ill = orthogonal(rng, 6)[:, :4] @ np.diag(np.logspace(0, -12, 4)) @ orthogonal(rng, 4)
for name, a in [("tall", tall), ("wide", tall.T.copy()), ("ill", ill), ("tiny", tall * 1e-150), ("huge", tall * 1e150)]:
    svd(name, a)
polar("tall", tall)
polar("square", rng.standard_normal((4, 4)))

general = rng.standard_normal((7, 7))
for name, a in [("random", general), ("tiny", general * 1e-150), ("huge", general * 1e150), ("triangular", np.triu(general))]:
    eig(name, a)

repeated = symmetric(q @ np.diag([1.0, 1.0, 1.0, 2.0, 2.0]) @ q.T)
close = symmetric(q @ np.diag([1.0, 1.0 + 1e-5, 1.0 + 1e-10, -2.0, 3.0]) @ q.T)
for name, a in [("unit", np.eye(3)), ("repeated", repeated), ("close", close), ("random", random)]:
    spectral(name, a)

with open(os.path.join(os.path.dirname(__file__), "spectra.csv"), "w") as file:
    file.write("\n".join(LINES) + "\n")
