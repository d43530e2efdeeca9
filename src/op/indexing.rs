//! Elements by indices that are computed: what `x[i]` is where `i` is an array.

use super::gather::{Gather, Scatter, Update};
use super::indices::{Indexing, OutOfBounds};
use super::rules::literal;
use super::shape::check_axis;
use super::trace::{self, apply};
use super::var::broadcast_shape;
use super::{Operand, Var};
use crate::value::{Array, DType, Shape, Type};

/// Indices: a traced value of dtype `i64`, or numbers of the host.
pub trait Indices {
    /// These indices as a value.
    #[track_caller]
    fn indices(self) -> Var;
}

impl Indices for Var {
    fn indices(self) -> Var {
        self
    }
}

impl Indices for i64 {
    #[track_caller]
    fn indices(self) -> Var {
        Var::from(self)
    }
}

impl Indices for usize {
    #[track_caller]
    fn indices(self) -> Var {
        Var::from(i64::try_from(self).unwrap_or(i64::MAX))
    }
}

impl Indices for &[usize] {
    #[track_caller]
    fn indices(self) -> Var {
        let indices: Vec<i64> = self.iter().map(|&index| i64::try_from(index).unwrap_or(i64::MAX)).collect();
        Var::constant(literal([indices.len()], indices))
    }
}

impl Indices for &Vec<usize> {
    #[track_caller]
    fn indices(self) -> Var {
        self.as_slice().indices()
    }
}

impl<const N: usize> Indices for [usize; N] {
    #[track_caller]
    fn indices(self) -> Var {
        self.as_slice().indices()
    }
}

impl<const N: usize> Indices for &[usize; N] {
    #[track_caller]
    fn indices(self) -> Var {
        self.as_slice().indices()
    }
}

/// Elements of an array at some indices, to be read or replaced; see [`Var::at_indices`], [`Var::at_points`] and
/// [`Var::along`].
///
/// An index that is negative, or not below the extent, ends the call in an [`IndexError`](crate::error::IndexError), in
/// the interpreter as in native code, unless one of [`At::clamp`], [`At::wrap`] and [`At::skip`] says what it means.
#[derive(Clone, Debug)]
#[must_use = "nothing is read or written before `get`, `set` or another of its methods"]
pub struct At {
    array: Var,
    /// Index vectors.
    indices: Var,
    indexing: Indexing,
    sizes: Vec<usize>,
    out_of_bounds: OutOfBounds,
    /// Whether indices count modulo the extent.
    wraps: bool,
}

impl At {
    fn poisoned() -> At {
        let indexing = Indexing { window: vec![], collapsed: vec![], batch: [vec![], vec![]], map: vec![] };
        let (array, indices) = (Var::poisoned(), Var::poisoned());
        At { array, indices, indexing, sizes: vec![], out_of_bounds: OutOfBounds::Error, wraps: false }
    }

    /// An index beyond the array means the nearest one within.
    pub fn clamp(self) -> At {
        At { out_of_bounds: OutOfBounds::Clamp, wraps: false, ..self }
    }

    /// Indices count modulo the extent: -1 is the last one.
    pub fn wrap(self) -> At {
        At { out_of_bounds: OutOfBounds::Clamp, wraps: true, ..self }
    }

    /// Elements beyond the array are 0 (`false`) where they are read, and are not written.
    pub fn skip(self) -> At {
        At { out_of_bounds: OutOfBounds::Drop, wraps: false, ..self }
    }

    /// The elements. The derivative by the array adds the cotangent where they came from.
    ///
    /// ```
    /// use ndarray::{Array1, array};
    /// use retrograd::{Var, jit};
    ///
    /// let f = jit(|x: Var, i: Var| x.at_indices(i, 0).wrap().get());
    /// assert_eq!(f.call::<Array1<f64>>(array![1.0, 2.0, 3.0], array![-1i64, 3])?, array![3.0, 1.0]);
    /// # Ok::<(), retrograd::Error>(())
    /// ```
    #[track_caller]
    pub fn get(self) -> Var {
        let indices = self.wrapped();
        let (indexing, sizes, out_of_bounds) = (self.indexing, self.sizes, self.out_of_bounds);
        let gather = Gather { indexing, sizes, out_of_bounds, summed: vec![] };
        apply(gather, &[self.array, indices])
    }

