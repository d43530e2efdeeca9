//! Slices of an array that begin where indices say: read, and written.

use ndarray::{ArrayViewD, ArrayViewMutD, Dimension};
use smallvec::SmallVec;

use super::linear::Number;
use super::pairwise::{self, BLOCK, Combine, Partials};

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
    let walk = Walk::new(axes, &[], Sides::of(array), indices, Sides::of_mut(slices));
    let (source, target) = (array.as_ptr(), slices.as_mut_ptr());
    let single = walk.window.single();
    let copied: Result<(), ()> = each_slice!(walk, beyond, source, |array, slice| {
        // SAFETY: `Walk` keeps all distances within the two views, which do not overlap, as one is written through.
        unsafe {
            if let Some(line) = single {
                copy_line(source.offset(array), target.offset(slice), line);
            } else {
                for ([array, _, slice], line) in walk.window.lines([array, 0, slice]) {
                    copy_line(source.offset(array), target.offset(slice), line);
                }
            }
        }
    });
    copied.map_err(|()| walk.first_refused(axes, indices))
}

/// Which slices [`gather_sums`] adds up.
#[derive(Clone, Copy)]
pub(crate) struct Summed<'a> {
    /// Axes of the indices, ascending: the slices at the places along them are terms of one sum.
    pub places: &'a [usize],
    /// The shape that the slices had if they were not summed.
    pub slices: &'a [usize],
}

/// Adds up slices of an array. The sums have the axes of the slices, but for those of the places that are summed; what is
/// skipped counts as 0.
///
/// The terms of each sum are taken in row-major order of the places, and added in the order of [`pairwise`].
pub(crate) fn gather_sums<T: Number>(
    axes: &Axes,
    beyond: Beyond,
    array: &ArrayViewD<'_, T>,
    indices: &ArrayViewD<'_, i64>,
    summed: Summed<'_>,
    sums: &mut ArrayViewMutD<'_, T>,
) -> Result<(), Refused> {
    let is_summed = |axis: &usize| summed.places.iter().any(|&place| axes.places[place] == *axis);
    let mut strides = SmallVec::<[isize; 4]>::from_elem(0, summed.slices.len());
    let kept = (0..summed.slices.len()).filter(|axis| !is_summed(axis));
    for (axis, (&stride, &extent)) in kept.zip(sums.strides().iter().zip(sums.shape())) {
        assert_eq!(extent, summed.slices[axis], "bug: sums of another shape than the slices");
        strides[axis] = stride;
    }
    let slices = Sides { shape: summed.slices, strides: &strides };
    let walk = Walk::new(axes, summed.places, Sides::of(array), indices, slices);
    sum_all(&walk, beyond, array.as_ptr(), sums.as_mut_ptr()).map_err(|()| walk.first_refused(axes, indices))
}

/// The loops of [`gather_sums`], in wide registers where there are any, which does not change a bit.
fn sum_all<T: Number>(walk: &Walk<'_>, beyond: Beyond, source: *const T, target: *mut T) -> Result<(), ()> {
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("avx2") {
        #[target_feature(enable = "avx2")]
        fn wide<T: Number>(walk: &Walk<'_>, beyond: Beyond, source: *const T, target: *mut T) -> Result<(), ()> {
            sum_slices(walk, beyond, source, target)
        }
        // SAFETY: the processor has the instructions.
        return unsafe { wide(walk, beyond, source, target) };
    }
    sum_slices(walk, beyond, source, target)
}

