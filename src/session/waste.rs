//! Memory that holds nothing, by slab class, and what can be done about it: `stats waste`.

use super::Shared;
use super::figures::{List, config_in_force};
use crate::config::Config;
use crate::limits::ITEM_SAMPLE_COUNT;
use crate::store::ClassStats;
use crate::time::Now;

/// Bytes that an expiry takes in an item.
const EXPIRY_SIZE: u64 = 4;

/// What is less than this part of the memory limit is not worth a word.
const WORTH_ONE_IN: u64 = 50;

/// Where the memory of a class is.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
struct Waste {
    class: usize,
    /// Bytes of a largest item, as memcached counts.
    chunk_size: u64,
    items: u64,
    /// Bytes of its pages.
    memory: u64,
    /// Bytes of items.
    held: u64,
    /// Bytes of used chunks behind their items.
    rounding: u64,
    /// Bytes of free chunks.
    free: u64,
    /// Sum of what memcached would count for the items.
    requested: u64,
    /// Items that had to go, or could not come.
    pressed: u64,
}

impl Waste {
    fn of(class: usize, stats: &ClassStats, expiries: u64) -> Self {
        let items = stats.number_hot + stats.number_warm + stats.number_cold + stats.number_temp;
        let held = (stats.item_bytes + expiries * EXPIRY_SIZE).min(stats.used_bytes);
        Self {
            class,
            chunk_size: u64::from(stats.chunk_size),
            items,
            memory: stats.memory_bytes,
            held,
            rounding: stats.used_bytes - held,
            free: stats.free_bytes,
            requested: stats.mem_requested,
            pressed: stats.evicted + stats.out_of_memory,
        }
    }

    /// Bytes of pages that are no chunk: their headers, and what is left at their ends.
    fn ends(&self) -> u64 {
        self.memory - (self.held + self.rounding + self.free).min(self.memory)
    }

    fn add(&mut self, other: &Self) {
        self.items += other.items;
        self.memory += other.memory;
        self.held += other.held;
        self.rounding += other.rounding;
        self.free += other.free;
        self.requested += other.requested;
        self.pressed += other.pressed;
    }

    fn show(&self, list: &mut List<'_>, prefix: &str) {
        list.prefixed(
            prefix,
            &[
                ("items", self.items),
                ("memory_bytes", self.memory),
                ("item_bytes", self.held),
                ("rounding_bytes", self.rounding),
                ("free_bytes", self.free),
                ("page_end_bytes", self.ends()),
            ],
        );
    }
}

/// `stats waste`.
pub(super) fn waste(shared: &Shared, now: Now, list: &mut List<'_>) {
    let stats = shared.store.class_stats(now);
    // How many items of a class have an expiry is known of some of them.
    let mut sampled = vec![(0_u64, 0_u64); stats.len()];
    shared
        .store
        .sample(now.uptime_s, ITEM_SAMPLE_COUNT, now, &mut |item| {
            if let Some((items, expiries)) = sampled.get_mut(usize::from(item.class)) {
                *items += 1;
                *expiries += u64::from(item.expiry.uptime_s() != 0);
            }
        });
    let mut total = Waste::default();
    let mut classes = Vec::new();
    for (class, (stats, (items, expiries))) in stats.iter().zip(sampled).enumerate() {
        if class == 0 || stats.total_pages == 0 {
            continue;
        }
        let mut waste = Waste::of(class, stats, 0);
        waste = Waste::of(class, stats, waste.items * expiries / items.max(1));
        let prefix = format!("{class}:");
        list.prefixed(&prefix, &[("chunk_size", waste.chunk_size)]);
        waste.show(list, &prefix);
        total.add(&waste);
        classes.push(waste);
    }
    total.show(list, "");
    let totals = shared.store.totals();
    list.number("free_page_bytes", totals.free_pages * totals.page_size);
    let advice = advise(&classes, &total, &config_in_force(shared));
    for (number, line) in advice.iter().enumerate() {
        list.word(&format!("advice:{}", number + 1), line);
    }
}

