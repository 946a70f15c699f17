//! What happens to a cluster, one story each, in the simulation.

use super::Event;
use super::simulation_tests::Simulation;
use crate::cluster::document::Node;

/// Starts all nodes of a simulation and waits for one list of them.
fn grown(count: usize, seeds: &[usize]) -> Simulation {
    let mut simulation = Simulation::new(count, seeds, 7);
    let all: Vec<usize> = (0..count).collect();
    all.iter().for_each(|index| simulation.start(*index, false));
    assert!(simulation.run_until(30_000, |s| s.agree_on(&all)));
    simulation
}

#[test]
fn a_node_without_its_seed_waits_and_never_founds() {
    let mut simulation = Simulation::new(3, &[0], 7);
    simulation.start(1, false);
    simulation.start(2, false);
    simulation.run_for(60_000);
    assert_eq!((simulation.founded(), simulation.published), (0, 0));
    simulation.start(0, false);
    assert!(simulation.run_until(10_000, |s| s.agree_on(&[0, 1, 2])));
}

#[test]
fn seeds_that_start_together_found_one_cluster() {
    let simulation = grown(5, &[0, 1, 2]);
    assert_eq!(simulation.founded(), 1);
}

#[test]
fn clusters_that_were_founded_apart_become_one_when_they_meet() {
    let mut simulation = Simulation::new(6, &[0, 3], 7);
    (3..6).for_each(|index| simulation.part(index, 1));
    (0..6).for_each(|index| simulation.start(index, false));
    let apart = |s: &Simulation| (0..6).all(|i| s.roster(i).is_some_and(|r| r.len() == 3));
    assert!(simulation.run_until(30_000, apart));
    assert_eq!(simulation.founded(), 2);
    let before: Vec<u32> = (0..6).map(|index| simulation.version(index)).collect();
    (3..6).for_each(|index| simulation.part(index, 0));
    let all: Vec<usize> = (0..6).collect();
    assert!(simulation.run_until(30_000, |s| s.agree_on(&all)));
    assert!((0..6).all(|index| simulation.version(index) > before[index]));
}

#[test]
fn a_node_that_is_killed_stays_listed_and_is_known_to_be_unreachable() {
    let mut simulation = grown(3, &[0]);
    let before = simulation.version(0);
    simulation.kill(2);
    let id = simulation.name(2);
    let lost =
        |s: &Simulation| (0..2).all(|i| s.membership(i).contact(&id).is_some_and(|c| !c.reachable));
    assert!(simulation.run_until(15_000, lost));
    simulation.run_for(60_000);
    assert!(simulation.agree_on(&[0, 1, 2]));
    assert_eq!(simulation.version(0), before);
}

#[test]
fn a_node_that_returns_elsewhere_is_replaced_in_place() {
    let mut simulation = grown(3, &[0]);
    let before = simulation.version(0);
    simulation.kill(1);
    simulation.start(1, true);
    let moved = |s: &Simulation| s.agree_on(&[0, 1, 2]) && s.version(0) > before;
    assert!(simulation.run_until(10_000, moved));
    assert_eq!(simulation.version(0), before + 1);
    let text = simulation.text(2);
    let names: Vec<&str> = text
        .split(['\n', ' ', '|'])
        .filter(|w| w.contains('-'))
        .collect();
    assert_eq!(
        names,
        [
            "cache-000.example",
            "cache-001.example",
            "cache-002.example"
        ]
    );
    assert!(text.contains("cache-001.example|10.0.0.4|"), "{text}");
}

#[test]
fn a_node_that_returns_without_memory_is_taken_for_itself_even_by_a_lone_survivor() {
    for count in [2, 3] {
        let mut simulation = grown(count, &[0]);
        let before = simulation.version(0);
        // All but the first lose everything at once.
        for index in 1..count {
            simulation.kill(index);
            simulation.wipe(index);
            simulation.start(index, true);
        }
        let all: Vec<usize> = (0..count).collect();
        let back = |s: &Simulation| s.agree_on(&all) && s.version(0) > before;
        assert!(simulation.run_until(30_000, back), "{count} nodes");
    }
}

#[test]
fn all_nodes_restart_at_once_on_other_addresses() {
    let mut simulation = grown(5, &[0]);
    let before = simulation.version(0);
    (0..5).for_each(|index| simulation.kill(index));
    (0..5).for_each(|index| simulation.start(index, true));
    // The old list is served at once, and the new one follows.
    assert!((0..5).all(|index| simulation.version(index) == before));
    let all: Vec<usize> = (0..5).collect();
    let moved = |s: &Simulation| s.agree_on(&all) && s.text(4).contains("10.0.0.10|");
    assert!(
        simulation.run_until(30_000, moved),
        "{}",
        simulation.text(4)
    );
}