#[inline(always)]
fn sum_slices<T: Number>(walk: &Walk<'_>, beyond: Beyond, source: *const T, target: *mut T) -> Result<(), ()> {
    let n_terms = walk.terms.size();
    let n_blocks = n_terms.div_ceil(BLOCK);
    // One block is summed in registers, so that a call allocates nothing.
    let room = if n_blocks > 1 { PART } else { 0 };
    let mut sums =
        Sums { n_blocks, sums: vec![T::ZERO; room], partials: vec![T::ZERO; pairwise::levels(n_terms) * PART] };
    for ([array, indices, slices], line) in walk.places.lines([0; 3]) {
        for i in 0..line.extent.cast_signed() {
            let place = [array + i * line.array, indices + i * line.indices];
            if walk.window.size() == 0 {
                sums.sum(walk, beyond, place, source, target, Loop { extent: 0, ..Loop::ONE })?;
            }
            for ([array, _, slice], line) in walk.window.lines([0, 0, slices + i * line.slices]) {
                for k in (0..line.extent).step_by(PART) {
                    let part = Loop { extent: PART.min(line.extent - k), ..line };
                    let (array, slice) = (array + k.cast_signed() * line.array, slice + k.cast_signed() * line.slices);
                    let (source, target) = (source.wrapping_offset(array), target.wrapping_offset(slice));
                    sums.sum(walk, beyond, place, source, target, part)?;
                }
            }
        }
    }
    Ok(())
}

/// What sums of slices are made with; its size does not depend on the number of terms.
struct Sums<T> {
    n_blocks: usize,
    /// The sums of a block, for a part of a line.
    sums: Vec<T>,
    /// What [`pairwise`] keeps of the blocks before.
    partials: Vec<T>,
}

/// So many elements of a line are summed before the next ones are.
const PART: usize = 256;

/// So many of them have their sums in registers together.
const SIDE_BY_SIDE: usize = 32;

/// In place of the beginning of a slice that is left out.
const SKIPPED: isize = isize::MIN;

impl<T: Number> Sums<T> {
    /// Sums up a part of a line over all terms of a place.
    #[inline(always)]
    fn sum(
        &mut self,
        walk: &Walk<'_>,
        beyond: Beyond,
        place: [isize; 2],
        source: *const T,
        target: *mut T,
        part: Loop,
    ) -> Result<(), ()> {
        let (mut starts, mut n, mut block) = ([0; BLOCK], 0, 0);
        for ([array, indices, _], line) in walk.terms.lines([place[0], place[1], 0]) {
            for i in 0..line.extent.cast_signed() {
                // SAFETY: the place is one of the view's, and so is its vector.
                let start = unsafe { walk.start(walk.indices.offset(indices + i * line.indices), beyond) };
                starts[n] = match start {
                    Some(start) => array + i * line.array + start,
                    None if beyond == Beyond::Skip => SKIPPED,
                    None => return Err(()),
                };
                walk.ask_for(source, starts[n]);
                n += 1;
                if n == BLOCK {
                    // SAFETY: `Walk` keeps all distances within the two views, which do not overlap, as one is written through.
                    unsafe { self.add_block(&starts, block, source, target, part) };
                    (n, block) = (0, block + 1);
                }
            }
        }
        if block < self.n_blocks.max(1) {
            // SAFETY: as above.
            unsafe { self.add_block(&starts[..n], block, source, target, part) };
        }
        Ok(())
    }

    /// Adds a block of terms, and writes the sums with the last one.
    ///
    /// # Safety
    /// From each beginning on the whole part must be valid in `source`, and so must it be in `target`.
    #[inline(always)]
    unsafe fn add_block(&mut self, starts: &[isize], block: usize, source: *const T, target: *mut T, part: Loop) {
        if self.n_blocks <= 1 {
            // SAFETY: by this function's contract.
            unsafe { sum_block(starts, source, target, part) };
            return;
        }
        // SAFETY: by this function's contract; a part has no more elements than there is room for.
        unsafe { sum_block(starts, source, self.sums.as_mut_ptr(), Loop { slices: 1, ..part }) };
        let is_last = block + 1 == self.n_blocks;
        let (sums, partials) = (&mut self.sums[..part.extent], Partials { partials: &mut self.partials, stride: PART });
        pairwise::close_block(Combine::SUM, sums, partials, block, is_last);
        if is_last {
            for (k, &sum) in sums.iter().enumerate() {
                // SAFETY: by this function's contract.
                unsafe { target.offset(k.cast_signed() * part.slices).write(sum) };
            }
        }
    }
}

