//! Near duplicates, quality filters and encoding repair on texts.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};

use modelops_benches::{Better, Comparison, workspace_root};
use modelops_cleaning::text::near::{Linkage, NearDuplicates, Shingle};
use modelops_cleaning::text::pii::{Kind, Pii};
use modelops_cleaning::text::quality::{
    C4Quality, FineWebQuality, GopherQuality, GopherRepetition, Page, Verdict,
};
use modelops_cleaning::text::repair::repair;
use modelops_cleaning::text::simhash::SimHasher;
use modelops_cleaning::text::words::English;
use modelops_testkit::cleaning_text::{articles, components, pages, shingles};

pub(crate) fn run(comparison: &mut Comparison) {
    let folder = workspace_root().join("target").join("compare").join("cleaning");
    std::fs::create_dir_all(&folder).expect("a writable target folder");
    near(
        comparison,
        &folder,
        4000,
        &[("datasketch 2.0.0", "datasketch"), ("rensa 0.5.0", "rensa")],
    );
    near(
        comparison,
        &folder,
        400,
        &[("datatrove 0.10.1, signatures alone", "datatrove")],
    );
    for documents in [600, 20_000] {
        filters(comparison, &folder, documents);
    }
    mojibake(comparison, &folder, "one in ten decoded wrongly", 10);
    mojibake(comparison, &folder, "none decoded wrongly", usize::MAX);
    addresses(comparison, &folder);
    simhash(comparison, &folder);
}

/// Articles of 460 words, one in ten a copy of an earlier one with three words replaced: J is about 0.94.
fn corpus(documents: usize) -> Vec<String> {
    let mut texts = articles(documents, 460, 2026);
    for at in (9..documents).step_by(10) {
        let mut words: Vec<String> = texts[at - 5].split(' ').map(str::to_owned).collect();
        for place in [40, 200, 390] {
            if let Some(word) = words.get_mut(place) {
                *word = format!("changed{place}");
            }
        }
        texts[at] = words.join(" ");
    }
    texts
}

fn save(folder: &Path, name: &str, texts: &[String]) -> PathBuf {
    let path = folder.join(name);
    let lines: Vec<String> = texts
        .iter()
        .map(|text| serde_json::to_string(text).expect("a text"))
        .collect();
    std::fs::write(&path, lines.join("\n")).expect("a writable folder");
    path
}

/// The documents that have an earlier one in their cluster, by measuring all pairs that share a shingle.
fn repeated(texts: &[String], threshold: f64) -> Vec<usize> {
    let mut holders: HashMap<String, Vec<usize>> = HashMap::new();
    let mut sizes = Vec::new();
    let mut pairs = Vec::new();
    for (at, text) in texts.iter().enumerate() {
        let set = shingles(text, 5, true);
        let mut shared: BTreeMap<usize, usize> = BTreeMap::new();
        sizes.push(set.len());
        for shingle in set {
            let known = holders.entry(shingle).or_default();
            known
                .iter()
                .for_each(|&other| *shared.entry(other).or_default() += 1);
            known.push(at);
        }
        let near = |&(other, shared): &(usize, usize)| {
            shared as f64 >= threshold * (sizes[at] + sizes[other] - shared) as f64
        };
        pairs.extend(shared.into_iter().filter(near).map(|(other, _)| (other, at)));
    }
    let first = components(texts.len(), &pairs);
    (0..texts.len()).filter(|&at| first[at] != at).collect()
}

fn near(comparison: &mut Comparison, folder: &Path, documents: usize, peers: &[(&str, &str)]) {
    let name = format!("near duplicates at J ≥ 0.8, words in fives, {documents} documents of 460 words");
    if !comparison.wants(&name) {
        return;
    }
    let texts = corpus(documents);
    let path = save(folder, &format!("corpus-{documents}.jsonl"), &texts);
    let path = path.to_str().expect("a plain path");
    let search = NearDuplicates::new(0.8, 0.99).expect("the promise can be kept");
    let truth: BTreeSet<usize> = repeated(&texts, 0.8).into_iter().collect();
    assert!(truth.len() * 20 > documents, "nothing was planted");
    let found = |removed: &Vec<usize>| {
        removed.iter().filter(|&at| truth.contains(at)).count() as f64 / truth.len() as f64
    };
    // The same bands of the same length for everybody: the same recall.
    let banding = search.banding();
    let (bands, rows) = (banding.bands().to_string(), banding.rows().to_string());
    let mut case = comparison
        .case::<Vec<usize>>(&name)
        .ours(|| {
            let index = search.find(&texts).expect("few documents");
            let kept: BTreeSet<usize> = index.clusters(Linkage::Closure).kept().collect();
            (0..texts.len()).filter(|at| !kept.contains(at)).collect()
        })
        .per("document", documents);
    for (name, tool) in peers {
        case = case.python(name, "text.py", &[tool, path, &bands, &rows]);
    }
    // A peer that only makes signatures finds nothing, and says nothing of recall.
    if documents >= 1000 {
        case = case.value("recall", "", Better::Higher, found);
    }
    // Ours measures what it reports.
    let ours_is_right = |ours: &Vec<usize>| found(ours) >= 0.99 && ours.iter().all(|at| truth.contains(at));
    case.agree(|ours, theirs| ours_is_right(ours) && (found(theirs) >= 0.98 || theirs.is_empty()))
        .rounds(3)
        .run();
}

