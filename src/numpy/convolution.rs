//! Convolutions of vectors, and of images with several channels.

use super::axes::{demand_nodes, enter, promoted};
use super::windows::{MAX_SLICES, Sliding, check_window, elements_at, patches};
use crate::op::{Var, trace};

/// Which part of a convolution is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConvolveMode {
    /// Wherever the vectors overlap: `m + n - 1` elements.
    Full,
    /// As many elements as the longer vector has, from the middle.
    Same,
    /// Where one vector lies within the other: `max(m, n) - min(m, n) + 1` elements.
    Valid,
}

/// NumPy's `convolve`: the sums of the products of one vector with the other in reverse order, at each shift.
///
/// `bool` counts as `i64` beside it. With a vector of up to 512 elements, it is a sum of shifted products, in loops that copy
/// nothing: several times as fast as a product of matrices, but compiled in a time that grows with that length. For longer
/// ones, as many windows as fit into 32 MiB are copied, and multiplied as a matrix.
///
/// ```
/// use ndarray::{Array1, array};
/// use retrograd::numpy::ConvolveMode;
/// use retrograd::{Var, jit, numpy as np};
///
/// let full = |x: Var, y: Var| np::convolve(x, y, ConvolveMode::Full);
/// let y: Array1<f64> = jit(full).call(array![1.0, 2.0, 3.0], array![1.0, -1.0])?;
/// assert_eq!(y, array![1.0, 1.0, 1.0, -3.0]);
/// # Ok::<(), retrograd::Error>(())
/// ```
///
/// # Errors
/// Arrays that are no vectors, vectors without elements, two dtypes, `bool` alone.
#[track_caller]
pub fn convolve(x: Var, y: Var, mode: ConvolveMode) -> Var {
    let (x, y) = promoted(x, y);
    let _method = enter("convolve", &[x, y]);
    let Some((m, n)) = lengths(x, y) else { return Var::poisoned() };
    // The product is symmetric, and the shorter one is cheaper to shift.
    let (x, y) = if m < n { (y, x) } else { (x, y) };
    let n = m.min(n);
    shifted_products(x, y.reverse(&[0]), mode, (n - 1) - n / 2)
}

/// NumPy's `correlate`: the sums of the products of two vectors at each shift of the second, from that where its last
/// element meets the first of `x`; see [`convolve`]. NumPy's default is [`ConvolveMode::Valid`].
///
/// # Errors
/// Those of [`convolve`].
#[track_caller]
pub fn correlate(x: Var, y: Var, mode: ConvolveMode) -> Var {
    let (x, y) = promoted(x, y);
    let _method = enter("correlate", &[x, y]);
    let Some((m, n)) = lengths(x, y) else { return Var::poisoned() };
    if m < n {
        return shifted_products(y, x, mode, (m - 1) - m / 2).reverse(&[0]);
    }
    shifted_products(x, y, mode, (n - 1) - n / 2)
}

#[track_caller]
fn lengths(x: Var, y: Var) -> Option<(usize, usize)> {
    match (x.shape().extents(), y.shape().extents()) {
        (&[m], &[n]) if m > 0 && n > 0 => Some((m, n)),
        _ => {
            trace::fail_at(format!("takes vectors that have elements, but got {} and {}", x.ty(), y.ty()));
            None
        }
    }
}

/// The products of a vector with a shorter one at each shift, from where they begin to overlap. Those of the middle begin
/// `skipped` shifts later.
fn shifted_products(x: Var, y: Var, mode: ConvolveMode, skipped: usize) -> Var {
    let (m, n) = (x.ty().size(), y.ty().size());
    let (low, high) = match mode {
        ConvolveMode::Full => (n - 1, n - 1),
        ConvolveMode::Same => (n - 1 - skipped, skipped),
        ConvolveMode::Valid => (0, 0),
    };
    // Sizes of arrays that exist are far below the greatest i64.
    let x = if low + high > 0 { x.pad(Var::number(0.0, x.dtype()), &[low as i64], &[high as i64], &[0]) } else { x };
    if x.is_poisoned() {
        return x;
    }
    let count = m + low + high - (n - 1);
    if n <= MAX_SHIFTED {
        let term = |k: usize| x.slice(0, k..k + count) * y.slice(0, k..k + 1);
        let sum_of = |start: usize| (start + 1..n.min(start + MAX_SLICES)).fold(term(start), |sum, k| sum + term(k));
        return (1..n.div_ceil(MAX_SLICES)).fold(sum_of(0), |sum, part| sum + sum_of(part * MAX_SLICES));
    }
    let size = (MAX_WINDOW_ELEMENTS / count).clamp(MAX_SLICES + 1, n);
    demand_nodes(n.div_ceil(size));
    let mut sum: Option<Var> = None;
    for start in (0..n).step_by(size) {
        let size = size.min(n - start);
        let window = Sliding { size, stride: 1, dilation: 1 };
        let windows = window.view(x.slice(0, start..start + count + size - 1), 0);
        let part = y.slice(0, start..start + size).dot(windows);
        sum = Some(sum.map_or(part, |sum| sum + part));
    }
    sum.unwrap_or(x)
}

