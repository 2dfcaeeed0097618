//! `blocking`: how a refusal looks.

use std::path::Path;
use std::sync::Arc;

use palisade_gate::settings::BlockingSettings;

use crate::reader::{Defaulted, FilePath, Key, Optional, Status, Table, TableInfo};

/// The longest page; it is sent with every refusal.
const PAGE_BYTES_MAX: u64 = 256 * 1024;

pub(super) const BLOCKING: Table<BlockingSettings> = Table {
    info: &INFO,
    lower: |fields| {
        let (status, path) = (fields.get(&STATUS), fields.get(&PAGE));
        let page = match path? {
            Some(path) => {
                let file =
                    fields
                        .context()
                        .read_file(&path, PAGE_BYTES_MAX, fields.location_of(&PAGE))?;
                let page = fields.accept(parse_page(&path, file.bytes), &PAGE)?;
                if !page.contains("{{request_id}}") {
                    let message = "the page doesn't show {{request_id}}; without it nobody can find the refusal in the logs";
                    fields.context().warning(fields.location_of(&PAGE), message);
                }
                Some(page)
            }
            None => None,
        };
        Some(BlockingSettings {
            status: status?,
            page,
        })
    },
};

static INFO: TableInfo = TableInfo {
    name: "blocking",
    about: "How a refusal by a decision or a rule looks.",
    keys: &[&STATUS, &PAGE],
    later: &[],
};

static STATUS: Key<Status, Defaulted> = Key::new(
    "status",
    Status { min: 400, max: 599 },
    Defaulted("403"),
    "The status, where the rule names none.",
);
static PAGE: Key<FilePath, Optional> = Key::new(
    "page",
    FilePath {
        what: "the path of an HTML file",
    },
    Optional,
    "Your own HTML page, at most 256KiB; `{{request_id}}` and `{{status}}` are filled in. Absent: a built-in one. Clients that accept JSON or text alone get that.",
);

fn parse_page(path: &Path, bytes: Vec<u8>) -> Result<Arc<str>, String> {
    let page =
        String::from_utf8(bytes).map_err(|_| format!("{} is not UTF-8 text", path.display()))?;
    Ok(page.into())
}
