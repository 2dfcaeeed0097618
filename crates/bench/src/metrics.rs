//! What a Palisade tells of itself.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};

/// The sum of a metric over all its labels, of the process whose metrics door this is; or the value of one, named
/// with its labels as they are written there.
///
/// # Errors
/// Where it doesn't answer, or doesn't tell the one that is named with labels.
pub fn sum_of_metric(door: SocketAddr, name: &str) -> io::Result<f64> {
    let mut connection = TcpStream::connect(door)?;
    connection
        .write_all(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
    let mut answer = String::new();
    connection.read_to_string(&mut answer)?;
    sum_in(&answer, name)
}

fn sum_in(answer: &str, name: &str) -> io::Result<f64> {
    if !answer.starts_with("HTTP/1.1 200 ") {
        let status = answer.lines().next().unwrap_or_default();
        return Err(io::Error::other(format!(
            "metrics: answered with {status:?}"
        )));
    }
    let values = answer.lines().filter_map(|line| {
        let (metric, value) = line.rsplit_once(' ')?;
        let (of, _) = metric.split_once('{').unwrap_or((metric, ""));
        (of == name || metric == name).then(|| value.parse::<f64>().ok())?
    });
    let values: Vec<f64> = values.collect();
    match values.is_empty() && name.contains('{') {
        true => Err(io::Error::other(format!("metrics: there is no {name}"))),
        false => Ok(values.iter().sum()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_of_its_labels_or_all_of_them() {
        const ANSWER: &str =
            "HTTP/1.1 200 OK\r\n\r\n# TYPE a counter\na{x=\"1\"} 2\na{x=\"2\"} 3\nab 7\n";
        let check = |answer: &str, name, expected: Option<f64>| {
            assert_eq!(sum_in(answer, name).ok(), expected, "{name}");
        };
        check(ANSWER, "a", Some(5.0));
        check(ANSWER, "a{x=\"2\"}", Some(3.0));
        check(ANSWER, "ab", Some(7.0));
        // No decision is a metric of none.
        check(ANSWER, "b", Some(0.0));
        check(ANSWER, "a{x=\"3\"}", None);
        check(&ANSWER.replace("200", "503"), "a", None);
        check("", "a", None);
    }
}
