//! Settings for tests.

use super::{BalanceConfig, LruConfig, LruPolicy, StoreConfig};

/// memcached's defaults, with this many MiB and a fixed hash seed.
pub fn config(megabytes: u64) -> StoreConfig {
    StoreConfig {
        memory_limit: megabytes << 20,
        workers: 2,
        item_size_max: 1 << 20,
        growth_factor: 1.25,
        chunk_size_min: 48,
        slab_sizes: Vec::new(),
        slab_chunk_max: 512 << 10,
        cas: true,
        evict: true,
        preallocate: false,
        lru: LruConfig {
            policy: LruPolicy::Segmented,
            segmented: true,
            hot_percent: 20,
            warm_percent: 40,
            hot_age_factor: 0.2,
            warm_age_factor: 2.0,
            temporary_ttl_s: None,
            maintainer: true,
        },
        balance: BalanceConfig {
            reassign: true,
            automove: 1,
            ratio: 0.8,
            size_bias: 0.5,
            window_s: 10,
            free_ratio: 0.01,
        },
        crawler: true,
        hash_seed: Some(1),
    }
}
