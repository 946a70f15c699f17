//! The page of the admin listener, in a browser.

use crate::admin::admin_address;
use crate::support::Server;
use crate::support::foreign::{python, run};

/// What must be shown as it is written, wherever it appears.
const MARKUP: &str = "<img src=x onerror=document.title='owned'>";

/// One browser looks at everything: starting it takes longer than all that it is asked.
#[test]
fn a_browser_shows_the_page_as_it_is_meant() {
    let Some(mut command) = python() else {
        return;
    };
    let pid_file = format!("FOLDER/{MARKUP}");
    let all = ["-v", "--admin", "127.0.0.1:0", "-t", "2"];
    let server = Server::start(&[&all[..], &["-P", &pid_file]].concat());
    let folder = tempfile::tempdir().expect("a folder");
    let token = "a-token-for-the-browser";
    let file = folder.path().join("token");
    std::fs::write(&file, token).expect("a file");
    let file = file.to_string_lossy().into_owned();
    let guarded = Server::start(&[&all[..], &["--admin-token-file", &file]].concat());

    let root = env!("CARGO_MANIFEST_DIR");
    command.arg(format!("{root}/tests/page/cases.py"));
    command.arg(format!("open=http://{}/", admin_address(&server)));
    command.arg(format!("closed=http://{}/", admin_address(&guarded)));
    command.arg(format!("token={token}"));
    command.arg(format!("port={}", server.address().port()));
    let (code, text) = run(&mut command, "");
    assert!(code == Some(0) && text.contains("passed: all"), "{text}");
}
