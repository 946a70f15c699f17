//! What is looked at, and when it is well. Pure: facts in, findings out.
//!
//! Bounds are rules of thumb of those who run caches; each stands beside the finding that it
//! makes. A check that has nothing to look at, because a daemon does not tell, makes none.

use super::{Facts, Finding, Severity};

/// Every check, in the order of what is told of equal severity.
const CHECKS: &[fn(&Facts) -> Vec<Finding>] = &[
    doors,
    datagrams,
    connections,
    files,
    swap,
    hits,
    evictions,
    refusals,
    waste,
    settings,
    logins,
    watchers,
    cluster,
];

/// Judges everything.
pub(super) fn all(facts: &Facts) -> Vec<Finding> {
    CHECKS.iter().flat_map(|check| check(facts)).collect()
}

/// Whether an address that a daemon tells to listen on is for this host only.
fn is_loopback(inter: &str) -> bool {
    let is_local = |address: &str| {
        let host = address.rsplit_once(']').map_or(address, |(host, _)| host);
        let host = host.rsplit_once('[').map_or(host, |(_, host)| host);
        host.starts_with("127.") || host.starts_with("::1") || host.starts_with("localhost")
    };
    let mut addresses = inter.split(',').map(str::trim).peekable();
    addresses.peek().is_some_and(|first| !first.is_empty()) && addresses.all(is_local)
}

/// Whether anybody beyond this host reaches a TCP port of it.
fn is_reachable(facts: &Facts) -> bool {
    let inter = facts.setting("inter");
    let is_unix = facts.setting("domain_socket");
    let has_tcp = facts.setting("tcpport") != "0" && (is_unix.is_empty() || is_unix == "NULL");
    has_tcp && !is_loopback(inter)
}

fn doors(facts: &Facts) -> Vec<Finding> {
    if facts.settings.is_empty() {
        return Vec::new();
    }
    let inter = facts.setting("inter");
    // The login by text is told by the name of its file.
    let is_on = |name| !matches!(facts.setting(name), "" | "no");
    let asks = is_on("auth_enabled_sasl") || is_on("auth_enabled_ascii");
    let is_encrypted = facts.setting("ssl_enabled") == "yes";
    let wants_certificates = is_encrypted && facts.setting("ssl_verify_mode") == "2";
    if !is_reachable(facts) {
        return vec![Finding::fine(
            "doors",
            "nobody beyond this host gets in".to_owned(),
        )];
    }
    let place = if inter.is_empty() || inter == "NULL" {
        "all addresses"
    } else {
        inter
    };
    vec![match (asks || wants_certificates, is_encrypted) {
        (false, _) => Finding::new(
            Severity::Critical,
            "doors",
            format!("it serves {place} and asks nobody who they are"),
            "whoever reaches the port reads, changes and removes every item",
            "serve loopback or a private address (-l), or ask for a login (-Y FILE, with -Z for \
             TLS); a firewall that lets only your hosts in makes this a matter of that",
        ),
        (true, false) => Finding::new(
            Severity::Warning,
            "doors",
            format!("it serves {place} with a login and without TLS"),
            "passwords and items cross the network as they are",
            "encrypt: -Z -o ssl_chain_cert=FILE,ssl_key=FILE",
        ),
        (true, true) => Finding::fine("doors", format!("{place}, with a login and TLS")),
    }]
}

fn datagrams(facts: &Facts) -> Vec<Finding> {
    let port = facts.setting("udpport");
    if matches!(port, "" | "0") || is_loopback(facts.setting("inter")) {
        return Vec::new();
    }
    vec![Finding::new(
        Severity::Critical,
        "udp",
        format!("UDP is served on port {port}"),
        "senders of datagrams can be forged: such ports amplify attacks on others",
        "turn it off: -U 0",
    )]
}

