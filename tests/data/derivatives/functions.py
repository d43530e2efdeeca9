"""What `make.py` tabulates: each operation's function, points, and values where there is no neighborhood.

A name is that of the operation, followed by its parameter where it has one. Branches of the functions are those of a
point's neighborhood.
"""

import functools
import math

from make import ALL, HUGE, INF, NAN, TAIL, TINY, UNIT, UP_TO_OVERFLOW, Table, both, near
from mpmath import mp, mpf

POSITIVE = ALL
SIGNED = both(ALL)
ROOT_OF_DIGAMMA = 1.4616321449683622


def unary(function, points, rows=(), **more):
    return lambda: Table(function, points, list(rows) + [(NAN, NAN)], **more)


def polynomial(function, points, rows=(), **more):
    """Of some order on its derivatives are constants, at NaN, too."""
    return lambda: Table(function, points, list(rows) + [(NAN, [NAN, None, None, None])], **more)


def binary(function, points, rows=(), **more):
    return lambda: Table(function, points, rows, **more)


def pairs(firsts, seconds):
    return [(x, y) for x in firsts for y in seconds]


def ints_below(v):
    """The poles of the gamma function next to a point."""
    k = math.floor(v)
    return [float(p) for p in (k, k + 1) if p <= 0 and abs(v) < 1e15]


def digamma(x):
    return mp.digamma(x) if x > 0 else mp.digamma(1 - x) - mp.pi * mp.cospi(x) / mp.sinpi(x)


def log_abs_gamma(x):
    return mp.loggamma(x) if x > 0 else mp.log(mp.pi / abs(x * mp.sinpi(x))) - mp.loggamma(-x)


def gamma(x):
    return mp.gamma(x) if abs(x) < 1000 else mpf(0)


def erfc(x):
    return mp.erfc(x) if abs(x) < 10**6 else mpf(0 if x > 0 else 2)


def mills_far(x):
    """x √π exp(x²) erfc(x) for large x, by the asymptotic series."""
    total, term, k = mpf(1), mpf(1), 0
    while abs(term) > mpf(2) ** -mp.prec:
        k += 1
        term *= -(2 * k - 1) / (2 * x * x)
        total += term
    return total


def log_ndtr(x):
    if x < -(10**6):
        y = -x / mp.sqrt(2)
        return mp.log(mills_far(y) / (2 * y * mp.sqrt(mp.pi))) - y * y
    return mp.log1p(-erfc(x / mp.sqrt(2)) / 2) if x > 0 else mp.log(erfc(-x / mp.sqrt(2)) / 2)


def erfcx(x):
    return mills_far(x) / (x * mp.sqrt(mp.pi)) if x > 10**6 else mp.exp(x * x) * erfc(x)


def softplus(x):
    return mp.log1p(mp.exp(x)) if x < 0 else x + mp.log1p(mp.exp(-x))


def logaddexp(x, y):
    return y + softplus(x - y) if x < y else x + softplus(y - x)


def ndtri(p):
    if p > mpf(1) / 2:
        return -ndtri(1 - p)
    # ln Φ is concave, so that Newton's method on it converges from below.
    y, goal = -mp.sqrt(-2 * mp.log(p)) - mpf(1) / 10, mp.log(p)
    for _ in range(200):
        value = mp.erfc(-y / mp.sqrt(2)) / 2
        step = (mp.log(value) - goal) * value / (mp.exp(-y * y / 2) / mp.sqrt(2 * mp.pi))
        y -= step
        if abs(step) <= mpf(2) ** (8 - mp.prec) * max(abs(y), mpf(2) ** -1200):
            break
    return y


def erf_inv(x):
    if x < 0:
        return -erf_inv(-x)
    if x > mpf(1) / 2:
        return -ndtri((1 - x) / 2) / mp.sqrt(2)
    y = x * mp.sqrt(mp.pi) / 2
    for _ in range(200):
        step = (mp.erf(y) - x) * mp.sqrt(mp.pi) / 2 * mp.exp(y * y)
        y -= step
        if abs(step) <= mpf(2) ** (8 - mp.prec) * abs(y):
            break
    return y


def sinc(x):
    return mp.sin(mp.pi * x) / (mp.pi * x)


def power(n):
    return lambda x: x**n


def scaled(function):
    return lambda x: mp.exp(-abs(x)) * function(x)


def derivative_of_y(order):
    """2ᵏ Yₙ⁽ᵏ⁾ = Σ (-1)ⁱ C(k, i) Yₙ₋ₖ₊₂ᵢ (Abramowitz and Stegun, 9.1.31)."""

    @functools.cache
    def of_precision(n, x, prec):
        return mp.bessely(n, x)

    def y(n, x):
        return (-1) ** min(n, 0) * of_precision(abs(n), x, mp.prec)

    return lambda d, x: sum((-1) ** i * math.comb(d[0], i) * y(order - d[0] + 2 * i, x) for i in range(d[0] + 1)) / 2 ** d[0]


