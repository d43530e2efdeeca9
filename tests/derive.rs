//! Structs as parameters: `#[derive(Tree)]` on both sides of a trace.

use ndarray::{ArrayD, arr0, array};
use retrograd::value::{Array, DType, FromTree, Leaf, ToTree, Tree as Structure, Type};
use retrograd::{
    AllArgs, Error, Tree, Var, VarTree, grad, hessian, hvp, jacobian, jit, jvp, trace, value_and_grad, vjp,
};

#[derive(Clone, Debug, PartialEq, Tree)]
struct Layer<T> {
    w: T,
    b: T,
}

#[derive(Clone, Debug, PartialEq, Tree)]
struct Mlp<T> {
    layers: Vec<Layer<T>>,
    scale: T,
}

/// Two kinds of leaves, a tuple, an array with a const generic length, a raw identifier.
#[derive(Clone, Debug, PartialEq, Tree)]
struct Mixed<A, B: Clone, const N: usize> {
    pair: (A, B),
    r#type: [Pair<B>; N],
    nothing: Nothing,
}

#[derive(Clone, Debug, PartialEq, Tree)]
struct Pair<T: Clone>(T, One<T>);

/// A tuple struct with one field.
#[derive(Clone, Debug, PartialEq, Tree)]
struct One<T>(T)
where
    T: Clone;

#[derive(Clone, Debug, PartialEq, Tree)]
struct Nothing;

fn mixed(k: f64) -> Mixed<f64, f64, 2> {
    let pair = |x| Pair(x, One(10.0 * x));
    Mixed { pair: (k, 2.0 * k), r#type: [pair(3.0 * k), pair(4.0 * k)], nothing: Nothing }
}

/// `Σ cᵢ xᵢ²` over the leaves in order, with cᵢ = 1, 2, …
fn weighted<const N: usize>(x: Mixed<Var, Var, N>) -> Var {
    let mut sum = x.pair.0.square() + 2.0 * x.pair.1.square();
    for (k, Pair(a, One(b))) in x.r#type.iter().enumerate() {
        let k = k as f64;
        sum += (3.0 + 2.0 * k) * a.square() + (4.0 + 2.0 * k) * b.square();
    }
    sum
}

fn network() -> Mlp<ArrayD<f64>> {
    let first =
        Layer { w: array![[0.5, -0.25, 0.1], [1.0, 0.75, -0.3]].into_dyn(), b: array![0.0, 0.1, 0.2].into_dyn() };
    let second = Layer { w: array![[0.5], [-0.5], [0.25]].into_dyn(), b: array![0.3].into_dyn() };
    Mlp { layers: vec![first, second], scale: arr0(2.0).into_dyn() }
}

fn output(mlp: &Mlp<Var>, x: Var) -> Var {
    let y = mlp.layers.iter().fold(x, |x, layer| (x.dot(layer.w) + layer.b).tanh());
    (mlp.scale * y).sum()
}

/// The same function of a tuple, which needs no derive.
fn output_of_tuple((layers, scale): (Vec<(Var, Var)>, Var), x: Var) -> Var {
    let y = layers.iter().fold(x, |x, &(w, b)| (x.dot(w) + b).tanh());
    (scale * y).sum()
}

#[test]
fn gradients_have_the_structure_of_the_parameters() -> Result<(), Error> {
    let (mlp, x) = (network(), array![1.0, -1.0]);
    let f = jit(value_and_grad(|mlp: Mlp<Var>, x: Var| output(&mlp, x)));
    let (value, slope): (f64, Mlp<ArrayD<f64>>) = f.call(&mlp, &x)?;
    let by_value: (f64, Mlp<ArrayD<f64>>) = f.call(mlp.clone(), &x)?;
    assert_eq!(by_value, (value, slope.clone()));
    assert_eq!(f.n_paths(), 1);

    type Tuple<T> = (Vec<(T, T)>, T);
    let layers: Vec<(ArrayD<f64>, ArrayD<f64>)> = mlp.layers.iter().map(|l| (l.w.clone(), l.b.clone())).collect();
    let expected: (f64, Tuple<ArrayD<f64>>) = jit(value_and_grad(output_of_tuple)).call((layers, &mlp.scale), &x)?;
    let (layers, scale) = expected.1;
    assert_eq!(value, expected.0);
    assert_eq!(slope.scale, scale);
    assert_eq!(slope.layers, layers.into_iter().map(|(w, b)| Layer { w, b }).collect::<Vec<_>>());
    assert_eq!(slope.layers[0].w.shape(), [2, 3]);
    assert!(slope.layers.iter().all(|layer| layer.w.iter().chain(&layer.b).any(|&x| x != 0.0)));
    Ok(())
}

