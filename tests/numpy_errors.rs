//! What goes wrong with NumPy's functions is an error of the function that the user called, with its operands, at the user's
//! line.

use retrograd::numpy::{self as np, Convolution, ConvolveMode, Indexing, PadMode, Pool, Windows};
use retrograd::value::{DType, Type};
use retrograd::{Var, associative_scan, trace};

type Wrong = fn(Var, Var) -> Var;

/// Traces a function of a matrix `x: f64[2,3]` and a vector `y: f64[4]`; tells how its error differs from the message, which
/// ends with that line of this file.
fn difference(wrong: Wrong, expected: &str, line: u32) -> Option<String> {
    let types = (Type::new(DType::F64, [2, 3]), Type::new(DType::F64, [4]));
    let message = trace(wrong, types).expect_err(expected).to_string();
    let at = format!("{expected}\n  at {}:{line}:", file!());
    (!message.starts_with(&at)).then(|| format!("line {line}: expected\n{at}\nbut got\n{message}"))
}

const X: &str = "\n  %x: f64[2,3] = input";
const Y: &str = "\n  %y: f64[4] = input";
const XY: &str = "\n  %x: f64[2,3] = input\n  %y: f64[4] = input";

/// Each error stands in a line of its own.
macro_rules! errors {
    ($($wrong:expr => $expected:expr, $operands:expr;)+) => {
        let mut line = line!();
        let mut differences = Vec::new();
        $(
            line += 1;
            differences.extend(difference($wrong, &format!("{}{}", $expected, $operands), line));
        )+
        assert!(differences.is_empty(), "{}", differences.join("\n\n"));
    };
}

#[test]
fn einsum_shows_the_place_in_the_string() {
    errors! {
        |x, _| np::einsum("ij->ik", &[x]) => "einsum: 'k' of the output must be an axis of an operand\n  ij->ik\n       ^", X;
        |x, _| np::einsum("ij->ii", &[x]) => "einsum: 'i' must be once in the output\n  ij->ii\n       ^", X;
        |x, _| np::einsum("i,j", &[x]) => "einsum: the string has 2 operands, but got 1\n  i,j\n    ^", X;
        |x, y| np::einsum("ij", &[x, y]) => "einsum: the string has 1 operands, but got 2\n  ij\n    ^", XY;
        |x, _| np::einsum("i", &[x]) => "einsum: operand 0 must have 1 axes, but has shape [2,3]\n  i\n  ^", X;
        |x, _| np::einsum("ijk", &[x]) => "einsum: operand 0 must have 3 axes, but has shape [2,3]\n  ijk\n    ^", X;
        |x, _| np::einsum("...ijk", &[x]) => "einsum: operand 0 must have at least 3 axes, but has shape [2,3]\n  ...ijk\n      ^", X;
        |x, _| np::einsum("ii", &[x]) => "einsum: an axis of operand 0 must have extent 2, as the same axis before it, but has 3\n  ii\n   ^", X;
        |x, y| np::einsum("ij, j->i", &[x, y]) => "einsum: an axis of operand 1 must have extent 3, as the same axis before it, but has 4\n  ij, j->i\n      ^", XY;
        |x, _| np::einsum("i1", &[x]) => "einsum: takes letters, commas, '...' and one '->', but got '1'\n  i1\n   ^", X;
        |x, _| np::einsum("ij->i->", &[x]) => "einsum: takes letters, commas, '...' and one '->', but got '-'\n  ij->i->\n       ^", X;
        |x, _| np::einsum("ïj", &[x]) => "einsum: takes letters, commas, '...' and one '->', but got 'ï'\n  ïj\n  ^", X;
        |x, _| np::einsum("i..j", &[x]) => "einsum: an ellipsis must be three points in a row\n  i..j\n   ^", X;
        |x, _| np::einsum("......", &[x]) => "einsum: takes one ellipsis in each operand\n  ......\n     ^", X;
        |x, _| np::einsum("...j->j", &[x]) => "einsum: the output must have an ellipsis for the 1 axes of that of the operands\n  ...j->j\n        ^", X;
        |_, _| np::einsum("", &[]) => "einsum: the string has 1 operands, but got 0\n  \n  ^", "";
        |x, _| np::einsum("ij,ij", &[x, x.convert(DType::F32)]) => "einsum: operands must have equal dtypes, but got f64 and f32; use convert", "\n  %x: f64[2,3] = input\n  %0: f32[2,3] = convert %x dtype=\"f32\"";
    }
}

