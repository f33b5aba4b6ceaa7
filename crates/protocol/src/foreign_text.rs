//! Text that others wrote, made fit to be shown: names, symbols, messages.
//!
//! Letters of every script stay, right-to-left ones, too. What steers how a text is laid out, what cannot be seen, and
//! floods of marks go; length is bounded. What is shown beside our own words cannot rearrange or hide them then.

mod table;

use table::{INVISIBLE, MARKS, RIGHT_TO_LEFT, is_in};

/// Longest name of a session, a wallet or an address, characters.
pub const LONGEST_NAME: usize = 60;
/// Longest symbol of a token, characters.
pub const LONGEST_SYMBOL: usize = 20;
/// Longest message of a service, a wallet or a contract, characters.
pub const LONGEST_MESSAGE: usize = 1_000;
/// No living script puts more marks on one letter.
const MOST_MARKS: usize = 4;

/// A name that people see; `None` when nothing of it can be seen.
pub fn name(text: &str) -> Option<String> {
    Some(cleaned(text, LONGEST_NAME)).filter(|name| !name.is_empty())
}

/// What a service, a wallet or a contract says, in one paragraph; `…` where it was cut.
pub fn message(text: &str) -> String {
    let mut message = cleaned(text, LONGEST_MESSAGE + 1);
    if let Some((end, _)) = message.char_indices().nth(LONGEST_MESSAGE) {
        message.truncate(end);
        message.push('…');
    }
    message
}

/// At most `longest` characters of the text, without what cannot be seen or would move other text. All white space is a
/// space, and there is none at the ends. Joiners go, too: what they join is still read.
pub fn cleaned(text: &str, longest: usize) -> String {
    let mut clean = String::with_capacity(text.len().min(longest * 4));
    let (mut length, mut marks, mut is_spaced) = (0, 0, false);
    for character in text.chars() {
        if character.is_whitespace() {
            is_spaced = length > 0;
            continue;
        }
        if character.is_control() || is_in(character, INVISIBLE) {
            continue;
        }
        let is_mark = is_in(character, MARKS);
        // A mark with no letter before it would sit on what stands before the text.
        if is_mark && (length == 0 || is_spaced || marks == MOST_MARKS) {
            continue;
        }
        if length + usize::from(is_spaced) >= longest {
            break;
        }
        if is_spaced {
            clean.push(' ');
            length += 1;
            is_spaced = false;
        }
        clean.push(character);
        length += 1;
        marks = if is_mark { marks + 1 } else { 0 };
    }
    clean
}

/// The text so that its right-to-left letters move nothing around it, for places where no element (`<bdi>`) can say so.
pub fn isolated(text: &str) -> String {
    match text.chars().any(|character| is_in(character, RIGHT_TO_LEFT)) {
        true => ["\u{2068}", text, "\u{2069}"].concat(),
        false => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// One of each kind that hides, steers or breaks.
    const UNWANTED: &[char] = &[
        '\0',
        '\u{7}',
        '\u{7f}',
        '\u{9f}',
        '\u{ad}',
        '\u{34f}',
        '\u{61c}',
        '\u{115f}',
        '\u{1160}',
        '\u{17b4}',
        '\u{180b}',
        '\u{180e}',
        '\u{200b}',
        '\u{200c}',
        '\u{200d}',
        '\u{200e}',
        '\u{200f}',
        '\u{202a}',
        '\u{202d}',
        '\u{202e}',
        '\u{2060}',
        '\u{2064}',
        '\u{2066}',
        '\u{2069}',
        '\u{206f}',
        '\u{2800}',
        '\u{3164}',
        '\u{fe00}',
        '\u{fe0f}',
        '\u{feff}',
        '\u{ffa0}',
        '\u{fff9}',
        '\u{fffc}',
        '\u{ffff}',
        '\u{e000}',
        '\u{1d159}',
        '\u{1d173}',
        '\u{e0001}',
        '\u{e0041}',
        '\u{e007f}',
        '\u{e0100}',
        '\u{f0000}',
        '\u{10ffff}',
    ];

    #[test]
    fn what_hides_or_steers_goes_and_what_shows_nothing_is_none() {
        for unwanted in UNWANTED {
            let point = u32::from(*unwanted);
            assert_eq!(name(&format!("pay{unwanted}ment")).as_deref(), Some("payment"), "U+{point:04X}");
            assert_eq!(name(&unwanted.to_string().repeat(9)), None, "U+{point:04X}");
        }
        for nothing in ["", " ", "\u{a0}\u{3000}\u{2028}\u{2029}\t\r\n", "\u{301}\u{301}", "\u{202e}\u{200b} \u{fe0f}"]
        {
            assert_eq!(name(nothing), None, "{nothing:?}");
        }
        // An RLO turns "cod.exe" into "exe.doc" to the eye.
        assert_eq!(name("invoice \u{202e}cod.exe").as_deref(), Some("invoice cod.exe"));
    }

    #[test]
    fn honest_names_in_every_script_stay_as_they_are() {
        for honest in [
            "Demo NFT mint",
            "Grüße, Zoë & Søren – №5",
            "Cafe\u{301} Việt Nam",
            "Vie\u{302}\u{323}t",
            "שָׁלוֹם עולם",
            "مَرْحَبًا ١٢٣",
            "สวัสดีครับ ที่นี่",
            "नमस्ते",
            "日本語 テスト ｶﾞ",
            "USD₮0 🎁",
        ] {
            assert_eq!(name(honest).as_deref(), Some(honest));
        }
    }

    #[test]
    fn floods_are_bounded() {
        assert_eq!(cleaned(&"x".repeat(100_000), 60), "x".repeat(60));
        let flood = ["Z", &"\u{336}\u{489}".repeat(500), "algo"].concat();
        assert_eq!(name(&flood), Some("Z\u{336}\u{489}\u{336}\u{489}algo".to_owned()));
        assert_eq!(name("\u{338}struck"), Some("struck".to_owned()), "no mark on what stands before it");
        assert_eq!(name("a \u{338}b"), Some("a b".to_owned()));
        let long = message(&"no ".repeat(1_000));
        assert!(long.ends_with('…') && long.chars().count() == LONGEST_MESSAGE + 1);
        assert_eq!(message("execution reverted:\n  not\tyours"), "execution reverted: not yours");
    }

    #[test]
    fn right_to_left_letters_are_fenced_and_others_left_alone() {
        assert_eq!(isolated("Alice ₮0"), "Alice ₮0");
        for letters in ["שלום", "مرحبا 10", "\u{1e900}"] {
            assert_eq!(isolated(letters), ["\u{2068}", letters, "\u{2069}"].concat());
        }
    }

    proptest! {
        #[test]
        fn whatever_comes_what_is_shown_is_clean(text in any::<String>(), longest in 0..80_usize) {
            let mixed: String = text.chars().zip(UNWANTED.iter().cycle()).flat_map(|(c, bad)| [c, *bad]).collect();
            let clean = cleaned(&mixed, longest);
            prop_assert!(clean.chars().count() <= longest);
            prop_assert!(!clean.chars().any(|c| c.is_control() || UNWANTED.contains(&c)), "{:?}", clean);
            prop_assert_eq!(clean.trim(), &clean);
            prop_assert!(!clean.contains("  "));
            prop_assert_eq!(cleaned(&clean, longest), clean);
        }
    }
}
