//! What a LAPI may answer: each row is one way to be of no use, and then to be well again.

use std::io::Write as _;
use std::process::{Command, Stdio};

use super::{
    innocent_load, resident_mib, said, settings, wait_for_more_of, wait_for_status, wait_until_well,
};
use crate::harness::{
    Authority, Backend, Manner, Palisade, ScriptedLapi, answer_with, decision, wait_for,
};

/// One way to fail.
struct Row {
    name: &'static str,
    manner: Manner,
    /// What the poll is counted as.
    result: &'static str,
    /// What `/status` says.
    told: &'static str,
}

fn row(name: &'static str, manner: Manner, result: &'static str, told: &'static str) -> Row {
    Row {
        name,
        manner,
        result,
        told,
    }
}

/// Each row in turn: what was known holds, clients notice nothing, the metric and `/status` tell,
/// and the next good answer is obeyed.
#[track_caller]
fn check(rows: Vec<Row>) {
    let (lapi, backend) = (ScriptedLapi::start(), Backend::start());
    let crowdsec = format!("crowdsec: {{ {} }}", lapi.asking());
    let palisade = Palisade::start(&settings(&backend, &crowdsec));
    lapi.ban("198.51.100.1", "4h");
    wait_for_status(&palisade, "198.51.100.1", 403);
    let load = innocent_load(&palisade).start();
    for (number, row) in rows.into_iter().enumerate() {
        let polls = format!("palisade_lapi_polls_total{{result=\"{}\"}}", row.result);
        let before = palisade.metric(&polls);
        lapi.set(row.manner);
        wait_for(row.name, || {
            (palisade.metric(&polls) > before).then_some(())
        });
        load.wait_for_more(10);
        assert_eq!(
            palisade.get_from("198.51.100.1", "/").status,
            403,
            "{}",
            row.name
        );
        let told = palisade.status()["lapi"]["last_error"]["message"].clone();
        let told = told.as_str().unwrap_or_default();
        assert!(told.contains(row.told), "{}: {told}", row.name);
        assert_eq!(palisade.metrics_door("/readyz").status, 200);

        let next = format!("198.51.100.{}", 100 + number);
        lapi.ban(&next, "4h");
        lapi.set(Manner::Answers);
        wait_for_status(&palisade, &next, 403);
        wait_until_well(&palisade);
    }
    load.finish().assert_flawless();
}

#[test]
fn what_was_known_outlives_every_useless_answer() {
    // They mostly wait, so they may as well wait together.
    std::thread::scope(|scope| {
        for rows in [
            answers_that_do_not_end_in_time,
            answers_that_break_off,
            answers_of_another_status,
            answers_that_are_no_document,
        ] {
            scope.spawn(move || check(rows()));
        }
    });
}

fn head(lines: &str) -> Vec<u8> {
    format!("HTTP/1.1 200 OK\r\n{lines}\r\n").into_bytes()
}

fn answers_that_do_not_end_in_time() -> Vec<Row> {
    vec![
        row(
            "accepts, then silence",
            Manner::Stalls(Vec::new()),
            "timeout",
            "not complete after 400ms",
        ),
        row(
            "a head, then silence",
            Manner::Stalls(head("Content-Length: 100\r\n")),
            "timeout",
            "not complete after 400ms",
        ),
        row(
            "half a head, then silence",
            Manner::Stalls(b"HTTP/1.1 200 OK\r\nContent-".to_vec()),
            "timeout",
            "not complete after 400ms",
        ),
        row(
            "a byte again and again",
            Manner::Drips(0),
            "timeout",
            "not complete after 400ms",
        ),
        row(
            "most of a document, then a byte again and again",
            Manner::Drips(150),
            "timeout",
            "not complete after 400ms",
        ),
    ]
}

fn answers_that_break_off() -> Vec<Row> {
    vec![
        row(
            "closes in the middle of the document",
            Manner::CutsOff(20),
            "truncated",
            "broke off",
        ),
        row(
            "closes in the middle of the head",
            Manner::Sends(b"HTTP/1.1 200 OK\r\nContent-".to_vec()),
            "truncated",
            "broke off",
        ),
        row(
            "closes without a byte",
            Manner::Sends(Vec::new()),
            "truncated",
            "broke off",
        ),
        row(
            "resets the connection",
            Manner::Resets,
            "truncated",
            "broke off",
        ),
        row(
            "a document that stops, in an answer that is whole",
            Manner::Sends(answer_with("200 OK", "{\"new\":[{\"id\":1,")),
            "truncated",
            "broke off",
        ),
        row(
            "closes between two chunks",
            Manner::Sends(
                [
                    &head("Transfer-Encoding: chunked\r\n")[..],
                    b"8\r\n{\"new\":[\r\n",
                ]
                .concat(),
            ),
            "truncated",
            "broke off",
        ),
    ]
}

