use std::collections::HashSet;

use retrograd::error::DerivativeError;
use retrograd::ir::NodeId;
use retrograd::op::Op;
use retrograd::op::internals::Lowering;
use retrograd::value::{Array, DType, Type};
use retrograd::{Error, Graph, differentiate};

use super::differences::{Verdict, compare};
use super::points::{births, decisions, is_singular, loses_slopes, overflows, slopes_overflow};
use super::walk::{Datum, walk};
use super::{Agreed, Finding, Form, Oracle, Run, floats, reals};
use crate::case::{Case, Draw, draw};
use crate::choices::Random;

/// Larger Hessians take too long to compute each time.
const MAX_HESSIAN: usize = 6;

/// Checks of the first and some of the second derivatives of a program.
impl Oracle {
    pub(super) fn derivatives(&self, case: &Case, primal: &Agreed) -> Result<(), Box<Finding>> {
        let (wrt, of) = (case.float_inputs(), case.float_outputs());
        if wrt.is_empty() || of.is_empty() {
            return Ok(());
        }
        let site = Site::new(case, primal, &wrt, &of);
        let Some(forward) = self.transformed(&site, "jvp", |graph| differentiate::jvp_of(graph, &of, &wrt))? else {
            return Ok(());
        };
        let Some(reverse) = self.transformed(&site, "vjp", |graph| differentiate::vjp_of(graph, &of, &wrt))? else {
            return Ok(());
        };
        let tangents = self.drawn(&site.types_in);
        let cts = self.drawn(&site.types_out);
        let jt = self.evaluate("jvp", forward, &[&case.inputs[..], &tangents].concat(), primal, of.len())?;
        let jct = self.evaluate("vjp", reverse, &[&case.inputs[..], &cts].concat(), primal, wrt.len())?;
        let (Some(jt), Some(jct)) = (jt, jct) else { return Ok(()) };
        self.products("vjp", &site, &jt.times(&cts), &jct.times(&tangents))?;
        self.slopes("jvp", &site, primal, &tangents, &jt.times(&cts))?;
        if let Some(loss) = case.loss {
            self.of_loss(case, &site, loss, primal)?;
        }
        if self.random.below(6) == 0 {
            self.series(&site, &tangents, primal, &jt)?;
        }
        Ok(())
    }

    /// A power series along tangents, whose first coefficients are those of forward mode.
    fn series(
        &self,
        site: &Site<'_>,
        tangents: &[Array],
        primal: &Agreed,
        forward: &Derivative,
    ) -> Result<(), Box<Finding>> {
        const ORDER: usize = 3;
        let by = |graph: &Graph| differentiate::taylor_of(graph, &site.of, ORDER, &site.wrt);
        let Some(series) = self.transformed(site, "taylor", by)? else { return Ok(()) };
        let inputs = [&site.case.inputs[..], tangents].concat();
        let Some(series) = self.evaluate("taylor", series, &inputs, primal, ORDER * site.of.len())? else {
            return Ok(());
        };
        let mut firsts = series.values.iter().step_by(ORDER).zip(&forward.values);
        match firsts.find(|(first, tangent)| !first.same_bits(tangent)) {
            None => Ok(()),
            Some((first, tangent)) => {
                let detail = format!("the coefficient {first}, the tangent {tangent}");
                Err(site.finding("taylor", "the first coefficient is not the tangent", detail, &series.graph))
            }
        }
    }

