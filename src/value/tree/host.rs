use ndarray::{ArcArray, ArrayBase, ArrayD, ArrayViewD, Data, Dimension, IxDyn};
use smallvec::SmallVec;

use super::{Kind, Leaf, LeafRef, Tree, complex_for_real, wrong_structure};
use crate::error::ArgumentError;
use crate::value::{Array, ArrayRef, Element, Type};

/// A host value that can be an argument: numbers, real and complex, `ndarray` arrays and views, [`Array`], and tuples, arrays, slices,
/// `Vec`s and [derived](derive@crate::Tree) structs of these, nested.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be an argument of a compiled function",
    note = "arguments are `f64`, `f32`, `i64`, `bool`, `Complex<f64>`, arrays of `ndarray`, and tuples, arrays and `Vec`s of these",
    note = "a struct of these is one with `#[derive(Clone, retrograd::Tree)]`"
)]
pub trait ToTree {
    /// Views of the leaves.
    fn to_tree(&self) -> Tree<LeafRef<'_>>;

    /// Views of the leaves, where a function takes that kind: rows of numbers are one array where it takes one.
    ///
    /// ```
    /// use retrograd::value::{Kind, LeafRef, ToTree};
    ///
    /// let rows = [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]];
    /// let types = |kind: &Kind| rows.to_tree_as(kind).map(&mut LeafRef::ty).to_string();
    /// assert_eq!(types(&Kind::Leaf), "f64[2,3]");
    /// assert_eq!(types(&Kind::List(&Kind::Leaf)), "[f64[3], f64[3]]");
    /// assert_eq!(rows.to_tree().map(&mut LeafRef::ty).to_string(), "[[f64[], f64[], f64[]], [f64[], f64[], f64[]]]");
    /// ```
    fn to_tree_as(&self, kind: &Kind) -> Tree<LeafRef<'_>> {
        let _ = kind;
        self.to_tree()
    }

    /// A view of items in a row as one array, if they are numbers, or arrays of Rust's of these. They lie along leading axes
    /// of the given extents.
    ///
    /// ```
    /// use retrograd::value::{LeafRef, ToTree};
    ///
    /// let view = ToTree::view_of(&[[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]], &[2]);
    /// assert_eq!(view.map(|view| view.map(&mut LeafRef::ty).to_string()).as_deref(), Some("f64[2,3]"));
    /// assert!(ToTree::view_of(&[(1.0, 2.0)], &[1]).is_none());
    /// ```
    fn view_of<'a>(items: &'a [Self], extents: &[usize]) -> Option<Tree<LeafRef<'a>>>
    where
        Self: Sized,
    {
        let _ = (items, extents);
        None
    }

    /// A fast path for structures whose leaves are all `f64` scalars: appends the leaves, in order, and returns true if
    /// this is such a tree. If it returns false, [`ToTree::to_tree`] is used; so a type need not implement it.
    ///
    /// ```
    /// use retrograd::value::{DType, Numbers, ToTree, Tree, Type};
    ///
    /// let leaf = || Tree::Leaf(Type::scalar(DType::F64));
    /// let pair = Tree::Tuple(vec![leaf(), Tree::List(vec![leaf(), leaf()])]);
    /// let mut numbers = Numbers::new();
    /// assert!((1.0, [2.0, 3.0]).push_numbers(&pair, &mut numbers));
    /// assert_eq!(numbers[..], [1.0, 2.0, 3.0]);
    /// assert!(!(1.0, [2.0, 3.0, 4.0]).push_numbers(&pair, &mut numbers));
    /// ```
    fn push_numbers(&self, structure: &Tree<Type>, numbers: &mut Numbers) -> bool {
        let _ = (structure, numbers);
        false
    }
}

/// The leaves of a tree of `f64` scalars, in order; up to 32 are stored without a heap allocation.
pub type Numbers = SmallVec<[f64; 32]>;

