use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use retrograd::differentiate::{grad, hessian, hvp, jacobian, jvp_of, taylor_of, vjp_of};
use retrograd::error::{ArgumentError, LimitError};
use retrograd::value::Type;
use retrograd::{Error, Graph};

use crate::limits::LimitFlags;
use crate::names::{distinct, input_positions, names_help, output_position, require_some};
use crate::output::{report, usage_error, write};

/// Writes the graph with a derivative of an output appended: the gradient, unless an option asks for another.
#[derive(Args)]
#[command(after_long_help = concat!("\
The new graph has the inputs and outputs of the old one, followed by these, for inputs x and z and an output y:

               more inputs      more outputs
                                x.grad             dy/dx; y is a scalar
  --jvp        x.tangent        y.tangent          the Jacobian times the tangents, forward mode
  --vjp        y.ct             x.ct               the cotangents times the Jacobian, reverse mode
  --jacobian                    y.x.jacobian       dy/dx, of shape [y's shape, x's shape]
  --hessian                     y.x.z.hessian      d²y/dx dz, of shape [x's shape, z's shape]; y is a scalar
  --hvp        x.tangent        x.hvp              the Hessian times the tangents; y is a scalar
  --taylor K   x.tangent        y.taylor.1 … K     coefficients of sᵏ in y(x + s x.tangent): derivatives over k!

If the name is taken, y.x.grad is used instead, and then y.x.grad.2. The result is a graph like any other, so it can be
differentiated again. A result that exceeds the limits is not written, since it could not be read.

", names_help!(), "

Examples:
  retrograd grad loss.json -o loss.grad.json
  retrograd grad loss.json --value --wrt w,t | retrograd show -
  retrograd grad f.json | retrograd grad - --of x.grad | retrograd run - x=2      the second derivative at 2
  retrograd grad f.json --jvp | retrograd run - x=2 x.tangent=1                   the first, in forward mode
  retrograd grad f.json --taylor 9 | retrograd run - x=2 x.tangent=1              the first nine, over their factorials
  retrograd grad loss.json --hessian --wrt w -o curvature.json"))]
pub struct Grad {
    /// The file; `-` is the standard input.
    file: PathBuf,
    /// The output to differentiate; with --jvp, --vjp and --taylor also several [default: the first; with these every
    /// floating-point output].
    #[arg(long, value_name = "OUTPUT")]
    of: Vec<String>,
    /// The inputs to differentiate with respect to, as `w,t` or `w t` [default: every floating-point input].
    #[arg(long, value_name = "INPUT", num_args = 1..)]
    wrt: Vec<String>,
    #[command(flatten)]
    kind: Kind,
    /// Of the old outputs, keep only those that are differentiated.
    #[arg(long)]
    value: bool,
    /// Where to write [default: the standard output].
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    #[command(flatten)]
    limits: LimitFlags,
}

/// Which derivative; without a choice the gradient.
#[derive(Args)]
#[group(multiple = false)]
struct Kind {
    /// Append the Jacobian times tangents, which become inputs.
    #[arg(long, help_heading = "Derivative")]
    jvp: bool,
    /// Append cotangents, which become inputs, times the Jacobian.
    #[arg(long, help_heading = "Derivative")]
    vjp: bool,
    /// Append the Jacobian of an output of any shape.
    #[arg(long, help_heading = "Derivative")]
    jacobian: bool,
    /// Append all second derivatives of a scalar output.
    #[arg(long, help_heading = "Derivative")]
    hessian: bool,
    /// Append the Hessian of a scalar output times tangents, which become inputs.
    #[arg(long, help_heading = "Derivative")]
    hvp: bool,
    /// Append the Taylor coefficients of order 1 to K along tangents, which become inputs.
    #[arg(long, value_name = "K", help_heading = "Derivative")]
    taylor: Option<usize>,
}

