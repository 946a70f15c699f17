//! The parts of the page that cost more than a look at counters: what is hot, what is big, how long
//! things live, what memory is wasted, who is connected, what took long.
//!
//! They say what the API says (`api.rs`), in words.

use serde_json::Value;

use super::view::{Cell, Kind, Row, Table};
use super::words::{self, NONE};
use crate::admin::api;
use crate::admin::state::State;
use crate::session::Choice;
use crate::time::Now;

/// Keys and prefixes that are shown of those that the API tells.
const ROW_COUNT_MAX: usize = 12;

/// Clients that are shown, those with most requests.
const CLIENT_COUNT_MAX: usize = 50;

/// Slow turns that are shown, the newest.
const SLOW_COUNT_MAX: usize = 20;

/// All of them.
pub(super) fn tables(state: &State, now: Now) -> Vec<Table> {
    let are_keys_shown = state.shared.config.dump_enabled;
    let hot = are_keys_shown.then(|| api::hot_keys(state, now));
    let big = are_keys_shown.then(|| api::big_keys(state, now));
    vec![
        advice(&api::waste(state, now)),
        hot_keys(hot.as_ref()),
        hot_prefixes(hot.as_ref()),
        big_keys(big.as_ref()),
        ttl(&api::ttl(state, now)),
        clients(state, now),
        slow(&api::slow(state, now), now),
    ]
}

fn clients(state: &State, now: Now) -> Table {
    let (all, chosen) = api::chosen_clients(state, now, Choice::Busiest, CLIENT_COUNT_MAX);
    let note = if chosen.connected > all.len() as u64 {
        format!(
            "{} of {}: those that have asked most.",
            all.len(),
            words::count(chosen.connected)
        )
    } else {
        "Those that have asked most stand first.".to_owned()
    };
    let rows = all.iter().map(|one| {
        let since = |name| words::duration_s(whole(one, name)).into();
        let bytes = |name| words::bytes(whole(one, name)).into();
        let text = |name| match &one[name] {
            Value::String(text) if text != "-" => Cell::from(text.as_str()),
            // A name of digits is a name.
            Value::Number(number) => number.to_string().into(),
            _ => NONE.into(),
        };
        let protocol = match word(one, "tls") {
            "yes" => format!("{}, TLS", word(one, "protocol")),
            _ => word(one, "protocol").to_owned(),
        };
        Row {
            cells: vec![
                text("addr"),
                text("user"),
                protocol.into(),
                text("last_command"),
                words::count(whole(one, "requests")).into(),
                bytes("bytes_read"),
                bytes("bytes_written"),
                since("idle_s"),
                since("age_s"),
                text("worker"),
                text("id"),
            ],
            ..Row::default()
        }
    });
    Table {
        id: "clients",
        title: "Clients",
        note,
        columns: &[
            ("Address", Kind::Text),
            ("User", Kind::Text),
            ("Protocol", Kind::Text),
            ("Last command", Kind::Text),
            ("Requests", Kind::Number),
            ("Received", Kind::Number),
            ("Sent", Kind::Number),
            ("Idle", Kind::Number),
            ("Connected", Kind::Number),
            ("Worker", Kind::Number),
            ("", Kind::Kill),
        ],
        rows: rows.collect(),
        empty: "Nobody is connected.",
    }
}

fn number(value: &Value, name: &str) -> f64 {
    value[name].as_f64().unwrap_or(0.0)
}

fn whole(value: &Value, name: &str) -> u64 {
    value[name].as_u64().unwrap_or(0)
}

fn word<'v>(value: &'v Value, name: &str) -> &'v str {
    value[name].as_str().unwrap_or_default()
}

/// The first rows of a list of keys, prefixes or advice.
fn rows(list: &Value, cells: impl Fn(&Value) -> Vec<Cell>) -> Vec<Row> {
    first_rows(list, ROW_COUNT_MAX, cells)
}

/// So many rows of a list at most.
fn first_rows(list: &Value, count_max: usize, cells: impl Fn(&Value) -> Vec<Cell>) -> Vec<Row> {
    let all = list.as_array().map_or(&[][..], Vec::as_slice);
    all.iter()
        .take(count_max)
        .map(|one| Row {
            cells: cells(one),
            ..Row::default()
        })
        .collect()
}

const KEYS_NOT_SHOWN: &str = "Keys are not shown (-X).";

fn advice(waste: &Value) -> Table {
    let of = |name| words::bytes(whole(waste, name));
    let note = format!(
        "Of {} in classes {} hold items, {} are left behind items in their chunks, {} are chunks \
         without an item, {} ends of pages.",
        of("memory_bytes"),
        of("item_bytes"),
        of("rounding_bytes"),
        of("free_bytes"),
        of("page_end_bytes"),
    );
    Table {
        id: "advice",
        title: "Is memory well used?",
        note,
        columns: &[("Advice", Kind::Text)],
        rows: rows(&waste["advice"], |line| {
            vec![sentence(line.as_str().unwrap_or_default()).into()]
        }),
        empty: "There is nothing to say.",
    }
}