#[test]
fn axes_and_shapes_are_named() {
    errors! {
        |x, _| np::sum(x, 2) => "sum: takes an axis within -2..2 of 2 axes, but got 2", X;
        |x, _| np::mean(x, [0, -2]) => "mean: takes each axis once, but got [0, -2] of 2 axes", X;
        |x, _| np::max(np::slice(x, 0, 0, 0, 1), 0) => "max: takes at least one element along the axes [0], but got f64[0,3]", "\n  %0: f64[0,3] = slice %x start=[0,0] limit=[0,3] stride=[1,1]";
        |x, _| np::argmax(x, [0, 1]) => "argmax: takes one axis, or () for all elements, but got [0, 1]", X;
        |x, y| np::average(x, 0, y) => "average: takes weights of the shape of the array, [2,3], or of the extents of its axes [0], but got [4]", XY;
        |x, _| np::cov(x.insert_axis(0), 1) => "cov: takes a vector or a matrix, but got f64[1,2,3]", "\n  %0: f64[1,2,3] = reshape %x shape=[1,2,3]";
        |x, _| np::reshape(x, &[-2, 3]) => "reshape: takes extents, or -1 for one of them, but got [-2, 3]", X;
        |x, _| np::sort(x, [0, 1]) => "sort: takes one axis, or () for all elements, but got [0, 1]", X;
        |x, _| np::median(x, 3) => "median: takes an axis within -2..2 of 2 axes, but got 3", X;
        |x, _| np::transpose(x, [0, 0]) => "transpose: takes each axis once, but got [0, 0] of 2 axes", X;
        |x, _| np::moveaxis(x, [0, 1], 0) => "moveaxis: takes as many axes as places, but got 2 and 1", X;
        |x, _| np::expand_dims(x, ()) => "expand_dims: takes the places of the new axes, but got ()", X;
        |x, _| np::squeeze(x, -1) => "squeeze: takes axes of extent 1, but axis 1 has extent 3", X;
        |x, _| np::repeat(x, 2, [0, 1]) => "repeat: takes one axis, or () for all elements, but got [0, 1]", X;
        |x, _| np::slice(x, 0, None, None, 0) => "slice: takes a step that is not 0", X;
        |x, _| np::index(x, -1, 3) => "index: takes an index within -3..3 along axis 1, but got 3", X;
        |x, _| np::index(x, -1, isize::MIN) => format!("index: takes an index within -3..3 along axis 1, but got {}", isize::MIN), X;
        |x, y| np::concatenate(&[x, y], 5) => "concatenate: takes an axis within -2..2 of 2 axes, but got 5", XY;
        |_, _| np::vstack(&[]) => "vstack: takes at least one array, but got none", "";
        |x, _| np::split(x, 2, 1)[1] => "split: axis 1 has extent 3, which cannot be split into 2 equal parts", X;
        |x, _| np::split(x, 0, 1)[1] => "split: takes at least one part, but got 0", X;
        |_, y| np::vsplit(y, 2)[1] => "vsplit: takes an array of two or more axes, but got f64[4]", Y;
        |x, _| np::unstack(x, 7)[1] => "unstack: takes an axis within -2..2 of 2 axes, but got 7", X;
        |x, _| np::pad(x, [(1, 1)], PadMode::Edge) => "pad: takes a pair of widths for each of 2 axes, but got 1", X;
        |x, _| np::pad(np::slice(x, 0, 0, 0, 1), 1, PadMode::Wrap) => "pad: axis 0 has no elements to be continued with, but got f64[0,3]", "\n  %0: f64[0,3] = slice %x start=[0,0] limit=[0,3] stride=[1,1]";
        |x, y| np::broadcast_arrays(&[x, y])[0] => "broadcast_arrays: cannot broadcast [4] with [2, 3]", XY;
    }
}

