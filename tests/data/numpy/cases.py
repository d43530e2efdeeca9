"""The cases of reference.py: an expression in Rust, the same in Python, the operands."""

import jax
import jax.numpy as jnp
import numpy as np
import scipy.integrate
import scipy.special
from jax import lax
from numpy.lib.stride_tricks import sliding_window_view as sliding

jax.config.update("jax_enable_x64", True)

NAN, INF = float("nan"), float("inf")


def ramp(*shape, start=0.5, step=0.75):
    """Distinct numbers in no order, of both signs."""
    n = int(np.prod(shape))
    places = np.argsort(np.sin(np.arange(n) * 12.9898) * 43758.5453 % 1)
    return ((start + step * places) * np.where(np.arange(n) % 3 == 1, -1.0, 1.0)).reshape(shape)


INPUTS = {
    "s": np.array(1.25),
    "v2": np.array([1.5, -2.25]),
    "v3": np.array([0.5, -1.25, 2.0]),
    "w3": np.array([2.0, 0.25, -0.75]),
    "p3": np.array([0.25, 1.0, 0.5]),
    "v4": np.array([1.0, -2.5, 0.75, 3.0]),
    "v5": np.array([3.0, -1.5, 4.25, 1.0, -5.5]),
    "v6": np.array([0.5, 2.25, -1.0, 3.5, 1.75, -4.0]),
    "v7": ramp(7),
    "t5": np.array([0.0, 0.5, 1.25, 2.0, 4.0]),
    "v12": ramp(12),
    "none": np.zeros(0),
    "m03": np.zeros((0, 3)),
    "m23": ramp(2, 3),
    "n23": ramp(2, 3, start=-1.25, step=0.5),
    "m32": ramp(3, 2, start=0.75),
    "m33": ramp(3, 3),
    "n33": ramp(3, 3, start=-0.625, step=0.375),
    "m34": ramp(3, 4, start=0.25),
    "m44": ramp(4, 4),
    "m45": ramp(4, 5),
    "m13": ramp(1, 3),
    "m31": ramp(3, 1),
    "t234": ramp(2, 3, 4),
    "t345": ramp(3, 4, 5, start=0.375, step=0.25),
    "t233": ramp(2, 3, 3),
    "t132": ramp(1, 3, 2),
    "t243": ramp(2, 4, 3, step=0.5),
    "q2222": ramp(2, 2, 2, 2),
    "holes": np.array([[1.0, NAN, 3.0], [NAN, NAN, NAN], [-2.0, 5.0, 0.5]]),
    "hole1": np.array([1.0, NAN, 3.0, -2.5]),
    "wild": np.array([NAN, INF, -INF, 0.0, -0.0, 1.5, -2.5]),
    "wild2": np.array([1.0, INF, INF, NAN, 2.0, -0.0, NAN]),
    "signs": np.array([-2.5, -0.0, 0.0, 1.5, 3.0]),
    "ties": np.array([[2.0, 2.0, 1.0], [0.0, -1.0, -1.0]]),
    "i5": np.array([3, -7, 0, 12, -1]),
    "j5": np.array([2, 3, -4, -5, 7]),
    "i23": np.array([[1, -2, 3], [4, 0, -6]]),
    "i32": np.array([[1, -2], [3, 4], [0, -6]]),
    "b4": np.array([True, False, True, True]),
    "c4": np.array([True, True, False, True]),
    "b23": np.array([[True, False, True], [True, True, True]]),
    "f3": np.array([0.5, -1.25, 2.0], dtype=np.float32),
    "f23": ramp(2, 3).astype(np.float32),
    "mod1": np.array([7.25, -7.25, 7.25, -7.25, 6.0, -6.0, 0.5]),
    "mod2": np.array([3.0, 3.0, -3.0, -3.0, -3.0, 3.0, -2.0]),
    "big": np.array([1000.0, 1001.0, -5.0]),
    "t224": ramp(2, 2, 4),
    "t233b": ramp(2, 3, 3, start=0.125),
    "t245": ramp(2, 4, 5, start=0.25, step=0.5),
    "m23b": ramp(2, 3, start=0.25),
    "m32b": ramp(3, 2, start=0.375),
    "m23p": np.abs(ramp(2, 3, start=0.25)),
    "m42p": np.abs(ramp(4, 2, start=0.25)),
    "i23p": np.array([[1, 2, 3], [4, 0, 6]]),
    "i3": np.array([2, -1, 5]),
    "i4": np.array([2, -1, 5, 0]),
    "f32": ramp(3, 2).astype(np.float32),
    "m30": np.zeros((3, 0)),
    "v1": np.array([2.5]),
    "w2": np.array([0.75, 1.0]),
    "s2": np.array(4.0),
    "near": np.array([1.0, 1.0, 1e-9, 0.0, 1e10]),
    "near2": np.array([1.00001, 1.0001, 0.0, 0.0, 1.00001e10]),
    "zeros5": np.array([2.0, 0.0, -1.5, 0.0, 3.0]),
    "t322": ramp(3, 2, 2, step=0.25),
    "q3": np.array([0.0, 0.5, 2.0]),
    "v70": np.sin(np.arange(70.0)),
    "v90": np.cos(np.arange(90.0)),
    "m2_70": np.sin(np.arange(140.0)).reshape(2, 70),
    "m10_11": np.sin(np.arange(110.0)).reshape(10, 11),
    "m43": ramp(4, 3),
    "c2312": ramp(2, 3, 12, step=0.25),
    "k233": ramp(2, 3, 3, start=0.25, step=0.5),
    "c22_45": ramp(2, 2, 4, 5, step=0.125),
    "c21_45": ramp(2, 1, 4, 5, step=0.125),
    "c2345": ramp(2, 3, 4, 5, step=0.0625),
    "c14_44": ramp(1, 4, 4, 4, step=0.125),
    "c2_45_2": ramp(2, 4, 5, 2, step=0.125),
    "c1_1_234": ramp(1, 1, 2, 3, 4),
    "c11_10": np.sin(np.arange(110.0)).reshape(1, 1, 10, 11),
    "k32_22": ramp(3, 2, 2, 2, start=0.25, step=0.5),
    "k12_22": ramp(1, 2, 2, 2, start=0.25, step=0.5),
    "k02_22": np.zeros((0, 2, 2, 2)),
    "k11_23": ramp(1, 1, 2, 3, start=0.25),
    "k43_11": ramp(4, 3, 1, 1, start=0.25),
    "k2_1_122": ramp(2, 1, 1, 2, 2, start=0.25),
    "k11_99": np.cos(np.arange(81.0)).reshape(1, 1, 9, 9),
    "k61_22": ramp(6, 1, 2, 2, start=0.25),
    "k21_22": ramp(2, 1, 2, 2, start=0.25),
    "k62_23": ramp(6, 2, 2, 3, start=0.25, step=0.25),
    "k81_23": ramp(8, 1, 2, 3, start=0.25, step=0.25),
    "k4_1_23": ramp(4, 1, 2, 3, start=0.25, step=0.25),
    "k22_23": ramp(2, 2, 2, 3, start=0.25, step=0.25),
    "k3_4_2": ramp(3, 4, 2, start=0.25, step=0.25),
    "i3w": np.array([0, -1, 2]),
    "i22": np.array([[0, -1], [2, 1]]),
    "i22p": np.array([[0, 3], [2, 3]]),
    "u5": np.array([0.25, 0.5, 0.75, 0.125, 0.9]),
}

