//! Which hook somebody meant who wrote its name otherwise.

use crate::demos::{DEMOS, Demo};

/// The hook whose name, here or in React, is nearest to `wanted`.
pub(super) fn nearest(wanted: &str) -> Option<&'static Demo> {
    let plain =
        |name: &str| name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).take(80).collect();
    let wanted: Vec<char> = plain(wanted);
    let far = |name: &str| if name.is_empty() { usize::MAX } else { distance(&wanted, &plain(name)) };
    DEMOS.iter().min_by_key(|demo| far(demo.hook).min(far(demo.react)))
}

/// Levenshtein's distance: insertions, deletions and replacements.
fn distance(a: &[char], b: &[char]) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, left) in a.iter().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, right) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(left != right);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances() {
        let between = |a: &str, b: &str| distance(&a.chars().collect::<Vec<_>>(), &b.chars().collect::<Vec<_>>());
        assert_eq!(between("kitten", "sitting"), 3);
        assert_eq!(between("", "abc"), 3);
        assert_eq!(between("abc", "abc"), 0);
    }

    #[test]
    fn react_names_and_slips_lead_to_the_hook() {
        let found = |wanted| nearest(wanted).map(|demo| demo.hook);
        assert_eq!(found("useSession"), Some("use_session"));
        assert_eq!(found("use-create-sesion"), Some("use_create_session"));
        assert_eq!(found("UseUserOpWait"), Some("use_user_op_wait"));
    }
}
