//! What LAPI says at once holds at once: no request is judged by half of its answer.

use std::fmt::Write as _;
use std::io::Write as _;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use palisade_testkit::mmdb::country_database;

use crate::harness::{Backend, Load, Palisade, wait_for};

/// Many, so that an answer takes a while to be put into the table.
const CLIENTS: usize = 4_000;
/// How many answers move the bans while requests are served.
const MOVES: usize = 2;

fn client(number: usize) -> String {
    format!("198.18.{}.{}", number / 256, number % 256)
}

/// All that is decided after `round` answers: a ban on each client, or one on their country, in turn.
/// Each round's decisions have ids of their own.
fn decisions(round: usize) -> String {
    let mut json = String::new();
    let mut push = |number: usize, scope: &str, value: &str| {
        let comma = if json.is_empty() { "" } else { "," };
        let id = 1 + round * CLIENTS + number;
        write!(
            json,
            "{comma}{{\"duration\":\"4h0m0s\",\"id\":{id},\"origin\":\"cscli\",\"scenario\":\"moves\",\
             \"scope\":\"{scope}\",\"type\":\"ban\",\"value\":\"{value}\"}}"
        )
        .unwrap();
    };
    match round % 2 {
        0 => (0..CLIENTS).for_each(|number| push(number, "Ip", &client(number))),
        _ => push(0, "Country", "NZ"),
    }
    json
}

/// A LAPI whose every answer takes all decisions back and makes the others.
fn moving_lapi() -> Backend {
    let round = AtomicUsize::new(0);
    Backend::with(move |request, tcp| {
        let body = if request.line.contains("startup=true") {
            let round = round.load(Ordering::Relaxed);
            format!("{{\"new\":[{}],\"deleted\":[]}}", decisions(round))
        } else {
            let round = round.fetch_add(1, Ordering::Relaxed) + 1;
            let (new, deleted) = (decisions(round), decisions(round - 1));
            format!("{{\"new\":[{new}],\"deleted\":[{deleted}]}}")
        };
        let length = body.len();
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n");
        tcp.write_all((head + &body).as_bytes()).is_ok()
    })
}

#[test]
fn no_client_passes_while_its_ban_moves() {
    let (lapi, backend) = (moving_lapi(), Backend::start());
    let folder = tempfile::tempdir().unwrap();
    let countries = country_database(&[("198.18.0.0/15", "NZ")]);
    std::fs::write(folder.path().join("country.mmdb"), countries).unwrap();
    let settings = format!(
        "
listeners:
  - {{ address: 127.0.0.1:0, proxy_protocol: {{ mode: required, from: 127.0.0.0/8 }} }}
upstreams: {{ app: {{ servers: [\"{backend}\"] }} }}
sites: [{{ upstream: app }}]
geo: {{ country_database: country.mmdb }}
crowdsec: {{ lapi_url: \"http://{lapi}/\", api_key: key, update_interval: 1s }}
"
    );
    let palisade = Palisade::start_in(folder, &settings);
    wait_for("the first answer", || {
        (palisade.get_from(&client(0), "/").status == 403).then_some(())
    });
    // The first and the last that an answer deals with.
    let loads = [0, CLIENTS - 1].map(|number| {
        Load::on(palisade.address())
            .of_client(&client(number))
            .expecting(&[403])
            .pause(Duration::from_millis(1))
            .keep_alive(2)
            .start()
    });
    lapi.wait_for_requests(lapi.requests().len() + MOVES + 1);
    for load in loads {
        load.finish().assert_flawless();
    }
    // Both kinds of bans were what refused.
    for scope in ["Ip", "Country"] {
        palisade.wait_for_decision(|line| line["decision"]["scope"] == scope);
    }
}