/// Up to how many elements are multiplied one by one.
const MAX_SHIFTED: usize = 512;

/// How many elements of windows are copied at a time.
const MAX_WINDOW_ELEMENTS: usize = 1 << 22;

/// How a kernel moves over an array with batch, channels and spatial axes, for [`conv_general`].
///
/// ```
/// use retrograd::numpy::Convolution;
///
/// // Images with their channels last, kernels as height, width, input channel, output channel.
/// let layer = Convolution::new().strides(&[2, 2]).padding(&[(1, 1), (1, 1)]).axes(&[0, 3, 1, 2], &[3, 2, 0, 1], &[0, 3, 1, 2]);
/// ```
#[derive(Clone, Debug)]
pub struct Convolution {
    strides: Vec<usize>,
    padding: Vec<(i64, i64)>,
    input_dilation: Vec<usize>,
    kernel_dilation: Vec<usize>,
    groups: usize,
    axes: Option<[Vec<usize>; 3]>,
}

impl Default for Convolution {
    fn default() -> Convolution {
        Convolution::new()
    }
}

impl Convolution {
    /// A kernel that moves by one element, without padding.
    pub fn new() -> Convolution {
        Convolution {
            strides: Vec::new(),
            padding: Vec::new(),
            input_dilation: Vec::new(),
            kernel_dilation: Vec::new(),
            groups: 1,
            axes: None,
        }
    }

    /// By how much the kernel moves along each spatial axis.
    pub fn strides(self, strides: &[usize]) -> Convolution {
        Convolution { strides: strides.into(), ..self }
    }

    /// How many zeros are before and after the elements of each spatial axis; negative numbers cut elements off.
    pub fn padding(self, padding: &[(i64, i64)]) -> Convolution {
        Convolution { padding: padding.into(), ..self }
    }

    /// The distance at which the array's elements stand, with zeros in between: strides of the transpose.
    pub fn input_dilation(self, dilation: &[usize]) -> Convolution {
        Convolution { input_dilation: dilation.into(), ..self }
    }

    /// The distance at which the kernel's elements stand.
    pub fn kernel_dilation(self, dilation: &[usize]) -> Convolution {
        Convolution { kernel_dilation: dilation.into(), ..self }
    }

    /// In how many groups the channels are, each of which is convolved by itself: JAX's `feature_group_count`.
    pub fn groups(self, groups: usize) -> Convolution {
        Convolution { groups, ..self }
    }

    /// Where axes stand: for the array batch, channel and spatial axes; for the kernel output channel, input channel and
    /// spatial axes; for the result as for the array. JAX's `ConvDimensionNumbers`. Otherwise, they are in this order.
    pub fn axes(self, input: &[usize], kernel: &[usize], output: &[usize]) -> Convolution {
        Convolution { axes: Some([input.into(), kernel.into(), output.into()]), ..self }
    }

    /// The permutation of the axes of one of the three arrays; `None` after an error.
    #[track_caller]
    fn perm(&self, which: usize, rank: usize) -> Option<Vec<usize>> {
        let in_order: Vec<usize> = (0..rank).collect();
        let perm = self.axes.as_ref().map_or_else(|| in_order.clone(), |axes| axes[which].clone());
        let mut sorted = perm.clone();
        sorted.sort_unstable();
        if sorted != in_order {
            let name = ["array", "kernel", "result"][which];
            trace::fail_at(format!("the axes of the {name} must name each of {rank} axes once, but got {perm:?}"));
            return None;
        }
        Some(perm)
    }
}

