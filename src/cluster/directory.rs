//! What the discovery endpoint serves: the cluster document, and whatever else `config set` has
//! stored.
//!
//! Sessions read it without a lock: what is served is one immutable [`View`] behind an atomic
//! pointer, replaced as a whole. Whoever decides about the cluster replaces the document by
//! [`Directory::publish`]; what clients want changed reaches them through an [`Inbox`].
//!
//! **Invariant:** what is served under `cluster` never goes away, and what [`Directory::publish`]
//! puts there has a higher version than all that was served before it.

use std::fmt;
use std::sync::Arc;

use arc_swap::ArcSwap;
use parking_lot::Mutex;

use super::document::{Document, DocumentError, Node, VERSION_MAX, parse_version};
use crate::limits::{CONFIG_COUNT_MAX, CONFIG_SIZE_MAX, KEY_SIZE_MAX};

/// The key of the cluster document.
pub const CLUSTER_KEY: &[u8] = b"cluster";

/// The key under which clients of old servers read the cluster document by a plain get.
pub const RESERVED_KEY: &[u8] = b"AmazonElastiCache:cluster";

/// A value as `config set` stores it: up to [`CONFIG_SIZE_MAX`] bytes that are never looked into.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Entry {
    /// Client flags.
    pub flags: u32,
    /// The bytes, as they came or as they were generated.
    pub bytes: Arc<[u8]>,
}

impl Entry {
    fn of(document: &Document) -> Self {
        Self {
            flags: 0,
            bytes: document.encode().into(),
        }
    }
}

/// Where the nodes that a client wants listed go, to whoever decides about the cluster.
pub trait Inbox: Send + Sync {
    /// Takes a list. Called on a worker, so it must not wait for anything: a queue and a waker.
    fn declare(&self, nodes: Vec<Node>);
}

/// Who decides what the cluster document says.
pub enum Source {
    /// Nobody: a list of one, until a client stores another.
    Own,
    /// Something outside that clients cannot change, by its name in `stats cluster`.
    Declared(&'static str),
    /// Members that tell each other, by its name in `stats cluster`. What a client stores is a list
    /// that they are asked to agree on.
    Shared(&'static str, Box<dyn Inbox>),
}

impl Source {
    const fn name(&self) -> &'static str {
        match self {
            Self::Own => "none",
            Self::Declared(name) | Self::Shared(name, _) => name,
        }
    }
}

/// Why a client's change is not made.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Refused {
    /// The nodes are declared elsewhere.
    Declared,
    /// There are as many entries as may be.
    Full,
    /// This is no key for an entry.
    Key,
    /// All members would be told this, and it is no document.
    NotADocument(DocumentError),
    /// All members would be told this, and its version is not above the one that is served.
    Stale,
    /// The entry is larger than [`CONFIG_SIZE_MAX`].
    TooLarge,
}

/// The document is not served, since its version is not above what is served already.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Stale {
    /// The highest version served so far. The next has to be above it.
    pub served: u32,
}

impl fmt::Display for Stale {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "version {} is served already", self.served)
    }
}

impl std::error::Error for Stale {}

/// Whether a node answers the others.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Reach {
    /// It is this daemon.
    Itself,
    /// It answers.
    Reachable,
    /// It does not answer. It stays listed: to take it off would move the keys of all others.
    Unreachable,
    /// Nobody has tried.
    Unknown,
}

impl Reach {
    /// As `stats cluster` spells it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Itself => "self",
            Self::Reachable => "reachable",
            Self::Unreachable => "unreachable",
            Self::Unknown => "unknown",
        }
    }
}

/// What is known of a node beside its place in the list.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct NodeState {
    /// The node, by name.
    pub name: String,
    /// Its port, which tells apart nodes of one name.
    pub port: u16,
    /// Whether it answers.
    pub reach: Reach,
    /// Since when that is so, in Unix seconds.
    pub since_unix_s: i64,
}

