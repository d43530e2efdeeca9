"""Reference numbers of factors, systems and determinants, by mpmath with 60 digits: systems.json (`python systems.py`).

For each matrix: the solution of A x = b; the logarithm of |det A|; of positive definite ones the factor of Cholesky. And for each of
the functions <c, x>, log|det A|, <C, L> of A its derivative in a direction E, by a difference with a step of 1e-20, and its second
derivative in the directions E and F likewise. All numbers are those of the f64 that the matrix is rounded to.
"""

import json
import pathlib

import mpmath as mp
import numpy as np

mp.mp.dps = 90
random = np.random.default_rng(18)
STEP = mp.mpf(10) ** -20


def orthogonal(n):
    q, _ = np.linalg.qr(random.normal(size=(n, n)))
    return q


def with_condition(n, condition, positive):
    s = np.geomspace(1, 1 / condition, n) if n > 1 else np.ones(1)
    u = orthogonal(n)
    a = (u * s) @ (u.T if positive else orthogonal(n))
    return (a + a.T) / 2 if positive else a


def graded(n, positive):
    d = 10.0 ** -np.arange(n)
    a = with_condition(n, 5.0, positive)
    return d[:, None] * a * d[None, :]


def matrices():
    for n in (1, 2, 3, 5, 6, 7, 12):
        for positive in (False, True):
            yield f"random {n}", with_condition(n, 20.0, positive), positive, 20.0
    for n in (3, 9):
        for positive in (False, True):
            yield f"ill-conditioned {n}", with_condition(n, 1e12, positive), positive, 1e12
            yield f"graded {n}", graded(n, positive), positive, 1e2 ** (n - 1) * 5
            yield f"tiny {n}", with_condition(n, 20.0, positive) * 1e-150, positive, 20.0
            yield f"huge {n}", with_condition(n, 20.0, positive) * 1e150, positive, 20.0


def mat(a):
    return mp.matrix(a.tolist())


def inner(x, y):
    return mp.fsum(x[i, j] * y[i, j] for i in range(x.rows) for j in range(x.cols))


def log_determinant(a):
    lu, p = mp.mp.LU_decomp(a)
    return mp.fsum(mp.log(abs(lu[i, i])) for i in range(a.rows))


def symmetric(a):
    return (a + a.T) / 2


def derivative(f, a, e):
    return (f(a + STEP * e) - f(a - STEP * e)) / (2 * STEP)


def number(x):
    return float(x)


cases = []
for name, a, positive, condition in matrices():
    n, scale = len(a), np.abs(a).max()
    b, c = random.normal(size=(n, 1)), random.normal(size=(n, 1))
    # Directions in proportion to the elements, which graded matrices ask for.
    e, f = (random.normal(size=(n, n)) * np.abs(a) for _ in range(2))
    big = np.tril(random.normal(size=(n, n)))
    a_, b_, c_, e_, f_, big_ = map(mat, (a, b, c, e, f, big))
    functions = {"solve": lambda m: inner(c_, mp.lu_solve(m, b_)), "log_determinant": log_determinant}
    if positive:
        functions = {
            "solve": lambda m: inner(c_, mp.lu_solve(symmetric(m), b_)),
            "log_determinant": lambda m: log_determinant(symmetric(m)),
            "cholesky": lambda m: inner(big_, mp.cholesky(symmetric(m), tol=mp.mpf(10) ** -600)),
        }
    case = dict(name=name, positive=positive, condition=condition, a=a.tolist(), b=b[:, 0].tolist(), c=c[:, 0].tolist())
    case |= dict(e=e.tolist(), f=f.tolist(), big=big.tolist(), functions={})
    for key, of in functions.items():
        first = lambda m: derivative(of, m, e_)
        value, slope = of(a_), first(a_)
        bend = (first(a_ + STEP * f_) - first(a_ - STEP * f_)) / (2 * STEP)
        case["functions"][key] = [number(value), number(slope), number(bend)]
    cases.append(case)
path = pathlib.Path(__file__).with_name("systems.json")
path.write_text("[\n" + ",\n".join(json.dumps(case) for case in cases) + "\n]\n")
