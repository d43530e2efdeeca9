//! Slices of an array that begin where indices say: read, and written.

use ndarray::{ArrayViewD, ArrayViewMutD, Dimension};
use smallvec::SmallVec;

/// How the axes of an array, of indices and of slices belong together.
///
/// The last axis of the indices holds an index for each entry of `indexed`; there is one slice for each place along the
/// others.
#[derive(Clone, Debug)]
pub(crate) struct Axes {
    /// For each axis of the indices but the last, the axis of the slices that goes with it.
    pub places: SmallVec<[usize; 4]>,
    /// Axes of the array and of the indices that run side by side.
    pub batch: SmallVec<[(usize, usize); 4]>,
    /// Axes of the array and of the slices along which a slice extends.
    pub window: SmallVec<[(usize, usize); 4]>,
    /// The axis of the array to which each index belongs.
    pub indexed: SmallVec<[usize; 4]>,
}

impl Axes {
    /// How far a slice extends along an axis of the array, given the shape of the slices.
    pub fn size(&self, axis: usize, slices: &[usize]) -> usize {
        self.window.iter().find(|&&(window, _)| window == axis).map_or(1, |&(_, slice)| slices[slice])
    }
}

/// What is done with a slice that does not lie within the array.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Beyond {
    /// The call ends.
    Refuse,
    /// It begins at the nearest index from where it lies within.
    Clamp,
    /// It is left out.
    Skip,
}

/// An index that was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refused {
    pub index: i64,
    /// Its place among the indices, but for the axis of index vectors.
    pub position: Vec<usize>,
    /// The axis of the array.
    pub axis: usize,
}

/// Copies slices of an array. Places that are skipped keep what `slices` held.
pub(crate) fn gather<T: Copy>(
    axes: &Axes,
    beyond: Beyond,
    array: &ArrayViewD<'_, T>,
    indices: &ArrayViewD<'_, i64>,
    slices: &mut ArrayViewMutD<'_, T>,
) -> Result<(), Refused> {
    let walk = Walk::new(axes, Sides::of(array), indices, Sides::of_mut(slices));
    let (source, target) = (array.as_ptr(), slices.as_mut_ptr());
    let copy = |array: isize, slice: isize, window: &Loops| {
        if let Some(line) = window.single() {
            // SAFETY: as below.
            unsafe { copy_line(source.offset(array), target.offset(slice), line) };
            return;
        }
        for ([array, _, slice], line) in window.lines([array, 0, slice]) {
            // SAFETY: `Walk` keeps all distances within the two views, which do not overlap, as one is written through.
            unsafe { copy_line(source.offset(array), target.offset(slice), line) };
        }
    };
    walk.run(beyond, copy).map_err(|()| walk.first_refused(axes, indices))
}

/// Copies elements; few of them that lie side by side without a call.
///
/// # Safety
/// Both pointers must be valid for the whole loop, and must not overlap.
#[inline(always)]
unsafe fn copy_line<T: Copy>(source: *const T, target: *mut T, line: Loop) {
    // SAFETY: by this function's contract.
    unsafe {
        match line {
            Loop { extent: 1, .. } => *target = *source,
            Loop { extent, array: 1, slices: 1, .. } => std::ptr::copy_nonoverlapping(source, target, extent),
            Loop { extent, array, slices, .. } => {
                for i in 0..extent.cast_signed() {
                    *target.offset(i * slices) = *source.offset(i * array);
                }
            }
        }
    }
}

/// Combines elements of an array with those of slices, one slice after the other in row-major order of the indices.
pub(crate) fn scatter<T: Copy>(
    axes: &Axes,
    beyond: Beyond,
    array: &mut ArrayViewMutD<'_, T>,
    indices: &ArrayViewD<'_, i64>,
    slices: &ArrayViewD<'_, T>,
    combine: impl Fn(T, T) -> T + Copy,
) -> Result<(), Refused> {
    let walk = Walk::new(axes, Sides::of_mut(array), indices, Sides::of(slices));
    combine_all(&walk, beyond, array.as_mut_ptr(), slices.as_ptr(), combine)
        .map_err(|()| walk.first_refused(axes, indices))
}

/// The loops of [`scatter`], in wide registers where there are any, which does not change a bit.
fn combine_all<T: Copy>(
    walk: &Walk,
    beyond: Beyond,
    target: *mut T,
    source: *const T,
    combine: impl Fn(T, T) -> T + Copy,
) -> Result<(), ()> {
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("avx2") {
        #[target_feature(enable = "avx2")]
        unsafe fn wide<T: Copy>(
            walk: &Walk,
            beyond: Beyond,
            target: *mut T,
            source: *const T,
            combine: impl Fn(T, T) -> T + Copy,
        ) -> Result<(), ()> {
            combine_lines(walk, beyond, target, source, combine)
        }
        // SAFETY: the processor has the instructions.
        return unsafe { wide(walk, beyond, target, source, combine) };
    }
    combine_lines(walk, beyond, target, source, combine)
}

