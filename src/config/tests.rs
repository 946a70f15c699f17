//! Every option accepted, refused and echoed; the file; the order of the sources; the texts.

use std::io::Write;

use clap_complete::Shell;

use super::flags::{self, Kind};
use super::parse::{Action, Loaded, parse};
use super::{BindingProtocol, Config, Listen, render};

fn load_with(arguments: &str, environment: &[(&str, &str)]) -> Result<Loaded, String> {
    let arguments = std::iter::once("larderd").chain(arguments.split_whitespace());
    let environment: Vec<(String, String)> = environment
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    match parse(arguments.map(Into::into), &environment) {
        Ok(Action::Run(loaded) | Action::Check(loaded)) => Ok(*loaded),
        Ok(Action::Print(text)) => Err(format!("printed {text}")),
        Ok(Action::HashPassword { name, scram }) => Err(format!("hash {name} {scram}")),
        Err(error) => Err(error.to_string()),
    }
}

fn load(arguments: &str) -> Result<Config, String> {
    load_with(arguments, &[]).map(|loaded| loaded.config)
}

fn printed(arguments: &str, environment: &[(&str, &str)]) -> String {
    let text = load_with(arguments, environment).unwrap_err();
    text.strip_prefix("printed ")
        .unwrap_or_else(|| panic!("{arguments}: {text}"))
        .to_owned()
}

fn setting_text(arguments: &str, key: &str) -> String {
    let config = load(arguments).unwrap_or_else(|error| panic!("{arguments}: {error}"));
    let rows = render::stats_settings(&config);
    let row = rows.iter().find(|(name, _)| *name == key);
    row.unwrap_or_else(|| panic!("no {key}")).1.clone()
}

fn file(text: &str) -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    file
}

fn load_file(text: &str, more: &str, environment: &[(&str, &str)]) -> Result<Loaded, String> {
    let file = file(text);
    let path = file.path().display();
    load_with(&format!("--config {path} {more}"), environment)
        .map_err(|error| error.replace(&path.to_string(), "FILE"))
}

#[test]
fn without_addresses_loopback_is_served() {
    let config = Config::default();
    let all: Vec<String> = config.tcp_listen().iter().map(Listen::to_string).collect();
    assert_eq!(
        all,
        ["proto[auto]:127.0.0.1:11211", "proto[auto]:[::1]:11211"]
    );
    assert_eq!(config.udp_listen(), []);
    assert!(!config.listen_is_explicit());
}

#[test]
fn an_ephemeral_port_is_zero_to_the_system_and_zero_is_off() {
    let config = load("-p -1").unwrap();
    assert!(config.tcp_listen().iter().all(|l| l.port == Some(0)));
    let loaded = load_with("-p 0", &[]).unwrap();
    assert_eq!(loaded.config.tcp_listen(), []);
    assert!(loaded.warnings[0].contains("nothing is left to serve"));
}

