//! A variational circuit of eight qubits; its inputs are the angles, and the transverse field.

use std::error::Error;

use crate::circuit;
use crate::rig::{Case, Rig, What, types};

pub fn measure_circuit(rig: &Rig) -> Result<(), Box<dyn Error>> {
    let inputs = [&rig.args::<1>()?[..], &rig.consts::<1>()?].concat();
    let types = types(&inputs);
    Case::new(rig, "", inputs).scalar(circuit::energy, &types, 1, &[What::Primal, What::ValueAndGrad])
}
