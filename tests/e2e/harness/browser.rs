//! A real browser: Chromium without a window, driven over WebDriver (W3C WebDriver, Level 2).

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

use super::{Connection, wait_for};

/// The member that stands for an element (WebDriver section 12).
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// A browser with one window; ends when dropped.
pub(crate) struct Browser {
    driver: Child,
    address: SocketAddr,
    session: String,
    /// What it keeps.
    _folder: tempfile::TempDir,
}

impl Browser {
    /// Starts one for which `host` is this machine, and no other host is anywhere.
    pub(crate) fn start(host: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut driver = Command::new("chromedriver")
            .arg("--port=0")
            .env("HOME", folder.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("run ./set-up test: chromedriver");
        let mut said = BufReader::new(driver.stdout.take().unwrap()).lines();
        let port = said.find_map(|line| {
            let line = line.ok()?;
            let port = line.strip_prefix("ChromeDriver was started successfully on port ")?;
            port.strip_suffix('.')?.parse().ok()
        });
        let mut browser = Self {
            driver,
            address: ([127, 0, 0, 1], port.expect("a port")).into(),
            session: String::new(),
            _folder: folder,
        };
        let profile = format!("--user-data-dir={}", browser._folder.path().display());
        let hosts = format!("--host-resolver-rules=MAP {host} 127.0.0.1, MAP * ~NOTFOUND");
        let flags = [
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--disable-background-networking",
            "--disable-component-update",
            "--no-first-run",
            &profile,
            &hosts,
        ];
        let capabilities = json!({ "alwaysMatch": { "goog:chromeOptions": { "args": flags } } });
        let begun = browser.post("session", &json!({ "capabilities": capabilities }));
        browser.session = begun["sessionId"].as_str().expect("a session").to_owned();
        browser
    }

    /// Opens an address, and waits until the page is there.
    pub(crate) fn open(&self, url: &str) {
        self.command("url", &json!({ "url": url }));
    }

    /// Types into a field; a file's path into one for files.
    #[track_caller]
    pub(crate) fn fill(&self, selector: &str, text: &str) {
        let element = self.find(selector);
        self.command(
            &format!("element/{element}/value"),
            &json!({ "text": text }),
        );
    }

    /// Clicks, and waits until the page that this leads to is there.
    #[track_caller]
    pub(crate) fn click(&self, selector: &str) {
        let element = self.find(selector);
        self.command(&format!("element/{element}/click"), &json!({}));
    }

    /// Waits until the page has this text.
    #[track_caller]
    pub(crate) fn wait_for_text(&self, text: &str) {
        let mut shown = String::new();
        let shows = |shown: &mut String| {
            let script = json!({ "script": "return document.body.innerText", "args": [] });
            let body = self.try_post(&self.path("execute/sync"), &script)?;
            *shown = body.as_str().unwrap_or_default().to_owned();
            shown.contains(text).then_some(())
        };
        let begun = std::time::Instant::now();
        while shows(&mut shown).is_none() {
            assert!(begun.elapsed().as_secs() < 30, "no {text:?} in: {shown}");
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
    }

    /// The element; waits for it.
    #[track_caller]
    fn find(&self, selector: &str) -> String {
        let wanted = json!({ "using": "css selector", "value": selector });
        wait_for(selector, || {
            let found = self.try_post(&self.path("element"), &wanted)?;
            Some(found[ELEMENT].as_str()?.to_owned())
        })
    }

    fn command(&self, command: &str, parameters: &Value) {
        self.post(&self.path(command), parameters);
    }

    fn path(&self, command: &str) -> String {
        format!("session/{}/{command}", self.session)
    }

    #[track_caller]
    fn post(&self, path: &str, parameters: &Value) -> Value {
        match self.exchange("POST", path, &parameters.to_string()) {
            (200, value) => value,
            (status, value) => panic!("{path}: {status} {value}"),
        }
    }

    fn try_post(&self, path: &str, parameters: &Value) -> Option<Value> {
        let (status, value) = self.exchange("POST", path, &parameters.to_string());
        (status == 200).then_some(value)
    }

    fn exchange(&self, method: &str, path: &str, body: &str) -> (u16, Value) {
        let request = format!(
            "{method} /{path} HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
            self.address,
            body.len()
        );
        let answer = Connection::open(self.address).send(request).answer();
        let answer = answer.expect("chromedriver answers");
        let mut value: Value = serde_json::from_slice(&answer.body).expect("JSON");
        (answer.status, value["value"].take())
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // The browser ends with its session, and the driver behind it.
        if !self.session.is_empty() && !std::thread::panicking() {
            self.exchange("DELETE", &format!("session/{}", self.session), "");
        }
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}
