//! Who else is there: the nodes of a cluster, as clients are told of them.
//!
//! Pure: no socket, no thread, no clock. Start reading at [`Document`], which is what clients
//! are told, then at [`Directory`], where sessions find it and whoever decides it puts it.

pub mod advertise;
pub mod directory;
pub mod document;

pub use advertise::Advertise;
pub use directory::{Directory, Edit, Inbox, NodeState, Reach, Source, Stale, Stored};
pub use document::{Document, DocumentError, Node, NodeError, VERSION_MAX};
