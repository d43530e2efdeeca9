//! Where values are: what finds registers, what shares memory, the streams of loop nests; and a checker that replays all of
//! it.

mod allocate;
mod cascade;
mod checker;
mod control;
mod nest;
mod plan;
mod spills;
mod streams;

pub use allocate::allocate;
pub use cascade::{Cascade, CascadeKind};
pub use checker::{CheckLimits, PlanCheck, PlanFault, check, check_plan};
pub use nest::Nest;
pub use plan::{ControlMemory, MemoryPlan, RegionMemory, TILE_BYTES, filler, is_negation};
pub use spills::{Element, Read, Spills, loses_registers, places};
pub use streams::{Action, Fill, FillWith, Operand, Stream, Work};