    /// The elements, and a number of the array's dtype for those beyond it: none are after [`At::clamp`] or [`At::wrap`].
    ///
    /// ```
    /// use ndarray::{Array1, array};
    /// use retrograd::{Var, jit};
    ///
    /// let f = jit(|x: Var, i: Var| x.at_indices(i, 0).get_or(f64::INFINITY));
    /// assert_eq!(f.call::<Array1<f64>>(array![1.0, 2.0], array![0i64, 2])?, array![1.0, f64::INFINITY]);
    /// # Ok::<(), retrograd::Error>(())
    /// ```
    #[track_caller]
    pub fn get_or(self, fill: impl Operand) -> Var {
        let _method = trace::method("get_or", &[self.array, self.indices]);
        if self.out_of_bounds == OutOfBounds::Clamp {
            return self.get();
        }
        let at = At { out_of_bounds: OutOfBounds::Clamp, ..self };
        let (array, indices, indexing) = (at.array, at.indices, at.indexing.clone());
        let elements = at.get();
        if elements.is_poisoned() {
            return elements;
        }
        indexing.within(&array.ty(), indices, &elements.shape()).select(elements, fill.var(array))
    }

    /// The array with these elements replaced. Values broadcast to their shape. Where an index occurs twice, the last one
    /// stays, and only that one has a derivative.
    ///
    /// ```
    /// use ndarray::{Array1, array};
    /// use retrograd::{Var, jit};
    ///
    /// let f = jit(|x: Var, i: Var| x.at_indices(i, 0).set(0.0));
    /// assert_eq!(f.call::<Array1<f64>>(array![1.0, 2.0, 3.0], array![2i64, 0])?, array![0.0, 2.0, 0.0]);
    /// # Ok::<(), retrograd::Error>(())
    /// ```
    #[track_caller]
    pub fn set(self, values: impl Operand) -> Var {
        self.update(Update::Set, values)
    }

    /// The array with values added to these elements, one after the other in row-major order of the indices.
    ///
    /// ```
    /// use ndarray::{Array1, array};
    /// use retrograd::{Var, jit};
    ///
    /// let f = jit(|x: Var, i: Var, y: Var| x.at_indices(i, 0).add(y));
    /// let y: Array1<f64> = f.call(array![1.0, 2.0], array![1i64, 1], array![10.0, 20.0])?;
    /// assert_eq!(y, array![1.0, 32.0]);
    /// # Ok::<(), retrograd::Error>(())
    /// ```
    #[expect(clippy::should_implement_trait, reason = "NumPy's and JAX's name, beside `set`, `min` and `max`")]
    #[track_caller]
    pub fn add(self, values: impl Operand) -> Var {
        self.update(Update::Add, values)
    }

    /// The array with these elements multiplied by values. Derivatives are exact where factors are zero.
    ///
    /// ```
    /// use ndarray::{Array1, array};
    /// use retrograd::{Var, jit};
    ///
    /// let f = jit(|x: Var, i: Var| x.at_indices(i, 0).mul(10.0));
    /// assert_eq!(f.call::<Array1<f64>>(array![1.0, 2.0], array![1i64, 1])?, array![1.0, 200.0]);
    /// # Ok::<(), retrograd::Error>(())
    /// ```
    #[expect(clippy::should_implement_trait, reason = "NumPy's and JAX's name, beside `set`, `min` and `max`")]
    #[track_caller]
    pub fn mul(self, values: impl Operand) -> Var {
        self.update(Update::Mul, values)
    }

