//! Basic authentication: what is asked, who passes, what the backend hears.

use std::process::Command;
use std::time::Duration;

use super::{ADMIN, ALICE, BOB, CLIENT, Gate, basic, wait_for, write_users};
use crate::harness::{Http2Client, run};

#[test]
fn who_knows_the_password_passes() {
    let gate = Gate::with(ADMIN);
    assert_eq!(gate.ask(CLIENT, "GET /", "").status, 200);
    for (credentials, status) in [
        ("alice:myPassword", 200),
        ("bob:Hello world!", 200),
        ("carol:password", 200),
        ("alice:mypassword", 401),
        ("Alice:myPassword", 401),
        ("bob:myPassword", 401),
        ("mallory:myPassword", 401),
    ] {
        // Each from an address of its own: nobody is locked out here.
        let client = format!("198.51.100.{}", credentials.len() + usize::from(status));
        let client = client.replace("100.2", "101.").replace("100.4", "102.");
        assert_eq!(
            gate.try_as(&client, "/admin/x", credentials),
            status,
            "{credentials}"
        );
    }
    assert_eq!(gate.backend.requests().len(), 4);
}

#[test]
fn a_request_without_credentials_is_asked_for_some() {
    let gate = Gate::with(ADMIN);
    let headers = [
        "",
        "Authorization: Bearer x\r\n",
        "Authorization: Basic !\r\n",
    ];
    let two = [basic("alice:myPassword"), basic("alice:myPassword")].concat();
    for headers in headers.into_iter().chain([&*two]) {
        let answer = gate.ask(CLIENT, "GET /admin", headers);
        assert_eq!(answer.status, 401, "{headers}");
        let challenge = "Basic realm=\"Admin \\\"x\\\"\", charset=\"UTF-8\"";
        assert_eq!(answer.header("www-authenticate"), Some(challenge));
        assert_eq!(answer.header("cache-control"), Some("no-store"));
    }
    // Asking is no failure, however often: the right password still passes.
    for _ in 0..10 {
        gate.ask(CLIENT, "GET /admin", "");
    }
    assert_eq!(gate.try_as(CLIENT, "/admin", "alice:myPassword"), 200);
    let counted = |result: &str| {
        let name = format!("palisade_basic_authentication_total{{result=\"{result}\"}}");
        gate.palisade.metric(&name)
    };
    wait_for("all to be counted", || {
        (counted("verified") >= 1.0).then_some(())
    });
    assert_eq!(counted("credentials_missing"), 12.0);
    assert_eq!(counted("credentials_malformed"), 2.0);
}

