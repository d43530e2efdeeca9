//! Emission of fused loop nests.
//!
//! The row is cut into tiles where functions of `math` or row reductions need it. Within a tile the levels follow each
//! other: first the functions of `math` that begin a level, then its inline items as one loop in lanes, unrolled, and a
//! scalar loop for what remains. Where elements of different rows share lines of cache, rows are done in bands.

use std::collections::HashMap;

use super::cascade::Position;
use crate::compile::abi::Address;
use crate::compile::memory::{
    Action, Cascade, CascadeKind, Fill, FillWith, MemoryPlan, Nest, Operand, Stream, TILE_BYTES, Work,
};
use crate::compile::schedule::{LoopKernel, Schedule, fills_at_once};
use crate::emit::{Emitter, Pointer, Reg, short, signed, unsigned, wide};
use crate::ir::NodeId;
use crate::math::pairwise::combine_accumulators;
use crate::math::{self, linear};
use crate::op::{ACCUMULATORS, MIN_INTERLEAVED, Monoid, TILE};
use crate::value::DType;

/// The most elements of a row that is short: where a row is long, it does not matter how its end is done.
const MAX_SHORT_ROW: i64 = 64;

/// The fewest rows that are worth the time to compile more than the body of a loop.
const MIN_SHORT_ROWS: usize = 32;

/// The most items that follow each other without a loop.
const MAX_STRAIGHT: i64 = 32;

/// The bytes of a cache line.
const LINE: usize = 64;

/// The elements of a row that are done for all rows of a band before the next ones are: a line of cache for each of them
/// takes half of a small first-level cache.
const MAX_CHUNK: usize = 256;

/// Emits a loop kernel as one function.
pub fn emit(e: &mut Emitter<'_>, schedule: &Schedule<'_>, plan: &MemoryPlan, kernel: usize, nest: &LoopKernel) {
    let nest = Nest::new(schedule, plan, kernel, nest);
    let mut bases: Vec<u32> = nest.streams.iter().map(|stream| stream.place.base).collect();
    bases.extend(plan.scratch.get(&kernel).map(|place| place.base));
    bases.sort_unstable();
    bases.dedup();
    e.load_bases(bases);
    nest.emit(e, plan.scratch.get(&kernel).copied());
}

impl Nest<'_, '_> {
    fn emit(&self, e: &mut Emitter<'_>, scratch: Option<Address>) {
        self.fills.iter().for_each(|fill| fill.emit(e));
        if self.extents.contains(&0) {
            return;
        }
        let pointers: Vec<Pointer> = self
            .streams
            .iter()
            .map(|stream| {
                let base = e.base(stream.place.base);
                e.offset(base, stream.place.offset)
            })
            .collect();
        let scratch = scratch.map(|place| {
            let base = e.base(place.base);
            e.offset(base, place.offset)
        });
        let terms: Vec<Position> = self
            .cascades
            .iter()
            .map(|cascade| {
                let scratch = scratch.expect("bug: a cascade without memory");
                let waiting = e.offset(scratch, signed(self.n_tiles * TILE_BYTES));
                cascade.start(e, waiting)
            })
            .collect();
        self.outer(e, 0, &pointers, scratch, &terms);
    }

    /// Loops over the axes around the row.
    fn outer(
        &self,
        e: &mut Emitter<'_>,
        axis: usize,
        pointers: &[Pointer],
        scratch: Option<Pointer>,
        terms: &[Position],
    ) {
        if axis + 1 >= self.extents.len() {
            return self.row_body(e, pointers, scratch, terms);
        }
        if let Some(rows) = self.rows_of_band(axis) {
            return self.bands(e, axis, rows, pointers);
        }
        let (zero, end) = (e.index(0), e.index(signed(self.extents[axis])));
        e.for_each(zero, end, 1, &[], |e, i, _| {
            let inner = self.advanced(e, pointers, i, |stream| stream.strides[axis]);
            let cascades = self.cascades.iter().zip(terms);
            let terms: Vec<Position> =
                cascades.map(|(cascade, &at)| cascade.advance(e, at, axis, self.extents[axis], i)).collect();
            self.outer(e, axis + 1, &inner, scratch, &terms);
            Vec::new()
        });
    }

