//! Open loop: requests are sent when it is time to, whatever became of those before them.

use std::io;
use std::time::{Duration, Instant};

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinSet;

use crate::workload::Requests;

use super::{Connection, Tally, Target};

/// Requests at a fixed rate.
#[derive(Clone, Copy, Debug)]
pub struct Offer {
    /// Requests a second, all clients together.
    pub rate: f64,
    /// For how long.
    pub duration: Duration,
}

/// Sends requests at a fixed rate; what came of them, and the latency of each, in seconds. It counts from when a
/// request was to be sent: one that waits behind another that is late counts with its wait, as a user's would
/// (coordinated omission). Clients take turns; each has a connection of its own, opened before the first request.
pub async fn open(target: &Target, sources: Vec<Requests>, offer: Offer) -> (Tally, Vec<f64>) {
    let mut tally = Tally::default();
    let (mut clients, mut senders) = (JoinSet::new(), Vec::new());
    for source in sources {
        let address = source.clone().make().client;
        match Connection::open(target, address).await {
            Ok(connection) => {
                let (sender, due) = unbounded_channel();
                senders.push(sender);
                clients.spawn(client(target.clone(), source, connection, due));
            }
            Err(error) => tally.fail(&error),
        }
    }
    let begun = Instant::now();
    let clock = std::thread::Builder::new()
        .name("clock".to_owned())
        .spawn(move || keep_time(begun, offer, &senders));
    if let Err(error) = clock {
        tally.fail(&error);
    }
    let mut latencies = Vec::new();
    while let Some(ended) = clients.join_next().await {
        match ended {
            Ok((of_client, took)) => {
                tally.add(of_client);
                latencies.extend(took);
            }
            Err(error) => tally.fail(&io::Error::other(error)),
        }
    }
    tally.took = begun.elapsed();
    (tally, latencies)
}

/// Tells each client in turn that it is time for a request, and for when it is: a thread that sleeps is punctual to
/// some tens of microseconds, a runtime's timers to a millisecond.
fn keep_time(begun: Instant, offer: Offer, clients: &[UnboundedSender<Instant>]) {
    let count = (offer.rate * offer.duration.as_secs_f64()) as u32;
    for (number, client) in (0..count).zip(clients.iter().cycle()) {
        let due = begun + Duration::from_secs_f64(f64::from(number) / offer.rate);
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        // A client that has failed for good hears no more.
        let _ = client.send(due);
    }
}

async fn client(
    target: Target,
    mut source: Requests,
    connection: Connection,
    mut times: UnboundedReceiver<Instant>,
) -> (Tally, Vec<f64>) {
    let mut connection = Some(connection);
    let (mut tally, mut latencies) = (Tally::default(), Vec::new());
    while let Some(due) = times.recv().await {
        let prepared = source.make();
        let is_attack = prepared.is_attack;
        let open = connection.take().filter(Connection::is_open);
        let opened = match open {
            Some(connection) => Ok(connection),
            None => Connection::open(&target, prepared.client).await,
        };
        let answered = match opened {
            Ok(opened) => connection.insert(opened).ask(prepared).await,
            Err(error) => Err(error),
        };
        match answered {
            Ok(status) => {
                tally.count(status, is_attack);
                latencies.push(due.elapsed().as_secs_f64());
            }
            Err(error) => {
                connection = None;
                tally.fail(&error);
            }
        }
    }
    (tally, latencies)
}
