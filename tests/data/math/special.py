"""Writes the reference values of the special functions, as `reference.py` does those of the elementary ones:
python3 special.py [name …], with mpmath.
"""

import itertools
import math
import random
import sys

from mpmath import mp, mpf

import reference
from reference import any_number, near

ROOT_OF_DIGAMMA = 1.4616321449683622


def erfc(x):
    """Of any size: mpmath's own takes exponents of millions of digits for huge arguments."""
    return mp.erfc(x) if abs(x) < 1000 else mpf(0 if x > 0 else 2)


def erfcx_far(x):
    return None if x < 0 else (1 - 1 / (2 * x * x) + 3 / (4 * x**4) - 15 / (8 * x**6)) / (x * mp.sqrt(mp.pi))


def log_ndtr(x):
    if x > -60:
        return mp.log(mp.erfc(-x / mp.sqrt(2)) / 2)
    series = sum((-1) ** k * mp.fac2(2 * k - 1) / x ** (2 * k) for k in range(40))
    return -x * x / 2 - mp.log(-x * mp.sqrt(2 * mp.pi)) + mp.log(series)


def lgamma(x):
    if x > 0:
        return mp.loggamma(x)
    return mp.log(mp.pi / abs(x * mp.sinpi(x))) - mp.loggamma(-x)


def gamma(x):
    return mp.gamma(x) if abs(x) < 300 else mpf(0 if x < 0 else "inf")


def digamma(x):
    return mp.digamma(x) if x > 0 else mp.digamma(1 - x) - mp.pi * mp.cospi(x) / mp.sinpi(x)


def lbeta(a, b):
    return mp.loggamma(a) + mp.loggamma(b) - mp.loggamma(a + b)


def polygamma(n, x):
    n = int(n)
    if n == 0:
        return digamma(x)
    if x > 1e9:
        # As many terms of the asymptotic series as are needed for such arguments.
        terms = (mp.bernoulli(2 * k) * mp.fac(2 * k + n - 1) / (mp.fac(2 * k) * x ** (2 * k + n)) for k in range(1, 8))
        return (-1) ** (n + 1) * (mp.fac(n - 1) / x**n + mp.fac(n) / (2 * x ** (n + 1)) + sum(terms))
    if x > 0:
        return mp.polygamma(n, x)
    m = mp.ceil(-x) + 1
    return mp.polygamma(n, x + m) + (-1) ** (n + 1) * mp.fac(n) * sum(1 / (x + k) ** (n + 1) for k in range(int(m)))


def sinc_derivative(n, x):
    """By the recurrence, whose cancellation the precision allows."""
    if x == 0:
        return mpf(1) if n == 0 else None
    s = mp.sin(mp.pi * x) / (mp.pi * x)
    for k in range(1, int(n) + 1):
        s = (mp.pi ** (k - 1) * mp.sin(mp.pi * x + k * mp.pi / 2) - k * s) / x
    return s


def igamma_series(a, x):
    term = total = mpf(1)
    k = 0
    while term > total * mpf(2) ** -mp.prec:
        k += 1
        term = term * x / (a + k)
        total += term
    return mp.exp(a * mp.log(x) - x - mp.loggamma(a + 1)) * total


