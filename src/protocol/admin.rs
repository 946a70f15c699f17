//! Commands about the daemon rather than about items, and the lines they answer.

use crate::limits::{KEY_SIZE_MAX, SLAB_CLASS_COUNT_MAX};

use super::error::ProtocolError;
use super::key;
use super::number;
use super::text::Tokens;

/// Sizes that `slabs automove window` may have, in seconds.
const WINDOW_S: std::ops::RangeInclusive<u64> = 3..=1800;

/// A command about the daemon.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Admin<'a> {
    /// `cache_memlimit`, in megabytes.
    CacheMemlimit(u64),
    /// `client`.
    Client(Client<'a>),
    /// `debugtime`.
    DebugTime(DebugTime),
    /// `lru_crawler`.
    Crawler(Crawler),
    /// `lru`.
    Lru(Lru),
    /// `refresh_certs`.
    RefreshCerts,
    /// `snapshot`.
    Snapshot,
    /// `shutdown`.
    Shutdown {
        /// As SIGUSR1 does, instead of SIGINT.
        graceful: bool,
    },
    /// `slabs`.
    Slabs(Slabs),
    /// `stats`.
    Stats(Stats<'a>),
    /// `verbosity`.
    Verbosity(u8),
    /// `watch`.
    Watch(u32),
}

impl Admin<'_> {
    /// Whether the command can be told to answer nothing.
    pub const fn knows_noreply(&self) -> bool {
        matches!(self, Self::CacheMemlimit(_) | Self::Verbosity(_))
    }
}

/// What `client` does.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Client<'a> {
    /// Closes connections: that of a number, or all of an address.
    Kill(&'a [u8]),
}

/// What `debugtime` does to the clock.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum DebugTime {
    /// Stops it.
    Pause,
    /// Lets it go on.
    Resume,
    /// Moves it by so many seconds.
    Shift(i64),
}

/// What `slabs` does.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Slabs {
    /// Sets how pages move.
    Automove(u8),
    /// Sets the share of pages kept free.
    FreeRatio(f64),
    /// Sets the ratio of ages.
    Ratio(f64),
    /// Moves a page.
    Reassign {
        /// From; -1 is any.
        src: i32,
        /// To; 0 is the free pool.
        dst: i32,
    },
    /// Sets the window of ages, in seconds.
    Window(u32),
}

/// What `lru` does.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Lru {
    /// Segmented or flat.
    Mode {
        /// Segmented.
        segmented: bool,
    },
    /// Bound of TEMP; `None` turns it off.
    TempTtl(Option<u32>),
    /// Shares and ages.
    Tune {
        /// Share of HOT in percent.
        hot_percent: u32,
        /// Share of WARM in percent.
        warm_percent: u32,
        /// Age factor of HOT.
        hot_factor: f64,
        /// Age factor of WARM.
        warm_factor: f64,
    },
}

/// What `lru_crawler` does.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Crawler {
    /// Sweeps these classes, as bits.
    Crawl(u64),
    /// Turns sweeping off.
    Disable,
    /// Turns sweeping on.
    Enable,
    /// Lists items of these classes, as bits.
    Metadump(u64),
    /// Lists keys of these classes, as bits, as commands.
    Mgdump(u64),
    /// Sets the pause between items, in microseconds.
    Sleep(u32),
    /// Sets how many items a sweep looks at.
    ToCrawl(u32),
}

/// What `stats` tells about.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Stats<'a> {
    /// The largest items.
    BigKeys,
    /// Items of a class.
    Cachedump {
        /// The class.
        class: u8,
        /// At most so many; zero is all.
        limit: u32,
    },
    /// Who is connected, and what they have done.
    Clients,
    /// The nodes of the cluster.
    Cluster,
    /// Connections.
    Conns,
    /// Keys by prefix.
    Detail(Detail),
    /// Everything general.
    General,
    /// The keys asked for most.
    HotKeys,
    /// Item counts by class.
    Items,
    /// What is ours alone.
    Larder,
    /// How long commands take.
    Latency,
    /// Counters to zero.
    Reset,
    /// Settings.
    Settings,
    /// Items by size.
    Sizes,
    /// Memory by class.
    Slabs,
    /// What took long.
    Slow,
    /// What workers do.
    Threads,
    /// Hits by how long items live.
    Ttl,
    /// A group nobody knows.
    Unknown(&'a [u8]),
    /// Memory that holds nothing, by class.
    Waste,
}

