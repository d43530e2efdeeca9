"""Computes the coefficients of the special functions of `src/math`: python3 fit.py, with mpmath.

Each is the polynomial that meets its function at the zeros of a Chebyshev polynomial, within a factor of about two of
the best of its degree; printed with the largest error of the whole, as a power of two, next to the scale given.
"""

from mpmath import chop, mp, mpf

mp.prec = 400


def nodes(low, high, n):
    return [(low + high) / 2 + (high - low) / 2 * mp.cos(mp.pi * (2 * k + 1) / (2 * n)) for k in range(n)]


def interpolate(f, low, high, n):
    """The coefficients of the polynomial of degree `n - 1`, constant term first: divided differences, expanded."""
    x = nodes(mpf(low), mpf(high), n)
    table = [f(t) for t in x]
    for level in range(1, n):
        for k in range(n - 1, level - 1, -1):
            table[k] = (table[k] - table[k - 1]) / (x[k] - x[k - level])
    coefficients = [mpf(0)]
    for k in range(n - 1, -1, -1):
        shifted = [mpf(0), *coefficients]
        coefficients = [s - x[k] * c for s, c in zip(shifted, [*coefficients, mpf(0)])]
        coefficients[0] += table[k]
    return coefficients[:n]


def show(name, f, low, high, n, scale=lambda t: mpf(1), n_pairs=0):
    coefficients = interpolate(f, low, high, n)
    rounded = [mpf(float(c)) for c in coefficients]
    points = [mpf(low) + (mpf(high) - mpf(low)) * k / 501 for k in range(1, 501)]
    value = lambda c, t: mp.polyval(c[::-1], t)
    error = max(abs(value(coefficients, t) - f(t)) / scale(t) for t in points)
    whole = max(abs(value(rounded, t) - f(t)) / scale(t) for t in points)
    print(f"/// 2^{float(mp.log(error, 2)):.1f}, rounded 2^{float(mp.log(whole, 2)):.1f}")
    print(f"const {name}: [f64; {n}] = [")
    for c in rounded:
        print(f"    {float(c)!r},")
    print("];")
    for k in range(n_pairs):
        print(f"/// What coefficient {k} lacks: {float(coefficients[k] - rounded[k])!r}")


def constant(name, x, parts=2):
    for part in range(parts):
        print(f"const {name}_{part}: f64 = {float(x)!r};")
        x -= mpf(float(x))


def erf_rest(z):
    x = mp.sqrt(z)
    return (mp.erf(x) / x - 2 / mp.sqrt(mp.pi)) / z


# The map of [1/2, inf) to [-1, 1] in which the scaled complementary error function converges fast.
Q = mpf(3)


def erfcx(u):
    p = Q + 1
    a = (p + Q * u) / (1 - u)
    # The polynomial is of 1 + 2a times the function, whose limit is 2/sqrt(pi).
    if a > 1000:
        s = sum((-1) ** k * mp.fac2(2 * k - 1) / (2 * a * a) ** k for k in range(12)) / (a * mp.sqrt(mp.pi))
        return (1 + 2 * a) * s
    return (1 + 2 * a) * mp.exp(a * a) * mp.erfc(a)


def stirling(w):
    x = 1 / mp.sqrt(w)
    return (mp.loggamma(x) - ((x - mpf(1) / 2) * mp.log(x) - x + mp.log(2 * mp.pi) / 2)) * x


def digamma_tail(w):
    x = 1 / mp.sqrt(w)
    return (mp.log(x) - 1 / (2 * x) - mp.digamma(x)) * x * x


def normal_over_uniform(w):
    """The normal quantile √2 erf⁻¹(x) over x, at the x with 1 - x² = exp(-w)."""
    x = mp.sqrt(-mp.expm1(-w))
    return mp.sqrt(2) * mp.erfinv(x) / x


ROOT = mp.findroot(mp.digamma, 1.4616321449683623)

if __name__ == "__main__":
    constant("TWO_OVER_SQRT_PI", 2 / mp.sqrt(mp.pi))
    show("ERF", erf_rest, 0, 0.25, 9, lambda z: 1 / z)
    show("ERFCX", erfcx, -1, 1, 28)
    constant("ERFCX0", erfcx(mpf(0)))
    constant("ONE_LESS_GAMMA", 1 - mp.euler)
    lgamma2 = lambda d: (mp.loggamma(2 + d) / d - (1 - mp.euler)) / d
    show("LGAMMA", lgamma2, -0.5, 0.5, 20, lambda d: 1 / d, 1)
    constant("HALF_LOG_TAU", mp.log(2 * mp.pi) / 2)
    constant("LOG_PI", mp.log(mp.pi))
    show("STIRLING", stirling, 0, mpf(1) / mpf(7.5) ** 2, 8, lambda w: 7)
    constant("DIGAMMA_ROOT", ROOT, 3)
    slope = mp.polygamma(1, ROOT)
    constant("DIGAMMA_SLOPE", slope)
    show("DIGAMMA", lambda d: (mp.digamma(ROOT + d) / d - slope) / d, 1 - ROOT, 2 - ROOT, 24, lambda d: 1 / d, 1)
    show("DIGAMMA_TAIL", digamma_tail, 0, mpf(1) / 64, 8, lambda w: 2 / w)
    constant("PI", mp.pi)
    sin_pi = lambda z: (mp.sin(mp.pi * mp.sqrt(z)) / mp.sqrt(z) - mp.pi) / z
    show("SIN_PI", sin_pi, 0, 0.25, 9, lambda z: 1 / z, 2)
    constant("FRAC_1_PI", 1 / mp.pi)
    constant("FRAC_1_SQRT_2", 1 / mp.sqrt(2))
    constant("HALF_SQRT_PI", mp.sqrt(mp.pi) / 2)
    constant("SQRT_2", mp.sqrt(2))
    constant("EULER", mp.euler)
    constant("FRAC_2_PI", 2 / mp.pi)
    middle = lambda t: normal_over_uniform(t + mpf(5) / 2)
    show("NORMAL", middle, -2.5, 2.5, 21, middle)
