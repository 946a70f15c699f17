//! Which answer a path stands for, and what it says.

use std::str::FromStr;
use std::time::Instant;

use serde_json::Value;

use super::actions::{self, Action};
use super::exposition::{self, Page};
use super::guard::{Guard, Wish};
use super::history::Span;
use super::http::{Answer, Method, Request, Status};
use super::state::{Phase, State};
use super::{api, exporter, own, page};
use crate::time::Now;

/// One page.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Place {
    BigKeys,
    Clients,
    Cluster,
    Health,
    History,
    HotKeys,
    Latency,
    Metrics,
    Page,
    Paths,
    Readiness,
    Settings,
    Slabs,
    Slow,
    Stats,
    Threads,
    Ttl,
    Waste,
    Words,
}

/// Paths, their pages, and what the index says of them.
const PLACES: &[(&str, Place, &str)] = &[
    ("/", Place::Page, "a page for people"),
    ("/api", Place::Paths, "this list"),
    ("/metrics", Place::Metrics, "figures for Prometheus"),
    (
        "/healthz",
        Place::Health,
        "200 while every thread comes round",
    ),
    ("/readyz", Place::Readiness, "200 while clients should come"),
    ("/api/v1/stats", Place::Stats, "what `stats` tells, as JSON"),
    (
        "/api/v1/slabs",
        Place::Slabs,
        "slab classes and their items",
    ),
    ("/api/v1/latency", Place::Latency, "how long commands take"),
    (
        "/api/v1/hotkeys",
        Place::HotKeys,
        "what is asked for most, estimated",
    ),
    ("/api/v1/bigkeys", Place::BigKeys, "the largest items"),
    ("/api/v1/ttl", Place::Ttl, "hits and memory by time to live"),
    (
        "/api/v1/waste",
        Place::Waste,
        "memory without items, and advice",
    ),
    (
        "/api/v1/clients",
        Place::Clients,
        "who is connected; ?limit=COUNT and ?after=ID",
    ),
    ("/api/v1/slow", Place::Slow, "what took long"),
    ("/api/v1/threads", Place::Threads, "what each worker does"),
    (
        "/api/v1/cluster",
        Place::Cluster,
        "nodes that clients are told of",
    ),
    (
        "/api/v1/settings",
        Place::Settings,
        "settings in force and their sources",
    ),
    (
        "/api/v1/history",
        Place::History,
        "the last minute; ?span=15m and ?span=1h",
    ),
    ("/api/v1/page", Place::Words, "the words on the page"),
];

/// What can be done, by the path that it is posted to.
const ACTIONS: &[(&str, Action, &str)] = &[
    (
        "/api/v1/cache_memlimit",
        Action::CacheMemlimit,
        "POST ?megabytes=N: another memory limit",
    ),
    (
        "/api/v1/client_kill",
        Action::ClientKill,
        "POST ?client=ID|ADDRESS: close clients",
    ),
    (
        "/api/v1/flush_all",
        Action::FlushAll,
        "POST: empty the cache",
    ),
    (
        "/api/v1/snapshot",
        Action::Snapshot,
        "POST: write the snapshot now",
    ),
    (
        "/api/v1/verbosity",
        Action::Verbosity,
        "POST ?level=N: how much is logged, 0 to 2",
    ),
];

/// Answers one request.
pub(super) fn answer(state: &State, guard: &Guard, request: &Request<'_>) -> Answer {
    let place = PLACES.iter().find(|(path, ..)| *path == request.path);
    let action = ACTIONS.iter().find(|(path, ..)| *path == request.path);
    let wish = match (place, action) {
        (Some((_, Place::Health | Place::Readiness, _)), _) => Wish::Glance,
        (_, Some(_)) => Wish::Change,
        // What is not there is nobody's business either.
        _ => Wish::See,
    };
    let admitted = guard.admit(request, wish);
    state.count(admitted.is_err());
    if let Err(refusal) = admitted {
        return refusal.answer();
    }
    match (place, action, request.method) {
        (Some((_, place, _)), _, Method::Get | Method::Head) => {
            tell(state, *place, request, guard.has_token())
        }
        (_, Some((_, action, _)), Method::Post) => actions::act(state, *action, request),
        (None, None, _) => Answer::refusal(Status::NotFound),
        _ => Answer::refusal(Status::MethodNotAllowed),
    }
}

