//! What one user may do, and how much of it has been done.
//!
//! All conversations of a user share one [`Usage`], whatever worker serves them, and keep it when
//! the file of users is read again.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use super::{Need, Permissions};

/// What one user may do, and how much of it has been done.
#[derive(Debug)]
pub struct Rights {
    permissions: Permissions,
    usage: Arc<Usage>,
}

impl Rights {
    /// These permissions, none of them used yet.
    pub(super) fn new(permissions: Permissions) -> Self {
        Self {
            permissions,
            usage: Arc::default(),
        }
    }

    /// What the user may do.
    pub const fn permissions(&self) -> &Permissions {
        &self.permissions
    }

    /// Whether no request needs to be looked at.
    pub fn is_unlimited(&self) -> bool {
        self.permissions.is_all() && self.permissions.rate_max().is_none()
    }

    /// Takes leave for one request at this second of uptime. False when the second's share is
    /// used up. What needs nothing is free, so that a client can always end, or find its place.
    pub fn spend(&self, need: Need, now_s: u32) -> bool {
        match self.permissions.rate_max() {
            Some(rate_max) if need != Need::Nothing => self.usage.spend(rate_max, now_s),
            Some(_) | None => true,
        }
    }

    /// Takes leave for one connection, until it is dropped. `None` when as many are open as may
    /// be.
    pub fn sit(&self) -> Option<Seat> {
        let connections_max = self.permissions.connections_max().unwrap_or(u32::MAX);
        let taken =
            self.usage
                .connections
                .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |count| {
                    (count < connections_max).then_some(count + 1)
                });
        taken.is_ok().then(|| Seat(Arc::clone(&self.usage)))
    }

    /// Whether there is room for one more connection now.
    pub fn has_seat(&self) -> bool {
        let connections_max = self.permissions.connections_max();
        connections_max.is_none_or(|max| self.connections() < max)
    }

    /// Goes on with what has been used under other permissions of the same user.
    pub(super) fn inherit(&mut self, other: &Self) {
        self.usage = Arc::clone(&other.usage);
    }

    /// Connections that are open.
    pub fn connections(&self) -> u32 {
        self.usage.connections.load(Ordering::Relaxed)
    }
}

/// Leave for one connection.
#[derive(Debug)]
pub struct Seat(Arc<Usage>);

impl Drop for Seat {
    fn drop(&mut self) {
        self.0.connections.fetch_sub(1, Ordering::Relaxed);
    }
}

/// How much one user has done. Numbers only: nothing else rests on their order.
#[derive(Debug, Default)]
struct Usage {
    /// Connections that are open.
    connections: AtomicU32,
    /// The second of uptime in the upper half, requests served in it in the lower.
    requests: AtomicU64,
}

impl Usage {
    fn spend(&self, rate_max: u32, now_s: u32) -> bool {
        let spent = self
            .requests
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |requests| {
                let second = requests >> 32;
                let count = if second == u64::from(now_s) {
                    requests & u64::from(u32::MAX)
                } else {
                    0
                };
                (count < u64::from(rate_max)).then_some(u64::from(now_s) << 32 | (count + 1))
            });
        spent.is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rights(text: &str) -> Rights {
        Rights::new(Permissions::parse(text.split_whitespace()).unwrap())
    }

    #[test]
    fn each_second_has_a_share_of_its_own_and_no_more() {
        let rights = rights("+@all rate=3");
        for now_s in [7, 8, 20, 19] {
            for count in 1..=5 {
                assert_eq!(rights.spend(Need::Read, now_s), count <= 3, "{now_s}");
            }
            assert!(rights.spend(Need::Nothing, now_s));
        }
        assert!(!rights.is_unlimited());
    }

    #[test]
    fn a_share_is_one_for_all_threads() {
        let rights = rights("+@all rate=1000");
        let spent = AtomicU32::new(0);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..500 {
                        spent.fetch_add(u32::from(rights.spend(Need::Read, 9)), Ordering::Relaxed);
                    }
                });
            }
        });
        assert_eq!(spent.into_inner(), 1000);
    }

    #[test]
    fn a_seat_is_free_again_when_it_is_left() {
        let rights = rights("+@all conns=2");
        let first = rights.sit().unwrap();
        let _second = rights.sit().unwrap();
        assert!(rights.sit().is_none());
        drop(first);
        assert!(rights.sit().is_some());
        assert_eq!(rights.connections(), 1);
        assert!(rights.is_unlimited(), "no request needs a look");
    }
    #[test]
    fn other_permissions_go_on_where_the_last_ended() {
        let old = rights("+@all conns=1");
        let seat = old.sit().unwrap();
        let mut new = rights("+@all conns=1");
        new.inherit(&old);
        assert!(new.sit().is_none());
        drop(seat);
        assert!(new.sit().is_some());
    }
}