/// What `stats detail` does.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Detail {
    /// Shows the counts.
    Dump,
    /// Stops counting.
    Off,
    /// Starts counting.
    On,
}

/// Streams that can be watched, as bits.
pub mod streams {
    /// Keys looked for.
    pub const FETCHERS: u32 = 1;
    /// Values stored.
    pub const MUTATIONS: u32 = 1 << 1;
    /// Items that gave way.
    pub const EVICTIONS: u32 = 1 << 2;
    /// Items deleted.
    pub const DELETIONS: u32 = 1 << 3;
    /// Connections opened and closed.
    pub const CONNEVENTS: u32 = 1 << 4;
    /// What the daemon does by itself.
    pub const SYSEVENTS: u32 = 1 << 5;
    /// Accepted; memcached writes nothing to it either.
    pub const RAWCMDS: u32 = 1 << 6;
    /// Accepted; there is no proxy.
    pub const PROXY: u32 = 1 << 7;
    /// Their names.
    pub const NAMES: [(&[u8], u32); 10] = [
        (b"fetchers", FETCHERS),
        (b"mutations", MUTATIONS),
        (b"evictions", EVICTIONS),
        (b"deletions", DELETIONS),
        (b"connevents", CONNEVENTS),
        (b"sysevents", SYSEVENTS),
        (b"rawcmds", RAWCMDS),
        (b"proxyreqs", PROXY),
        (b"proxyevents", PROXY),
        (b"proxyuser", PROXY),
    ];
}

/// Decodes what stands behind the verb; `None` if this is no such command.
///
/// # Errors
///
/// What the client is told when the arguments are wrong.
pub fn decode<'a>(verb: &[u8], mut tokens: Tokens<'a>) -> Result<Option<Admin<'a>>, ProtocolError> {
    let command = match verb {
        b"stats" => Admin::Stats(stats(tokens)?),
        b"watch" => Admin::Watch(watch(tokens)?),
        b"slabs" => Admin::Slabs(slabs(tokens)?),
        b"lru" => Admin::Lru(lru(tokens)?),
        b"lru_crawler" => Admin::Crawler(crawler(tokens)?),
        b"verbosity" => {
            let level = tokens
                .next()
                .and_then(number::unsigned)
                .ok_or(ProtocolError::BadFormat)?;
            Admin::Verbosity(u8::try_from(level.min(2)).unwrap_or(2))
        }
        b"cache_memlimit" => {
            let size = tokens.next().and_then(number::unsigned);
            Admin::CacheMemlimit(size.ok_or(ProtocolError::Unknown)?)
        }
        b"shutdown" => match (tokens.next(), tokens.next()) {
            (None, _) => Admin::Shutdown { graceful: false },
            (Some(b"graceful"), None) => Admin::Shutdown { graceful: true },
            _ => return Err(ProtocolError::InvalidShutdown),
        },
        b"client" => match (tokens.next(), tokens.next(), tokens.next()) {
            (Some(b"kill"), Some(who), None) => Admin::Client(Client::Kill(who)),
            _ => return Err(ProtocolError::ClientUsage),
        },
        b"refresh_certs" => Admin::RefreshCerts,
        b"snapshot" => Admin::Snapshot,
        b"debugtime" => Admin::DebugTime(debug_time(tokens)?),
        _ => return Ok(None),
    };
    Ok(Some(command))
}

fn debug_time(mut tokens: Tokens<'_>) -> Result<DebugTime, ProtocolError> {
    let token = tokens.next().ok_or(ProtocolError::Unknown)?;
    match token {
        b"p" => Ok(DebugTime::Pause),
        b"r" => Ok(DebugTime::Resume),
        _ => {
            let token = token.strip_prefix(b"+").unwrap_or(token);
            let by_s = number::signed(token).filter(|by| by.unsigned_abs() < 1 << 31);
            by_s.map(DebugTime::Shift).ok_or(ProtocolError::Unknown)
        }
    }
}

