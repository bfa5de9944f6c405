//! Words that are cut in a way of their own: contractions, abbreviations, emoticons.
//!
//! The list is that of spaCy 3.8 for English (MIT), written as rules.

use std::collections::HashMap;

/// Each special word with its pieces.
pub(super) fn specials() -> HashMap<String, Vec<String>> {
    let mut list = List::default();
    contractions(&mut list);
    for word in WHOLE.split_whitespace() {
        list.add(&[word]);
    }
    for words in CUT.split_whitespace() {
        list.add(&words.split('|').collect::<Vec<_>>());
    }
    for hour in 1..=12 {
        for half in ["a.m.", "am", "p.m.", "pm"] {
            list.add(&[&hour.to_string(), half]);
        }
    }
    for letter in ('a'..='z').chain(['\u{e4}', '\u{f6}', '\u{fc}']) {
        list.add(&[&format!("{letter}.")]);
    }
    for scale in "cfkCFK".chars() {
        list.add(&["\u{b0}", &scale.to_string(), "."]);
    }
    for word in ORDINARY.split_whitespace() {
        list.0.remove(word);
    }
    // Each apostrophe may be typographic.
    let curly: Vec<(String, Vec<String>)> = list
        .0
        .iter()
        .filter(|(word, _)| word.contains('\''))
        .map(|(word, pieces)| {
            let curl = |text: &String| text.replace('\'', "\u{2019}");
            (curl(word), pieces.iter().map(curl).collect())
        })
        .collect();
    list.0.extend(curly);
    list.0
}

#[derive(Default)]
struct List(HashMap<String, Vec<String>>);

impl List {
    fn add(&mut self, pieces: &[&str]) {
        let pieces: Vec<String> = pieces.iter().map(|&piece| piece.to_owned()).collect();
        self.0.insert(pieces.concat(), pieces);
    }

    /// A word and its endings, with and without apostrophes, in lower and in title case.
    fn endings(&mut self, words: &str, endings: &[&[&str]]) {
        for word in words.split_whitespace() {
            let mut title = word.to_owned();
            title[..1].make_ascii_uppercase();
            for stem in [word, &title] {
                for ending in endings {
                    let mut pieces = vec![stem];
                    pieces.extend_from_slice(ending);
                    self.add(&pieces);
                    let bare: Vec<String> = pieces.iter().map(|piece| piece.replace('\'', "")).collect();
                    self.add(&bare.iter().map(String::as_str).collect::<Vec<_>>());
                }
            }
        }
    }
}

fn contractions(list: &mut List) {
    let will_would: [&[&str]; 4] = [&["'ll"], &["'ll", "'ve"], &["'d"], &["'d", "'ve"]];
    list.endings("i", &[&["'m"], &["'m", "a"]]);
    list.endings("i you he she it we they", &will_would);
    list.endings("i you we they", &[&["'ve"]]);
    list.endings("you we they", &[&["'re"]]);
    list.endings("he she it", &[&["'s"]]);
    let asking = "who what when where why how there";
    list.endings(asking, &[&["'s"], &["'re"], &["'ve"]]);
    list.endings("that this", &[&["'s"]]);
    list.endings("these those", &[&["'re"], &["'ve"]]);
    list.endings(asking, &will_would);
    list.endings("that this these those", &will_would);
    list.endings(
        "ca could do does did had may might must need ought sha should wo would",
        &[&["n't"], &["n't", "'ve"]],
    );
    list.endings("could might must should would", &[&["'ve"]]);
    list.endings("ai are is was were have has dare", &[&["n't"]]);
}

/// Words that a rule above would cut and that are words.
const ORDINARY: &str = "Ill ill Its its Hell hell Shell shell Shed shed were Were Well well Whore whore";

const CUT: &str = "y'|all y|all how|'d|'y How|'d|'y not|'ve not|ve Not|'ve Not|ve can|not Can|not gon|na Gon|na \
    got|ta Got|ta let|'s Let|'s c'm|on C'm|on";

const WHOLE: &str = r#"
    doin doin' Doin Doin' goin goin' Goin Goin' nothin nothin' Nothin Nothin' nuthin nuthin' Nuthin Nuthin'
    ol ol' Ol Ol' somethin somethin' Somethin Somethin' lovin lovin' Lovin Lovin' havin havin' Havin Havin'
    em 'em ll 'll nuff 'nuff 'S 's ‘S ‘s and/or w/o 're 'Cause 'cause 'cos 'Cos 'coz 'Coz 'cuz 'Cuz 'bout
    ma'am Ma'am o'clock O'clock 'd
    Mt. Ak. Ala. Apr. Ariz. Ark. Aug. Calif. Colo. Conn. Dec. Del. Feb. Fla. Ga. Ia. Id. Ill. Ind. Jan. Jul. Jun.
    Kan. Kans. Ky. La. Mar. Mass. Mich. Minn. Miss. N.C. N.D. N.H. N.J. N.M. N.Y. Neb. Nebr. Nev. Nov. Oct. Okla.
    Ore. Pa. S.C. Sep. Sept. Tenn. Va. Wash. Wis. a.m. Adm. Bros. co. Co. Corp. D.C. Dr. e.g. E.g. E.G. Gen. Gov.
    i.e. I.e. I.E. Inc. Jr. Ltd. Md. Messrs. Mo. Mont. Mr. Mrs. Ms. p.m. Ph.D. Prof. Rep. Rev. Sen. St. vs. v.s.
    — \t \n ' \") <space> '' C++
    :) :-) :)) :-)) :))) :-))) (: (-: =) (= :] :-] [: [-: [= =] :o) (o: :} :-} 8) 8-) (-8 ;) ;-) (; (-;
    :( :-( :(( :-(( :((( :-((( ): )-: =( >:( :') :'-) :'( :'-( :/ :-/ =/ =| :| :-| ]= =[ :1 :P :-P :p :-p :O :-O
    :o :-o :0 :-0 :() >:o :* :-* :3 :-3 =3 :> :-> :X :-X :x :-x :D :-D ;D ;-D =D xD XD xDD XDD 8D 8-D
    ^_^ ^__^ ^___^ >.< >.> <.< ._. ;_; -_- -__- v.v V.V v_v V_V o_o o_O O_o O_O 0_o o_0 0_0 o.O O.o O.O o.o 0.0 o.0
    0.o @_@ <3 <33 <333 </3 (^_^) (-_-) (._.) (>_<) (*_*) (¬_¬) ಠ_ಠ ಠ︵ಠ (ಠ_ಠ) ¯\(ツ)/¯ (╯°□°）╯︵┻━┻ ><(((*>
"#;
