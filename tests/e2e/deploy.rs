//! What `deploy/` ships, as far as it can be run without a container engine or a booted systemd.
//! The Debian package is tested by `make test-package`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use palisade_yaml::{Content, Node};
use serde_json::Value;
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

/// A file of YAML as JSON; texts are not interpreted.
fn yaml(file: &Path) -> Value {
    let bytes = fs::read(file).unwrap();
    let mut problems = Vec::new();
    let node = palisade_yaml::parse(&file.into(), &bytes, &mut |location, problem| {
        problems.push(format!("{}: {problem}", location.line()));
    });
    assert!(problems.is_empty(), "{problems:?}");
    json(&node.unwrap())
}

fn json(node: &Node) -> Value {
    match &node.content {
        Content::Null => Value::Null,
        Content::Scalar(scalar) => Value::from(&*scalar.text),
        Content::List(nodes) => nodes.iter().map(json).collect(),
        Content::Mapping(entries) => {
            let pairs = entries
                .iter()
                .map(|entry| (&*entry.key, json(&entry.value)));
            pairs.collect()
        }
    }
}

fn texts(list: &Value) -> Vec<&str> {
    let list = list.as_array().into_iter().flatten();
    list.map(|text| text.as_str().unwrap()).collect()
}

#[test]
fn the_compose_example_gives_palisade_no_right_and_names_files_that_are_there() {
    let file = deploy("container/compose.yaml");
    let folder = file.parent().unwrap();
    let compose = yaml(&file);
    let palisade = &compose["services"]["palisade"];
    assert_eq!(palisade["read_only"], "true");
    assert_eq!(texts(&palisade["cap_drop"]), ["ALL"]);
    // Its port is above 1023: it needs not even the right to bind lower ones.
    for given in [
        "cap_add",
        "privileged",
        "user",
        "devices",
        "network_mode",
        "pid",
    ] {
        assert!(palisade[given].is_null(), "{given}");
    }
    assert_eq!(texts(&palisade["security_opt"]), ["no-new-privileges:true"]);
    assert_eq!(texts(&palisade["ports"]), ["8000:8000"]);
    let build = &palisade["build"];
    let context = folder.join(build["context"].as_str().unwrap());
    let context = context.canonicalize().unwrap();
    let dockerfile = context.join(build["dockerfile"].as_str().unwrap());
    let dockerfile = dockerfile.canonicalize().unwrap();
    assert_eq!(dockerfile, deploy("container/Dockerfile"));

    for (name, service) in compose["services"].as_object().unwrap() {
        for volume in texts(&service["volumes"]) {
            let (source, _) = volume.split_once(':').unwrap();
            let is_there = match source.starts_with('.') {
                true => folder.join(source).is_file() && volume.ends_with(":ro"),
                false => !compose["volumes"][source].is_null(),
            };
            assert!(is_there, "{name}: {volume}");
        }
        for other in texts(&service["depends_on"]) {
            assert!(!compose["services"][other].is_null(), "{name}: {other}");
        }
    }
}

#[test]
fn the_dockerfile_makes_an_image_of_a_user_without_rights_with_a_health_check() {
    let text = fs::read_to_string(deploy("container/Dockerfile")).unwrap();
    let text = text.replace("\\\n", " ");
    let lines: Vec<Vec<&str>> = text
        .lines()
        .filter(|line| !line.starts_with('#') && !line.is_empty())
        .map(|line| line.split_whitespace().collect())
        .collect();
    let last_stage = lines.iter().rposition(|line| line[0] == "FROM").unwrap();
    let (build, image) = lines.split_at(last_stage);
    let of = |name: &str| {
        let mut found = image.iter().filter(|line| line[0] == name);
        let line = found.next().unwrap_or_else(|| panic!("no {name}"));
        assert!(found.next().is_none(), "{name} twice");
        line[1..].join(" ")
    };
    assert_eq!(of("FROM"), "scratch");
    assert_eq!(of("USER"), "65532:65532");
    let health = of("HEALTHCHECK");
    let door = "[\"/usr/bin/palisade\", \"health\", \"--address\", \"127.0.0.1:9900\"]";
    assert!(health.ends_with(&format!("CMD {door}")), "{health}");
    for settings in ["palisade.yaml", "palisade-with-crowdsec.yaml"] {
        let settings = yaml(&deploy("container").join(settings));
        assert_eq!(settings["metrics"]["address"], "0.0.0.0:9900");
        let port = settings["listeners"][0]["address"].as_str().unwrap();
        assert_eq!(port.rsplit(':').next().unwrap(), of("EXPOSE"));
    }
    assert_eq!(of("ENTRYPOINT"), "[\"/usr/bin/palisade\"]");

    // What is copied, and what is run of it.
    let root = deploy("..");
    assert_eq!(of("COPY"), "--from=build /image /");
    let copied = build.iter().filter(|line| line[0] == "COPY");
    let run = build.iter().filter(|line| line[0] == "RUN");
    let ours = run.filter(|line| line[1].contains('/'));
    let named: Vec<&str> = copied
        .flat_map(|line| line[1..line.len() - 1].to_vec())
        .chain(ours.map(|line| line[1]))
        .collect();
    assert_eq!(named, [".", "deploy/container/make-root"]);
    let left_out = fs::read_to_string(root.join(".dockerignore")).unwrap();
    for name in named {
        assert!(root.join(name).exists(), "{name}");
        let is_left_out = left_out
            .lines()
            .any(|line| Path::new(name).starts_with(line));
        assert!(!is_left_out, "{name}");
    }
}
