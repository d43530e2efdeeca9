//! Golden listings: a trace, its gradient and the optimized gradient of a few functions, so that reviews show changes
//! of graphs. `RECORD=1 cargo test --test golden` records them again.

use std::fmt::Write as _;
use std::path::Path;
use std::{env, fs};

use retrograd::optimize::optimize;
use retrograd::value::{DType, Type};
use retrograd::{Graph, Var, differentiate, scan, trace, trace_with, while_loop};

#[test]
fn logistic_loss() {
    let loss = |w: Var, x: Var, target: Var| {
        let p = 0.5 * ((x.dot(w) * 0.5).tanh() + 1.0);
        -(p * target + (1.0 - p) * (1.0 - target)).ln().sum()
    };
    let types = (vector(3), Type::new(DType::F64, [4, 3]), vector(4));
    check("logistic_loss", &trace(loss, types).unwrap(), &[0]);
}

#[test]
fn branch_not_taken() {
    let f = |x: Var| x.greater(0.0).select(x.sqrt(), 0.0 * x);
    check("branch_not_taken", &trace(f, (DType::F64,)).unwrap(), &[0]);
}

#[test]
fn norm() {
    check("norm", &trace(|x: Var, y: Var| (x - y).norm(), (vector(3), DType::F64)).unwrap(), &[0, 1]);
}

#[test]
fn products_of_matrices() {
    let f = |a: Var, b: Var, x: Var| (a.dot(b.dot(x))).sum();
    let types = (Type::new(DType::F64, [2, 3]), Type::new(DType::F64, [3, 4]), vector(4));
    check("products_of_matrices", &trace(f, types).unwrap(), &[0, 1, 2]);
}

#[test]
fn taylor_sine() {
    let f = |x: Var| {
        let (mut sum, mut term, mut i) = (x, x, 0.0);
        while term.abs() > 0.001 {
            term = -term * x * x / ((2.0 * i + 3.0) * (2.0 * i + 2.0));
            sum += term;
            i += 1.0;
        }
        sum
    };
    check("taylor_sine", &trace_with(f, (0.5,)).unwrap(), &[0]);
}

/// A loop whose number of iterations depends on the data: the values that it saves, and the reverse loop.
#[test]
fn newton_root() {
    let f = |x: Var| while_loop(x, |y| (y * y - x).abs().greater(1e-12), |y| 0.5 * (y + x / y));
    check("newton_root", &trace(f, (DType::F64,)).unwrap(), &[0]);
}

/// A loop along rows with loop-invariant weights, whose cotangent is a sum over the iterations.
#[test]
fn recurrence() {
    let f = |w: Var, x: Var| scan(x.index(0), x, |h, x| ((w * h + x).tanh(), h)).0;
    check("recurrence", &trace(f, (DType::F64, vector(4))).unwrap(), &[0, 1]);
}

fn vector(n: usize) -> Type {
    Type::new(DType::F64, [n])
}

/// Compares the three listings with the stored ones.
fn check(name: &str, graph: &Graph, wrt: &[usize]) {
    let gradient = differentiate::grad(graph, 0, wrt).unwrap();
    let optimized = optimize(&gradient).unwrap();
    let mut listing = String::new();
    for (title, graph) in [("trace", graph), ("gradient", &gradient), ("optimized gradient", &optimized)] {
        // Source lines would change with every edit of this file.
        let mut graph = graph.clone();
        graph.strip_source_lines();
        let _ = writeln!(listing, "# {title}\n{graph}");
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(format!("{name}.txt"));
    if env::var_os("RECORD").is_some() {
        return fs::write(&path, listing).unwrap();
    }
    let stored = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        stored == listing,
        "{name}: the listing has changed (RECORD=1 stores the new one)\n{}",
        difference(&stored, &listing)
    );
}

/// The lines that differ, after a longest common subsequence: `-` stored, `+` now.
fn difference(stored: &str, now: &str) -> String {
    let (a, b): (Vec<&str>, Vec<&str>) = (stored.lines().collect(), now.lines().collect());
    // The length of the longest common subsequence of the lines from (i, j) on.
    let mut common = vec![vec![0usize; b.len() + 1]; a.len() + 1];
    for i in (0..a.len()).rev() {
        for j in (0..b.len()).rev() {
            common[i][j] = if a[i] == b[j] { common[i + 1][j + 1] + 1 } else { common[i + 1][j].max(common[i][j + 1]) };
        }
    }
    let (mut i, mut j, mut lines) = (0, 0, String::new());
    while i < a.len() || j < b.len() {
        if i < a.len() && j < b.len() && a[i] == b[j] {
            (i, j) = (i + 1, j + 1);
        } else if j == b.len() || i < a.len() && common[i + 1][j] >= common[i][j + 1] {
            let _ = writeln!(lines, "-{}", a[i]);
            i += 1;
        } else {
            let _ = writeln!(lines, "+{}", b[j]);
            j += 1;
        }
    }
    lines
}

#[test]
fn differences_are_shown_line_by_line() {
    assert_eq!(difference("a\nb\nc\n", "a\nc\nd\n"), "-b\n+d\n");
    assert_eq!(difference("a\n", "a\n"), "");
}
