//! The list of nodes from DNS: looked up at the start, at an interval, and at SIGHUP. An answer
//! that is none, or that has too few nodes, changes nothing.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::thread::Builder;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender};

use super::listed;
use super::lookup::look_up;
use super::{Order, Orders, PeersError};
use crate::cluster::dns::Subject;
use crate::cluster::listing::Listing;
use crate::cluster::{Directory, Document, Node};
use crate::config::Config;

/// Pause after a look-up that failed, unless the interval is shorter.
const PAUSE_FAILED: Duration = Duration::from_secs(5);

/// What is looked up, and how often.
#[derive(Clone, Debug)]
struct Question {
    subject: Subject,
    server: Option<SocketAddr>,
    interval: Duration,
    nodes_min: usize,
}

/// A name that stands for nodes, and what was made of it.
pub(in crate::server) struct Named {
    question: Question,
    state_file: Option<PathBuf>,
    document: Option<Document>,
}

impl Named {
    /// Reads what was written down.
    pub(super) fn open(config: &Config) -> Result<Option<Self>, PeersError> {
        let cluster = &config.cluster;
        // Checked when the settings were read.
        let Some(subject) = cluster.dns.clone() else {
            return Ok(None);
        };
        let document = match &cluster.state_file {
            Some(path) => listed::read_state(path)?,
            None => None,
        };
        Ok(Some(Self {
            question: Question {
                subject,
                server: cluster.dns_server,
                interval: Duration::from_secs(cluster.dns_interval_s.into()),
                nodes_min: cluster.nodes_min,
            },
            state_file: cluster.state_file.clone(),
            document,
        }))
    }

    /// Looks the name up, so that the first client is told of all nodes; without an answer, of
    /// those that were there before.
    pub(super) fn publish_first(&mut self, directory: &Directory) -> Result<(), PeersError> {
        match self.question.answer() {
            Ok(nodes) => self.take(nodes),
            Err(why) => log::warn!("cluster: {why}; trying on"),
        }
        match &self.document {
            Some(document) => listed::publish(document, self.state_file.as_deref(), directory),
            None => {
                log::warn!("cluster: no nodes are known, only this one is listed");
                Ok(())
            }
        }
    }

    /// Follows the name until told to stop. Look-ups have a thread of their own, which nobody
    /// waits for: a name server may take its time, and a stop may not.
    pub(super) fn start_looking(&self, orders: &Orders) -> io::Result<Sender<()>> {
        let (now, asked) = crossbeam_channel::bounded(1);
        let (question, orders) = (self.question.clone(), orders.clone());
        Builder::new()
            .name("larder-dns".to_owned())
            .spawn(move || question.keep_asking(&orders, &asked))?;
        Ok(now)
    }

    /// Obeys orders until told to stop. `now` has the name looked up at once.
    pub(super) fn run(mut self, directory: &Directory, orders: &Receiver<Order>, now: &Sender<()>) {
        for order in orders {
            match order {
                Order::Stop => return,
                // When one waits already it is the same.
                Order::Reload => drop(now.try_send(())),
                Order::Declare(nodes) => self.renew(nodes, directory),
                // There is nobody to be told: the list is that of the name's owner.
                Order::Leave(done) => drop(done.try_send(())),
                Order::Seeds(_) | Order::Look => {}
            }
        }
    }

    fn renew(&mut self, nodes: Vec<Node>, directory: &Directory) {
        let old = self.document.clone();
        self.take(nodes);
        let Some(document) = self.document.as_ref().filter(|_| self.document != old) else {
            return;
        };
        match listed::publish(document, self.state_file.as_deref(), directory) {
            Ok(()) => {
                let (version, count) = (document.version(), document.nodes().len());
                log::info!("cluster: new list  version={version} nodes={count}");
            }
            Err(error) => {
                log::error!("cluster: the list stays as it was: {error}");
                self.document = old;
            }
        }
    }

    /// Makes a document of nodes, under a version that is higher if they are others.
    fn take(&mut self, nodes: Vec<Node>) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let now_unix_s = now.map_or(0, |now| now.as_secs());
        let listing = Listing::of(nodes);
        match listing.document(self.document.as_ref(), now_unix_s) {
            Ok(document) => self.document = Some(document),
            Err(error) => log::error!("cluster: the list stays as it was: {error}"),
        }
    }
}

impl Question {
    /// The nodes, if there are enough of them.
    fn answer(&self) -> Result<Vec<Node>, String> {
        let nodes = look_up(&self.subject, self.server).map_err(|error| error.to_string())?;
        if nodes.len() < self.nodes_min {
            return Err(format!(
                "{}: {} nodes, fewer than --cluster-min-nodes {}",
                self.subject,
                nodes.len(),
                self.nodes_min
            ));
        }
        Ok(nodes)
    }

    /// Looks the name up again and again, until there is nobody who wants to know.
    fn keep_asking(&self, orders: &Orders, asked: &Receiver<()>) {
        // What has been complained of since all was well: it is told once, and another thing again.
        let mut told = None;
        let mut pause = self.interval;
        loop {
            if let Err(RecvTimeoutError::Disconnected) = asked.recv_timeout(pause) {
                return;
            }
            match self.answer() {
                Ok(nodes) => {
                    orders.give(Order::Declare(nodes));
                    told = None;
                    pause = self.interval;
                }
                Err(why) => {
                    if told.as_ref() != Some(&why) {
                        log::warn!("cluster: the list stays as it was: {why}");
                    }
                    told = Some(why);
                    pause = self.interval.min(PAUSE_FAILED);
                }
            }
        }
    }
}
