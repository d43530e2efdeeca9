//! A cart that holds a pole upright: the optimal control, the length of the pole that is easiest to hold, and derivatives
//! of both through the Riccati equation.
//!
//! `cargo run --release --example lqr`
//!
//! From the equations of motion on, everything is one differentiable function of the pole's length: their linearization by
//! `jacobian`, the motion from sample to sample by `expm`, the cost by `solve_discrete_are`, and the gains by a solution
//! (Anderson and Moore, *Optimal Control: Linear Quadratic Methods*, 1990). Each is held to another way: the equation to the
//! recursion whose limit it is, with the same gradient; the cost to a simulation; the gains to the condition that no others
//! cost less.

#[path = "common/least.rs"]
pub mod least;
#[path = "common/svg.rs"]
pub mod svg;
#[path = "common/target.rs"]
pub mod target;

use std::error::Error;
use std::fs;
use std::path::PathBuf;

use clap::Parser;
use least::least;
use ndarray::{Array1, Array2, array};
use retrograd::value::DType;
use retrograd::{Var, fori_loop, grad, jacobian, jit, linalg, numpy, scan, value_and_grad};
use svg::{Curve, plot};
use target::target;

/// Finds the pole that is easiest to hold, and draws how it is held.
#[derive(Parser)]
struct Args {
    /// Where the drawing is written.
    #[arg(long, value_name = "FILE", default_value_os_t = target("lqr.svg"))]
    out: PathBuf,
}

// Kilograms, meters and seconds. All mass of the pole is at its end.
const CART: f64 = 1.0;
const BOB: f64 = 0.3;
const GRAVITY: f64 = 9.81;
/// Between two samples, in which the force on the cart is constant.
const SAMPLE: f64 = 0.02;

type Outcome = Result<(), Box<dyn Error>>;

fn main() -> Outcome {
    let args = Args::parse();
    check_linearization(0.7)?;
    for length in [0.3f64, 2.0] {
        check_equation(length.ln())?;
        check_gains(length.ln())?;
    }
    let best: f64 = jit(|start: Var| least(unrest, start)).call(0.0)?;
    let cost = jit(value_and_grad(unrest));
    println!("length    cost    slope by ln length");
    for length in [0.1, 0.3, best.exp(), 3.0] {
        let (value, slope): (f64, f64) = cost.call(length.ln())?;
        println!("{length:6.3} {value:7.4} {slope:21.4}");
        let (least, flat): (f64, f64) = cost.call(best)?;
        assert!(flat.abs() < 1e-9 && value >= least, "a pole of {length} is easier to hold than one of {}", best.exp());
    }
    println!("a pole of {:.3} m is the easiest to hold", best.exp());
    fs::write(&args.out, drawing(best)?)?;
    println!("drawn in {}", args.out.display());
    Ok(())
}

// The motion. A state is the place of the cart, its speed, the angle of the pole from the upright, and its speed.

/// What forces, one along the cart's way and one about the pole's foot, give by way of acceleration.
fn accelerations(angle: Var, length: Var, forces: Var) -> Var {
    let coupled = BOB * length * angle.cos();
    let masses = Var::stack(&[angle.full_like(CART + BOB), coupled, coupled, BOB * length * length], 0);
    linalg::solve_positive(masses.reshape(&[2, 2]), forces)
}

fn motion(state: Var, push: Var, length: Var) -> Var {
    let [_, speed, angle, turning] = [0, 1, 2, 3].map(|k| state.index(k));
    let along = push + BOB * length * turning * turning * angle.sin();
    let about = BOB * GRAVITY * length * angle.sin();
    let gained = accelerations(angle, length, Var::stack(&[along, about], 0));
    Var::stack(&[speed, gained.index(0), turning, gained.index(1)], 0)
}

/// A and B of the motion near rest, s' = A s + B u.
fn linearized(length: Var) -> (Var, Var) {
    let (rest, none) = (Var::from(Array1::<f64>::zeros(4)), length.full_like(0.0));
    (
        jacobian(|state: Var| motion(state, none, length)).call(rest),
        jacobian(|u: Var| motion(rest, u, length)).call(none),
    )
}

