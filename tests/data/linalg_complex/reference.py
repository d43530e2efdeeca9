"""Complex matrices and what NumPy and SciPy make of them.

Run by: python reference.py > reference.json
"""

import json

import numpy as np
import scipy.linalg as sl

random = np.random.default_rng(19)


def matrix(*shape):
    return random.standard_normal(shape) + 1j * random.standard_normal(shape)


def number(x):
    x = np.asarray(x, dtype=complex)
    return {"shape": list(x.shape), "re": x.real.ravel().tolist(), "im": x.imag.ravel().tolist()}


def ordered(w):
    return w[np.lexsort((w.imag, w.real))]


cases = []
for n in [1, 2, 3, 4, 7, 12]:
    a, b = matrix(n, n), matrix(n, 2)
    h = a @ a.conj().T + np.eye(n)
    p, l, u = sl.lu(a)
    sign, log = np.linalg.slogdet(a)
    q, r = np.linalg.qr(a)
    phase = np.diag(r) / abs(np.diag(r))
    cases.append({
        "a": number(a),
        "b": number(b),
        "h": number(h),
        "solve": number(sl.solve(a, b)),
        "inv": number(sl.inv(a)),
        "triangular": number(sl.solve_triangular(a, b, lower=True)),
        "expm": number(sl.expm(a)),
        "cholesky": number(sl.cholesky(h, lower=True)),
        "logdet": number(np.linalg.slogdet(h)[1]),
        "cho_solve": number(sl.solve(h, b)),
        "det": number(sl.det(a)),
        "slogdet": number([sign, log]),
        "p": number(p),
        "l": number(l),
        "u": number(u),
        "q": number(q * phase),
        "r": number(r / phase[:, None]),
        "eigvalsh": number(sl.eigvalsh(h)),
        "eigvals": number(ordered(sl.eigvals(a))),
        "svdvals": number(sl.svdvals(a)),
    })
rectangular = []
for m, n in [(3, 2), (2, 3), (7, 4), (4, 9)]:
    a, b = matrix(m, n), matrix(m, 2)
    rectangular.append({
        "a": number(a),
        "b": number(b),
        "lstsq": number(sl.lstsq(a, b)[0]),
        "pinv": number(sl.pinv(a)),
        "svdvals": number(sl.svdvals(a)),
        "norms": number([np.linalg.norm(a, kind) for kind in ["fro", "nuc", 2, -2, 1, -1, np.inf, -np.inf]]),
        "cond": number(np.linalg.cond(a)),
    })
print(json.dumps({"square": cases, "rectangular": rectangular}))
