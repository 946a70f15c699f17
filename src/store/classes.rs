//! Size classes: memcached's, which clients see, and the finer ones that chunks are cut in.
//!
//! On the wire an item belongs to the class that memcached would put it in, by its logical size;
//! dashboards and `slabs reassign` speak of those. Memory is cut finer where that pays: each
//! wire class has one or more *cuts*, chunk sizes between its smallest and its largest item. A
//! cut belongs to one wire class, so whatever is counted by cut adds up by class.
//!
//! Items too large for a chunk use the one cut of their class for all their pieces.

use super::api::StoreConfig;
use super::item::{self, HEADER_SIZE, LOGICAL_CAS, LOGICAL_OVERHEAD, PIECE_HEADER_SIZE, Spec};
use super::slab::PAGE_HEADER_SIZE;
use crate::limits::SLAB_CLASS_COUNT_MAX;

/// memcached aligns class sizes to this.
const WIRE_ALIGN: u32 = 8;

/// Bytes that optional fields may add to an item beyond what its logical size tells: an expiry
/// and an assigned cas.
const OPTIONAL_SIZE_MAX: usize = 12;

/// A page is cut into this many chunks or more.
const CHUNKS_PER_PAGE_MIN: usize = 8;

/// No chunk is larger: a header has 16 bits for the bytes of a value in its chunk.
const CHUNK_SIZE_MAX: usize = 1 << 15;

/// Pieces of long values are at least this large.
const PIECE_SIZE_MIN: usize = 2048;

/// One chunk size.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cut {
    /// The class on the wire.
    pub(super) class: u8,
    /// Bytes of a chunk.
    pub(super) chunk_size: usize,
    /// Whether items of this cut may consist of several chunks.
    pub(super) long: bool,
}

/// The cuts of one wire class.
#[derive(Clone, Copy, Debug, Default)]
struct Range {
    /// The first, and one past the last.
    first: u16,
    end: u16,
    /// Items up to this many bytes have the first cut.
    smallest: usize,
    /// The part of [`Classes::fitting`] that tells the others' cuts.
    fitting_at: usize,
    fitting_count: usize,
}

/// All classes and cuts of a store.
#[derive(Debug)]
pub(super) struct Classes {
    /// Largest logical size of each wire class; index 0 is unused.
    wire_sizes: Vec<u32>,
    cuts: Vec<Cut>,
    /// The cuts of each wire class; index 0 is unused.
    ranges: Vec<Range>,
    /// The cut for each size of each range, grain by grain.
    fitting: Vec<u16>,
    /// The wire class of each logical size below 8 KiB, in steps of eight.
    small: Vec<u8>,
    grain_shift: u32,
    cas: bool,
    item_size_max: u32,
}

/// memcached's class table for these settings, index 0 unused.
fn wire_sizes(config: &StoreConfig) -> Vec<u32> {
    let mut sizes = vec![0];
    let align = |size: u32| size.next_multiple_of(WIRE_ALIGN);
    if config.slab_sizes.is_empty() {
        let mut size = LOGICAL_OVERHEAD - 3 + config.chunk_size_min;
        let last = f64::from(config.slab_chunk_max) / config.growth_factor;
        while sizes.len() < SLAB_CLASS_COUNT_MAX - 1 && f64::from(size) < last {
            size = align(size);
            sizes.push(size);
            size = grown(size, config.growth_factor);
        }
    } else {
        sizes.extend(
            config
                .slab_sizes
                .iter()
                .take(SLAB_CLASS_COUNT_MAX - 2)
                .map(|size| align(*size)),
        );
    }
    sizes.push(config.slab_chunk_max);
    sizes
}

/// What an item's logical size counts beyond the bytes that it has at least.
const fn saved(cas: bool) -> usize {
    let cas_size = if cas { LOGICAL_CAS as usize } else { 0 };
    LOGICAL_OVERHEAD as usize + cas_size - HEADER_SIZE
}

/// The next class size, cut to whole bytes as memcached does.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "sizes are positive and far below 2^32"
)]
fn grown(size: u32, factor: f64) -> u32 {
    (f64::from(size) * factor) as u32
}

