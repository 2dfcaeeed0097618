//! What the kernel and the process itself say of it, once a second: of the process that serves.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use palisade_testkit::process::{open_files, resident_bytes};

use crate::events::Scene;

const EVERY: Duration = Duration::from_secs(1);
/// Which part of a process's life comes before memory is expected to stay as it is.
const WARM_UP: f64 = 0.3;
/// Over which part of it a value is taken: one sample may be a peak.
const WINDOW: f64 = 0.1;

/// One look at the process.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sample {
    /// Which process it was: 0 is the first, 1 the one that took its place.
    pub(crate) process: usize,
    pub(crate) at: Duration,
    pub(crate) resident_mib: f64,
    pub(crate) files: f64,
    pub(crate) threads: f64,
    pub(crate) tasks: f64,
    pub(crate) connections: f64,
    pub(crate) generations: f64,
}

impl Sample {
    pub(crate) fn take(scene: &Scene, begun: Instant) -> Self {
        // Held until the end: no other process takes over meanwhile.
        let gate = scene.gate();
        let pid = gate.pid();
        let metrics = gate.first.metrics();
        let metric = |name: &str| {
            let mut lines = metrics.lines();
            let value = lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
            // Nothing is ever more than NaN.
            let value = value.unwrap_or_else(|| panic!("no metric {name}"));
            value.parse::<f64>().unwrap()
        };
        let threads = std::fs::read_dir(format!("/proc/{pid}/task")).unwrap();
        Self {
            process: gate.pids().len() - 1,
            at: begun.elapsed(),
            resident_mib: resident_bytes(pid).unwrap() as f64 / 1024.0 / 1024.0,
            files: open_files(pid).unwrap() as f64,
            threads: threads.count() as f64,
            tasks: metric("palisade_tasks"),
            connections: metric("palisade_connections_open"),
            generations: metric("palisade_snapshot_generations_held"),
        }
    }
}

/// Looks at the process until it is finished.
pub(crate) struct Meter {
    stop: Arc<AtomicBool>,
    samples: Arc<Mutex<Vec<Sample>>>,
    thread: JoinHandle<()>,
}

impl Meter {
    pub(crate) fn begin(scene: &Arc<Scene>) -> Self {
        let (stop, samples) = (
            Arc::<AtomicBool>::default(),
            Arc::<Mutex<Vec<Sample>>>::default(),
        );
        let (stopped, taken, scene) = (Arc::clone(&stop), Arc::clone(&samples), Arc::clone(scene));
        let thread = std::thread::spawn(move || {
            let begun = Instant::now();
            while !stopped.load(Ordering::Relaxed) {
                let sample = Sample::take(&scene, begun);
                taken.lock().unwrap().push(sample);
                std::thread::sleep(EVERY);
            }
        });
        Self {
            stop,
            samples,
            thread,
        }
    }

    pub(crate) fn is_measuring(&self) -> bool {
        !self.thread.is_finished()
    }

    pub(crate) fn finish(self) -> Samples {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().expect("the thread that measures");
        Samples(std::mem::take(&mut *self.samples.lock().unwrap()))
    }
}

/// All samples of a run.
pub(crate) struct Samples(pub(crate) Vec<Sample>);

/// All samples of one process; there are some.
#[derive(Clone, Copy)]
pub(crate) struct Life<'a>(&'a [Sample]);

/// How a value went over the life of a process.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Course {
    pub(crate) first: f64,
    /// When it was warm.
    pub(crate) warm: f64,
    pub(crate) last: f64,
    pub(crate) most: f64,
    /// From the warm-up on, by the method of least squares.
    pub(crate) per_minute: f64,
}

impl Samples {
    /// The lives of all processes, in the order in which they served.
    pub(crate) fn lives(&self) -> Vec<Life<'_>> {
        let lives = self.0.chunk_by(|one, next| one.process == next.process);
        lives.map(Life).collect()
    }

    /// The longest of them.
    pub(crate) fn longest(&self) -> Life<'_> {
        let lives = self.lives().into_iter();
        lives.max_by_key(Life::lasted).expect("a process")
    }
}

impl Life<'_> {
    /// 1 is the first process.
    pub(crate) fn number(&self) -> usize {
        self.0[0].process + 1
    }

    pub(crate) fn lasted(&self) -> Duration {
        self.0[self.0.len() - 1].at - self.0[0].at
    }

    pub(crate) fn course(&self, of: impl Fn(&Sample) -> f64) -> Course {
        let values: Vec<f64> = self.0.iter().map(&of).collect();
        let share = |share: f64| (values.len() as f64 * share) as usize;
        let warm = share(WARM_UP);
        let window = share(WINDOW).max(1);
        Course {
            first: values[0],
            warm: median(&values[warm..(warm + window).min(values.len())]),
            last: median(&values[values.len() - window..]),
            most: values.iter().copied().fold(f64::MIN, f64::max),
            per_minute: slope(
                self.0[warm..]
                    .iter()
                    .map(|sample| (sample.at.as_secs_f64() / 60.0, of(sample))),
            ),
        }
    }

    /// What a value came to in the end.
    pub(crate) fn settled(&self, of: impl Fn(&Sample) -> f64) -> f64 {
        self.course(of).last
    }
}

fn median(values: &[f64]) -> f64 {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn slope(points: impl Iterator<Item = (f64, f64)> + Clone) -> f64 {
    let count = points.clone().count() as f64;
    let mean = |of: fn((f64, f64)) -> f64| points.clone().map(of).sum::<f64>() / count;
    let (x_mean, y_mean) = (mean(|(x, _)| x), mean(|(_, y)| y));
    let (mut covariance, mut variance) = (0.0, 0.0);
    for (x, y) in points {
        covariance += (x - x_mean) * (y - y_mean);
        variance += (x - x_mean) * (x - x_mean);
    }
    if variance > 0.0 {
        covariance / variance
    } else {
        0.0
    }
}

#[test]
fn a_slope_is_that_of_the_line() {
    let line = (0..10).map(|x| (f64::from(x), 3.0 + 2.0 * f64::from(x)));
    assert!((slope(line) - 2.0).abs() < 1e-9);
    assert_eq!(slope([(1.0, 5.0)].into_iter()), 0.0);
    assert_eq!(median(&[3.0, 1.0, 900.0]), 3.0);
}

#[test]
fn each_process_has_a_course_of_its_own() {
    let sample = |second: u64| Sample {
        process: usize::from(second >= 4),
        at: Duration::from_secs(second),
        resident_mib: second as f64,
        files: 0.0,
        threads: 0.0,
        tasks: 0.0,
        connections: 0.0,
        generations: 0.0,
    };
    let samples = Samples((0..10).map(sample).collect());
    let lives = samples.lives().into_iter();
    let lives: Vec<(usize, u64, f64)> = lives
        .map(|life| {
            let first = life.course(|sample| sample.resident_mib).first;
            (life.number(), life.lasted().as_secs(), first)
        })
        .collect();
    assert_eq!(lives, [(1, 3, 0.0), (2, 5, 4.0)]);
    assert_eq!(samples.longest().number(), 2);
}
