//! The plot of one crate: how many times better ours is than each peer, on a logarithmic axis.

use std::fmt::Write as _;

use crate::Verdict;
use crate::pair::Pair;
use crate::table::number;

const ROW: usize = 20;
const LABELS: usize = 470;
const WIDTH: usize = 960;
const TOP: usize = 44;
/// Longest label, in characters.
const LONGEST: usize = 74;

/// An SVG with a row for each pair; empty where there is none.
pub(crate) fn plot(title: &str, pairs: &[Pair<'_>]) -> String {
    let times: Vec<f64> = pairs.iter().map(|pair| pair.main().times()).collect();
    let finite = || times.iter().copied().filter(|t| t.is_finite() && *t > 0.0);
    let low = finite().fold(1.0, f64::min).log10().floor().max(-4.0);
    let high = finite().fold(10.0, f64::max).log10().ceil().min(7.0);
    let x = |t: f64| {
        let share = ((t.log10() - low) / (high - low)).clamp(0.0, 1.0);
        LABELS as f64 + 10.0 + share * (WIDTH - LABELS - 70) as f64
    };
    let height = TOP + ROW * pairs.len() + 12;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" width=\"{WIDTH}\" height=\"{height}\" \
         font-family=\"sans-serif\" font-size=\"12\">\n<title>{0}</title>\n<rect width=\"{WIDTH}\" height=\"{height}\" \
         fill=\"#ffffff\"/>\n<text x=\"8\" y=\"18\" font-size=\"14\" font-weight=\"bold\" fill=\"#1b2420\">{0}</text>\n",
        escape(title)
    );
    for decade in low as i32..=high as i32 {
        let (x, label) = (x(10f64.powi(decade)), tick(decade));
        let (line, weight) = if decade == 0 {
            ("#1b2420", 1.5)
        } else {
            ("#dde2df", 1.0)
        };
        // Writing to a string cannot fail.
        let _ = writeln!(
            svg,
            "<line x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{}\" y2=\"{}\" stroke=\"{line}\" stroke-width=\"{weight}\"/>\
             <text x=\"{x:.1}\" y=\"{}\" text-anchor=\"middle\" fill=\"#5d6b64\">{label}</text>",
            TOP - 6,
            height - 8,
            TOP - 10,
        );
    }
    for (row, (pair, times)) in pairs.iter().zip(times).enumerate() {
        let y = TOP + ROW * row + ROW / 2;
        let colour = match pair.main().verdict() {
            Some(Verdict::Ahead) => "#0b7a5a",
            Some(Verdict::Level) => "#8a8f2a",
            Some(Verdict::Behind) => "#b3261e",
            None => "#7a7a7a",
        };
        let (here, one) = (x(times), x(1.0));
        let label = cut(&format!("{} · {}", pair.case, pair.peer));
        let _ = writeln!(
            svg,
            "<text x=\"{}\" y=\"{}\" text-anchor=\"end\" fill=\"#1b2420\" font-size=\"11\">{}</text>\
             <line x1=\"{one:.1}\" x2=\"{here:.1}\" y1=\"{y}\" y2=\"{y}\" stroke=\"{colour}\" stroke-width=\"2\"/>\
             <circle cx=\"{here:.1}\" cy=\"{y}\" r=\"4\" fill=\"{colour}\"/>\
             <text x=\"{:.1}\" y=\"{}\" fill=\"{colour}\" font-size=\"11\">{}</text>",
            LABELS,
            y + 4,
            escape(&label),
            here.max(one) + 8.0,
            y + 4,
            number(times),
        );
    }
    svg.push_str("</svg>\n");
    svg
}

fn tick(decade: i32) -> String {
    match decade {
        -3..0 => format!("1/{}", 10_u32.pow(decade.unsigned_abs())),
        0..=3 => 10_u32.pow(decade.unsigned_abs()).to_string(),
        _ => format!("10^{decade}"),
    }
}

/// The label with its middle left out where it is too long: case and peer both show.
fn cut(label: &str) -> String {
    let letters: Vec<char> = label.chars().collect();
    if letters.len() <= LONGEST {
        return label.to_owned();
    }
    let (head, tail) = (LONGEST / 2, LONGEST - LONGEST / 2 - 1);
    let ends = [&letters[..head], &['…'], &letters[letters.len() - tail..]];
    ends.concat().into_iter().collect()
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_labels_keep_both_ends() {
        let label = cut(&format!("{}{}", "a".repeat(100), "b".repeat(100)));
        assert_eq!(label.chars().count(), LONGEST);
        assert!(label.starts_with("aaa") && label.ends_with("bbb") && label.contains('…'));
        assert_eq!(cut("short"), "short");
    }
}
