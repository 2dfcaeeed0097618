//! A LAPI whose decisions change when the harness says so, or that falls silent.

use std::io::{self, BufRead, BufReader, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// What changed since the last question: nothing.
const NOTHING_NEW: &str = r#"{"deleted":null,"new":null}"#;

/// A LAPI on loopback for one bouncer. It lives as long as the process.
#[derive(Clone, Debug)]
pub struct Lapi {
    address: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    says: Mutex<Says>,
    /// It answers again.
    spoke: Condvar,
}

#[derive(Debug)]
struct Says {
    /// Everything, for who starts.
    whole: Arc<str>,
    /// What is new, for the next question.
    delta: Option<Arc<str>>,
    is_silent: bool,
}

impl Lapi {
    /// Starts one that knows these decisions.
    ///
    /// # Errors
    /// Where there is no port.
    pub fn start(whole: String) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            says: Mutex::new(Says {
                whole: whole.into(),
                delta: None,
                is_silent: false,
            }),
            spoke: Condvar::new(),
        });
        let lapi = Self { address, shared };
        let answering = lapi.clone();
        std::thread::Builder::new()
            .name("lapi".to_owned())
            .spawn(move || answering.accept(&listener))?;
        Ok(lapi)
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers the next question for what changed with this document.
    pub fn announce(&self, delta: Arc<str>) {
        self.says().delta = Some(delta);
    }

    /// Takes questions and answers none, or answers again.
    pub fn be_silent(&self, is_silent: bool) {
        self.says().is_silent = is_silent;
        self.shared.spoke.notify_all();
    }

    fn says(&self) -> MutexGuard<'_, Says> {
        self.shared
            .says
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn accept(&self, listener: &TcpListener) {
        for connection in listener.incoming().flatten() {
            let lapi = self.clone();
            // Whoever asks hangs up when it has enough.
            std::thread::spawn(move || lapi.answer(&connection).unwrap_or_default());
        }
    }

    fn answer(&self, mut connection: &TcpStream) -> io::Result<()> {
        let mut asking = BufReader::new(connection);
        while let Some(question) = read_head(&mut asking)? {
            let Some(body) = self.next(question.contains("startup=true")) else {
                return Ok(());
            };
            write!(
                connection,
                "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
                body.len()
            )?;
            connection.write_all(body.as_bytes())?;
        }
        Ok(())
    }

    /// `None` for a question that came while it was silent: who asked has given up.
    fn next(&self, is_whole: bool) -> Option<Arc<str>> {
        let says = self.says();
        let was_silent = says.is_silent;
        let waited = self.shared.spoke.wait_while(says, |says| says.is_silent);
        let mut says = waited.unwrap_or_else(PoisonError::into_inner);
        if was_silent {
            return None;
        }
        let delta = match is_whole {
            true => Some(Arc::clone(&says.whole)),
            false => says.delta.take(),
        };
        Some(delta.unwrap_or_else(|| NOTHING_NEW.into()))
    }
}

/// The first line of a request without a body; `None` where the connection has ended.
fn read_head(asking: &mut BufReader<&TcpStream>) -> io::Result<Option<String>> {
    /// No head that a bouncer sends is longer.
    const LINES_MAX: usize = 100;
    let (mut first, mut line) = (String::new(), String::new());
    for _ in 0..LINES_MAX {
        line.clear();
        if asking.read_line(&mut line)? == 0 {
            return Ok(None);
        }
        if line == "\r\n" {
            return Ok(Some(first));
        }
        if first.is_empty() {
            first.clone_from(&line);
        }
    }
    Err(io::ErrorKind::InvalidData.into())
}
