//! The shortest way through everything.

use crate::harness::{Backend, Palisade};

#[test]
fn a_request_reaches_the_backend_and_its_answer_the_client() {
    let backend = Backend::start();
    let palisade = Palisade::start(&format!(
        "
listeners: [{{ address: 127.0.0.1:0 }}]
upstreams: {{ app: {{ servers: [\"{backend}\"] }} }}
sites: [{{ upstream: app }}]
"
    ));
    let answer = palisade.get("/hello");
    assert_eq!(answer.status, 200);
    assert_eq!(backend.requests()[0].line, "GET /hello HTTP/1.1");
    assert_eq!(backend.requests()[0].header("x-real-ip"), Some("127.0.0.1"));
}