    /// How many rows are done side by side, if this is the axis around the row and neighbors along it, but not along the row,
    /// share lines of cache, as where a matrix is transposed: row by row, each line would be fetched for one element.
    fn rows_of_band(&self, axis: usize) -> Option<usize> {
        let is_plain = self.n_levels == 1
            && self.n_tiles == 0
            && self.works.iter().all(|work| work.action.is_of_single_elements());
        if axis + 2 != self.extents.len() || self.extents[axis] == 1 || unsigned(self.row()) <= MAX_CHUNK || !is_plain {
            return None;
        }
        let apart = self.streams.iter().filter(|stream| {
            let distance = stream.inner().unsigned_abs() * stream.dtype.size();
            stream.strides[axis].unsigned_abs() == 1 && distance >= LINE
        });
        apart.map(|stream| LINE / stream.dtype.size()).min()
    }

    /// Loops over the last two axes in bands of rows, each of them in chunks of columns.
    fn bands(&self, e: &mut Emitter<'_>, axis: usize, rows: usize, pointers: &[Pointer]) {
        let row = self.row();
        let n_chunks = unsigned(row).div_ceil(MAX_CHUNK);
        let chunk = signed(unsigned(row).div_ceil(n_chunks));
        let (zero, n, all) = (e.index(0), e.index(signed(self.extents[axis])), e.index(row));
        // The last band may have fewer rows.
        let beyond = e.offset(n, signed(rows) - 1);
        e.for_each(zero, beyond, signed(rows), &[], |e, first, _| {
            let next = e.offset(first, signed(rows));
            let end = e.least(next, n);
            let band = |e: &mut Emitter<'_>, column: Pointer, n: i64| {
                let pointers = self.advanced(e, pointers, column, Stream::inner);
                e.for_each(first, end, 1, &[], |e, i, _| {
                    let pointers = self.advanced(e, &pointers, i, |stream| stream.strides[axis]);
                    let uniform = self.load_uniform(e, &pointers);
                    let around = Around { pointers: &pointers, uniform: &uniform, scratch: None, terms: &[] };
                    self.tile(e, around, zero, n);
                    Vec::new()
                });
            };
            let (rest, _) = e.for_each(zero, all, chunk, &[], |e, column, _| {
                band(e, column, chunk);
                Vec::new()
            });
            if row % chunk > 0 {
                band(e, rest, row % chunk);
            }
            Vec::new()
        });
    }

    fn advanced(
        &self,
        e: &mut Emitter<'_>,
        pointers: &[Pointer],
        i: Pointer,
        stride: impl Fn(&Stream) -> isize,
    ) -> Vec<Pointer> {
        let streams = self.streams.iter().zip(pointers);
        streams
            .map(|(stream, &pointer)| e.advance(pointer, i, wide(stride(stream)) * signed(stream.dtype.size())))
            .collect()
    }

    fn row_body(&self, e: &mut Emitter<'_>, pointers: &[Pointer], scratch: Option<Pointer>, terms: &[Position]) {
        let uniform = self.load_uniform(e, pointers);
        let row = self.row();
        let tiled = self.n_levels > 1 || self.works.iter().any(|work| matches!(work.action, Action::ReduceRow(_)));
        let tile = signed(TILE);
        let around = Around { pointers, uniform: &uniform, scratch, terms };
        if !tiled || row <= tile {
            let first = e.index(0);
            self.tile(e, around, first, row);
        } else {
            let (zero, end) = (e.index(0), e.index(row));
            let (rest, _) = e.for_each(zero, end, tile, &[], |e, i, _| {
                let inner = self.advanced(e, pointers, i, Stream::inner);
                self.tile(e, Around { pointers: &inner, ..around }, i, tile);
                Vec::new()
            });
            if row % tile > 0 {
                let inner = self.advanced(e, pointers, rest, Stream::inner);
                self.tile(e, Around { pointers: &inner, ..around }, rest, row % tile);
            }
        }
        let zero = e.index(0);
        self.close_blocks(e, around, zero, |kind| matches!(kind, CascadeKind::Elements(_)));
    }

    /// Closes the blocks that end with the tile that begins at that index of the row, in cascades of that kind.
    fn close_blocks(
        &self,
        e: &mut Emitter<'_>,
        around: Around<'_>,
        first: Pointer,
        mut ends: impl FnMut(CascadeKind) -> bool,
    ) {
        for (cascade, &at) in self.cascades.iter().zip(around.terms) {
            if ends(cascade.kind) {
                cascade.close(e, at, first, around.pointers);
            }
        }
    }

    /// The elements that do not change along the row.
    fn load_uniform(&self, e: &mut Emitter<'_>, pointers: &[Pointer]) -> Vec<Option<Reg>> {
        let mut uniform = vec![None; self.streams.len()];
        for x in self.works.iter().flat_map(|work| &work.operands) {
            if let Operand::Stream(stream) = *x
                && self.streams[stream].inner() == 0
                && uniform[stream].is_none()
            {
                uniform[stream] = Some(e.load(pointers[stream], 0, self.streams[stream].dtype, 1));
            }
        }
        uniform
    }

    /// One tile, which begins at that index of the row: level by level, first the functions of `math` that begin it, then the
    /// loop over its inline items.
    fn tile(&self, e: &mut Emitter<'_>, around: Around<'_>, first: Pointer, n: i64) {
        let tile = Tile { nest: self, around, first, n };
        for level in 0..self.n_levels {
            let calls = |work: &&Work| work.level == level && work.action.takes_tiles();
            let mut calls: Vec<&Work> = self.works.iter().filter(calls).rev().collect();
            while let Some(work) = calls.pop() {
                let partner = |other: &&Work| couple(work, other);
                match calls.iter().enumerate().rev().find_map(|(k, other)| Some((k, partner(other)?))) {
                    Some((k, couple)) => tile.couple(e, couple, work, calls.remove(k)),
                    None => tile.call(e, work),
                }
            }
            let segment: Vec<usize> = (0..self.works.len())
                .filter(|&k| self.works[k].level == level && !self.works[k].action.takes_tiles())
                .collect();
            if !segment.is_empty() {
                tile.segment(e, level, &segment);
            }
        }
        self.close_blocks(e, around, first, |kind| matches!(kind, CascadeKind::Tiles(_)));
    }
}