/// Arguments, a line of `stats settings`, and what it must say then.
const ACCEPTED: &[(&str, &str, &str)] = &[
    ("", "maxbytes", "67108864"),
    ("-m 128", "maxbytes", "134217728"),
    ("-m128", "maxbytes", "134217728"),
    ("--memory-limit=128", "maxbytes", "134217728"),
    ("--memory-limit 128", "maxbytes", "134217728"),
    ("--memory-l 128", "maxbytes", "134217728"),
    ("-m 2g", "maxbytes", "2147483648"),
    ("-m 1 -I 512k", "maxbytes", "1048576"),
    ("-m 64 -m 32", "maxbytes", "33554432"),
    ("-c 5", "maxconns", "5"),
    ("-p 11212", "tcpport", "11212"),
    ("-p -1", "tcpport", "-1"),
    ("-p -1 -U 11252", "tcpport", "-1"),
    ("-U 11222", "tcpport", "11222"),
    ("-U 11222", "udpport", "11222"),
    ("-U -1", "tcpport", "-1"),
    ("-U 0", "tcpport", "11211"),
    ("-p 11232 -U 11233", "tcpport", "11232"),
    ("", "inter", "127.0.0.1,::1"),
    ("-l 127.0.0.1", "inter", "127.0.0.1"),
    ("-l a,b:5 -l [::1]:7", "inter", "a,b:5,[::1]:7"),
    ("-l *", "inter", "*"),
    ("", "verbosity", "0"),
    ("-vv", "verbosity", "2"),
    ("-v -vd -d", "verbosity", "2"),
    ("-M", "evictions", "off"),
    ("", "evictions", "on"),
    ("", "domain_socket", "NULL"),
    ("-s /tmp/x", "domain_socket", "/tmp/x"),
    ("-s /tmp/x", "tcpport", "0"),
    ("-s /tmp/x -p 11211", "tcpport", "11211"),
    ("-s /tmp/x -l 127.0.0.1", "tcpport", "11211"),
    ("-s /tmp/x -U 5", "udpport", "5"),
    ("-s /tmp/x -U 5", "tcpport", "0"),
    ("", "umask", "700"),
    ("-a 0777", "umask", "777"),
    ("-A", "shutdown_command", "yes"),
    ("-f 1.1", "growth_factor", "1.10"),
    ("-n 72", "chunk_size", "72"),
    ("-t 3", "num_threads", "3"),
    ("-t 3", "num_threads_per_udp", "3"),
    ("-t 3 -l a,b", "num_threads_per_udp", "1"),
    ("", "stat_key_prefix", ":"),
    ("-D _", "stat_key_prefix", "_"),
    ("-D _", "detail_enabled", "yes"),
    ("", "detail_enabled", "no"),
    ("-R 1", "reqs_per_event", "1"),
    ("-C", "cas_enabled", "no"),
    ("-b 8675", "tcp_backlog", "8675"),
    ("-B auto", "binding_protocol", "auto-negotiate"),
    ("-B ascii", "binding_protocol", "ascii"),
    ("-B ascii -B binary", "binding_protocol", "binary"),
    ("", "item_size_max", "1048576"),
    ("-I 1024 -o slab_chunk_max=1", "item_size_max", "1024"),
    ("-I 1024", "slab_chunk_max", "1024"),
    ("-I 2097152", "item_size_max", "2097152"),
    ("-I 512k -o slab_chunk_max=16", "item_size_max", "524288"),
    ("-m 256 -I 32m", "item_size_max", "33554432"),
    ("-m 2048 -I 1g", "item_size_max", "1073741824"),
    ("", "maxconns_fast", "yes"),
    ("-o no_maxconns_fast", "maxconns_fast", "no"),
    ("-o maxconns_fast=no", "maxconns_fast", "no"),
    ("--maxconns-fast=no", "maxconns_fast", "no"),
    ("--maxconns-fast", "maxconns_fast", "yes"),
    ("", "hashpower_init", "0"),
    ("-o hashpower=20,no_hashexpand", "hashpower_init", "20"),
    ("-o no_slab_reassign", "slab_reassign", "no"),
    ("-o slab_automove", "slab_automove", "1"),
    ("-o slab_automove=2", "slab_automove", "2"),
    ("-o no_slab_automove", "slab_automove", "0"),
    ("-o slab_automove_ratio=0.5", "slab_automove_ratio", "0.50"),
    ("-o slab_automove_window=3", "slab_automove_window", "3"),
    ("", "slab_automove_freeratio", "0.010"),
    ("", "slab_chunk_max", "524288"),
    ("-o slab_chunk_max=16", "slab_chunk_max", "16384"),
    ("-o no_chunked_items", "slab_chunk_max", "1048576"),
    ("-o no_modern,slab_chunk_max=4", "slab_chunk_max", "4096"),
    ("-o slab_chunk_max=4,no_modern", "slab_chunk_max", "4096"),
    ("-o no_modern", "lru_crawler", "no"),
    ("-o no_modern", "lru_segmented", "no"),
    ("-o no_modern", "hash_algorithm", "jenkins"),
    ("-m 32 -o no_modern,lru_crawler", "lru_crawler", "yes"),
    ("-o modern,no_lru_crawler", "lru_crawler", "no"),
    ("-o lru_crawler_sleep=5", "lru_crawler_sleep", "5"),
    ("-o lru_crawler_tocrawl=5", "lru_crawler_tocrawl", "5"),
    ("-o tail_repair_time=10", "tail_repair_time", "10"),
    ("-F", "flush_enabled", "no"),
    ("-X", "dump_enabled", "no"),
    ("-o hash_algorithm=xxh3", "hash_algorithm", "xxh3"),
    ("-o no_lru_maintainer", "lru_maintainer_thread", "no"),
    ("-o hot_lru_pct=40,warm_lru_pct=40", "hot_lru_pct", "40"),
    ("-o hot_max_factor=0.3", "hot_max_factor", "0.30"),
    ("-o warm_max_factor=3", "warm_max_factor", "3.00"),
    ("", "temp_lru", "no"),
    ("", "temporary_ttl", "61"),
    ("-o temporary_ttl=240", "temp_lru", "yes"),
    ("-o temporary_ttl=240", "temporary_ttl", "240"),
    ("-o idle_timeout=3 -l 127.0.0.1", "idle_timeout", "3"),
    ("--idle-timeout 3", "idle_timeout", "3"),
    ("--idle_timeout=3", "idle_timeout", "3"),
    ("", "watcher_logbuf_size", "262144"),
    ("-o watcher_logbuf_size=8", "watcher_logbuf_size", "8192"),
    ("-o worker_logbuf_size=8", "worker_logbuf_size", "8192"),
    (
        "-o read_buf_mem_limit=1 -t 32 -R 500",
        "read_buf_mem_limit",
        "1048576",
    ),
    ("-o track_sizes", "track_sizes", "yes"),
    ("-o inline_ascii_resp", "inline_ascii_response", "no"),
    ("-o no_inline_ascii_resp", "inline_ascii_response", "no"),
    ("-o relaxed_privileges", "drop_privileges", "no"),
    ("-o no_drop_privileges", "drop_privileges", "no"),
    ("-o drop_privileges", "drop_privileges", "yes"),
    ("-o resp_obj_mem_limit=5", "read_buf_mem_limit", "0"),
    ("", "num_napi_ids", "0"),
    ("", "memory_file", "(null)"),
    ("", "client_flags_size", "4"),
    ("-u root -P /x -k -r -d -W -L", "auth_enabled_sasl", "no"),
];

