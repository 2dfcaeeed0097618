//! Caddy, alone and with `forward_auth`.

use super::{Peer, Server};
use crate::place::{Duty, File, Opens};

const SERVER: Server = Server {
    program: "caddy",
    version: &["version"],
    files: &[File {
        name: "Caddyfile",
        template: include_str!("../../peers/caddy/Caddyfile"),
    }],
    arguments: &[
        "run",
        "--config",
        "{{folder}}/Caddyfile",
        "--adapter",
        "caddyfile",
    ],
    environment: &[
        ("GOMAXPROCS", "{{workers}}"),
        ("HOME", "{{folder}}"),
        ("XDG_CONFIG_HOME", "{{folder}}/config"),
        ("XDG_DATA_HOME", "{{folder}}/data"),
    ],
};

const fn caddy(
    name: &'static str,
    title: &'static str,
    duty: Duty,
    files: &'static [File],
) -> Peer {
    Peer {
        name,
        title,
        duty,
        opens: Opens {
            tls: true,
            http2: true,
            proxy: true,
        },
        server: &SERVER,
        needs: &[],
        lists: &[],
        parts: &[],
        files,
    }
}

const fn duty(template: &'static str) -> File {
    File {
        name: "duty",
        template,
    }
}

pub(super) const PEERS: &[Peer] = &[
    caddy("caddy", "Caddy", Duty::Bare, &[duty("")]),
    caddy(
        "caddy-forward-auth",
        "Caddy with forward_auth",
        Duty::Gate,
        &[duty(include_str!("../../peers/caddy/forward-auth"))],
    ),
];
