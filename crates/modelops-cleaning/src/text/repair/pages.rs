//! Single-byte encodings that UTF-8 is mistaken for.

use std::collections::HashMap;
use std::sync::LazyLock;

/// A single-byte encoding. A byte that an encoding of Windows leaves out stands for the control character of the same number, as in
/// browsers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CodePage {
    /// ISO 8859-1.
    Latin1,
    /// Western European.
    Windows1252,
    /// Cyrillic.
    Windows1251,
    /// Central European.
    Windows1250,
    /// Greek.
    Windows1253,
    /// Turkish.
    Windows1254,
    /// Baltic.
    Windows1257,
    /// ISO 8859-2.
    Latin2,
    /// Western European, of the Macintosh before 2001.
    MacRoman,
    /// Of the first personal computers.
    Cp437,
}

/// In the order in which they are tried.
pub(super) const PAGES: [CodePage; 10] = [
    CodePage::Latin1,
    CodePage::Windows1252,
    CodePage::Windows1251,
    CodePage::Windows1250,
    CodePage::Windows1253,
    CodePage::Windows1254,
    CodePage::Windows1257,
    CodePage::Latin2,
    CodePage::MacRoman,
    CodePage::Cp437,
];

/// What stands for a byte whose meaning was lost.
pub(super) const LOST: u8 = 0x1a;

static CHARACTERS: LazyLock<[Vec<char>; 10]> =
    LazyLock::new(|| PAGES.map(|page| page.upper_half().collect()));

static BYTES: LazyLock<[HashMap<char, u8>; 10]> =
    LazyLock::new(|| PAGES.map(|page| page.upper_half().zip(0x80..=0xff).collect()));

