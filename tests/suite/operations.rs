//! `docs/operations.md`, word for word: its commands are run as they stand, in order, but for the
//! folder, the port and the account.

use std::path::Path;
use std::process::Command;

use rustix::process::{Pid, Signal, kill_process};

use crate::support::foreign::{in_path, run};
use crate::support::process::{is_root, wait_until};
use crate::support::server::{free_port, larderd};

/// A second may be short where much else runs: what the page sleeps for is waited for here.
const HARNESS: &str = r#"
set -e
reloads=0
kill() {
  if [ "$1" = -HUP ]; then reloads=$((reloads + 1)); fi
  command kill "$@"
}
sleep() {
  case $1 in
  0.*) command sleep "$1" ;;
  *) until [ "$(grep -c 'settings reloaded' "$DIR/log")" -ge $reloads ]; do command sleep 0.1; done ;;
  esac
}
"#;

/// Ends the daemon that the page has started, however the test ends.
struct Cleaner<'a>(&'a Path);

impl Drop for Cleaner<'_> {
    fn drop(&mut self) {
        let file = self.0.join("larderd.pid");
        let pid = || std::fs::read_to_string(&file).ok()?.trim().parse().ok();
        if let Some(pid) = pid().and_then(Pid::from_raw) {
            let _gone = kill_process(pid, Signal::TERM);
            wait_until(|| !file.exists());
        }
    }
}

/// The commands of a page, with its headings.
fn blocks(page: &str) -> Vec<(String, String)> {
    let mut blocks = Vec::new();
    let mut heading = String::new();
    let mut block: Option<String> = None;
    for line in page.lines() {
        match (&mut block, line) {
            (None, "```sh") => block = Some(String::new()),
            (Some(_), "```") => blocks.push((heading.clone(), block.take().unwrap_or_default())),
            (Some(text), _) => *text = format!("{text}{line}\n"),
            (None, _) if line.starts_with('#') => line.clone_into(&mut heading),
            (None, _) => {}
        }
    }
    blocks
}

#[test]
fn the_page_on_operations_can_be_followed_word_for_word() {
    in_path("openssl");
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = std::fs::read_to_string(root.join("docs/operations.md")).expect("the page");
    let folder = tempfile::tempdir().expect("a folder");
    let here = folder.path().display().to_string();
    let _cleaner = Cleaner(folder.path());
    let account = if is_root() { "-u root " } else { "" };
    let program = larderd().display().to_string();
    let port = free_port().to_string();
    let mut script = format!("{HARNESS}larderd() {{ {program} \"$@\"; }}\n");
    for (index, (_, block)) in blocks(&page).iter().enumerate() {
        let block = block
            .replace("DIR=/etc/larder", &format!("DIR={here}"))
            .replace("OPTIONS=\"-l", &format!("OPTIONS=\"{account}-l"))
            .replace("11211", &port);
        script.push_str(&format!("echo \"== {index}\"\n{block}"));
    }
    let (code, text) = run(Command::new("sh").args(["-c", &script]), "");
    let log = std::fs::read_to_string(folder.path().join("log")).unwrap_or_default();
    assert_eq!(code, Some(0), "{text}\n{log}");
    let of: Vec<&str> = text.split("== ").collect();
    let part = |words: &str| {
        let index = blocks(&page).iter().position(|(_, b)| b.contains(words));
        of[index.expect("a block") + 1]
    };
    let served = |text: &str| text.contains("STORED\r\nEND\r\n");
    assert!(part("--check-config\nlarderd").contains("The configuration is good."));
    let first = part("stats larder");
    assert!(served(first) && first.contains("STAT tls_certificate_days_left 36"));
    let shown: Vec<&str> = part("-fingerprint")
        .lines()
        .filter(|line| line.contains("ingerprint="))
        .collect();
    assert!(shown.len() == 2 && shown[0] == shown[1], "{shown:?}");
    assert!(part("refresh_certs").contains("STORED\r\nOK\r\n"));
    assert_eq!(
        part("users.next\nprintf")
            .matches("STORED\r\nEND\r\n")
            .count(),
        2
    );
    assert!(part("grep -v").contains("CLIENT_ERROR authentication failure"));
    assert!(served(part("kill -USR1")));
}