fn tell(state: &State, place: Place, request: &Request<'_>, may_change: bool) -> Answer {
    let now = state.shared.clock.now();
    match place {
        Place::Page => {
            let document = page::document(state, now, &state.stuck(Instant::now()));
            Answer {
                policy: &page::POLICY,
                ..Answer::of(page::CONTENT_TYPE, document)
            }
        }
        Place::Paths => Answer::text(Status::Ok, paths()),
        Place::Metrics => Answer::of(exposition::CONTENT_TYPE, metrics(state, now)),
        Place::Health => health(state, Instant::now()),
        Place::Readiness => readiness(state),
        Place::Stats => json(&api::stats(state, now)),
        Place::Slabs => json(&api::slabs(state, now)),
        Place::Latency => json(&api::latency(state, now)),
        Place::BigKeys | Place::HotKeys if !state.shared.config.dump_enabled => {
            Answer::text(Status::Forbidden, "keys are not shown (-X)\n")
        }
        Place::BigKeys => json(&api::big_keys(state, now)),
        Place::HotKeys => json(&api::hot_keys(state, now)),
        Place::Ttl => json(&api::ttl(state, now)),
        Place::Waste => json(&api::waste(state, now)),
        Place::Clients => clients(state, now, request),
        Place::Slow => json(&api::slow(state, now)),
        Place::Threads => json(&api::threads(state, now)),
        Place::Cluster => json(&api::cluster(state, now)),
        Place::Settings => json(&api::settings(state)),
        Place::History => history(state, request),
        Place::Words if request.asks("part") == Some("insight") => json(&page::insight(state, now)),
        Place::Words => {
            let stuck = state.stuck(Instant::now());
            json(&page::words(state, now, &stuck, may_change))
        }
    }
}

fn history(state: &State, request: &Request<'_>) -> Answer {
    let span = request
        .asks("span")
        .map_or(Some(Span::default()), Span::parse);
    match (span, number_asked(request, "since")) {
        (Some(span), Some(since)) => json(&page::history(state, span, since)),
        _ => Answer::refusal(Status::BadRequest),
    }
}

fn clients(state: &State, now: Now, request: &Request<'_>) -> Answer {
    let limit = request
        .asks("limit")
        .map_or(Some(api::CLIENT_COUNT_DEFAULT), |text| text.parse().ok())
        .filter(|limit| (1..=api::CLIENT_COUNT_MAX).contains(limit));
    match (limit, number_asked(request, "after")) {
        (Some(limit), Some(after)) => json(&api::clients(state, now, after, limit)),
        _ => Answer::refusal(Status::BadRequest),
    }
}

/// A number that a query may have; 0 when it has none, `None` when it has something else.
fn number_asked<N: FromStr + Default>(request: &Request<'_>, name: &str) -> Option<N> {
    match request.asks(name) {
        None => Some(N::default()),
        Some(text) => text.parse().ok(),
    }
}

fn paths() -> String {
    let places = PLACES.iter().map(|(path, _, what)| (path, what));
    let actions = ACTIONS.iter().map(|(path, _, what)| (path, what));
    let lines = places.chain(actions);
    let lines = lines.map(|(path, what)| format!("{path:<22} {what}\n"));
    lines.collect()
}

fn json(value: &Value) -> Answer {
    Answer::of(api::CONTENT_TYPE, format!("{value}\n"))
}

fn metrics(state: &State, now: Now) -> String {
    let mut page = Page::default();
    exporter::write(&mut page, &state.shared, now);
    own::write(&mut page, state, now);
    page.finish()
}

fn health(state: &State, now: Instant) -> Answer {
    let stuck = state.stuck(now);
    if stuck.is_empty() {
        return Answer::text(Status::Ok, "ok\n");
    }
    let names = stuck.join(", ");
    Answer::text(Status::Unavailable, format!("stuck: {names}\n"))
}

fn readiness(state: &State) -> Answer {
    let phase = state.phase();
    let status = match phase {
        Phase::Ready => Status::Ok,
        Phase::Loading | Phase::Draining => Status::Unavailable,
    };
    Answer::text(status, format!("{}\n", phase.name()))
}
