use retrograd::op::Schedule;
use retrograd::value::{DType, Type};
use retrograd::{AllArgs, Loop, Var, checkpoint, cond, custom_jvp, custom_vjp, grad, jvp, map, switch, vjp};

use super::{Author, MAX_IN_LOOP};

/// Loops, branches, and derivatives within the program.
impl Author<'_> {
    pub(super) fn control(&mut self) {
        let results = match self.choices.weighted(&[5, 3, 4, 4, 4, 2, 2, 3, 1, 2]) {
            0 => self.scan(),
            1 => self.map(),
            2 => self.counted(),
            3 => self.conditional(),
            4 => self.while_loop(),
            5 => self.switch(),
            6 => self.checkpoint(),
            7 => vec![self.derivative()],
            8 => self.compare(),
            _ => self.custom(),
        };
        self.values.extend(results);
    }

    /// An author for the body of a loop or a branch, which can use its arguments and some outer values.
    fn body(&self, given: &[Var]) -> Self {
        let mut values: Vec<Var> = Vec::new();
        for _ in 0..self.choices.below(3) {
            values.extend(self.small());
        }
        values.extend(given);
        let depth = self.depth + 1;
        let mut body = Author { choices: self.choices, extents: self.extents, values, depth, may_compare: false };
        for _ in 0..1 + self.choices.below(2) {
            body.step();
        }
        body
    }

    /// A value that is small enough for a body, if there is one.
    fn small(&self) -> Option<Var> {
        self.pick_where(|ty| ty.size() <= MAX_IN_LOOP)
    }

    /// The carry of a loop.
    fn carry(&self) -> Vec<Var> {
        let mut carry: Vec<Var> = (0..1 + self.choices.below(2)).filter_map(|_| self.small()).collect();
        if carry.is_empty() {
            carry.push(self.pick().sum());
        }
        carry
    }

    /// The next carry: of the same types, and often damped toward the previous one, so that loops do not overflow.
    fn next(&mut self, carry: &[Var]) -> Vec<Var> {
        let next = |author: &mut Self, x: &Var| {
            let y = author.of_type(&x.ty());
            match author.choices.below(4) {
                0 if y.dtype().is_float() => y.tanh() * 0.5 + *x * 0.5,
                1 if y.dtype().is_float() => *x + y * 0.1,
                _ => y,
            }
        };
        carry.iter().map(|x| next(self, x)).collect()
    }

    fn run(&self) -> Loop {
        let run = if self.choices.one_in(4) { Loop::new().reverse() } else { Loop::new() };
        match self.choices.weighted(&[6, 1, 1]) {
            0 => run,
            1 => run.checkpoint(Schedule::Sqrt),
            _ => run.checkpoint(Schedule::Binomial(1 + self.choices.below(3))),
        }
    }

    /// Arrays with the same number of rows.
    fn rows(&self) -> Vec<Var> {
        let fits =
            |ty: &Type| ty.rank() > 0 && (1..=40).contains(&ty.shape[0]) && ty.size() / ty.shape[0] <= MAX_IN_LOOP;
        let x = self.pick_where(fits).unwrap_or_else(|| {
            let x = self.array().flatten();
            x.slice_axis(0, 0, x.shape()[0].min(7), 1)
        });
        let n = x.shape()[0];
        let mut rows = vec![x];
        if self.choices.below(3) == 0 {
            rows.extend(self.pick_where(|ty| fits(ty) && ty.shape[0] == n));
        }
        if self.choices.below(4) == 0 {
            rows.push(self.view(x));
        }
        rows
    }

    fn scan(&mut self) -> Vec<Var> {
        let (carry, rows) = (self.carry(), self.rows());
        let (mut last, all) = self.run().scan(carry, rows, |carry: Vec<Var>, row: Vec<Var>| {
            let mut body = self.body(&[&carry[..], &row].concat());
            let collected = (0..self.choices.below(3)).filter_map(|_| body.small()).collect::<Vec<Var>>();
            (body.next(&carry), collected)
        });
        last.extend(all);
        last
    }

    fn map(&mut self) -> Vec<Var> {
        map(self.rows(), |row: Vec<Var>| {
            let body = self.body(&row);
            let results = (0..1 + self.choices.below(2)).filter_map(|_| body.small()).collect::<Vec<Var>>();
            if results.is_empty() { vec![body.pick().sum()] } else { results }
        })
    }

    fn counted(&mut self) -> Vec<Var> {
        let n = *self.choices.of(&[3, 2, 1, 5, 0, 8, 17]);
        self.run().fori_loop(n, self.carry(), |k, carry: Vec<Var>| {
            let mut given = carry.clone();
            if self.choices.below(2) == 0 {
                given.insert(0, (k + 1).convert(DType::F64) * 0.1);
            }
            self.body(&given).next(&carry)
        })
    }

    fn while_loop(&mut self) -> Vec<Var> {
        let n = *self.choices.of(&[3, 2, 1, 5, 0, 9]) as i64;
        let by_size = self.choices.below(2) == 0;
        let init = [vec![Var::from(0i64)], self.carry()].concat();
        let run = if self.choices.below(3) == 0 { Loop::new().max_trips(n as u64) } else { Loop::new() };
        let condition = |carry: Vec<Var>| {
            let counts = carry[0].less(n);
            match carry.iter().find(|x| x.dtype().is_float()) {
                Some(x) if by_size => counts & x.square().sum().less(50.0),
                _ => counts,
            }
        };
        let mut results = run.while_loop(init, condition, |carry: Vec<Var>| {
            let mut next = vec![carry[0] + 1];
            next.extend(self.body(&carry[1..]).next(&carry[1..]));
            next
        });
        results.remove(0);
        results
    }

    fn conditional(&mut self) -> Vec<Var> {
        let x = self.pick();
        let condition = match self.pick_where(|ty| *ty == Type::scalar(DType::Bool)) {
            Some(condition) if self.choices.below(2) == 0 => condition,
            _ => x.sum().greater(self.number()),
        };
        let given = self.carry();
        let branch = || self.body(&given).next(&given);
        cond(condition, branch, branch)
    }

    fn switch(&mut self) -> Vec<Var> {
        let index = match self.pick_where(|ty| *ty == Type::scalar(DType::I64)) {
            Some(index) if self.choices.below(2) == 0 => index,
            _ => (self.pick().sum() * 2.0).clamp(-10.0, 10.0).convert(DType::I64),
        };
        let given = self.carry();
        switch(index, 1 + self.choices.below(4), |_| self.body(&given).next(&given))
    }

    fn checkpoint(&mut self) -> Vec<Var> {
        let given = self.carry();
        checkpoint(|given: Vec<Var>| self.body(&given).next(&given)).call(given)
    }

    /// A function with a rule of its own, which is its derivative, written by hand or by the mode for which it is no rule.
    fn custom(&mut self) -> Vec<Var> {
        let Some(x) = self.pick_where(|ty| ty.dtype.is_float() && (1..=MAX_IN_LOOP).contains(&ty.size())) else {
            return vec![self.pick()];
        };
        let w = self.pick_where(|ty| ty.dtype == x.dtype() && ty.rank() == 0).unwrap_or_else(|| x.sum().tanh());
        let f = |x: Var, w: Var| ((x * w).tanh() + x, x.square().sum() * w.sin());
        let (y, z) = match self.choices.below(4) {
            0 => {
                custom_vjp(f, |(x, w): (Var, Var), _: (Var, Var), ct: (Var, Var)| vjp(f).wrt(AllArgs).call(x, w, ct).1)
                    .call(x, w)
            }
            1 => custom_jvp(f, |(x, w): (Var, Var), _: (Var, Var), t: (Var, Var)| jvp(f).wrt(AllArgs).call(x, w, t).1)
                .call(x, w),
            2 => {
                let rule = |(x, w): (Var, Var), _: (Var, Var), (dy, dz): (Var, Var)| {
                    let inner = dy * (x * w).tanh_derivative();
                    (inner * w + dy + 2.0 * x * w.sin() * dz, (inner * x).sum() + x.square().sum() * w.cos() * dz)
                };
                custom_vjp(f, rule).call(x, w)
            }
            _ => {
                let rule = |(x, w): (Var, Var), _: (Var, Var), (dx, dw): (Var, Var)| {
                    let inner = (x * w).tanh_derivative() * (dx * w + x * dw);
                    (inner + dx, 2.0 * (x * dx).sum() * w.sin() + x.square().sum() * w.cos() * dw)
                };
                custom_jvp(f, rule).call(x, w)
            }
        };
        vec![y, z]
    }

    /// The derivative of a new function.
    fn derivative(&mut self) -> Var {
        let Some(x) = self.pick_where(|ty| ty.dtype.is_float() && (1..=MAX_IN_LOOP).contains(&ty.size())) else {
            return self.pick();
        };
        let f = |x: Var| {
            let mut body = self.body(&[x]);
            let y = body.pick();
            body.weigh(y).convert(x.dtype())
        };
        match self.choices.below(3) {
            0 => jvp(f).call(x, self.view(x)).1,
            _ => grad(f).call(x),
        }
    }

    /// A Rust `if`.
    fn compare(&mut self) -> Vec<Var> {
        let x = self.pick();
        if self.depth > 0 || !self.may_compare || x.shape().size() == 0 {
            return vec![self.choices.of(&[x.sum(), x])].into_iter().copied().collect();
        }
        let y = x.mean();
        if y > 0.25 { vec![x * 2.0, y] } else { vec![-x, y.exp()] }
    }
}
