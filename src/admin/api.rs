//! The JSON API: the figures of `stats` and the settings, for programs.

use serde_json::{Map, Value, json};

use super::figures::{Figures, Numbered};
use super::state::State;
use crate::config::{Config, flags};
use crate::session::figures::{Group, config_in_force, show};
use crate::session::{Choice, Chosen, Shared};
use crate::time::Now;

/// Clients that are told of at once, unless another number is asked for.
pub(super) const CLIENT_COUNT_DEFAULT: usize = 100;

/// Most clients that are told of at once: some hundred kilobytes.
pub(super) const CLIENT_COUNT_MAX: usize = 1000;

/// What JSON is called over HTTP.
pub(super) const CONTENT_TYPE: &str = "application/json";

/// A figure as JSON has it: a number if it is one.
fn value(text: &str) -> Value {
    if let Ok(number) = text.parse::<u64>() {
        return number.into();
    }
    if let Ok(number) = text.parse::<i64>() {
        return number.into();
    }
    let is_decimal = text.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    match text.parse::<f64>() {
        Ok(number) if is_decimal => number.into(),
        Ok(_) | Err(_) => text.into(),
    }
}

fn group(shared: &Shared, now: Now, group: Group) -> Map<String, Value> {
    let mut all = Map::new();
    show(shared, now, group, &mut |name, text| {
        all.insert(name.to_owned(), value(&String::from_utf8_lossy(text)));
    });
    all
}

fn object(figures: Vec<(String, String)>) -> Map<String, Value> {
    let figures = figures.into_iter();
    figures.map(|(name, text)| (name, value(&text))).collect()
}

/// `/api/v1/stats`: `stats`, `stats larder`, and each worker of the latter on its own.
pub(super) fn stats(state: &State, now: Now) -> Value {
    let shared = &*state.shared;
    let larder = Numbered::gather(shared, now, Group::Larder, "worker:");
    let workers: Vec<Map<String, Value>> = larder.by_number.into_values().map(object).collect();
    let mut own = group(shared, now, Group::Larder);
    own.retain(|name, _| !name.starts_with("worker:"));
    json!({
        "phase": state.phase().name(),
        "stats": group(shared, now, Group::General),
        "larder": own,
        "workers": workers,
    })
}

/// One setting in force.
pub(super) struct InForce {
    /// Its long name.
    pub(super) name: &'static str,
    /// Its value.
    pub(super) value: String,
    /// What it would be if nobody had set it.
    pub(super) default: String,
    /// Who has.
    pub(super) source: String,
    /// Whether SIGHUP takes a new value over.
    reload: bool,
}

/// Every setting in force, and where it came from.
pub(super) fn settings_in_force(state: &State) -> Vec<InForce> {
    let at_start = &state.shared.config;
    // Made once: it asks the system how many cores there are.
    let default = Config::default();
    let config = config_in_force(&state.shared);
    let settings = flags::all()
        .zip(&state.sources)
        .filter(|(setting, _)| !setting.is_refused())
        .map(|(setting, source)| {
            let value = (setting.show)(&config);
            let is_changed = value != (setting.show)(at_start);
            let source = if is_changed {
                "changed while running"
            } else {
                source
            };
            InForce {
                name: setting.name,
                value,
                default: setting
                    .default
                    .map_or_else(|| (setting.show)(&default), str::to_owned),
                source: source.to_owned(),
                reload: setting.reload,
            }
        });
    settings.collect()
}

/// `/api/v1/settings`: every setting in force, and where it came from.
pub(super) fn settings(state: &State) -> Value {
    let all = settings_in_force(state);
    let settings = all.iter().map(|setting| {
        json!({
            "name": setting.name,
            "value": setting.value,
            "default": setting.default,
            "source": setting.source,
            "reload": setting.reload,
        })
    });
    json!({ "settings": settings.collect::<Vec<_>>() })
}

/// `/api/v1/slabs`: each slab class with its memory (`stats slabs`) and its items (`stats items`).
pub(super) fn slabs(state: &State, now: Now) -> Value {
    let shared = &*state.shared;
    let slabs = Numbered::gather(shared, now, Group::Slabs, "");
    let mut items = Numbered::gather(shared, now, Group::Items, "items:").by_number;
    let total_malloced = slabs.others.number("total_malloced");
    let classes: Vec<Value> = slabs
        .by_number
        .into_iter()
        .map(|(id, figures)| {
            let items = items.remove(&id).map(object);
            json!({ "id": id, "slab": object(figures), "items": items })
        })
        .collect();
    json!({ "slabs": classes, "total_malloced": total_malloced })
}