/// A host value that can be a result: numbers, real and complex, `ndarray` arrays, [`Array`], and tuples, arrays, `Vec`s and
/// [derived](derive@crate::Tree) structs of these, nested. A `Vec` or an array of Rust's also takes the rows of one array:
/// the numbers of a vector, the vectors of a matrix.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be the result of a compiled function",
    note = "results are `f64`, `f32`, `i64`, `bool`, `Complex<f64>`, owned arrays of `ndarray`, and tuples, arrays and `Vec`s of these",
    note = "a struct of these is one with `#[derive(Clone, retrograd::Tree)]`"
)]
pub trait FromTree: Sized {
    /// Takes the leaves.
    ///
    /// # Errors
    /// If the tree has another structure, or a leaf has another type; the name in the error is relative to this tree's
    /// root.
    fn from_tree(tree: Tree<Leaf>) -> Result<Self, ArgumentError>;

    /// A fast path for structures whose leaves are all `f64` scalars: takes the leaves, in order. If it returns `None`,
    /// [`FromTree::from_tree`] is used; so a type need not implement it.
    ///
    /// ```
    /// use retrograd::value::{DType, FromTree, Tree, Type};
    ///
    /// let leaf = || Tree::Leaf(Type::scalar(DType::F64));
    /// let pair = Tree::Tuple(vec![leaf(), leaf()]);
    /// assert_eq!(FromTree::from_numbers(&pair, &mut [1.0, 2.0].iter()), Some((1.0, 2.0)));
    /// assert_eq!(<[f64; 2]>::from_numbers(&pair, &mut [1.0, 2.0].iter()), None);
    /// ```
    fn from_numbers(structure: &Tree<Type>, numbers: &mut std::slice::Iter<'_, f64>) -> Option<Self> {
        let _ = (structure, numbers);
        None
    }

    /// A fast path for `Vec`s: the numbers of a vector, all at once. If it returns `None`, they are taken one by one; so a
    /// type need not implement it.
    ///
    /// ```
    /// use retrograd::value::{Array, FromTree, Leaf, Tree};
    ///
    /// let vector = Tree::Leaf(Leaf::Array(Array::from_elements([2], vec![1.0, 2.0]).unwrap()));
    /// assert_eq!(FromTree::from_vector(&vector), Some(vec![1.0, 2.0]));
    /// assert_eq!(i64::from_vector(&vector), None);
    /// ```
    fn from_vector(tree: &Tree<Leaf>) -> Option<Vec<Self>> {
        let _ = tree;
        None
    }
}

/// Invokes a macro once for each tuple of one to six components, with `(letter variable position)` for each component
/// after the macro's other arguments.
macro_rules! each_tuple {
    ($macro:ident $($first:tt)*) => {
        $macro!($($first)* (A a 0));
        $macro!($($first)* (A a 0) (B b 1));
        $macro!($($first)* (A a 0) (B b 1) (C c 2));
        $macro!($($first)* (A a 0) (B b 1) (C c 2) (D d 3));
        $macro!($($first)* (A a 0) (B b 1) (C c 2) (D d 3) (E e 4));
        $macro!($($first)* (A a 0) (B b 1) (C c 2) (D d 3) (E e 4) (G g 5));
    };
}
pub(crate) use each_tuple;

macro_rules! number {
    ($($number:ty $({ $to:item $from:item })?),*) => {$(
        impl ToTree for $number {
            fn to_tree(&self) -> Tree<LeafRef<'_>> {
                Tree::Leaf(LeafRef::Scalar(self.scalar()))
            }

            fn to_tree_as(&self, kind: &Kind) -> Tree<LeafRef<'_>> {
                of_kind(self.to_tree(), kind)
            }

            fn view_of<'a>(items: &'a [$number], extents: &[usize]) -> Option<Tree<LeafRef<'a>>> {
                Some(<$number>::leaves(in_rows(items, extents)))
            }

            $($to)?
        }

        impl FromTree for $number {
            fn from_tree(tree: Tree<Leaf>) -> Result<$number, ArgumentError> {
                let expected = || Type::scalar(<$number>::DTYPE);
                match real_leaf(tree, || expected().to_string())? {
                    Leaf::Scalar(x) if x.dtype() == <$number>::DTYPE => {
                        Ok(<$number>::from_scalar(x).expect("bug: a scalar of another dtype"))
                    }
                    other => Err(ArgumentError::Type { name: String::new(), expected: expected(), got: other.ty() }),
                }
            }

            fn from_vector(tree: &Tree<Leaf>) -> Option<Vec<$number>> {
                match tree {
                    Tree::Leaf(Leaf::Array(array)) if array.shape().len() == 1 => array.as_slice().map(<[_]>::to_vec),
                    _ => None,
                }
            }

            $($from)?
        }
    )*};
}
number!(
    f64 {
        #[inline]
        fn push_numbers(&self, structure: &Tree<Type>, numbers: &mut Numbers) -> bool {
            numbers.push(*self);
            matches!(structure, Tree::Leaf(_))
        }

        #[inline]
        fn from_numbers(structure: &Tree<Type>, numbers: &mut std::slice::Iter<'_, f64>) -> Option<f64> {
            if let Tree::Leaf(_) = structure { numbers.next().copied() } else { None }
        }
    },
    f32,
    i64,
    bool
);