fn answers_of_another_status() -> Vec<Row> {
    let status = |name, status: &'static str, told| {
        row(
            name,
            Manner::Sends(answer_with(status, "{\"message\":\"database is locked\"}")),
            "status",
            told,
        )
    };
    let redirect =
        b"HTTP/1.1 302 Found\r\nLocation: /v1/decisions/stream\r\nContent-Length: 0\r\n\r\n";
    vec![
        status("500", "500 Internal Server Error", "status 500"),
        status("502", "502 Bad Gateway", "database is locked"),
        status("503", "503 Unavailable", "status 503"),
        status("404", "404 Not Found", "status 404"),
        status("204", "204 No Content", "status 204"),
        row(
            "redirects to itself",
            Manner::Sends(redirect.to_vec()),
            "status",
            "status 302",
        ),
        row(
            "forbids",
            Manner::Sends(answer_with(
                "403 Forbidden",
                "{\"message\":\"access forbidden\"}",
            )),
            "key_refused",
            "refuses the key",
        ),
    ]
}

fn answers_that_are_no_document() -> Vec<Row> {
    let body = |name, body: &str| {
        row(
            name,
            Manner::Sends(answer_with("200 OK", body)),
            "malformed",
            "no decision stream",
        )
    };
    vec![
        body("garbage", "\u{0}\u{1}\u{7f} what?"),
        body("a page of somebody else's", "<!doctype html><title>Welcome"),
        body("JSON of somebody else's", "{\"status\":\"ok\"}"),
        body("an array", "[]"),
        body(
            "a document with more behind it",
            "{\"new\":null,\"deleted\":null}{}",
        ),
        row(
            "bytes that are no HTTP",
            Manner::Sends(b"SSH-2.0-OpenSSH_9.2\r\n".to_vec()),
            "truncated",
            "broke off",
        ),
        row(
            "a document that was compressed, which nobody asked for",
            Manner::Sends(compressed(64 << 20)),
            "malformed",
            "no decision stream",
        ),
    ]
}

