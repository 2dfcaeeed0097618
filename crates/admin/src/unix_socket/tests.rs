use super::*;

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().mode() & 0o777
}

#[test]
fn only_the_owner_may_connect_and_the_file_is_gone_at_the_end() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("admin.sock");
    let socket = AdminSocket::bind(&path).unwrap();
    assert_eq!(mode(&path), 0o600);
    UnixStream::connect(&path).unwrap();
    let (listener, file) = socket.into_parts();
    drop(listener);
    assert!(path.exists());
    drop(file);
    assert!(!path.exists());
}

#[test]
fn a_socket_that_was_left_behind_is_replaced() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("admin.sock");
    drop(UnixListener::bind(&path).unwrap());
    assert!(path.exists());
    let _socket = AdminSocket::bind(&path).unwrap();
    UnixStream::connect(&path).unwrap();
}

#[test]
fn a_socket_in_use_is_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("admin.sock");
    let _first = AdminSocket::bind(&path).unwrap();
    assert!(matches!(AdminSocket::bind(&path), Err(SocketError::InUse)));
    UnixStream::connect(&path).unwrap();
}

#[test]
fn a_file_that_is_no_socket_is_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("admin.sock");
    fs::write(&path, "precious").unwrap();
    assert!(matches!(
        AdminSocket::bind(&path),
        Err(SocketError::NotASocket)
    ));
    let link = directory.path().join("link.sock");
    std::os::unix::fs::symlink(&path, &link).unwrap();
    assert!(matches!(
        AdminSocket::bind(&link),
        Err(SocketError::NotASocket)
    ));
    assert_eq!(fs::read_to_string(&path).unwrap(), "precious");
}

#[test]
fn a_successors_socket_is_not_removed() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("admin.sock");
    let first = AdminSocket::bind(&path).unwrap();
    fs::remove_file(&path).unwrap();
    let second = AdminSocket::bind(&path).unwrap();
    drop(first);
    UnixStream::connect(&path).unwrap();
    drop(second);
    assert!(!path.exists());
}

#[test]
fn a_path_that_cannot_be_is_told() {
    let directory = tempfile::tempdir().unwrap();
    let folder = directory.path().join("missing");
    let error = AdminSocket::bind(&folder.join("admin.sock")).unwrap_err();
    let expected = format!(
        "there is no folder {}; make it (for systemd: RuntimeDirectory=)",
        folder.display()
    );
    assert_eq!(error.to_string(), expected);

    let long = directory.path().join("x".repeat(PATH_BYTES_MAX));
    let error = AdminSocket::bind(&long).unwrap_err();
    assert!(
        matches!(error, SocketError::PathLength { max: 107, .. }),
        "{error}"
    );
}

#[test]
fn an_inherited_file_is_removed_by_who_serves_it() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("admin.sock");
    let (listener, first) = AdminSocket::bind(&path).unwrap().into_parts();
    let again = || listener.try_clone().unwrap();
    drop(AdminSocket::take(again(), &path, true).unwrap());
    assert!(path.exists(), "it never served");
    let (_, systemds) = AdminSocket::take(again(), &path, false)
        .unwrap()
        .into_parts();
    assert!(systemds.is_none());
    let (_, second) = AdminSocket::take(again(), &path, true)
        .unwrap()
        .into_parts();
    first.unwrap().leave();
    assert!(path.exists());
    drop(second);
    assert!(!path.exists());
}
