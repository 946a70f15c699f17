//! Who is connected, for `stats conns`.
//!
//! The list is locked when a connection comes or goes and when somebody asks, never while
//! requests are served: a worker writes only into the connection's own [`Info`], and only what
//! has changed.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use parking_lot::Mutex;

use super::mailbox::ip_and_port;
use crate::session::{Dialect, Peer};

/// What a socket is for.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Place {
    /// A TCP address.
    Tcp(SocketAddr),
    /// A UDP address.
    Udp(SocketAddr),
    /// A unix socket.
    Unix(PathBuf),
    /// The unnamed end of a unix socket.
    UnixClient,
}

impl Place {
    /// As a users file names it.
    fn name(&self) -> Box<str> {
        match self {
            Self::Tcp(address) | Self::Udp(address) => address.to_string().into(),
            Self::Unix(_) | Self::UnixClient => "unix".into(),
        }
    }

    /// As memcached writes it, such as `tcp6:[::1]:11211`.
    pub(super) fn text(&self) -> String {
        let (name, address) = match self {
            Self::Tcp(address) => ("tcp", address),
            Self::Udp(address) => ("udp", address),
            Self::Unix(path) => return format!("unix:{}", path.display()),
            Self::UnixClient => return "unix:".to_owned(),
        };
        match address {
            SocketAddr::V4(v4) => format!("{name}:{}:{}", v4.ip(), v4.port()),
            SocketAddr::V6(v6) => format!("{name}6:[{}]:{}", v6.ip(), v6.port()),
        }
    }
}

/// What is known of one socket.
#[derive(Debug)]
pub(super) struct Info {
    /// Its descriptor, which is its name in statistics and logs.
    pub(super) descriptor: i32,
    /// The client's address; none for unix sockets and listeners.
    pub(super) peer: Option<SocketAddr>,
    /// Our own address on this connection; none when the listener's says it all.
    pub(super) local: Option<SocketAddr>,
    /// The listener it came through, or the listener itself.
    pub(super) listener: Arc<Place>,
    role: Role,
    state: Mutex<&'static str>,
    active_s: AtomicU32,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Role {
    Listener,
    Datagrams,
    Client,
}

impl Info {
    /// What a session is told of this client.
    pub(super) fn as_peer(&self, dialect: Dialect) -> Peer {
        let (address, port) = ip_and_port(self.peer);
        Peer {
            id: u64::try_from(self.descriptor).unwrap_or(0),
            transport: if self.peer.is_some() { "tcp" } else { "local" },
            address,
            port,
            dialect,
            secured: false,
            listener: self.listener.name(),
            certificate: None,
        }
    }

    /// A listening socket, or one for datagrams.
    pub(super) fn listener(descriptor: i32, place: Place, now_s: u32) -> Self {
        let (role, state) = match &place {
            Place::Udp(_) => (Role::Datagrams, "conn_read"),
            Place::Tcp(_) | Place::Unix(_) | Place::UnixClient => {
                (Role::Listener, "conn_listening")
            }
        };
        Self {
            descriptor,
            peer: None,
            local: None,
            listener: Arc::new(place),
            role,
            state: Mutex::new(state),
            active_s: AtomicU32::new(now_s),
        }
    }

    /// A client.
    pub(super) fn client(
        descriptor: i32,
        peer: Option<SocketAddr>,
        local: Option<SocketAddr>,
        listener: Arc<Place>,
        now_s: u32,
    ) -> Self {
        Self {
            descriptor,
            peer,
            local,
            listener,
            role: Role::Client,
            state: Mutex::new("conn_new_cmd"),
            active_s: AtomicU32::new(now_s),
        }
    }

    /// Says what the connection is doing.
    pub(super) fn set_state(&self, state: &'static str) {
        *self.state.lock() = state;
    }

    /// Says when the client was last heard, in seconds of uptime.
    pub(super) fn set_active(&self, now_s: u32) {
        self.active_s.store(now_s, Ordering::Relaxed);
    }

