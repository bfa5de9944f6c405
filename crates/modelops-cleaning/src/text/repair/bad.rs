//! Sequences of characters that nobody writes and that a wrong decoder makes.
//!
//! The classes of characters and the pairs that are unlikely are facts of ftfy 6.3 (Apache-2.0, copyright Robyn Speer), written here as
//! sets of bits.

use std::sync::LazyLock;

type Class = u16;

const COMMON: Class = 1;
const BAD: Class = 1 << 1;
const LAW: Class = 1 << 2;
const CURRENCY: Class = 1 << 3;
const START: Class = 1 << 4;
const END: Class = 1 << 5;
const NUMERIC: Class = 1 << 6;
const FACES: Class = 1 << 7;
const UPPER: Class = 1 << 8;
const LOWER: Class = 1 << 9;
const UPPER_COMMON: Class = 1 << 10;
const LOWER_COMMON: Class = 1 << 11;
const BOX: Class = 1 << 12;
const C1: Class = 1 << 13;

/// The members of each class that are not ASCII.
const CLASSES: [(Class, &str); 13] = [
    (COMMON, "\u{a0}\u{ad}´·–—―’…"),
    (BAD, "¤¦¨ª¬¯¸ºƒˆˇ˘˛˜†‡‰⌐◊\u{fffd}"),
    (LAW, "§¶"),
    (CURRENCY, "¢£¥₧€"),
    (START, "¡©«¿΄΅‘‚“„•‹\u{f8ff}"),
    (END, "®»˝”›™"),
    (NUMERIC, "±²³µ¹¼½¾×÷⁄№∂∆∏∑√∞∩∫≈≠≡≤≥"),
    (FACES, "°ÒÓÔÕÖÙÚÛÜòóôõöøùúûüŌŐŪŲ"),
    (
        UPPER,
        "ÀÁÂÃÄÅÆÇÈÉÊËÌÍÎÏÐÑØÜÝĀĂĄĆČĎĐĒĖĘĚĞĢĪİĶĹĻĽŁŃŅŇŒŘŚŞŠŢŤŮŰŸŹŻŽҐ",
    ),
    (LOWER, "ßàáâãäåæçèéêëìíîïðñüāăąćčďđēėęěğģīįķĺļľłœŕśşšťźżžґﬁﬂ"),
    (
        UPPER_COMMON,
        "ÞΆΈΉΊΌΎΏΑΒΓΔΕΖΗΘΙΚΛΜΝΞΟΠΡΣΤΥΦΧΨΩΪΫЁЂЃЄЅІЇЈЉЊЋЌЍЎЏАБВГДЕЖЗИЙКЛМНОПРСТУФХЦЧШЩЪЫЬЭЮЯ",
    ),
    (
        LOWER_COMMON,
        "άέήίΰαβγδεζηθικλμνξοπρςστυφχψωабвгдежзийклмнопрстуфхцчшщъыьэюяѐёђѓєѕіїјљњћќѝўџ",
    ),
    (BOX, "│┌┐┘├┤┬┼═║╒╓╔╕╖╗╘╙╚╛╜╝╞╟╠╡╢╣╤╥╦╧╨╩╪╫╬▀▄█▌▐░▒▓"),
];

/// The classes of the first 2¹⁶ characters; those beyond are in none.
static CLASS: LazyLock<Vec<Class>> = LazyLock::new(|| {
    let mut classes = vec![0; 1 << 16];
    for (class, members) in CLASSES {
        for member in members.chars() {
            classes[member as usize] |= class;
        }
    }
    classes[0x80..0xa0].fill(C1);
    classes
});

/// Pairs of neighbours that are unlikely.
const PAIRS: [(Class, Class); 10] = [
    (
        BAD | LOWER | UPPER | BOX | START | END | CURRENCY | NUMERIC | LAW,
        BAD,
    ),
    (BAD, LOWER | UPPER | BOX | START | END | CURRENCY | NUMERIC | LAW),
    (LOWER | LOWER_COMMON | BOX | END | CURRENCY | NUMERIC, UPPER),
    (BOX | END | CURRENCY | NUMERIC, LOWER),
    (LOWER | BOX | END, CURRENCY),
    (UPPER | BOX, NUMERIC | LAW),
    (CURRENCY | NUMERIC | BOX, START),
    (BOX, FACES),
    (LOWER | UPPER | CURRENCY | NUMERIC | START | END | LAW, BOX),
    (BOX, END),
];

