//! Elementary functions for builds without optimization.
//!
//! There the definitions of `math` take some hundred times as long as they should: every instruction in lanes is a call
//! that passes vectors in memory. So Cranelift compiles them, once per process and form, when code first calls them. It
//! rounds after each step as `rustc` does, so no bit differs.

use std::collections::HashMap;
use std::sync::{LazyLock, Mutex, PoisonError};

use cranelift_codegen::ir::condcodes::{FloatCC, IntCC};
use cranelift_codegen::ir::{
    self, BlockArg, Endianness, InstBuilder, MemFlagsData, StackSlot, StackSlotData, StackSlotKind, Type, Value, types,
};
use cranelift_frontend::FunctionBuilder;

use super::lasting;
use super::symbol::{self, Family, Routine};
use super::target::{Effort, host_isa, register_type};
use crate::error::CompileError;
use crate::math::recording::{Step, Steps};
use crate::math::{Binary, Couple, Unary};
use crate::value::DType;

/// The address of a function that compiled code may call.
pub(super) fn find(symbol: &str) -> Option<*const u8> {
    Routine::of_symbol(symbol).and_then(compiled).or_else(|| symbol::find(symbol))
}

/// The address of a routine compiled by Cranelift, which is never freed. There is none if its definition has no steps,
/// or the processor lacks an instruction that they need.
fn compiled(routine: Routine) -> Option<*const u8> {
    static KNOWN: LazyLock<Mutex<HashMap<Routine, Option<usize>>>> = LazyLock::new(Mutex::default);
    // Without these instructions Cranelift would call a function for each step.
    if !fuses() {
        return None;
    }
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    let address = *known.entry(routine).or_insert_with(|| {
        let steps = steps(routine)?;
        compile(routine, &steps).ok()
    });
    address.map(|address| address as *const u8)
}

/// Whether the processor multiplies and adds in one instruction.
fn fuses() -> bool {
    #[cfg(target_arch = "x86_64")]
    return is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma");
    #[cfg(not(target_arch = "x86_64"))]
    return cfg!(target_arch = "aarch64");
}

fn steps(routine: Routine) -> Option<Steps> {
    let index = usize::from(routine.index);
    match routine.family {
        Family::Unary => Unary::ALL[index].steps(),
        Family::Binary => Binary::ALL[index].steps(),
        Family::Couple => Couple::ALL[index].steps(),
        Family::Ternary => None,
    }
}

fn compile(routine: Routine, steps: &Steps) -> Result<usize, CompileError> {
    let convention = host_isa(Effort::Full)?.frontend_config().default_call_conv;
    lasting::compile(routine.signature(convention), |builder| {
        let mut writer = Writer { builder, routine, steps };
        if routine.many { writer.write_many() } else { writer.write_one() }
    })
}

/// The lanes of a register.
const LANES: i64 = 2;

/// Writes a routine.
struct Writer<'w, 'f> {
    builder: &'w mut FunctionBuilder<'f>,
    routine: Routine,
    steps: &'w Steps,
}

impl Writer<'_, '_> {
    /// One number in each argument.
    fn write_one(&mut self) {
        let parameters = self.begin();
        let n_arguments = self.n_arguments();
        let arguments: Vec<Value> = parameters[..n_arguments].iter().map(|&x| self.widened(x, x)).collect();
        let (results, rare) = self.steps(&arguments);
        let (left, common) = (self.builder.create_block(), self.builder.create_block());
        self.builder.ins().brif(rare, left, &[], common, &[]);

        self.builder.switch_to_block(left);
        let result = self.call_entry(&parameters);
        self.builder.ins().return_(&result);

        self.builder.switch_to_block(common);
        let first = self.narrowed(results[0], 0);
        if let [_, second] = results[..] {
            let second = self.narrowed(second, 0);
            self.builder.ins().store(MemFlagsData::new(), second, parameters[1], 0);
        }
        self.builder.ins().return_(&[first]);
    }

