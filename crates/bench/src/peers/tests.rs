use std::collections::HashSet;

use super::*;
use crate::place::Doors;

/// A place with all that there can be.
fn place(folder: &Path) -> Place {
    let address = |port: u16| ([127, 0, 0, 1], port).into();
    for (name, text) in [
        ("certificate", "of the shop"),
        ("key", "of it"),
        ("blocked", "192.0.2.1\n\n198.51.100.77/24\n192.0.2.1/32\n"),
    ] {
        fs::write(folder.join(name), text).unwrap();
    }
    Place {
        folder: folder.to_owned(),
        doors: Doors {
            plain: address(1),
            tls: address(2),
            proxy: address(3),
        },
        backend: address(4),
        auth: address(5),
        certificate: folder.join("certificate"),
        key: folder.join("key"),
        blocked: folder.join("blocked"),
        crs: Some(folder.join("crs")),
        workers: 1,
    }
}

#[test]
fn no_placeholder_is_unknown_and_none_is_left() {
    let folder = tempfile::tempdir().unwrap();
    let place = place(folder.path());
    for peer in all() {
        let filled = peer
            .fill(&place)
            .unwrap_or_else(|error| panic!("{}: {error}", peer.name));
        let files = filled.files.iter().map(|(_, text)| text);
        let environment = filled.environment.iter().map(|(_, value)| value);
        for text in files.chain(&filled.arguments).chain(environment) {
            assert!(!text.contains("{{"), "{}: {text}", peer.name);
        }
    }
}

#[test]
fn an_unknown_placeholder_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let peer = Peer {
        files: &[File {
            name: "file",
            template: "{{nobody}}",
        }],
        ..**all().first().unwrap()
    };
    let error = peer.fill(&place(folder.path())).err().unwrap();
    assert_eq!(error.to_string(), "{{nobody}} is no placeholder");
}

#[test]
fn names_are_unique() {
    let mut seen = HashSet::new();
    for peer in all() {
        assert!(seen.insert(peer.name), "{}", peer.name);
        let mut files = HashSet::new();
        for file in peer.server.files.iter().chain(peer.files) {
            assert!(files.insert(file.name), "{}: {}", peer.name, file.name);
        }
    }
}

/// The folder with settings.
fn settings() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("peers")
}

/// As [`NotHere`] says.
#[test]
fn set_up_can_install_each_peer_by_its_name() {
    let table = fs::read_to_string(settings().join("packages")).unwrap();
    let lines = table.lines().filter(|line| !line.starts_with('#'));
    let known: HashSet<&str> = lines
        .filter_map(|line| line.split_whitespace().next())
        .collect();
    let peers: HashSet<&str> = all().into_iter().map(|peer| peer.name).collect();
    assert_eq!(known, peers);
}

/// Settings that nobody runs with would be shown for nothing.
#[test]
fn each_file_in_the_repository_is_used() {
    let used: HashSet<&str> = (all().into_iter())
        .flat_map(|peer| peer.server.files.iter().chain(peer.files).chain(peer.parts))
        .map(|file| file.template)
        .collect();
    for server in fs::read_dir(settings()).unwrap() {
        let Ok(files) = fs::read_dir(server.unwrap().path()) else {
            continue;
        };
        for file in files {
            let path = file.unwrap().path();
            let text = fs::read_to_string(&path).unwrap();
            assert!(used.contains(text.as_str()), "{}", path.display());
        }
    }
}

#[test]
fn a_list_has_each_line_once() {
    let folder = tempfile::tempdir().unwrap();
    let blocked = blocked::read(&place(folder.path()).blocked).unwrap();
    let check = |line, expected| {
        let name = "list";
        let between = " ";
        let list = List {
            name,
            line,
            between,
        };
        assert_eq!(list.of(&blocked), expected);
    };
    check("{{address}}/{{length}};", "192.0.2.1/32; 198.51.100.0/24;");
    check("{{number}}", "3221225985 3325256704");
    check("{{length}}", "32 24");
}

#[test]
fn a_line_that_is_no_range_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("blocked");
    for line in ["192.0.2.1/33", "192.0.2", "2001:db8::1", "# nobody"] {
        fs::write(&path, format!("192.0.2.1\n{line}\n")).unwrap();
        let error = blocked::read(&path).unwrap_err().to_string();
        assert!(
            error.ends_with(&format!("{line}: expected an IPv4 address or range")),
            "{error}"
        );
    }
}

#[test]
fn versions_as_servers_say_them() {
    let check = |said, expected| assert_eq!(version_in(said), expected, "{said}");
    check("nginx version: nginx/1.22.1\n", Some("1.22.1"));
    check(
        "HAProxy version 2.6.12-1+deb12u4 2026/10/17 - https://haproxy.org/",
        Some("2.6.12-1+deb12u4"),
    );
    check(
        "Server version: Apache/2.4.71 (Debian)\nServer built: 2026-11-12",
        Some("2.4.71"),
    );
    check("v2.11.7 h1:yj0Y4fYZGPkSvibBJ1s=", Some("2.11.7"));
    check(
        "envoy  version: 9e55809337/1.40.0/Clean/RELEASE/BoringSSL",
        Some("1.40.0"),
    );
    check(
        "Version:      3.7.15\nGo version:   go1.26.9",
        Some("3.7.15"),
    );
    check("no such option", None);
}
