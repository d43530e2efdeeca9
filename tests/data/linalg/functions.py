"""Writes functions.json: functions of matrices and solutions of equations by mpmath, with derivatives by differences.

All numbers are computed with 80 digits and written with 17. Each case has the condition of the value and of the derivative:
by how much a relative change of the inputs, in norm, can be magnified, at least, as found from some random changes.
"""

import json
import random

import mpmath as mp
import numpy as np

mp.mp.dps = 80
rng = random.Random(18)


def matrix(rows):
    return mp.matrix([[mp.mpf(float(x)) for x in row] for row in rows])


def randoms(m, n, low=-1.0, high=1.0):
    return matrix([[rng.uniform(low, high) for _ in range(n)] for _ in range(m)])


def identity(n):
    return mp.eye(n)


def kron(a, b):
    result = mp.zeros(a.rows * b.rows, a.cols * b.cols)
    for i in range(a.rows):
        for k in range(a.cols):
            for p in range(b.rows):
                for q in range(b.cols):
                    result[i * b.rows + p, k * b.cols + q] = a[i, k] * b[p, q]
    return result


def vec(x):
    return mp.matrix([x[i, k] for i in range(x.rows) for k in range(x.cols)])


def unvec(x, m, n):
    return mp.matrix([[x[i * n + k] for k in range(n)] for i in range(m)])


def sylvester(a, b, q):
    m, n = a.rows, b.rows
    return unvec(mp.lu_solve(kron(a, identity(n)) + kron(identity(m), b.T), vec(q)), m, n)


def stein(a, b, q):
    m, n = a.rows, b.rows
    return unvec(mp.lu_solve(identity(m * n) - kron(a, b.T), vec(q)), m, n)


def continuous_lyapunov(a, q):
    return sylvester(a, a.T, q)


def discrete_lyapunov(a, q):
    return stein(a, a.T, q)


def symmetric(x):
    return (x + x.T) / 2


def to_numpy(x):
    return np.array([[float(x[i, k]) for k in range(x.cols)] for i in range(x.rows)])


def from_subspace(h, n):
    """X from the stable invariant subspace of a matrix, by its eigenvectors."""
    values, vectors = np.linalg.eig(h)
    chosen = vectors[:, values.real < 0]
    assert chosen.shape[1] == n
    return matrix((chosen[n : 2 * n] @ np.linalg.inv(chosen[:n])).real)


def continuous_are(a, b, q, r):
    q, r = symmetric(q), symmetric(r)
    n = a.rows
    g = b * mp.inverse(r) * b.T
    h = np.block([[to_numpy(a), -to_numpy(g)], [-to_numpy(q), -to_numpy(a).T]])
    x = from_subspace(h, n)
    for _ in range(12):
        closed = a - g * x
        # Newton's method is one for symmetric matrices; the rest would grow.
        x = symmetric(sylvester(closed.T, closed, -(q + x * g * x)))
    assert max(mp.eig(a - g * x)[0], key=lambda e: e.real).real < 0
    return x


def discrete_are(a, b, q, r):
    q, r = symmetric(q), symmetric(r)
    n, m = a.rows, b.cols
    a_, b_, q_, r_ = map(to_numpy, (a, b, q, r))
    zero = np.zeros
    first = np.block([[a_, zero((n, n)), b_], [-q_, np.eye(n), zero((n, m))], [zero((m, 2 * n)), r_]])
    second = np.block([[np.eye(n), zero((n, n + m))], [zero((n, n)), a_.T, zero((n, m))],
                       [zero((m, n)), -b_.T, zero((m, m))]])
    x = from_subspace(np.linalg.solve(first + second, first - second), n)
    for _ in range(12):
        gain = solve(r + b.T * x * b, b.T * x * a)
        closed = a - b * gain
        x = symmetric(stein(closed.T, closed, q + gain.T * r * gain))
    assert max(abs(e) for e in mp.eig(a - b * gain)[0]) < 1
    return x


def solve(a, b):
    return mp.inverse(a) * b


def tridiagonal_solve(dl, d, du, b):
    n = d.cols
    a = mp.zeros(n, n)
    for i in range(n):
        a[i, i] = d[0, i]
        if i > 0:
            a[i, i - 1] = dl[0, i]
        if i + 1 < n:
            a[i, i + 1] = du[0, i]
    return solve(a, b)