/// Decodes what follows the word `stats`: in binary, the key of a request.
///
/// # Errors
///
/// What the client is told.
pub fn stats(mut tokens: Tokens<'_>) -> Result<Stats<'_>, ProtocolError> {
    let Some(group) = tokens.next() else {
        return Ok(Stats::General);
    };
    Ok(match group {
        b"bigkeys" => Stats::BigKeys,
        b"cachedump" => {
            let mut next = || {
                let token = tokens.next().ok_or(ProtocolError::CachedumpFormat)?;
                number::unsigned_32(token).ok_or(ProtocolError::BadFormat)
            };
            let (class, limit) = (next()?, next()?);
            let class = u8::try_from(class).ok();
            let class = class.filter(|&class| usize::from(class) < SLAB_CLASS_COUNT_MAX);
            Stats::Cachedump {
                class: class.ok_or(ProtocolError::IllegalSlabId)?,
                limit,
            }
        }
        b"clients" => Stats::Clients,
        b"cluster" => Stats::Cluster,
        b"conns" => Stats::Conns,
        b"detail" => Stats::Detail(match tokens.next() {
            Some(b"dump") => Detail::Dump,
            Some(b"off") => Detail::Off,
            Some(b"on") => Detail::On,
            _ => return Err(ProtocolError::DetailUsage),
        }),
        b"hotkeys" => Stats::HotKeys,
        b"items" => Stats::Items,
        b"larder" => Stats::Larder,
        b"latency" => Stats::Latency,
        b"reset" => Stats::Reset,
        b"settings" => Stats::Settings,
        b"sizes" => Stats::Sizes,
        b"slabs" => Stats::Slabs,
        b"slow" => Stats::Slow,
        b"threads" => Stats::Threads,
        b"ttl" => Stats::Ttl,
        b"waste" => Stats::Waste,
        unknown => Stats::Unknown(unknown),
    })
}

fn watch(tokens: Tokens<'_>) -> Result<u32, ProtocolError> {
    let mut mask = 0;
    for token in tokens {
        let stream = streams::NAMES.iter().find(|(name, _)| *name == token);
        mask |= stream.ok_or(ProtocolError::Unknown)?.1;
    }
    Ok(if mask == 0 { streams::FETCHERS } else { mask })
}

fn slabs(mut tokens: Tokens<'_>) -> Result<Slabs, ProtocolError> {
    let class = |token: Option<&[u8]>| {
        let class = number::signed(token.ok_or(ProtocolError::Unknown)?);
        // A number beyond any class is a bad class, not a bad line.
        class
            .map(|class| i32::try_from(class).unwrap_or(i32::MAX))
            .ok_or(ProtocolError::BadFormat)
    };
    match tokens.next() {
        Some(b"reassign") => {
            let (src, dst) = (tokens.next(), tokens.next());
            if dst.is_none() || tokens.next().is_some() {
                return Err(ProtocolError::Unknown);
            }
            Ok(Slabs::Reassign {
                src: class(src)?,
                dst: class(dst)?,
            })
        }
        Some(b"automove") => {
            let word = tokens.next().ok_or(ProtocolError::Unknown)?;
            match word {
                b"ratio" => fraction(tokens.next()).map(Slabs::Ratio),
                b"freeratio" => fraction(tokens.next()).map(Slabs::FreeRatio),
                b"window" => {
                    let token = tokens.next().ok_or(ProtocolError::Unknown)?;
                    let window = number::unsigned(token).ok_or(ProtocolError::BadFormat)?;
                    if !WINDOW_S.contains(&window) {
                        return Err(ProtocolError::Window);
                    }
                    Ok(Slabs::Window(u32::try_from(window).unwrap_or(u32::MAX)))
                }
                _ => match number::unsigned(word).ok_or(ProtocolError::BadFormat)? {
                    mode @ 0..=2 => Ok(Slabs::Automove(u8::try_from(mode).unwrap_or(0))),
                    _ => Err(ProtocolError::Unknown),
                },
            }
        }
        _ => Err(ProtocolError::Unknown),
    }
}

fn fraction(token: Option<&[u8]>) -> Result<f64, ProtocolError> {
    let token = token.ok_or(ProtocolError::Unknown)?;
    let value = number::fraction(token).ok_or(ProtocolError::Unknown)?;
    if (0.0..=1.0).contains(&value) {
        Ok(value)
    } else {
        Err(ProtocolError::Unknown)
    }
}

fn lru(mut tokens: Tokens<'_>) -> Result<Lru, ProtocolError> {
    const PERCENT_MAX: u64 = 80;
    match tokens.next() {
        Some(b"tune") => {
            let mut next = || tokens.next().ok_or(ProtocolError::Unknown);
            let (hot, warm, hot_factor, warm_factor) = (next()?, next()?, next()?, next()?);
            let percent = |token| number::unsigned_32(token).ok_or(ProtocolError::Unknown);
            let factor = |token| number::fraction(token).ok_or(ProtocolError::Unknown);
            let (hot_percent, warm_percent) = (percent(hot)?, percent(warm)?);
            let (hot_factor, warm_factor) = (factor(hot_factor)?, factor(warm_factor)?);
            if u64::from(hot_percent) + u64::from(warm_percent) > PERCENT_MAX {
                return Err(ProtocolError::HotWarmPercent);
            }
            if hot_factor <= 0.0 || warm_factor <= 0.0 {
                return Err(ProtocolError::HotWarmFactor);
            }
            Ok(Lru::Tune {
                hot_percent,
                warm_percent,
                hot_factor,
                warm_factor,
            })
        }
        Some(b"mode") => match tokens.next() {
            Some(b"flat") => Ok(Lru::Mode { segmented: false }),
            Some(b"segmented") => Ok(Lru::Mode { segmented: true }),
            _ => Err(ProtocolError::Unknown),
        },
        Some(b"temp_ttl") => {
            let ttl = tokens
                .next()
                .and_then(number::signed)
                .ok_or(ProtocolError::Unknown)?;
            Ok(Lru::TempTtl(
                u32::try_from(ttl.min(i64::from(u32::MAX))).ok(),
            ))
        }
        _ => Err(ProtocolError::Unknown),
    }
}

fn crawler(mut tokens: Tokens<'_>) -> Result<Crawler, ProtocolError> {
    const SLEEP_US_MAX: u32 = 1_000_000;
    let word = tokens.next().ok_or(ProtocolError::Unknown)?;
    let mut argument = || tokens.next().ok_or(ProtocolError::Unknown);
    let number = |token| number::unsigned_32(token).ok_or(ProtocolError::BadFormat);
    Ok(match word {
        b"enable" => Crawler::Enable,
        b"disable" => Crawler::Disable,
        b"crawl" => Crawler::Crawl(classes(argument()?)?),
        b"metadump" => Crawler::Metadump(classes_or_hash(argument()?)?),
        b"mgdump" => Crawler::Mgdump(classes_or_hash(argument()?)?),
        b"sleep" => match number(argument()?)? {
            sleep_us if sleep_us > SLEEP_US_MAX => return Err(ProtocolError::SleepTooLong),
            sleep_us => Crawler::Sleep(sleep_us),
        },
        b"tocrawl" => Crawler::ToCrawl(number(argument()?)?),
        _ => return Err(ProtocolError::Unknown),
    })
}

fn classes_or_hash(token: &[u8]) -> Result<u64, ProtocolError> {
    if token == b"hash" {
        Ok(u64::MAX)
    } else {
        classes(token)
    }
}

/// Classes as a list of ids or `all`, as bits.
fn classes(token: &[u8]) -> Result<u64, ProtocolError> {
    if token == b"all" {
        return Ok(u64::MAX);
    }
    let mut bits = 0_u64;
    for id in token.split(|&b| b == b',') {
        match number::unsigned(id) {
            Some(id @ 1..=63) => bits |= 1 << id,
            _ => return Err(ProtocolError::CrawlBadClass),
        }
    }
    Ok(bits)
}

/// One item as `lru_crawler metadump` shows it.
#[derive(Clone, Copy, Debug)]
pub struct Listed<'a> {
    /// Raw bytes.
    pub key: &'a [u8],
    /// Unix time; -1 for never.
    pub expires: i64,
    /// Unix time.
    pub last_access: i64,
    /// The cas.
    pub cas: u64,
    /// Whether anyone has fetched it.
    pub fetched: bool,
    /// Slab class.
    pub class: u8,
    /// Logical size.
    pub size: u32,
    /// Client flags.
    pub flags: u32,
}

