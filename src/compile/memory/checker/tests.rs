//! Faults that are planted in finished plans. Each must be seen; what is not seen must be harmless, so that the program
//! still gives the interpreter's bits.

use super::super::allocate::allocate;
use super::super::plan::MemoryPlan;
use super::{CheckLimits, PlanFault, check};
use crate::Program;
use crate::compile::abi::{ARENA, Address, FRAME};
use crate::compile::runtime::Hosts;
use crate::compile::schedule::{Item, Kernel, ScalarOp, Schedule};
use crate::differentiate;
use crate::emit::Mode;
use crate::interpret;
use crate::op::{Graph, Var};
use crate::transform::{fori_loop, scan, trace};
use crate::value::{Array, DType, Scalar, Type};

fn f64s(shape: &[usize]) -> Type {
    Type::new(DType::F64, shape)
}

fn gradient(graph: &Graph) -> Graph {
    differentiate::grad(graph, 0, &[0]).unwrap()
}

/// Programs that use every way in which memory is shared.
fn programs() -> Vec<(&'static str, Graph)> {
    let symmetric = |m: Var| {
        let a = m.exp();
        let s = a + a.t();
        (s * s, s - 1.0)
    };
    let assembled = |x: Var| {
        let (y, z) = (x.exp(), x.sin() * 2.0);
        let ones = Var::from(1.0).broadcast_to(&[13]);
        let inner = Var::concatenate(&[y, ones, z], 0);
        let last = inner.sum().broadcast_to(&[1]);
        let all = Var::concatenate(&[inner, z.slice_axis(0, 2, 9, 1), last], 0);
        (all.cumsum(0), (all * all).sum())
    };
    let differences = |x: Var| {
        let y = x.tanh();
        let steps = y.slice_axis(0, 1, 700, 1) - y.slice_axis(0, 0, 699, 1);
        (steps * steps).sum() + (y.reverse(&[0]) * y).exp().sum()
    };
    let products = |a: Var, x: Var| {
        let b = a.matmul(a.t());
        let c = b.matmul(b) - b;
        (c.dot(x).tanh().sum(), c.sum_axes(&[0]))
    };
    let numbers = |x: [Var; 6]| {
        let mut rows: Vec<Var> = (0..60).map(|k| x[k % 6] * x[(k + 1) % 6] + k as f64).collect();
        for k in 1..60 {
            rows[k] = (rows[k] * rows[59 - k]).sin() + rows[k - 1];
        }
        (rows[59], Var::stack(&rows, 0))
    };
    let recurrent = |w: Var, x: Var| {
        let step = |state: Var, x: Var| {
            let next = (w.dot(state) + x).tanh();
            (next, next.sum())
        };
        let (last, sums): (Var, Var) = scan(x.index_axis(0, 0) * 0.0, x, step);
        last.sum() + sums.sum()
    };
    let looped = |x: Var| fori_loop(5, x.exp(), |_, y: Var| (y + y.reverse(&[0])).sin() * 0.5);
    let scalar = DType::F64;
    vec![
        ("symmetric", trace(symmetric, (f64s(&[7, 7]),)).unwrap()),
        ("assembled", trace(assembled, (f64s(&[20]),)).unwrap()),
        ("differences", gradient(&trace(differences, (f64s(&[700]),)).unwrap())),
        ("products", trace(products, (f64s(&[9, 11]), f64s(&[9]))).unwrap()),
        ("numbers", trace(numbers, ([scalar; 6],)).unwrap()),
        ("recurrent", gradient(&trace(recurrent, (f64s(&[14, 14]), f64s(&[6, 14]))).unwrap())),
        ("looped", trace(looped, (f64s(&[50]),)).unwrap()),
    ]
}

fn inputs(graph: &Graph) -> Vec<Array> {
    let each = |(k, ty): (usize, &Type)| {
        Array::collect(ty, (0..ty.size()).map(|i| Scalar::F64((((i + 3 * k) * 37 % 19) as f64) / 8.0 - 1.0)))
    };
    let types: Vec<Type> = graph.inputs().iter().map(|input| graph.ty(input.node.into()).clone()).collect();
    types.iter().enumerate().map(each).collect()
}

/// Whether a plan passes; one that does must still compute what the graph means.
#[track_caller]
fn passes(schedule: Schedule<'_>, plan: MemoryPlan, what: &str) -> bool {
    if check(&schedule, &plan, CheckLimits::default()).is_err() {
        return false;
    }
    let (graph, inputs) = (schedule.graph, inputs(schedule.graph));
    let program = Program::build_allocated(schedule, plan, Mode::default(), Hosts::default()).unwrap().program;
    let (got, expected) = (program.call(&inputs).unwrap(), interpret::run(graph, &inputs).unwrap());
    assert!(got.iter().zip(&expected).all(|(x, y)| x.same_bits(y)), "{what} passes, and is not harmless");
    true
}

