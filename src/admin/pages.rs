//! Which page a path stands for, and what it says.

use std::time::Instant;

use serde_json::Value;

use super::exposition::{self, Page};
use super::guard::Guard;
use super::http::{Answer, Request, Status, TEXT};
use super::state::{Phase, State};
use super::{api, exporter, own};
use crate::time::Now;

/// One page.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Place {
    Clients,
    Cluster,
    Health,
    Index,
    Latency,
    Metrics,
    Readiness,
    Settings,
    Slabs,
    Stats,
}

/// Paths, their pages, and what the index says of them.
const PLACES: &[(&str, Place, &str)] = &[
    ("/", Place::Index, "this list"),
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
    ("/api/v1/clients", Place::Clients, "who is connected"),
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
];

/// Answers one request.
pub(super) fn answer(state: &State, guard: &Guard, request: &Request<'_>) -> Answer {
    let place = PLACES.iter().find(|(path, ..)| *path == request.path);
    let is_public = matches!(place, Some((_, Place::Health | Place::Readiness, _)));
    let admitted = guard.admit(request, is_public);
    state.count(admitted.is_err());
    if let Err(status) = admitted {
        return Answer::refusal(status);
    }
    // What is not there is nobody's business either, so the guard has been asked first.
    match place {
        Some((_, place, _)) => tell(state, *place),
        None => Answer::refusal(Status::NotFound),
    }
}

fn tell(state: &State, place: Place) -> Answer {
    let now = state.shared.clock.now();
    match place {
        Place::Index => Answer::text(Status::Ok, index()),
        Place::Metrics => Answer {
            status: Status::Ok,
            content_type: exposition::CONTENT_TYPE,
            body: metrics(state, now),
        },
        Place::Health => health(state, Instant::now()),
        Place::Readiness => readiness(state),
        Place::Stats => json(&api::stats(state, now)),
        Place::Slabs => json(&api::slabs(state, now)),
        Place::Latency => json(&api::latency(state, now)),
        Place::Clients => json(&api::clients(state, now)),
        Place::Cluster => json(&api::cluster(state, now)),
        Place::Settings => json(&api::settings(state)),
    }
}

fn index() -> String {
    let lines = PLACES
        .iter()
        .map(|(path, _, what)| format!("{path:<18} {what}\n"));
    lines.collect()
}

fn json(value: &Value) -> Answer {
    Answer {
        status: Status::Ok,
        content_type: api::CONTENT_TYPE,
        body: format!("{value}\n"),
    }
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
    Answer {
        status,
        content_type: TEXT,
        body: format!("{}\n", phase.name()),
    }
}
