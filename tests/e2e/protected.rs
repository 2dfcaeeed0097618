//! Protected paths: who gets there, who is asked for a password, and who is locked out.

mod certificates;
mod demands;
mod explain;
mod lockout;
mod passwords;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use palisade_testkit::mmdb::{MmdbValue, MmdbWriter};

use crate::harness::{Answer, Backend, Palisade, wait_for};

/// Hashes of `myPassword`, the first from Apache's documentation.
const ALICE: &str = "alice:$2y$05$c4WoMPo3SXsafkva.HHa6uXQZWr7oboPiC2bT/r7q1BB8I2s0BRqC\n";
/// `Hello world!`, by `openssl passwd -6`.
const BOB: &str = "bob:$6$saltstring$svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjl/O817G3uBnIFNjnQJuesI68u4OTLiBFdcbYEdFCoEOfaS35inz1\n";
/// `password`, from the tests of Argon2's reference implementation.
const CAROL: &str =
    "carol:$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4\n";

/// A Palisade that gets its clients' addresses in PROXY headers, before a backend.
struct Gate {
    palisade: Palisade,
    backend: Backend,
}

impl Gate {
    /// A site with these protected paths.
    #[track_caller]
    fn with(protected: &str) -> Self {
        Self::with_site(&format!("    protected:\n{protected}"), "")
    }

    /// A site with more lines of its own, and other sections.
    #[track_caller]
    fn with_site(site: &str, sections: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let users = [ALICE, BOB, CAROL].concat();
        write_users(folder.path(), &users);
        let range = |range: &str| range.parse().unwrap();
        let country = |name| MmdbValue::field("country_code", name);
        let countries = MmdbWriter::new("Test-Country")
            .insert(range("192.0.2.0/25"), country("XA"))
            .insert(range("192.0.2.128/25"), country("XB"));
        std::fs::write(folder.path().join("country.mmdb"), countries.build()).unwrap();
        let backend = Backend::start();
        let settings = format!(
            "
listeners:
  - {{ address: 127.0.0.1:0, proxy_protocol: {{ mode: required, from: 127.0.0.0/8 }} }}
upstreams: {{ app: {{ servers: [\"{backend}\"] }} }}
geo: {{ country_database: country.mmdb }}
admin: {{ address: 127.0.0.1:0 }}
sites:
  - upstream: app
{site}
{sections}
"
        );
        Self {
            palisade: Palisade::start_in(folder, &settings),
            backend,
        }
    }

    /// Asks from an address; `headers` are lines, each with its end.
    #[track_caller]
    fn ask(&self, client: &str, request: &str, headers: &str) -> Answer {
        let head = format!("{request} HTTP/1.1\r\nHost: test.example\r\n{headers}\r\n");
        let mut connection = self.palisade.connect_from(client);
        let connection = connection.send(head);
        let answer = match request.starts_with("HEAD ") {
            true => connection.answer_to_head(),
            false => connection.answer(),
        };
        answer.expect("an answer")
    }

    /// Asks with credentials; the status of the answer.
    #[track_caller]
    fn try_as(&self, client: &str, target: &str, credentials: &str) -> u16 {
        self.ask(client, &format!("GET {target}"), &basic(credentials))
            .status
    }

    /// Changes the settings, and waits until they are used.
    #[track_caller]
    fn reload(&self, from: &str, to: &str) {
        let before = self.generation();
        let settings = std::fs::read_to_string(self.palisade.settings()).unwrap();
        assert!(settings.contains(from), "{from}");
        std::fs::write(self.palisade.settings(), settings.replace(from, to)).unwrap();
        self.palisade.signal("HUP");
        self.wait_for_generation(before);
    }

    fn generation(&self) -> u64 {
        self.palisade.status()["settings"]["generation"]
            .as_u64()
            .unwrap()
    }

    #[track_caller]
    fn wait_for_generation(&self, before: u64) {
        wait_for("the settings to be used", || {
            (self.generation() > before).then_some(())
        });
    }
}

/// Replaces the users file as a whole, as htpasswd does.
fn write_users(folder: &std::path::Path, users: &str) {
    use std::os::unix::fs::PermissionsExt;
    let made = folder.join("users.new");
    std::fs::write(&made, users).unwrap();
    std::fs::set_permissions(&made, std::fs::Permissions::from_mode(0o600)).unwrap();
    std::fs::rename(made, folder.join("users.htpasswd")).unwrap();
}

/// The header line with credentials, as `user:password`.
fn basic(credentials: &str) -> String {
    format!("Authorization: Basic {}\r\n", STANDARD.encode(credentials))
}

const CLIENT: &str = "192.0.2.1";
const ADMIN: &str = "
      - id: admin
        match: { path: { prefix: [/admin] } }
        basic_authentication: { file: users.htpasswd, realm: \"Admin \\\"x\\\"\" }
";