#[test]
fn every_option_of_memcached_is_accepted_and_echoed() {
    for (arguments, key, value) in ACCEPTED {
        assert_eq!(setting_text(arguments, key), *value, "{arguments}");
    }
}

/// Arguments, and a part of the message that refuses them.
const REFUSED: &[(&str, &str)] = &[
    (
        "-c 0",
        "-c (--conn-limit) (command line): \"0\" is wrong, expected a whole number from 1 to",
    ),
    ("-c -1", "\"-1\" is wrong"),
    ("-c many", "\"many\" is wrong"),
    ("-t 0", "from 1 to 1024"),
    ("-m 0", "expected megabytes"),
    ("-m 512k", "expected megabytes"),
    ("-m -5", "expected megabytes"),
    ("-p 65536", "from -1 to 65535"),
    ("-p -2", "from -1 to 65535"),
    ("-U x", "from -1 to 65535"),
    ("-a 8", "octal"),
    ("-a 1000", "octal"),
    ("-l 127.0.0.1:0", "a port from 1 to 65535"),
    ("-l mtls:127.0.0.1", "asks for TLS, which needs -Z"),
    ("-B http", "expected auto, ascii or binary"),
    ("-f 1", "above 1"),
    ("-f nan", "above 1"),
    ("-n 0", "from 1 to"),
    ("-n 1048576", "smallest chunk must fit"),
    ("-R 0", "from 1 to"),
    ("-b -1", "from 0 to"),
    ("-D ab", "one ASCII character"),
    ("-I 1000", "a size from 1k to 1g"),
    ("-I 2g -m 8192", "a size from 1k to 1g"),
    ("-I 256m", "half of the memory limit, -m 64"),
    ("-I 1500k", "must be a multiple of -o slab_chunk_max=512"),
    (
        "-I 512k -o slab_chunk_max=1024",
        "must be a multiple of -o slab_chunk_max=1024",
    ),
    ("-o slab_chunk_max=0", "from 1 to 1024"),
    ("-o slab_chunk_max=3", "divide 1024"),
    ("-o slab_chunk_max=2048", "from 1 to 1024"),
    ("-o slab_sizes=96-100", "ascend by more than 8"),
    ("-o slab_sizes=96-1000000", "1000000 is above"),
    ("-o slab_automove=3", "from 0 to 2"),
    ("-o slab_automove_ratio=2", "above 0 and not above 1"),
    ("-o slab_automove_window=2", "from 3 to 1800"),
    ("-o hashpower=11", "from 12 to 32"),
    ("-o hashpower", "needs a value, hashpower=POWER"),
    ("-o hash_algorithm=md5", "jenkins, murmur3 or xxh3"),
    ("-o lru_crawler_sleep=1000001", "from 0 to 1000000"),
    ("-o hot_lru_pct=80", "from 1 to 79"),
    (
        "-o lru_policy=lru",
        "segmented, s3fifo, volatile-ttl or noeviction",
    ),
    ("-o slab_automove_bias=1.5", "a number from 0 to 1"),
    ("-o hot_lru_pct=50,warm_lru_pct=31", "not be above 80"),
    (
        "-o temporary_ttl=5,no_lru_maintainer",
        "needs lru_maintainer",
    ),
    ("-o tail_repair_time=9", "from 10 to"),
    ("-o maxconns_fast=maybe", "yes or no"),
    ("-o idle_timeot=3", "did you mean -o idle_timeout?"),
    ("-o no_idle_timeout", "there is no such option"),
    ("-o ext_path=/x:64m", "no storage on disk"),
    ("-o proxy_config=/x", "not a proxy"),
    (
        "-Z -o ssl_chain_cert=/x,ssl_verify_mode=2",
        "-o ssl_ca_cert",
    ),
    ("-Z -o ssl_chain_cert=/x -p 0", "needs a TCP port"),
    ("-o ssl_keyformat=2", "expected PEM"),
    ("-o ssl_kernel_tls", "hands no session to the kernel"),
    ("-o ssl_min_version=4", "from 0 to 3"),
    ("-S", "there are no users who could log in"),
    ("-S -U 11211", "-S: a datagram cannot log in"),
    ("-S -Y /x -U -1", "-Y: a datagram cannot log in"),
    ("-Z", "-Z: TLS needs a certificate, -o ssl_chain_cert"),
    ("-Y /x -U 11211", "a datagram cannot log in"),
    ("-Y /x -U -1", "a datagram cannot log in"),
    ("-Y /x -B binary", "has no login by -Y"),
    ("-Y /x -l proto[binary]:127.0.0.1", "has no login by -Y"),
    (
        "-Y /x -B binary -l proto[ascii]:127.0.0.1",
        "has no login by -Y",
    ),
    ("--hash-password anna", "hash anna false"),
    (
        "--hash-password anna --hash-method scram-sha-256",
        "hash anna true",
    ),
    ("--hash-password anna --hash-method md5", "argon2id"),
    ("-N 4", "network card"),
    ("--memory-limt 5", "unexpected argument '--memory-limt'"),
    ("stray", "unexpected argument 'stray'"),
    ("--config /no/such/file", "--config /no/such/file: "),
];

