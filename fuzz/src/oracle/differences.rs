//! Comparison of a derivative with finite differences, which is decided only if the differences are consistent.

/// The number of steps, each half of the previous one.
const N_STEPS: usize = 12;

/// The largest step.
const FIRST_STEP: f64 = 1.0 / 64.0;

/// The result of a comparison with differences.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Verdict {
    /// They agree.
    Agrees,
    /// They differ.
    Differs {
        /// The derivative by differences.
        by_differences: f64,
        /// A bound of its error.
        error: f64,
    },
    /// Undecided: there is a kink, an edge or too much noise.
    Unclear,
}

/// Compares the derivative of a curve at 0 with differences.
///
/// Central differences over steps h and h/2 give, by Richardson extrapolation, an estimate with a fourth-order error;
/// the distance between estimates of neighboring steps bounds the error of the best one. At a kink, the one-sided
/// differences remain distinct for arbitrarily small steps, and central differences, which are between them, mean
/// nothing.
pub(super) fn compare(claimed: f64, curve: impl Fn(f64) -> Option<f64>) -> Verdict {
    let Some(middle) = curve(0.0).filter(|y| y.is_finite()) else { return Verdict::Unclear };
    let mut samples = Vec::with_capacity(N_STEPS);
    for k in 0..N_STEPS {
        let h = FIRST_STEP * 0.5f64.powi(k as i32);
        match (curve(h), curve(-h)) {
            (Some(right), Some(left)) if right.is_finite() && left.is_finite() => samples.push(Sample {
                h,
                central: (right - left) / (2.0 * h),
                sides: (right - middle) / h - (middle - left) / h,
                noise: f64::EPSILON * (right.abs() + left.abs() + middle.abs()) / h,
            }),
            // Far from the point the function may be undefined.
            _ => samples.clear(),
        }
        if samples.len() >= 5 && best(&samples).is_some_and(|best| best.agrees(claimed)) {
            return Verdict::Agrees;
        }
    }
    let Some(best) = best(&samples) else { return Verdict::Unclear };
    if best.agrees(claimed) {
        return Verdict::Agrees;
    }
    let size = best.derivative.abs().max(if claimed.is_finite() { claimed.abs() } else { 0.0 });
    let is_sharp = best.error <= 1e-5 * size.max(best.noise) && best.noise <= 1e-4 * size;
    if is_sharp && is_smooth(&samples, size) {
        Verdict::Differs { by_differences: best.derivative, error: best.error }
    } else {
        Verdict::Unclear
    }
}

struct Sample {
    h: f64,
    central: f64,
    /// The right difference minus the left one, `h φ″` for a smooth function.
    sides: f64,
    noise: f64,
}

struct Estimate {
    derivative: f64,
    error: f64,
    noise: f64,
}

impl Estimate {
    fn agrees(&self, claimed: f64) -> bool {
        let size = self.derivative.abs().max(claimed.abs());
        let (error, noise) = (20.0 * self.error, 200.0 * self.noise + 1e-12);
        // With an uncertainty as large as the value, as at a jump, everything would agree.
        (self.derivative - claimed).abs() <= 1e-6 * size + error + noise && error <= 0.5 * size + noise
    }
}

/// The extrapolation that is closest to its neighbors.
fn best(samples: &[Sample]) -> Option<Estimate> {
    let extrapolated: Vec<f64> =
        samples.windows(2).map(|pair| pair[1].central + (pair[1].central - pair[0].central) / 3.0).collect();
    let spread = |k: usize| {
        let apart = |j: usize| (extrapolated[j] - extrapolated[k]).abs();
        apart(k - 1).max(apart(k + 1))
    };
    let k = (1..extrapolated.len().checked_sub(1)?).min_by(|&a, &b| spread(a).total_cmp(&spread(b)))?;
    Some(Estimate { derivative: extrapolated[k], error: spread(k), noise: samples[k + 1].noise })
}

/// Whether the distance between the one-sided differences is proportional to the step.
fn is_smooth(samples: &[Sample], size: f64) -> bool {
    let mut pairs = samples.windows(2).filter(|pair| pair[0].h < FIRST_STEP / 4.0);
    pairs.all(|pair| {
        let [a, b] = [&pair[0], &pair[1]];
        let noise = 100.0 * b.noise + 1e-9 * size;
        b.sides.abs() <= 0.6 * a.sides.abs() + noise
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn smooth_curves_are_judged() {
        let curve = |h: f64| Some((1.0 + h).exp() * h.cos());
        assert_eq!(compare(1f64.exp(), curve), Verdict::Agrees);
        let Verdict::Differs { by_differences, .. } = compare(2.7, curve) else { panic!("a wrong derivative passed") };
        assert!((by_differences - 1f64.exp()).abs() < 1e-9);
        assert!(matches!(compare(f64::NAN, curve), Verdict::Differs { .. }));
        assert!(matches!(compare(0.0, curve), Verdict::Differs { .. }));
    }

    #[test]
    fn kinks_jumps_and_edges_are_not() {
        assert_eq!(compare(1.0, |h| Some(h.abs() + h * h)), Verdict::Unclear);
        assert_eq!(compare(0.0, |h| Some(h.max(0.0))), Verdict::Unclear);
        assert_eq!(compare(1.0, |h| Some(if h > 0.0 { 1.0 } else { 0.0 })), Verdict::Unclear);
        assert_eq!(compare(1.0, |h| Some(h.sqrt())), Verdict::Unclear);
        assert_eq!(compare(1.0, |h| Some(h.cbrt())), Verdict::Unclear);
        assert_eq!(compare(1.0, |_| None), Verdict::Unclear);
        // A kink nearby invalidates the larger steps, but not the smaller ones.
        assert_eq!(compare(-1.0, |h| Some((h - 0.001).abs())), Verdict::Agrees);
    }
}
