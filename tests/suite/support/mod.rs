//! What the suite is built from: a daemon, a client, certificates, and what the system says of a process.

pub(crate) mod authority;
pub(crate) mod client;
pub(crate) mod foreign;
pub(crate) mod in_process;
pub(crate) mod packet;
pub(crate) mod process;
pub(crate) mod program;
pub(crate) mod server;
pub(crate) mod supervisor;
pub(crate) mod transcript;

pub(crate) use authority::Authority;
pub(crate) use client::Client;
pub(crate) use server::Server;
pub(crate) use supervisor::Supervisor;

/// A file that holds this text, as long as it is not dropped.
pub(crate) fn text_file(text: &str) -> tempfile::NamedTempFile {
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), text).expect("a file to be written");
    file
}
