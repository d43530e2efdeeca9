//! What the elements of every value are, according to the graph.

use std::collections::HashMap;

use crate::compile::schedule::{Schedule, ValueId};
use crate::emit::position;
use crate::ir::{NodeId, Value, results_of};
use crate::op::{Lowering, Op};
use crate::value::{Array, DType, Scalar, Type};

/// An element: of a value that is computed, a number, or a sum in the making.
pub(super) type Token = u32;

/// What no element is: memory that was not written.
pub(super) const NOTHING: Token = 0;

/// All bytes of an element but its first.
pub(super) const REST: Token = 1;

/// The tokens of a value's elements.
enum Tokens {
    /// Elements that are computed: one token after the other.
    Made { first: Token, n: usize },
    /// Elements that are those of other values, or numbers.
    Listed(Box<[Token]>),
}

/// The tokens of all values of a plan's graph.
pub(super) struct Meaning {
    values: Vec<Option<Tokens>>,
    next: Token,
    /// The value whose elements begin at a token, in ascending order.
    firsts: Vec<(Token, ValueId)>,
    numbers: HashMap<(DType, u64), Token>,
    sums: HashMap<(bool, Token, Token), Token>,
    /// Sums of 0 and one element, and that element.
    single: HashMap<Token, Token>,
    /// The first of the tokens that stand for a value's elements while a reduction is not complete.
    partial: HashMap<ValueId, Token>,
}

impl Meaning {
    /// The tokens of all values that are needed.
    pub fn new(schedule: &Schedule<'_>) -> Meaning {
        let mut meaning = Meaning {
            values: Vec::new(),
            next: REST + 1,
            firsts: Vec::new(),
            numbers: HashMap::new(),
            sums: HashMap::new(),
            single: HashMap::new(),
            partial: HashMap::new(),
        };
        meaning.values.resize_with(schedule.n_values(), || None);
        for id in schedule.graph.ids() {
            if let Some(tokens) = meaning.renamed(schedule, id) {
                meaning.values[schedule.id(id.into())] = Some(tokens);
                continue;
            }
            for result in results_of(schedule.graph, id) {
                let made = meaning.fresh(schedule.id(result), n_elements(schedule.ty(result)));
                meaning.values[schedule.id(result)] = Some(made);
            }
        }
        meaning
    }

    /// The token of an element of a value.
    pub fn token(&self, id: ValueId, k: usize) -> Token {
        match &self.values[id] {
            Some(Tokens::Made { first, n }) => {
                assert!(k < *n, "bug: element {k} of {n}");
                first + position(k)
            }
            Some(Tokens::Listed(tokens)) => tokens[k],
            None => unreachable!("bug: a value without a meaning"),
        }
    }

    /// The token of a number.
    pub fn number(&mut self, number: Scalar) -> Token {
        let next = &mut self.next;
        *self.numbers.entry((number.dtype(), number.bits())).or_insert_with(|| take(next, 1))
    }

    /// The token of a sum: of two elements in any order, of more in this one.
    pub fn sum(&mut self, zero: Token, sum: Token, term: Token) -> Token {
        let key = match self.single.get(&sum) {
            Some(&first) => (true, first.min(term), first.max(term)),
            None => (false, sum, term),
        };
        let next = &mut self.next;
        let token = *self.sums.entry(key).or_insert_with(|| take(next, 1));
        if sum == zero {
            self.single.insert(token, term);
        }
        token
    }

    /// The token of an element of a value to which not all has been added yet.
    pub fn partial(&mut self, id: ValueId, n: usize, k: usize) -> Token {
        let next = &mut self.next;
        let first = *self.partial.entry(id).or_insert_with(|| take(next, n));
        first + position(k)
    }

    /// A token in words.
    pub fn describe(&self, schedule: &Schedule<'_>, token: Token) -> String {
        let number = |&(&(dtype, bits), &other): &(&(DType, u64), &Token)| {
            (other == token).then(|| format!("the {dtype} of bits {bits:#x}"))
        };
        let unfinished = |(&id, &first): (&ValueId, &Token)| {
            let k =
                (token.checked_sub(first)? as usize).checked_rem(n_elements(schedule.ty(schedule.value(id))).max(1))?;
            let is_of = (token - first) as usize == k;
            is_of.then(|| format!("element {k} of the unfinished {}", name(schedule, id)))
        };
        let made = || {
            let at = self.firsts.partition_point(|&(first, _)| first <= token).checked_sub(1)?;
            let (first, id) = self.firsts[at];
            let k = (token - first) as usize;
            (k < n_elements(schedule.ty(schedule.value(id)))).then(|| format!("element {k} of {}", name(schedule, id)))
        };
        match token {
            NOTHING => "what nothing wrote".to_string(),
            REST => "the middle of another element".to_string(),
            _ => made()
                .or_else(|| self.numbers.iter().find_map(|entry| number(&entry)))
                .or_else(|| self.partial.iter().find_map(unfinished))
                .unwrap_or_else(|| "another sum".to_string()),
        }
    }

