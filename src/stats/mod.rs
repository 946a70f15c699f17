//! What happened, counted.
//!
//! Each worker owns one [`Counters`] block and is its only writer, so counting is a plain load,
//! an add and a plain store: no lock, no read-modify-write, no line shared with another writer.
//! A report sums the blocks of all workers; [`Registry`] holds them. Counters are never read to
//! decide anything.

pub mod hot;
pub mod latency;
pub mod load;
pub mod sampler;
pub mod slow;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use self::latency::{Latency, LatencyTotals};
use self::load::Load;
use self::sampler::{Hottest, Sampler, Sampling, TtlTotals};
use self::slow::SlowLog;
use crate::limits::SLAB_CLASS_COUNT_MAX;

/// One number that one thread writes and any thread may read.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Adds to the number. Only the owning thread may call this.
    pub fn add(&self, by: u64) {
        let value = self.0.load(Ordering::Relaxed);
        self.0.store(value.wrapping_add(by), Ordering::Relaxed);
    }

    /// Subtracts from a gauge. Only the owning thread may call this.
    pub fn sub(&self, by: u64) {
        let value = self.0.load(Ordering::Relaxed);
        self.0.store(value.wrapping_sub(by), Ordering::Relaxed);
    }

    /// Writes another number. Only the owning thread may call this.
    pub fn set(&self, value: u64) {
        self.0.store(value, Ordering::Relaxed);
    }

    /// The number as last written.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    fn clear(&self) {
        self.0.store(0, Ordering::Relaxed);
    }
}

