//! The daemon from outside: real processes, real sockets, real clients.
//!
//! One file per subject; what they share is in `support`. No test sleeps for a condition or
//! fixes a port, and no test expects a duration.
#![allow(dead_code, reason = "support offers more than each build needs")]

mod admin;
mod attacks;
mod background;
mod binary;
mod client_archives;
mod client_commands;
mod client_doors;
mod client_examines;
mod client_logins;
mod client_program;
mod clients;
mod cluster;
mod connected;
mod connections;
mod differential;
mod discovery;
mod discovery_clients;
mod discovery_dns;
mod encrypted;
mod hostile;
mod in_process;
mod insight;
mod keeping;
mod logins;
mod memory;
mod monitoring;
mod operations;
mod package;
mod page;
mod process;
mod restart;
mod rights;
mod sasl;
mod siege;
mod snapshot;
mod support;
mod systemd;
mod tls;
mod transcripts;
mod truncation;
