//! The draw of `balanced`: two clusters at random, by weight, and the less loaded of them. Pure.
//!
//! No herd: with old information the least loaded of all attracts everybody at once, the better of two
//! does not (Mitzenmacher 2000).

/// The index of the cluster with the lower load for its weight, of two that are drawn by weight, where zero counts as one;
/// `None` without any cluster. Same seed, same draw.
pub fn draw(seed: u64, weights: &[u32], load: impl Fn(usize) -> u32) -> Option<usize> {
    let count = u64::try_from(weights.len()).ok().filter(|count| *count > 0)?;
    let total = weights.iter().map(|weight| u64::from(*weight.max(&1))).sum();
    let mut random = seed;
    let first = pick(weights, below(next(&mut random), total));
    let mut second = pick(weights, below(next(&mut random), total));
    if second == first && count > 1 {
        let others = usize::try_from(below(next(&mut random), count - 1)).ok()?;
        second = if others >= first { others + 1 } else { others };
    }
    let share = |it: usize, other: usize| (u64::from(load(it)) + 1) * u64::from(weights[other].max(1));
    Some(if share(first, second) <= share(second, first) { first } else { second })
}

/// The cluster in whose part of the total weight a number falls.
fn pick(weights: &[u32], mut number: u64) -> usize {
    for (index, weight) in weights.iter().enumerate() {
        let weight = u64::from(*weight.max(&1));
        if number < weight {
            return index;
        }
        number -= weight;
    }
    weights.len() - 1
}

/// A seed from a text that is new on every request, such as its UID.
pub fn seed(text: &str) -> u64 {
    // FNV-1a: short, and good enough to seed `next`, which mixes.
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

/// The next of a sequence of random numbers (SplitMix64).
fn next(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut bits = *state;
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

/// Random bits, scaled to be less than `count`.
fn below(bits: u64, count: u64) -> u64 {
    u64::try_from((u128::from(bits) * u128::from(count)) >> 64).expect("invariant: less than count, which is a u64")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::every_row;

    #[test]
    fn a24_the_less_loaded_of_the_two_is_taken() {
        for seed in 0..64 {
            assert_eq!(draw(seed, &[1, 1], |it| [7, 3][it]), Some(1), "both are drawn, and the second has less");
            assert_eq!(draw(seed, &[4, 1], |it| [7, 2][it]), Some(0), "7 on weight 4 is less than 2 on weight 1");
        }
        assert_eq!(draw(1, &[], |_| 0), None);
        assert_eq!(draw(1, &[3], |_| 9), Some(0));
        assert_eq!(draw(1, &[0], |_| 9), Some(0), "a weight of zero counts as one");
    }

    #[test]
    fn a24_clusters_fill_up_in_proportion_to_their_weights() {
        every_row([vec![1, 1, 1, 1], vec![1, 2, 3, 4], vec![100, 1, 1, 1, 1]], |weights| {
            let total: u32 = weights.iter().sum();
            let mut loads = vec![0_u32; weights.len()];
            for machine in 0..total * 50 {
                let to = draw(seed(&format!("uid-{machine}")), &weights, |it| loads[it]).expect("a cluster");
                loads[to] += 1;
            }
            for (load, weight) in loads.iter().zip(&weights) {
                let (load, fair) = (f64::from(*load), f64::from(weight * 50));
                assert!((load - fair).abs() <= fair * 0.1 + 5.0, "{weights:?}: {loads:?}");
            }
        });
    }
}