impl ToTree for Array {
    fn to_tree(&self) -> Tree<LeafRef<'_>> {
        Tree::Leaf(LeafRef::Array(self.view()))
    }

    fn to_tree_as(&self, kind: &Kind) -> Tree<LeafRef<'_>> {
        of_kind(self.to_tree(), kind)
    }
}

impl FromTree for Array {
    fn from_tree(tree: Tree<Leaf>) -> Result<Array, ArgumentError> {
        real_leaf(tree, || "one array or number".to_string()).map(Leaf::into_array)
    }
}

impl ToTree for ArrayRef<'_> {
    fn to_tree(&self) -> Tree<LeafRef<'_>> {
        Tree::Leaf(LeafRef::Array(self.reborrow()))
    }

    fn to_tree_as(&self, kind: &Kind) -> Tree<LeafRef<'_>> {
        of_kind(self.to_tree(), kind)
    }
}

mod sealed {
    use crate::value::Element;

    pub trait Sealed {}
    impl<T: Element> Sealed for T {}
    impl Sealed for num_complex::Complex<f64> {}
    impl Sealed for num_complex::Complex<f32> {}
}

/// A Rust type whose `ndarray` arrays are arguments and results: an [`Element`], or `Complex<f64>` or `Complex<f32>` of
/// `num_complex`. An array of complex numbers is two leaves, views of every second number; a call copies them apart, and joins
/// results to one array.
///
/// ```
/// use ndarray::{Array1, array};
/// use num_complex::Complex;
/// use retrograd::value::{LeafRef, ToTree};
///
/// let z = array![Complex::new(1.0, 2.0), Complex::new(3.0, 4.0)];
/// assert_eq!(z.to_tree().map(&mut LeafRef::ty).to_string(), "complex f64[2]");
/// let names: Vec<String> = z.to_tree().named_leaves("z").into_iter().map(|(name, _)| name).collect();
/// assert_eq!(names, ["z.re", "z.im"]);
/// ```
pub trait ArrayElement: Copy + sealed::Sealed + 'static {
    /// The leaves of an array: views of it.
    fn leaves(view: ArrayViewD<'_, Self>) -> Tree<LeafRef<'_>>;

    /// The array that these are the leaves of, in row-major order.
    ///
    /// # Errors
    /// If there are other leaves, of another dtype or, if one is given, of another rank.
    fn from_leaves(tree: Tree<Leaf>, rank: Option<usize>) -> Result<ArcArray<Self, IxDyn>, ArgumentError>;
}

impl<T: Element> ArrayElement for T {
    fn leaves(view: ArrayViewD<'_, T>) -> Tree<LeafRef<'_>> {
        Tree::Leaf(LeafRef::Array(T::wrap_view(view)))
    }

    fn from_leaves(tree: Tree<Leaf>, rank: Option<usize>) -> Result<ArcArray<T, IxDyn>, ArgumentError> {
        let expected = || describe_array(&T::DTYPE.to_string(), rank);
        let array = real_leaf(tree, expected)?.into_array();
        let ty = array.ty();
        match T::unwrap(array) {
            Some(array) if rank.is_none_or(|rank| rank == ty.rank()) => Ok(array),
            _ => Err(ArgumentError::Structure { name: String::new(), expected: expected(), got: ty.to_string() }),
        }
    }
}

/// A description of arrays with these elements, for messages.
pub(super) fn describe_array(elements: &str, rank: Option<usize>) -> String {
    match rank {
        Some(rank) => format!("an array of {elements} of rank {rank}"),
        None => format!("an array of {elements}"),
    }
}

impl<T: ArrayElement, S: Data<Elem = T>, D: Dimension> ToTree for ArrayBase<S, D> {
    fn to_tree(&self) -> Tree<LeafRef<'_>> {
        T::leaves(self.view().into_dyn())
    }