#[inline(always)]
fn combine_lines<T: Copy>(
    walk: &Walk,
    beyond: Beyond,
    target: *mut T,
    source: *const T,
    combine: impl Fn(T, T) -> T + Copy,
) -> Result<(), ()> {
    walk.run(beyond, |array, slice, window| {
        if let Some(line) = window.single() {
            // SAFETY: as below.
            unsafe { combine_line(target.offset(array), source.offset(slice), line, combine) };
            return;
        }
        for ([array, _, slice], line) in window.lines([array, 0, slice]) {
            // SAFETY: `Walk` keeps all distances within the two views, which do not overlap, as one is written through.
            unsafe { combine_line(target.offset(array), source.offset(slice), line, combine) };
        }
    })
}

/// # Safety
/// Both pointers must be valid for the whole loop, and must not overlap.
#[inline(always)]
unsafe fn combine_line<T: Copy>(target: *mut T, source: *const T, line: Loop, combine: impl Fn(T, T) -> T) {
    // SAFETY: by this function's contract.
    unsafe {
        if line.array == 1 && line.slices == 1 {
            for i in 0..line.extent {
                *target.add(i) = combine(*target.add(i), *source.add(i));
            }
            return;
        }
        for i in 0..line.extent.cast_signed() {
            let target = target.offset(i * line.array);
            *target = combine(*target, *source.offset(i * line.slices));
        }
    }
}

/// Shape and strides of a view.
#[derive(Clone, Copy)]
struct Sides<'a> {
    shape: &'a [usize],
    strides: &'a [isize],
}

impl<'a> Sides<'a> {
    fn of<T>(view: &'a ArrayViewD<'_, T>) -> Sides<'a> {
        Sides { shape: view.shape(), strides: view.strides() }
    }

    fn of_mut<T>(view: &'a ArrayViewMutD<'_, T>) -> Sides<'a> {
        Sides { shape: view.shape(), strides: view.strides() }
    }
}

/// A loop over slices, or over elements of a slice, with distances in elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Loop {
    extent: usize,
    array: isize,
    indices: isize,
    slices: isize,
}

impl Loop {
    const ONE: Loop = Loop { extent: 1, array: 1, indices: 1, slices: 1 };
}

/// One entry of an index vector.
#[derive(Clone, Copy, Debug)]
struct Component {
    stride: isize,
    /// The largest index from which a slice lies within.
    limit: i64,
}

/// The loops over all slices. All indices within their limits keep what is reached within the views.
struct Walk {
    places: Loops,
    window: Loops,
    components: SmallVec<[Component; 4]>,
    /// The distance of the entries of an index vector.
    component: isize,
    indices: *const i64,
}

impl Walk {
    /// # Panics
    /// If the axes do not belong together: what follows relies on it.
    fn new(axes: &Axes, array: Sides<'_>, indices: &ArrayViewD<'_, i64>, slices: Sides<'_>) -> Walk {
        let n_places = indices.ndim() - 1;
        assert!(axes.places.len() == n_places && indices.shape()[n_places] == axes.indexed.len(), "bug: index vectors");
        assert_eq!(axes.window.len() + n_places, slices.shape.len(), "bug: axes of slices");
        // Without places nothing is reached.
        let is_empty = indices.shape()[..n_places].contains(&0);
        let mut places = Loops::default();
        for (place, &slice) in axes.places.iter().enumerate() {
            let extent = indices.shape()[place];
            assert_eq!(extent, slices.shape[slice], "bug: slices and indices differ");
            let paired = axes.batch.iter().find(|&&(_, with)| with == place);
            let array = paired.map_or(0, |&(axis, _)| {
                assert_eq!(array.shape[axis], extent, "bug: batch axes differ");
                array.strides[axis]
            });
            places.push(Loop { extent, array, indices: indices.strides()[place], slices: slices.strides[slice] });
        }
        let mut window = Loops::default();
        for &(axis, slice) in &axes.window {
            let extent = slices.shape[slice];
            assert!(extent <= array.shape[axis] || is_empty, "bug: a slice beyond its array");
            window.push(Loop { extent, array: array.strides[axis], indices: 0, slices: slices.strides[slice] });
        }
        let components = axes.indexed.iter().map(|&axis| {
            assert!(axes.batch.iter().all(|&(batch, _)| batch != axis), "bug: an index along a batch axis");
            let limit = array.shape[axis].checked_sub(axes.size(axis, slices.shape));
            assert!(limit.is_some() || is_empty, "bug: a slice beyond its array");
            let limit = limit.unwrap_or(0);
            Component { stride: array.strides[axis], limit: i64::try_from(limit).unwrap_or(i64::MAX) }
        });
        let component = indices.strides()[n_places];
        Walk { places, window, components: components.collect(), component, indices: indices.as_ptr() }
    }

