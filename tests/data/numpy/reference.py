"""Writes reference.json: what NumPy computes for the expressions of tests/numpy.rs.

A case is the expression in Rust, as it stands in the test, the same in Python, and the names of its operands, which are `x`,
`y` and `z` in both; an expression may have several cases, for several operands. `ulps` says how far results may be apart, in units of the last place of the largest number among them:
what is only moved must be equal, what is summed in another order or computed by another library may differ. `smooth=False`
leaves out derivatives: at kinks, and where a value is no smooth function.

Windows and convolutions of images are JAX's. Written with NumPy 2.4.6, SciPy 1.17.1 and JAX 0.10.2: python reference.py
"""

import json
import pathlib
import warnings

import numpy as np

from cases import CASES, INPUTS

warnings.simplefilter("ignore")


def number(x):
    if isinstance(x, (bool, np.bool_)):
        return bool(x)
    if isinstance(x, (int, np.integer)):
        return int(x)
    x = float(x)
    if np.isnan(x):
        return "nan"
    return ("inf" if x > 0 else "-inf") if np.isinf(x) else x


def array(x):
    x = np.asarray(x)
    kind = {"float64": "f64", "float32": "f32", "int64": "i64", "bool": "bool"}[str(x.dtype)]
    return {"type": kind, "shape": list(x.shape), "data": [number(e) for e in x.ravel()]}


def without_spaces(text):
    """The text without spaces, but for those within strings."""
    parts = text.split('"')
    return '"'.join(part if k % 2 else "".join(part.split()) for k, part in enumerate(parts))


def rows(mapping):
    return "{\n" + ",\n".join(f" {json.dumps(k)}: {json.dumps(v)}" for k, v in mapping.items()) + "\n}"


def main():
    cases = {}
    for rust, python, inputs, ulps, smooth in CASES:
        key = without_spaces(rust)
        result = python(*[INPUTS[name] for name in inputs])
        results = list(result) if isinstance(result, (list, tuple)) else [result]
        run = {"in": list(inputs), "out": [array(x) for x in results], "ulps": ulps, "smooth": smooth}
        cases.setdefault(key, []).append(run)
    text = '{"inputs": ' + rows({k: array(v) for k, v in INPUTS.items()}) + ',\n"cases": ' + rows(cases) + "}\n"
    pathlib.Path(__file__).with_name("reference.json").write_text(text)
    print(len(cases), "expressions,", sum(map(len, cases.values())), "cases")


if __name__ == "__main__":
    main()