    /// The array with these elements and values replaced by the smaller; NaN if either is. Ties share the derivative evenly.
    ///
    /// ```
    /// use ndarray::{Array1, array};
    /// use retrograd::{Var, jit};
    ///
    /// let f = jit(|x: Var, i: Var, y: Var| x.at_indices(i, 0).min(y));
    /// let y: Array1<f64> = f.call(array![1.0, 2.0], array![1i64, 0], array![-1.0, 5.0])?;
    /// assert_eq!(y, array![1.0, -1.0]);
    /// # Ok::<(), retrograd::Error>(())
    /// ```
    #[track_caller]
    pub fn min(self, values: impl Operand) -> Var {
        self.update(Update::Min, values)
    }

    /// The array with these elements and values replaced by the larger; NaN if either is. Ties share the derivative evenly.
    ///
    /// ```
    /// use ndarray::{Array1, array};
    /// use retrograd::{Var, jit};
    ///
    /// let f = jit(|x: Var, i: Var, y: Var| x.at_indices(i, 0).max(y));
    /// let y: Array1<f64> = f.call(array![1.0, 2.0], array![1i64, 0], array![-1.0, 5.0])?;
    /// assert_eq!(y, array![5.0, 2.0]);
    /// # Ok::<(), retrograd::Error>(())
    /// ```
    #[track_caller]
    pub fn max(self, values: impl Operand) -> Var {
        self.update(Update::Max, values)
    }

    #[track_caller]
    fn update(self, update: Update, values: impl Operand) -> Var {
        let _method = trace::method("at", &[self.array, self.indices]);
        let values = values.var(self.array);
        if self.array.is_poisoned() || self.indices.is_poisoned() || values.is_poisoned() {
            return Var::poisoned();
        }
        let indices = self.wrapped();
        let extended = self.indexing.extended(self.sizes.len()).map(|axis| self.sizes[axis]);
        let shape = self.indexing.slices(&extended.collect::<Vec<_>>(), &indices.shape());
        let values = values.broadcast_to(&shape);
        let scatter = Scatter { indexing: self.indexing, update, out_of_bounds: self.out_of_bounds };
        apply(scatter, &[self.array, indices, values])
    }

    #[track_caller]
    fn wrapped(&self) -> Var {
        if !self.wraps || self.indices.is_poisoned() {
            return self.indices;
        }
        let shape = self.array.shape();
        let extents: Vec<i64> = self.indexing.map.iter().map(|&axis| shape[axis] as i64).collect();
        let extents = Var::constant(literal([extents.len()], extents));
        let rest = self.indices % extents;
        rest.less(0).select(rest + extents, rest)
    }
}

impl Var {
    /// The elements at indices along one axis, to be read or replaced: `x[:, i, :]` in NumPy.
    ///
    /// Indices are `i64` of any shape, whose axes stand in the place of `axis` in what is read or written. See [`At`].
    ///
    /// ```
    /// use ndarray::{Array2, array};
    /// use retrograd::{Var, jit};
    ///
    /// let rows = jit(|x: Var, i: Var| x.at_indices(i, 0).get());
    /// let y: Array2<f64> = rows.call(array![[1.0, 2.0], [3.0, 4.0]], array![1i64, 1, 0])?;
    /// assert_eq!(y, array![[3.0, 4.0], [3.0, 4.0], [1.0, 2.0]]);
    /// # Ok::<(), retrograd::Error>(())
    /// ```
    #[track_caller]
    pub fn at_indices(self, indices: impl Indices, axis: usize) -> At {
        let indices = indices.indices();
        let _method = trace::method("at_indices", &[self, indices]);
        if self.is_poisoned() || indices.is_poisoned() || !check_axis(self, axis) || !check_indices(indices) {
            return At::poisoned();
        }
        let (shape, at) = (self.shape(), indices.shape());
        let mut sizes = shape.to_vec();
        sizes[axis] = 1;
        let indexing = Indexing::rows(axis, shape.rank(), at.rank());
        At::new(self, indices.insert_axis(at.rank()), indexing, sizes)
    }

