//! retrograd compared with its peers: the workloads of a measuring rig that runs them on other differentiation systems.
//!
//! `peers WORKLOAD FOLDER SECONDS` measures one workload and prints a JSON line for each of its functions, and another
//! for its compilation; for an unknown workload it prints nothing. The folder contains the inputs, as the rig writes
//! them: `manifest.json` with shapes and dtypes, and the raw arrays.
//!
//! Every workload is written as a user would write it, with the public API only. What the rig treats as data is an
//! input of the compiled function, not a constant. The hand also has a second variant, in which everything but its
//! angles is a number in the code, as for CasADi.
//!
//! # What is measured
//! - A call is [`Program::call_into`](retrograd::Program::call_into) with reused buffers, or `call_scalars` if all
//!   inputs and outputs are scalars: its median over samples of at least 2 ms.
//! - `compile` is the time from the Rust function to a callable program, measured once, in a process that has compiled
//!   a trivial function before, as the rig does for its peers. `trace_s`, `differentiate_s`, `optimize_s` and
//!   `compile_s` are its parts. If a derivative is taken within the traced function, `trace_s` covers both, and
//!   `differentiate_s` is null.
//! - `result_value` and `result_checksum` reveal wrong results.

mod arrays;
#[path = "../../examples/common/circuit.rs"]
mod circuit;
mod curves;
mod learning;
mod matrices;
mod quantum;
mod rig;
mod robot;
mod spectra;
mod vision;

use std::env;
use std::error::Error;
use std::process::ExitCode;

use rig::Rig;

const USAGE: &str = "\
This bench runs under the rig that measures the peers, once for each workload:
    cargo build --release --bench peers
    python bench_peers.py --external 'retrograd=target/release/deps/peers-…'
By hand it takes a workload, a folder with its inputs (bench_peers.py --dump-inputs), and seconds for each measurement:
    cargo bench --bench peers -- lv_rk4_1000 inputs/lv_rk4_1000 0.5";

fn main() -> ExitCode {
    let args: Vec<String> = env::args().skip(1).filter(|arg| arg != "--bench").collect();
    let [workload, folder, budget] = args.as_slice() else {
        println!("{USAGE}");
        return ExitCode::SUCCESS;
    };
    match run(workload, folder, budget) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{workload}: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Measures a workload of the family that its name begins with.
fn run(workload: &str, folder: &str, budget: &str) -> Result<(), Box<dyn Error>> {
    let family = workload.split('_').next().unwrap_or(workload);
    let measure: fn(&Rig) -> Result<(), Box<dyn Error>> = match family {
        "taylor" => curves::measure_taylor_sine,
        "rosenbrock" => curves::measure_rosenbrock,
        "chain" => curves::measure_chain,
        "lv" => curves::measure_lotka_volterra,
        "logreg" => learning::measure_logistic_regression,
        "pergrad" => learning::measure_per_example,
        "mlp" => learning::measure_mlp,
        "gmm" => learning::measure_mixture,
        "lstm" => learning::measure_lstm,
        "adlstm" => learning::measure_diagonal_lstm,
        "ba1" | "ba2" => vision::measure_bundle_adjustment,
        "hand1" | "hand6" => vision::measure_hand,
        "conv" => arrays::measure_conv,
        "embed" => arrays::measure_embedding,
        "cvar" => arrays::measure_value_at_risk,
        "gp" => matrices::measure_gaussian_process,
        "eigh" => matrices::measure_eigenvalues,
        "svd" => matrices::measure_singular_values,
        "quantum" => quantum::measure_circuit,
        "spectral" => spectra::measure_filter,
        "rnea7" => robot::measure_dynamics,
        "fk7" => robot::measure_kinematics,
        _ => return Ok(()),
    };
    measure(&Rig::open(workload, folder, budget)?)
}