CASES = []


def case(rust, python, *inputs, ulps=0, smooth=True):
    CASES.append((rust, python, inputs, ulps, smooth))


# einsum

def einsum(spec, *inputs, ulps=4, smooth=True):
    names = ", ".join("xyz"[: len(inputs)])
    case(f'np::einsum("{spec}", &[{names}])', lambda *v: np.einsum(spec, *v), *inputs, ulps=ulps, smooth=smooth)


einsum("ij,jk->ik", "m23", "m34")
einsum("ij,jk", "m23", "m32")
einsum("ij,kj->ik", "m23", "n23")
einsum("ji,jk->ki", "m23", "n23")
einsum("ba", "m23", ulps=0)
einsum("ij->ji", "m23", ulps=0)
einsum("ii->i", "m33", ulps=0)
einsum("ii", "m33")
einsum("iij->ji", "t224", ulps=0)
einsum("ijj->i", "t233")
einsum("ijj->ij", "t233", ulps=0)
einsum("ij->", "m23")
einsum("ij->j", "m23")
einsum("i,i->", "v3", "w3")
einsum("i,j->ij", "v3", "v4", ulps=0)
einsum("i,j->ji", "v3", "v4", ulps=0)
einsum("i,i->i", "v3", "w3", ulps=0)
einsum("bij,bj->bi", "t233", "m23")
einsum("bi,bi->b", "m23", "n23")
einsum("bij,bjk->bik", "t234", "t243")
einsum("bij,bkj->bik", "t233", "t233b")
einsum("...ij,...jk->...ik", "t234", "t243")
einsum("...ij,...jk", "t234", "t243")
einsum("...ij,jk->...ik", "t234", "m45")
einsum("i...->...", "t234")
einsum("...i->...", "t234")
einsum("i...j->j...i", "t234", ulps=0)
einsum("...,...->...", "t132", "m32", ulps=0)
einsum("...ij->...ji", "q2222", ulps=0)
einsum("...ii->...i", "t233", ulps=0)
einsum("...", "m23", ulps=0)
einsum("... ,", "m23", "s", ulps=0)
einsum(",", "s", "s", ulps=0)
einsum(" i j , j k -> i k ", "m23", "m34")
einsum("Ab,bC->CA", "m23", "m34")
einsum("bA", "m23", ulps=0)
einsum("i,ij,j", "v3", "m33", "w3")
einsum("ij,jk,kl->il", "m23", "m34", "m45")
einsum("ij,jk,kl->", "m23", "m34", "m45", ulps=16)
einsum("ij,ij,ij->i", "m23", "n23", "m23b")
einsum("i,j,k->kij", "v2", "v3", "v4", ulps=1)
case('np::einsum("ij,ji,ij,ji->", &[x, y, x, y])', lambda x, y: np.einsum("ij,ji,ij,ji->", x, y, x, y), "m33", "n33", ulps=16)
einsum("abc,bcd,acd->", "t234", "t345", "t245", ulps=64)
einsum("ij,j->i", "i23", "i3", ulps=0)
einsum("ij,jk", "f23", "f32", ulps=4)
einsum("ij,j->i", "m03", "v3")
einsum("ij,jk->ik", "m30", "m03")
einsum("ij,ij->ij", "m13", "m23", ulps=0)
einsum("ij,ij->", "m13", "m23")
einsum("i,i", "v1", "v3")
einsum("ijkl->lkji", "q2222", ulps=0)
einsum("ijil->jl", "q2222")
einsum("ijij", "q2222")

# Products

case("np::tensordot(x, y, 1)", lambda x, y: np.tensordot(x, y, 1), "m23", "m34", ulps=4)
case("np::tensordot(x, y, 2)", lambda x, y: np.tensordot(x, y, 2), "t234", "t345", ulps=8)
case("np::tensordot(x, y, 0)", lambda x, y: np.tensordot(x, y, 0), "v2", "m23")
case("np::tensordot(x, y, ([1, 2], [0, -2]))", lambda x, y: np.tensordot(x, y, ([1, 2], [0, -2])), "t234", "t345", ulps=8)
case("np::tensordot(x, y, ([-1, 1], [1, 0]))", lambda x, y: np.tensordot(x, y, ([-1, 1], [1, 0])), "t234", "t345", ulps=8)
case("np::tensordot(x, y, (0, -1))", lambda x, y: np.tensordot(x, y, (0, -1)), "m32", "m23", ulps=4)
case("np::inner(x, y)", np.inner, "m23", "n23", ulps=4)
case("np::inner(x, y)", np.inner, "v3", "w3", ulps=4)
case("np::inner(x, y)", np.inner, "s", "m23")
case("np::outer(x, y)", np.outer, "m23", "v2")
case("np::vdot(x, y)", np.vdot, "m23", "n23", ulps=4)
case("np::vecdot(x, y, -1)", np.vecdot, "m23", "v3", ulps=4)
case("np::vecdot(x, y, 0)", lambda x, y: np.vecdot(x, y, axis=0), "m23", "n23", ulps=4)
case("np::dot(x, y)", np.dot, "t234", "m45", ulps=4)
case("np::matmul(x, y)", np.matmul, "t234", "t243", ulps=4)
case("np::kron(x, y)", np.kron, "m23", "m32")
case("np::kron(x, y)", np.kron, "v2", "m23")
case("np::kron(x, y)", np.kron, "s", "v3")
case("np::kron(x, y)", np.kron, "t132", "v2")
case("np::cross(x, y, -1)", np.cross, "v3", "w3", ulps=1)
case("np::cross(x, y, 1)", lambda x, y: np.cross(x, y, axis=1), "m23", "n23", ulps=1)
case("np::cross(x, y, 0)", lambda x, y: np.cross(x, y, axis=0), "m32", "m32b", ulps=1)
case("np::cross(x, y, -1)", np.cross, "m23", "w3", ulps=1)
case("np::cross(x, y, 0)", lambda x, y: x[0] * y[1] - x[1] * y[0], "v2", "w2", ulps=1)

# Making arrays

