//! Each shuffle, and the statements it becomes.

use std::fmt::Write as _;

use xxhash_rust::xxh3::xxh3_64;

use super::quote::{Ident, Text};
use crate::spec::Keep;

/// Files of whole numbers that shard jobs wrote, all in one folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Table {
    /// The 128-bit key of a record.
    Keys,
    /// A digit of an exact sum.
    Parts,
    /// A digit of the exact sum of a group, known by its 128-bit key.
    GroupParts,
    /// A number as an integer of the same order.
    Values,
    /// The key of a record in another table, or of one that refers to it.
    Parents,
    /// The set of a document: its 128-bit sum, how many shingles it has.
    Documents,
    /// The key of a band of a document's signature.
    Bands,
    /// A shingle of a document.
    Shingles,
}

impl Table {
    pub(crate) fn columns(self) -> &'static [&'static str] {
        match self {
            Self::Keys => &["id", "hi", "lo"],
            Self::Parents => &["hi", "lo"],
            Self::Parts => &["series", "place", "digit"],
            Self::GroupParts => &["hi", "lo", "place", "digit"],
            Self::Values => &["series", "value"],
            Self::Documents => &["id", "hi", "lo", "size"],
            Self::Bands => &["id", "band", "value"],
            Self::Shingles => &["id", "shingle"],
        }
    }
}

/// Values of one series whose upper bits are `bits`, after 16 bits a round.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Prefix {
    pub(crate) series: u32,
    pub(crate) bits: i64,
}

/// What only a look at all shards can tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Shuffle {
    /// For each record the one that survives among those with its key; −1 where none does.
    Survivors(Keep),
    /// For each record whether its key is among those of another table: 1 or 0.
    Matches,
    /// The sums of the digits of each series, the parts of the exact sum of all shards, and how many were added.
    Sums,
    /// The same for each group.
    GroupSums,
    /// How many values of each series have each of the next 16 bits, within the prefixes found so far: four rounds find
    /// any order statistic, each a scan with a small answer, where sorting would take one worker for a series.
    Histogram { round: u32, within: Vec<Prefix> },
    /// For each document the first with the same set.
    Originals,
    /// Pairs of originals that agree on a band, with the number of shingles they share.
    Pairs,
}