/// The pair of functions that two items compute of the same elements.
fn couple(one: &Work, other: &Work) -> Option<math::Couple> {
    let (Action::Math1(f), Action::Math1(g)) = (one.action, other.action) else { return None };
    let same = match (&one.operands[..], &other.operands[..]) {
        ([Operand::Item(x)], [Operand::Item(y)]) | ([Operand::Stream(x)], [Operand::Stream(y)]) => x == y,
        _ => false,
    };
    let ((couple, first), (partner, second)) = (math::Couple::of(f)?, math::Couple::of(g)?);
    (same && one.dtype == other.dtype && couple == partner && first != second).then_some(couple)
}

impl Fill {
    pub fn emit(&self, e: &mut Emitter<'_>) {
        let base = e.base(self.place.base);
        let lanes = lanes_of([self.dtype]);
        let numbers = match self.with {
            FillWith::Immediate(number) => e.constant(number, lanes),
            FillWith::Element(place) => {
                let base = e.base(place.base);
                let address = e.offset(base, place.offset);
                let number = e.load(address, 0, self.dtype, 1);
                e.splat(number, lanes)
            }
        };
        for segment in &self.segments {
            let place = self.place.beyond(signed(segment.start * self.dtype.size()));
            let start = e.within_reach(base, place.offset);
            fill(e, start, segment.len(), numbers);
        }
    }
}

/// Sets `n` consecutive elements, of which the first is at a distance from an address, to what stands in all lanes.
pub fn fill(e: &mut Emitter<'_>, (base, distance): (Pointer, i32), n: usize, numbers: Reg) {
    let (size, lanes) = (numbers.dtype().size(), usize::from(numbers.lanes()));
    if fills_at_once(n) && distance.checked_add(short(n * size)).is_some() {
        return store_all(e, (base, distance), n, numbers);
    }
    let start = e.offset(base, distance.into());
    let step = 4 * lanes;
    let (zero, end) = (e.index(0), e.index(signed(n)));
    e.for_each(zero, end, signed(step), &[], |e, i, _| {
        let address = e.advance(start, i, signed(size));
        store_all(e, (address, 0), step, numbers);
        Vec::new()
    });
    let rest = e.offset(start, signed(n / step * step * size));
    store_all(e, (rest, 0), n % step, numbers);
}

