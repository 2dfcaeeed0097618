//! Open loop: requests are sent when it is time to, whatever became of those before them.

use std::io;
use std::time::{Duration, Instant};

use tokio::sync::mpsc::{Receiver, Sender, channel};
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

impl Offer {
    /// How many requests that is.
    fn count(self) -> u32 {
        (self.rate * self.duration.as_secs_f64()) as u32
    }
}

/// Sends requests at a fixed rate; what came of them, and the latency of each, in seconds. It counts from when a
/// request was to be sent: one that waits behind another that is late counts with its wait, as a user's would
/// (coordinated omission). Clients take turns; each has a connection of its own, opened before the first request.
pub async fn open(target: &Target, sources: Vec<Requests>, offer: Offer) -> (Tally, Vec<f64>) {
    let mut tally = Tally::default();
    // However late a client is, all times of its requests have room: who keeps time waits for nobody.
    let each = offer.count() as usize / sources.len().max(1) + 1;
    let (mut clients, mut senders) = (JoinSet::new(), Vec::new());
    for source in sources {
        let address = source.clone().make().client;
        match Connection::open(target, address).await {
            Ok(connection) => {
                let (sender, due) = channel(each);
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
fn keep_time(begun: Instant, offer: Offer, clients: &[Sender<Instant>]) {
    for (number, client) in (0..offer.count()).zip(clients.iter().cycle()) {
        let due = begun + Duration::from_secs_f64(f64::from(number) / offer.rate);
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        // A client that has failed for good hears no more.
        let _ = client.try_send(due);
    }
}

async fn client(
    target: Target,
    mut source: Requests,
    connection: Connection,
    mut times: Receiver<Instant>,
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

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader, Write};
    use std::net::{SocketAddr, TcpListener};

    use super::*;
    use crate::lineup::tests::lineup;
    use crate::place::Duty;
    use crate::session::tests::with_session;
    use crate::transport::KEEP_ALIVE;
    use crate::workload::Kind;

    const STALL: Duration = Duration::from_millis(300);

    /// Answers at once, but for one request.
    fn server_that_stalls_once() -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("its address");
        std::thread::spawn(move || {
            let (mut tcp, _) = listener.accept().expect("a client");
            let lines = BufReader::new(tcp.try_clone().expect("the same socket")).lines();
            let mut asked = 0;
            for line in lines.map_while(Result::ok) {
                if line.is_empty() {
                    asked += 1;
                    if asked == 20 {
                        std::thread::sleep(STALL);
                    }
                    let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
                    tcp.write_all(answer).expect("a client that reads");
                }
            }
        });
        address
    }

    /// A client that waits for answers would see one late answer. A user sees that all requests of those 300 ms are
    /// late.
    #[test]
    fn requests_that_wait_behind_a_late_one_are_late() {
        let lineup = lineup(&[Duty::Bare]);
        with_session(&lineup, |session| {
            let subject = lineup.subjects.first().expect("a server");
            let mut target = subject.target(KEEP_ALIVE).expect("its door");
            target.door = server_that_stalls_once();
            let offer = Offer {
                rate: 100.0,
                duration: Duration::from_secs(1),
            };
            let sources = session.sources(Kind::Get, 1, 0);
            let (tally, latencies) = session.runtime.block_on(open(&target, sources, offer));
            assert_eq!((tally.answered(), tally.failed), (100, 0));
            let late = latencies.iter().filter(|latency| **latency > 0.1).count();
            assert!((15..=35).contains(&late), "{late} of {latencies:?}");
        });
    }
}
