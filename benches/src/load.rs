//! Requests of many browsers at once, over connections that stay open.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

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

fn head_of(client: &HeaderValue) -> String {
    HEAD.replace("198.51.100.7", client.to_str().unwrap_or_default())
}

fn browse<'a>(proxy: SocketAddr, heads: impl Iterator<Item = &'a String>) -> io::Result<()> {
    let mut sending = TcpStream::connect(proxy)?;
    sending.set_nodelay(true)?;
    sending.set_read_timeout(Some(PATIENCE))?;
    let mut receiving = BufReader::new(sending.try_clone()?);
    let mut line = String::new();
    let mut body = Vec::new();
    for head in heads {
        sending.write_all(head.as_bytes())?;
        read_answer(&mut receiving, &mut line, &mut body)?;
    }
    Ok(())
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
