//! House rules that no compiler checks: the layers, and what a source file may contain.
//!
//! Every rule reads the files of the project as text, so it needs no tool and runs with the
//! tests. A failure names the file and the rule.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// A folder, and the words that must not appear in its code. Comments may name anything.
const FORBIDDEN: &[(&str, &[&str])] = &[
    (
        "src/protocol",
        &[
            "crate::client",
            "crate::store",
            "crate::auth",
            "crate::cluster",
            "crate::stats",
            "crate::session",
            "crate::server",
            "crate::config",
            "crate::daemon",
            "mio::",
            "std::net",
            "std::thread",
            "::now()",
        ],
    ),
    (
        "src/store",
        &[
            "crate::client",
            "crate::protocol",
            "crate::auth",
            "crate::cluster",
            "crate::stats",
            "crate::session",
            "crate::server",
            "crate::config",
            "crate::daemon",
            "mio::",
            "std::net",
            "std::thread",
            "::now()",
        ],
    ),
    (
        "src/auth",
        &[
            "crate::client",
            "crate::protocol",
            "crate::store",
            "crate::cluster",
            "crate::session",
            "crate::server",
            "crate::admin",
            "crate::daemon",
            "mio::",
            "std::net",
            "std::thread",
            "::now()",
        ],
    ),
    (
        "src/cluster",
        &[
            "crate::client",
            "crate::protocol",
            "crate::store",
            "crate::auth",
            "crate::session",
            "crate::server",
            "crate::admin",
            "crate::daemon",
            "mio::",
            "std::thread",
            "::now()",
        ],
    ),
    (
        "src/stats",
        &[
            "crate::client",
            "crate::protocol",
            "crate::store",
            "crate::auth",
            "crate::cluster",
            "crate::session",
            "crate::server",
            "crate::admin",
            "crate::daemon",
            "mio::",
            "std::net",
            "std::thread",
            "::now()",
        ],
    ),
    (
        "src/session",
        &[
            "crate::client",
            "crate::server",
            "crate::admin",
            "crate::daemon",
            "mio::",
            "std::net",
            "std::thread",
            "Instant::now",
            "SystemTime::now",
        ],
    ),
    (
        "src/server",
        &[
            "crate::client",
            "crate::protocol",
            "crate::admin",
            "crate::daemon",
            "\\r\\n",
        ],
    ),
    (
        "src/config",
        &[
            "crate::client",
            "crate::session",
            "crate::server",
            "crate::admin",
            "crate::daemon",
            "mio::",
        ],
    ),
    (
        "src/admin",
        &[
            "crate::client",
            "crate::protocol",
            "crate::server",
            "crate::daemon",
        ],
    ),
    ("src/daemon", &["crate::client", "\\r\\n"]),
    (
        // Another program: it knows the words of the wire, and nothing of the daemon.
        "src/client",
        &[
            "crate::store",
            "crate::auth",
            "crate::stats",
            "crate::session",
            "crate::server",
            "crate::admin",
            "crate::daemon",
        ],
    ),
];

/// Lines of a source file. A longer one holds more than one idea.
const LINE_COUNT_MAX: usize = 800;

/// The one file of the library that may hold unsafe code.
const UNSAFE_HOME: &str = "src/store/arena.rs";

/// Words that promise work instead of doing it. Split, so that this file passes its own rule.
const UNFINISHED: &[&str] = &[
    concat!("TO", "DO"),
    concat!("FIX", "ME"),
    concat!("X", "XX:"),
    concat!("unimplement", "ed!"),
    concat!("tod", "o!("),
    concat!("dbg", "!("),
];

