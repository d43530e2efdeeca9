"""Writes the tables that `tests/derivatives.rs` compares derivatives with: python3 make.py [operation …], with mpmath.

One file per operation, one point per line: the operands, then the value and every partial derivative up to order 3,
correctly rounded to f64. The column `d21` is the derivative twice by the first operand and once by the second. A cell
`value~size` states the size next to which an error counts where the derivative crosses zero: the smaller of its
magnitudes at the two neighbors at an eighth of the operand (at most 1/8, and an eighth of the distance to a singular
point). In a tail one neighbor is the smaller, so that there is no such size, and errors count next to the value. A cell
`-` states nothing: there is no derivative, or none that the operation has.

A derivative is a central difference in exact arithmetic but for a relative error of about 2^-300, taken twice, with two
steps and two precisions, which are raised until the two agree. Points without a neighborhood (kinks, infinities, the
ends of a domain) are written out by hand, as the table of kinks in the README and the limits have them.
"""

import itertools
import math
import pathlib
import sys

from mpmath import mp, mpf

INF = math.inf
NAN = math.nan

# Points of one variable: tiny, of the order of one, huge, and where exponentials and their squares overflow or vanish.
TINY = [5e-324, 1.3e-310, 2.2250738585072014e-308, 1.7e-300, 1.1e-160, 1.3e-103, 1.9e-30, 1.2e-16, 1.6e-9, 1.4e-5, 1.1e-3]
UNIT = [0.0123, 0.1, 0.29, 0.5, 0.7, 0.9, 1.0, 1.1, 1.5, 2.0, 2.5, 3.1, 4.0, 5.5, 7.3, 10.0]
TAIL = [15.3, 20.0, 26.2, 30.7, 37.0, 38.0, 40.0, 55.1, 100.0, 187.3, 300.0, 354.9, 371.7, 400.0, 600.1, 709.1]
OVER = [710.3, 738.7, 744.4, 750.0, 1000.3, 1419.7, 3000.0, 1.07e5]
HUGE = [1.3e8, 1.7e16, 1.1e20, 1.9e50, 1.3e77, 1.1e103, 1.2e150, 1.7e155, 1.3e200, 1.1e300, 1.79e308]
ALL = TINY + UNIT + TAIL + OVER + HUGE
UP_TO_OVERFLOW = TINY + UNIT + TAIL + OVER


def both(points):
    return [sign * x for x in points for sign in (1.0, -1.0)]


def near(*centers):
    """Next to each of them, from both sides."""
    steps = (2.0**-52, 2.0**-40, 2.0**-20, 2.0**-8)
    return [c + sign * step * max(abs(c), 2.0**-20) for c in centers for step in steps for sign in (1, -1)]


class Table:
    """What is written for one operation.

    function: of mpf, exact to the working precision. offset: how often it is differentiated to give the operation, once
    for each operand. points: operands, each a number or a tuple. rows: points with all values written out, in the order
    of the columns, a number for all of them, or a list for the first ones, after which come zeros. edges: of each
    operand, where the function is singular (a list, or a function of the operand that returns one). orders: how often
    each operand may be differentiated by. once: of how many first operands one alone may be differentiated by, once.
    formula: the derivatives as a function of their orders and the operands, where the function is too slow for differences.
    """

    def __init__(self, function, points, rows=(), edges=(), offset=None, orders=None, order=3, once=0, formula=None):
        self.function = function
        self.points = [p if isinstance(p, tuple) else (p,) for p in points]
        self.rows = [(p if isinstance(p, tuple) else (p,), v) for p, v in rows]
        self.arity = len((self.points + [p for p, _ in self.rows])[0])
        self.edges = edges if edges and not isinstance(edges[0], (int, float)) and not callable(edges[0]) else [edges] * self.arity
        self.edges = [e[0] if e and callable(e[0]) else e for e in self.edges]
        self.offset = offset or (0,) * self.arity
        self.orders = orders or (order,) * self.arity
        self.order = order
        self.once = once
        self.formula = formula

    def columns(self):
        """All orders of derivatives, by total order and then by the first operands."""
        every = itertools.product(range(self.order + 1), repeat=self.arity)
        return sorted((d for d in every if sum(d) <= self.order), key=lambda d: (sum(d), tuple(-k for k in d)))

    def has(self, d):
        return all(k <= most for k, most in zip(d, self.orders)) and (not self.once or sum(d[: self.once]) <= 1)


class Stencil:
    """Central differences of a function at a point, all from one set of values."""

    def __init__(self, function, x, bits, prec):
        self.function, self.x, self.prec, self.values = function, x, prec, {}
        # No step is longer than a small part of one, which is the scale of what oscillates.
        self.steps = [mpf(min(abs(v) or 1, 2.0**20)) * mpf(2) ** -bits for v in x]

    def value(self, offsets):
        if offsets not in self.values:
            with mp.workprec(self.prec):
                at = [mpf(v) + k * h / 2 for v, k, h in zip(self.x, offsets, self.steps)]
                self.values[offsets] = mp.mpf(self.function(*at))
        return self.values[offsets]

    def derivative(self, d):
        with mp.workprec(self.prec):
            total = mpf(0)
            for picks in itertools.product(*(range(n + 1) for n in d)):
                weight = math.prod((-1) ** i * math.comb(n, i) for i, n in zip(picks, d))
                total += weight * self.value(tuple(n - 2 * i for i, n in zip(picks, d)))
            return total / mp.fprod(h**n for h, n in zip(self.steps, d))

    def noise(self, d):
        """A size far above what rounding alone leaves of a derivative that is zero."""
        with mp.workprec(60):
            size = max(map(abs, self.values.values())) + mpf(2) ** -1100
            return size * mpf(2) ** (80 - self.prec) / mp.fprod(h**n for h, n in zip(self.steps, d))


