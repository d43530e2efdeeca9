//! Derivatives of complex functions: that of a holomorphic function, and gradients in the other convention.

use std::marker::PhantomData;

use super::function::{Accepts, call_method, each_call, fresh, poisoned, wrt_method};
use super::gradient::gradient;
use super::jacobian::{Mode, derivative};
use super::{Arg, Function, Grad, ValueAndGrad, VarTree, Wrt};
use crate::op::trace;
use crate::op::{Complex, Var};
use crate::value::Tree;

/// The derivative of a holomorphic function; see [`holomorphic_grad`].
#[derive(Debug)]
pub struct HolomorphicGrad<F, Args, W = Arg<0>> {
    f: F,
    by: PhantomData<fn(Args) -> W>,
}

/// The Jacobian of a holomorphic function; see [`holomorphic_jacobian`].
#[derive(Debug)]
pub struct HolomorphicJacobian<F, Args, W = Arg<0>> {
    f: F,
    by: PhantomData<fn(Args) -> W>,
}

/// A gradient whose complex parts are conjugated; see [`Grad::conjugate`].
#[derive(Debug)]
pub struct Conjugate<F, Args, W = ()> {
    f: F,
    by: PhantomData<fn(Args) -> W>,
}

/// The derivative `f'(z)` of a holomorphic function that returns one complex number, by its first argument, whose leaves are
/// all complex.
///
/// A function is holomorphic where its real derivative is a multiplication by one complex number: polynomials, `exp`, `ln`
/// off its cut, and what is composed of them, but not `conj`, `abs`, `re` or `im`. That is not checked: of another
/// function this is `∂(re f)/∂x - i ∂(re f)/∂y`.
///
/// ```
/// use num_complex::{Complex64, c64};
/// use retrograd::{Complex, holomorphic_grad, jit};
///
/// let cube = |z: Complex| z * z * z;
/// let slope: Complex64 = jit(holomorphic_grad(cube)).call(c64(1.0, 1.0))?;
/// assert_eq!(slope, c64(0.0, 6.0)); // 3 z²
/// let bend: Complex64 = jit(holomorphic_grad(holomorphic_grad(cube))).call(c64(1.0, 1.0))?;
/// assert_eq!(bend, c64(6.0, 6.0)); // 6 z
/// # Ok::<(), retrograd::Error>(())
/// ```
///
/// # Errors
/// When traced: if the value is not one number, or a leaf of the argument is not complex.
pub fn holomorphic_grad<F, Args>(f: F) -> HolomorphicGrad<F, Args>
where
    F: Function<Args, Output = Complex>,
    Arg<0>: Wrt<Args>,
{
    HolomorphicGrad { f, by: PhantomData }
}

/// The Jacobian `∂fᵢ/∂zⱼ` of a holomorphic function of one complex array, by its first argument: complex numbers of shape
/// `[value's shape…, argument's shape…]`.
///
/// Of a function that is not holomorphic it is the derivative by the real parts alone; [`jacobian`](crate::jacobian) gives all
/// four real blocks, `j.re.re` (of the real part by real parts), `j.re.im`, `j.im.re` and `j.im.im`.
///
/// ```
/// use ndarray::{Array1, Array2, array};
/// use num_complex::{Complex64, c64};
/// use retrograd::{Complex, holomorphic_jacobian, jit};
///
/// let f = |z: Complex| z * z.reverse(&[0]);
/// let j: Array2<Complex64> = jit(holomorphic_jacobian(f)).call(array![c64(1.0, 2.0), c64(3.0, 0.0)])?;
/// assert_eq!(j, array![[c64(3.0, 0.0), c64(1.0, 2.0)], [c64(3.0, 0.0), c64(1.0, 2.0)]]);
/// # Ok::<(), retrograd::Error>(())
/// ```
pub fn holomorphic_jacobian<F, Args>(f: F) -> HolomorphicJacobian<F, Args>
where
    F: Function<Args, Output = Complex>,
    Arg<0>: Wrt<Args, Selected = Complex>,
{
    HolomorphicJacobian { f, by: PhantomData }
}