#[test]
fn a_wrong_value_is_named_with_what_is_allowed() {
    for (arguments, message) in REFUSED {
        let error = load(arguments).expect_err(arguments);
        assert!(error.contains(message), "{arguments}: {error}");
    }
}

#[test]
fn logins_over_binary_leave_no_listener_without_one() {
    let pwdb = [("MEMCACHED_SASL_PWDB", "/x")];
    let spoken = |arguments: &str| {
        let loaded = load_with(arguments, &pwdb)?;
        let config = loaded.config;
        let users = config.users_file().map(|path| path.display().to_string());
        Ok::<_, String>((config.protocol, users.unwrap_or_default()))
    };
    let x = |protocol| Ok((protocol, "/x".to_owned()));
    let y = |protocol| Ok((protocol, "/y".to_owned()));
    assert_eq!(spoken("-S"), x(BindingProtocol::Binary));
    assert_eq!(spoken("-S -B binary"), x(BindingProtocol::Binary));
    assert_eq!(spoken("-S -Y /y"), y(BindingProtocol::Auto));
    assert_eq!(spoken("-S -Y /y -B ascii"), y(BindingProtocol::Ascii));
    assert_eq!(spoken("-S -Y /y -B binary"), y(BindingProtocol::Binary));
    assert_eq!(spoken(""), Ok((BindingProtocol::Auto, String::new())));
    assert_eq!(spoken("-Y /y"), y(BindingProtocol::Auto));
    for arguments in [
        "-S -B auto",
        "-S -B ascii",
        "-S -B binary -B ascii",
        "-S -l proto[ascii]:127.0.0.1",
        "-S -l proto[binary]:127.0.0.1,proto[auto]:127.0.0.2",
    ] {
        let error = spoken(arguments).expect_err(arguments);
        assert!(error.contains("speaks text has no login"), "{error}");
    }
    let warnings = load_with("-S -Y /y", &pwdb).unwrap().warnings;
    assert!(
        warnings[0].contains("this file is not read"),
        "{warnings:?}"
    );
    let error = load("-S -B binary").unwrap_err();
    assert!(error.contains("MEMCACHED_SASL_PWDB"), "{error}");
    assert_eq!(setting_text("-S -Y /y", "auth_enabled_sasl"), "yes");
}