    fn to_tree_as(&self, kind: &Kind) -> Tree<LeafRef<'_>> {
        of_kind(self.to_tree(), kind)
    }
}

impl<T: ArrayElement, D: Dimension> FromTree for ndarray::Array<T, D> {
    fn from_tree(tree: Tree<Leaf>) -> Result<ndarray::Array<T, D>, ArgumentError> {
        let array: ArrayD<T> = T::from_leaves(tree, D::NDIM)?.into_owned();
        Ok(array.into_dimensionality().expect("bug: the rank was checked"))
    }
}

impl<T: ArrayElement, D: Dimension> FromTree for ArcArray<T, D> {
    fn from_tree(tree: Tree<Leaf>) -> Result<ArcArray<T, D>, ArgumentError> {
        Ok(T::from_leaves(tree, D::NDIM)?.into_dimensionality().expect("bug: the rank was checked"))
    }
}

impl<T: ToTree + ?Sized> ToTree for &T {
    fn to_tree(&self) -> Tree<LeafRef<'_>> {
        T::to_tree(self)
    }

    fn to_tree_as(&self, kind: &Kind) -> Tree<LeafRef<'_>> {
        T::to_tree_as(self, kind)
    }

    #[inline]
    fn push_numbers(&self, structure: &Tree<Type>, numbers: &mut Numbers) -> bool {
        T::push_numbers(self, structure, numbers)
    }
}

impl<T: ToTree> ToTree for [T] {
    fn to_tree(&self) -> Tree<LeafRef<'_>> {
        Tree::List(self.iter().map(T::to_tree).collect())
    }

    fn to_tree_as(&self, kind: &Kind) -> Tree<LeafRef<'_>> {
        match kind {
            Kind::Leaf | Kind::Complex => match T::view_of(self, &[self.len()]) {
                Some(view) => of_kind(view, kind),
                None => self.to_tree(),
            },
            Kind::List(part) => Tree::List(self.iter().map(|item| item.to_tree_as(part)).collect()),
            Kind::Tuple(_) | Kind::Any => self.to_tree(),
        }
    }

    #[inline]
    fn push_numbers(&self, structure: &Tree<Type>, numbers: &mut Numbers) -> bool {
        match structure {
            Tree::List(parts) if parts.len() == self.len() => {
                self.iter().zip(parts).all(|(x, part)| x.push_numbers(part, numbers))
            }
            _ => false,
        }
    }
}

impl<T: ToTree, const N: usize> ToTree for [T; N] {
    fn to_tree(&self) -> Tree<LeafRef<'_>> {
        self.as_slice().to_tree()
    }

    fn to_tree_as(&self, kind: &Kind) -> Tree<LeafRef<'_>> {
        self.as_slice().to_tree_as(kind)
    }

    fn view_of<'a>(items: &'a [[T; N]], extents: &[usize]) -> Option<Tree<LeafRef<'a>>> {
        T::view_of(items.as_flattened(), &[extents, &[N]].concat())
    }

    #[inline]
    fn push_numbers(&self, structure: &Tree<Type>, numbers: &mut Numbers) -> bool {
        self.as_slice().push_numbers(structure, numbers)
    }
}

impl<T: ToTree> ToTree for Vec<T> {
    fn to_tree(&self) -> Tree<LeafRef<'_>> {
        self.as_slice().to_tree()
    }

    fn to_tree_as(&self, kind: &Kind) -> Tree<LeafRef<'_>> {
        self.as_slice().to_tree_as(kind)
    }

    #[inline]
    fn push_numbers(&self, structure: &Tree<Type>, numbers: &mut Numbers) -> bool {
        self.as_slice().push_numbers(structure, numbers)
    }
}

impl<T: FromTree> FromTree for Vec<T> {
    fn from_tree(tree: Tree<Leaf>) -> Result<Vec<T>, ArgumentError> {
        match tree {
            Tree::List(parts) => {
                parts.into_iter().enumerate().map(|(k, part)| T::from_tree(part).map_err(|e| e.within(k))).collect()
            }
            other => match T::from_vector(&other) {
                Some(numbers) => Ok(numbers),
                None => match rows(&other) {
                    Some(rows) => Vec::from_tree(Tree::List(rows)),
                    None => Err(wrong_structure("a list", &other)),
                },
            },
        }
    }