fn connections(facts: &Facts) -> Vec<Finding> {
    let most = facts.general("max_connections");
    let now = facts.general("curr_connections");
    if most == 0 {
        return Vec::new();
    }
    let seen = format!("{now} of {most} connections");
    let mut findings = vec![if now * 10 >= most * 9 {
        Finding::new(
            Severity::Critical,
            "connections",
            seen,
            "the next clients are turned away, or wait",
            "raise -c, or find who opens so many: `larder stats conns`",
        )
    } else if now * 10 >= most * 7 {
        Finding::new(
            Severity::Warning,
            "connections",
            seen,
            "a restart of many clients at once may not fit",
            "raise -c",
        )
    } else {
        Finding::fine("connections", seen)
    }];
    let away = facts.general("rejected_connections") + facts.general("listen_disabled_num");
    if away > 0 {
        findings.push(Finding::new(
            Severity::Warning,
            "connections",
            format!("{away} times there was no room for a client since the start"),
            "clients have seen errors or waited",
            "raise -c; `-o idle_timeout=SECONDS` closes those who are forgotten",
        ));
    }
    findings
}

fn files(facts: &Facts) -> Vec<Finding> {
    let Some(host) = &facts.host else {
        return Vec::new();
    };
    let most = facts.general("max_connections");
    let mut findings = Vec::new();
    match host.files_max {
        Some(files) if files < most => findings.push(Finding::new(
            Severity::Warning,
            "files",
            format!("it may open {files} files, and {most} connections are one each"),
            "it runs out of them before -c is reached",
            // Listeners, polls and the log need some too.
            format!(
                "LimitNOFILE={} in its unit, or ulimit -n",
                (most + 100).next_power_of_two()
            ),
        )),
        Some(files) => findings.push(Finding::fine("files", format!("it may open {files}"))),
        None => {}
    }
    let backlog: u64 = facts.setting("tcp_backlog").parse().unwrap_or(0);
    if host.backlog_max > 0 && host.backlog_max < backlog {
        findings.push(Finding::new(
            Severity::Note,
            "files",
            format!(
                "-b asks for {backlog} waiting clients, the host allows {}",
                host.backlog_max
            ),
            "a burst of newcomers beyond that has to try again",
            format!("sysctl net.core.somaxconn={backlog}"),
        ));
    }
    findings
}

fn swap(facts: &Facts) -> Vec<Finding> {
    let Some(host) = &facts.host else {
        return Vec::new();
    };
    let mut findings = Vec::new();
    if host.swapped > 0 {
        findings.push(Finding::new(
            Severity::Warning,
            "memory",
            format!("{} MiB of it are swapped out", host.swapped >> 20),
            "a request that touches them waits for a disk",
            "lower -m, or give the host more memory; -k locks what is there",
        ));
    }
    let limit = facts.general("limit_maxbytes");
    if host.memory > 0 && limit * 10 > host.memory * 9 {
        findings.push(Finding::new(
            Severity::Warning,
            "memory",
            format!(
                "-m is {} MiB of the {} MiB of this host",
                limit >> 20,
                host.memory >> 20
            ),
            "connections and the system need some too",
            "leave a tenth of the host, or more: lower -m",
        ));
    }
    let threads = facts.general("threads");
    if threads > 2 * host.cores {
        findings.push(Finding::new(
            Severity::Note,
            "threads",
            format!("{threads} threads on {} cores", host.cores),
            "more of them than cores make nothing faster",
            format!("-t {}", host.cores),
        ));
    }
    findings
}

fn percent(part: u64, whole: u64) -> u64 {
    part.saturating_mul(100).checked_div(whole).unwrap_or(0)
}

fn hits(facts: &Facts) -> Vec<Finding> {
    let asked = facts.general("get_hits") + facts.general("get_misses");
    // A share of few means nothing.
    if asked < 1000 {
        return Vec::new();
    }
    let share = percent(facts.general("get_hits"), asked);
    let seen = format!("{share} % of {asked} keys that were asked for were there");
    vec![if share < 50 {
        Finding::new(
            Severity::Warning,
            "hits",
            seen,
            "every other request goes to what stands behind the cache",
            if facts.general("evictions") > 0 {
                "items leave for want of room: raise -m"
            } else {
                "nothing has to leave: look at times to live, and at keys that are asked for \
                 once (`larder monitor fetchers`)"
            },
        )
    } else if share < 80 {
        Finding::new(
            Severity::Note,
            "hits",
            seen,
            "well-used caches have 80 % and more",
            "compare times to live with how long items are of use",
        )
    } else {
        Finding::fine("hits", seen)
    }]
}