    /// The elements at points given by their coordinates along the leading axes, to be read or replaced: `x[i, j]` in
    /// NumPy.
    ///
    /// Coordinates are `i64` and broadcast against each other; their axes lead what is read or written. See [`At`].
    ///
    /// ```
    /// use ndarray::{Array1, array};
    /// use retrograd::{Var, jit};
    ///
    /// let points = jit(|x: Var, i: Var, j: Var| x.at_points(&[i, j]).get());
    /// let y: Array1<f64> = points.call(array![[1.0, 2.0], [3.0, 4.0]], array![1i64, 0], array![0i64, 0])?;
    /// assert_eq!(y, array![3.0, 1.0]);
    /// # Ok::<(), retrograd::Error>(())
    /// ```
    #[track_caller]
    pub fn at_points(self, coordinates: &[Var]) -> At {
        let _method = trace::method("at_points", &[self]);
        if self.is_poisoned() || coordinates.iter().any(|x| x.is_poisoned()) {
            return At::poisoned();
        }
        let (shape, k) = (self.shape(), coordinates.len());
        if k == 0 || k > shape.rank() {
            trace::fail_at(format!("takes from 1 to {} coordinates, one an axis, but got {k}", shape.rank()));
            return At::poisoned();
        }
        if !coordinates.iter().all(|&x| check_indices(x)) {
            return At::poisoned();
        }
        let Some(common) = common_shape(coordinates) else {
            let shapes: Vec<String> = coordinates.iter().map(|x| x.shape().to_string()).collect();
            trace::fail_at(format!("takes coordinates that broadcast, but got {}", shapes.join(", ")));
            return At::poisoned();
        };
        let places: Vec<Var> = coordinates.iter().map(|x| x.broadcast_to(&common)).collect();
        let mut sizes = shape.to_vec();
        sizes[..k].fill(1);
        let window = (common.rank()..common.rank() + shape.rank() - k).collect();
        let indexing = Indexing { window, collapsed: (0..k).collect(), batch: [vec![], vec![]], map: (0..k).collect() };
        At::new(self, Var::stack(&places, common.rank()), indexing, sizes)
    }

    /// The elements at indices that are given for each place along the other axes, to be read or replaced:
    /// `numpy.take_along_axis`, `put_along_axis`.
    ///
    /// Indices are `i64` of the array's rank, with its extents but for `axis`. See [`At`].
    ///
    /// ```
    /// use ndarray::{Array2, array};
    /// use retrograd::{Var, jit};
    ///
    /// let f = jit(|x: Var, i: Var| x.along(i, 1).get());
    /// let y: Array2<f64> = f.call(array![[1.0, 2.0], [3.0, 4.0]], array![[1i64], [0]])?;
    /// assert_eq!(y, array![[2.0], [3.0]]);
    /// # Ok::<(), retrograd::Error>(())
    /// ```
    #[track_caller]
    pub fn along(self, indices: impl Indices, axis: usize) -> At {
        let indices = indices.indices();
        let _method = trace::method("along", &[self, indices]);
        if self.is_poisoned() || indices.is_poisoned() || !check_axis(self, axis) || !check_indices(indices) {
            return At::poisoned();
        }
        let (shape, at) = (self.shape(), indices.shape());
        let fits = at.rank() == shape.rank() && (0..at.rank()).all(|i| i == axis || at[i] == shape[i]);
        if !fits {
            trace::fail_at(format!("takes indices with the extents of {shape} but for axis {axis}, but got {at}"));
            return At::poisoned();
        }
        let others: Vec<usize> = (0..shape.rank()).filter(|&other| other != axis).collect();
        let batch = [others.clone(), others];
        let indexing = Indexing { window: vec![], collapsed: vec![axis], batch, map: vec![axis] };
        At::new(self, indices.insert_axis(at.rank()), indexing, vec![1; shape.rank()])
    }