    #[inline]
    fn from_numbers(structure: &Tree<Type>, numbers: &mut std::slice::Iter<'_, f64>) -> Option<Vec<T>> {
        match structure {
            Tree::List(parts) => parts.iter().map(|part| T::from_numbers(part, numbers)).collect(),
            _ => None,
        }
    }
}

impl<T: FromTree, const N: usize> FromTree for [T; N] {
    fn from_tree(tree: Tree<Leaf>) -> Result<[T; N], ArgumentError> {
        match tree {
            Tree::List(parts) if parts.len() == N => {
                let parts: Vec<T> = Vec::from_tree(Tree::List(parts))?;
                Ok(parts.try_into().ok().expect("bug: the length was checked"))
            }
            other => match rows(&other) {
                Some(rows) if rows.len() == N => <[T; N]>::from_tree(Tree::List(rows)),
                Some(_) => {
                    let (expected, got) = (format!("a list of {N}"), other.map(&mut Leaf::ty).to_string());
                    Err(ArgumentError::Structure { name: String::new(), expected, got })
                }
                None => Err(wrong_structure(&format!("a list of {N}"), &other)),
            },
        }
    }

    #[inline]
    fn from_numbers(structure: &Tree<Type>, numbers: &mut std::slice::Iter<'_, f64>) -> Option<[T; N]> {
        match structure {
            Tree::List(parts) if parts.len() == N => {
                let taken: [Option<T>; N] = std::array::from_fn(|k| T::from_numbers(&parts[k], numbers));
                let whole = taken.iter().all(Option::is_some);
                whole.then(|| taken.map(|x| x.expect("bug: a component was there before")))
            }
            _ => None,
        }
    }
}

macro_rules! tuple {
    ($(($T:ident $t:ident $k:tt))+) => {
        impl<$($T: ToTree),+> ToTree for ($($T,)+) {
            fn to_tree(&self) -> Tree<LeafRef<'_>> {
                Tree::Tuple(vec![$(self.$k.to_tree()),+])
            }

            fn to_tree_as(&self, kind: &Kind) -> Tree<LeafRef<'_>> {
                match kind {
                    Kind::Tuple(kinds) if kinds.len() == [$($k),+].len() => {
                        Tree::Tuple(vec![$(self.$k.to_tree_as(&kinds[$k])),+])
                    }
                    _ => self.to_tree(),
                }
            }

            #[inline]
            fn push_numbers(&self, structure: &Tree<Type>, numbers: &mut Numbers) -> bool {
                let Some([$($t),+]) = structure.components() else { return false };
                $(self.$k.push_numbers($t, numbers))&&+
            }
        }

        impl<$($T: FromTree),+> FromTree for ($($T,)+) {
            fn from_tree(tree: Tree<Leaf>) -> Result<($($T,)+), ArgumentError> {
                let [$($t),+] = tree.into_components()?;
                Ok(($($T::from_tree($t).map_err(|e| e.within($k))?,)+))
            }

            #[inline]
            fn from_numbers(structure: &Tree<Type>, numbers: &mut std::slice::Iter<'_, f64>) -> Option<($($T,)+)> {
                let [$($t),+] = structure.components()?;
                Some(($($T::from_numbers($t, numbers)?,)+))
            }
        }
    };
}
each_tuple!(tuple);

/// No leaf: the outputs of a loop that has none.
impl ToTree for () {
    fn to_tree(&self) -> Tree<LeafRef<'_>> {
        Tree::Tuple(Vec::new())
    }
}

/// No leaf: the results of a function that has none.
impl FromTree for () {
    fn from_tree(tree: Tree<Leaf>) -> Result<(), ArgumentError> {
        tree.into_components().map(|[]| ())
    }
}

/// A leaf as a function takes it: where that is a complex one, a real one has the imaginary part 0.
pub(super) fn of_kind<'a>(tree: Tree<LeafRef<'a>>, kind: &Kind) -> Tree<LeafRef<'a>> {
    match kind {
        Kind::Complex => tree.with_imaginary_part(),
        Kind::Leaf | Kind::List(_) | Kind::Tuple(_) | Kind::Any => tree,
    }
}