    /// Consecutive numbers, two at a time. A single last one is computed twice, in the frame.
    fn write_many(&mut self) {
        let parameters = self.begin();
        let (&n, addresses) = parameters.split_last().expect("bug: a routine of many numbers without their number");
        let n_arguments = self.n_arguments();
        let frame: Vec<StackSlot> = addresses.iter().map(|_| self.pair_in_frame()).collect();
        let head = self.block(&[types::I64]);
        let body = self.block(&vec![types::I64; addresses.len()]);
        let [pair, rest, single, next, end, done] = [(); 6].map(|()| self.block(&[]));
        let zero = self.builder.ins().iconst(types::I64, 0);
        self.jump(head, &[zero]);

        self.builder.switch_to_block(head);
        let i = self.builder.block_params(head)[0];
        let left = self.builder.ins().isub(n, i);
        let bytes = i64::from(self.bytes());
        let offset = self.builder.ins().imul_imm_s(i, bytes);
        let here: Vec<Value> = addresses.iter().map(|&first| self.builder.ins().iadd(first, offset)).collect();
        let is_pair = self.builder.ins().icmp_imm_u(IntCC::UnsignedGreaterThanOrEqual, left, LANES);
        self.builder.ins().brif(is_pair, pair, &[], rest, &[]);

        self.builder.switch_to_block(pair);
        self.jump(body, &here);

        self.builder.switch_to_block(rest);
        self.builder.ins().brif(left, single, &[], done, &[]);

        self.builder.switch_to_block(single);
        let spare: Vec<Value> = frame.iter().map(|&slot| self.builder.ins().stack_addr(types::I64, slot, 0)).collect();
        for (&from, &to) in here.iter().zip(&spare).take(n_arguments) {
            let x = self.load(from, 0);
            self.store(x, to, 0);
            self.store(x, to, 1);
        }
        self.jump(body, &spare);

        self.builder.switch_to_block(body);
        let addresses = self.builder.block_params(body).to_vec();
        self.write_pair(&addresses);
        self.builder.ins().brif(is_pair, next, &[], end, &[]);

        self.builder.switch_to_block(next);
        let i = self.builder.ins().iadd_imm_s(i, LANES);
        self.jump(head, &[i]);

        self.builder.switch_to_block(end);
        for (&slot, &to) in frame.iter().zip(&here).skip(n_arguments) {
            let from = self.builder.ins().stack_addr(types::I64, slot, 0);
            let x = self.load(from, 0);
            self.store(x, to, 0);
        }
        self.jump(done, &[]);

        self.builder.switch_to_block(done);
        self.builder.ins().return_(&[]);
    }

    /// The two numbers at each of these addresses.
    fn write_pair(&mut self, addresses: &[Value]) {
        let (from, to) = addresses.split_at(self.n_arguments());
        let arguments: Vec<Value> = from.iter().map(|&from| self.load_pair(from)).collect();
        let (results, rare) = self.steps(&arguments);
        let [left_over, common, stored] = [(); 3].map(|()| self.block(&[]));
        self.builder.ins().brif(rare, left_over, &[], common, &[]);

        self.builder.switch_to_block(left_over);
        let two = self.builder.ins().iconst(types::I64, LANES);
        let operands: Vec<Value> = addresses.iter().copied().chain([two]).collect();
        self.call_entry(&operands);
        self.jump(stored, &[]);

        self.builder.switch_to_block(common);
        for (&result, &to) in results.iter().zip(to) {
            for lane in [0, 1] {
                let x = self.narrowed(result, lane);
                self.store(x, to, i32::from(lane));
            }
        }
        self.jump(stored, &[]);

        self.builder.switch_to_block(stored);
    }

    fn begin(&mut self) -> Vec<Value> {
        let entry = self.builder.create_block();
        self.builder.append_block_params_for_function_params(entry);
        self.builder.switch_to_block(entry);
        self.builder.block_params(entry).to_vec()
    }

    fn block(&mut self, parameters: &[Type]) -> ir::Block {
        let block = self.builder.create_block();
        for &parameter in parameters {
            self.builder.append_block_param(block, parameter);
        }
        block
    }

    fn jump(&mut self, to: ir::Block, arguments: &[Value]) {
        let arguments: Vec<BlockArg> = arguments.iter().map(|&value| value.into()).collect();
        self.builder.ins().jump(to, &arguments);
    }