    /// The elements at indices along an axis: [`Var::at_indices`], read. An index beyond the extent, or a negative one, is
    /// an error of the call.
    ///
    /// ```
    /// use ndarray::{Array1, array};
    /// use retrograd::{Var, grad, jit};
    ///
    /// let y: Array1<f64> = jit(|x: Var| x.take([2, 0, 2], 0)).call(array![1.0, 2.0, 3.0])?;
    /// assert_eq!(y, array![3.0, 1.0, 3.0]);
    /// let slope: Array1<f64> = jit(grad(|x: Var| x.take([2, 0, 2], 0).sum())).call(array![1.0, 2.0, 3.0])?;
    /// assert_eq!(slope, array![1.0, 0.0, 2.0]);
    /// # Ok::<(), retrograd::Error>(())
    /// ```
    #[track_caller]
    pub fn take(self, indices: impl Indices, axis: usize) -> Var {
        let indices = indices.indices();
        let _method = trace::method("take", &[self, indices]);
        self.at_indices(indices, axis).get()
    }

    /// The elements at indices that are given for each place along the other axes: [`Var::along`], read.
    ///
    /// ```
    /// use ndarray::{Array2, array};
    /// use retrograd::{Var, jit};
    ///
    /// let sorted = jit(|x: Var| x.take_along_axis(x.argsort(1), 1));
    /// assert_eq!(sorted.call::<Array2<f64>>(array![[2.0, 1.0], [3.0, 4.0]])?, array![[1.0, 2.0], [3.0, 4.0]]);
    /// # Ok::<(), retrograd::Error>(())
    /// ```
    #[track_caller]
    pub fn take_along_axis(self, indices: impl Indices, axis: usize) -> Var {
        let indices = indices.indices();
        let _method = trace::method("take_along_axis", &[self, indices]);
        self.along(indices, axis).get()
    }

    /// A slice of the given extents that begins at computed indices, one `i64` scalar for each axis. A slice that does not
    /// lie within the array is an error of the call.
    ///
    /// ```
    /// use ndarray::{Array1, array};
    /// use retrograd::{Var, jit};
    ///
    /// let window = jit(|x: Var, i: Var| x.dynamic_slice(&[i], &[2]));
    /// assert_eq!(window.call::<Array1<f64>>(array![1.0, 2.0, 3.0, 4.0], 1i64)?, array![2.0, 3.0]);
    /// assert!(window.call::<Array1<f64>>(array![1.0, 2.0, 3.0, 4.0], 3i64).is_err());
    /// # Ok::<(), retrograd::Error>(())
    /// ```
    #[track_caller]
    pub fn dynamic_slice(self, starts: &[Var], extents: &[usize]) -> Var {
        let _method = trace::method("dynamic_slice", &[self]);
        match self.window(starts, extents) {
            Some(at) => at.get(),
            None => Var::poisoned(),
        }
    }

    /// The array with a slice replaced that begins at computed indices, one `i64` scalar for each axis. A slice that does
    /// not lie within the array is an error of the call.
    ///
    /// ```
    /// use ndarray::{Array1, array};
    /// use retrograd::{Var, jit};
    ///
    /// let f = jit(|x: Var, y: Var, i: Var| x.dynamic_update_slice(y, &[i]));
    /// assert_eq!(f.call::<Array1<f64>>(array![1.0, 2.0, 3.0], array![8.0, 9.0], 1i64)?, array![1.0, 8.0, 9.0]);
    /// # Ok::<(), retrograd::Error>(())
    /// ```
    #[track_caller]
    pub fn dynamic_update_slice(self, slice: Var, starts: &[Var]) -> Var {
        let _method = trace::method("dynamic_update_slice", &[self, slice]);
        if slice.is_poisoned() {
            return slice;
        }
        match self.window(starts, &slice.shape()) {
            Some(at) => at.set(slice),
            None => Var::poisoned(),
        }
    }