/// Items in a row as an array.
pub(super) fn in_rows<'a, T>(items: &'a [T], extents: &[usize]) -> ArrayViewD<'a, T> {
    ArrayViewD::from_shape(extents, items).expect("bug: items that do not fill their extents")
}

/// What lies along the first axis of an array, real or complex, one by one; `None` for anything else.
fn rows(tree: &Tree<Leaf>) -> Option<Vec<Tree<Leaf>>> {
    if let Tree::Leaf(leaf) = tree {
        return rows_of_leaf(leaf);
    }
    let [re, im] = tree.as_complex()?;
    let (re, im) = (rows_of_leaf(re)?, rows_of_leaf(im)?);
    (re.len() == im.len()).then(|| re.into_iter().zip(im).map(|(re, im)| Tree::complex(re, im)).collect())
}

fn rows_of_leaf(leaf: &Leaf) -> Option<Vec<Tree<Leaf>>> {
    let Leaf::Array(array) = leaf else { return None };
    let (n, row) = array.ty().row()?;
    let size = row.size();
    let element = |position: usize| array.get(position).expect("bug: a row beyond its array");
    let leaf = |k: usize| match row.rank() {
        0 => Leaf::Scalar(element(k)),
        _ => Leaf::Array(Array::collect(&row, (k * size..(k + 1) * size).map(element))),
    };
    Some((0..n).map(|k| Tree::Leaf(leaf(k))).collect())
}

/// The leaf, or an error if the tree is a tuple, a list or a struct, a complex number among them.
fn real_leaf(tree: Tree<Leaf>, expected: impl Fn() -> String) -> Result<Leaf, ArgumentError> {
    match tree {
        Tree::Leaf(leaf) => Ok(leaf),
        other if other.as_complex().is_some() => Err(complex_for_real(&expected(), &other.map(&mut Leaf::ty))),
        other => Err(wrong_structure(&expected(), &other)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::{DType, Scalar};

    fn scalar(x: f64) -> Tree<Leaf> {
        Tree::Leaf(Leaf::Scalar(Scalar::F64(x)))
    }

    #[test]
    fn leaves_are_named_by_path() {
        let value = (1.0, vec![(2.0, true), (3.0, false)], ndarray::arr2(&[[1i64, 2]]));
        let types = value.to_tree().map(&mut |leaf| leaf.ty());
        assert_eq!(types.to_string(), "(f64[], [(f64[], bool[]), (f64[], bool[])], i64[1,2])");
        let names: Vec<String> = types.named_leaves("x").into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["x.0", "x.1.0.0", "x.1.0.1", "x.1.1.0", "x.1.1.1", "x.2"]);
        assert_eq!(types.n_leaves(), 6);
    }

    #[test]
    fn results_take_their_leaves() {
        let tree = Tree::Tuple(vec![scalar(1.0), Tree::List(vec![scalar(2.0), scalar(3.0)])]);
        assert_eq!(<(f64, Vec<f64>)>::from_tree(tree.clone()), Ok((1.0, vec![2.0, 3.0])));
        assert_eq!(<(f64, [f64; 2])>::from_tree(tree.clone()), Ok((1.0, [2.0, 3.0])));
        let error = <(f64, (f64, f64))>::from_tree(tree.clone()).unwrap_err();
        assert_eq!(error.within("out").to_string(), "out.1: takes a tuple of 2, but got a list of 2");
        let error = <(f64, Vec<f32>)>::from_tree(tree).unwrap_err();
        assert_eq!(error.within("out").to_string(), "out.1.0: takes f32[], but got f64[]");
    }

    #[test]
    fn arrays_are_checked_by_dtype_and_rank() {
        let array = Leaf::Array(Array::zeros(&Type::new(DType::F64, [2, 3])));
        let matrix = ndarray::Array2::<f64>::from_tree(Tree::Leaf(array.clone()));
        assert_eq!(matrix.map(|a| a.dim()), Ok((2, 3)));
        let error = ndarray::Array1::<f64>::from_tree(Tree::Leaf(array)).unwrap_err();
        assert_eq!(error.within("out").to_string(), "out: takes an array of f64 of rank 1, but got f64[2,3]");
    }
}
