//! Character references of HTML.

use std::collections::HashMap;
use std::sync::LazyLock;

use super::pages::CodePage;

/// The 252 names of HTML 4.
const NAMES: &str = "AElig=Æ Aacute=Á Acirc=Â Agrave=À Alpha=Α Aring=Å Atilde=Ã Auml=Ä Beta=Β Ccedil=Ç Chi=Χ Dagger=‡ Delta=Δ \
    ETH=Ð Eacute=É Ecirc=Ê Egrave=È Epsilon=Ε Eta=Η Euml=Ë Gamma=Γ Iacute=Í Icirc=Î Igrave=Ì Iota=Ι Iuml=Ï \
    Kappa=Κ Lambda=Λ Mu=Μ Ntilde=Ñ Nu=Ν OElig=Œ Oacute=Ó Ocirc=Ô Ograve=Ò Omega=Ω Omicron=Ο Oslash=Ø Otilde=Õ \
    Ouml=Ö Phi=Φ Pi=Π Prime=″ Psi=Ψ Rho=Ρ Scaron=Š Sigma=Σ THORN=Þ Tau=Τ Theta=Θ Uacute=Ú Ucirc=Û Ugrave=Ù \
    Upsilon=Υ Uuml=Ü Xi=Ξ Yacute=Ý Yuml=Ÿ Zeta=Ζ aacute=á acirc=â acute=´ aelig=æ agrave=à alefsym=ℵ alpha=α \
    amp=& and=∧ ang=∠ aring=å asymp=≈ atilde=ã auml=ä bdquo=„ beta=β brvbar=¦ bull=• cap=∩ ccedil=ç cedil=¸ \
    cent=¢ chi=χ circ=ˆ clubs=♣ cong=≅ copy=© crarr=↵ cup=∪ curren=¤ dArr=⇓ dagger=† darr=↓ deg=° delta=δ \
    diams=♦ divide=÷ eacute=é ecirc=ê egrave=è empty=∅ emsp=\u{2003} ensp=\u{2002} epsilon=ε equiv=≡ eta=η eth=ð \
    euml=ë euro=€ exist=∃ fnof=ƒ forall=∀ frac12=½ frac14=¼ frac34=¾ frasl=⁄ gamma=γ ge=≥ gt=> hArr=⇔ harr=↔ \
    hearts=♥ hellip=… iacute=í icirc=î iexcl=¡ igrave=ì image=ℑ infin=∞ int=∫ iota=ι iquest=¿ isin=∈ iuml=ï \
    kappa=κ lArr=⇐ lambda=λ lang=〈 laquo=« larr=← lceil=⌈ ldquo=“ le=≤ lfloor=⌊ lowast=∗ loz=◊ lrm=\u{200e} \
    lsaquo=‹ lsquo=‘ lt=< macr=¯ mdash=— micro=µ middot=· minus=− mu=μ nabla=∇ nbsp=\u{a0} ndash=– ne=≠ ni=∋ \
    not=¬ notin=∉ nsub=⊄ ntilde=ñ nu=ν oacute=ó ocirc=ô oelig=œ ograve=ò oline=‾ omega=ω omicron=ο oplus=⊕ or=∨ \
    ordf=ª ordm=º oslash=ø otilde=õ otimes=⊗ ouml=ö para=¶ part=∂ permil=‰ perp=⊥ phi=φ pi=π piv=ϖ plusmn=± \
    pound=£ prime=′ prod=∏ prop=∝ psi=ψ quot=\" rArr=⇒ radic=√ rang=〉 raquo=» rarr=→ rceil=⌉ rdquo=” real=ℜ \
    reg=® rfloor=⌋ rho=ρ rlm=\u{200f} rsaquo=› rsquo=’ sbquo=‚ scaron=š sdot=⋅ sect=§ shy=\u{ad} sigma=σ \
    sigmaf=ς sim=∼ spades=♠ sub=⊂ sube=⊆ sum=∑ sup=⊃ sup1=¹ sup2=² sup3=³ supe=⊇ szlig=ß tau=τ there4=∴ theta=θ \
    thetasym=ϑ thinsp=\u{2009} thorn=þ tilde=˜ times=× trade=™ uArr=⇑ uacute=ú uarr=↑ ucirc=û ugrave=ù uml=¨ \
    upsih=ϒ upsilon=υ uuml=ü weierp=℘ xi=ξ yacute=ý yen=¥ yuml=ÿ zeta=ζ zwj=\u{200d} zwnj=\u{200c}";

static ENTITIES: LazyLock<HashMap<String, String>> = LazyLock::new(|| {
    let pairs = || NAMES.split(' ').filter_map(|pair| pair.split_once('='));
    // Shouted, a name of small letters means the capital, unless the name in capitals means something else.
    let shouted = pairs().filter_map(|(name, text)| {
        let upper = name.to_uppercase();
        let free = name.to_lowercase() == name && pairs().all(|(known, _)| known != upper);
        free.then(|| (upper, text.to_uppercase()))
    });
    let plain = pairs().map(|(name, text)| (name.to_owned(), text.to_owned()));
    shouted.chain(plain).collect()
});

/// The longest name or number between `&` and `;`.
const LONGEST: usize = 25;

/// Puts characters in the place of references to them; what is no reference stays.
pub(super) fn unescape(text: &str) -> Option<String> {
    let mut rest = text;
    let mut out: Option<String> = None;
    let mut done = 0;
    while let Some(at) = rest.find('&') {
        let after = &rest[at + 1..];
        let end = after.bytes().take(LONGEST + 1).position(|byte| byte == b';');
        let known = end.and_then(|end| character(&after[..end]).map(|text| (end, text)));
        let begin = text.len() - after.len();
        if let Some((end, known)) = known {
            let out = out.get_or_insert_with(String::new);
            out.push_str(&text[done..begin - 1]);
            out.push_str(&known);
            done = begin + end + 1;
            rest = &text[done..];
        } else {
            rest = after;
        }
    }
    out.map(|mut out| {
        out.push_str(&text[done..]);
        out
    })
}

fn character(name: &str) -> Option<String> {
    let Some(number) = name.strip_prefix('#') else {
        return ENTITIES.get(name).cloned();
    };
    let (digits, radix) = match number.strip_prefix(['x', 'X']) {
        Some(digits) => (digits, 16),
        None => (number, 10),
    };
    if digits.is_empty() || !digits.chars().all(|c| c.is_digit(radix)) {
        return None;
    }
    let lost = char::REPLACEMENT_CHARACTER;
    let c = match u32::from_str_radix(digits, radix) {
        Ok(0) | Err(_) => lost,
        // Numbers that pages of Windows were written with.
        Ok(code @ 0x80..0xa0) => CodePage::Windows1252.decode(code as u8),
        Ok(code) => char::from_u32(code).unwrap_or(lost),
    };
    // Such characters are better left as they are written.
    (c != ';').then(|| c.to_string())
}
