//! Ranges of Unicode 16, by code point; each table is in order.

use std::cmp::Ordering;

type Ranges = &'static [(u32, u32)];

/// Is the character in one of the ranges?
pub(super) fn is_in(character: char, ranges: Ranges) -> bool {
    let point = u32::from(character);
    let place = |&(first, last): &(u32, u32)| match () {
        () if last < point => Ordering::Less,
        () if first > point => Ordering::Greater,
        () => Ordering::Equal,
    };
    ranges.binary_search_by(place).is_ok()
}

/// Default_Ignorable_Code_Point, other format characters, blanks that are no white space, private use and no characters
/// at all. Numbers' signs of Arabic (U+0600 to 0605), which can be seen, are not among them.
pub(super) const INVISIBLE: Ranges = &[
    (0xad, 0xad),         // soft hyphen
    (0x34f, 0x34f),       // combining grapheme joiner
    (0x61c, 0x61c),       // Arabic letter mark
    (0x115f, 0x1160),     // Hangul fillers
    (0x17b4, 0x17b5),     // Khmer inherent vowels
    (0x180b, 0x180f),     // Mongolian variation selectors, vowel separator
    (0x200b, 0x200f),     // zero width space, joiners, direction marks
    (0x202a, 0x202e),     // embeddings and overrides
    (0x2060, 0x206f),     // word joiner, invisible operators, isolates
    (0x2800, 0x2800),     // blank braille pattern
    (0x3164, 0x3164),     // Hangul filler
    (0xe000, 0xf8ff),     // private use
    (0xfdd0, 0xfdef),     // no characters
    (0xfe00, 0xfe0f),     // variation selectors
    (0xfeff, 0xfeff),     // byte order mark
    (0xffa0, 0xffa0),     // halfwidth Hangul filler
    (0xfff0, 0xfffc),     // annotations, object replacement
    (0xfffe, 0xffff),     // no characters
    (0x13430, 0x1345f),   // hieroglyph format controls, blanks
    (0x16fe4, 0x16fe4),   // Khitan filler
    (0x1bca0, 0x1bca3),   // shorthand format controls
    (0x1d159, 0x1d159),   // null notehead
    (0x1d173, 0x1d17a),   // musical format controls
    (0x1fffe, 0x1ffff),   // no characters
    (0x2fffe, 0x2ffff),   // no characters
    (0x3fffe, 0xdffff),   // nothing is assigned
    (0xe0000, 0xeffff),   // tags, variation selectors
    (0xf0000, 0x10_ffff), // private use
];

/// Marks that stand above, below or in a letter, in blocks whose marks can be piled up.
pub(super) const MARKS: Ranges = &[
    (0x300, 0x36f),
    (0x483, 0x489),
    (0x591, 0x5bd),
    (0x5bf, 0x5bf),
    (0x5c1, 0x5c2),
    (0x5c4, 0x5c5),
    (0x5c7, 0x5c7),
    (0x610, 0x61a),
    (0x64b, 0x65f),
    (0x670, 0x670),
    (0x6d6, 0x6dc),
    (0x6df, 0x6e4),
    (0x6e7, 0x6e8),
    (0x6ea, 0x6ed),
    (0x711, 0x711),
    (0x730, 0x74a),
    (0x7a6, 0x7b0),
    (0x7eb, 0x7f3),
    (0x816, 0x819),
    (0x81b, 0x823),
    (0x825, 0x827),
    (0x829, 0x82d),
    (0x859, 0x85b),
    (0x897, 0x89f),
    (0x8ca, 0x8e1),
    (0x8e3, 0x902),
    (0x93c, 0x93c),
    (0x941, 0x948),
    (0x94d, 0x94d),
    (0x951, 0x957),
    (0xe31, 0xe31),
    (0xe34, 0xe3a),
    (0xe47, 0xe4e),
    (0xeb1, 0xeb1),
    (0xeb4, 0xebc),
    (0xec8, 0xece),
    (0xf18, 0xf19),
    (0xf35, 0xf35),
    (0xf37, 0xf37),
    (0xf39, 0xf39),
    (0xf71, 0xf7e),
    (0xf80, 0xf84),
    (0xf86, 0xf87),
    (0xf8d, 0xfbc),
    (0x102d, 0x1030),
    (0x1032, 0x1037),
    (0x1039, 0x103a),
    (0x135d, 0x135f),
    (0x1a55, 0x1a7f),
    (0x1ab0, 0x1aff),
    (0x1cd0, 0x1cd2),
    (0x1cd4, 0x1ce0),
    (0x1ce2, 0x1ce8),
    (0x1dc0, 0x1dff),
    (0x20d0, 0x20ff),
    (0x2cef, 0x2cf1),
    (0x2de0, 0x2dff),
    (0x302a, 0x302d),
    (0x3099, 0x309a),
    (0xa66f, 0xa672),
    (0xa674, 0xa67d),
    (0xa69e, 0xa69f),
    (0xa8e0, 0xa8f1),
    (0xfb1e, 0xfb1e),
    (0xfe20, 0xfe2f),
    (0x101fd, 0x101fd),
    (0x10a01, 0x10a0f),
    (0x1d165, 0x1d169),
    (0x1d17b, 0x1d182),
    (0x1d185, 0x1d18b),
    (0x1d1aa, 0x1d1ad),
    (0x1e000, 0x1e02a),
    (0x1e8d0, 0x1e8d6),
    (0x1e944, 0x1e94a),
];

/// Blocks of the scripts that run from right to left.
pub(super) const RIGHT_TO_LEFT: Ranges =
    &[(0x590, 0x8ff), (0xfb1d, 0xfdff), (0xfe70, 0xfeff), (0x10800, 0x10fff), (0x1e800, 0x1efff)];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_in_order_and_a_mark_is_not_invisible() {
        for table in [INVISIBLE, MARKS, RIGHT_TO_LEFT] {
            assert!(table.iter().all(|(first, last)| first <= last));
            assert!(table.windows(2).all(|pair| pair[0].1 < pair[1].0), "{table:x?}");
        }
        let marks = MARKS.iter().flat_map(|(first, last)| *first..=*last).filter_map(char::from_u32);
        assert_eq!(marks.filter(|mark| is_in(*mark, INVISIBLE)).map(u32::from).collect::<Vec<_>>(), [0x34f]);
        let ascii = (' '..='~').filter(|c| is_in(*c, INVISIBLE) || is_in(*c, MARKS) || is_in(*c, RIGHT_TO_LEFT));
        assert_eq!(ascii.count(), 0);
    }
}
