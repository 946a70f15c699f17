//! The caches that are asked: daemons over a socket, and a store in process.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::path::Path;

use larder::client::load::keys::{KeySpace, number_of};
use larder::client::load::process;
use larder::config::parse::{Action, parse};
use larder::protocol::client::{Answer, Dialect};
use larder::store::{Fetch, Fetched, Put, Store};
use larder::time::{Expiry, FIRST_UPTIME_S, Now};

use crate::load_tools::server::Server;
use crate::workload::Cache;

/// A daemon whose clock stands still but for the seconds that it is told to move on.
pub(crate) struct Daemon {
    server: Server,
    stream: TcpStream,
    /// What moves its clock on by one second.
    second: &'static [u8],
    out: Vec<u8>,
    bytes: Vec<u8>,
}

impl Daemon {
    /// Starts a memcached or a kin of it whose time can be told to it.
    pub(crate) fn start(program: &Path, flags: &[&str]) -> io::Result<Self> {
        let server = Server::start_with(
            "127.0.0.1",
            program,
            flags,
            &[("LARDER_DEBUG_COMMANDS", "1")],
        )?;
        let stream = TcpStream::connect(server.address)?;
        stream.set_nodelay(true)?;
        let mut daemon = Self {
            server,
            stream,
            second: b"debugtime 1\r\n",
            out: Vec::new(),
            bytes: Vec::new(),
        };
        daemon.stop_clock(program)?;
        Ok(daemon)
    }

    /// Stops its clock, and finds out what moves it on by a second: memcached adds up what it was
    /// told before.
    fn stop_clock(&mut self, program: &Path) -> io::Result<()> {
        const TRIAL_S: u64 = 10;
        let told = self.say(b"debugtime p\r\n")? && self.say(b"debugtime 1\r\n")?;
        for second in [&b"debugtime 0\r\n"[..], b"debugtime 1\r\n"] {
            let before = self.server.stat("uptime")?;
            self.second = second;
            for _ in 0..TRIAL_S {
                if told {
                    self.tick()?;
                }
            }
            // A second of the world may have passed as well.
            let passed_s = self.server.stat("uptime")? - before;
            if (TRIAL_S..TRIAL_S + 2).contains(&passed_s) {
                return Ok(());
            }
        }
        Err(io::Error::other(format!(
            "{} does not let its clock be moved: this needs a memcached built for debugging, \
             which its own build leaves beside the other as memcached-debug",
            program.display()
        )))
    }

    /// Whether a command is answered by `OK`.
    fn say(&mut self, command: &[u8]) -> io::Result<bool> {
        self.out.extend_from_slice(command);
        let mut is_ok = false;
        self.converse(1, |answer| {
            is_ok = match answer {
                Answer::Stored => true,
                Answer::Other(line) => line == b"OK",
                _ => false,
            };
            Ok(true)
        })?;
        Ok(is_ok)
    }

    /// Sends what has been written and hands over answers until `count` of them were last ones.
    fn converse(
        &mut self,
        count: usize,
        mut see: impl FnMut(Answer<'_>) -> io::Result<bool>,
    ) -> io::Result<()> {
        self.stream.write_all(&self.out)?;
        self.out.clear();
        let (mut left, mut at, mut end) = (count, 0, 0);
        while left > 0 {
            let answer = Dialect::Text.answer(&self.bytes[at..end]);
            let malformed = |_| io::Error::other("what came is no reply");
            if let Some((answer, size)) = answer.map_err(malformed)? {
                at += size;
                left -= usize::from(see(answer)?);
                continue;
            }
            self.bytes.copy_within(at..end, 0);
            (at, end) = (0, end - at);
            if self.bytes.len() < end + (64 << 10) {
                self.bytes.resize(end + (256 << 10), 0);
            }
            match self.stream.read(&mut self.bytes[end..])? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                size => end += size,
            }
        }
        Ok(())
    }
}

impl Cache for Daemon {
    fn get(&mut self, keys: &KeySpace, numbers: &[u64], missed: &mut Vec<u64>) -> io::Result<()> {
        let mut key = Vec::new();
        for number in numbers {
            key.clear();
            keys.write_key(*number, &mut key);
            Dialect::Text.get(&mut self.out, &key);
        }
        let mut asked = numbers.iter();
        let mut found = None;
        self.converse(numbers.len(), |answer| match answer {
            Answer::Value { key, value } => {
                let number = number_of(key).filter(|number| keys.is_value(*number, value));
                found = Some(number.ok_or_else(|| io::Error::other("a wrong value"))?);
                Ok(false)
            }
            Answer::End => {
                let wanted = asked.next().copied();
                match found.take() {
                    Some(number) if Some(number) == wanted => {}
                    Some(_) => return Err(io::Error::other("another key's value")),
                    None => missed.extend(wanted),
                }
                Ok(true)
            }
            _ => Err(io::Error::other("a get was refused")),
        })
    }