#[test]
fn products_and_matrices_say_what_does_not_fit() {
    errors! {
        |x, y| np::tensordot(x, y, 1) => "tensordot: contracting axis 1 of lhs has extent 3, but axis 0 of rhs has extent 4", XY;
        |x, y| np::tensordot(x, y, 2) => "tensordot: takes an axis within -1..1 of 1 axes, but got 1", XY;
        |x, y| np::tensordot(x, y, ([0, 1], [0])) => "tensordot: takes as many axes of one operand as of the other, but got [0, 1] and [0]", XY;
        |x, y| np::cross(x, y, -1) => "cross: takes vectors of 3 or of 2 elements, but got 3 and 4", XY;
        |x, _| np::diagonal(x, 0, 1, -1) => "diagonal: takes two different axes, but got 1 and -1", X;
        |_, y| np::diagonal(y, 0, 0, 1) => "diagonal: takes an axis within -1..1 of 1 axes, but got 1", Y;
        |_, y| np::diag(y, isize::MAX) => format!("diag: the matrix of a diagonal of 4 elements at offset {} is too large", isize::MAX), Y;
        |_, y| np::tril(y, 0) => "tril: takes matrices, but got f64[4]", Y;
        |_, _| np::arange(0.0, 1.0, 0.0) => "arange: takes finite ends and a step that is not 0, but got 0, 1 and 0", "";
        |_, _| np::arange(0.0, f64::INFINITY, 1.0) => "arange: takes finite ends and a step that is not 0, but got 0, inf and 1", "";
        |x, y| np::linspace(x, y, 3) => "linspace: takes two scalars of one floating-point dtype, but got f64[2,3] and f64[4]", XY;
        |x, _| np::meshgrid(&[x], Indexing::Xy)[0] => "meshgrid: takes vectors, but got f64[2,3]", X;
    }
}

#[test]
fn windows_must_fit() {
    errors! {
        |x, y| np::convolve(x, y, ConvolveMode::Full) => "convolve: takes vectors that have elements, but got f64[2,3] and f64[4]", XY;
        |_, y| np::correlate(y, np::slice(y, 0, 0, 0, 1), ConvolveMode::Full) => "correlate: takes vectors that have elements, but got f64[4] and f64[0]", "\n  %y: f64[4] = input\n  %0: f64[0] = slice %y start=[0] limit=[0] stride=[1]";
        |x, _| np::reduce_window(x, Pool::Sum, &Windows::new(&[3, 1])) => "reduce_window: a window that spans 3 elements must fit into axis 0, which has 2 with its padding", X;
        |x, _| np::reduce_window(x, Pool::Sum, &Windows::new(&[0])) => "reduce_window: takes windows, strides and dilations of at least 1, but got 0, 1 and 1 for axis 1", X;
        |x, _| np::reduce_window(x, Pool::Max, &Windows::new(&[1]).strides(&[0])) => "reduce_window: takes windows, strides and dilations of at least 1, but got 1, 0 and 1 for axis 1", X;
        |x, _| np::reduce_window(x, Pool::Max, &Windows::new(&[1]).strides(&[1, 1])) => "reduce_window: takes sizes, strides, dilations and padding for the same of 2 axes, but got 1, 2, 1 and 1", X;
        |x, _| np::reduce_window(x.less(0), Pool::Max, &Windows::new(&[1])) => "reduce_window: takes numbers, for the mean of floating point, but got bool[2,3]", "\n  %2: bool[2,3] = lt %x %1";
        |_, y| np::sliding_window_view(y, 5, 0) => "sliding_window_view: a window that spans 5 elements must fit into axis 0, which has 4 with its padding", Y;
        |x, y| np::conv_general(x, y, &Convolution::new()) => "conv_general: takes an array and a kernel of one dtype and one rank of at least 2, but got f64[2,3] and f64[4]", XY;
        |x, _| np::conv_general(x, x.t(), &Convolution::new().groups(2)) => "conv_general: 2 groups of 2 input channels must be the 3 channels of the array, and divide the 3 output channels", "\n  %x: f64[2,3] = input\n  %0: f64[3,2] = transpose %x perm=[1,0]";
        |x, _| np::conv_general(x, x, &Convolution::new().axes(&[0, 0], &[0, 1], &[0, 1])) => "conv_general: the axes of the array must name each of 2 axes once, but got [0, 0]", "\n  %x: f64[2,3] = input\n  %x: f64[2,3] = input";
        |x, _| np::conv_general(x.insert_axis(2), x.insert_axis(2), &Convolution::new().strides(&[1, 1])) => "conv_general: strides must be given for each of 1 spatial axes, but got 2", "\n  %0: f64[2,3,1] = reshape %x shape=[2,3,1]\n  %1: f64[2,3,1] = reshape %x shape=[2,3,1]";
        |_, y| np::conv_general(y.reshape(&[1, 1, 4]), np::tile(y, &[1, 1, 2]), &Convolution::new()) => "conv_general: a window that spans 8 elements must fit into axis 2, which has 4 with its padding", "\n  %0: f64[1,1,4] = reshape %y shape=[1,1,4]\n  %4: f64[1,1,8] = reshape %3 shape=[1,1,8]";
        |_, y| np::gradient(y, 1.0, 0, 3) => "gradient: takes an edge order of 1 or 2, and more samples than that, but got order 3 for 4 samples", Y;
        |x, y| np::gradient(x, y, 0, 1) => "gradient: takes a distance, or the coordinates of 2 samples, but got f64[4]", X;
    }
}

