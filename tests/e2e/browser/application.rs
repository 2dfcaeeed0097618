//! A real application: Django's administration site.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};

use crate::harness::wait_for;

/// Who administers it.
pub(super) const USER: (&str, &str) = ("ann", "correct horse battery");

/// It runs; ends when dropped.
pub(super) struct Application {
    child: Child,
    folder: tempfile::TempDir,
    address: SocketAddr,
}

impl Application {
    pub(super) fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let code = include_str!("application.py");
        std::fs::write(folder.path().join("application.py"), code).unwrap();
        let command = |arguments: &[&str]| {
            let mut command = Command::new("/usr/bin/python3");
            command
                .arg("application.py")
                .args(arguments)
                .env("DJANGO_SUPERUSER_PASSWORD", USER.1)
                .current_dir(folder.path())
                .stdin(Stdio::null())
                .stdout(Stdio::null());
            command
        };
        let user = ["--username", USER.0, "--email", "ann@example.com"];
        let create = [&["createsuperuser", "--noinput"][..], &user].concat();
        for set_up in [&["migrate"][..], &create] {
            let done = command(set_up).output().expect("python3");
            let said = String::from_utf8_lossy(&done.stderr);
            assert!(done.status.success(), "run ./set-up test: {said}");
        }
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = free.local_addr().unwrap();
        drop(free);
        let log = std::fs::File::create(folder.path().join("log")).unwrap();
        let child = command(&["runserver", "--noreload", &address.to_string()])
            .stderr(log)
            .spawn()
            .expect("python3");
        let application = Self {
            child,
            folder,
            address,
        };
        wait_for("the application", || TcpStream::connect(address).ok());
        application
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Application {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            let said = std::fs::read_to_string(self.folder.path().join("log"));
            eprintln!("the application said: {}", said.unwrap_or_default());
        }
    }
}
