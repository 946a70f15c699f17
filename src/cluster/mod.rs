//! Who else is there: the nodes of a cluster, as clients are told of them.
//!
//! Pure: no socket, no thread, no clock. Start reading at [`Document`], which is what clients
//! are told, then at [`Directory`], where sessions find it and whoever decides it puts it.
//! Members that agree by themselves do so in [`membership`] by the rule of [`agreement`];
//! [`swim`] tells them who answers.

pub mod advertise;
pub mod agreement;
pub mod directory;
pub mod dns;
pub mod document;
pub mod listing;
pub mod membership;
pub mod message;
pub mod placement;
pub mod roster;
pub mod seal;
pub mod state;
pub mod swim;

pub use advertise::Advertise;
pub use directory::{Directory, Inbox, NodeState, Reach, Source, Stale};
pub use document::{Document, DocumentError, Node, NodeError, VERSION_MAX};
