use std::net::Ipv4Addr;
use std::thread;
use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::settings::{Ejection, ServerSettings, Servers, Weight};

fn at(seconds: u64) -> Tick {
    Tick::from_millis(seconds * 1000)
}

/// Servers `a:1`, `a:2` and so on with these weights.
fn pool(balance: Balance, weights: &[u16]) -> Pool {
    let servers = (1..).zip(weights).map(|(port, &weight)| ServerSettings {
        address: format!("a:{port}").parse().unwrap(),
        weight: Weight::new(weight).unwrap(),
    });
    let mut settings = PoolSettings::new("app", Servers::new(servers.collect()).unwrap());
    settings.balance = balance;
    settings.ejection = Some(Ejection::new(1, Duration::from_secs(10)).unwrap());
    Pool::build(settings, &mut SystemRoots::default(), None).unwrap()
}

fn client(n: u32) -> Ip {
    Ipv4Addr::from(0x0a00_0000 + n).into()
}

fn pick(pool: &Pool, n: u32, second: u64) -> InFlight {
    pool.pick(client(n), at(second), Tried::default()).unwrap()
}

fn place(picked: &InFlight) -> usize {
    usize::from(picked.server().place)
}

fn eject(pool: &Pool, place: usize, second: u64) {
    assert!(InFlight::new(&pool.servers[place], None).failed(at(second)));
}

/// How often each server is picked for `count` requests that end at once.
fn shares(pool: &Pool, count: u32, second: u64) -> Vec<u32> {
    let mut shares = vec![0; pool.servers.len()];
    for n in 0..count {
        shares[place(&pick(pool, n, second))] += 1;
    }
    shares
}

#[track_caller]
fn check(balance: Balance, weights: &[u16], ejected: &[usize], expected: &[u32]) {
    let pool = pool(balance, weights);
    for &place in ejected {
        eject(&pool, place, 0);
    }
    assert_eq!(shares(&pool, expected.iter().sum(), 1), expected);
}

#[test]
fn round_robin_is_exact_by_weight() {
    check(Balance::RoundRobin, &[1], &[], &[7]);
    check(Balance::RoundRobin, &[1, 1, 1], &[], &[2, 2, 2]);
    check(Balance::RoundRobin, &[5, 2, 1], &[], &[50, 20, 10]);
}

#[test]
fn the_turns_of_an_ejected_server_are_shared_by_weight() {
    check(Balance::RoundRobin, &[1, 1, 1], &[0], &[0, 50, 50]);
    check(Balance::RoundRobin, &[6, 2, 1], &[0], &[0, 20, 10]);
    check(Balance::RoundRobin, &[256, 1], &[0], &[0, 10]);
}

#[test]
fn when_all_are_ejected_all_are_tried() {
    check(Balance::RoundRobin, &[1, 1], &[0, 1], &[5, 5]);
    check(Balance::LeastConnections, &[1, 1], &[0, 1], &[5, 5]);
    let pool = pool(Balance::ClientAddress, &[1, 1]);
    let before: Vec<usize> = (0..20).map(|n| place(&pick(&pool, n, 0))).collect();
    eject(&pool, 0, 0);
    eject(&pool, 1, 0);
    let after: Vec<usize> = (0..20).map(|n| place(&pick(&pool, n, 0))).collect();
    assert_eq!(before, after);
}

#[test]
fn an_idle_pool_is_used_by_weight() {
    check(Balance::LeastConnections, &[3, 1], &[], &[30, 10]);
}

#[test]
fn the_least_busy_for_its_weight_is_picked() {
    let pool = pool(Balance::LeastConnections, &[2, 1]);
    let mut held: Vec<InFlight> = (0..9).map(|n| pick(&pool, n, 0)).collect();
    let in_flight = || {
        pool.servers
            .iter()
            .map(|server| server.in_flight())
            .collect::<Vec<_>>()
    };
    assert_eq!(in_flight(), [6, 3]);
    held.retain(|picked| place(picked) == 0);
    assert_eq!(in_flight(), [6, 0]);
    for _ in 0..3 {
        let next = pick(&pool, 0, 0);
        assert_eq!(place(&next), 1);
        held.push(next);
    }
    held.clear();
    assert_eq!(in_flight(), [0, 0]);
}

