//! Being a process: options, log, privileges, signals; then serve until told to stop.
//!
//! Start reading at [`run`].

mod background;
mod confine;
mod logging;
mod password;
mod pidfile;
mod privileges;
mod reload;
mod secure;
mod systemd;

use std::ffi::OsString;
use std::fmt::Display;
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::Builder;

use crossbeam_channel::Sender;
use rustix::fs::{MemfdFlags, memfd_create};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGUSR1, SIGUSR2, SIGXFSZ};
use signal_hook::iterator::Signals;

use crate::admin::{self, Admin, Phase};
use crate::config::Config;
use crate::config::flags;
use crate::config::parse::{self, Action, Loaded};
use crate::held::{Held, Named};
use crate::server::{Control, Opening, Server};
use crate::session::{Shared, SnapshotReply};
use pidfile::PidFile;
use reload::Reload;
use systemd::{Handed, Manager};

/// The exit code for a wrong option, as `sysexits.h` has it.
const USAGE: u8 = 64;

/// Runs the daemon with these arguments, its name first, until it is told to stop.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    let environment = environment();
    match parse::parse(arguments.iter().cloned(), &environment) {
        Err(error) => {
            complain(&error);
            ExitCode::from(USAGE)
        }
        Ok(Action::Print(text)) => {
            // Whoever reads this may stop reading; that is no failure.
            drop(io::stdout().write_all(text.as_bytes()));
            ExitCode::SUCCESS
        }
        Ok(Action::Check(loaded)) => check(&loaded),
        Ok(Action::HashPassword { name, scram }) => match password::entry(&name, scram) {
            Ok(line) => {
                drop(writeln!(io::stdout(), "{line}"));
                ExitCode::SUCCESS
            }
            Err(error) => {
                complain(&format!("--hash-password: {error}"));
                ExitCode::FAILURE
            }
        },
        Ok(Action::Run(loaded)) => {
            if loaded.config.daemonize && !background::is_background() {
                if systemd::has_sockets(&environment) {
                    let cause = "-d: the sockets of the service manager are for this process, and \
                                 not for one in the background; leave -d out";
                    complain(&cause);
                    return ExitCode::from(USAGE);
                }
                return background::launch(&arguments).unwrap_or_else(|error| {
                    complain(&format!("-d: cannot start in the background: {error}"));
                    ExitCode::FAILURE
                });
            }
            serve(*loaded, arguments, &environment).unwrap_or_else(|failure| {
                complain(&failure.text);
                ExitCode::from(failure.code)
            })
        }
    }
}

/// Says whether a daemon with these settings would start, as far as files tell.
fn check(loaded: &Loaded) -> ExitCode {
    logging::start(loaded.config.verbosity);
    for warning in &loaded.warnings {
        log::warn!("{warning}");
    }
    let checked = Server::check(&loaded.config)
        .map_err(|error| error.to_string())
        .and_then(|()| admin::check(&loaded.config).map_err(|error| error.to_string()))
        .and_then(|()| secure::load(&loaded.config).map_err(|error| error.to_string()));
    match checked {
        Ok(_) => {
            drop(writeln!(io::stdout(), "The configuration is good."));
            ExitCode::SUCCESS
        }
        Err(error) => {
            complain(&error);
            ExitCode::FAILURE
        }
    }
}

/// Why the daemon does not serve, for the operator and for the service manager.
struct Failure {
    text: String,
    code: u8,
}

impl Failure {
    fn new(cause: impl Display) -> Self {
        Self {
            text: cause.to_string(),
            code: 1,
        }
    }

    fn usage(cause: impl Display) -> Self {
        Self {
            code: USAGE,
            ..Self::new(cause)
        }
    }
}

/// The variables that can be text; others are nobody's setting.
fn environment() -> Vec<(String, String)> {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect()
}

fn complain(cause: &dyn Display) {
    // Nobody may be listening any more.
    drop(writeln!(io::stderr(), "larderd: {cause}"));
}