impl<F, Args, W> Function<Args> for HolomorphicGrad<F, Args, W>
where
    F: Function<Args, Output = Complex>,
    W: Wrt<Args>,
{
    type Output = W::Selected;

    fn apply(&self, args: Args) -> W::Selected {
        let selected = W::select(&args);
        let y = self.f.apply(args);
        if trace::has_failed() {
            return poisoned(&selected);
        }
        let _method = trace::method("holomorphic_grad", &[y.re, y.im]);
        if y.rank() != 0 {
            trace::fail_at(format!("takes a function that returns one complex number, but got shape {}", y.shape()));
            return poisoned(&selected);
        }
        let sides = sides(&selected.vars());
        if sides.contains(&Side::Real) {
            trace::fail_at(format!("takes complex arguments, but got {}", selected.vars().map(&mut |x| x.ty())));
            return poisoned(&selected);
        }
        conjugated(&gradient(&selected, y.re))
    }
}

impl<F, Args, W> Function<Args> for HolomorphicJacobian<F, Args, W>
where
    Args: VarTree,
    F: Function<Args, Output = Complex>,
    W: Wrt<Args, Selected = Complex>,
{
    type Output = Complex;

    fn apply(&self, args: Args) -> Complex {
        // f' = ∂(re f)/∂x + i ∂(im f)/∂x: half of the passes forward, and all of them in reverse.
        let z = W::select(&args);
        derivative(Mode::BySize, &z.re, &self.f.apply(args))
    }
}

impl<F, Args, W> Function<Args> for Conjugate<F, Args, W>
where
    F: Function<Args>,
{
    type Output = F::Output;

    fn apply(&self, args: Args) -> F::Output {
        conjugated(&self.f.apply(args))
    }
}

/// The conjugate of a transformation.
macro_rules! conjugate {
    ($($name:ident),*) => {$(
        impl<F, Args, W> $name<F, Args, W> {
            /// The same with every complex number of the result conjugated: `∂/∂re - i ∂/∂im`, which is what JAX and
            /// HIPS/autograd return.
            ///
            /// ```
            /// use num_complex::{Complex64, c64};
            /// use retrograd::{Complex, grad, jit};
            ///
            /// let f = |z: Complex| z.abs_squared();
            /// assert_eq!(jit(grad(f)).call::<Complex64>(c64(1.0, 2.0))?, c64(2.0, 4.0));
            /// assert_eq!(jit(grad(f).conjugate()).call::<Complex64>(c64(1.0, 2.0))?, c64(2.0, -4.0));
            /// # Ok::<(), retrograd::Error>(())
            /// ```
            pub fn conjugate(self) -> Conjugate<Self, Args> {
                Conjugate { f: self, by: PhantomData }
            }
        }
    )*};
}
conjugate!(Grad, ValueAndGrad);

wrt_method!(HolomorphicGrad, HolomorphicJacobian);
each_call!(call_method HolomorphicGrad);
each_call!(call_method HolomorphicJacobian);
each_call!(call_method Conjugate);

impl<F: Clone, Args, W> Clone for Conjugate<F, Args, W> {
    fn clone(&self) -> Self {
        Conjugate { f: self.f.clone(), by: PhantomData }
    }
}

impl<F: Copy, Args, W> Copy for Conjugate<F, Args, W> {}

/// What a leaf is.
#[derive(Clone, Copy, PartialEq)]
enum Side {
    /// A number of its own.
    Real,
    /// The real part of a complex number.
    Re,
    /// The imaginary part of a complex number.
    Im,
}

/// What each leaf is: a complex number is a struct of the leaves `re` and `im`.
fn sides(tree: &Tree<Var>) -> Vec<Side> {
    match tree {
        Tree::Leaf(_) => vec![Side::Real],
        Tree::Tuple(parts) | Tree::List(parts) => parts.iter().flat_map(sides).collect(),
        Tree::Struct(fields) => match &fields[..] {
            [("re", Tree::Leaf(_)), ("im", Tree::Leaf(_))] => vec![Side::Re, Side::Im],
            fields => fields.iter().flat_map(|(_, part)| sides(part)).collect(),
        },
    }
}

/// The same with every complex number conjugated.
fn conjugated<T: VarTree>(tree: &T) -> T {
    let mut sides = sides(&tree.vars()).into_iter();
    tree.map(&mut |x| match sides.next().expect("bug: a tree changed its number of leaves") {
        Side::Im => -x,
        Side::Real | Side::Re => x,
    })
}
