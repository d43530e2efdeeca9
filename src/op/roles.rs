//! What the operands of control flow are for: the one place that decodes them.

use super::{Op, Revolve, Scan, While};

/// What the operands of an operation with regions are for, in their order: first what chooses, then what is carried, the
/// state, the rows, and at the end what does not change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Roles {
    /// How the regions run.
    pub flow: Flow,
    /// How many operands choose among the regions. No region takes them.
    pub n_choices: usize,
    /// How many change from iteration to iteration. The body takes and gives them, and they come first among the results.
    pub n_carry: usize,
    /// How many are a state that the body takes, but does not give.
    pub n_state: usize,
    /// Of how many each iteration takes one row.
    pub n_rows: usize,
}

/// How the regions of an operation run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flow {
    /// One of them, once.
    Choice,
    /// The only one, once.
    Once,
    /// The first, once. The second never runs: it is the rule of the derivative.
    Custom,
    /// The last, as long as the first says so.
    While,
    /// The only one, for each row; `None`: for each array of stacks.
    Rows(Option<usize>),
    /// The last, for each row, from the last to the first; the first computes the states that it takes.
    Back(usize),
}

/// The operands of control flow, or what is known of each, by their roles.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ByRole<'x, T> {
    /// What chooses among the regions.
    pub choice: &'x [T],
    /// What changes from iteration to iteration.
    pub carry: &'x [T],
    /// The state before the first iteration.
    pub state: &'x [T],
    /// What is taken row by row.
    pub rows: &'x [T],
    /// What does not change.
    pub fixed: &'x [T],
}

impl Op {
    /// What the operands are for, if the operation holds regions.
    pub(crate) fn roles(&self) -> Option<Roles> {
        match self {
            Op::Cond(_) | Op::Switch(_) => Some(Roles::new(Flow::Choice, [1, 0, 0, 0])),
            Op::Checkpoint(_) => Some(Roles::new(Flow::Once, [0, 0, 0, 0])),
            Op::Custom(_) => Some(Roles::new(Flow::Custom, [0, 0, 0, 0])),
            Op::While(op) => Some(op.roles()),
            Op::Scan(op) => Some(op.roles()),
            Op::Revolve(op) => Some(op.roles()),
            _ => None,
        }
    }
}

impl While {
    pub(crate) fn roles(&self) -> Roles {
        Roles::new(Flow::While, [0, self.carry, 0, 0])
    }
}

impl Scan {
    pub(crate) fn roles(&self) -> Roles {
        Roles::new(Flow::Rows(self.length), [0, self.carry, 0, self.xs])
    }
}

impl Revolve {
    pub(crate) fn roles(&self) -> Roles {
        Roles::new(Flow::Back(self.length), [0, self.cts, self.carry, self.xs])
    }
}

impl Roles {
    fn new(flow: Flow, [n_choices, n_carry, n_state, n_rows]: [usize; 4]) -> Roles {
        Roles { flow, n_choices, n_carry, n_state, n_rows }
    }

    /// The operands by their roles.
    pub fn split<'x, T>(&self, operands: &'x [T]) -> ByRole<'x, T> {
        let (choice, rest) = operands.split_at(self.n_choices);
        let (carry, rest) = rest.split_at(self.n_carry);
        let (state, rest) = rest.split_at(self.n_state);
        let (rows, fixed) = rest.split_at(self.n_rows);
        ByRole { choice, carry, state, rows, fixed }
    }

    /// Where what does not change begins among the operands.
    pub fn first_fixed(&self) -> usize {
        self.n_choices + self.n_carry + self.n_state + self.n_rows
    }

    /// How many inputs of the regions come before those that are operands: the number of the row.
    pub fn n_index(&self) -> usize {
        usize::from(matches!(self.flow, Flow::Rows(_) | Flow::Back(_)))
    }

    /// Whether regions run again and again.
    pub fn is_loop(&self) -> bool {
        matches!(self.flow, Flow::While | Flow::Rows(_) | Flow::Back(_))
    }

    /// Whether a region computes the states of a [`Flow::Back`]: it takes and gives these in place of the carry.
    pub fn is_advance(&self, region: usize) -> bool {
        matches!(self.flow, Flow::Back(_)) && region == 0
    }

    /// How often the body runs, where that is known.
    pub fn length(&self) -> Option<usize> {
        match self.flow {
            Flow::Choice | Flow::While => None,
            Flow::Once | Flow::Custom => Some(1),
            Flow::Rows(length) => length,
            Flow::Back(length) => Some(length),
        }
    }

    /// Whether a result is an array whose rows the iterations give.
    pub fn collects(&self, result: usize) -> bool {
        result >= self.n_carry && self.n_index() > 0 && self.length().is_some()
    }
}
