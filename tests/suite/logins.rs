//! Logging in with other people's clients, and a table of every way in: no cell of it serves data
//! with less protection than was asked for.

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use crate::support::foreign::{Library, Tunnel};
use crate::support::packet::Packet;
use crate::support::process::{is_root, patience};
use crate::support::{Authority, Client, Server, server, text_file};

fn users() -> tempfile::NamedTempFile {
    text_file(
        "foo:bar
",
    )
}

fn name(path: &Path) -> String {
    path.to_str().expect("a path of letters").to_owned()
}

/// The right password, a wrong one, and none.
fn attempts() -> [Vec<String>; 3] {
    let words = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect();
    [
        words(&["user=foo", "password=bar"]),
        words(&["user=foo", "password=baz", "refused"]),
        words(&["refused"]),
    ]
}

#[test]
fn libraries_log_in_by_sasl_or_are_refused() {
    let (authority, users) = (Authority::new(), users());
    let users = name(users.path());
    let plain = Server::start(&["-S", "-Y", &users]);
    let secured = Server::start(&["-S", "-Y", &users, "-Z", "-o", &authority.words()]);
    let ca = authority.path("ca", "pem");
    let arguments = ["-CAfile".as_ref(), ca.as_os_str()];
    let tunnel = Tunnel::open(secured.address(), &arguments);
    for words in attempts() {
        for library in [Library::Bmemcached, Library::Memjs, Library::Pylibmc] {
            library.converse(plain.address().port(), &words);
            if library != Library::Bmemcached {
                library.converse(tunnel.port(), &words);
            }
        }
        let trust = format!("ca={}", ca.display());
        let words = [&words[..], &[trust]].concat();
        Library::Bmemcached.converse(secured.address().port(), &words);
    }
}

#[test]
fn emcache_logs_in_by_text_or_is_refused() {
    let (authority, users) = (Authority::new(), users());
    let users = name(users.path());
    let plain = Server::start(&["-Y", &users]);
    let secured = Server::start(&["-Y", &users, "-Z", "-o", &authority.words()]);
    let trust = format!("ca={}", authority.path("ca", "pem").display());
    for words in attempts() {
        Library::Emcache.converse(plain.address().port(), &words);
        let words = [&words[..], std::slice::from_ref(&trust)].concat();
        Library::Emcache.converse(secured.address().port(), &words);
    }
}

#[test]
fn the_memcache_crate_logs_in_by_both_protocols_or_is_refused() {
    let users = users();
    let server = Server::start(&["-S", "-Y", &name(users.path())]);
    for protocol in ["ascii", "binary"] {
        for (login, served) in [("foo:bar@", true), ("foo:baz@", false), ("", false)] {
            let address = server.address();
            let url = format!("memcache://{login}{address}?timeout=20&protocol={protocol}");
            let builder = memcache::ClientBuilder::new()
                .with_connection_timeout(Duration::from_secs(1))
                .add_server(url.as_str())
                .expect("a URL");
            let stored = builder.build().and_then(|client| client.set("k", "v", 0));
            assert_eq!(stored.is_ok(), served, "{url}: {stored:?}");
        }
    }
}

/// What the operator asks for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Mode {
    Nothing,
    Text,
    Sasl,
    Both,
}

/// What is spoken, and where.
const PROTOCOLS: [&str; 3] = ["auto", "ascii", "binary"];
const TRANSPORTS: [&str; 5] = ["tcp", "tcp by prefix", "unix", "udp", "tls"];

/// Whether text and binary are served: never, to everybody, or after a login only.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Service {
    None,
    Open,
    Login,
}

/// What a cell must be: a reason not to start, or the service of text and binary.
fn wanted(mode: Mode, protocol: &str, transport: &str) -> Result<[Service; 2], &'static str> {
    let spoken = [protocol != "binary", protocol != "ascii"];
    if mode != Mode::Nothing && transport == "udp" {
        return Err("a datagram cannot log in");
    }
    let services = match mode {
        Mode::Nothing => [Service::Open, Service::Open],
        Mode::Text if protocol == "binary" => return Err("add -S"),
        Mode::Text => [Service::Login, Service::None],
        Mode::Sasl if protocol != "binary" => return Err("speaks text has no login"),
        Mode::Sasl => [Service::None, Service::Login],
        Mode::Both => [Service::Login, Service::Login],
    };
    let both = services.into_iter().zip(spoken);
    let mut both = both.map(|(service, spoken)| if spoken { service } else { Service::None });
    Ok([(); 2].map(|()| both.next().expect("two")))
}

