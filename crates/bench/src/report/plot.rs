//! A picture of what a request costs each server.

use std::fmt::Write as _;

use crate::place::Duty;
use crate::results::{Results, SubjectInfo, median};
use crate::transport::KEEP_ALIVE;
use crate::workload::Kind;

const WIDTH: f64 = 860.0;
const LABELS_WIDTH: f64 = 380.0;
const FIGURES_WIDTH: f64 = 80.0;
const BAR_HEIGHT: f64 = 18.0;
const LINE_HEIGHT: f64 = 26.0;
const TITLE_HEIGHT: f64 = 40.0;
const OURS: &str = "#1f6f54";
const THEIRS: &str = "#9aa5b1";

/// Bars that begin at nothing and have one scale.
struct Panel {
    title: String,
    bars: Vec<Bar>,
}

struct Bar {
    label: String,
    micros: f64,
    is_palisade: bool,
}

/// The plot: one panel of proxies and gates, with a GET; one of WAFs, with the mix.
#[must_use]
pub fn svg(results: &Results) -> String {
    let panels = [
        panel(
            results,
            "Processor time of a GET, microseconds",
            Kind::Get,
            |duty| !matches!(duty, Duty::Waf(_)),
        ),
        panel(
            results,
            "With OWASP CRS: a mix of requests, microseconds",
            Kind::Mix,
            |duty| matches!(duty, Duty::Waf(_)),
        ),
    ];
    let panels: Vec<&Panel> = panels
        .iter()
        .filter(|panel| !panel.bars.is_empty())
        .collect();
    let height: f64 = panels.iter().map(|panel| panel.height()).sum();
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{height}\" \
         viewBox=\"0 0 {WIDTH} {height}\" font-family=\"sans-serif\" font-size=\"13\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n"
    );
    let mut top = 0.0;
    for panel in panels {
        panel.draw(top, &mut svg);
        top += panel.height();
    }
    svg.push_str("</svg>\n");
    svg
}

fn panel(results: &Results, title: &str, kind: Kind, wants: impl Fn(Duty) -> bool) -> Panel {
    let subjects = results
        .subjects
        .iter()
        .filter(|subject| wants(subject.duty));
    let bar = |subject: &SubjectInfo| {
        let cost = results.cost(&subject.name, kind.name(), KEEP_ALIVE.name)?;
        Some(Bar {
            label: subject.title.clone(),
            micros: median(&cost.cpu_us),
            is_palisade: subject.is_palisade,
        })
    };
    let mut bars: Vec<Bar> = subjects.filter_map(bar).collect();
    bars.sort_by(|one, other| one.micros.total_cmp(&other.micros));
    Panel {
        title: title.to_owned(),
        bars,
    }
}

impl Panel {
    fn height(&self) -> f64 {
        TITLE_HEIGHT + self.bars.len() as f64 * LINE_HEIGHT + LINE_HEIGHT / 2.0
    }

    fn draw(&self, top: f64, svg: &mut String) {
        let longest = self.bars.iter().map(|bar| bar.micros).fold(0.0, f64::max);
        let scale = (WIDTH - LABELS_WIDTH - FIGURES_WIDTH) / longest;
        let _ = writeln!(
            svg,
            "<text x=\"12\" y=\"{}\" font-size=\"15\" font-weight=\"bold\">{}</text>",
            top + 26.0,
            escaped(&self.title)
        );
        for (number, bar) in self.bars.iter().enumerate() {
            let y = top + TITLE_HEIGHT + number as f64 * LINE_HEIGHT;
            let (width, text_y) = (bar.micros * scale, y + 13.5);
            let colour = if bar.is_palisade { OURS } else { THEIRS };
            let _ = writeln!(
                svg,
                "<text x=\"{}\" y=\"{text_y}\" text-anchor=\"end\">{}</text>\n\
                 <rect x=\"{LABELS_WIDTH}\" y=\"{y}\" width=\"{width:.1}\" height=\"{BAR_HEIGHT}\" fill=\"{colour}\"/>\n\
                 <text x=\"{:.1}\" y=\"{text_y}\">{:.1}</text>",
                LABELS_WIDTH - 8.0,
                escaped(&bar.label),
                LABELS_WIDTH + width + 6.0,
                bar.micros
            );
        }
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}
