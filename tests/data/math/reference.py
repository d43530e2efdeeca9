"""Writes the reference values that `src/math/tests.rs` is held to: python3 reference.py, with mpmath.

One file per function, one point per line: the bits of the arguments and of the exact value rounded to f64, in
hexadecimal, and the distance from that rounded value to the exact one in units of the rounded value's last place.
Points stand where a definition changes its formula, where results overflow, vanish or are subnormal, at zeros, and
at random in between.
"""

import math
import pathlib
import random
import struct

from mpmath import mp, mpf

# Enough for x² next to 1 with x subnormal, so that the textbook formulas may cancel.
mp.prec = 2400

UNARY = {
    "exp": mp.exp,
    "exp2": lambda x: mpf(2) ** x,
    "expm1": lambda x: mp.exp(x) - 1,
    "log": mp.log,
    "log2": lambda x: mp.log(x) / mp.log(2),
    "log10": lambda x: mp.log(x) / mp.log(10),
    "log1p": lambda x: mp.log(1 + x),
    "sin": mp.sin,
    "cos": mp.cos,
    "tan": mp.tan,
    "asin": mp.asin,
    "acos": mp.acos,
    "atan": mp.atan,
    "sinh": mp.sinh,
    "cosh": mp.cosh,
    "tanh": mp.tanh,
    "asinh": mp.asinh,
    "acosh": mp.acosh,
    "atanh": mp.atanh,
    "logistic": lambda x: 1 / (1 + mp.exp(-x)),
    "cbrt": lambda x: mp.sign(x) * mp.cbrt(abs(x)),
}
BINARY = {
    "pow": lambda x, y: x**y,
    "atan2": mp.atan2,
    "hypot": lambda x, y: mp.sqrt(x * x + y * y),
    "rem": lambda x, y: x - y * int(x / y),
}

# Arguments next to which each function is difficult.
CENTERS = {
    "exp": [0.34657, -0.34657, 709.78, -708.4, -745.1, 1.0],
    "exp2": [0.5, -0.5, 1023.99, -1022.0, -1074.5, 1.5],
    "expm1": [0.34657, -0.34657, 1.0397, 709.78, -37.0, 37.4, 36.7],
    "log": [1.0, 0.70710678, 1.41421356, 2.0, 2.718281828],
    "log2": [1.0, 0.70710678, 1.41421356, 2.0, 8.0],
    "log10": [1.0, 0.70710678, 1.41421356, 10.0, 1000.0],
    "log1p": [0.41421356, -0.29289322, 1.0, -0.9999, -0.5],
    "sin": [math.pi, 2 * math.pi, 355.0, math.pi / 4, 1e5, 2.0**30, 1e22, 6381956970095103.0 * 2.0**797],
    "cos": [math.pi / 2, 1.5 * math.pi, 11.0, math.pi / 4, 1e5, 2.0**30, 1e22, 6381956970095103.0 * 2.0**797],
    "tan": [math.pi, math.pi / 2, 355.0, math.pi / 4, 1e5, 2.0**30, 1e22, 6381956970095103.0 * 2.0**797],
    "asin": [0.5, -0.5, 0.99999, 0.70710678],
    "acos": [0.5, -0.5, 0.99999, -0.99999, 0.70710678],
    "atan": [0.41421356, 1.0, 2.41421356],
    "sinh": [0.52, 1.0397, 709.8, 710.4, 20.0],
    "cosh": [0.34657, 1.0397, 709.8, 710.4, 20.0],
    "tanh": [0.1733, 0.5199, 19.0, 22.0, 1.0],
    "asinh": [0.2, 1.0, 1e18, 0.58],
    "acosh": [1.5, 2.0, 1.0001, 1e18],
    "atanh": [0.1715, 0.33333, 0.5, 0.9999],
    "logistic": [0.34657, -0.34657, -36.7, 36.7, -708.4, -745.1],
    "cbrt": [1.0, 2.0, 4.0, 8.0, 0.125, 27.0],
}
DOMAINS = {
    "log": (0.0, math.inf),
    "log2": (0.0, math.inf),
    "log10": (0.0, math.inf),
    "log1p": (-1.0, math.inf),
    "asin": (-1.0, 1.0),
    "acos": (-1.0, 1.0),
    "atanh": (-1.0, 1.0),
    "acosh": (1.0, math.inf),
}


