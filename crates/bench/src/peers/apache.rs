//! Apache, alone and with ModSecurity 2.

use super::{Peer, Server, modsecurity};
use crate::place::{Duty, File, Opens};

/// Where Debian has its modules.
const MODULES: File = File {
    name: "modules",
    template: "/usr/lib/apache2/modules",
};

const SERVER: Server = Server {
    program: "apache2",
    version: &["-v"],
    files: &[File {
        name: "apache.conf",
        template: include_str!("../../peers/apache/apache.conf"),
    }],
    arguments: &["-D", "FOREGROUND", "-f", "{{folder}}/apache.conf"],
    environment: &[],
};

const OPENS: Opens = Opens {
    tls: true,
    http2: true,
    proxy: true,
};

const fn duty(template: &'static str) -> File {
    File {
        name: "duty.conf",
        template,
    }
}

const fn hop(template: &'static str) -> File {
    File {
        name: "hop.conf",
        template,
    }
}

const WAF_FILES: &[File] = &[
    duty(include_str!("../../peers/apache/modsecurity.conf")),
    hop(include_str!("../../peers/apache/hop.conf")),
    modsecurity::RULES,
];

const fn waf(name: &'static str, title: &'static str, paranoia: u8) -> Peer {
    Peer {
        name,
        title,
        duty: Duty::Waf(paranoia),
        opens: OPENS,
        server: &SERVER,
        needs: &["/usr/lib/apache2/modules/mod_security2.so"],
        lists: &[],
        parts: &[
            MODULES,
            File {
                name: "unicode",
                template: "/etc/modsecurity/unicode.mapping",
            },
        ],
        files: WAF_FILES,
    }
}

pub(super) const PEERS: &[Peer] = &[
    Peer {
        name: "apache",
        title: "Apache",
        duty: Duty::Bare,
        opens: OPENS,
        server: &SERVER,
        needs: &[],
        lists: &[],
        parts: &[MODULES],
        // The hop's address is added to what it says.
        files: &[duty(""), hop("")],
    },
    waf("apache-modsecurity", "Apache with ModSecurity 2", 1),
    waf(
        "apache-modsecurity-2",
        "Apache with ModSecurity 2, paranoia 2",
        2,
    ),
];