    /// Calls the function with the distances of the beginning of each slice in the array and among the slices.
    #[inline(always)]
    fn run(&self, beyond: Beyond, mut f: impl FnMut(isize, isize, &Loops)) -> Result<(), ()> {
        for ([array, indices, slices], line) in self.places.lines([0; 3]) {
            for i in 0..line.extent.cast_signed() {
                // SAFETY: the place is one of the view's.
                let vector = unsafe { self.indices.offset(indices + i * line.indices) };
                // SAFETY: the vector is one of the view's.
                match unsafe { self.start(vector, beyond) } {
                    Some(start) => f(array + i * line.array + start, slices + i * line.slices, &self.window),
                    None if beyond == Beyond::Skip => {}
                    None => return Err(()),
                }
            }
        }
        Ok(())
    }

    /// The distance of the beginning of a slice, by its index vector.
    ///
    /// # Safety
    /// It must point to as many indices as there are components.
    #[inline(always)]
    unsafe fn start(&self, vector: *const i64, beyond: Beyond) -> Option<isize> {
        let mut start = 0;
        for (i, component) in self.components.iter().enumerate() {
            // SAFETY: by this function's contract.
            let mut index = unsafe { *vector.offset(i.cast_signed() * self.component) };
            if !(0..=component.limit).contains(&index) {
                if beyond != Beyond::Clamp {
                    return None;
                }
                index = index.clamp(0, component.limit);
            }
            start += index as isize * component.stride;
        }
        Some(start)
    }

    /// The first index, in row-major order, that does not lie within its limit.
    fn first_refused(&self, axes: &Axes, indices: &ArrayViewD<'_, i64>) -> Refused {
        let (position, index) = indices
            .indexed_iter()
            .find(|(place, index)| !(0..=self.components[place[place.ndim() - 1]].limit).contains(*index))
            .expect("bug: an index was refused without reason");
        let vector = position.slice().to_vec();
        let (&component, place) = vector.split_last().expect("bug: an index vector without an axis");
        Refused { index: *index, position: place.to_vec(), axis: axes.indexed[component] }
    }
}

/// Nested loops, the outermost first.
#[derive(Default)]
struct Loops(SmallVec<[Loop; 4]>);

impl Loops {
    /// Adds an innermost loop, as a part of the one around it where that is possible.
    fn push(&mut self, inner: Loop) {
        if inner.extent == 1 {
            return;
        }
        if let Some(outer) = self.0.last_mut() {
            let extent = inner.extent.cast_signed();
            let joins = |outer: isize, inner: isize| outer == inner * extent;
            let all = joins(outer.array, inner.array)
                && joins(outer.indices, inner.indices)
                && joins(outer.slices, inner.slices);
            if all {
                *outer = Loop { extent: outer.extent * inner.extent, ..inner };
                return;
            }
        }
        self.0.push(inner);
    }

    /// The loop, if there is but one, or none: then it has one element.
    #[inline(always)]
    fn single(&self) -> Option<Loop> {
        match self.0[..] {
            [] => Some(Loop::ONE),
            [line] => Some(line),
            _ => None,
        }
    }

    /// The innermost loops, with the distances of their beginnings in the array, the indices and the slices.
    #[inline(always)]
    fn lines(&self, begin: [isize; 3]) -> Lines<'_> {
        let (line, outer) = self.0.split_last().map_or((Loop::ONE, &[][..]), |(&line, outer)| (line, outer));
        let is_empty = outer.iter().any(|outer| outer.extent == 0);
        let index = if outer.is_empty() { SmallVec::new() } else { SmallVec::from_elem(0, outer.len()) };
        Lines { outer, line, index, next: (!is_empty).then_some(begin) }
    }
}

/// See [`Loops::lines`].
struct Lines<'a> {
    outer: &'a [Loop],
    line: Loop,
    index: SmallVec<[usize; 4]>,
    next: Option<[isize; 3]>,
}

impl Iterator for Lines<'_> {
    type Item = ([isize; 3], Loop);

    #[inline(always)]
    fn next(&mut self) -> Option<([isize; 3], Loop)> {
        let begin = self.next?;
        self.next = if self.outer.is_empty() { None } else { self.advance(begin) };
        Some((begin, self.line))
    }
}

impl Lines<'_> {
    fn advance(&mut self, [mut array, mut indices, mut slices]: [isize; 3]) -> Option<[isize; 3]> {
        for (count, level) in self.index.iter_mut().zip(self.outer).rev() {
            *count += 1;
            (array, indices, slices) = (array + level.array, indices + level.indices, slices + level.slices);
            if *count < level.extent {
                return Some([array, indices, slices]);
            }
            *count = 0;
            let extent = level.extent.cast_signed();
            array -= extent * level.array;
            indices -= extent * level.indices;
            slices -= extent * level.slices;
        }
        None
    }
}