fn filters(comparison: &mut Comparison, folder: &Path, documents: usize) {
    let name = format!("Gopher quality and repetition, C4 and FineWeb, {documents} pages");
    // The peer needs minutes for many.
    if !comparison.wants(&name) || documents > 1000 && !comparison.asks(&name) {
        return;
    }
    let texts = pages(documents, 7);
    let bytes: usize = texts.iter().map(String::len).sum();
    let path = save(folder, "pages.jsonl", &texts);
    let english = English::new();
    let said = |verdict: Verdict| match verdict {
        Verdict::Keep => "keep".to_owned(),
        Verdict::Drop(reason) => reason.to_string(),
    };
    let mut case = comparison
        .case::<Vec<Vec<String>>>(&name)
        .ours(|| {
            let (quality, repetition) = (GopherQuality::default(), GopherRepetition::default());
            let (c4, fineweb) = (C4Quality::default(), FineWebQuality::default());
            texts
                .iter()
                .map(|text| {
                    let page = Page::new(&english, text);
                    vec![
                        said(quality.verdict(&page)),
                        said(repetition.verdict(&page)),
                        said(fineweb.verdict(&page)),
                        said(c4.clean(&page).verdict),
                    ]
                })
                .collect()
        })
        .per("kB of text", bytes / 1000)
        .python(
            "datatrove 0.10.1",
            "text.py",
            &["filters", path.to_str().expect("a plain path")],
        )
        .value("verdicts to keep", "", Better::Higher, |verdicts| {
            verdicts.iter().flatten().filter(|said| *said == "keep").count() as f64
        })
        .agree(|ours, theirs| {
            let differ = ours.iter().zip(theirs).filter(|(a, b)| a != b).count();
            eprintln!("{differ} of {} pages have other verdicts or reasons", ours.len());
            ours == theirs
        })
        .rounds(if documents > 1000 { 1 } else { 2 })
        .cold();
    if documents > 1000 {
        case = case.without_times();
    }
    case.run();
}

fn mojibake(comparison: &mut Comparison, folder: &Path, wrong: &str, every: usize) {
    let name = format!("encoding repair, 2,000 pages, {wrong}");
    if !comparison.wants(&name) {
        return;
    }
    let mut texts = pages(2000, 11);
    for text in texts.iter_mut().step_by(every).filter(|_| every < usize::MAX) {
        // UTF-8 read as Latin-1, after a few words that are not ASCII.
        let accented = format!("{text} déjà vu, schön – “naïve”");
        *text = accented.bytes().map(char::from).collect();
    }
    let bytes: usize = texts.iter().map(String::len).sum();
    let path = save(folder, "mojibake.jsonl", &texts);
    comparison
        .case::<Vec<usize>>(&name)
        .ours(|| texts.iter().map(|text| repair(text).chars().count()).collect())
        .per("kB of text", bytes / 1000)
        .python(
            "ftfy 6.3.1",
            "text.py",
            &["ftfy", path.to_str().expect("a plain path")],
        )
        .agree(|ours, theirs| ours == theirs)
        .rounds(3)
        .run();
}

fn addresses(comparison: &mut Comparison, folder: &Path) {
    let name = "e-mail and IP addresses replaced, 2,000 pages";
    if !comparison.wants(name) {
        return;
    }
    let texts = pages(2000, 13);
    let bytes: usize = texts.iter().map(String::len).sum();
    let path = save(folder, "addresses.jsonl", &texts);
    let all = Pii::default();
    let pii = [Kind::Email, Kind::Ip]
        .into_iter()
        .fold(Pii::none(), |pii, kind| {
            pii.with(kind, all.replacements(kind).iter().cloned())
        });
    comparison
        .case::<Vec<String>>(name)
        .ours(|| texts.iter().map(|text| pii.scrub(text).text).collect())
        .per("kB of text", bytes / 1000)
        .python(
            "datatrove 0.10.1",
            "text.py",
            &["pii", path.to_str().expect("a plain path")],
        )
        .agree(|ours, theirs| ours == theirs)
        .rounds(3)
        .run();
}

/// Fingerprints of the same shingles; the hashes under them differ, so only the work is the same.
fn simhash(comparison: &mut Comparison, folder: &Path) {
    let name = "SimHash fingerprints, words in fives, 400 documents of 460 words";
    if !comparison.wants(name) {
        return;
    }
    let texts = corpus(400);
    let path = save(folder, "simhash.jsonl", &texts);
    let hasher = SimHasher::new(Shingle::Words(5)).expect("a sound size");
    comparison
        .case::<usize>(name)
        .ours(|| {
            let fingerprints: Vec<u64> = texts.iter().map(|text| hasher.fingerprint(text)).collect();
            fingerprints.len()
        })
        .per("document", texts.len())
        .python(
            "simhash 2.1.2",
            "text.py",
            &["simhash", path.to_str().expect("a plain path")],
        )
        .agree(|ours, theirs| ours == theirs)
        .rounds(3)
        .run();
}
