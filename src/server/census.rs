//! Who is connected, for `stats conns` and `stats clients`.
//!
//! The list is locked when a connection comes or goes, and for a moment for each piece that
//! somebody asks for, never while requests are served: a worker writes only into the connection's
//! own [`Info`], whose counters nobody else writes.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;
use std::net::{IpAddr, SocketAddr};
use std::ops::Bound;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};

use parking_lot::Mutex;

use super::mailbox::ip_and_port;
use crate::session::{Asked, Choice, Chosen, Dialect, Doing, FIRST, Killed, Peer};
use crate::stats::Counter;

/// Sockets shown in one piece of a list: a few dozen microseconds' worth.
const PIECE_COUNT: usize = 16;

/// Sockets looked at for one piece of a search.
const SEARCH_COUNT: usize = 256;

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
    fn name(&self) -> Arc<str> {
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

/// The listener of a socket.
#[derive(Debug)]
pub(super) struct Entry {
    place: Place,
    /// As a users file names it.
    name: Arc<str>,
}

impl Entry {
    /// A listener at this place.
    pub(super) fn new(place: Place) -> Self {
        let name = place.name();
        Self { place, name }
    }
}

/// What a connection is doing, in one number, so that a worker sees at once whether it has
/// changed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Face(u32);

impl Face {
    /// Of a connection that is doing this, was asked that last, and speaks so.
    pub(super) fn new(doing: Doing, asked: Asked, dialect: Dialect) -> Self {
        Self(u32::from_le_bytes([
            doing as u8,
            asked as u8,
            dialect as u8,
            0,
        ]))
    }

    fn parts(self) -> (Doing, Asked, Dialect) {
        let [doing, asked, dialect, _] = self.0.to_le_bytes();
        let dialects = [Dialect::Text, Dialect::Binary];
        let dialect = dialects.into_iter().find(|&known| known as u8 == dialect);
        (
            Doing::of_byte(doing),
            Asked::of_byte(asked),
            dialect.unwrap_or(Dialect::Auto),
        )
    }
}

/// How a client has come.
#[derive(Debug)]
pub(super) struct Arrival {
    /// The client's address; none for unix sockets.
    pub(super) peer: Option<SocketAddr>,
    /// The address of ours that it has called; none when the listener's says it all.
    pub(super) local: Option<IpAddr>,
    /// The listener it came through.
    pub(super) listener: Arc<Entry>,
    /// Whether that one speaks TLS.
    pub(super) secured: bool,
    /// Who serves it.
    pub(super) worker: u16,
    /// When it came, in seconds of uptime.
    pub(super) now_s: u32,
}

/// What is known of one socket.
#[derive(Debug)]
pub(super) struct Info {
    /// What no other connection of this daemon is called; zero for what is no client.
    pub(super) id: u64,
    /// Its descriptor, which is its name in logs and in `stats conns`.
    pub(super) descriptor: i32,
    arrival: Arrival,
    role: Role,
    /// What it is doing.
    face: AtomicU32,
    active_s: AtomicU32,
    /// Bytes in the connection's buffers.
    buffer_bytes: AtomicU32,
    /// Where its thread finds it, or [`NOWHERE`].
    seat: AtomicU32,
    is_doomed: AtomicBool,
    /// Requests answered.
    pub(super) requests: Counter,
    /// Bytes received.
    pub(super) bytes_read: Counter,
    /// Bytes sent.
    pub(super) bytes_written: Counter,
}

/// The seat of a connection that is on its way to a thread.
const NOWHERE: u32 = u32::MAX;

/// Set in the seat of one whose thread shakes hands.
const SHAKING: u32 = 1 << 31;

/// Where a connection is served.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Seat {
    /// Its worker, be it there or still on its way.
    pub(super) worker: usize,
    /// It is with the thread that shakes hands for that worker.
    pub(super) is_shaking: bool,
    /// Its number there.
    pub(super) key: usize,
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
        let (address, port) = ip_and_port(self.arrival.peer);
        Peer {
            id: u64::try_from(self.descriptor).unwrap_or(0),
            transport: if self.is_remote() { "tcp" } else { "local" },
            address,
            port,
            dialect,
            secured: false,
            listener: Arc::clone(&self.arrival.listener.name),
            certificate: None,
        }
    }

    /// A listening socket, or one for datagrams.
    pub(super) fn listener(descriptor: i32, place: Place, now_s: u32) -> Self {
        let (role, doing) = match &place {
            Place::Udp(_) => (Role::Datagrams, Doing::Read),
            Place::Tcp(_) | Place::Unix(_) | Place::UnixClient => {
                (Role::Listener, Doing::Listening)
            }
        };
        let arrival = Arrival {
            peer: None,
            local: None,
            listener: Arc::new(Entry::new(place)),
            secured: false,
            worker: 0,
            now_s,
        };
        Self::new(0, descriptor, arrival, role, doing)
    }

    fn new(id: u64, descriptor: i32, arrival: Arrival, role: Role, doing: Doing) -> Self {
        Self {
            id,
            descriptor,
            role,
            face: AtomicU32::new(Face::new(doing, Asked::Nothing, Dialect::Auto).0),
            active_s: AtomicU32::new(arrival.now_s),
            arrival,
            buffer_bytes: AtomicU32::new(0),
            seat: AtomicU32::new(NOWHERE),
            is_doomed: AtomicBool::new(false),
            requests: Counter::default(),
            bytes_read: Counter::default(),
            bytes_written: Counter::default(),
        }
    }

    /// The client's address; none for unix sockets and listeners.
    pub(super) const fn peer(&self) -> Option<SocketAddr> {
        self.arrival.peer
    }

    /// Whether this is a client with an address.
    pub(super) const fn is_remote(&self) -> bool {
        self.arrival.peer.is_some()
    }

    /// Says what the connection is doing.
    pub(super) fn set_face(&self, face: Face) {
        self.face.store(face.0, Ordering::Relaxed);
    }

    /// Says when the client was last heard, in seconds of uptime.
    pub(super) fn set_active(&self, now_s: u32) {
        self.active_s.store(now_s, Ordering::Relaxed);
    }

    /// Says how large the connection's buffers are, in bytes.
    pub(super) fn set_buffers(&self, size: usize) {
        let size = u32::try_from(size).unwrap_or(u32::MAX);
        self.buffer_bytes.store(size, Ordering::Relaxed);
    }

    /// Says where the connection is served. False when it is to be closed there at once.
    pub(super) fn sit(&self, key: usize, is_shaking: bool) -> bool {
        let key = u32::try_from(key).map_or(NOWHERE, |key| key & !SHAKING);
        let shaking = if is_shaking { SHAKING } else { 0 };
        // Whoever dooms it looks here afterwards, and we look there: one of us sees the other.
        self.seat.store(key | shaking, Ordering::SeqCst);
        !self.is_doomed()
    }

    /// Says that the connection is on its way to another thread.
    pub(super) fn stand_up(&self) {
        self.seat.store(NOWHERE, Ordering::SeqCst);
    }

    /// Whether somebody wants it closed.
    pub(super) fn is_doomed(&self) -> bool {
        self.is_doomed.load(Ordering::SeqCst)
    }

    /// Says that it is to be closed, and where; nowhere while no thread has it, and then the next
    /// that gets it closes it.
    fn doom(&self) -> Option<Seat> {
        self.is_doomed.store(true, Ordering::SeqCst);
        let seat = self.seat.load(Ordering::SeqCst);
        (seat != NOWHERE).then_some(Seat {
            worker: self.arrival.worker.into(),
            is_shaking: seat & SHAKING != 0,
            key: (seat & !SHAKING) as usize,
        })
    }

    /// As lists show it.
    pub(super) fn address(&self) -> String {
        match (self.role, self.arrival.peer) {
            (Role::Client, Some(peer)) => Place::Tcp(peer).text(),
            (Role::Client, None) => Place::UnixClient.text(),
            (Role::Listener | Role::Datagrams, _) => self.arrival.listener.place.text(),
        }
    }

    fn listen_address(&self) -> String {
        let place = &self.arrival.listener.place;
        match (self.arrival.local, place) {
            (Some(local), Place::Tcp(address)) => {
                Place::Tcp(SocketAddr::new(local, address.port())).text()
            }
            (Some(_) | None, _) => place.text(),
        }
    }

    fn parts(&self) -> (Doing, Asked, Dialect) {
        Face(self.face.load(Ordering::Relaxed)).parts()
    }

    fn idle_s(&self, now_s: u32) -> u32 {
        now_s.saturating_sub(self.active_s.load(Ordering::Relaxed))
    }

    /// As `stats conns` shows it.
    fn show_socket(&self, now_s: u32, is_current: bool, see: &mut dyn FnMut(&str, &str)) {
        let mut line = lines(u64::try_from(self.descriptor).unwrap_or(0), see);
        if self.role == Role::Datagrams {
            line("UDP", "UDP");
        }
        line("addr", &self.address());
        if self.role == Role::Client {
            line("listen_addr", &self.listen_address());
        }
        line("state", self.doing(is_current).name());
        line("secs_since_last_cmd", &self.idle_s(now_s).to_string());
    }

    fn doing(&self, is_current: bool) -> Doing {
        if is_current {
            Doing::ParseCommand
        } else {
            self.parts().0
        }
    }

    /// As `stats clients` shows it.
    fn show_client(
        &self,
        now_s: u32,
        is_current: bool,
        user: Option<&str>,
        see: &mut dyn FnMut(&str, &str),
    ) {
        let (_, asked, dialect) = self.parts();
        let protocol = match dialect {
            Dialect::Auto => "negotiating",
            Dialect::Text => "ascii",
            Dialect::Binary => "binary",
        };
        let tls = if self.arrival.secured { "yes" } else { "no" };
        let mut line = lines(self.id, see);
        line("addr", &self.address());
        line("listen_addr", &self.listen_address());
        line("fd", &self.descriptor.to_string());
        line("worker", &self.arrival.worker.to_string());
        line("user", user.unwrap_or("-"));
        line("tls", tls);
        line("protocol", protocol);
        line("state", self.doing(is_current).name());
        line("last_command", asked.name());
        for (name, number) in [
            ("age_s", u64::from(now_s.saturating_sub(self.arrival.now_s))),
            ("idle_s", u64::from(self.idle_s(now_s))),
            ("requests", self.requests.get()),
            ("bytes_read", self.bytes_read.get()),
            ("bytes_written", self.bytes_written.get()),
            (
                "buffer_bytes",
                u64::from(self.buffer_bytes.load(Ordering::Relaxed)),
            ),
        ] {
            line(name, &number.to_string());
        }
    }
}

