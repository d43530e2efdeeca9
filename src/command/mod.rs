//! The verbs of the command, one file each, and what they share.

mod check;
mod grad;
mod limits;
mod names;
mod output;
mod run;
mod show;

pub use check::Check;
pub use grad::Grad;
pub use run::Run;
pub use show::Show;
