//! HAProxy.

use super::{Peer, Server};
use crate::place::{Duty, File, Opens};

const SERVER: Server = Server {
    program: "haproxy",
    version: &["-v"],
    files: &[
        File {
            name: "global.cfg",
            template: include_str!("../../peers/haproxy/global.cfg"),
        },
        File {
            name: "doors.cfg",
            template: include_str!("../../peers/haproxy/doors.cfg"),
        },
        // HAProxy reads certificate and key from one file.
        File {
            name: "server.pem",
            template: "{{certificate_text}}\n{{key_text}}\n",
        },
    ],
    // The files are read in this order.
    arguments: &[
        "-db",
        "-f",
        "{{folder}}/global.cfg",
        "-f",
        "{{folder}}/client.cfg",
        "-f",
        "{{folder}}/doors.cfg",
    ],
    environment: &[],
};

const OPENS: Opens = Opens {
    tls: true,
    http2: true,
    proxy: true,
};

pub(super) const PEERS: &[Peer] = &[
    Peer {
        name: "haproxy",
        title: "HAProxy",
        duty: Duty::Bare,
        opens: OPENS,
        server: &SERVER,
        needs: &[],
        lists: &[],
        parts: &[],
        files: &[File {
            name: "client.cfg",
            template: include_str!("../../peers/haproxy/bare-client.cfg"),
        }],
    },
    Peer {
        name: "haproxy-acl",
        title: "HAProxy with an ACL file",
        duty: Duty::Gate,
        opens: OPENS,
        server: &SERVER,
        needs: &[],
        lists: &[],
        parts: &[],
        files: &[File {
            name: "client.cfg",
            template: include_str!("../../peers/haproxy/acl-client.cfg"),
        }],
    },
];