    /// The results, and whether some lane is left to the entry.
    fn steps(&mut self, arguments: &[Value]) -> (Vec<Value>, Value) {
        let mut values: Vec<Value> = Vec::with_capacity(self.steps.list.len());
        for &step in &self.steps.list {
            let value = self.step(step, arguments, &values);
            values.push(value);
        }
        let results = self.steps.results.iter().map(|&place| values[place]).collect();
        let rare = self.steps.rare.iter().map(|&place| values[place]);
        let rare = rare.reduce(|a, b| self.on_bits([a, b], |builder, [a, b]| builder.ins().bor(a, b)));
        let rare = match rare {
            Some(mask) => {
                let mask = self.bits(mask);
                self.builder.ins().vany_true(mask)
            }
            None => self.builder.ins().iconst(types::I8, 0),
        };
        (results, rare)
    }

    fn step(&mut self, step: Step, arguments: &[Value], values: &[Value]) -> Value {
        match step {
            Step::Argument(place) => arguments[place],
            Step::Bits(bits) => {
                let x = self.builder.ins().f64const(f64::from_bits(bits));
                self.builder.ins().splat(types::F64X2, x)
            }
            Step::Add(x, y) => self.builder.ins().fadd(values[x], values[y]),
            Step::Sub(x, y) => self.builder.ins().fsub(values[x], values[y]),
            Step::Mul(x, y) => self.builder.ins().fmul(values[x], values[y]),
            Step::Div(x, y) => self.builder.ins().fdiv(values[x], values[y]),
            Step::Neg(x) => self.builder.ins().fneg(values[x]),
            Step::Fma(x, y, z) => self.builder.ins().fma(values[x], values[y], values[z]),
            Step::Sqrt(x) => self.builder.ins().sqrt(values[x]),
            Step::Trunc(x) => self.builder.ins().trunc(values[x]),
            Step::Lt(x, y) => self.compare(FloatCC::LessThan, values[x], values[y]),
            Step::Le(x, y) => self.compare(FloatCC::LessThanOrEqual, values[x], values[y]),
            Step::Eq(x, y) => self.compare(FloatCC::Equal, values[x], values[y]),
            Step::And(x, y) => self.on_bits([values[x], values[y]], |builder, [x, y]| builder.ins().band(x, y)),
            Step::Or(x, y) => self.on_bits([values[x], values[y]], |builder, [x, y]| builder.ins().bor(x, y)),
            Step::Xor(x, y) => self.on_bits([values[x], values[y]], |builder, [x, y]| builder.ins().bxor(x, y)),
            Step::AddBits(x, y) => self.on_bits([values[x], values[y]], |builder, [x, y]| builder.ins().iadd(x, y)),
            Step::Shl(x, k) => self.on_bits([values[x]], |builder, [x]| builder.ins().ishl_imm_u(x, i64::from(k))),
            Step::Shr(x, k) => self.on_bits([values[x]], |builder, [x]| builder.ins().ushr_imm_u(x, i64::from(k))),
            Step::Select(mask, x, y) => {
                let operands = [values[mask], values[x], values[y]];
                self.on_bits(operands, |builder, [mask, x, y]| builder.ins().bitselect(mask, x, y))
            }
        }
    }

    fn compare(&mut self, condition: FloatCC, x: Value, y: Value) -> Value {
        let mask = self.builder.ins().fcmp(condition, x, y);
        self.numbers(mask)
    }