    #[track_caller]
    fn window(self, starts: &[Var], extents: &[usize]) -> Option<At> {
        if self.is_poisoned() || starts.iter().any(|x| x.is_poisoned()) {
            return None;
        }
        let rank = self.rank();
        if starts.len() != rank || extents.len() != rank {
            trace::fail_at(format!(
                "takes a start and an extent for each of {rank} axes, but got {} and {}",
                starts.len(),
                extents.len()
            ));
            return None;
        }
        if let Some(start) = starts.iter().find(|start| start.ty() != Type::scalar(DType::I64)) {
            trace::fail_at(format!("takes scalars of dtype i64 as starts, but got {}", start.ty()));
            return None;
        }
        let indexing = Indexing {
            window: (0..rank).collect(),
            collapsed: vec![],
            batch: [vec![], vec![]],
            map: (0..rank).collect(),
        };
        let vector = if rank == 0 { Var::zeros(Type::new(DType::I64, [0])) } else { Var::stack(starts, 0) };
        Some(At::new(self, vector, indexing, extents.to_vec()))
    }

    /// For each index a row of zeros with a one at that index: along a new last axis of extent `n`, of dtype `f64`. An
    /// index beyond it gives zeros.
    ///
    /// ```
    /// use ndarray::{Array2, array};
    /// use retrograd::{Var, jit};
    ///
    /// let y: Array2<f64> = jit(|i: Var| i.one_hot(3)).call(array![2i64, 0, 9])?;
    /// assert_eq!(y, array![[0.0, 0.0, 1.0], [1.0, 0.0, 0.0], [0.0, 0.0, 0.0]]);
    /// # Ok::<(), retrograd::Error>(())
    /// ```
    #[track_caller]
    pub fn one_hot(self, n: usize) -> Var {
        let _method = trace::method("one_hot", &[self]);
        if self.is_poisoned() || !check_indices(self) {
            return Var::poisoned();
        }
        let rank = self.rank();
        let numbers = Var::iota(&[n], 0, DType::I64);
        self.insert_axis(rank).equal(numbers).convert(DType::F64)
    }

    /// The sums of the elements of each of `n` segments along the first axis: `segments` are `i64`, one for each element
    /// along it. A segment without elements is 0. A segment that is not below `n`, or negative, is an error of the call.
    ///
    /// Elements are added one after the other.
    ///
    /// ```
    /// use ndarray::{Array1, array};
    /// use retrograd::{Var, jit};
    ///
    /// let f = jit(|x: Var, s: Var| x.segment_sum(s, 3));
    /// assert_eq!(f.call::<Array1<f64>>(array![1.0, 2.0, 4.0], array![2i64, 0, 2])?, array![2.0, 0.0, 5.0]);
    /// # Ok::<(), retrograd::Error>(())
    /// ```
    #[track_caller]
    pub fn segment_sum(self, segments: impl Indices, n: usize) -> Var {
        self.segments("segment_sum", segments.indices(), n, 0.0, Update::Add)
    }

    /// The products of the elements of each segment; 1 for one without elements. Otherwise as [`Var::segment_sum`].
    ///
    /// ```
    /// use ndarray::{Array1, array};
    /// use retrograd::{Var, jit};
    ///
    /// let f = jit(|x: Var, s: Var| x.segment_prod(s, 3));
    /// assert_eq!(f.call::<Array1<f64>>(array![1.0, 2.0, 4.0], array![2i64, 0, 2])?, array![2.0, 1.0, 4.0]);
    /// # Ok::<(), retrograd::Error>(())
    /// ```
    #[track_caller]
    pub fn segment_prod(self, segments: impl Indices, n: usize) -> Var {
        self.segments("segment_prod", segments.indices(), n, 1.0, Update::Mul)
    }

