//! Powers of two by which a matrix is multiplied before it is decomposed, so that squares of its elements neither
//! overflow nor vanish.

use super::{Real, largest};

/// A copy of the elements times a power of two, and what undoes the factor. The product is exact but for elements that
/// are smaller than the largest by more than numbers of the type can tell.
pub(super) fn scaled<T: Real>(elements: &[T]) -> (Vec<T>, T) {
    let factor = factor(elements);
    let undo = num_traits::Float::recip(factor);
    (elements.iter().map(|&x| x.times(factor)).collect(), undo)
}

/// Undoes the factor.
pub(super) fn unscale<T: Real>(elements: &mut [T], undo: T) {
    elements.iter_mut().for_each(|x| *x = x.times(undo));
}

/// A power of two that has a reciprocal: 1 unless squares come near the ends of the range.
fn factor<T: Real>(elements: &[T]) -> T {
    let largest: f64 = num_traits::ToPrimitive::to_f64(&largest(elements)).expect("bug: a float that is no f64");
    let (harmless, most) = if size_of::<T>() == size_of::<f32>() { (30, 100) } else { (300, 1000) };
    // The exponent of a normal number; that of a subnormal one lies below all others.
    let exponent = ((largest.to_bits() >> 52) & 0x7ff) as i32 - 1023;
    let is_harmless = largest == 0.0 || exponent.abs() <= harmless;
    let power = if is_harmless { 0 } else { (-exponent).clamp(-most, most) };
    num_traits::NumCast::from(2f64.powi(power)).expect("bug: a power of two beyond the type")
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
        for largest in [1e-45f32, 1e-30, 1.0, f32::MAX] {
            let (scaled, undo) = scaled(&[largest]);
            assert_eq!(scaled[0] * undo, largest);
            assert!((1e-16..1e16).contains(&scaled[0]), "{largest}: {}", scaled[0]);
        }
    }
}
