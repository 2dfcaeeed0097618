//! The rules that both versions of ModSecurity read.

use crate::place::File;

pub(super) const RULES: File = File {
    name: "modsecurity.conf",
    template: include_str!("../../peers/modsecurity/modsecurity.conf"),
};
