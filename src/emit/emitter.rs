use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::{
    self, AbiParam, ExtFuncData, ExternalName, FuncRef, Function, InstBuilder, MemFlagsData, SigRef, Signature,
    StackSlot, StackSlotData, StackSlotKind, UserFuncName, types,
};
use cranelift_codegen::isa::TargetFrontendConfig;
use cranelift_frontend::{FunctionBuilder, FunctionBuilderContext};
use rustc_hash::FxHashMap;
use smallvec::SmallVec;

use super::preserving;
use super::symbol::{Callee, Family, Routine};
use super::target::{Effort, FunctionId, kernel_signature, mask_type, register_type};
use super::{bits, position, short, signed};
use crate::math;
use crate::value::{DType, Scalar};

/// A value in a register: one element, or several in lanes.
///
/// In lanes a `bool` is a mask as wide as the lanes of the values beside it, so 2 lanes go with `f64` and `i64`, and 4
/// with `f32`. Alone it is a byte, 0 or 1.
#[derive(Clone, Copy, Debug)]
pub struct Reg {
    pub(super) value: ir::Value,
    pub(super) dtype: DType,
    pub(super) lanes: u8,
}

impl Reg {
    /// The dtype of each lane.
    pub fn dtype(self) -> DType {
        self.dtype
    }

    /// The number of lanes: 1, 2 or 4.
    pub fn lanes(self) -> u8 {
        self.lanes
    }
}

/// An address or an index in a register.
#[derive(Clone, Copy, Debug)]
pub struct Pointer(pub(super) ir::Value);

/// Writes one function, instruction by instruction.
pub struct Emitter<'f> {
    pub(super) builder: FunctionBuilder<'f>,
    config: TargetFrontendConfig,
    bases: ir::Value,
    base_cache: FxHashMap<u32, ir::Value>,
    callees: FxHashMap<Callee, FuncRef>,
    /// The signature of the other functions of the program, once one of them is called.
    kernel: Option<SigRef>,
    /// Memory in the frame for calls.
    room: Option<StackSlot>,
    /// Memory in the frame that loops share.
    shared: Option<StackSlot>,
    pub(super) masks: Masks,
    effort: Effort,
}

/// Where the values that were asked for last are not 0. No register lasts through a call, and code that goes on in another
/// place than the next block may come from elsewhere.
#[derive(Debug, Default)]
pub(super) struct Masks {
    block: Option<ir::Block>,
    known: SmallVec<[(ir::Value, ir::Value); MAX_MASKS]>,
    /// What they were compared with.
    pub zero: Option<Reg>,
}

/// A vector of cotangents meets the rows of a matrix one after the other.
const MAX_MASKS: usize = 4;

impl Masks {
    pub fn get(&self, of: ir::Value) -> Option<ir::Value> {
        self.known.iter().find(|known| known.0 == of).map(|known| known.1)
    }

    pub fn add(&mut self, of: ir::Value, mask: ir::Value) {
        if self.known.len() == MAX_MASKS {
            self.known.remove(0);
        }
        self.known.push((of, mask));
    }
}

