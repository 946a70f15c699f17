//! Whom the daemon runs as, and what the system lets it have.

use std::fmt;
use std::io;
use std::path::Path;

use nix::errno::Errno;
use nix::unistd::{Gid, Uid, User};
use rustix::mm::MlockAllFlags;
use rustix::process::{DumpableBehavior, Resource, Rlimit};

use crate::config::Config;
use crate::limits::SPARE_DESCRIPTORS;

/// Why the daemon may not run as it is.
#[derive(Debug)]
pub(super) enum Denied {
    /// Core files were asked for and cannot be had.
    CoreFiles,
    /// The identity cannot be taken on.
    Identity {
        /// Whom to become.
        user: String,
        /// What the system said.
        source: io::Error,
    },
    /// Started as root without `-u`.
    Root,
    /// There is no such user.
    UnknownUser(String),
}

impl fmt::Display for Denied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CoreFiles => f.write_str("-r: the system allows no core files (ulimit -c)"),
            Self::Identity { user, source } => {
                write!(f, "-u {user}: cannot become that user: {source}")
            }
            Self::Root => {
                f.write_str("started as root: say with -u whom to become, or -u root to stay root")
            }
            Self::UnknownUser(user) => write!(f, "-u {user}: there is no such user"),
        }
    }
}

/// A user to become.
#[derive(Debug)]
pub(super) struct Identity {
    name: String,
    uid: Uid,
    gid: Gid,
}

/// Whom to become: nobody else, unless this is root.
pub(super) fn identity(config: &Config) -> Result<Option<Identity>, Denied> {
    if !Uid::effective().is_root() && !Uid::current().is_root() {
        return Ok(None);
    }
    let Some(name) = &config.user else {
        return Err(Denied::Root);
    };
    let by_number = || Some(User::from_uid(Uid::from_raw(name.parse().ok()?)));
    let user = match User::from_name(name) {
        Ok(None) => by_number().unwrap_or(Ok(None)),
        found => found,
    };
    let user = user.map_err(|source| identity_error(name, source))?;
    let Some(user) = user else {
        return Err(Denied::UnknownUser(name.clone()));
    };
    Ok(Some(Identity {
        name: name.clone(),
        uid: user.uid,
        gid: user.gid,
    }))
}

fn identity_error(user: &str, source: Errno) -> Denied {
    Denied::Identity {
        user: user.to_owned(),
        source: source.into(),
    }
}

impl Identity {
    /// Becomes this user for good. Unix sockets go with it, or their clients could not reach
    /// them through their modes. Their folder may be somebody else's: a link there is not followed.
    pub(super) fn take_on<'p>(
        &self,
        unix_sockets: impl IntoIterator<Item = &'p Path>,
    ) -> Result<(), Denied> {
        let error = |source| identity_error(&self.name, source);
        for path in unix_sockets {
            std::os::unix::fs::lchown(path, Some(self.uid.as_raw()), Some(self.gid.as_raw()))
                .map_err(|source| Denied::Identity {
                    user: self.name.clone(),
                    source,
                })?;
        }
        match nix::unistd::setgroups(&[]) {
            // A container may run as a root that has no supplementary groups to give up.
            Ok(()) | Err(Errno::EPERM) => {}
            Err(source) => return Err(error(source)),
        }
        nix::unistd::setgid(self.gid).map_err(error)?;
        nix::unistd::setuid(self.uid).map_err(error)
    }
}

/// Raises limits while there may be the right to: on files for `-c`, on core files for `-r`, on
/// locked memory for `-k`.
pub(super) fn raise_limits(config: &Config) -> Result<(), Denied> {
    let workers = u64::try_from(config.workers).unwrap_or(u64::MAX);
    let files = u64::from(config.conn_limit)
        + workers.saturating_mul(2)
        + config.admin.descriptors()
        + SPARE_DESCRIPTORS;
    let limit = rustix::process::getrlimit(Resource::Nofile);
    if limit.current.is_some_and(|current| current < files) {
        let wanted = Rlimit {
            current: Some(files),
            maximum: limit.maximum.map(|maximum| maximum.max(files)),
        };
        // The server checks what came of it and names the option if it is not enough.
        let _ = rustix::process::setrlimit(Resource::Nofile, wanted);
    }
    if config.core_dumps && !raise(Resource::Core) {
        return Err(Denied::CoreFiles);
    }
    if config.lock_memory {
        raise(Resource::Memlock);
    }
    Ok(())
}

/// Raises a limit as far as it goes. Returns whether anything is allowed then.
fn raise(resource: Resource) -> bool {
    let unlimited = Rlimit {
        current: None,
        maximum: None,
    };
    if rustix::process::setrlimit(resource, unlimited).is_ok() {
        return true;
    }
    let maximum = rustix::process::getrlimit(resource).maximum;
    let wanted = Rlimit {
        current: maximum,
        maximum,
    };
    rustix::process::setrlimit(resource, wanted).is_ok() && maximum != Some(0)
}

/// Keeps memory resident from the moment it is used. A system that refuses is worth a warning
/// only: the cache works without. Call it when memory has been reserved: with the lock on, what
/// does not fit into the limit on locked memory could not even be reserved.
pub(super) fn lock_memory() {
    let all = MlockAllFlags::CURRENT | MlockAllFlags::FUTURE | MlockAllFlags::ONFAULT;
    if let Err(error) = rustix::mm::mlockall(all) {
        log::warn!("cannot keep memory resident (-k)  error={error}");
    }
}

/// Lets core files be written although the process has changed its identity.
pub(super) fn allow_core_files() {
    if let Err(error) = rustix::process::set_dumpable_behavior(DumpableBehavior::Dumpable) {
        log::warn!("core files will not be written (-r)  error={error}");
    }
}