/// What is served at one moment.
#[derive(Debug)]
pub struct View {
    cluster: Entry,
    /// What `cluster` means, if it means anything.
    document: Option<Document>,
    /// The highest version served so far.
    version: u32,
    /// Other entries, in the order in which their keys were first set.
    others: Vec<(Box<[u8]>, Entry)>,
}

impl View {
    /// The entry of a key.
    pub fn entry(&self, key: &[u8]) -> Option<&Entry> {
        if key == CLUSTER_KEY {
            return Some(&self.cluster);
        }
        let mut others = self.others.iter();
        others.find(|(k, _)| **k == *key).map(|(_, entry)| entry)
    }

    /// The cluster document's entry.
    pub fn cluster(&self) -> &Entry {
        &self.cluster
    }

    /// The nodes in the cluster document; none when a client has stored something else.
    pub fn nodes(&self) -> &[Node] {
        self.document.as_ref().map_or(&[], Document::nodes)
    }

    /// The highest version served so far.
    pub fn version(&self) -> u32 {
        self.version
    }

    /// Entries, that of the cluster among them.
    pub fn count(&self) -> usize {
        1 + self.others.len()
    }
}

/// What the discovery endpoint serves.
pub struct Directory {
    /// This daemon, as clients are told of it.
    node: Node,
    view: ArcSwap<View>,
    states: ArcSwap<Vec<NodeState>>,
    /// Whoever changes the view holds this, so that no change is lost.
    writer: Mutex<Writer>,
}

struct Writer {
    source: Source,
    /// A source has published, so versions are to be compared with what is served.
    published: bool,
    /// A client has stored the document that is served.
    overridden: bool,
}

impl fmt::Debug for Directory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let view = self.view.load();
        f.debug_struct("Directory")
            .field("view", &view)
            .finish_non_exhaustive()
    }
}

impl Directory {
    /// A directory that serves a list of one, this daemon, until a source publishes another.
    pub fn new(node: Node) -> Self {
        let own = Document::of_one(node.clone());
        let view = View {
            cluster: Entry::of(&own),
            version: own.version(),
            document: Some(own),
            others: Vec::new(),
        };
        Self {
            node,
            view: ArcSwap::from_pointee(view),
            states: ArcSwap::default(),
            writer: Mutex::new(Writer {
                source: Source::Own,
                published: false,
                overridden: false,
            }),
        }
    }

    /// This daemon, as clients are told of it.
    pub fn node(&self) -> &Node {
        &self.node
    }

    /// Makes somebody the source. The first document that they publish is served whatever its
    /// version, so do this before clients are served.
    pub fn set_source(&self, source: Source) {
        self.writer.lock().source = source;
    }

