//! A name server that says what a test wants.

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

/// How often it looks whether it is to stop.
const LOOK_INTERVAL: Duration = Duration::from_millis(20);

/// A name server on loopback, for which all names stand for the same IPv4 addresses; stopped when
/// dropped.
pub(crate) struct Dns {
    address: SocketAddr,
    told: Arc<Told>,
    thread: Option<JoinHandle<()>>,
}

struct Told {
    addresses: Mutex<Vec<Ipv4Addr>>,
    questions: AtomicUsize,
    stop: AtomicBool,
}

impl Dns {
    /// One that says these addresses, each time for one second.
    pub(crate) fn start(addresses: &[&str]) -> Self {
        let mut dns = Self {
            address: "127.0.0.1:0".parse().unwrap(),
            told: Arc::new(Told {
                addresses: Mutex::default(),
                questions: AtomicUsize::new(0),
                stop: AtomicBool::new(false),
            }),
            thread: None,
        };
        dns.say(addresses);
        dns.start_again();
        dns
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// What names stand for from now on.
    pub(crate) fn say(&self, addresses: &[&str]) {
        let addresses = addresses.iter().map(|text| text.parse().unwrap());
        *self.told.addresses.lock().unwrap() = addresses.collect();
    }

    /// How much it was asked.
    pub(crate) fn questions(&self) -> usize {
        self.told.questions.load(Ordering::Relaxed)
    }

    /// Is gone from now on.
    pub(crate) fn stop(&mut self) {
        self.told.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
    }

    /// Is back, on its port.
    pub(crate) fn start_again(&mut self) {
        let socket = UdpSocket::bind(self.address).unwrap();
        self.address = socket.local_addr().unwrap();
        socket.set_read_timeout(Some(LOOK_INTERVAL)).unwrap();
        self.told.stop.store(false, Ordering::Relaxed);
        let told = Arc::clone(&self.told);
        self.thread = Some(std::thread::spawn(move || serve(&socket, &told)));
    }
}

impl Drop for Dns {
    fn drop(&mut self) {
        self.stop();
    }
}

fn serve(socket: &UdpSocket, told: &Told) {
    let mut question = [0; 1500];
    while !told.stop.load(Ordering::Relaxed) {
        let Ok((length, from)) = socket.recv_from(&mut question) else {
            continue;
        };
        told.questions.fetch_add(1, Ordering::Relaxed);
        let addresses = told.addresses.lock().unwrap().clone();
        let _ = socket.send_to(&answer(&question[..length], &addresses), from);
    }
}

/// RFC 1035 section 4.1: addresses for a question of type A, nothing for others.
fn answer(question: &[u8], addresses: &[Ipv4Addr]) -> Vec<u8> {
    const HEADER_BYTES: usize = 12;
    let mut end = HEADER_BYTES;
    while question[end] != 0 {
        end += 1 + usize::from(question[end]);
    }
    let is_a = question[end + 1..end + 3] == [0, 1];
    let addresses = if is_a { addresses } else { &[] };
    let mut answer = question[..2].to_vec();
    // A response, with recursion; one question.
    answer.extend([0x81, 0x80, 0, 1]);
    answer.extend([0, u8::try_from(addresses.len()).unwrap(), 0, 0, 0, 0]);
    answer.extend(&question[HEADER_BYTES..end + 5]);
    for address in addresses {
        // The name of the question, type A, class IN, one second, four bytes.
        answer.extend([0xc0, 0x0c, 0, 1, 0, 1, 0, 0, 0, 1, 0, 4]);
        answer.extend(address.octets());
    }
    answer
}
