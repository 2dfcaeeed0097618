//! What a confined process can't do any more. One test, in a process of its own: nothing takes a
//! confinement back, and it holds for the thread that asked for it.

use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;

use palisade_confinement::{Inherited, Layer, OutOfReach, WritablePlaces, confine};

#[test]
fn a_confined_process_does_what_a_proxy_does_and_no_more() {
    let (own, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let kept = other.path().join("kept");
    fs::write(&kept, "as it was").unwrap();
    let mut places = WritablePlaces::default();
    places.add_folder(own.path());
    let confinement = confine(&places, None, &Inherited::default()).unwrap();
    assert_eq!(confinement.missing().collect::<Vec<_>>(), []);
    for layer in Layer::ALL {
        assert!(confinement.has(layer), "{layer}");
    }

    // Its own folder.
    let file = own.path().join("state");
    File::create(&file).unwrap().write_all(b"one").unwrap();
    fs::rename(&file, own.path().join("other")).unwrap();
    // Sockets and threads.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let connected = std::thread::spawn(move || TcpStream::connect(address).is_ok());
    listener.accept().unwrap();
    assert!(connected.join().unwrap());
    // Reading, anywhere.
    assert_eq!(fs::read_to_string(&kept).unwrap(), "as it was");

    // Other folders.
    let denied = |result: std::io::Result<()>, what: &str| {
        assert_eq!(
            result.unwrap_err().kind(),
            ErrorKind::PermissionDenied,
            "{what}"
        );
    };
    denied(fs::write(&kept, "changed"), "an existing file");
    denied(fs::write(other.path().join("new"), ""), "a new file");
    denied(fs::remove_file(&kept), "removing");
    // Programs.
    denied(Command::new("/bin/true").status().map(drop), "a program");
    // Memory: prctl(2) says that no core dump is written.
    let dumpable = rustix::process::dumpable_behavior().unwrap();
    assert_eq!(dumpable, rustix::process::DumpableBehavior::NotDumpable);
    // System calls of administration.
    let refused = rustix::process::chroot(Path::new("/")).unwrap_err();
    assert_eq!(refused, rustix::io::Errno::NOSYS);

    // What newer settings may name.
    let mut wanted = WritablePlaces::default();
    wanted.add_folder(&own.path().join("deeper"));
    assert_eq!(confinement.permits(&wanted), Ok(()));
    wanted.add_folder(other.path());
    let other = other.path().canonicalize().unwrap();
    assert_eq!(confinement.permits(&wanted), Err(OutOfReach(other)));
}
