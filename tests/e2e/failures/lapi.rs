//! LAPI itself: away, back, slow to go away, and unwilling.

use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use super::{
    INNOCENT, innocent_load, replace, said, settings, wait_for_more_of, wait_for_status,
    wait_until_well,
};
use crate::harness::{Backend, Lapi, Load, Manner, Palisade, ScriptedLapi, wait_for};

const UNREACHABLE: &str = "palisade_lapi_polls_total{result=\"connect\"}";
const OK: &str = "palisade_lapi_polls_total{result=\"ok\"}";

/// The section that asks a real LAPI at this address.
fn asking(lapi: &Lapi, url: &str) -> String {
    let key = lapi.key();
    format!("crowdsec: {{ lapi_url: \"{url}\", api_key: {key}, update_interval: 1s }}")
}

#[test]
fn lapi_is_killed_and_restarted_five_times() {
    let (lapi, backend) = (Lapi::start(), Backend::start());
    let palisade = Palisade::start(&settings(&backend, &asking(&lapi, &lapi.url())));
    lapi.ban("198.51.100.1", "4h");
    wait_for_status(&palisade, "198.51.100.1", 403);
    let load = innocent_load(&palisade).http2(1).start();
    let banned = Load::on(palisade.address())
        .of_client("198.51.100.1")
        .new_connections(1)
        .expecting(&[403])
        .start();
    for _ in 0..5 {
        let failed = palisade.metric(UNREACHABLE);
        lapi.stop();
        wait_for_more_of(&palisade, UNREACHABLE, failed);
        let status = &palisade.status()["lapi"];
        assert!(
            status["consecutive_failures"].as_u64() > Some(0),
            "{status}"
        );
        assert_eq!(status["synced"], true);
        let good = palisade.metric(OK);
        lapi.restart();
        wait_for_more_of(&palisade, OK, good);
    }
    lapi.ban("198.51.100.2", "4h");
    wait_for_status(&palisade, "198.51.100.2", 403);
    wait_until_well(&palisade);
    load.finish().assert_flawless();
    banned.finish().assert_flawless();
}

/// The way to LAPI, which can be cut, or lose what comes back.
struct Link {
    address: SocketAddr,
    is_cut: Arc<AtomicBool>,
    loses_answers: Arc<AtomicBool>,
    open: Arc<Mutex<Vec<TcpStream>>>,
}

impl Link {
    fn to(target: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let link = Self {
            address: listener.local_addr().unwrap(),
            is_cut: Arc::default(),
            loses_answers: Arc::default(),
            open: Arc::default(),
        };
        let (is_cut, open) = (Arc::clone(&link.is_cut), Arc::clone(&link.open));
        let loses_answers = Arc::clone(&link.loses_answers);
        std::thread::spawn(move || {
            for near in listener.incoming().flatten() {
                if is_cut.load(Ordering::Relaxed) {
                    continue;
                }
                let far = TcpStream::connect(target).unwrap();
                let both = || (near.try_clone().unwrap(), far.try_clone().unwrap());
                let (mut from, mut to) = both();
                std::thread::spawn(move || io::copy(&mut from, &mut to));
                let (to, from) = both();
                let loses_answers = Arc::clone(&loses_answers);
                std::thread::spawn(move || bring_back(from, to, &loses_answers));
                open.lock().unwrap().extend([near, far]);
            }
        });
        link
    }

    /// From now on answers are lost on their way, or come through.
    fn lose_answers(&self, loses: bool) {
        self.loses_answers.store(loses, Ordering::Relaxed);
    }

    fn cut(&self) {
        self.is_cut.store(true, Ordering::Relaxed);
        for tcp in self.open.lock().unwrap().drain(..) {
            // The other end may have gone already.
            let _ = tcp.shutdown(std::net::Shutdown::Both);
        }
    }

    fn mend(&self) {
        self.is_cut.store(false, Ordering::Relaxed);
    }
}

/// Brings what LAPI says back, or breaks the connection off once it says something.
fn bring_back(mut from: TcpStream, mut to: TcpStream, loses: &AtomicBool) {
    let mut piece = [0; 4096];
    loop {
        let length = from.read(&mut piece).unwrap_or(0);
        let goes_on = length > 0 && !loses.load(Ordering::Relaxed);
        if !goes_on || to.write_all(&piece[..length]).is_err() {
            break;
        }
    }
    for tcp in [from, to] {
        // The other end may have gone already.
        let _ = tcp.shutdown(std::net::Shutdown::Both);
    }
}