    /// The largest elements of each segment; -inf, or the least integer, for one without elements. A NaN gives NaN, and
    /// equal ones share the derivative evenly. Otherwise as [`Var::segment_sum`].
    ///
    /// ```
    /// use ndarray::{Array1, array};
    /// use retrograd::{Var, jit};
    ///
    /// let f = jit(|x: Var, s: Var| x.segment_max(s, 2));
    /// assert_eq!(f.call::<Array1<f64>>(array![1.0, 2.0, 4.0], array![1i64, 0, 1])?, array![2.0, 4.0]);
    /// # Ok::<(), retrograd::Error>(())
    /// ```
    #[track_caller]
    pub fn segment_max(self, segments: impl Indices, n: usize) -> Var {
        self.segments("segment_max", segments.indices(), n, f64::NEG_INFINITY, Update::Max)
    }

    /// The smallest elements of each segment; inf, or the greatest integer, for one without elements. Otherwise as
    /// [`Var::segment_max`].
    ///
    /// ```
    /// use ndarray::{Array1, array};
    /// use retrograd::{Var, jit};
    ///
    /// let f = jit(|x: Var, s: Var| x.segment_min(s, 2));
    /// assert_eq!(f.call::<Array1<f64>>(array![1.0, 2.0, 4.0], array![1i64, 0, 1])?, array![2.0, 1.0]);
    /// # Ok::<(), retrograd::Error>(())
    /// ```
    #[track_caller]
    pub fn segment_min(self, segments: impl Indices, n: usize) -> Var {
        self.segments("segment_min", segments.indices(), n, f64::INFINITY, Update::Min)
    }

    /// The means of the elements of each segment; NaN for one without elements. Takes floating-point numbers; otherwise as
    /// [`Var::segment_sum`].
    ///
    /// ```
    /// use ndarray::{Array1, array};
    /// use retrograd::{Var, jit};
    ///
    /// let f = jit(|x: Var, s: Var| x.segment_mean(s, 2));
    /// assert_eq!(f.call::<Array1<f64>>(array![1.0, 2.0, 4.0], array![1i64, 0, 1])?, array![2.0, 2.5]);
    /// # Ok::<(), retrograd::Error>(())
    /// ```
    #[track_caller]
    pub fn segment_mean(self, segments: impl Indices, n: usize) -> Var {
        let segments = segments.indices();
        let _method = trace::method("segment_mean", &[self, segments]);
        let sums = self.segments("segment_mean", segments, n, 0.0, Update::Add);
        if sums.is_poisoned() {
            return sums;
        }
        let counts = segments.bincount(n).convert(self.dtype());
        let shape: Shape = (0..sums.rank()).map(|axis| if axis == 0 { n } else { 1 }).collect();
        sums / counts.reshape(&shape)
    }

    /// How often each of the numbers from 0 to before `n` occurs among these indices, as `i64`. Another one is an error of
    /// the call.
    ///
    /// ```
    /// use ndarray::{Array1, array};
    /// use retrograd::{Var, jit};
    ///
    /// let y: Array1<i64> = jit(|i: Var| i.bincount(3)).call(array![2i64, 0, 2])?;
    /// assert_eq!(y, array![1i64, 0, 2]);
    /// # Ok::<(), retrograd::Error>(())
    /// ```
    #[track_caller]
    pub fn bincount(self, n: usize) -> Var {
        let _method = trace::method("bincount", &[self]);
        if self.is_poisoned() || !check_indices(self) {
            return Var::poisoned();
        }
        Var::zeros(Type::new(DType::I64, [n])).at_indices(self, 0).add(Var::from(1i64))
    }

    #[track_caller]
    fn segments(self, name: &'static str, segments: Var, n: usize, empty: f64, update: Update) -> Var {
        let _method = trace::method(name, &[self, segments]);
        if self.is_poisoned() || segments.is_poisoned() {
            return Var::poisoned();
        }
        let (shape, at) = (self.shape(), segments.ty());
        if shape.rank() == 0 || at != Type::new(DType::I64, [shape[0]]) {
            trace::fail_at(format!(
                "takes one segment of dtype i64 for each element along the first axis of {shape}, but got {at}"
            ));
            return Var::poisoned();
        }
        let result: Shape = [n].iter().chain(&shape[1..]).copied().collect();
        let dtype = self.dtype();
        let empty = match (update, dtype) {
            (Update::Max, DType::I64) => Var::from(i64::MIN),
            (Update::Min, DType::I64) => Var::from(i64::MAX),
            _ => Var::constant(Array::from_scalar(crate::value::Scalar::F64(empty).convert(dtype))),
        };
        empty.broadcast_to(&result).at_indices(segments, 0).update(update, self)
    }