def slope(f, x):
    """By central differences, to a sixth of the precision."""
    h = x * mpf(2) ** (-mp.prec // 5)
    return (f(x + h) - f(x - h)) / (2 * h)


def betainc(a, b, x):
    return betainc_tail(a, b, x) + (x > (a + 1) / (a + b + 2))


def betainc_tail(a, b, x):
    """The function left of the mean, and what it lacks to one, negative, right of it."""
    if x > (a + 1) / (a + b + 2):
        return -betainc_tail(b, a, 1 - x)
    term = total = mpf(1)
    k = 0
    while term > total * mpf(2) ** -mp.prec:
        k += 1
        term = term * x * (a + b + k - 1) / (a + k)
        total += term
    return mp.exp(a * mp.log(x) + b * mp.log(1 - x) - lbeta(a, b)) / a * total


def erfcx_derivative(n, x):
    """By the recurrence, whose cancellation the precision allows."""
    if not -26 < x < 1e6:
        return None
    before, y = -2 / mp.sqrt(mp.pi), mp.exp(x * x) * mp.erfc(x)
    for k in range(int(n)):
        before, y = y, 2 * x * y + (2 * k or 1) * before
    return y


def log_ndtr_derivative(n, x):
    """By the derivatives of y' = -y (y + x), whose cancellation the precision allows."""
    if not -1e6 < x < 38:
        return None
    y = [None, mp.exp(-x * x / 2) / mp.sqrt(2 * mp.pi) / (mp.erfc(-x / mp.sqrt(2)) / 2)]
    rise = [y[1] + x]
    for k in range(1, int(n)):
        y.append(-sum(mp.binomial(k - 1, j) * y[1 + j] * rise[k - 1 - j] for j in range(k)))
        rise.append(y[-1] + (k == 1))
    return y[-1]


def ine_derivative(n, k, x):
    n, k, sign = int(n), int(k), 1 if x > 0 else -1
    if abs(x) > 1e7:
        return None
    once = lambda f: {m: (f[abs(m - 1)] + f[m + 1]) / 2 - sign * f[m] for m in range(len(f) - 1)}
    f = {m: mp.exp(-abs(x)) * mp.besseli(m, x) for m in range(n + k + 1)}
    for _ in range(k):
        f = once(f)
    return f[n]


def polygamma_difference(n, x, d):
    return polygamma(n, x) - polygamma(n, x + d)


def log(x):
    """As the functions with a limit at 0 need it."""
    return mp.log(x) if x > 0 else mpf("nan")


def zeta(s, q):
    """With as many terms at negative arguments as lead to a positive one; for huge ones by the asymptotic expansion."""
    if q > 1e6:
        terms = (mp.bernoulli(2 * k) / mp.fac(2 * k) * mp.rf(s, 2 * k - 1) / q ** (2 * k) for k in range(1, 30))
        return q ** (1 - s) * (1 / (s - 1) + 1 / (2 * q) + sum(terms)) if s < 1e3 else None
    m = max(0, int(mp.ceil(-q)))
    # mpmath's own is precise next to one.
    with mp.workprec(int(mp.prec + s * max(mp.log(q + m, 2), 0))):
        return mp.zeta(s, q + m) + sum((q + k) ** -int(s) for k in range(m))


def spence_derivative(n, x):
    """By Leibniz' rule from (1 - x) f' = ln x, whose cancellation the precision allows."""
    if x == 1:
        return None
    y = mp.log(x) / (1 - x)
    for k in range(1, int(n)):
        y = (k * y + (-1) ** (k - 1) * mp.fac(k - 1) / x**k) / (1 - x)
    return y


def dilogarithm(x):
    return mp.polylog(2, 1 - x) if x < 1e6 else -mp.log(x) ** 2 / 2 - mp.pi**2 / 6 + mp.log(x) * -mp.log1p(-1 / x) + mp.polylog(2, 1 / x)


UNARY = {
    "erf": mp.erf,
    "erfc": erfc,
    "erfcx": lambda x: mp.exp(x * x) * mp.erfc(x) if abs(x) < 1000 else erfcx_far(x),
    "erf_inv": mp.erfinv,
    "ndtr": lambda x: erfc(-x / mp.sqrt(2)) / 2,
    "log_ndtr": log_ndtr,
    "ndtri": None,
    "gamma": gamma,
    "lgamma": lgamma,
    "digamma": digamma,
    "entr": lambda x: -x * log(x),
    "logit": lambda x: mp.log(x / (1 - x)),
    "softplus": lambda x: mp.log1p(mp.exp(x)) if x < 2000 else x,
    "log1mexp": lambda x: mp.log(-mp.expm1(-x)) if x < 2000 else mpf(0),
    "sinc": lambda x: mp.sinpi(x) / (mp.pi * x),
    "bessel_j0": lambda x: mp.besselj(0, x),
    "bessel_j1": lambda x: mp.besselj(1, x),
    "bessel_y0": lambda x: mp.bessely(0, x),
    "bessel_y1": lambda x: mp.bessely(1, x),
    "bessel_i0": lambda x: mp.besseli(0, x),
    "bessel_i1": lambda x: mp.besseli(1, x),
    "bessel_i0e": lambda x: mp.exp(-abs(x)) * mp.besseli(0, x),
    "bessel_i1e": lambda x: mp.exp(-abs(x)) * mp.besseli(1, x),
    "sech": lambda x: mp.sech(x) if abs(x) < 2000 else mpf(0),
    "tanh_derivative": lambda x: mp.sech(x) ** 2 if abs(x) < 2000 else mpf(0),
    "logistic_derivative": lambda x: mp.sech(x / 2) ** 2 / 4 if abs(x) < 2000 else mpf(0),
    "gaussian": lambda x: mp.exp(-x * x) if abs(x) < 2000 else mpf(0),
    "normal_density": lambda x: mp.exp(-x * x / 2) / mp.sqrt(2 * mp.pi) if abs(x) < 2000 else mpf(0),
    "erf_inv_derivative": lambda x: mp.sqrt(mp.pi) / 2 * mp.exp(mp.erfinv(x) ** 2),
    "normal_hazard": lambda x: log_ndtr_derivative(1, x),
    "exp1": lambda x: mp.e1(x) if x < 800 else mpf(0),
    "expi": lambda x: mp.ei(x) if abs(x) < 800 else mpf(0 if x < 0 else "inf"),
    "spence": dilogarithm,
    "rgamma": lambda x: mp.rgamma(x) if abs(x) < 300 else mpf(0),
}
BINARY = {
    "xlogy": lambda x, y: x * log(y),
    "xlog1py": lambda x, y: x * mp.log1p(y),
    "logaddexp": lambda x, y: max(x, y) + mp.log1p(mp.exp(-abs(x - y))),
    "beta": lambda a, b: mp.exp(lbeta(a, b)),
    "lbeta": lbeta,
    "polygamma": polygamma,
    "sinc_derivative": sinc_derivative,
    "igamma": igamma_series,
    "igammac": lambda a, x: 1 - igamma_series(a, x),
    "gamma_density": lambda a, x: mp.exp((a - 1) * mp.log(x) - x - mp.loggamma(a)),
    "igamma_grad_a": lambda a, x: slope(lambda a: igamma_series(a, x), a),
    "bessel_jn": mp.besselj,
    "bessel_in": mp.besseli,
    "bessel_ine": lambda n, x: mp.exp(-abs(x)) * mp.besseli(n, x),
    "direction_cosine": lambda x, y: x / mp.sqrt(x * x + y * y),
    "erfcx_derivative": erfcx_derivative,
    "log_ndtr_derivative": log_ndtr_derivative,
    "zeta": zeta,
    "spence_derivative": spence_derivative,
    "log_ratio": lambda x, y: mp.log(x / y),
    "rel_entr": lambda x, y: x * mp.log(x / y),
    "kl_div": lambda x, y: x * mp.log(x / y) - x + y,
}
TERNARY = {
    "betainc": betainc,
    "beta_density": lambda a, b, x: mp.exp((a - 1) * mp.log(x) + (b - 1) * mp.log(1 - x) - lbeta(a, b)),
    "betainc_grad_a": lambda a, b, x: slope(lambda a: betainc_tail(a, b, x), a),
    "betainc_grad_b": lambda a, b, x: slope(lambda b: betainc_tail(a, b, x), b),
    "polygamma_difference": polygamma_difference,
    "bessel_ine_derivative": ine_derivative,
}

CENTERS = {
    "erf": [0.5, 1.0, 2.0, 5.9, 6.0],
    "erfc": [0.5, -0.5, 1.0, 3.0, 6.0, 26.5, 27.2],
    "erfcx": [0.5, -0.5, 1.0, 3.0, -20.0, -26.5, 27.0, 1e9],
    "ndtr": [0.70710678, -0.70710678, -1.0, 3.0, -37.5, -38.5],
    "log_ndtr": [0.70710678, -0.70710678, -1.0, 8.0, 38.0, -38.0],
    "gamma": [0.5, 1.0, 1.5, 2.0, 2.5, 7.5, 170.0, 171.6, -0.5, -1.5, -10.0, -170.5, -180.5],
    "lgamma": [0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 6.5, 7.5, 8.0, -0.5, -2.457, -2.747, -3.955, 1e17, 1e300],
    "digamma": [1.0, ROOT_OF_DIGAMMA, 2.0, 3.0, 8.0, -0.5, -0.504, -1.573, -10.0, 1e17],
    "softplus": [-40.0, 1.0, 37.0, -37.0, 700.0],
    "log1mexp": [0.69314718, 1.0, 40.0, 37.0],
    "sinc": [0.5, 1.0, 1.5, 2.0, 1e5 + 0.5, 2.0**51],
    "entr": [1.0, 0.36787944, 2.0],
    "sech": [0.34657, 1.0397, 355.0, 708.4, 744.5, 20.0],
    "tanh_derivative": [0.17328, 0.51986, 25.0, 354.2, 372.5, 20.0],
    "logistic_derivative": [0.34657, 1.0397, 50.0, 708.4, 744.5, 20.0],
    "gaussian": [0.5, 1.0, 3.0, 26.6, 27.2],
    "normal_density": [0.5, 1.0, 3.0, 37.6, 38.5],
    "normal_hazard": [0.70710678, -0.70710678, -1.0, 8.0, 37.7, -1000.0],
    "exp1": [0.5, 1.0, 4.0, 8.0, 700.0, 738.0],
    "expi": [0.37250741078136663, 0.37250741078136663, 0.2475, 0.4975, 1.0, 40.0, -4.0, -1.0, 716.0, -700.0, -738.0],
    "spence": [0.5, 1.0, 1.0, 2.0, 1e20, 1e-20],
    "rgamma": [0.5, 1.0, 1.5, 2.0, 2.5, 7.5, 170.0, 171.6, 177.0, -0.5, -1.0, -1.5, -2.0, -10.0, -170.5],
}


def unary_points(name, rng):
    while True:
        if name.startswith("erf_inv"):
            yield rng.uniform(-1, 1)
            yield near(rng, 0.5)
            yield rng.choice([-1.0, 1.0]) * (1 - 2.0 ** rng.uniform(-53, -1))
            yield any_number(rng, 0x3FF0 << 48)
        elif name in ("ndtri", "ndtri_derivative", "logit"):
            yield rng.random()
            yield near(rng, 0.5)
            yield near(rng, 0.25)
            yield 1 - 2.0 ** rng.uniform(-53, -1)
            yield abs(any_number(rng, 0x3FE0 << 48))
            yield abs(any_number(rng, 1 << 52))
        elif name.startswith("bessel"):
            sign = abs if "y" in name else float
            yield sign(rng.uniform(-25, 25))
            yield sign(rng.uniform(-60, 60))
            yield sign(rng.choice([-1.0, 1.0]) * 2.0 ** rng.uniform(-60, 40))
            yield sign(any_number(rng, 0x4000 << 48))
            yield sign(rng.uniform(-710, 710))
            yield near(rng, rng.choice([2.404825557695773, 3.8317059702075125, 0.8935769662791675, 2.197141326031017]))
        else:
            sign = abs if name in ("entr", "log1mexp", "exp1", "spence") else float
            yield sign(near(rng, rng.choice(CENTERS[name])))
            yield sign(any_number(rng))
            yield sign(any_number(rng, 1 << 52))
            yield sign(rng.choice([-1.0, 1.0]) * 2.0 ** rng.uniform(-60, 3))
            yield sign(rng.uniform(-8, 8))
            yield sign(rng.uniform(-40, 40))
            yield sign(rng.uniform(-180, 180))


def positive(rng):
    return rng.choice([rng.uniform(0, 20), 2.0 ** rng.uniform(-30, 30), near(rng, 10.0), abs(any_number(rng))])


def binary_points(name, rng):
    while True:
        if name == "xlogy":
            yield any_number(rng), abs(any_number(rng))
            yield rng.uniform(-8, 8), abs(near(rng, 1.0))
        elif name == "xlog1py":
            yield any_number(rng), abs(any_number(rng))
            yield rng.uniform(-8, 8), rng.uniform(-1, 1)
            yield rng.uniform(-8, 8), any_number(rng, 0x3FF0 << 48)
        elif name == "logaddexp":
            x = rng.uniform(-8, 8)
            yield x, x + rng.choice([-1.0, 1.0]) * 2.0 ** rng.uniform(-40, 5)
            yield rng.uniform(-700, 700), rng.uniform(-700, 700)
            yield any_number(rng), any_number(rng)
        elif name in ("beta", "lbeta"):
            a, b = positive(rng), positive(rng)
            if 1e-290 < a < 1e290 and 1e-290 < b < 1e290:
                yield a, b
            yield rng.uniform(0, 20), rng.uniform(0, 20)
            yield rng.uniform(0, 20), 2.0 ** rng.uniform(0, 40)
        elif name == "polygamma":
            n = float(rng.choice([1, 1, 2, 3, 4, 7, 12, 30]))
            yield n, rng.uniform(0, 20)
            yield n, 2.0 ** rng.uniform(-20, 20)
            yield n, rng.uniform(-20, 0)
            yield 0.0, rng.uniform(0, 20)
        elif name == "direction_cosine":
            yield from itertools.islice(reference.binary_points("hypot", rng), 5)
        elif name == "zeta":
            s = rng.choice([1 + 2.0 ** rng.uniform(-52, 0), 1 + 2.0 ** rng.uniform(-4, 6), float(rng.randrange(2, 9)), 2.0 ** rng.uniform(0.1, 9)])
            yield s, rng.uniform(0, 20)
            yield s, 2.0 ** rng.uniform(-30, 30)
            yield s, abs(any_number(rng))
            yield float(rng.randrange(2, 30)), rng.uniform(-10, 0)
        elif name == "spence_derivative":
            n = float(rng.choice([1, 1, 2, 2, 3, 3, 4, 7, 12, 25]))
            yield n, rng.uniform(0, 6)
            yield n, near(rng, rng.choice([0.5, 1.0, 1.0, 4.0]))
            yield n, 2.0 ** rng.uniform(-40, 40)
            yield n, abs(any_number(rng))
        elif name in ("log_ratio", "rel_entr", "kl_div"):
            x = abs(any_number(rng))
            yield x, abs(any_number(rng))
            yield x, near(rng, x)
            yield x, x * rng.uniform(0.3, 3)
            yield rng.uniform(0, 8), rng.uniform(0, 8)
            yield abs(any_number(rng, 1 << 53)), abs(any_number(rng, 1 << 53))
        elif name == "erfcx_derivative":
            n = float(rng.choice([0, 1, 1, 2, 2, 3, 3, 4, 7, 12, 24]))
            yield n, rng.uniform(-4, 8)
            yield n, near(rng, 5 / math.sqrt(max(n, 4.0)))
            yield n, rng.choice([-1.0, 1.0]) * 2.0 ** rng.uniform(-60, 15)
        elif name == "log_ndtr_derivative":
            n = float(rng.choice([2, 3, 4]))
            yield n, rng.uniform(-8, 8)
            yield n, rng.uniform(-40, 37)
            yield n, near(rng, rng.choice([-4.0, 1.0]))
            yield n, -(2.0 ** rng.uniform(-60, 15))
        elif name.startswith("bessel"):
            n = float(rng.choice([0, 1, 2, 2, 3, 4, 7, 12, 24]))
            yield n, rng.uniform(-25, 25)
            yield n, rng.uniform(-100, 100)
            yield n, rng.choice([-1.0, 1.0]) * 2.0 ** rng.uniform(-60, 20)
        elif "gamma" in name:
            a = rng.choice([rng.uniform(0, 30), rng.uniform(0, 400), 2.0 ** rng.uniform(-30, 20)])
            yield a, abs(a + 3 * math.sqrt(a) * rng.gauss(0, 1))
            yield a, a * 2.0 ** rng.uniform(-3, 3)
            yield rng.uniform(0, 2), 2.0 ** rng.uniform(-60, 3)
        else:
            n = float(rng.choice([0, 1, 1, 2, 2, 3, 4, 7, 12]))
            yield n, rng.uniform(-8, 8)
            yield n, rng.choice([-1.0, 1.0]) * 2.0 ** rng.uniform(-60, 20)
            yield n, rng.uniform(-0.5, 0.5)


def ternary_points(name, rng):
    while name == "bessel_ine_derivative":
        n, k = float(rng.choice([0, 0, 1, 1, 2, 3, 7, 24])), float(rng.choice([0, 1, 1, 2, 2, 3, 3, 5, 8]))
        yield n, k, rng.uniform(-25, 25)
        yield n, k, rng.uniform(0, 100)
        yield n, k, rng.choice([-1.0, 1.0]) * 2.0 ** rng.uniform(-60, 20)
    while name == "polygamma_difference":
        n = float(rng.choice([0, 0, 1, 1, 2, 3, 7]))
        yield n, rng.uniform(0, 20), rng.uniform(0, 20)
        yield n, 2.0 ** rng.uniform(-20, 20), 2.0 ** rng.uniform(-60, 20)
        yield n, near(rng, 12.5 + 0.5 * n), 2.0 ** rng.uniform(-60, 20)
    while True:
        parameter = lambda: rng.choice([rng.uniform(0, 5), rng.uniform(0, 100), 2.0 ** rng.uniform(-20, 13)])
        a, b = parameter(), parameter()
        mean = a / (a + b)
        deviation = math.sqrt(mean * (1 - mean) / (a + b + 1))
        x = mean + 2 * deviation * rng.gauss(0, 1)
        if 0 < x < 1:
            yield a, b, x
        yield a, b, rng.random()
        yield rng.uniform(0, 5), rng.uniform(0, 5), 2.0 ** rng.uniform(-60, -1)


def ndtri(p):
    """By Newton's method, in the tail."""
    q = min(p, 1 - p)
    x = -mp.sqrt(-2 * mp.log(q)) if q < 0.1 else mpf(0)
    for _ in range(200):
        tail = mp.erfc(-x / mp.sqrt(2)) / 2
        density = mp.exp(-x * x / 2) / mp.sqrt(2 * mp.pi)
        step = tail * mp.log(tail / q) / density
        x -= step
        if abs(step) < mpf(2) ** -300 * abs(x) or x == 0:
            break
    return x if p < 0.5 else -x


UNARY["ndtri"] = ndtri
UNARY["ndtri_derivative"] = lambda p: mp.sqrt(2 * mp.pi) * mp.exp(ndtri(p) ** 2 / 2)


def writes(name):
    return len(sys.argv) == 1 or name in sys.argv[1:]


if __name__ == "__main__":
    # Enough for what these functions cancel; some need more.
    for name, f in UNARY.items():
        if writes(name):
            mp.prec = 2400 if name in ("logit", "entr", "softplus") else 1300 if name.startswith("ndtri") else 500
            reference.write(name, f, unary_points(name, random.Random(name)), 300)
    for name, f in BINARY.items():
        if writes(name):
            mp.prec = 2400 if name in ("xlog1py", "logaddexp", "beta", "lbeta", "log_ratio", "rel_entr", "kl_div") else 1000
            mp.prec = {"zeta": 300, "spence_derivative": 4000}.get(name, mp.prec)
            mp.prec = 1400 if "gamma" in name and name != "polygamma" else mp.prec
            reference.write(name, f, binary_points(name, random.Random(name)), 300)
    for name, f in TERNARY.items():
        if writes(name):
            mp.prec = 400 if "grad" in name else 1400
            reference.write(name, f, ternary_points(name, random.Random(name)), 300)
