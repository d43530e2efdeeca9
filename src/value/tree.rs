//! Trees of arrays: the arguments and results of functions on the host.
//!
//! A leaf is named by its path: the root's name, then the position in each tuple or list and the field of each struct
//! on the way: `x`, `x.0`, `out.1.2`, `params.layers.0.w`.

use std::fmt;

use ndarray::{ArcArray, ArrayBase, ArrayD, ArrayView1, ArrayViewMutD, Data, Dimension, IxDyn, aview0};
use smallvec::SmallVec;

use super::{Array, ArrayMut, ArrayRef, Element, Scalar, Type};
use crate::error::ArgumentError;

/// Nested tuples, lists and structs, with a `T` at each leaf.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tree<T> {
    /// A leaf.
    Leaf(T),
    /// A tuple.
    Tuple(Vec<Tree<T>>),
    /// A `Vec`, a slice, or a Rust array.
    List(Vec<Tree<T>>),
    /// A struct with named fields, in their order; a tuple struct is a tuple.
    Struct(Vec<(&'static str, Tree<T>)>),
}

impl<T> Tree<T> {
    /// The number of leaves.
    pub fn n_leaves(&self) -> usize {
        let mut n = 0;
        self.for_each(&mut |_| n += 1);
        n
    }

    /// Visits the leaves in order.
    pub fn for_each<'a>(&'a self, visit: &mut dyn FnMut(&'a T)) {
        match self {
            Tree::Leaf(leaf) => visit(leaf),
            Tree::Tuple(parts) | Tree::List(parts) => parts.iter().for_each(|part| part.for_each(visit)),
            Tree::Struct(fields) => fields.iter().for_each(|(_, part)| part.for_each(visit)),
        }
    }

    /// Takes the leaves, in order.
    pub fn take_each(self, take: &mut dyn FnMut(T)) {
        match self {
            Tree::Leaf(leaf) => take(leaf),
            Tree::Tuple(parts) | Tree::List(parts) => parts.into_iter().for_each(|part| part.take_each(take)),
            Tree::Struct(fields) => fields.into_iter().for_each(|(_, part)| part.take_each(take)),
        }
    }

    /// The leaves in order.
    pub fn leaves(&self) -> Vec<&T> {
        let mut leaves = Vec::new();
        self.for_each(&mut |leaf| leaves.push(leaf));
        leaves
    }

    /// The same structure with other leaves.
    pub fn map<U>(&self, leaf: &mut dyn FnMut(&T) -> U) -> Tree<U> {
        match self {
            Tree::Leaf(x) => Tree::Leaf(leaf(x)),
            Tree::Tuple(parts) => Tree::Tuple(parts.iter().map(|part| part.map(leaf)).collect()),
            Tree::List(parts) => Tree::List(parts.iter().map(|part| part.map(leaf)).collect()),
            Tree::Struct(fields) => {
                Tree::Struct(fields.iter().map(|&(name, ref part)| (name, part.map(leaf))).collect())
            }
        }
    }

    /// The leaves in order, each with its name, which begins with `root`.
    pub fn named_leaves(&self, root: &str) -> Vec<(String, &T)> {
        let mut leaves = Vec::new();
        self.collect_named(root.to_string(), &mut leaves);
        leaves
    }

    fn collect_named<'a>(&'a self, name: String, leaves: &mut Vec<(String, &'a T)>) {
        match self {
            Tree::Leaf(leaf) => leaves.push((name, leaf)),
            Tree::Tuple(parts) | Tree::List(parts) => {
                for (position, part) in parts.iter().enumerate() {
                    part.collect_named(format!("{name}.{position}"), leaves);
                }
            }
            Tree::Struct(fields) => {
                for (field, part) in fields {
                    part.collect_named(format!("{name}.{field}"), leaves);
                }
            }
        }
    }

    /// Whether both have the same structure, and `leaf` holds for each pair of leaves.
    pub fn matches<U>(&self, other: &Tree<U>, leaf: &dyn Fn(&T, &U) -> bool) -> bool {
        match (self, other) {
            (Tree::Leaf(x), Tree::Leaf(y)) => leaf(x, y),
            (Tree::Tuple(a), Tree::Tuple(b)) | (Tree::List(a), Tree::List(b)) => {
                a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.matches(b, leaf))
            }
            (Tree::Struct(a), Tree::Struct(b)) => {
                a.len() == b.len() && a.iter().zip(b).all(|((m, a), (n, b))| m == n && a.matches(b, leaf))
            }
            (Tree::Leaf(_) | Tree::Tuple(_) | Tree::List(_) | Tree::Struct(_), _) => false,
        }
    }

    /// The parts of a struct with these fields, in this order.
    ///
    /// ```
    /// use retrograd::value::Tree;
    ///
    /// let point = Tree::Struct(vec![("x", Tree::Leaf(1)), ("y", Tree::Leaf(2))]);
    /// assert_eq!(point.clone().into_fields(["x", "y"])?, [Tree::Leaf(1), Tree::Leaf(2)]);
    /// let error = point.into_fields(["x", "z"]).unwrap_err().within("p");
    /// assert_eq!(error.to_string(), "p: takes a struct of x and z, but got a struct of x and y");
    /// # Ok::<(), retrograd::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the tree is anything else.
    pub fn into_fields<const N: usize>(self, names: [&str; N]) -> Result<[Tree<T>; N], ArgumentError> {
        match self {
            Tree::Struct(fields) if fields.iter().map(|(name, _)| *name).eq(names) => {
                let parts: Vec<Tree<T>> = fields.into_iter().map(|(_, part)| part).collect();
                Ok(parts.try_into().ok().expect("bug: the names were checked"))
            }
            other => Err(wrong_structure(&describe_struct(&names), &other)),
        }
    }

    /// The parts of a tuple with `N` components.
    ///
    /// ```
    /// use retrograd::value::Tree;
    ///
    /// let pair = Tree::Tuple(vec![Tree::Leaf(1), Tree::Leaf(2)]);
    /// assert_eq!(pair.into_components()?, [Tree::Leaf(1), Tree::Leaf(2)]);
    /// # Ok::<(), retrograd::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the tree is anything else.
    pub fn into_components<const N: usize>(self) -> Result<[Tree<T>; N], ArgumentError> {
        match self {
            Tree::Tuple(parts) if parts.len() == N => Ok(parts.try_into().ok().expect("bug: the length was checked")),
            other => Err(wrong_structure(&format!("a tuple of {N}"), &other)),
        }
    }

    /// Borrows the parts of a struct with these fields, in this order; `None` for anything else.
    ///
    /// ```
    /// use retrograd::value::Tree;
    ///
    /// let point = Tree::Struct(vec![("x", Tree::Leaf(1)), ("y", Tree::Leaf(2))]);
    /// assert_eq!(point.fields(["x", "y"]), Some([&Tree::Leaf(1), &Tree::Leaf(2)]));
    /// assert_eq!(point.fields(["x", "z"]), None);
    /// ```
    #[inline]
    pub fn fields<const N: usize>(&self, names: [&str; N]) -> Option<[&Tree<T>; N]> {
        let Tree::Struct(fields) = self else { return None };
        let fields: &[(&str, Tree<T>); N] = fields[..].try_into().ok()?;
        fields.iter().map(|(name, _)| *name).eq(names).then(|| fields.each_ref().map(|(_, part)| part))
    }

    /// Borrows the parts of a tuple with `N` components; `None` for anything else.
    ///
    /// ```
    /// use retrograd::value::Tree;
    ///
    /// let pair = Tree::Tuple(vec![Tree::Leaf(1), Tree::Leaf(2)]);
    /// assert_eq!(pair.components(), Some([&Tree::Leaf(1), &Tree::Leaf(2)]));
    /// assert_eq!(pair.components::<3>(), None);
    /// ```
    #[inline]
    pub fn components<const N: usize>(&self) -> Option<[&Tree<T>; N]> {
        let Tree::Tuple(parts) = self else { return None };
        let parts: &[Tree<T>; N] = parts[..].try_into().ok()?;
        Some(parts.each_ref())
    }

    /// A description of the root, for messages.
    pub(crate) fn describe(&self) -> String {
        match self {
            Tree::Leaf(_) => "one array or number".to_string(),
            Tree::Tuple(parts) => format!("a tuple of {}", parts.len()),
            Tree::List(parts) => format!("a list of {}", parts.len()),
            Tree::Struct(fields) => describe_struct(&fields.iter().map(|(name, _)| *name).collect::<Vec<_>>()),
        }
    }
}

