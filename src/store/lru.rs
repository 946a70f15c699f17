//! Queues of items: who goes next.
//!
//! Each cut has memcached's four queues. New items enter HOT at the head. What reaches HOT's
//! tail without a second hit goes on to COLD, what was hit goes to WARM; WARM's tail does the
//! same, and items leave the cache at COLD's tail. TEMP holds items that expire soon; nothing
//! is evicted from it.
//!
//! ```text
//!            second hit                     hit again
//!   new -> HOT -----------> WARM <---------------------+
//!           |                |                         |
//!           +---> COLD <-----+    COLD ----------------+
//!                   |
//!                   +-> evicted
//! ```
//!
//! A hit sets bits and moves nothing. An item moves when it is at a tail and somebody looks at
//! it: a request that needs room, or upkeep. The links are handles in the items' headers, so
//! taking an item out of the middle is O(1).

use super::arena::{Handle, Lease};
use super::item::{self, Header, Queue};

/// One queue.
#[derive(Clone, Copy, Debug)]
pub(super) struct List {
    head: Handle,
    tail: Handle,
    count: u32,
}

impl List {
    const EMPTY: Self = Self {
        head: Handle::NONE,
        tail: Handle::NONE,
        count: 0,
    };
}

/// The queues of one cut.
#[derive(Clone, Copy, Debug)]
pub(super) struct Queues {
    lists: [List; 4],
}

impl Queues {
    /// Nothing queued.
    pub(super) const EMPTY: Self = Self {
        lists: [List::EMPTY; 4],
    };

    /// Items in a queue.
    pub(super) fn count(&self, queue: Queue) -> u32 {
        self.lists[queue as usize].count
    }

    /// Items in all queues.
    pub(super) fn total(&self) -> u32 {
        self.lists.iter().map(|list| list.count).sum()
    }

    /// The item that has been in a queue longest.
    pub(super) fn tail(&self, queue: Queue) -> Handle {
        self.lists[queue as usize].tail
    }

    /// The item that came to a queue last.
    pub(super) fn head(&self, queue: Queue) -> Handle {
        self.lists[queue as usize].head
    }

    /// Takes over a queue whose links have been found to be right.
    pub(super) fn adopt(&mut self, queue: Queue, head: Handle, tail: Handle, count: u32) {
        self.lists[queue as usize] = List { head, tail, count };
    }

    /// Puts an item at the head of a queue.
    pub(super) fn push(&mut self, lease: &mut Lease, queue: Queue, handle: Handle) {
        let list = &mut self.lists[queue as usize];
        let chunk = lease.at_mut(handle);
        item::set_queue(chunk, queue);
        item::set_next(chunk, list.head);
        item::set_prev(chunk, Handle::NONE);
        if list.head.is_none() {
            list.tail = handle;
        } else {
            item::set_prev(lease.at_mut(list.head), handle);
        }
        list.head = handle;
        list.count += 1;
    }

    /// Takes an item out of the queue it is in.
    pub(super) fn unlink(&mut self, lease: &mut Lease, handle: Handle) {
        let header = Header::read(lease.at(handle));
        let list = &mut self.lists[header.queue() as usize];
        if header.prev.is_none() {
            list.head = header.next;
        } else {
            item::set_next(lease.at_mut(header.prev), header.next);
        }
        if header.next.is_none() {
            list.tail = header.prev;
        } else {
            item::set_prev(lease.at_mut(header.next), header.prev);
        }
        list.count -= 1;
    }

    /// Tells the neighbours of an item that has been copied from `from` to `to`.
    pub(super) fn moved(&mut self, lease: &mut Lease, from: Handle, to: Handle) {
        let header = Header::read(lease.at(to));
        let list = &mut self.lists[header.queue() as usize];
        if header.prev.is_none() {
            debug_assert_eq!(list.head, from);
            list.head = to;
        } else {
            item::set_next(lease.at_mut(header.prev), to);
        }
        if header.next.is_none() {
            debug_assert_eq!(list.tail, from);
            list.tail = to;
        } else {
            item::set_prev(lease.at_mut(header.next), to);
        }
    }
}