/// A line as a sentence.
fn sentence(line: &str) -> String {
    let mut letters = line.chars();
    let first = letters.next().map(|first| first.to_ascii_uppercase());
    first.into_iter().chain(letters).chain(['.']).collect()
}

/// How the figures on what is hot came about.
fn sampled(hot: Option<&Value>) -> String {
    match hot {
        None => String::new(),
        Some(hot) if whole(hot, "sampled_one_in") == 0 => {
            "Not looked for (-o hot_key_sample=0).".to_owned()
        }
        Some(hot) => format!(
            "Estimated from one request in {}, {} samples in the last {}.",
            words::count(whole(hot, "sampled_one_in")),
            words::count(whole(hot, "samples")),
            words::duration_s(whole(hot, "window_s")),
        ),
    }
}

/// Requests a second, and the part of all that they are.
fn heat(one: &Value) -> [Cell; 2] {
    [
        words::rate(number(one, "requests_per_s").round()).into(),
        Cell::bar(number(one, "share_percent"), 100.0),
    ]
}

fn hot_keys(hot: Option<&Value>) -> Table {
    let keys = hot.map_or(&Value::Null, |hot| &hot["keys"]);
    let rate = |one: &Value, name| Cell::from(words::rate(number(one, name).round()));
    Table {
        id: "hot-keys",
        title: "Hot keys",
        note: sampled(hot),
        columns: &[
            ("Key", Kind::Text),
            ("Requests/s", Kind::Number),
            ("Share", Kind::Bar),
            ("Hits/s", Kind::Number),
            ("Misses/s", Kind::Number),
            ("Writes/s", Kind::Number),
            ("Value", Kind::Number),
        ],
        rows: rows(keys, |one| {
            let [requests, share] = heat(one);
            vec![
                word(one, "key").into(),
                requests,
                share,
                rate(one, "hits_per_s"),
                rate(one, "misses_per_s"),
                rate(one, "writes_per_s"),
                words::bytes(whole(one, "value_size_max")).into(),
            ]
        }),
        empty: match hot {
            Some(_) => "None stands out.",
            None => KEYS_NOT_SHOWN,
        },
    }
}

fn hot_prefixes(hot: Option<&Value>) -> Table {
    let prefixes = hot.map_or(&Value::Null, |hot| &hot["prefixes"]);
    Table {
        id: "hot-prefixes",
        title: "Hot prefixes",
        note: "What keys begin with, up to the delimiter (-D).".to_owned(),
        columns: &[
            ("Prefix", Kind::Text),
            ("Requests/s", Kind::Number),
            ("Share", Kind::Bar),
        ],
        rows: rows(prefixes, |one| {
            let [requests, share] = heat(one);
            vec![word(one, "prefix").into(), requests, share]
        }),
        empty: match hot {
            Some(_) => "No key has one.",
            None => KEYS_NOT_SHOWN,
        },
    }
}

fn big_keys(big: Option<&Value>) -> Table {
    let keys = big.map_or(&Value::Null, |big| &big["keys"]);
    let note = match big {
        Some(big) if big["complete"] == true => "No item is larger.".to_owned(),
        Some(big) => format!(
            "The largest of {} that were looked at.",
            words::count(whole(big, "looked_at"))
        ),
        None => String::new(),
    };
    Table {
        id: "big-keys",
        title: "Largest items",
        note,
        columns: &[
            ("Key", Kind::Text),
            ("Size", Kind::Number),
            ("Class", Kind::Number),
            ("Expires in", Kind::Number),
            ("Last used", Kind::Number),
        ],
        rows: rows(keys, |one| {
            let expires = match one["ttl_s"].as_u64() {
                Some(ttl_s) => words::duration_s(ttl_s),
                None => NONE.to_owned(),
            };
            vec![
                word(one, "key").into(),
                words::bytes(whole(one, "size")).into(),
                whole(one, "class").to_string().into(),
                expires.into(),
                words::duration_s(whole(one, "idle_s")).into(),
            ]
        }),
        empty: match big {
            Some(_) => "Nothing is stored.",
            None => KEYS_NOT_SHOWN,
        },
    }
}

fn ttl(ttl: &Value) -> Table {
    let share = |band: &Value, name| Cell::bar(number(band, name), 100.0);
    Table {
        id: "ttl",
        title: "By time to live",
        note: format!(
            "How long items had or have to live; estimated from requests and from {} items.",
            words::count(whole(ttl, "sampled_items"))
        ),
        columns: &[
            ("Time to live", Kind::Text),
            ("Of hits", Kind::Bar),
            ("Of sets", Kind::Bar),
            ("Of items", Kind::Bar),
            ("Of bytes", Kind::Bar),
        ],
        rows: rows(&ttl["bands"], |band| {
            vec![
                word(band, "ttl").into(),
                share(band, "hits_percent"),
                share(band, "sets_percent"),
                share(band, "items_percent"),
                share(band, "bytes_percent"),
            ]
        }),
        empty: "Nothing is known yet.",
    }
}

