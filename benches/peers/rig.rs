//! The interface to the rig: inputs from files, the rules of timing and of checksums, and a JSON line for each
//! measurement.

use std::error::Error;
use std::fs;
use std::hint::black_box;
use std::path::PathBuf;
use std::thread;
use std::time::Instant;

use retrograd::optimize::{optimize, pass};
use retrograd::transform::{Arguments, Function, Wrt};
use retrograd::value::{Array, ArrayMut, ArrayRef, DType, Tree, Type};
use retrograd::{Arg, Graph, Program, Var, differentiate, hessian, trace};
use serde_json::{Value, json};

/// The quantity that is measured.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum What {
    /// The function itself.
    Primal,
    /// The value and the gradient.
    ValueAndGrad,
    /// The Jacobian, with or without the value.
    Jacobian,
    /// The Hessian alone.
    Hessian,
    /// The Hessian times a vector alone.
    Hvp,
    /// The gradient of each row's loss alone.
    PerExample,
}

impl What {
    fn name(self) -> &'static str {
        match self {
            What::Primal => "primal",
            What::ValueAndGrad => "value_and_grad",
            What::Jacobian => "jacobian",
            What::Hessian => "hessian",
            What::Hvp => "hvp",
            What::PerExample => "per_example",
        }
    }
}

/// One workload: its inputs, and the time budget.
pub struct Rig {
    workload: String,
    folder: PathBuf,
    manifest: Value,
    budget: f64,
}

impl Rig {
    /// Opens the folder with the inputs.
    pub fn open(workload: &str, folder: &str, budget: &str) -> Result<Rig, Box<dyn Error>> {
        let budget =
            budget.parse().map_err(|_| format!("the budget must be a number of seconds, but is {budget:?}"))?;
        let folder = PathBuf::from(folder);
        let path = folder.join("manifest.json");
        let text = fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        let manifest = serde_json::from_str(&text).map_err(|error| format!("{}: {error}", path.display()))?;
        // The one-time cost of the first compilation in a process is not part of a workload.
        Program::compile(&trace(|x: Var| x + 1.0, (DType::F64,))?)?;
        Ok(Rig { workload: workload.to_string(), folder, manifest, budget })
    }

    /// The differentiated arguments of the workload.
    pub fn args<const N: usize>(&self) -> Result<[Array; N], Box<dyn Error>> {
        self.arrays("arg")
    }

    /// Its other arguments.
    pub fn consts<const N: usize>(&self) -> Result<[Array; N], Box<dyn Error>> {
        self.arrays("const")
    }

    /// An array by the name of its file.
    pub fn array(&self, file: &str) -> Result<Array, Box<dyn Error>> {
        let of_file = |entry: &&Value| entry["file"] == file;
        let entries = self.manifest["arrays"].as_array();
        let entry = entries.and_then(|all| all.iter().find(of_file)).ok_or(format!("the manifest has no {file}"))?;
        let shape = integers(&entry["shape"]).ok_or(format!("{file}: the manifest gives no shape"))?;
        let path = self.folder.join(file);
        let bytes = fs::read(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        let ((words, rest), (halves, half_rest)) = (bytes.as_chunks::<8>(), bytes.as_chunks::<4>());
        let array = match entry["dtype"].as_str() {
            Some("<f4") if half_rest.is_empty() => {
                Array::from_elements(shape, halves.iter().map(|&half| f32::from_le_bytes(half)).collect())
            }
            _ if !rest.is_empty() => None,
            Some("<f8") => Array::from_elements(shape, words.iter().map(|&word| f64::from_le_bytes(word)).collect()),
            Some("<i8") => Array::from_elements(shape, words.iter().map(|&word| i64::from_le_bytes(word)).collect()),
            other => return Err(format!("{file}: the dtype must be <f8, <f4 or <i8, but is {other:?}").into()),
        };
        array.ok_or_else(|| format!("{file}: {} bytes do not fill the shape of the manifest", bytes.len()).into())
    }

    /// An integer of the manifest.
    pub fn integer(&self, key: &str) -> Result<usize, Box<dyn Error>> {
        let number = self.manifest[key].as_u64().and_then(|x| usize::try_from(x).ok());
        number.ok_or_else(|| format!("the manifest has no {key}").into())
    }

    /// A list of integers of the manifest; `None` for negative ones.
    pub fn positions(&self, key: &str) -> Result<Vec<Option<usize>>, Box<dyn Error>> {
        let list = self.manifest[key].as_array().ok_or(format!("the manifest has no {key}"))?;
        Ok(list.iter().map(|x| x.as_u64().and_then(|x| usize::try_from(x).ok())).collect())
    }

    fn arrays<const N: usize>(&self, prefix: &str) -> Result<[Array; N], Box<dyn Error>> {
        let arrays = (0..N).map(|k| self.array(&format!("{prefix}{k}.bin"))).collect::<Result<Vec<Array>, _>>()?;
        Ok(arrays.try_into().expect("bug: as many arrays as were asked for"))
    }

    fn line(&self, what: &str, variant: &str, more: Value) {
        let mut line = json!({
            "workload": self.workload, "peer": "retrograd", "threads": 1, "what": what, "variant": variant,
        });
        if let (Value::Object(line), Value::Object(more)) = (&mut line, more) {
            line.extend(more);
        }
        println!("{line}");
    }
}

fn integers(list: &Value) -> Option<Vec<usize>> {
    list.as_array()?.iter().map(|x| usize::try_from(x.as_u64()?).ok()).collect()
}

/// The rows of an array at the given positions.
pub fn gather(array: &Array, positions: &Array) -> Result<Array, Box<dyn Error>> {
    let (elements, positions) = (floats(array), positions.as_slice::<i64>().ok_or("positions must be integers")?);
    let mut shape = array.shape().to_vec();
    let width: usize = shape[1..].iter().product();
    let row = |&place: &i64| {
        let start = width * usize::try_from(place).ok()?;
        elements.get(start..start + width)
    };
    let rows = positions.iter().map(row).collect::<Option<Vec<&[f64]>>>().ok_or("a position is out of range")?;
    shape[0] = rows.len();
    Ok(Array::from_elements(shape, rows.concat()).expect("bug: rows of one width"))
}

/// The types of arrays, one for each argument.
pub fn types(arrays: &[Array]) -> Tree<Type> {
    Tree::Tuple(arrays.iter().map(|array| Tree::Leaf(array.ty())).collect())
}

/// One function of a workload and its derivatives, at the same inputs.
pub struct Case<'a> {
    rig: &'a Rig,
    variant: &'static str,
    inputs: Vec<Array>,
    /// The first element of the value, once it is known.
    value: Option<f64>,
}

