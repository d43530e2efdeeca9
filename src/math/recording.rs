//! A definition as the list of its steps, for a compiler.
//!
//! The definition runs once on numbers that stand for values to come and note what is done with them. What it would do
//! for rare arguments, lane by lane, is not in the list: it says where such arguments are, and whoever compiles it
//! leaves them to an entry.

use super::entry::{Definition1, Definition2, DefinitionOfTwo};
use super::lanes::Lanes;
use std::cell::RefCell;
use std::ops::{Add, Div, Mul, Neg, Sub};

/// The place of a value among the steps.
pub type Place = usize;

/// What is done to all lanes at once. A mask is a number of which all bits are set, or none.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Step {
    /// The argument of that place.
    Argument(usize),
    /// The same bits in every lane.
    Bits(u64),
    Add(Place, Place),
    Sub(Place, Place),
    Mul(Place, Place),
    Div(Place, Place),
    Neg(Place),
    /// The product of the first two plus the third, rounded once.
    Fma(Place, Place, Place),
    Sqrt(Place),
    Trunc(Place),
    Lt(Place, Place),
    Le(Place, Place),
    Eq(Place, Place),
    And(Place, Place),
    Or(Place, Place),
    Xor(Place, Place),
    /// The sum as 64-bit integers, modulo 2⁶⁴.
    AddBits(Place, Place),
    /// Toward the sign.
    Shl(Place, i32),
    /// Away from the sign, filled with zeros.
    Shr(Place, i32),
    /// The second where the mask, the first, holds, and the third elsewhere.
    Select(Place, Place, Place),
}

/// A definition.
#[derive(Debug)]
pub struct Steps {
    /// Each uses steps before it only.
    pub list: Vec<Step>,
    pub results: Vec<Place>,
    /// The masks of arguments that are left to an entry.
    pub rare: Vec<Place>,
}

/// The steps of a function of one variable; none if it is computed lane by lane for all arguments.
pub(super) fn steps1<D: Definition1>() -> Option<Steps> {
    record(1, |x| vec![D::eval(x[0])])
}

/// The steps of a function of two variables; none if it is computed lane by lane for all arguments.
pub(super) fn steps2<D: Definition2>() -> Option<Steps> {
    record(2, |x| vec![D::eval(x[0], x[1])])
}

/// The steps of two functions together; none if one of them is computed lane by lane for all arguments.
pub(super) fn steps_of_two<D: DefinitionOfTwo>() -> Option<Steps> {
    record(1, |x| D::eval(x[0]).to_vec())
}

/// What has been noted so far.
#[derive(Default)]
struct Notes {
    list: Vec<Step>,
    rare: Vec<Place>,
    /// Whether something had to be known that is not known before there are numbers.
    is_incomplete: bool,
}

thread_local! {
    // Operators know nothing but their operands.
    static NOTES: RefCell<Notes> = RefCell::default();
}

fn record(n_arguments: usize, definition: impl FnOnce(&[Recorded]) -> Vec<Recorded>) -> Option<Steps> {
    NOTES.take();
    let arguments: Vec<Recorded> = (0..n_arguments).map(|place| note(Step::Argument(place))).collect();
    let results = definition(&arguments).into_iter().map(|result| result.0).collect();
    let Notes { list, rare, is_incomplete } = NOTES.take();
    (!is_incomplete).then_some(Steps { list, results, rare })
}

fn note(step: Step) -> Recorded {
    NOTES.with_borrow_mut(|notes| {
        notes.list.push(step);
        Recorded(notes.list.len() - 1)
    })
}

/// A number of a definition that is being recorded, or a mask.
#[derive(Clone, Copy)]
pub(super) struct Recorded(Place);

impl Recorded {
    /// Stands for a number that cannot be recorded.
    fn unknown() -> Recorded {
        NOTES.with_borrow_mut(|notes| notes.is_incomplete = true);
        Recorded(0)
    }
}

macro_rules! operators {
    ($($operator:ident::$operate:ident;)*) => {
        $(impl $operator for Recorded {
            type Output = Recorded;
            fn $operate(self, y: Recorded) -> Recorded {
                note(Step::$operator(self.0, y.0))
            }
        })*
    };
}

operators! {
    Add::add;
    Sub::sub;
    Mul::mul;
    Div::div;
}

impl Neg for Recorded {
    type Output = Recorded;
    fn neg(self) -> Recorded {
        note(Step::Neg(self.0))
    }
}

impl Lanes for Recorded {
    const N: usize = 1;
    type Mask = Recorded;

    fn splat(x: f64) -> Recorded {
        note(Step::Bits(x.to_bits()))
    }
    unsafe fn load(_: *const f64) -> Recorded {
        Recorded::unknown()
    }
    unsafe fn store(self, _: *mut f64) {
        Recorded::unknown();
    }
    fn fma(self, y: Recorded, z: Recorded) -> Recorded {
        note(Step::Fma(self.0, y.0, z.0))
    }
    fn sqrt(self) -> Recorded {
        note(Step::Sqrt(self.0))
    }
    fn trunc(self) -> Recorded {
        note(Step::Trunc(self.0))
    }
    fn lt(self, y: Recorded) -> Recorded {
        note(Step::Lt(self.0, y.0))
    }
    fn le(self, y: Recorded) -> Recorded {
        note(Step::Le(self.0, y.0))
    }
    fn eq(self, y: Recorded) -> Recorded {
        note(Step::Eq(self.0, y.0))
    }
    fn and(a: Recorded, b: Recorded) -> Recorded {
        a.bit_and(b)
    }
    fn or(a: Recorded, b: Recorded) -> Recorded {
        a.bit_or(b)
    }
    fn any(mask: Recorded) -> bool {
        NOTES.with_borrow_mut(|notes| notes.rare.push(mask.0));
        false
    }
    fn select(mask: Recorded, yes: Recorded, no: Recorded) -> Recorded {
        note(Step::Select(mask.0, yes.0, no.0))
    }
    fn bit_and(self, y: Recorded) -> Recorded {
        note(Step::And(self.0, y.0))
    }
    fn bit_or(self, y: Recorded) -> Recorded {
        note(Step::Or(self.0, y.0))
    }
    fn bit_xor(self, y: Recorded) -> Recorded {
        note(Step::Xor(self.0, y.0))
    }
    fn bits_add(self, y: Recorded) -> Recorded {
        note(Step::AddBits(self.0, y.0))
    }
    fn bits_shl<const K: i32>(self) -> Recorded {
        note(Step::Shl(self.0, K))
    }
    fn bits_shr<const K: i32>(self) -> Recorded {
        note(Step::Shr(self.0, K))
    }
    fn zip(self, _: Recorded, _: impl Fn(f64, f64) -> f64) -> Recorded {
        Recorded::unknown()
    }
}
