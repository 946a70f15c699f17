//! A service manager that holds files and sockets from one process to the next, as systemd does for a
//! unit with FileDescriptorStoreMax=.

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, recvmsg, sendmsg,
};

use super::Server;
use super::process::patience;

/// What it holds, by name.
type Kept = Arc<Mutex<Vec<(String, OwnedFd)>>>;

/// Ends the thread that listens.
const END: &str = "END";

/// The manager.
pub(crate) struct Supervisor {
    folder: tempfile::TempDir,
    kept: Kept,
    heard: Receiver<String>,
    thread: Option<JoinHandle<()>>,
}

impl Supervisor {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let socket = UnixDatagram::bind(folder.path().join("notify")).expect("a socket");
        let kept = Kept::default();
        let (sender, heard) = channel();
        let thread = {
            let kept = Arc::clone(&kept);
            std::thread::spawn(move || listen(&socket, &kept, &sender))
        };
        Self {
            folder,
            kept,
            heard,
            thread: Some(thread),
        }
    }

    /// Where it is told things.
    pub(crate) fn address(&self) -> PathBuf {
        self.folder.path().join("notify")
    }

    /// A path that stays the same for all processes.
    pub(crate) fn path(&self, name: &str) -> String {
        let path = self.folder.path().join(name);
        path.to_str().expect("text").to_owned()
    }

    /// Starts a daemon, hands it what is held after these sockets with their names, and waits until
    /// it says that it is ready.
    #[track_caller]
    pub(crate) fn start(&self, flags: &[&str], sockets: Vec<(&str, OwnedFd)>) -> Server {
        let (mut names, mut files) = (Vec::new(), Vec::new());
        for (name, file) in sockets {
            names.push(name.to_owned());
            files.push(file);
        }
        for (name, file) in self.kept.lock().expect("a lock").iter() {
            names.push(name.clone());
            files.push(file.try_clone().expect("a descriptor"));
        }
        let (address, names) = (self.path("notify"), names.join(":"));
        let environment = [("NOTIFY_SOCKET", &*address), ("LISTEN_FDNAMES", &*names)];
        let mut all = vec!["-v"];
        all.extend(flags);
        let server = if files.is_empty() {
            Server::start_bare_with(&all, &environment[..1])
        } else {
            Server::start_given(files, &all, &environment)
        };
        while !self.hear().starts_with("READY=1") {}
        server
    }

    /// The next thing that it is told.
    #[track_caller]
    pub(crate) fn hear(&self) -> String {
        let heard = self.heard.recv_timeout(patience());
        heard.expect("to be told something")
    }

    /// The names of what it holds, in the order in which it came.
    pub(crate) fn names(&self) -> Vec<String> {
        let kept = self.kept.lock().expect("a lock");
        kept.iter().map(|(name, _)| name.clone()).collect()
    }

    /// What it holds under a name.
    pub(crate) fn kept(&self, name: &str) -> Option<OwnedFd> {
        let kept = self.kept.lock().expect("a lock");
        let found = kept.iter().find(|(other, _)| other == name);
        found.map(|(_, file)| file.try_clone().expect("a descriptor"))
    }
}

impl Drop for Supervisor {
    fn drop(&mut self) {
        let told = UnixDatagram::unbound()
            .and_then(|socket| socket.send_to(END.as_bytes(), self.address()));
        if let Some(thread) = self.thread.take().filter(|_| told.is_ok()) {
            let _panicked = thread.join();
        }
    }
}

/// Does what it is told, as systemd does.
fn listen(socket: &UnixDatagram, kept: &Kept, heard: &Sender<String>) {
    loop {
        let (text, files) = receive(socket).expect("to be told something");
        let mut kept = kept.lock().expect("a lock");
        let name = text.lines().find_map(|line| line.strip_prefix("FDNAME="));
        if text.starts_with("FDSTORE=1\n") {
            let name = name.expect("a name");
            assert!(text.contains("FDPOLL=0\n"), "{text}");
            for file in files {
                kept.push((name.to_owned(), file));
            }
        } else if text.starts_with("FDSTOREREMOVE=1\n") {
            kept.retain(|(other, _)| Some(other.as_str()) != name);
        }
        drop(kept);
        if text == END || heard.send(text).is_err() {
            return;
        }
    }
}

fn receive(socket: &UnixDatagram) -> io::Result<(String, Vec<OwnedFd>)> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(2))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let mut buffer = [0; 1024];
    let mut parts = [IoSliceMut::new(&mut buffer)];
    let received = recvmsg(socket, &mut parts, &mut control, RecvFlags::CMSG_CLOEXEC)?;
    let mut files = Vec::new();
    for message in control.drain() {
        if let RecvAncillaryMessage::ScmRights(come) = message {
            files.extend(come);
        }
    }
    let text = String::from_utf8_lossy(&buffer[..received.bytes]).into_owned();
    Ok((text, files))
}

/// Sends files to whoever has the other end.
pub(crate) fn send_files(socket: &UnixStream, files: &[OwnedFd]) -> io::Result<()> {
    let files: Vec<BorrowedFd<'_>> = files.iter().map(AsFd::as_fd).collect();
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(250))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    control.push(SendAncillaryMessage::ScmRights(&files));
    sendmsg(
        socket,
        &[IoSlice::new(b"x")],
        &mut control,
        SendFlags::empty(),
    )?;
    Ok(())
}