#[track_caller]
fn fault(schedule: &Schedule<'_>, plan: &MemoryPlan) -> PlanFault {
    check(schedule, plan, CheckLimits::default()).expect_err("the fault is not seen")
}

fn planned(graph: &Graph) -> (Schedule<'_>, MemoryPlan) {
    let schedule = Schedule::new(graph);
    let plan = allocate(&schedule, false);
    (schedule, plan)
}

/// The root values that have a place in arena or frame.
fn placed(schedule: &Schedule<'_>, plan: &MemoryPlan) -> Vec<(usize, Address)> {
    let place = |id: usize| Some((id, plan.get(id).filter(|place| place.base == ARENA || place.base == FRAME)?));
    (0..schedule.n_values()).filter_map(place).collect()
}

#[test]
fn plans_without_faults_pass() {
    for (name, graph) in programs() {
        let (schedule, plan) = planned(&graph);
        let found = check(&schedule, &plan, CheckLimits::default()).unwrap_or_else(|fault| panic!("{name}: {fault}"));
        assert!(found.n_reads > 50 && found.n_skipped == 0, "{name}: {found:?}");
        assert!(passes(schedule, plan, name));
        let (schedule, plan) = planned(&graph);
        let none = CheckLimits { max_bytes: 0, max_reads: 0 };
        assert!(check(&schedule, &plan, none).unwrap().n_skipped > 0);
    }
}

/// Every value in turn is put where every other one is, and a little beside its own place.
#[test]
fn shared_and_shifted_places_are_seen() {
    for (name, graph) in programs() {
        let (schedule, plan) = planned(&graph);
        let places = placed(&schedule, &plan);
        let (mut n_seen, mut n) = (0, 0);
        for &(id, place) in places.iter().take(40) {
            let near = [-64, -8, -4, 1, 8, 64].map(|distance| place.beyond(distance));
            let others = places.iter().map(|&(_, other)| other).filter(|&other| other != place).take(12);
            for other in near.into_iter().chain(others) {
                let (schedule, mut plan) = planned(&graph);
                plan.misplace(id, Some(other));
                n += 1;
                n_seen += usize::from(!passes(schedule, plan, &format!("{name}: value {id} at {other:?}")));
            }
        }
        assert!(places.is_empty() || 2 * n_seen > n, "{name}: {n_seen} of {n}");
    }
}

#[test]
fn a_value_without_a_place_and_a_place_without_memory_are_seen() {
    for (name, graph) in programs() {
        let (schedule, mut plan) = planned(&graph);
        // An offset that was cut to 32 bits, one beyond the arena, one beyond all buffers.
        for &(id, place) in placed(&schedule, &plan).iter().take(3) {
            let far = [place.beyond(-(1 << 31)), place.beyond(1 << 31), Address { base: 99, offset: 0 }];
            for wrong in far {
                plan.misplace(id, Some(wrong));
                assert!(fault(&schedule, &plan).message.contains("of buffer") || wrong.base == 99, "{name}");
            }
            plan.misplace(id, Some(place));
        }
        if plan.arena_bytes > 0 {
            plan.arena_bytes -= 64;
            fault(&schedule, &plan);
        }
    }
}

/// Every part that is stored, filled or copied is left out in turn.
#[test]
fn missing_stores_are_seen() {
    for (name, graph) in programs() {
        let n_kernels = planned(&graph).0.kernels.len();
        for k in 0..n_kernels {
            for position in 0.. {
                let (mut schedule, plan) = planned(&graph);
                let removed = match &mut schedule.kernels[k] {
                    Kernel::Scalar(code) => {
                        let stores = |op: &ScalarOp| !matches!(op, ScalarOp::Node(_) | ScalarOp::Guard(_));
                        let Some(at) = code.ops.iter().enumerate().filter(|(_, op)| stores(op)).nth(position) else {
                            break;
                        };
                        let at = at.0;
                        code.remove(at)
                    }
                    Kernel::Loop(nest) => {
                        let stores = |item: &Item| matches!(item, Item::Part(_) | Item::Output { .. });
                        let Some(at) = nest.items.iter().enumerate().filter(|(_, item)| stores(item)).nth(position)
                        else {
                            break;
                        };
                        let at = at.0;
                        nest.items.remove(at);
                        nest.items.len()
                    }
                    Kernel::Library(_) | Kernel::Control(_) => break,
                };
                let seen = check(&schedule, &plan, CheckLimits::default()).is_err();
                assert!(seen, "{name}: kernel {k} without its store {position} ({removed} left)");
            }
        }
    }
}