    fn set(&mut self, keys: &KeySpace, numbers: &[(u64, u32)]) -> io::Result<()> {
        let mut key = Vec::new();
        for (number, ttl_s) in numbers {
            key.clear();
            keys.write_key(*number, &mut key);
            let size = keys.size(*number).1;
            Dialect::Text.set_begin(&mut self.out, &key, *ttl_s, size);
            keys.write_value(*number, &mut self.out);
            Dialect::Text.set_end(&mut self.out);
        }
        self.converse(numbers.len(), |answer| match answer {
            Answer::Stored => Ok(true),
            // memcached may find all memory of a class in use; that is a miss to come.
            Answer::Other(line) if line.starts_with(b"SERVER_ERROR") => Ok(true),
            _ => Err(io::Error::other("a set was not understood")),
        })
    }

    fn tick(&mut self) -> io::Result<()> {
        match self.say(self.second)? {
            true => Ok(()),
            false => Err(io::Error::other("the clock does not move")),
        }
    }

    fn memory(&mut self) -> io::Result<u64> {
        process::resident_size(self.server.pid())
    }
}

/// larderd's store, in process: the policy alone, as fast as memory.
pub(crate) struct InProcess {
    store: Store,
    now: Now,
    key: Vec<u8>,
    value: Vec<u8>,
    steps: u64,
}

impl InProcess {
    /// A store as `larderd` would make it with these flags.
    pub(crate) fn new(flags: &[&str]) -> io::Result<Self> {
        let arguments = ["larderd"].iter().chain(flags).map(|flag| (*flag).into());
        let Action::Run(loaded) = parse(arguments, &[]).map_err(io::Error::other)? else {
            return Err(io::Error::other("flags that make no store"));
        };
        let mut config = loaded.config.store(1);
        config.hash_seed = Some(1);
        Ok(Self {
            store: Store::new(&config)?,
            now: Now {
                uptime_s: FIRST_UPTIME_S,
                unix_s: 1_800_000_000,
            },
            key: Vec::new(),
            value: Vec::new(),
            steps: 0,
        })
    }

    /// What the upkeep thread does; bounded, as its share of a core is.
    fn upkeep(&self, steps: usize) {
        for _ in 0..steps {
            if !self.store.upkeep(self.now) {
                break;
            }
        }
    }
}

impl Cache for InProcess {
    fn get(&mut self, keys: &KeySpace, numbers: &[u64], missed: &mut Vec<u64>) -> io::Result<()> {
        for number in numbers {
            self.key.clear();
            keys.write_key(*number, &mut self.key);
            let hash = self.store.hash(&self.key);
            let fetch = Fetch::default();
            let hit = self
                .store
                .fetch(&self.key, hash, self.now, &fetch, |fetched| {
                    matches!(fetched, Fetched::Hit(_))
                });
            if !hit {
                missed.push(*number);
            }
        }
        Ok(())
    }

    fn set(&mut self, keys: &KeySpace, numbers: &[(u64, u32)]) -> io::Result<()> {
        for (number, ttl_s) in numbers {
            self.key.clear();
            self.value.clear();
            keys.write_key(*number, &mut self.key);
            keys.write_value(*number, &mut self.value);
            let put = Put {
                expiry: Expiry::from_wire(i64::from(*ttl_s), self.now),
                drop_on_failure: true,
                ..Put::new(&self.key, self.store.hash(&self.key))
            };
            self.store.put(&put, &self.value, self.now);
        }
        // As often as the thread wakes under load.
        self.steps += 1;
        if self.steps.is_multiple_of(8) {
            self.upkeep(1);
        }
        Ok(())
    }

    fn tick(&mut self) -> io::Result<()> {
        self.now.uptime_s += 1;
        self.now.unix_s += 1;
        self.upkeep(20);
        Ok(())
    }

    fn memory(&mut self) -> io::Result<u64> {
        Ok(self.store.totals().malloced_bytes)
    }
}
