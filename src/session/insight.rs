//! What is hot, what is big, how long things live: the figures of `stats hotkeys`, `bigkeys` and
//! `ttl`.
//!
//! The first and the last come from requests that workers sampled, and are estimates; the second
//! from a search through the largest slab classes, which goes on piece by piece while others are
//! served. Keys are shown as `lru_crawler metadump` shows them.

use super::figures::List;
use super::report::Reader;
use super::turn::Turn;
use super::{Flow, Next, Session, Shared, State, Step};
use crate::limits::{BIG_KEY_COUNT, HOT_KEY_COUNT, ITEM_SAMPLE_COUNT};
use crate::protocol::key::push_uri;

use crate::stats::hot::{Access, Hot};
use crate::stats::sampler::{ByBand, Hottest, TtlBand};
use crate::store::{Largest, LargestSearch};
use crate::time::Now;

/// What reports call the kinds of requests.
const fn rate_name(access: Access) -> &'static str {
    match access {
        Access::Hit => "hits_per_s",
        Access::Miss => "misses_per_s",
        Access::Write => "writes_per_s",
        Access::Delete => "deletes_per_s",
    }
}

/// `stats hotkeys`.
pub(super) fn hot_keys(shared: &Shared, now: Now, list: &mut List<'_>) {
    let hottest = shared.registry.hottest(now.uptime_s, HOT_KEY_COUNT);
    list.numbers(&[
        ("sampled_one_in", u64::from(hottest.one_in)),
        ("window_s", u64::from(hottest.window_s)),
        ("samples", hottest.samples),
    ]);
    for (what, names) in [("key", &hottest.keys), ("prefix", &hottest.prefixes)] {
        for (rank, hot) in names.iter().enumerate() {
            hot_key(list, &format!("{what}:{}:", rank + 1), what, &hottest, hot);
        }
    }
}

fn hot_key(list: &mut List<'_>, line: &str, what: &str, hottest: &Hottest, hot: &Hot) {
    list.key(&format!("{line}{what}"), &hot.name);
    let total = hot.total();
    let rate = |samples| tenths(hottest.rate_tenths(samples));
    list.word(&format!("{line}requests_per_s"), &rate(total));
    let share = tenths(hottest.share_thousandths(total));
    list.word(&format!("{line}share_percent"), &share);
    for (access, samples) in Access::ALL.into_iter().zip(hot.samples) {
        let name = rate_name(access);
        list.word(&format!("{line}{name}"), &rate(u64::from(samples)));
    }
    list.prefixed(
        line,
        &[
            ("value_size_max", u64::from(hot.value_size)),
            ("samples", total),
        ],
    );
}

/// A number of tenths, with its decimal.
fn tenths(tenths: u64) -> String {
    format!("{}.{}", tenths / 10, tenths % 10)
}

/// The part that a number is of a sum, in percent.
fn percent(part: u64, sum: u64) -> String {
    // Sums of bytes are far below 2^54.
    tenths(1000 * part / sum.max(1))
}

/// `stats ttl`.
pub(super) fn ttl(shared: &Shared, now: Now, list: &mut List<'_>) {
    let ttl = shared.registry.totals().ttl;
    let mut items: ByBand<u64> = Default::default();
    let mut bytes: ByBand<u64> = Default::default();
    shared
        .store
        .sample(now.uptime_s, ITEM_SAMPLE_COUNT, now, &mut |item| {
            let band = TtlBand::of(item.expiry.ttl_s(now)) as usize;
            items[band] += 1;
            bytes[band] += u64::from(item.size);
        });
    list.number("sampled_one_in", u64::from(ttl.one_in));
    list.number("sampled_items", items.iter().sum());
    for band in TtlBand::ALL {
        let name = band.name();
        for (figure, counts) in [("hits", &ttl.hits), ("sets", &ttl.stores)] {
            let count = counts[band as usize];
            list.number(&format!("{name}:{figure}"), count);
            let share = percent(count, counts.iter().sum());
            list.word(&format!("{name}:{figure}_percent"), &share);
        }
        for (figure, counts) in [("items", &items), ("bytes", &bytes)] {
            let share = percent(counts[band as usize], counts.iter().sum());
            list.word(&format!("{name}:{figure}_percent"), &share);
        }
    }
}

/// `stats bigkeys` at once, for who has no clients to keep waiting.
pub(super) fn big_keys(shared: &Shared, now: Now, list: &mut List<'_>) {
    let mut search = shared.store.begin_search(BIG_KEY_COUNT);
    while !shared.store.search(&mut search, now) {}
    largest(&shared.store.end_search(search, now), now, list);
}

fn largest(largest: &Largest, now: Now, list: &mut List<'_>) {
    list.number("looked_at", largest.looked_at);
    list.word("complete", if largest.is_complete { "yes" } else { "no" });
    for (rank, item) in largest.items.iter().enumerate() {
        let line = format!("key:{}:", rank + 1);
        list.key(&format!("{line}key"), &item.key);
        list.prefixed(
            &line,
            &[
                ("size", u64::from(item.size)),
                ("value_size", u64::from(item.value_size)),
                ("class", u64::from(item.class)),
                (
                    "idle_s",
                    u64::from(now.uptime_s.saturating_sub(item.last_access_s)),
                ),
            ],
        );
        let ttl_s = item.expiry.ttl_s(now).map_or(-1, i64::from);
        list.word(&format!("{line}ttl_s"), &ttl_s.to_string());
        let fetched = if item.fetched { "yes" } else { "no" };
        list.word(&format!("{line}fetched"), fetched);
    }
}

/// A search on behalf of a client.
#[derive(Debug)]
pub(super) struct Search {
    search: LargestSearch,
    reader: Reader,
}

impl Search {
    /// One that has not begun.
    pub(super) fn new(turn: &Turn<'_>, reader: Reader) -> Self {
        Self {
            search: turn.store().begin_search(BIG_KEY_COUNT),
            reader,
        }
    }
}

impl Session {
    /// Searches on for the largest items, and tells them when that is done.
    pub(super) fn search(&mut self, turn: &mut Turn<'_>, mut search: Box<Search>) -> Step {
        let now = turn.now();
        let store = turn.store();
        if store.search(&mut search.search, now) {
            let Search { search, reader } = *search;
            let found = store.end_search(search, now);
            let out = &mut *turn.out;
            let mut line = |name: &str, value: &[u8]| reader.line(out, name, value);
            largest(&found, now, &mut List::new(&mut line));
            reader.end(out);
            return Step::go(0);
        }
        self.state = State::Search(search);
        Step {
            consumed: 0,
            served: 0,
            flow: Flow::Leave(Next::Flush),
        }
    }
}

impl List<'_> {
    pub(super) fn key(&mut self, name: &str, key: &[u8]) {
        let mut text = Vec::with_capacity(key.len());
        push_uri(&mut text, key);
        self.bytes(name, &text);
    }
}
