//! One request judged, as the proxy does it: client address, site, trusted clients, decisions, access rules.

use std::hint::black_box;

use gungraun::{library_benchmark, library_benchmark_group};
use http::HeaderValue;
use palisade_benches::browser::BrowserRequest;
use palisade_benches::scene::Scene;
use palisade_benches::settings::Rules;
use palisade_proxy::judge::Scratch;

use crate::TIMES;

library_benchmark_group!(name = judge, benchmarks = [request]);

/// What a request is judged by, and clients that pass.
struct Case {
    scene: Scene,
    clients: Vec<HeaderValue>,
    request: BrowserRequest,
    scratch: Scratch,
}

impl Case {
    fn new(rules: Rules, decisions: usize) -> Self {
        let scene = Scene::new(rules, decisions);
        let mut case = Self {
            clients: scene.benign_clients(TIMES),
            scene,
            request: BrowserRequest::new(),
            scratch: Scratch::default(),
        };
        case.judge_each();
        case
    }

    fn judge_each(&mut self) {
        for client in &self.clients {
            self.request.set_client(client);
            let passes = self
                .scene
                .passes(black_box(&self.request), &mut self.scratch);
            assert!(passes, "a benign client");
        }
    }
}

#[library_benchmark(setup = Case::new)]
#[bench::shipped_rules(Rules::Shipped, 50_000)]
#[bench::and_country(Rules::ShippedAndCountry, 50_000)]
#[bench::rules_109(Rules::Made(100), 50_000)]
#[bench::rules_10009(Rules::Made(10_000), 50_000)]
fn request(mut case: Case) -> Case {
    case.judge_each();
    case
}
