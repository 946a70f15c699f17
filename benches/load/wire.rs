//! The client's side of the wire: requests out, replies checked.
//!
//! Replies are checked one by one and whole: the header, whose value it is, the line end. What
//! is not as expected stops the run, since a server that answers wrongly is not to be timed.

use std::collections::VecDeque;

use super::keys::{KeySpace, Random, is_value, write_value};

/// Which words requests are made of.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Dialect {
    /// Classic commands.
    Text,
    /// Meta commands.
    Meta,
}

/// What a request does.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Operation {
    /// Fetch one key.
    Get,
    /// Store one key.
    Set,
    /// Either: this many in a hundred store.
    Mixed {
        /// Stores in a hundred requests.
        set_percent: u32,
    },
    /// Fetch this many keys by one line; text only.
    Multiget {
        /// Keys in a line.
        keys: u32,
    },
}

/// Whether replies are looked at.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Check {
    /// Each reply must be the right one.
    Replies,
    /// Every reply is this long; for a server that stores nothing.
    Length {
        /// Bytes of a reply.
        reply_size: usize,
    },
}

/// Everything that is the same for all requests of a run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Format {
    /// Which words.
    pub(crate) dialect: Dialect,
    /// Which keys.
    pub(crate) keys: KeySpace,
    /// Bytes of each value.
    pub(crate) value_size: usize,
    /// How replies are looked at.
    pub(crate) check: Check,
}

/// A piece of a reply that has not come yet.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Awaited {
    /// The value of a key, or its absence.
    Value(u32),
    /// The end of a classic get's reply.
    End,
    /// The acknowledgement of a set.
    Stored,
    /// A reply of known length that nobody looks into.
    Blob,
}

/// What came of looking at received bytes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Seen {
    /// All replies are there.
    All,
    /// More bytes must come.
    Part,
    /// This is not what was asked for.
    Wrong,
}

/// The replies that one connection still waits for, and what the past ones said.
#[derive(Debug, Default)]
pub(crate) struct Replies {
    awaited: VecDeque<Awaited>,
    /// Bytes at the front of the buffer that are done with.
    position: usize,
    /// Keys asked for and not found.
    pub(crate) misses: u64,
}

impl Format {
    /// Appends a request, and to `replies` what must come back.
    pub(crate) fn request(
        &self,
        operation: Operation,
        number: u32,
        random: &mut Random,
        out: &mut Vec<u8>,
        replies: &mut Replies,
    ) {
        match operation {
            Operation::Get => self.get(number, out, replies),
            Operation::Set => self.set(number, out, replies),
            Operation::Mixed { set_percent } if random.below(100) < set_percent => {
                self.set(number, out, replies);
            }
            Operation::Mixed { .. } => self.get(number, out, replies),
            Operation::Multiget { keys } => self.multiget(number, keys, random, out, replies),
        }
    }

    fn get(&self, number: u32, out: &mut Vec<u8>, replies: &mut Replies) {
        match self.dialect {
            Dialect::Text => {
                out.extend_from_slice(b"get ");
                self.keys.write(number, out);
                out.extend_from_slice(b"\r\n");
            }
            Dialect::Meta => {
                out.extend_from_slice(b"mg ");
                self.keys.write(number, out);
                out.extend_from_slice(b" v\r\n");
            }
        }
        self.expect(Awaited::Value(number), replies);
        if self.dialect == Dialect::Text && self.check == Check::Replies {
            replies.awaited.push_back(Awaited::End);
        }
    }

    fn set(&self, number: u32, out: &mut Vec<u8>, replies: &mut Replies) {
        let mut size = itoa::Buffer::new();
        let size = size.format(self.value_size).as_bytes();
        match self.dialect {
            Dialect::Text => {
                out.extend_from_slice(b"set ");
                self.keys.write(number, out);
                out.extend_from_slice(b" 0 0 ");
            }
            Dialect::Meta => {
                out.extend_from_slice(b"ms ");
                self.keys.write(number, out);
                out.extend_from_slice(b" ");
            }
        }
        out.extend_from_slice(size);
        out.extend_from_slice(b"\r\n");
        write_value(number, self.value_size, out);
        out.extend_from_slice(b"\r\n");
        self.expect(Awaited::Stored, replies);
    }

    fn multiget(
        &self,
        first: u32,
        keys: u32,
        random: &mut Random,
        out: &mut Vec<u8>,
        replies: &mut Replies,
    ) {
        out.extend_from_slice(b"get");
        let mut number = first;
        for index in 0..keys {
            if index > 0 {
                number = random.below(self.keys.count);
            }
            out.extend_from_slice(b" ");
            self.keys.write(number, out);
            if self.check == Check::Replies {
                replies.awaited.push_back(Awaited::Value(number));
            }
        }
        out.extend_from_slice(b"\r\n");
        self.expect(Awaited::End, replies);
    }

    fn expect(&self, awaited: Awaited, replies: &mut Replies) {
        replies.awaited.push_back(match self.check {
            Check::Replies => awaited,
            Check::Length { .. } => Awaited::Blob,
        });
    }