/// Most bytes that [`metadump_line`] or [`mgdump_line`] appends.
pub const DUMP_LINE_SIZE_MAX: usize = 3 * KEY_SIZE_MAX + 256;

/// The end of `mgdump`.
pub const MGDUMP_END: &[u8] = b"EN\r\n";

/// Appends one line of `metadump`. It ends with a space and a bare LF, as its readers expect.
pub fn metadump_line(out: &mut Vec<u8>, item: &Listed<'_>) {
    out.extend_from_slice(b"key=");
    key::push_uri(out, item.key);
    out.extend_from_slice(b" exp=");
    number::push_signed(out, item.expires);
    out.extend_from_slice(b" la=");
    number::push_signed(out, item.last_access);
    out.extend_from_slice(b" cas=");
    number::push(out, item.cas);
    out.extend_from_slice(if item.fetched {
        b" fetch=yes cls="
    } else {
        b" fetch=no cls="
    });
    number::push(out, u64::from(item.class));
    out.extend_from_slice(b" size=");
    number::push(out, u64::from(item.size));
    out.extend_from_slice(b" flags=");
    number::push(out, u64::from(item.flags));
    out.extend_from_slice(b" \n");
}

/// Appends one line of `mgdump`, a command that can be sent to a server as it stands.
pub fn mgdump_line(out: &mut Vec<u8>, item_key: &[u8], binary: bool) {
    out.extend_from_slice(b"mg ");
    // A key of a binary client may hold anything; only base64 can say it in a line.
    if binary || item_key.iter().any(|&b| b <= b' ' || b == 127) {
        key::push_base64(out, item_key);
        out.extend_from_slice(b" b\r\n");
    } else {
        out.extend_from_slice(item_key);
        out.extend_from_slice(b"\r\n");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(line: &str) -> Result<Option<Admin<'_>>, ProtocolError> {
        let mut tokens = Tokens::new(line.as_bytes());
        let verb = tokens.next().expect("a verb");
        decode(verb, tokens)
    }

    #[test]
    fn every_verb_survives_the_loss_of_its_arguments() {
        let lines = [
            "lru tune 10 20 0.1 2.0",
            "lru mode flat",
            "lru temp_ttl 60",
            "slabs reassign 1 2",
            "slabs automove window 30",
            "slabs automove ratio 0.5",
            "slabs automove 1",
            "lru_crawler crawl 1,2",
            "lru_crawler metadump all",
            "lru_crawler sleep 10",
            "lru_crawler tocrawl 10",
            "stats cachedump 1 0",
            "stats detail on",
            "verbosity 1",
            "cache_memlimit 64",
            "debugtime +1",
            "watch fetchers",
            "shutdown graceful",
        ];
        for line in lines {
            assert!(matches!(decoded(line), Ok(Some(_))), "{line}");
            for cut in line.find(' ').unwrap_or(0)..line.len() {
                let _ = decoded(&line[..cut]);
            }
        }
        assert_eq!(decoded("lru mode"), Err(ProtocolError::Unknown));
        assert_eq!(decoded("lru tune 10"), Err(ProtocolError::Unknown));
        assert_eq!(decoded("lru temp_ttl"), Err(ProtocolError::Unknown));
        assert_eq!(
            decoded("stats cachedump 1"),
            Err(ProtocolError::CachedumpFormat)
        );
        assert_eq!(decoded("verbosity"), Err(ProtocolError::BadFormat));
        assert_eq!(
            decoded("slabs automove invalid"),
            Err(ProtocolError::BadFormat)
        );
    }

    #[test]
    fn subcommands_match_whole_words_only() {
        assert_eq!(
            decoded("stats r"),
            Ok(Some(Admin::Stats(Stats::Unknown(b"r"))))
        );
        assert_eq!(decoded("shutdown g"), Err(ProtocolError::InvalidShutdown));
        assert_eq!(decoded("watch fetch"), Err(ProtocolError::Unknown));
    }

    #[test]
    fn windows_and_ratios_have_bounds() {
        for window in ["0", "2", "1801", "67108864"] {
            let line = format!("slabs automove window {window}");
            assert_eq!(decoded(&line), Err(ProtocolError::Window));
        }
        assert_eq!(decoded("slabs automove 3"), Err(ProtocolError::Unknown));
        assert_eq!(
            decoded("lru tune 50 31 0.1 2"),
            Err(ProtocolError::HotWarmPercent)
        );
        assert_eq!(
            decoded("lru tune 50 30 0 2"),
            Err(ProtocolError::HotWarmFactor)
        );
        assert_eq!(
            decoded("lru_crawler sleep 1000001"),
            Err(ProtocolError::SleepTooLong)
        );
    }

    #[test]
    fn class_lists_are_bits() {
        assert_eq!(classes(b"1,63"), Ok(1 << 1 | 1 << 63));
        for bad in ["0", "64", "1,", "x", "-1", ""] {
            assert_eq!(
                classes(bad.as_bytes()),
                Err(ProtocolError::CrawlBadClass),
                "{bad}"
            );
        }
    }
}