impl Shuffle {
    /// The tables it reads.
    pub(crate) fn tables(&self) -> &'static [Table] {
        match self {
            Self::Survivors(_) => &[Table::Keys],
            Self::Matches => &[Table::Keys, Table::Parents],
            Self::Sums => &[Table::Parts],
            Self::GroupSums => &[Table::GroupParts],
            Self::Histogram { .. } => &[Table::Values],
            Self::Originals => &[Table::Documents],
            Self::Pairs => &[Table::Documents, Table::Bands, Table::Shingles],
        }
    }

    /// What the answer is called in a work folder.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Survivors(_) => "survivors",
            Self::Matches => "matches",
            Self::Sums => "sums",
            Self::GroupSums => "group-sums",
            Self::Histogram { .. } => "histogram",
            Self::Originals => "originals",
            Self::Pairs => "pairs",
        }
    }

    /// Whether the answer has a folder for each shard.
    pub(crate) fn by_shard(&self) -> bool {
        matches!(self, Self::Survivors(_) | Self::Matches)
    }

    /// The statements, in order. `purpose` says in a plan's words what they are for, and becomes part of the names;
    /// `inputs` are folders, one for each of [`Self::tables`]; `output` is a folder that does not exist yet, and that no
    /// other run will ever use: names made from it cannot meet those of another run in a shared session.
    pub(crate) fn statements(&self, purpose: &str, inputs: &[&str], output: &str) -> Vec<String> {
        let short: String = purpose.chars().take(60).collect();
        let run = xxh3_64(output.as_bytes());
        let views: Vec<String> = self
            .tables()
            .iter()
            .map(|table| Ident(&format!("{} of {short} {run:016x}", table.name())).to_string())
            .collect();
        // Spark accepts letters, digits and underscores only in the name of a table.
        let answer = Ident(&format!("modelops_{run:016x}")).to_string();
        let mut statements = Vec::new();
        for ((table, view), input) in self.tables().iter().zip(&views).zip(inputs) {
            let columns: Vec<String> = table
                .columns()
                .iter()
                .map(|column| format!("{} BIGINT", Ident(column)))
                .collect();
            statements.push(format!(
                "CREATE OR REPLACE TEMPORARY VIEW {view} ({}) USING csv OPTIONS (path {}, header 'false')",
                columns.join(", "),
                Text(input),
            ));
        }
        let partitioned = if self.by_shard() {
            "PARTITIONED BY (`shard`) "
        } else {
            ""
        };
        statements.push(format!(
            "CREATE TABLE {answer} USING csv OPTIONS (header 'false') {partitioned}LOCATION {} AS\n{}",
            Text(output),
            self.query(&views),
        ));
        statements.push(format!("DROP TABLE {answer}"));
        statements.extend(views.iter().map(|view| format!("DROP VIEW {view}")));
        statements
    }

    fn query(&self, views: &[String]) -> String {
        let first = &views[0];
        match self {
            Self::Survivors(keep) => {
                let survivor = match keep {
                    Keep::First => "first_value(`id`) OVER (PARTITION BY `hi`, `lo` ORDER BY `id`)",
                    Keep::Last => "first_value(`id`) OVER (PARTITION BY `hi`, `lo` ORDER BY `id` DESC)",
                    Keep::None => {
                        "CASE WHEN count(*) OVER (PARTITION BY `hi`, `lo`) = 1 THEN `id` ELSE -1 END"
                    }
                };
                format!(
                    "SELECT `id`, {survivor} AS `survivor`, shiftright(`id`, 40) AS `shard`\nFROM {first}"
                )
            }
            Self::Matches => format!(
                "SELECT `k`.`id` AS `id`, CASE WHEN `p`.`hi` IS NULL THEN 0 ELSE 1 END AS `found`, \
                 shiftright(`k`.`id`, 40) AS `shard`\n\
                 FROM {first} AS `k`\n\
                 LEFT JOIN (SELECT DISTINCT `hi`, `lo` FROM {}) AS `p`\n\
                 ON `k`.`hi` = `p`.`hi` AND `k`.`lo` = `p`.`lo`",
                views[1]
            ),
            Self::Sums => format!(
                "SELECT `series`, `place`, sum(`digit`) AS `digit`, count(*) AS `parts`\nFROM {first}\nGROUP BY `series`, `place`"
            ),
            Self::GroupSums => format!(
                "SELECT `hi`, `lo`, `place`, sum(`digit`) AS `digit`, count(*) AS `parts`\nFROM {first}\n\
                 GROUP BY `hi`, `lo`, `place`"
            ),
            Self::Histogram { round, within } => {
                let bits = format!("shiftright(`value`, {})", 48 - 16 * round);
                let mut query =
                    format!("SELECT `series`, {bits} AS `bits`, count(*) AS `values`\nFROM {first}");
                for (i, prefix) in within.iter().enumerate() {
                    let word = if i == 0 { "WHERE" } else { "OR" };
                    let _ = write!(query, "\n{word} `series` = {}", prefix.series);
                    if *round > 0 {
                        let above = 64 - 16 * round;
                        let _ = write!(query, " AND shiftright(`value`, {above}) = {}", prefix.bits);
                    }
                }
                query + &format!("\nGROUP BY `series`, {bits}")
            }
            Self::Originals => format!(
                "SELECT `id`, first_value(`id`) OVER (PARTITION BY `hi`, `lo` ORDER BY `id`) AS `original`, `size`\n\
                 FROM {first}"
            ),
            Self::Pairs => format!(
                "WITH `originals` AS (SELECT min(`id`) AS `id` FROM {first} GROUP BY `hi`, `lo`),\n\
                 `keys` AS (SELECT `b`.`id`, `b`.`band`, `b`.`value` FROM {} AS `b` JOIN `originals` AS `o` ON `b`.`id` = `o`.`id`),\n\
                 `pairs` AS (SELECT DISTINCT `a`.`id` AS `earlier`, `b`.`id` AS `later` FROM `keys` AS `a` JOIN `keys` AS `b`\n\
                 ON `a`.`band` = `b`.`band` AND `a`.`value` = `b`.`value` AND `a`.`id` < `b`.`id`)\n\
                 SELECT `p`.`earlier`, `p`.`later`, count(*) AS `shared`\n\
                 FROM `pairs` AS `p`\n\
                 JOIN {shingles} AS `x` ON `x`.`id` = `p`.`earlier`\n\
                 JOIN {shingles} AS `y` ON `y`.`id` = `p`.`later` AND `y`.`shingle` = `x`.`shingle`\n\
                 GROUP BY `p`.`earlier`, `p`.`later`",
                views[1],
                shingles = views[2],
            ),
        }
    }
}

impl Table {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Keys => "keys",
            Self::Parents => "parents",
            Self::Parts => "parts",
            Self::GroupParts => "group-parts",
            Self::Values => "values",
            Self::Documents => "documents",
            Self::Bands => "bands",
            Self::Shingles => "shingles",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The statement that makes the answer, without the lines that name where it goes.
    fn query(shuffle: &Shuffle) -> String {
        let inputs = ["/work/a", "/work/b", "/work/c"];
        let statements = shuffle.statements("it", &inputs[..shuffle.tables().len()], "/work/out");
        let create = statements
            .iter()
            .find(|s| s.starts_with("CREATE TABLE"))
            .expect("there is one");
        let (_, query) = create.split_once(" AS\n").expect("a query follows");
        query.replace(&format!("{:016x}", xxh3_64(b"/work/out")), "RUN")
    }