    fn on_bits<const N: usize>(
        &mut self,
        operands: [Value; N],
        instruction: impl FnOnce(&mut FunctionBuilder<'_>, [Value; N]) -> Value,
    ) -> Value {
        let operands = operands.map(|x| self.bits(x));
        let bits = instruction(self.builder, operands);
        self.numbers(bits)
    }

    fn bits(&mut self, x: Value) -> Value {
        self.builder.ins().bitcast(types::I64X2, in_lanes(), x)
    }

    fn numbers(&mut self, x: Value) -> Value {
        self.builder.ins().bitcast(types::F64X2, in_lanes(), x)
    }

    /// Two elements in lanes of `f64`.
    fn widened(&mut self, first: Value, second: Value) -> Value {
        let [first, second] = [first, second].map(|x| match self.routine.dtype {
            DType::F32 => self.builder.ins().fpromote(types::F64, x),
            _ => x,
        });
        let both = self.builder.ins().splat(types::F64X2, first);
        self.builder.ins().insertlane(both, second, 1)
    }

    /// An element of two.
    fn narrowed(&mut self, both: Value, lane: u8) -> Value {
        let x = self.builder.ins().extractlane(both, lane);
        match self.routine.dtype {
            DType::F32 => self.builder.ins().fdemote(types::F32, x),
            _ => x,
        }
    }

    fn load_pair(&mut self, from: Value) -> Value {
        let (first, second) = (self.load(from, 0), self.load(from, 1));
        self.widened(first, second)
    }

    fn load(&mut self, from: Value, place: i32) -> Value {
        let element = register_type(self.routine.dtype, 1);
        let offset = place * self.bytes();
        self.builder.ins().load(element, MemFlagsData::new(), from, offset)
    }

    fn store(&mut self, x: Value, to: Value, place: i32) {
        let offset = place * self.bytes();
        self.builder.ins().store(MemFlagsData::new(), x, to, offset);
    }

    fn pair_in_frame(&mut self) -> StackSlot {
        self.builder.create_sized_stack_slot(StackSlotData::new(StackSlotKind::ExplicitSlot, 16, 4))
    }

    /// Calls the routine as `rustc` made it.
    fn call_entry(&mut self, operands: &[Value]) -> Vec<Value> {
        let signature = self.builder.func.signature.clone();
        let signature = self.builder.import_signature(signature);
        let address = self.builder.ins().iconst(types::I64, self.routine.entry() as i64);
        let call = self.builder.ins().call_indirect(signature, address, operands);
        self.builder.inst_results(call).to_vec()
    }

    fn n_arguments(&self) -> usize {
        self.steps.list.iter().filter(|step| matches!(step, Step::Argument(_))).count()
    }

    fn bytes(&self) -> i32 {
        if self.routine.dtype == DType::F32 { 4 } else { 8 }
    }
}

/// Of casts between lanes.
fn in_lanes() -> MemFlagsData {
    MemFlagsData::new().with_endianness(Endianness::Little)
}

#[cfg(test)]
mod tests {
    use std::fmt::Debug;
    use std::mem::transmute;

    use num_traits::AsPrimitive;

    use super::*;

    type Many1<T> = unsafe extern "C" fn(*const T, *mut T, usize);
    type Many2<T> = unsafe extern "C" fn(*const T, *const T, *mut T, usize);
    type ManyOfTwo<T> = unsafe extern "C" fn(*const T, *mut T, *mut T, usize);
    type One1<T> = unsafe extern "C" fn(T) -> T;
    type One2<T> = unsafe extern "C" fn(T, T) -> T;
    type OneOfTwo<T> = unsafe extern "C" fn(T, *mut T) -> T;

    /// Numbers of all magnitudes, and many near one; some are a function's rare arguments.
    fn numbers<T: Copy + 'static>() -> Vec<T>
    where
        f64: AsPrimitive<T>,
    {
        let special = [0.0, f64::MIN_POSITIVE, 5e-324, 1e-310, 0.5, 1.0, 2.0, 170.5, 1e300, f64::INFINITY, f64::NAN];
        let powers = (-1074..1024).step_by(7).map(|k| (1.0 + f64::from(k & 15) / 17.0) * 2_f64.powi(k));
        let plain = (0..400_i32).map(|k| f64::from(k) * 0.037);
        let positive = special.into_iter().chain(powers).chain(plain);
        positive.flat_map(|x| [x, -x]).map(AsPrimitive::as_).collect()
    }

    fn check<T: Copy + PartialEq + Debug + Default + 'static>(routine: Routine, address: *const u8, bits: fn(T) -> u64)
    where
        f64: AsPrimitive<T>,
    {
        let x: Vec<T> = numbers();
        let y: Vec<T> = x.iter().rev().copied().collect();
        let n = x.len();
        // Each of the others is asked for one number less or more than pairs hold, and for hardly any.
        for n in if routine.many { vec![0, 1, 2, 3, n - 1, n] } else { vec![n] } {
            let got = results(routine, address, &x[..n], &y[..n]);
            let expected = results(routine, routine.entry(), &x[..n], &y[..n]);
            for (place, (got, expected)) in got.iter().zip(&expected).enumerate() {
                let (x, y, at) = (x[place % n], y[place % n], place % n);
                let same = bits(*got) == bits(*expected);
                assert!(same, "{} of {n} at {at}, {x:?}, {y:?}: {got:?}, not {expected:?}", routine.symbol());
            }
        }
    }