fn slow(told: &Value, now: Now) -> Table {
    const WHAT: &str = "A turn is what a connection has of its worker at a time: the requests that \
                        could be read at once, and their answers, from reading to sending. Command \
                        and key are those of the first. -o slow_log_us sets the threshold at the \
                        start, in microseconds; 0 turns the log off.";
    let rows = first_rows(&told["slow"], SLOW_COUNT_MAX, |turn| {
        // Bytes of a key are escaped by who tells it; a name is as its owner chose it.
        let text = |name| match word(turn, name) {
            "" | "-" => NONE.into(),
            text => Cell::from(text),
        };
        let ended_unix_s = turn["time"].as_i64().unwrap_or(now.unix_s);
        let ago_s = u64::try_from(now.unix_s.saturating_sub(ended_unix_s)).unwrap_or(0);
        vec![
            format!("{} ago", words::duration_s(ago_s)).into(),
            words::duration_us(whole(turn, "duration_us")).into(),
            text("command"),
            text("key"),
            words::count(whole(turn, "requests")).into(),
            words::bytes(whole(turn, "bytes_read")).into(),
            words::bytes(whole(turn, "bytes_written")).into(),
            text("addr"),
            text("user"),
        ]
    });
    let threshold_us = whole(told, "threshold_us");
    let note = if threshold_us == 0 {
        WHAT.to_owned()
    } else {
        format!(
            "Turns that took a worker {} or longer, newest first, {} of {}. {WHAT}",
            words::duration_us(threshold_us),
            rows.len(),
            words::count(whole(told, "slow_turns")),
        )
    };
    Table {
        id: "slow",
        title: "Slow log",
        note,
        columns: &[
            ("Time", Kind::Text),
            ("Duration", Kind::Number),
            ("Command", Kind::Text),
            ("Key", Kind::Text),
            ("Requests", Kind::Number),
            ("Received", Kind::Number),
            ("Sent", Kind::Number),
            ("Client", Kind::Text),
            ("User", Kind::Text),
        ],
        rows,
        empty: match threshold_us {
            0 => "The log is off.",
            _ => "No turn has taken so long.",
        },
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn advice_is_read_as_a_sentence() {
        assert_eq!(sentence("nothing to gain: 89 %"), "Nothing to gain: 89 %.");
        assert_eq!(sentence(""), ".");
    }

    #[test]
    fn lists_that_are_missing_are_empty_and_long_ones_are_cut() {
        let none = |_: &Value| Vec::new();
        assert!(rows(&Value::Null, none).is_empty());
        let many: Value = (0..100).collect::<Vec<_>>().into();
        assert_eq!(rows(&many, none).len(), ROW_COUNT_MAX);
        assert_eq!(hot_keys(None).empty, KEYS_NOT_SHOWN);
    }

    #[test]
    fn the_slow_log_says_what_took_long_and_why_nothing_did() {
        let now = Now {
            uptime_s: 100,
            unix_s: 1000,
        };
        let off = slow(&json!({ "threshold_us": 0, "slow": [] }), now);
        assert_eq!(off.empty, "The log is off.");
        assert!(off.note.starts_with("A turn is "), "{}", off.note);
        let none = slow(&json!({ "threshold_us": 10_000, "slow": [] }), now);
        assert_eq!(none.empty, "No turn has taken so long.");
        let turn = json!({
            "time": 970, "duration_us": 12_000, "command": "get", "key": "", "requests": 2,
            "bytes_read": 19, "bytes_written": 30, "addr": "tcp:127.0.0.1:1", "user": "1",
        });
        let turns = vec![turn; 30];
        let some = slow(
            &json!({ "threshold_us": 10_000, "slow_turns": 4000, "slow": turns }),
            now,
        );
        let plain = |text: &str| text.replace('\u{202f}', " ");
        let begin = "Turns that took a worker 10.0 ms or longer, newest first, 20 of 4,000. ";
        assert!(plain(&some.note).starts_with(begin), "{}", some.note);
        assert_eq!(some.rows.len(), SLOW_COUNT_MAX);
        let cells = some.rows[0].cells.iter().map(|cell| plain(&cell.text));
        assert_eq!(
            cells.collect::<Vec<_>>(),
            [
                "30 s ago",
                "12.0 ms",
                "get",
                NONE,
                "2",
                "19 B",
                "30 B",
                "tcp:127.0.0.1:1",
                "1"
            ]
        );
    }
}
