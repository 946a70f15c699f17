//! The packages: what the units promise, and a life of the Debian package from installation to
//! purge.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::foreign::{in_path, python, run};

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
    let Some(analyze) = in_path("systemd-analyze") else {
        return;
    };
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
    if in_path("dpkg-deb").is_none() {
        return;
    }
    let Some(mut command) = python() else {
        return;
    };
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/package/scratch.py");
    let daemon = Path::new(env!("CARGO_BIN_EXE_larderd"));
    let programs = daemon.parent().expect("a folder of programs");
    command.arg(script).arg("--programs").arg(programs);
    let (code, said) = run(&mut command, "");
    if code == Some(77) {
        eprintln!("skipped: {said}");
        return;
    }
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("purged, nothing is left"), "{said}");
}