/// Writes the sums of a block of terms.
///
/// # Safety
/// From each beginning on the whole loop must be valid in `source`, and so must it be in `target`.
#[inline(always)]
unsafe fn sum_block<T: Number>(starts: &[isize], source: *const T, target: *mut T, line: Loop) {
    let mut k = 0;
    while k < line.extent {
        let place = k.cast_signed();
        let (source, target) =
            (source.wrapping_offset(place * line.array), target.wrapping_offset(place * line.slices));
        // SAFETY: by this function's contract.
        unsafe {
            k += match line.extent - k {
                SIDE_BY_SIDE.. if line.array == 1 => sum_elements::<T, SIDE_BY_SIDE>(starts, source, target, line),
                8.. if line.array == 1 => sum_elements::<T, 8>(starts, source, target, line),
                _ => sum_elements::<T, 1>(starts, source, target, line),
            };
        }
    }
}

/// The sums of the next `N` elements; gives their number.
///
/// # Safety
/// That of [`sum_block`]; elements of a slice lie side by side if `N` is not 1.
#[inline(always)]
unsafe fn sum_elements<T: Number, const N: usize>(
    starts: &[isize],
    source: *const T,
    target: *mut T,
    line: Loop,
) -> usize {
    let mut sums = [T::ZERO; N];
    for &start in starts {
        if start != SKIPPED {
            // SAFETY: by this function's contract.
            let term = unsafe { *source.wrapping_offset(start).cast::<[T; N]>() };
            for k in 0..N {
                sums[k] = sums[k].plus(term[k]);
            }
        }
    }
    for (k, sum) in sums.into_iter().enumerate() {
        // SAFETY: by this function's contract.
        unsafe { target.offset(k.cast_signed() * line.slices).write(sum) };
    }
    N
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
    let walk = Walk::new(axes, &[], Sides::of_mut(array), indices, Sides::of(slices));
    combine_all(&walk, beyond, array.as_mut_ptr(), slices.as_ptr(), combine)
        .map_err(|()| walk.first_refused(axes, indices))
}