fn serve(
    loaded: Loaded,
    arguments: Vec<OsString>,
    environment: &systemd::Environment,
) -> Result<ExitCode, Failure> {
    let Loaded {
        config, warnings, ..
    } = &loaded;
    let config = config.clone();
    logging::start(config.verbosity);
    for warning in warnings {
        log::warn!("{warning}");
    }
    if config.daemonize {
        background::detach();
    }
    let handed = systemd::take(environment).map_err(Failure::usage)?;
    if !handed.sockets.is_empty() {
        let names: Vec<&str> = handed
            .sockets
            .iter()
            .map(|given| given.name.as_str())
            .collect();
        let names = names.join(",");
        log::info!("the service manager's sockets are served, and no others  names={names}");
    }
    let manager = Arc::new(Manager::new(environment));
    // From here on a signal waits for the thread below instead of killing us.
    let signals = Signals::new(SIGNALS).map_err(Failure::new)?;
    let (opening, admin) = start(&loaded, handed, &manager)?;
    let status: Arc<str> = status(&config, opening.server()).into();
    let told = Told {
        manager: Arc::clone(&manager),
        status: Arc::clone(&status),
        is_serving: Arc::default(),
    };
    let is_serving = Arc::clone(&told.is_serving);
    let control = opening.server().control();
    let shared = Arc::clone(opening.server().shared());
    let token = admin.as_ref().map(Admin::handle);
    let reload = Reload::new(arguments, loaded, Arc::clone(&shared), token);
    Builder::new()
        .name("larder-signals".to_owned())
        .spawn(move || handle(signals, &control, &shared, reload, &told))
        .map_err(Failure::new)?;
    if !opening.load(&|| manager.busy("Reading the snapshot")) {
        log::info!("stopped before anybody was served");
        manager.stopping();
        return Ok(ExitCode::SUCCESS);
    }
    if config.lock_memory {
        privileges::lock_memory();
    }
    let server = opening.open().map_err(Failure::new)?;
    let watched = watch(&server, &manager, &status)?;

    let pid_file = config.pid_file.as_deref().and_then(|path| {
        let written = PidFile::write(path);
        if let Err(error) = &written {
            let path = path.display();
            log::warn!("cannot write the pid file (-P)  file={path} error={error}");
        }
        written.ok()
    });
    if config.drop_privileges {
        confine::confine().map_err(|error| Failure::new(format!("-o drop_privileges: {error}")))?;
    }
    announce(&config, &server);
    if let Some(admin) = &admin {
        admin.set_phase(Phase::Ready);
        log::info!("metrics and API  admin={}", admin.place());
    }
    manager.ready(&status);
    is_serving.store(true, Ordering::Release);
    if config.daemonize {
        background::ready(config.verbosity > 0).map_err(Failure::new)?;
    }
    let stop = server.wait();
    log::info!("stopping  graceful={}", stop.graceful);
    manager.stopping();
    if let Some(admin) = &admin {
        admin.set_phase(Phase::Draining);
    }
    server.leave_cluster();
    // Threads that end by and by are not to be taken for stuck ones.
    drop(watched);
    let remains = server.stop(stop.graceful);
    drop(admin);
    remains.keep(&|| manager.busy("Writing the snapshot"));
    drop(pid_file);
    log::info!("stopped");
    Ok(ExitCode::SUCCESS)
}

/// Has the service manager told that all threads come round, if it wants to know. That ends when
/// the sender is dropped.
fn watch(
    server: &Server,
    manager: &Arc<Manager>,
    status: &Arc<str>,
) -> Result<Sender<()>, Failure> {
    let (stop, stopped) = crossbeam_channel::bounded(0);
    if let Some(period) = manager.watchdog() {
        let (manager, status) = (Arc::clone(manager), Arc::clone(status));
        let mut pulse = server.pulse();
        Builder::new()
            .name("larder-watchdog".to_owned())
            .spawn(move || manager.watch(&mut pulse, period, &status, &stopped))
            .map_err(Failure::new)?;
    }
    Ok(stop)
}

