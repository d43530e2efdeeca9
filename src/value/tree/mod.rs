//! Trees of arrays: the arguments and results of functions on the host.
//!
//! A leaf is named by its path: the root's name, then the position in each tuple or list and the field of each struct
//! on the way: `x`, `x.0`, `out.1.2`, `params.layers.0.w`.

//!
//! A complex number or array is the struct of its parts, `re` and `im`: two leaves of one type.

mod complex;
mod host;
mod leaf;

use std::fmt;

pub(crate) use self::host::each_tuple;
pub use self::host::{ArrayElement, FromTree, Numbers, ToTree};
pub use self::leaf::{Leaf, LeafRef};
use super::Type;
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

    /// A complex number or array: the struct of its parts.
    ///
    /// ```
    /// use retrograd::value::{DType, Tree, Type};
    ///
    /// let part = || Tree::Leaf(Type::new(DType::F64, [3]));
    /// let z = Tree::complex(part(), part());
    /// assert_eq!(z, Tree::Struct(vec![("re", part()), ("im", part())]));
    /// assert_eq!(z.to_string(), "complex f64[3]");
    /// ```
    pub fn complex(re: Tree<T>, im: Tree<T>) -> Tree<T> {
        Tree::Struct(vec![("re", re), ("im", im)])
    }

    /// The parts of a complex number or array; `None` for anything else.
    pub fn as_complex(&self) -> Option<[&T; 2]> {
        match self.fields(["re", "im"]) {
            Some([Tree::Leaf(re), Tree::Leaf(im)]) => Some([re, im]),
            _ => None,
        }
    }

    /// A description of the root, for messages.
    pub(crate) fn describe(&self) -> String {
        match self {
            Tree::Leaf(_) => "one array or number".to_string(),
            _ if self.as_complex().is_some() => "a complex array or number".to_string(),
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

/// Written as in Rust: `(f64[], [f64[3], f64[3]])`, `{w: f64[3], b: f64[]}`. A complex number or array is written as such:
/// `complex f64[3]`.
impl fmt::Display for Tree<Type> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some([re, _]) = self.as_complex().filter(|[re, im]| re == im) {
            return write!(f, "complex {re}");
        }
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

fn display_fields(fields: &[(&str, Tree<Type>)], f: &mut fmt::Formatter<'_>) -> fmt::Result {
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
    /// One complex array or number. Rows of numbers are read as for [`Kind::Leaf`], and real ones have the imaginary part 0.
    Complex,
    /// A list of parts of that kind, each of which stands for itself.
    List(&'static Kind),
    /// A tuple.
    Tuple(&'static [Kind]),
    /// Anything else, in which every leaf is one array or number of the host.
    Any,
}

/// The error for a tree of another structure.
pub(crate) fn wrong_structure<T>(expected: &str, got: &Tree<T>) -> ArgumentError {
    ArgumentError::Structure { name: String::new(), expected: expected.to_string(), got: got.describe() }
}

/// The error for a complex array or number where a real one is taken.
pub(crate) fn complex_for_real(expected: &str, got: &Tree<Type>) -> ArgumentError {
    let got = format!("{got}; take its `re` or `abs`");
    ArgumentError::Structure { name: String::new(), expected: expected.to_string(), got }
}