/// Hosts that packages come from. Tools know where to look; a file that says so goes stale.
/// Split, so that this file passes its own rule.
const REGISTRIES: &[&str] = &[
    concat!("crates", ".io"),
    concat!("py", "pi.org"),
    concat!("npm", "js."),
    concat!("deb.", "debian.org"),
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Files below `folder` that end in one of `endings`, sorted.
fn files(folder: &str, endings: &[&str]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(next) = folders.pop() {
        let Ok(entries) = fs::read_dir(&next) else {
            continue;
        };
        for entry in entries {
            let path = entry.expect("a readable folder").path();
            let name = path.to_string_lossy().into_owned();
            if path.is_dir() {
                const FOREIGN: [&str; 4] = ["/.git", "/.venv", "/node_modules", "/target"];
                if !FOREIGN.iter().any(|part| name.contains(part)) {
                    folders.push(path);
                }
            } else if endings.iter().any(|ending| name.ends_with(ending)) {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// All Rust sources of the project.
fn sources() -> Vec<PathBuf> {
    let mut all = files("src", &[".rs"]);
    all.extend(files("tests", &[".rs"]));
    all.extend(files("benches", &[".rs"]));
    assert!(all.len() > 10, "the sources are where this test looks");
    all
}

fn name(path: &Path) -> String {
    path.strip_prefix(root())
        .expect("a file of this project")
        .to_string_lossy()
        .into_owned()
}

fn text(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", name(path)))
}

/// The lines that the library is built from: no comment, and nothing from the unit tests on.
fn code(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines()
        .enumerate()
        .take_while(|(_, line)| line.trim() != "#[cfg(test)]")
        .filter(|(_, line)| !line.trim_start().starts_with("//"))
        .map(|(index, line)| (index + 1, line))
}

/// Unit tests in a file of their own are no part of the library.
fn is_test(name: &str) -> bool {
    name.ends_with("/tests.rs") || name.contains("/tests/") || name.contains("_tests.rs")
}

fn refuse(broken: &[String]) {
    assert!(broken.is_empty(), "\n{}", broken.join("\n"));
}

#[test]
fn arrows_between_layers_point_down() {
    let mut broken = Vec::new();
    for (folder, words) in FORBIDDEN {
        for path in files(folder, &[".rs"]) {
            let name = name(&path);
            if is_test(&name) {
                continue;
            }
            let text = text(&path);
            for (line, code) in code(&text) {
                for word in *words {
                    if code.contains(word) {
                        broken.push(format!("{name}:{line}: {folder} must not say {word}"));
                    }
                }
            }
        }
    }
    refuse(&broken);
}

#[test]
fn wire_line_ends_are_written_in_protocol_and_session_only() {
    let mut broken = Vec::new();
    for path in files("src", &[".rs"]) {
        let name = name(&path);
        let allowed = ["src/protocol/", "src/session/", "src/admin/http.rs"];
        if is_test(&name) || allowed.iter().any(|home| name.starts_with(home)) {
            continue;
        }
        for (line, code) in code(&text(&path)) {
            if code.contains("\\r\\n") {
                broken.push(format!("{name}:{line}: a line end of the wire"));
            }
        }
    }
    refuse(&broken);
}

#[test]
fn a_source_file_is_short_ascii_and_says_what_it_is() {
    let mut broken = Vec::new();
    for path in sources() {
        let name = name(&path);
        let text = text(&path);
        let lines = text.lines().count();
        if lines > LINE_COUNT_MAX {
            broken.push(format!("{name}: {lines} lines, more than {LINE_COUNT_MAX}"));
        }
        if let Some(at) = text.lines().position(|line| !line.is_ascii()) {
            broken.push(format!("{name}:{}: not ASCII", at + 1));
        }
        if !text.starts_with("//! ") {
            broken.push(format!("{name}: does not begin with a `//!` header"));
        }
    }
    refuse(&broken);
}

#[test]
fn nothing_is_left_unfinished() {
    let mut broken = Vec::new();
    for path in sources() {
        for (index, line) in text(&path).lines().enumerate() {
            for word in UNFINISHED {
                if line.contains(word) {
                    broken.push(format!("{}:{}: {word}", name(&path), index + 1));
                }
            }
        }
    }
    refuse(&broken);
}

#[test]
fn unsafe_code_lives_in_one_file() {
    let mut broken = Vec::new();
    for path in sources() {
        let name = name(&path);
        if name == UNSAFE_HOME {
            continue;
        }
        for (index, line) in text(&path).lines().enumerate() {
            let code = line.trim_start();
            let opens = ["unsafe {", "unsafe fn", "unsafe impl", "(unsafe_code"];
            let quoted = code.starts_with("//") || code.contains("let opens");
            if !quoted && opens.iter().any(|word| code.contains(word)) {
                broken.push(format!("{name}:{}: {code}", index + 1));
            }
        }
    }
    refuse(&broken);
}

#[test]
fn rustls_is_named_in_one_file_of_each_program() {
    let homes: BTreeSet<String> = files("src", &[".rs"])
        .iter()
        .filter(|path| code(&text(path)).any(|(_, line)| line.contains("rustls")))
        .map(|path| name(path))
        .collect();
    let expected = ["src/client/tls.rs", "src/server/tls.rs"].map(str::to_owned);
    assert_eq!(homes, BTreeSet::from(expected), "rustls is named elsewhere");
}

#[test]
fn tests_are_skipped_by_one_function() {
    let mut broken = Vec::new();
    for path in files("tests/suite", &[".rs"]) {
        let name = name(&path);
        let says_so = text(&path).contains(concat!("skip", "ped: "));
        if says_so && name != "tests/suite/support/process.rs" {
            broken.push(format!("{name}: use `skip`, or let the test fail"));
        }
    }
    refuse(&broken);
}

#[test]
fn package_hosts_are_not_written_down() {
    let endings = [
        ".rs", ".md", ".toml", ".txt", ".py", ".json", "Makefile", "run",
    ];
    let mut broken = Vec::new();
    for path in files(".", &endings) {
        let Ok(text) = fs::read_to_string(&path) else {
            continue;
        };
        for word in REGISTRIES {
            if text.contains(word) {
                broken.push(format!("{}: {word}", name(&path)));
            }
        }
    }
    refuse(&broken);
}

#[test]
fn documents_point_to_files_that_exist() {
    let mut pages = files("docs", &[".md"]);
    pages.push(root().join("README.md"));
    let mut broken = Vec::new();
    for page in pages {
        let folder = page.parent().expect("a page lies in a folder");
        for target in links(&text(&page)) {
            let file = target.split('#').next().unwrap_or_default();
            let external = file.contains("://") || file.starts_with("mailto:");
            if !file.is_empty() && !external && !folder.join(file).exists() {
                broken.push(format!("{}: no such file: {target}", name(&page)));
            }
        }
        for path in named_paths(&text(&page)) {
            if !root().join(&path).exists() {
                broken.push(format!("{}: no such file: {path}", name(&page)));
            }
        }
    }
    refuse(&broken);
}

/// The targets of inline Markdown links.
fn links(text: &str) -> Vec<String> {
    text.split("](")
        .skip(1)
        .filter_map(|rest| rest.split(')').next())
        .map(str::to_owned)
        .collect()
}

/// Paths of sources and tests that a page names in backquotes.
fn named_paths(text: &str) -> Vec<String> {
    text.split('`')
        .skip(1)
        .step_by(2)
        .filter(|word| {
            ["src/", "tests/", "docs/", "benches/", "packaging/"]
                .iter()
                .any(|folder| word.starts_with(folder))
        })
        .filter(|word| !word.contains(['*', '{', ' ', '<']))
        .map(|word| word.trim_end_matches(['.', ',']).to_owned())
        .collect()
}
