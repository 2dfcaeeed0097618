//! Envoy, alone and with its RBAC filter.

use super::{List, Peer, Server};
use crate::place::{Duty, File, Opens};

const SERVER: Server = Server {
    program: "envoy",
    version: &["--version"],
    files: &[File {
        name: "envoy.yaml",
        template: include_str!("../../peers/envoy/envoy.yaml"),
    }],
    arguments: &[
        "--config-path",
        "{{folder}}/envoy.yaml",
        "--concurrency",
        "{{workers}}",
        "--log-level",
        "error",
        // Others may run beside it.
        "--disable-hot-restart",
    ],
    environment: &[],
};

const OPENS: Opens = Opens {
    tls: true,
    http2: true,
    proxy: true,
};

const fn envoy(
    name: &'static str,
    title: &'static str,
    duty: Duty,
    lists: &'static [List],
    parts: &'static [File],
) -> Peer {
    Peer {
        name,
        title,
        duty,
        opens: OPENS,
        server: &SERVER,
        needs: &[],
        lists,
        parts,
        files: &[],
    }
}

const fn filters(template: &'static str) -> File {
    File {
        name: "filters",
        template,
    }
}

pub(super) const PEERS: &[Peer] = &[
    envoy("envoy", "Envoy", Duty::Bare, &[], &[filters("")]),
    // As RBAC policies are written; each request is compared with each of them.
    envoy(
        "envoy-rbac",
        "Envoy with RBAC principals",
        Duty::Gate,
        &[List {
            name: "principals",
            line: "{remote_ip: {address_prefix: {{address}}, prefix_len: {{length}}}}",
            between: ",\n",
        }],
        &[filters(include_str!("../../peers/envoy/rbac.yaml"))],
    ),
    // What Envoy has for long lists.
    envoy(
        "envoy-rbac-trie",
        "Envoy with an RBAC address trie",
        Duty::Gate,
        &[List {
            name: "ranges",
            line: "{address_prefix: {{address}}, prefix_len: {{length}}}",
            between: ",\n",
        }],
        &[filters(include_str!("../../peers/envoy/trie.yaml"))],
    ),
];
