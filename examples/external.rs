//! Functions of the host in a graph: a measured table, and a function of a C library, each with its derivative.
//!
//! `cargo run --release --example external`
//!
//! A table of the saturation pressure of water is interpolated by cubic Hermite polynomials through its points; a custom
//! rule takes the slope of the polynomial. Newton's method then finds the temperature at which water boils under 70 kPa.
//! Bessel's function J₀ comes from libm; its derivative is -J₁, which comes from there, too.

use std::error::Error;

use retrograd::{Var, custom_jvp, custom_vjp, external, grad, jit, value_and_grad};

unsafe extern "C" {
    safe fn j0(x: f64) -> f64;
    safe fn j1(x: f64) -> f64;
}

/// Temperatures in degrees Celsius, and pressures in kPa.
const BOILING: [(f64, f64); 6] =
    [(70.0, 31.20), (75.0, 38.60), (80.0, 47.42), (85.0, 57.87), (90.0, 70.18), (95.0, 84.61)];

fn register() -> Result<(), retrograd::Error> {
    external::register("boiling pressure", |operands, results| {
        let x = operands[0].as_slice::<f64>().ok_or("takes f64")?;
        let [values, slopes] = results else { return Err("gives values and slopes".to_string()) };
        let values = values.as_slice_mut::<f64>().ok_or("gives f64")?;
        let slopes = slopes.as_slice_mut::<f64>().ok_or("gives f64")?;
        for (k, &x) in x.iter().enumerate() {
            (values[k], slopes[k]) = interpolate(x).ok_or_else(|| format!("{x} °C is beyond the table"))?;
        }
        Ok(())
    })?;
    for (name, f) in [("j0", j0 as extern "C" fn(f64) -> f64), ("j1", j1)] {
        external::register(name, move |operands, results| {
            let x = operands[0].as_slice::<f64>().ok_or("takes f64")?;
            let y = results[0].as_slice_mut::<f64>().ok_or("gives f64")?;
            y.iter_mut().zip(x).for_each(|(y, &x)| *y = f(x));
            Ok::<(), &str>(())
        })?;
    }
    Ok(())
}

fn boiling_pressure(celsius: Var) -> Var {
    let table = |x: Var| external("boiling pressure", &[x], [x.ty(), x.ty()]);
    custom_jvp(move |x: Var| table(x)[0], move |(x,): (Var,), _, (t,): (Var,)| t * table(x)[1]).call(celsius)
}

fn bessel(x: Var) -> Var {
    let of_c = |name: &'static str| move |x: Var| external(name, &[x], [x.ty()])[0];
    custom_vjp(of_c("j0"), move |(x,): (Var,), _, ct: Var| (-ct * of_c("j1")(x),)).call(x)
}

fn main() -> Result<(), Box<dyn Error>> {
    register()?;

    let excess = jit(value_and_grad(|x: Var| boiling_pressure(x) - 70.0));
    let mut celsius = 85.0;
    for _ in 0..6 {
        let (excess, slope): (f64, f64) = excess.call(celsius)?;
        celsius -= excess / slope;
    }
    let pressure: f64 = jit(boiling_pressure).call(celsius)?;
    assert!((pressure - 70.0).abs() < 1e-10);
    println!("water boils at {celsius:.2} °C under 70 kPa");
    let error = excess.call::<(f64, f64)>(120.0).unwrap_err();
    println!("at 120 °C: {}", error.to_string().lines().next().unwrap_or_default());

    // The first zero of J₀ by Newton's method. The crate has this function itself, to compare with.
    let step = jit(value_and_grad(bessel));
    let mut x = 2.0;
    for _ in 0..6 {
        let (y, slope): (f64, f64) = step.call(x)?;
        x -= y / slope;
    }
    let (own, of_c): (f64, f64) = (jit(grad(Var::bessel_j0)).call(x)?, jit(grad(bessel)).call(x)?);
    assert!((x - 2.404825557695773).abs() < 1e-14 && (own - of_c).abs() < 1e-15);
    println!("J0 is 0 at {x:.12}, with slope {of_c:.12}");
    Ok(())
}

/// Value and slope of the polynomial between the neighbors of `x`, whose slopes at the points come from their neighbors.
fn interpolate(x: f64) -> Option<(f64, f64)> {
    let last = BOILING.len() - 1;
    let k = (0..last).find(|&k| (BOILING[k].0..=BOILING[k + 1].0).contains(&x))?;
    let slope = |k: usize| {
        let (before, after) = (BOILING[k.saturating_sub(1)], BOILING[(k + 1).min(last)]);
        (after.1 - before.1) / (after.0 - before.0)
    };
    let ((x0, y0), (x1, y1)) = (BOILING[k], BOILING[k + 1]);
    let (h, t) = (x1 - x0, (x - x0) / (x1 - x0));
    let (a, b) = (slope(k) * h - (y1 - y0), (y1 - y0) - slope(k + 1) * h);
    let bend = (1.0 - t) * a + t * b;
    let value = (1.0 - t) * y0 + t * y1 + t * (1.0 - t) * bend;
    Some((value, (y1 - y0 + (1.0 - 2.0 * t) * bend + t * (1.0 - t) * (b - a)) / h))
}