def solve_banded(lower, upper):
    def f(ab, b):
        n = ab.cols
        a = mp.zeros(n, n)
        for i in range(n):
            for k in range(max(0, i - lower), min(n, i + upper + 1)):
                a[i, k] = ab[upper + i - k, k]
        return solve(a, b)

    return f


def expm(a):
    # The series, scaled: mpmath's own loses digits by squarings of large matrices.
    s = 40
    x = a / mp.mpf(2) ** s
    term, total = identity(a.rows), identity(a.rows)
    for k in range(1, 60):
        term = term * x / k
        total = total + term
    for _ in range(s):
        total = total * total
    return total


def real(x):
    return mp.matrix([[mp.re(x[i, k]) for k in range(x.cols)] for i in range(x.rows)])


def sqrtm(a):
    # Denman and Beavers.
    y, z = a, identity(a.rows)
    for _ in range(400):
        y, z = (y + mp.inverse(z)) / 2, (z + mp.inverse(y)) / 2
        if mp.norm(y * y - a, 1) <= mp.mpf(10) ** -70 * mp.norm(a, 1):
            return y
    raise ValueError("no square root")


def logm(a):
    # Square roots, and the series of 2 artanh.
    n, s = a.rows, 0
    while mp.norm(a - identity(n), 1) > 0.05:
        a, s = sqrtm(a), s + 1
    z = (a - identity(n)) * mp.inverse(a + identity(n))
    square, power, total = z * z, z, z
    for k in range(3, 121, 2):
        power = power * square
        total = total + power / k
    return 2 * total * mp.mpf(2) ** s


FUNCTIONS = {
    "expm": expm,
    "expm_multiply": lambda a, b: expm(a) * b,
    "sqrtm": sqrtm,
    "logm": logm,
    "solve_sylvester": sylvester,
    "solve_continuous_lyapunov": continuous_lyapunov,
    "solve_discrete_lyapunov": discrete_lyapunov,
    "solve_continuous_are": continuous_are,
    "solve_discrete_are": discrete_are,
    "tridiagonal_solve": tridiagonal_solve,
    "solve_banded_1_2": solve_banded(1, 2),
    "solve_banded_3_0": solve_banded(3, 0),
}


def size(x):
    return mp.norm(vec(x), 2)


def moved(inputs, direction, h):
    return [x + h * t for x, t in zip(inputs, direction)]


def derivative(f, inputs, direction):
    """By central differences; the direction is scaled to the inputs, so that the step is relative."""
    h = mp.mpf(10) ** -25
    return (f(*moved(inputs, direction, h)) - f(*moved(inputs, direction, -h))) / (2 * h)


def condition(f, inputs):
    """The largest magnification of a few random relative changes."""
    value, worst = f(*inputs), mp.mpf(1)
    h = mp.mpf(10) ** -18
    for _ in range(3):
        change = [randoms(x.rows, x.cols) for x in inputs]
        change = [t * (size(x) / size(t)) for x, t in zip(inputs, change)]
        if size(value) > 0:
            worst = max(worst, size(f(*moved(inputs, change, h)) - value) / (h * size(value)))
    return worst


def riccati_slope(function, inputs, direction, x):
    """The derivative of the solution of a Riccati equation at x, by the linearized equation."""
    (a, b, _, r), (da, db, dq, dr) = inputs, direction
    r, dq, dr = symmetric(r), symmetric(dq), symmetric(dr)
    if function == "solve_continuous_are":
        gain = solve(r, b.T * x)
        half = x * (da - db * gain)
        closed = a - b * gain
        return sylvester(closed.T, closed, -(half + half.T + dq + gain.T * dr * gain))
    gain = solve(r + b.T * x * b, b.T * x * a)
    closed = a - b * gain
    half = closed.T * x * (da - db * gain)
    return stein(closed.T, closed, half + half.T + dq + gain.T * dr * gain)


def riccati_condition(function, inputs, direction):
    """How far the derivative moves with the solution that it is computed from: with cheap inputs the gain magnifies."""
    x = FUNCTIONS[function](*inputs)
    slope = lambda x: riccati_slope(function, inputs, direction, x)
    error = size(slope(x) - derivative(FUNCTIONS[function], inputs, direction))
    assert error < mp.mpf(10) ** -30 * size(slope(x))
    return condition(slope, [x])