case("x * np::eye(3, 3, 0)", lambda x: x * np.eye(3), "m33")
case("x * np::eye(2, 3, 1)", lambda x: x * np.eye(2, 3, 1), "m23")
case("x * np::eye(3, 2, -1)", lambda x: x * np.eye(3, 2, -1), "m32")
case("x * np::eye(3, 2, -7)", lambda x: x * np.eye(3, 2, -7), "m32")
case("x * np::eye(3, 2, isize::MAX)", lambda x: x * np.eye(3, 2, 9), "m32")
case("x * np::eye(3, 2, isize::MIN)", lambda x: x * np.eye(3, 2, -9), "m32")
case("x * np::identity(3)", lambda x: x * np.identity(3), "m33")
case("x * np::tri(3, 4, -1)", lambda x: x * np.tri(3, 4, -1), "m34")
case("x * np::tri(3, 4, 1)", lambda x: x * np.tri(3, 4, 1), "m34")
case("np::full(&[2, 3], x)", lambda x: np.full((2, 3), x), "v3")
case("x * np::full(&[2, 3], 1.5)", lambda x: x * np.full((2, 3), 1.5), "m23")
case("np::full_like(x, 2)", lambda x: np.full_like(x, 2), "i23")
case("np::zeros_like(x)", np.zeros_like, "m23")
case("np::ones_like(x)", np.ones_like, "b4")
case("x + np::zeros([3])", lambda x: x + np.zeros(3), "v3")
case("x + np::ones([3])", lambda x: x + np.ones(3), "v3")
case("x * np::arange(1.0, 2.0, 0.3)", lambda x: x * np.arange(1.0, 2.0, 0.3), "s")
case("x * np::arange(0.0, 5.0, 1.0)", lambda x: x * np.arange(5.0), "v5")
case("x * np::arange(3.0, -2.0, -1.0)", lambda x: x * np.arange(3.0, -2.0, -1.0), "v5")
case("x * np::arange(2.0, 1.0, 1.0)", lambda x: x * np.arange(2.0, 1.0), "s")
case("np::linspace(x, y, 5)", lambda x, y: np.linspace(x, y, 5), "s", "s2", ulps=1)
case("np::linspace(x, 7, 4)", lambda x: np.linspace(x, 7, 4), "s", ulps=1)
case("np::linspace(x, 7, 1)", lambda x: np.linspace(x, 7, 1), "s")
case("np::linspace(x, 7, 0)", lambda x: np.linspace(x, 7, 0), "s", smooth=False)
case("np::linspace(x, -2.0, 2)", lambda x: np.linspace(x, -2, 2), "s")
case("x * np::linspace(0.0, 1.0, 5)", lambda x: x * np.linspace(0, 1, 5), "v5", ulps=1)
case("np::logspace(x, 2.0, 4, 10.0)", lambda x: np.logspace(x, 2, 4), "s", ulps=8)
case("np::geomspace(x, 20.0, 4)", lambda x: np.geomspace(x, 20, 4), "s", ulps=8)
case("np::geomspace(x, 20.0, 2)", lambda x: np.geomspace(x, 20, 2), "s")
case("np::meshgrid(&[x, y], np::Indexing::Xy)", lambda x, y: np.meshgrid(x, y), "v3", "v4")
case("np::meshgrid(&[x, y], np::Indexing::Ij)", lambda x, y: np.meshgrid(x, y, indexing="ij"), "v3", "v4")
case("np::meshgrid(&[x, y, z], np::Indexing::Xy)", lambda x, y, z: np.meshgrid(x, y, z), "v2", "v3", "v4")
case("np::meshgrid(&[x], np::Indexing::Xy)", lambda x: np.meshgrid(x), "v3")

# Matrices

case("np::diagonal(x, 0, 0, 1)", np.diagonal, "m34")
case("np::diagonal(x, 1, 0, 1)", lambda x: np.diagonal(x, 1), "m34")
case("np::diagonal(x, -2, 0, 1)", lambda x: np.diagonal(x, -2), "m34")
case("np::diagonal(x, 9, 0, 1)", lambda x: np.diagonal(x, 9), "m34", smooth=False)
case("np::diagonal(x, 0, 1, 0)", lambda x: np.diagonal(x, 0, 1, 0), "m34")
case("np::diagonal(x, 1, 0, -1)", lambda x: np.diagonal(x, 1, 0, -1), "t234")
case("np::diagonal(x, -1, 2, 1)", lambda x: np.diagonal(x, -1, 2, 1), "t234")
case("np::diagonal(x, 0, 0, 1)", np.diagonal, "m03", smooth=False)
case("np::trace(x, 0, 0, 1)", np.trace, "m34", ulps=4)
case("np::trace(x, 1, -2, -1)", lambda x: np.trace(x, 1, -2, -1), "t234", ulps=4)
case("np::trace(x, 0, 0, 1)", np.trace, "i23")
case("np::diag(x, 0)", np.diag, "v3")
case("np::diag(x, 2)", lambda x: np.diag(x, 2), "v3")
case("np::diag(x, -1)", lambda x: np.diag(x, -1), "v3")
case("np::diag(x, 1)", lambda x: np.diag(x, 1), "m34")
case("np::diag(x, 1)", lambda x: np.diag(x, 1), "none", smooth=False)
case("np::diagflat(x, 1)", lambda x: np.diagflat(x, 1), "m23")
case("np::tril(x, 0)", np.tril, "m34")
case("np::tril(x, -1)", lambda x: np.tril(x, -1), "t234")
case("np::triu(x, 1)", lambda x: np.triu(x, 1), "m34")
case("np::triu(x, -1)", lambda x: np.triu(x, -1), "i32")
case("np::triu(x, 0)", np.triu, "t234")

# Reductions

for name in ["sum", "prod", "mean", "max", "min", "ptp"]:
    f = getattr(np, name)
    u = {"sum": 4, "prod": 8, "mean": 4}.get(name, 0)
    case(f"np::{name}(x, ())", f, "m34", ulps=u)
    case(f"np::{name}(x, 0)", lambda x, f=f: f(x, axis=0), "m34", ulps=u)
    case(f"np::{name}(x, -1)", lambda x, f=f: f(x, axis=-1), "t234", ulps=u)
    case(f"np::{name}(x, [-1, 0])", lambda x, f=f: f(x, axis=(-1, 0)), "t234", ulps=u)
    case(f"np::{name}(x, np::keep(1))", lambda x, f=f: f(x, axis=1, keepdims=True), "t234", ulps=u)
    case(f"np::{name}(x, np::keep(()))", lambda x, f=f: f(x, keepdims=True), "m34", ulps=u)
for name in ["sum", "prod", "mean"]:
    f = getattr(np, name)
    case(f"np::{name}(x, -2)", lambda x, f=f: f(x, axis=-2), "m03")
    case(f"np::{name}(x, 1)", lambda x, f=f: f(x, axis=1), "i23")
    case(f"np::{name}(x, np::keep([0]))", lambda x, f=f: f(x, axis=0, keepdims=True), "b23")
    case(f"np::{name}(x, ())" if name == "mean" else f"np::{name}(x, ())", f, "b23", ulps=1)
case("np::max(x, -1)", lambda x: np.max(x, axis=-1), "holes", smooth=False)
case("np::max(x, 1)", lambda x: np.max(x, axis=1), "m03", smooth=False)
case("np::min(x, 0)", lambda x: np.min(x, axis=0), "i23")
case("np::all(x, ())", np.all, "b4")
case("np::all(x, -1)", lambda x: np.all(x, axis=-1), "i23")
case("np::all(x, np::keep(0))", lambda x: np.all(x, axis=0, keepdims=True), "b23")
case("np::any(x, 1)", lambda x: np.any(x, axis=1), "holes")
case("np::any(x, ())", np.any, "none")
case("np::count_nonzero(x, ())", lambda x: np.int64(np.count_nonzero(x)), "i5")
case("np::count_nonzero(x, -1)", lambda x: np.count_nonzero(x, axis=-1), "holes")
case("np::count_nonzero(x, np::keep(0))", lambda x: np.count_nonzero(x, axis=0, keepdims=True), "b23")
for name in ["argmax", "argmin"]:
    f = getattr(np, name)
    case(f"np::{name}(x, ())", f, "m34")
    case(f"np::{name}(x, -1)", lambda x, f=f: f(x, axis=-1), "t234")
    case(f"np::{name}(x, np::keep(0))", lambda x, f=f: f(x, axis=0, keepdims=True), "ties")
    case(f"np::{name}(x, np::keep(()))", lambda x, f=f: f(x, keepdims=True), "ties")
    case(f"np::{name}(x, 0)", lambda x, f=f: f(x, axis=0), "holes")
