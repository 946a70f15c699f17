//! The JSON API: the figures of `stats` and the settings, for programs.

use serde_json::{Map, Value, json};

use super::figures::Numbered;
use super::state::State;
use crate::config::{Config, flags};
use crate::session::Shared;
use crate::session::figures::{Group, config_in_force, show};
use crate::time::Now;

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

/// `/api/v1/clients`: every socket, as `stats conns`.
pub(super) fn clients(state: &State, now: Now) -> Value {
    let conns = Numbered::gather(&state.shared, now, Group::Conns, "");
    let clients: Vec<Value> = conns
        .by_number
        .into_iter()
        .map(|(descriptor, figures)| {
            let mut client = object(figures);
            client.insert("fd".to_owned(), descriptor.into());
            client.into()
        })
        .collect();
    json!({ "clients": clients })
}

/// `/api/v1/cluster`: the list of nodes that clients are told, as `stats cluster`.
pub(super) fn cluster(state: &State, now: Now) -> Value {
    let list = Numbered::gather(&state.shared, now, Group::Cluster, "node:");
    let nodes: Vec<Value> = list
        .by_number
        .into_values()
        .map(|figures| {
            // A name of digits is a name.
            let is_number = |name: &str| matches!(name, "port" | "since");
            let node = figures.into_iter().map(|(name, text)| {
                let value = if is_number(&name) {
                    value(&text)
                } else {
                    text.into()
                };
                (name, value)
            });
            node.collect::<Map<String, Value>>().into()
        })
        .collect();
    json!({
        "source": list.others.word("source"),
        "version": list.others.number("config_version"),
        "nodes": nodes,
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