impl<'f> Emitter<'f> {
    pub(super) fn new(mut builder: FunctionBuilder<'f>, config: TargetFrontendConfig, effort: Effort) -> Emitter<'f> {
        let entry = builder.create_block();
        builder.append_block_params_for_function_params(entry);
        builder.switch_to_block(entry);
        builder.seal_block(entry);
        let bases = builder.block_params(entry)[0];
        Emitter {
            builder,
            config,
            bases,
            base_cache: FxHashMap::default(),
            callees: FxHashMap::default(),
            kernel: None,
            room: None,
            shared: None,
            masks: Masks::default(),
            effort,
        }
    }

    /// Ends the function with success.
    pub(super) fn finish(mut self) {
        let zero = self.builder.ins().iconst(types::I32, 0);
        self.builder.ins().return_(&[zero]);
        self.builder.seal_all_blocks();
        self.builder.finalize(self.config);
    }

    /// Loads the given entries of the base table once, here, so that later uses find them in registers. Must be called
    /// where control flow has not yet begun.
    pub fn load_bases(&mut self, bases: impl IntoIterator<Item = u32>) {
        for base in bases {
            let flags = MemFlagsData::trusted().with_readonly().with_can_move();
            let address = self.load_base(base, flags);
            self.base_cache.insert(base, address);
        }
    }

    /// The address of an entry of the base table that [`Emitter::load_bases`] has loaded.
    pub fn loaded_base(&self, base: u32) -> Option<Pointer> {
        self.base_cache.get(&base).map(|&address| Pointer(address))
    }

    /// An entry of the base table.
    pub fn base(&mut self, base: u32) -> Pointer {
        if let Some(address) = self.loaded_base(base) {
            return address;
        }
        // Not marked movable: merged across a long function, such loads would only live long and be spilled.
        Pointer(self.load_base(base, MemFlagsData::trusted()))
    }

    fn load_base(&mut self, base: u32, flags: MemFlagsData) -> ir::Value {
        let (table, distance) = self.within_reach(Pointer(self.bases), 8 * i64::from(base));
        self.builder.ins().load(types::I64, flags, table.0, distance)
    }

    /// An address and a distance from it that an instruction can hold: where it holds less than the distance, that is
    /// added to the address.
    pub fn within_reach(&mut self, base: Pointer, distance: i64) -> (Pointer, i32) {
        match i32::try_from(distance) {
            Ok(distance) => (base, distance),
            Err(_) => (self.offset(base, distance), 0),
        }
    }

    /// A block of scratch memory in the frame, aligned to 16 bytes.
    pub fn scratch(&mut self, bytes: u32) -> Pointer {
        let slot = StackSlotData::new(StackSlotKind::ExplicitSlot, bytes, 4);
        let slot = self.builder.create_sized_stack_slot(slot);
        Pointer(self.builder.ins().stack_addr(types::I64, slot, 0))
    }

    /// The one block of scratch memory that loops share which do not stand in each other, always of that size: a frame with
    /// many of them stays small.
    pub fn shared_scratch(&mut self, bytes: u32) -> Pointer {
        let new = || self.builder.create_sized_stack_slot(StackSlotData::new(StackSlotKind::ExplicitSlot, bytes, 4));
        let slot = self.shared.unwrap_or_else(new);
        self.shared = Some(slot);
        Pointer(self.builder.ins().stack_addr(types::I64, slot, 0))
    }

    /// A constant index.
    pub fn index(&mut self, index: i64) -> Pointer {
        Pointer(self.builder.ins().iconst(types::I64, index))
    }

    /// `address + bytes`.
    pub fn offset(&mut self, address: Pointer, bytes: i64) -> Pointer {
        if bytes == 0 {
            return address;
        }
        Pointer(self.builder.ins().iadd_imm_s(address.0, bytes))
    }

    /// `address + index · bytes`.
    pub fn advance(&mut self, address: Pointer, index: Pointer, bytes: i64) -> Pointer {
        if bytes == 0 {
            return address;
        }
        let distance = if bytes == 1 { index.0 } else { self.builder.ins().imul_imm_s(index.0, bytes) };
        Pointer(self.builder.ins().iadd(address.0, distance))
    }

    /// Loads one element, or consecutive elements into lanes.
    pub fn load(&mut self, address: Pointer, offset: i32, dtype: DType, lanes: u8) -> Reg {
        let flags = MemFlagsData::new().with_notrap();
        if dtype == DType::Bool && lanes > 1 {
            let bytes: Vec<ir::Value> = (0..lanes)
                .map(|lane| self.builder.ins().load(types::I8, flags, address.0, offset + i32::from(lane)))
                .collect();
            let parts: Vec<Reg> = bytes.into_iter().map(|value| Reg { value, dtype, lanes: 1 }).collect();
            return self.join(&parts);
        }
        let value = self.builder.ins().load(register_type(dtype, lanes), flags, address.0, offset);
        Reg { value, dtype, lanes }
    }

    /// Stores one element, or lanes to consecutive elements.
    pub fn store(&mut self, x: Reg, address: Pointer, offset: i32) {
        let flags = MemFlagsData::new().with_notrap();
        if x.dtype == DType::Bool && x.lanes > 1 {
            for lane in 0..x.lanes {
                let part = self.lane(x, lane);
                self.builder.ins().store(flags, part.value, address.0, offset + i32::from(lane));
            }
            return;
        }
        self.builder.ins().store(flags, x.value, address.0, offset);
    }

    /// Runs the body for `i = start, start + step, …` while `i + step <= end`; gives the first `i` that was not run.
    /// `carried` registers go around the loop: the body gets them and returns their next values.
    pub fn for_each(
        &mut self,
        start: Pointer,
        end: Pointer,
        step: i64,
        carried: &[Reg],
        body: impl FnOnce(&mut Emitter<'f>, Pointer, &[Reg]) -> Vec<Reg>,
    ) -> (Pointer, Vec<Reg>) {
        let header = self.builder.create_block();
        let inside = self.builder.create_block();
        let after = self.builder.create_block();
        self.builder.append_block_param(header, types::I64);
        for reg in carried {
            self.builder.append_block_param(header, register_type(reg.dtype, reg.lanes));
        }
        // `i <= end - step` cannot overflow, while `i + step <= end` could.
        let last = self.builder.ins().iadd_imm_s(end.0, -step);
        self.jump(header, start, carried);

        self.builder.switch_to_block(header);
        let params = self.builder.block_params(header).to_vec();
        let i = Pointer(params[0]);
        let values: Vec<Reg> = carried.iter().zip(&params[1..]).map(|(reg, &value)| Reg { value, ..*reg }).collect();
        // In this order: Cranelift takes what the body does in each iteration alike out of the loop only if it comes to the
        // body before it has left the loop.
        let ends = self.builder.ins().icmp(IntCC::SignedGreaterThan, i.0, last);
        self.builder.ins().brif(ends, after, &[], inside, &[]);

        self.builder.switch_to_block(inside);
        self.builder.seal_block(inside);
        let next = body(self, i, &values);
        let i_next = Pointer(self.builder.ins().iadd_imm_s(i.0, step));
        self.jump(header, i_next, &next);
        self.builder.seal_block(header);

        self.builder.switch_to_block(after);
        self.builder.seal_block(after);
        (i, values)
    }

    /// Whether [`Emitter::in_next_block`] makes code better: in code of one pass, what goes from block to block goes
    /// through memory.
    pub fn takes_loads_between_blocks(&self) -> bool {
        self.effort == Effort::InOrder
    }

    /// What is known of where values are not 0.
    pub(super) fn masks(&mut self) -> &mut Masks {
        let block = self.builder.current_block();
        if self.masks.block != block {
            self.masks = Masks { block, ..Masks::default() };
        }
        &mut self.masks
    }

    /// Begins a new block, right after this one, and gives the registers as they are in it.
    ///
    /// An instruction takes an operand from memory in place of a load only if what it makes is used once, and so on for what
    /// is made of that, until something is stored or goes to another block: else the load might be done twice.
    pub fn in_next_block(&mut self, registers: &[Reg]) -> Vec<Reg> {
        let next = self.builder.create_block();
        let arguments: Vec<ir::BlockArg> = registers.iter().map(|reg| reg.value.into()).collect();
        self.builder.ins().jump(next, &arguments);
        let last = self.builder.current_block();
        self.builder.switch_to_block(next);
        self.builder.seal_block(next);
        if self.masks.block == last {
            self.masks.block = Some(next);
        }
        let parameter = |reg: &Reg| self.builder.append_block_param(next, register_type(reg.dtype, reg.lanes));
        let values: Vec<ir::Value> = registers.iter().map(parameter).collect();
        registers.iter().zip(values).map(|(reg, value)| Reg { value, ..*reg }).collect()
    }

    /// `base + bytes`, made once: in the block in which it is made, each instruction would add on its own.
    pub fn address_in_next_block(&mut self, base: Pointer, bytes: i64) -> Pointer {
        let address = self.offset(base, bytes);
        let address = self.number(address);
        Pointer(self.in_next_block(&[address])[0].value)
    }

    fn jump(&mut self, block: ir::Block, index: Pointer, carried: &[Reg]) {
        let arguments: Vec<ir::BlockArg> =
            std::iter::once(index.0).chain(carried.iter().map(|reg| reg.value)).map(Into::into).collect();
        self.builder.ins().jump(block, &arguments);
    }

    /// Returns from the function with that status where the condition is not the expected one.
    pub fn return_unless(&mut self, condition: Reg, expect: bool, status: i32) {
        let leave = self.builder.create_block();
        let stay = self.builder.create_block();
        self.builder.set_cold_block(leave);
        let (if_true, if_false) = if expect { (stay, leave) } else { (leave, stay) };
        self.builder.ins().brif(condition.value, if_true, &[], if_false, &[]);
        self.builder.switch_to_block(leave);
        self.builder.seal_block(leave);
        let status = self.builder.ins().iconst(types::I32, i64::from(status));
        self.builder.ins().return_(&[status]);
        self.builder.switch_to_block(stay);
        self.builder.seal_block(stay);
    }

    /// Calls another function of this module with the same base table, and returns its status unless that is success.
    pub fn call_function(&mut self, function: FunctionId) {
        let callee = self.function(function);
        let call = self.builder.ins().call(callee, &[self.bases]);
        let status = self.builder.inst_results(call)[0];
        self.return_if_nonzero(status);
    }

    /// Calls a function of signature `extern "C" fn(context: *const u8, bases: *const *mut u8) -> i32` whose context
    /// and address stand in the base table, and returns its status unless that is success.
    pub fn call_through(&mut self, address: u32, context: u32) {
        let address = self.base(address);
        let context = self.base(context);
        let mut signature = kernel_signature(self.config.default_call_conv);
        signature.params.insert(0, AbiParam::new(types::I64));
        let signature = self.builder.import_signature(signature);
        let call = self.builder.ins().call_indirect(signature, address.0, &[context.0, self.bases]);
        let status = self.builder.inst_results(call)[0];
        self.return_if_nonzero(status);
    }

    /// Calls another function of this module with another base table, and returns its status unless that is success.
    pub fn call_with_table(&mut self, function: FunctionId, table: Pointer) {
        let callee = self.function(function);
        let call = self.builder.ins().call(callee, &[table.0]);
        let status = self.builder.inst_results(call)[0];
        self.return_if_nonzero(status);
    }

    /// The address of another function of this module.
    pub fn function_address(&mut self, function: FunctionId) -> Pointer {
        let callee = self.function(function);
        Pointer(self.builder.ins().func_addr(types::I64, callee))
    }

    /// Calls a function of signature `extern "C" fn(usize, …) -> i64` at a fixed address.
    pub fn call_address(&mut self, address: usize, arguments: &[Pointer]) -> Pointer {
        let mut signature = Signature::new(self.config.default_call_conv);
        signature.params.extend(arguments.iter().map(|_| AbiParam::new(types::I64)));
        signature.returns.push(AbiParam::new(types::I64));
        let signature = self.builder.import_signature(signature);
        let callee = self.pointer(address);
        let arguments: Vec<ir::Value> = arguments.iter().map(|x| x.0).collect();
        let call = self.builder.ins().call_indirect(signature, callee.0, &arguments);
        Pointer(self.builder.inst_results(call)[0])
    }

    /// Calls a function as [`Emitter::call_address`] does, and keeps all registers; for calls that loops make rarely.
    pub fn call_rarely(&mut self, address: usize, arguments: &[Pointer]) -> Pointer {
        let Ok(code) = preserving::preserving(address, arguments.len()) else {
            return self.call_address(address, arguments);
        };
        let signature = self.builder.import_signature(preserving::signature(arguments.len()));
        let (callee, result) = (self.pointer(code), self.scratch(8));
        let arguments: Vec<ir::Value> = arguments.iter().chain([&result]).map(|x| x.0).collect();
        self.builder.ins().call_indirect(signature, callee.0, &arguments);
        self.load_pointer(result, 0)
    }

    /// Returns that status unless it is success.
    pub fn return_status(&mut self, status: Pointer) {
        let status = self.builder.ins().ireduce(types::I32, status.0);
        self.return_if_nonzero(status);
    }

    /// Returns that status where an index has reached a limit.
    pub fn return_if_equal(&mut self, index: Pointer, limit: u64, status: i32) {
        // An index is below 2⁶³, so that it never reaches a limit beyond.
        let Ok(limit) = i64::try_from(limit) else { return };
        let limit = self.index(limit);
        self.when_equal(index, limit, |e| {
            let status = e.index(i64::from(status));
            e.return_status(status);
        });
    }

    /// Runs the body where two indices are equal, which they rarely are: it comes after all other code.
    pub fn when_equal(&mut self, x: Pointer, y: Pointer, body: impl FnOnce(&mut Emitter<'f>)) {
        let is_equal = self.builder.ins().icmp(IntCC::Equal, x.0, y.0);
        self.when(is_equal, true, body);
    }

    /// How often a power of two goes into an index.
    pub fn quotient(&mut self, index: Pointer, by: usize) -> Pointer {
        debug_assert!(by.is_power_of_two(), "bug: {by} is no power of two");
        Pointer(self.builder.ins().ushr_imm_u(index.0, i64::from(by.trailing_zeros())))
    }

    /// Runs the body where an index is a multiple of a power of two.
    pub fn when_multiple(&mut self, index: Pointer, of: usize, body: impl FnOnce(&mut Emitter<'f>)) {
        debug_assert!(of.is_power_of_two(), "bug: {of} is no power of two");
        let rest = self.builder.ins().band_imm_u(index.0, super::signed(of) - 1);
        let is_multiple = self.builder.ins().icmp_imm_u(IntCC::Equal, rest, 0);
        self.when(is_multiple, false, body);
    }

    fn when(&mut self, condition: ir::Value, is_rare: bool, body: impl FnOnce(&mut Emitter<'f>)) {
        let [then, after] = [(), ()].map(|()| self.builder.create_block());
        if is_rare {
            self.builder.set_cold_block(then);
        }
        self.builder.ins().brif(condition, then, &[], after, &[]);
        self.builder.switch_to_block(then);
        self.builder.seal_block(then);
        body(self);
        self.builder.ins().jump(after, &[]);
        self.builder.switch_to_block(after);
        self.builder.seal_block(after);
    }

    /// Runs one of two bodies.
    pub fn choose(
        &mut self,
        condition: Reg,
        body: impl FnOnce(&mut Emitter<'f>),
        other: impl FnOnce(&mut Emitter<'f>),
    ) {
        self.fork(condition.value, body, other);
    }

    fn fork(
        &mut self,
        condition: ir::Value,
        body: impl FnOnce(&mut Emitter<'f>),
        other: impl FnOnce(&mut Emitter<'f>),
    ) {
        let [then, otherwise, after] = [(), (), ()].map(|()| self.builder.create_block());
        self.builder.ins().brif(condition, then, &[], otherwise, &[]);
        self.builder.switch_to_block(then);
        self.builder.seal_block(then);
        body(self);
        self.builder.ins().jump(after, &[]);
        self.builder.switch_to_block(otherwise);
        self.builder.seal_block(otherwise);
        other(self);
        self.builder.ins().jump(after, &[]);
        self.builder.switch_to_block(after);
        self.builder.seal_block(after);
    }

    /// One of two lists of registers, of the same dtypes; only this one is computed.
    pub fn choose_values(
        &mut self,
        condition: Reg,
        body: impl FnOnce(&mut Emitter<'f>) -> Vec<Reg>,
        other: impl FnOnce(&mut Emitter<'f>) -> Vec<Reg>,
    ) -> Vec<Reg> {
        let [then, otherwise, after] = [(), (), ()].map(|()| self.builder.create_block());
        self.builder.ins().brif(condition.value, then, &[], otherwise, &[]);
        self.builder.switch_to_block(then);
        self.builder.seal_block(then);
        let first = body(self);
        let params: Vec<ir::Value> = first
            .iter()
            .map(|reg| self.builder.append_block_param(after, register_type(reg.dtype, reg.lanes)))
            .collect();
        let arguments = |registers: &[Reg]| registers.iter().map(|reg| reg.value.into()).collect::<Vec<ir::BlockArg>>();
        self.builder.ins().jump(after, &arguments(&first));
        self.builder.switch_to_block(otherwise);
        self.builder.seal_block(otherwise);
        let second = other(self);
        self.builder.ins().jump(after, &arguments(&second));
        self.builder.switch_to_block(after);
        self.builder.seal_block(after);
        first.iter().zip(params).map(|(reg, value)| Reg { value, ..*reg }).collect()
    }

    /// Runs the body for iteration 0, 1, … as long as the condition holds; gives the number of iterations. `carried` registers go
    /// around the loop: condition and body get them, and the body returns their next values.
    pub fn repeat_while(
        &mut self,
        carried: &[Reg],
        condition: impl FnOnce(&mut Emitter<'f>, Pointer, &[Reg]) -> Reg,
        body: impl FnOnce(&mut Emitter<'f>, Pointer, &[Reg]) -> Vec<Reg>,
    ) -> (Pointer, Vec<Reg>) {
        let [header, inside, after] = [(), (), ()].map(|()| self.builder.create_block());
        let iteration = Pointer(self.builder.append_block_param(header, types::I64));
        let values: Vec<Reg> = carried
            .iter()
            .map(|reg| {
                let value = self.builder.append_block_param(header, register_type(reg.dtype, reg.lanes));
                Reg { value, ..*reg }
            })
            .collect();
        let zero = self.index(0);
        self.jump(header, zero, carried);
        self.builder.switch_to_block(header);
        let holds = condition(self, iteration, &values);
        self.builder.ins().brif(holds.value, inside, &[], after, &[]);
        self.builder.switch_to_block(inside);
        self.builder.seal_block(inside);
        let next = body(self, iteration, &values);
        let next_iteration = Pointer(self.builder.ins().iadd_imm_s(iteration.0, 1));
        self.jump(header, next_iteration, &next);
        self.builder.seal_block(header);
        self.builder.switch_to_block(after);
        self.builder.seal_block(after);
        (iteration, values)
    }

    /// An index as a number.
    pub fn number(&self, index: Pointer) -> Reg {
        Reg { value: index.0, dtype: DType::I64, lanes: 1 }
    }

    /// `n - 1 - index`.
    pub fn mirrored(&mut self, index: Pointer, n: Pointer) -> Pointer {
        let last = self.builder.ins().iadd_imm_s(n.0, -1);
        Pointer(self.builder.ins().isub(last, index.0))
    }

    /// `address + index · distance`.
    pub fn advance_by(&mut self, address: Pointer, index: Pointer, distance: Pointer) -> Pointer {
        let distance = self.builder.ins().imul(index.0, distance.0);
        Pointer(self.builder.ins().iadd(address.0, distance))
    }

    /// `to - from`.
    pub fn distance(&mut self, from: Pointer, to: Pointer) -> Pointer {
        Pointer(self.builder.ins().isub(to.0, from.0))
    }

    /// The smaller of two indices.
    pub fn least(&mut self, x: Pointer, y: Pointer) -> Pointer {
        Pointer(self.builder.ins().smin(x.0, y.0))
    }

    /// A fixed address.
    pub fn pointer(&mut self, address: usize) -> Pointer {
        self.index(bits(address))
    }

    /// Loads an address or an index.
    pub fn load_pointer(&mut self, address: Pointer, offset: i64) -> Pointer {
        let (address, offset) = self.within_reach(address, offset);
        Pointer(self.builder.ins().load(types::I64, MemFlagsData::new().with_notrap(), address.0, offset))
    }

    /// Stores an address or an index.
    pub fn store_pointer(&mut self, x: Pointer, address: Pointer, offset: i64) {
        let (address, offset) = self.within_reach(address, offset);
        self.builder.ins().store(MemFlagsData::new().with_notrap(), x.0, address.0, offset);
    }

    /// Copies bytes from one place to another that does not overlap with it.
    pub fn copy(&mut self, to: Pointer, from: Pointer, bytes: usize) {
        const INLINE: usize = 64;
        if bytes > INLINE {
            let n = self.index(signed(bytes));
            self.call_address(copy_bytes as *const () as usize, &[to, from, n]);
            return;
        }
        let flags = MemFlagsData::new().with_notrap();
        let mut offset = 0;
        for (size, ty) in [(8, types::I64), (4, types::I32), (1, types::I8)] {
            while bytes - offset >= size {
                let part = self.builder.ins().load(ty, flags, from.0, short(offset));
                self.builder.ins().store(flags, part, to.0, short(offset));
                offset += size;
            }
        }
    }

    fn return_if_nonzero(&mut self, status: ir::Value) {
        let leave = self.builder.create_block();
        let stay = self.builder.create_block();
        self.builder.set_cold_block(leave);
        self.builder.ins().brif(status, leave, &[], stay, &[]);
        self.builder.switch_to_block(leave);
        self.builder.seal_block(leave);
        self.builder.ins().return_(&[status]);
        self.builder.switch_to_block(stay);
        self.builder.seal_block(stay);
    }

    /// A constant, in every lane.
    pub fn constant(&mut self, x: Scalar, lanes: u8) -> Reg {
        if lanes > 1 && x.dtype().is_float() && x.bits() == 0 {
            // One instruction, where an element in all lanes takes two.
            let zeros = self.builder.func.dfg.constants.insert(vec![0; 16].into());
            let value = self.builder.ins().vconst(register_type(x.dtype(), lanes), zeros);
            return Reg { value, dtype: x.dtype(), lanes };
        }
        let value = match x {
            Scalar::F64(x) => self.builder.ins().f64const(x),
            Scalar::F32(x) => self.builder.ins().f32const(x),
            Scalar::I64(x) => self.builder.ins().iconst(types::I64, x),
            Scalar::Bool(x) => self.builder.ins().iconst(types::I8, i64::from(x)),
        };
        self.splat(Reg { value, dtype: x.dtype(), lanes: 1 }, lanes)
    }

    /// A constant of the dtype and lanes of `like`.
    pub fn constant_like(&mut self, x: f64, like: Reg) -> Reg {
        self.constant(Scalar::F64(x).convert(like.dtype), like.lanes)
    }

    /// One element in every lane.
    pub fn splat(&mut self, x: Reg, lanes: u8) -> Reg {
        if lanes == x.lanes {
            return x;
        }
        let ty = register_type(x.dtype, lanes);
        let element = if x.dtype == DType::Bool { self.mask_element(x.value, lanes) } else { x.value };
        Reg { value: self.builder.ins().splat(ty, element), dtype: x.dtype, lanes }
    }

    /// All bits set, or none, as wide as one of that many lanes.
    fn mask_element(&mut self, byte: ir::Value, lanes: u8) -> ir::Value {
        let wide = self.builder.ins().uextend(mask_type(lanes).lane_type(), byte);
        self.builder.ins().ineg(wide)
    }

    /// One lane as an element.
    pub fn lane(&mut self, x: Reg, lane: u8) -> Reg {
        if x.lanes == 1 {
            return x;
        }
        let element = self.builder.ins().extractlane(x.value, lane);
        let value =
            if x.dtype == DType::Bool { self.builder.ins().icmp_imm_s(IntCC::NotEqual, element, 0) } else { element };
        Reg { value, dtype: x.dtype, lanes: 1 }
    }

    /// `x` with one of its lanes replaced.
    pub fn with_lane(&mut self, x: Reg, lane: u8, element: Reg) -> Reg {
        let part = if x.dtype == DType::Bool { self.mask_element(element.value, x.lanes) } else { element.value };
        Reg { value: self.builder.ins().insertlane(x.value, part, lane), ..x }
    }

    /// Elements as lanes.
    pub fn join(&mut self, elements: &[Reg]) -> Reg {
        let lanes = u8::try_from(elements.len()).expect("bug: more elements than lanes");
        let mut joined = self.splat(elements[0], lanes);
        for (lane, &element) in (1..lanes).zip(&elements[1..]) {
            joined = self.with_lane(joined, lane, element);
        }
        joined
    }

    /// Applies a function of elements lane by lane.
    pub fn by_lane(&mut self, x: &[Reg], f: impl Fn(&mut Emitter<'f>, &[Reg]) -> Reg) -> Reg {
        let lanes = x[0].lanes;
        if lanes == 1 {
            return f(self, x);
        }
        let mut elements = Vec::with_capacity(lanes.into());
        for lane in 0..lanes {
            let parts: Vec<Reg> = x.iter().map(|&x| self.lane(x, lane)).collect();
            elements.push(f(self, &parts));
        }
        self.join(&elements)
    }

    /// A function of one variable from `math`.
    pub fn math1(&mut self, f: math::Unary, x: Reg) -> Reg {
        let index = math::Unary::ALL.iter().position(|&g| g == f).expect("bug: a function outside its list");
        self.by_lane(&[x], |e, x| e.call_math(Family::Unary, index, x))
    }

    /// A function of one variable from `math`, of several elements at once.
    pub fn math1_many(&mut self, f: math::Unary, x: &[Reg]) -> Vec<Reg> {
        let Some(&Reg { dtype, .. }) = x.first() else { return Vec::new() };
        let address = self.in_memory(x, x.len());
        let n = self.index(signed(x.len()));
        self.slice_math1(f, dtype, address, address, n);
        let address = self.room_at();
        (0..x.len()).map(|k| self.load(address, short(k * dtype.size()), dtype, 1)).collect()
    }

    /// Two functions of one element.
    pub fn couple(&mut self, couple: math::Couple, x: Reg) -> [Reg; 2] {
        let callee = self.math(Routine::new(Family::Couple, couple_index(couple), x.dtype, false));
        self.room_for(position(x.dtype.size()));
        let second = self.room_at();
        self.masks = Masks::default();
        let call = self.builder.ins().call(callee, &[x.value, second.0]);
        let first = Reg { value: self.builder.inst_results(call)[0], dtype: x.dtype, lanes: 1 };
        let second = self.room_at();
        [first, self.load(second, 0, x.dtype, 1)]
    }

    /// Two functions of several elements at once: for each result that is wanted which of the two it is of, and of which
    /// element.
    pub fn couple_many(&mut self, couple: math::Couple, x: &[Reg], wanted: &[(usize, usize)]) -> Vec<Reg> {
        let Some(&Reg { dtype, .. }) = x.first() else { return Vec::new() };
        let first = self.in_memory(x, 2 * x.len());
        let second = self.offset(first, signed(x.len() * dtype.size()));
        let n = self.index(signed(x.len()));
        self.slice_couple(couple, dtype, first, [first, second], n);
        let address = self.room_at();
        let places = wanted.iter().map(|&(function, k)| function * x.len() + k);
        places.map(|place| self.load(address, short(place * dtype.size()), dtype, 1)).collect()
    }

    /// Stores elements one after the other, where there is room for `n` until memory is asked for again.
    fn in_memory(&mut self, x: &[Reg], n: usize) -> Pointer {
        let size = x[0].dtype.size();
        self.room_for(position(n * size));
        let address = self.room_at();
        x.iter().enumerate().for_each(|(k, &x)| self.store(x, address, short(k * size)));
        address
    }

    /// Memory in the frame that is of use only until it is asked for again.
    fn room_for(&mut self, bytes: u32) {
        if let Some(slot) = self.room {
            let size = &mut self.builder.func.sized_stack_slots[slot].size;
            *size = bytes.max(*size);
            return;
        }
        let slot = StackSlotData::new(StackSlotKind::ExplicitSlot, bytes, 4);
        self.room = Some(self.builder.create_sized_stack_slot(slot));
    }

    /// The address of that memory. It is taken anew after a call, across which it would have to be kept.
    fn room_at(&mut self) -> Pointer {
        let slot = self.room.expect("bug: memory that was not asked for");
        Pointer(self.builder.ins().stack_addr(types::I64, slot, 0))
    }

    /// A function of two variables from `math`.
    pub fn math2(&mut self, f: math::Binary, x: Reg, y: Reg) -> Reg {
        let index = math::Binary::ALL.iter().position(|&g| g == f).expect("bug: a function outside its list");
        self.by_lane(&[x, y], |e, x| e.call_math(Family::Binary, index, x))
    }

    /// A function of three variables from `math`.
    pub fn math3(&mut self, f: math::Ternary, x: Reg, y: Reg, z: Reg) -> Reg {
        let index = math::Ternary::ALL.iter().position(|&g| g == f).expect("bug: a function outside its list");
        self.by_lane(&[x, y, z], |e, x| e.call_math(Family::Ternary, index, x))
    }

    fn call_math(&mut self, family: Family, index: usize, x: &[Reg]) -> Reg {
        let dtype = x[0].dtype;
        let callee = self.math(Routine::new(family, index, dtype, false));
        let arguments: SmallVec<[ir::Value; 3]> = x.iter().map(|x| x.value).collect();
        self.masks = Masks::default();
        let call = self.builder.ins().call(callee, &arguments);
        Reg { value: self.builder.inst_results(call)[0], dtype, lanes: 1 }
    }

    /// Applies a function of one variable to `n` consecutive elements.
    pub fn slice_math1(&mut self, f: math::Unary, dtype: DType, x: Pointer, y: Pointer, n: Pointer) {
        let index = math::Unary::ALL.iter().position(|&g| g == f).expect("bug: a function outside its list");
        let callee = self.math(Routine::new(Family::Unary, index, dtype, true));
        self.builder.ins().call(callee, &[x.0, y.0, n.0]);
    }

    /// Applies two functions of one variable to `n` consecutive elements.
    pub fn slice_couple(&mut self, couple: math::Couple, dtype: DType, x: Pointer, [y, z]: [Pointer; 2], n: Pointer) {
        let callee = self.math(Routine::new(Family::Couple, couple_index(couple), dtype, true));
        self.builder.ins().call(callee, &[x.0, y.0, z.0, n.0]);
    }

    /// Applies a function of two variables to `n` consecutive elements of each.
    pub fn slice_math2(&mut self, f: math::Binary, dtype: DType, x: [Pointer; 2], y: Pointer, n: Pointer) {
        let index = math::Binary::ALL.iter().position(|&g| g == f).expect("bug: a function outside its list");
        let callee = self.math(Routine::new(Family::Binary, index, dtype, true));
        self.builder.ins().call(callee, &[x[0].0, x[1].0, y.0, n.0]);
    }

    fn math(&mut self, routine: Routine) -> FuncRef {
        let callee = Callee::Math(routine);
        if let Some(&known) = self.callees.get(&callee) {
            return known;
        }
        let signature = self.builder.import_signature(routine.signature(self.config.default_call_conv));
        self.import(callee, signature, false)
    }

    /// Another function of the program, which lies nearby.
    fn function(&mut self, function: FunctionId) -> FuncRef {
        let callee = Callee::Function(function);
        if let Some(&known) = self.callees.get(&callee) {
            return known;
        }
        let signature = match self.kernel {
            Some(signature) => signature,
            None => self.builder.import_signature(kernel_signature(self.config.default_call_conv)),
        };
        self.kernel = Some(signature);
        self.import(callee, signature, true)
    }

    fn import(&mut self, callee: Callee, signature: SigRef, colocated: bool) -> FuncRef {
        let name = ExternalName::user(self.builder.func.declare_imported_user_function(callee.name()));
        let import = self.builder.import_function(ExtFuncData { name, signature, colocated, patchable: false });
        self.callees.insert(callee, import);
        import
    }
}

fn couple_index(couple: math::Couple) -> usize {
    math::Couple::ALL.iter().position(|&other| other == couple).expect("bug: a pair outside its list")
}

/// # Safety
/// Both places must have that many bytes, and must not overlap.
unsafe extern "C" fn copy_bytes(to: *mut u8, from: *const u8, bytes: usize) -> i64 {
    // SAFETY: by this function's contract.
    unsafe { std::ptr::copy_nonoverlapping(from, to, bytes) };
    0
}

/// The name of the function in its module: `f0`.
/// Writes the function at that place of its module, for Cranelift to compile.
pub(super) fn write(
    place: usize,
    (config, effort): (TargetFrontendConfig, Effort),
    context: &mut FunctionBuilderContext,
    body: impl FnOnce(&mut Emitter<'_>),
) -> Function {
    let name = UserFuncName::user(0, position(place));
    let mut function = Function::with_name_signature(name, kernel_signature(config.default_call_conv));
    let mut emitter = Emitter::new(FunctionBuilder::new(&mut function, context), config, effort);
    body(&mut emitter);
    emitter.finish();
    function
}

#[cfg(test)]
mod tests {
    use super::super::{Mode, Module, wide};
    use super::*;

    /// Runs a function on a base table.
    fn run(bases: *const *mut u8, body: impl FnOnce(&mut Emitter<'_>)) {
        let mut module = Module::new(Mode::default()).unwrap();
        let function = module.function(body);
        let (code, _) = module.finish().unwrap();
        // SAFETY: compiled functions have this signature, and the body stays within the memory that it is given.
        let status = unsafe {
            let code = std::mem::transmute::<*const u8, extern "C" fn(*const *mut u8) -> i32>(code.address(function));
            code(bases)
        };
        assert_eq!(status, 0);
    }

    /// Distances whose lower 32 bits alone would lead somewhere else, or nowhere.
    const DISTANCES: [isize; 5] = [1 << 31, (1 << 31) + 8, 1 << 32, (1 << 40) + 16, -(1 << 33)];

    #[test]
    fn distances_beyond_an_instruction_are_added() {
        for distance in DISTANCES {
            let mut memory = [0x5555_u64, 0];
            let far = memory.as_mut_ptr().cast::<u8>().wrapping_byte_offset(-distance);
            let distance = wide(distance);
            run([far].as_ptr(), |e| {
                let base = e.base(0);
                let loaded = e.load_pointer(base, distance);
                e.store_pointer(loaded, base, distance + 8);
                let (address, offset) = e.within_reach(base, distance);
                let x = e.load(address, offset, DType::I64, 1);
                e.store(x, address, offset);
            });
            assert_eq!(memory, [0x5555; 2], "{distance}");
        }
    }

    #[test]
    fn entries_of_large_tables_are_found() {
        for entry in [0, (1 << 28) - 1, 1 << 28, (1 << 29) + 1, u32::MAX] {
            let mut memory = [7_u64];
            let table = [memory.as_mut_ptr().cast::<u8>()];
            let bases = table.as_ptr().wrapping_byte_sub(8 * entry as usize);
            for cached in [false, true] {
                run(bases, |e| {
                    if cached {
                        e.load_bases([entry]);
                    }
                    let base = e.base(entry);
                    let one = e.index(1);
                    e.store_pointer(one, base, 0);
                });
                assert_eq!(std::mem::replace(&mut memory[0], 7), 1, "{entry}");
            }
        }
    }
}