/// A document without decisions and with so much space in it, compressed.
fn compressed(spaces: usize) -> Vec<u8> {
    let mut gzip = Command::new("gzip")
        .arg("-1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("gzip is there");
    let mut document = gzip.stdin.take().unwrap();
    let writing = std::thread::spawn(move || {
        document.write_all(b"{\"new\":[")?;
        document.write_all(&vec![b' '; spaces])?;
        document.write_all(b"],\"deleted\":[]}")
    });
    let output = gzip.wait_with_output().unwrap();
    writing.join().unwrap().unwrap();
    let length = output.stdout.len();
    assert!(length < spaces / 100, "it is no bomb: {length} bytes");
    let head = head(&format!(
        "Content-Encoding: gzip\r\nContent-Length: {length}\r\n"
    ));
    [head, output.stdout].concat()
}

#[test]
fn a_document_with_absurd_entries_is_used_without_them() {
    let (lapi, backend) = (ScriptedLapi::start(), Backend::start());
    let crowdsec = format!("crowdsec: {{ {} }}", lapi.asking());
    let palisade = Palisade::start(&settings(&backend, &crowdsec));
    lapi.ban("198.51.100.1", "4h");
    wait_for_status(&palisade, "198.51.100.1", 403);
    let load = innocent_load(&palisade).start();
    let absurd = [
        "\"scope\":\"Ip\",\"value\":\"not an address\",\"duration\":\"4h\"",
        "\"scope\":\"Ip\",\"value\":\"198.51.100.250\",\"duration\":\"forever\"",
        "\"scope\":\"Ip\",\"value\":\"198.51.100.250\",\"duration\":\"4h\",\"id\":-1",
        "\"scope\":\"Ip\",\"value\":\"198.51.100.250\",\"duration\":\"4h\",\"id\":\"one\"",
        "\"scope\":\"Ip\",\"value\":\"198.51.100.250\",\"duration\":\"4h\",\"id\":1e300",
        "\"scope\":\"Ip\",\"value\":\"198.51.100.250\",\"duration\":{}",
        "\"scope\":\"Ip\",\"value\":[\"198.51.100.250\"],\"duration\":\"4h\"",
        "\"scope\":\"Ip\",\"value\":null,\"duration\":\"4h\"",
        "\"scope\":\"Range\",\"value\":\"198.51.100.0/33\",\"duration\":\"4h\"",
        "\"scope\":\"Country\",\"value\":\"Nowhere\",\"duration\":\"4h\"",
        "\"scope\":\"AS\",\"value\":\"AS99999999999\",\"duration\":\"4h\"",
        "\"scope\":\"Ip\",\"value\":\"198.51.100.250\",\"duration\":\"4h\",\"simulated\":true",
    ];
    let good = "\"scope\":\"Ip\",\"value\":\"198.51.100.4\",\"duration\":\"4h\"";
    let mut entries = vec![decision(good)];
    entries.extend(absurd.iter().map(|fields| decision(fields)));
    entries.extend(["17", "null", "[]", "\"ban\""].map(str::to_owned));
    // Long over, and for ever: neither is a mistake.
    let ended = "\"scope\":\"Ip\",\"value\":\"198.51.100.250\",\"duration\":\"-10h\"";
    let endless = "\"scope\":\"Ip\",\"value\":\"198.51.100.2\",\"duration\":\"2000000h\"";
    entries.extend([decision(ended), decision(endless)]);
    let document = format!(
        "{{\"deleted\":[7],\"new\":[{}],\"x\":{{}}}}",
        entries.join(",")
    );
    lapi.set(Manner::Sends(answer_with("200 OK", &document)));
    wait_for_status(&palisade, "198.51.100.2", 403);
    load.wait_for_more(10);
    for client in ["198.51.100.1", "198.51.100.4"] {
        assert_eq!(palisade.get_from(client, "/").status, 403, "{client}");
    }
    wait_for("what was left out to be told", || {
        said(&palisade, "17 decisions of LAPI were left out").then_some(())
    });
    wait_until_well(&palisade);

    lapi.ban("198.51.100.3", "4h");
    lapi.set(Manner::Answers);
    wait_for_status(&palisade, "198.51.100.3", 403);
    load.finish().assert_flawless();
}

/// How an answer without end begins, and the pieces that it goes on with.
type Flood = (&'static str, fn(u64) -> String);

#[test]
fn an_answer_without_end_costs_bounded_memory() {
    let (lapi, backend) = (ScriptedLapi::start(), Backend::start());
    let patient = lapi.asking().replace("400ms", "60s");
    let crowdsec = format!("crowdsec: {{ {patient}, answer_bytes: 48MiB }}");
    let palisade = Palisade::start(&settings(&backend, &crowdsec));
    lapi.ban("198.51.100.1", "4h");
    wait_for_status(&palisade, "198.51.100.1", 403);
    let load = innocent_load(&palisade).start();
    let (before, _) = resident_mib(&palisade);
    let floods: [Flood; 4] = [
        ("{\"new\":[", |_| " ".repeat(1 << 16)),
        ("{\"new\":[{\"scenario\":\"", |_| "x".repeat(1 << 16)),
        ("{\"x\":[0", |_| ",0".repeat(1 << 15)),
        ("{\"new\":[17", |round| {
            let entries = (0..512).map(|number| {
                let id = round * 512 + number;
                let [.., b, c, d] = id.to_be_bytes();
                let fields = format!(
                    "\"id\":{id},\"scope\":\"Ip\",\"value\":\"10.{b}.{c}.{d}\",\"duration\":\"4h\""
                );
                format!(",{}", decision(&fields))
            });
            entries.collect()
        }),
    ];
    for (number, (first, again)) in floods.into_iter().enumerate() {
        let polls = "palisade_lapi_polls_total{result=\"too_large\"}";
        let counted = palisade.metric(polls);
        lapi.set(Manner::Floods {
            first,
            again,
            bytes: 1 << 30,
        });
        wait_for_more_of(&palisade, polls, counted);
        load.wait_for_more(10);
        assert!(said(&palisade, "longer than the limit of 48MiB"));
        assert_eq!(palisade.get_from("198.51.100.1", "/").status, 403);
        let (_, most) = resident_mib(&palisade);
        assert!(
            most < before + 4 * 48,
            "flood {number}: {before} MiB before, {most} MiB at most"
        );
        let next = format!("198.51.100.{}", 100 + number);
        lapi.ban(&next, "4h");
        lapi.set(Manner::Answers);
        wait_for_status(&palisade, &next, 403);
    }
    load.finish().assert_flawless();
}

#[test]
fn certificates_that_cannot_be_trusted() {
    let (folder, authority, stranger) = (
        tempfile::tempdir().unwrap(),
        Authority::new(),
        Authority::new(),
    );
    std::fs::write(folder.path().join("ca.crt"), authority.pem()).unwrap();
    let (lapi, backend) = (ScriptedLapi::start(), Backend::start());
    let good = authority.certify(&["127.0.0.1"]);
    lapi.show(&good);
    lapi.ban("198.51.100.1", "4h");
    let asking = lapi.asking().replace("http:", "https:");
    let crowdsec = format!("crowdsec: {{ {asking}, ca: ca.crt }}");
    let palisade = Palisade::start_in(folder, &settings(&backend, &crowdsec));
    wait_for_status(&palisade, "198.51.100.1", 403);
    let load = innocent_load(&palisade).start();
    let bad = [
        (authority.certify_expired(&["127.0.0.1"]), "expired"),
        (authority.certify(&["lapi.example"]), "not valid for name"),
        (stranger.certify(&["127.0.0.1"]), "invalid peer certificate"),
    ];
    let polls = "palisade_lapi_polls_total{result=\"tls\"}";
    for (number, (certificate, told)) in bad.into_iter().enumerate() {
        let before = palisade.metric(polls);
        lapi.show(&certificate);
        // What is open already was trusted when it was opened.
        lapi.set(Manner::Resets);
        wait_for_more_of(&palisade, polls, before);
        load.wait_for_more(10);
        let message = palisade.status()["lapi"]["last_error"]["message"].clone();
        assert!(message.as_str().unwrap().contains(told), "{message}");
        assert_eq!(palisade.get_from("198.51.100.1", "/").status, 403);

        let next = format!("198.51.100.{}", 100 + number);
        lapi.ban(&next, "4h");
        lapi.show(&good);
        lapi.set(Manner::Answers);
        wait_for_status(&palisade, &next, 403);
    }
    load.finish().assert_flawless();
}