/// Writes lines about what has this number.
fn lines(number: u64, see: &mut dyn FnMut(&str, &str)) -> impl FnMut(&str, &str) {
    let mut key = String::new();
    move |name, value| {
        key.clear();
        // Writing to a string cannot fail.
        let _ = write!(key, "{number}:{name}");
        see(&key, value);
    }
}

/// A socket, and the user on it if that is somebody in particular.
type Known = (Arc<Info>, Option<Arc<str>>);

/// Which clients are meant.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Target {
    Id(u64),
    From(SocketAddr),
    FromAny(IpAddr),
}

impl Target {
    /// A number, or an address as lists show it, with a port or without.
    fn parse(text: &str) -> Option<Self> {
        if let Ok(id) = text.parse() {
            return Some(Self::Id(id));
        }
        let listed = text.strip_prefix("tcp6:").or(text.strip_prefix("tcp:"));
        let text = listed.unwrap_or(text);
        SocketAddr::from_str(text)
            .map(Self::From)
            .or_else(|_| IpAddr::from_str(text).map(Self::FromAny))
            .ok()
    }

    fn is(self, info: &Info) -> bool {
        let peer = info.arrival.peer;
        match self {
            Self::Id(id) => info.id == id,
            Self::From(address) => peer == Some(address),
            Self::FromAny(ip) => peer.is_some_and(|peer| peer.ip() == ip),
        }
    }
}