/// What an operator could do, in words; one line at least.
fn advise(classes: &[Waste], total: &Waste, config: &Config) -> Vec<String> {
    let in_use = percent(total.held, total.memory);
    if total.pressed == 0 {
        return vec![format!(
            "nothing has been evicted or refused: memory is not short, and {in_use} % of the \
             pages in use hold items"
        )];
    }
    let worth = config.memory_limit / WORTH_ONE_IN;
    let mut lines = Vec::new();
    for waste in classes {
        let class = waste.class;
        if waste.free >= worth && waste.free * 4 >= waste.memory {
            let how = if config.slab_automove == 0 {
                format!(
                    "-o slab_automove=1 moves its pages to where they are needed, or `slabs \
                     reassign {class} 0` one of them"
                )
            } else {
                format!("its pages will move by themselves, or one by `slabs reassign {class} 0`")
            };
            lines.push(format!(
                "class {class} holds {} of its {} in chunks without an item: {how}",
                megabytes(waste.free),
                megabytes(waste.memory)
            ));
        }
        let used = waste.held + waste.rounding;
        if waste.rounding >= worth && waste.rounding * 10 >= used {
            lines.push(format!(
                "items of class {class} leave {} % of their chunks empty, {}: {}",
                percent(waste.rounding, used),
                megabytes(waste.rounding),
                fit(waste, config)
            ));
        }
    }
    if lines.is_empty() {
        lines.push(format!(
            "nothing to gain: {in_use} % of the pages in use hold items"
        ));
    }
    lines
}

/// How the items of a class would fit better.
fn fit(waste: &Waste, config: &Config) -> String {
    let mean = (waste.requested / waste.items.max(1)).next_multiple_of(8);
    let below = waste.chunk_size;
    if config.slab_sizes.is_empty() {
        let factor = 1.0 + (config.growth_factor - 1.0) / 2.0;
        format!(
            "they are {mean} bytes in the mean of at most {below}; -f {factor:.2} makes finer \
             classes, or -o slab_sizes with one of {mean}"
        )
    } else {
        format!("they are {mean} bytes in the mean of at most {below}; add {mean} to -o slab_sizes")
    }
}

fn megabytes(bytes: u64) -> String {
    let tenths = (bytes * 10) >> 20;
    format!("{}.{} MiB", tenths / 10, tenths % 10)
}

fn percent(part: u64, all: u64) -> u64 {
    100 * part / all.max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A class of 480 with so many MiB of items, behind them, and free.
    fn class(held: u64, rounding: u64, free: u64) -> Waste {
        Waste {
            class: 8,
            chunk_size: 480,
            items: (held << 20) / 380,
            memory: (held + rounding + free) << 20,
            held: held << 20,
            rounding: rounding << 20,
            free: free << 20,
            requested: (held << 20) / 380 * 403,
            pressed: 1,
        }
    }

    fn advice(class: Waste, change: impl FnOnce(&mut Config)) -> String {
        let mut config = Config::default();
        change(&mut config);
        let mut total = Waste::default();
        total.add(&class);
        advise(&[class], &total, &config).join("\n")
    }

    #[test]
    fn advice_names_what_is_wrong_and_what_to_do() {
        let calm = Waste {
            pressed: 0,
            ..class(10, 9, 30)
        };
        assert!(advice(calm, |_| ()).starts_with("nothing has been evicted"));
        let fine = advice(class(60, 2, 1), |_| ());
        assert_eq!(fine, "nothing to gain: 95 % of the pages in use hold items");
        let idle = advice(class(30, 1, 30), |config| config.slab_automove = 0);
        assert!(idle.starts_with("class 8 holds 30.0 MiB of its 61.0 MiB in chunks without"));
        assert!(idle.contains("-o slab_automove=1") && idle.contains("`slabs reassign 8 0`"));
        let moved = advice(class(30, 1, 30), |config| config.slab_automove = 1);
        assert!(moved.contains("by themselves"));
        let loose = advice(class(50, 10, 1), |_| ());
        assert!(loose.starts_with("items of class 8 leave 16 % of their chunks empty, 10.0 MiB"));
        assert!(loose.contains("-f 1.12") && loose.contains("-o slab_sizes with one of 408"));
        let listed = advice(class(50, 10, 1), |config| config.slab_sizes = vec![480]);
        assert!(listed.ends_with("add 408 to -o slab_sizes"));
    }
}