#[test]
fn every_leaf_keeps_its_position() -> Result<(), Error> {
    let f = |x: Mixed<Var, Var, 2>| weighted(x);
    let x = mixed(1.0);
    let got: Mixed<f64, f64, 2> = jit(grad(f)).call(&x)?;
    let pair = |a, b| Pair(a, One(b));
    let expected = Mixed { pair: (2.0, 8.0), r#type: [pair(18.0, 240.0), pair(40.0, 480.0)], nothing: Nothing };
    assert_eq!(got, expected);
    let through: Mixed<f64, f64, 2> = jit(|x: Mixed<Var, Var, 2>| x).call(&x)?;
    assert_eq!(through, x);
    Ok(())
}

#[test]
fn every_transformation_takes_structs() -> Result<(), Error> {
    let f = |x: Mixed<Var, Var, 1>| weighted(x);
    let pair = |a, b| Pair(a, One(b));
    let x = Mixed { pair: (1.0, 2.0), r#type: [pair(3.0, 4.0)], nothing: Nothing };
    let t = Mixed { pair: (1.0, 0.0), r#type: [pair(0.0, 1.0)], nothing: Nothing };
    let value = 1.0 + 8.0 + 27.0 + 64.0;
    assert_eq!(jit(jvp(f)).call::<(f64, f64)>(&x, &t)?, (value, 2.0 + 32.0));
    let (primal, pulled): (f64, Mixed<f64, f64, 1>) = jit(vjp(f)).call(&x, 0.5)?;
    let half = Mixed { pair: (1.0, 4.0), r#type: [pair(9.0, 16.0)], nothing: Nothing };
    assert_eq!((primal, pulled), (value, half));
    let curved: Mixed<f64, f64, 1> = jit(hvp(f)).call(&x, &t)?;
    assert_eq!(curved, Mixed { pair: (2.0, 0.0), r#type: [pair(0.0, 8.0)], nothing: Nothing });

    // Each leaf is replaced by a row of the Hessian.
    let rows: Mixed<Mixed<f64, f64, 1>, Mixed<f64, f64, 1>, 1> = jit(hessian(f)).call(&x)?;
    let zero = Mixed { pair: (0.0, 0.0), r#type: [pair(0.0, 0.0)], nothing: Nothing };
    assert_eq!(rows.pair.1, Mixed { pair: (0.0, 4.0), ..zero.clone() });
    assert_eq!(rows.r#type[0].1.0, Mixed { r#type: [pair(0.0, 8.0)], ..zero });

    let g = |p: Layer<Var>, x: Var| Layer { w: p.w * x, b: p.b + x };
    let (by_p, by_x): (Layer<f64>, f64) =
        jit(grad(move |p: Layer<Var>, x: Var| g(p, x).w * 3.0).wrt(AllArgs)).call(Layer { w: 2.0, b: 1.0 }, 5.0)?;
    assert_eq!((by_p, by_x), (Layer { w: 15.0, b: 0.0 }, 6.0));
    let j: Layer<Layer<f64>> = jit(jacobian(g)).call(Layer { w: 2.0, b: 1.0 }, 5.0)?;
    assert_eq!(j, Layer { w: Layer { w: 5.0, b: 0.0 }, b: Layer { w: 0.0, b: 1.0 } });
    Ok(())
}

#[test]
fn leaves_are_named_by_fields() -> Result<(), Error> {
    let names = |leaves: Vec<(String, &Type)>| leaves.into_iter().map(|(name, _)| name).collect::<Vec<_>>();
    let types = mixed(1.0).to_tree().map(&mut |leaf| leaf.ty());
    let expected = ["p.pair.0", "p.pair.1", "p.type.0.0", "p.type.0.1.0", "p.type.1.0", "p.type.1.1.0"];
    assert_eq!(names(types.named_leaves("p")), expected);
    let text = "{pair: (f64[], f64[]), type: [(f64[], (f64[],)), (f64[], (f64[],))], nothing: ()}";
    assert_eq!(types.to_string(), text);

    let scalar = Type::scalar(DType::F64);
    let layer = Layer { w: Type::new(DType::F64, [2, 3]), b: Type::new(DType::F64, [3]) };
    let graph = jit(|mlp: Mlp<Var>, x: Var| Layer { w: output(&mlp, x), b: mlp.scale })
        .arguments(["params", "x"])
        .trace((Mlp { layers: vec![layer], scale: scalar.clone() }, Type::new(DType::F64, [2])))?;
    let inputs: Vec<&str> = graph.inputs().iter().map(|input| &*input.name).collect();
    assert_eq!(inputs, ["params.layers.0.w", "params.layers.0.b", "params.scale", "x"]);
    let outputs: Vec<&str> = graph.outputs().iter().map(|output| &*output.name).collect();
    assert_eq!(outputs, ["out.w", "out.b"]);
    let by_type = trace(|p: Layer<Var>| p.w + p.b, (Layer { w: DType::F64, b: DType::F64 },))?;
    assert_eq!(by_type.inputs().len(), 2);
    Ok(())
}

#[test]
fn mismatched_structures_are_errors() {
    let f = jit(|p: Layer<Var>, x: Var| p.w * x + p.b);
    let what = |error: Error| error.to_string().split_once("\n  at ").unwrap().0.to_string();
    let error = f.call::<f64>((1.0, 2.0), 3.0).unwrap_err();
    assert_eq!(what(error), "argument 0 (x): takes a struct of w and b, but got a tuple of 2");
    let nested = jit(|m: Mlp<Var>| m.scale);
    let wrong = Mlp { layers: vec![Layer { w: (1.0, 2.0), b: (3.0, 4.0) }], scale: (5.0, 6.0) };
    let error = nested.call::<f64>(&wrong).unwrap_err();
    assert_eq!(what(error), "argument 0 (x.layers.0.w): takes one array or number, but got a tuple of 2");
    let out = jit(|x: Var| Layer { w: x, b: x });
    let error = out.call::<Layer<f32>>(1.0).unwrap_err();
    assert_eq!(what(error), "out.w: takes f32[], but got f64[]");
    let error = out.call::<Mlp<f64>>(1.0).unwrap_err();
    assert_eq!(what(error), "out: takes a struct of layers and scale, but got a struct of w and b");
    let error = out.call::<One<f64>>(1.0).unwrap_err();
    assert_eq!(what(error), "out: takes a tuple of 1, but got a struct of w and b");
    let error = jit(|x: Var| x).call::<Nothing>(1.0).unwrap_err();
    assert_eq!(what(error), "out: takes a tuple of 0, but got one array or number");
    // For `jit`, a struct has another structure than a tuple or a struct with other field names.
    let leaf = || Structure::Leaf(Leaf::Array(Array::scalar(1.0)));
    let renamed = Structure::Struct(vec![("w", leaf()), ("c", leaf())]);
    assert!(Layer::<Array>::from_tree(renamed).is_err());
    assert_eq!(f.n_paths(), 0);
}

#[test]
fn a_step_of_an_optimizer_is_a_function_of_structs() -> Result<(), Error> {
    // Gradient descent inside the trace, leaf by leaf.
    let loss = |p: Layer<Var>| (p.w - 3.0).square() + (p.b + 1.0).square();
    let step = jit(move |p: Layer<Var>| p.zip(&grad(loss).call(p.clone()), &mut |x, slope| x - 0.25 * slope));
    let mut p = Layer { w: 0.0, b: 0.0 };
    for _ in 0..60 {
        p = step.call(&p)?;
    }
    assert_eq!(p, Layer { w: 3.0, b: -1.0 });

    // Zipping lists of different lengths is an error, not a silent truncation.
    let f = jit(|a: Vec<Var>, b: Vec<Var>| a.zip(&b, &mut |a, b| a + b));
    assert_eq!(f.call::<Vec<f64>>([1.0, 2.0], [3.0, 4.0])?, [4.0, 6.0]);
    let error = f.call::<Vec<f64>>([1.0, 2.0], [3.0]).unwrap_err().to_string();
    assert!(
        error.starts_with("trace: zip: both trees must have the same structure, but got [f64[], f64[]] and [f64[]]"),
        "{error}"
    );
    assert!(error.contains("tests/derive.rs"), "{error}");
    Ok(())
}
