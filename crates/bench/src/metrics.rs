//! What a Palisade tells of itself.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};

/// The sum of a metric over all its labels, of the process whose metrics door this is.
///
/// # Errors
/// Where it doesn't answer.
pub fn sum_of_metric(door: SocketAddr, name: &str) -> io::Result<f64> {
    let mut connection = TcpStream::connect(door)?;
    connection
        .write_all(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
    let mut answer = String::new();
    connection.read_to_string(&mut answer)?;
    let values = answer.lines().filter_map(|line| {
        let (metric, value) = line.rsplit_once(' ')?;
        let (of, _) = metric.split_once('{').unwrap_or((metric, ""));
        (of == name).then(|| value.parse::<f64>().ok())?
    });
    Ok(values.sum())
}
