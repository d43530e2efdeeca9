//! Complex numbers of the host, as pairs of leaves.

use ndarray::{ArcArray, ArrayViewD, IxDyn, Zip};
use num_complex::Complex;

use super::host::{ArrayElement, FromTree, Numbers, ToTree, describe_array, in_rows};
use super::{Leaf, LeafRef, Tree};
use crate::error::ArgumentError;
use crate::value::{Element, Type};

macro_rules! complex {
    ($($part:ty $({ $to:item $from:item })?),*) => {$(
        impl ToTree for Complex<$part> {
            fn to_tree(&self) -> Tree<LeafRef<'_>> {
                let leaf = |x: $part| Tree::Leaf(LeafRef::Scalar(x.scalar()));
                Tree::complex(leaf(self.re), leaf(self.im))
            }

            fn view_of<'a>(items: &'a [Complex<$part>], extents: &[usize]) -> Option<Tree<LeafRef<'a>>> {
                Some(ArrayElement::leaves(in_rows(items, extents)))
            }

            $($to)?
        }

        impl FromTree for Complex<$part> {
            fn from_tree(tree: Tree<Leaf>) -> Result<Complex<$part>, ArgumentError> {
                let part = |leaf: &Leaf| match leaf {
                    Leaf::Scalar(x) => <$part>::from_scalar(*x),
                    Leaf::Array(_) => None,
                };
                let parts = tree.as_complex().and_then(|[re, im]| Some(Complex { re: part(re)?, im: part(im)? }));
                parts.ok_or_else(|| mismatch(&Type::scalar(<$part>::DTYPE).complex().to_string(), &tree))
            }

            $($from)?
        }

        impl ArrayElement for Complex<$part> {
            fn leaves(view: ArrayViewD<'_, Complex<$part>>) -> Tree<LeafRef<'_>> {
                let Complex { re, im } = view.split_complex();
                Tree::complex(<$part>::leaves(re), <$part>::leaves(im))
            }

            fn from_leaves(
                tree: Tree<Leaf>,
                rank: Option<usize>,
            ) -> Result<ArcArray<Complex<$part>, IxDyn>, ArgumentError> {
                join::<$part>(&tree, rank).ok_or_else(|| {
                    mismatch(&describe_array(&format!("complex {}", <$part>::DTYPE), rank), &tree)
                })
            }
        }
    )*};
}
complex!(
    f64 {
        #[inline]
        fn push_numbers(&self, structure: &Tree<Type>, numbers: &mut Numbers) -> bool {
            numbers.extend([self.re, self.im]);
            structure.as_complex().is_some()
        }

        #[inline]
        fn from_numbers(structure: &Tree<Type>, numbers: &mut std::slice::Iter<'_, f64>) -> Option<Complex<f64>> {
            structure.as_complex()?;
            Some(Complex { re: *numbers.next()?, im: *numbers.next()? })
        }
    },
    f32
);

/// The array whose parts are these two leaves, of one shape; `None` if they are anything else.
fn join<T: Element>(tree: &Tree<Leaf>, rank: Option<usize>) -> Option<ArcArray<Complex<T>, IxDyn>> {
    let part = |leaf: &Leaf| T::unwrap(leaf.clone().into_array());
    let [re, im] = tree.as_complex()?;
    let (re, im) = (part(re)?, part(im)?);
    if re.shape() != im.shape() || rank.is_some_and(|rank| rank != re.ndim()) {
        return None;
    }
    Some(Zip::from(&re).and(&im).map_collect(|&re, &im| Complex { re, im }).into_shared())
}

impl Type {
    /// The type of complex numbers or arrays whose parts have this type.
    ///
    /// ```
    /// use retrograd::value::{DType, Type};
    ///
    /// let ty = Type::new(DType::F64, [3]).complex();
    /// assert_eq!(ty.to_string(), "complex f64[3]");
    /// assert_eq!(ty.named_leaves("z")[1].0, "z.im");
    /// ```
    pub fn complex(self) -> Tree<Type> {
        Tree::complex(Tree::Leaf(self.clone()), Tree::Leaf(self))
    }
}

fn mismatch(expected: &str, got: &Tree<Leaf>) -> ArgumentError {
    let is_leaf = matches!(got, Tree::Leaf(_)) || got.as_complex().is_some();
    let got = if is_leaf { got.map(&mut Leaf::ty).to_string() } else { got.describe() };
    ArgumentError::Structure { name: String::new(), expected: expected.to_string(), got }
}
