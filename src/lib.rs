//! larder: a cache daemon that every memcached client can use unchanged.

pub mod admin;
pub mod auth;
pub mod client;
pub mod cluster;
pub mod config;
pub mod daemon;
pub mod held;
pub mod limits;
pub mod protocol;
pub mod scram;
pub mod server;
pub mod session;
pub mod socket_file;
pub mod stats;
pub mod store;
pub mod time;