def plain(x):
    return [[float(x[i, k]) for k in range(x.cols)] for i in range(x.rows)]


def case(function, label, *inputs):
    f = FUNCTIONS[function]
    inputs = [x if isinstance(x, mp.matrix) else matrix(x) for x in inputs]
    direction = [randoms(x.rows, x.cols) for x in inputs]
    direction = [matrix(plain(t * (max(size(x), mp.mpf(10) ** -300) / size(t)))) for x, t in zip(inputs, direction)]
    slope = lambda *inputs: derivative(f, inputs, direction)
    slope_condition = condition(slope, inputs)
    if function.endswith("_are"):
        slope_condition = max(slope_condition, riccati_condition(function, inputs, direction))
    print(function, label, flush=True)
    return {
        "function": function,
        "label": label,
        "inputs": [plain(x) for x in inputs],
        "value": plain(f(*inputs)),
        "condition": float(condition(f, inputs)),
        "direction": [plain(x) for x in direction],
        "derivative": plain(slope(*inputs)),
        "derivative_condition": float(slope_condition),
    }


def jordan(eigenvalue, n):
    return matrix([[eigenvalue if i == k else 1.0 if k == i + 1 else 0.0 for k in range(n)] for i in range(n)])


def positive(n, shift=0.5):
    """Without real negative eigenvalues: the real parts of all are positive."""
    x, y = randoms(n, n), randoms(n, n)
    return matrix(plain(x * x.T + shift * identity(n) + (y - y.T) / 2))


def graded(n, step):
    x = randoms(n, n)
    return matrix([[float(x[i, k]) * step ** (i + k) for k in range(n)] for i in range(n)])


def dissipative(n, step):
    """Negative definite and graded."""
    x = randoms(n, n)
    x = -(x * x.T + identity(n))
    return matrix([[float(x[i, k]) * step ** (i + k) / 100 for k in range(n)] for i in range(n)])


def stable(n, shift=1.5):
    return matrix(plain(randoms(n, n) - shift * identity(n)))


def weight(n):
    x = randoms(n, n)
    return matrix(plain(x * x.T + identity(n) / 2))