/// A description of a struct with these fields.
fn describe_struct(names: &[&str]) -> String {
    match names {
        [] => "a struct without fields".to_string(),
        [only] => format!("a struct of {only}"),
        [first @ .., last] => format!("a struct of {} and {last}", first.join(", ")),
    }
}

/// Written as in Rust: `(f64[], [f64[3], f64[3]])`, `{w: f64[3], b: f64[]}`.
impl<T: fmt::Display> fmt::Display for Tree<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (open, parts, close) = match self {
            Tree::Leaf(leaf) => return leaf.fmt(f),
            Tree::Struct(fields) => return display_fields(fields, f),
            Tree::Tuple(parts) => ("(", parts, if parts.len() == 1 { ",)" } else { ")" }),
            Tree::List(parts) => ("[", parts, "]"),
        };
        f.write_str(open)?;
        for (position, part) in parts.iter().enumerate() {
            if position > 0 {
                f.write_str(", ")?;
            }
            part.fmt(f)?;
        }
        f.write_str(close)
    }
}

fn display_fields<T: fmt::Display>(fields: &[(&str, Tree<T>)], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    f.write_str("{")?;
    for (position, (name, part)) in fields.iter().enumerate() {
        let separator = if position > 0 { ", " } else { "" };
        write!(f, "{separator}{name}: {part}")?;
    }
    f.write_str("}")
}

