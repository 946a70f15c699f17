//! The invariants of a shard, as code.

use std::collections::HashSet;

use super::super::arena::Handle;
use super::super::item::{self, Header, Kind, Queue};
use super::super::slab::Slabs;
use super::Shard;

impl Shard {
    /// Panics unless every structural invariant holds. O(items): for tests, never the server.
    pub(in super::super) fn check(&self) {
        let mut queued = HashSet::new();
        for (cut, queues) in self.queues.iter().enumerate() {
            let mut requested = 0;
            for queue in Queue::ALL {
                let mut count = 0;
                let mut before = Handle::NONE;
                let mut handle = queues.head(queue);
                while !handle.is_none() {
                    let chunk = self.lease.at(handle);
                    let header = Header::read(chunk);
                    assert_eq!(item::kind_of(chunk), Kind::Linked);
                    assert_eq!(header.queue(), queue);
                    assert_eq!(header.prev, before);
                    assert_eq!(usize::from(Slabs::cut_of(&self.lease, handle)), cut);
                    assert!(queued.insert(handle), "an item is queued twice");
                    requested += self.logical_size(&header, chunk);
                    self.check_pieces(handle);
                    let slot = self.slot_of(self.hash_at(handle), handle);
                    assert!(slot.is_some(), "a queued item is not in the index");
                    count += 1;
                    before = handle;
                    handle = header.next;
                }
                assert_eq!(queues.tail(queue), before);
                assert_eq!(queues.count(queue), count);
            }
            assert_eq!(self.stats[cut].requested, requested);
        }
        assert_eq!(queued.len(), self.index.len());
        self.check_pages();
        for head in &self.doomed {
            assert_eq!(item::kind_of(self.lease.at(*head)), Kind::Detached);
        }
    }

    fn check_pieces(&self, head: Handle) {
        let chunk = self.lease.at(head);
        let header = Header::read(chunk);
        let cut = Slabs::cut_of(&self.lease, head);
        let mut held = header.inline_size();
        let mut before = head;
        let mut piece = header.first_piece(chunk);
        while !piece.is_none() {
            let chunk = self.lease.at(piece);
            assert_eq!(item::kind_of(chunk), Kind::Piece);
            assert_eq!(item::piece_prev(chunk), before);
            assert_eq!(item::piece_owner(chunk), head);
            held += self.common.classes.piece_room(cut);
            before = piece;
            piece = item::piece_next(chunk);
        }
        assert!(held >= header.value_size(self.lease.at(head)) as usize);
    }

    fn check_pages(&self) {
        for cut in 0..u16::try_from(self.queues.len()).unwrap_or(u16::MAX) {
            let (mut pages, mut used, mut free) = (0, 0, 0);
            let mut page = self.slabs.newest_page(cut);
            while page != 0 {
                let mut here = 0;
                let mut chunks = self.slabs.chunks_of(&self.lease, page);
                while let Some(handle) = chunks.next(&self.lease) {
                    if item::kind_of(self.lease.at(handle)) != Kind::Free {
                        here += 1;
                    }
                }
                assert_eq!(here, Slabs::used_in(&self.lease, page));
                let is_closed = self.slabs.is_closed(&self.lease, page);
                assert_eq!(is_closed, self.emptied_page() == Some(page));
                if !is_closed {
                    free += u64::from(self.slabs.cut(cut).capacity - here);
                }
                used += u64::from(here);
                pages += 1;
                page = Slabs::older_page(&self.lease, page);
            }
            assert_eq!(pages, self.slabs.cut(cut).pages);
            assert_eq!(used, self.slabs.cut(cut).used);
            assert_eq!(free, self.slabs.free_chunks(cut));
        }
    }
}
