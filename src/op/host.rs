//! Arrays of the host beside a [`Var`] in an operator: constants of the trace.

use std::ops;

use ndarray::Dimension;

use super::Var;
use crate::value::Element;

macro_rules! operator {
    ($($trait:ident $method:ident),*) => {$(
        /// The array becomes a constant of the trace; shapes broadcast, and dtypes must be equal.
        impl<T: Element, D: Dimension> ops::$trait<ndarray::Array<T, D>> for Var {
            type Output = Var;
            #[track_caller]
            fn $method(self, y: ndarray::Array<T, D>) -> Var {
                ops::$trait::$method(self, Var::from(y))
            }
        }

        /// A copy of the array becomes a constant of the trace; shapes broadcast, and dtypes must be equal.
        impl<T: Element, D: Dimension> ops::$trait<&ndarray::Array<T, D>> for Var {
            type Output = Var;
            #[track_caller]
            fn $method(self, y: &ndarray::Array<T, D>) -> Var {
                ops::$trait::$method(self, Var::from(y))
            }
        }

        /// The array becomes a constant of the trace; shapes broadcast, and dtypes must be equal.
        impl<T: Element, D: Dimension> ops::$trait<Var> for ndarray::Array<T, D> {
            type Output = Var;
            #[track_caller]
            fn $method(self, y: Var) -> Var {
                ops::$trait::$method(Var::from(self), y)
            }
        }

        /// A copy of the array becomes a constant of the trace; shapes broadcast, and dtypes must be equal.
        impl<T: Element, D: Dimension> ops::$trait<Var> for &ndarray::Array<T, D> {
            type Output = Var;
            #[track_caller]
            fn $method(self, y: Var) -> Var {
                ops::$trait::$method(Var::from(self), y)
            }
        }
    )*};
}
operator!(Add add, Sub sub, Mul mul, Div div, Rem rem);