/// What a traced function takes in one place, as far as its type says: how numbers that stand in a row are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// One array or number: a `Vec`, a slice or an array of Rust's is a vector there, if its items are numbers; if they are
    /// arrays of Rust's of numbers, it is a matrix, and so on.
    Leaf,
    /// A list of parts of that kind, each of which stands for itself.
    List(&'static Kind),
    /// A tuple.
    Tuple(&'static [Kind]),
    /// Anything else, in which every leaf is one array or number of the host.
    Any,
}

/// A leaf of a result. A scalar is stored inline, so that returning numbers does not allocate.
#[derive(Clone, Debug, PartialEq)]
pub enum Leaf {
    /// An array of rank 0.
    Scalar(Scalar),
    /// An array.
    Array(Array),
}

impl Leaf {
    /// A leaf of zeros, to be filled with a result of type `ty`.
    pub fn zeros(ty: &Type) -> Leaf {
        if ty.rank() == 0 { Leaf::Scalar(Scalar::I64(0).convert(ty.dtype)) } else { Leaf::Array(Array::zeros(ty)) }
    }

    /// A mutable view of the whole.
    pub fn view_mut(&mut self) -> ArrayMut<'_> {
        match self {
            Leaf::Scalar(Scalar::F64(x)) => ArrayMut::F64(scalar_view_mut(x)),
            Leaf::Scalar(Scalar::F32(x)) => ArrayMut::F32(scalar_view_mut(x)),
            Leaf::Scalar(Scalar::I64(x)) => ArrayMut::I64(scalar_view_mut(x)),
            Leaf::Scalar(Scalar::Bool(x)) => ArrayMut::Bool(scalar_view_mut(x)),
            Leaf::Array(x) => x.view_mut(),
        }
    }

    /// The type: dtype and shape.
    pub fn ty(&self) -> Type {
        match self {
            Leaf::Scalar(x) => Type::scalar(x.dtype()),
            Leaf::Array(x) => x.ty(),
        }
    }

    /// The leaf as an array.
    pub fn into_array(self) -> Array {
        match self {
            Leaf::Scalar(x) => Array::from_scalar(x),
            Leaf::Array(x) => x,
        }
    }
}

/// A leaf of an argument. A scalar is passed by value, since building a view would take longer than many functions.
#[derive(Clone, Debug)]
pub enum LeafRef<'a> {
    /// An array of rank 0.
    Scalar(Scalar),
    /// A view, with any strides.
    Array(ArrayRef<'a>),
}