/// The loops of [`scatter`], in wide registers where there are any, which does not change a bit.
fn combine_all<T: Copy>(
    walk: &Walk<'_>,
    beyond: Beyond,
    target: *mut T,
    source: *const T,
    combine: impl Fn(T, T) -> T + Copy,
) -> Result<(), ()> {
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("avx2") {
        #[target_feature(enable = "avx2")]
        unsafe fn wide<T: Copy>(
            walk: &Walk<'_>,
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
    walk: &Walk<'_>,
    beyond: Beyond,
    target: *mut T,
    source: *const T,
    combine: impl Fn(T, T) -> T + Copy,
) -> Result<(), ()> {
    let single = walk.window.single();
    each_slice!(walk, beyond, target, |array, slice| {
        // SAFETY: `Walk` keeps all distances within the two views, which do not overlap, as one is written through.
        unsafe {
            if let Some(line) = single {
                combine_line(target.offset(array), source.offset(slice), line, combine);
            } else {
                for ([array, _, slice], line) in walk.window.lines([array, 0, slice]) {
                    combine_line(target.offset(array), source.offset(slice), line, combine);
                }
            }
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
struct Walk<'a> {
    /// The places whose slices are not terms of one sum.
    places: Loops,
    /// Those whose slices are.
    terms: Loops,
    window: Loops,
    components: SmallVec<[Component; 4]>,
    /// The distance of the entries of an index vector.
    component: isize,
    indices: *const i64,
    /// All indices in the order in which slices are met, if that is worth knowing: if slices are lines of memory that is
    /// larger than a cache.
    sequence: &'a [i64],
}

/// Runs a block for each slice, with the distances of its beginning in the array and among the slices. A function that is
/// passed would be called, without the features of its caller.
macro_rules! each_slice {
    ($walk:expr, $beyond:expr, $base:expr, |$array:ident, $slice:ident| $body:block) => {
        'all: {
            let mut ahead = $walk.sequence.iter().skip(AHEAD);
            for ([array, indices, slices], line) in $walk.places.lines([0; 3]) {
                for i in 0..line.extent.cast_signed() {
                    if let Some(&index) = ahead.next() {
                        $walk.ask_for($base, (index as isize).wrapping_mul($walk.components[0].stride));
                    }
                    // SAFETY: the place is one of the view's, and so is its vector.
                    match unsafe { $walk.start($walk.indices.offset(indices + i * line.indices), $beyond) } {
                        Some(start) => {
                            let ($array, $slice) = (array + i * line.array + start, slices + i * line.slices);
                            $body
                        }
                        None if $beyond == Beyond::Skip => {}
                        None => break 'all Err(()),
                    }
                }
            }
            Ok(())
        }
    };
}
use each_slice;

/// What is read or written is asked for as many slices ahead.
const AHEAD: usize = 8;

/// Arrays of as many elements stay in a processor's own caches.
const CACHED: usize = 1 << 15;

/// The number of elements in a line of the cache: at least, as elements have at most eight bytes.
const CACHE_LINE: usize = 8;

/// The most elements of a slice that are asked for; the processor itself asks for more of a longer one.
const ASKED_FOR: usize = 64;

impl<'a> Walk<'a> {
    /// # Panics
    /// If the axes do not belong together: what follows relies on it.
    fn new(
        axes: &Axes,
        summed: &[usize],
        array: Sides<'_>,
        indices: &'a ArrayViewD<'_, i64>,
        slices: Sides<'_>,
    ) -> Walk<'a> {
        let n_places = indices.ndim() - 1;
        assert!(axes.places.len() == n_places && indices.shape()[n_places] == axes.indexed.len(), "bug: index vectors");
        assert_eq!(axes.window.len() + n_places, slices.shape.len(), "bug: axes of slices");
        // Without places nothing is reached.
        let is_empty = indices.shape()[..n_places].contains(&0);
        let (mut places, mut terms) = (Loops::default(), Loops::default());
        for (place, &slice) in axes.places.iter().enumerate() {
            let extent = indices.shape()[place];
            assert_eq!(extent, slices.shape[slice], "bug: slices and indices differ");
            let paired = axes.batch.iter().find(|&&(_, with)| with == place);
            let array = paired.map_or(0, |&(axis, _)| {
                assert_eq!(array.shape[axis], extent, "bug: batch axes differ");
                array.strides[axis]
            });
            let loops = if summed.contains(&place) { &mut terms } else { &mut places };
            loops.push(Loop { extent, array, indices: indices.strides()[place], slices: slices.strides[slice] });
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
        let components: SmallVec<[Component; 4]> = components.collect();
        let is_large = array.shape.iter().fold(1, |size: usize, &extent| size.saturating_mul(extent)) > CACHED;
        let in_lines = window.0.first().is_some_and(|line| line.array == 1 && line.extent >= CACHE_LINE);
        let is_plain = components.len() == 1 && axes.batch.is_empty() && in_lines && is_large;
        let sequence = if is_plain { indices.as_slice().unwrap_or_default() } else { &[] };
        Walk { places, terms, window, components, component, indices: indices.as_ptr(), sequence }
    }

    /// Asks for the memory of a slice, if slices are lines. Where it would lie beyond the array, nothing happens.
    #[inline(always)]
    fn ask_for<T>(&self, base: *const T, start: isize) {
        if self.sequence.is_empty() {
            return;
        }
        let n = self.window.0[0].extent.min(ASKED_FOR);
        for k in (0..n).step_by(CACHE_LINE) {
            ask_for_line(base.wrapping_offset(start).wrapping_add(k));
        }
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

/// Asks for a line of memory, which changes nothing but when it arrives. The address may be any.
#[inline(always)]
fn ask_for_line<T>(address: *const T) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: every such processor has the instruction, which never faults.
    unsafe {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        _mm_prefetch::<_MM_HINT_T0>(address.cast());
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = address;
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

    /// How many elements, or places, there are.
    fn size(&self) -> usize {
        self.0.iter().fold(1, |size, line| size.saturating_mul(line.extent))
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