    #[test]
    fn one_survivor_for_each_key() {
        let purpose = "0 distinct \"a`b\", \"c\\nd\", keep first";
        let statements =
            Shuffle::Survivors(Keep::First).statements(purpose, &["/work/keys"], "/work/attempt-0/answer");
        let expected = [
            "CREATE OR REPLACE TEMPORARY VIEW `keys of 0 distinct \"a``b\", \"c\\nd\", keep first 8e8e769ba4a8d789` \
             (`id` BIGINT, `hi` BIGINT, `lo` BIGINT) USING csv OPTIONS (path '/work/keys', header 'false')",
            "CREATE TABLE `modelops_8e8e769ba4a8d789` USING csv OPTIONS (header 'false') PARTITIONED BY (`shard`) \
             LOCATION '/work/attempt-0/answer' AS\n\
             SELECT `id`, first_value(`id`) OVER (PARTITION BY `hi`, `lo` ORDER BY `id`) AS `survivor`, \
             shiftright(`id`, 40) AS `shard`\n\
             FROM `keys of 0 distinct \"a``b\", \"c\\nd\", keep first 8e8e769ba4a8d789`",
            "DROP TABLE `modelops_8e8e769ba4a8d789`",
            "DROP VIEW `keys of 0 distinct \"a``b\", \"c\\nd\", keep first 8e8e769ba4a8d789`",
        ];
        assert_eq!(statements, expected);
        assert_eq!(
            query(&Shuffle::Survivors(Keep::None)),
            "SELECT `id`, CASE WHEN count(*) OVER (PARTITION BY `hi`, `lo`) = 1 THEN `id` ELSE -1 END AS `survivor`, \
             shiftright(`id`, 40) AS `shard`\nFROM `keys of it RUN`"
        );
    }

    #[test]
    fn sums_and_order_statistics() {
        assert_eq!(
            query(&Shuffle::Sums),
            "SELECT `series`, `place`, sum(`digit`) AS `digit`, count(*) AS `parts`\nFROM `parts of it RUN`\nGROUP BY `series`, `place`"
        );
        assert_eq!(
            query(&Shuffle::GroupSums),
            "SELECT `hi`, `lo`, `place`, sum(`digit`) AS `digit`, count(*) AS `parts`\nFROM `group-parts of it RUN`\n\
             GROUP BY `hi`, `lo`, `place`"
        );
        let within = vec![
            Prefix { series: 0, bits: -7 },
            Prefix {
                series: 2,
                bits: 16_368,
            },
        ];
        assert_eq!(
            query(&Shuffle::Histogram { round: 1, within }),
            "SELECT `series`, shiftright(`value`, 32) AS `bits`, count(*) AS `values`\nFROM `values of it RUN`\n\
             WHERE `series` = 0 AND shiftright(`value`, 48) = -7\nOR `series` = 2 AND shiftright(`value`, 48) = 16368\n\
             GROUP BY `series`, shiftright(`value`, 32)"
        );
    }

    #[test]
    fn joins() {
        assert_eq!(
            query(&Shuffle::Matches),
            "SELECT `k`.`id` AS `id`, CASE WHEN `p`.`hi` IS NULL THEN 0 ELSE 1 END AS `found`, \
             shiftright(`k`.`id`, 40) AS `shard`\nFROM `keys of it RUN` AS `k`\n\
             LEFT JOIN (SELECT DISTINCT `hi`, `lo` FROM `parents of it RUN`) AS `p`\n\
             ON `k`.`hi` = `p`.`hi` AND `k`.`lo` = `p`.`lo`"
        );
        let pairs = query(&Shuffle::Pairs);
        assert!(
            pairs
                .contains("ON `a`.`band` = `b`.`band` AND `a`.`value` = `b`.`value` AND `a`.`id` < `b`.`id`")
        );
    }

    #[test]
    fn no_purpose_can_become_syntax() {
        let purpose = "x`; DROP TABLE users; --\n'\"\\";
        for statement in Shuffle::Sums.statements(purpose, &["/work/in"], "/work/out") {
            // Without its quoted names and texts a statement is words, signs and spaces.
            let mut bare = String::new();
            let mut rest = statement.replace("``", "");
            while let Some(open) = rest.find(['`', '\'']) {
                let quote = rest.as_bytes()[open] as char;
                bare.push_str(&rest[..open]);
                let close = rest[open + 1..].find(quote).expect("it is closed");
                rest = rest[open + close + 2..].to_owned();
            }
            bare.push_str(&rest);
            assert!(
                !bare.contains("users") && !bare.contains(';') && !bare.contains("--"),
                "{statement}"
            );
        }
    }
}