impl Classes {
    /// The classes for these settings, in pages of `page_size` bytes, cut by `growth`: the ratio
    /// of neighbouring chunk sizes.
    pub(super) fn new(config: &StoreConfig, page_size: usize, grain: usize, growth: f64) -> Self {
        debug_assert!(grain.is_power_of_two(), "sizes are rounded by masks");
        let wire_sizes = wire_sizes(config);
        let room = page_size - PAGE_HEADER_SIZE;
        let chunk_max = (room / CHUNKS_PER_PAGE_MIN).min(CHUNK_SIZE_MAX) & !(grain - 1);
        let saved = saved(config.cas);
        let mut cuts = Vec::new();
        let mut fitting = Vec::new();
        let mut ranges = vec![Range::default()];
        let bound = |index: usize| u16::try_from(index).unwrap_or(u16::MAX);
        for class in 1..wire_sizes.len() {
            let first = cuts.len();
            let largest = wire_sizes[class] as usize - saved + OPTIONAL_SIZE_MAX;
            let smallest = (wire_sizes[class - 1] as usize + 1).saturating_sub(saved);
            let wire = u8::try_from(class).unwrap_or(u8::MAX);
            let last = class == wire_sizes.len() - 1;
            let fitting_at = fitting.len();
            if largest <= chunk_max {
                let smallest = smallest.max(HEADER_SIZE + 4);
                let usual = largest - OPTIONAL_SIZE_MAX;
                let sizes = Sizes {
                    smallest,
                    usual,
                    largest,
                };
                for chunk_size in sizes.cut(room, grain, growth) {
                    let before = cuts[first..]
                        .last()
                        .map_or(chunk_size, |cut: &Cut| cut.chunk_size);
                    let cut = bound(cuts.len());
                    fitting.extend((before..chunk_size).step_by(grain).map(|_| cut));
                    cuts.push(Cut {
                        class: wire,
                        chunk_size,
                        long: false,
                    });
                }
            }
            let smallest = cuts[first..].first().map_or(0, |cut| cut.chunk_size);
            // The last class takes whatever is larger than all others.
            if largest > chunk_max || last {
                let piece = (largest / 16).clamp(PIECE_SIZE_MIN.min(chunk_max), chunk_max);
                cuts.push(Cut {
                    class: wire,
                    chunk_size: (room / (room / piece)) & !(grain - 1),
                    long: true,
                });
            }
            ranges.push(Range {
                first: bound(first),
                end: bound(cuts.len()),
                smallest,
                fitting_at,
                fitting_count: fitting.len() - fitting_at,
            });
        }
        let mut classes = Self {
            small: Vec::new(),
            cas: config.cas,
            item_size_max: config.item_size_max,
            wire_sizes,
            cuts,
            ranges,
            fitting,
            grain_shift: grain.trailing_zeros(),
        };
        classes.small = (0..=1024).map(|step| classes.search(step * 8)).collect();
        classes
    }

    fn search(&self, logical_size: u32) -> u8 {
        let above = self.wire_sizes[1..].partition_point(|size| *size < logical_size);
        u8::try_from(above + 1).unwrap_or(u8::MAX).min(self.max())
    }

    /// The largest class on the wire.
    pub(super) fn max(&self) -> u8 {
        u8::try_from(self.wire_sizes.len() - 1).unwrap_or(u8::MAX)
    }

    /// The largest logical size of a class.
    pub(super) fn wire_size(&self, class: u8) -> u32 {
        self.wire_sizes
            .get(usize::from(class))
            .copied()
            .unwrap_or(0)
    }

    /// The class on the wire of a logical size that is within the limit.
    #[inline]
    pub(super) fn class_of(&self, logical_size: u64) -> u8 {
        let step = usize::try_from(logical_size.div_ceil(8)).unwrap_or(usize::MAX);
        match self.small.get(step) {
            Some(class) => *class,
            None => self.search(u32::try_from(logical_size).unwrap_or(u32::MAX)),
        }
    }

    /// The class on the wire of an item.
    pub(super) fn class_of_item(&self, key_size: usize, value_size: u32, client_flags: u32) -> u8 {
        self.class_of(item::logical_size(
            key_size,
            value_size,
            client_flags,
            self.cas,
        ))
    }

