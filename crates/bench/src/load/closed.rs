//! Closed loop: each client sends its next request when the last one is answered.

use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use crate::workload::Requests;

use super::{Connection, Tally, Target};

/// After so many failures in a row a client gives up.
const FAILURES_MAX: u64 = 20;

/// Clients with their requests, connected where connections stay open.
#[derive(Debug)]
pub struct Clients {
    clients: Vec<Client>,
    tally: Tally,
}

#[derive(Debug)]
struct Client {
    target: Target,
    source: Requests,
    connection: Option<Connection>,
}

impl Clients {
    /// As many clients as `sources`, each with a connection of its own where these stay open; with several streams a
    /// connection, they share one.
    pub async fn connect(target: &Target, sources: Vec<Requests>) -> Self {
        let transport = target.transport;
        let streams = transport.streams.unwrap_or(1);
        let mut tally = Tally::default();
        let mut clients: Vec<Client> = Vec::with_capacity(sources.len());
        for (number, source) in sources.into_iter().enumerate() {
            let mut target = target.clone();
            target.tls = target.tls.of_client(number);
            let shared = match number % streams {
                0 => None,
                _ => clients
                    .last()
                    .and_then(|client| client.connection.as_ref()?.stream()),
            };
            let connection = match shared {
                Some(stream) => Some(stream),
                None if transport.is_reused => open(&target, &source, &mut tally).await,
                None => None,
            };
            clients.push(Client {
                target,
                source,
                connection,
            });
        }
        Self { clients, tally }
    }

    /// Sends requests for as long as `duration`, and waits for the answers to all of them; with the connections that
    /// are still open then, since to end them costs a server too.
    pub async fn load(self, duration: Duration) -> (Tally, Vec<Connection>) {
        let begun = Instant::now();
        let until = begun + duration;
        let (mut tally, mut open) = (self.tally, Vec::new());
        let clients = self
            .clients
            .into_iter()
            .map(|client| client.ask_until(until));
        let mut clients: JoinSet<_> = clients.collect();
        while let Some(ended) = clients.join_next().await {
            match ended {
                Ok((of_client, connection)) => {
                    tally.add(of_client);
                    open.extend(connection);
                }
                Err(error) => tally.fail(&std::io::Error::other(error)),
            }
        }
        tally.took = begun.elapsed();
        (tally, open)
    }
}

async fn open(target: &Target, source: &Requests, tally: &mut Tally) -> Option<Connection> {
    let client = source.clone().make().client;
    let opened = Connection::open(target, client).await;
    opened
        .inspect(|_| tally.connections += 1)
        .map_err(|error| tally.fail(&error))
        .ok()
}

impl Client {
    async fn ask_until(mut self, until: Instant) -> (Tally, Option<Connection>) {
        let mut tally = Tally::default();
        let mut failures_in_a_row = 0;
        while Instant::now() < until && failures_in_a_row < FAILURES_MAX {
            match self.ask(&mut tally).await {
                Ok(()) => failures_in_a_row = 0,
                Err(error) => {
                    failures_in_a_row += 1;
                    self.connection = None;
                    tally.fail(&error);
                }
            }
        }
        (tally, self.connection)
    }

    /// The next request, on the connection that is open or on another.
    async fn ask(&mut self, tally: &mut Tally) -> std::io::Result<()> {
        let prepared = self.source.make();
        let is_attack = prepared.is_attack;
        let is_reused = self.target.transport.is_reused;
        let open = self.connection.take();
        let opened = match open.filter(|connection| is_reused && connection.is_open()) {
            Some(connection) => connection,
            None => {
                let opened = Connection::open(&self.target, prepared.client).await?;
                tally.connections += 1;
                tally.resumed += u64::from(opened.is_resumed);
                opened
            }
        };
        let status = self.connection.insert(opened).ask(prepared).await?;
        tally.count(status, is_attack);
        Ok(())
    }
}