#[test]
fn an_answer_that_is_lost_on_its_way_loses_no_decision() {
    let (lapi, backend) = (Lapi::start(), Backend::start());
    let address = lapi.url().replace("http://", "").replace('/', "");
    let link = Link::to(address.parse().unwrap());
    let url = format!("http://{}/", link.address);
    let palisade = Palisade::start(&settings(&backend, &asking(&lapi, &url)));
    let old = lapi.ban("198.51.100.1", "4h");
    wait_for_status(&palisade, "198.51.100.1", 403);
    let load = innocent_load(&palisade).start();

    // LAPI has told what is new, and doesn't tell it again to who asks for that alone.
    link.lose_answers(true);
    lapi.delete(&old);
    lapi.ban("198.51.100.2", "4h");
    let truncated = "palisade_lapi_polls_total{result=\"truncated\"}";
    let failed = palisade.metric(truncated);
    wait_for_more_of(&palisade, truncated, failed + 1.0);
    assert_eq!(palisade.get_from("198.51.100.1", "/").status, 403);
    assert_eq!(palisade.get_from("198.51.100.2", "/").status, 200);
    link.lose_answers(false);
    wait_for_status(&palisade, "198.51.100.2", 403);
    wait_for_status(&palisade, "198.51.100.1", 200);
    load.finish().assert_flawless();
}

#[test]
fn what_lapi_decides_during_an_outage_arrives_after_it() {
    let (lapi, backend) = (Lapi::start(), Backend::start());
    let address = lapi.url().replace("http://", "").replace('/', "");
    let link = Link::to(address.parse().unwrap());
    let url = format!("http://{}/", link.address);
    let palisade = Palisade::start(&settings(&backend, &asking(&lapi, &url)));
    let (old, kept) = (lapi.ban("198.51.100.1", "4h"), "198.51.100.2");
    lapi.ban(kept, "4h");
    wait_for_status(&palisade, kept, 403);
    wait_for_status(&palisade, "198.51.100.1", 403);
    let load = innocent_load(&palisade).start();

    let failed = palisade.metric("palisade_lapi_polls_total{result=\"truncated\"}");
    link.cut();
    lapi.delete(&old);
    lapi.ban("198.51.100.3", "4h");
    let truncated = "palisade_lapi_polls_total{result=\"truncated\"}";
    wait_for_more_of(&palisade, truncated, failed);
    assert_eq!(palisade.get_from("198.51.100.1", "/").status, 403);
    assert_eq!(palisade.get_from("198.51.100.3", "/").status, 200);
    link.mend();
    wait_for_status(&palisade, "198.51.100.3", 403);
    wait_for_status(&palisade, "198.51.100.1", 200);
    assert_eq!(palisade.get_from(kept, "/").status, 403);
    load.finish().assert_flawless();
}

#[test]
fn without_lapi_at_the_start_what_was_saved_holds() {
    let (lapi, backend) = (ScriptedLapi::start(), Backend::start());
    let state = tempfile::tempdir().unwrap();
    let crowdsec = format!("crowdsec: {{ {} }}", lapi.asking());
    let saving = format!("{crowdsec}\nstate_directory: {}", state.path().display());
    lapi.ban("198.51.100.1", "4h");
    let mut first = Palisade::start(&settings(&backend, &saving));
    wait_for_status(&first, "198.51.100.1", 403);
    first.signal("TERM");
    assert_eq!(first.wait(), Some(0));

    lapi.set(Manner::Resets);
    let saved = Palisade::start(&settings(&backend, &saving));
    let empty = Palisade::start(&settings(&backend, &crowdsec));
    for (palisade, status) in [(&saved, 403), (&empty, 200)] {
        let load = innocent_load(palisade).start();
        assert_eq!(palisade.get_from("198.51.100.1", "/").status, status);
        let failed = "palisade_lapi_polls_total{result=\"truncated\"}";
        wait_for_more_of(palisade, failed, 0.0);
        assert_eq!(palisade.get_from("198.51.100.1", "/").status, status);
        assert_eq!(palisade.status()["lapi"]["synced"], false);
        assert_eq!(palisade.metrics_door("/readyz").status, 200);
        load.finish_after(10).assert_flawless();
    }
    lapi.ban("198.51.100.2", "4h");
    lapi.set(Manner::Answers);
    for palisade in [&saved, &empty] {
        wait_for_status(palisade, "198.51.100.1", 403);
        wait_for_status(palisade, "198.51.100.2", 403);
        wait_for("the status", || {
            (palisade.status()["lapi"]["synced"] == true).then_some(())
        });
    }
}

