//! The packages: what the units promise, a life of the Debian package from installation to purge,
//! and what can be said of images and manifests without an engine for them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::foreign::{in_path, python, run};
use crate::support::process::skip;
use crate::support::server;

/// Highest exposure that systemd may find in a unit, in tenths.
const EXPOSURE_MAX: u32 = 20;

fn packaging() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging")
}

fn text(name: &str) -> String {
    fs::read_to_string(packaging().join(name)).expect("a file of the package")
}

#[test]
fn systemd_finds_little_exposure_in_the_units() {
    let analyze = in_path("systemd-analyze");
    for unit in ["larderd.service", "larderd@.service"] {
        let mut command = Command::new(&analyze);
        command.args(["security", "--offline=true", "--no-pager"]);
        command.arg(format!("--threshold={EXPOSURE_MAX}"));
        let (code, said) = run(command.arg(packaging().join(unit)), "");
        let figure = said.lines().find(|line| line.contains("Overall exposure"));
        println!("{}", figure.unwrap_or_default());
        assert!(
            code == Some(0) && figure.is_some(),
            "{unit}: {code:?} {said}"
        );
    }
}

#[test]
fn an_instance_differs_from_the_one_daemon_by_its_settings_only() {
    let one = text("larderd.service");
    let instance = text("larderd@.service")
        .replace("/etc/larder/%i.conf", "/etc/larder/larderd.conf")
        .replace("cache daemon, %i", "cache daemon");
    assert_eq!(instance, one);
}

#[test]
fn both_kinds_of_package_hold_the_same_files() {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml");
    let manifest = fs::read_to_string(manifest).expect("the manifest");
    let (deb, rpm) = manifest
        .split_once("[package.metadata.generate-rpm]")
        .expect("both are described");
    let deb = deb.split("assets = [").nth(1).expect("a list of files");
    let deb: Vec<(String, String)> = deb
        .lines()
        .filter_map(|line| {
            let mut words = line.trim().strip_prefix("[\"")?.split('"');
            let source = words.next()?.to_owned();
            let target = words.nth(1)?.replace("vendor-completions/", "");
            Some((source, format!("/{target}")))
        })
        .collect();
    let rpm: Vec<(String, String)> = rpm
        .lines()
        .filter_map(|line| {
            let mut words = line.trim().strip_prefix("{ source = \"")?.split('"');
            let source = words.next()?.to_owned();
            Some((source, words.nth(1)?.replace("site-functions/", "")))
        })
        .filter(|(source, _)| !source.starts_with("LICENSE"))
        .collect();
    assert!(deb.len() > 15, "{deb:?}");
    assert_eq!(deb, rpm);
}

#[test]
fn the_package_installs_serves_and_leaves_nothing() {
    in_path("dpkg-deb");
    let mut command = python();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/package/scratch.py");
    let daemon = Path::new(env!("CARGO_BIN_EXE_larderd"));
    let programs = daemon.parent().expect("a folder of programs");
    command.arg(script).arg("--programs").arg(programs);
    let (code, said) = run(&mut command, "");
    if code == Some(77) {
        skip(&said);
        return;
    }
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("purged, nothing is left"), "{said}");
}

#[test]
fn command_lines_of_images_and_manifests_are_accepted() {
    let conf = packaging().join("docker/larderd.conf");
    let conf = conf.to_string_lossy();
    for (file, count) in [
        ("docker/larderd.conf", 0),
        ("docker/compose.yaml", 2),
        ("kubernetes/cache.yaml", 5),
    ] {
        let arguments: Vec<String> = text(file)
            .lines()
            .filter_map(|line| line.trim().strip_prefix("- \"--")?.strip_suffix('"'))
            .map(|word| format!("--{}", word.replace("$(POD_NAMESPACE)", "default")))
            .collect();
        assert_eq!(arguments.len(), count, "{file}");
        let mut flags = vec!["--config", &conf, "--check-config"];
        flags.extend(arguments.iter().map(String::as_str));
        let ended = server::run(&flags, &[]);
        assert_eq!(ended.code, Some(0), "{file}: {}", ended.stderr);
        let good = ended.stdout.contains("The configuration is good.");
        assert!(good, "{file}: {}", ended.stdout);
    }
}

#[test]
fn the_image_takes_options_alone_and_any_other_command() {
    let script = packaging().join("docker/docker-entrypoint.sh");
    let programs = Path::new(env!("CARGO_BIN_EXE_larderd")).parent();
    let path = programs.expect("a folder of programs").to_string_lossy();
    let path = format!("{path}:/usr/bin:/bin");
    for (arguments, answer) in [
        (&["-V"][..], "memcached 1.6.45 compatible"),
        (&["larder", "--version"], "larder "),
        (&["echo", "something"], "something\n"),
    ] {
        let mut command = Command::new(&script);
        let (code, said) = run(command.args(arguments).env("PATH", &path), "");
        assert_eq!(code, Some(0), "{arguments:?}: {said}");
        assert!(said.contains(answer), "{arguments:?}: {said}");
    }
}

#[test]
fn the_image_is_made_of_files_that_exist() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let dockerfile = text("docker/Dockerfile");
    let mut seen = 0;
    for line in dockerfile.lines().filter(|line| line.starts_with("COPY ")) {
        let words: Vec<&str> = line.split_whitespace().skip(1).collect();
        let (_, sources) = words.split_last().expect("a target");
        if sources.iter().any(|word| word.starts_with("--from")) {
            continue;
        }
        for source in sources.iter().filter(|word| !word.starts_with("--")) {
            assert!(root.join(source).exists(), "{source}");
            seen += 1;
        }
    }
    assert!(seen > 3, "{dockerfile}");
}
