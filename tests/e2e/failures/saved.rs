//! The disk that known decisions are saved on: CrowdSec's and the operator's.

use std::path::Path;
use std::process::Command;

use super::{
    innocent_load, inside, replace, said, settings, wait_for_more_of, wait_for_status,
    wait_until_said,
};
use crate::harness::{Backend, Manner, Palisade, ScriptedLapi, wait_for};

const CROWDSEC: &str = "crowdsec-decisions.jsonl";
const LOCAL: &str = "local-decisions.jsonl";
const NOT_SAVED: &str = "palisade_lapi_decisions_not_saved";

/// Adds a local decision; what the operator is told on standard error.
fn add_local(palisade: &Palisade, client: &str) -> String {
    let settings = palisade.settings();
    let settings = settings.to_str().unwrap();
    let output = Palisade::execute(&["decisions", "--config", settings, "add", client]);
    assert!(output.status.success(), "{output:?}");
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn a_full_disk_and_a_read_only_one_cost_no_decision() {
    let full = "head -c 1M /dev/zero > {}/filler 2>/dev/null || true";
    let read_only = "mount -o remount,ro {}";
    std::thread::scope(|scope| {
        scope.spawn(|| check_disk(full, "No space left on device"));
        scope.spawn(|| check_disk(read_only, "Read-only file system"));
    });
}

/// Starts with a disk that takes nothing, and makes it take everything.
fn check_disk(make_useless: &str, told: &str) {
    let (lapi, backend) = (ScriptedLapi::start(), Backend::start());
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state");
    std::fs::create_dir(&state).unwrap();
    let place = state.display().to_string();
    let make_useless = make_useless.replace("{}", &place);
    let mounts = format!("mount -t tmpfs -o size=64k none {place}; {make_useless}");
    lapi.ban("198.51.100.1", "4h");
    let asking = lapi.asking();
    let more = format!("crowdsec: {{ {asking} }}\nstate_directory: state");
    let settings = settings(&backend, &more);
    let palisade = Palisade::start_with_mounts(&mounts, folder, &settings);
    let load = innocent_load(&palisade).start();
    wait_for_status(&palisade, "198.51.100.1", 403);
    let warned = add_local(&palisade, "198.51.100.2");
    assert!(warned.contains(told), "{warned}");
    assert_eq!(palisade.get_from("198.51.100.2", "/").status, 403);
    wait_for_more_of(&palisade, NOT_SAVED, 0.0);
    wait_until_said(&palisade, "can't be saved");
    let not_saved = palisade.status()["lapi"]["not_saved"]["message"].clone();
    assert!(not_saved.as_str().unwrap().contains(told), "{not_saved}");
    load.wait_for_more(10);

    let state = inside(&palisade, &state);
    if state.join("filler").exists() {
        std::fs::remove_file(state.join("filler")).unwrap();
    } else {
        let pid = palisade.pid().to_string();
        let remount = Command::new("nsenter")
            .args(["-t", &pid, "-m", "mount", "-o", "remount,rw", &place])
            .status();
        assert!(remount.unwrap().success());
    }
    wait_until_said(&palisade, "are saved in");
    wait_for("the local decision's file", || {
        let saved = std::fs::read_to_string(state.join(LOCAL)).ok()?;
        saved.contains("198.51.100.2").then_some(())
    });
    let saved = std::fs::read_to_string(state.join(CROWDSEC)).unwrap();
    assert!(saved.contains("198.51.100.1"), "{saved}");
    wait_for("the metric", || {
        (palisade.metric(NOT_SAVED) == 0.0).then_some(())
    });
    assert!(palisade.status()["lapi"]["not_saved"].is_null());
    load.finish().assert_flawless();
}

/// What a process leaves behind, of CrowdSec and of the operator, both in force.
fn saved_files(lapi: &ScriptedLapi, backend: &Backend) -> (String, String) {
    let state = tempfile::tempdir().unwrap();
    let mut palisade = start(lapi, backend, state.path());
    wait_for_status(&palisade, "198.51.100.1", 403);
    add_local(&palisade, "198.51.100.2");
    palisade.signal("TERM");
    assert_eq!(palisade.wait(), Some(0));
    let read = |name: &str| std::fs::read_to_string(state.path().join(name)).unwrap();
    (read(CROWDSEC), read(LOCAL))
}

fn start(lapi: &ScriptedLapi, backend: &Backend, state: &Path) -> Palisade {
    let (asking, state) = (lapi.asking(), state.display());
    let more = format!("crowdsec: {{ {asking} }}\nstate_directory: {state}");
    Palisade::start(&settings(backend, &more))
}

/// What becomes of a good file.
type Row = (&'static str, fn(&str) -> Vec<u8>);

#[test]
fn a_file_that_cannot_be_used_is_put_aside_and_replaced() {
    let (lapi, backend) = (ScriptedLapi::start(), Backend::start());
    lapi.ban("198.51.100.1", "4h");
    let (crowdsec, local) = saved_files(&lapi, &backend);
    lapi.set(Manner::Resets);
    let rows: [Row; 6] = [
        ("empty", |_| Vec::new()),
        ("garbage", |_| b"\0\xff\xfe garbage\n\n".to_vec()),
        ("truncated", |good| {
            good.as_bytes()[..good.len() - 20].to_vec()
        }),
        ("a line is missing", |good| {
            let kept = good.lines().filter(|line| !line.starts_with('['));
            kept.map(|line| format!("{line}\n"))
                .collect::<String>()
                .into()
        }),
        ("of a future version", |good| {
            good.replace("\"version\":1", "\"version\":2").into()
        }),
        ("of another program", |_| b"{\"decisions\":[]}\n".to_vec()),
    ];
    std::thread::scope(|scope| {
        for (name, damage) in rows {
            let (lapi, backend) = (&lapi, &backend);
            let (crowdsec, local) = (&crowdsec, &local);
            scope.spawn(move || {
                let state = tempfile::tempdir().unwrap();
                for (file, good) in [(CROWDSEC, crowdsec), (LOCAL, local)] {
                    std::fs::write(state.path().join(file), damage(good)).unwrap();
                }
                let palisade = start(lapi, backend, state.path());
                let load = innocent_load(&palisade).start();
                for client in ["198.51.100.1", "198.51.100.2"] {
                    assert_eq!(palisade.get_from(client, "/").status, 200, "{name}");
                }
                for (file, good) in [(CROWDSEC, crowdsec), (LOCAL, local)] {
                    assert!(said(&palisade, file), "{name}");
                    let aside = state.path().join(format!("{file}.rejected"));
                    assert_eq!(std::fs::read(aside).unwrap(), damage(good), "{name}");
                }
                add_local(&palisade, "198.51.100.3");
                let written = std::fs::read_to_string(state.path().join(LOCAL)).unwrap();
                assert!(written.contains("198.51.100.3"), "{name}");
                load.finish_after(10).assert_flawless();
            });
        }
    });
}

#[test]
fn a_file_that_cannot_be_read_is_told() {
    let (lapi, backend) = (ScriptedLapi::start(), Backend::start());
    lapi.ban("198.51.100.1", "4h");
    // A folder can be read by nobody; nor can a link that leads to itself.
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join(CROWDSEC)).unwrap();
    std::fs::create_dir(folder.path().join(LOCAL)).unwrap();
    let circle = tempfile::tempdir().unwrap();
    for name in [CROWDSEC, LOCAL] {
        std::os::unix::fs::symlink(name, circle.path().join(name)).unwrap();
    }
    for (state, is_in_the_way) in [(&folder, true), (&circle, false)] {
        let palisade = start(&lapi, &backend, state.path());
        let load = innocent_load(&palisade).start();
        wait_until_said(&palisade, "can't be used");
        wait_until_said(&palisade, "can't read the local decisions");
        wait_for_status(&palisade, "198.51.100.1", 403);
        if is_in_the_way {
            wait_for_more_of(&palisade, NOT_SAVED, 0.0);
            std::fs::remove_dir(state.path().join(CROWDSEC)).unwrap();
            wait_until_said(&palisade, "are saved in");
        }
        wait_for("the file", || {
            let saved = std::fs::read_to_string(state.path().join(CROWDSEC)).ok()?;
            saved.contains("198.51.100.1").then_some(())
        });
        load.finish().assert_flawless();
    }
}

#[test]
fn a_state_directory_that_is_gone_costs_no_decision() {
    let (lapi, backend) = (ScriptedLapi::start(), Backend::start());
    let parent = tempfile::tempdir().unwrap();
    let state = parent.path().join("state");
    std::fs::create_dir(&state).unwrap();
    let palisade = start(&lapi, &backend, &state);
    let load = innocent_load(&palisade).start();
    std::fs::remove_dir(&state).unwrap();
    lapi.ban("198.51.100.1", "4h");
    wait_for_status(&palisade, "198.51.100.1", 403);
    wait_for_more_of(&palisade, NOT_SAVED, 0.0);
    let warned = add_local(&palisade, "198.51.100.2");
    assert!(warned.contains("can't be written"), "{warned}");
    assert_eq!(palisade.get_from("198.51.100.2", "/").status, 403);
    let file = palisade.settings();
    let text = std::fs::read_to_string(&file).unwrap();
    replace(&file, text);
    load.finish_after(10).assert_flawless();
    // One that is made anew is not the one that the sandbox leaves to the process, which is said.
    std::fs::create_dir(&state).unwrap();
    let said = wait_for("what is to be done to be said", || {
        let said = palisade.stderr().into_iter();
        said.rev()
            .find(|line| line.contains("topic=confinement") && line.contains("restart it"))
    });
    let place = state.canonicalize().unwrap();
    assert!(said.contains(place.to_str().unwrap()), "{said}");
}
