//! What the suite is built from: a daemon, a client, and what the system says of a process.

pub(crate) mod client;
pub(crate) mod in_process;
pub(crate) mod packet;
pub(crate) mod process;
pub(crate) mod server;
pub(crate) mod transcript;

pub(crate) use client::Client;
pub(crate) use server::Server;