def bits(x):
    return struct.unpack("<Q", struct.pack("<d", x))[0]


def from_bits(b):
    return struct.unpack("<d", struct.pack("<Q", b))[0]


def any_number(rng, top=0x7FF0 << 48):
    return rng.choice([-1.0, 1.0]) * from_bits(rng.randrange(1, top))


def near(rng, x):
    return x * (1 + rng.gauss(0, 1) * 2.0 ** -rng.uniform(4, 52))


def unary_points(name, rng):
    low, high = DOMAINS.get(name, (-math.inf, math.inf))
    while True:
        yield near(rng, rng.choice(CENTERS[name]))
        yield any_number(rng)
        yield any_number(rng, 1 << 52)
        yield rng.choice([-1.0, 1.0]) * 2.0 ** rng.uniform(-60, 0)
        yield rng.uniform(-8, 8)
        yield rng.uniform(-750, 710)
        if math.isfinite(low):
            yield low + 2.0 ** rng.uniform(-50, 3)
        if math.isfinite(high):
            yield high - 2.0 ** rng.uniform(-50, 0)


def binary_points(name, rng):
    while True:
        if name == "pow":
            for x in (abs(any_number(rng)), abs(near(rng, 1.0)), rng.uniform(0.1, 10.0)):
                if x != 1.0:
                    yield x, rng.uniform(-1080, 1030) / math.log2(x)
            yield any_number(rng), float(rng.randrange(-4, 5))
        else:
            x = any_number(rng)
            yield x, any_number(rng)
            yield x, x * 2.0 ** rng.uniform(-40, 40)
            yield any_number(rng, 1 << 53), any_number(rng, 1 << 53)
            yield near(rng, 1.0), near(rng, rng.choice([0.41421356, 1.0, 2.41421356]))
            yield rng.uniform(-8, 8), rng.uniform(-8, 8)


def line(f, arguments):
    """A line of the file, or none where the exact value is no good as a reference."""
    try:
        exact = f(*map(mpf, arguments))
    except (ValueError, ZeroDivisionError):
        return None
    if exact is None or not mp.isfinite(exact) or exact == 0 or abs(exact) >= mpf(2) ** 1024 * (1 - mpf(2) ** -54):
        return None
    if abs(exact) < mpf(2) ** -1075:
        return None
    # Python's conversion of integers' quotients is correctly rounded, subnormal or not.
    m, e = int(exact.man) * (-1 if exact < 0 else 1), int(exact.exp)
    rounded = m / (1 << -e) if e < 0 else float(m << e)
    if math.frexp(rounded)[0] in (0.5, -0.5) and rounded != exact or rounded == 0:
        return None
    rest = float((exact - mpf(rounded)) / mpf(math.ulp(rounded)))
    return " ".join(f"{bits(x):016x}" for x in (*arguments, rounded)) + f" {rest:.6f}"


def write(name, f, points, n):
    lines = []
    low, high = DOMAINS.get(name, (-math.inf, math.inf))
    for point in points:
        arguments = point if isinstance(point, tuple) else (point,)
        if all(map(math.isfinite, arguments)) and (len(arguments) > 1 or low <= arguments[0] <= high):
            text = line(f, arguments)
            if text is not None:
                lines.append(text)
        if len(lines) == n:
            break
    path = pathlib.Path(__file__).with_name(f"{name}.txt")
    path.write_text("\n".join(lines) + "\n")
    print(name)


if __name__ == "__main__":
    for name, f in UNARY.items():
        write(name, f, unary_points(name, random.Random(name)), 300)
    for name, f in BINARY.items():
        write(name, f, binary_points(name, random.Random(name)), 300)