#[test]
fn a_decision_ends_by_itself_during_an_outage() {
    let (lapi, backend) = (ScriptedLapi::start(), Backend::start());
    let crowdsec = format!("crowdsec: {{ {} }}", lapi.asking());
    lapi.ban("198.51.100.1", "3s");
    lapi.ban("198.51.100.2", "4h");
    let palisade = Palisade::start(&settings(&backend, &crowdsec));
    wait_for_status(&palisade, "198.51.100.1", 403);
    let load = innocent_load(&palisade).start();
    lapi.set(Manner::Stalls(Vec::new()));
    let polls = lapi.polls();
    wait_for("a poll", || (lapi.polls() > polls).then_some(()));
    wait_for_status(&palisade, "198.51.100.1", 200);
    assert_eq!(palisade.get_from("198.51.100.2", "/").status, 403);
    lapi.delete("198.51.100.2");
    lapi.set(Manner::Answers);
    wait_for_status(&palisade, "198.51.100.2", 200);
    load.finish().assert_flawless();
}

#[test]
fn a_wrong_key_is_said_loudly_until_a_reload_brings_the_right_one() {
    let (lapi, backend) = (Lapi::shared(), Backend::start());
    lapi.ban("198.51.100.201", "4h");
    let text = settings(&backend, &asking(&lapi, &lapi.url()));
    let key = text.split("api_key: ").nth(1).unwrap();
    let key = key.split(',').next().unwrap();
    let palisade = Palisade::start(&text.replace(key, "wrong"));
    let load = innocent_load(&palisade).start();
    let refused = "palisade_lapi_key_refused";
    wait_for_more_of(&palisade, refused, 0.0);
    let is_loud = |line: &String| line.contains("level=error") && line.contains("refuses the key");
    assert!(palisade.stderr().iter().any(is_loud));
    let status = &palisade.status()["lapi"];
    assert_eq!(
        (&status["key_refused"], &status["synced"]),
        (&true.into(), &false.into())
    );
    assert_eq!(palisade.get_from("198.51.100.201", "/").status, 200);
    load.wait_for_more(10);

    let file = std::fs::read_to_string(palisade.settings()).unwrap();
    replace(&palisade.settings(), file.replace("wrong", key));
    palisade.signal("HUP");
    wait_for_status(&palisade, "198.51.100.201", 403);
    wait_for("the metric", || {
        (palisade.metric(refused) == 0.0).then_some(())
    });
    assert_eq!(palisade.status()["lapi"]["key_refused"], false);
    load.finish().assert_flawless();
}

#[test]
fn a_closed_policy_refuses_after_its_bound_and_only_then() {
    let (lapi, backend) = (ScriptedLapi::start(), Backend::start());
    let asking = lapi.asking();
    let closed = format!("crowdsec: {{ {asking}, on_failure: {{ policy: closed, after: 3s }} }}");
    let palisade = Palisade::start(&settings(&backend, &closed));
    wait_for_status(&palisade, INNOCENT, 200);
    let load = innocent_load(&palisade).start();
    load.wait_for_more(20);
    assert_eq!(palisade.metrics_door("/readyz").status, 200);
    lapi.set(Manner::Stalls(Vec::new()));
    // Not before the bound: nothing but 200 is expected until the first poll has failed.
    wait_for_more_of(
        &palisade,
        "palisade_lapi_polls_total{result=\"timeout\"}",
        0.0,
    );
    load.expect(&[200, 503]);
    wait_for("the first refusal", || {
        (load.report().count(503) > 0).then_some(())
    });
    let stale = palisade.status()["lapi"]["last_good_poll_age_seconds"].as_u64();
    assert!(stale >= Some(3), "{stale:?}");
    assert_eq!(palisade.metrics_door("/readyz").status, 503);
    load.expect(&[503]);
    load.wait_for_more(20);
    load.expect(&[200, 503]);
    lapi.set(Manner::Answers);
    wait_for_status(&palisade, INNOCENT, 200);
    load.wait_for_more(4);
    load.expect(&[200]);
    load.wait_for_more(20);
    assert_eq!(palisade.metrics_door("/readyz").status, 200);
    load.finish().assert_flawless();
}