#[test]
fn who_serves_strangers_without_a_login_is_told_once() {
    let pwdb = [("MEMCACHED_SASL_PWDB", "/x")];
    let told = |arguments: &str| {
        let warnings = load_with(arguments, &pwdb).unwrap().warnings;
        let mut open = warnings.iter().filter(|w| w.contains("whoever reaches"));
        (open.next().cloned().unwrap_or_default(), open.count())
    };
    for (arguments, addresses) in [
        ("-l *", "-l *:"),
        ("-l 0.0.0.0 -U 11211", "-l 0.0.0.0:"),
        (
            "-l 127.0.0.1,192.0.2.1:5,cache.example",
            "-l 192.0.2.1,cache.example:",
        ),
        ("-l [::]:11211", "-l :::"),
        ("-Z -o ssl_chain_cert=/x -l *", "-l *:"),
        (
            "-Z -o ssl_chain_cert=/x,ssl_ca_cert=/x,ssl_verify_mode=2 -l * -U 5",
            "-l *:",
        ),
    ] {
        let (text, others) = told(arguments);
        assert!(
            text.starts_with(addresses) && others == 0,
            "{arguments}: {text}"
        );
    }
    for arguments in [
        "",
        "-l localhost,127.0.0.2,::1",
        "-s /x",
        "-l * -Y /y",
        "-l * -S",
        "-Z -o ssl_chain_cert=/x,ssl_ca_cert=/x,ssl_verify_mode=2 -l *",
        "-Z -o ssl_chain_cert=/x,ssl_ca_cert=/x -l mtls:*",
        "-l * -p 0 -s /x",
    ] {
        assert_eq!(told(arguments).0, "", "{arguments}");
    }
}

#[test]
fn the_file_is_debians_form_and_takes_long_names() {
    let text = "\
# memcached default config file
-d
logfile /var/log/memcached.log
# -v
-m 96   # a comment
-p 11212
-u memcache
-l 127.0.0.1
-l ::1
-P /run/memcached.pid
-v
-vv
-o no_lru_crawler,idle_timeout=5

conn-limit 7
disable-evictions
slab_automove = 2
--threads 3
maxconns-fast=no
";
    let loaded = load_file(text, "", &[]).unwrap();
    let config = &loaded.config;
    assert!(!config.daemonize, "-d is the service manager's business");
    assert_eq!(config.memory_limit, 96 << 20);
    assert_eq!((config.tcp_port, config.workers), (11212, 3));
    assert_eq!(config.user.as_deref(), Some("memcache"));
    assert_eq!(
        config.listen,
        [Listen::host("127.0.0.1"), Listen::host("::1")]
    );
    assert_eq!((config.verbosity, config.idle_timeout_s), (3, 5));
    assert_eq!((config.conn_limit, config.slab_automove), (7, 2));
    assert!(!config.evict && !config.lru_crawler && !config.maxconns_fast);
    assert_eq!(loaded.warnings, [""; 0]);
}

#[test]
fn a_wrong_line_is_named_by_its_number() {
    let wrong = |text: &str| load_file(text, "", &[]).unwrap_err();
    assert_eq!(
        wrong("\n-c 0\n"),
        "-c (--conn-limit) (FILE:2): \"0\" is wrong, expected a whole number from 1 to 10000000"
    );
    assert!(wrong("--memory-limt 5").contains("did you mean --memory-limit?"));
    assert!(wrong("-x").contains("-x (FILE:1): unexpected argument"));
    let loaded = load_file("colour blue\n", "", &[]).unwrap();
    assert!(loaded.warnings[0].starts_with("colour ("), "{loaded:?}");
}