#[test]
fn a_scan_says_what_its_function_must_give() {
    errors! {
        |x, y| associative_scan(|a: (Var, Var), _| a, (x, y), 0, false).0 => "trace: associative_scan: arrays must have one extent along axis 0, but got f64[2,3] and f64[4]", "";
        |x, _| associative_scan(|a: Var, _| a, x, 2, false) => "trace: associative_scan: takes arrays that have an axis 2, but got f64[2,3]", "";
        |_, y| associative_scan(|a: Var, _| a.sum(), y, 0, false) => "trace: associative_scan: the function must give arrays of the types that it takes, f64[2], but got f64[]", "";
        |_, y| associative_scan(|a: Vec<Var>, _| [a.clone(), a].concat(), vec![y], 0, false)[0] => "trace: associative_scan: the function must give arrays of the types that it takes, f64[2], but got f64[2], f64[2]", "";
    }
}

/// Sizes beyond all memory are errors or never computed; nothing overflows, and nothing runs for ever.
#[test]
fn huge_numbers_do_no_harm() {
    const HUGE: usize = usize::MAX;
    let errors: [Wrong; 18] = [
        |x, _| np::tile(x, &[HUGE, HUGE]),
        |x, _| np::repeat(x, HUGE, ()),
        |x, _| np::pad(x, HUGE, PadMode::Constant(0.0)),
        |x, _| np::pad(x, HUGE, PadMode::Wrap),
        |x, _| np::pad(x, HUGE, PadMode::Edge),
        |x, _| np::reshape(x, &[isize::MAX, isize::MAX]),
        |_, _| np::full(&[HUGE, HUGE], 1.0),
        |_, _| np::eye(HUGE, HUGE, 0),
        |_, _| np::linspace(0.0, 1.0, HUGE),
        |_, _| np::arange(0.0, f64::MAX, f64::MIN_POSITIVE),
        |x, _| np::array_split(x, HUGE, 0)[0],
        |x, _| np::reduce_window(x, Pool::Mean, &Windows::new(&[HUGE]).padding(&[(HUGE, HUGE)])),
        |x, _| np::reduce_window(x, Pool::Max, &Windows::new(&[2]).dilations(&[HUGE]).padding(&[(HUGE, HUGE)])),
        |x, _| {
            np::conv_general(x.insert_axis(2), x.insert_axis(2), &Convolution::new().padding(&[(i64::MAX, i64::MAX)]))
        },
        |x, _| np::conv_general(x.insert_axis(2), x.insert_axis(2), &Convolution::new().groups(HUGE)),
        |x, y| np::tensordot(x, y, isize::MAX),
        // After an error, too.
        |x, _| np::sum(x, 7) + np::array_split(x, HUGE, 0)[0],
        |x, _| np::sum(x, 7) + np::vander(x.flatten(), HUGE, true),
    ];
    let types = (Type::new(DType::F64, [2, 3]), Type::new(DType::F64, [4]));
    for (k, wrong) in errors.into_iter().enumerate() {
        assert!(trace(wrong, types.clone()).is_err(), "{k}");
    }
    // Arrays that are as large as types may say, of which nothing is computed.
    let large = (Type::new(DType::F64, [1 << 40]), Type::new(DType::F64, [1 << 39]));
    let uses: [Wrong; 5] = [
        |x, y| np::convolve(x, y, ConvolveMode::Full),
        |x, _| np::diff(x, 1 << 39, 0),
        |x, _| np::sliding_window_view(x, 1 << 39, 0),
        |x, _| np::reduce_window(x, Pool::Sum, &Windows::new(&[1 << 39])),
        |x, y| np::einsum("i,j->ij", &[x, y]),
    ];
    for (k, large_use) in uses.into_iter().enumerate() {
        assert!(trace(large_use, large.clone()).is_err(), "{k}");
    }
}