    /// The results at all pairs, then the second ones, then the first ones written over the arguments.
    fn results<T: Copy + Default>(routine: Routine, address: *const u8, x: &[T], y: &[T]) -> Vec<T> {
        let n = x.len();
        let (mut first, mut second, mut over) = (vec![T::default(); n], vec![T::default(); n], x.to_vec());
        let (to, other, in_place) = (first.as_mut_ptr(), second.as_mut_ptr(), over.as_mut_ptr());
        let pairs = || x.iter().copied().zip(y.iter().copied());
        // SAFETY: each routine has the signature of its family and form, and all of the arrays have `n` numbers.
        unsafe {
            match (routine.family, routine.many) {
                (Family::Unary, true) => {
                    let f = transmute::<*const u8, Many1<T>>(address);
                    f(x.as_ptr(), to, n);
                    f(in_place, in_place, n);
                }
                (Family::Binary, true) => {
                    let f = transmute::<*const u8, Many2<T>>(address);
                    f(x.as_ptr(), y.as_ptr(), to, n);
                    f(in_place, y.as_ptr(), in_place, n);
                }
                (_, true) => {
                    let f = transmute::<*const u8, ManyOfTwo<T>>(address);
                    f(x.as_ptr(), to, other, n);
                    f(in_place, in_place, other, n);
                }
                (Family::Unary, false) => {
                    let f = transmute::<*const u8, One1<T>>(address);
                    first = x.iter().map(|&x| f(x)).collect();
                }
                (Family::Binary, false) => {
                    let f = transmute::<*const u8, One2<T>>(address);
                    first = pairs().map(|(x, y)| f(x, y)).collect();
                }
                (_, false) => {
                    let f = transmute::<*const u8, OneOfTwo<T>>(address);
                    first = x.iter().zip(&mut second).map(|(&x, second)| f(x, second)).collect();
                }
            }
        }
        [first, second, over].concat()
    }

    fn routines() -> Vec<Routine> {
        let sizes = [
            (Family::Unary, Unary::ALL.len()),
            (Family::Binary, Binary::ALL.len()),
            (Family::Couple, Couple::ALL.len()),
        ];
        let of = |(family, n)| (0..n).map(move |index| Routine::new(family, index, DType::F64, true));
        sizes.into_iter().flat_map(of).collect()
    }

    /// What `math` computes lane by lane.
    const WITHOUT_STEPS: [&str; 33] = [
        "erf_inv",
        "ndtri",
        "bessel_j0",
        "bessel_j1",
        "bessel_y0",
        "bessel_y1",
        "bessel_i0",
        "bessel_i1",
        "bessel_i0e",
        "bessel_i1e",
        "erf_inv_derivative",
        "ndtri_derivative",
        "exp1",
        "expi",
        "spence",
        "beta",
        "lbeta",
        "polygamma",
        "sinc_derivative",
        "igamma",
        "igammac",
        "gamma_density",
        "igamma_grad_a",
        "bessel_jn",
        "bessel_in",
        "bessel_ine",
        "erfcx_derivative",
        "log_ndtr_derivative",
        "zeta",
        "spence_derivative",
        "log_ratio",
        "rel_entr",
        "kl_div",
    ];

    #[test]
    fn compiled_definitions_have_the_bits_of_the_entries() {
        let mut without = Vec::new();
        for routine in routines() {
            if compiled(routine).is_none() {
                without.push(routine.name());
            }
            for (dtype, many) in [(DType::F64, true), (DType::F64, false), (DType::F32, true), (DType::F32, false)] {
                let routine = Routine { dtype, many, ..routine };
                let Some(address) = compiled(routine) else { continue };
                match dtype {
                    DType::F32 => check::<f32>(routine, address, |x| x.to_bits().into()),
                    _ => check::<f64>(routine, address, f64::to_bits),
                }
            }
        }
        assert_eq!(without, WITHOUT_STEPS);
    }

    #[test]
    fn routines_are_found_compiled() {
        for routine in routines() {
            assert_eq!(find(&routine.symbol()), Some(compiled(routine).unwrap_or_else(|| routine.entry())));
        }
        assert_eq!(find("fma"), symbol::find("fma"));
    }
}