    /// The gradient of a scalar, and a derivative of that gradient.
    fn of_loss(&self, case: &Case, site: &Site<'_>, loss: usize, primal: &Agreed) -> Result<(), Box<Finding>> {
        let wrt = &site.wrt;
        let n: usize = site.types_in.iter().map(Type::size).sum();
        let form = self.random.below(12);
        if form < 2 && n <= MAX_HESSIAN {
            if let Some(hessian) =
                self.transformed(site, "hessian", |graph| differentiate::hessian(graph, loss, wrt))?
            {
                self.evaluate("hessian", hessian, &case.inputs, primal, wrt.len() * wrt.len())?;
            }
            return Ok(());
        }
        if form > 3 {
            return Ok(());
        }
        let Some(gradient) = self.transformed(site, "grad", |graph| differentiate::grad(graph, loss, wrt))? else {
            return Ok(());
        };
        let Some(agreed) = self.agreed("grad", &gradient, &case.inputs, &[Form::Optimized])? else { return Ok(()) };
        // The gradient is a program like any other: forward and reverse mode are applied to it, and differences.
        let n_primal = case.graph.outputs().len();
        let slopes: Vec<usize> = (n_primal..n_primal + wrt.len()).collect();
        let second = Case { graph: gradient, inputs: case.inputs.clone(), loss: None };
        let site = Site::new(&second, &agreed, wrt, &slopes);
        let Some(over) = self.transformed(&site, "jvp of grad", |graph| differentiate::jvp_of(graph, &slopes, wrt))?
        else {
            return Ok(());
        };
        let (tangents, cts) = (self.drawn(&site.types_in), self.drawn(&site.types_out));
        let inputs = [&case.inputs[..], &tangents].concat();
        let Some(ht) = self.evaluate("jvp of grad", over, &inputs, &agreed, wrt.len())? else { return Ok(()) };
        self.slopes("jvp of grad", &site, &agreed, &tangents, &ht.times(&cts))?;
        let back = self.transformed(&site, "vjp of grad", |graph| differentiate::vjp_of(graph, &slopes, wrt))?;
        let Some(back) = back else { return Ok(()) };
        let inputs = [&case.inputs[..], &cts].concat();
        let Some(hct) = self.evaluate("vjp of grad", back, &inputs, &agreed, wrt.len())? else { return Ok(()) };
        self.products("vjp of grad", &site, &ht.times(&cts), &hct.times(&tangents))
    }

    /// The derivative of a graph; `None` if an operation reports that it has none.
    fn transformed(
        &self,
        site: &Site<'_>,
        what: &str,
        by: impl FnOnce(&Graph) -> Result<Graph, Error>,
    ) -> Result<Option<Graph>, Box<Finding>> {
        let run = Run::of(what, &site.case.graph, &site.case.inputs);
        match run.attempt("differentiate", || by(&site.case.graph))? {
            Ok(graph) => Ok(Some(graph)),
            Err(Error::Derivative(DerivativeError::NoRule { .. })) => Ok(None),
            Err(error) => Err(run.finding("differentiate fails", error.to_string())),
        }
    }

    fn agreed(
        &self,
        what: &str,
        graph: &Graph,
        inputs: &[Array],
        forms: &[Form],
    ) -> Result<Option<Agreed>, Box<Finding>> {
        self.count(|counts| counts.derivatives += 1);
        match self.agree(what, graph, inputs, forms)? {
            Ok(agreed) => Ok(Some(agreed)),
            Err(error) => {
                Err(Run::of(what, graph, inputs).finding("the derivative ends in an error", error.to_string()))
            }
        }
    }

    /// The last `n` outputs of a derivative; checks that its first outputs equal those of the primal graph, bit for
    /// bit.
    fn evaluate(
        &self,
        what: &str,
        graph: Graph,
        inputs: &[Array],
        primal: &Agreed,
        n: usize,
    ) -> Result<Option<Derivative>, Box<Finding>> {
        // Forward mode is less of a test for the compiler than reverse mode.
        const OFTEN: [&[Form]; 3] = [&[Form::Optimized], &[Form::Optimized], &[Form::Raw]];
        const SELDOM: [&[Form]; 3] = [&[Form::Optimized], &[Form::Raw], &[]];
        let forms = *self.of(if matches!(what, "vjp" | "hessian") { &OFTEN } else { &SELDOM });
        let Some(mut agreed) = self.agreed(what, &graph, inputs, forms)? else { return Ok(None) };
        let values = agreed.outputs.split_off(agreed.outputs.len() - n);
        let same = agreed.outputs.iter().zip(&primal.outputs).all(|(x, y)| x.same_bits(y));
        if same {
            return Ok(Some(Derivative { values, agreed, graph, inputs: inputs.to_vec() }));
        }
        let run = Run::of(what, &graph, inputs);
        Err(run.finding("the primal outputs differ from those of the program", String::new()))
    }

    fn drawn(&self, types: &[Type]) -> Vec<Array> {
        types.iter().map(|ty| draw(&self.random, ty, Draw::Uniform(-1.0, 1.0))).collect()
    }

