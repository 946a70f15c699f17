//! Sockets that clients come in by, and that somebody holds open while no larderd serves: what was
//! held is taken again where the settings still ask for it, and let go of where they do not.
//!
//! A socket is known by where it is bound, and by nothing else. What is spoken there, with which
//! protection, is what the settings say now, exactly as for one that is bound anew. A unix socket is
//! only taken while its file is there and has the mode that the settings ask for.
//!
//! **Invariant:** what is let go of accepts nobody from then on, even while its holder still has it.

use std::fs;
use std::io;
use std::net::{Shutdown, SocketAddr};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use socket2::{Domain, Socket, Type};

use crate::socket_file::SocketFile;

/// What the names of all held sockets begin with.
const PREFIX: &str = "larder-listener-";

/// Where clients come in.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Endpoint {
    /// Clients connect over TCP.
    Tcp(SocketAddr),
    /// Clients send datagrams.
    Udp(SocketAddr),
    /// Clients of this host connect.
    Unix {
        /// The file.
        path: PathBuf,
        /// The mode of the file.
        mode: u32,
    },
}

/// A socket, and by what its holder knows it.
#[derive(Debug)]
pub struct Named {
    /// At most 255 characters, without a colon or control characters.
    pub name: String,
    /// The socket.
    pub socket: OwnedFd,
}

/// What was held, less what has been taken; and what is to be held from now on.
#[derive(Debug, Default)]
pub struct Held {
    found: Vec<(String, Socket)>,
    holds: bool,
    fresh: Vec<Named>,
}

/// Whether a name is one of ours.
pub fn is_held(name: &str) -> bool {
    name.starts_with(PREFIX)
}

impl Held {
    /// What somebody has held. With `holds` the sockets that are bound from now on are to be held too.
    pub fn new(found: Vec<Named>, holds: bool) -> Self {
        let found = found.into_iter().map(|one| (one.name, one.socket.into()));
        Self {
            found: found.collect(),
            holds,
            fresh: Vec::new(),
        }
    }

    /// The names of what was held and has not been taken.
    pub fn names(&self) -> Vec<&str> {
        self.found.iter().map(|(name, _)| name.as_str()).collect()
    }

    /// Lets go of all that is none of these. Returns the names.
    pub fn let_go_but(&mut self, wanted: &[Endpoint]) -> Vec<String> {
        let is_wanted = |(name, socket): &mut (String, Socket)| {
            !wanted.iter().any(|endpoint| fits(name, socket, endpoint))
        };
        let gone = self.found.extract_if(.., is_wanted);
        gone.map(|(name, socket)| {
            end(&name, &socket);
            name
        })
        .collect()
    }

    /// Takes the socket that is bound there, if there is one. It does not block.
    pub fn take(&mut self, endpoint: &Endpoint) -> Option<Socket> {
        let is_it = |(name, socket): &(String, Socket)| fits(name, socket, endpoint);
        let index = self.found.iter().position(is_it)?;
        let (_, socket) = self.found.remove(index);
        // Its holder may have changed that. One that would block is none.
        socket.set_nonblocking(true).ok()?;
        Some(socket)
    }

    /// Has a socket held that has been bound, if that is wanted.
    ///
    /// # Errors
    ///
    /// When the system has no descriptor for it.
    pub fn hold(&mut self, socket: &Socket) -> io::Result<()> {
        let Some(address) = socket.local_addr()?.as_socket() else {
            return Ok(());
        };
        let kind = if socket.r#type()? == Type::DGRAM {
            "udp"
        } else {
            "tcp"
        };
        self.push(&format!("{kind}-{address}"), socket)
    }

    /// The unix socket at this path, listening: the one that was held, or a new one. With the file, if
    /// that is to go when the socket's user does: one that is held keeps it.
    ///
    /// # Errors
    ///
    /// Those of [`SocketFile::bind`].
    pub fn unix(
        &mut self,
        path: &Path,
        mode: u32,
        backlog: u32,
    ) -> io::Result<(Socket, Option<SocketFile>)> {
        let path = path.to_owned();
        if let Some(socket) = self.take(&Endpoint::Unix {
            path: path.clone(),
            mode,
        }) {
            socket.listen(i32::try_from(backlog).unwrap_or(i32::MAX))?;
            return Ok((socket, None));
        }
        let (socket, mut file) = SocketFile::bind(&path, mode, backlog)?;
        if !self.holds {
            return Ok((socket, Some(file)));
        }
        let (device, inode) = file.identity();
        self.push(&format!("unix-{device}-{inode}"), &socket)?;
        file.leave();
        Ok((socket, None))
    }

    fn push(&mut self, what: &str, socket: &Socket) -> io::Result<()> {
        if self.holds {
            self.fresh.push(Named {
                name: format!("{PREFIX}{}", what.replace(':', "_")),
                socket: socket.try_clone()?.into(),
            });
        }
        Ok(())
    }

    /// What is to be held and is not yet.
    pub fn fresh(&mut self) -> Vec<Named> {
        std::mem::take(&mut self.fresh)
    }
}

