use crate::error::ArgumentError;
use crate::op::{Complex, Var, trace};
use crate::value::{Kind, Tree, complex_for_real, each_tuple, wrong_structure};

/// What functions of traced values take and return: [`Var`], and tuples, arrays, `Vec`s and
/// [derived](derive@crate::Tree) structs of these, nested.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not made of `Var`s",
    note = "traced functions take and return `Var`, and tuples, arrays and `Vec`s of these",
    note = "a struct of these is one with `#[derive(Clone, retrograd::Tree)]`"
)]
pub trait VarTree: Clone {
    /// This structure with a `T` in place of each `Var`: the Jacobian of a function from `A` to `O` is an
    /// `O::Replace<A>`.
    type Replace<T: VarTree>: VarTree;

    /// How values of the host are read that stand for this: whether rows of numbers are one array or many.
    const KIND: Kind = Kind::Any;

    /// The variables, where they stand.
    fn vars(&self) -> Tree<Var>;

    /// Takes variables from where they stand.
    ///
    /// # Errors
    /// If the tree has another structure; the name in the error begins below this tree's root.
    fn from_vars(tree: &Tree<Var>) -> Result<Self, ArgumentError>;

    /// Replaces each variable, in order.
    fn replace<T: VarTree>(&self, leaf: &mut dyn FnMut(Var) -> T) -> Self::Replace<T>;

    /// The same structure with other variables.
    fn map(&self, leaf: &mut dyn FnMut(Var) -> Var) -> Self;

    /// The same structure with what the closure makes of each variable and of the one in the same place of the other
    /// tree: a step of an optimizer is `params.zip(&slopes, &mut |x, slope| x - rate * slope)`.
    ///
    /// Trees of one type may still differ in the length of their lists, which is an error of the trace.
    #[track_caller]
    fn zip(&self, other: &Self, leaf: &mut dyn FnMut(Var, Var) -> Var) -> Self {
        let (own, others) = (self.vars(), other.vars());
        if !own.matches(&others, &|_, _| true) {
            let types = |tree: &Tree<Var>| tree.map(&mut |x| x.ty());
            let (a, b) = (types(&own), types(&others));
            trace::fail_at(format!("zip: both trees must have the same structure, but got {a} and {b}"));
            return self.map(&mut |_| Var::poisoned());
        }
        let mut others = leaves(other).into_iter();
        self.map(&mut |x| leaf(x, others.next().expect("bug: trees that match differ in their leaves")))
    }
}

/// The variables in order.
pub(super) fn leaves(tree: &impl VarTree) -> Vec<Var> {
    let mut leaves = Vec::new();
    tree.vars().take_each(&mut |x| leaves.push(x));
    leaves
}

impl VarTree for Var {
    type Replace<T: VarTree> = T;

    const KIND: Kind = Kind::Leaf;

    fn vars(&self) -> Tree<Var> {
        Tree::Leaf(*self)
    }

    fn from_vars(tree: &Tree<Var>) -> Result<Var, ArgumentError> {
        match tree {
            Tree::Leaf(x) => Ok(*x),
            Tree::Struct(_) if tree.as_complex().is_some() => {
                Err(complex_for_real("a real array or number", &tree.map(&mut |x| x.ty())))
            }
            Tree::Tuple(_) | Tree::List(_) | Tree::Struct(_) => Err(wrong_structure("one array or number", tree)),
        }
    }

    fn replace<T: VarTree>(&self, leaf: &mut dyn FnMut(Var) -> T) -> T {
        leaf(*self)
    }

    fn map(&self, leaf: &mut dyn FnMut(Var) -> Var) -> Var {
        leaf(*self)
    }
}

/// A pair of numbers; or, as a part of a Jacobian, of the trees that stand in their places.
impl<V: VarTree> VarTree for Complex<V> {
    type Replace<T: VarTree> = Complex<V::Replace<T>>;

    const KIND: Kind = match V::KIND {
        Kind::Leaf => Kind::Complex,
        Kind::Complex | Kind::List(_) | Kind::Tuple(_) | Kind::Any => Kind::Any,
    };

    fn vars(&self) -> Tree<Var> {
        Tree::complex(self.re.vars(), self.im.vars())
    }

    fn from_vars(tree: &Tree<Var>) -> Result<Complex<V>, ArgumentError> {
        if let (Tree::Leaf(x), Kind::Leaf) = (tree, V::KIND) {
            let expected = "a complex array or number".to_string();
            return Err(ArgumentError::Structure { name: String::new(), expected, got: x.ty().to_string() });
        }
        let [re, im] = tree.clone().into_fields(["re", "im"])?;
        let re = V::from_vars(&re).map_err(|error| error.within("re"))?;
        Ok(Complex { re, im: V::from_vars(&im).map_err(|error| error.within("im"))? })
    }