/// Binds what root may bind, becomes who it should be, and only then starts threads. None of them
/// serves clients.
fn start(
    loaded: &Loaded,
    handed: Handed,
    manager: &Manager,
) -> Result<(Opening, Option<Admin>), Failure> {
    let config = &loaded.config;
    let Handed {
        sockets: given,
        held,
        memory,
    } = handed;
    let identity = privileges::identity(config).map_err(Failure::usage)?;
    privileges::raise_limits(config).map_err(Failure::new)?;
    let mut held = listeners(config, held, given.is_empty(), manager);
    // The file of a socket that was given belongs to whom its giver has chosen.
    let own_socket = config.unix_socket.as_deref().filter(|_| given.is_empty());
    // First: whoever waits for the file of ports need not wait for this address, too.
    let certificates = secure::load(config).map_err(Failure::new)?;
    let secure = certificates.as_ref().map(secure::of);
    let admin = admin::Bound::bind(config, secure, &mut held).map_err(Failure::new)?;
    let bound = Server::bind(config.clone(), given, &mut held);
    let mut bound = bound.map_err(Failure::new)?;
    bound.also_refresh(certificates);
    // A name that stands for something else now than it did a moment ago leaves some.
    manager.forget(&held.let_go_but(&[]));
    if let Some(identity) = identity {
        let admin_socket = admin.as_ref().and_then(admin::Bound::path);
        let sockets = own_socket.into_iter().chain(admin_socket);
        identity.take_on(sockets).map_err(Failure::new)?;
        if config.core_dumps {
            privileges::allow_core_files();
        }
    }
    let is_kept = memory.is_some();
    let memory = lasting_memory(config, memory, manager)?;
    if let Some(file) = &memory {
        bound.on_memory(file.try_clone().map_err(Failure::new)?);
    }
    let opening = bound.prepare().map_err(Failure::new)?;
    if let Some(file) = memory.filter(|_| !is_kept) {
        manager.keep_memory(&file);
    }
    for Named { name, socket } in held.fresh() {
        manager.keep(&name, socket.as_fd());
    }
    let server = opening.server();
    let admin = admin.map(|admin| {
        let sources = (0..flags::all().count()).map(|index| loaded.source(index).to_string());
        let mut pulse = server.pulse();
        let ask = move || pulse.silent().into_iter().map(str::to_owned).collect();
        let shared = Arc::clone(server.shared());
        admin.start(shared, sources.collect(), Box::new(ask))
    });
    let admin = admin.transpose().map_err(Failure::new)?;
    Ok((opening, admin))
}

/// The listeners that the service manager has held and the settings still ask for. Others are let go
/// of, before anything is bound that they could be in the way of.
fn listeners(config: &Config, held: Vec<Named>, binds: bool, manager: &Manager) -> Held {
    let mut wanted = Vec::new();
    if config.keeps_listeners() {
        wanted.extend(admin::endpoints(config));
        if binds {
            wanted.extend(Server::endpoints(config));
        }
    }
    if config.keep_listeners && !manager.is_there() {
        log::warn!("--keep-listeners: there is no service manager to keep them over a restart");
    }
    let mut held = Held::new(held, config.keeps_listeners() && manager.is_there());
    let gone = held.let_go_but(&wanted);
    manager.forget(&gone);
    let kept = held.names();
    if !(kept.is_empty() && gone.is_empty()) {
        let (kept, gone) = (kept.join(","), gone.join(","));
        log::info!("listeners are kept from before  names={kept} closed={gone}");
    }
    held
}