def polygamma(n, x):
    if x > 10**6:
        # As many terms of the asymptotic expansion as the precision asks for.
        total, k = mp.fac(n) / (2 * x ** (n + 1)), 1
        total = total + mp.fac(n - 1) / x**n if n else mp.log(x) - 1 / (2 * x)
        while True:
            term = mp.bernoulli(2 * k) * mp.fac(2 * k + n - 1) / (mp.fac(2 * k) * x ** (2 * k + n))
            total += term if n else -term
            if abs(term) < mpf(2) ** -mp.prec * abs(total):
                return total if n % 2 or not n else -total
            k += 1
    m = max(0, int(mp.ceil(-x)) + 1)
    shifted = mp.polygamma(n, x + m)
    return shifted + (-1) ** (n + 1) * mp.fac(n) * sum(1 / (x + k) ** (n + 1) for k in range(m))


def difference_of_polygamma(order):
    def formula(d, x, y):
        n = order + d[0] + d[1]
        return -polygamma(n, x + y) if d[1] else polygamma(n, x) - polygamma(n, x + y)

    return formula


def igamma(a, x):
    return mp.gammainc(a, 0, x, regularized=True)


def density(a, x):
    return mp.exp((a - 1) * mp.log(x) - x - mp.loggamma(a))


def betainc(a, b, x):
    return mp.betainc(a, b, 0, x, regularized=True)


def beta_density(a, b, x):
    return mp.exp((a - 1) * mp.log(x) + (b - 1) * mp.log(1 - x) - mp.loggamma(a) - mp.loggamma(b) + mp.loggamma(a + b))


def lbeta(a, b):
    return mp.loggamma(a) + mp.loggamma(b) - mp.loggamma(a + b)


def exponential_integral(function, rate):
    """Of the function whose derivative is `rate e^(rate x)/x`: the derivatives by Leibniz' rule."""

    def formula(d, x):
        if d[0] == 0:
            return function(x)
        m = d[0] - 1
        terms = ((-1) ** j * math.comb(m, j) * mpf(rate) ** (m - j) * mp.fac(j) / x ** (j + 1) for j in range(m + 1))
        return rate * mp.exp(rate * x) * sum(terms)

    return formula


def dilogarithm(x):
    return -mp.log(x) ** 2 / 2 - dilogarithm(1 / x) if x > 2 else mp.polylog(2, 1 - x)


def derivative_of_spence(order):
    """By Leibniz' rule from (1 - x) f' = ln x."""

    def formula(d, x):
        n = order + d[0]
        if n == 0:
            return dilogarithm(x)
        if x == 1:
            return (-1) ** n * mp.fac(n - 1) / n
        with mp.workprec(8 * mp.prec):
            y = mp.log(x) / (1 - x)
            for k in range(1, n):
                y = (k * y + (-1) ** (k - 1) * mp.fac(k - 1) / x**k) / (1 - x)
            return y

    return formula


def zeta(s, q):
    if q > 10**6:
        terms = (mp.bernoulli(2 * k) / mp.fac(2 * k) * mp.rf(s, 2 * k - 1) / q ** (2 * k) for k in range(1, 20))
        return q ** (1 - s) * (1 / (s - 1) + 1 / (2 * q) + sum(terms))
    m = max(0, int(mp.ceil(-q)))
    # mpmath's own is precise next to one.
    with mp.workprec(int(mp.prec + s * max(mp.log(q + m, 2), 0))):
        return mp.zeta(s, q + m) + sum((q + k) ** -int(s) for k in range(m))


def derivative_of_zeta(d, s, q):
    return (-1) ** d[1] * mp.rf(s, d[1]) * zeta(s + d[1], q)


def clamp(lo, x, hi):
    return min(max(lo, x), hi)


STEPS = [1.5, 0.25, 1.3e-300, 7.75, 1.1e8 + 0.25]
BELOW_ONE = TINY + [0.0123, 0.1, 0.29, 0.5, 0.7, 0.9, 0.99] + [1.0 - 2.0**-k for k in (10, 20, 30, 40, 52, 53)]
FRACTIONS = [1e-300, 1.3e-40, 1e-16, 1e-5, 0.0123, 0.02425, 0.1, 0.29, 0.4, 0.499, 0.5, 0.501, 0.7, 0.9, 0.99, 0.9999] + [
    1.0 - 2.0**-k for k in (20, 30, 40, 52, 53)
]
TRIG = both(TINY + UNIT + TAIL + [math.pi, math.pi / 2, math.pi / 4, 1e5, 1e9, 1e22, 1e155, 1.7e308])
BESSEL = [1e-16, 1e-5, 0.0123, 0.29, 0.9, 1.5, 2.404825557695773, 3.831705970207512, 4.0, 7.3, 11.0, 24.0, 26.2, 37.0, 100.3, 1000.7]
# No power up to the fourth of these or of their quotients overflows or vanishes.
SIGNED_GRID = pairs(both([1.1e-70, 1.3e-20, 1e-5, 0.29, 1.0, 2.5, 37.0, 1.1e8, 1.3e40]), [1.1e-30, 1.1e-5, 0.7, 1.0, -3.1, 55.0, -1.9e30])
PARAMETERS = [(0.5, 0.01), (0.5, 0.7), (0.5, 4.0), (1.0, 0.5), (1.0, 2.5), (2.5, 1e-5), (2.5, 1.0), (2.5, 2.5), (2.5, 9.0), (7.3, 7.0),
              (7.3, 20.0), (20.3, 15.0), (20.3, 37.0), (0.01, 1e-5), (0.01, 2.0)]
