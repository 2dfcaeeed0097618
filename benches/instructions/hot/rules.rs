//! Access rules alone, on a request that hits none.

use std::hint::black_box;

use gungraun::{library_benchmark, library_benchmark_group};
use palisade_access::Scratch;
use palisade_benches::browser::BrowserRequest;
use palisade_benches::scene::Scene;
use palisade_benches::settings::Rules;
use palisade_vocabulary::{ClientAddr, HttpVersion, PathView, Place, RequestView, Scheme};

use crate::TIMES;

library_benchmark_group!(name = access, benchmarks = [evaluate]);

/// Rules, a request, and the memory of a thread that judged it once.
struct Evaluation {
    scene: Scene,
    client: ClientAddr,
    request: BrowserRequest,
    scratch: Scratch,
}

impl Evaluation {
    fn new(rules: Rules) -> Self {
        let mut evaluation = Self {
            scene: Scene::new(rules, 0),
            client: ClientAddr::peer("203.0.113.77".parse().expect("an address"), 51_234),
            request: BrowserRequest::new(),
            scratch: Scratch::new(),
        };
        evaluation.run();
        evaluation
    }

    fn run(&mut self) {
        const PATH: &[u8] = b"/products/chairs/oak-folding-chair-1284.html";
        let view = RequestView {
            client: &self.client,
            place: Place::UNAVAILABLE,
            scheme: Scheme::Https,
            version: HttpVersion::Http11,
            method: "GET",
            host: "shop-07.example.com",
            path: PathView {
                raw: PATH,
                canonical: PATH,
                without_params: None,
            },
            query: b"color=green&page=2",
            headers: &self.request.headers,
        };
        let rules = self.scene.snapshot.access.set();
        let ruling = rules.evaluate(black_box(&view), &mut self.scratch);
        assert!(black_box(ruling.decided).is_none(), "the request is benign");
    }
}

// Nine rules of each block the lists.
#[library_benchmark(setup = Evaluation::new)]
#[bench::shipped(Rules::Shipped)]
#[bench::of_10009(Rules::Made(10_000))]
fn evaluate(mut evaluation: Evaluation) -> Evaluation {
    for _ in 0..TIMES {
        evaluation.run();
    }
    evaluation
}