#[test]
fn a_client_keeps_its_server() {
    let pool = pool(Balance::ClientAddress, &[1, 1, 1, 1]);
    let before: Vec<usize> = (0..200).map(|n| place(&pick(&pool, n, 0))).collect();
    eject(&pool, 2, 0);
    for n in 0..200_u32 {
        let was = before[usize::try_from(n).unwrap()];
        let is = place(&pick(&pool, n, 1));
        assert!(is != 2 && (was == 2 || was == is));
    }
    let moved: Vec<u32> = (0..200)
        .filter(|&n| before[usize::try_from(n).unwrap()] == 2)
        .collect();
    let mut refuges: Vec<usize> = moved.iter().map(|&n| place(&pick(&pool, n, 1))).collect();
    refuges.sort_unstable();
    refuges.dedup();
    assert_eq!(refuges, [0, 1, 3], "they spread");
}

#[test]
fn one_request_is_the_trial_of_an_ejected_server() {
    for balance in [
        Balance::RoundRobin,
        Balance::LeastConnections,
        Balance::ClientAddress,
    ] {
        let pool = pool(balance, &[1, 1]);
        eject(&pool, 0, 0);
        assert_eq!(shares(&pool, 20, 9), [0, 20], "{balance:?}");
        // A client of each server is among these.
        let held: Vec<InFlight> = (0..20).map(|n| pick(&pool, n, 10)).collect();
        let trials = held.iter().filter(|picked| place(picked) == 0).count();
        assert_eq!(trials, 1, "{balance:?}");
        for mut picked in held {
            if place(&picked) == 0 {
                picked.answered();
            }
        }
        assert!(shares(&pool, 20, 10)[0] > 1, "{balance:?}");
    }
}

#[test]
fn a_trial_given_up_is_free_again() {
    let pool = pool(Balance::RoundRobin, &[1]);
    eject(&pool, 0, 0);
    let trial = pick(&pool, 0, 10);
    assert!(pool.servers[0].standing(at(10)) == Standing::Out);
    drop(trial);
    assert!(matches!(pool.servers[0].standing(at(10)), Standing::Due(_)));
}

#[test]
fn tried_servers_are_left_out_even_when_all_others_are_ejected() {
    let pool = pool(Balance::RoundRobin, &[1, 1, 1]);
    eject(&pool, 1, 0);
    let mut tried = Tried::default();
    let mut order = Vec::new();
    while let Some(picked) = pool.pick(client(0), at(1), tried) {
        assert!(!tried.contains(picked.server()));
        tried.add(picked.server());
        order.push(place(&picked));
    }
    assert_eq!(order, [0, 2, 1], "the ejected one last");
}

#[test]
fn the_largest_pool_works() {
    let pool = pool(Balance::RoundRobin, &[1; 256]);
    for place in 0..255 {
        eject(&pool, place, 0);
    }
    assert_eq!(place(&pick(&pool, 0, 1)), 255);
    let mut tried = Tried::default();
    for server in pool.servers.iter() {
        assert!(!tried.contains(server));
        tried.add(server);
        assert!(tried.contains(server));
    }
    assert!(pool.pick(client(0), at(1), tried).is_none());
}

#[test]
fn threads_lose_no_turn_and_no_count() {
    let pool = pool(Balance::RoundRobin, &[3, 1]);
    let totals: Vec<Vec<u32>> = thread::scope(|scope| {
        let workers: Vec<_> = (0..4)
            .map(|_| scope.spawn(|| shares(&pool, 1000, 0)))
            .collect();
        workers
            .into_iter()
            .map(|worker| worker.join().unwrap())
            .collect()
    });
    let total = |place: usize| totals.iter().map(|shares| shares[place]).sum::<u32>();
    assert_eq!((total(0), total(1)), (3000, 1000));
    assert!(pool.servers.iter().all(|server| server.in_flight() == 0));
}