fn evictions(facts: &Facts) -> Vec<Finding> {
    let gone = facts.general("evictions");
    let uptime_s = facts.general("uptime").max(1);
    if gone == 0 {
        return vec![Finding::fine(
            "evictions",
            "no item has had to make room".to_owned(),
        )];
    }
    let limit = facts.general("limit_maxbytes");
    let rate = gone as f64 / uptime_s as f64;
    let ages = facts.by_class("evicted_time", &facts.items);
    let counts = facts.by_class("evicted", &facts.items);
    let youngest = ages
        .iter()
        .filter(|(class, _)| counts.contains(&(*class, 0)).eq(&false))
        .map(|&(_, age_s)| age_s)
        .min();
    let mut seen = format!("{gone} items have had to make room, {rate:.1} a second");
    if let Some(age_s) = youngest {
        seen.push_str(&format!("; in some class after {age_s} s without use"));
    }
    let advice = if limit <= 64 << 20 {
        format!("raise -m: {} MiB is the default, and little", limit >> 20)
    } else {
        "raise -m, or add nodes".to_owned()
    };
    let unread = percent(facts.general("evicted_unfetched"), gone);
    let mut findings = vec![match youngest {
        Some(age_s) if age_s < 60 => Finding::new(
            Severity::Warning,
            "evictions",
            seen,
            "items go before anybody could come back for them",
            advice,
        ),
        _ => Finding::new(
            Severity::Note,
            "evictions",
            seen,
            "a full cache does that; it costs hits when what goes is still wanted",
            advice,
        ),
    }];
    if unread >= 50 && gone >= 1000 {
        findings.push(Finding::new(
            Severity::Note,
            "evictions",
            format!("{unread} % of them had never been read"),
            "much is stored that nobody asks for",
            "store on the second miss, or with a short time to live",
        ));
    }
    findings
}

fn refusals(facts: &Facts) -> Vec<Finding> {
    let mut findings = Vec::new();
    let full = facts.general("store_no_memory").max(
        facts
            .by_class("outofmemory", &facts.items)
            .iter()
            .map(|(_, count)| count)
            .sum(),
    );
    if full > 0 {
        findings.push(Finding::new(
            Severity::Critical,
            "stores",
            format!("{full} values found no memory"),
            "clients were told so, and what they wanted to replace is gone too",
            if facts.setting("evictions") == "off" {
                "-M forbids items to make room: raise -m, or leave out -M"
            } else {
                "raise -m; large values need many pages at once"
            },
        ));
    }
    let large = facts.general("store_too_large");
    if large > 0 {
        let most: u64 = facts.setting("item_size_max").parse().unwrap_or(0);
        findings.push(Finding::new(
            Severity::Note,
            "stores",
            format!(
                "{large} values were larger than the {} KiB of -I",
                most >> 10
            ),
            "they are refused, and the old value is gone",
            "raise -I, or have clients compress or cut them",
        ));
    }
    findings
}

