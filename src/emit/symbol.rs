use cranelift_codegen::ir::{AbiParam, Signature, UserExternalName, types};
use cranelift_codegen::isa::CallConv;

use super::position;
use super::target::{FunctionId, register_type};
use crate::math;
use crate::value::DType;

/// What compiled code calls by name. Names are numbers until the code is assembled, so that functions can be emitted
/// without the module that will hold them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Callee {
    /// Another function of the program.
    Function(FunctionId),
    /// A function of `math`.
    Math(Routine),
}

/// A function of `math` in one of its forms.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Routine {
    pub family: Family,
    /// The place in the list of the family.
    pub index: u8,
    pub dtype: DType,
    /// Whether it runs over consecutive elements.
    pub many: bool,
}

/// What a function of `math` takes and gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Family {
    Unary,
    Binary,
    Ternary,
    /// Two functions.
    Couple,
}

impl Family {
    const ALL: [Family; 4] = [Family::Unary, Family::Binary, Family::Ternary, Family::Couple];

    /// The number of operands and results.
    fn n_values(self) -> usize {
        match self {
            Family::Unary => 2,
            Family::Binary | Family::Couple => 3,
            Family::Ternary => 4,
        }
    }
}

/// The namespaces in which Cranelift's functions call others.
const FUNCTIONS: u32 = 0;
const MATH: u32 = 1;

impl Callee {
    /// The name in a function of Cranelift's.
    pub fn name(self) -> UserExternalName {
        match self {
            Callee::Function(function) => UserExternalName::new(FUNCTIONS, position(function.index())),
            Callee::Math(routine) => UserExternalName::new(MATH, routine.number()),
        }
    }

    /// The inverse of [`Callee::name`].
    pub fn from_name(namespace: u32, index: u32) -> Callee {
        match namespace {
            FUNCTIONS => Callee::Function(FunctionId::from_index(index as usize)),
            _ => Callee::Math(Routine::from_number(index)),
        }
    }

    /// The name as a reader knows it.
    pub fn readable(self) -> String {
        match self {
            Callee::Function(function) => function.to_string(),
            Callee::Math(routine) => routine.readable(),
        }
    }
}

impl Routine {
    /// The `index`-th function of its family.
    pub fn new(family: Family, index: usize, dtype: DType, many: bool) -> Routine {
        let index = u8::try_from(index).expect("bug: more functions than numbers");
        Routine { family, index, dtype, many }
    }

    fn number(self) -> u32 {
        let is_f32 = u32::from(self.dtype == DType::F32);
        u32::from(self.index) << 8 | (self.family as u32) << 2 | is_f32 << 1 | u32::from(self.many)
    }

    fn from_number(number: u32) -> Routine {
        Routine {
            family: Family::ALL[(number >> 2 & 3) as usize],
            index: u8::try_from(number >> 8).expect("bug: the number of no routine"),
            dtype: if number & 2 == 0 { DType::F64 } else { DType::F32 },
            many: number & 1 == 1,
        }
    }

    /// The symbol, unique among all that a module refers to.
    pub fn symbol(self) -> String {
        format!("math{}", self.number())
    }

    /// The inverse of [`Routine::symbol`].
    pub fn of_symbol(symbol: &str) -> Option<Routine> {
        Some(Routine::from_number(symbol.strip_prefix("math")?.parse().ok()?))
    }

    /// The address of the entry of `math`.
    pub fn entry(self) -> *const u8 {
        let index = usize::from(self.index);
        match (self.family, self.dtype, self.many) {
            (Family::Unary, DType::F64, false) => math::Unary::ALL[index].scalar_f64() as *const u8,
            (Family::Unary, DType::F32, false) => math::Unary::ALL[index].scalar_f32() as *const u8,
            (Family::Unary, DType::F64, true) => math::Unary::ALL[index].slice_f64() as *const u8,
            (Family::Unary, DType::F32, true) => math::Unary::ALL[index].slice_f32() as *const u8,
            (Family::Binary, DType::F64, false) => math::Binary::ALL[index].scalar_f64() as *const u8,
            (Family::Binary, DType::F32, false) => math::Binary::ALL[index].scalar_f32() as *const u8,
            (Family::Binary, DType::F64, true) => math::Binary::ALL[index].slice_f64() as *const u8,
            (Family::Binary, DType::F32, true) => math::Binary::ALL[index].slice_f32() as *const u8,
            (Family::Ternary, DType::F64, false) => math::Ternary::ALL[index].scalar_f64() as *const u8,
            (Family::Ternary, DType::F32, false) => math::Ternary::ALL[index].scalar_f32() as *const u8,
            (Family::Couple, DType::F64, false) => math::Couple::ALL[index].scalar_f64() as *const u8,
            (Family::Couple, DType::F32, false) => math::Couple::ALL[index].scalar_f32() as *const u8,
            (Family::Couple, DType::F64, true) => math::Couple::ALL[index].slice_f64() as *const u8,
            (Family::Couple, DType::F32, true) => math::Couple::ALL[index].slice_f32() as *const u8,
            _ => unreachable!("bug: no such form of a function: {self:?}"),
        }
    }