/// F and G of the motion from sample to sample, s ← F s + G u: blocks of exp([A B; 0 0] t).
fn sampled(log_length: Var) -> (Var, Var) {
    let (a, b) = linearized(log_length.exp());
    let rates = Var::concatenate(&[a, b.reshape(&[4, 1])], 1).pad(0.0, &[0, 0], &[1, 0], &[0, 0]);
    let moved = linalg::expm(SAMPLE * rates).slice(0, ..4);
    (moved.slice(1, ..4), moved.slice(1, 4..))
}

// The control

/// What a sample costs: sᵀ Q s + uᵀ R u.
fn costs() -> (Var, Var) {
    let q = Array2::from_diag(&array![SAMPLE, 0.0, 10.0 * SAMPLE, 0.0]);
    (Var::from(q), Var::from(array![[0.1 * SAMPLE]]))
}

/// P, so that sᵀ P s is the cost of all that comes after s under the optimal control.
fn cost_to_go(f: Var, g: Var) -> Var {
    let (q, r) = costs();
    linalg::solve_discrete_are(f, g, q, r)
}

/// K of the optimal control u = -K s.
fn gains(f: Var, g: Var, p: Var) -> Var {
    let pushed = g.t().dot(p);
    linalg::solve_positive(pushed.dot(g) + costs().1, pushed.dot(f))
}

/// The same P as the limit of what the last n samples cost.
fn by_recursion(f: Var, g: Var) -> Var {
    let q = costs().0;
    fori_loop(2000, q, |_, p| {
        let closed = f - g.dot(gains(f, g, p));
        let next = q + f.t().dot(p).dot(closed);
        0.5 * (next + next.t())
    })
}

/// The covariance of speeds that shoves against the cart and against the bob give, each of a unit in a unit of time.
fn shoves(length: Var) -> Var {
    let (zero, one) = (length.full_like(0.0), length.full_like(1.0));
    let [cart, bob] = [zero, length].map(|torque| {
        let gained = accelerations(zero, length, Var::stack(&[one, torque], 0));
        Var::stack(&[zero, gained.index(0), zero, gained.index(1)], 0)
    });
    numpy::outer(cart, cart) + numpy::outer(bob, bob)
}

/// The cost of holding the pole for a unit of time, where both are shoved at random.
fn unrest(log_length: Var) -> Var {
    let (f, g) = sampled(log_length);
    (cost_to_go(f, g) * shoves(log_length.exp())).sum()
}

// What holds it

fn check_linearization(length: f64) -> Outcome {
    let (a, b): (Array2<f64>, Array1<f64>) = jit(linearized).call(length)?;
    let slope = (CART + BOB) * GRAVITY / (CART * length);
    let by_hand = array![
        [0.0, 1.0, 0.0, 0.0],
        [0.0, 0.0, -BOB * GRAVITY / CART, 0.0],
        [0.0, 0.0, 0.0, 1.0],
        [0.0, 0.0, slope, 0.0]
    ];
    demand("the linearization", a.iter(), by_hand.iter(), 1e-14);
    demand("that by the push", b.iter(), [0.0, 1.0 / CART, 0.0, -1.0 / (CART * length)].iter(), 1e-14);
    Ok(())
}

/// The equation has the solution, and the gradient, of the recursion; and the gradient is that of differences.
fn check_equation(log_length: f64) -> Outcome {
    let weighed = |p: fn(Var, Var) -> Var| {
        move |log_length: Var| {
            let (f, g) = sampled(log_length);
            (p(f, g) * shoves(log_length.exp())).sum()
        }
    };
    let (value, slope): (f64, f64) = jit(value_and_grad(weighed(cost_to_go))).call(log_length)?;
    let (limit, limit_slope): (f64, f64) = jit(value_and_grad(weighed(by_recursion))).call(log_length)?;
    demand("the cost", [value].iter(), [limit].iter(), 1e-10);
    demand("its slope", [slope].iter(), [limit_slope].iter(), 1e-8);

    let of_length = |log_length: Var| {
        let (f, g) = sampled(log_length);
        gains(f, g, cost_to_go(f, g)).at(0)
    };
    let slopes: Array1<f64> = jit(jacobian(of_length)).call(log_length)?;
    let value = jit(of_length);
    let at = |h: f64| value.call::<Array1<f64>>(log_length + h);
    let (wide, narrow) = ((at(2e-3)? - at(-2e-3)?) / 4e-3, (at(1e-3)? - at(-1e-3)?) / 2e-3);
    demand("slopes of the gains", slopes.iter(), ((4.0 * narrow - wide) / 3.0).iter(), 1e-8);
    let gains = at(0.0)?;
    println!("length {:.1}: gains {gains:.3}", log_length.exp());
    println!("  by ln length    {slopes:.3}");
    Ok(())
}

