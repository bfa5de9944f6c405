//! The profile as one HTML page: no script, no network, readable in light and dark.

use std::fmt::Write as _;

use crate::ledger::{Disposition, Ledger};
use crate::profile::{ColumnProfile, Profile};

const STYLE: &str = "
:root { color-scheme: light dark; --ink: #1c2330; --soft: #667085; --line: #e3e7ee; --page: #f6f7f9; --card: #fff;
  --kept: #2f7d5b; --fixed: #3b6fb6; --held: #c98a1b; --gone: #b4483c; --bar: #5b7fb8; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e9ef; --soft: #98a2b3; --line: #2c3442; --page: #12161d;
  --card: #1a202a; --bar: #7fa3dc; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--ink); font: 15px/1.5 system-ui, sans-serif; }
main { max-width: 72rem; margin: 0 auto; padding: 2.5rem 1.5rem 4rem; }
h1 { font-size: 1.6rem; margin: 0; } h2 { font-size: 1.1rem; margin: 2.5rem 0 .8rem; }
.soft { color: var(--soft); } .card { background: var(--card); border: 1px solid var(--line); border-radius: 10px; padding: 1rem 1.2rem; }
.flow { display: flex; height: 14px; border-radius: 7px; overflow: hidden; margin: 1rem 0; background: var(--line); }
.flow span { display: block; } .kept { background: var(--kept); } .fixed { background: var(--fixed); }
.held { background: var(--held); } .gone { background: var(--gone); }
.totals { display: flex; flex-wrap: wrap; gap: 1.8rem; } .totals b { display: block; font-size: 1.35rem; font-variant-numeric: tabular-nums; }
.dot { display: inline-block; width: .65em; height: .65em; border-radius: 50%; margin-right: .4em; }
table { border-collapse: collapse; width: 100%; } td, th { text-align: left; padding: .35rem .6rem .35rem 0; border-bottom: 1px solid var(--line); font-weight: 400; }
td.n, th.n { text-align: right; font-variant-numeric: tabular-nums; } tr:last-child td { border-bottom: 0; }
.columns { display: grid; grid-template-columns: repeat(auto-fill, minmax(20rem, 1fr)); gap: 1rem; }
.columns h3 { font-size: 1rem; margin: 0; overflow-wrap: anywhere; } .kind { font-size: .8rem; color: var(--soft); }
.facts { font-size: .85rem; color: var(--soft); font-variant-numeric: tabular-nums; margin: .3rem 0 .6rem; }
.bars { display: flex; align-items: flex-end; gap: 1px; height: 72px; } .bars i { flex: 1; background: var(--bar); min-height: 1px; border-radius: 1px 1px 0 0; }
.ends { display: flex; justify-content: space-between; font-size: .75rem; color: var(--soft); font-variant-numeric: tabular-nums; }
.top { font-size: .85rem; } .top div { position: relative; padding: .1rem .4rem; margin-bottom: 2px; display: flex; justify-content: space-between; gap: 1rem; }
.top div i { position: absolute; inset: 0 auto 0 0; background: var(--bar); opacity: .22; border-radius: 3px; }
.top span { position: relative; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
<<<<<<< HEAD
.top span + span { flex: none; }
=======
.top span:last-child { flex: none; }
>>>>>>> 054f201 (Measure cleaning beside its peers; measure distances in groups; record the decisions and the state of cleaning)
";

pub(super) fn page(title: &str, profile: &Profile, ledger: &Ledger) -> String {
    let mut out = String::new();
    let title = escape(title);
    let _ = write!(
        out,
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <title>{title}</title><style>{STYLE}</style></head><body><main>\
         <h1>{title}</h1><p class=\"soft\">{} records in, {} rows in the clean table, {} columns</p>",
        grouped(ledger.records_in()),
        grouped(profile.row_count()),
        profile.columns().len(),
    );
    outcomes(&mut out, ledger);
    out.push_str("<h2>Columns</h2><div class=\"columns\">");
    for column in profile.columns() {
        card(&mut out, column, profile.row_count());
    }
    out.push_str("</div></main></body></html>\n");
    out
}

fn outcomes(out: &mut String, ledger: &Ledger) {
    let parts = [
        ("kept", "kept as read", ledger.kept()),
        ("fixed", "repaired", ledger.repaired()),
        ("held", "quarantined", ledger.quarantined()),
        ("gone", "dropped", ledger.dropped()),
    ];
    let total = ledger.records_in().max(1) as f64;
    out.push_str("<h2>What became of every record</h2><div class=\"card\"><div class=\"totals\">");
    for (class, name, count) in parts {
        let _ = write!(
            out,
            "<div><b>{}</b><span class=\"dot {class}\"></span>{name}</div>",
            grouped(count)
        );
    }
    out.push_str("</div><div class=\"flow\">");
    for (class, name, count) in parts.into_iter().filter(|part| part.2 > 0) {
        let share = 100.0 * count as f64 / total;
        let _ = write!(
            out,
            "<span class=\"{class}\" style=\"width:{share:.3}%\" title=\"{name}: {count}\"></span>"
        );
    }
    out.push_str("</div>");
    let mut rows: Vec<_> = ledger.reasons().filter(|r| r.2 > 0).collect();
    rows.sort_by_key(|r| std::cmp::Reverse(r.2));
    if !rows.is_empty() {
        out.push_str("<table><tr class=\"soft\"><th>reason</th><th>column</th><th>step</th><th>outcome</th><th class=\"n\">records</th></tr>");
        for (reason, disposition, count) in rows {
            let (class, outcome) = match disposition {
                Disposition::Quarantined => ("held", "quarantined"),
                Disposition::Dropped => ("gone", "dropped"),
            };
            let _ = write!(
                out,
                "<tr><td>{}</td><td>{}</td><td>{}</td><td><span class=\"dot {class}\"></span>{outcome}</td><td class=\"n\">{}</td></tr>",
                reason.cause,
                escape(reason.column.as_deref().unwrap_or("–")),
                reason.step.map_or("reading".to_owned(), |s| s.to_string()),
                grouped(count),
            );
        }
        out.push_str("</table>");
    }
    out.push_str("</div>");
}

fn card(out: &mut String, column: &ColumnProfile, rows: u64) {
    let kind = match column.kind {
        crate::ColumnType::Int => "whole numbers",
        crate::ColumnType::Float => "numbers",
        crate::ColumnType::Bool => "true or false",
        crate::ColumnType::Text => "text",
    };
    let missing = 100.0 * column.missing as f64 / rows.max(1) as f64;
    let _ = write!(
        out,
        "<section class=\"card\"><h3>{}</h3><div class=\"kind\">{kind}</div><div class=\"facts\">",
        escape(&column.name)
    );
    let _ = match column.missing {
        0 => write!(out, "complete"),
        count => write!(out, "{} missing ({missing:.1} %)", grouped(count)),
    };
    if let Some(numbers) = &column.numbers {
        if numbers.count == 0 {
            out.push_str("</div></section>");
            return;
        }
        let _ = write!(
            out,
            " · mean {} ± {}</div><div class=\"bars\">",
            short(numbers.mean()),
            short(numbers.standard_deviation())
        );
        let bins = numbers.histogram.bins();
        let tallest = bins.iter().map(|b| b.2).max().unwrap_or(1).max(1) as f64;
        for (low, high, count) in &bins {
            let height = 100.0 * *count as f64 / tallest;
            let _ = write!(
                out,
                "<i style=\"height:{height:.1}%\" title=\"{} to {}: {count}\"></i>",
                short(*low),
                short(*high)
            );
        }
        let _ = write!(
            out,
            "</div><div class=\"ends\"><span>{}</span><span>{}</span></div></section>",
            short(numbers.min),
            short(numbers.max)
        );
        return;
    }
    match column.distinct() {
        Some(distinct) => {
            let _ = write!(out, " · {} different</div>", grouped(distinct as u64));
        }
        None => out.push_str(" · more than 10,000 different</div>"),
    }
    out.push_str("<div class=\"top\">");
    for (text, count) in column.top(6) {
        let share = 100.0 * count as f64 / rows.max(1) as f64;
        let _ = write!(
            out,
            "<div><i style=\"width:{share:.2}%\"></i><span>{}</span><span>{}</span></div>",
            escape(text),
            grouped(count)
        );
    }
    out.push_str("</div></section>");
}

/// A number in four significant digits.
fn short(value: f64) -> String {
    let magnitude = value.abs();
    if magnitude != 0.0 && !(1e-3..1e6).contains(&magnitude) {
        return format!("{value:.3e}");
    }
    let decimals = if magnitude >= 1000.0 {
        0
    } else if magnitude >= 100.0 {
        1
    } else if magnitude >= 1.0 {
        2
    } else {
        4
    };
    let text = format!("{value:.decimals$}");
    match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text,
    }
}

/// A whole number with commas between thousands.
fn grouped(value: u64) -> String {
    let digits = value.to_string();
    let mut out = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}