    fn fresh(&mut self, id: ValueId, n: usize) -> Tokens {
        let first = take(&mut self.next, n);
        self.firsts.push((first, id));
        Tokens::Made { first, n }
    }

    /// The tokens of a node that only moves elements, or adds them up.
    fn renamed(&mut self, schedule: &Schedule<'_>, id: NodeId) -> Option<Tokens> {
        let op = schedule.graph.node(id).op()?;
        let operands = schedule.graph.operands(id);
        // Control flow may have no result.
        let ty = schedule.graph.node(id).types().first()?;
        match op.lower() {
            Lowering::Constant(array) => Some(self.constant(array)),
            Lowering::Reduce { monoid, .. } if schedule.ty(operands[0]).size() == 0 => {
                let identity = self.number(monoid.identity(ty.dtype));
                Some(Tokens::Listed(vec![identity; ty.size()].into()))
            }
            Lowering::View(_) | Lowering::Assemble(_) => Some(self.moved(schedule, op, &operands, ty)),
            Lowering::Scatter(scatter) => {
                let zero = self.number(Scalar::F64(0.0).convert(ty.dtype));
                let mut sums = vec![zero; ty.size()];
                for (slot, &x) in operands.iter().enumerate() {
                    for (k, place) in scatter.places(slot, &schedule.ty(x).shape).into_iter().enumerate() {
                        sums[place] = self.sum(zero, sums[place], self.token(schedule.id(x), k));
                    }
                }
                Some(Tokens::Listed(sums.into()))
            }
            Lowering::Elementwise
            | Lowering::Math1(_)
            | Lowering::Math2(_)
            | Lowering::Reduce { .. }
            | Lowering::Contract(_)
            | Lowering::Generate(_)
            | Lowering::Library(_)
            | Lowering::Matrix(_)
            | Lowering::Checked(_)
            | Lowering::External(_)
            | Lowering::Control => None,
        }
    }

    fn constant(&mut self, array: &Array) -> Tokens {
        Tokens::Listed(array.elements().map(|number| self.number(number)).collect())
    }

    /// An operation that moves elements says itself where to, applied to tokens.
    fn moved(&self, schedule: &Schedule<'_>, op: &Op, operands: &[Value], ty: &Type) -> Tokens {
        let tokens = |&x: &Value| {
            let numbers = (0..schedule.ty(x).size()).map(|k| Scalar::I64(self.token(schedule.id(x), k).into()));
            Array::collect(&schedule.ty(x).with_dtype(DType::I64), numbers)
        };
        let operands: Vec<Array> = operands.iter().map(tokens).collect();
        let moved = op.eval_inferred(&operands.iter().collect::<Vec<_>>(), &[ty.with_dtype(DType::I64)]).swap_remove(0);
        let tokens = moved.as_slice::<i64>().expect("bug: tokens of another dtype");
        Tokens::Listed(tokens.iter().map(|&token| Token::try_from(token).expect("bug: a token of many bits")).collect())
    }
}

/// So many tokens.
fn take(next: &mut Token, n: usize) -> Token {
    let first = *next;
    *next =
        Token::try_from(n).ok().and_then(|n| first.checked_add(n)).expect("bug: a plan beyond the checker's limits");
    first
}

/// The elements of a value in memory; where a stack is counts as one.
pub(super) fn n_elements(ty: &Type) -> usize {
    if ty.stack { 1 } else { ty.size() }
}

/// The bytes of an element of a value in memory.
pub(super) fn element_bytes(ty: &Type) -> usize {
    if ty.stack { ty.checked_bytes().unwrap_or(0) } else { ty.dtype.size() }
}

pub(super) fn name(schedule: &Schedule<'_>, id: ValueId) -> String {
    schedule.graph.value_name(schedule.value(id))
}
