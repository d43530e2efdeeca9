//! The examples in the documentation of methods that macros write. Each runs the known answers of its operation, which are
//! the rows of its [`Facts`](super::rules::Facts), so that such a method cannot be without an example.

/// What an example begins with: the names in the rows, and a comparison to that many units in the last place.
macro_rules! preamble {
    ($ulps:literal) => {
        concat!(
            "# Example\n```\n# use std::f64::{INFINITY as INF, NAN, consts::*};\n",
            "use retrograd::{Var, jit};\n\n",
            "# fn agree(y: f64, expected: f64) -> bool {\n",
            "#     let ulps = (y.to_bits() as i64).abs_diff(expected.to_bits() as i64);\n",
            "#     y.is_nan() && expected.is_nan() || ulps <= ",
            $ulps,
            "\n# }\n"
        )
    };
}
pub(super) use preamble;

/// The example of a function of one float.
macro_rules! example_of_floats {
    ($call:expr, $ulps:literal, $(($x:expr, $y:expr)),+) => {
        concat!(
            super::example::preamble!($ulps),
            "let f = jit(|x: Var| ",
            $call,
            ");\nlet answers = [\n",
            $("    (", stringify!($x), ", ", stringify!($y), "),\n",)+
            "];\nfor (x, expected) in answers {\n    let y: f64 = f.call(x)?;\n    assert!(agree(y, expected), \"{y} at {x}\");\n}\n",
            "# Ok::<(), retrograd::Error>(())\n```"
        )
    };
}
pub(super) use example_of_floats;

/// The example of a function of two floats.
macro_rules! example_of_pairs {
    ($call:expr, $ulps:literal, $(([$x:expr, $y:expr], $z:expr)),+) => {
        concat!(
            super::example::preamble!($ulps),
            "let f = jit(|x: Var, y: Var| ",
            $call,
            ");\nlet answers = [\n",
            $("    ([", stringify!($x), ", ", stringify!($y), "], ", stringify!($z), "),\n",)+
            "];\nfor ([x, y], expected) in answers {\n    let z: f64 = f.call(x, y)?;\n    assert!(agree(z, expected), \"{z} at {x}, {y}\");\n}\n",
            "# Ok::<(), retrograd::Error>(())\n```"
        )
    };
}
pub(super) use example_of_pairs;

/// The example of a function of floats whose result is a `bool`; the rows give 1 for `true`, as tables of facts do.
macro_rules! example_of_bools {
    ($arguments:literal, $call:expr, $pattern:literal, $passed:literal, $(($x:expr, $y:expr)),+) => {
        concat!(
            "# Example\n```\n# use std::f64::{INFINITY as INF, NAN};\nuse retrograd::{Var, jit};\n\nlet f = jit(|",
            $arguments,
            "| ",
            $call,
            ");\nlet answers = [\n",
            $("    (", stringify!($x), ", ", stringify!($y), " == 1.0),\n",)+
            "];\nfor (",
            $pattern,
            ", expected) in answers {\n    let y: bool = f.call(",
            $passed,
            ")?;\n    assert_eq!(y, expected);\n}\n",
            "# Ok::<(), retrograd::Error>(())\n```"
        )
    };
}
pub(super) use example_of_bools;