impl LeafRef<'_> {
    /// The type: dtype and shape.
    pub fn ty(&self) -> Type {
        match self {
            LeafRef::Scalar(x) => Type::scalar(x.dtype()),
            LeafRef::Array(x) => x.ty(),
        }
    }

    /// Whether it has this type.
    pub fn is(&self, ty: &Type) -> bool {
        match self {
            LeafRef::Scalar(x) => ty.dtype == x.dtype() && ty.shape.is_empty(),
            LeafRef::Array(x) => ty.dtype == x.dtype() && *ty.shape == *x.shape(),
        }
    }

    /// A copy of the elements.
    pub fn to_array(&self) -> Array {
        match self {
            LeafRef::Scalar(x) => Array::from_scalar(*x),
            LeafRef::Array(x) => x.to_array(),
        }
    }

    /// The number, if this is a scalar of `f64`.
    pub fn as_f64(&self) -> Option<f64> {
        match self {
            LeafRef::Scalar(Scalar::F64(x)) => Some(*x),
            LeafRef::Array(ArrayRef::F64(x)) if x.ndim() == 0 => x.first().copied(),
            LeafRef::Scalar(_) | LeafRef::Array(_) => None,
        }
    }

    /// A view of the whole.
    pub fn view(&self) -> ArrayRef<'_> {
        match self {
            LeafRef::Scalar(Scalar::F64(x)) => ArrayRef::F64(aview0(x).into_dyn()),
            LeafRef::Scalar(Scalar::F32(x)) => ArrayRef::F32(aview0(x).into_dyn()),
            LeafRef::Scalar(Scalar::I64(x)) => ArrayRef::I64(aview0(x).into_dyn()),
            LeafRef::Scalar(Scalar::Bool(x)) => ArrayRef::Bool(aview0(x).into_dyn()),
            LeafRef::Array(x) => x.reborrow(),
        }
    }
}

/// A host value that can be an argument: numbers, `ndarray` arrays and views, [`Array`], and tuples, arrays, slices,
/// `Vec`s and [derived](derive@crate::Tree) structs of these, nested.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be an argument of a compiled function",
    note = "arguments are `f64`, `f32`, `i64`, `bool`, arrays of `ndarray`, and tuples, arrays and `Vec`s of these",
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

    /// A view of items in a row as one array, if they are numbers, or arrays of Rust's of these.
    fn view_of(items: &[Self]) -> Option<ArrayRef<'_>>
    where
        Self: Sized,
    {
        let _ = items;
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

/// A host value that can be a result: numbers, `ndarray` arrays, [`Array`], and tuples, arrays, `Vec`s and
/// [derived](derive@crate::Tree) structs of these, nested. A `Vec` or an array of Rust's also takes the rows of one array:
/// the numbers of a vector, the vectors of a matrix.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be the result of a compiled function",
    note = "results are `f64`, `f32`, `i64`, `bool`, owned arrays of `ndarray`, and tuples, arrays and `Vec`s of these",
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

            fn view_of(items: &[$number]) -> Option<ArrayRef<'_>> {
                Some(<$number>::wrap_view(ArrayView1::from(items).into_dyn()))
            }

            $($to)?
        }

        impl FromTree for $number {
            fn from_tree(tree: Tree<Leaf>) -> Result<$number, ArgumentError> {
                let expected = || Type::scalar(<$number>::DTYPE);
                match leaf(tree, || expected().to_string())? {
                    Leaf::Scalar(x) if x.dtype() == <$number>::DTYPE => {
                        Ok(<$number>::from_scalar(x).expect("bug: a scalar of another dtype"))
                    }
                    other => Err(ArgumentError::Type { name: String::new(), expected: expected(), got: other.ty() }),
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
}

impl FromTree for Array {
    fn from_tree(tree: Tree<Leaf>) -> Result<Array, ArgumentError> {
        leaf(tree, || "one array or number".to_string()).map(Leaf::into_array)
    }
}

impl ToTree for ArrayRef<'_> {
    fn to_tree(&self) -> Tree<LeafRef<'_>> {
        Tree::Leaf(LeafRef::Array(self.reborrow()))
    }
}

