//! Closed loop: each client sends its next request when the last one is answered.

use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use crate::workload::Requests;

use super::{Connection, Tally, Target};

/// After so many failures in a row a client gives up.
const FAILURES_MAX: u64 = 20;

/// Sends requests for as long as `duration`, and waits for the answers to all of them. There are as many clients
/// as `sources`, each with a connection of its own; with several streams a connection, they share one.
pub async fn closed(target: &Target, sources: Vec<Requests>, duration: Duration) -> Tally {
    let begun = Instant::now();
    let until = begun + duration;
    let mut clients = JoinSet::new();
    let mut shared: Option<Connection> = None;
    let mut tally = Tally::default();
    for (number, source) in sources.into_iter().enumerate() {
        let streams = target.transport.streams.unwrap_or(1);
        let is_first = number % streams == 0;
        if is_first && streams > 1 {
            shared = share(target, &source, &mut tally).await;
        }
        let connection = shared.as_ref().and_then(Connection::stream);
        let mut target = target.clone();
        target.tls = target.tls.of_client(number);
        clients.spawn(client(target, source, connection, until));
    }
    while let Some(ended) = clients.join_next().await {
        match ended {
            Ok(of_client) => tally.add(of_client),
            Err(error) => tally.fail(&std::io::Error::other(error)),
        }
    }
    tally.took = begun.elapsed();
    tally
}

/// A connection for many streams.
async fn share(target: &Target, source: &Requests, tally: &mut Tally) -> Option<Connection> {
    let client = source.clone().make().client;
    match Connection::open(target, client).await {
        Ok(connection) => {
            tally.connections += 1;
            Some(connection)
        }
        Err(error) => {
            tally.fail(&error);
            None
        }
    }
}

async fn client(
    target: Target,
    mut source: Requests,
    mut connection: Option<Connection>,
    until: Instant,
) -> Tally {
    let mut tally = Tally::default();
    let mut failures_in_a_row = 0;
    while Instant::now() < until && failures_in_a_row < FAILURES_MAX {
        let prepared = source.make();
        let is_attack = prepared.is_attack;
        let open = connection
            .take()
            .filter(|connection| target.transport.is_reused && connection.is_open());
        let opened = match open {
            Some(connection) => Ok(connection),
            None => Connection::open(&target, prepared.client)
                .await
                .inspect(|opened| {
                    tally.connections += 1;
                    tally.resumed += u64::from(opened.is_resumed);
                }),
        };
        let answered = match opened {
            Ok(opened) => connection.insert(opened).ask(prepared).await,
            Err(error) => Err(error),
        };
        match answered {
            Ok(status) => {
                failures_in_a_row = 0;
                tally.count(status, is_attack);
            }
            Err(error) => {
                failures_in_a_row += 1;
                connection = None;
                tally.fail(&error);
            }
        }
    }
    tally
}
