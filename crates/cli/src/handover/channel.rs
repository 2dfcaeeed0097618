//! A socket that carries messages with file descriptors (unix(7), `SCM_RIGHTS`).

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{BorrowedFd, OwnedFd};

use anyhow::{Context, Result, bail, ensure};
use rustix::io::{Errno, retry_on_intr};
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags,
    SendAncillaryBuffer, SendAncillaryMessage, SendFlags, SocketFlags, SocketType, recv, recvmsg,
    send, sendmsg, socketpair,
};
use tokio::io::Interest;
use tokio::net::UnixStream;

use super::{Message, SOCKETS_MAX};

/// The longest message.
const MESSAGE_BYTES_MAX: usize = 64 * 1024;

/// One end of a socket that keeps messages apart (`SOCK_SEQPACKET`): a stream to tokio, which has no
/// type of its own for them, and only waits on it here.
pub(super) struct Channel(UnixStream);

/// A message with what came along.
pub(super) struct Received {
    pub(super) message: Message,
    pub(super) fds: Vec<OwnedFd>,
}

impl Channel {
    /// Both ends; the other one is for another process.
    pub(super) fn pair() -> Result<(Self, OwnedFd)> {
        let flags = SocketFlags::CLOEXEC;
        let (ours, theirs) = socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None)?;
        Ok((Self::new(ours)?, theirs))
    }

    /// The end that another process made.
    pub(super) fn new(fd: OwnedFd) -> Result<Self> {
        let socket = std::os::unix::net::UnixStream::from(fd);
        socket.set_nonblocking(true)?;
        Ok(Self(UnixStream::from_std(socket)?))
    }

    pub(super) async fn send(&self, message: &Message, fds: &[BorrowedFd<'_>]) -> Result<()> {
        let bytes = encode(message)?;
        let send = || {
            let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(SOCKETS_MAX))];
            let mut control = SendAncillaryBuffer::new(&mut space);
            if !fds.is_empty() && !control.push(SendAncillaryMessage::ScmRights(fds)) {
                return Err(io::ErrorKind::InvalidInput.into());
            }
            let parts = [IoSlice::new(&bytes)];
            Ok(sendmsg(&self.0, &parts, &mut control, SendFlags::NOSIGNAL)?)
        };
        let sent = self.0.async_io(Interest::WRITABLE, send).await;
        let sent = sent.context("can't speak to the other process")?;
        ensure!(sent == bytes.len(), "a message was cut");
        Ok(())
    }

    /// The next message; none where the other process closed its end or is gone.
    pub(super) async fn receive(&self) -> Result<Option<Received>> {
        let mut bytes = vec![0; MESSAGE_BYTES_MAX];
        let mut fds = Vec::new();
        let receive = || {
            let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(SOCKETS_MAX))];
            let mut control = RecvAncillaryBuffer::new(&mut space);
            let mut parts = [IoSliceMut::new(&mut bytes)];
            let received = recvmsg(&self.0, &mut parts, &mut control, RecvFlags::CMSG_CLOEXEC)?;
            for message in control.drain() {
                if let RecvAncillaryMessage::ScmRights(rights) = message {
                    fds.extend(rights);
                }
            }
            Ok((received.bytes, received.flags))
        };
        let received = self.0.async_io(Interest::READABLE, receive).await;
        let (length, flags) = match received {
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => return Ok(None),
            received => received.context("can't hear the other process")?,
        };
        if length == 0 {
            return Ok(None);
        }
        if flags.intersects(ReturnFlags::TRUNC | ReturnFlags::CTRUNC) {
            bail!("a message is longer than expected");
        }
        let message = decode(bytes.get(..length).unwrap_or_default())?;
        Ok(Some(Received { message, fds }))
    }
}

