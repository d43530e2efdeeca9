//! Einstein's summation by a string, as NumPy's `einsum`: the string is read, an order of contraction is chosen, and each
//! pair becomes one product.

use super::axes::enter;
use super::contraction::{Contraction, Labeled};
use super::einsum_spec::{Spec, SpecError};
use crate::op::{Complex, Var, bilinear, trace};

/// NumPy's `einsum`: sums of products whose axes are named by letters.
///
/// In `"ij,jk->ik"`, each operand has a letter for each of its axes, and the output lists those that remain; the others are
/// summed over. Axes of one letter have one extent, or extent 1, which broadcasts. A letter twice in an operand is its
/// diagonal. Without `->`, the output has the letters that occur once, in alphabetical order (capitals first). An ellipsis
/// stands for the axes that have no letter, which broadcast from the last one on; the implicit output begins with them.
/// Spaces do not count.
///
/// Takes arrays of one numeric dtype; integers wrap. Several operands are contracted in pairs, in the order that takes the
/// fewest multiplications (found by dynamic programming over subsets up to 8 operands, beyond that greedily by the size of
/// what results, as in opt_einsum: Smith and Gray 2018, *opt_einsum*). Each pair is a [`DotGeneral`](crate::op::DotGeneral),
/// or a product by elements where nothing is summed. The derivative is that of the products: it is multilinear.
///
/// ```
/// use ndarray::{Array1, Array2, array};
/// use retrograd::{Var, jit, numpy as np};
///
/// let (x, y) = (array![[1.0, 2.0], [3.0, 4.0]], array![[0.0, 1.0], [1.0, 0.0]]);
/// let product: Array2<f64> = jit(|x: Var, y: Var| np::einsum("ij,jk->ik", &[x, y])).call(&x, &y)?;
/// assert_eq!(product, array![[2.0, 1.0], [4.0, 3.0]]);
/// let diagonal: Array1<f64> = jit(|x: Var| np::einsum("ii->i", &[x])).call(&x)?;
/// assert_eq!(diagonal, array![1.0, 4.0]);
/// let form: f64 = jit(|x: Var, v: Var| np::einsum("i,ij,j", &[v, x, v])).call(&x, array![1.0, -1.0])?;
/// assert_eq!(form, 0.0);
///
/// let wrong = jit(|x: Var| np::einsum("ij->ik", &[x])).call::<Array2<f64>>(&x).unwrap_err().to_string();
/// assert!(wrong.starts_with("einsum: 'k' of the output must be an axis of an operand\n  ij->ik\n       ^"));
/// # Ok::<(), retrograd::Error>(())
/// ```
///
/// # Errors
/// A string that cannot be read, as many operands as it does not have, or an operand whose rank or extents do not fit: the
/// message shows the place in the string. And what products report of dtypes.
#[track_caller]
pub fn einsum(spec: &str, operands: &[Var]) -> Var {
    let _method = enter("einsum", operands);
    if trace::has_failed() {
        return Var::poisoned();
    }
    let shapes: Vec<_> = operands.iter().map(|x| x.shape()).collect();
    let spec = match Spec::read(spec, &shapes) {
        Ok(spec) => spec,
        Err(SpecError { requirement, at }) => {
            trace::fail_at(format!("{requirement}{}", shown(spec, at)));
            return Var::poisoned();
        }
    };
    let labeled = operands.iter().zip(&spec.operands).map(|(&x, labels)| Labeled::new(x, labels.clone()));
    Contraction { extents: &spec.extents, output: &spec.output }.run(labeled.collect())
}

impl Complex {
    /// Sums of products of complex arrays whose axes are named by letters; see [`einsum`]. Nothing is conjugated.
    ///
    /// It is a sum of real ones: of n operands, 2ⁿ; of two large ones three, see [`Complex::dot`].
    ///
    /// ```
    /// use ndarray::array;
    /// use num_complex::{Complex64, c64};
    /// use retrograd::{Complex, jit};
    ///
    /// // The expectation of a matrix in a state.
    /// let f = |m: Complex, v: Complex| Complex::einsum("i,ij,j->", &[v.conj(), m, v]);
    /// let m = array![[c64(1.0, 0.0), c64(0.0, -2.0)], [c64(0.0, 2.0), c64(3.0, 0.0)]];
    /// let y: Complex64 = jit(f).call(&m, array![c64(1.0, 0.0), c64(0.0, 1.0)])?;
    /// assert_eq!(y, c64(8.0, 0.0));
    /// # Ok::<(), retrograd::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`einsum`].
    #[track_caller]
    pub fn einsum(spec: &str, operands: &[Complex]) -> Complex {
        if let &[x, y] = operands {
            return bilinear(x, y, n_terms(spec, [x, y]), |x, y| einsum(spec, &[x, y]));
        }
        let (mut re, mut im) = (None, None);
        for subset in 0..1usize << operands.len() {
            let part = |(k, z): (usize, &Complex)| if subset >> k & 1 == 1 { z.im } else { z.re };
            let term = einsum(spec, &operands.iter().enumerate().map(part).collect::<Vec<Var>>());
            // The factor is a power of i.
            let n = subset.count_ones();
            let sum = if n % 2 == 0 { &mut re } else { &mut im };
            *sum = Some(match *sum {
                None if n < 2 => term,
                None => -term,
                Some(sum) if n % 4 < 2 => sum + term,
                Some(sum) => sum - term,
            });
        }
        let re: Var = re.expect("bug: a sum has no term");
        Complex { re, im: im.unwrap_or_else(|| re.full_like(0.0)) }
    }
}

/// How many products a sum of two operands has for each element of the result; 0 if the string does not fit, which the sum reports.
fn n_terms(spec: &str, operands: [Complex; 2]) -> usize {
    let Ok(Spec { operands, output, extents }) = Spec::read(spec, &operands.map(Complex::shape)) else { return 0 };
    let is_contracted = |label: &usize| !output.contains(label) && operands.iter().all(|own| own.contains(label));
    (0..extents.len()).filter(is_contracted).map(|label| extents[label]).product()
}

/// The string below the message, with a mark under the character at that byte.
fn shown(spec: &str, at: Option<usize>) -> String {
    let line: String = spec.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let Some(at) = at else { return format!("\n  {line}") };
    let before = spec[..at].chars().count();
    format!("\n  {line}\n  {}^", " ".repeat(before))
}
