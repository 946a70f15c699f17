//! Sizes of keys and values as the caches of one large site had them.
//!
//! The means of 53 clusters in March 2020, from `stat/2020Mar.md` of twitter/cache-trace (Yang, Yue
//! and Rashmi, "A large scale analysis of hundreds of in-memory cache clusters at Twitter", OSDI
//! 2020), published under CC BY 4.0. Only the means are public, so around each mean values are
//! spread evenly from half of it to one and a half of it; keys of a cluster are all of one size.
//!
//! Each of those clusters was a cache of its own. To put them into one cache, each is given the
//! same memory: a cluster's share of the items is in inverse proportion to its mean size. With
//! equal shares of items instead, five clusters would fill nearly all of the memory.

use super::random::Random;

/// Mean bytes of key and value of each cluster.
#[rustfmt::skip]
const CLUSTERS: [(u16, u32); 53] = [
    (80, 267), (21, 68), (19, 120), (67, 2439), (44, 252), (17, 1936), (23, 9497), (32, 39),
    (22, 2333), (24, 170), (44, 1030), (44, 4266), (96, 414), (18, 102), (18, 115), (19, 212),
    (18, 37), (42, 101), (26, 55), (25, 1), (54, 4), (35, 224), (32, 699), (49, 28), (122, 1745),
    (66, 8), (45, 85), (36, 799), (22, 689), (41, 15), (41, 138), (24, 1118), (33, 322),
    (19, 1796), (23, 78), (72, 20134), (41, 185), (41, 80), (44, 155), (44, 171), (40, 4703),
    (44, 304), (25, 22), (10, 120), (44, 928), (44, 267), (44, 70), (44, 10658), (18, 67485),
    (44, 221), (20, 273), (36, 9213), (19, 246),
];

/// Bytes taken to come with each item, when shares of memory are made equal.
const OVERHEAD: u64 = 48;

/// For each cluster, the sum of its weight and all before it.
static WEIGHTS: [u64; CLUSTERS.len()] = {
    let mut sums = [0; CLUSTERS.len()];
    let (mut sum, mut index) = (0, 0);
    while index < CLUSTERS.len() {
        let (key, value) = CLUSTERS[index];
        sum += (1 << 40) / (key as u64 + value as u64 + OVERHEAD);
        sums[index] = sum;
        index += 1;
    }
    sums
};

/// Draws the size of an item: bytes of its key and of its value.
pub(super) fn size(random: &mut Random) -> (usize, usize) {
    let drawn = random.below(WEIGHTS[CLUSTERS.len() - 1]);
    let cluster = WEIGHTS.partition_point(|&sum| sum <= drawn);
    let (key, mean) = CLUSTERS[cluster];
    let value = mean / 2 + u32::try_from(random.below(u64::from(mean) + 1)).unwrap_or(0);
    (usize::from(key), value as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_cluster_has_its_share_of_the_memory() {
        let mut random = Random::new(1);
        let (mut large, mut all) = (0, 0);
        for _ in 0..200_000 {
            let (key, value) = size(&mut random);
            assert!((10..=122).contains(&key) && value <= 67_485 / 2 * 3);
            let bytes = key + value + 48;
            all += bytes;
            large += if value > 5_300 { bytes } else { 0 };
        }
        // Six of the clusters have means above 9,000, and one has its larger values there.
        let share = f64::from(u32::try_from(large / 1000).expect("small"))
            / f64::from(u32::try_from(all / 1000).expect("small"));
        assert!((0.10..0.16).contains(&share), "{share}");
    }
}
