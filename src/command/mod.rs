//! The verbs of the command, one file each, and what they share.

mod check;
mod diff;
mod grad;
mod limits;
mod names;
mod ops;
mod optimize;
mod output;
mod pages;
mod passes;
mod run;
mod show;

pub use check::Check;
pub use diff::Diff;
pub use grad::Grad;
pub use ops::Ops;
pub use optimize::Optimize;
pub use pages::{Completions, Man};
pub use run::Run;
pub use show::Show;