#[test]
fn a_closed_policy_without_lapi_at_the_start_refuses_until_it_answers() {
    let (lapi, backend) = (ScriptedLapi::start(), Backend::start());
    lapi.set(Manner::Resets);
    let asking = lapi.asking();
    let closed = format!("crowdsec: {{ {asking}, on_failure: {{ policy: closed, after: 1h }} }}");
    let palisade = Palisade::start(&settings(&backend, &closed));
    let load = innocent_load(&palisade).expecting(&[503]).start();
    let failed = "palisade_lapi_polls_total{result=\"truncated\"}";
    wait_for_more_of(&palisade, failed, 0.0);
    load.wait_for_more(20);
    assert_eq!(palisade.metrics_door("/readyz").status, 503);
    assert_eq!(palisade.status()["lapi"]["synced"], false);

    load.expect(&[200, 503]);
    lapi.ban("198.51.100.1", "4h");
    lapi.set(Manner::Answers);
    wait_for_status(&palisade, "198.51.100.1", 403);
    wait_for_status(&palisade, INNOCENT, 200);
    // What was asked before that may still be on its way.
    load.wait_for_more(4);
    load.expect(&[200]);
    load.wait_for_more(20);
    assert_eq!(palisade.metrics_door("/readyz").status, 200);
    load.finish().assert_flawless();
}

#[test]
fn a_stalled_lapi_holds_up_no_reload_and_no_end() {
    let (lapi, backend) = (ScriptedLapi::start(), Backend::start());
    // Nothing here would end by itself within the test.
    let patient = lapi.asking().replace("400ms", "1h");
    for stall in [Manner::Stalls(Vec::new()), Manner::Drips(60)] {
        lapi.set(stall);
        let polls = lapi.polls();
        let crowdsec = format!("crowdsec: {{ {patient} }}");
        let mut palisade = Palisade::start(&settings(&backend, &crowdsec));
        wait_for("a poll", || (lapi.polls() > polls).then_some(()));
        let load = innocent_load(&palisade).start();
        let file = std::fs::read_to_string(palisade.settings()).unwrap();
        // Another way to ask ends the old poll; the second reload finds the new one stalled.
        for (number, interval) in [(2.0, "2s"), (3.0, "3s")] {
            let interval = format!("update_interval: {interval}");
            let generation = palisade.metric("palisade_snapshot_generation");
            replace(
                &palisade.settings(),
                file.replace("update_interval: 1s", &interval),
            );
            palisade.signal("HUP");
            wait_for("the reload", || {
                // Twice, where the watch sees the file before the signal comes.
                (palisade.metric("palisade_snapshot_generation") > generation).then_some(())
            });
            wait_for("the poll after it", || {
                (lapi.polls() as f64 > f64::from(polls as u32) + number - 1.0).then_some(())
            });
        }
        load.finish().assert_flawless();
        palisade.signal("TERM");
        assert_eq!(palisade.wait(), Some(0));
    }
}

#[test]
fn the_name_of_lapi_is_gone_and_comes_back() {
    let (lapi, backend) = (ScriptedLapi::start(), Backend::start());
    let folder = tempfile::tempdir().unwrap();
    let (hosts, known) = (folder.path().join("hosts"), "127.0.0.1 lapi.test\n");
    std::fs::write(&hosts, known).unwrap();
    // Nobody listens at that resolver, which answers so at once.
    std::fs::write(folder.path().join("resolv"), "nameserver 127.9.9.9\n").unwrap();
    let names = format!(
        "mount --bind {0}/hosts /etc/hosts && mount --bind {0}/resolv /etc/resolv.conf",
        folder.path().display()
    );
    let asking = lapi.asking().replace("//127.0.0.1", "//lapi.test");
    let crowdsec = format!("crowdsec: {{ {asking} }}");
    let settings = settings(&backend, &crowdsec);
    let palisade = Palisade::start_with_mounts(&names, folder, &settings);
    lapi.ban("198.51.100.1", "4h");
    wait_for_status(&palisade, "198.51.100.1", 403);
    let load = innocent_load(&palisade).start();
    std::fs::write(&hosts, "").unwrap();
    // What is open already needs no name.
    lapi.set(Manner::Resets);
    wait_for_more_of(&palisade, "palisade_lapi_polls_total{result=\"dns\"}", 0.0);
    load.wait_for_more(10);
    assert!(said(&palisade, "can't be reached (its name)"));
    assert_eq!(palisade.get_from("198.51.100.1", "/").status, 403);
    std::fs::write(&hosts, known).unwrap();
    lapi.ban("198.51.100.2", "4h");
    lapi.set(Manner::Answers);
    wait_for_status(&palisade, "198.51.100.2", 403);
    load.finish().assert_flawless();
}