    /// Checks ⟨ct, J t⟩ = ⟨Jᵀ ct, t⟩ up to rounding, which is amplified where large numbers cancel. The amplification
    /// is estimated from the products at points that differ by a few units in the last place.
    fn products(
        &self,
        what: &str,
        site: &Site<'_>,
        forward: &Product<'_>,
        reverse: &Product<'_>,
    ) -> Result<(), Box<Finding>> {
        if !self.judges {
            return Ok(());
        }
        let (x, y, graph) = (forward.sum, reverse.sum, &reverse.of.graph);
        let detail = format!("forward {:?}, reverse {:?}, terms up to {:e}", x.value, y.value, x.size.max(y.size));
        if !x.size.is_finite() || !y.size.is_finite() {
            // The result of forward mode has been compared with differences.
            let only_reverse = x.size.is_finite() && !y.size.is_finite() && site.is_judged;
            return match only_reverse
                && self.noise(site, [forward, reverse]).is_some()
                && !self.may_be_infinite(site, reverse)
            {
                true => Err(site.finding(what, "reverse mode is not finite, but forward mode is", detail, graph)),
                false => Ok(()),
            };
        }
        self.count(|counts| counts.products += 1);
        let (scale, apart) = (x.size.max(y.size), (x.value - y.value).abs());
        // Below the second limit, all of it may be the rounding of numbers of the magnitude of tangents and cotangents.
        if apart <= if site.has_f32 { 1e-4 } else { 1e-10 } * scale + 1e-13 {
            return Ok(());
        }
        match self.noise(site, [forward, reverse]) {
            Some(noise)
                if apart > 1e-9 * scale + 1e3 * noise
                    && apart > 1e3 * self.rounding(site, forward).max(self.rounding(site, reverse)) =>
            {
                Err(site.finding(what, "forward and reverse mode differ", detail, graph))
            }
            _ => Ok(()),
        }
    }

    /// The variation of the products between points that are nearly equal; `None` if some are finite and others are
    /// not.
    fn noise(&self, site: &Site<'_>, products: [&Product<'_>; 2]) -> Option<f64> {
        let mut noise = 0.0f64;
        for _ in 0..6 {
            for product in products {
                let near = product.near(site, &self.random)?;
                if near.is_finite() != product.sum.value.is_finite() {
                    return None;
                }
                if near.is_finite() {
                    noise = noise.max((near - product.sum.value).abs());
                }
            }
        }
        Some(noise)
    }

    /// The variation of a product if the rounding of every operation on tangents or cotangents is randomized (Monte
    /// Carlo arithmetic: Parker 1997). This also reveals rounding errors that are the same at all points nearby, such
    /// as those of a telescoping sum.
    fn rounding(&self, site: &Site<'_>, product: &Product<'_>) -> f64 {
        let n_primal = site.case.inputs.len();
        let mut rounding = 0.0f64;
        for _ in 0..6 {
            let inputs = product.of.inputs.iter().enumerate().map(|(k, x)| Datum::new(x.clone(), k >= n_primal));
            let outputs = walk(&product.of.graph, inputs.collect(), &mut |step| {
                if step.is_linear && !matches!(step.op.lower(), Lowering::View(_)) {
                    for y in step.results {
                        if let Some(shaken) = shaken(y, &self.random, y.dtype() == DType::F32) {
                            *y = shaken;
                        }
                    }
                }
            });
            let Some(outputs) = outputs else { continue };
            let last = &outputs[outputs.len() - product.of.values.len()..];
            let values: Vec<Array> = last.iter().filter_map(Datum::array).cloned().collect();
            rounding = rounding.max((dot(product.with, &values).value - product.sum.value).abs());
        }
        rounding
    }

    /// Whether a derivative may be infinite or NaN: no zero has become infinite or NaN, unless the program itself
    /// overflows, and if another number has, either it overflowed, or its slope did, or the program is singular at the
    /// point: the chain rule does not apply there, although the program as a whole may be smooth, because the factor of an
    /// infinite slope vanishes.
    fn may_be_infinite(&self, site: &Site<'_>, product: &Product<'_>) -> bool {
        let case = site.case;
        let births = births(&product.of.graph, &product.of.inputs, case.inputs.len());
        births.is_some_and(|births| {
            let by_slopes_alone = births.by_slopes && !births.by_overflow;
            let may_annihilate = !births.of_zeros || overflows(&case.graph, &case.inputs);
            may_annihilate
                && (!by_slopes_alone
                    || is_singular(&case.graph, &case.inputs, &self.random)
                    || slopes_overflow(&product.of.graph, &product.of.inputs, case.inputs.len()))
        })
    }

    /// Compares the derivative along a line with differences along it.
    fn slopes(
        &self,
        what: &str,
        site: &Site<'_>,
        primal: &Agreed,
        tangents: &[Array],
        product: &Product<'_>,
    ) -> Result<(), Box<Finding>> {
        if !self.judges || site.has_f32 || !site.is_judged {
            return Ok(());
        }
        let value = |h: f64| {
            let outputs = primal.at(&site.case.graph, &site.along(tangents, h)?)?;
            let chosen: Vec<Array> = site.of.iter().map(|&k| outputs[k].clone()).collect();
            Some(dot(product.with, &chosen).value)
        };
        let claimed = product.sum.value;
        let verdict = match compare(claimed, value) {
            Verdict::Differs { .. } => compare(claimed, |h| if site.jumps(tangents, h) { None } else { value(h) }),
            verdict => verdict,
        };
        match verdict {
            Verdict::Agrees => self.count(|counts| counts.differences += 1),
            Verdict::Unclear => {}
            Verdict::Differs { by_differences, error } => {
                let detail = format!("{claimed:?}, but {by_differences:?} ± {error:e} by differences");
                let apart = (by_differences - claimed).abs();
                if !claimed.is_finite() {
                    if self.noise(site, [product, product]).is_some() && !self.may_be_infinite(site, product) {
                        let kind = "the derivative is not finite, but differences are";
                        return Err(site.finding(what, kind, detail, &product.of.graph));
                    }
                } else if site.is_generic
                    && self.is_steady(site, product, tangents, apart)
                    && !loses_slopes(&product.of.graph, &product.of.inputs, site.case.inputs.len())
                {
                    let kind = "the derivative differs from differences";
                    return Err(site.finding(what, kind, detail, &product.of.graph));
                }
            }
        }
        Ok(())
    }

    /// Whether the derivative varies slowly enough for differences: along the line, its curvature is far less than its
    /// distance from them, and its change is small; and between nearly equal points, it varies far less.
    fn is_steady(&self, site: &Site<'_>, product: &Product<'_>, tangents: &[Array], apart: f64) -> bool {
        let claimed = product.sum.value;
        let is_slow = |h: f64| {
            let (right, left) = (product.along(site, tangents, h), product.along(site, tangents, -h));
            right.zip(left).is_some_and(|(right, left)| {
                let (bend, change) = ((right - claimed) - (claimed - left), right - left);
                bend.abs() <= apart / 4.0 && change.abs() <= (apart / 2.0).max(0.1 * claimed.abs())
            })
        };
        let noise = self.noise(site, [product, product]).map(|noise| noise.max(self.rounding(site, product)));
        noise.is_some_and(|noise| apart > 1e3 * noise) && [3e-4, 1e-4, 1e-5].into_iter().all(is_slow)
    }
}