/// `/api/v1/latency`: how long commands take, as `stats latency`.
pub(super) fn latency(state: &State, now: Now) -> Value {
    let mut commands: Map<String, Value> = Map::new();
    show(&state.shared, now, Group::Latency, &mut |name, text| {
        let (command, name) = name.split_once(':').unwrap_or((name, ""));
        let times = commands.entry(command).or_insert_with(|| json!({}));
        times[name] = value(&String::from_utf8_lossy(text));
    });
    json!({ "commands": commands })
}

/// `/api/v1/slow`: what took long, newest first, as `stats slow`.
pub(super) fn slow(state: &State, now: Now) -> Value {
    let slow = Numbered::gather(&state.shared, now, Group::Slow, "");
    let of = |name| slow.others.number(name);
    json!({
        "threshold_us": of("threshold_us"),
        "slow_turns": of("slow_turns"),
        "slow": listed(slow.by_number.into_iter().rev(), "number", &["key", "user"]),
    })
}

/// `/api/v1/threads`: what each worker does, as `stats threads`.
pub(super) fn threads(state: &State, now: Now) -> Value {
    let threads = Numbered::gather(&state.shared, now, Group::Threads, "");
    json!({ "threads": listed(threads.by_number, "worker", &[]) })
}

/// Objects that have the number they are listed by under this name. `words` are text also where
/// they look like numbers.
fn listed<N: Into<Value>>(
    by_number: impl IntoIterator<Item = (N, Vec<(String, String)>)>,
    number_name: &str,
    words: &[&str],
) -> Vec<Value> {
    let one = |(number, figures): (N, Vec<(String, String)>)| {
        let texts = figures
            .iter()
            .filter(|(name, _)| words.contains(&name.as_str()));
        let texts: Vec<(String, Value)> = texts
            .map(|(name, text)| (name.clone(), text.as_str().into()))
            .collect();
        let mut one = object(figures);
        one.extend(texts);
        one.insert(number_name.to_owned(), number.into());
        one.into()
    };
    by_number.into_iter().map(one).collect()
}

/// `/api/v1/clients`: who is connected, as `stats clients`, those behind a number and no more than
/// so many; `next` is the number to go on behind, if there are others.
pub(super) fn clients(state: &State, now: Now, after: u64, limit: usize) -> Value {
    let (clients, chosen) = chosen_clients(state, now, Choice::Behind(after), limit);
    let is_all = chosen.meant <= clients.len() as u64;
    let last = clients.last().map_or(&Value::Null, |client| &client["id"]);
    json!({
        "connected": chosen.connected,
        "next": if is_all { &Value::Null } else { last },
        "clients": clients,
    })
}

/// Some clients, and how many there are.
pub(super) fn chosen_clients(
    state: &State,
    now: Now,
    choice: Choice,
    count: usize,
) -> (Vec<Value>, Chosen) {
    let mut clients: Vec<(u64, Vec<(String, String)>)> = Vec::new();
    let host = &state.shared.host;
    let chosen = host.chosen_clients(now, choice, count, &mut |name, text| {
        let Some((id, name)) = name.split_once(':') else {
            return;
        };
        let id = id.parse().unwrap_or(0);
        let figure = (name.to_owned(), text.to_owned());
        match clients.last_mut() {
            Some((last, figures)) if *last == id => figures.push(figure),
            Some(_) | None => clients.push((id, vec![figure])),
        }
    });
    (listed(clients, "id", &["user"]), chosen)
}

/// The figures of a numbered list, in its order. Some are text
/// even when they look like numbers.
fn numbered(
    shared: &Shared,
    now: Now,
    group: Group,
    before: &str,
    is_text: impl Fn(&str) -> bool,
) -> Listed {
    let gathered = Numbered::gather(shared, now, group, before);
    let rows = gathered.by_number.into_iter().map(|(number, figures)| {
        let figures = figures.into_iter().map(|(name, text)| {
            let value = if is_text(&name) {
                text.into()
            } else {
                value(&text)
            };
            (name, value)
        });
        (number, figures.collect())
    });
    Listed {
        rows: rows.collect(),
        others: gathered.others,
    }
}

/// A numbered list as JSON has it, and what is told beside it.
struct Listed {
    rows: Vec<(u32, Map<String, Value>)>,
    others: Figures,
}

impl Listed {
    fn rows(self) -> Vec<Value> {
        self.rows.into_iter().map(|(_, row)| row.into()).collect()
    }
}

