//! The time between having memory and serving clients: items are read from a snapshot, and whoever
//! asks is told that they are.
//!
//! Time passes and house is kept already, nobody is served yet: those who connect wait. Clients must
//! not come before the last item. A value that one of them deletes, and that came from the file
//! after that, would be back.

use std::cell::RefCell;
use std::sync::Arc;
use std::time::Instant;

use crossbeam_channel::Receiver;
use mio::Poll;

use super::acceptor::Acceptor;
use super::census::Census;
use super::desk::Desk;
use super::error::StartError;
use super::handshaker::Handshaker;
use super::listener::Listener;
use super::logins;
use super::mailbox::Mailbox;
use super::peers::Ready;
use super::snapshot::{Loaded, News, Order};
use super::worker::Worker;
use super::{
    ACCEPTOR, SNAPSHOT, Seat, Server, UPKEEP, handshaker_name, spawn, upkeep, worker_name,
};

/// A server that has its memory and serves nobody yet. Dropping it ends it.
pub struct Opening {
    server: Server,
    doors: Doors,
    /// Items have been kept in memory.
    is_kept: bool,
}

/// What the threads that serve are made of.
pub(super) struct Doors {
    pub(super) accept_poll: Poll,
    pub(super) listeners: Vec<Listener>,
    pub(super) census: Arc<Census>,
    pub(super) seats: Vec<Seat>,
    pub(super) handshaker_seats: Vec<Seat>,
    pub(super) logins: Receiver<logins::Request>,
    pub(super) peers: Ready,
    pub(super) orders: Option<Receiver<Order>>,
}

impl Opening {
    /// Starts the thread that keeps time and house.
    pub(super) fn begin(
        mut server: Server,
        doors: Doors,
        is_kept: bool,
    ) -> Result<Self, StartError> {
        let (stop, stopped) = crossbeam_channel::bounded(0);
        server.upkeep_stop = Some(stop);
        server.upkeep_stopped = Some(stopped.clone());
        let shared = Arc::clone(&server.shared);
        let mailboxes = server.mailboxes.clone();
        let beat = Arc::clone(&server.upkeep_beat);
        let keep = move || upkeep::run(&shared, &mailboxes, &beat, &stopped);
        server.upkeep = Some(spawn(UPKEEP.to_owned(), keep)?);
        Ok(Self {
            server,
            doors,
            is_kept,
        })
    }

    /// The server, for whoever wants to look at it or ask it to stop.
    pub fn server(&self) -> &Server {
        &self.server
    }

    /// Reads the items of a snapshot, if the settings name one, and calls `news` every few seconds
    /// meanwhile. Returns false when somebody has asked for a stop: then drop this. Takes a second
    /// for a few million items on a core.
    pub fn load(&self, news: &dyn Fn()) -> bool {
        let server = &self.server;
        let Some(snapshots) = &server.snapshots else {
            return true;
        };
        let news = RefCell::new(News::new(news));
        let go_on = || {
            news.borrow_mut().go_on(Instant::now());
            server.requests.is_empty()
        };
        let shared = &server.shared;
        let loaded = snapshots.load(&shared.store, &shared.clock, self.is_kept, &go_on);
        loaded != Loaded::Stopped
    }

    /// Lets clients in.
    ///
    /// # Errors
    ///
    /// When the system has no threads.
    pub fn open(self) -> Result<Server, StartError> {
        let Self {
            mut server, doors, ..
        } = self;
        let peers = server.start_threads(doors)?;
        // Last: a node asks to be listed once it serves.
        server.peers = peers.start(&server.shared).map_err(StartError::System)?;
        if let Some(peers) = &server.peers {
            server.control.peers.get_or_init(|| peers.orders());
        }
        Ok(server)
    }
}

impl Server {
    fn desk(&self, index: usize, mailbox: &Arc<Mailbox>, census: &Arc<Census>) -> Desk {
        Desk {
            index,
            shared: Arc::clone(&self.shared),
            counters: self.shared.registry.worker(index),
            mailbox: Arc::clone(mailbox),
            gate: Arc::clone(&self.gate),
            census: Arc::clone(census),
            control: self.control.clone(),
        }
    }

    /// Starts all threads but those of upkeep and cluster.
    fn start_threads(&mut self, doors: Doors) -> Result<Ready, StartError> {
        let Doors {
            accept_poll,
            listeners,
            census,
            seats,
            handshaker_seats,
            logins,
            peers,
            orders,
        } = doors;
        for (index, seat) in seats.into_iter().enumerate() {
            let desk = self.desk(index, &self.mailboxes[index], &census);
            let worker = Worker::new(desk, seat.poll, seat.letters, seat.datagrams)
                .map_err(StartError::System)?;
            self.workers
                .push(spawn(worker_name(index), move || worker.run())?);
        }
        for (index, seat) in handshaker_seats.into_iter().enumerate() {
            let Some(tls) = self.tls.clone() else { break };
            let mailbox = &self.handshaker_mailboxes[index];
            let desk = self.desk(self.mailboxes.len() + index, mailbox, &census);
            let workers = self.mailboxes.clone();
            let handshaker = Handshaker::new(desk, tls, workers, seat.poll, seat.letters);
            self.handshakers
                .push(spawn(handshaker_name(index), move || handshaker.run())?);
        }
        if let (true, Some(stopped)) = (self.shared.door.is_locked(), self.upkeep_stopped.take()) {
            let mailboxes = self.mailboxes.clone();
            let serve = move || logins::run(&logins, &mailboxes, &stopped);
            self.logins = Some(spawn("larder-logins".to_owned(), serve)?);
        }
        if let (Some(snapshots), Some(orders)) = (self.snapshots.clone(), orders) {
            let shared = Arc::clone(&self.shared);
            let take = move || snapshots.run(&shared, &orders);
            self.snapshot = Some(spawn(SNAPSHOT.to_owned(), take)?);
        }
        let acceptor = Acceptor::new(
            accept_poll,
            listeners,
            Arc::clone(&self.shared),
            Arc::clone(&self.gate),
            census,
            (self.mailboxes.clone(), self.handshaker_mailboxes.clone()),
            Arc::clone(&self.stopping),
        )
        .map_err(StartError::System)?;
        self.acceptor = Some(spawn(ACCEPTOR.to_owned(), || acceptor.run())?);
        Ok(peers)
    }
}