/// The point at which derivatives are taken, with the inputs and outputs concerned.
struct Site<'s> {
    case: &'s Case,
    wrt: Vec<usize>,
    of: Vec<usize>,
    types_in: Vec<Type>,
    types_out: Vec<Type>,
    /// Whether any value is an `f32`, which is too coarse for differences.
    has_f32: bool,
    /// Whether derivatives can be compared with differences: nothing was declared to be constant, and the point is
    /// inside of the domain, with inputs of moderate magnitude and finite outputs.
    is_judged: bool,
    /// Whether no input is 0 and no two are equal, so that the point is not at a kink by coincidence.
    is_generic: bool,
}

impl<'s> Site<'s> {
    fn new(case: &'s Case, primal: &Agreed, wrt: &[usize], of: &[usize]) -> Site<'s> {
        let ty = |k: &usize| case.graph.ty(case.graph.outputs()[*k].value).clone();
        let mut nodes = Nodes::default();
        nodes.visit(&case.graph);
        let is_within = |x: &Array, limit: f64| reals(x).iter().all(|x| x.abs() <= limit);
        let is_inside = case.inputs.iter().all(|x| is_within(x, 1e6))
            && of.iter().all(|&k| is_within(&primal.outputs[k], f64::MAX));
        Site {
            case,
            wrt: wrt.to_vec(),
            of: of.to_vec(),
            types_in: wrt.iter().map(|&k| case.inputs[k].ty()).collect(),
            types_out: of.iter().map(ty).collect(),
            has_f32: nodes.has_f32,
            is_judged: !nodes.stops && is_inside,
            is_generic: is_generic(wrt.iter().map(|&k| &case.inputs[k])),
        }
    }

    /// The inputs at a point along the line.
    fn along(&self, tangents: &[Array], h: f64) -> Option<Vec<Array>> {
        let mut inputs = self.case.inputs.clone();
        for (&k, t) in self.wrt.iter().zip(tangents) {
            inputs[k] = moved(&inputs[k], h, t)?;
        }
        Some(inputs)
    }

    /// Whether the program makes other decisions at a point along the line than at the point itself.
    fn jumps(&self, tangents: &[Array], h: f64) -> bool {
        let there = self.along(tangents, h).and_then(|inputs| decisions(&self.case.graph, &inputs));
        there.is_none() || there != decisions(&self.case.graph, &self.case.inputs)
    }

    fn finding(&self, what: &str, kind: &str, detail: String, graph: &Graph) -> Box<Finding> {
        let mut finding = Run::of(what, &self.case.graph, &self.case.inputs).finding(kind, detail);
        finding.detail.push_str(&format!("\n{graph}"));
        finding
    }
}

fn is_generic<'a>(inputs: impl Iterator<Item = &'a Array>) -> bool {
    let mut known = HashSet::new();
    inputs.flat_map(reals).all(|x| x != 0.0 && known.insert(x.abs().to_bits()))
}

