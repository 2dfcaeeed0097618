//! From the socket to the parser: pieces of an answer, read on a thread of their own.

use std::io;

use bytes::Bytes;
use tokio::sync::mpsc;

/// A part of an answer's body, as it came from the socket.
#[derive(Debug)]
pub(crate) enum Piece {
    /// Some bytes.
    Bytes(Bytes),
    /// The body is complete. Without this, what was read is not to be trusted.
    End,
}

/// Reads the pieces that another task sends; blocks its thread until there is one.
#[derive(Debug)]
pub(crate) struct ChunkReader {
    pieces: mpsc::Receiver<Piece>,
    current: Bytes,
    ended: bool,
}

impl ChunkReader {
    pub(crate) fn new(pieces: mpsc::Receiver<Piece>) -> Self {
        Self {
            pieces,
            current: Bytes::new(),
            ended: false,
        }
    }
}

impl io::Read for ChunkReader {
    /// An error of kind `UnexpectedEof` when the sender stopped without [`Piece::End`].
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.current.is_empty() && !self.ended {
            match self.pieces.blocking_recv() {
                Some(Piece::Bytes(bytes)) => self.current = bytes,
                Some(Piece::End) => self.ended = true,
                None => return Err(io::ErrorKind::UnexpectedEof.into()),
            }
        }
        let taken = self.current.split_to(self.current.len().min(buffer.len()));
        for (slot, byte) in buffer.iter_mut().zip(taken.iter()) {
            *slot = *byte;
        }
        Ok(taken.len())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    #[track_caller]
    fn check(pieces: &[Option<&'static [u8]>], expected: Result<&[u8], io::ErrorKind>) {
        let (sender, receiver) = mpsc::channel(8);
        for piece in pieces {
            let piece = piece.map_or(Piece::End, |bytes| Piece::Bytes(Bytes::from_static(bytes)));
            sender.blocking_send(piece).unwrap();
        }
        drop(sender);
        let mut read = Vec::new();
        let got = ChunkReader::new(receiver).read_to_end(&mut read);
        assert_eq!(got.map(|_| read.as_slice()).map_err(|e| e.kind()), expected);
    }

    #[test]
    fn a_body_is_whole_only_with_its_end() {
        check(&[None], Ok(b""));
        check(&[Some(b"ab"), Some(b""), Some(b"c"), None], Ok(b"abc"));
        check(&[Some(b"ab"), None, Some(b"c")], Ok(b"ab"));
        check(&[Some(b"ab")], Err(io::ErrorKind::UnexpectedEof));
        check(&[], Err(io::ErrorKind::UnexpectedEof));
    }
}
