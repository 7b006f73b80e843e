//! The draw of `balanced`: two clusters at random, by weight, and the less loaded of them. Pure.
//!
//! Constant time, and no herd: with old information the least loaded of all attracts everybody at once, the better of two
//! does not (Mitzenmacher 2000).

/// Clusters to draw from. To make it takes a step for each of them, to draw from it does not.
#[derive(Clone, Debug)]
pub struct Draw {
    weights: Vec<u32>,
    /// Vose's alias table: how often of `u32::MAX` a column stands for itself, and whom it stands for else. Absent while
    /// all weights are equal.
    columns: Option<Vec<(u32, u32)>>,
}

impl Draw {
    /// For clusters with these weights; zero counts as one.
    pub fn new(weights: Vec<u32>) -> Self {
        let weights: Vec<u32> = weights.into_iter().map(|weight| weight.max(1)).collect();
        let equal = weights.windows(2).all(|pair| pair[0] == pair[1]);
        let columns = (!equal).then(|| aliases(&weights));
        Self { weights, columns }
    }

    /// The index of the cluster with the lower load for its weight, of two that are drawn; `None` without any cluster.
    /// Same seed, same draw.
    pub fn draw(&self, seed: u64, load: impl Fn(usize) -> u32) -> Option<usize> {
        let count = u32::try_from(self.weights.len()).ok().filter(|count| *count > 0)?;
        let mut random = seed;
        let first = self.pick(count, &mut random);
        let mut second = self.pick(count, &mut random);
        if second == first && count > 1 {
            let others = below(next(&mut random), count - 1);
            second = if others >= first { others + 1 } else { others };
        }
        let (first, second) = (first as usize, second as usize);
        let share = |it: usize, other: usize| (u64::from(load(it)) + 1) * u64::from(self.weights[other]);
        Some(if share(first, second) <= share(second, first) { first } else { second })
    }

    fn pick(&self, count: u32, random: &mut u64) -> u32 {
        let bits = next(random);
        let column = below(bits, count);
        match &self.columns {
            None => column,
            Some(columns) => {
                let (own, alias) = columns[column as usize];
                // The low half is independent of the high half, which chose the column.
                if (bits & u64::from(u32::MAX)) < u64::from(own) { column } else { alias }
            }
        }
    }
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

/// The high half of random bits, scaled to be less than `count`.
fn below(bits: u64, count: u32) -> u32 {
    u32::try_from(((bits >> 32) * u64::from(count)) >> 32).expect("invariant: less than count, which is a u32")
}

fn aliases(weights: &[u32]) -> Vec<(u32, u32)> {
    let total: u64 = weights.iter().map(|weight| u64::from(*weight)).sum();
    let count = weights.len() as u64;
    // Scaled so that the mean is `total`: a column is full at `total`.
    let mut left: Vec<u64> = weights.iter().map(|weight| u64::from(*weight) * count).collect();
    let mut columns = vec![(u32::MAX, 0); weights.len()];
    let (mut small, mut large): (Vec<usize>, Vec<usize>) = (0..weights.len()).partition(|it| left[*it] < total);
    while let (Some(poor), Some(&rich)) = (small.pop(), large.last()) {
        let own = u128::from(left[poor]) * u128::from(u32::MAX) / u128::from(total);
        let alias = u32::try_from(rich).expect("invariant: fewer clusters than u32::MAX");
        columns[poor] = (u32::try_from(own).expect("invariant: a share of u32::MAX"), alias);
        left[rich] -= total - left[poor];
        if left[rich] < total {
            large.pop();
            small.push(rich);
        }
    }
    columns
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a24_the_less_loaded_of_the_two_is_taken() {
        let two = Draw::new(vec![1, 1]);
        for seed in 0..64 {
            assert_eq!(two.draw(seed, |it| [7, 3][it]), Some(1), "both are drawn, and the second has less");
        }
        let weighted = Draw::new(vec![4, 1]);
        for seed in 0..64 {
            assert_eq!(weighted.draw(seed, |it| [7, 2][it]), Some(0), "7 on weight 4 is less than 2 on weight 1");
        }
        assert_eq!(Draw::new(Vec::new()).draw(1, |_| 0), None);
        assert_eq!(Draw::new(vec![3]).draw(1, |_| 9), Some(0));
    }

    #[test]
    fn a24_clusters_fill_up_in_proportion_to_their_weights() {
        for weights in [vec![1, 1, 1, 1], vec![1, 2, 3, 4], vec![100, 1, 1, 1, 1]] {
            let draw = Draw::new(weights.clone());
            let total: u32 = weights.iter().sum();
            let mut loads = vec![0_u32; weights.len()];
            for machine in 0..total * 50 {
                let to = draw.draw(seed(&format!("uid-{machine}")), |it| loads[it]).expect("a cluster");
                loads[to] += 1;
            }
            for (load, weight) in loads.iter().zip(&weights) {
                let (load, fair) = (f64::from(*load), f64::from(weight * 50));
                assert!((load - fair).abs() <= fair * 0.1 + 5.0, "{weights:?}: {loads:?}");
            }
        }
    }
}