TRIPLES = [(0.5, 0.5, 0.125), (1.0, 1.0, 0.25), (2.5, 3.5, 0.3), (2.5, 3.5, 0.9), (7.3, 0.7, 0.6), (7.3, 0.7, 0.99), (0.3, 5.5, 0.01),
           (10.0, 2.5, 0.75), (10.5, 20.5, 0.3), (2.0, 3.0, 0.5), (1.5, 1.5, 1e-8)]
ENTROPIES = pairs([1.1e-70, 1.3e-20, 1e-5, 0.29, 1.0, 2.5, 37.0, 1.1e8, 1.3e40], [1.1e-30, 1.1e-5, 0.3, 0.7, 1.3, 2.6, 3.1, 36.0, 1.9e30]) + [(1.0, 1.0 + 2.0**-k) for k in (52, 40, 20, 5)] + [(1.0 + 2.0**-30, 1.0)]
POSITIVE_PAIRS = pairs([1e-300, 1.3e-20, 1e-5, 0.29, 1.0, 2.5, 9.0, 37.0, 1100.3, 1.1e8, 1.3e16], [1.7e-10, 0.011, 0.7, 1.0, 3.1, 15.0, 260.5, 1.9e6, 1e12])

TABLES = {
    # arithmetic
    "add": binary(lambda x, y: x + y, SIGNED_GRID[::5]),
    "sub": binary(lambda x, y: x - y, SIGNED_GRID[::5]),
    "mul": binary(lambda x, y: x * y, SIGNED_GRID[::2]),
    # Away from its zeros the product with a strong zero is the product.
    **{f"strong_mul_{zeros}": binary(lambda x, y: x * y, SIGNED_GRID[::2]) for zeros in ("lhs", "rhs", "either")},
    "div": binary(lambda x, y: x / y, SIGNED_GRID),
    "neg": polynomial(lambda x: -x, SIGNED[::6], [(0.0, [0.0, -1]), (INF, [-INF, -1])]),
    "rem": binary(lambda x, y: x - y * (mp.floor(x / y) if x / y > 0 else mp.ceil(x / y)), pairs([7.3, -7.3, 0.29, 55.1], [2.0, -3.1, 0.7])),
    "fma": binary(lambda x, y, z: x * y + z, [(1.5, -2.5, 0.29), (1e-160, 1e150, 3.0), (-37.0, 0.1, 1e20)]),
    **{f"strong_fma_{zeros}": binary(lambda x, y, z: x * y + z, [(1.5, -2.5, 0.29), (1e-160, 1e150, 3.0), (-37.0, 0.1, 1e20)])
       for zeros in ("lhs", "rhs", "either")},
    "max": binary(lambda x, y: max(x, y), pairs([-1.5, 0.29, 3.0], [-2.5, 1e-300, 1e8]), [((1.0, 1.0), [1, 0.5, 0.5]), ((0.0, -0.0), [0, 0.5, 0.5])]),
    "min": binary(lambda x, y: min(x, y), pairs([-1.5, 0.29, 3.0], [-2.5, 1e-300, 1e8]), [((1.0, 1.0), [1, 0.5, 0.5]), ((0.0, -0.0), [-0.0, 0.5, 0.5])]),
    "clamp": binary(clamp, [(-1.0, 0.5, 1.0), (-1.0, -2.5, 1.0), (-1.0, 7.0, 1.0)],
                    [((-1.0, 1.0, 1.0), [1, 0, 0.5, 0.5]), ((-1.0, -1.0, 1.0), [-1, 0.5, 0.5, 0])]),
    # sign
    "abs": polynomial(abs, SIGNED[::6], [(0.0, [0]), (INF, [INF, 1]), (-INF, [INF, -1])]),
    "sign": polynomial(mp.sign, SIGNED[::6], [(0.0, [0]), (INF, [1]), (-INF, [-1])]),
    "copysign": binary(lambda x, y: abs(x) * mp.sign(y), pairs([-1.5, 0.29, 1e-300], [-2.5, 1e8]), [((0.0, -1.0), [-0.0])]),
    # rounding
    "floor": polynomial(mp.floor, both(STEPS), [(0.0, [0]), (3.0, [3])]),
    "ceil": polynomial(mp.ceil, both(STEPS), [(0.0, [0]), (3.0, [3])]),
    "round": polynomial(lambda x: mp.sign(x) * mp.floor(abs(x) + mpf(1) / 2), both([0.25, 1.3e-300, 7.75, 1.1e8 + 0.25]), [(0.0, [0]), (1.5, [2])]),
    "trunc": polynomial(lambda x: mp.sign(x) * mp.floor(abs(x)), both(STEPS), [(0.0, [0]), (3.0, [3])]),
    # power
    "pow": binary(lambda x, y: x**y, pairs([1.1e-70, 1.3e-20, 1e-5, 0.29, 0.999999, 1.1, 2.5, 37.0, 1.1e8, 1.3e70],
                                          [1.3e-20, 1e-5, 0.29, 0.999999999, 1.0, 1.00001, 2.0, 2.5, 3.0, 7.3, -0.5, -1.0, -3.1]),
                  [((1.0, 2.0), [1, 2, 0, 2, 1, 0, 0, 3, 0, 0]), ((0.0, 2.0), [0, 0, 0, 2, 0, 0, 0, -INF, 0, 0]), ((0.0, 1.0), [0, 1, 0, 0, -INF, 0, None, None, None, 0]), ((0.0, 0.0), [1, 0, -INF, 0, INF, INF] + [None] * 4),
                   ((0.0, 3.0), [0, 0, 0, 0, 0, 0, 6, 0, 0, 0]), ((0.0, 4.5), 0), ((0.0, 0.5), [0, INF, 0] + [None] * 7)]),
    "sqrt": unary(mp.sqrt, POSITIVE, [(0.0, [0, INF, -INF, INF]), (INF, [INF]), (-1.0, NAN)], edges=[0]),
    "rsqrt": unary(lambda x: 1 / mp.sqrt(x), POSITIVE, [(0.0, [INF, -INF, INF, -INF]), (INF, [0]), (-1.0, NAN)], edges=[0]),
    "cbrt": unary(lambda x: mp.sign(x) * mp.cbrt(abs(x)), SIGNED, [(0.0, [0, INF, None, None]), (INF, [INF]), (-INF, [-INF])], edges=[0]),
    "square": polynomial(lambda x: x * x, SIGNED, [(0.0, [0, 0, 2]), (INF, [INF, INF, 2])]),
    "reciprocal": unary(lambda x: 1 / x, SIGNED, [(0.0, [INF, -INF, INF, -INF]), (INF, [0])], edges=[0]),
    "hypot": binary(lambda x, y: mp.sqrt(x * x + y * y), SIGNED_GRID, [((0.0, 0.0), [0, 0, 0] + [None] * 7), ((0.0, 2.0), [2, 0, 1, 0.5, 0, 0, 0, -0.25, 0, 0]),
                                                                    ((3.0, 0.0), [3, 1, 0, 0, 0, 1 / 3, 0, 0, -1 / 9, 0])]),
    # elementary
    "exp": unary(mp.exp, both(UP_TO_OVERFLOW), [(0.0, 1), (INF, INF), (-INF, 0)]),
    "exp2": unary(lambda x: mpf(2) ** x, both(UP_TO_OVERFLOW), [(INF, INF), (-INF, 0)]),
    "expm1": unary(mp.expm1, both(UP_TO_OVERFLOW), [(0.0, [0, 1, 1, 1]), (INF, INF), (-INF, [-1])]),
    "log": unary(mp.log, POSITIVE + near(1.0), [(0.0, [-INF, INF, -INF, INF]), (INF, [INF]), (-1.0, [NAN, None, None, None])], edges=[0]),
    "log2": unary(lambda x: mp.log(x) / mp.log(2), POSITIVE + near(1.0), [(0.0, [-INF, INF, -INF, INF]), (INF, [INF])], edges=[0]),
    "log10": unary(lambda x: mp.log(x) / mp.log(10), POSITIVE + near(1.0), [(0.0, [-INF, INF, -INF, INF]), (INF, [INF])], edges=[0]),
    "log1p": unary(mp.log1p, POSITIVE + [-x for x in BELOW_ONE], [(-1.0, [-INF, INF, -INF, INF]), (INF, [INF])], edges=[-1]),
    "sin": unary(mp.sin, TRIG, [(0.0, [0, 1, 0, -1]), (INF, NAN)]),
    "cos": unary(mp.cos, TRIG, [(0.0, [1, 0, -1, 0]), (INF, NAN)]),
    "tan": unary(mp.tan, TRIG, [(0.0, [0, 1, 0, 2]), (INF, NAN)], edges=[lambda x: [(math.floor(x / math.pi - 0.5) + k + 0.5) * math.pi for k in (0, 1)]]),
    "asin": unary(mp.asin, both(BELOW_ONE), [(0.0, [0, 1, 0, 1]), (1.0, [math.pi / 2, INF, INF, INF]), (-1.0, [-math.pi / 2, INF, -INF, INF]), (1.5, NAN)], edges=[-1, 1]),
    "acos": unary(mp.acos, both(BELOW_ONE), [(0.0, [math.pi / 2, -1, 0, -1]), (1.0, [0, -INF, -INF, -INF]), (-1.0, [math.pi, -INF, INF, -INF]), (1.5, NAN)], edges=[-1, 1]),
    "atan": unary(mp.atan, SIGNED, [(0.0, [0, 1, 0, -2]), (INF, [math.pi / 2]), (-INF, [-math.pi / 2])]),
    "sinh": unary(mp.sinh, both(UP_TO_OVERFLOW), [(0.0, [0, 1, 0, 1]), (INF, INF), (-INF, [-INF, INF, -INF, INF])]),
    "cosh": unary(mp.cosh, both(UP_TO_OVERFLOW), [(0.0, [1, 0, 1, 0]), (INF, INF), (-INF, [INF, -INF, INF, -INF])]),
    "tanh": unary(mp.tanh, both(UP_TO_OVERFLOW) + both(HUGE), [(0.0, [0, 1, 0, -2]), (INF, [1]), (-INF, [-1])]),
    "asinh": unary(mp.asinh, SIGNED, [(0.0, [0, 1, 0, -1]), (INF, [INF]), (-INF, [-INF])]),
    "acosh": unary(mp.acosh, [x for x in ALL if x > 1] + [1.0 + 2.0**-k for k in (1, 5, 10, 20, 30, 40, 52)], [(1.0, [0, INF, -INF, INF]), (INF, [INF]), (0.5, NAN)], edges=[1]),
    "atanh": unary(mp.atanh, both(BELOW_ONE), [(0.0, [0, 1, 0, 2]), (1.0, INF), (-1.0, [-INF, INF, -INF, INF]), (1.5, [NAN, None, None, None])], edges=[-1, 1]),
    "logistic": unary(lambda x: 1 / (1 + mp.exp(-x)), both(UP_TO_OVERFLOW + HUGE), [(0.0, [0.5, 0.25, 0, -0.125]), (INF, [1]), (-INF, [0])]),
    "direction_cosine": binary(lambda x, y: x / mp.sqrt(x * x + y * y), SIGNED_GRID, [((0.0, 2.0), [0, 0.5, 0, 0, -0.25, 0, -3 / 8, 0, 0.25, 0]), ((INF, 1.0), [1])]),
    "atan2": binary(lambda y, x: mp.atan2(y, x), SIGNED_GRID, [((0.0, 0.0), [0, 0, 0] + [None] * 7), ((0.0, 2.0), [0, 0.5, 0, 0, -0.25, 0, -0.25, 0, 0.25, 0]),
                                                              ((3.0, 0.0), [math.pi / 2, 0, -1 / 3, 0, 1 / 9, 0, 0, -2 / 27, 0, 2 / 27])]),
    "sech": unary(mp.sech, both(UP_TO_OVERFLOW + HUGE), [(0.0, [1, 0, -1, 0]), (INF, [0]), (-INF, [0])]),
    "tanh_derivative": unary(mp.tanh, both(UP_TO_OVERFLOW + HUGE), [(0.0, [1, 0, -2, 0]), (INF, [0]), (-INF, [0])], offset=(1,)),
    "logistic_derivative": unary(lambda x: 1 / (1 + mp.exp(-x)), both(UP_TO_OVERFLOW + HUGE), [(0.0, [0.25, 0, -0.125, 0]), (INF, [0]), (-INF, [0])], offset=(1,)),
    # error_function
    "erf": unary(mp.erf, both(TINY + UNIT + [15.3, 20.0, 26.2, 26.5, 28.0, 30.7, 1000.3, 1e155, 1e300]), [(INF, [1]), (-INF, [-1])]),
    "erfc": unary(erfc, both(TINY + UNIT + [15.3, 20.0, 26.2, 26.5, 28.0, 30.7, 1000.3]), [(INF, [0]), (-INF, [2])]),
    "erfcx": unary(erfcx, both(TINY + UNIT) + [15.3, -15.3, 20.0, -20.0, -26.2, -26.5, -26.6, -26.7, -30.0, 26.2, 30.7, 38.0, 100.3, 1e3, 1.07e5, 1.3e8, 1.1e20, 1.9e50, 1.3e77, 1.1e103],
                   [(INF, [0]), (-INF, [INF, -INF, INF, -INF])]),
    "erf_inv": unary(erf_inv, both(BELOW_ONE), [(0.0, [0, math.sqrt(math.pi) / 2, 0, math.pi**1.5 / 4]), (1.0, INF), (-1.0, [-INF, INF, -INF, INF]), (1.5, NAN)], edges=[-1, 1]),
    "ndtr": unary(lambda x: erfc(-x / mp.sqrt(2)) / 2, both(TINY + UNIT + [15.3, 20.0, 26.2, 37.0, 37.4, 40.0, 1000.3, 1e155]), [(INF, [1]), (-INF, [0])]),
    "log_ndtr": unary(log_ndtr, both(TINY + UNIT + [15.3, 20.0, 26.2, 37.0, 38.0, 38.4, 38.6, 40.0, 100.3, 1000.3]) + [-1e5, -1.3e8, -1.1e20, -1.9e50, -1.3e77, -1.1e103, -1.2e150],
                      [(INF, [-0.0]), (-INF, [-INF, INF, -1, 0])]),
    "ndtri": unary(ndtri, FRACTIONS, [(0.0, [-INF, INF, -INF, INF]), (1.0, INF), (1.5, NAN)], edges=[0, 1]),
    "erf_inv_derivative": unary(erf_inv, both(BELOW_ONE), [(1.0, INF), (-1.0, [INF, -INF, INF, -INF]), (1.5, NAN)], edges=[-1, 1], offset=(1,)),
    "ndtri_derivative": unary(ndtri, FRACTIONS, [(0.0, [INF, -INF, INF, -INF]), (1.0, INF), (1.5, NAN)], edges=[0, 1], offset=(1,)),
    "gaussian": unary(lambda x: mp.exp(-x * x), both(TINY + UNIT + [15.3, 20.0, 26.2, 26.5, 28.0, 30.7, 1000.3]), [(INF, [0]), (-INF, [0])]),
    "normal_density": unary(lambda x: mp.exp(-x * x / 2) / mp.sqrt(2 * mp.pi), both(TINY + UNIT + [15.3, 20.0, 26.2, 37.0, 37.4, 40.0, 1000.3]), [(INF, [0]), (-INF, [0])]),
    "normal_hazard": unary(log_ndtr, both(TINY + UNIT + [15.3, 20.0, 26.2, 37.0, 38.0, 38.4, 40.0]) + [-100.3, -1e5, -1.3e8, -1.1e20, -1.9e50, -1.3e77, -1.1e103, -1.2e150],
                           [(INF, [0]), (-INF, [INF, -1, 0, 0])], offset=(1,)),
    # log_sums
    "entr": unary(lambda x: -x * mp.log(x), POSITIVE + near(1.0, math.exp(-1)), [(0.0, [0, INF, -INF, INF]), (INF, [-INF, -INF, 0, 0])], edges=[0]),
    "logit": unary(lambda x: mp.log(x) - mp.log1p(-x), BELOW_ONE + near(0.5), [(0.0, [-INF, INF, -INF, INF]), (1.0, INF), (1.5, [NAN, None, None, None])], edges=[0, 1]),
    "softplus": unary(softplus, both(UP_TO_OVERFLOW + HUGE), [(0.0, [math.log(2), 0.5, 0.25, 0]), (INF, [INF, 1]), (-INF, [0])]),
    "log1mexp": unary(lambda x: mp.log(-mp.expm1(-x)), POSITIVE, [(0.0, [-INF, INF, -INF, INF]), (INF, [-0.0])], edges=[0]),
    "xlogy": binary(lambda x, y: x * mp.log(y), pairs(both([1e-300, 1e-5, 1.5, 1e100]), [1e-300, 1e-5, 0.29, 0.999, 1.0, 2.5, 1e8, 1e100]),
                    [((0.0, 0.0), [0, -INF, 0] + [None] * 7), ((0.0, 2.0), [0, math.log(2), 0, 0, 0.5, 0, 0, 0, -0.25, 0])], edges=[[], [0]]),
    "xlog1py": binary(lambda x, y: x * mp.log1p(y), pairs(both([1e-300, 1e-5, 1.5, 1e100]), [-1 + 2.0**-50, -0.9, -1e-5, 1e-300, 1e-5, 0.29, 2.5, 1e8, 1e100]),
                      [((0.0, -1.0), [0, -INF, 0] + [None] * 7), ((0.0, 1.0), [0, math.log(2), 0, 0, 0.5, 0, 0, 0, -0.25, 0])], edges=[[], [-1]]),
    "logaddexp": binary(logaddexp, pairs([-700.3, -37.0, -1.5, 1e-9, 0.29, 30.7, 710.3], [-738.7, -38.0, -2.5, -1e-5, 0.7, 3.1, 40.0, 1000.3]),
                        [((0.5, 0.5), [0.5 + math.log(2), 0.5, 0.5, 0.25, -0.25, 0.25, 0, 0, 0, 0]), ((INF, INF), [INF, 0.5, 0.5] + [None] * 7), ((INF, 1.0), [INF, 1])]),
    # gamma
    "gamma": unary(gamma, [x for x in TINY if x > 1e-300] + UNIT + near(ROOT_OF_DIGAMMA) + [15.3, 37.0, 100.0, 140.5, 170.3, 171.5] + [-1e-100, -1e-5, -0.29, -0.5, -1.5, -2.0 - 2.0**-30, -3.3, -10.5, -50.1, -120.3, -170.5],
                   [(180.0, [INF, INF, INF, None]), (INF, [INF, INF, None, None])], edges=[ints_below]),
    "lgamma": unary(log_abs_gamma, [x for x in TINY if x > 1e-300] + UNIT + TAIL[:8] + [1000.3, 1e5, 1e16, 1e50, 1e150, 1e300] + [-1e-100, -1e-5, -0.29, -0.5, -1.5, -2.0 - 2.0**-30, -3.3, -10.5, -50.1],
                    [(INF, [INF, INF])], edges=[ints_below]),
    "digamma": unary(digamma, [x for x in TINY if x > 1e-160] + UNIT + near(ROOT_OF_DIGAMMA) + TAIL[:8] + [1000.3, 1e5, 1e16, 1e50, 1e100] + [-1e-5, -0.29, -0.5, -1.5, -2.0 - 2.0**-30, -3.3, -10.5, -50.1],
                     [(INF, [INF])], edges=[ints_below]),
    "beta": binary(lambda a, b: mp.exp(lbeta(a, b)), [p for p in POSITIVE_PAIRS if max(p) < 2000 and min(p) > 0.2], []),
    "lbeta": binary(lbeta, POSITIVE_PAIRS, []),
    # incomplete
    "igamma": binary(igamma, PARAMETERS, orders=(1, 3)),
    "igammac": binary(lambda a, x: 1 - igamma(a, x), PARAMETERS, orders=(1, 3)),
    "gamma_density": binary(density, PARAMETERS + [(37.0, 36.0), (1000.5, 1000.0), (100.3, 150.0), (1e5, 1.001e5), (1.5, 700.0)]),
    "igamma_grad_a": binary(igamma, PARAMETERS, offset=(1, 0), orders=(0, 3)),
    "betainc": binary(betainc, TRIPLES, edges=[[], [], [0, 1]], once=2),
    "beta_density": binary(beta_density, TRIPLES, edges=[[], [], [0, 1]]),
    "betainc_grad_a": binary(betainc, TRIPLES, edges=[[], [], [0, 1]], offset=(1, 0, 0), orders=(0, 0, 3)),
    "betainc_grad_b": binary(betainc, TRIPLES, edges=[[], [], [0, 1]], offset=(0, 1, 0), orders=(0, 0, 3)),
    # exponential_integral, spence, zeta, divergence
    "exp1": unary(None, POSITIVE[:-13], [(0.0, [INF, -INF, INF, -INF]), (INF, 0), (-1.0, NAN)], edges=[0], formula=exponential_integral(mp.e1, -1)),
    "expi": unary(None, [x for x in both(UP_TO_OVERFLOW) if x < 720] + near(0.37250741078136663), [(0.0, [-INF, INF, -INF, INF]), (INF, INF), (-INF, 0)],
                  edges=[0], formula=exponential_integral(mp.ei, 1)),
    "spence": unary(None, POSITIVE + near(0.5, 1.0, 4.0), [(0.0, [math.pi**2 / 6, -INF, INF, -INF]), (INF, [-INF]), (-1.0, NAN)],
                    edges=[0], formula=derivative_of_spence(0)),
    "rgamma": unary(mp.rgamma, TINY + UNIT + near(ROOT_OF_DIGAMMA, -1.0, -5.0) + [15.3, 37.0, 100.0, 140.5, 170.3, 171.5] + [-1e-100, -1e-5, -0.29, -0.5, -1.5, -2.0 - 2.0**-30, -3.3, -10.5, -50.1, -120.3, -150.5, -160.25, -165.9, -169.5]
                    + [-0.0, -1.0, -2.0, -3.0, -10.0, -60.0]),
    "zeta": binary(None, pairs([1.0000001, 1.3, 2.0, 3.0, 4.7, 20.3], [1e-70, 1e-5, 0.29, 1.0, 2.5, 9.0, 37.0, 1100.3, 1.1e8, 1.3e16]) + [(2.0, -0.5), (3.0, -0.3), (4.0, -2.7), (5.0, -10.25)],
                   edges=[[1], [ints_below]], orders=(0, 3), formula=derivative_of_zeta),
    "log_ratio": binary(lambda x, y: mp.log(x / y), ENTROPIES, [((1.0, 1.0), [0, 1, -1, -1, 0, 1, 2, 0, 0, -2])], edges=[[0], [0]]),
    "rel_entr": binary(lambda x, y: x * mp.log(x / y), ENTROPIES, [((0.0, 2.0), [0, -INF, 0] + [None] * 7), ((-1.0, 2.0), [INF, NAN, NAN] + [None] * 7)], edges=[[0], [0]]),
    "kl_div": binary(lambda x, y: x * mp.log(x / y) - x + y, ENTROPIES, [((0.0, 2.0), [2, -INF, 1] + [None] * 7), ((1.0, 1.0), [0, 0, 0, 1, -1, 1, -1, 0, 1, -2]), ((-1.0, 2.0), [INF, NAN, NAN] + [None] * 7)],
                     edges=[[0], [0]]),
    # sinc, bessel
    "sinc": unary(sinc, both([1e-160, 1e-16, 1e-9, 1e-5] + UNIT[:-1] + [15.3, 37.5, 100.25, 1e5 + 0.3, 1e12 + 0.25, 1e100]), [(0.0, [1, 0, -(math.pi**2) / 3, 0]), (INF, 0)]),
    "bessel_j0": unary(lambda x: mp.besselj(0, x), both(BESSEL), [(0.0, [1, 0, -0.5, 0]), (INF, 0)]),
    "bessel_j1": unary(lambda x: mp.besselj(1, x), both(BESSEL), [(0.0, [0, 0.5, 0, -0.375]), (INF, 0)]),
    "bessel_y0": unary(None, BESSEL, [(INF, 0)], edges=[0], formula=derivative_of_y(0)),
    "bessel_y1": unary(None, BESSEL, [(INF, 0)], edges=[0], formula=derivative_of_y(1)),
    "bessel_i0": unary(lambda x: mp.besseli(0, x), both(BESSEL), [(0.0, [1, 0, 0.5, 0]), (INF, INF)]),
    "bessel_i1": unary(lambda x: mp.besseli(1, x), both(BESSEL), [(0.0, [0, 0.5, 0, 0.375]), (INF, INF)]),
    "bessel_i0e": unary(scaled(lambda x: mp.besseli(0, x)), both(BESSEL), [(INF, 0)], edges=[0]),
    "bessel_i1e": unary(scaled(lambda x: mp.besseli(1, x)), both(BESSEL), [(INF, 0)], edges=[0]),
}

