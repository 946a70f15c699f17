//! A list of nodes that is declared in a file.

use std::path::PathBuf;

use rustix::process::Signal;

use crate::support::Server;
use crate::support::process::wait_until;
use crate::support::server::run;

/// A daemon that reads its list from a file, and the folder that both share.
struct Declared {
    folder: tempfile::TempDir,
    server: Option<Server>,
}

impl Declared {
    fn start(text: &str) -> Self {
        let mut declared = Self {
            folder: tempfile::tempdir().expect("a folder"),
            server: None,
        };
        declared.write(text);
        declared.restart();
        declared
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("nodes")
    }

    fn write(&self, text: &str) {
        std::fs::write(self.file(), text).expect("a file");
    }

    fn restart(&mut self) {
        self.server = None;
        let file = format!("--cluster-file={}", self.file().display());
        let state = self.folder.path().join("state");
        let state = format!("--cluster-state={}", state.display());
        self.server = Some(Server::start(&[&file, &state, "-v"]));
    }

    fn server(&self) -> &Server {
        self.server.as_ref().expect("a daemon")
    }

    fn told(&self) -> (u32, String) {
        let mut client = self.server().connect();
        client.send("config get cluster\r\n");
        client.line();
        let version = client.line().parse().expect("a version");
        (version, client.line())
    }

    #[track_caller]
    fn await_nodes(&self, nodes: &str) -> u32 {
        let told = wait_until(|| self.told().1 == nodes);
        assert!(told, "{:?}\n{}", self.told(), self.server().log());
        self.told().0
    }

    #[track_caller]
    fn await_log(&self, words: &str) {
        let said = wait_until(|| self.server().log().contains(words));
        assert!(said, "{words}: {}", self.server().log());
    }
}

#[test]
fn a_changed_file_is_followed_and_a_wrong_one_changes_nothing() {
    let mut declared = Declared::start("# two\nb|10.0.0.2|11211\na|10.0.0.1|11211\n");
    let (first, nodes) = declared.told();
    assert_eq!(nodes, "a|10.0.0.1|11211 b|10.0.0.2|11211");

    // Found by itself.
    declared.write("a|10.0.0.1|11211\n");
    let second = declared.await_nodes("a|10.0.0.1|11211");
    assert!(second > first);

    // At once when told to.
    declared.write("a|10.0.0.1|11211\nc||11211\n");
    declared.server().signal(Signal::HUP);
    let third = declared.await_nodes("a|10.0.0.1|11211 c||11211");
    assert!(third > second);

    declared.write("a|10.0.0.1|11211\nnonsense\n");
    declared.server().signal(Signal::HUP);
    declared.await_log("line 2");
    std::fs::remove_file(declared.file()).expect("a file");
    declared.server().signal(Signal::HUP);
    assert_eq!(declared.told().0, third);

    // The list outlives the file and the process.
    declared.restart();
    assert_eq!(
        declared.told(),
        (third, "a|10.0.0.1|11211 c||11211".to_owned())
    );
    declared.write("version 7\na|10.0.0.1|11211\n");
    declared.await_log("version 7 is not above");
    assert_eq!(declared.told().0, third);
}

#[test]
fn the_version_of_the_file_is_told_as_it_stands() {
    let declared = Declared::start("version 41\na|10.0.0.1|11211\n");
    assert_eq!(declared.told(), (41, "a|10.0.0.1|11211".to_owned()));
    declared.write("version 42\nb|10.0.0.1|11211\n");
    assert_eq!(declared.await_nodes("b|10.0.0.1|11211"), 42);
    let mut client = declared.server().connect();
    client.send("config set cluster 0 10\r\n50\nc||1111\n\r\n");
    assert!(client.line().starts_with("CLIENT_ERROR"));
}

#[test]
fn settings_that_cannot_be_used_are_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name).to_string_lossy().into_owned();
    for (name, text) in [
        ("short", "secret\n"),
        ("key", "0123456789abcdef\n"),
        ("list", "a|10.0.0.1|1\nb|10.0.0.1\n"),
        ("state", "larder cluster state 1\n"),
    ] {
        std::fs::write(path(name), text).expect("a file");
    }
    let user: &[&str] = if crate::support::process::is_root() {
        &["-u", "root"]
    } else {
        &[]
    };
    let cases: &[(&[&str], &[&str])] = &[
        (&["--cluster-source=gossip"], &["--cluster-key-file"]),
        (&["--cluster-seeds=a"], &["--cluster-key-file"]),
        (&["--cluster-key-file=NO"], &["--cluster-key-file", "NO"]),
        (&["--cluster-key-file=short"], &["short", "line 1"]),
        (&["--cluster-file=NO"], &["--cluster-file", "NO"]),
        (&["--cluster-file=list"], &["list", "line 2"]),
        (&["--leave"], &["--leave", "none"]),
        (
            &["--cluster-key-file=key", "--cluster-state=state"],
            &["state", "checksum"],
        ),
        (
            &["--cluster-key-file=key", "--cluster-state=no/state"],
            &["--cluster-state", "no/state"],
        ),
    ];
    for (flags, words) in cases {
        let mut all: Vec<String> = vec!["-l127.0.0.1".into(), "-p-1".into()];
        all.extend(user.iter().map(ToString::to_string));
        for flag in *flags {
            all.push(match flag.split_once('=') {
                Some((name, file)) if name.ends_with("file") || name.ends_with("state") => {
                    format!("{name}={}", path(file))
                }
                _ => (*flag).to_owned(),
            });
        }
        // Another daemon may have the port of gossip.
        if flags[0].starts_with("--cluster-key") {
            all.push("--cluster-listen=:0".to_owned());
        }
        let all: Vec<&str> = all.iter().map(String::as_str).collect();
        let ended = run(&all, &[]);
        assert_ne!(ended.code, Some(0), "{flags:?}");
        for word in *words {
            assert!(ended.stderr.contains(word), "{flags:?}: {}", ended.stderr);
        }
        assert!(!ended.stderr.contains("secret"), "{}", ended.stderr);
    }
}