/// What a client of the text protocol is given.
fn text(connect: &dyn Fn() -> Client) -> Service {
    let serves = |client: &mut Client| {
        client.try_send("get sentinel\r\n");
        client.take(5) == b"END\r\n"
    };
    if serves(&mut connect()) {
        return Service::Open;
    }
    let mut client = connect();
    client.try_send("set _ 0 0 7\r\nfoo bar\r\n");
    if client.take(8) == b"STORED\r\n" && serves(&mut client) {
        return Service::Login;
    }
    Service::None
}

/// What a client of the binary protocol is given.
fn binary(connect: &dyn Fn() -> Client) -> Service {
    // What is said in text to a packet is no reply either.
    let status = |client: &mut Client, packet: &Packet| {
        client.try_send(packet.bytes(7));
        let head = client.take(24);
        let whole = head.len() == 24 && head[0] == 0x81;
        whole.then(|| {
            client.take(usize::from(head[11]));
            u16::from_be_bytes([head[6], head[7]])
        })
    };
    let get = Packet::new(0x00, "sentinel");
    let mut client = connect();
    if status(&mut client, &get) == Some(1) {
        return Service::Open;
    }
    let mut client = connect();
    let login = Packet::new(0x21, "PLAIN").value("\0foo\0bar");
    if status(&mut client, &login) == Some(0) && status(&mut client, &get) == Some(1) {
        return Service::Login;
    }
    Service::None
}

/// What datagrams are given. Those that are not expected to be answered are sent first: once the
/// others have their answers, nothing more comes.
fn datagrams(server: &Server, wanted: [Service; 2]) -> [Service; 2] {
    let ports = server.ports();
    let line = ports.lines().find(|line| line.starts_with("UDP"));
    let port: Option<u16> = line.and_then(|line| line.rsplit(' ').next()?.parse().ok());
    let to = SocketAddr::from(([127, 0, 0, 1], port.expect("a port for datagrams")));
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a port");
    socket.set_read_timeout(Some(patience())).expect("a socket");
    let get = Packet::new(0x00, "sentinel").bytes(2);
    let requests = [&b"get sentinel\r\n"[..], &get];
    let mut order = [0, 1];
    order.sort_by_key(|&index| wanted[index] != Service::None);
    for index in order {
        let id = u8::try_from(index).expect("a small number");
        let datagram = [&[0, id, 0, 0, 0, 1, 0, 0], requests[index]].concat();
        socket.send_to(&datagram, to).expect("a datagram");
    }
    let mut given = [Service::None; 2];
    for _ in wanted.iter().filter(|&&service| service != Service::None) {
        let mut reply = [0; 1400];
        let size = socket.recv(&mut reply).expect("a reply");
        let good = [&b"END\r\n"[..], &[0x81, 0, 0, 0, 0, 0, 0, 1]];
        let index = usize::from(reply[1]);
        if reply[8..size].starts_with(good[index]) {
            given[index] = Service::Open;
        }
    }
    given
}