macro_rules! counters {
    ($($(#[$doc:meta])* $name:ident: $kind:ident,)*) => {
        /// The counters of one worker.
        #[derive(Debug, Default)]
        #[repr(align(128))]
        pub struct Counters {
            $($(#[$doc])* pub $name: Counter,)*
            /// Counts by slab class, as `stats slabs` shows them. Index 0 is unused.
            pub classes: ByClass,
            /// How long commands took, of those that were measured.
            pub latency: Latency,
            /// What was seen of sampled requests.
            pub sampler: Sampler,
            /// What had been done by each of the last seconds.
            pub load: Load,
        }

        /// The sum of some workers' counters.
        #[derive(Clone, Debug, Default)]
        pub struct Totals {
            $($(#[$doc])* pub $name: u64,)*
            /// Counts by slab class.
            pub classes: Vec<ClassTotals>,
            /// How long commands took, of those that were measured.
            pub latency: LatencyTotals,
            /// How long items live, by sampled requests.
            pub ttl: TtlTotals,
        }

        impl Counters {
            fn add_to(&self, totals: &mut Totals) {
                $(totals.$name = totals.$name.wrapping_add(self.$name.get());)*
                totals.classes.resize(SLAB_CLASS_COUNT_MAX, ClassTotals::default());
                for (counters, total) in self.classes.0.iter().zip(&mut totals.classes) {
                    counters.add_to(total);
                }
                self.latency.add_to(&mut totals.latency);
                self.sampler.add_to(&mut totals.ttl);
            }

            fn reset(&self) {
                $(counters!(@reset $kind self.$name);)*
                for class in &self.classes.0 {
                    class.reset();
                }
                self.latency.reset();
                self.sampler.reset();
            }
        }
    };
    (@reset count $counter:expr) => { $counter.clear() };
    (@reset gauge $counter:expr) => { () };
}

counters! {
    /// Keys asked for by get, gets, mg, and their binary kin.
    cmd_get: count,
    /// Storage commands run.
    cmd_set: count,
    /// Keys touched, alone or with a get.
    cmd_touch: count,
    /// Times that the nodes of the cluster, or another entry of `config`, were asked for.
    cmd_config_get: count,
    /// Times that such an entry was to be stored.
    cmd_config_set: count,
    /// `flush_all` commands run.
    cmd_flush: count,
    /// Meta commands run.
    cmd_meta: count,
    /// Keys found.
    get_hits: count,
    /// Keys not found.
    get_misses: count,
    /// Misses because the item had expired.
    get_expired: count,
    /// Misses because the item had been flushed.
    get_flushed: count,
    /// Deletes that found no item.
    delete_misses: count,
    /// Deletes that found an item.
    delete_hits: count,
    /// Increments of absent keys.
    incr_misses: count,
    /// Increments that found an item.
    incr_hits: count,
    /// Decrements of absent keys.
    decr_misses: count,
    /// Decrements that found an item.
    decr_hits: count,
    /// Compare-and-swap on absent keys.
    cas_misses: count,
    /// Compare-and-swap that stored.
    cas_hits: count,
    /// Compare-and-swap refused because the item had changed.
    cas_badval: count,
    /// Touches that found an item.
    touch_hits: count,
    /// Touches of absent keys.
    touch_misses: count,
    /// Values refused because they are larger than `item_size_max`.
    store_too_large: count,
    /// Values refused because there was no memory.
    store_no_memory: count,
    /// Login attempts.
    auth_cmds: count,
    /// Login attempts refused.
    auth_errors: count,
    /// Requests refused because their user may not.
    denied_requests: count,
    /// Requests refused because their user had had the second's share.
    limited_requests: count,
    /// Logins refused because their user had as many connections as may be.
    limited_connections: count,
    /// Connections closed for being idle.
    idle_kicks: count,
    /// Bytes received.
    bytes_read: count,
    /// Bytes sent.
    bytes_written: count,
    /// Times that this worker looked who is ready, and served them.
    passes: count,
    /// Turns that connections had.
    turns: count,
    /// Requests answered: lines and packets.
    requests: count,
    /// Turns ended because one connection had its share.
    conn_yields: count,
    /// Replies refused because the memory for replies was used up.
    response_obj_oom: count,
    /// Requests refused because the memory for partial requests was used up.
    read_buf_oom: count,
    /// Connections closed because their client would not read.
    slow_client_closed: count,
    /// TLS sessions begun anew.
    ssl_new_sessions: count,
    /// TLS handshakes that failed.
    ssl_handshake_errors: count,
    /// TLS connections that failed after their handshake.
    ssl_proto_errors: count,
    /// Connections this worker serves now.
    curr_connections: gauge,
    /// Connections this worker has been given.
    total_connections: count,
    /// Buffers that connections of this worker hold now.
    buffers: gauge,
    /// Bytes in those buffers.
    buffer_bytes: gauge,
}

macro_rules! class_counters {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// Counters of one slab class, for one worker.
        #[derive(Debug, Default)]
        pub struct ClassCounters { $($(#[$doc])* pub $name: Counter,)* }

        /// The sum of some workers' counters of one slab class.
        #[derive(Clone, Copy, Debug, Default)]
        pub struct ClassTotals { $($(#[$doc])* pub $name: u64,)* }

        impl ClassCounters {
            fn add_to(&self, totals: &mut ClassTotals) {
                $(totals.$name = totals.$name.wrapping_add(self.$name.get());)*
            }

            fn reset(&self) {
                $(self.$name.clear();)*
            }
        }
    };
}

class_counters! {
    /// Keys found.
    get_hits,
    /// Storage commands run.
    cmd_set,
    /// Items deleted.
    delete_hits,
    /// Items incremented.
    incr_hits,
    /// Items decremented.
    decr_hits,
    /// Compare-and-swap that stored.
    cas_hits,
    /// Compare-and-swap refused because the item had changed.
    cas_badval,
    /// Items touched.
    touch_hits,
    /// Hits on items in HOT.
    hits_to_hot,
    /// Hits on items in WARM.
    hits_to_warm,
    /// Hits on items in COLD.
    hits_to_cold,
    /// Hits on items in TEMP.
    hits_to_temp,
}

/// One block of counters for each slab class.
#[derive(Debug)]
pub struct ByClass([ClassCounters; SLAB_CLASS_COUNT_MAX]);

impl Default for ByClass {
    fn default() -> Self {
        Self(std::array::from_fn(|_| ClassCounters::default()))
    }
}

impl std::ops::Index<u8> for ByClass {
    type Output = ClassCounters;

    fn index(&self, class: u8) -> &ClassCounters {
        // Classes are below 64 by construction; the mask spares the check.
        &self.0[usize::from(class) & (SLAB_CLASS_COUNT_MAX - 1)]
    }
}

/// The counters of all workers.
#[derive(Debug)]
pub struct Registry {
    workers: Vec<Arc<Counters>>,
    slow: SlowLog,
}

impl Registry {
    /// Counters for this many workers, which look at requests more closely as `sampling` says.
    pub fn new(workers: usize, sampling: Sampling) -> Self {
        let counters = |number| {
            Arc::new(Counters {
                sampler: Sampler::new(sampling, number),
                ..Counters::default()
            })
        };
        let numbers = (0..).take(workers);
        Self {
            workers: numbers.map(counters).collect(),
            slow: SlowLog::new(workers),
        }
    }

    /// The block of one worker.
    ///
    /// # Panics
    ///
    /// If there is no such worker.
    pub fn worker(&self, index: usize) -> Arc<Counters> {
        Arc::clone(&self.workers[index])
    }

    /// What took long.
    pub const fn slow(&self) -> &SlowLog {
        &self.slow
    }

    /// All blocks, in the workers' order.
    pub fn workers(&self) -> &[Arc<Counters>] {
        &self.workers
    }

    /// The sum over all workers. Each number is exact at some moment during the call.
    pub fn totals(&self) -> Totals {
        let mut totals = Totals::default();
        for worker in &self.workers {
            worker.add_to(&mut totals);
        }
        totals
    }

    /// The keys, and the prefixes of keys, that are asked for most, at most so many of each, by
    /// samples of the last minute at most.
    pub fn hottest(&self, now_s: u32, count_max: usize) -> Hottest {
        let samplers = self.workers.iter().map(|counters| &counters.sampler);
        sampler::hottest(samplers, now_s, count_max)
    }

    /// Sets every count to zero, as `stats reset` does; gauges stay. A count that a worker is
    /// adding to at this very moment may survive.
    pub fn reset(&self) {
        for worker in &self.workers {
            worker.reset();
        }
        self.slow.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn totals_sum_the_workers_and_reset_spares_gauges() {
        let registry = Registry::new(2, Sampling::default());
        registry.worker(0).get_hits.add(2);
        registry.worker(1).get_hits.add(3);
        registry.worker(1).curr_connections.add(4);
        registry.worker(1).curr_connections.sub(1);
        registry.worker(1).classes[5].cmd_set.add(7);
        let totals = registry.totals();
        assert_eq!(totals.get_hits, 5);
        assert_eq!(totals.curr_connections, 3);
        assert_eq!(totals.classes[5].cmd_set, 7);
        registry.reset();
        let totals = registry.totals();
        assert_eq!((totals.get_hits, totals.curr_connections), (0, 3));
        assert_eq!(totals.classes[5].cmd_set, 0);
    }
}