for name in ["var", "std"]:
    f = getattr(np, name)
    case(f"np::{name}(x, (), 0)", f, "m34", ulps=8)
    case(f"np::{name}(x, -1, 1)", lambda x, f=f: f(x, axis=-1, ddof=1), "t234", ulps=8)
    case(f"np::{name}(x, np::keep([0, 2]), 2)", lambda x, f=f: f(x, axis=(0, 2), ddof=2, keepdims=True), "t234", ulps=8)
    case(f"np::{name}(x, (), 1)", lambda x, f=f: f(x, ddof=1), "i5", ulps=8)
    case(f"np::{name}(x, (), 9)", lambda x, f=f: f(x, ddof=9), "v5", smooth=False)
    case(f"np::{name}(x, 1, 0)", lambda x, f=f: f(x, axis=1), "m23", ulps=8)
    case(f"np::nan{name}(x, 0, 0)", lambda x, f=getattr(np, "nan" + name): f(x, axis=0), "holes", ulps=8, smooth=False)
    case(f"np::nan{name}(x, -1, 1)", lambda x, f=getattr(np, "nan" + name): f(x, axis=-1, ddof=1), "holes", ulps=8, smooth=False)
case("np::average(x, (), y)", lambda x, y: np.average(x, weights=y), "m23", "m23p", ulps=4)
case("np::average(x, -1, y)", lambda x, y: np.average(x, axis=-1, weights=y), "m23", "p3", ulps=4)
case("np::average(x, np::keep(0), y)", lambda x, y: np.average(x, axis=0, weights=y, keepdims=True), "m32", "p3", ulps=4)
case("np::average(x, [2, 0], y)", lambda x, y: np.average(x, axis=(2, 0), weights=y), "t234", "m42p", ulps=8)
case("np::average(x, [0, 1], y)", lambda x, y: np.average(x, axis=(0, 1), weights=y), "i23", "i23p", ulps=4)
case("np::cov(x, 1)", np.cov, "m34", ulps=8)
case("np::cov(x, 0)", lambda x: np.cov(x, ddof=0), "m23", ulps=8)
case("np::cov(x, 1)", np.cov, "v5", ulps=8)
case("np::cov(x, 1)", np.cov, "i23", ulps=8)
case("np::corrcoef(x)", np.corrcoef, "m34", ulps=8)
case("np::corrcoef(x)", np.corrcoef, "v5")
case("np::logsumexp(x, ())", scipy.special.logsumexp, "m34", ulps=4)
case("np::logsumexp(x, -1)", lambda x: scipy.special.logsumexp(x, axis=-1), "t234", ulps=4)
case("np::logsumexp(x, np::keep(0))", lambda x: scipy.special.logsumexp(x, axis=0, keepdims=True), "big", ulps=4)
case("np::norm(x, -1)", lambda x: np.linalg.norm(x, axis=-1), "m34", ulps=4)
for name in ["sum", "prod", "mean", "max", "min"]:
    f = getattr(np, "nan" + name)
    case(f"np::nan{name}(x, ())", f, "holes", ulps=4, smooth=False)
    case(f"np::nan{name}(x, -1)", lambda x, f=f: f(x, axis=-1), "holes", ulps=4, smooth=False)
    case(f"np::nan{name}(x, np::keep(0))", lambda x, f=f: f(x, axis=0, keepdims=True), "holes", ulps=4, smooth=False)
    case(f"np::nan{name}(x, 1)", lambda x, f=f: f(x, axis=1), "m34", ulps=8)
case("np::nansum(x, 0)", lambda x: np.nansum(x, axis=0), "i23")
case("np::nanmax(x, 0)", lambda x: np.nanmax(x, axis=0), "i23")

# Shapes

case("np::reshape(x, &[-1, 2])", lambda x: np.reshape(x, (-1, 2)), "m34")
case("np::reshape(x, &[2, 3, -1])", lambda x: np.reshape(x, (2, 3, -1)), "m34")
case("np::ravel(x)", np.ravel, "m34")
case("np::broadcast_to(x, &[2, 3])", lambda x: np.broadcast_to(x, (2, 3)), "v3")
case("np::broadcast_arrays(&[x, y])", np.broadcast_arrays, "m13", "m31")
case("np::transpose(x, ())", np.transpose, "t234")
case("np::transpose(x, [-1, 0, 1])", lambda x: np.transpose(x, (-1, 0, 1)), "t234")
case("np::swapaxes(x, 0, -1)", lambda x: np.swapaxes(x, 0, -1), "t234")
case("np::moveaxis(x, 0, -1)", lambda x: np.moveaxis(x, 0, -1), "t234")
case("np::moveaxis(x, [0, 1], [-1, 0])", lambda x: np.moveaxis(x, [0, 1], [-1, 0]), "t234")
case("np::moveaxis(x, -1, 0)", lambda x: np.moveaxis(x, -1, 0), "q2222")
case("np::expand_dims(x, 0)", lambda x: np.expand_dims(x, 0), "m23")
case("np::expand_dims(x, [-1, 1])", lambda x: np.expand_dims(x, (-1, 1)), "m23")
case("np::squeeze(x, ())", np.squeeze, "t132")
case("np::squeeze(x, -3)", lambda x: np.squeeze(x, -3), "t132")
case("np::atleast_1d(x)", np.atleast_1d, "s")
case("np::atleast_2d(x)", np.atleast_2d, "v3")
case("np::atleast_3d(x)", np.atleast_3d, "m23")
case("np::atleast_3d(x)", np.atleast_3d, "v3")
case("np::flip(x, ())", np.flip, "m23")
case("np::flip(x, -1)", lambda x: np.flip(x, -1), "t234")
case("np::flip(x, [-1, 0])", lambda x: np.flip(x, (-1, 0)), "t234")
case("np::flipud(x)", np.flipud, "m23")
case("np::fliplr(x)", np.fliplr, "m23")
for k in [0, 1, 2, 3, -1, 5]:
    case(f"np::rot90(x, {k}, [0, 1])", lambda x, k=k: np.rot90(x, k), "m23")
case("np::rot90(x, 1, [1, 0])", lambda x: np.rot90(x, 1, (1, 0)), "m23")
case("np::rot90(x, 1, [0, -1])", lambda x: np.rot90(x, 1, (0, -1)), "t234")
case("np::rot90(x, 2, [2, 1])", lambda x: np.rot90(x, 2, (2, 1)), "t234")
case("np::rot90(x, 3, [-1, 1])", lambda x: np.rot90(x, 3, (-1, 1)), "t234")
for shift in [1, -1, 0, 7, -13]:
    case(f"np::roll(x, {shift}, 0)", lambda x, shift=shift: np.roll(x, shift, 0), "v5")