fn store_all(e: &mut Emitter<'_>, (address, offset): (Pointer, i32), n: usize, numbers: Reg) {
    let (size, lanes) = (numbers.dtype().size(), usize::from(numbers.lanes()));
    let whole = n / lanes * lanes;
    (0..whole).step_by(lanes).for_each(|k| e.store(numbers, address, offset + short(k * size)));
    if whole < n {
        let number = e.lane(numbers, 0);
        (whole..n).for_each(|k| e.store(number, address, offset + short(k * size)));
    }
}

/// What the loops around a tile have set up.
#[derive(Clone, Copy)]
struct Around<'t> {
    /// Where each stream is at the first index of the tile.
    pointers: &'t [Pointer],
    /// The elements that do not change along the row.
    uniform: &'t [Option<Reg>],
    scratch: Option<Pointer>,
    /// Where each cascade is in its terms.
    terms: &'t [Position],
}

/// One tile under emission: `n` consecutive elements of a row.
struct Tile<'t, 'p, 'g> {
    nest: &'t Nest<'p, 'g>,
    around: Around<'t>,
    /// The index of its first element in the row.
    first: Pointer,
    n: i64,
}

impl Tile<'_, '_, '_> {
    /// Where the elements of an item's result lie in memory.
    fn memory(&self, e: &mut Emitter<'_>, work: &Work) -> Pointer {
        match (work.store, work.tile) {
            (Some(stream), _) => self.around.pointers[stream],
            (None, Some(tile)) => {
                let scratch = self.around.scratch.expect("bug: a tile without memory");
                e.offset(scratch, signed(tile * TILE_BYTES))
            }
            (None, None) => unreachable!("bug: an item is read through memory that it does not have"),
        }
    }

    /// Where the elements of an operand lie in memory.
    fn operand(&self, e: &mut Emitter<'_>, x: Operand) -> Pointer {
        match x {
            Operand::Item(j) => self.memory(e, &self.nest.works[j]),
            Operand::Stream(stream) => self.around.pointers[stream],
            Operand::Immediate(_) => unreachable!("bug: an immediate operand was not moved to a tile"),
        }
    }

    /// Two functions of the whole tile.
    fn couple(&self, e: &mut Emitter<'_>, couple: math::Couple, one: &Work, other: &Work) {
        let x = self.operand(e, one.operands[0]);
        let mut results = [one, other].map(|work| self.memory(e, work));
        if matches!(one.action, Action::Math1(f) if f == couple.functions()[1]) {
            results.reverse();
        }
        let n = e.index(self.n);
        e.slice_couple(couple, one.dtype, x, results, n);
    }

    /// Takes the whole tile at a time.
    fn call(&self, e: &mut Emitter<'_>, work: &Work) {
        let x: Vec<Pointer> = work.operands.iter().map(|&x| self.operand(e, x)).collect();
        let y = self.memory(e, work);
        let n = e.index(self.n);
        match work.action {
            Action::RowsTimesVector { matrix, vector, columns } => {
                let rows = self.rows_of(e, matrix, columns);
                let address = linear::rows_times_vector_address(work.dtype);
                e.call_address(address, &[&rows[..], &[self.around.pointers[vector], y]].concat());
            }
            Action::AddRows { matrix, columns } => {
                let rows = self.rows_of(e, matrix, columns);
                let address = linear::add_vector_times_rows_address(work.dtype);
                let n_total = e.index(self.nest.row());
                let waiting = self.waiting(work).unwrap_or(y);
                e.call_address(address, &[&rows[..], &[x[0], y, waiting, self.first, n_total]].concat());
            }
            Action::Math1(f) => e.slice_math1(f, work.dtype, x[0], y, n),
            Action::Math2(f) => e.slice_math2(f, work.dtype, [x[0], x[1]], y, n),
            _ => unreachable!("bug: {:?} takes no tiles", work.action),
        }
    }

    /// Rows of a matrix, as products take them: the first, their distance, their number, and how many elements each has.
    fn rows_of(&self, e: &mut Emitter<'_>, matrix: usize, columns: usize) -> [Pointer; 4] {
        let [stride, n, columns] =
            [wide(self.nest.streams[matrix].inner()), self.n, signed(columns)].map(|n| e.index(n));
        [self.around.pointers[matrix], stride, n, columns]
    }

    /// What waits in the cascade of a reduction, if it has one.
    fn waiting(&self, work: &Work) -> Option<Pointer> {
        let is_own = |cascade: &Cascade| std::ptr::eq(&self.nest.works[cascade.work], work);
        let position = self.nest.cascades.iter().position(is_own)?;
        Some(self.around.terms[position].waiting)
    }

    /// One loop over the inline items of a level: in lanes, then element by element.
    fn segment(&self, e: &mut Emitter<'_>, level: usize, segment: &[usize]) {
        let lanes = self.lanes(segment);
        let rows: Vec<usize> =
            segment.iter().copied().filter(|&k| matches!(self.nest.works[k].action, Action::ReduceRow(_))).collect();
        let short = !rows.is_empty() && self.n < signed(MIN_INTERLEAVED);
        let unroll = match (rows.is_empty(), segment.len()) {
            (false, _) => signed(ACCUMULATORS) / i64::from(lanes),
            (true, 0..=8) => 4,
            (true, 9..=24) => 2,
            (true, _) => 1,
        };
        let step = unroll * i64::from(lanes);
        let body = Body { tile: self, level, segment, rows: &rows };
        let main = if short { 0 } else { self.n - self.n % step };
        let mut accumulators = body.identities(e, lanes, if short { 1 } else { unsigned(unroll) });
        let start = e.index(0);
        let steps = |e: &mut Emitter<'_>, i: Pointer, n: i64, accumulators: &[Reg]| {
            let mut next = accumulators.to_vec();
            let cursors = body.cursors(e, i);
            for u in 0..n {
                body.once(e, &cursors, u * i64::from(lanes), lanes, |e, row, x, monoid| {
                    let k = row * unsigned(unroll) + unsigned(u % unroll);
                    next[k] = monoid.emit(e, next[k], x);
                });
            }
            next
        };
        if body.needs_no_loop(main / i64::from(lanes)) {
            accumulators = steps(e, start, main / i64::from(lanes), &accumulators);
        } else if main > 0 {
            let end = e.index(main);
            accumulators = e.for_each(start, end, step, &accumulators, |e, i, carried| steps(e, i, unroll, carried)).1;
        }
        let rest = Rest { main, short, lanes, unroll: unsigned(unroll) };
        body.finish(e, rest, accumulators);
    }

    /// How many elements go side by side: lanes are as wide as all values of the segment, `bool`s aside.
    fn lanes(&self, segment: &[usize]) -> u8 {
        let nest = self.nest;
        let mut dtypes: Vec<DType> = Vec::new();
        for &k in segment {
            dtypes.push(nest.works[k].dtype);
            for &x in &nest.works[k].operands {
                dtypes.push(match x {
                    Operand::Item(j) => nest.works[j].dtype,
                    Operand::Stream(stream) => nest.streams[stream].dtype,
                    Operand::Immediate(x) => x.dtype(),
                });
            }
        }
        lanes_of(dtypes)
    }
}