for n in (3, 0, 1, 2, 4, 7, 10, -1, -2, -5):
    TABLES[f"integer_pow_{n}"] = (polynomial if n >= 0 else unary)(power(n), SIGNED[::2] if n >= 0 else [x for x in SIGNED if 1e-60 < abs(x) < 1e60], edges=[0] if n < 0 else [])
TABLES["integer_pow_0"] = lambda: Table(power(0), SIGNED[::6], [(NAN, [1])])
for n in (1, 0, 2, 3):
    TABLES[f"polygamma_{n}"] = unary(None, [1.3e-30, 1e-16] + UNIT + TAIL[:7] + [1000.3, 1e5, 1e16, 1e50] + [-1e-5, -0.29, -0.5, -1.5, -3.3, -10.5],
                                     edges=[ints_below], formula=lambda d, x, n=n: polygamma(n + d[0], x))
for n in (1, 2, 3):
    TABLES[f"sinc_derivative_{n}"] = unary(sinc, both([1e-100, 1e-16, 1e-9, 1e-5] + UNIT[:-1] + [15.3, 37.5, 100.25, 1e5 + 0.3]), [(INF, 0)], offset=(n,))
for n in (1, 2, 3):
    TABLES[f"erfcx_derivative_{n}"] = unary(erfcx, both(TINY + UNIT) + [15.3, -15.3, -26.2, -26.5, 26.2, 38.0, 100.3, 1.07e5, 1.3e8, 1.1e20, 1.9e50], [(INF, [0])], offset=(n,))