/// All sockets that serve, by descriptor.
#[derive(Debug, Default)]
pub(super) struct Census {
    everybody: Mutex<Everybody>,
    /// Clients so far.
    count: AtomicU64,
}

#[derive(Debug, Default)]
struct Everybody {
    sockets: BTreeMap<i32, Arc<Info>>,
    /// Those who are somebody in particular. Most daemons know nobody.
    users: HashMap<i32, Arc<str>>,
}

impl Census {
    /// Enters a socket that is no client.
    pub(super) fn enter(&self, info: Arc<Info>) {
        let descriptor = info.descriptor;
        self.everybody.lock().sockets.insert(descriptor, info);
    }

    /// Enters a client.
    pub(super) fn admit(&self, descriptor: i32, arrival: Arrival) -> Arc<Info> {
        let id = self.count.fetch_add(1, Ordering::Relaxed) + 1;
        let info = Info::new(id, descriptor, arrival, Role::Client, Doing::New);
        let info = Arc::new(info);
        self.enter(Arc::clone(&info));
        info
    }

    /// Strikes a socket out. Do it before the descriptor is closed, while its number is still
    /// nobody else's.
    pub(super) fn leave(&self, descriptor: i32) {
        let mut everybody = self.everybody.lock();
        everybody.sockets.remove(&descriptor);
        everybody.users.remove(&descriptor);
    }

