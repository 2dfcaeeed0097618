//! `palisade crs` finds OWASP CRS, and writes settings that work.

use std::fs;
use std::path::Path;
use std::process::Output;

use crate::harness::Palisade;

/// A folder that looks like a CRS.
fn folder_with_crs() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    fs::create_dir(folder.path().join("rules")).unwrap();
    write("crs-setup.conf.example", "SecComponentSignature \"a\"\n");
    write(
        "rules/REQUEST-901-INITIALIZATION.conf",
        "SecAction \"id:901001,phase:1,pass,nolog,ver:'OWASP_CRS/4.28.0'\"\n",
    );
    write(
        "rules/REQUEST-942.conf",
        "SecRule ARGS \"@contains evil\" \"id:942100,phase:2,deny\"\n",
    );
    folder
}

fn crs(arguments: &[&str]) -> (Option<i32>, String, String) {
    let Output {
        status,
        stdout,
        stderr,
    } = Palisade::execute(&[&["crs"], arguments].concat());
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (status.code(), text(stdout), text(stderr))
}

#[test]
fn what_is_written_is_used_as_it_is() {
    let crs_folder = folder_with_crs();
    let settings = tempfile::tempdir().unwrap();
    let path = |folder: &Path| folder.to_str().unwrap().to_owned();
    let (from, to) = (path(crs_folder.path()), path(settings.path()));
    let arguments = ["--folder", &from, "--output", &to];
    let (code, said, told) = crs(&arguments);
    assert_eq!(code, Some(0), "{said}{told}");
    assert!(told.contains("OWASP CRS 4.28.0 in "), "{told}");
    let main = "
listeners: [{ address: 127.0.0.1:0 }]
upstreams: { app: { servers: [127.0.0.1:9] } }
sites: [{ upstream: app }]
include: waf.yaml
";
    fs::write(settings.path().join("palisade.yaml"), main).unwrap();
    let config = path(&settings.path().join("palisade.yaml"));
    let checked = Palisade::execute(&["check", "--config", &config]);
    assert!(checked.status.success(), "{checked:?}");
    let url = "http://example.com/?q=evil";
    let explained = ["explain", "--config", &config, "--client", "192.0.2.1", url];
    let explained = String::from_utf8(Palisade::execute(&explained).stdout).unwrap();
    // It begins by detecting.
    assert!(
        explained.contains("waf                rule 942100"),
        "{explained}"
    );
    assert!(
        explained.contains("recorded           would be refused by rule 942100 with status 403"),
        "{explained}"
    );
    // What is there already stays.
    let (code, _, told) = crs(&arguments);
    assert_eq!(code, Some(1));
    assert!(told.contains("recommended.conf is there already"), "{told}");
}

#[test]
fn a_folder_named_from_here_is_found_from_elsewhere() {
    let crs_folder = folder_with_crs();
    let settings = tempfile::tempdir().unwrap();
    let main = "
listeners: [{ address: 127.0.0.1:0 }]
upstreams: { app: { servers: [127.0.0.1:9] } }
sites: [{ upstream: app }]
include: waf.yaml
";
    fs::write(settings.path().join("palisade.yaml"), main).unwrap();
    let name = crs_folder.path().file_name().unwrap();
    let here = crs_folder.path().join("rules");
    for folder in [Path::new(".."), &Path::new("../..").join(name)] {
        let mut command = Palisade::command();
        command.current_dir(&here).arg("crs");
        command.arg("--folder").arg(folder);
        let written = command.arg("--output").arg(settings.path()).output();
        let written = written.unwrap();
        assert!(written.status.success(), "{written:?}");
        let config = settings.path().join("palisade.yaml");
        let checked = Palisade::execute(&["check", "--config", config.to_str().unwrap()]);
        assert!(checked.status.success(), "{folder:?}: {checked:?}");
        for file in ["waf.yaml", "recommended.conf"] {
            fs::remove_file(settings.path().join(file)).unwrap();
        }
    }
}

#[test]
fn where_there_is_none_it_is_told_how_to_get_it() {
    let empty = tempfile::tempdir().unwrap();
    let (code, said, told) = crs(&["--folder", empty.path().to_str().unwrap()]);
    assert_eq!((code, said.as_str()), (Some(1), ""));
    assert!(told.contains("found no OWASP CRS"), "{told}");
    assert!(told.contains("apt install modsecurity-crs"), "{told}");
}

#[test]
fn a_body_is_explained_too() {
    let crs_folder = folder_with_crs();
    let folder = crs_folder.path().to_str().unwrap();
    let settings = format!(
        "
listeners: [{{ address: 127.0.0.1:0 }}]
upstreams: {{ app: {{ servers: [127.0.0.1:9] }} }}
sites: [{{ upstream: app }}]
waf: {{ mode: block, rules: [on.conf, \"{folder}/rules/*.conf\"] }}
"
    );
    let file = |name: &str, text: &str| {
        let path = crs_folder.path().join(name);
        fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    file("on.conf", "SecRequestBodyAccess On\n");
    let config = file("palisade.yaml", &settings);
    let check = |body: &str, expected: &str| {
        let body = file("body", body);
        let form = "Content-Type: application/x-www-form-urlencoded";
        let explained = Palisade::execute(&[
            "explain",
            "--config",
            &config,
            "--client",
            "192.0.2.1",
            "-X",
            "POST",
            "-H",
            form,
            "--body",
            &body,
            "http://example.com/",
        ]);
        let explained = String::from_utf8(explained.stdout).unwrap();
        let verdict = explained.lines().last().unwrap_or_default();
        assert_eq!(verdict, expected, "{explained}");
    };
    check("a=b", "=> forwarded to app, as it was sent");
    check(
        "a=evil",
        "=> refused by rule 942100 with status 403 in phase 2; no backend hears of it",
    );
}
