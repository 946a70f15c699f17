//! Every fixed bound, with its unit and the reason for it.

/// The port where clients look for a cache.
pub const PORT_DEFAULT: u16 = 11211;

/// Longest key, in bytes. Fixed by the protocol.
pub const KEY_SIZE_MAX: usize = 250;

/// Longest request line, in bytes, with its line end. Only `get` and `gets` may be longer; any
/// other closes the connection, as memcached does.
pub const LINE_SIZE_MAX: usize = 2048;

/// Most tokens that a classic command line is split into. memcached looks at no more either.
pub const TOKEN_COUNT_MAX: usize = 24;

/// Most tokens of a meta command: the verb, the key, and the flags.
pub const META_TOKEN_COUNT_MAX: usize = 20;

/// Longest opaque token of a meta command, in bytes, without its `O`.
pub const OPAQUE_SIZE_MAX: usize = 31;

/// Most slab classes that the wire can name. memcached's ids are 1 to 63.
pub const SLAB_CLASS_COUNT_MAX: usize = 64;

/// Keys whose index lines and items are fetched ahead together. Enough to hide a memory access
/// behind the others, few enough to stay in the nearest cache.
pub const BATCH_COUNT_MAX: usize = 16;

/// A value up to this many bytes is copied into the reply under its shard's lock; a longer one
/// is pinned and copied in pieces of this size.
pub const COPY_SIZE_MAX: usize = 32 << 10;

/// Reply bytes that a session gathers before it asks for them to be sent.
pub const OUTPUT_SIZE_HIGH: usize = 64 << 10;

/// Bytes of a listing that are gathered before they are sent. A line costs more than the copy of
/// as many bytes of a value, and a worker with nothing else to do gathers several of these between
/// two looks at its poll.
pub const LISTING_SIZE_HIGH: usize = 8 << 10;

/// Clients that are read before the first of them is answered. The more there are, the longer the
/// first one waits; with 16 gets cost the same, sets 2 % less.
pub const HEARD_COUNT_MAX: usize = 8;

/// Size of a worker's scratch buffer for reading, in bytes.
pub const SCRATCH_SIZE: usize = 64 << 10;

/// Times that one connection is asked for more output in one turn when nobody else waits for the
/// worker. When somebody does, one piece of a large value is a turn.
pub const FLUSH_COUNT_MAX: usize = 4;

/// Slow turns that are kept of each worker, and told of all. A key may be in each.
pub const SLOW_TURN_COUNT: usize = 128;

/// Shares of `-R` requests that one connection may have in one turn when nobody else waits for
/// the worker, so that a lone pipeline is not answered in crumbs.
pub const SHARE_COUNT_MAX: usize = 8;

/// A client that takes none of its output for so long is closed, in seconds.
pub const WRITE_STALL_MAX_S: u32 = 60;

/// A client that has not finished its TLS handshake after so long is closed, in seconds.
pub const HANDSHAKE_MAX_S: u32 = 10;

/// Turns of handshakes before newcomers are looked after again. The arithmetic of one may take a
/// millisecond.
pub const HANDSHAKE_COUNT_MAX: usize = 16;

/// Bytes that are encrypted and not sent, for one connection.
pub const SECURED_OUTPUT_SIZE_MAX: usize = 64 << 10;

/// TLS sessions kept for clients to resume, for each way to treat client certificates.
pub const TLS_SESSION_COUNT_MAX: usize = 4096;

/// Largest file of certificates or keys, in bytes.
pub const CERTIFICATE_FILE_SIZE_MAX: u64 = 1 << 20;

/// What one partial request counts against `read_buf_mem_limit`, in bytes: the size of
/// memcached's buffer.
pub const READ_BUFFER_SIZE: u64 = 16 << 10;

/// Connections accepted from one listener before the others have their turn.
pub const ACCEPT_COUNT_MAX: usize = 64;

/// Largest login, in bytes: its line, and its name and password. Somebody we do not know does
/// not get more memory.
pub const LOGIN_REQUEST_SIZE_MAX: usize = 1 << 10;

/// Bytes said to a client that does not log in before it is closed.
pub const LOGIN_REPLIES_SIZE_MAX: usize = 4 << 10;

/// Wrong pairs of name and password after which a client is closed.
pub const LOGIN_FAILURES_MAX: u32 = 3;

/// Logins that may wait for a slow hash; others ask again a second later.
pub const LOGIN_QUEUE_MAX: usize = 64;

/// Pause after the system has run out of descriptors, in milliseconds.
pub const ACCEPT_PAUSE_MS: u64 = 10;

/// Largest datagram sent, in bytes, with its header. Fixed by the protocol.
pub const DATAGRAM_SIZE_MAX: usize = 1400;

/// Datagrams answered from one socket before others have their turn.
pub const DATAGRAM_COUNT_MAX: usize = 64;

/// Entries that `config set` may store. ElastiCache has the same bound.
pub const CONFIG_COUNT_MAX: usize = 16;

/// Largest entry of `config set`, in bytes. ElastiCache has the same bound.
pub const CONFIG_SIZE_MAX: usize = 64 << 10;

/// Clients built on libmemcached silently use no node of a larger list, in bytes.
pub const DOCUMENT_SIZE_ADVISED: usize = 8196;

/// Descriptors kept for everything that is not a client: listeners, polls, logs, files.
pub const SPARE_DESCRIPTORS: u64 = 64;

const _: () = {
    // A key, the longest verb and five full-width numbers share one line.
    assert!(KEY_SIZE_MAX + 16 + 5 * 21 <= LINE_SIZE_MAX);
    assert!(LINE_SIZE_MAX < SCRATCH_SIZE);
    assert!(COPY_SIZE_MAX <= OUTPUT_SIZE_HIGH);
    assert!(LISTING_SIZE_HIGH <= OUTPUT_SIZE_HIGH);
    // An entry is answered in one piece, as its clients want it.
    assert!(CONFIG_SIZE_MAX <= OUTPUT_SIZE_HIGH);
};

/// Largest head of a request to the admin listener, in bytes. Browsers send about one kilobyte.
pub const ADMIN_HEAD_SIZE_MAX: usize = 8 << 10;

/// Most header lines of such a request.
pub const ADMIN_HEADER_COUNT_MAX: usize = 64;

/// Most connections to the admin listener. One more closes the one that has been silent longest.
pub const ADMIN_CONNECTION_COUNT_MAX: usize = 64;

/// Descriptors that the admin listener takes: its connections, one more that is refused, its
/// socket, its poll and its waker.
pub const ADMIN_DESCRIPTORS: u64 = ADMIN_CONNECTION_COUNT_MAX as u64 + 4;

/// Time in which the head of a request must come, or its answer be taken, in seconds.
pub const ADMIN_PATIENCE_S: u64 = 10;

/// Time between two requests of one connection to the admin listener, in seconds: longer than
/// the usual minute between two scrapes.
pub const ADMIN_KEEP_ALIVE_S: u64 = 90;

/// Shortest and longest token of the admin listener, in bytes.
pub const ADMIN_TOKEN_SIZE: std::ops::RangeInclusive<usize> = 16..=1024;

/// Keys, and prefixes of keys, that a report of the hottest names.
pub const HOT_KEY_COUNT: usize = 32;

/// Items that a report of the largest names.
pub const BIG_KEY_COUNT: usize = 32;

/// Items that are looked at to tell what part of all has some property: enough for a few percent,
/// few enough for a fraction of a millisecond.
pub const ITEM_SAMPLE_COUNT: usize = 1024;

/// A thread that has not come round for so long is stuck, in seconds.
pub const STUCK_S: u64 = 5;
