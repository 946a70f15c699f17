//! Joins to long values, in steps: other clients have their turns between them.
//!
//! What has to be written again is written beside the old value, as an upload is. When it is there
//! it takes the old one's place, if that is still what the key leads to; else it was for nothing,
//! and the join begins again.

use super::api::{Put, PutMode, PutReply, PutStatus, Upload};
use super::shard::{Joining, Part};
use super::{Store, value_size};
use crate::limits::COPY_SIZE_MAX;
use crate::time::Now;

/// Attempts before a value that others change all the time is joined to under one lock.
const ATTEMPTS_MAX: usize = 3;

/// What is joined to a value.
#[derive(Clone, Copy, Debug)]
pub(super) enum Added<'v> {
    /// Bytes at hand.
    Bytes(&'v [u8]),
    /// The value of the upload of this number.
    Uploaded(usize),
}

impl Store {
    /// Appends or prepends to a value that has to be written again and is long. `None` when it is
    /// not that; nothing has changed then.
    #[cold]
    pub(super) fn join_in_steps(
        &self,
        number: usize,
        put: &Put<'_>,
        added: Added<'_>,
        now: Now,
    ) -> Option<PutReply> {
        let added_size = match added {
            Added::Bytes(bytes) => value_size(bytes),
            Added::Uploaded(id) => self.places[number].shard.lock().uploaded_part(id).left,
        };
        for _ in 0..ATTEMPTS_MAX {
            let begun =
                self.with_memory(number, now, |shard| shard.begin_join(put, added_size, now));
            let joining = begun.ok().flatten()?;
            let reply = match self.write_joined(number, put.mode, &joining, added, now) {
                Ok(()) => self
                    .with_memory(number, now, |shard| shard.end_join(&joining, put, now))
                    .unwrap_or(None),
                Err(status) => Some(PutReply {
                    status,
                    cas: 0,
                    value_size: added_size,
                    class: self.class_of(put.key.len(), added_size, put.client_flags),
                }),
            };
            if !matches!(reply, Some(reply) if reply.status == PutStatus::Stored) {
                self.places[number].shard.lock().abort_join(&joining);
            }
            if reply.is_some() {
                return reply;
            }
        }
        None
    }

    fn write_joined(
        &self,
        number: usize,
        mode: PutMode,
        joining: &Joining,
        added: Added<'_>,
        now: Now,
    ) -> Result<(), PutStatus> {
        let mut upload = Upload {
            shard: u32::try_from(number).unwrap_or(u32::MAX),
            id: u32::try_from(joining.upload).unwrap_or(u32::MAX),
            joins: false,
        };
        let write_added = |upload: &mut Upload| match added {
            Added::Bytes(bytes) => self.fill_upload(upload, bytes, now),
            Added::Uploaded(id) => {
                let part = self.places[number].shard.lock().uploaded_part(id);
                self.copy_part(number, part, upload, now)
            }
        };
        if mode == PutMode::Append {
            self.copy_part(number, joining.old, &mut upload, now)?;
            write_added(&mut upload)
        } else {
            write_added(&mut upload)?;
            self.copy_part(number, joining.old, &mut upload, now)
        }
    }

    /// Adds a value that stays as it is to an upload of the same shard.
    fn copy_part(
        &self,
        number: usize,
        mut part: Part,
        upload: &mut Upload,
        now: Now,
    ) -> Result<(), PutStatus> {
        let mut bytes = Vec::with_capacity(COPY_SIZE_MAX);
        while part.left > 0 {
            bytes.clear();
            let shard = self.places[number].shard.lock();
            shard.read_part(&mut part, COPY_SIZE_MAX, &mut bytes);
            drop(shard);
            self.fill_upload(upload, &bytes, now)?;
        }
        Ok(())
    }

    /// As [`Self::join_in_steps`], for what has been uploaded.
    #[cold]
    pub(super) fn join_upload_in_steps(
        &self,
        number: usize,
        id: usize,
        now: Now,
    ) -> Option<PutReply> {
        let shard = self.places[number].shard.lock();
        let key = shard.upload_put(id, |put| put.key.to_vec());
        let put = shard.upload_put(id, |put| Put { key: &key, ..*put });
        drop(shard);
        let reply = self.join_in_steps(number, &put, Added::Uploaded(id), now)?;
        self.places[number].shard.lock().abort_upload(id);
        Some(reply)
    }
}