/// What the control costs, sample by sample, is sᵀ P s; and where gains are free, those of the least cost are these: the
/// gradient of the cost, by Lyapunov's equation of the closed loop, vanishes.
fn check_gains(log_length: f64) -> Outcome {
    let simulated = |log_length: Var, start: Var| {
        let ((f, g), (q, r)) = (sampled(log_length), costs());
        let p = cost_to_go(f, g);
        let k = gains(f, g, p);
        let (_, cost) = fori_loop(3000, (start, log_length.full_like(0.0)), |_, (state, cost)| {
            let push = -k.dot(state);
            let spent = state.dot(q.dot(state)) + push.dot(r.dot(push));
            (f.dot(state) + g.dot(push), cost + spent)
        });
        (cost, start.dot(p.dot(start)), k)
    };
    let (spent, promised, k): (f64, f64, Array2<f64>) = jit(simulated).call(log_length, array![0.5, 0.0, 0.1, 0.0])?;
    demand("what is spent", [spent].iter(), [promised].iter(), 1e-10);

    let cost = |k: Var, log_length: Var| {
        let ((f, g), (q, r)) = (sampled(log_length), costs());
        let p = linalg::solve_discrete_lyapunov((f - g.dot(k)).t(), q + k.t().dot(r).dot(k));
        (p * shoves(log_length.exp())).sum()
    };
    let slope = jit(grad(cost));
    let norm = |slope: Array2<f64>| slope.mapv(|x| x * x).sum().sqrt();
    let (at_optimum, beside) = (norm(slope.call(&k, log_length)?), norm(slope.call(&k * 1.01, log_length)?));
    assert!(at_optimum < 1e-6 * beside, "other gains cost less: a slope of {at_optimum}, and {beside} beside it");
    Ok(())
}

/// A tilted pole, under the true equations of motion, by Runge's and Kutta's method.
fn drawing(log_length: f64) -> Result<String, retrograd::Error> {
    const N: usize = 300;
    let run = |log_length: Var, start: Var| {
        let (f, g) = sampled(log_length);
        let (k, length) = (gains(f, g, cost_to_go(f, g)).at(0), log_length.exp());
        let step = |state: Var, _: Var| {
            let push = -k.dot(state);
            let ahead = |h: f64, slope: Var| motion(state + h * slope, push, length);
            let k1 = motion(state, push, length);
            let k2 = ahead(0.5 * SAMPLE, k1);
            let k3 = ahead(0.5 * SAMPLE, k2);
            let k4 = ahead(SAMPLE, k3);
            (state + SAMPLE / 6.0 * (k1 + 2.0 * (k2 + k3) + k4), state)
        };
        scan(start, Var::iota(&[N], 0, DType::F64), step).1
    };
    let states: Array2<f64> = jit(run).call(log_length, array![0.0, 0.0, 0.4, 0.0])?;
    assert!(states.row(N - 1).iter().all(|x| x.abs() < 0.02), "the pole is not held: {}", states.row(N - 1));
    let curve = |label: &str, column: usize| Curve {
        label: label.to_string(),
        points: states.column(column).iter().enumerate().map(|(k, &x)| (SAMPLE * k as f64, x)).collect(),
    };
    Ok(plot("A cart that holds a pole", &[curve("place of the cart", 0), curve("angle of the pole", 2)]))
}

/// Requires numbers to be near others, relative to the largest of these.
fn demand<'x>(what: &str, got: impl Iterator<Item = &'x f64>, expected: impl Iterator<Item = &'x f64>, tolerance: f64) {
    let (got, expected): (Vec<f64>, Vec<f64>) = (got.copied().collect(), expected.copied().collect());
    let scale = expected.iter().fold(0.0f64, |scale, x| scale.max(x.abs()));
    let is_near =
        got.len() == expected.len() && got.iter().zip(&expected).all(|(x, y)| (x - y).abs() <= tolerance * scale);
    assert!(is_near, "{what}: {got:?}, not {expected:?}");
}
