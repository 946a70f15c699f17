//! TLS with other people's clients: their libraries, their handshakes, their ways to refuse.
#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot be set up has failed"
)]

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use crate::support::foreign::{Library, Tunnel, in_path, run};
use crate::support::{Authority, Server};

/// Libraries that speak TLS themselves, and whether they can show a certificate.
const ENCRYPTING: &[(Library, bool)] = &[
    (Library::Bmemcached, true),
    (Library::Emcache, false),
    (Library::Pymemcache, true),
];

/// Libraries that leave TLS to somebody before them.
const PLAIN: &[Library] = &[Library::Memjs, Library::Pylibmc];

/// A daemon that asks for client certificates in this way.
fn server(authority: &Authority, mode: u8) -> Server {
    let words = format!(
        "{},ssl_verify_mode={mode},ssl_session_cache",
        authority.words()
    );
    Server::start(&["-Z", "-o", &words])
}

fn word(name: &str, file: &Path) -> String {
    format!("{name}={}", file.display())
}

#[test]
fn libraries_converse_through_tls_of_both_versions() {
    let authority = Authority::new();
    let server = server(&authority, 0);
    let port = server.address().port();
    let ca = word("ca", &authority.path("ca", "pem"));
    for version in ["tls=1.2", "tls=1.3"] {
        for &(library, _) in ENCRYPTING {
            library.converse(port, &[ca.clone(), version.to_owned()]);
        }
    }
    let ca = authority.path("ca", "pem");
    for version in ["-tls1_2", "-tls1_3"] {
        let arguments = [version.as_ref(), "-CAfile".as_ref(), ca.as_os_str()];
        let tunnel = Tunnel::open(server.address(), &arguments);
        for library in PLAIN {
            library.converse(tunnel.port(), &[]);
        }
    }
}

#[test]
fn libraries_show_the_certificate_that_is_required_or_are_refused() {
    let authority = Authority::new();
    authority.sign("app");
    let server = server(&authority, 2);
    let port = server.address().port();
    let ca = word("ca", &authority.path("ca", "pem"));
    let shown = [
        ca.clone(),
        word("cert", &authority.path("app", "pem")),
        word("key", &authority.path("app", "key")),
    ];
    for &(library, shows) in ENCRYPTING {
        library.converse(port, &[ca.clone(), "refused".to_owned()]);
        if shows {
            library.converse(port, &shown);
        }
    }
    let files = ["ca", "app", "app"].into_iter().zip(["pem", "pem", "key"]);
    let files: Vec<_> = files.map(|(name, end)| authority.path(name, end)).collect();
    let with = ["-CAfile", "-cert", "-key"];
    let arguments: Vec<_> = with
        .iter()
        .zip(&files)
        .flat_map(|(option, file)| [option.as_ref(), file.as_os_str()])
        .collect();
    for (arguments, words) in [
        (&arguments[..], vec![]),
        (&arguments[..2], vec!["refused".to_owned()]),
    ] {
        let tunnel = Tunnel::open(server.address(), arguments);
        for library in PLAIN {
            library.converse(tunnel.port(), &words);
        }
    }
}

#[test]
fn libraries_refuse_a_server_that_another_authority_has_signed() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    let server = server(&authority, 0);
    let words = [
        word("ca", &stranger.path("ca", "pem")),
        "refused".to_owned(),
    ];
    for &(library, _) in ENCRYPTING {
        library.converse(server.address().port(), &words);
    }
    server_is_well(&authority, &server);
}

fn server_is_well(authority: &Authority, server: &Server) {
    let ca = word("ca", &authority.path("ca", "pem"));
    Library::Pymemcache.converse(server.address().port(), &[ca]);
}

/// What `openssl s_client` says when it asks for `mn` and leaves.
fn s_client(address: SocketAddr, arguments: &[&str]) -> String {
    let mut command = Command::new(in_path("openssl"));
    command.args(["s_client", "-ign_eof", "-verify_return_error"]);
    command.args(["-connect", &address.to_string()]);
    run(command.args(arguments), "mn\r\nquit\r\n").1
}