/// Properties of a graph and its regions.
#[derive(Default)]
struct Nodes {
    has_f32: bool,
    stops: bool,
}

impl Nodes {
    fn visit(&mut self, graph: &Graph) {
        for id in graph.ids() {
            self.visit_node(graph, id);
        }
    }

    fn visit_node(&mut self, graph: &Graph, id: NodeId) {
        let node = graph.node(id);
        self.has_f32 |= node.types().iter().any(|ty| ty.dtype == DType::F32);
        // Nor is a function that has a rule of its own what that is the derivative of.
        let is_arbitrary = node.regions().iter().any(|region| region.name() == "arbitrary rule");
        // The derivative of a basis is that of one that turns as little as can be, at constant rank.
        self.stops |= is_arbitrary || matches!(node.op(), Some(Op::StopGradient(_) | Op::NullSpace(_)));
        node.regions().iter().for_each(|region| self.visit(region));
    }
}

/// The values of a derivative, and the program that computes them.
struct Derivative {
    values: Vec<Array>,
    agreed: Agreed,
    graph: Graph,
    inputs: Vec<Array>,
}

impl Derivative {
    /// The derivative contracted with arrays.
    fn times<'d>(&'d self, with: &'d [Array]) -> Product<'d> {
        Product { of: self, with, sum: dot(with, &self.values) }
    }
}

struct Product<'d> {
    of: &'d Derivative,
    with: &'d [Array],
    sum: Sum,
}

impl Product<'_> {
    /// The same with the point, the tangents and the cotangents changed by a few units in the last place: cancellation,
    /// also in a linear function, is then subject to other rounding errors.
    fn near(&self, site: &Site<'_>, random: &Random) -> Option<f64> {
        let mut inputs = self.of.inputs.clone();
        for (k, x) in inputs.iter_mut().enumerate() {
            if site.wrt.contains(&k) || k >= site.case.inputs.len() {
                *x = shaken(x, random, site.has_f32)?;
            }
        }
        let with: Option<Vec<Array>> = self.with.iter().map(|x| shaken(x, random, site.has_f32)).collect();
        let mut outputs = self.of.agreed.at(&self.of.graph, &inputs)?;
        Some(dot(&with?, &outputs.split_off(outputs.len() - self.of.values.len())).value)
    }
}

impl Product<'_> {
    /// The same at a point along the line.
    fn along(&self, site: &Site<'_>, tangents: &[Array], h: f64) -> Option<f64> {
        let inputs = [&site.along(tangents, h)?[..], &self.of.inputs[site.case.inputs.len()..]].concat();
        let mut outputs = self.of.agreed.at(&self.of.graph, &inputs)?;
        Some(dot(self.with, &outputs.split_off(outputs.len() - self.of.values.len())).value)
    }
}

/// The array with each element changed by up to four units in its last place, or in that of an `f32`.
fn shaken(x: &Array, random: &Random, coarsely: bool) -> Option<Array> {
    let unit = if coarsely { f64::from(f32::EPSILON) } else { f64::EPSILON };
    floats(x, |x| x + x * (random.below(9) as f64 - 4.0) * unit)
}

/// A sum of products, and the sum of their absolute values.
#[derive(Clone, Copy, Debug)]
struct Sum {
    value: f64,
    size: f64,
}

fn dot(x: &[Array], y: &[Array]) -> Sum {
    let products = x.iter().zip(y).flat_map(|(x, y)| reals(x).into_iter().zip(reals(y)).map(|(x, y)| x * y));
    products.fold(Sum { value: 0.0, size: 0.0 }, |sum, product| Sum {
        value: sum.value + product,
        size: sum.size + product.abs(),
    })
}

/// `x + h t`.
fn moved(x: &Array, h: f64, t: &Array) -> Option<Array> {
    let elements = x.as_slice::<f64>()?.iter().zip(t.as_slice::<f64>()?).map(|(x, t)| x + h * t).collect();
    Array::from_elements(x.shape(), elements)
}
