//! Why a request is refused, and how the client is told.

macro_rules! errors {
    ($($(#[$doc:meta])* $name:ident = $text:literal,)*) => {
        /// Why a request is refused.
        #[derive(Clone, Copy, Debug, Eq, PartialEq)]
        pub enum ProtocolError {
            $($(#[$doc])* $name,)*
        }

        impl ProtocolError {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// The line that tells the client.
            pub const fn reply(self) -> &'static [u8] {
                match self {
                    $(Self::$name => concat!($text, "\r\n").as_bytes(),)*
                }
            }
        }
    };
}

errors! {
    /// A page move that names a class that is none.
    BadClass = "BADCLASS invalid src or dst class id",
    /// The two bytes behind a data block are not CR LF.
    BadDataChunk = "CLIENT_ERROR bad data chunk",
    /// The line has the wrong shape for its verb.
    BadFormat = "CLIENT_ERROR bad command line format",
    /// A meta flag lacks its number.
    BadToken = "CLIENT_ERROR bad token in command line format",
    /// `client kill` of what is neither a number nor an address.
    BadClient = "CLIENT_ERROR expected the number or the address of a client",
    /// `client` without its arguments.
    ClientUsage = "CLIENT_ERROR usage: client kill <id|address>",
    /// A sweep or listing names a class that is none.
    CrawlBadClass = "BADCLASS invalid class id",
    /// A sweep is running already.
    CrawlBusy = "BUSY currently processing crawler request",
    /// Sweeping is off.
    CrawlerDisabled = "CLIENT_ERROR lru crawler disabled",
    /// `config set cluster` where no client decides.
    ConfigDeclared = "CLIENT_ERROR the nodes of this cluster are declared by its operator",
    /// `config set cluster` of what all members would be told, and no client could read.
    ConfigNotADocument = "CLIENT_ERROR expected a version, and nodes as NAME|IP|PORT",
    /// `config set cluster` of what all members would be told, and clients would not take.
    ConfigStale = "CLIENT_ERROR the version must be above the one that is served",
    /// `stats cachedump` without its arguments.
    CachedumpFormat = "CLIENT_ERROR bad command line",
    /// `-X` forbids `stats cachedump`.
    CachedumpNotAllowed = "CLIENT_ERROR stats cachedump not allowed",
    /// The same meta flag twice.
    DuplicateFlag = "CLIENT_ERROR duplicate flag",
    /// `-X` forbids detail.
    DetailNotAllowed = "CLIENT_ERROR stats detail not allowed",
    /// `stats detail` with another word.
    DetailUsage = "CLIENT_ERROR usage: stats detail on|off|dump",
    /// `-X` forbids `metadump`.
    DumpNotAllowed = "ERROR metadump not allowed",
    /// `-F` forbids `flush_all`.
    FlushNotAllowed = "CLIENT_ERROR flush_all not allowed",
    /// `lru tune` with shares above 80 percent.
    HotWarmPercent = "ERROR hot and warm pcts must not exceed 80",
    /// `lru tune` with ages not above zero.
    HotWarmFactor = "ERROR hot/warm age factors must be greater than 0",
    /// The user may not.
    PermissionDenied = "CLIENT_ERROR permission denied",
    /// `cachedump` of a class that cannot be.
    IllegalSlabId = "CLIENT_ERROR Illegal slab id",
    /// The delta of a meta arithmetic is no number.
    InvalidDelta = "CLIENT_ERROR invalid numeric delta value",
    /// The delta of `incr` or `decr` is no number.
    InvalidDeltaArgument = "CLIENT_ERROR invalid numeric delta argument",
    /// The expiry of `touch`, `gat` or `flush_all` is no number.
    InvalidExptime = "CLIENT_ERROR invalid exptime argument",
    /// There is no such meta flag.
    InvalidFlag = "CLIENT_ERROR invalid flag",
    /// Whatever is wrong with the flags of a meta arithmetic.
    InvalidOrDuplicateFlag = "CLIENT_ERROR invalid or duplicate flag",
    /// The initial value of a meta arithmetic is no number.
    InvalidInitial = "CLIENT_ERROR invalid numeric initial value",
    /// `ma` with a mode that is none.
    InvalidArithmeticMode = "CLIENT_ERROR invalid mode for ma M token",
    /// `ms` with a mode that is none.
    InvalidSetMode = "CLIENT_ERROR invalid mode for ms M token",
    /// `shutdown` with another word than `graceful`.
    InvalidShutdown = "CLIENT_ERROR invalid shutdown mode",
    /// A base64 key that is none.
    KeyDecode = "CLIENT_ERROR error decoding key",
    /// `-X` forbids `mgdump`.
    KeyDumpNotAllowed = "ERROR key dump not allowed",
    /// `-X` forbids the other groups of `stats` that show keys.
    KeyStatsNotAllowed = "CLIENT_ERROR stats that show keys not allowed",
    /// A value is larger than `item_size_max`.
    LargeObject = "SERVER_ERROR object too large for cache",
    /// `cache_memlimit` below eight megabytes.
    MemlimitTooSmall = "MEMLIMIT_TOO_SMALL cannot set maxbytes to less than 8m",
    /// `cache_memlimit` in bytes, by the look of it.
    MemlimitNotBytes = "MEMLIMIT_ADJUST_FAILED input value is megabytes not bytes",
    /// `cache_memlimit` that cannot be had.
    MemlimitBounds = "MEMLIMIT_ADJUST_FAILED out of bounds or unable to adjust",
    /// No page to spare.
    NoSpare = "NOSPARE source class has no spare pages",
    /// `incr` of what is no number.
    NonNumeric = "CLIENT_ERROR cannot increment or decrement non-numeric value",
    /// The opaque of a meta request is too long.
    OpaqueTooLong = "CLIENT_ERROR opaque token too long",
    /// No memory for a reply's bookkeeping.
    OutOfMemory = "SERVER_ERROR out of memory",
    /// The memory for replies is used up.
    OutOfMemoryGet = "SERVER_ERROR out of memory writing get response",
    /// A login that is no pair of name and password.
    LoginFormat = "CLIENT_ERROR bad authentication token format",
    /// Name and password do not fit.
    LoginFailed = "CLIENT_ERROR authentication failure",
    /// A login that is not ended by CR LF.
    LoginTermination = "CLIENT_ERROR bad command line termination",
    /// A login of a size that no name and password have.
    LoginTooLong = "CLIENT_ERROR auth token too long",
    /// The memory ran out while a value arrived.
    OutOfMemoryRead = "SERVER_ERROR Out of memory during read",
    /// No chunk for a value.
    OutOfMemoryStore = "SERVER_ERROR out of memory storing object",
    /// `metadump` behind unsent replies.
    PipelinedMetadump = "ERROR cannot pipeline other commands before metadump",
    /// `mgdump` behind unsent replies.
    PipelinedMgdump = "ERROR cannot pipeline other commands before mgdump",
    /// `watch` behind unsent replies.
    PipelinedWatch = "ERROR cannot pipeline other commands before watch",
    /// The user has had this second's share of requests.
    RateExceeded = "SERVER_ERROR rate limit exceeded",
    /// Page moves are off.
    ReassignDisabled = "CLIENT_ERROR slab reassignment disabled",
    /// Source and destination are one.
    ReassignSame = "SAME src and dst class are identical",
    /// `shutdown` without `-A`. The colon is memcached's.
    ShutdownNotEnabled = "SERVER_ERROR: shutdown not enabled",
    /// A snapshot is being written already.
    SnapshotBusy = "BUSY a snapshot is being written already",
    /// `snapshot` without `--snapshot`.
    SnapshotsNotEnabled = "CLIENT_ERROR snapshots not enabled",
    /// `lru_crawler sleep` above a second.
    SleepTooLong = "CLIENT_ERROR sleep must be one second or less",
    /// The user has as many connections as may be.
    TooManyConnections = "SERVER_ERROR too many connections of this user",
    /// More flags than a meta request may have.
    TooManyFlags = "CLIENT_ERROR options flags are too long",
    /// Something else than a login before login.
    Unauthenticated = "CLIENT_ERROR unauthenticated",
    /// There is no such command.
    Unknown = "ERROR",
    /// `watch` with `-W`.
    WatchNotAllowed = "CLIENT_ERROR watch commands not allowed",
    /// There are as many watchers as may be.
    WatcherLimit = "WATCHER_TOO_MANY log watcher limit reached",
    /// A window out of range.
    Window = "CLIENT_ERROR automove window too low or too high",
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_refusal_is_one_line_of_ascii() {
        for error in ProtocolError::ALL {
            let reply = error.reply();
            let line = reply.strip_suffix(b"\r\n").expect("a line end");
            assert!(line.iter().all(|b| (b' '..=b'~').contains(b)), "{error:?}");
            assert!(line.len() >= 5);
        }
    }

    #[test]
    fn no_two_refusals_read_the_same() {
        let mut replies: Vec<_> = ProtocolError::ALL.iter().map(|e| e.reply()).collect();
        replies.sort_unstable();
        replies.dedup();
        assert_eq!(replies.len(), ProtocolError::ALL.len());
    }
}
