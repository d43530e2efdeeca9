"""Writes functions.csv and special.csv beside this file: values of complex functions by mpmath and by NumPy.

functions.csv: function, re, im of the argument, re, im of the value. The arguments have a real part of either sign and an
imaginary part that is not negative; f(conj z) = conj f(z) gives the others. mpmath knows no signed zeros: a zero is replaced
by a number too small to matter, so that a value on a cut is the limit from the side that the sign says.

special.csv: the same for arguments that are infinite or NaN, or at which there is a pole, by NumPy, whose functions
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


for (file, rows) in (("functions.csv", functions()), ("special.csv", special())):
    with open(os.path.join(HERE, file), "w") as out:
        for name, *numbers in rows:
            out.write(",".join([name] + [repr(x) for x in numbers]) + "\n")