case("np::roll(x, 2, ())", lambda x: np.roll(x, 2), "m23")
case("np::roll(x, -1, -1)", lambda x: np.roll(x, -1, -1), "m23")
case("np::roll(x, 1, [0, 1])", lambda x: np.roll(x, 1, (0, 1)), "m34")
case("np::roll(x, 1, 0)", lambda x: np.roll(x, 1, 0), "m03", smooth=False)
case("np::roll(x, isize::MIN, 0)", lambda x: np.roll(x, -(2**63) % 5, 0), "v5")
case("np::tile(x, &[2])", lambda x: np.tile(x, 2), "v3")
case("np::tile(x, &[2, 3])", lambda x: np.tile(x, (2, 3)), "m23")
case("np::tile(x, &[2, 1, 2])", lambda x: np.tile(x, (2, 1, 2)), "m23")
case("np::tile(x, &[2])", lambda x: np.tile(x, 2), "m23")
case("np::tile(x, &[0, 2])", lambda x: np.tile(x, (0, 2)), "m23", smooth=False)
case("np::repeat(x, 3, 0)", lambda x: np.repeat(x, 3, 0), "m23")
case("np::repeat(x, 2, -1)", lambda x: np.repeat(x, 2, -1), "m23")
case("np::repeat(x, 2, ())", lambda x: np.repeat(x, 2), "m23")
case("np::repeat(x, 0, 0)", lambda x: np.repeat(x, 0, 0), "m23", smooth=False)
for i, (rust, bounds) in enumerate([
    ("1, 4, 1", (1, 4, 1)), ("-3, None, 1", (-3, None, 1)), ("None, -2, 1", (None, -2, 1)), ("None, None, -1", (None, None, -1)),
    ("5, 1, -2", (5, 1, -2)), ("-1, -6, -2", (-1, -6, -2)), ("None, None, 3", (None, None, 3)), ("0, 100, 2", (0, 100, 2)),
    ("-100, 3, 1", (-100, 3, 1)), ("4, 2, 1", (4, 2, 1)), ("100, None, -3", (100, None, -3)), ("None, 2, -1", (None, 2, -1)),
    ("2, -100, -1", (2, -100, -1)), ("-2, -1, 1", (-2, -1, 1)), ("3, 3, -1", (3, 3, -1)),
]):
    case(f"np::slice(x, 0, {rust})", lambda x, b=bounds: x[slice(*b)], "v7", smooth=np.arange(7)[slice(*bounds)].size > 0)
case("np::slice(x, -1, -3, None, 2)", lambda x: x[:, -3::2], "m34")
case("np::slice(x, 0, isize::MIN, isize::MAX, isize::MAX)", lambda x: x[:1], "v7")
case("np::slice(x, 0, isize::MAX, isize::MIN, isize::MIN)", lambda x: x[-1:], "v7")
case("np::index(x, 0, -1)", lambda x: x[-1], "m34")
case("np::index(x, -1, 1)", lambda x: x[..., 1], "t234")

# Joins

case("np::concatenate(&[x, y], -1)", lambda x, y: np.concatenate([x, y], -1), "m23", "n23")
case("np::concatenate(&[x, y], 0)", lambda x, y: np.concatenate([x, y], 0), "m23", "m03")
case("np::append(x, y, 0)", lambda x, y: np.append(x, y, 0), "v3", "v4")
case("np::stack(&[x, y], -1)", lambda x, y: np.stack([x, y], -1), "m23", "n23")
case("np::stack(&[x, y], 1)", lambda x, y: np.stack([x, y], 1), "m23", "n23")
case("np::stack(&[x, x], 0)", lambda x: np.stack([x, x]), "s")
case("np::unstack(x, -1)", lambda x: np.unstack(x, axis=-1), "m23")
case("np::hstack(&[x, y])", lambda x, y: np.hstack([x, y]), "v3", "v4")
case("np::hstack(&[x, y, x])", lambda x, y: np.hstack([x, y, x]), "m23", "n23")
case("np::hstack(&[x, y])", lambda x, y: np.hstack([x, y]), "s", "v3")
case("np::vstack(&[x, y])", lambda x, y: np.vstack([x, y]), "v3", "m23")
case("np::vstack(&[x, x])", lambda x: np.vstack([x, x]), "s")
case("np::dstack(&[x, y])", lambda x, y: np.dstack([x, y]), "v3", "w3")
case("np::dstack(&[x, x])", lambda x: np.dstack([x, x]), "m23")
case("np::column_stack(&[x, y])", lambda x, y: np.column_stack([x, y]), "v3", "m32")
case("np::split(x, 3, 0)", lambda x: np.split(x, 3), "v6")
case("np::split(x, 2, -1)", lambda x: np.split(x, 2, -1), "m34")
case("np::split(x, [2, -1], 0)", lambda x: np.split(x, [2, -1]), "v7")
case("np::split(x, [1, 100], 1)", lambda x: np.split(x, [1, 100], 1), "m34")
case("np::split(x, [5, 2], 0)", lambda x: np.split(x, [5, 2]), "v7")
case("np::array_split(x, 3, 0)", lambda x: np.array_split(x, 3), "v7")
case("np::array_split(x, 9, 0)", lambda x: np.array_split(x, 9), "v7")
case("np::hsplit(x, 2)", lambda x: np.hsplit(x, 2), "m34")
case("np::hsplit(x, [1])", lambda x: np.hsplit(x, [1]), "v3")
case("np::vsplit(x, 3)", lambda x: np.vsplit(x, 3), "m34")
case("np::dsplit(x, 2)", lambda x: np.dsplit(x, 2), "t234")
case("np::pad(x, 2, np::PadMode::Constant(1.5))", lambda x: np.pad(x, 2, constant_values=1.5), "m23")
case("np::pad(x, (1, 0), np::PadMode::Constant(-2.0))", lambda x: np.pad(x, (1, 0), constant_values=-2), "i23")
for mode in ["edge", "reflect", "symmetric", "wrap"]:
    rust = f"np::PadMode::{mode.capitalize()}"
    for width, text in [((2, 1), "(2, 1)"), ((0, 3), "(0, 3)"), ((9, 7), "(9, 7)"), ((0, 0), "(0, 0)")]:
        case(f"np::pad(x, {text}, {rust})", lambda x, w=width, m=mode: np.pad(x, w, mode=m), "v4")
    case(f"np::pad(x, [(1, 2), (2, 0)], {rust})", lambda x, m=mode: np.pad(x, [(1, 2), (2, 0)], mode=m), "m34")
    case(f"np::pad(x, 3, {rust})", lambda x, m=mode: np.pad(x, 3, mode=m), "v1")
    case(f"np::pad(x, 5, {rust})", lambda x, m=mode: np.pad(x, 5, mode=m), "v2")

# By elements

