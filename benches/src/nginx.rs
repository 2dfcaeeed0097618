//! The backend of benchmarks of the whole process.

use std::fs;
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use crate::palisade::free_address;

/// It takes no longer to start.
const START_PATIENCE: Duration = Duration::from_secs(300);

/// An nginx that answers everything with a page of 1 KiB; ended when dropped.
#[derive(Debug)]
pub struct Nginx {
    child: Child,
    address: SocketAddr,
}

impl Nginx {
    /// Starts it with its files in `folder`.
    ///
    /// # Panics
    /// When it can't be started.
    #[must_use]
    pub fn start(folder: &Path) -> Self {
        let address = free_address();
        let (prefix, page) = (folder.display(), "palisade".repeat(128));
        let settings = format!(
            "daemon off; master_process off; pid {prefix}/nginx.pid; error_log stderr crit;
             events {{ worker_connections 256; }}
             http {{
                 access_log off; keepalive_requests 100000000; root {prefix};
                 client_body_temp_path {prefix}; proxy_temp_path {prefix};
                 fastcgi_temp_path {prefix}; uwsgi_temp_path {prefix}; scgi_temp_path {prefix};
                 server {{ listen {address}; location / {{ try_files /page.html =404; }} }}
             }}"
        );
        let path = folder.join("nginx.conf");
        fs::write(&path, settings).expect("a folder that can be written");
        fs::write(folder.join("page.html"), page).expect("a folder that can be written");
        let program = if Path::new("/usr/sbin/nginx").exists() {
            "/usr/sbin/nginx"
        } else {
            "nginx"
        };
        let child = Command::new(program)
            .arg("-p")
            .arg(folder)
            .arg("-c")
            .arg(path)
            .spawn();
        let nginx = Self {
            child: child.expect("nginx"),
            address,
        };
        let patience = Instant::now() + START_PATIENCE;
        while TcpStream::connect(address).is_err() {
            assert!(Instant::now() < patience, "nginx doesn't start");
            std::thread::sleep(Duration::from_millis(10));
        }
        nginx
    }

    /// Its number.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        // An error means that it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
