//! A LAPI that knows what it was told, for the real binary to ask.

use std::io::{self, BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// What changed since the last question: nothing.
const NOTHING_NEW: &str = r#"{"deleted":null,"new":null}"#;

/// Starts a LAPI on loopback that answers the first question for all decisions with `document`, and
/// every other question with nothing new. It lives as long as this process.
///
/// # Errors
/// When there is no port.
pub fn serve(document: String) -> io::Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    let document = Arc::new(Mutex::new(Some(document)));
    std::thread::spawn(move || {
        for connection in listener.incoming().flatten() {
            let document = Arc::clone(&document);
            // Whoever asks hangs up when it has enough.
            std::thread::spawn(move || answer(&connection, &document).unwrap_or_default());
        }
    });
    Ok(address)
}

fn answer(mut connection: &TcpStream, document: &Mutex<Option<String>>) -> io::Result<()> {
    let mut asking = BufReader::new(connection);
    loop {
        let mut question = String::new();
        if asking.read_line(&mut question)? == 0 {
            return Ok(());
        }
        let mut line = question.clone();
        while line != "\r\n" {
            line.clear();
            if asking.read_line(&mut line)? == 0 {
                return Ok(());
            }
        }
        // Freed when it is sent.
        let whole = question
            .contains("startup=true")
            .then(|| document.lock().ok()?.take());
        let body = whole.flatten();
        let body = body.as_deref().unwrap_or(NOTHING_NEW);
        write!(
            connection,
            "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n",
            body.len()
        )?;
        connection.write_all(body.as_bytes())?;
    }
}