def exact(table, x, columns):
    """The derivatives at a point, or None if the function has no value there."""
    if table.formula:
        return {d: checked_formula(table.formula, d, x) for d in columns}
    pending, found = list(columns), {}
    total = {d: tuple(n + m for n, m in zip(d, table.offset)) for d in columns}
    for prec in (1500, 3000, 6000, 12000, 24000):
        try:
            stencils = [Stencil(table.function, x, 160, prec), Stencil(table.function, x, 190, prec + 400)]
            pairs = {d: [s.derivative(total[d]) for s in stencils] for d in pending}
        except (TypeError, ValueError, ZeroDivisionError):
            return None
        for d, (first, second) in pairs.items():
            # What is below the noise is zero, once the noise is below all numbers of f64.
            vanishes = all(abs(y) <= s.noise(total[d]) <= mpf(2) ** -1100 for y, s in zip((first, second), stencils))
            # What is above the noise and shrinks with the step is the error of the difference, and the derivative zero.
            shrinks = abs(first) > stencils[0].noise(total[d]) and abs(second) > stencils[1].noise(total[d])
            if vanishes or shrinks and abs(second) <= mpf(2) ** -50 * abs(first):
                found[d] = mpf(0)
            elif shrinks and abs(first - second) <= mpf(2) ** -75 * abs(second):
                found[d] = second
        pending = [d for d in columns if d not in found]
        if not pending:
            return found
    raise ArithmeticError(f"no agreement at {x} for {pending}")


def checked_formula(formula, d, x):
    """A derivative by a formula, at two precisions."""
    values = []
    for prec in (250, 350):
        with mp.workprec(prec):
            values.append(formula(d, *map(mpf, x)))
    first, second = values
    if abs(first - second) > mpf(2) ** -75 * abs(second):
        raise ArithmeticError(f"no agreement at {x} for {d}")
    return second


def rounded(y):
    """The nearest f64, subnormal ones, zeros and infinities included."""
    if y == 0:
        return 0.0
    m, e = int(y.man) * (-1 if y < 0 else 1), int(y.exp)
    size = e + m.bit_length()
    if size > 1030 or size < -1080:
        return (INF if size > 0 else 0.0) * (1 if m > 0 else -1)
    try:
        # Python's quotients of integers are correctly rounded.
        return m / (1 << -e) if e < 0 else float(m << e)
    except OverflowError:
        return INF if m > 0 else -INF


def neighbors(table, x):
    """Pairs of points next to one, along each operand."""
    for slot, v in enumerate(x):
        edges = table.edges[slot](v) if callable(table.edges[slot]) else table.edges[slot]
        step = min([abs(v) / 8, 0.125] + [abs(v - edge) / 8 for edge in edges])
        if step > abs(v) * 2.0**-50:
            yield [x[:slot] + (v + sign * step,) + x[slot + 1 :] for sign in (1, -1)]


def cells(table, x):
    columns = [d for d in table.columns() if table.has(d)]
    found = exact(table, x, columns)
    if found is None:
        return None
    sides = [[exact(table, at, columns) for at in pair] for pair in neighbors(table, x)]
    sides = [pair for pair in sides if None not in pair]
    out = {}
    for d in columns:
        size = max((min(abs(a[d]), abs(b[d])) for a, b in sides), default=mpf(0))
        out[d] = f"{rounded(found[d])!r}" + (f"~{float(rounded(size)):.3g}" if size > 2 * abs(found[d]) else "")
    return [out.get(d, "-") for d in table.columns()]


def written_out(table, values):
    n = len(table.columns())
    if not isinstance(values, list):
        values = [values] * n
    values = values + [0.0] * (n - len(values))
    return ["-" if v is None else repr(float(v)) for v in values]


def write(name, table):
    columns = ["d" + "".join(map(str, d)) for d in table.columns()]
    lines = [",".join([f"x{k}" for k in range(table.arity)] + columns)]
    seen = set()
    for x in table.points:
        key = tuple(map(repr, x))
        if key in seen:
            continue
        seen.add(key)
        row = cells(table, x)
        if row is not None:
            lines.append(",".join([repr(float(v)) for v in x] + row))
    for x, values in table.rows:
        lines.append(",".join([repr(float(v)) for v in x] + written_out(table, values)))
    path = pathlib.Path(__file__).with_name(f"{name}.csv")
    path.write_text("\n".join(lines) + "\n")
    print(name, len(lines) - 1, flush=True)


if __name__ == "__main__":
    from functions import TABLES

    for name in sys.argv[1:] or TABLES:
        write(name, TABLES[name]())