    /// Whether items have a cas.
    pub(super) fn has_cas(&self) -> bool {
        self.cas
    }

    /// What an item's logical size counts beyond the bytes that it has at least.
    pub(super) fn saved(&self) -> u64 {
        saved(self.cas) as u64
    }

    /// The cut for an item, or `None` when it is too large for this store.
    #[inline]
    pub(super) fn cut_for(&self, spec: &Spec) -> Option<u16> {
        let logical_size = spec.logical_size(self.cas);
        if logical_size > u64::from(self.item_size_max) {
            return None;
        }
        let range = &self.ranges[usize::from(self.class_of(logical_size))];
        let above = spec.physical_size().saturating_sub(range.smallest);
        if above == 0 {
            return Some(range.first);
        }
        let step = (above - 1) >> self.grain_shift;
        if step < range.fitting_count {
            return Some(self.fitting[range.fitting_at + step]);
        }
        // Only a class whose items may consist of several chunks has any that are larger.
        Some(range.end - 1)
    }

    /// All that decides where an item lies, to be compared with another store's.
    pub(super) fn tables(&self) -> impl std::fmt::Debug {
        (&self.wire_sizes, &self.cuts, self.cas)
    }

    /// Bytes of the larger items of a cut.
    pub(super) fn item_size(&self, cut: &Cut) -> f64 {
        if cut.long {
            f64::from(self.wire_size(cut.class))
        } else {
            cut.chunk_size as f64
        }
    }

    /// All cuts.
    pub(super) fn cuts(&self) -> &[Cut] {
        &self.cuts
    }

    /// The cuts of a class on the wire.
    pub(super) fn cuts_of(&self, class: u8) -> std::ops::Range<u16> {
        self.ranges
            .get(usize::from(class))
            .map_or(0..0, |range| range.first..range.end)
    }

    /// Bytes of value that one piece holds.
    pub(super) fn piece_room(&self, cut: u16) -> usize {
        self.cuts[usize::from(cut)].chunk_size - PIECE_HEADER_SIZE
    }
}

/// Sizes in bytes of the items that a class holds, as they are in memory.
struct Sizes {
    smallest: usize,
    /// Its largest without optional fields: what users who cut their items to a class store.
    usual: usize,
    /// Its largest with all optional fields.
    largest: usize,
}

