//! Reductions that keep the axes they reduce, with extent 1, so that the result broadcasts against the operand.

use super::{Var, trace};

/// The variant of a reduction that keeps its axes. The example reduces the rows of `x = [[1, 2], [3, 4]]`.
macro_rules! keeps_axes {
    ($method:ident, $reduction:ident, $what:literal, $operand:literal, $dtype:literal, $result:literal) => {
        impl Var {
            #[doc = concat!(
                "The ", $what, " over the given axes, which stay with extent 1, so that the result broadcasts against `self`. ",
                "Dtypes, errors, derivatives and NaN are as of [`Var::", stringify!($reduction), "`]."
            )]
            ///
            #[doc = concat!(
                "```\nuse ndarray::{Array2, array};\nuse retrograd::{Var, jit};\n\nlet f = jit(|x: Var| ", $operand, ".",
                stringify!($method), "(&[1]));\nlet y: Array2<", $dtype, "> = f.call(array![[1.0, 2.0], [3.0, 4.0]])?;\nassert_eq!(y, ",
                $result, ");\n# Ok::<(), retrograd::Error>(())\n```"
            )]
            #[track_caller]
            pub fn $method(self, axes: &[usize]) -> Var {
                let _method = trace::method(stringify!($method), &[self]);
                self.kept(axes, self.$reduction(axes))
            }
        }
    };
}

keeps_axes!(sum_keep_axes, sum_axes, "sum", "x", "f64", "array![[3.0], [7.0]]");
keeps_axes!(prod_keep_axes, prod_axes, "product", "x", "f64", "array![[2.0], [12.0]]");
keeps_axes!(max_keep_axes, max_axes, "largest elements", "x", "f64", "array![[2.0], [4.0]]");
keeps_axes!(min_keep_axes, min_axes, "smallest elements", "x", "f64", "array![[1.0], [3.0]]");
keeps_axes!(all_keep_axes, all_axes, "conjunction", "x.greater(1.0)", "bool", "array![[false], [true]]");
keeps_axes!(any_keep_axes, any_axes, "disjunction", "x.greater(2.0)", "bool", "array![[false], [true]]");
keeps_axes!(mean_keep_axes, mean_axes, "mean", "x", "f64", "array![[1.5], [3.5]]");
keeps_axes!(var_keep_axes, var_axes, "variance", "x", "f64", "array![[0.25], [0.25]]");
keeps_axes!(std_keep_axes, std_axes, "standard deviation", "x", "f64", "array![[0.5], [0.5]]");
keeps_axes!(norm_squared_keep_axes, norm_squared_axes, "sum of the squares", "x", "f64", "array![[5.0], [25.0]]");
keeps_axes!(norm_keep_axes, norm_axes, "norm", "x", "f64", "array![[5f64.sqrt()], [5.0]]");
keeps_axes!(
    logsumexp_keep_axes,
    logsumexp,
    "logarithm of the sum of the exponentials",
    "(x - x)",
    "f64",
    "array![[std::f64::consts::LN_2], [std::f64::consts::LN_2]]"
);

/// The variant of the index of an extreme element that keeps its axis.
macro_rules! keeps_axis {
    ($method:ident, $index:ident, $word:literal, $result:literal) => {
        impl Var {
            #[doc = concat!(
                "Index of the first ", $word, " element along an axis, as `i64`; the axis stays with extent 1. ",
                "Dtypes, errors and NaN are as of [`Var::", stringify!($index), "`]."
            )]
            ///
            #[doc = concat!(
                "```\nuse ndarray::{Array2, array};\nuse retrograd::{Var, jit};\n\nlet f = jit(|x: Var| x.", stringify!($method),
                "(1));\nlet y: Array2<i64> = f.call(array![[1.0, 2.0], [4.0, 3.0]])?;\nassert_eq!(y, ", $result,
                ");\n# Ok::<(), retrograd::Error>(())\n```"
            )]
            #[track_caller]
            pub fn $method(self, axis: usize) -> Var {
                let _method = trace::method(stringify!($method), &[self]);
                self.kept(&[axis], self.$index(axis))
            }
        }
    };
}

keeps_axis!(argmax_keep_axis, argmax, "largest", "array![[1i64], [0]]");
keeps_axis!(argmin_keep_axis, argmin, "smallest", "array![[0i64], [1]]");

impl Var {
    /// The result of a reduction of `self` over these axes, with the axes put back. Axes that do not exist are an error of
    /// the reduction.
    #[track_caller]
    fn kept(self, axes: &[usize], reduced: Var) -> Var {
        if reduced.is_poisoned() {
            return reduced;
        }
        let mut shape = self.shape().to_vec();
        for &axis in axes {
            shape[axis] = 1;
        }
        reduced.reshape(&shape)
    }
}