fn waste(facts: &Facts) -> Vec<Finding> {
    let taken = facts.count("total_malloced", &facts.slabs);
    let sizes = facts.by_class("chunk_size", &facts.slabs);
    let total = |name: &str| -> u64 {
        let counts = facts.by_class(name, &facts.slabs);
        let each = counts.iter().map(|(class, count)| {
            let size = sizes.iter().find(|(other, _)| other == class);
            size.map_or(0, |(_, size)| size * count)
        });
        each.sum()
    };
    let asked: Vec<(u32, u64)> = facts.by_class("mem_requested", &facts.items);
    let asked: u64 = asked.iter().map(|(_, size)| size).sum();
    // A young cache has pages that wait to be filled.
    if taken < 32 << 20 || asked == 0 {
        return Vec::new();
    }
    let (used, free) = (total("used_chunks"), total("free_chunks"));
    let mut findings = Vec::new();
    let rounding = percent(used.saturating_sub(asked), used);
    // larderd cuts finer than the classes that it tells, so this is memcached's.
    if facts.larder.is_empty() && rounding >= 20 {
        findings.push(Finding::new(
            Severity::Warning,
            "slabs",
            format!("{rounding} % of the memory of items is rounding to slab classes"),
            "that memory holds nothing",
            "-f 1.08 makes more classes with less between them",
        ));
    }
    let idle = percent(free, taken);
    let is_full = facts.general("evictions") > 0;
    if idle >= 25 && is_full {
        findings.push(Finding::new(
            Severity::Warning,
            "slabs",
            format!("{idle} % of the memory is free, and items make room all the same"),
            "the free chunks are of other sizes than those that are stored now",
            "let pages move: `slabs automove 1`, or -o slab_reassign,slab_automove=1",
        ));
    }
    if findings.is_empty() {
        let seen = format!(
            "{} MiB taken, {rounding} % rounding, {idle} % free",
            taken >> 20
        );
        findings.push(Finding::fine("slabs", seen));
    }
    let moved = facts.general("slabs_moved");
    let uptime_s = facts.general("uptime").max(1);
    if moved > uptime_s {
        findings.push(Finding::new(
            Severity::Note,
            "slabs",
            format!("{moved} pages have moved between classes, more than one a second"),
            "sizes of values change all the time, and pages follow them",
            "keep values of very different sizes in daemons of their own",
        ));
    }
    findings
}

fn settings(facts: &Facts) -> Vec<Finding> {
    let mut findings = Vec::new();
    let is_full = facts.general("evictions") > 0;
    if is_full && facts.setting("slab_automove") == "0" {
        findings.push(Finding::new(
            Severity::Warning,
            "settings",
            "pages stay in their slab class (slab_automove=0)".to_owned(),
            "when sizes change, one class is short of memory that another does not use",
            "-o slab_automove=1",
        ));
    }
    if facts.setting("evictions") == "off" {
        findings.push(Finding::new(
            Severity::Note,
            "settings",
            "items do not make room (-M)".to_owned(),
            "a full daemon refuses to store",
            "leave out -M unless clients are made for that",
        ));
    }
    let off =
        facts.setting("lru_crawler") == "no" || facts.setting("lru_maintainer_thread") == "no";
    if off {
        findings.push(Finding::new(
            Severity::Note,
            "settings",
            "the crawler or the maintainer of queues is off".to_owned(),
            "expired items keep their memory until somebody trips over them",
            "leave out no_lru_crawler and no_lru_maintainer",
        ));
    }
    if facts.setting("flush_enabled") == "yes" && is_reachable(facts) {
        findings.push(Finding::new(
            Severity::Note,
            "settings",
            "every client may remove everything by flush_all".to_owned(),
            "one mistake empties the cache",
            "-F forbids it",
        ));
    }
    findings
}

fn logins(facts: &Facts) -> Vec<Finding> {
    let (all, failed) = (facts.general("auth_cmds"), facts.general("auth_errors"));
    if failed < 20 || percent(failed, all.max(failed)) < 10 {
        return Vec::new();
    }
    vec![Finding::new(
        Severity::Warning,
        "logins",
        format!("{failed} of {all} logins failed"),
        "somebody has a wrong password, or guesses",
        "see who connects: `larder monitor connevents`",
    )]
}

fn watchers(facts: &Facts) -> Vec<Finding> {
    let lost = facts.general("log_worker_dropped") + facts.general("log_watcher_skipped");
    if lost == 0 {
        return Vec::new();
    }
    vec![Finding::new(
        Severity::Note,
        "watchers",
        format!("{lost} lines for watchers were dropped"),
        "who watches sees less than happens",
        "-o watcher_logbuf_size=SIZE,worker_logbuf_size=SIZE",
    )]
}

