//! What the template miner promises, whatever the log.

use modelops_monitoring::{Registry, TemplateMiner, TemplateMinerOptions};
use proptest::collection::vec;
use proptest::prelude::*;

const LINES: [&str; 12] = [
    "open /data/a.bin took 12 ms",
    "open /data/b/c.bin took 3 ms",
    "user alice logged in from 10.0.0.1",
    "user bob logged in from host.example.org:22",
    "user carol logged in from 10.0.0.3",
    "user dave logged in from 10.0.0.4",
    "user erin logged in from 10.0.0.5",
    "user frank logged in from 10.0.0.6",
    "closed (3.2 KB) after 0x1f",
    "closed after 17",
    "GET https://example.org/a?b=c, status=200",
    "disk full",
];

#[test]
fn lines_of_one_statement_are_one_template() {
    let mut miner = TemplateMiner::default();
    let ids: Vec<_> = LINES.iter().map(|line| miner.add(line).unwrap()).collect();
    let now: Vec<_> = ids.iter().map(|id| miner.current(*id).unwrap()).collect();
    assert_eq!(now, [0, 0, 1, 1, 1, 1, 1, 1, 7, 7, 8, 9]);
    let texts: Vec<_> = miner.templates().into_iter().map(|t| (t.text, t.lines)).collect();
    let expected = [
        ("open <*> took <*>", 2),
        ("user <*> logged in from <*>", 6),
        ("closed after <*>", 2),
        ("GET <*> status <*>", 1),
        ("disk full", 1),
    ];
    assert_eq!(texts, expected.map(|(text, lines)| (text.to_owned(), lines)));
    assert_eq!(
        miner.parameters("open /data/a.bin took 12 ms"),
        ["/data/a.bin", "12 ms"]
    );
    assert_eq!(miner.match_only("user zoe logged in from 10.9.9.9"), Some(1));
    assert_eq!(miner.match_only("never seen before"), None);
    assert_eq!(miner.current(99), None);
}

#[test]
fn memory_is_bounded_and_what_finds_no_room_is_counted() {
    let mut miner = TemplateMiner::new(TemplateMinerOptions::default().with_max_skeletons(20));
    for i in 0..5_000u32 {
        // Letters alone, so that no two of these are alike.
        let word = |mut n: u32| {
            let mut word = String::from("w");
            while n > 0 {
                word.push(char::from(b'g' + (n % 20) as u8));
                n /= 20;
            }
            word
        };
        miner.add(&format!("{} {} {}", word(i), word(i * 7 + 1), word(i * 13 + 5)));
    }
    assert_eq!(miner.templates().len(), 20);
    assert_eq!(
        miner.unmatched() + miner.templates().iter().map(|t| t.lines).sum::<u64>(),
        5_000
    );
}

#[test]
fn rates_of_templates_are_metrics() {
    let registry = Registry::new("app").unwrap();
    let mut miner = TemplateMiner::default().with_rates(&registry).unwrap();
    LINES.iter().for_each(|line| {
        miner.add(line);
    });
    let text = registry.to_prometheus_text();
    assert!(
        text.contains("app_log_lines_total{template=\"open <*> took <*>\"} 2\n"),
        "{text}"
    );
    assert!(TemplateMiner::default().with_rates(&registry).is_err());
}

proptest! {
    /// The groups do not depend on the order of the lines, and no line breaks the miner.
    #[test]
    fn the_order_of_lines_does_not_matter(
        lines in vec(prop_oneof![
            "(open|close|stop) (a|b|c|d|e|f|g) (now|[0-9]{1,3}|/x/y)( \\([0-9]\\))?",
            "\\PC{0,20}",
            "[a-f0-9:/.()\\[\\]=@ -]{0,30}",
        ], 1..60).prop_map(|mut lines| { lines.sort(); lines }),
        seed in any::<u64>(),
    ) {
        let groups = |order: &[usize]| {
            let mut miner = TemplateMiner::default();
            let mut ids = vec![0; lines.len()];
            for i in order {
                ids[*i] = miner.add(&lines[*i]).unwrap();
            }
            let now: Vec<_> = ids.iter().map(|id| miner.current(*id).unwrap()).collect();
            // Each line's group by its first member.
            now.iter().map(|id| now.iter().position(|other| other == id)).collect::<Vec<_>>()
        };
        let straight: Vec<usize> = (0..lines.len()).collect();
        let mut shuffled = straight.clone();
        let mut state = seed;
        for i in (1..shuffled.len()).rev() {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            shuffled.swap(i, (state >> 33) as usize % (i + 1));
        }
        prop_assert_eq!(groups(&straight), groups(&shuffled));
        let mut miner = TemplateMiner::default();
        for line in &lines {
            let varying = miner.parameters(line);
            prop_assert!(varying.iter().all(|text| line.contains(text)));
        }
    }
}
