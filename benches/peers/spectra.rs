//! Filters of signals by their spectra.

use std::error::Error;

use retrograd::{Complex, Var, fft};

use crate::rig::{Case, Rig, What, types};

/// How far a filtered signal is from another one; the filter is given by its frequency response.
fn misfit(re: Var, im: Var, signal: Var, target: Var) -> Var {
    let error = fft::irfft(fft::rfft(signal) * Complex { re, im }) - target;
    (error * error).mean()
}

pub fn measure_filter(rig: &Rig) -> Result<(), Box<dyn Error>> {
    let inputs = [&rig.args::<2>()?[..], &rig.consts::<2>()?].concat();
    let types = types(&inputs);
    Case::new(rig, "", inputs).scalar(misfit, &types, 2, &[What::Primal, What::ValueAndGrad])
}