    /// Says who a client is.
    pub(super) fn set_user(&self, descriptor: i32, user: Option<Arc<str>>) {
        let users = &mut self.everybody.lock().users;
        match user {
            Some(user) => users.insert(descriptor, user),
            None => users.remove(&descriptor),
        };
    }

    /// Up to so many sockets behind a descriptor, copied out so that a list that is being written
    /// keeps nobody from connecting; and where to go on, unless these are the last.
    fn some(&self, after: i32, count: usize) -> (Vec<Known>, Option<i32>) {
        let everybody = self.everybody.lock();
        let behind = (Bound::Excluded(after), Bound::Unbounded);
        let some: Vec<_> = everybody
            .sockets
            .range(behind)
            .take(count)
            .map(|(descriptor, info)| {
                let user = everybody.users.get(descriptor);
                (Arc::clone(info), user.cloned())
            })
            .collect();
        let last = some.last().filter(|_| some.len() == count);
        let next = last.map(|(info, _)| info.descriptor);
        (some, next)
    }

    /// Shows a piece of what `stats conns` says, as keys and values. `current` are the descriptors
    /// that are being served at this moment. Returns where to go on.
    pub(super) fn show_sockets(
        &self,
        now_s: u32,
        current: &[i32],
        after: i32,
        see: &mut dyn FnMut(&str, &str),
    ) -> Option<i32> {
        let (some, next) = self.some(after, PIECE_COUNT);
        for (info, _) in some {
            info.show_socket(now_s, current.contains(&info.descriptor), see);
        }
        next
    }

    /// The same of what `stats clients` says.
    pub(super) fn show_clients(
        &self,
        now_s: u32,
        current: &[i32],
        after: i32,
        see: &mut dyn FnMut(&str, &str),
    ) -> Option<i32> {
        let (some, next) = self.some(after, PIECE_COUNT);
        for (info, user) in some {
            if info.role == Role::Client {
                let is_current = current.contains(&info.descriptor);
                info.show_client(now_s, is_current, user.as_deref(), see);
            }
        }
        next
    }

