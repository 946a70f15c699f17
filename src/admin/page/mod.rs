//! The page at `/`: one document with everything in it, for people.
//!
//! ```text
//! page.html  page.css  page.js     the sources of the document, put into one
//! sections.rs                      what changes from second to second: words from figures
//! insight.rs                       what is looked into less often, since it costs more
//! words.rs                         figures as people read them
//! view.rs                          those words as HTML and as JSON
//! ```
//!
//! It can be read without its script. The script asks for the same words as JSON (`/api/v1/page`)
//! once a second, draws the chart from `/api/v1/history`, and puts text only ever as text.

mod insight;
mod sections;
mod view;
pub(in crate::admin) mod words;

use std::sync::LazyLock;

use base64ct::{Base64, Encoding};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::history::{Span, names};
use super::state::State;
use crate::session::figures::config_in_force;
use crate::time::Now;
use view::escape;

/// What HTML is called over HTTP.
pub(super) const CONTENT_TYPE: &str = "text/html; charset=utf-8";

const DOCUMENT: &str = include_str!("page.html");
const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

/// What a browser may do with the page: run this script, apply this style, ask this daemon.
/// Nothing else, from nowhere else, and in nobody's frame.
pub(super) static POLICY: LazyLock<String> = LazyLock::new(|| {
    let hash = |text: &str| Base64::encode_string(&Sha256::digest(text));
    format!(
        "default-src 'none'; script-src 'sha256-{}'; style-src 'sha256-{}'; connect-src 'self'; \
         img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; \
         require-trusted-types-for 'script'",
        hash(SCRIPT),
        hash(STYLE),
    )
});

/// The document as it is at this moment. `stuck` names threads that do not come round.
pub(super) fn document(state: &State, now: Now, stuck: &[String]) -> String {
    let view = sections::view(state, now, stuck);
    let seldom = insight::tables(state, now);
    let [changed, all] = sections::settings(state);
    let mut out = String::with_capacity(128 << 10);
    let mut pieces = DOCUMENT.split("{{");
    out.push_str(pieces.next().unwrap_or_default());
    for piece in pieces {
        let (name, rest) = piece.split_once("}}").unwrap_or(("", piece));
        match name {
            "style" => out.push_str(STYLE),
            "script" => out.push_str(SCRIPT),
            "host" => escape(&mut out, &host()),
            "health" => view.health_html(&mut out),
            "about" => escape(&mut out, &view.about),
            "tiles" => view.tiles_html(&mut out),
            "settings" => changed.html("", &mut out),
            "all-settings" => all.table_html(&mut out),
            section => {
                let mut tables = view.tables.iter().chain(&seldom);
                if let Some(table) = tables.find(|table| table.id == section) {
                    let drawing = if section == "memory" {
                        view.map_html()
                    } else {
                        String::new()
                    };
                    table.html(&drawing, &mut out);
                }
            }
        }
        out.push_str(rest);
    }
    out
}

/// `/api/v1/page`: the words that stand in the page, and what can be changed from there as it is
/// now, if anything can.
pub(super) fn words(state: &State, now: Now, stuck: &[String], may_change: bool) -> Value {
    let mut words = sections::view(state, now, stuck).json();
    if may_change {
        let shared = &*state.shared;
        words["changes"] = json!({
            "megabytes": shared.store.memory_limit() >> 20,
            "level": config_in_force(shared).verbosity,
        });
    }
    words
}

/// `/api/v1/page?part=insight`: the words of the tables that are looked into less often.
pub(super) fn insight(state: &State, now: Now) -> Value {
    json!({ "tables": view::tables_json(&insight::tables(state, now)) })
}

/// `/api/v1/history`: the points of a span, or those of them that came after some moment.
pub(super) fn history(state: &State, span: Span, since_unix_s: i64) -> Value {
    state.with_history(|history| {
        let points: Vec<_> = history.points(span, since_unix_s).collect();
        let mut all = serde_json::Map::new();
        let times: Vec<i64> = points.iter().map(|point| point.unix_s).collect();
        all.insert("time".to_owned(), json!(times));
        for (index, name) in names().enumerate() {
            let figures = points.iter().map(|point| point.figures()[index]);
            // A tenth is as much as a chart can show.
            let figures: Vec<f64> = figures.map(|f| (f * 10.0).round() / 10.0).collect();
            all.insert(name.to_owned(), json!(figures));
        }
        let (span_s, interval_s) = span.seconds();
        json!({ "span_s": span_s, "interval_s": interval_s, "series": all })
    })
}

/// The name of this host.
fn host() -> String {
    let name = rustix::system::uname();
    name.nodename().to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sources_of_the_page_are_ascii_whole_and_leave_their_elements_alone() {
        for (name, text) in [("html", DOCUMENT), ("css", STYLE), ("js", SCRIPT)] {
            assert!(text.is_ascii(), "{name}");
            assert!(text.lines().count() <= 800, "{name}");
        }
        assert!(!SCRIPT.contains("</script"));
        assert!(!STYLE.contains("</style"));
        // The hashes are those of the elements' whole content.
        assert!(DOCUMENT.contains("<style>{{style}}</style>"));
        assert!(DOCUMENT.contains("<script>{{script}}</script>"));
    }

    #[test]
    fn the_script_makes_nothing_of_text_but_text() {
        for word in [
            "innerHTML",
            "outerHTML",
            "insertAdjacentHTML",
            "document.write",
            "eval(",
            "Function(",
            "setAttribute('on",
        ] {
            assert!(!SCRIPT.contains(word), "{word}");
        }
    }
}