    /// The source's name, as `stats cluster` has it.
    pub fn source(&self) -> &'static str {
        self.writer.lock().source.name()
    }

    /// What is served now. Takes no lock; hold it for the moment only.
    pub fn view(&self) -> arc_swap::Guard<Arc<View>> {
        self.view.load()
    }

    /// Serves a generated document from now on. To publish what is served already is no change.
    ///
    /// # Errors
    ///
    /// [`Stale`] when its version is not above what is served: a client may have stored another
    /// document meanwhile. Take the edits in the inbox first, then try a higher version.
    pub fn publish(&self, document: &Document) -> Result<(), Stale> {
        self.replace(&Entry::of(document), document)
    }

    fn replace(&self, entry: &Entry, document: &Document) -> Result<(), Stale> {
        let mut writer = self.writer.lock();
        let view = self.view.load_full();
        let is_same = view.cluster == *entry;
        if writer.published && !is_same && document.version() <= view.version {
            return Err(Stale {
                served: view.version,
            });
        }
        writer.published = true;
        writer.overridden = false;
        if !is_same {
            self.view.store(Arc::new(View {
                cluster: entry.clone(),
                document: Some(document.clone()),
                version: document.version(),
                others: view.others.clone(),
            }));
        }
        Ok(())
    }

    /// Stores an entry for a client: these bytes, unchanged.
    ///
    /// # Errors
    ///
    /// [`Refused`] says why it is not.
    pub fn set(&self, key: &[u8], flags: u32, bytes: &[u8]) -> Result<(), Refused> {
        if key.is_empty() || key.len() > KEY_SIZE_MAX {
            return Err(Refused::Key);
        }
        if bytes.len() > CONFIG_SIZE_MAX {
            return Err(Refused::TooLarge);
        }
        let mut writer = self.writer.lock();
        let view = self.view.load_full();
        let entry = Entry {
            flags,
            bytes: bytes.into(),
        };
        if key != CLUSTER_KEY {
            let mut others = view.others.clone();
            match others.iter_mut().find(|(k, _)| **k == *key) {
                Some((_, old)) => *old = entry,
                None if view.count() == CONFIG_COUNT_MAX => return Err(Refused::Full),
                None => others.push((key.into(), entry)),
            }
            self.view.store(Arc::new(View {
                others,
                ..view.copy()
            }));
            return Ok(());
        }
        let document = match &writer.source {
            Source::Declared(_) => return Err(Refused::Declared),
            Source::Own => {
                let version = version_of(bytes).unwrap_or(0).max(view.version);
                (Document::parse(bytes).ok(), version)
            }
            Source::Shared(_, inbox) => {
                let document = Document::parse(bytes).map_err(Refused::NotADocument)?;
                if document.version() <= view.version {
                    return Err(Refused::Stale);
                }
                // Served once all members have agreed on it: two clients may store different
                // lists under one version at two nodes.
                inbox.declare(document.into_nodes());
                return Ok(());
            }
        };
        writer.overridden = true;
        writer.published = true;
        self.view.store(Arc::new(View {
            cluster: entry,
            document: document.0,
            version: document.1,
            others: view.others.clone(),
        }));
        Ok(())
    }

    /// Forgets an entry for a client. That of the cluster goes back to what it was generated
    /// from, under a higher version. False when there is no such entry, or none that a client
    /// has stored.
    ///
    /// # Errors
    ///
    /// [`Refused::Declared`].
    pub fn delete(&self, key: &[u8]) -> Result<bool, Refused> {
        let mut writer = self.writer.lock();
        let view = self.view.load_full();
        if key != CLUSTER_KEY {
            let mut others = view.others.clone();
            others.retain(|(k, _)| **k != *key);
            let deleted = others.len() < view.others.len();
            self.view.store(Arc::new(View {
                others,
                ..view.copy()
            }));
            return Ok(deleted);
        }
        match &writer.source {
            Source::Declared(_) => return Err(Refused::Declared),
            _ if !writer.overridden => return Ok(false),
            Source::Own => {
                let version = view.version.saturating_add(1).min(VERSION_MAX);
                let own = Document::of_one(self.node.clone()).with_version(version);
                self.view.store(Arc::new(View {
                    cluster: Entry::of(&own),
                    version,
                    document: Some(own),
                    others: view.others.clone(),
                }));
            }
            // What is served there was never a client's own.
            Source::Shared(..) => return Ok(false),
        }
        writer.overridden = false;
        Ok(true)
    }

    /// Notes what is known of the nodes, for `stats cluster`.
    pub fn set_states(&self, states: Vec<NodeState>) {
        self.states.store(Arc::new(states));
    }

    /// What is known of the nodes.
    pub fn states(&self) -> Arc<Vec<NodeState>> {
        self.states.load_full()
    }
}

impl View {
    /// A copy without other entries, to be changed in part.
    fn copy(&self) -> Self {
        Self {
            cluster: self.cluster.clone(),
            document: self.document.clone(),
            version: self.version,
            others: Vec::new(),
        }
    }
}

/// The version in the first line of what a client has stored.
fn version_of(bytes: &[u8]) -> Option<u32> {
    let line = bytes.split(|&byte| byte == b'\n').next()?;
    parse_version(str::from_utf8(line).ok()?).ok()
}

#[cfg(test)]
mod tests;
