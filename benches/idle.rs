//! What an idle keep-alive connection costs: resident memory of the real binary with thousands of
//! connections, each of which was asked one thing, above what it had before them.
//!
//! `cargo build --release --bin palisade`, then `cargo bench -p palisade-benches --bench idle`;
//! `-- 2000` opens so many connections instead of 10,000. `PALISADE` names another binary.

#![expect(
    clippy::print_stdout,
    clippy::expect_used,
    reason = "a program for a terminal"
)]

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use palisade_benches::binary::binary;
use palisade_benches::figures::machine;
use palisade_testkit::crowd::{Crowd, Speech};
use palisade_testkit::process::{raise_open_files, resident_bytes};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};

const CONNECTIONS: usize = 10_000;
const PER_ADDRESS: usize = 100;

/// Connections that come and go before any is counted: what the process makes once is no part of
/// what each costs.
const WARM_UP: usize = 100;

fn main() {
    let mut arguments = std::env::args().skip(1);
    let count = arguments.find_map(|argument| argument.parse().ok());
    let count = count.unwrap_or(CONNECTIONS);
    // Both ends of each connection are on this machine, and in processes of their own.
    let allowed = raise_open_files(count as u64 + 1_000);
    println!("{}, {allowed} open files allowed", machine());
    let folder = tempfile::tempdir().expect("a folder for temporary files");
    let tls = certify(folder.path());
    let backend = start_backend();
    for (name, is_tls, http2, promise) in [
        ("HTTP/1.1", false, false, 40),
        ("HTTP/1.1 over TLS", true, false, 70),
        ("HTTP/2", false, true, 40),
        ("HTTP/2 over TLS", true, true, 70),
    ] {
        let palisade = Palisade::start(folder.path(), backend, is_tls, count);
        let speech = Speech {
            tls: is_tls.then(|| offer(&tls, http2)),
            http2,
            per_address: PER_ADDRESS,
        };
        let kib = palisade.cost_of(count, &speech);
        println!("{name}: {kib:.1} KiB a connection, of {count} (at most {promise})");
    }
}

/// A running Palisade with one listener.
struct Palisade {
    child: Child,
    address: SocketAddr,
}

impl Palisade {
    fn start(folder: &Path, backend: SocketAddr, is_tls: bool, count: usize) -> Self {
        let certificates = "[{ certificate: site.crt, private_key: site.key }]";
        let tls = match is_tls {
            true => format!("tls: {{ certificates: {certificates} }},"),
            false => String::new(),
        };
        let settings = format!(
            "listeners:
  - {{ address: 127.0.0.1:0, {tls} limits: {{ connections: {} }}, deadlines: {{ idle: 1h }} }}
upstreams: {{ app: {{ servers: [\"{backend}\"] }} }}
sites: [{{ upstream: app }}]
",
            count + WARM_UP
        );
        let path = folder.join("palisade.yaml");
        fs::write(&path, settings).expect("a folder that can be written");
        let child = Command::new(binary())
            .args(["run", "--threads", "2", "--config"])
            .arg(path)
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn();
        let mut child = child.expect("a palisade: cargo build --release --bin palisade");
        let stderr = child.stderr.take().expect("its standard error");
        let mut lines = BufReader::new(stderr).lines().map_while(Result::ok);
        let address = lines.find_map(|line| {
            let (_, address) = line.split_once("address=")?;
            address.split(' ').next()?.parse().ok()
        });
        // What it says later is not to fill the pipe.
        std::thread::spawn(move || lines.for_each(drop));
        let address = address.expect("a palisade that starts");
        Self { child, address }
    }

    /// Resident KiB for each of `count` connections.
    fn cost_of(&self, count: usize, speech: &Speech) -> f64 {
        let open = |count| Crowd::open(self.address, count, speech).expect("answers");
        drop(open(WARM_UP));
        let pid = self.child.id();
        let resident = || resident_bytes(pid).expect("a running palisade") as f64;
        let before = resident();
        let crowd = open(count);
        (resident() - before) / crowd.len() as f64 / 1024.0
    }
}

impl Drop for Palisade {
    fn drop(&mut self) {
        // An error means that it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A backend with a page of two bytes.
fn start_backend() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port on loopback");
    let address = listener.local_addr().expect("its address");
    std::thread::spawn(move || {
        for tcp in listener.incoming().flatten() {
            std::thread::spawn(move || answer(tcp));
        }
    });
    address
}

/// Answers whatever comes: a request comes in one piece here.
fn answer(mut tcp: TcpStream) {
    let mut request = [0; 4096];
    while let Ok(1..) = tcp.read(&mut request) {
        let sent = tcp.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
        if sent.is_err() {
            return;
        }
    }
}

/// Writes a certificate and its key; who trusts it.
fn certify(folder: &Path) -> Arc<RootCertStore> {
    let key = rcgen::KeyPair::generate().expect("a key");
    let params = rcgen::CertificateParams::new(vec!["test.example".to_owned()]);
    let certificate = params.and_then(|params| params.self_signed(&key));
    let certificate = certificate.expect("a certificate");
    let write = |name, text| fs::write(folder.join(name), text).expect("a writable folder");
    write("site.crt", certificate.pem());
    write("site.key", key.serialize_pem());
    let mut roots = RootCertStore::empty();
    let der = CertificateDer::from_pem_slice(certificate.pem().as_bytes());
    roots.add(der.expect("PEM")).expect("a certificate");
    Arc::new(roots)
}

fn offer(roots: &Arc<RootCertStore>, http2: bool) -> Arc<ClientConfig> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions of TLS")
        .with_root_certificates(Arc::clone(roots))
        .with_no_client_auth();
    let protocol: &[u8] = if http2 { b"h2" } else { b"http/1.1" };
    config.alpn_protocols = vec![protocol.to_vec()];
    Arc::new(config)
}
