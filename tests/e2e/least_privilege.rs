//! What the process can't do, and what it never tells.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::Command;

use rustix::process::{Pid, Resource, Rlimit, prlimit};

use crate::harness::{Backend, Lapi, Palisade, wait_for};

/// The user `nobody` of every system.
const NOBODY: u32 = 65_534;

fn settings(backend: &Backend) -> String {
    format!(
        "
listeners: [{{ address: 127.0.0.1:0 }}]
upstreams: {{ app: {{ servers: [\"{backend}\"] }} }}
sites: [{{ upstream: app }}]
admin: {{ address: 127.0.0.1:0 }}
"
    )
}

fn layers(palisade: &Palisade) -> [f64; 3] {
    ["landlock", "seccomp", "no_core_dumps"]
        .map(|layer| palisade.metric(&format!("palisade_confinement{{layer=\"{layer}\"}}")))
}

#[test]
fn the_process_gives_up_what_it_has_no_use_for_and_says_so() {
    let backend = Backend::start();
    let mut palisade = Palisade::start(&settings(&backend));
    assert_eq!(palisade.get("/").status, 200);
    assert_eq!(layers(&palisade), [1.0; 3]);
    let told = &palisade.status()["confinement"];
    assert_eq!(
        told,
        &serde_json::json!({"landlock": true, "seccomp": true, "no_core_dumps": true})
    );
    // seccomp(2): 2 is a filter.
    let kernel = fs::read_to_string(format!("/proc/{}/status", palisade.pid())).unwrap();
    assert!(kernel.contains("Seccomp:\t2"), "{kernel}");
    assert!(kernel.contains("NoNewPrivs:\t1"), "{kernel}");
    // A link in a folder that it writes in leads nowhere else (landlock(7)).
    let (log, elsewhere) = (
        palisade.directory().join("access.log"),
        tempfile::tempdir().unwrap(),
    );
    let outside = elsewhere.path().join("access.log");
    fs::remove_file(&log).unwrap();
    std::os::unix::fs::symlink(&outside, &log).unwrap();
    wait_for("the log to be opened in vain", || {
        assert_eq!(palisade.get("/").status, 200);
        let said = palisade.stderr().join("\n");
        said.contains("can't open the log again").then_some(())
    });
    assert!(!outside.exists());
    // What would leave keys in a file elsewhere leaves none here, even without a limit to its size.
    let limits = Rlimit {
        current: None,
        maximum: None,
    };
    let pid = Pid::from_raw(palisade.pid().try_into().unwrap());
    prlimit(pid, Resource::Core, limits).unwrap();
    palisade.signal("ABRT");
    assert!(!palisade.wait_for_status().core_dumped());
}

#[test]
fn the_sandbox_can_be_off_for_debuggers() {
    let backend = Backend::start();
    let settings = format!("{}sandbox: false\n", settings(&backend));
    let palisade = Palisade::start(&settings);
    assert_eq!(layers(&palisade), [0.0; 3]);
    let said = palisade.stderr().join("\n");
    assert!(said.contains("`sandbox: false`"), "{said}");
}

#[test]
fn a_reload_that_wants_to_write_elsewhere_is_refused_and_says_why() {
    let backend = Backend::start();
    let palisade = Palisade::start(&settings(&backend));
    let elsewhere = tempfile::tempdir().unwrap();
    let text = fs::read_to_string(palisade.settings()).unwrap();
    let log = elsewhere.path().join("access.log");
    let moved = text.replace("path: access.log", &format!("path: {}", log.display()));
    assert_ne!(moved, text);
    fs::write(palisade.settings(), moved).unwrap();
    palisade.signal("HUP");
    let said = wait_for("the refusal", || {
        let refused = palisade.status()["settings"]["refused"]["error"].clone();
        refused.as_str().map(str::to_owned)
    });
    assert!(said.contains("restart it"), "{said}");
    let folder = elsewhere.path().canonicalize().unwrap();
    assert!(said.contains(folder.to_str().unwrap()), "{said}");
    assert_eq!(palisade.get("/").status, 200);
}

/// A folder that `nobody` may use, with the binary and settings in it.
fn folder_of_nobody(settings: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let binary = folder.path().join("palisade");
    fs::copy(env!("CARGO_BIN_EXE_palisade"), &binary).unwrap();
    let file = folder.path().join("palisade.yaml");
    fs::write(&file, settings).unwrap();
    for path in [folder.path(), &binary, &file] {
        std::os::unix::fs::chown(path, Some(NOBODY), Some(NOBODY)).unwrap();
    }
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o700)).unwrap();
    folder
}

/// setpriv(1): a normal user whose one capability is to bind low ports.
fn as_nobody(binary: &Path) -> Command {
    let mut command = Command::new("setpriv");
    command.args([
        &format!("--reuid={NOBODY}"),
        &format!("--regid={NOBODY}"),
        "--clear-groups",
        "--bounding-set=-all,+net_bind_service",
        "--inh-caps=-all,+net_bind_service",
        "--ambient-caps=-all,+net_bind_service",
        "--no-new-privs",
    ]);
    command.arg(binary);
    command
}

fn line_of<'a>(status: &'a str, key: &str) -> &'a str {
    let mut lines = status.lines();
    let found = lines.find_map(|line| line.strip_prefix(key)?.strip_prefix(':'));
    found.expect(key).trim()
}

#[test]
fn a_normal_user_serves_a_low_port_with_one_capability() {
    if fs::metadata("/proc/self").unwrap().uid() != 0 {
        eprintln!("SKIPPED: only root can become another user");
        return;
    }
    let backend = Backend::start();
    let [_, _, high, low] = std::process::id().to_be_bytes();
    let address = format!("127.81.{high}.{}:443", low.max(1));
    let settings = settings(&backend).replacen("127.0.0.1:0", &address, 1);
    let settings = format!(
        "{settings}
state_directory: .
metrics: {{ address: 127.0.0.1:0 }}
logs: {{ access: {{ path: access.log }}, decisions: {{ path: decisions.log }} }}
"
    );
    let folder = folder_of_nobody(&settings);
    let mut command = as_nobody(&folder.path().join("palisade"));
    command
        .args(["run", "--config"])
        .arg(folder.path().join("palisade.yaml"));
    let palisade = Palisade::start_by(command, folder);
    assert_eq!(palisade.address().to_string(), address);
    assert_eq!(palisade.get("/").status, 200);
    palisade.wait_for_access(|line| line.contains("GET / "));
    assert_eq!(layers(&palisade), [1.0; 3]);
    let process = format!("/proc/{}", palisade.pid());
    let status = fs::read_to_string(format!("{process}/status")).unwrap();
    assert!(
        line_of(&status, "Uid").starts_with("65534\t65534"),
        "{status}"
    );
    // capabilities(7): CAP_NET_BIND_SERVICE is the tenth.
    for set in ["CapPrm", "CapEff", "CapBnd", "CapAmb"] {
        assert_eq!(line_of(&status, set), "0000000000000400", "{set}");
    }
    // prctl(2), PR_SET_DUMPABLE: what would show memory and environment is root's.
    assert_eq!(fs::metadata(format!("{process}/environ")).unwrap().uid(), 0);
}

#[test]
fn no_output_has_a_secret_in_it() {
    let lapi = Lapi::shared();
    let backend = Backend::start();
    let secret = "nobody-may-ever-read-this-key";
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("key"), secret).unwrap();
    let crowdsec = format!(
        "crowdsec: {{ lapi_url: \"{}\", api_key_file: key, update_interval: 1s }}\n",
        lapi.url()
    );
    let settings = format!(
        "{}{crowdsec}admin: {{ address: 127.0.0.1:0, socket: admin.sock }}\nstate_directory: .\n",
        settings(&backend).replace("admin: { address: 127.0.0.1:0 }\n", "")
    );
    let palisade = Palisade::start_in(folder, &settings);
    // The key is wrong, which is said.
    wait_for("the wrong key to be told", || {
        let refused = palisade.status()["lapi"]["key_refused"].as_bool();
        refused.unwrap_or_default().then_some(())
    });
    let mut outputs = vec![
        ("/status", palisade.status().to_string()),
        ("/metrics", palisade.metrics()),
        ("decisions list", palisade.decisions(&["list"])),
    ];
    let settings = palisade.settings();
    let config = settings.to_str().unwrap();
    let text = fs::read_to_string(&settings).unwrap();
    // With the key in the file itself, and a mistake beside it.
    let inline = text.replace(
        "api_key_file: key",
        &format!("api_key: {secret}, api_kee: {secret}, api_key:{secret}: x"),
    );
    // A credential for the backend, with the line break that its file ends with.
    let header =
        format!("headers: {{ request: {{ set: {{ Authorization: \"Bearer {secret}\\n\" }} }} }}");
    let inline = inline.replace(
        "sites: [{ upstream: app }]",
        &format!("sites: [{{ upstream: app, {header} }}]"),
    );
    assert!(inline.contains("Authorization"));
    fs::write(&settings, inline).unwrap();
    palisade.signal("HUP");
    wait_for("the reload to be refused", || {
        let refused = &palisade.status()["settings"]["refused"];
        (!refused.is_null()).then_some(())
    });
    outputs.push(("/status", palisade.status().to_string()));
    for arguments in [
        &["check", "--config", config][..],
        &[
            "explain",
            "--config",
            config,
            "--client",
            "192.0.2.1",
            "http://a.example/",
        ],
    ] {
        let output = Palisade::execute(arguments);
        let said = [output.stdout, output.stderr].concat();
        outputs.push((arguments[0], String::from_utf8_lossy(&said).into_owned()));
    }
    outputs.push(("standard error", palisade.stderr().join("\n")));
    for file in fs::read_dir(palisade.directory()).unwrap().flatten() {
        let name = file.file_name();
        if file.file_type().unwrap().is_file() && name != "key" && name != "palisade.yaml" {
            let bytes = fs::read(file.path()).unwrap();
            outputs.push(("a file", String::from_utf8_lossy(&bytes).into_owned()));
        }
    }
    for (what, text) in outputs {
        assert!(!text.contains(secret), "{what}: {text}");
    }
}