/// How many elements of these dtypes go side by side. `bool`s are as wide as what is beside them.
pub fn lanes_of(dtypes: impl IntoIterator<Item = DType>) -> u8 {
    let mut lanes = None;
    for dtype in dtypes {
        let own = match dtype {
            DType::Bool => continue,
            DType::F32 => 4,
            DType::F64 | DType::I64 => 2,
        };
        if lanes.is_some_and(|lanes| lanes != own) {
            return 1;
        }
        lanes = Some(own);
    }
    lanes.unwrap_or(1)
}

/// What is left of a tile after its loop in lanes.
struct Rest {
    /// The elements that have been done.
    main: i64,
    /// Whether the tile is too short for interleaved accumulators.
    short: bool,
    lanes: u8,
    unroll: usize,
}

/// The inline items of one level.
struct Body<'b, 't, 'p, 'g> {
    tile: &'b Tile<'t, 'p, 'g>,
    level: usize,
    segment: &'b [usize],
    /// The reductions along the row among them.
    rows: &'b [usize],
}

/// Elements at even distances in memory, from some index on.
struct Row {
    cursor: Pointer,
    dtype: DType,
    /// The distance of neighbors, in elements.
    stride: i64,
}

impl Row {
    fn load(&self, e: &mut Emitter<'_>, ahead: i64, lanes: u8) -> Reg {
        if self.stride == 1 {
            return e.load(self.cursor, self.ahead(ahead), self.dtype, lanes);
        }
        let mut elements = Vec::with_capacity(lanes.into());
        for lane in 0..i64::from(lanes) {
            let address = self.address(e, ahead + lane);
            elements.push(e.load(address, 0, self.dtype, 1));
        }
        e.join(&elements)
    }