#[test]
fn openssl_agrees_on_versions_and_certificates() {
    let authority = Authority::new();
    let stranger = Authority::new();
    authority.sign("app");
    stranger.sign("app");
    let path = |authority: &Authority, name: &str, ending: &str| {
        authority.path(name, ending).display().to_string()
    };
    let ca = path(&authority, "ca", "pem");
    let trust = ["-CAfile", ca.as_str()];
    let own = [
        path(&authority, "app", "pem"),
        path(&authority, "app", "key"),
    ];
    let own = ["-cert", own[0].as_str(), "-key", own[1].as_str()];
    let foreign = [path(&stranger, "app", "pem"), path(&stranger, "app", "key")];
    let foreign = ["-cert", foreign[0].as_str(), "-key", foreign[1].as_str()];
    let other_ca = path(&stranger, "ca", "pem");
    let (free, strict) = (server(&authority, 0), server(&authority, 2));
    for (server, arguments, served) in [
        (&free, [&trust[..], &["-tls1_2"]].concat(), true),
        (&free, [&trust[..], &["-tls1_3"]].concat(), true),
        (&free, [&trust[..], &own].concat(), true),
        (&free, vec!["-CAfile", other_ca.as_str()], false),
        (
            &free,
            [&trust[..], &["-tls1_1", "-cipher", "ALL@SECLEVEL=0"]].concat(),
            false,
        ),
        (&strict, [&trust[..], &own, &["-tls1_2"]].concat(), true),
        (&strict, [&trust[..], &own, &["-tls1_3"]].concat(), true),
        (&strict, [&trust[..], &["-tls1_2"]].concat(), false),
        (&strict, [&trust[..], &["-tls1_3"]].concat(), false),
        (&strict, [&trust[..], &foreign].concat(), false),
    ] {
        let text = s_client(server.address(), &arguments);
        assert_eq!(text.contains("\nMN\r\n"), served, "{arguments:?}: {text}");
    }
}

#[test]
fn openssl_resumes_its_sessions() {
    let authority = Authority::new();
    let server = server(&authority, 0);
    let ca = authority.path("ca", "pem").display().to_string();
    let kept = authority.path("session", "pem").display().to_string();
    for version in ["-tls1_2", "-tls1_3"] {
        let trust = ["-CAfile", ca.as_str(), version];
        let first = [&trust[..], &["-sess_out", &kept]].concat();
        let again = [&trust[..], &["-sess_in", &kept]].concat();
        let text = s_client(server.address(), &first);
        assert!(text.contains("\nNew, TLSv1"), "{text}");
        let text = s_client(server.address(), &again);
        assert!(text.contains("\nReused, TLSv1"), "{text}");
        assert!(text.contains("MN\r\n"), "{text}");
    }
}

#[test]
fn the_memcache_crate_has_a_conversation_through_tls() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let program = root.join("target/clients/debug/memcache_tls");
    assert!(program.exists(), "`make deps` builds this client");
    let (authority, stranger) = (Authority::new(), Authority::new());
    authority.sign("app");
    let file =
        |authority: &Authority, name, ending| authority.path(name, ending).display().to_string();
    let trust = format!("ca_path={}", file(&authority, "ca", "pem"));
    let distrust = format!("ca_path={}", file(&stranger, "ca", "pem"));
    let shown = format!(
        "{trust}&cert_path={}&key_path={}",
        file(&authority, "app", "pem"),
        file(&authority, "app", "key")
    );
    let (free, strict) = (server(&authority, 0), server(&authority, 2));
    for (server, words, served) in [
        (&free, &trust, true),
        (&free, &shown, true),
        (&free, &distrust, false),
        (&strict, &shown, true),
        (&strict, &trust, false),
    ] {
        for protocol in ["ascii", "binary"] {
            let address = server.address();
            let url = format!("memcache+tls://{address}?timeout=20&protocol={protocol}&{words}");
            let (_, text) = run(Command::new(&program).arg(&url), "");
            assert_eq!(text.contains("all said"), served, "{url}: {text}");
        }
    }
}
