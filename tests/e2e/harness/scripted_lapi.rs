//! A LAPI that misbehaves as it is told, for what no real one can be made to do.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use super::certificates::Certificate;

/// The key that it knows.
const KEY: &str = "the-right-key";
/// How long a connection waits for the next byte of the other end before it looks whether the test
/// is over.
const LOOK_AROUND: Duration = Duration::from_millis(100);

/// A LAPI that answers every poll with all of its decisions, or does something else.
pub(crate) struct ScriptedLapi {
    address: SocketAddr,
    script: Arc<Script>,
}

/// Well below every time that the tests give an answer: only a deadline for the whole of it ends one
/// that drips, and no time for a single read.
const DRIP_INTERVAL: Duration = Duration::from_millis(100);

/// What it does with a poll.
#[derive(Clone, Debug)]
pub(crate) enum Manner {
    /// Answers as LAPI does.
    Answers,
    /// Sends these bytes and closes the connection.
    Sends(Vec<u8>),
    /// Sends these bytes, and nothing more until the other end goes.
    Stalls(Vec<u8>),
    /// Sends the first bytes of its answer at once, then one each [`DRIP_INTERVAL`].
    Drips(usize),
    /// Sends its answer but for so many bytes at its end, and closes the connection.
    CutsOff(usize),
    /// Sends a head, the first bytes, and the middle again and again until so many bytes are sent.
    Floods {
        first: &'static str,
        again: fn(u64) -> String,
        bytes: u64,
    },
    /// Breaks the connection off without a word.
    Resets,
}

struct Script {
    manner: Mutex<Manner>,
    bans: Mutex<Vec<Ban>>,
    tls: Mutex<Option<Arc<ServerConfig>>>,
    polls: AtomicUsize,
    over: AtomicBool,
}

struct Ban {
    id: usize,
    address: String,
    duration: String,
    is_deleted: bool,
}

impl ScriptedLapi {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let script = Arc::new(Script {
            manner: Mutex::new(Manner::Answers),
            bans: Mutex::default(),
            tls: Mutex::default(),
            polls: AtomicUsize::new(0),
            over: AtomicBool::new(false),
        });
        let shared = Arc::clone(&script);
        std::thread::spawn(move || {
            for tcp in listener.incoming().flatten() {
                if shared.over.load(Ordering::Relaxed) {
                    return;
                }
                let shared = Arc::clone(&shared);
                std::thread::spawn(move || shared.serve(tcp));
            }
        });
        Self { address, script }
    }

    /// What stands under `crowdsec:` to ask it often and wait for it not long.
    pub(crate) fn asking(&self) -> String {
        format!(
            "lapi_url: \"http://{}/\", api_key: {KEY}, update_interval: 1s, \
             request_timeout: 400ms, startup_timeout: 400ms",
            self.address
        )
    }

    /// From the next poll on.
    pub(crate) fn set(&self, manner: Manner) {
        *self.script.manner.lock().unwrap() = manner;
    }

    /// Speaks TLS with this certificate from the next connection on.
    pub(crate) fn show(&self, certificate: &Certificate) {
        let chain = CertificateDer::from_pem_slice(certificate.chain.as_bytes()).unwrap();
        let key = PrivateKeyDer::from_pem_slice(certificate.key.as_bytes()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![chain], key)
            .unwrap();
        *self.script.tls.lock().unwrap() = Some(Arc::new(config));
    }

    /// Decides, from its next good answer on.
    pub(crate) fn ban(&self, address: &str, duration: &str) {
        let mut bans = self.script.bans.lock().unwrap();
        let id = bans.len() + 1;
        bans.push(Ban {
            id,
            address: address.to_owned(),
            duration: duration.to_owned(),
            is_deleted: false,
        });
    }

    /// Takes back what it decided on an address.
    pub(crate) fn delete(&self, address: &str) {
        let mut bans = self.script.bans.lock().unwrap();
        for ban in bans.iter_mut().filter(|ban| ban.address == address) {
            ban.is_deleted = true;
        }
    }

    /// How many polls came so far.
    pub(crate) fn polls(&self) -> usize {
        self.script.polls.load(Ordering::Relaxed)
    }
}

impl Drop for ScriptedLapi {
    fn drop(&mut self) {
        self.script.over.store(true, Ordering::Relaxed);
        // Wakes the thread that accepts.
        let _ = TcpStream::connect(self.address);
    }
}

/// What goes both ways.
trait Wire: Read + Write {}

impl<T: Read + Write> Wire for T {}