#[test]
fn the_command_line_beats_the_environment_and_that_the_file() {
    let text = "-c 1\n-m 70\n-l 10.0.0.1\n-R 5\n";
    let environment = [("LARDER_CONN_LIMIT", "2"), ("LARDER_MEMORY_LIMIT", "80")];
    let loaded = load_file(text, "-c 3 -l 10.0.0.2 -l 10.0.0.3", &environment).unwrap();
    let config = &loaded.config;
    assert_eq!((config.conn_limit, config.requests_per_event), (3, 5));
    assert_eq!(config.memory_limit, 80 << 20);
    assert_eq!(
        config.listen,
        [Listen::host("10.0.0.2"), Listen::host("10.0.0.3")],
        "a stronger source replaces the whole list"
    );
}

#[test]
fn the_environment_names_settings_switches_and_words() {
    let loaded = load_with(
        "",
        &[
            ("LARDER_DISABLE_EVICTIONS", "yes"),
            ("LARDER_EXTENDED", "idle_timeout=9,no_lru_crawler"),
            ("LARDER_DEBUG_COMMANDS", "1"),
            ("MEMCACHED_PORT_FILENAME", "/tmp/ports"),
            ("LARDER_VERBOSE", "2"),
            ("LARDER_DAEMON", "yes"),
            ("LARDER_PORT", "tcp://10.0.0.1:11211"),
            ("LARDER_SERVICE_HOST", "10.0.0.1"),
            ("LARDER_MEMORY_LIMIY", "5"),
            ("PATH", "/bin"),
        ],
    )
    .unwrap();
    let config = &loaded.config;
    assert!(!config.evict && !config.lru_crawler && config.debug_commands);
    assert!(!config.daemonize);
    assert_eq!((config.idle_timeout_s, config.verbosity), (9, 2));
    assert_eq!(
        config.tcp_port, 11211,
        "a platform's announcement is no port"
    );
    assert_eq!(config.port_file.as_deref(), Some("/tmp/ports".as_ref()));
    assert_eq!(
        loaded.warnings,
        ["variable LARDER_MEMORY_LIMIY names no setting; did you mean LARDER_MEMORY_LIMIT?"]
    );
    let error = load_with("", &[("LARDER_THREADS", "0")]).unwrap_err();
    assert!(error.contains("(environment LARDER_THREADS)"), "{error}");
}

#[test]
fn print_config_shows_each_source_and_can_be_read_again() {
    let file = file("-m 70\n\n-I 2m\n");
    let arguments = format!("--config {} -c 5 --print-config", file.path().display());
    let text = printed(&arguments, &[("LARDER_DISABLE_CAS", "yes")]);
    let line = |name: &str| {
        let line = text.lines().find(|line| line.starts_with(name));
        line.unwrap_or_else(|| panic!("{name} in {text}"))
            .split_whitespace()
            .collect::<Vec<_>>()
            .join(" ")
    };
    let path = file.path().display();
    assert_eq!(line("memory-limit"), format!("memory-limit 70 # {path}:1"));
    assert_eq!(
        line("max-item-size"),
        format!("max-item-size 2m # {path}:3")
    );
    assert_eq!(line("conn-limit"), "conn-limit 5 # command line");
    assert_eq!(
        line("disable-cas"),
        "disable-cas yes # environment LARDER_DISABLE_CAS"
    );
    assert_eq!(line("port"), "port 11211 # default");
    assert_eq!(line("# unix-socket"), "# unix-socket # default");

    let before = load_with(
        &format!("--config {path} -c 5"),
        &[("LARDER_DISABLE_CAS", "yes")],
    );
    let after = load_file(&text, "", &[]).unwrap();
    let mut before = before.unwrap().config;
    // To write the delimiter down is to ask for the counting, as -D does.
    before.stats_detail = after.config.stats_detail;
    assert_eq!(after.config, before);
}

#[test]
fn check_config_says_good_or_what_is_wrong() {
    assert!(load("--check-config -m 128").is_ok());
    assert!(load("--check-config -m x").unwrap_err().contains("-m"));
}

#[test]
fn help_names_what_there_is_and_nothing_that_there_is_not() {
    for arguments in ["-h", "--help"] {
        let help = printed(arguments, &[]);
        for word in [
            "--unix-socket",
            "--idle-timeout",
            "--enable-ssl",
            "--enable-sasl",
            "-o idle_timeout",
            "127.0.0.1,::1",
        ] {
            assert!(help.contains(word), "{word} in {help}");
        }
        let help = help.to_lowercase();
        // memcached's tests look for these words to learn what was built in.
        for word in ["ext_path", "proxy_config", "no_drop_privileges"] {
            assert!(!help.contains(word), "{word} in {help}");
        }
    }
    let version = printed("-V", &[]);
    assert!(version.starts_with("larder "), "{version}");
    assert!(version.ends_with("(memcached 1.6.45 compatible)\n"));
    assert!(printed("-i", &[]).contains("Copyright"));
}