impl<'a> Case<'a> {
    pub fn new(rig: &'a Rig, variant: &'static str, inputs: Vec<Array>) -> Case<'a> {
        Case { rig, variant, inputs, value: None }
    }

    /// Measures a scalar function, and derivatives of its traced graph by its first inputs. The Hessian, which is
    /// batched passes for a long argument, is that of the function itself.
    pub fn scalar<F, Args>(
        &mut self,
        f: F,
        types: &Tree<Type>,
        n_args: usize,
        whats: &[What],
    ) -> Result<(), Box<dyn Error>>
    where
        F: Function<Args, Output = Var> + Copy,
        Args: Arguments,
        Arg<0>: Wrt<Args>,
    {
        let wrt: Vec<usize> = (0..n_args).collect();
        self.traced(What::Primal, f, types, 1)?;
        for &what in whats {
            if what == What::Hessian {
                self.traced(what, hessian(f), types, 0)?;
                continue;
            }
            let start = Instant::now();
            let primal = trace(f, types)?;
            let trace_s = start.elapsed().as_secs_f64();
            let start = Instant::now();
            let graph = match what {
                What::Primal => primal,
                What::ValueAndGrad => differentiate::grad(&primal, 0, &wrt)?,
                What::Jacobian => differentiate::jacobian(&primal, 0, &wrt)?,
                What::Hessian | What::PerExample => unreachable!("bug: measured apart"),
                What::Hvp => without_value(differentiate::hvp(&primal, 0, &wrt)?),
            };
            let differentiate_s = start.elapsed().as_secs_f64();
            let inputs = match what {
                What::Hvp => [&self.inputs[..], &[self.rig.array("v.bin")?]].concat(),
                _ => self.inputs.clone(),
            };
            let n_values = usize::from(what != What::Hvp);
            self.finish(what, &graph, (trace_s, Some(differentiate_s)), &inputs, n_values)?;
        }
        Ok(())
    }

    /// Measures a function whose first outputs are the value, followed by the derivatives, without transforming it.
    pub fn traced<F, Args>(
        &mut self,
        what: What,
        f: F,
        types: &Tree<Type>,
        n_values: usize,
    ) -> Result<(), Box<dyn Error>>
    where
        F: Function<Args>,
        Args: Arguments,
    {
        let start = Instant::now();
        let graph = trace(f, types)?;
        let trace_s = start.elapsed().as_secs_f64();
        let differentiate_s = (what == What::Primal).then_some(0.0);
        let inputs = self.inputs.clone();
        self.finish(what, &graph, (trace_s, differentiate_s), &inputs, n_values)
    }

    /// Compiles a graph, and measures its calls.
    fn finish(
        &mut self,
        what: What,
        graph: &Graph,
        (trace_s, differentiate_s): (f64, Option<f64>),
        inputs: &[Array],
        n_values: usize,
    ) -> Result<(), Box<dyn Error>> {
        let start = Instant::now();
        // C compilers contract products and sums by default; here a pass does so.
        let optimized = (pass("fma")?.run)(&optimize(graph)?)?;
        let optimize_s = start.elapsed().as_secs_f64();
        let start = Instant::now();
        let n_optimized = optimized.n_ops();
        let program = Program::compile_tiered(optimized)?;
        let compile_s = start.elapsed().as_secs_f64();
        // Calls are measured after the optimized tier has been compiled.
        while !program.is_final() {
            thread::yield_now();
        }
        let compile = json!({
            "target": what.name(), "seconds": trace_s + differentiate_s.unwrap_or(0.0) + optimize_s + compile_s,
            "trace_s": trace_s, "differentiate_s": differentiate_s, "optimize_s": optimize_s, "compile_s": compile_s,
            "n_ops": graph.n_ops(), "n_optimized": n_optimized, "code_bytes": program.code_bytes(),
            "memory_bytes": program.memory_bytes(),
        });
        self.rig.line("compile", self.variant, compile);
        let (time, outputs) = time_calls(&program, inputs, self.rig.budget)?;
        let outputs: Vec<Array> =
            outputs.iter().map(|output| output.widen(DType::F64).unwrap_or(output.clone())).collect();
        let outputs: Vec<&[f64]> = outputs.iter().map(floats).collect();
        let (values, derivatives) = outputs.split_at(n_values);
        let value = values.first().map(|value| value[0]).or(self.value).ok_or("the primal must be measured first")?;
        let result = match what {
            What::PerExample => row_by_row(derivatives, inputs.last().map_or(1, |x| x.shape()[0])),
            _ if derivatives.is_empty() => values.concat(),
            _ => derivatives.concat(),
        };
        self.value = Some(value);
        let measured = json!({
            "seconds": time.median, "seconds_min": time.min, "repeats": time.repeats, "inner": time.inner,
            "result_value": value, "result_checksum": checksum(&result),
        });
        self.rig.line(what.name(), self.variant, measured);
        Ok(())
    }
}