/// One cell of the table.
fn cell(mode: Mode, protocol: &str, transport: &str, users: &str, authority: &Authority) {
    let cell = format!("{mode:?}, {protocol}, {transport}");
    let by_prefix = format!("proto[{protocol}]:127.0.0.1");
    let words = authority.words();
    let mut flags = match transport {
        "tcp by prefix" => vec!["-l", &by_prefix, "-p", "-1"],
        "unix" => vec!["-s", "FOLDER/socket", "-B", protocol],
        "udp" => vec!["-l", "127.0.0.1", "-p", "-1", "-U", "-1", "-B", protocol],
        _ => vec!["-l", "127.0.0.1", "-p", "-1", "-B", protocol],
    };
    if transport == "tls" {
        flags.extend(["-Z", "-o", &words]);
    }
    let mut environment = Vec::new();
    match mode {
        Mode::Nothing => {}
        Mode::Text => flags.extend(["-Y", users]),
        Mode::Sasl => {
            flags.push("-S");
            environment.push(("MEMCACHED_SASL_PWDB", users));
        }
        Mode::Both => flags.extend(["-S", "-Y", users]),
    }
    let wanted = match wanted(mode, protocol, transport) {
        Ok(wanted) => wanted,
        Err(reason) => {
            if is_root() {
                flags.extend(["-u", "root"]);
            }
            let folder = tempfile::tempdir().expect("a folder");
            let here = folder.path().to_string_lossy().into_owned();
            let flags: Vec<String> = flags.iter().map(|f| f.replace("FOLDER", &here)).collect();
            let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
            let ended = server::run(&flags, &environment);
            assert!(ended.code.is_some_and(|code| code != 0), "{cell}");
            assert!(ended.stderr.contains(reason), "{cell}: {}", ended.stderr);
            return;
        }
    };
    let server = Server::start_bare_with(&flags, &environment);
    let given = if transport == "udp" {
        datagrams(&server, wanted)
    } else {
        let ca = authority.path("ca", "pem");
        let arguments = ["-CAfile".as_ref(), ca.as_os_str()];
        let tunnel = (transport == "tls").then(|| Tunnel::open(server.address(), &arguments));
        let connect = || match (&tunnel, transport) {
            (Some(tunnel), _) => Client::tcp((Ipv4Addr::LOCALHOST, tunnel.port()).into()),
            (None, "unix") => Client::unix(&server.socket()),
            (None, _) => server.connect(),
        };
        [text(&connect), binary(&connect)]
    };
    assert_eq!(given, wanted, "{cell}");
}

#[test]
fn no_way_in_has_less_protection_than_was_asked_for() {
    let (authority, users) = (Authority::new(), users());
    let users = name(users.path());
    for mode in [Mode::Nothing, Mode::Text, Mode::Sasl, Mode::Both] {
        for protocol in PROTOCOLS {
            for transport in TRANSPORTS {
                cell(mode, protocol, transport, &users, &authority);
            }
        }
    }
}

#[test]
fn secrets_that_everybody_on_the_host_can_read_are_told() {
    let (authority, users) = (Authority::new(), users());
    let key = authority.path("server", "key");
    for (mode, count) in [(0o644, 1), (0o640, 0), (0o600, 0)] {
        for file in [users.path(), &key] {
            let mode = std::fs::Permissions::from_mode(mode);
            std::fs::set_permissions(file, mode).expect("a file of ours");
        }
        let users = name(users.path());
        let server = Server::start(&["-Y", &users, "-Z", "-o", &authority.words()]);
        // Once somebody is answered, if only by a refusal, all files have been read.
        let mut client = server.connect();
        client.send("no greeting of TLS\r\n");
        client.rest();
        let log = server.log();
        for file in [&users, &name(&key)] {
            let told = |line: &&str| line.starts_with("warn") && line.contains(file.as_str());
            assert_eq!(log.lines().filter(told).count(), count, "{file}: {log}");
        }
    }
}

#[test]
fn secrets_that_cannot_be_read_stop_the_start_by_name() {
    let authority = Authority::new();
    let folder = tempfile::tempdir().expect("a folder");
    let (folder, missing) = (name(folder.path()), "/no/such/file".to_owned());
    let words = |chain: &str, key: &str| format!("ssl_chain_cert={chain},ssl_key={key}");
    let (chain, key) = (
        name(&authority.path("server", "pem")),
        name(&authority.path("server", "key")),
    );
    for (flags, file) in [
        (vec!["-Y".to_owned(), missing.clone()], &missing),
        (vec!["-Y".to_owned(), folder.clone()], &folder),
        (tls(&words(&missing, &key)), &missing),
        (tls(&words(&chain, &missing)), &missing),
        (tls(&words(&chain, &folder)), &folder),
    ] {
        let mut flags: Vec<&str> = flags.iter().map(String::as_str).collect();
        flags.extend(["-l", "127.0.0.1", "-p", "-1"]);
        if is_root() {
            flags.extend(["-u", "root"]);
        }
        let ended = server::run(&flags, &[]);
        assert!(ended.code.is_some_and(|code| code != 0), "{flags:?}");
        let (said, file) = (&ended.stderr, file.as_str());
        assert!(said.contains(file), "{flags:?}: {said}");
    }
}

fn tls(words: &str) -> Vec<String> {
    ["-Z", "-o", words].map(str::to_owned).to_vec()
}