fn cluster(facts: &Facts) -> Vec<Finding> {
    let nodes = facts.count("nodes", &facts.cluster);
    if nodes < 2 {
        return Vec::new();
    }
    let mut findings = Vec::new();
    let of_nodes = |suffix: &'static str, word: &'static str| {
        facts
            .cluster
            .iter()
            .filter(move |(name, value)| {
                name.starts_with("node:") && name.ends_with(suffix) && value == word
            })
            .count()
    };
    let away = of_nodes(":state", "unreachable");
    if away > 0 {
        findings.push(Finding::new(
            Severity::Critical,
            "cluster",
            format!("{away} of {nodes} nodes cannot be reached by the others"),
            "clients go on asking them, and miss",
            "start them, or take them off: `larder cluster nodes`, `larder cluster leave NAME`",
        ));
    }
    let silent: Vec<&str> = facts
        .peers
        .iter()
        .filter(|(_, version)| version.is_none())
        .map(|(name, _)| name.as_str())
        .collect();
    if !silent.is_empty() {
        findings.push(Finding::new(
            Severity::Critical,
            "cluster",
            format!("no answer from {}", silent.join(", ")),
            "clients that are told of these nodes cannot use them",
            "start them, or take them off the list",
        ));
    }
    let mut versions: Vec<u32> = facts
        .peers
        .iter()
        .filter_map(|(_, version)| *version)
        .collect();
    versions.sort_unstable();
    versions.dedup();
    if versions.len() > 1 {
        let told: Vec<String> = versions.iter().map(ToString::to_string).collect();
        findings.push(Finding::new(
            Severity::Warning,
            "cluster",
            format!(
                "nodes serve lists of different versions: {}",
                told.join(", ")
            ),
            "clients put one key in different places",
            "ask again in a moment; if it stays so, nodes do not reach each other",
        ));
    }
    if findings.is_empty() {
        findings.push(Finding::fine("cluster", format!("{nodes} nodes, one list")));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::super::host::Process;
    use super::*;
    use crate::client::requests::Report;

    fn report(words: &[(&str, &str)]) -> Report {
        let pair = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        words.iter().map(pair).collect()
    }

    /// The worst finding about a subject.
    fn worst(facts: &Facts, subject: &str) -> Option<Severity> {
        let findings = all(facts);
        let mut of_subject = findings.iter().filter(|finding| finding.subject == subject);
        let first = of_subject.next()?.severity;
        Some(
            of_subject
                .map(|finding| finding.severity)
                .fold(first, Severity::max),
        )
    }

    fn with_general(words: &[(&str, &str)]) -> Facts {
        Facts {
            general: report(words),
            ..Facts::default()
        }
    }

    #[test]
    fn open_doors_are_those_that_everybody_reaches_and_nobody_watches() {
        let severity = |words: &[(&str, &str)]| {
            let facts = Facts {
                settings: report(words),
                ..Facts::default()
            };
            (worst(&facts, "doors"), worst(&facts, "udp"))
        };
        let all = ("inter", "NULL");
        assert_eq!(severity(&[]), (None, None));
        assert_eq!(severity(&[all]), (Some(Severity::Critical), None));
        assert_eq!(
            severity(&[("inter", "127.0.0.1,::1")]),
            (Some(Severity::Fine), None)
        );
        assert_eq!(
            severity(&[("inter", "127.0.0.1,10.0.0.1")]).0,
            Some(Severity::Critical)
        );
        assert_eq!(
            severity(&[all, ("domain_socket", "/s")]).0,
            Some(Severity::Fine)
        );
        let login = ("auth_enabled_ascii", "/etc/larder/users");
        assert_eq!(severity(&[all, login]).0, Some(Severity::Warning));
        assert_eq!(
            severity(&[all, login, ("ssl_enabled", "yes")]).0,
            Some(Severity::Fine)
        );
        assert_eq!(
            severity(&[all, ("ssl_enabled", "yes")]).0,
            Some(Severity::Critical)
        );
        assert_eq!(
            severity(&[all, ("udpport", "11211")]).1,
            Some(Severity::Critical)
        );
        assert_eq!(severity(&[("inter", "::1"), ("udpport", "1")]).1, None);
    }

    #[test]
    fn connections_and_files_have_room_or_not() {
        let severity = |now: &str| {
            let facts = with_general(&[("max_connections", "100"), ("curr_connections", now)]);
            worst(&facts, "connections")
        };
        assert_eq!(severity("69"), Some(Severity::Fine));
        assert_eq!(severity("70"), Some(Severity::Warning));
        assert_eq!(severity("90"), Some(Severity::Critical));
        let mut facts = with_general(&[("max_connections", "1024"), ("threads", "4")]);
        for (files_max, expected) in [(1023, Severity::Warning), (1024, Severity::Fine)] {
            facts.host = Some(Process {
                files_max: Some(files_max),
                ..Process::default()
            });
            assert_eq!(worst(&facts, "files"), Some(expected), "{files_max}");
        }
    }

    #[test]
    fn a_share_of_hits_is_judged_when_there_were_enough() {
        let severity = |hits: &str, misses: &str| {
            worst(
                &with_general(&[("get_hits", hits), ("get_misses", misses)]),
                "hits",
            )
        };
        assert_eq!(severity("0", "999"), None);
        assert_eq!(severity("499", "501"), Some(Severity::Warning));
        assert_eq!(severity("500", "500"), Some(Severity::Note));
        assert_eq!(severity("800", "200"), Some(Severity::Fine));
    }

    #[test]
    fn evictions_are_bad_when_items_are_young() {
        let severity = |age: &str| {
            let mut facts = with_general(&[("evictions", "10"), ("uptime", "5")]);
            facts.items = report(&[("items:3:evicted", "10"), ("items:3:evicted_time", age)]);
            worst(&facts, "evictions")
        };
        assert_eq!(severity("59"), Some(Severity::Warning));
        assert_eq!(severity("60"), Some(Severity::Note));
        assert_eq!(worst(&Facts::default(), "evictions"), Some(Severity::Fine));
        let facts = with_general(&[("store_no_memory", "1")]);
        assert_eq!(worst(&facts, "stores"), Some(Severity::Critical));
    }

    #[test]
    fn memory_that_holds_nothing_is_found() {
        let severity = |asked: &str, free: &str| {
            let mut facts = with_general(&[("evictions", "1"), ("uptime", "5")]);
            facts.slabs = report(&[
                ("1:chunk_size", "1024"),
                ("1:used_chunks", "65536"),
                ("1:free_chunks", free),
                ("total_malloced", "134217728"),
            ]);
            facts.items = report(&[("items:1:mem_requested", asked)]);
            worst(&facts, "slabs")
        };
        assert_eq!(severity("67000000", "0"), Some(Severity::Fine));
        assert_eq!(severity("50000000", "0"), Some(Severity::Warning));
        assert_eq!(severity("67000000", "40000"), Some(Severity::Warning));
    }

    #[test]
    fn a_cluster_is_well_when_all_answer_and_agree() {
        let mut facts = Facts {
            cluster: report(&[
                ("nodes", "2"),
                ("node:0:state", "self"),
                ("node:1:state", "up"),
            ]),
            peers: vec![("a".to_owned(), Some(3)), ("b".to_owned(), Some(3))],
            ..Facts::default()
        };
        assert_eq!(worst(&facts, "cluster"), Some(Severity::Fine));
        facts.peers[1].1 = Some(4);
        assert_eq!(worst(&facts, "cluster"), Some(Severity::Warning));
        facts.peers[1].1 = None;
        assert_eq!(worst(&facts, "cluster"), Some(Severity::Critical));
        facts.peers[1].1 = Some(3);
        facts.cluster[2].1 = "unreachable".to_owned();
        assert_eq!(worst(&facts, "cluster"), Some(Severity::Critical));
    }
}