#[derive(Clone, Debug)]
enum Step {
    Start(u32),
    End(prop::sample::Index),
    Fail(prop::sample::Index),
    Wait(u64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => any::<u32>().prop_map(|n| Step::Start(n % 1000)),
        2 => any::<prop::sample::Index>().prop_map(Step::End),
        1 => any::<prop::sample::Index>().prop_map(Step::Fail),
        1 => (0_u64..8).prop_map(Step::Wait),
    ]
}

fn balance() -> impl Strategy<Value = Balance> {
    prop_oneof![
        Just(Balance::RoundRobin),
        Just(Balance::LeastConnections),
        Just(Balance::ClientAddress)
    ]
}

proptest! {
    /// Whatever happens: a request always gets a server, an ejected one only when nothing else is
    /// there, and the counts of requests in flight are those of a naive list.
    #[test]
    fn any_history_leaves_the_pool_usable(
        balance in balance(),
        weights in prop::collection::vec(1_u16..=8, 1..=6),
        steps in prop::collection::vec(step(), 0..80),
    ) {
        let pool = pool(balance, &weights);
        let mut held: Vec<InFlight> = Vec::new();
        let mut second = 0;
        for step in steps {
            match step {
                Step::Start(n) => {
                    let standings: Vec<Standing> =
                        pool.servers.iter().map(|server| server.standing(at(second))).collect();
                    let picked = pick(&pool, n, second);
                    if standings.iter().any(|&standing| standing != Standing::Out) {
                        prop_assert_ne!(standings[place(&picked)], Standing::Out);
                    }
                    held.push(picked);
                }
                Step::End(index) if !held.is_empty() => {
                    held.swap_remove(index.index(held.len())).answered();
                }
                Step::Fail(index) if !held.is_empty() => {
                    held.swap_remove(index.index(held.len())).failed(at(second));
                }
                Step::Wait(seconds) => second += seconds,
                Step::End(_) | Step::Fail(_) => {}
            }
            for (n, server) in pool.servers.iter().enumerate() {
                let with_it = held.iter().filter(|picked| place(picked) == n).count();
                prop_assert_eq!(usize::try_from(server.in_flight()).unwrap(), with_it);
            }
        }
    }

    #[test]
    fn the_least_connections_are_the_least(
        weights in prop::collection::vec(1_u16..=8, 1..=6),
        ends in prop::collection::vec(any::<Option<prop::sample::Index>>(), 0..60),
    ) {
        let pool = pool(Balance::LeastConnections, &weights);
        let mut held: Vec<InFlight> = Vec::new();
        for end in ends {
            let before: Vec<(u32, u32)> = pool.servers.iter()
                .map(|server| (server.in_flight(), u32::from(server.weight.get())))
                .collect();
            let picked = pick(&pool, 0, 0);
            let (load, weight) = before[place(&picked)];
            for (other_load, other_weight) in before {
                prop_assert!(load * other_weight <= other_load * weight);
            }
            held.push(picked);
            if let Some(index) = end {
                held.swap_remove(index.index(held.len()));
            }
        }
    }

    #[test]
    fn a_cycle_is_exact_whatever_is_ejected(
        servers in prop::collection::vec((1_u16..=8, any::<bool>()), 1..=5),
    ) {
        prop_assume!(servers.iter().any(|&(_, ejected)| !ejected));
        let weights: Vec<u16> = servers.iter().map(|&(weight, _)| weight).collect();
        let pool = pool(Balance::RoundRobin, &weights);
        let mut expected = Vec::new();
        for (place, &(weight, ejected)) in servers.iter().enumerate() {
            if ejected {
                eject(&pool, place, 0);
            }
            expected.push(if ejected { 0 } else { u32::from(weight) });
        }
        prop_assert_eq!(shares(&pool, expected.iter().sum(), 1), expected);
    }
}