/// The file without a name that items lie in (`--keep-memory`): the one that the service manager has
/// kept, or a new one.
fn lasting_memory(
    config: &Config,
    kept: Option<File>,
    manager: &Manager,
) -> Result<Option<File>, Failure> {
    if !config.keep_memory {
        if let Some(file) = kept {
            log::info!("the memory that was kept is let go of: there is no --keep-memory any more");
            // What has it open does not matter then.
            file.set_len(0).map_err(Failure::new)?;
            manager.forget_memory();
        }
        return Ok(None);
    }
    if kept.is_some() {
        return Ok(kept);
    }
    if !manager.is_there() {
        log::warn!("--keep-memory: there is no service manager to keep it, items end with larderd");
        return Ok(None);
    }
    let made = memfd_create("larder", MemfdFlags::CLOEXEC);
    let file = made.map_err(|error| Failure::new(format!("--keep-memory: {error}")))?;
    Ok(Some(File::from(file)))
}

fn announce(config: &Config, server: &Server) {
    log::info!(
        "serving  tcp={} udp={} unix={} workers={} memory_mb={} pid={}",
        addresses(server),
        server.udp_addrs().len(),
        config
            .unix_socket
            .as_ref()
            .map_or_else(String::new, |path| path.display().to_string()),
        config.workers,
        config.memory_limit >> 20,
        std::process::id()
    );
}

/// The same for the service manager's one line.
fn status(config: &Config, server: &Server) -> String {
    let at = match (addresses(server), &config.unix_socket) {
        (tcp, None) => tcp,
        (tcp, Some(path)) if tcp.is_empty() => path.display().to_string(),
        (tcp, Some(path)) => format!("{tcp},{}", path.display()),
    };
    let (workers, memory_mb) = (config.workers, config.memory_limit >> 20);
    let status = format!("Serving {at} with {workers} threads and {memory_mb} MB");
    // The manager is told one thing a line.
    status.replace(char::is_control, "?")
}

fn addresses(server: &Server) -> String {
    let addresses = server.local_addrs().iter().map(ToString::to_string);
    addresses.collect::<Vec<_>>().join(",")
}

/// What the service manager hears while signals are handled.
struct Told {
    manager: Arc<Manager>,
    status: Arc<str>,
    /// Whether clients are served: before, nothing is ready that could be so again.
    is_serving: Arc<AtomicBool>,
}

/// Signals that do not end the process by themselves. SIGXFSZ does nothing: a write beyond the limit
/// on the size of files fails, and whoever writes says so.
const SIGNALS: [i32; 6] = [SIGHUP, SIGINT, SIGTERM, SIGUSR1, SIGUSR2, SIGXFSZ];

impl Told {
    fn is_serving(&self) -> bool {
        self.is_serving.load(Ordering::Acquire)
    }
}

/// Turns signals into requests to the server, until the process ends.
fn handle(
    mut signals: Signals,
    control: &Control,
    shared: &Shared,
    mut reload: Reload,
    told: &Told,
) {
    let mut is_stopping = false;
    for signal in signals.forever() {
        match signal {
            SIGHUP => {
                let is_serving = told.is_serving();
                if is_serving {
                    told.manager.reloading();
                }
                reload.run();
                control.reload_cluster();
                if is_serving {
                    told.manager.ready(&told.status);
                }
            }
            SIGUSR1 => control.shutdown(true),
            SIGUSR2 => take_snapshot(shared),
            SIGXFSZ => {}
            _ if is_stopping => {
                log::warn!("stopping at once  signal={signal}");
                // 128 and the signal's number is what a shell reports for a killed process.
                std::process::exit(128 + signal);
            }
            _ => {
                is_stopping = true;
                // Whoever presses a key wants the prompt back.
                control.shutdown(signal == SIGTERM);
            }
        }
    }
}

fn take_snapshot(shared: &Shared) {
    match shared.host.snapshot() {
        SnapshotReply::Begun => log::info!("snapshot begun  signal=SIGUSR2"),
        SnapshotReply::Busy => log::warn!("SIGUSR2: a snapshot is being written or read already"),
        SnapshotReply::Off => {
            log::warn!("SIGUSR2: there is no file to write; name one by --snapshot")
        }
    }
}