impl Script {
    fn serve(&self, tcp: TcpStream) {
        tcp.set_read_timeout(Some(LOOK_AROUND)).unwrap();
        let tls = self.tls.lock().unwrap().clone();
        let raw = tcp.try_clone().unwrap();
        let mut wire: Box<dyn Wire> = match tls {
            None => Box::new(tcp),
            Some(config) => Box::new(StreamOwned::new(
                ServerConnection::new(config).unwrap(),
                tcp,
            )),
        };
        // However a connection ends: the other end tells what it thinks of it.
        while let Some(head) = self.read_head(&mut *wire) {
            self.polls.fetch_add(1, Ordering::Relaxed);
            if !matches!(self.answer(&head, &mut *wire, &raw), Ok(true)) {
                return;
            }
        }
    }

    fn read_head(&self, wire: &mut dyn Wire) -> Option<String> {
        let mut head = Vec::new();
        let mut byte = [0];
        while !head.ends_with(b"\r\n\r\n") {
            match wire.read(&mut byte) {
                Ok(1) => head.push(byte[0]),
                Err(error) if is_timeout(&error) && !self.is_over() => {}
                _ => return None,
            }
        }
        Some(String::from_utf8_lossy(&head).into_owned())
    }

    /// Whether the connection goes on.
    fn answer(&self, head: &str, wire: &mut dyn Wire, raw: &TcpStream) -> io::Result<bool> {
        let manner = self.manner.lock().unwrap().clone();
        let whole = self.whole_answer(head);
        match manner {
            Manner::Answers => wire.write_all(&whole).map(|()| true),
            Manner::Sends(bytes) => wire.write_all(&bytes).map(|()| false),
            Manner::CutsOff(missing) => wire
                .write_all(&whole[..whole.len() - missing])
                .map(|()| false),
            Manner::Stalls(bytes) => {
                wire.write_all(&bytes)?;
                while !matches!(wire.read(&mut [0]), Ok(0)) && !self.is_over() {}
                Ok(false)
            }
            Manner::Drips(first) => {
                let (first, rest) = whole.split_at(first);
                wire.write_all(first)?;
                for byte in rest {
                    wire.write_all(&[*byte])?;
                    std::thread::sleep(DRIP_INTERVAL);
                }
                Ok(false)
            }
            Manner::Floods {
                first,
                again,
                bytes,
            } => self.flood(wire, first, again, bytes).map(|()| false),
            Manner::Resets => {
                let socket = socket2::SockRef::from(raw);
                socket.set_linger(Some(Duration::ZERO))?;
                Ok(false)
            }
        }
    }

    fn flood(
        &self,
        wire: &mut dyn Wire,
        first: &str,
        again: fn(u64) -> String,
        bytes: u64,
    ) -> io::Result<()> {
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {bytes}\r\n\r\n{first}");
        wire.write_all(head.as_bytes())?;
        let (mut sent, mut round) = (0, 0);
        while sent < bytes && !self.is_over() {
            let piece = again(round);
            wire.write_all(piece.as_bytes())?;
            sent += piece.len() as u64;
            round += 1;
        }
        Ok(())
    }

    fn whole_answer(&self, head: &str) -> Vec<u8> {
        let knows_key = head.lines().any(|line| {
            line.split_once(": ")
                .is_some_and(|(name, value)| name.eq_ignore_ascii_case("x-api-key") && value == KEY)
        });
        let (status, body) = match knows_key {
            true => ("200 OK", self.document()),
            false => (
                "403 Forbidden",
                "{\"message\":\"access forbidden\"}".to_owned(),
            ),
        };
        answer_with(status, &body)
    }

    fn document(&self) -> String {
        let bans = self.bans.lock().unwrap();
        let list = |deleted: bool| {
            let bans = bans.iter().filter(|ban| ban.is_deleted == deleted);
            let bans: Vec<String> = bans.map(Ban::to_json).collect();
            bans.join(",")
        };
        format!("{{\"new\":[{}],\"deleted\":[{}]}}", list(false), list(true))
    }

    fn is_over(&self) -> bool {
        self.over.load(Ordering::Relaxed)
    }
}

impl Ban {
    fn to_json(&self) -> String {
        let Self {
            id,
            address,
            duration,
            ..
        } = self;
        decision(&format!(
            "\"id\":{id},\"scope\":\"Ip\",\"value\":\"{address}\",\"duration\":\"{duration}\""
        ))
    }
}

/// A decision to ban, with these fields.
pub(crate) fn decision(fields: &str) -> String {
    format!("{{\"origin\":\"crowdsec\",\"type\":\"ban\",\"scenario\":\"scripted\",{fields}}}")
}

/// A whole answer.
pub(crate) fn answer_with(status: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!("HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}")
        .into_bytes()
}

fn is_timeout(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)
}
