//! Powers of two by which a matrix is multiplied before it is decomposed, so that squares of its elements neither
//! overflow nor vanish.

use super::largest;

/// A copy of the elements times a power of two, and what undoes the factor. The product is exact but for elements that
/// are smaller than the largest by more than numbers of the type can tell.
pub(super) fn scaled(elements: &[f64]) -> (Vec<f64>, f64) {
    let factor = factor(largest(elements));
    let undo = factor.recip();
    (elements.iter().map(|&x| x * factor).collect(), undo)
}

/// The same of complex numbers, given as their parts.
pub(super) fn scaled_pairs([re, im]: [&[f64]; 2]) -> (Vec<faer::c64>, f64) {
    let factor = factor(largest(re).max(largest(im)));
    let undo = factor.recip();
    (re.iter().zip(im).map(|(&x, &y)| faer::c64::new(x * factor, y * factor)).collect(), undo)
}

/// Undoes the factor.
pub(super) fn unscale(elements: &mut [f64], undo: f64) {
    elements.iter_mut().for_each(|x| *x *= undo);
}

/// Elements of up to these exponents have squares that are far from the ends of the range.
const HARMLESS: i32 = 300;

/// The largest exponent of a factor, which has a reciprocal.
const MOST: i32 = 1000;

/// A power of two that has a reciprocal: 1 unless squares of the largest element come near the ends of the range.
fn factor(largest: f64) -> f64 {
    // The exponent of a normal number; that of a subnormal one lies below all others.
    let exponent = ((largest.to_bits() >> 52) & 0x7ff) as i32 - 1023;
    let is_harmless = largest == 0.0 || exponent.abs() <= HARMLESS;
    let power = if is_harmless { 0 } else { (-exponent).clamp(-MOST, MOST) };
    2f64.powi(power)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn factors_are_exact_powers_of_two() {
        for largest in [0.0, 5e-324, 1e-300, 1e-150, 1.0, 1e150, f64::MAX] {
            let (scaled, undo) = scaled(&[largest, -largest]);
            assert_eq!(scaled[0] * undo, largest);
            assert!(largest == 0.0 || (1e-100..1e100).contains(&scaled[0]), "{largest}: {}", scaled[0]);
        }
    }
}