/// Says something at the end of a channel that another process made, before there is a runtime: waits
/// as long as it takes.
pub(super) fn say(end: &OwnedFd, message: &Message) -> Result<()> {
    let bytes = encode(message)?;
    let sent = retry_on_intr(|| send(end, &bytes, SendFlags::NOSIGNAL));
    let sent = sent.context("can't speak to the other process")?;
    ensure!(sent == bytes.len(), "a message was cut");
    Ok(())
}

/// Hears something there; none where the other process closed its end or is gone.
pub(super) fn hear(end: &OwnedFd) -> Result<Option<Message>> {
    // One more than there may be, to notice what is longer.
    let mut bytes = vec![0; MESSAGE_BYTES_MAX + 1];
    let length = match retry_on_intr(|| recv(end, &mut bytes[..], RecvFlags::empty())) {
        Ok((_, 0)) | Err(Errno::CONNRESET) => return Ok(None),
        received => received.context("can't hear the other process")?.1,
    };
    ensure!(
        length <= MESSAGE_BYTES_MAX,
        "a message is longer than expected"
    );
    decode(bytes.get(..length).unwrap_or_default()).map(Some)
}

fn encode(message: &Message) -> Result<Vec<u8>> {
    let bytes = serde_json::to_vec(message)?;
    ensure!(bytes.len() <= MESSAGE_BYTES_MAX, "a message is too long");
    Ok(bytes)
}

fn decode(bytes: &[u8]) -> Result<Message> {
    serde_json::from_slice(bytes).context("a message can't be understood")
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::os::fd::AsFd;

    use super::*;

    #[tokio::test]
    async fn messages_bring_what_goes_with_them() {
        let (ours, theirs) = Channel::pair().unwrap();
        let theirs = Channel::new(theirs).unwrap();
        let (reader, mut writer) = io::pipe().unwrap();
        let source = super::super::Source::Local;
        let message = Message::Decisions { source };
        ours.send(&message, &[reader.as_fd()]).await.unwrap();
        ours.send(&Message::Go, &[]).await.unwrap();
        drop(ours);
        let first = theirs.receive().await.unwrap().unwrap();
        assert_eq!(first.message, message);
        writer.write_all(b"through").unwrap();
        drop((writer, reader));
        let mut text = String::new();
        let [fd] = <[OwnedFd; 1]>::try_from(first.fds).unwrap();
        std::fs::File::from(fd).read_to_string(&mut text).unwrap();
        assert_eq!(text, "through");
        let second = theirs.receive().await.unwrap().unwrap();
        assert_eq!((second.message, second.fds.len()), (Message::Go, 0));
        assert!(theirs.receive().await.unwrap().is_none());
    }

    #[tokio::test]
    async fn what_is_no_message_is_refused() {
        for bytes in [&b"{}"[..], b"{\"say\":\"later\"}", b"\xff", &[b' '; 70_000]] {
            let (ours, theirs) = Channel::pair().unwrap();
            send(&theirs, bytes, SendFlags::empty()).unwrap();
            assert!(ours.receive().await.is_err());
            send(&ours.0, bytes, SendFlags::empty()).unwrap();
            assert!(hear(&theirs).is_err());
        }
    }

    #[tokio::test]
    async fn a_process_without_a_runtime_can_speak_too() {
        use std::ffi::OsString;
        use std::os::unix::ffi::OsStringExt;
        let (ours, theirs) = Channel::pair().unwrap();
        say(&theirs, &Message::Confined).unwrap();
        let said = ours.receive().await.unwrap().unwrap();
        assert_eq!(said.message, Message::Confined);
        // Names of files are bytes.
        let odd = OsString::from_vec(b"/tmp/\xff\n\"".to_vec());
        for writable in [None, Some(vec!["/var/log".into(), odd])] {
            let filter = writable.as_ref().map(|_| u64::MAX);
            let message = Message::Inherited { writable, filter };
            ours.send(&message, &[]).await.unwrap();
            assert_eq!(hear(&theirs).unwrap(), Some(message));
        }
        drop(ours);
        assert_eq!(hear(&theirs).unwrap(), None);
        assert!(say(&theirs, &Message::Confined).is_err());
    }
}
