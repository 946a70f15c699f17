//! Values that come in pieces.
//!
//! An upload is a detached item that grows by a chunk at a time as its value arrives, so a
//! large value needs no buffer, and room is made for it in small steps. Whether it may be
//! stored at all is decided at the end, by the same rules as for a value that came at once.

use super::super::api::{KeyHash, Put, PutMode, PutReply, PutStatus};
use super::super::arena::Handle;
use super::super::item::{self, Header, Mark, Spec};
use super::join::Added;
use super::write::{Tail, Verdict, judge, put_spec};
use super::{Shard, Short};
use crate::time::{Expiry, Now};

/// An upload on its way. The key is in the item.
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct UploadState {
    head: Handle,
    tail: Tail,
    /// Bytes not yet there.
    missing: u32,
    hash: u64,
    mode: PutMode,
    client_flags: u32,
    expiry: Expiry,
    compare: Option<u64>,
    assign_cas: Option<u64>,
    invalidate: bool,
    vivify: Option<Expiry>,
    binary_key: bool,
    drop_on_failure: bool,
}

impl UploadState {
    /// The item.
    pub(super) fn head(&self) -> Handle {
        self.head
    }

    fn put<'k>(&self, key: &'k [u8]) -> Put<'k> {
        Put {
            key,
            hash: KeyHash(self.hash),
            mode: self.mode,
            client_flags: self.client_flags,
            expiry: self.expiry,
            compare: self.compare,
            assign_cas: self.assign_cas,
            invalidate: self.invalidate,
            vivify: self.vivify,
            binary_key: self.binary_key,
            drop_on_failure: self.drop_on_failure,
        }
    }
}

impl Shard {
    /// Begins an upload. The size has been found to be within the limit.
    pub(in super::super) fn begin_upload(
        &mut self,
        put: &Put<'_>,
        size: u32,
        now: Now,
    ) -> Result<usize, Short> {
        self.begin(now);
        let spec = put_spec(put, size);
        let (head, tail) = self.build_head(&spec, put.key, now)?;
        Ok(self.begin_upload_of(put, &spec, head, tail))
    }

    /// Begins an upload into a detached item.
    pub(super) fn begin_upload_of(
        &mut self,
        put: &Put<'_>,
        spec: &Spec,
        head: Handle,
        tail: Tail,
    ) -> usize {
        self.uploads.insert(UploadState {
            head,
            tail,
            missing: spec.value_size,
            hash: put.hash.0,
            mode: put.mode,
            client_flags: put.client_flags,
            expiry: put.expiry,
            compare: put.compare,
            assign_cas: put.assign_cas,
            invalidate: put.invalidate,
            vivify: put.vivify,
            binary_key: put.binary_key,
            drop_on_failure: put.drop_on_failure,
        })
    }

    /// The item that an upload writes.
    pub(super) fn upload_head(&self, id: usize) -> Handle {
        self.uploads[id].head
    }

    /// Ends an upload, whose item is the caller's now.
    pub(super) fn take_upload(&mut self, id: usize) -> Handle {
        self.uploads.remove(id).head
    }

    /// Shows what an upload is to be stored as.
    pub(in super::super) fn upload_put<R>(&self, id: usize, see: impl FnOnce(&Put<'_>) -> R) -> R {
        let state = &self.uploads[id];
        let chunk = self.lease.at(state.head);
        see(&state.put(Header::read(chunk).key(chunk)))
    }

    /// Adds bytes to an upload. Returns how many were taken before memory ran short.
    pub(in super::super) fn fill_upload(
        &mut self,
        id: usize,
        bytes: &[u8],
        now: Now,
    ) -> Result<usize, (usize, Short)> {
        let mut state = self.uploads[id];
        let bytes = &bytes[..bytes.len().min(state.missing as usize)];
        let (taken, filled) = self.fill(state.head, &mut state.tail, bytes, now);
        state.missing -= u32::try_from(taken).unwrap_or(state.missing);
        self.uploads[id] = state;
        match filled {
            Ok(()) => Ok(taken),
            Err(short) => Err((taken, short)),
        }
    }

    /// Frees an upload.
    pub(in super::super) fn abort_upload(&mut self, id: usize) {
        let state = self.uploads.remove(id);
        self.free_chunks(state.head);
    }

    /// Frees an upload that memory ran short for, with the consequences of a failed put.
    pub(in super::super) fn fail_upload(&mut self, id: usize, now: Now) {
        let state = self.uploads[id];
        let chunk = self.lease.at(state.head);
        let header = Header::read(chunk);
        let key = header.key(chunk).to_vec();
        let size = header.value_size(chunk);
        self.put_failed(&state.put(&key), size, PutStatus::NoMemory, now);
    }

    /// Stores what has been uploaded.
    pub(in super::super) fn finish_upload(
        &mut self,
        id: usize,
        now: Now,
    ) -> Result<PutReply, Short> {
        self.begin(now);
        let state = self.uploads[id];
        debug_assert_eq!(
            state.missing, 0,
            "an upload is finished when all of it is there"
        );
        let chunk = self.lease.at(state.head);
        let header = Header::read(chunk);
        let key = header.key(chunk).to_vec();
        let value_size = header.value_size(chunk);
        let put = state.put(&key);
        let class = self
            .common
            .classes
            .class_of(self.logical_size(&header, chunk));
        let old = self.find_live(&key, state.hash, now).ok();
        let old_cas = old.map(|old| self.cas_of(&old.header, self.lease.at(old.handle)));
        match judge(&put, old_cas) {
            Verdict::Refuse(status) => {
                self.abort_upload(id);
                Ok(PutReply {
                    status,
                    cas: 0,
                    value_size,
                    class,
                })
            }
            Verdict::Join => {
                // `judge` joins only to what is there.
                let old = old.ok_or(Short)?;
                let reply = self.join(&put, &old, &Added::Uploaded(state.head), now)?;
                self.abort_upload(id);
                Ok(reply)
            }
            Verdict::Store { stale } => {
                let old = old.map(|old| (old.header, self.lease.at(old.handle)));
                let kept = old
                    .map(|(header, chunk)| (header.expiry_s(chunk), header.has(Mark::TOKEN_SENT)));
                // A fresh serial number: what was stored while this came in is older.
                let serial = self.next_serial();
                let chunk = self.lease.at_mut(state.head);
                item::set_serial(chunk, serial);
                item::set_access(chunk, now.uptime_s);
                if let (true, Some((_, token_sent))) = (stale, kept) {
                    item::set_mark(chunk, Mark::STALE, true);
                    item::set_mark(chunk, Mark::TOKEN_SENT, token_sent);
                }
                let handle = state.head;
                // Room in the index is found before the upload ceases to be one.
                self.reserve_index(now)?;
                self.uploads.remove(id);
                let expiry_s = kept.filter(|_| stale).map(|(expiry_s, _)| expiry_s);
                let linked = self
                    .link_over(handle, &key, state.hash, now)
                    .and_then(|()| match expiry_s {
                        Some(expiry_s) => self.set_expiry(handle, state.hash, expiry_s, now),
                        None => Ok(handle),
                    });
                match linked {
                    Ok(handle) => Ok(self.stored(handle, class)),
                    Err(Short) => {
                        let put = Put {
                            drop_on_failure: true,
                            ..put
                        };
                        Ok(self.put_failed(&put, value_size, PutStatus::NoMemory, now))
                    }
                }
            }
        }
    }
}
