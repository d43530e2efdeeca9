//! Neither what is given to a compiled function nor what is wanted of it is a tree of arrays.
use retrograd::{Var, jit};

fn main() {
    let f = jit(|x: Var| x * x);
    let _: String = f.call(1.0).unwrap();
    let _: f64 = f.call("1.0").unwrap();
}
