//! Signs that make vectors unique which are determined up to their signs.

use faer::MatRef;

use super::Real;

/// For each column whether it is to be negated, so that the first of its elements that is at least half as large as the
/// largest becomes positive. The largest element itself would often be one of several that differ by rounding alone.
pub(super) fn negated<T: Real>(columns: MatRef<'_, T>) -> Vec<bool> {
    let half = T::ONE / (T::ONE + T::ONE);
    let is_negated = |column: faer::ColRef<'_, T>| {
        let sizes = || column.iter().map(|&x| num_traits::Float::abs(x));
        let largest = sizes().fold(T::ZERO, num_traits::Float::max);
        let leading = column.iter().find(|&&x| num_traits::Float::abs(x) >= half * largest);
        leading.is_some_and(|&x| x < T::ZERO)
    };
    columns.col_iter().map(is_negated).collect()
}

/// `x`, negated if asked for.
pub(super) fn signed<T: Real>(x: T, negate: bool) -> T {
    if negate { T::ZERO - x } else { x }
}
