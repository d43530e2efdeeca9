//! A gradient of one's own: logsumexp with the rule of its derivative, as in autograd's tutorial.
//!
//! `cargo run --release --example define_gradient`
//!
//! The plain formula, log ∑ exp x, has the gradient exp x / ∑ exp x, which is ∞/∞ where an element is large. The function
//! here is computed relative to its largest element, and its rule is ct · exp(x - logsumexp x), which is never more than
//! ct. The rule stands in the graph and in its file; second derivatives and forward mode come from it.

use std::error::Error;

use ndarray::{Array1, Array2, array};
use retrograd::ir::Limits;
use retrograd::value::Array;
use retrograd::{Graph, Program, Var, custom_vjp, differentiate, grad, hessian, jit, jvp};

fn logsumexp(x: Var) -> Var {
    let function = |x: Var| {
        let largest = x.max_all();
        (x - largest).exp().sum().ln() + largest
    };
    custom_vjp(function, |(x,): (Var,), y: Var, ct: Var| (ct * (x - y).exp(),)).call(x)
}

fn main() -> Result<(), Box<dyn Error>> {
    let plain = |x: Var| x.exp().sum().ln();
    let x = array![0.3, -1.2, 2.0, 0.9];

    // Where the plain formula is sound, both agree, to the second order and in both modes.
    let (own, expected): (Array1<f64>, Array1<f64>) = (jit(grad(logsumexp)).call(&x)?, jit(grad(plain)).call(&x)?);
    assert!(close(own.iter(), expected.iter()));
    let (own, expected): (Array2<f64>, Array2<f64>) =
        (jit(hessian(logsumexp)).call(&x)?, jit(hessian(plain)).call(&x)?);
    assert!(close(own.iter(), expected.iter()));
    let t = array![1.0, 0.5, -0.25, 0.0];
    let (own, expected): ((f64, f64), (f64, f64)) = (jit(jvp(logsumexp)).call(&x, &t)?, jit(jvp(plain)).call(&x, &t)?);
    assert!(close([own.1].iter(), [expected.1].iter()));
    println!("gradient, Hessian and forward mode agree with the plain formula");

    let large = array![1000.0, 999.0, -1000.0];
    let (value, slope): (f64, Array1<f64>) = (jit(logsumexp).call(&large)?, jit(grad(logsumexp)).call(&large)?);
    let lost: f64 = jit(plain).call(&large)?;
    println!("at {large}: {value:.4} with gradient {slope:.4}; the plain formula gives {lost}");
    assert!(lost.is_infinite() && (slope.sum() - 1.0).abs() < 1e-12);

    // The rule goes into the file, and serves whoever differentiates it.
    let text = jit(logsumexp).graph(&large)?.to_json()?;
    let loaded = Graph::from_json(&text, &Limits::default())?;
    let inputs = Array::from_elements([3], large.to_vec()).expect("three elements");
    let outputs = Program::compile(&differentiate::grad(&loaded, 0, &[0])?)?.call(&[inputs])?;
    assert_eq!(outputs[1].as_slice::<f64>(), slope.as_slice());
    println!("a file of {} bytes gives the same gradient", text.len());
    Ok(())
}

fn close<'x>(x: impl Iterator<Item = &'x f64>, y: impl Iterator<Item = &'x f64>) -> bool {
    x.zip(y).all(|(x, y)| (x - y).abs() <= 1e-14)
}