impl<T: Element, S: Data<Elem = T>, D: Dimension> ToTree for ArrayBase<S, D> {
    fn to_tree(&self) -> Tree<LeafRef<'_>> {
        Tree::Leaf(LeafRef::Array(T::wrap_view(self.view().into_dyn())))
    }
}

impl<T: Element, D: Dimension> FromTree for ndarray::Array<T, D> {
    fn from_tree(tree: Tree<Leaf>) -> Result<ndarray::Array<T, D>, ArgumentError> {
        let array: ArrayD<T> = shared::<T, D>(tree)?.into_owned();
        Ok(array.into_dimensionality().expect("bug: the rank was checked"))
    }
}

impl<T: Element, D: Dimension> FromTree for ArcArray<T, D> {
    fn from_tree(tree: Tree<Leaf>) -> Result<ArcArray<T, D>, ArgumentError> {
        Ok(shared::<T, D>(tree)?.into_dimensionality().expect("bug: the rank was checked"))
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
            Kind::Leaf => T::view_of(self).map_or_else(|| self.to_tree(), |view| Tree::Leaf(LeafRef::Array(view))),
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

    fn view_of(items: &[[T; N]]) -> Option<ArrayRef<'_>> {
        T::view_of(items.as_flattened()).map(|view| view.split_first_axis(items.len(), N))
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
            Tree::Leaf(Leaf::Array(array)) if array.ty().rank() > 0 => Vec::from_tree(rows(&array)),
            other => Err(wrong_structure("a list", &other)),
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
            Tree::Leaf(Leaf::Array(array)) if array.ty().rank() > 0 => match array.shape()[0] {
                n if n == N => <[T; N]>::from_tree(rows(&array)),
                _ => {
                    let (expected, got) = (format!("a list of {N}"), array.ty().to_string());
                    Err(ArgumentError::Structure { name: String::new(), expected, got })
                }
            },
            other => Err(wrong_structure(&format!("a list of {N}"), &other)),
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

/// What lies along the first axis of an array, one by one.
fn rows(array: &Array) -> Tree<Leaf> {
    let (n, row) = array.ty().row().expect("bug: rows of a scalar");
    let size = row.size();
    let element = |position: usize| array.get(position).expect("bug: a row beyond its array");
    let leaf = |k: usize| match row.rank() {
        0 => Leaf::Scalar(element(k)),
        _ => Leaf::Array(Array::collect(&row, (k * size..(k + 1) * size).map(element))),
    };
    Tree::List((0..n).map(|k| Tree::Leaf(leaf(k))).collect())
}

/// A scalar as an array of rank 0.
fn scalar_view_mut<T>(x: &mut T) -> ArrayViewMutD<'_, T> {
    ArrayViewMutD::from_shape(IxDyn(&[]), std::slice::from_mut(x)).expect("bug: a scalar is not one element")
}

/// The leaf, or an error if the tree is a tuple, a list or a struct.
fn leaf(tree: Tree<Leaf>, expected: impl Fn() -> String) -> Result<Leaf, ArgumentError> {
    match tree {
        Tree::Leaf(leaf) => Ok(leaf),
        other => Err(wrong_structure(&expected(), &other)),
    }
}

/// The error for a tree of another structure.
pub(crate) fn wrong_structure<T>(expected: &str, got: &Tree<T>) -> ArgumentError {
    ArgumentError::Structure { name: String::new(), expected: expected.to_string(), got: got.describe() }
}

/// The elements of a leaf with the dtype of `T` and the rank of `D`.
fn shared<T: Element, D: Dimension>(tree: Tree<Leaf>) -> Result<ArcArray<T, IxDyn>, ArgumentError> {
    let expected = || match D::NDIM {
        Some(rank) => format!("an array of {} of rank {rank}", T::DTYPE),
        None => format!("an array of {}", T::DTYPE),
    };
    let array = leaf(tree, expected)?.into_array();
    let ty = array.ty();
    match T::unwrap(array) {
        Some(array) if D::NDIM.is_none_or(|rank| rank == ty.rank()) => Ok(array),
        _ => Err(ArgumentError::Structure { name: String::new(), expected: expected(), got: ty.to_string() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::DType;

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