    /// Shows those of all clients that are chosen, up to so many. Looks at everybody, a piece at a
    /// time, and writes only about those who are shown.
    pub(super) fn show_chosen(
        &self,
        now_s: u32,
        current: &[i32],
        choice: Choice,
        count: usize,
        see: &mut dyn FnMut(&str, &str),
    ) -> Chosen {
        let mut chosen = Chosen::default();
        // By rank, and by number among equals.
        let mut first: BTreeMap<(u64, u64), Known> = BTreeMap::new();
        let mut next = Some(FIRST);
        while let Some(after) = next {
            let (some, behind) = self.some(after, SEARCH_COUNT);
            next = behind;
            for (info, user) in some {
                if info.role != Role::Client {
                    continue;
                }
                chosen.connected += 1;
                let rank = match choice {
                    Choice::Behind(id) if info.id <= id => continue,
                    Choice::Behind(_) => info.id,
                    Choice::Busiest => u64::MAX - info.requests.get(),
                };
                chosen.meant += 1;
                first.insert((rank, info.id), (info, user));
                if first.len() > count {
                    first.pop_last();
                }
            }
        }
        for (info, user) in first.into_values() {
            let is_current = current.contains(&info.descriptor);
            info.show_client(now_s, is_current, user.as_deref(), see);
        }
        chosen
    }

