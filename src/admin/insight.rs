//! Series of what is hot, how long things live, and memory without items. No key is a label.

use super::exposition::Kind::{Counter, Gauge};
use super::exposition::Page;
use super::figures::{Numbered, find};
use crate::session::Shared;
use crate::session::figures::Group;
use crate::stats::Totals;
use crate::stats::sampler::TtlBand;
use crate::time::Now;

/// Where the memory of a class is, as `stats waste` calls it and as a label does.
const USES: &[(&str, &str)] = &[
    ("item_bytes", "items"),
    ("rounding_bytes", "rounding"),
    ("free_bytes", "free_chunks"),
    ("page_end_bytes", "page_ends"),
];

/// Writes all series.
pub(super) fn write(page: &mut Page, shared: &Shared, totals: &Totals, now: Now) {
    if totals.ttl.one_in > 0 {
        hottest(page, shared, now);
        ttl(page, totals);
    }
    let waste = Numbered::gather(shared, now, Group::Waste, "");
    let help = "Memory of each slab class by what is in it.";
    let mut family = page.family("larder_slab_memory_bytes", Gauge, help);
    for (id, figures) in &waste.by_number {
        let slab = id.to_string();
        for (figure, usage) in USES {
            let value = find(figures, figure).unwrap_or("0");
            family.add(&[("slab", &*slab), ("use", usage)], value);
        }
    }
}

fn hottest(page: &mut Page, shared: &Shared, now: Now) {
    let hottest = shared.registry.hottest(now.uptime_s, 1);
    let of = |names: &[crate::stats::hot::Hot]| names.first().map_or(0, |hot| hot.total());
    let (key, prefix) = (of(&hottest.keys), of(&hottest.prefixes));
    let thousandths = |part: u64| format!("{}.{:03}", part / 1000, part % 1000);
    let help = "Requests in a second for what is asked for most, estimated from samples of the last \
                minute.";
    page.family("larder_hottest_requests_per_second", Gauge, help)
        .add(&[("of", "key")], hottest.rate_tenths(key) / 10)
        .add(&[("of", "prefix")], hottest.rate_tenths(prefix) / 10);
    let help = "The part of all requests that it has.";
    let share = |samples| thousandths(hottest.share_thousandths(samples));
    page.family("larder_hottest_request_ratio", Gauge, help)
        .add(&[("of", "key")], share(key))
        .add(&[("of", "prefix")], share(prefix));
}

fn ttl(page: &mut Page, totals: &Totals) {
    for (name, help, counts) in [
        (
            "larder_hits_by_ttl_total",
            "Requests that found an item, by the time that it had left, estimated from samples.",
            &totals.ttl.hits,
        ),
        (
            "larder_sets_by_ttl_total",
            "Values stored, by the time to live that they were given, estimated from samples.",
            &totals.ttl.stores,
        ),
    ] {
        let mut family = page.family(name, Counter, help);
        for (band, count) in TtlBand::ALL.into_iter().zip(counts) {
            family.add(&[("ttl", band.name())], *count);
        }
    }
}