#[test]
fn stats_settings_has_memcacheds_keys_in_its_order() {
    let rows = render::stats_settings(&Config::default());
    let keys: Vec<&str> = rows.iter().map(|(key, _)| *key).collect();
    assert_eq!(
        &keys[..5],
        ["maxbytes", "maxconns", "tcpport", "udpport", "inter"]
    );
    assert_eq!(keys.last(), Some(&"client_flags_size"));
    for setting in flags::all() {
        if let Some(stat) = setting.stat {
            assert!(keys.contains(&stat.key), "{} is not shown", stat.key);
        }
    }
}

#[test]
fn every_row_is_complete_and_stands_once() {
    let mut names: Vec<String> = Vec::new();
    for setting in flags::all() {
        assert!(setting.help.ends_with('.'), "{}", setting.name);
        names.push(setting.name.to_owned());
        names.push(setting.environment());
        names.extend(setting.short.map(String::from));
        names.extend(setting.extended.map(|name| format!("-o {name}")));
    }
    let count = names.len();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), count);
    super::parse::command().debug_assert();
}

#[test]
fn what_a_row_shows_it_also_takes() {
    let rows = flags::all().filter(|row| !matches!(row.kind, Kind::Environment(_)));
    for setting in rows.filter(|row| !row.is_refused()) {
        let shown = (setting.show)(&Config::default());
        if shown.is_empty() {
            continue;
        }
        let mut config = Config::default();
        (setting.apply)(&mut config, &shown).unwrap_or_else(|_| panic!("{}", setting.name));
        config.stats_detail = false;
        assert_eq!(config, Config::default(), "{} {shown}", setting.name);
    }
}

#[test]
fn the_example_in_the_package_is_accepted() {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/packaging/larderd.conf.example"
    );
    let loaded = load_with(&format!("--config {path}"), &[]).unwrap();
    assert_eq!(loaded.warnings, [""; 0]);
    // Its commented lines too are options.
    let text = std::fs::read_to_string(path).unwrap();
    let uncommented: String = text
        .lines()
        .map(|line| line.strip_prefix('#').filter(|l| !l.starts_with(' ')))
        .map(|line| format!("{}\n", line.unwrap_or_default()))
        .collect();
    let loaded = load_file(&uncommented, "", &[]).unwrap();
    assert_eq!(loaded.warnings, [""; 0]);
    assert!(!loaded.config.flush_enabled);
}

/// What a shell knows of the options.
fn completion(shell: Shell) -> String {
    let mut out = Vec::new();
    clap_complete::generate(shell, &mut super::parse::command(), "larderd", &mut out);
    String::from_utf8(out).unwrap()
}

#[test]
fn generated_pages_are_current() {
    for (path, text) in [
        ("docs/configuration.md", render::markdown()),
        ("packaging/larderd.8", render::man()),
        ("packaging/larderd.conf.5", render::file_man()),
        (
            "packaging/completions/larderd.bash",
            completion(Shell::Bash),
        ),
        (
            "packaging/completions/larderd.fish",
            completion(Shell::Fish),
        ),
        ("packaging/completions/_larderd", completion(Shell::Zsh)),
    ] {
        let full = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
        if std::env::var_os("UPDATE_GENERATED").is_some() {
            std::fs::create_dir_all(full.parent().unwrap()).unwrap();
            std::fs::write(&full, &text).unwrap();
        }
        assert!(
            std::fs::read_to_string(&full).is_ok_and(|now| now == text),
            "{path} is stale: run UPDATE_GENERATED=1 cargo test generated"
        );
    }
}

#[test]
fn listeners_inherit_the_protocol_unless_they_name_one() {
    let config = load("-B ascii -l proto[binary]:a:1,b").unwrap();
    let protocols: Vec<_> = config.tcp_listen().iter().map(|l| l.protocol).collect();
    assert_eq!(
        protocols,
        [Some(BindingProtocol::Binary), Some(BindingProtocol::Ascii)]
    );
}