    fn store(&self, e: &mut Emitter<'_>, ahead: i64, x: Reg) {
        if self.stride == 1 {
            return e.store(x, self.cursor, self.ahead(ahead));
        }
        for lane in 0..x.lanes() {
            let element = e.lane(x, lane);
            let address = self.address(e, ahead + i64::from(lane));
            e.store(element, address, 0);
        }
    }

    /// The bytes to a neighbor, where neighbors have no gaps: few of them are taken at once.
    fn ahead(&self, n: i64) -> i32 {
        short(unsigned(n) * self.dtype.size())
    }

    fn address(&self, e: &mut Emitter<'_>, ahead: i64) -> Pointer {
        e.offset(self.cursor, ahead * self.stride * signed(self.dtype.size()))
    }
}

/// The addresses of all rows in memory at some index.
struct Cursors {
    streams: Vec<Pointer>,
    tiles: HashMap<usize, Pointer>,
}

impl Body<'_, '_, '_, '_> {
    fn monoid(&self, row: usize) -> Monoid {
        match self.tile.nest.works[self.rows[row]].action {
            Action::ReduceRow(monoid) => monoid,
            _ => unreachable!("bug: not a reduction along the row"),
        }
    }

    fn row_dtype(&self, row: usize) -> DType {
        self.tile.nest.works[self.rows[row]].dtype
    }

    /// Accumulators at the identity, `n` for each reduction along the row.
    fn identities(&self, e: &mut Emitter<'_>, lanes: u8, n: usize) -> Vec<Reg> {
        let lanes = if n == 1 && self.tile.n < signed(MIN_INTERLEAVED) { 1 } else { lanes };
        let mut identities = Vec::new();
        for row in 0..self.rows.len() {
            let identity = e.constant(self.monoid(row).identity(self.row_dtype(row)), lanes);
            identities.extend(std::iter::repeat_n(identity, n));
        }
        identities
    }

    /// The addresses of everything that the items read or write along the row, at index `i`.
    fn cursors(&self, e: &mut Emitter<'_>, i: Pointer) -> Cursors {
        let nest = self.tile.nest;
        let mut used = vec![false; nest.streams.len()];
        let mut tiles = HashMap::new();
        for &k in self.segment {
            let work = &nest.works[k];
            for &x in &work.operands {
                match x {
                    Operand::Stream(stream) => used[stream] |= nest.streams[stream].inner() != 0,
                    Operand::Item(j) if nest.works[j].level < self.level || nest.works[j].action.takes_tiles() => {
                        self.mark(e, &nest.works[j], i, &mut used, &mut tiles);
                    }
                    Operand::Item(_) | Operand::Immediate(_) => {}
                }
            }
            if work.store.is_some() || work.tile.is_some() {
                self.mark(e, work, i, &mut used, &mut tiles);
            }
        }
        let streams = (0..nest.streams.len())
            .map(|stream| {
                let bytes = wide(nest.streams[stream].inner()) * signed(nest.streams[stream].dtype.size());
                if used[stream] {
                    e.advance(self.tile.around.pointers[stream], i, bytes)
                } else {
                    self.tile.around.pointers[stream]
                }
            })
            .collect();
        Cursors { streams, tiles }
    }