/// A list for each spatial axis, or the same for all where none was given; `None` after an error.
#[track_caller]
fn for_each_axis<T: Copy>(name: &str, given: &[T], all: T, n: usize) -> Option<Vec<T>> {
    if given.is_empty() {
        return Some(vec![all; n]);
    }
    if given.len() != n {
        trace::fail_at(format!("{name} must be given for each of {n} spatial axes, but got {}", given.len()));
        return None;
    }
    Some(given.to_vec())
}

/// JAX's `lax.conv_general_dilated`, PyTorch's `conv1d` to `conv3d`: the sums of the products of a kernel with the part of
/// an array on which it lies, over its spatial axes and over channels. The kernel is not reversed.
///
/// The array has axes for the batch, channels, and any number of spatial axes; the kernel for output channels, input
/// channels and the same spatial axes; the result for the batch, output channels, and spatial axes. Groups divide both kinds
/// of channels, and the kernel has the input channels of one group. With [`Convolution::input_dilation`] it is a transposed
/// convolution.
///
/// The parts of the array are copied side by side (im2col), and one product of matrices does the rest, and so for both
/// derivatives. With one output channel, or up to two in each of several groups, copying would cost more than multiplying: if
/// there are up to 64 products for each result (as in a depthwise convolution), it is a sum of shifted products in one loop.
///
/// ```
/// use ndarray::{Array4, array};
/// use retrograd::numpy::Convolution;
/// use retrograd::{Var, jit, numpy as np};
///
/// let x = array![[[[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]]];
/// let edges = array![[[[-1.0, 1.0]]]];
/// let y: Array4<f64> = jit(|x: Var, w: Var| np::conv_general(x, w, &Convolution::new())).call(&x, &edges)?;
/// assert_eq!(y, array![[[[1.0, 1.0], [1.0, 1.0]]]]);
/// # Ok::<(), retrograd::Error>(())
/// ```
///
/// # Errors
/// Arrays of different ranks or dtypes or of fewer than two axes; channels that do not fit to the kernel's or to the groups;
/// a kernel without elements, or larger than the padded array; strides and dilations of 0; lists of another length than
/// there are spatial axes; axes that are not named once.
#[track_caller]
pub fn conv_general(x: Var, kernel: Var, convolution: &Convolution) -> Var {
    let _method = enter("conv_general", &[x, kernel]);
    convolved(x, kernel, convolution).unwrap_or(Var::poisoned())
}

#[track_caller]
fn convolved(x: Var, kernel: Var, convolution: &Convolution) -> Option<Var> {
    let rank = x.rank();
    if rank < 2 || kernel.rank() != rank || x.dtype() != kernel.dtype() {
        trace::fail_at(format!(
            "takes an array and a kernel of one dtype and one rank of at least 2, but got {} and {}",
            x.ty(),
            kernel.ty()
        ));
        return None;
    }
    let [input, weights, output] = [convolution.perm(0, rank)?, convolution.perm(1, rank)?, convolution.perm(2, rank)?];
    // Channels lead, so that what is copied is a matrix, and that of the next layer follows by the same transposition.
    let x = x.transpose(&[&[input[1], input[0]], &input[2..]].concat());
    let kernel = kernel.transpose(&weights);
    let layer = Layer::new(x, kernel, convolution)?;
    let result = if layer.is_direct() { layer.direct() } else { layer.by_matrix() };
    // The result's axes are channel, batch and spatial; each goes to its place.
    let mut perm = vec![0; rank];
    for (k, &place) in output.iter().enumerate() {
        perm[place] = if k < 2 { 1 - k } else { k };
    }
    Some(result.transpose(&perm))
}

/// An array of channels, batch and spatial axes, which is padded, and a kernel of output channels, input channels and
/// spatial axes.
struct Layer {
    x: Var,
    kernel: Var,
    groups: usize,
    /// Input and output channels of a group.
    channels: (usize, usize),
    windows: Vec<Sliding>,
    n_batch: usize,
    counts: Vec<usize>,
}

