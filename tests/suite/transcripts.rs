//! Every transcript, in every way it can be run.

use std::collections::BTreeMap;

use crate::support::transcript::{Transcript, Version, Wire};
use crate::support::{Client, Server};

/// A daemon at the other end.
struct Socket<'a> {
    server: &'a Server,
    clients: BTreeMap<char, Client>,
    /// A connection of its own that moves the clock.
    control: Option<Client>,
    is_memcached: bool,
    /// By how much the last move moved it.
    moved: i64,
}

impl<'a> Socket<'a> {
    fn to(server: &'a Server, is_memcached: bool) -> Self {
        Self {
            server,
            clients: BTreeMap::new(),
            control: None,
            is_memcached,
            moved: 0,
        }
    }

    /// To a larder whose clock stands still until the transcript moves it.
    fn to_larder(server: &'a Server) -> Self {
        let mut wire = Self::to(server, false);
        let stopped = wire.advance(0);
        assert!(stopped, "debugtime is there when the environment says so");
        wire
    }

    fn client(&mut self, name: char) -> &mut Client {
        let server = self.server;
        self.clients.entry(name).or_insert_with(|| server.connect())
    }
}

impl Wire for Socket<'_> {
    fn send(&mut self, connection: char, bytes: &[u8]) {
        // Where the server closes early the rest cannot be sent; what it said first is expected.
        let _closed_early = self.client(connection).try_send(bytes);
    }

    fn take(&mut self, connection: char, count: usize) -> Vec<u8> {
        self.client(connection).take(count)
    }

    fn take_line(&mut self, connection: char) -> Vec<u8> {
        self.client(connection).take_line()
    }

    fn closed(&mut self, connection: char) -> bool {
        let client = self.client(connection);
        client.take(1).is_empty() && client.ended()
    }

    fn advance(&mut self, seconds: i64) -> bool {
        let server = self.server;
        let control = self.control.get_or_insert_with(|| server.connect());
        // memcached adds up all moves and then moves by the sum.
        let by = seconds - if self.is_memcached { self.moved } else { 0 };
        self.moved = seconds;
        control.command("debugtime p") == "OK"
            && control.command(&format!("debugtime {by:+}")) == "OK"
    }
}

pub(crate) fn flags(transcript: &Transcript) -> Vec<&str> {
    transcript.flags.iter().map(String::as_str).collect()
}

/// Runs all transcripts and fails with all differences at once.
pub(crate) fn run_all(run: impl Fn(&Transcript) -> Result<(), String>) {
    let only = std::env::var("LARDER_TRANSCRIPT").unwrap_or_default();
    let mut differences = Vec::new();
    for transcript in Transcript::all() {
        if transcript.name.contains(&only)
            && let Err(difference) = run(&transcript)
        {
            differences.push(difference);
        }
    }
    assert!(differences.is_empty(), "\n{}", differences.join("\n"));
}

#[test]
fn larder_answers_over_tcp_as_written() {
    run_all(|transcript| {
        let server = Server::start(&flags(transcript));
        transcript.with_larder(&mut Socket::to_larder(&server))
    });
}

#[test]
fn larder_answers_a_whole_transcript_as_one_pipeline_over_tcp() {
    run_all(|transcript| {
        let Some(pipeline) = transcript.as_one_pipeline() else {
            return Ok(());
        };
        let server = Server::start(&flags(transcript));
        pipeline.with_larder(&mut Socket::to_larder(&server))
    });
}

#[test]
fn memcached_answers_as_written() {
    let server = Server::memcached(&[]);
    let version = server_version(&server);
    run_all(|transcript| match transcript.oracle {
        Some(since) if since <= version => {
            // Its clock cannot be stopped, and a second may begin while TTLs are compared.
            let attempt = || {
                let server = Server::memcached(&flags(transcript));
                transcript.with_memcached(version, &mut Socket::to(&server, true))
            };
            attempt().or_else(|_| attempt()).or_else(|_| attempt())
        }
        _ => Ok(()),
    });
}

fn server_version(server: &Server) -> Version {
    let answer = server.connect().command("version");
    let text = answer.strip_prefix("VERSION ").expect("a version");
    let mut numbers = text.split('.').map(|part| {
        let digits: String = part.chars().take_while(char::is_ascii_digit).collect();
        digits.parse().unwrap_or(0)
    });
    let mut next = || numbers.next().unwrap_or(0);
    (next(), next(), next())
}