/// Routines and loops that wait for each other change their places.
#[test]
fn an_exchanged_order_is_seen() {
    let mut n = 0;
    for (name, graph) in programs() {
        let (schedule, _) = planned(&graph);
        let as_a_whole = |kernel: &Kernel| matches!(kernel, Kernel::Library(_) | Kernel::Control(_));
        for k in 1..schedule.kernels.len() {
            // A loop knows its own items by its number, so only kernels without any can be exchanged.
            if as_a_whole(&schedule.kernels[k - 1]) && as_a_whole(&schedule.kernels[k]) {
                let (mut schedule, plan) = planned(&graph);
                schedule.kernels.swap(k - 1, k);
                let passes = check(&schedule, &plan, CheckLimits::default()).is_ok();
                n += usize::from(!passes);
                assert!(name != "products" || !passes, "kernels {} and {k} of {name}", k - 1);
            }
        }
    }
    assert!(n > 0);
}

/// A read that is said to find its register, and one that is not.
#[test]
fn wrong_registers_are_seen() {
    let (_, graph) = programs().into_iter().find(|(name, _)| *name == "numbers").unwrap();
    let n_reads: usize = {
        let (_, plan) = planned(&graph);
        plan.spills.values().flatten().map(|spills| spills.reads.len()).sum()
    };
    let mut seen = [0, 0];
    for position in 0..n_reads {
        let (schedule, mut plan) = planned(&graph);
        let mut all = plan.spills.values_mut().flatten().flat_map(|spills| spills.reads.iter_mut());
        let read = all.nth(position).unwrap();
        read.is_hit = !read.is_hit;
        let was_hit = !read.is_hit;
        if !passes(schedule, plan, &format!("read {position}")) {
            seen[usize::from(was_hit)] += 1;
        }
    }
    // What was loaded once is still in some register, so only the first reads of the six inputs need memory. A hit that is
    // taken for a miss is harmless where the element is in memory, too.
    assert!(seen[0] == 6 && seen[1] > 100, "{seen:?} of {n_reads}");
}

#[test]
fn memory_of_loops_that_overlaps_is_seen() {
    for name in ["recurrent", "looped"] {
        let (_, graph) = programs().into_iter().find(|(other, _)| *other == name).unwrap();
        let control = |schedule: &Schedule<'_>| {
            let found = schedule.controls.iter().find(|(_, control)| !control.in_registers);
            found.map(|(&kernel, _)| kernel)
        };
        let kernel = control(&planned(&graph).0).unwrap_or_else(|| panic!("{name} has no loop in memory"));
        let (schedule, mut plan) = planned(&graph);
        plan.controls.get_mut(&kernel).unwrap().merge_copies();
        assert!(fault(&schedule, &plan).message.contains("the carried value 0"), "{name}");
        let (schedule, mut plan) = planned(&graph);
        plan.controls.get_mut(&kernel).unwrap().misplace_table();
        assert!(fault(&schedule, &plan).message.contains("a base table"), "{name}");
        let (schedule, mut plan) = planned(&graph);
        plan.controls.get_mut(&kernel).unwrap().bytes -= 64;
        assert!(fault(&schedule, &plan).message.contains("does not fit"), "{name}");
        // The loop's own memory on top of what it reads, or of what others read later.
        let (schedule, mut plan) = planned(&graph);
        let bytes = plan.scratch[&kernel];
        let live = placed(&schedule, &plan).into_iter().find(|&(_, place)| place.base == ARENA && place != bytes);
        plan.scratch.insert(kernel, live.unwrap().1);
        fault(&schedule, &plan);
    }
}

/// The first kind of fault that came through: the result takes the place of an array of which the same item reads the
/// transpose.
#[test]
fn a_result_in_the_place_of_an_array_that_is_read_elsewhere_is_seen() {
    let (_, graph) = programs().into_iter().find(|(name, _)| *name == "symmetric").unwrap();
    let (schedule, mut plan) = planned(&graph);
    let node = |name: &str| {
        let is_it = |id: &crate::ir::NodeId| graph.node(*id).op().is_some_and(|op| op.name() == name);
        schedule.id(graph.ids().find(is_it).unwrap().into())
    };
    let (a, s) = (node("exp"), node("add"));
    assert_ne!(plan.get(a), plan.get(s), "the mend");
    plan.misplace(s, plan.get(a));
    let message = fault(&schedule, &plan).message;
    assert!(message.contains("written at one index") || message.contains("but finds"), "{message}");
}

/// The second: of a number that stands for many elements one is stored.
#[test]
fn a_number_that_is_stored_once_for_many_is_seen() {
    let (_, graph) = programs().into_iter().find(|(name, _)| *name == "assembled").unwrap();
    let (mut schedule, plan) = planned(&graph);
    let mut n_filled = 0;
    for kernel in &mut schedule.kernels {
        let Kernel::Scalar(code) = kernel else { continue };
        for op in &mut code.ops {
            if let ScalarOp::Fill { n, .. } = op {
                assert_eq!(*n, 13, "the mend");
                (*n, n_filled) = (1, n_filled + 1);
            }
        }
    }
    assert_eq!(n_filled, 1);
    assert!(fault(&schedule, &plan).message.contains("nothing wrote"));
}