impl Kind {
    fn takes_many_outputs(&self) -> bool {
        self.jvp || self.vjp || self.taylor.is_some()
    }
}

impl Grad {
    /// Does what the verb says, and reports what went wrong.
    pub fn run(&self) -> ExitCode {
        if self.of.len() > 1 && !self.kind.takes_many_outputs() {
            usage_error::<Grad>("retrograd grad", "--of takes one output, except with --jvp, --vjp or --taylor");
        }
        report(&self.file, self.work())
    }

    fn work(&self) -> Result<(), Error> {
        let graph = self.limits.load(&self.file)?.into_graph();
        let (of, wrt) = (self.outputs(&graph)?, input_positions(&graph, &self.wrt)?);
        require_some("output", &of)?;
        require_some("input", &wrt)?;
        self.demand_size(&graph, &of, &wrt)?;
        let differentiated = match self.kind {
            Kind { jvp: true, .. } => jvp_of(&graph, &of, &wrt)?,
            Kind { vjp: true, .. } => vjp_of(&graph, &of, &wrt)?,
            Kind { jacobian: true, .. } => jacobian(&graph, of[0], &wrt)?,
            Kind { hessian: true, .. } => hessian(&graph, of[0], &wrt)?,
            Kind { hvp: true, .. } => hvp(&graph, of[0], &wrt)?,
            Kind { taylor: Some(order), .. } => taylor_of(&graph, &of, order, &wrt)?,
            Kind { .. } => grad(&graph, of[0], &wrt)?,
        };
        let n_primal = graph.outputs().len();
        let result = if self.value { only(differentiated, &of, n_primal) } else { differentiated };
        write(self.output.as_deref(), &self.limits.text_of(&result, &self.file)?)
    }

    /// Requires that a Jacobian or Hessian be no larger than a value may be: it is as many passes as it has rows or
    /// columns, so to refuse it afterwards would be late.
    fn demand_size(&self, graph: &Graph, of: &[usize], wrt: &[usize]) -> Result<(), LimitError> {
        let size = |ty: &Type| ty.size() as u64;
        let inputs =
            || wrt.iter().map(|&at| &graph.inputs()[at]).map(|input| (&*input.name, size(graph.ty(input.node.into()))));
        let Some(output) = of.first().and_then(|&at| graph.outputs().get(at)) else { return Ok(()) };
        let (name, rows) = (&output.name, size(graph.ty(output.value)));
        for (input, n) in inputs().filter(|_| self.kind.jacobian) {
            self.limits.demand_elements(rows.saturating_mul(n), format!("{name}.{input}.jacobian"))?;
        }
        for ((x, n), (z, m)) in inputs().filter(|_| self.kind.hessian).flat_map(|x| inputs().map(move |z| (x, z))) {
            self.limits.demand_elements(n.saturating_mul(m), format!("{name}.{x}.{z}.hessian"))?;
        }
        Ok(())
    }

    /// The outputs to differentiate.
    fn outputs(&self, graph: &Graph) -> Result<Vec<usize>, ArgumentError> {
        if !self.kind.takes_many_outputs() {
            return Ok(vec![output_position(graph, self.of.first().map(String::as_str))?]);
        }
        if !self.of.is_empty() {
            return distinct("output", &self.of, graph.outputs().iter().map(|output| &*output.name));
        }
        let is_float = |&at: &usize| graph.ty(graph.outputs()[at].value).dtype.is_float();
        Ok((0..graph.outputs().len()).filter(is_float).collect())
    }
}

/// The graph with only these of its first outputs, and with all later ones.
fn only(mut graph: Graph, of: &[usize], n_primal: usize) -> Graph {
    let outputs = graph.outputs().to_vec();
    graph.clear_outputs();
    for output in of.iter().map(|&at| &outputs[at]).chain(&outputs[n_primal..]) {
        graph.add_output(output.name.clone(), output.value).expect("bug: an output that was one before");
    }
    graph
}