    /// Elements in and an element out; or the addresses of consecutive ones, and their number.
    pub fn signature(self, convention: CallConv) -> Signature {
        let mut signature = Signature::new(convention);
        if self.many {
            signature.params.resize(self.family.n_values() + 1, AbiParam::new(types::I64));
        } else {
            let element = AbiParam::new(register_type(self.dtype, 1));
            signature.params.resize(self.family.n_values() - 1, element);
            if self.family == Family::Couple {
                // Where the second result goes.
                signature.params[1] = AbiParam::new(types::I64);
            }
            signature.returns.push(element);
        }
        signature
    }

    /// The name of the function.
    pub fn name(self) -> String {
        let index = usize::from(self.index);
        match self.family {
            Family::Unary => math::Unary::ALL[index].name().to_string(),
            Family::Binary => math::Binary::ALL[index].name().to_string(),
            Family::Ternary => math::Ternary::ALL[index].name().to_string(),
            Family::Couple => math::Couple::ALL[index].functions().map(math::Unary::name).join(" and "),
        }
    }

    fn readable(self) -> String {
        let name = self.name();
        let of = if self.many { " of consecutive elements" } else { "" };
        format!("{name}{of} ({})", self.dtype)
    }
}

/// The address of a function that compiled code may call: those of `math`, and those that Cranelift calls where the
/// machine lacks an instruction.
pub(super) fn find(symbol: &str) -> Option<*const u8> {
    match symbol {
        "floor" => Some(floor as *const u8),
        "floorf" => Some(floorf as *const u8),
        "ceil" => Some(ceil as *const u8),
        "ceilf" => Some(ceilf as *const u8),
        "trunc" => Some(trunc as *const u8),
        "truncf" => Some(truncf as *const u8),
        "nearbyint" => Some(nearbyint as *const u8),
        "nearbyintf" => Some(nearbyintf as *const u8),
        "fma" => Some(fma as *const u8),
        "fmaf" => Some(fmaf as *const u8),
        other => Routine::of_symbol(other).map(Routine::entry),
    }
}

extern "C" fn floor(x: f64) -> f64 {
    x.floor()
}
extern "C" fn floorf(x: f32) -> f32 {
    x.floor()
}
extern "C" fn ceil(x: f64) -> f64 {
    x.ceil()
}
extern "C" fn ceilf(x: f32) -> f32 {
    x.ceil()
}
extern "C" fn trunc(x: f64) -> f64 {
    x.trunc()
}
extern "C" fn truncf(x: f32) -> f32 {
    x.trunc()
}
extern "C" fn nearbyint(x: f64) -> f64 {
    x.round_ties_even()
}
extern "C" fn nearbyintf(x: f32) -> f32 {
    x.round_ties_even()
}
extern "C" fn fma(x: f64, y: f64, z: f64) -> f64 {
    x.mul_add(y, z)
}
extern "C" fn fmaf(x: f32, y: f32, z: f32) -> f32 {
    x.mul_add(y, z)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn routines_are_known_by_their_symbols() {
        let forms = [(DType::F64, false), (DType::F32, false), (DType::F64, true), (DType::F32, true)];
        let sizes =
            [math::Unary::ALL.len(), math::Binary::ALL.len(), math::Ternary::ALL.len(), math::Couple::ALL.len()];
        for (family, n) in Family::ALL.into_iter().zip(sizes) {
            let exists = |many: bool| match family {
                Family::Unary | Family::Binary | Family::Couple => true,
                Family::Ternary => !many,
            };
            for (dtype, many) in forms.into_iter().filter(|&(_, many)| exists(many)) {
                for index in 0..n {
                    let routine = Routine { family, index: u8::try_from(index).unwrap(), dtype, many };
                    let name = Callee::Math(routine).name();
                    assert_eq!(Callee::from_name(name.namespace, name.index), Callee::Math(routine));
                    assert_eq!(find(&routine.symbol()), Some(routine.entry()));
                }
            }
        }
        assert_eq!(find("malloc"), None);
    }
}
