//! Unix sockets that listen, and their files: one that a dead daemon left is replaced, one that
//! somebody answers at is not, and ours goes with us.

use std::fs;
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use rustix::fs::Mode;
use socket2::{Domain, SockAddr, Socket, Type};

/// The file of a unix socket, removed when dropped if it is still ours.
pub struct SocketFile {
    path: PathBuf,
    device: u64,
    inode: u64,
    /// Somebody else keeps the socket alive, and so its file.
    stays: bool,
}

impl SocketFile {
    /// Binds a socket there, with this mode, and listens. It does not block.
    ///
    /// # Errors
    ///
    /// What the system said; `AddrInUse` when a daemon answers there, `AlreadyExists` when the file
    /// is no socket.
    pub fn bind(path: &Path, mode: u32, backlog: u32) -> io::Result<(Socket, Self)> {
        remove_stale(path)?;
        let socket = Socket::new(Domain::UNIX, Type::STREAM.nonblocking().cloexec(), None)?;
        // The file takes the mode of the socket, narrowed by the process's mask; nobody can
        // connect in between.
        rustix::fs::fchmod(&socket, Mode::from_raw_mode(mode))?;
        socket.bind(&SockAddr::unix(path)?)?;
        fs::set_permissions(path, fs::Permissions::from_mode(mode))?;
        socket.listen(i32::try_from(backlog).unwrap_or(i32::MAX))?;
        Ok((socket, Self::new(path)?))
    }

    /// Device and inode: what tells it from another file of that name.
    pub fn identity(&self) -> (u64, u64) {
        (self.device, self.inode)
    }

    /// Leaves the file where it is when this is dropped.
    pub fn leave(&mut self) {
        self.stays = true;
    }

    /// The file that an earlier process has left, if what is there is still that one.
    pub fn left(path: &Path, (device, inode): (u64, u64)) -> Self {
        Self {
            path: path.to_owned(),
            device,
            inode,
            stays: false,
        }
    }

    fn new(path: &Path) -> io::Result<Self> {
        let metadata = fs::symlink_metadata(path)?;
        Ok(Self::left(path, (metadata.dev(), metadata.ino())))
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if self.stays {
            return;
        }
        let ours = fs::symlink_metadata(&self.path)
            .is_ok_and(|file| (file.dev(), file.ino()) == (self.device, self.inode));
        if ours && let Err(error) = fs::remove_file(&self.path) {
            log::warn!("cannot remove {}: {error}", self.path.display());
        }
    }
}

/// Removes a socket file that a dead server left. One that somebody answers at stays, and so
/// does anything that is not a socket.
fn remove_stale(path: &Path) -> io::Result<()> {
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
        Ok(metadata) if !metadata.file_type().is_socket() => {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        Ok(_) => {}
    }
    match UnixStream::connect(path) {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => fs::remove_file(path),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Err(error),
        // It took the call, or is too busy to: either way it lives.
        Ok(_) | Err(_) => Err(io::ErrorKind::AddrInUse.into()),
    }
}