impl Sizes {
    /// The chunk sizes for them, each at most `growth` times the one before, or the next of which
    /// a page holds more. Each is as large as it can be without fewer fitting into the `room` of a
    /// page, so that nothing is left at the end of one.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_precision_loss,
        clippy::cast_sign_loss,
        reason = "sizes of a few kilobytes"
    )]
    fn cut(&self, room: usize, grain: usize, growth: f64) -> Vec<usize> {
        let filling = |count: usize| (room / count) & !(grain - 1);
        let usual = self.usual.next_multiple_of(grain);
        let mut last = filling(room / self.largest.next_multiple_of(grain));
        let mut sizes = vec![last];
        while last >= self.smallest {
            let mut finer = ((last as f64 / growth) as usize).next_multiple_of(grain);
            if last > usual {
                finer = finer.max(usual);
            }
            // What fits no more often than the last would only part what could share its pages.
            let count = (room / finer).max(room / last + 1);
            last = filling(count);
            sizes.push(last);
        }
        // Nothing of this class is as small as the last.
        sizes.pop();
        sizes.reverse();
        sizes
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing;
    use super::*;

    fn classes(growth: f64) -> Classes {
        Classes::new(&testing::config(64), 1 << 16, 4, growth)
    }

    fn spec(key_size: usize, value_size: u32) -> Spec {
        Spec {
            key_size,
            value_size,
            client_flags: 0,
            expiry_s: 0,
            assigned_cas: None,
            binary_key: false,
        }
    }

    #[test]
    fn the_default_table_is_memcacheds() {
        let sizes = wire_sizes(&testing::config(64));
        assert_eq!(sizes.len() - 1, 39);
        assert_eq!(sizes[1..6], [96, 120, 152, 192, 240]);
        assert_eq!(sizes[25], 21_696);
        assert_eq!(sizes[31], 82_792);
        assert_eq!(sizes[38..], [394_840, 524_288]);
    }

    #[test]
    fn class_ids_follow_the_logical_size() {
        let classes = classes(1.06);
        assert_eq!(classes.class_of(96), 1);
        assert_eq!(classes.class_of(97), 2);
        assert_eq!(classes.class_of(8192), 21);
        assert_eq!(classes.class_of(82_792), 31);
        assert_eq!(classes.class_of(82_793), 32);
        assert_eq!(classes.class_of(1 << 20), 39);
    }

    #[test]
    fn every_item_finds_a_cut_that_holds_it_and_belongs_to_its_class() {
        for growth in [1.02, 1.06, 1.25, 4.0] {
            let classes = classes(growth);
            for value_size in (0..20_000).step_by(7).chain([500_000, 1_048_000]) {
                for (expiry_s, assigned_cas) in [(0, None), (9, None), (9, Some(1))] {
                    let spec = Spec {
                        expiry_s,
                        assigned_cas,
                        ..spec(20, value_size)
                    };
                    let cut = classes.cut_for(&spec).expect("within the limit");
                    let found = classes.cuts()[usize::from(cut)];
                    assert_eq!(found.class, classes.class_of_item(20, value_size, 0));
                    assert!(found.long || found.chunk_size >= spec.physical_size());
                    let smaller = classes.cuts_of(found.class).start..cut;
                    let holds = |cut: u16| classes.cuts()[usize::from(cut)].chunk_size;
                    assert!(
                        smaller
                            .into_iter()
                            .all(|cut| holds(cut) < spec.physical_size())
                    );
                }
            }
        }
    }

    #[test]
    fn chunks_fill_their_pages_and_each_cut_parts_a_page_otherwise() {
        for growth in [1.03, 1.12, 4.0] {
            let classes = classes(growth);
            let room = (1 << 16) - PAGE_HEADER_SIZE;
            for class in 1..=classes.max() {
                let mut counts = Vec::new();
                for cut in classes.cuts_of(class) {
                    let size = classes.cuts()[usize::from(cut)].chunk_size;
                    counts.push(room / size);
                    assert!(room / (size + 4) < room / size, "{size} could be larger");
                }
                let long = classes.cuts()[usize::from(classes.cuts_of(class).end) - 1].long;
                counts.truncate(counts.len() - usize::from(long));
                assert!(
                    counts.is_sorted_by(|fine, coarse| fine > coarse),
                    "{counts:?}"
                );
            }
        }
    }

    #[test]
    fn the_size_limit_counts_what_memcached_counts() {
        let classes = classes(1.25);
        let spec = |value_size| spec(3, value_size);
        assert!(classes.cut_for(&spec((1 << 20) - 62)).is_some());
        assert!(classes.cut_for(&spec((1 << 20) - 61)).is_none());
    }

    #[test]
    fn the_last_class_takes_what_is_larger_than_any_chunk() {
        for slab_chunk_max in [1 << 10, 4 << 10, 16 << 10, 512 << 10] {
            let config = StoreConfig {
                slab_chunk_max,
                ..testing::config(64)
            };
            let classes = Classes::new(&config, 1 << 16, 4, 1.06);
            for value_size in [100, 1000, 3000, 5000, 11_000, 100_000, 1_000_000] {
                let spec = spec(20, value_size);
                let cut = classes.cut_for(&spec).expect("within the limit");
                let found = classes.cuts()[usize::from(cut)];
                assert!(found.long || found.chunk_size >= spec.physical_size());
            }
        }
    }

    #[test]
    fn a_finer_growth_wastes_less() {
        let waste = |growth| {
            let classes = classes(growth);
            (0..2000).fold(0, |waste, value_size| {
                let spec = spec(20, value_size);
                let cut = classes.cut_for(&spec).expect("within the limit");
                waste + classes.cuts()[usize::from(cut)].chunk_size - spec.physical_size()
            })
        };
        assert!(waste(1.06) < waste(1.25) / 2);
    }
}
