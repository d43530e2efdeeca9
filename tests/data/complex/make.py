"""Writes the files beside this one: values and derivatives of complex functions by mpmath and by NumPy.

functions.csv: function, re, im of the argument, re, im of the value. The arguments have a real part of either sign and an
imaginary part that is not negative; f(conj z) = conj f(z) gives the others. mpmath knows no signed zeros: a zero is replaced
by a number too small to matter, so that a value on a cut is the limit from the side that the sign says.

derivatives.csv: function, order of the derivative, argument, value. quotients.csv and powers.csv: two arguments, value.

special.csv: as functions.csv for arguments that are infinite or NaN, or at which there is a pole, by NumPy, whose functions
are those of C with the special values of Annex G.
"""

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
    parts = [0.0, -0.0, 1.0, -1.0, 2.0, math.inf, -math.inf, math.nan]
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
    points = [next(points) for points in [random()] for _ in range(40)]
    for z, c in zip(points, points[7:] + points[:7]):
        w = mp.power(mp.mpc(z), mp.mpc(c))
        yield "powc", z.real, z.imag, c.real, c.imag, float(w.real), float(w.imag)
        w = mp.power(mp.mpc(z), mp.mpf(c.real))
        yield "powf", z.real, z.imag, c.real, 0.0, float(w.real), float(w.imag)
        for n in (-7, 2, 5, 30):
            w = mp.power(mp.mpc(z), n)
            yield "powi", z.real, z.imag, float(n), 0.0, float(w.real), float(w.imag)


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
