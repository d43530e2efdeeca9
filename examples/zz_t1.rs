use retrograd::value::{Array, DType};
use retrograd::*;
fn main() -> Result<(), Error> {
    let sine = |x: Var| {
        let init = (x, x, x.full_like(1.0));
        while_loop(
            init,
            |(_, term, _)| term.abs().greater(0.001),
            |(sum, term, k)| {
                let term = -term * x * x / ((2.0 * k) * (2.0 * k + 1.0));
                (sum + term, term, k + 1.0)
            },
        )
        .0
    };
    let g = trace(grad(sine), (DType::F64,))?;
    println!("{g}");
    println!("{}", optimize::optimize(&g)?);
    let p = Program::compile(&g)?;
    println!("{:?}", p.call(&[Array::scalar(1.0)])?);
    let h = trace(grad(grad(grad(sine))), (DType::F64,))?;
    let p = Program::compile(&h)?;
    println!("{:?} {}", p.call(&[Array::scalar(1.0)])?, -1f64.cos());
    let text = g.to_json()?;
    let back = Graph::from_json(&text, &Default::default())?;
    assert_eq!(back.to_json()?, text);
    let lv = |p: [Var; 4]| {
        let one = p[0].full_like(1.0);
        let ((x, _y), xs) = {
            let f = |x: Var, y: Var| (p[0] * x - p[1] * x * y, p[2] * x * y - p[3] * y);
            let h = 0.01;
            let step = |_: Var, (x, y): (Var, Var)| {
                let (k1x, k1y) = f(x, y);
                let (k2x, k2y) = f(x + 0.5 * h * k1x, y + 0.5 * h * k1y);
                let (k3x, k3y) = f(x + 0.5 * h * k2x, y + 0.5 * h * k2y);
                let (k4x, k4y) = f(x + h * k3x, y + h * k3y);
                (x + h / 6.0 * (k1x + 2.0 * k2x + 2.0 * k3x + k4x), y + h / 6.0 * (k1y + 2.0 * k2y + 2.0 * k3y + k4y))
            };
            (fori_loop(1000, (one, one), step), 0)
        };
        let _ = xs;
        x
    };
    let g = trace(grad(lv), (vec![DType::F64; 4],))?;
    println!("{}", optimize::optimize(&g)?);
    let gr = jit(grad(lv));
    let d: [f64; 4] = gr.call([1.1, 0.4, 0.1, 0.4])?;
    println!("{d:?}");
    let mut pp = [1.1, 0.4, 0.1, 0.4];
    let f = jit(lv);
    for k in 0..4 {
        let s = pp[k];
        pp[k] = s + 1e-5;
        let a: f64 = f.call(pp)?;
        pp[k] = s - 1e-5;
        let b: f64 = f.call(pp)?;
        pp[k] = s;
        println!("{}", (a - b) / 2e-5);
    }
    let t = std::time::Instant::now();
    for _ in 0..100 {
        let _: [f64; 4] = gr.call(pp)?;
    }
    let tg = t.elapsed() / 100;
    let t = std::time::Instant::now();
    for _ in 0..100 {
        let _: f64 = f.call(pp)?;
    }
    println!("grad {:?} primal {:?}", tg, t.elapsed() / 100);
    Ok(())
}
