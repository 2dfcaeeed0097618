use std::net::Ipv4Addr;
use std::thread;
use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::settings::{
    ConnectionLimit, Ejection, HealthCheck, Probe, Queueing, RetryBudget, ServerSettings, Servers,
    SlowStart, Weight,
};

fn at(seconds: u64) -> Tick {
    Tick::from_millis(seconds * 1000)
}

/// Servers `a:1`, `a:2` and so on with these weights.
fn pool(balance: Balance, weights: &[u16]) -> Pool {
    pool_with(balance, weights, |_| {})
}

fn pool_with(balance: Balance, weights: &[u16], change: impl FnOnce(&mut PoolSettings)) -> Pool {
    let servers = (1..).zip(weights).map(|(port, &weight)| ServerSettings {
        address: format!("a:{port}").parse().unwrap(),
        weight: Weight::new(weight).unwrap(),
    });
    let mut settings = PoolSettings::new("app", Servers::new(servers.collect()).unwrap());
    settings.balance = balance;
    settings.ejection = Some(Ejection::new(1, Duration::from_secs(10)).unwrap());
    change(&mut settings);
    Pool::build(settings, &mut SystemRoots::default(), &Arc::default(), None).unwrap()
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
    assert!(
        InFlight::enter(&pool.servers[place], None)
            .unwrap()
            .failed(at(second))
    );
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
                picked.answered(at(10));
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
    while let Ok(picked) = pool.pick(client(0), at(1), tried) {
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
    assert!(pool.pick(client(0), at(1), tried).is_err());
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

/// A pool with a slow start of 100 s, whose first server is back since second 10.
fn ramping(balance: Balance, weights: &[u16]) -> Pool {
    let pool = pool_with(balance, weights, |settings| {
        settings.slow_start = SlowStart::new(Duration::from_secs(100)).ok();
    });
    eject(&pool, 0, 0);
    let mut trial = InFlight::enter(&pool.servers[0], None).unwrap();
    trial.answered(at(10));
    pool
}

#[track_caller]
fn check_ramp(balance: Balance, weights: &[u16], second: u64, expected: &[u32]) {
    let pool = ramping(balance, weights);
    assert_eq!(shares(&pool, expected.iter().sum(), second), expected);
}

#[test]
fn a_server_that_comes_back_takes_exactly_its_share_of_its_turns() {
    for balance in [Balance::RoundRobin, Balance::LeastConnections] {
        // With half its share it takes half of its turns, and its neighbour all of its own: one
        // request in three.
        check_ramp(balance, &[1, 1], 10, &[0, 1000]);
        check_ramp(balance, &[1, 1], 35, &[200, 800]);
        check_ramp(balance, &[1, 1], 60, &[500, 1000]);
        check_ramp(balance, &[1, 1], 110, &[500, 500]);
        check_ramp(balance, &[2, 1], 60, &[500, 500]);
    }
}

#[test]
fn clients_come_back_one_after_the_other() {
    let pool = ramping(Balance::ClientAddress, &[1, 1, 1]);
    let at_home = |second: u64| -> Vec<u32> {
        (0..600)
            .filter(|&n| place(&pick(&pool, n, second)) == 0)
            .collect()
    };
    let (none, few, more, all) = (at_home(10), at_home(30), at_home(60), at_home(110));
    assert!(none.is_empty());
    assert!(few.iter().all(|n| more.contains(n)) && more.iter().all(|n| all.contains(n)));
    assert!(
        (20..200).contains(&few.len()),
        "{} of {}",
        few.len(),
        all.len()
    );
    assert!(few.len() < more.len() && more.len() < all.len());
}

#[test]
fn a_busy_server_that_comes_back_gets_its_share_of_what_runs() {
    let pool = ramping(Balance::LeastConnections, &[1, 1]);
    let held: Vec<InFlight> = (0..300).map(|n| pick(&pool, n, 60)).collect();
    let with_it = held.iter().filter(|picked| place(picked) == 0).count();
    // A third: half a weight beside a whole one.
    assert!((99..=101).contains(&with_it), "{with_it}");
}

#[test]
fn servers_that_come_back_alone_get_all() {
    for balance in [
        Balance::RoundRobin,
        Balance::LeastConnections,
        Balance::ClientAddress,
    ] {
        let pool = ramping(balance, &[1, 1]);
        eject(&pool, 1, 10);
        assert_eq!(shares(&pool, 50, 11), [50, 0], "{balance:?}");
    }
}

#[test]
fn a_server_that_checks_took_out_gets_nothing() {
    let check = HealthCheck {
        probe: Probe::Tcp,
        pace: Default::default(),
        thresholds: Default::default(),
    };
    let down = |pool: &Pool| {
        let failure = crate::check_state::CheckFailure {
            at: at(0),
            reason: "status 500".into(),
        };
        let state = &pool.servers[0].condition.check;
        state.note(Err(failure), Default::default());
    };
    let checked = pool_with(Balance::RoundRobin, &[1, 1], |settings| {
        settings.health_check = Some(check.clone());
    });
    down(&checked);
    assert_eq!(shares(&checked, 20, 1), [0, 20]);
    eject(&checked, 1, 1);
    assert_eq!(shares(&checked, 20, 1), [10, 10], "when all are out");
    let unchecked = pool(Balance::RoundRobin, &[1, 1]);
    down(&unchecked);
    assert_eq!(
        shares(&unchecked, 20, 1),
        [10, 10],
        "settings without a check"
    );
}

#[test]
fn a_pool_can_refuse_when_all_are_down() {
    let pool = pool_with(Balance::RoundRobin, &[1, 1], |settings| {
        settings.when_all_down = WhenAllDown::Refuse;
    });
    let pick_at = |second, tried| pool.pick(client(0), at(second), tried).map(|_| ());
    eject(&pool, 0, 0);
    assert_eq!(pick_at(1, Tried::default()), Ok(()));
    eject(&pool, 1, 0);
    assert_eq!(pick_at(1, Tried::default()), Err(NoServer::AllDown));
    let mut tried = Tried::default();
    tried.add(&pool.servers[0]);
    assert_eq!(pick_at(1, tried), Err(NoServer::AllDown));
    tried.add(&pool.servers[1]);
    assert_eq!(pick_at(1, tried), Err(NoServer::Tried));
    assert_eq!(pick_at(10, Tried::default()), Ok(()), "a trial");
}

fn limited(balance: Balance, weights: &[u16], connections_max: u32) -> Pool {
    pool_with(balance, weights, |settings| {
        settings.connection_limit = ConnectionLimit::new(connections_max, Queueing::default()).ok();
    })
}

#[test]
fn a_server_gets_no_more_than_it_may() {
    for balance in [
        Balance::RoundRobin,
        Balance::LeastConnections,
        Balance::ClientAddress,
    ] {
        let pool = limited(balance, &[7, 1], 3);
        let mut held: Vec<InFlight> = (0..6).map(|n| pick(&pool, n, 0)).collect();
        assert!(pool.servers.iter().all(|server| server.in_flight() == 3));
        let next = || pool.pick(client(0), at(0), Tried::default());
        assert_eq!(next().unwrap_err(), NoServer::Full, "{balance:?}");
        held.truncate(5);
        held.push(next().unwrap());
        assert_eq!(next().unwrap_err(), NoServer::Full);
        // One that is out has room, which is of no use.
        held.clear();
        eject(&pool, 0, 0);
        let held: Vec<InFlight> = (0..3).map(|n| pick(&pool, n, 1)).collect();
        assert!(held.iter().all(|picked| place(picked) == 1));
        assert_eq!(
            pool.pick(client(0), at(1), Tried::default()).unwrap_err(),
            NoServer::Full
        );
    }
}

#[test]
fn threads_keep_to_the_limit() {
    let pool = limited(Balance::RoundRobin, &[1, 1], 2);
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for n in 0..2000 {
                    let picked = pool.pick(client(n), at(0), Tried::default());
                    assert!(pool.servers.iter().all(|server| server.in_flight() <= 2));
                    drop(picked);
                }
            });
        }
    });
    assert!(pool.servers.iter().all(|server| server.in_flight() == 0));
}

#[test]
fn only_requests_earn_retries() {
    let pool = pool_with(Balance::RoundRobin, &[1, 1, 1], |settings| {
        settings.retry_budget = RetryBudget::new(20, 2).ok();
    });
    let retries = || {
        std::iter::repeat_with(|| pool.may_retry())
            .take_while(|&may| may)
            .count()
    };
    assert_eq!(retries(), 2);
    // Turns that are passed over, and second picks of a request, are no requests.
    eject(&pool, 0, 0);
    let mut tried = Tried::default();
    tried.add(&pool.servers[1]);
    for n in 0..4 {
        pick(&pool, n, 1);
        assert!(pool.pick(client(n), at(1), tried).is_ok());
    }
    assert_eq!(retries(), 0);
    pick(&pool, 4, 1);
    assert_eq!(retries(), 1);
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
                    held.swap_remove(index.index(held.len())).answered(at(second));
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