impl CodePage {
    /// The characters of bytes 128 to 255.
    fn upper_half(self) -> Box<dyn Iterator<Item = char>> {
        let characters = match self {
            Self::Latin1 => return Box::new('\u{80}'..='\u{ff}'),
            Self::Windows1252 => {
                "€\u{81}‚ƒ„…†‡ˆ‰Š‹Œ\u{8d}Ž\u{8f}\u{90}‘’“”•–—˜™š›œ\u{9d}žŸ\u{a0}¡¢£¤¥¦§¨©ª«¬\u{ad}®¯°±²³´µ¶·¸¹º»¼\
        ½¾¿ÀÁÂÃÄÅÆÇÈÉÊËÌÍÎÏÐÑÒÓÔÕÖ×ØÙÚÛÜÝÞßàáâãäåæçèéêëìíîïðñòóôõö÷øùúûüýþÿ"
            }
            Self::Windows1251 => {
                "ЂЃ‚ѓ„…†‡€‰Љ‹ЊЌЋЏђ‘’“”•–—\u{98}™љ›њќћџ\u{a0}ЎўЈ¤Ґ¦§Ё©Є«¬\u{ad}®Ї°±Ііґµ¶·ё№є»јЅѕїАБВГДЕЖЗИЙКЛМНОПР\
        СТУФХЦЧШЩЪЫЬЭЮЯабвгдежзийклмнопрстуфхцчшщъыьэюя"
            }
            Self::Windows1250 => {
                "€\u{81}‚\u{83}„…†‡\u{88}‰Š‹ŚŤŽŹ\u{90}‘’“”•–—\u{98}™š›śťžź\u{a0}ˇ˘Ł¤Ą¦§¨©Ş«¬\u{ad}®Ż°±˛ł´µ¶·¸ąş»Ľ\
        ˝ľżŔÁÂĂÄĹĆÇČÉĘËĚÍÎĎĐŃŇÓÔŐÖ×ŘŮÚŰÜÝŢßŕáâăäĺćçčéęëěíîďđńňóôőö÷řůúűüýţ˙"
            }
            Self::Windows1253 => {
                "€\u{81}‚ƒ„…†‡\u{88}‰\u{8a}‹\u{8c}\u{8d}\u{8e}\u{8f}\u{90}‘’“”•–—\u{98}™\u{9a}›\u{9c}\u{9d}\u{9e}\
        \u{9f}\u{a0}΅Ά£¤¥¦§¨©ª«¬\u{ad}®―°±²³΄µ¶·ΈΉΊ»Ό½ΎΏΐΑΒΓΔΕΖΗΘΙΚΛΜΝΞΟΠΡÒΣΤΥΦΧΨΩΪΫάέήίΰαβγδεζηθικλμνξο\
        πρςστυφχψωϊϋόύώÿ"
            }
            Self::Windows1254 => {
                "€\u{81}‚ƒ„…†‡ˆ‰Š‹Œ\u{8d}\u{8e}\u{8f}\u{90}‘’“”•–—˜™š›œ\u{9d}\u{9e}Ÿ\u{a0}¡¢£¤¥¦§¨©ª«¬\u{ad}®¯°±²\
        ³´µ¶·¸¹º»¼½¾¿ÀÁÂÃÄÅÆÇÈÉÊËÌÍÎÏĞÑÒÓÔÕÖ×ØÙÚÛÜİŞßàáâãäåæçèéêëìíîïğñòóôõö÷øùúûüışÿ"
            }
            Self::Windows1257 => {
                "€\u{81}‚\u{83}„…†‡\u{88}‰\u{8a}‹\u{8c}¨ˇ¸\u{90}‘’“”•–—\u{98}™\u{9a}›\u{9c}¯˛\u{9f}\u{a0}¡¢£¤¥¦§Ø\
        ©Ŗ«¬\u{ad}®Æ°±²³´µ¶·ø¹ŗ»¼½¾æĄĮĀĆÄÅĘĒČÉŹĖĢĶĪĻŠŃŅÓŌÕÖ×ŲŁŚŪÜŻŽßąįāćäåęēčéźėģķīļšńņóōõö÷ųłśūüżž˙"
            }
            Self::Latin2 => {
                "\u{80}\u{81}\u{82}\u{83}\u{84}\u{85}\u{86}\u{87}\u{88}\u{89}\u{8a}\u{8b}\u{8c}\u{8d}\u{8e}\u{8f}\
        \u{90}\u{91}\u{92}\u{93}\u{94}\u{95}\u{96}\u{97}\u{98}\u{99}\u{9a}\u{9b}\u{9c}\u{9d}\u{9e}\u{9f}\
        \u{a0}Ą˘Ł¤ĽŚ§¨ŠŞŤŹ\u{ad}ŽŻ°ą˛ł´ľśˇ¸šşťź˝žżŔÁÂĂÄĹĆÇČÉĘËĚÍÎĎĐŃŇÓÔŐÖ×ŘŮÚŰÜÝŢßŕáâăäĺćçčéęëěíîďđńňóôő\
        ö÷řůúűüýţ˙"
            }
            Self::MacRoman => {
                "ÄÅÇÉÑÖÜáàâäãåçéèêëíìîïñóòôöõúùûü†°¢£§•¶ß®©™´¨≠ÆØ∞±≤≥¥µ∂∑∏π∫ªºΩæø¿¡¬√ƒ≈∆«»…\u{a0}ÀÃÕŒœ–—“”‘’÷◊ÿŸ⁄\
        €‹›ﬁﬂ‡·‚„‰ÂÊÁËÈÍÎÏÌÓÔ\u{f8ff}ÒÚÛÙıˆ˜¯˘˙˚¸˝˛ˇ"
            }
            Self::Cp437 => {
                "ÇüéâäàåçêëèïîìÄÅÉæÆôöòûùÿÖÜ¢£¥₧ƒáíóúñÑªº¿⌐¬½¼¡«»░▒▓│┤╡╢╖╕╣║╗╝╜╛┐└┴┬├─┼╞╟╚╔╩╦╠═╬╧╨╤╥╙╘╒╓╫╪┘┌█▄▌▐▀\
        αßΓπΣσµτΦΘΩδ∞φε∩≡±≥≤⌠⌡÷≈°∙·√ⁿ²■\u{a0}"
            }
        };
        Box::new(characters.chars())
    }

    /// Whether this is an encoding of Windows.
    pub(super) fn is_of_windows(self) -> bool {
        !matches!(self, Self::Latin1 | Self::Latin2 | Self::MacRoman | Self::Cp437)
    }

    /// The character of a byte.
    pub(super) fn decode(self, byte: u8) -> char {
        match byte {
            0..0x80 => char::from(byte),
            _ => CHARACTERS[self as usize][usize::from(byte - 0x80)],
        }
    }

    /// The bytes that this encoding gives a text; `None` where it cannot.
    pub(super) fn encode(self, text: &str) -> Option<Vec<u8>> {
        let bytes = &BYTES[self as usize];
        text.chars()
            .map(|c| match c {
                // Where a character was lost, a decoder for Windows has left a mark.
                '\u{fffd}' if self.is_of_windows() => Some(LOST),
                '\u{1a}' if self.is_of_windows() => None,
                '\0'..='\u{7f}' => Some(c as u8),
                _ => bytes.get(&c).copied(),
            })
            .collect()
    }
}
