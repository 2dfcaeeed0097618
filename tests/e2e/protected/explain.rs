//! `palisade explain` on protected paths: what is asked for, what of it holds, and the same end as the
//! proxy's.

use std::path::Path;

use tempfile::TempDir;

use super::{ALICE, basic, write_users};
use crate::harness::{Authority, Palisade};

/// Settings that nobody runs.
struct Settings {
    folder: TempDir,
    authority: Authority,
}

impl Settings {
    fn new(site: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let authority = Authority::new();
        write_users(folder.path(), ALICE);
        authority
            .certify(&["one.example"])
            .save(folder.path(), "one");
        std::fs::write(folder.path().join("ca.crt"), authority.pem()).unwrap();
        let settings = format!(
            "
listeners:
  - address: 127.0.0.1:8443
    tls:
      certificates: [{{ certificate: one.crt, private_key: one.key }}]
      client_certificates: {{ mode: optional, ca: ca.crt }}
upstreams: {{ app: {{ servers: [127.0.0.1:9000] }} }}
sites:
  - upstream: app
{site}
    protected:
      - id: admin
        match: {{ path: {{ prefix: [/admin] }} }}
        addresses: [192.0.2.0/24]
        methods: [GET]
        client_certificate: {{ names: [alice] }}
        basic_authentication: {{ file: users.htpasswd }}
"
        );
        std::fs::write(folder.path().join("palisade.yaml"), settings).unwrap();
        Self { folder, authority }
    }

    fn certificate(&self, authority: &Authority, name: &str) -> String {
        let certificate = authority.certify_unit(name, "people");
        certificate.save(self.folder.path(), "client");
        self.path("client.crt")
    }

    fn path(&self, name: &str) -> String {
        let path: &Path = self.folder.path();
        path.join(name).display().to_string()
    }

    /// What `explain` says of a request for /admin, by these arguments.
    fn explain(&self, client: &str, arguments: &[&str]) -> String {
        let settings = self.path("palisade.yaml");
        let fixed = ["explain", "--config", &settings, "--client", client];
        let url = ["https://one.example/admin"];
        let output = Palisade::execute(&[&fixed, arguments, &url].concat());
        let told = String::from_utf8_lossy(&output.stdout).into_owned();
        told + &String::from_utf8_lossy(&output.stderr)
    }
}

/// Each of `expected` is part of what is told.
#[track_caller]
fn check(told: &str, expected: &[&str]) {
    for expected in expected {
        assert!(told.contains(expected), "{expected}: {told}");
    }
}

#[test]
fn demands_are_told_with_what_holds_of_them() {
    let settings = Settings::new("");
    let told = settings.explain("203.0.113.1", &["--method", "POST"]);
    check(
        &told,
        &[
            "admin: address doesn't hold, method doesn't hold, client_certificate doesn't hold, credentials of one of 1 users are asked for",
            "check: protected paths    refused with 403: protected path admin: address",
            "check: credentials        not asked any more",
            "=> refused with 403",
        ],
    );
    let told = settings.explain("192.0.2.1", &[]);
    check(
        &told,
        &[
            "admin: address holds, method holds, client_certificate doesn't hold",
            "=> refused with 403: protected path admin: client_certificate",
        ],
    );
}

#[test]
fn a_certificate_is_verified_as_a_listener_does() {
    let settings = Settings::new("");
    let alice = settings.certificate(&settings.authority, "alice");
    let told = settings.explain("192.0.2.1", &["--client-certificate", &alice]);
    check(
        &told,
        &[
            "client certificate good, of \"alice\"",
            "client_certificate holds",
            "=> refused with 401: protected path admin: credentials_missing",
        ],
    );
    let mallory = settings.certificate(&settings.authority, "mallory");
    let told = settings.explain("192.0.2.1", &["--client-certificate", &mallory]);
    check(
        &told,
        &[
            "of \"mallory\"",
            "=> refused with 403: protected path admin: client_certificate",
        ],
    );
    let foreign = settings.certificate(&Authority::new(), "alice");
    let told = settings.explain("192.0.2.1", &["--client-certificate", &foreign]);
    check(&told, &["the handshake fails"]);
}

#[test]
fn credentials_are_verified() {
    let settings = Settings::new("");
    let alice = settings.certificate(&settings.authority, "alice");
    let with = |credentials: &str| {
        let header = basic(credentials);
        settings.explain(
            "192.0.2.1",
            &["--client-certificate", &alice, "--header", header.trim()],
        )
    };
    check(
        &with("alice:myPassword"),
        &["right: \"alice\"", "=> forwarded to app"],
    );
    let told = with("alice:wrong");
    check(
        &told,
        &["=> refused with 401: protected path admin: credentials_wrong (\"alice\")"],
    );
    assert!(
        !told.contains("wrong\"") && !told.contains(&basic("alice:wrong")),
        "{told}"
    );
}

#[test]
fn a_site_that_only_detects_forwards() {
    let settings = Settings::new("    mode: detect");
    let told = settings.explain("203.0.113.1", &["--header", basic("alice:wrong").trim()]);
    check(
        &told,
        &[
            "would be refused with 403: protected path admin: address",
            "would be refused with 401: protected path admin: credentials_wrong",
            "=> forwarded to app",
        ],
    );
}