    /// The indices of the elements of a vector that are `true`, of which there must be `n`: if there are not, all indices
    /// are the extent, which is an error of the call where they are used. The vector is of dtype `bool`.
    ///
    /// ```
    /// use ndarray::{Array1, array};
    /// use retrograd::{Var, jit};
    ///
    /// let y: Array1<i64> = jit(|x: Var| x.greater(0.0).nonzero(2)).call(array![3.0, -1.0, 2.0])?;
    /// assert_eq!(y, array![0i64, 2]);
    /// # Ok::<(), retrograd::Error>(())
    /// ```
    #[track_caller]
    pub fn nonzero(self, n: usize) -> Var {
        let _method = trace::method("nonzero", &[self]);
        if self.is_poisoned() {
            return self;
        }
        let ty = self.ty();
        if ty.dtype != DType::Bool || ty.rank() != 1 || n > ty.size() {
            trace::fail_at(format!("takes a vector of dtype bool with at least {n} elements, but got {ty}"));
            return Var::poisoned();
        }
        let first = (!self).order(0, false, &[[0, n]]);
        let number = self.convert(DType::I64).sum();
        let beyond = Var::from(ty.size() as i64);
        number.equal(n as i64).select(first, beyond)
    }

    /// The elements along an axis where a mask holds, which must do so at `n` places: another number is an error of the
    /// call, which says that the extent is no index; but if `n` is 0, nothing is read, and nothing is checked. The mask is a vector of dtype `bool` with the extent of the axis. The derivative of other elements is 0.
    ///
    /// ```
    /// use ndarray::{Array1, array};
    /// use retrograd::{Var, jit};
    ///
    /// let f = jit(|x: Var| x.compress(x.greater(0.0), 2, 0));
    /// assert_eq!(f.call::<Array1<f64>>(array![3.0, -1.0, 2.0])?, array![3.0, 2.0]);
    /// assert!(f.call::<Array1<f64>>(array![3.0, 1.0, 2.0]).is_err());
    /// # Ok::<(), retrograd::Error>(())
    /// ```
    #[track_caller]
    pub fn compress(self, mask: Var, n: usize, axis: usize) -> Var {
        let _method = trace::method("compress", &[self, mask]);
        if self.is_poisoned() || mask.is_poisoned() || !check_axis(self, axis) {
            return Var::poisoned();
        }
        if mask.ty() != Type::new(DType::Bool, [self.shape()[axis]]) {
            trace::fail_at(format!("takes a mask of type bool[{}], but got {}", self.shape()[axis], mask.ty()));
            return Var::poisoned();
        }
        self.take(mask.nonzero(n), axis)
    }
}

impl At {
    #[track_caller]
    fn new(array: Var, indices: Var, indexing: Indexing, sizes: Vec<usize>) -> At {
        At { array, indices, indexing, sizes, out_of_bounds: OutOfBounds::Error, wraps: false }
    }
}

/// Whether these are indices; if not, the trace has failed.
#[track_caller]
fn check_indices(indices: Var) -> bool {
    let is = indices.dtype() == DType::I64;
    if !is {
        trace::fail_at(format!("takes indices of dtype i64, but got {}; use convert", indices.ty()));
    }
    is
}

/// The shape to which all broadcast.
fn common_shape(parts: &[Var]) -> Option<Shape> {
    parts.iter().try_fold(Shape::from([]), |common, part| broadcast_shape(&common, &part.shape()).map(Shape::from))
}
