//! Bytes to requests, and replies to bytes.
//!
//! Pure: no socket, no clock, no store. Decoders borrow from the input and allocate nothing; a
//! decoder of a line never sees a data block, which the session frames. Every string of the wire
//! stands in this folder.

pub mod admin;
pub mod binary;
pub mod client;
pub mod error;
pub mod fuzz;
pub mod key;
pub mod log;
pub mod meta;
pub mod number;
pub mod text;

pub use error::ProtocolError;