    fn mark(
        &self,
        e: &mut Emitter<'_>,
        work: &Work,
        i: Pointer,
        used: &mut [bool],
        tiles: &mut HashMap<usize, Pointer>,
    ) {
        if let Some(stream) = work.store {
            used[stream] = true;
        } else if let Some(tile) = work.tile
            && !tiles.contains_key(&tile)
        {
            let start = self.tile.memory(e, work);
            tiles.insert(tile, e.advance(start, i, signed(work.dtype.size())));
        }
    }

    /// All items once, `ahead` elements from the cursors; `reduce` gets what belongs to a reduction along the row.
    fn once(
        &self,
        e: &mut Emitter<'_>,
        cursors: &Cursors,
        ahead: i64,
        lanes: u8,
        mut reduce: impl FnMut(&mut Emitter<'_>, usize, Reg, Monoid),
    ) {
        let nest = self.tile.nest;
        let mut made: HashMap<usize, Reg> = HashMap::new();
        let mut loaded: HashMap<usize, Reg> = HashMap::new();
        for &k in self.segment {
            let work = &nest.works[k];
            let x: Vec<Reg> = work
                .operands
                .iter()
                .map(|&x| match x {
                    Operand::Immediate(x) => e.constant(x, lanes),
                    Operand::Stream(stream) => match loaded.get(&stream) {
                        Some(&reg) => reg,
                        None => {
                            let reg = self.load(e, cursors, stream, ahead, lanes);
                            loaded.insert(stream, reg);
                            reg
                        }
                    },
                    Operand::Item(j) => match made.get(&j) {
                        Some(&reg) => reg,
                        None => {
                            let reg = self.reload(e, cursors, &nest.works[j], ahead, lanes);
                            made.insert(j, reg);
                            reg
                        }
                    },
                })
                .collect();
            let result = match work.action {
                Action::Inline(node) => inline(e, self.tile.nest.schedule, node, &x),
                Action::Move => x[0],
                Action::AddToZero => {
                    let zero = e.constant_like(0.0, x[0]);
                    e.add(zero, x[0])
                }
                Action::Add => {
                    let sum = self.reload(e, cursors, work, ahead, lanes);
                    e.add(sum, x[0])
                }
                Action::ReduceAcross(monoid) => {
                    let sum = self.reload(e, cursors, work, ahead, lanes);
                    monoid.emit(e, sum, x[0])
                }
                Action::ReduceRow(monoid) => {
                    let row = self.rows.iter().position(|&row| row == k).expect("bug: an unlisted reduction");
                    reduce(e, row, x[0], monoid);
                    continue;
                }
                Action::Math1(_) | Action::Math2(_) | Action::RowsTimesVector { .. } | Action::AddRows { .. } => {
                    unreachable!("bug: {:?} among inline items", work.action)
                }
            };
            if let Some(row) = self.own_memory(cursors, work) {
                row.store(e, ahead, result);
            }
            made.insert(k, result);
        }
    }

    fn own_memory(&self, cursors: &Cursors, work: &Work) -> Option<Row> {
        match (work.store, work.tile) {
            (Some(stream), _) => Some(self.row(cursors, stream)),
            (None, Some(tile)) => Some(Row { cursor: cursors.tiles[&tile], dtype: work.dtype, stride: 1 }),
            (None, None) => None,
        }
    }

    fn row(&self, cursors: &Cursors, stream: usize) -> Row {
        let Stream { dtype, .. } = self.tile.nest.streams[stream];
        Row { cursor: cursors.streams[stream], dtype, stride: wide(self.tile.nest.streams[stream].inner()) }
    }

    fn reload(&self, e: &mut Emitter<'_>, cursors: &Cursors, work: &Work, ahead: i64, lanes: u8) -> Reg {
        let row = self.own_memory(cursors, work).expect("bug: an item of another level has no memory");
        row.load(e, ahead, lanes)
    }

    fn load(&self, e: &mut Emitter<'_>, cursors: &Cursors, stream: usize, ahead: i64, lanes: u8) -> Reg {
        match self.tile.around.uniform[stream] {
            Some(element) => e.splat(element, lanes),
            None => self.row(cursors, stream).load(e, ahead, lanes),
        }
    }

    /// The elements after the loop in lanes, and the ends of the reductions along the row.
    fn finish(&self, e: &mut Emitter<'_>, rest: Rest, accumulators: Vec<Reg>) {
        let n = self.tile.n;
        if rest.short || self.rows.is_empty() {
            let sums = self.remainder(e, &rest, accumulators);
            for (row, sum) in sums.into_iter().enumerate() {
                self.close(e, row, sum);
            }
            return;
        }
        let per_row = rest.unroll;
        let mut elements: Vec<Vec<Reg>> = Vec::new();
        for row in 0..self.rows.len() {
            let registers = &accumulators[row * per_row..(row + 1) * per_row];
            let lanes = registers.iter().flat_map(|&x| (0..rest.lanes).map(move |lane| (x, lane)));
            elements.push(lanes.map(|(x, lane)| e.lane(x, lane)).collect());
        }
        // At most 7 elements remain: they go to the first accumulators, without a loop.
        let start = e.index(rest.main);
        if rest.main < n {
            let cursors = self.cursors(e, start);
            for k in 0..n - rest.main {
                self.once(e, &cursors, k, 1, |e, row, x, monoid| {
                    let sum = &mut elements[row][unsigned(k)];
                    *sum = monoid.emit(e, *sum, x);
                });
            }
        }
        for (row, a) in elements.iter().enumerate() {
            let monoid = self.monoid(row);
            let a = a[..].try_into().expect("bug: another number of accumulators");
            let sum = combine_accumulators(a, &mut |x, y| monoid.emit(e, x, y));
            self.close(e, row, sum);
        }
    }

    /// Whether all items, so many times, follow each other without a loop. Rows of a matrix may be short, and what begins and
    /// ends a loop then takes longer than what is in it.
    fn needs_no_loop(&self, n_times: i64) -> bool {
        let is_short = self.tile.n <= MAX_SHORT_ROW && n_times * signed(self.segment.len()) <= MAX_STRAIGHT;
        is_short && self.tile.nest.n_rows() >= MIN_SHORT_ROWS
    }

    /// The elements after the loop in lanes; where they need no loop, in lanes as far as these go. Reductions along the row
    /// go from left to right.
    fn remainder(&self, e: &mut Emitter<'_>, rest: &Rest, mut sums: Vec<Reg>) -> Vec<Reg> {
        let (start, end) = (rest.main, self.tile.n);
        let lanes = if rest.short { 1 } else { rest.lanes };
        let n_wide = (end - start) / i64::from(lanes);
        let first_single = n_wide * i64::from(lanes);
        if !self.needs_no_loop(n_wide + end - start - first_single) {
            return self.scalar_loop(e, start, end, sums);
        }
        if start < end {
            let first = e.index(start);
            let cursors = self.cursors(e, first);
            let mut once = |ahead: i64, lanes: u8| {
                self.once(e, &cursors, ahead, lanes, |e, row, x, monoid| sums[row] = monoid.emit(e, sums[row], x));
            };
            (0..n_wide).for_each(|k| once(k * i64::from(lanes), lanes));
            (first_single..end - start).for_each(|ahead| once(ahead, 1));
        }
        sums
    }

    /// Elements one by one, reductions along the row from left to right.
    fn scalar_loop(&self, e: &mut Emitter<'_>, start: i64, end: i64, sums: Vec<Reg>) -> Vec<Reg> {
        if start >= end {
            return sums;
        }
        let (start, end) = (e.index(start), e.index(end));
        let (_, sums) = e.for_each(start, end, 1, &sums, |e, i, carried| {
            let mut next = carried.to_vec();
            let cursors = self.cursors(e, i);
            self.once(e, &cursors, 0, 1, |e, row, x, monoid| next[row] = monoid.emit(e, next[row], x));
            next
        });
        sums
    }

    /// Combines a tile's value with the result.
    fn close(&self, e: &mut Emitter<'_>, row: usize, sum: Reg) {
        let work = &self.tile.nest.works[self.rows[row]];
        let stream = work.store.expect("bug: a reduction without a result");
        let address = self.tile.around.pointers[stream];
        let before = e.load(address, 0, work.dtype, 1);
        let after = self.monoid(row).emit(e, before, sum);
        e.store(after, address, 0);
    }
}

fn inline(e: &mut Emitter<'_>, schedule: &Schedule<'_>, node: NodeId, x: &[Reg]) -> Reg {
    schedule.graph.op(node).code(e, x)
}