for n in (2, 3, 4):
    TABLES[f"log_ndtr_derivative_{n}"] = unary(log_ndtr, both(TINY + UNIT + [15.3, 20.0, 26.2, 37.0, 38.0]) + [-100.3, -1e5, -1.3e8, -1.1e20, -1.9e50], [(INF, [0])], offset=(n,),
                                               order=4 - n)
for n in (0, 1, 2, 3):
    TABLES[f"polygamma_difference_{n}"] = binary(None, [p for p in POSITIVE_PAIRS if min(p) > 1e-30], formula=difference_of_polygamma(n))
for n in (2, 0, 1, 3):
    TABLES[f"bessel_jn_{n}"] = unary(lambda x, n=n: mp.besselj(n, x), both(BESSEL), [(INF, 0)])
    TABLES[f"bessel_in_{n}"] = unary(lambda x, n=n: mp.besseli(n, x), both(BESSEL), [(INF, INF)])
    TABLES[f"bessel_ine_{n}"] = unary(scaled(lambda x, n=n: mp.besseli(n, x)), both(BESSEL), [(INF, 0)], edges=[0])

# At 0, where e^-|x| has a corner, they are means of both sides.
for n, k in ((0, 1), (1, 1), (0, 2), (2, 3)):
    TABLES[f"bessel_ine_derivative_{n}_{k}"] = unary(scaled(lambda x, n=n: mp.besseli(n, x)), both(BESSEL), [(INF, 0)], edges=[0], offset=(k,))
for n in (1, 2, 3):
    TABLES[f"spence_derivative_{n}"] = unary(None, [x for x in POSITIVE if 1e-60 < x < 1e60] + near(0.5, 1.0, 4.0), [(0.0, ([INF, -INF] * 3)[n % 2 : n % 2 + 4]), (INF, 0), (-1.0, NAN)],
                                             edges=[0], formula=derivative_of_spence(n))
