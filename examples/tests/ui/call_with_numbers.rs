//! A derivative is called with numbers, without `jit`.
use retrograd::{Var, grad, jvp};

fn main() {
    let _ = grad(|x: Var| x * x).call(3.0);
    let _ = jvp(|x: Var, y: Var| x * y).call(vec![1.0, 2.0], 3.0, 1.0);
}
