//! What harmless values cost: `cargo bench -p palisade-injection`. `make instructions` counts those of 25
//! bytes in instructions, which are the same on a busy machine.
//!
//! `PALISADE_CORPUS` is a folder with `benign.json`, a list of requests. Without it there are only the
//! values that are listed here.

mod corpus;

use std::hint::black_box;
use std::path::Path;
use std::time::{Duration, Instant};

use palisade_injection::{sqli, xss};

/// Harmless values of 25 bytes.
const SHORT: [&str; 12] = [
    "kitchen_table_large_white",
    "kitchen-table-large-white",
    "en-US,en;q=0.9,de-DE;q=0.",
    "shop.example.com.products",
    "https://www.example.com/p",
    "/static/js/main.0ee71ac.j",
    "550e8400-e29b-41d4-a716-4",
    "Peter van der Berg, Essen",
    "GA1.2.742317892.171883416",
    "Mozilla/5.0 (X11; Linux x",
    "name=value&other=12345678",
    "O'Neil's house, 3rd floor",
];

const ROUNDS: u32 = 200;

fn main() {
    scenes().iter().for_each(measure);
}

/// Values, and what they are asked for.
struct Scene {
    name: String,
    detect: fn(&[u8]) -> bool,
    values: Vec<Vec<u8>>,
}

fn scenes() -> Vec<Scene> {
    let folder = std::env::var_os("PALISADE_CORPUS");
    let corpus = folder.map(|folder| corpus::values(Path::new(&folder)));
    let short: Vec<Vec<u8>> = SHORT.map(|value| value.as_bytes().to_vec()).to_vec();
    let is_sqli: fn(&[u8]) -> bool = |value| sqli::detect(value).is_some();
    let mut scenes = Vec::new();
    for (what, detect) in [("sqli", is_sqli), ("xss", xss::detect)] {
        let mut add = |name: &str, values: &[Vec<u8>]| {
            scenes.push(Scene {
                name: format!("{what}, {name}"),
                detect,
                values: values.to_vec(),
            });
        };
        for value in &short {
            add(
                &value.escape_ascii().to_string(),
                std::slice::from_ref(value),
            );
        }
        add("all of 25 bytes", &short);
        if let Some(corpus) = &corpus {
            add("corpus", corpus);
        }
    }
    scenes
}

/// How many values were looked at.
fn detect_each(scene: &Scene) -> usize {
    for value in &scene.values {
        black_box((scene.detect)(black_box(value)));
    }
    scene.values.len()
}

fn measure(scene: &Scene) {
    let mut best = Duration::MAX;
    for _ in 0..7 {
        let start = Instant::now();
        let mut values = 0;
        for _ in 0..ROUNDS {
            values += detect_each(scene);
        }
        best = best.min(start.elapsed() / u32::try_from(values).unwrap_or(u32::MAX));
    }
    say(&format!("{:<40} {best:>9.1?} a value", scene.name));
}

#[expect(clippy::print_stdout, reason = "this is what a benchmark is for")]
fn say(line: &str) {
    println!("{line}");
}