for name, inputs, u in [
    ("abs", "v5", 0), ("sign", "v5", 0), ("square", "v5", 0), ("sqrt", "u5", 0), ("cbrt", "v5", 2), ("reciprocal", "v5", 0),
    ("exp", "v5", 2), ("exp2", "v5", 2), ("expm1", "v5", 2), ("log", "u5", 2), ("log2", "u5", 2), ("log10", "u5", 2),
    ("log1p", "u5", 2), ("sin", "v5", 2), ("cos", "v5", 2), ("tan", "v5", 2), ("arcsin", "u5", 2), ("arccos", "u5", 2),
    ("arctan", "v5", 2), ("sinh", "v5", 2), ("cosh", "v5", 2), ("tanh", "v5", 2), ("arcsinh", "v5", 2), ("arctanh", "u5", 2),
    ("sinc", "v5", 4), ("floor", "u5", 0), ("ceil", "u5", 0), ("trunc", "u5", 0), ("degrees", "v5", 1), ("radians", "v5", 1),
    ("nan_to_num", "v5", 0), ("negative", "v5", 0),
]:
    case(f"np::{name}(x)", getattr(np, name), inputs, ulps=u)
case("np::arccosh(x + 7.0)", lambda x: np.arccosh(x + 7), "v5", ulps=2)
case("np::round(x)", np.round, "v6", smooth=False)
for name in ["isnan", "isfinite", "isinf", "isposinf", "isneginf", "signbit", "nan_to_num", "logical_not", "sign", "abs"]:
    case(f"np::{name}(x)", getattr(np, name), "wild", smooth=False)
case("np::exp(x)", np.exp, "i5", ulps=2)
case("np::abs(x)", np.abs, "i5")
case("np::nan_to_num(x)", np.nan_to_num, "i5")
case("np::nan_to_num_with(x, 7.0, 8.0, 9.0)", lambda x: np.nan_to_num(x, nan=7, posinf=8, neginf=9), "wild", smooth=False)
case("np::degrees(x)", np.degrees, "i5", ulps=1)
for name in ["maximum", "minimum", "fmax", "fmin", "equal", "not_equal", "less", "less_equal", "greater", "greater_equal"]:
    f = getattr(np, name)
    case(f"np::{name}(x, y)", f, "v3", "w3")
    case(f"np::{name}(x, y)", f, "wild", "wild2", smooth=False)
    case(f"np::{name}(x, 1)", lambda x, f=f: f(x, 1), "i5")
case("np::maximum(x, 0.5)", lambda x: np.maximum(x, 0.5), "m23")
case("np::where_(x, y, z)", lambda x, y, z: np.where(x, y, z), "b23", "m23", "n23")
case("np::where_(x, y, 0.0)", lambda x, y: np.where(x, y, 0.0), "b23", "v3")
case("np::where_(x, 1.0, 2.0)", lambda x: np.where(x, 1.0, 2.0), "i5")
case("np::clip(x, -1.0, 1.5)", lambda x: np.clip(x, -1, 1.5), "v5")
case("np::clip(x, y, 2.0)", lambda x, y: np.clip(x, y, 2.0), "m23", "p3")
case("np::clip(x, -3, 3)", lambda x: np.clip(x, -3, 3), "i5")
for name, rust in [("mod", "mod_"), ("remainder", "remainder"), ("fmod", "fmod"), ("floor_divide", "floor_divide")]:
    f = getattr(np, name)
    case(f"np::{rust}(x, y)", f, "mod1", "mod2", smooth=False)
    case(f"np::{rust}(x, 3.0)", lambda x, f=f: f(x, 3.0), "v6")
    case(f"np::{rust}(x, -2.0)", lambda x, f=f: f(x, -2.0), "v7")
    case(f"np::{rust}(x, y)", f, "i5", "j5")
    case(f"np::{rust}(x, y)", f, "wild", "wild2", smooth=False)
case("np::floor_divide(x, 0.1)", lambda x: np.floor_divide(x, 0.1), "t5", smooth=False)
case("np::floor_divide(x, 0.0)", lambda x: np.floor_divide(x, 0.0), "v5", smooth=False)
case("np::divmod(x, 2.0)", lambda x: np.divmod(x, 2.0), "v5")
for name in ["arctan2", "hypot", "copysign", "logaddexp", "logaddexp2", "heaviside"]:
    f = getattr(np, name)
    case(f"np::{name}(x, y)", f, "v3", "w3", ulps=2)
    case(f"np::{name}(x, 2.0)", lambda x, f=f: f(x, 2.0), "m23", ulps=2)
    case(f"np::{name}(x, y)", f, "wild", "wild2", ulps=2, smooth=False)
case("np::power(x, y)", np.power, "p3", "v3", ulps=4)
case("np::power(x, 2.5)", lambda x: np.power(x, 2.5), "u5", ulps=4)
case("np::divide(x, y)", np.divide, "i5", "j5")
case("np::add(x, y)", np.add, "m23", "v3")
case("np::subtract(x, y)", np.subtract, "m23", "v3")
case("np::multiply(x, y)", np.multiply, "m23", "i23")
case("np::add(x, y)", np.add, "b4", "i4")
case("np::logical_and(x, y)", np.logical_and, "b4", "c4")
case("np::logical_or(x, y)", np.logical_or, "b4", "c4")
case("np::logical_xor(x, y)", np.logical_xor, "b4", "c4")
case("np::isclose(x, y, 1e-5, 1e-8)", np.isclose, "near", "near2")
case("np::isclose(x, y, 0.0, 0.5)", lambda x, y: np.isclose(x, y, 0, 0.5), "wild", "wild2")
case("np::allclose(x, y, 1e-5, 1e-8)", np.allclose, "v3", "v3")
case("np::allclose(x, 2.0, 0.5, 0.0)", lambda x: np.allclose(x, 2.0, 0.5, 0.0), "v3")
case("np::array_equal(x, y)", np.array_equal, "v3", "v3")
case("np::ldexp(x, y)", np.ldexp, "v5", "i5")
case("np::ldexp(x, 4)", lambda x: np.ldexp(x, 4), "v5")

# Along an axis

for name, f, u in [
    ("cumsum", np.cumsum, 4), ("cumprod", np.cumprod, 8), ("cummax", np.maximum.accumulate, 0),
    ("cummin", np.minimum.accumulate, 0), ("cumlogsumexp", np.logaddexp.accumulate, 8),
]:
    case(f"np::{name}(x, 0)", lambda x, f=f: f(x, axis=0), "v7", ulps=u)
    case(f"np::{name}(x, 0)", lambda x, f=f: f(x, axis=0), "v12", ulps=u)
    case(f"np::{name}(x, 0)", lambda x, f=f: f(x, axis=0), "v2", ulps=u)
    case(f"np::{name}(x, 0)", lambda x, f=f: f(x, axis=0), "v1", ulps=u)
    case(f"np::{name}(x, 0)", lambda x, f=f: f(x, axis=0), "none", ulps=u)
    case(f"np::{name}(x, -1)", lambda x, f=f: f(x, axis=-1), "t234", ulps=u)
    case(f"np::{name}(x, 1)", lambda x, f=f: f(x, axis=1), "t345", ulps=u)
    case(f"np::{name}(x, -1)", lambda x, f=f: f(x, axis=-1), "hole1", ulps=u, smooth=False)
    if name != "cumlogsumexp":
        case(f"np::{name}(x, -1)", lambda x, f=f: f(x, axis=-1), "i23")
case("np::cumsum(x, 0)", lambda x: np.cumsum(x, 0), "b4")
case("np::cumprod(x, 0)", lambda x: np.cumprod(x, 0), "zeros5", ulps=4)