#[test]
fn only_the_half_with_a_majority_changes_the_list() {
    let mut simulation = grown(5, &[0]);
    let before = simulation.version(0);
    simulation.part(3, 1);
    simulation.part(4, 1);
    simulation.leave(2);
    simulation.leave(4);
    simulation.run_for(30_000);
    assert!((0..2).all(|index| simulation.version(index) == before + 1));
    assert!((3..5).all(|index| simulation.version(index) == before));
    // It gives up after a while and ends, still listed, as if it had been killed.
    assert!(simulation.has_left(2) && simulation.has_left(4));
    simulation.kill(2);
    simulation.kill(4);
    // What it wished for is forgotten by then.
    simulation.run_for(5_000);
    (0..5).for_each(|index| simulation.part(index, 0));
    let healed = simulation.run_until(10_000, |s| s.agree_on(&[0, 1, 3, 4]));
    assert!(healed, "{}", simulation.describe());
    simulation.start(4, false);
    simulation.start(2, false);
    let whole = simulation.run_until(10_000, |s| s.agree_on(&[0, 1, 2, 3, 4]));
    assert!(whole, "{}", simulation.describe());
}

#[test]
fn a_vote_outlives_its_voter() {
    let mut simulation = grown(3, &[0]);
    let before = simulation.version(0);
    // The last one moves, has the others agree to that, and is cut off before it can say so.
    simulation.kill(2);
    simulation.start(2, true);
    simulation.cut_when_published(2);
    assert!(simulation.run_until(10_000, |s| s.version(2) > before));
    // They have only accepted it, and forget all that is not on their disks.
    for index in 0..2 {
        assert_eq!(simulation.version(index), before);
        simulation.kill(index);
        simulation.start(index, true);
    }
    // They repeat the decision before they make another.
    let moved = |s: &Simulation| s.version(0) > before + 1 && s.version(0) == s.version(1);
    assert!(
        simulation.run_until(20_000, moved),
        "{}",
        simulation.describe()
    );
    simulation.part(2, 0);
    let healed = |s: &Simulation| s.agree_on(&[0, 1, 2]) && s.version(2) > before + 1;
    assert!(simulation.run_until(10_000, healed));
}

#[test]
fn a_second_daemon_under_a_name_in_use_is_denied() {
    // In a large cluster most members have not heard of each other for long.
    for count in [3, 24] {
        let mut simulation = grown(count, &[0]);
        let before = simulation.version(0);
        let last = count - 1;
        simulation.rename(last, 1);
        simulation.kill(last);
        simulation.wipe(last);
        simulation.run_for(20_000);
        simulation.start(last, true);
        simulation.run_for(20_000);
        assert_eq!(simulation.version(0), before, "{count} nodes");
        let denied =
            |(index, event): &(usize, Event)| *index == last && matches!(event, Event::Denied(..));
        assert!(simulation.events.iter().any(denied), "{count} nodes");
    }
}

#[test]
fn an_operator_declares_who_is_listed() {
    let mut simulation = grown(3, &[0]);
    simulation.kill(2);
    simulation.run_for(15_000);
    let nodes = ["cache-000.example", "cache-001.example", "other.example"];
    let nodes = nodes.map(|name| Node::new(name, None, 11211).unwrap());
    let now = simulation.now;
    simulation.drive(1, |membership| membership.declare(&nodes, now));
    let names = |s: &Simulation| {
        let roster = s.roster(0).unwrap();
        let names: Vec<String> = roster.members().map(|m| m.node.name().to_owned()).collect();
        names == ["cache-000.example", "cache-001.example", "other.example"]
    };
    assert!(simulation.run_until(10_000, names));
    // Whoever was taken off while it was down comes back when it starts.
    simulation.start(2, false);
    let back = |s: &Simulation| s.roster(0).is_some_and(|roster| roster.len() == 4);
    assert!(simulation.run_until(10_000, back));
}

#[test]
fn an_operator_who_vouches_for_the_dead_frees_a_cluster_without_a_majority() {
    let mut simulation = grown(3, &[0]);
    let before = simulation.version(0);
    (1..3).for_each(|index| simulation.kill(index));
    simulation.run_for(15_000);
    let nodes = [Node::new("cache-000.example", None, 11211).unwrap()];
    let now = simulation.now;
    simulation.drive(0, |membership| membership.declare(&nodes, now));
    assert!(simulation.run_until(10_000, |s| s.agree_on(&[0])));
    // Others may have agreed on something meanwhile, had they not been dead.
    assert!(simulation.version(0) > before + 1000);
    // They come back nevertheless, know nothing of it at first, and follow.
    (1..3).for_each(|index| simulation.start(index, false));
    assert!(simulation.run_until(20_000, |s| s.agree_on(&[0, 1, 2])));
}

#[test]
fn unreachable_nodes_are_ejected_where_that_is_asked_for_down_to_a_majority() {
    let mut simulation = Simulation::new(5, &[0], 7);
    simulation.set_eject_after(20_000);
    (0..5).for_each(|index| simulation.start(index, false));
    assert!(simulation.run_until(30_000, |s| s.agree_on(&[0, 1, 2, 3, 4])));
    simulation.kill(3);
    simulation.kill(4);
    simulation.run_for(15_000);
    assert!(simulation.agree_on(&[0, 1, 2, 3, 4]));
    assert!(simulation.run_until(90_000, |s| s.agree_on(&[0, 1, 2])));
    // Three of five are left, and a third loss changes nothing.
    simulation.kill(2);
    simulation.run_for(90_000);
    assert!(simulation.agree_on(&[0, 1, 2]));
    // Whoever was ejected comes back by itself.
    (2..5).for_each(|index| simulation.start(index, false));
    assert!(simulation.run_until(30_000, |s| s.agree_on(&[0, 1, 2, 3, 4])));
}