/// Whether some sequence in the text is unlikely.
pub(super) fn is_bad(text: &str) -> bool {
    if text.is_ascii() {
        return false;
    }
    let table = &**CLASS;
    let letters: Vec<char> = text.chars().collect();
    let class = |&c: &char| table.get(c as usize).copied().unwrap_or(0);
    let classes: Vec<Class> = letters.iter().map(class).collect();
    // Every rule names a character that is not ASCII, at most three after the first.
    let mut ascii = 0;
    (0..letters.len()).rev().any(|at| {
        ascii = if letters[at].is_ascii() { ascii + 1 } else { 0 };
        ascii < 4 && is_bad_at(&letters, &classes, at)
    })
}

fn is_bad_at(letters: &[char], classes: &[Class], at: usize) -> bool {
    let letter = |ahead: usize| letters.get(at + ahead).copied().unwrap_or('\0');
    let of = |ahead: usize, wanted: Class| classes.get(at + ahead).is_some_and(|class| class & wanted != 0);
    let [a, b, c] = [0, 1, 2].map(letter);
    let latin = |c: char| c.is_ascii_alphabetic();
    let word = |c: char| c.is_alphanumeric() || c == '_';
    if of(0, C1) || PAIRS.iter().any(|&(first, second)| of(0, first) && of(1, second)) {
        return true;
    }
    let ends = |c: char| ".,?!".contains(c);
    let triple = (latin(a) && of(1, LOWER_COMMON | UPPER_COMMON) && of(2, BAD))
        || (a.is_whitespace() && of(1, UPPER) && of(2, CURRENCY))
        || (of(0, LOWER | UPPER | BOX | CURRENCY | END) && of(1, START) && of(2, NUMERIC))
        || (of(0, LOWER | UPPER | CURRENCY | NUMERIC | BOX | LAW) && of(1, END) && of(2, START))
        || (a.is_ascii_lowercase() && of(1, UPPER) && of(2, START | CURRENCY))
        || (of(0, LOWER | UPPER) && of(1, START | END) && word(c))
        || ((a.is_ascii_lowercase() || ends(a) || of(0, END))
            && b == 'Â'
            && (c == ' ' || of(2, START | END)));
    if triple {
        return true;
    }
    let hat = |c: char| matches!(c, 'Ã' | 'Â');
    // An accented capital before a blank, at the start or after a small letter.
    if (at == 0 && hat(a) && b == ' ')
        || (a.is_ascii_lowercase() && hat(b) && c == ' ')
        || (a.is_ascii_lowercase() && b.is_whitespace() && hat(c) && letter(3) == ' ')
    {
        return true;
    }
    let there = at + 1 < letters.len();
    match a {
        'Œ' | 'œ' if there && !latin(b) => true,
        _ if of(0, UPPER) && b == '°' => true,
        'Â' | 'Ã' | 'Î' | 'Ð'
            if "€œŠš¢£Ÿž\u{a0}\u{ad}®©°·»–—´".contains(b) || of(1, START | END) || (a == 'Ã' && b == '¡') =>
        {
            true
        }
        '×' => matches!(b, '²' | '³'),
        'Ø' | 'Ù' => {
            let second = |ahead: usize| {
                of(ahead, COMMON | CURRENCY | BAD | NUMERIC | START) || "ŸŠ®°µ»".contains(letter(ahead))
            };
            second(1) && matches!(c, 'Ø' | 'Ù') && second(3)
        }
        'à' => "²µ¹¼½¾".contains(b),
        '√' => "±∂†≠®™´≤≥¥µø".contains(b),
        '≈' => "°¢".contains(b),
        '‚' => (b == 'Ä' && "ìîïòôúùû†°¢π".contains(c)) || ("âó".contains(b) && "àä°ê".contains(c)),
        'в' if b == 'Ђ' => true,
        'ā' => b == '€',
        'β' => b == '€' && "™\u{a0}Ά\u{ad}®°".contains(c),
        'Г' if letters[at..].starts_with(&['Г', 'ў', 'В', 'Ђ', 'В'])
            && (latin(letter(6)) || letter(6) == ' ') =>
        {
            true
        }
        'В' | 'Г' | 'Р' | 'С' => {
            (of(1, C1 | BAD | START | END | CURRENCY) || "°µ".contains(b)) && "ВГРС".contains(c)
        }
        'Β' | 'Γ' | 'Ξ' | 'Ο' => {
            (of(1, C1 | BAD | START | END | CURRENCY) || b == '°') && "ΒΓΞΟ".contains(c)
        }
        _ => false,
    }
}
