"""Writes the files beside this one: values and derivatives of complex functions by mpmath and by NumPy.

functions.csv: function, re, im of the argument, re, im of the value. The arguments have a real part of either sign and an
imaginary part that is not negative; f(conj z) = conj f(z) gives the others. mpmath knows no signed zeros: a zero is replaced
by a number too small to matter, so that a value on a cut is the limit from the side that the sign says.

derivatives.csv: function, order of the derivative, argument, value. quotients.csv and powers.csv: two arguments, value.

special.csv: as functions.csv for arguments that are infinite or NaN, or at which there is a pole, by NumPy, whose functions
are those of C with the special values of Annex G.
"""

import cmath
import math
import os

import mpmath as mp
import numpy as np

mp.mp.prec = 5200
TINY = mp.mpf(10) ** -700
HERE = os.path.dirname(os.path.abspath(__file__))
NAMES = "exp ln sqrt sinh cosh tanh sin cos tan asin acos atan asinh acosh atanh".split()
PARTS = [0.0, 3e-310, 1e-160, 1e-9, 0.4, 1.0, 1.0 + 2.0**-52, math.pi / 2, 3.0, 40.0, 709.5, 1e160, 1.5e308]


def exact(x):
    return math.copysign(1, x) * TINY if x == 0 else mp.mpf(x)


def rounded(x):
    if abs(x) < mp.mpf(10) ** -600:
        return math.copysign(0.0, x)
    if abs(x) >= mp.mpf(2) ** 1024:
        return math.copysign(math.inf, x)
    return float(x)


def is_pole(name, x, y):
    poles = {"ln": (0, 0), "atanh": (1, 0), "atan": (0, 1)}
    return poles.get(name) == (abs(x), abs(y))


def value(name, z):
    f = mp.log if name == "ln" else getattr(mp, name)
    return f(z)


def functions():
    for name in NAMES:
        for x in PARTS + [-x for x in PARTS]:
            for y in PARTS:
                # Angles beyond the precision of mpmath here, and towers of exponentials.
                (grows, turns) = (y, x) if name in ("sin", "cos", "tan") else (x, y)
                if name in ("exp", "sinh", "cosh", "tanh", "sin", "cos", "tan") and abs(grows) > 1e6:
                    continue
                if is_pole(name, x, y):
                    continue
                w = value(name, mp.mpc(exact(x), exact(y)))
                yield name, x, y, rounded(w.real), rounded(w.imag)


def special():
    parts = [0.0, -0.0, 1.0, -1.0, 2.0, 709.5, -1e160, math.inf, -math.inf, math.nan]
    for name in NAMES:
        f = getattr(np, {"ln": "log"}.get(name, name.replace("as", "arcs").replace("ac", "arcc").replace("at", "arct") if name[0] == "a" else name))
        for x in parts:
            for y in parts:
                if is_pole(name, x, y) or not (math.isfinite(x) and math.isfinite(y)):
                    with np.errstate(all="ignore"):
                        w = f(np.complex128(complex(x, y)))
                    yield name, x, y, float(w.real), float(w.imag)


def random():
    """Points in the disks and annuli where functions turn, reproducibly."""
    state = 12345
    while True:
        numbers = []
        for _ in range(2):
            state = (state * 6364136223846793005 + 1442695040888963407) % 2**64
            numbers.append(((state >> 11) / 2.0**53 - 0.5) * 5.0)
        yield complex(*numbers)


def derivatives():
    points = [next(points) for points in [random()] for _ in range(12)]
    with mp.workprec(400):
        for name in NAMES:
            f = lambda z, name=name: value(name, z)
            for z in points:
                for order in (1, 2):
                    w = mp.diff(f, mp.mpc(z), order)
                    yield f"{name},{order}", z.real, z.imag, float(w.real), float(w.imag)


def quotients():
    parts = [0.0, 3e-310, 1e-160, 0.4, -1.0, 3.0, -1e160, 1.5e308]
    for a in parts:
        for b in parts:
            for c in parts:
                for d in parts:
                    if (c, d) != (0, 0):
                        w = mp.mpc(a, b) / mp.mpc(c, d)
                        parts_of_w = [float(x) if x != 0 else 0.0 for x in (w.real, w.imag)]
                        yield "quotient", a, b, c, d, *parts_of_w


def powers():
    """Random numbers, numbers on the cut, at the unit circle and at the ends of the range, to small and to large powers."""
    random_points = [next(points) for points in [random()] for _ in range(60)]
    near = [cmath.rect(1 + d, t) for d in (-1e-3, 1e-9, 1e-16) for t in (0.01, 1.5, 3.1)]
    others = [-2.0, 3.0, 1j, -1j, 0.5 - 1e-20j, -1.5 + 1e-17j, 1e-200 + 2e-200j, 4e180 - 1e179j, 1e-310 + 0j]
    bases = [complex(z) for z in random_points + near + others]
    exponents = [0.5, -1.5, 30.25, 200 - 3j, -7.25 + 11j, 150j, 0.001 - 400j, complex(random_points[0])]
    for k, z in enumerate(bases):
        for c in [random_points[(k + 7) % 60], *exponents]:
            yield from row("powc", z, complex(c), mp.power(mp.mpc(z), mp.mpc(c)))
            yield from row("powf", z, complex(complex(c).real), mp.power(mp.mpc(z), mp.mpf(complex(c).real)))
        for n in (-30, -7, -3, -2, -1, 2, 3, 4, 5, 6, 7, 13, 30, 1000):
            yield from row("powi", z, complex(n), mp.power(mp.mpc(z), n))
        yield from row("powi", 1 + z * 1e-8, complex(-(2**31)), mp.power(mp.mpc(1 + z * 1e-8), -(2**31)))
        yield from row("exp2", z, 0j, mp.power(2, mp.mpc(z)))
        yield from row("expf", z, 0j, mp.power(mp.mpf(0.003), mp.mpc(z)))


def row(name, z, c, w):
    """But for the values that overflow: of those the test of special values speaks."""
    with mp.workprec(200):
        if abs(w) < mp.mpf(2) ** 1023:
            yield name, z.real, z.imag, c.real, c.imag, rounded(w.real), rounded(w.imag)


FILES = {
    "functions.csv": functions,
    "special.csv": special,
    "derivatives.csv": derivatives,
    "quotients.csv": quotients,
    "powers.csv": powers,
}
for file, rows in FILES.items():
    with open(os.path.join(HERE, file), "w") as out:
        for name, *numbers in rows():
            out.write(",".join([name] + [repr(x) for x in numbers]) + "\n")
