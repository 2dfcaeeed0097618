//! curl, for what it does and hand-made bytes don't: real TLS, real HTTP/2, PROXY headers.

use std::process::Command;

use super::http::Answer;

/// Runs curl; the last answer that it got. HTTP proxies of the environment don't count.
#[track_caller]
pub(crate) fn curl(arguments: &[&str]) -> Answer {
    let output = Command::new("curl")
        .args([
            "--silent",
            "--show-error",
            "--include",
            "--insecure",
            "--max-time",
            "30",
            "--noproxy",
            "*",
        ])
        .args(arguments)
        .output()
        .expect("run ./set-up test: curl");
    assert!(
        output.status.success(),
        "curl {arguments:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    let mut rest = output.stdout.as_slice();
    loop {
        let end = rest
            .windows(4)
            .position(|window| window == b"\r\n\r\n")
            .expect("a head");
        let head = String::from_utf8_lossy(&rest[..end]).into_owned();
        let status: u16 = head
            .split(' ')
            .nth(1)
            .expect("a status")
            .parse()
            .expect("a status");
        rest = &rest[end + 4..];
        if status >= 200 {
            return Answer {
                status,
                head,
                body: rest.to_vec(),
            };
        }
    }
}