def cases():
    yield case("expm", "one element", [[0.75]])
    yield case("expm", "random", randoms(4, 4))
    yield case("expm", "large", randoms(5, 5, -20.0, 20.0))
    yield case("expm", "tiny", randoms(3, 3, -1e-9, 1e-9))
    yield case("expm", "stable and large", stable(4, 60.0))
    yield case("expm", "rotation by 100", [[0.0, -100.0], [100.0, 0.0]])
    yield case("expm", "Jordan block", jordan(0.5, 4))
    yield case("expm", "nilpotent", [[0.0, 3.0, 1e6], [0.0, 0.0, 7.0], [0.0, 0.0, 0.0]])
    yield case("expm", "not normal", [[1.0, 1e5], [0.0, -1.0]])
    yield case("expm", "graded", graded(4, 0.01))
    yield case("expm", "Ward 1977, 1", [[4.0, 2.0, 0.0], [1.0, 4.0, 1.0], [1.0, 1.0, 4.0]])
    yield case("expm", "Ward 1977, 3", [[-131.0, 19.0, 18.0], [-390.0, 56.0, 54.0], [-387.0, 57.0, 52.0]])
    yield case("expm", "blocked", randoms(26, 26, -0.3, 0.3))
    yield case("expm_multiply", "random", randoms(4, 4), randoms(4, 2))
    yield case("expm_multiply", "in steps", randoms(6, 6, -4.0, 4.0), randoms(6, 1))
    yield case("expm_multiply", "shifted", stable(5, 30.0), randoms(5, 1))
    yield case("expm_multiply", "stiff", dissipative(4, 10.0), randoms(4, 3))
    yield case("sqrtm", "one element", [[2.0]])
    yield case("sqrtm", "random", positive(5))
    yield case("sqrtm", "conjugate eigenvalues", [[1.0, -4.0, 0.5], [3.0, 1.0, 2.0], [0.0, 0.0, 5.0]])
    yield case("sqrtm", "left half plane", [[-1.0, -2.0], [2.0, -1.0]])
    yield case("sqrtm", "Jordan block", jordan(2.0, 4))
    yield case("sqrtm", "huge", positive(3) * mp.mpf(2.0) ** 700)
    yield case("sqrtm", "tiny", positive(3) * mp.mpf(2.0) ** -700)
    yield case("sqrtm", "blocked", positive(26, 3.0))
    yield case("logm", "one element", [[0.1]])
    yield case("logm", "random", positive(5))
    yield case("logm", "near the identity", matrix(plain(identity(4) + randoms(4, 4) * mp.mpf(2) ** -30)))
    yield case("logm", "conjugate eigenvalues", [[1.0, -4.0, 0.5], [3.0, 1.0, 2.0], [0.0, 0.0, 5.0]])
    yield case("logm", "left half plane", [[-1.0, -2.0], [2.0, -1.0]])
    yield case("logm", "Jordan block", jordan(0.25, 4))
    yield case("logm", "huge", positive(3) * mp.mpf(2.0) ** 700)
    yield case("logm", "tiny", positive(3) * mp.mpf(2.0) ** -700)
    yield case("logm", "triangular, far apart", [[1e-6, 1.0, 2.0], [0.0, 1.0, 3.0], [0.0, 0.0, 1e6]])
    yield case("solve_sylvester", "random", stable(4), stable(3), randoms(4, 3))
    yield case("solve_sylvester", "Jordan blocks", jordan(1.0, 3), jordan(0.5, 4), randoms(3, 4))
    yield case("solve_sylvester", "almost singular", jordan(1.0, 2), jordan(-1.0 + 2.0**-20, 2), randoms(2, 2))
    yield case("solve_sylvester", "huge and tiny", stable(3) * mp.mpf(2) ** 300, stable(2) * mp.mpf(2) ** 300, randoms(3, 2))
    yield case("solve_continuous_lyapunov", "stable", stable(5), weight(5))
    yield case("solve_discrete_lyapunov", "stable", randoms(5, 5, -0.5, 0.5), weight(5))
    yield case("solve_discrete_lyapunov", "unstable", randoms(4, 4, -3.0, 3.0), weight(4))
    yield case("solve_continuous_are", "double integrator", [[0.0, 1.0], [0.0, 0.0]], [[0.0], [1.0]],
               [[1.0, 0.0], [0.0, 2.0]], [[1.0]])
    yield case("solve_continuous_are", "random", randoms(5, 5, -2.0, 2.0), randoms(5, 2), weight(5), weight(2))
    yield case("solve_continuous_are", "cheap control", randoms(3, 3), randoms(3, 1), weight(3), [[1e-6]])
    yield case("solve_continuous_are", "costs of nothing", [[1.0, 2.0], [0.0, 0.5]], [[1.0], [1.0]],
               [[0.0, 0.0], [0.0, 0.0]], [[1.0]])
    yield case("solve_discrete_are", "double integrator", [[1.0, 0.1], [0.0, 1.0]], [[0.005], [0.1]],
               [[1.0, 0.0], [0.0, 0.5]], [[0.1]])
    yield case("solve_discrete_are", "random", randoms(5, 5, -1.5, 1.5), randoms(5, 2), weight(5), weight(2))
    yield case("solve_discrete_are", "singular state matrix", [[0.0, 1.0], [0.0, 0.0]], [[1.0], [2.0]],
               weight(2), [[3.0]])
    yield case("solve_discrete_are", "no weight of inputs", randoms(3, 3), randoms(3, 1), weight(3), [[0.0]])
    n = 7
    yield case("tridiagonal_solve", "random", randoms(1, n), randoms(1, n), randoms(1, n), randoms(n, 2))
    yield case("solve_banded_1_2", "random", randoms(4, n), randoms(n, 2))
    yield case("solve_banded_3_0", "triangular", randoms(4, n, 0.5, 1.5), randoms(n, 1))


if __name__ == "__main__":
    text = "[\n" + ",\n".join(json.dumps(case, allow_nan=False) for case in cases()) + "\n]\n"
    with open(__file__.replace(".py", ".json"), "w") as file:
        file.write(text)
