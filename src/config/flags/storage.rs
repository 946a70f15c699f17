//! Settings of memory, eviction and expiry.

use std::path::PathBuf;

use super::{Group, Kind, ROW, Setting, Support, stat, stat_as};
use crate::config::value::{
    bytes, decimal, expected, hash_algorithm, integer, show_bytes, show_yes, slab_sizes, text, yes,
};
use crate::config::{ITEM_SIZE_MAX_HIGH, ITEM_SIZE_MAX_LOW, SLAB_PAGE_SIZE};
use crate::store::LruPolicy;

pub(super) const ROWS: &[Setting] = &[
    Setting {
        name: "memory-limit",
        short: Some('m'),
        kind: Kind::Value("MEGABYTES"),
        group: Group::Memory,
        help: "Memory for items and their index. Connection buffers come on top.",
        apply: |config, value| {
            let limit = bytes(value, 1 << 20).filter(|n| (1 << 20..=1 << 44).contains(n));
            let Some(limit) = limit.filter(|n| n.is_multiple_of(1 << 20)) else {
                return expected("megabytes, from 1 to 16777216");
            };
            config.memory_limit = limit;
            Ok(())
        },
        show: |config| (config.memory_limit >> 20).to_string(),
        reload: true,
        stat: stat_as("maxbytes", |config| config.memory_limit.to_string()),
        ..ROW
    },
    Setting {
        name: "max-item-size",
        short: Some('I'),
        kind: Kind::Value("SIZE"),
        group: Group::Memory,
        help: "Largest item, in bytes or with a unit (512k, 8m, 1g): from 1k to 1g, not above \
               half of -m, and a multiple of slab_chunk_max. Key and bookkeeping count as in \
               memcached.",
        apply: |config, value| {
            let size = bytes(value, 1).and_then(|size| u32::try_from(size).ok());
            let Some(size) =
                size.filter(|size| (ITEM_SIZE_MAX_LOW..=ITEM_SIZE_MAX_HIGH).contains(size))
            else {
                return expected("a size from 1k to 1g");
            };
            config.item_size_max = size;
            Ok(())
        },
        show: |config| show_bytes(u64::from(config.item_size_max)),
        stat: stat_as("item_size_max", |config| config.item_size_max.to_string()),
        ..ROW
    },
    Setting {
        name: "slab-growth-factor",
        short: Some('f'),
        kind: Kind::Value("FACTOR"),
        group: Group::Memory,
        help: "Ratio of neighbouring slab classes.",
        apply: |config, value| {
            config.growth_factor = decimal(value, 1.0, 1024.0)?;
            Ok(())
        },
        show: |config| config.growth_factor.to_string(),
        stat: stat_as("growth_factor", |config| two(config.growth_factor)),
        ..ROW
    },
    Setting {
        name: "slab-min-size",
        short: Some('n'),
        kind: Kind::Value("BYTES"),
        group: Group::Memory,
        help: "Room for key, value and flags in the smallest slab class.",
        apply: |config, value| {
            config.chunk_size_min = integer(value, 1..=SLAB_PAGE_SIZE)?;
            Ok(())
        },
        show: |config| config.chunk_size_min.to_string(),
        stat: stat("chunk_size"),
        ..ROW
    },
    Setting {
        name: "slab-chunk-max",
        extended: Some("slab_chunk_max"),
        kind: Kind::Value("KILOBYTES"),
        group: Group::Memory,
        help: "End of the slab class table; must divide 1 MB. A larger item counts as a chain \
               of such chunks. When -I is smaller, the default follows it.",
        apply: |config, value| {
            let size: u32 = integer(value, 1..=1024)?;
            if !size.is_power_of_two() {
                return expected("kilobytes that divide 1024");
            }
            config.slab_chunk_max = size << 10;
            Ok(())
        },
        show: |config| (config.slab_chunk_max >> 10).to_string(),
        stat: stat_as("slab_chunk_max", |config| config.slab_chunk_max.to_string()),
        ..ROW
    },
    Setting {
        name: "slab-sizes",
        extended: Some("slab_sizes"),
        kind: Kind::Value("SIZE-SIZE-..."),
        group: Group::Memory,
        help: "The slab class sizes themselves, in bytes, instead of -f and -n.",
        apply: |config, value| {
            config.slab_sizes = slab_sizes(value)?;
            Ok(())
        },
        show: |config| {
            let sizes: Vec<String> = config.slab_sizes.iter().map(u32::to_string).collect();
            sizes.join("-")
        },
        ..ROW
    },
    Setting {
        name: "disable-cas",
        short: Some('C'),
        group: Group::Memory,
        help: "Items have no cas, and are 8 bytes smaller.",
        apply: |config, value| {
            config.cas = !yes(value)?;
            Ok(())
        },
        show: |config| show_yes(!config.cas),
        stat: stat_as("cas_enabled", |config| show_yes(config.cas)),
        ..ROW
    },
    Setting {
        name: "enable-largepages",
        short: Some('L'),
        group: Group::Memory,
        help: "Ask for huge pages, and take all memory at the start.",
        apply: |config, value| {
            config.preallocate = yes(value)?;
            Ok(())
        },
        show: |config| show_yes(config.preallocate),
        ..ROW
    },
    Setting {
        name: "slab-reassign",
        extended: Some("slab_reassign"),
        kind: Kind::Toggle,
        group: Group::Memory,
        help: "Pages may move between slab classes.",
        apply: |config, value| {
            config.slab_reassign = yes(value)?;
            Ok(())
        },
        show: |config| show_yes(config.slab_reassign),
        reload: true,
        stat: stat("slab_reassign"),
        ..ROW
    },
    Setting {
        name: "slab-automove",
        extended: Some("slab_automove"),
        kind: Kind::Optional("MODE", "1"),
        group: Group::Memory,
        help: "How pages move: 0 by hand only, 1 to the class that evicts youngest, 2 at each \
               eviction.",
        apply: |config, value| {
            config.slab_automove = integer(value, 0..=2)?;
            Ok(())
        },
        show: |config| config.slab_automove.to_string(),
        reload: true,
        stat: stat("slab_automove"),
        ..ROW
    },
    Setting {
        name: "slab-automove-ratio",
        extended: Some("slab_automove_ratio"),
        kind: Kind::Value("RATIO"),
        group: Group::Memory,
        help: "A class whose age is below this share of the oldest's gets a page.",
        apply: |config, value| {
            config.slab_automove_ratio = decimal(value, 0.0, 1.0)?;
            Ok(())
        },
        show: |config| config.slab_automove_ratio.to_string(),
        reload: true,
        stat: stat_as("slab_automove_ratio", |config| {
            two(config.slab_automove_ratio)
        }),
        ..ROW
    },
    Setting {
        name: "slab-automove-bias",
        extended: Some("slab_automove_bias"),
        kind: Kind::Value("POWER"),
        group: Group::Memory,
        help: "How much more often large items must be asked for to keep their place, 0 to 1: as \
               their size to this power. 0 is memcached's way; more means more hits, and fewer of \
               them large.",
        apply: |config, value| {
            let power = value.parse::<f64>().ok();
            let Some(power) = power.filter(|power| (0.0..=1.0).contains(power)) else {
                return expected("a number from 0 to 1");
            };
            config.slab_automove_bias = power;
            Ok(())
        },
        show: |config| config.slab_automove_bias.to_string(),
        reload: true,
        ..ROW
    },
    Setting {
        name: "slab-automove-window",
        extended: Some("slab_automove_window"),
        kind: Kind::Value("SECONDS"),
        group: Group::Memory,
        help: "Time over which ages are judged.",
        apply: |config, value| {
            config.slab_automove_window_s = integer(value, 3..=1800)?;
            Ok(())
        },
        show: |config| config.slab_automove_window_s.to_string(),
        reload: true,
        stat: stat("slab_automove_window"),
        ..ROW
    },
    Setting {
        name: "slab-automove-freeratio",
        extended: Some("slab_automove_freeratio"),
        kind: Kind::Value("RATIO"),
        group: Group::Memory,
        help: "Share of memory kept free for any class.",
        apply: |config, value| {
            config.slab_automove_freeratio = decimal(value, 0.0, 1.0)?;
            Ok(())
        },
        show: |config| config.slab_automove_freeratio.to_string(),
        reload: true,
        stat: stat_as("slab_automove_freeratio", |config| {
            format!("{:.3}", config.slab_automove_freeratio)
        }),
        ..ROW
    },
    Setting {
        name: "memory-file",
        short: Some('e'),
        kind: Kind::Value("FILE"),
        group: Group::Memory,
        help: "Keep items over a restart. Their memory is this file, in a file system that is memory \
               (tmpfs) or a DAX one. An orderly stop writes FILE.meta beside it; without that, \
               or when anything does not fit, larderd starts empty and says why.",
        apply: |config, value| {
            config.memory_file = Some(PathBuf::from(text(value)?));
            Ok(())
        },
        show: |config| {
            let file = config.memory_file.as_ref();
            file.map_or_else(String::new, |file| file.display().to_string())
        },
        stat: stat_as("memory_file", |config| {
            let file = config.memory_file.as_ref();
            file.map_or_else(|| "(null)".to_owned(), |file| file.display().to_string())
        }),
        ..ROW
    },
    Setting {
        name: "keep-memory",
        group: Group::Memory,
        help: "Keep items over `systemctl restart`, and the listeners too (--keep-listeners). Their \
               memory is a file without a name that systemd holds meanwhile. Needs \
               FileDescriptorStoreMax= in the unit, which the packaged ones have. The same rules \
               hold as for a memory file.",
        apply: |config, value| {
            config.keep_memory = yes(value)?;
            Ok(())
        },
        show: |config| show_yes(config.keep_memory),
        ..ROW
    },
    Setting {
        name: "snapshot",
        kind: Kind::Value("FILE"),
        group: Group::Memory,
        help: "Keep a copy of all items in this file. It is read at the start, before clients are \
               served, by a larderd of any size and shape. It is written by an orderly stop, by \
               SIGUSR2, through the admin listener, and every --snapshot-interval; workers go on \
               meanwhile. After a crash items are as they were then.",
        apply: |config, value| {
            config.snapshot_file = Some(PathBuf::from(text(value)?));
            Ok(())
        },
        show: |config| {
            let file = config.snapshot_file.as_ref();
            file.map_or_else(String::new, |file| file.display().to_string())
        },
        ..ROW
    },
    Setting {
        name: "snapshot-interval",
        extended: Some("snapshot_interval"),
        kind: Kind::Value("SECONDS"),
        group: Group::Memory,
        help: "Write the snapshot so often; 0 only when asked to, and at the stop.",
        apply: |config, value| {
            config.snapshot_interval_s = integer(value, 0..=31_536_000)?;
            Ok(())
        },
        show: |config| config.snapshot_interval_s.to_string(),
        ..ROW
    },
    Setting {
        name: "snapshot-rate",
        extended: Some("snapshot_rate"),
        kind: Kind::Value("MEGABYTES"),
        group: Group::Memory,
        help: "Megabytes of a snapshot that are written in a second while clients are served; 0 \
               is no bound.",
        apply: |config, value| {
            config.snapshot_rate = integer::<u64>(value, 0..=1_048_576)? << 20;
            Ok(())
        },
        show: |config| (config.snapshot_rate >> 20).to_string(),
        ..ROW
    },
    Setting {
        name: "disable-evictions",
        short: Some('M'),
        group: Group::Eviction,
        help: "When memory is full, answer an error instead of evicting.",
        apply: |config, value| {
            config.evict = !yes(value)?;
            Ok(())
        },
        show: |config| show_yes(!config.evict),
        stat: stat_as("evictions", |config| {
            let evicts = config.evict && config.lru_policy != LruPolicy::NoEviction;
            if evicts { "on" } else { "off" }.to_owned()
        }),
        ..ROW
    },
    Setting {
        name: "lru-policy",
        extended: Some("lru_policy"),
        kind: Kind::Value("NAME"),
        group: Group::Eviction,
        help: "Who goes first when memory is full: segmented, memcached's way; s3fifo, whatever \
               is not hit soon, for caches whose popular keys stay the same; volatile-ttl, what \
               expires soonest; noeviction, nobody, as with -M.",
        apply: |config, value| {
            let found = LruPolicy::ALL.into_iter().find(|one| one.name() == value);
            let Some(policy) = found else {
                return expected("segmented, s3fifo, volatile-ttl or noeviction");
            };
            config.lru_policy = policy;
            Ok(())
        },
        show: |config| config.lru_policy.name().to_owned(),
        reload: true,
        ..ROW
    },
    Setting {
        name: "lru-maintainer",
        extended: Some("lru_maintainer"),
        kind: Kind::Toggle,
        group: Group::Eviction,
        help: "HOT, WARM and COLD queues in each class, balanced in the background; otherwise \
               one flat queue.",
        apply: |config, value| {
            config.lru_maintainer = yes(value)?;
            config.lru_segmented = config.lru_maintainer;
            Ok(())
        },
        show: |config| show_yes(config.lru_maintainer),
        reload: true,
        stat: stat("lru_maintainer_thread"),
        ..ROW
    },
    Setting {
        name: "hot-lru-pct",
        extended: Some("hot_lru_pct"),
        kind: Kind::Value("PERCENT"),
        group: Group::Eviction,
        help: "Share of a class that HOT may hold. HOT and WARM together may hold 80.",
        apply: |config, value| {
            config.hot_lru_percent = integer(value, 1..=79)?;
            Ok(())
        },
        show: |config| config.hot_lru_percent.to_string(),
        reload: true,
        stat: stat("hot_lru_pct"),
        ..ROW
    },
    Setting {
        name: "warm-lru-pct",
        extended: Some("warm_lru_pct"),
        kind: Kind::Value("PERCENT"),
        group: Group::Eviction,
        help: "Share of a class that WARM may hold.",
        apply: |config, value| {
            config.warm_lru_percent = integer(value, 1..=79)?;
            Ok(())
        },
        show: |config| config.warm_lru_percent.to_string(),
        reload: true,
        stat: stat("warm_lru_pct"),
        ..ROW
    },
    Setting {
        name: "hot-max-factor",
        extended: Some("hot_max_factor"),
        kind: Kind::Value("FACTOR"),
        group: Group::Eviction,
        help: "Items idle for longer than this times COLD's age leave HOT.",
        apply: |config, value| {
            config.hot_max_factor = decimal(value, 0.0, f64::MAX)?;
            Ok(())
        },
        show: |config| config.hot_max_factor.to_string(),
        reload: true,
        stat: stat_as("hot_max_factor", |config| two(config.hot_max_factor)),
        ..ROW
    },
    Setting {
        name: "warm-max-factor",
        extended: Some("warm_max_factor"),
        kind: Kind::Value("FACTOR"),
        group: Group::Eviction,
        help: "Items idle for longer than this times COLD's age leave WARM.",
        apply: |config, value| {
            config.warm_max_factor = decimal(value, 0.0, f64::MAX)?;
            Ok(())
        },
        show: |config| config.warm_max_factor.to_string(),
        reload: true,
        stat: stat_as("warm_max_factor", |config| two(config.warm_max_factor)),
        ..ROW
    },
    Setting {
        name: "temporary-ttl",
        extended: Some("temporary_ttl"),
        kind: Kind::Value("SECONDS"),
        group: Group::Eviction,
        help: "Items that live no longer than this have a queue of their own and are never \
               evicted. Off unless given.",
        apply: |config, value| {
            config.temporary_ttl_s = Some(integer(value, 0..=i32::MAX.unsigned_abs())?);
            Ok(())
        },
        show: |config| {
            config
                .temporary_ttl_s
                .map_or_else(String::new, |ttl| ttl.to_string())
        },
        reload: true,
        stat: stat_as("temporary_ttl", |config| {
            config.temporary_ttl_s.unwrap_or(61).to_string()
        }),
        ..ROW
    },
    Setting {
        name: "lru-crawler",
        extended: Some("lru_crawler"),
        kind: Kind::Toggle,
        group: Group::Eviction,
        help: "Sweep expired items out in the background.",
        apply: |config, value| {
            config.lru_crawler = yes(value)?;
            Ok(())
        },
        show: |config| show_yes(config.lru_crawler),
        reload: true,
        stat: stat("lru_crawler"),
        ..ROW
    },
    Setting {
        name: "lru-crawler-sleep",
        extended: Some("lru_crawler_sleep"),
        kind: Kind::Value("MICROSECONDS"),
        group: Group::Eviction,
        help: "Pause of the sweep between items, 0 to 1000000.",
        apply: |config, value| {
            config.lru_crawler_sleep_us = integer(value, 0..=1_000_000)?;
            Ok(())
        },
        show: |config| config.lru_crawler_sleep_us.to_string(),
        stat: stat("lru_crawler_sleep"),
        ..ROW
    },
    Setting {
        name: "lru-crawler-tocrawl",
        extended: Some("lru_crawler_tocrawl"),
        kind: Kind::Value("COUNT"),
        group: Group::Eviction,
        help: "Items that one sweep looks at in each class; 0 is all.",
        apply: |config, value| {
            config.lru_crawler_tocrawl = integer(value, 0..=u32::MAX)?;
            Ok(())
        },
        show: |config| config.lru_crawler_tocrawl.to_string(),
        stat: stat("lru_crawler_tocrawl"),
        ..ROW
    },
    Setting {
        name: "track-sizes",
        extended: Some("track_sizes"),
        kind: Kind::Toggle,
        group: Group::Memory,
        help: "Keep the counts that `stats sizes` shows.",
        apply: |config, value| {
            config.track_sizes = yes(value)?;
            Ok(())
        },
        show: |config| show_yes(config.track_sizes),
        stat: stat("track_sizes"),
        ..ROW
    },
    Setting {
        name: "hashpower",
        extended: Some("hashpower"),
        kind: Kind::Value("POWER"),
        group: Group::Compatibility,
        help: "Size of memcached's first hash table, 12 to 32. The index here grows by itself, \
               a few buckets at a time.",
        apply: |config, value| {
            config.hash_power = integer(value, 12..=32)?;
            Ok(())
        },
        show: |config| match config.hash_power {
            0 => String::new(),
            power => power.to_string(),
        },
        stat: stat_as("hashpower_init", |config| config.hash_power.to_string()),
        support: Support::NoEffect,
        ..ROW
    },
    Setting {
        name: "no-hashexpand",
        extended: Some("no_hashexpand"),
        group: Group::Compatibility,
        help: "The index grows whatever this says.",
        apply: |config, value| {
            config.hash_expand = !yes(value)?;
            Ok(())
        },
        show: |config| show_yes(!config.hash_expand),
        support: Support::NoEffect,
        ..ROW
    },
    Setting {
        name: "hash-algorithm",
        extended: Some("hash_algorithm"),
        kind: Kind::Value("NAME"),
        group: Group::Compatibility,
        help: "jenkins, murmur3 or xxh3. Keys are hashed with a secret seed whatever this says.",
        apply: |config, value| {
            config.hash_algorithm = hash_algorithm(value)?;
            Ok(())
        },
        show: |config| config.hash_algorithm.name().to_owned(),
        stat: stat("hash_algorithm"),
        support: Support::NoEffect,
        ..ROW
    },
    Setting {
        name: "tail-repair-time",
        extended: Some("tail_repair_time"),
        kind: Kind::Value("SECONDS"),
        group: Group::Compatibility,
        help: "Items cannot get stuck at the end of a queue here.",
        apply: |config, value| {
            config.tail_repair_time_s = integer(value, 10..=i32::MAX.unsigned_abs())?;
            Ok(())
        },
        show: |config| match config.tail_repair_time_s {
            0 => String::new(),
            seconds => seconds.to_string(),
        },
        stat: stat_as("tail_repair_time", |config| {
            config.tail_repair_time_s.to_string()
        }),
        support: Support::NoEffect,
        ..ROW
    },
];

/// Two places behind the point, as `stats settings` has them.
fn two(number: f64) -> String {
    format!("{number:.2}")
}
