//! Requests of many browsers at once, over connections that stay open.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use http::HeaderValue;

use crate::browser::HEAD;

/// Nothing on loopback takes longer, under a profiler neither.
const PATIENCE: Duration = Duration::from_secs(30);

/// Sends `count` requests to `proxy` over `connections` connections, from `clients` in turn; each
/// must be answered with 200.
///
/// # Errors
/// A connection that fails, or another answer.
pub fn send(
    proxy: SocketAddr,
    connections: usize,
    count: usize,
    clients: &[HeaderValue],
) -> io::Result<()> {
    let heads: Vec<String> = clients.iter().map(head_of).collect();
    let each = count.div_ceil(connections);
    std::thread::scope(|scope| {
        let browsers: Vec<_> = (0..connections)
            .map(|number| {
                let heads = heads.iter().cycle().skip(number * each).take(each);
                scope.spawn(move || browse(proxy, heads))
            })
            .collect();
        let mut ended = browsers.into_iter().map(|browser| browser.join());
        ended.try_for_each(|end| end.unwrap_or_else(|_| Err(io::Error::other("a panic"))))
    })
}

/// A request that was sent because it was time to, whatever had become of those before it.
#[derive(Clone, Copy, Debug)]
pub struct Scheduled {
    /// When it was to be sent, since the load began.
    pub at: Duration,
    /// From then until its answer was there.
    pub took: Duration,
    /// From when it was sent: later than it was to be where the answer before it was late, or the
    /// machine had no processor for the client.
    pub took_sent: Duration,
}

/// Sends `rate` requests a second to `proxy` from `begun` on, for as long as `duration`, over
/// `connections` connections that take turns; each must be answered with 200. When they are sent
/// doesn't depend on answers (an open loop), but that a connection has one request at a time.
///
/// # Errors
/// As [`send`].
pub fn offer(
    proxy: SocketAddr,
    rate: u32,
    connections: usize,
    begun: Instant,
    duration: Duration,
    clients: &[HeaderValue],
) -> io::Result<Vec<Scheduled>> {
    let heads: Vec<String> = clients.iter().map(head_of).collect();
    let interval = Duration::from_secs(1) / rate;
    let count = u32::try_from(duration.as_nanos() / interval.as_nanos()).unwrap_or(u32::MAX);
    std::thread::scope(|scope| {
        let browsers: Vec<_> = (0..connections)
            .map(|number| {
                let turns = (0..count).skip(number).step_by(connections);
                let times = turns.map(|turn| interval * turn);
                let heads = heads
                    .iter()
                    .cycle()
                    .skip(number * heads.len() / connections);
                let requests = times.zip(heads);
                scope.spawn(move || browse_on_time(proxy, begun, requests))
            })
            .collect();
        let mut all = Vec::with_capacity(count as usize);
        for browser in browsers {
            let ended = browser.join();
            all.extend(ended.unwrap_or_else(|_| Err(io::Error::other("a panic")))?);
        }
        Ok(all)
    })
}

fn browse_on_time<'a>(
    proxy: SocketAddr,
    begun: Instant,
    requests: impl Iterator<Item = (Duration, &'a String)>,
) -> io::Result<Vec<Scheduled>> {
    let mut browser = Browser::connect(proxy)?;
    let mut answered = Vec::new();
    for (at, head) in requests {
        let due = begun + at;
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        let sent = Instant::now();
        browser.get(head)?;
        answered.push(Scheduled {
            at,
            took: due.elapsed(),
            took_sent: sent.elapsed(),
        });
    }
    Ok(answered)
}

fn head_of(client: &HeaderValue) -> String {
    HEAD.replace("198.51.100.7", client.to_str().unwrap_or_default())
}

fn browse<'a>(proxy: SocketAddr, mut heads: impl Iterator<Item = &'a String>) -> io::Result<()> {
    let mut browser = Browser::connect(proxy)?;
    heads.try_for_each(|head| browser.get(head))
}

/// A connection that stays open.
struct Browser {
    sending: TcpStream,
    receiving: BufReader<TcpStream>,
    line: String,
    body: Vec<u8>,
}

impl Browser {
    fn connect(proxy: SocketAddr) -> io::Result<Self> {
        let sending = TcpStream::connect(proxy)?;
        sending.set_nodelay(true)?;
        sending.set_read_timeout(Some(PATIENCE))?;
        let receiving = BufReader::new(sending.try_clone()?);
        Ok(Self {
            sending,
            receiving,
            line: String::new(),
            body: Vec::new(),
        })
    }

    fn get(&mut self, head: &str) -> io::Result<()> {
        self.sending.write_all(head.as_bytes())?;
        read_answer(&mut self.receiving, &mut self.line, &mut self.body)
    }
}

fn read_answer(
    from: &mut BufReader<TcpStream>,
    line: &mut String,
    body: &mut Vec<u8>,
) -> io::Result<()> {
    line.clear();
    from.read_line(line)?;
    if !line.starts_with("HTTP/1.1 200 ") {
        return Err(io::Error::other(format!("expected 200, got {line:?}")));
    }
    let mut length = 0;
    while line != "\r\n" {
        line.clear();
        if from.read_line(line)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            length = value.trim().parse().map_err(io::Error::other)?;
        }
    }
    body.resize(length, 0);
    from.read_exact(body)
}
