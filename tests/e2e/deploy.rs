//! What `deploy/` ships, as far as it can be run without a container engine or a booted systemd.
//! The Debian package is tested by `make test-package`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

use crate::harness::{Backend, Palisade};

/// systemd-analyze(1) gives 0 (all shut) to 100. The unit gets 18, most of it for the network.
const EXPOSURE_MAX: u32 = 20;

fn deploy(path: &str) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy");
    root.join(path).canonicalize().expect("a file of deploy/")
}

fn run(command: &mut Command) -> Output {
    let output = command.output().unwrap_or_else(|error| {
        panic!("{error}: {command:?}; run ./set-up test");
    });
    assert!(
        output.status.success(),
        "{command:?}: {}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    output
}

#[test]
fn the_systemd_unit_is_right_and_hardened() {
    let unit = fs::read_to_string(deploy("systemd/palisade.service")).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("palisade.service");
    // systemd-analyze wants the program to be there.
    let installed = unit.replace("/usr/lib/palisade/palisade", env!("CARGO_BIN_EXE_palisade"));
    assert_ne!(installed, unit);
    fs::write(&file, installed).unwrap();
    let verified = run(Command::new("systemd-analyze").arg("verify").arg(&file));
    let said = String::from_utf8_lossy(&verified.stderr).into_owned();
    assert!(!said.contains("palisade.service"), "{said}");
    run(Command::new("systemd-analyze")
        .args(["security", "--offline=true"])
        .arg(format!("--threshold={EXPOSURE_MAX}"))
        .arg(&file));
}

/// The file system of the image.
fn image() -> TempDir {
    let root = tempfile::tempdir().unwrap();
    let make = deploy("container/make-root");
    run(Command::new(make)
        .arg(env!("CARGO_BIN_EXE_palisade"))
        .arg(root.path()));
    root
}

/// bwrap(1): a container without an engine. Its root is read-only, its one process is PID 1, a user
/// without capabilities, with nothing in its environment.
fn in_container(image: &Path, settings: &Path) -> Command {
    let mut command = Command::new("bwrap");
    command.arg("--ro-bind").arg(image).arg("/");
    command
        .arg("--ro-bind")
        .arg(settings)
        .arg("/etc/palisade/palisade.yaml");
    command
        .args("--proc /proc --dev /dev --tmpfs /var/lib/palisade --tmpfs /run/palisade".split(' '));
    command.args("--unshare-user --uid 65532 --gid 65532 --cap-drop ALL".split(' '));
    command.args("--unshare-pid --as-pid-1 --unshare-ipc --die-with-parent --clearenv".split(' '));
    command.arg("/usr/bin/palisade");
    command
}

#[test]
fn the_image_runs_read_only_as_a_user_without_rights() {
    let backend = Backend::start();
    let image = image();
    let folder = tempfile::tempdir().unwrap();
    let settings = folder.path().join("palisade.yaml");
    let text = fs::read_to_string(image.path().join("etc/palisade/palisade.yaml")).unwrap();
    let text = text
        .replace("0.0.0.0:8000", "127.0.0.1:0")
        .replace("0.0.0.0:9900", "127.0.0.1:0")
        .replace("delay: 5s", "delay: 100ms")
        .replace("${PALISADE_BACKEND-127.0.0.1:9000}", &backend.to_string());
    fs::write(&settings, text).unwrap();
    let mut container = in_container(image.path(), &settings);
    container.arg("run");
    let mut palisade = Palisade::start_by(container, folder);
    assert_eq!(palisade.get("/").status, 200);
    let scanner = palisade.get_with("/", "User-Agent: sqlmap/1.8\r\n");
    assert_eq!(scanner.status, 403, "the image has the shipped rules");
    for layer in ["landlock", "seccomp", "no_core_dumps"] {
        let name = format!("palisade_confinement{{layer=\"{layer}\"}}");
        assert_eq!(palisade.metric(&name), 1.0, "{layer}");
    }
    // The health check of the Dockerfile.
    let door = palisade.metrics_address().to_string();
    let health = |address: &str| {
        let mut check = in_container(image.path(), &settings);
        check.args(["health", "--address", address]).status()
    };
    assert_eq!(health(&door).unwrap().code(), Some(0));
    // The one process of a container ends as told. bwrap passes no signal on: its child is ours.
    palisade.signal_children("TERM");
    assert_eq!(palisade.wait(), Some(0));
    assert_eq!(health(&door).unwrap().code(), Some(1));
}

#[test]
fn the_shipped_settings_are_right() {
    let image = image();
    let with_crowdsec = deploy("container/palisade-with-crowdsec.yaml");
    let debian = deploy("debian/palisade.yaml");
    let own = image.path().join("etc/palisade/palisade.yaml");
    for settings in [with_crowdsec, debian, own] {
        let mut check = Command::new("bwrap");
        check.arg("--ro-bind").arg(image.path()).arg("/");
        check
            .arg("--ro-bind")
            .arg(&settings)
            .arg("/etc/palisade/palisade.yaml");
        check.args(["--setenv", "CROWDSEC_API_KEY", "0123abcd"]);
        let checked = run(check.args(["/usr/bin/palisade", "check"]));
        let said = [checked.stdout, checked.stderr].concat();
        let said = String::from_utf8_lossy(&said);
        assert!(!said.contains("warning:"), "{}: {said}", settings.display());
    }
}
