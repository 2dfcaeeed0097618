//! A real application behind OWASP CRS, used with a real browser.

mod application;

use std::collections::BTreeMap;

use serde_json::Value;

use self::application::{Application, USER};
use crate::harness::{Browser, Palisade};
use crate::waf::crs::crs;

const HOST: &str = "intranet.test";

/// What people write to one another.
const TEXT: &str =
    "The printer on the 2nd floor doesn't print since Monday (paper & toner are there).
I've tried to turn it off and on again; then it says \"Error 49.4C02 - turn off then on\".
See https://example.com/parts?id=42&lang=en#fuser -- 50% off!";

/// Palisade as `palisade crs` and its settings' reference have it: CRS at paranoia 1, both directions.
fn gate(crs: &str, upstream: std::net::SocketAddr) -> Palisade {
    let recommended = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../rules/seclang/recommended.conf"
    );
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("on.conf"), "SecRuleEngine On\n").unwrap();
    Palisade::start_with_logs(
        folder,
        &format!(
            "
listeners: [{{ address: 127.0.0.1:0 }}]
upstreams: {{ app: {{ servers: [\"{upstream}\"] }} }}
sites: [{{ hosts: [{HOST}], upstream: app }}]
waf:
  mode: block
  paranoia: 1
  rules: [{recommended:?}, \"{crs}/crs-setup.conf.example\", \"{crs}/rules/*.conf\"]
logs:
  access: {{ path: access.log, format: json }}
  decisions: {{ path: decisions.log }}
  audit: {{ path: audit.jsonl }}
"
        ),
    )
}

#[test]
fn an_application_is_used_with_a_browser_and_no_rule_minds() {
    let Some(crs) = crs("an application that is used with a browser") else {
        return;
    };
    let application = Application::start();
    let palisade = gate(&crs, application.address());
    let browser = Browser::start(HOST);
    let root = format!("http://{HOST}:{}/admin/", palisade.address().port());
    log_in(&browser, &root);
    administer(&browser, &root);

    // What a rule had to say, of the browser or of the answers, is in the audit log.
    let audit = std::fs::read_to_string(palisade.directory().join("audit.jsonl"));
    assert_eq!(audit.unwrap_or_default(), "");
    assert_eq!(palisade.decision_log(), [] as [Value; 0]);
    let mut statuses: BTreeMap<String, usize> = BTreeMap::new();
    for line in palisade.access_log() {
        let line: Value = serde_json::from_str(&line).expect("JSON");
        let status = format!("{} {}", line["method"], line["status"]);
        *statuses.entry(status).or_default() += 1;
    }
    let count = |status: &str| statuses.get(status).copied().unwrap_or(0);
    // Each form that is sent leads to another page.
    assert_eq!(count("\"POST\" 302"), 6, "{statuses:?}");
    assert!(count("\"GET\" 200") > 50, "{statuses:?}");
    assert_eq!(count("\"GET\" 403") + count("\"POST\" 403"), 0);

    // The same rules, the same browser: an attack doesn't get through.
    browser.open(&format!("{root}login/?next=1%27%20or%201%3D1--%20"));
    browser.wait_for_text("Request refused");
    palisade.wait_for_decision(|line| line["check"] == "waf" && line["mode"] == "refused");
}

fn log_in(browser: &Browser, root: &str) {
    browser.open(root);
    browser.wait_for_text("Django administration");
    browser.fill("#id_username", USER.0);
    browser.fill("#id_password", USER.1);
    browser.click("input[type=submit]");
    browser.wait_for_text("Site administration");
}

/// What administrators do: users, a group, a page, searches, a new password.
fn administer(browser: &Browser, root: &str) {
    let open = |path: &str| browser.open(&format!("{root}{path}"));
    open("auth/user/add/");
    browser.fill("#id_username", "j.oneill");
    let password = "It's 4 o'clock, Thursday & sunny!";
    browser.fill("#id_password1", password);
    browser.fill("#id_password2", password);
    browser.click("input[name=_continue]");
    browser.wait_for_text("was added successfully");
    browser.fill("#id_first_name", "J\u{fc}rgen");
    browser.fill("#id_last_name", "O'Neill-Smith");
    browser.fill("#id_email", "j.oneill+test@example.com");
    browser.click("input[name=_save]");
    browser.wait_for_text("was changed successfully");

    open("auth/group/add/");
    browser.fill("#id_name", "Editors (night & weekend)");
    browser.click("#id_permissions_add_all_link");
    browser.click("input[name=_save]");
    browser.wait_for_text("was added successfully");

    open("flatpages/flatpage/add/");
    browser.fill("#id_url", "/about/the-team/");
    browser.fill("#id_title", "Who we are, and what we don't do");
    browser.fill("#id_content", TEXT);
    browser.click("#id_sites option");
    browser.click("input[name=_save]");
    browser.wait_for_text("was added successfully");

    open("auth/user/");
    browser.fill("#searchbar", "o'neill-smith");
    browser.click("#changelist-search input[type=submit]");
    browser.wait_for_text("O'Neill-Smith");
    open("auth/user/?is_staff__exact=0&o=-1.2");
    browser.wait_for_text("O'Neill-Smith");
    open("flatpages/flatpage/1/history/");
    browser.wait_for_text("Added");

    open("password_change/");
    browser.fill("#id_old_password", USER.1);
    let password = "Tr0ub4dor&3 -- '#1'";
    browser.fill("#id_new_password1", password);
    browser.fill("#id_new_password2", password);
    browser.click("input[type=submit]");
    browser.wait_for_text("Your password was changed.");
    open("logout/");
    browser.wait_for_text("Logged out");
}