impl Layer {
    #[track_caller]
    fn new(x: Var, kernel: Var, convolution: &Convolution) -> Option<Layer> {
        let (shape, weights, groups) = (x.shape(), kernel.shape(), convolution.groups);
        let n = shape.rank() - 2;
        if groups == 0 || Some(shape[0]) != weights[1].checked_mul(groups) || weights[0] % groups != 0 {
            trace::fail_at(format!(
                "{groups} groups of {} input channels must be the {} channels of the array, and divide the {} output channels",
                weights[1], shape[0], weights[0]
            ));
            return None;
        }
        let strides = for_each_axis("strides", &convolution.strides, 1, n)?;
        let padding = for_each_axis("padding", &convolution.padding, (0, 0), n)?;
        let apart = for_each_axis("input dilation", &convolution.input_dilation, 1, n)?;
        let dilations = for_each_axis("kernel dilation", &convolution.kernel_dilation, 1, n)?;
        if apart.contains(&0) {
            trace::fail_at(format!("takes an input dilation of at least 1, but got {apart:?}"));
            return None;
        }
        let is_plain = padding.iter().all(|&widths| widths == (0, 0)) && apart.iter().all(|&n| n == 1);
        let x = if is_plain {
            x
        } else {
            let (low, high): (Vec<i64>, Vec<i64>) = padding.into_iter().unzip();
            let interior: Vec<usize> = apart.iter().map(|n| n - 1).collect();
            let none = [0, 0];
            let zero = Var::number(0.0, x.dtype());
            x.pad(zero, &[&none[..], &low].concat(), &[&none[..], &high].concat(), &[&[0, 0], &interior[..]].concat())
        };
        if x.is_poisoned() {
            return None;
        }
        let shape = x.shape();
        let mut windows = Vec::with_capacity(n);
        for k in 0..n {
            let window = Sliding { size: weights[2 + k], stride: strides[k], dilation: dilations[k] };
            check_window(2 + k, window, shape[2 + k])?;
            windows.push(window);
        }
        let counts = windows.iter().zip(&shape[2..]).map(|(window, &extent)| window.count(extent)).collect();
        let channels = (weights[1], weights[0] / groups);
        Some(Layer { x, kernel, groups, channels, windows, n_batch: shape[1], counts })
    }

    /// How many elements of the kernel there are for two channels.
    fn n_places(&self) -> usize {
        self.windows.iter().map(|window| window.size).product()
    }

    fn is_direct(&self) -> bool {
        let (n_in, n_out) = self.channels;
        let n_terms = n_in.saturating_mul(self.n_places());
        // To copy an element costs as much as two products; a product of small matrices for each group costs more.
        let most = if self.groups == 1 { 1 } else { 2 };
        n_out <= most && (1..=MAX_SLICES).contains(&n_terms)
    }

    /// The extents of the result.
    fn result_shape(&self) -> Vec<usize> {
        [&[self.groups * self.channels.1, self.n_batch], &self.counts[..]].concat()
    }

    fn by_matrix(&self) -> Var {
        let (n_in, n_out) = self.channels;
        let n_terms = n_in.saturating_mul(self.n_places());
        let n_results = self.counts.iter().fold(self.n_batch, |product, &count| product.saturating_mul(count));
        let copied = patches(self.x, &self.windows, 1);
        let matrix = if self.groups == 1 {
            let (lhs, rhs) = (self.kernel.reshape(&[n_out, n_terms]), copied.reshape(&[n_terms, n_results]));
            lhs.dot_general(rhs, [&[1], &[0]], [&[], &[]])
        } else {
            let lhs = self.kernel.reshape(&[self.groups, n_out, n_terms]);
            let rhs = copied.reshape(&[self.groups, n_terms, n_results]);
            lhs.dot_general(rhs, [&[2], &[1]], [&[0], &[0]])
        };
        matrix.reshape(&self.result_shape())
    }

    /// The sum over the places of the kernel and the channels of a group, each of which is one number for each output
    /// channel times a part of the array.
    fn direct(&self) -> Var {
        let (n_in, n_out) = self.channels;
        let shape = self.x.shape();
        let ones = vec![1; self.counts.len() + 1];
        // The channels of a group apart, and an axis for the output channels.
        let x = self.x.reshape(&[&[self.groups, n_in, 1], &shape[1..]].concat());
        let kernel = self.kernel.reshape(&[&[self.groups, n_out, n_in, self.n_places()], &ones[..]].concat());
        let mut sum: Option<Var> = None;
        for channel in 0..n_in {
            let of_channel = x.index_axis(1, channel);
            let numbers = kernel.index_axis(2, channel);
            for place in 0..self.n_places() {
                let part = elements_at(of_channel, &self.windows, place);
                let term = part * numbers.index_axis(2, place);
                sum = Some(sum.map_or(term, |sum| sum + term));
            }
        }
        sum.unwrap_or(self.x).reshape(&self.result_shape())
    }
}