/// `/api/v1/hotkeys`: what is asked for most, as `stats hotkeys`.
pub(super) fn hot_keys(state: &State, now: Now) -> Value {
    let mut all = Map::new();
    let (mut keys, mut prefixes) = (Vec::new(), Vec::new());
    show(&state.shared, now, Group::HotKeys, &mut |name, text| {
        let text = String::from_utf8_lossy(text);
        let mut parts = name.splitn(3, ':');
        let (kind, _, figure) = (parts.next(), parts.next(), parts.next());
        let list = match kind {
            Some("key") => &mut keys,
            Some("prefix") => &mut prefixes,
            _ => {
                all.insert(name.to_owned(), value(&text));
                return;
            }
        };
        let figure = figure.unwrap_or_default();
        if matches!(figure, "key" | "prefix") {
            // Each begins with its name, which is text even when it looks like a number.
            list.push(json!({ figure: text }));
        } else if let Some(last) = list.last_mut() {
            last[figure] = value(&text);
        }
    });
    all.insert("keys".to_owned(), keys.into());
    all.insert("prefixes".to_owned(), prefixes.into());
    all.into()
}

/// `/api/v1/bigkeys`: the largest items, as `stats bigkeys`.
pub(super) fn big_keys(state: &State, now: Now) -> Value {
    let keys = numbered(&state.shared, now, Group::BigKeys, "key:", |name| {
        name == "key"
    });
    json!({
        "looked_at": keys.others.number("looked_at"),
        "complete": keys.others.word("complete") == Some("yes"),
        "keys": keys.rows(),
    })
}

/// `/api/v1/ttl`: hits, sets, items and bytes by how long items live, as `stats ttl`.
pub(super) fn ttl(state: &State, now: Now) -> Value {
    let mut others = Map::new();
    let mut bands: Vec<Map<String, Value>> = Vec::new();
    show(&state.shared, now, Group::Ttl, &mut |name, text| {
        let value = value(&String::from_utf8_lossy(text));
        let Some((band, figure)) = name.split_once(':') else {
            others.insert(name.to_owned(), value);
            return;
        };
        let last = bands.last_mut();
        match last.filter(|last| last.get("ttl").and_then(Value::as_str) == Some(band)) {
            Some(last) => {
                last.insert(figure.to_owned(), value);
            }
            None => bands.push(Map::from_iter([
                ("ttl".to_owned(), band.into()),
                (figure.to_owned(), value),
            ])),
        }
    });
    others.insert("bands".to_owned(), json!(bands));
    others.into()
}

/// `/api/v1/waste`: memory without items by slab class, and what can be done, as `stats waste`.
pub(super) fn waste(state: &State, now: Now) -> Value {
    let list = numbered(&state.shared, now, Group::Waste, "", |_| false);
    let of = |name: &str| list.others.number(name);
    let advice = (1..).map_while(|number| list.others.word(&format!("advice:{number}")));
    let mut all = json!({
        "items": of("items"),
        "memory_bytes": of("memory_bytes"),
        "item_bytes": of("item_bytes"),
        "rounding_bytes": of("rounding_bytes"),
        "free_bytes": of("free_bytes"),
        "page_end_bytes": of("page_end_bytes"),
        "free_page_bytes": of("free_page_bytes"),
        "advice": advice.collect::<Vec<_>>(),
    });
    let classes = list.rows.into_iter().map(|(id, mut class)| {
        class.insert("id".to_owned(), id.into());
        class
    });
    all["classes"] = classes.collect::<Vec<_>>().into();
    all
}

/// `/api/v1/cluster`: the list of nodes that clients are told, as `stats cluster`.
pub(super) fn cluster(state: &State, now: Now) -> Value {
    // A name of digits is a name.
    let is_text = |name: &str| !matches!(name, "port" | "since");
    let list = numbered(&state.shared, now, Group::Cluster, "node:", is_text);
    json!({
        "source": list.others.word("source"),
        "version": list.others.number("config_version"),
        "nodes": list.rows(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_numbers_and_words_stay_words() {
        assert_eq!(value("18446744073709551615"), json!(u64::MAX));
        assert_eq!(value("-1"), json!(-1));
        assert_eq!(value("0.001234"), json!(0.001_234));
        for word in ["1.6.45", "yes", "", "inf", "NaN", "1e5", "tcp:127.0.0.1:1"] {
            assert_eq!(value(word), json!(word));
        }
    }
}