    fn replace<T: VarTree>(&self, leaf: &mut dyn FnMut(Var) -> T) -> Complex<V::Replace<T>> {
        Complex { re: self.re.replace(leaf), im: self.im.replace(leaf) }
    }

    fn map(&self, leaf: &mut dyn FnMut(Var) -> Var) -> Complex<V> {
        Complex { re: self.re.map(leaf), im: self.im.map(leaf) }
    }
}

impl<V: VarTree> VarTree for Vec<V> {
    type Replace<T: VarTree> = Vec<V::Replace<T>>;

    const KIND: Kind = Kind::List(&V::KIND);

    fn vars(&self) -> Tree<Var> {
        Tree::List(self.iter().map(V::vars).collect())
    }

    fn from_vars(tree: &Tree<Var>) -> Result<Vec<V>, ArgumentError> {
        match tree {
            Tree::List(parts) => {
                parts.iter().enumerate().map(|(k, part)| V::from_vars(part).map_err(|e| e.within(k))).collect()
            }
            Tree::Leaf(_) | Tree::Tuple(_) | Tree::Struct(_) => Err(wrong_structure("a list", tree)),
        }
    }

    fn replace<T: VarTree>(&self, leaf: &mut dyn FnMut(Var) -> T) -> Vec<V::Replace<T>> {
        self.iter().map(|part| part.replace(leaf)).collect()
    }

    fn map(&self, leaf: &mut dyn FnMut(Var) -> Var) -> Vec<V> {
        self.iter().map(|part| part.map(leaf)).collect()
    }
}

impl<V: VarTree, const N: usize> VarTree for [V; N] {
    type Replace<T: VarTree> = [V::Replace<T>; N];

    const KIND: Kind = Kind::List(&V::KIND);

    fn vars(&self) -> Tree<Var> {
        Tree::List(self.iter().map(V::vars).collect())
    }

    fn from_vars(tree: &Tree<Var>) -> Result<[V; N], ArgumentError> {
        match tree {
            Tree::List(parts) if parts.len() == N => {
                let parts: Vec<V> = Vec::from_vars(tree)?;
                Ok(parts.try_into().ok().expect("bug: the length was checked"))
            }
            Tree::Leaf(_) | Tree::Tuple(_) | Tree::List(_) | Tree::Struct(_) => {
                Err(wrong_structure(&format!("a list of {N}"), tree))
            }
        }
    }

    fn replace<T: VarTree>(&self, leaf: &mut dyn FnMut(Var) -> T) -> [V::Replace<T>; N] {
        std::array::from_fn(|k| self[k].replace(leaf))
    }

    fn map(&self, leaf: &mut dyn FnMut(Var) -> Var) -> [V; N] {
        std::array::from_fn(|k| self[k].map(leaf))
    }
}

/// No variable: the outputs of a loop that has none.
///
/// ```
/// use retrograd::{Var, jit, scan};
///
/// let last = |x: Var| scan(Var::from(0.0), x, |sum, x| (0.5 * sum + x, ())).0;
/// assert_eq!(jit(last).call::<f64>(vec![1.0, 2.0, 4.0])?, 5.25);
/// # Ok::<(), retrograd::Error>(())
/// ```
impl VarTree for () {
    type Replace<T: VarTree> = ();

    fn vars(&self) -> Tree<Var> {
        Tree::Tuple(Vec::new())
    }

    fn from_vars(tree: &Tree<Var>) -> Result<(), ArgumentError> {
        tree.clone().into_components().map(|[]| ())
    }

    fn replace<T: VarTree>(&self, _: &mut dyn FnMut(Var) -> T) {}

    fn map(&self, _: &mut dyn FnMut(Var) -> Var) {}
}

macro_rules! tuple {
    ($(($T:ident $t:ident $k:tt))+) => {
        impl<$($T: VarTree),+> VarTree for ($($T,)+) {
            type Replace<T: VarTree> = ($($T::Replace<T>,)+);

            const KIND: Kind = Kind::Tuple(&[$($T::KIND),+]);

            fn vars(&self) -> Tree<Var> {
                Tree::Tuple(vec![$(self.$k.vars()),+])
            }

            fn from_vars(tree: &Tree<Var>) -> Result<($($T,)+), ArgumentError> {
                let [$($t),+] = tree.clone().into_components()?;
                Ok(($($T::from_vars(&$t).map_err(|e| e.within($k))?,)+))
            }

            fn replace<T: VarTree>(&self, leaf: &mut dyn FnMut(Var) -> T) -> ($($T::Replace<T>,)+) {
                ($(self.$k.replace(leaf),)+)
            }

            fn map(&self, leaf: &mut dyn FnMut(Var) -> Var) -> ($($T,)+) {
                ($(self.$k.map(leaf),)+)
            }
        }
    };
}
each_tuple!(tuple);
