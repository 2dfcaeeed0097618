//! A folder that is made anew under a confined process. In a process of its own: see `confined.rs`.

use std::fs;
use std::io::ErrorKind;
use std::sync::mpsc::sync_channel;

use palisade_confinement::{Inherited, Layer, WritablePlaces, confine};

#[test]
fn a_folder_that_is_made_anew_is_another_one() {
    let parent = tempfile::tempdir().unwrap();
    let folder = parent.path().canonicalize().unwrap().join("state");
    fs::create_dir(&folder).unwrap();
    // A thread that was there before isn't confined: it stands for somebody else.
    let (remake, told) = sync_channel::<()>(0);
    let name = folder.clone();
    let somebody = std::thread::spawn(move || {
        told.recv().unwrap();
        fs::rename(&name, name.with_extension("old")).unwrap();
        fs::create_dir(&name).unwrap();
    });
    let mut places = WritablePlaces::default();
    places.add_folder(&folder);
    let confinement = confine(&places, None, &Inherited::default()).unwrap();
    assert!(confinement.has(Layer::Filesystem));
    fs::write(folder.join("a"), "").unwrap();
    assert_eq!(confinement.replaced().next(), None);

    remake.send(()).unwrap();
    somebody.join().unwrap();
    assert_eq!(confinement.replaced().collect::<Vec<_>>(), [&*folder]);
    let denied = fs::write(folder.join("a"), "").unwrap_err();
    assert_eq!(denied.kind(), ErrorKind::PermissionDenied);
}