#[test]
fn a_browser_gets_there_by_asking_first() {
    let gate = Gate::with(ADMIN);
    let url = format!("http://{}/admin", gate.palisade.address());
    let with = |user| {
        let output = Command::new("curl")
            .args([
                "--silent",
                "--noproxy",
                "*",
                "--haproxy-protocol",
                "--anyauth",
            ])
            .args([
                "--output",
                "/dev/null",
                "--write-out",
                "%{http_code} %{num_connects}",
            ])
            .args(["--user", user, &url])
            .output()
            .expect("run ./set-up test: curl");
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    // On one connection, which being asked doesn't end.
    assert_eq!(with("alice:myPassword"), "200 1");
    assert_eq!(with("alice:wrong"), "401 1");
}

#[test]
fn the_backend_hears_who_it_is_and_no_password() {
    let gate = Gate::with(
        "
      - id: told
        match: { path: { prefix: [/told] } }
        basic_authentication: { file: users.htpasswd, user_header: X-Remote-User }
      - id: forwarded
        match: { path: { prefix: [/forwarded] } }
        basic_authentication: { file: users.htpasswd, forward_credentials: true }
",
    );
    let forged = "X-Remote-User: root\r\nX_Remote_User: root\r\nx-remote_user: root\r\nX.Remote.User: root\r\n";
    let alice = basic("alice:myPassword") + forged;
    let request = |target: &str| {
        assert_eq!(
            gate.ask(CLIENT, &format!("GET {target}"), &alice).status,
            200
        );
        gate.backend.requests().pop().unwrap()
    };
    for path in ["/told", "/told/again"] {
        let told = request(path);
        assert_eq!(told.header("x-remote-user"), Some("alice"), "{path}");
        assert_eq!(told.count("x-remote-user"), 1);
        assert_eq!(told.header("authorization"), None);
        assert_eq!(
            (told.header("x_remote_user"), told.header("x-remote_user")),
            (None, None)
        );
        assert_eq!(told.header("x.remote.user"), None);
    }
    // Nobody may say so of itself, wherever on the site.
    for path in ["/forwarded", "/other"] {
        let other = request(path);
        assert_eq!(other.header("x-remote-user"), None, "{path}");
        assert_eq!(other.header("x_remote_user"), None);
        assert!(other.header("authorization").is_some());
    }
}

#[test]
fn the_access_log_has_the_user_and_the_decision_log_who_it_was_said_to_be() {
    let gate = Gate::with(ADMIN);
    gate.try_as(CLIENT, "/admin/ok", "alice:myPassword");
    gate.try_as(CLIENT, "/admin/bad", "al ice\":hunter2");
    let line = gate
        .palisade
        .wait_for_access(|line| line.contains("/admin/ok"));
    assert!(line.contains("192.0.2.1 - alice ["), "{line}");
    let line = gate
        .palisade
        .wait_for_access(|line| line.contains("/admin/bad"));
    assert!(
        line.contains("192.0.2.1 - - [") && line.contains("check=protected"),
        "{line}"
    );
    let line = gate
        .palisade
        .wait_for_decision(|line| line["path"] == "/admin/bad");
    assert_eq!(line["user"], "al ice\"");
    assert_eq!(
        (&line["protected"], &line["reason"]),
        (&"admin".into(), &"credentials_wrong".into())
    );
    let logs = format!("{line}{:?}", gate.palisade.access_log());
    assert!(
        !logs.contains("hunter2") && !logs.contains("myPassword"),
        "{logs}"
    );
}

#[test]
fn what_was_verified_is_remembered_until_the_file_changes() {
    let gate = Gate::with(ADMIN);
    let counted = |result: &str| {
        let name = format!("palisade_basic_authentication_total{{result=\"{result}\"}}");
        gate.palisade.metric(&name)
    };
    for _ in 0..50 {
        assert_eq!(gate.try_as(CLIENT, "/admin", "alice:myPassword"), 200);
    }
    wait_for("all to be counted", || {
        (counted("verified") + counted("remembered") >= 50.0).then_some(())
    });
    assert_eq!(counted("verified"), 1.0);
    // A file without her: nobody has to be told.
    let before = gate.generation();
    write_users(gate.palisade.directory(), BOB);
    gate.wait_for_generation(before);
    assert_eq!(gate.try_as(CLIENT, "/admin", "alice:myPassword"), 401);
    assert_eq!(gate.try_as(CLIENT, "/admin", "bob:Hello world!"), 200);
}

#[test]
fn a_file_that_cannot_be_used_changes_nothing() {
    let gate = Gate::with(ADMIN);
    let broken = format!("{ALICE}bob:secret-word\n");
    write_users(gate.palisade.directory(), &broken);
    let told = wait_for("the file to be refused", || {
        let lines = gate.palisade.stderr();
        lines
            .into_iter()
            .find(|line| line.contains("users.htpasswd:2:1"))
    });
    assert!(
        told.contains("htpasswd -B") && !told.contains("secret-word"),
        "{told}"
    );
    assert_eq!(gate.try_as(CLIENT, "/admin", "carol:password"), 200);
}

#[test]
fn nobody_is_asked_for_a_password_over_plain_http_that_is_sent_to_https() {
    let gate = Gate::with_site(&format!("    https: redirect\n    protected:{ADMIN}"), "");
    let answer = gate.ask(CLIENT, "GET /admin", "");
    assert_eq!(answer.status, 308);
    assert_eq!(
        answer.header("location"),
        Some("https://test.example/admin")
    );
    // Without a host there is nowhere to send it to, and so it is asked here.
    let mut connection = gate.palisade.connect_from(CLIENT);
    let answer = connection.send("GET /admin HTTP/1.0\r\n\r\n").answer();
    assert_eq!(answer.unwrap().status, 401);
    assert_eq!(gate.backend.requests().len(), 0);
}

#[test]
fn bodies_wait_for_the_password() {
    let gate = Gate::with(ADMIN);
    let post = |credentials: &str| {
        let head = format!(
            "POST /admin HTTP/1.1\r\nHost: test.example\r\n{}Content-Length: 5\r\n\r\nhello",
            basic(credentials)
        );
        let mut connection = gate.palisade.connect_from(CLIENT);
        connection.send(head).answer().unwrap().status
    };
    assert_eq!(post("alice:wrong"), 401);
    assert_eq!(gate.backend.requests().len(), 0);
    assert_eq!(post("alice:myPassword"), 200);
    assert_eq!(gate.backend.requests()[0].body, b"hello");
}

#[test]
fn passwords_are_asked_for_over_http2_too() {
    let gate = Gate::with_site(&format!("    protected:{ADMIN}"), "");
    gate.reload(
        "proxy_protocol: { mode: required",
        "proxy_protocol: { mode: optional",
    );
    let (refused, passed) = run(async {
        let client = Http2Client::connect(gate.palisade.address()).await;
        let refused = client.get("/admin").await.unwrap();
        let alice = basic("alice:myPassword");
        let value = alice
            .trim()
            .strip_prefix("Authorization: ")
            .unwrap()
            .to_owned();
        let passed = client
            .begin("GET", "/admin", &[("authorization", &value)], true)
            .await;
        let passed = passed.answer().await.unwrap();
        (refused, passed)
    });
    assert_eq!(
        (refused.status.as_u16(), passed.status.as_u16()),
        (401, 200)
    );
}

#[test]
fn verifying_holds_up_nobody_else() {
    // Each verification takes a good while.
    let gate = Gate::with(ADMIN);
    let slow = "slow:$6$rounds=300000$saltstring$";
    let hash =
        "svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjl/O817G3uBnIFNjnQJuesI68u4OTLiBFdcbYEdFCoEOfaS35inz1";
    let before = gate.generation();
    write_users(gate.palisade.directory(), &format!("{slow}{hash}\n"));
    gate.wait_for_generation(before);
    let head = |target: &str, more: &str| {
        format!("GET {target} HTTP/1.1\r\nHost: test.example\r\n{more}\r\n")
    };
    let mut guesses: Vec<_> = (0..70)
        .map(|number| {
            let mut connection = gate.palisade.connect_from(&format!("198.51.100.{number}"));
            connection.send(head("/admin", &basic(&format!("slow:{number}"))));
            connection
        })
        .collect();
    // Others are served at once meanwhile.
    let begun = std::time::Instant::now();
    for _ in 0..20 {
        assert_eq!(gate.ask(CLIENT, "GET /", "").status, 200);
    }
    assert!(
        begun.elapsed() < Duration::from_secs(5),
        "{:?}",
        begun.elapsed()
    );
    let statuses: Vec<u16> = guesses
        .iter_mut()
        .map(|guess| guess.answer().unwrap().status)
        .collect();
    let count = |status| statuses.iter().filter(|one| **one == status).count();
    assert!(count(503) >= 6, "at most 64 are admitted: {statuses:?}");
    assert_eq!(count(503) + count(401), 70, "{statuses:?}");
    let line = gate
        .palisade
        .wait_for_decision(|line| line["status"] == 503);
    assert_eq!(line["reason"], "verification_overloaded");
}