def recurrence(a, b):
    y, last = [], 0.0
    for k in range(len(a)):
        last = a[k] * last + b[k]
        y.append(last)
    return np.array(y)


SCAN = "retrograd::associative_scan(|(a, b): (Var, Var), (c, d): (Var, Var)| (a * c, b * c + d), (x, y), 0, {})"
case(SCAN.format("false"), lambda x, y: [np.cumprod(x), recurrence(x, y)], "v5", "u5", ulps=8)
case(SCAN.format("true"), lambda x, y: [np.cumprod(x[::-1])[::-1], recurrence(x[::-1], y[::-1])[::-1]], "v5", "u5", ulps=8)
case("retrograd::associative_scan(|a: Var, b: Var| a.matmul(b), x, 0, false)",
     lambda x: np.stack([x[0], x[0] @ x[1], x[0] @ x[1] @ x[2]]), "t322", ulps=8)

case("np::diff(x, 1, 0)", np.diff, "v5")
case("np::diff(x, 2, -1)", lambda x: np.diff(x, 2), "t234", ulps=2)
case("np::diff(x, 1, -2)", lambda x: np.diff(x, 1, -2), "t234")
case("np::diff(x, 0, 0)", lambda x: np.diff(x, 0), "v3")
case("np::diff(x, 3, 0)", lambda x: np.diff(x, 3), "v3", smooth=False)
case("np::diff(x, 9, 0)", lambda x: np.diff(x, 9), "v3", smooth=False)
case("np::diff(x, 1, 0)", np.diff, "none", smooth=False)
case("np::diff(x, 1, 0)", np.diff, "b4")
case("np::diff(x, 2, 1)", lambda x: np.diff(x, 2, 1), "i23")
case("np::gradient(x, 1.0, 0, 1)", lambda x: np.gradient(x), "v5", ulps=2)
case("np::gradient(x, 0.5, 0, 2)", lambda x: np.gradient(x, 0.5, edge_order=2), "v5", ulps=4)
case("np::gradient(x, y, 0, 1)", lambda x, y: np.gradient(x, y), "v5", "t5", ulps=4)
case("np::gradient(x, y, 0, 2)", lambda x, y: np.gradient(x, y, edge_order=2), "v5", "t5", ulps=4)
case("np::gradient(x, y, -1, 1)", lambda x, y: np.gradient(x, y, axis=-1), "m45", "t5", ulps=4)
case("np::gradient(x, y, 0, 2)", lambda x, y: np.gradient(x, y, axis=0, edge_order=2), "m34", "q3", ulps=4)
case("np::gradient(x, 2.0, 1, 2)", lambda x: np.gradient(x, 2.0, axis=1, edge_order=2), "t345", ulps=4)
case("np::gradient(x, 1.0, 0, 1)", lambda x: np.gradient(x), "v2", ulps=2)
case("np::gradient(x, 1.0, 0, 1)", lambda x: np.gradient(x), "i5", ulps=2)
case("np::gradient(x, y, 0, 1)", lambda x, y: np.gradient(x, float(y)), "v5", "s", ulps=2)
case("np::trapezoid(x, 1.0, 0)", np.trapezoid, "v5", ulps=4)
case("np::trapezoid(x, y, 0)", np.trapezoid, "v5", "t5", ulps=4)
case("np::trapezoid(x, y, -1)", np.trapezoid, "m45", "t5", ulps=4)
case("np::trapezoid(x, 0.5, 1)", lambda x: np.trapezoid(x, dx=0.5, axis=1), "t234", ulps=4)
case("np::trapezoid(x, 1.0, 0)", np.trapezoid, "v1", smooth=False)
case("np::cumulative_trapezoid(x, y, 0)", scipy.integrate.cumulative_trapezoid, "v5", "t5", ulps=4)

# Windows

for name in ["convolve", "correlate"]:
    f = getattr(np, name)
    for mode in ["full", "same", "valid"]:
        rust = f"np::{name}(x, y, np::ConvolveMode::{mode.capitalize()})"
        for pair in [("v7", "v3"), ("v3", "v7"), ("v6", "v4"), ("v4", "v6"), ("v5", "v5"), ("v6", "v6"), ("v7", "v2"), ("v2", "v7"),
                     ("v1", "v3"), ("v3", "v1"), ("i5", "i3")]:
            case(rust, lambda x, y, f=f, mode=mode: f(x, y, mode), *pair, ulps=4)
        # Derivatives of so many elements take long.
        case(rust, lambda x, y, f=f, mode=mode: f(x, y, mode), "v90", "v70", ulps=16, smooth=rust.startswith("np::convolve(x, y, np::ConvolveMode::Same"))
        case(rust, lambda x, y, f=f, mode=mode: f(x, y, mode), "v70", "v90", ulps=16, smooth=False)

case("np::sliding_window_view(x, 3, 0)", lambda x: sliding(x, 3), "v7")
case("np::sliding_window_view(x, 2, 0)", lambda x: sliding(x, 2, 0), "m34")
case("np::sliding_window_view(x, 2, -2)", lambda x: sliding(x, 2, -2), "t234")
case("np::sliding_window_view(x, 68, 0)", lambda x: sliding(x, 68, 0), "v70")
case("np::sliding_window_view(x, 66, -1)", lambda x: sliding(x, 66, -1), "m2_70")


def pooled(kind, x, sizes, strides=None, dilations=None, padding=None):
    n, lead = len(sizes), x.ndim - len(sizes)
    one = [1] * lead
    whole = lambda given, default: one + list(given if given else [default] * n)
    pads = [(0, 0)] * lead + list(padding if padding else [(0, 0)] * n)
    reduce = lambda x, init, f: np.asarray(
        lax.reduce_window(jnp.asarray(x), np.asarray(init, x.dtype), f, whole(sizes, 1), whole(strides, 1), pads, None, whole(dilations, 1)))
    if kind == "Sum":
        return reduce(x, 0, lax.add)
    if kind == "Mean":
        return reduce(x, 0, lax.add) / reduce(np.ones_like(x), 0, lax.add)
    least = np.iinfo(np.int64).min if x.dtype == np.int64 else -INF
    most = np.iinfo(np.int64).max if x.dtype == np.int64 else INF
    return reduce(x, least, lax.max) if kind == "Max" else reduce(x, most, lax.min)


for kind in ["Sum", "Max", "Min", "Mean"]:
    u = 8 if kind in ("Sum", "Mean") else 0
    for rust, options, name in [
        ("&[3]", dict(sizes=[3]), "v7"),
        ("&[2, 2]", dict(sizes=[2, 2]), "t345"),
        ("&[2, 2]).strides(&[2, 2]", dict(sizes=[2, 2], strides=[2, 2]), "m45"),
        ("&[1, 1]", dict(sizes=[1, 1]), "m23"),
        ("&[2, 3]).strides(&[1, 2]).padding(&[(1, 0), (2, 1)]", dict(sizes=[2, 3], strides=[1, 2], padding=[(1, 0), (2, 1)]), "m45"),
        ("&[2, 2]).dilations(&[2, 3])", dict(sizes=[2, 2], dilations=[2, 3]), "m45"),
        ("&[2]).strides(&[2]).padding(&[(1, 1)]", dict(sizes=[2], strides=[2], padding=[(1, 1)]), "m34"),
        ("&[66]", dict(sizes=[66]), "m2_70"),
        ("&[66]).dilations(&[1]).strides(&[2]", dict(sizes=[66], strides=[2]), "v70"),
        ("&[9, 9]", dict(sizes=[9, 9]), "m10_11"),
        ("&[2]", dict(sizes=[2]), "i5"),
    ]:
        if kind == "Mean" and name == "i5":
            continue
        rust = rust.rstrip(")") if rust.endswith("])") else rust
        case(f"np::reduce_window(x, np::Pool::{kind}, &np::Windows::new({rust}))",
             lambda x, kind=kind, options=options: pooled(kind, x, **options), name, ulps=u,
             smooth=not name.startswith(("m2_70", "m10")) or kind == "Max")


