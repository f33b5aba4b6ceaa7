//! From the rows that are in the document to those that should be, in steps that move no row which stays.
//!
//! The keyed list of the framework moves rows in the document when others are added before them and taken out in the same
//! change. A moved element loses the focus, and has to be laid out again.

/// The next list on the way from `now` to `wanted`; equal to `wanted` at the end. Both are in the same order.
///
/// First what is no longer wanted goes, then what comes behind the last row is added, then one row at a time what comes
/// before or between.
pub fn next(now: &[String], wanted: &[String]) -> Vec<String> {
    let kept = now.iter().filter(|id| wanted.contains(id)).cloned().collect::<Vec<_>>();
    // In another order there is nothing to keep in its place.
    let is_ordered = wanted.iter().filter(|id| kept.contains(id)).eq(&kept);
    let Some(last) = kept.last().filter(|_| is_ordered) else { return wanted.to_vec() };
    if kept.len() < now.len() {
        return kept;
    }
    let behind = wanted.iter().rev().take_while(|id| *id != last).count();
    if behind > 0 {
        let tail = wanted.iter().skip(wanted.len() - behind).cloned();
        return kept.into_iter().chain(tail).collect();
    }
    // From behind, so that each comes directly before one that is there.
    let mut next = kept;
    let pairs = || next.iter().rev().zip(wanted.iter().rev());
    let same = pairs().take_while(|(there, id)| there == id).count();
    if let Some(missing) = wanted.len().checked_sub(same + 1).and_then(|at| wanted.get(at)) {
        next.insert(next.len() - same, missing.clone());
    }
    next
}

#[cfg(test)]
mod tests {
    use super::next;

    fn ids(numbers: impl IntoIterator<Item = u32>) -> Vec<String> {
        numbers.into_iter().map(|number| number.to_string()).collect()
    }

    /// All lists on the way.
    fn way(from: &[String], to: &[String]) -> Vec<Vec<String>> {
        let mut lists = vec![from.to_vec()];
        while lists.last().is_some_and(|last| last != to) {
            assert!(lists.len() < 60, "it ends");
            let step = next(lists.last().map_or(&[], Vec::as_slice), to);
            lists.push(step);
        }
        lists
    }

    /// What the framework's list needs to leave rows where they are: nothing is added where something goes, and rows are
    /// added behind all others, or one at a time.
    fn is_gentle(from: &[String], to: &[String]) -> bool {
        let gone = from.iter().filter(|id| !to.contains(id)).count();
        let come = to.len() + gone - from.len();
        gone == 0 && (come == 1 || to.starts_with(from)) || come == 0 || gone == from.len()
    }

    #[test]
    fn rows_that_stay_are_never_moved() {
        let near = ids(100..116);
        for to in [
            ids(105..121),
            ids(95..111),
            ids(5_000..5_016),
            ids([107, 108, 109].into_iter().chain(5_000..5_016)),
            ids((20..36).chain([107, 108, 109])),
            ids((103..106).chain(110..130)),
            ids([]),
            near.clone(),
        ] {
            for (from, to) in [(&near, &to), (&to, &near)] {
                for step in way(from, to).windows(2) {
                    assert!(is_gentle(&step[0], &step[1]), "{step:?}");
                }
            }
        }
    }

    #[test]
    fn another_order_is_taken_at_once() {
        assert_eq!(next(&ids([1, 2, 3]), &ids([3, 2, 1])), ids([3, 2, 1]));
        assert_eq!(next(&ids([]), &ids([3, 2])), ids([3, 2]));
    }
}
