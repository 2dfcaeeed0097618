//! What a process does that was confined before it began, by the one whose place it takes. One test, in a
//! process of its own, as in `confined.rs`; to this crate one process after the other is one that
//! confines itself again and again.

#![expect(clippy::unwrap_used, reason = "a test that fails shall say so")]

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::mpsc::sync_channel;

use palisade_confinement::{Confinement, Inherited, Layer, OutOfReach, WritablePlaces, confine};

/// More than the kernel takes layers of Landlock (16) and filters of system calls (some fifty of ours).
const PROCESSES: usize = 70;

fn places(folders: &[&Path]) -> WritablePlaces {
    let mut places = WritablePlaces::default();
    for folder in folders {
        places.add_folder(folder);
    }
    places
}

#[track_caller]
fn assert_whole(confinement: &Confinement) {
    assert_eq!(confinement.missing().collect::<Vec<_>>(), []);
    for layer in Layer::ALL {
        assert!(confinement.has(layer), "{layer}");
    }
}

/// proc_pid_status(5)
fn filters() -> String {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status
        .lines()
        .find(|line| line.starts_with("Seccomp_filters:"));
    line.unwrap().to_owned()
}

fn can_write(folder: &Path) -> bool {
    match fs::write(folder.join("file"), "") {
        Ok(()) => true,
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::PermissionDenied);
            false
        }
    }
}

#[test]
fn the_place_of_a_confined_process_is_taken_any_number_of_times() {
    let folders = [(); 3].map(|()| tempfile::tempdir().unwrap());
    let [one, two, other] = folders.each_ref().map(|folder| folder.path());
    // What isn't there can't be written to, and is no reason to refuse a process.
    let missing = other.join("missing");
    let both = places(&[one, two, &missing]);
    // A thread that was there before is not confined.
    let (make, made) = sync_channel::<PathBuf>(1);
    let outside = std::thread::spawn(move || fs::create_dir(made.recv().unwrap()).unwrap());
    let mut last = confine(&both, None, &Inherited::default()).unwrap();
    assert_whole(&last);
    let filters_of_one = filters();
    for _ in 0..PROCESSES {
        last = confine(&both, None, last.inherited()).unwrap();
        assert_whole(&last);
    }
    assert_eq!(filters(), filters_of_one);
    assert!(can_write(one) && can_write(two) && !can_write(other));

    // Nor does one come that was missing at the start: the kernel knew nothing to allow.
    make.send(missing.clone()).unwrap();
    outside.join().unwrap();
    assert!(!can_write(&missing));
    let refused = confine(&both, None, last.inherited()).unwrap_err();
    assert_eq!(refused, OutOfReach(missing.canonicalize().unwrap()));
    let both = places(&[one, two]);

    // Settings that want more are out of reach, whether they want a confinement or not.
    let wider = places(&[one, two, other]);
    let expected = OutOfReach(other.canonicalize().unwrap());
    let refused = confine(&wider, None, last.inherited());
    assert_eq!(refused.unwrap_err(), expected);
    let refused = Confinement::none_but(last.inherited().clone(), &wider);
    assert_eq!(refused.unwrap_err(), expected);
    fs::create_dir(folders[0].path().join("deeper")).unwrap();
    let within = places(&[&one.join("deeper")]);
    let rest = Confinement::none_but(last.inherited().clone(), &within).unwrap();
    assert!(rest.has(Layer::Filesystem) && rest.has(Layer::SystemCalls));
    assert!(
        !rest.has(Layer::Memory),
        "a new program's memory is its user's"
    );
    assert_eq!(rest.inherited(), last.inherited());

    // Those that want less get less.
    let narrower = confine(&places(&[one]), None, last.inherited()).unwrap();
    assert_whole(&narrower);
    assert!(can_write(one) && !can_write(two));
    let refused = confine(&both, None, narrower.inherited()).unwrap_err();
    assert_eq!(refused, OutOfReach(two.canonicalize().unwrap()));
}