/// Whether a socket is one that would be bound there.
fn fits(name: &str, socket: &Socket, endpoint: &Endpoint) -> bool {
    let (Ok(domain), Ok(kind), Ok(bound)) = (socket.domain(), socket.r#type(), socket.local_addr())
    else {
        return false;
    };
    let listens = || socket.is_listener().unwrap_or(false);
    match endpoint {
        Endpoint::Tcp(address) => {
            bound.as_socket() == Some(*address) && kind == Type::STREAM && listens()
        }
        Endpoint::Udp(address) => bound.as_socket() == Some(*address) && kind == Type::DGRAM,
        Endpoint::Unix { path, mode } => {
            let is_there = || {
                fs::symlink_metadata(path).is_ok_and(|file| {
                    Some((file.dev(), file.ino())) == identity(name)
                        && file.permissions().mode() & 0o777 == *mode
                })
            };
            domain == Domain::UNIX
                && kind == Type::STREAM
                && bound.as_pathname() == Some(path)
                && listens()
                && is_there()
        }
    }
}

/// Device and inode of a unix socket's file, as its name tells them: the socket itself does not say.
/// No other file can have them, even when it is gone: a bound socket keeps its inode.
fn identity(name: &str) -> Option<(u64, u64)> {
    let rest = name.strip_prefix(PREFIX)?.strip_prefix("unix-")?;
    let (device, inode) = rest.split_once('-')?;
    Some((device.parse().ok()?, inode.parse().ok()?))
}

/// Ends a socket for all who have it, and removes its file.
fn end(name: &str, socket: &Socket) {
    // What has no connection says so, and has nobody to refuse.
    let _ = socket.shutdown(Shutdown::Both);
    if let Ok(bound) = socket.local_addr()
        && let Some(path) = bound.as_pathname()
        && let Some(identity) = identity(name)
    {
        drop(SocketFile::left(path, identity));
    }
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream, UdpSocket};
    use std::os::unix::net::UnixStream;

    use super::*;

    /// What a manager would hand to the next process.
    fn again(held: &mut Held) -> Held {
        Held::new(held.fresh(), true)
    }

    fn tcp() -> (Socket, Endpoint) {
        let socket = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = socket.local_addr().unwrap();
        (socket.into(), Endpoint::Tcp(address))
    }

    #[test]
    fn a_socket_is_taken_once_by_where_it_is_bound() {
        let (socket, endpoint) = tcp();
        let datagrams = UdpSocket::bind("127.0.0.1:0").unwrap();
        let to = Endpoint::Udp(datagrams.local_addr().unwrap());
        let mut held = Held::new(Vec::new(), true);
        held.hold(&socket).unwrap();
        held.hold(&datagrams.into()).unwrap();
        let mut held = again(&mut held);
        let Endpoint::Udp(address) = to else { panic!() };
        assert!(held.take(&Endpoint::Tcp(address)).is_none());
        assert!(held.take(&to).is_some());
        assert!(held.take(&endpoint).is_some());
        assert!(held.take(&endpoint).is_none());
        assert_eq!(held.names(), [""; 0]);
    }

    #[test]
    fn names_are_what_a_manager_takes() {
        let mut held = Held::new(Vec::new(), true);
        held.hold(&tcp().0).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("socket");
        held.unix(&path, 0o700, 1).unwrap();
        for Named { name, .. } in held.fresh() {
            assert!(is_held(&name) && name.len() < 255, "{name}");
            assert!(name.is_ascii() && !name.contains(':'), "{name}");
        }
        assert!(!is_held("larder-memory"));
    }

    #[test]
    fn what_is_let_go_of_accepts_nobody_although_somebody_has_it() {
        let (socket, endpoint) = tcp();
        let (_other, wanted) = tcp();
        let mut held = Held::new(Vec::new(), true);
        held.hold(&socket).unwrap();
        let mut held = again(&mut held);
        assert_eq!(held.let_go_but(std::slice::from_ref(&endpoint)), [""; 0]);
        let Endpoint::Tcp(address) = endpoint else {
            panic!()
        };
        TcpStream::connect(address).unwrap();
        let names = held.let_go_but(&[wanted]);
        assert!(names[0].contains("tcp-127.0.0.1_"), "{names:?}");
        TcpStream::connect(address).unwrap_err();
    }

    #[test]
    fn a_unix_socket_is_taken_while_its_file_is_there_and_has_the_mode() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("socket");
        let endpoint = |mode| Endpoint::Unix {
            path: path.clone(),
            mode,
        };
        let bind = |held: &mut Held| drop(held.unix(&path, 0o750, 1).unwrap());
        let mut held = Held::new(Vec::new(), true);
        bind(&mut held);
        assert!(path.exists(), "the file stays with the socket");
        let mut held = again(&mut held);
        assert!(held.take(&endpoint(0o770)).is_none());
        assert!(held.take(&endpoint(0o750)).is_some());

        let mut held = Held::new(Vec::new(), true);
        fs::remove_file(&path).unwrap();
        bind(&mut held);
        let mut held = again(&mut held);
        assert_eq!(held.let_go_but(&[endpoint(0o770)]).len(), 1);
        assert!(!path.exists(), "the file goes with the socket");

        bind(&mut held);
        let mut held = again(&mut held);
        fs::remove_file(&path).unwrap();
        let (_socket, _file) = SocketFile::bind(&path, 0o750, 1).unwrap();
        assert!(held.take(&endpoint(0o750)).is_none(), "it is another's");
        held.let_go_but(&[]);
        UnixStream::connect(&path).expect("the other's file to be left alone");
    }

    #[test]
    fn nothing_is_held_unless_that_is_wanted() {
        let mut held = Held::default();
        held.hold(&tcp().0).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("socket");
        drop(held.unix(&path, 0o700, 1).unwrap());
        assert!(held.fresh().is_empty());
        assert!(!path.exists());
    }
}