    /// Dooms those of some clients who are meant; `tell` their threads. `None` when nobody can
    /// be meant.
    pub(super) fn kill(&self, who: &str, after: i32, tell: &mut dyn FnMut(Seat)) -> Option<Killed> {
        let target = Target::parse(who)?;
        let (some, next) = self.some(after, SEARCH_COUNT);
        let meant = some.iter().map(|(info, _)| info);
        let meant = meant.filter(|info| info.role == Role::Client && target.is(info));
        let mut killed = Killed { count: 0, next };
        for info in meant {
            killed.count += 1;
            if let Some(seat) = info.doom() {
                tell(seat);
            }
            if let Target::Id(_) | Target::From(_) = target {
                killed.next = None;
            }
        }
        Some(killed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arrival(peer: Option<&str>, local: Option<&str>, listener: Place) -> Arrival {
        Arrival {
            peer: peer.map(|peer| peer.parse().unwrap()),
            local: local.map(|local| local.parse().unwrap()),
            listener: Arc::new(Entry::new(listener)),
            secured: false,
            worker: 1,
            now_s: 5,
        }
    }

    fn gather(show: impl Fn(i32, &mut dyn FnMut(&str, &str)) -> Option<i32>) -> Vec<String> {
        let mut lines = Vec::new();
        let mut next = Some(FIRST);
        while let Some(after) = next {
            next = show(after, &mut |key, value| {
                lines.push(format!("{key} {value}"))
            });
        }
        lines
    }

    fn listener() -> Place {
        Place::Tcp("0.0.0.0:11211".parse().unwrap())
    }

    #[test]
    fn sockets_are_shown_by_descriptor_with_the_words_of_memcached() {
        let census = Census::default();
        let local = Some("127.0.0.1");
        census.admit(9, arrival(Some("[::1]:7"), local, listener()));
        census.enter(Arc::new(Info::listener(3, listener(), 2)));
        let unix = Place::Unix("/run/larder".into());
        census.admit(11, arrival(None, None, unix));
        let lines = gather(|after, see| census.show_sockets(7, &[9], after, see));
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
        let lines = gather(|after, see| census.show_sockets(7, &[], after, see));
        assert_eq!(lines.len(), 7);
    }

    #[test]
    fn clients_are_shown_with_what_they_have_done() {
        let census = Census::default();
        census.enter(Arc::new(Info::listener(3, listener(), 2)));
        census.admit(8, arrival(Some("192.0.2.1:7"), None, listener()));
        census.leave(8);
        let info = census.admit(8, arrival(Some("192.0.2.1:8"), None, listener()));
        info.set_face(Face::new(Doing::Nread, Asked::MetaSet, Dialect::Text));
        info.set_active(6);
        info.set_buffers(100);
        info.requests.add(3);
        info.bytes_read.add(40);
        info.bytes_written.add(50);
        census.set_user(8, Some("app".into()));
        let lines = gather(|after, see| census.show_clients(9, &[], after, see));
        assert_eq!(
            lines.join("\n"),
            "2:addr tcp:192.0.2.1:8\n2:listen_addr tcp:0.0.0.0:11211\n2:fd 8\n2:worker 1\n\
             2:user app\n2:tls no\n2:protocol ascii\n2:state conn_nread\n2:last_command ms\n\
             2:age_s 4\n2:idle_s 3\n2:requests 3\n2:bytes_read 40\n2:bytes_written 50\n\
             2:buffer_bytes 100"
        );
        // The next client of that descriptor is nobody yet.
        census.leave(8);
        census.admit(8, arrival(Some("192.0.2.1:9"), None, listener()));
        let lines = gather(|after, see| census.show_clients(9, &[], after, see));
        assert!(lines.contains(&"3:user -".to_owned()), "{lines:?}");
    }

    #[test]
    fn pieces_show_everybody_once() {
        let census = Census::default();
        let count = i32::try_from(3 * PIECE_COUNT).unwrap();
        for descriptor in 0..count {
            census.admit(descriptor, arrival(None, None, listener()));
        }
        for extra in 0..3 {
            let lines = gather(|after, see| census.show_clients(9, &[], after, see));
            let shown = lines.iter().filter(|line| line.contains(":fd "));
            assert_eq!(shown.count(), 3 * PIECE_COUNT + extra);
            let descriptor = count + i32::try_from(extra).unwrap();
            census.admit(descriptor, arrival(None, None, listener()));
        }
    }

    #[test]
    fn some_clients_are_chosen_by_number_or_by_requests() {
        let census = Census::default();
        census.enter(Arc::new(Info::listener(3, listener(), 2)));
        // Numbers rise while descriptors fall.
        for (descriptor, requests) in [(9, 5), (8, 7), (7, 0), (6, 7)] {
            let info = census.admit(descriptor, arrival(None, None, listener()));
            info.requests.add(requests);
        }
        let shown = |choice, count| {
            let mut ids = Vec::new();
            let chosen = census.show_chosen(9, &[], choice, count, &mut |name, _| {
                ids.extend(
                    name.strip_suffix(":fd")
                        .map(|id| id.parse::<u64>().unwrap()),
                );
            });
            (ids, chosen.connected, chosen.meant)
        };
        assert_eq!(shown(Choice::Behind(0), 2), (vec![1, 2], 4, 4));
        assert_eq!(shown(Choice::Behind(2), 2), (vec![3, 4], 4, 2));
        assert_eq!(shown(Choice::Behind(4), 2), (vec![], 4, 0));
        assert_eq!(shown(Choice::Busiest, 3), (vec![2, 4, 1], 4, 4));
        assert_eq!(shown(Choice::Busiest, 9), (vec![2, 4, 1, 3], 4, 4));
    }

    #[test]
    fn a_client_is_doomed_where_it_sits_or_where_it_sits_down() {
        let census = Census::default();
        let here = census.admit(5, arrival(Some("192.0.2.1:7"), None, listener()));
        let there = census.admit(6, arrival(Some("192.0.2.1:8"), None, listener()));
        let other = census.admit(7, arrival(Some("[2001:db8::1]:8"), None, listener()));
        assert!(here.sit(40, true) && other.sit(2, false));
        let kill = |who: &str| {
            let mut seats = Vec::new();
            let killed = census.kill(who, -1, &mut |seat| seats.push((seat.key, seat.is_shaking)));
            killed.map(|killed| (killed.count, seats))
        };
        for who in ["", "-1", "app", "192.0.2", "192.0.2.1:", "localhost"] {
            assert_eq!(kill(who), None, "{who}");
        }
        for who in ["4", "0", "192.0.2.2", "192.0.2.1:9", "::1"] {
            assert_eq!(kill(who), Some((0, Vec::new())), "{who}");
        }
        assert_eq!(kill("tcp:192.0.2.1:8"), Some((1, Vec::new())));
        assert!(!there.sit(3, false), "closed as soon as it is served");
        assert_eq!(kill("192.0.2.1"), Some((2, vec![(40, true), (3, false)])));
        assert_eq!(kill("tcp6:[2001:db8::1]:8"), Some((1, vec![(2, false)])));
        assert_eq!(kill("3"), Some((1, vec![(2, false)])));
    }
}