/// The graph without its first output.
fn without_value(mut graph: Graph) -> Graph {
    let outputs = graph.outputs().to_vec();
    graph.clear_outputs();
    for output in &outputs[1..] {
        graph.add_output(output.name.clone(), output.value).expect("bug: an invalid output of a valid graph");
    }
    graph
}

pub fn floats(array: &Array) -> &[f64] {
    array.as_slice().expect("bug: all results are of f64")
}

/// The rows of several arrays side by side.
fn row_by_row(arrays: &[&[f64]], n: usize) -> Vec<f64> {
    (0..n).flat_map(|row| arrays.iter().flat_map(move |x| &x[row * (x.len() / n)..][..x.len() / n])).copied().collect()
}

fn checksum(result: &[f64]) -> f64 {
    result.iter().enumerate().map(|(k, x)| x * (1 + k % 7) as f64).sum()
}

/// Seconds of one call.
struct Time {
    median: f64,
    min: f64,
    repeats: usize,
    /// Calls in each sample.
    inner: usize,
}

/// Times calls of a program, and returns its outputs.
fn time_calls(program: &Program, inputs: &[Array], budget: f64) -> Result<(Time, Vec<Array>), retrograd::Error> {
    let mut outputs: Vec<Array> = program.outputs().iter().map(|(_, ty)| Array::zeros(ty)).collect();
    let time = if program.scalars_only() {
        let x: Vec<f64> = inputs.iter().map(|input| floats(input)[0]).collect();
        let mut y = vec![0.0; outputs.len()];
        let time = time(budget, || program.call_scalars(black_box(&x), black_box(&mut y)))?;
        outputs = y.into_iter().map(Array::scalar).collect();
        time
    } else {
        let x: Vec<ArrayRef<'_>> = inputs.iter().map(Array::view).collect();
        let mut y: Vec<ArrayMut<'_>> = outputs.iter_mut().map(Array::view_mut).collect();
        time(budget, || program.call_into(black_box(&x), black_box(&mut y)))?
    };
    Ok((time, outputs))
}

/// The rig's rule: two calls to warm up, then samples of at least 2 ms, at least 5 of them and at most 200, until the
/// budget is spent.
fn time(budget: f64, mut call: impl FnMut() -> Result<(), retrograd::Error>) -> Result<Time, retrograd::Error> {
    const SAMPLE: f64 = 2e-3;
    let mut seconds = |calls: usize| {
        let start = Instant::now();
        (0..calls).try_for_each(|_| call()).map(|()| start.elapsed().as_secs_f64() / calls as f64)
    };
    let in_sample = |one: f64| ((SAMPLE / one.max(1e-8)) as usize).max(1);
    let mut one = seconds(1)?;
    if one <= 5.0 {
        one = seconds(1)?;
    }
    let mut inner = in_sample(one);
    if inner > 1 {
        one = seconds(inner)?;
        inner = in_sample(one);
    }
    let (mut samples, start) = (Vec::new(), Instant::now());
    let enough = if one < 3.0 { 5 } else { 2 };
    while samples.len() < 200 && (samples.len() < enough || start.elapsed().as_secs_f64() < budget) {
        samples.push(seconds(inner)?);
    }
    samples.sort_by(f64::total_cmp);
    Ok(Time { median: samples[samples.len() / 2], min: samples[0], repeats: samples.len(), inner })
}
