"""Records what JAX's generator gives, in jax.json: `python jax_random.py`, with JAX 0.10.2.

Each case is a function, its parameters, the shape, and the elements of the result in row-major order. Integers stand as
they are; floats as the integer of their bits, so that the file holds them exactly.
"""

import json
import pathlib
from fractions import Fraction

import jax
import numpy as np

jax.config.update("jax_enable_x64", True)
assert jax.config.jax_threefry_partitionable

SEEDS = [0, 1, 42, -1, 2**32, 2**40 + 123, 2**63 - 1, -(2**63), 0x123456789ABCDEF]
SHAPES = [(), (1,), (3,), (2, 3), (33,), (5, 7, 2), (0, 4)]
RANDOM = jax.random


def numbers(x):
    x = np.asarray(x)
    if x.dtype == np.float64:
        x = x.view(np.int64)
    elif x.dtype == np.float32:
        x = x.view(np.int32)
    return [int(element) for element in x.ravel()]


def keys(key):
    return numbers(np.asarray(RANDOM.key_data(key)))


cases = []


def case(function, seed, result, shape, **parameters):
    cases.append({"function": function, "seed": seed, "shape": list(shape), **parameters, "result": result})


def uniform_is_rounded_once(seed, shape, dtype, lo, hi):
    """The compiled function fuses the product and the sum, which is what the test demands."""
    unit = np.asarray(RANDOM.uniform(RANDOM.key(seed), shape, dtype)).ravel()
    lo, hi = dtype(lo), dtype(hi)
    width = dtype(hi - lo)
    x = np.asarray(RANDOM.uniform(RANDOM.key(seed), shape, dtype, lo, hi)).ravel()
    for u, x in zip(unit, x):
        exact = Fraction(float(u)) * Fraction(float(width)) + Fraction(float(lo))
        rounded = dtype(exact.numerator / exact.denominator) if dtype is np.float64 else np.float32(
            np.longdouble(exact.numerator) / np.longdouble(exact.denominator))
        assert rounded == x, (u, x, rounded)


for seed in SEEDS:
    key = RANDOM.key(seed)
    case("key", seed, keys(key), [2])
    for n in [1, 2, 3, 5]:
        case("split", seed, keys(RANDOM.split(key, n)), [n, 2])
    for data in [0, 1, 7, 2**32 - 1]:
        case("fold_in", seed, keys(RANDOM.fold_in(key, data)), [2], data=data)
    for shape in SHAPES:
        case("bits32", seed, numbers(RANDOM.bits(key, shape, np.uint32)), shape)
        case("bits", seed, numbers(np.asarray(RANDOM.bits(key, shape, np.uint64)).view(np.int64)), shape)
        for dtype in [np.float64, np.float32]:
            case("uniform", seed, numbers(RANDOM.uniform(key, shape, dtype)), shape, dtype=np.dtype(dtype).name,
                 range=[0.0, 1.0])

for lo, hi in [(-0.7, 1.9), (1e-3, 1e3), (-5.0, -4.0), (2.0, 1.0)]:
    for dtype in [np.float64, np.float32]:
        if lo < hi:
            uniform_is_rounded_once(7, (64,), dtype, lo, hi)
        case("uniform", 7, numbers(RANDOM.uniform(RANDOM.key(7), (64,), dtype, lo, hi)), (64,),
             dtype=np.dtype(dtype).name, range=[lo, hi])

for lo, hi in [(0, 6), (-5, 5), (0, 1), (3, 3), (-(2**62), 2**62 + 5), (-(2**63), 2**63 - 1), (10, 2**40), (0, 3 * 2**61)]:
    x = RANDOM.randint(RANDOM.key(11), (20,), np.int64(lo), np.int64(hi), np.int64)
    case("integers", 11, numbers(x), (20,), range=[lo, hi])

for n in [0, 1, 2, 5, 100, 3000]:
    case("permutation", 12, numbers(RANDOM.permutation(RANDOM.key(12), n)), (n,))
for n, k in [(1, 1), (10, 4), (100, 100)]:
    case("distinct", 13, numbers(RANDOM.choice(RANDOM.key(13), n, (k,), replace=False)), (k,), n=n)
    case("choice", 13, numbers(RANDOM.choice(RANDOM.key(13), n, (2, 5))), (2, 5), n=n)
for dtype in [np.float64, np.float32]:
    p = np.array([0.125, 0.0, 0.25, 0.5, 0.125], dtype)
    name = np.dtype(dtype).name
    weights = [float(x) for x in p]
    case("choice_weighted", 14, numbers(RANDOM.choice(RANDOM.key(14), 5, (50,), p=p)), (50,), dtype=name, a=weights)
    x = RANDOM.choice(RANDOM.key(14), 5, (4,), replace=False, p=p)
    case("distinct_weighted", 14, numbers(x), (4,), dtype=name, a=weights)

KEY = RANDOM.key(5)
for dtype in [np.float64, np.float32]:
    name = np.dtype(dtype).name

    def close(function, x, shape, **parameters):
        case(function, 5, numbers(x), shape, dtype=name, **parameters)

    for function in ["normal", "exponential", "gumbel", "laplace", "logistic", "cauchy"]:
        close(function, getattr(RANDOM, function)(KEY, (40,), dtype), (40,))
    for lo, hi in [(-1.0, 2.0), (0.5, 1.0), (-2.0, -1.5), (-np.inf, np.inf)]:
        bounds = [str(lo), str(hi)]
        close("truncated_normal", RANDOM.truncated_normal(KEY, lo, hi, (20,), dtype), (20,), range=bounds)
    for a in [0.1, 0.7, 1.0, 2.5, 30.0, 1e6]:
        close("gamma", RANDOM.gamma(KEY, a, (20,), dtype), (20,), a=[a])
        close("log_gamma", RANDOM.loggamma(KEY, a, (20,), dtype), (20,), a=[a])
    for a, b in [(0.5, 0.5), (2.0, 3.0), (0.01, 5.0)]:
        close("beta", RANDOM.beta(KEY, a, b, (20,), dtype), (20,), a=[a, b])
    a = np.array([0.5, 1.0, 4.0], dtype)
    close("dirichlet", RANDOM.dirichlet(KEY, a, (7,), dtype), (7, 3), a=[float(x) for x in a])
    logits = np.array([0.5, -1.0, 2.0, 0.0], dtype)
    case("categorical", 5, numbers(RANDOM.categorical(KEY, logits, shape=(50,))), (50,), dtype=name,
         a=[float(x) for x in logits])
    case("bernoulli", 5, numbers(RANDOM.bernoulli(KEY, dtype(0.3), (50,))), (50,), dtype=name, a=[0.3])

lines = ",\n".join(json.dumps(entry) for entry in cases)
pathlib.Path(__file__).with_name("jax.json").write_text(f"[\n{lines}\n]\n")