    /// Bytes of a reply that brings one value.
    pub(crate) fn value_reply_size(&self) -> usize {
        let digits = itoa::Buffer::new().format(self.value_size).len();
        match self.dialect {
            Dialect::Text => "VALUE  0 \r\n\r\n".len() + self.keys.size + digits + self.value_size,
            Dialect::Meta => "VA \r\n\r\n".len() + digits + self.value_size,
        }
    }

    /// Bytes of the longest reply that this operation can have.
    pub(crate) fn reply_size_max(&self, operation: Operation) -> usize {
        let value = self.value_reply_size() + "END\r\n".len();
        match (operation, self.check) {
            (Operation::Multiget { keys }, Check::Replies) => value * keys as usize,
            (_, Check::Length { reply_size }) => reply_size,
            _ => value,
        }
    }

    /// Looks for the value of this key, or the news that there is none, at the front of `bytes`;
    /// `None` when more bytes are needed to tell.
    fn value_at(&self, number: u32, bytes: &[u8]) -> Result<Option<Value>, Wrong> {
        let (header, miss, miss_size): (&[u8], &[u8], usize) = match self.dialect {
            // A classic reply tells a miss by silence: the end comes at once.
            Dialect::Text => (b"VALUE ", b"END\r\n", 0),
            Dialect::Meta => (b"VA ", b"EN\r\n", 4),
        };
        if !bytes.starts_with(header) {
            return match literal(miss, bytes) {
                Ok(Some(_)) => Ok(Some(Value::Absent { size: miss_size })),
                Ok(None) => Ok(None),
                Err(Wrong) if header.starts_with(bytes) => Ok(None),
                Err(Wrong) => Err(Wrong),
            };
        }
        let whole = self.value_reply_size();
        let Some(reply) = bytes.get(..whole) else {
            return Ok(None);
        };
        let (head, tail) = reply.split_at(whole - self.value_size - 2);
        let (value, end) = tail.split_at(self.value_size);
        if !head.ends_with(b"\r\n") || end != b"\r\n" {
            return Err(Wrong);
        }
        if self.dialect == Dialect::Text {
            let key = &head[header.len()..header.len() + self.keys.size];
            if !self.keys.is(number, key) {
                // A multiget leaves out what it did not find.
                return Ok(Some(Value::Absent { size: 0 }));
            }
        }
        if is_value(number, value) {
            Ok(Some(Value::Present))
        } else {
            Err(Wrong)
        }
    }
}

/// The bytes cannot be the awaited reply.
struct Wrong;

enum Value {
    Present,
    Absent { size: usize },
}

impl Replies {
    /// Looks at the bytes received so far since the last [`Self::reset`].
    pub(crate) fn look(&mut self, format: &Format, bytes: &[u8]) -> Seen {
        while let Some(&awaited) = self.awaited.front() {
            let rest = &bytes[self.position..];
            let size = match awaited {
                Awaited::Blob => {
                    let Check::Length { reply_size } = format.check else {
                        return Seen::Wrong;
                    };
                    (rest.len() >= reply_size).then_some(reply_size)
                }
                Awaited::Value(number) => match format.value_at(number, rest) {
                    Ok(Some(Value::Present)) => Some(format.value_reply_size()),
                    Ok(Some(Value::Absent { size })) => {
                        self.misses += 1;
                        Some(size)
                    }
                    Ok(None) => None,
                    Err(Wrong) => return Seen::Wrong,
                },
                Awaited::End => match literal(b"END\r\n", rest) {
                    Ok(size) => size,
                    Err(Wrong) => return Seen::Wrong,
                },
                Awaited::Stored => {
                    let stored: &[u8] = match format.dialect {
                        Dialect::Text => b"STORED\r\n",
                        Dialect::Meta => b"HD\r\n",
                    };
                    match literal(stored, rest) {
                        Ok(size) => size,
                        Err(Wrong) => return Seen::Wrong,
                    }
                }
            };
            let Some(size) = size else {
                return Seen::Part;
            };
            self.position += size;
            self.awaited.pop_front();
        }
        if self.position == bytes.len() {
            Seen::All
        } else {
            Seen::Wrong
        }
    }

    /// Forgets the bytes seen; call it when [`Seen::All`] has come.
    pub(crate) fn reset(&mut self) {
        self.position = 0;
    }

    /// Whether nothing is awaited.
    pub(crate) fn is_empty(&self) -> bool {
        self.awaited.is_empty()
    }

    /// Bytes from which nothing has been made yet, for an error message.
    pub(crate) fn rest<'a>(&self, bytes: &'a [u8]) -> &'a [u8] {
        &bytes[self.position.min(bytes.len())..]
    }
}

fn literal(expected: &[u8], bytes: &[u8]) -> Result<Option<usize>, Wrong> {
    if bytes.starts_with(expected) {
        Ok(Some(expected.len()))
    } else if expected.starts_with(bytes) {
        Ok(None)
    } else {
        Err(Wrong)
    }
}