    fn address(&self) -> String {
        match (self.role, self.peer) {
            (Role::Client, Some(peer)) => Place::Tcp(peer).text(),
            (Role::Client, None) => Place::UnixClient.text(),
            (Role::Listener | Role::Datagrams, _) => self.listener.text(),
        }
    }

    fn listen_address(&self) -> String {
        match self.local {
            Some(local) => Place::Tcp(local).text(),
            None => self.listener.text(),
        }
    }
}

/// All sockets that serve, by descriptor.
#[derive(Debug, Default)]
pub(super) struct Census {
    all: Mutex<BTreeMap<i32, Arc<Info>>>,
}

impl Census {
    /// Enters a socket.
    pub(super) fn enter(&self, info: Arc<Info>) {
        self.all.lock().insert(info.descriptor, info);
    }

    /// Strikes a socket out. Do it before the descriptor is closed, while its number is still
    /// nobody else's.
    pub(super) fn leave(&self, descriptor: i32) {
        self.all.lock().remove(&descriptor);
    }

    /// Shows what `stats conns` says, as keys and values. `current` are the descriptors that are
    /// being served at this moment.
    pub(super) fn show(&self, now_s: u32, current: &[i32], see: &mut dyn FnMut(&str, &str)) {
        // Copied out, so that a long answer keeps nobody from connecting.
        let all: Vec<Arc<Info>> = self.all.lock().values().cloned().collect();
        let mut key = String::new();
        let mut line = |descriptor: i32, name: &str, value: &str| {
            key.clear();
            // Writing to a string cannot fail.
            let _ = write!(key, "{descriptor}:{name}");
            see(&key, value);
        };
        for info in all {
            let descriptor = info.descriptor;
            if info.role == Role::Datagrams {
                line(descriptor, "UDP", "UDP");
            }
            line(descriptor, "addr", &info.address());
            if info.role == Role::Client {
                line(descriptor, "listen_addr", &info.listen_address());
            }
            let state = if current.contains(&descriptor) {
                "conn_parse_cmd"
            } else {
                *info.state.lock()
            };
            line(descriptor, "state", state);
            let idle_s = now_s.saturating_sub(info.active_s.load(Ordering::Relaxed));
            line(descriptor, "secs_since_last_cmd", &idle_s.to_string());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sockets_are_shown_by_descriptor_with_the_words_of_memcached() {
        let census = Census::default();
        let listener = Place::Tcp("0.0.0.0:11211".parse().unwrap());
        let shared = Arc::new(listener.clone());
        let peer = "[::1]:7".parse().unwrap();
        let local = "127.0.0.1:11211".parse().unwrap();
        census.enter(Arc::new(Info::client(
            9,
            Some(peer),
            Some(local),
            shared,
            5,
        )));
        census.enter(Arc::new(Info::listener(3, listener, 2)));
        let unix = Arc::new(Place::Unix("/run/larder".into()));
        census.enter(Arc::new(Info::client(11, None, None, unix, 5)));
        let mut lines = Vec::new();
        census.show(7, &[9], &mut |key, value| {
            lines.push(format!("{key} {value}"))
        });
        assert_eq!(
            lines,
            [
                "3:addr tcp:0.0.0.0:11211",
                "3:state conn_listening",
                "3:secs_since_last_cmd 5",
                "9:addr tcp6:[::1]:7",
                "9:listen_addr tcp:127.0.0.1:11211",
                "9:state conn_parse_cmd",
                "9:secs_since_last_cmd 2",
                "11:addr unix:",
                "11:listen_addr unix:/run/larder",
                "11:state conn_new_cmd",
                "11:secs_since_last_cmd 2",
            ]
        );
        census.leave(9);
        let mut count = 0;
        census.show(7, &[], &mut |_, _| count += 1);
        assert_eq!(count, 7);
    }
}