def convolved(x, w, strides=None, padding=None, input_dilation=None, kernel_dilation=None, groups=1, axes=None):
    n = x.ndim - 2
    order = tuple(range(x.ndim))
    numbers = lax.ConvDimensionNumbers(*[tuple(a) for a in axes]) if axes else lax.ConvDimensionNumbers(order, order, order)
    return np.asarray(lax.conv_general_dilated(
        jnp.asarray(x), jnp.asarray(w), strides or [1] * n, padding or [(0, 0)] * n, input_dilation or [1] * n,
        kernel_dilation or [1] * n, numbers, groups))


for rust, options, pairs in [
    ("", {}, [("c2312", "k233"), ("c22_45", "k32_22"), ("c22_45", "k12_22"), ("c21_45", "k11_23"), ("c2345", "k43_11"), ("c1_1_234", "k2_1_122"),
              ("m23", "m43"), ("c11_10", "k11_99"), ("c22_45", "k02_22")]),
    (".strides(&[2, 1]).padding(&[(1, 1), (2, 0)])", dict(strides=[2, 1], padding=[(1, 1), (2, 0)]), [("c22_45", "k32_22"), ("c21_45", "k11_23")]),
    (".padding(&[(-1, 1), (0, -2)])", dict(padding=[(-1, 1), (0, -2)]), [("c22_45", "k32_22")]),
    (".input_dilation(&[2, 3]).padding(&[(1, 1), (1, 2)])", dict(input_dilation=[2, 3], padding=[(1, 1), (1, 2)]), [("c22_45", "k32_22")]),
    (".kernel_dilation(&[3, 2])", dict(kernel_dilation=[3, 2]), [("c22_45", "k32_22"), ("c21_45", "k11_23")]),
    (".groups(2)", dict(groups=2), [("c22_45", "k61_22"), ("c22_45", "k21_22"), ("c14_44", "k62_23")]),
    (".groups(4).strides(&[2, 2])", dict(groups=4, strides=[2, 2]), [("c14_44", "k81_23"), ("c14_44", "k4_1_23")]),
    (".axes(&[0, 3, 1, 2], &[3, 2, 0, 1], &[0, 3, 1, 2])", dict(axes=[(0, 3, 1, 2), (3, 2, 0, 1), (0, 3, 1, 2)]), [("c2_45_2", "k22_23")]),
    (".axes(&[2, 0, 1], &[1, 2, 0], &[1, 2, 0])", dict(axes=[(2, 0, 1), (1, 2, 0), (1, 2, 0)]), [("t243", "k3_4_2")]),
]:
    for pair in pairs:
        case(f"np::conv_general(x, y, &np::Convolution::new(){rust})", lambda x, w, options=options: convolved(x, w, **options), *pair, ulps=16)

# Polynomials, and what has no other place

case("np::polyval(x, y)", np.polyval, "v4", "v3", ulps=4)
case("np::polyval(x, y)", np.polyval, "v3", "m23", ulps=4)
case("np::polyval(x, y)", np.polyval, "none", "v3", smooth=False)
case("np::polyval(x, y)", np.polyval, "i3", "i5")
case("np::vander(x, 4, false)", lambda x: np.vander(x, 4), "v3", ulps=2)
case("np::vander(x, 3, true)", lambda x: np.vander(x, 3, increasing=True), "v4", ulps=2)
case("np::vander(x, 0, true)", lambda x: np.vander(x, 0, increasing=True), "v4", smooth=False)
case("np::vander(x, 3, false)", lambda x: np.vander(x, 3), "i3")
case("np::ediff1d(x)", np.ediff1d, "m23")
case("np::nancumsum(x, -1)", lambda x: np.nancumsum(x, -1), "holes", smooth=False)
case("np::nancumsum(x, 0)", lambda x: np.nancumsum(x, 0), "i5")
case("np::nancumprod(x, 0)", lambda x: np.nancumprod(x, 0), "holes", ulps=2, smooth=False)
case("np::select(&[x.less(0), x.less(1)], &[-x, x * y], 0.5)", lambda x, y: np.select([x < 0, x < 1], [-x, x * y], 0.5), "m23", "w3")
case("np::select(&[x.less(2), x], &[x * y, y], y)", lambda x, y: np.select([x < 2, x != 0], [x * y, y], y), "i5", "j5")

# Indices and order

case("np::take(x, y, 0)", lambda x, y: np.take(x, y, 0), "v5", "i3w")
case("np::take(x, y, -1)", lambda x, y: np.take(x, y, -1), "m45", "i22")
case("np::take(x, y, ())", np.take, "m23", "i3w")
case("np::take_along_axis(x, y, 1)", lambda x, y: np.take_along_axis(x, y, 1), "m23", "i22")
case("np::sort(x, -1)", lambda x: np.sort(x, -1), "t234")
case("np::sort(x, ())", lambda x: np.sort(x, None), "m34")
case("np::sort(x, 0)", lambda x: np.sort(x, 0), "i5")
case("np::sort(x, 0)", lambda x: np.sort(x, 0), "hole1", smooth=False)
case("np::argsort(x, -1)", lambda x: np.argsort(x, -1, stable=True), "t234")
case("np::searchsorted(x, y, false)", np.searchsorted, "t5", "v4")
case("np::searchsorted(x, y, true)", lambda x, y: np.searchsorted(x, y, "right"), "t5", "t5")
case("np::interp(x, y, z)", np.interp, "u5", "t5", "v5", ulps=4, smooth=False)
case("np::bincount(x, 4)", lambda x: np.bincount(x.ravel(), minlength=4), "i22p")
for name in ["median", "quantile", "percentile"]:
    q = {"median": None, "quantile": 0.3, "percentile": 85.0}[name]
    rust = f"np::{name}(x, " if q is None else f"np::{name}(x, {q}, "
    f = lambda x, name=name, q=q, **k: getattr(np, name)(x, **({} if q is None else {"q": q}), **k)
    case(rust + "())", f, "m34", ulps=4)
    case(rust + "-1)", lambda x, f=f: f(x, axis=-1), "t345", ulps=4)
    case(rust + "np::keep([0, 2]))", lambda x, f=f: f(x, axis=(0, 2), keepdims=True), "t345", ulps=4)
    case(rust + "0)", lambda x, f=f: f(x, axis=0), "i5", ulps=4)
    case(rust + "1)", lambda x, f=f: f(x, axis=1), "holes", ulps=4, smooth=False)
