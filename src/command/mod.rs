//! The verbs of the command, one file each, and what they share.

mod bench;
mod check;
mod check_grad;
mod diff;
mod grad;
mod inputs;
mod limits;
mod minimize;
mod names;
mod numbers;
mod ops;
mod optimize;
mod output;
mod pages;
mod passes;
mod plot;
mod random;
mod roofline;
mod run;
mod show;
mod times;

pub use bench::Bench;
pub use check::Check;
pub use check_grad::CheckGrad;
pub use diff::Diff;
pub use grad::Grad;
pub use minimize::Minimize;
pub use ops::Ops;
pub use optimize::Optimize;
pub use pages::{Completions, Man};
pub use run::Run;
pub use show::Show;
