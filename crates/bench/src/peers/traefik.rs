//! Traefik, alone and with a ForwardAuth.

use super::{Peer, Server};
use crate::place::{Duty, File, Opens};

const SERVER: Server = Server {
    program: "traefik",
    version: &["version"],
    files: &[
        File {
            name: "traefik.yaml",
            template: include_str!("../../peers/traefik/traefik.yaml"),
        },
        File {
            name: "dynamic.yaml",
            template: include_str!("../../peers/traefik/dynamic.yaml"),
        },
    ],
    arguments: &["--configFile={{folder}}/traefik.yaml"],
    environment: &[("GOMAXPROCS", "{{workers}}")],
};

const fn traefik(
    name: &'static str,
    title: &'static str,
    duty: Duty,
    parts: &'static [File],
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
        parts,
        files: &[],
    }
}

const fn middlewares(template: &'static str) -> File {
    File {
        name: "middlewares",
        template,
    }
}

pub(super) const PEERS: &[Peer] = &[
    traefik("traefik", "Traefik", Duty::Bare, &[middlewares("")]),
    traefik(
        "traefik-forwardauth",
        "Traefik with a ForwardAuth",
        Duty::Gate,
        &[middlewares("clients")],
    ),
];
