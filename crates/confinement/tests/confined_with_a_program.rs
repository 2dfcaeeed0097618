//! What a confined process that may start itself anew can start. In a process of its own: see
//! `confined.rs`.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;
use std::process::Command;

use palisade_confinement::{Inherited, Layer, WritablePlaces, confine};

#[test]
fn what_is_in_the_programs_folder_starts_and_nothing_else() {
    let (own, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let program = own.path().join("program");
    let elsewhere = other.path().join("program");
    for copy in [&program, &elsewhere] {
        fs::copy("/bin/true", copy).unwrap();
    }
    let places = WritablePlaces::default();
    let confinement = confine(&places, Some(program.clone()), &Inherited::default()).unwrap();
    assert!(confinement.has(Layer::Filesystem));

    let start = |path: &Path| Command::new(path).status();
    assert!(start(&program).unwrap().success());
    for path in [&elsewhere, Path::new("/bin/true"), Path::new("/bin/sh")] {
        let error = start(path).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::PermissionDenied, "{path:?}");
    }
    // Nor does it change what it may start.
    let error = fs::copy("/bin/true", own.path().join("another")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::PermissionDenied);
}
