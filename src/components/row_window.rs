//! [`RowWindow`]: of a long list in the page's flow only the rows near the screen are in the document, and the row that
//! has the focus with its neighbours, so that the keyboard goes on from there.

use std::ops::Range;

/// Lists up to this length are shown whole.
const WHOLE: usize = 40;
/// Rows are guessed to be this high until some were seen, px.
const GUESS: f64 = 132.0;
/// Shown beyond the screen's edges, px: what a fling of the wheel passes before the next frame.
const BEYOND: f64 = 600.0;

/// Which rows are shown, in one run or two, and the room that the others take, px.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Shown {
    /// The first run.
    pub first: Range<usize>,
    /// The second one; empty when there is one only.
    pub second: Range<usize>,
    /// Height of all rows before.
    pub above: f64,
    /// Height of all rows between the runs.
    pub between: f64,
    /// Height of all rows behind.
    pub below: f64,
}

impl Shown {
    /// The shown rows, in order.
    pub fn rows(&self) -> impl Iterator<Item = usize> + use<> {
        self.first.clone().chain(self.second.clone())
    }

    /// The room between the runs is before this row.
    pub fn is_behind_gap(&self, row: usize) -> bool {
        !self.second.is_empty() && row == self.second.start
    }
}

/// Heights of rows as far as they are known. Ten thousand of them are summed up in some ten microseconds, so nothing
/// cleverer is needed.
#[derive(Clone, Debug)]
pub struct RowWindow {
    heights: Vec<f64>,
    /// What a row that was not seen is taken for, px.
    guess: f64,
    /// Some rows of this list were seen: the others are guessed to be like them.
    is_measured: bool,
}

impl Default for RowWindow {
    fn default() -> Self {
        Self { heights: Vec::new(), guess: GUESS, is_measured: false }
    }
}

impl RowWindow {
    /// Forgets all heights: another list, or another width. Until rows are seen they are taken for what they were.
    pub fn reset(&mut self, rows: usize) {
        self.heights = vec![self.guess; rows];
        self.is_measured = false;
    }

    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.heights.len()
    }

    /// No row at all.
    pub fn is_empty(&self) -> bool {
        self.heights.is_empty()
    }

    /// The true heights of some rows; true when that is news. The first rows that are seen are taken as a measure for
    /// the others, so that the list keeps its length while it is scrolled.
    pub fn measured(&mut self, heights: &[(usize, f64)]) -> bool {
        let laid_out = || heights.iter().filter(|(_, height)| *height > 0.0);
        let (count, sum) = laid_out().fold((0.0, 0.0), |(count, sum), (_, height)| (count + 1.0, sum + height));
        let mut news = false;
        if !self.is_measured && count > 0.0 {
            self.guess = sum / count;
            self.heights.fill(self.guess);
            (self.is_measured, news) = (true, true);
        }
        for (row, height) in laid_out() {
            if let Some(known) = self.heights.get_mut(*row).filter(|known| (**known - height).abs() >= 1.0) {
                *known = *height;
                news = true;
            }
        }
        news
    }

    /// What to show when the screen begins `top` px below the list's top and is `height` px high, and row `focused`
    /// has the focus.
    pub fn shown(&self, top: f64, height: f64, focused: Option<usize>) -> Shown {
        self.shown_within(BEYOND, top, height, focused)
    }

    /// The same when the screen shows other rows than `before`: first only what is on the screen, so that no task makes
    /// all rows anew. Whoever gets less than [`Self::shown`] asks again in a task of its own.
    pub fn shown_after(&self, before: &Shown, top: f64, height: f64, focused: Option<usize>) -> Shown {
        let shown = self.shown(top, height, focused);
        // The focused row and its neighbours stay, wherever the screen is.
        let is_near = |row: &usize| focused.is_none_or(|focused| row.abs_diff(focused) > 1);
        let is_shown = |row: usize| shown.first.contains(&row) || shown.second.contains(&row);
        if before.rows().filter(is_near).any(is_shown) {
            return shown;
        }
        self.shown_within(0.0, top, height, focused)
    }

    fn shown_within(&self, beyond: f64, top: f64, height: f64, focused: Option<usize>) -> Shown {
        let count = self.heights.len();
        if count <= WHOLE {
            return Shown { first: 0..count, ..Shown::default() };
        }
        let near = self.near(beyond, top, height);
        let room = |rows: Range<usize>| self.heights.get(rows).unwrap_or_default().iter().sum::<f64>();
        let runs = |first: Range<usize>, second: Range<usize>| Shown {
            above: room(0..first.start),
            between: if second.is_empty() { 0.0 } else { room(first.end..second.start) },
            below: room(first.end.max(second.end)..count),
            first,
            second,
        };
        // With its neighbours: Tab and Shift+Tab find something to go to.
        match focused.filter(|row| *row < count).map(|row| row.saturating_sub(1)..(row + 2).min(count)) {
            Some(kept) if kept.end < near.start => runs(kept, near),
            Some(kept) if kept.start > near.end => runs(near, kept),
            Some(kept) => runs(near.start.min(kept.start)..near.end.max(kept.end), 0..0),
            None => runs(near, 0..0),
        }
    }

    /// The rows on the screen and `beyond` its edges, px.
    fn near(&self, beyond: f64, top: f64, height: f64) -> Range<usize> {
        let total = self.heights.iter().sum::<f64>();
        // Never empty: above or below the list its nearest end is ready.
        let first = (top - beyond).min(total - height - 2.0 * beyond).max(0.0);
        let last = (top + height + beyond).max(height + 2.0 * beyond);
        let (mut near, mut passed) = (0..0, 0.0);
        for (row, height) in self.heights.iter().enumerate() {
            if passed + height <= first {
                near.start = row + 1;
            }
            if passed < last {
                near.end = row + 1;
            }
            passed += height;
        }
        near
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(rows: usize) -> RowWindow {
        let mut window = RowWindow::default();
        window.reset(rows);
        window
    }

    fn all(heights: impl IntoIterator<Item = f64>) -> Vec<(usize, f64)> {
        heights.into_iter().enumerate().collect()
    }

    #[test]
    fn short_lists_are_whole() {
        assert_eq!(window(WHOLE).shown(9_999.0, 800.0, Some(3)), Shown { first: 0..WHOLE, ..Shown::default() });
        assert_eq!(window(0).shown(0.0, 800.0, None), Shown::default());
        assert!(window(0).is_empty() && window(3).len() == 3);
    }

    fn height_of(row: usize) -> f64 {
        if row.is_multiple_of(2) { 100.0 } else { 150.0 }
    }

    fn uneven() -> RowWindow {
        let mut window = window(10_000);
        window.measured(&all((0..10_000).map(height_of)));
        window
    }

    /// Length of the list as shown.
    fn length(shown: &Shown) -> f64 {
        shown.above + shown.between + shown.below + shown.rows().map(height_of).sum::<f64>()
    }

    #[test]
    fn long_lists_show_what_the_screen_shows_and_keep_their_length() {
        let (window, total) = (uneven(), 1_250_000.0);
        for top in [-5_000.0, -100.0, 0.0, 3_333.0, 600_000.0, 1_249_500.0, 9e9] {
            let shown = window.shown(top, 900.0, None);
            assert!((length(&shown) - total).abs() < 1e-6, "{top}: {shown:?}");
            assert!((5..40).contains(&shown.rows().count()) && shown.second.is_empty(), "{top}: {shown:?}");
            let (from, to) = (top.clamp(0.0, total - 900.0), (top + 900.0).clamp(900.0, total));
            assert!(shown.above <= from && total - shown.below >= to, "{top}: {shown:?}");
        }
        assert_eq!(window.shown(9e9, 900.0, None).first.end, 10_000);
        assert_eq!(window.shown(-9e9, 900.0, None).first.start, 0);
    }

    #[test]
    fn the_focused_row_stays_in_its_place_with_its_neighbours() {
        let (window, total) = (uneven(), 1_250_000.0);
        let before = window.shown(600_000.0, 900.0, Some(10));
        assert_eq!((before.first.clone(), before.above), (9..12, 1_100.0));
        assert!(before.is_behind_gap(before.second.start) && !before.is_behind_gap(9));
        let behind = window.shown(0.0, 900.0, Some(9_999));
        assert_eq!((behind.second.clone(), behind.below), (9_998..10_000, 0.0));
        let inside = window.shown(600_000.0, 900.0, Some(4_800));
        assert_eq!(inside, window.shown(600_000.0, 900.0, None));
        let edge = window.shown(600_000.0, 900.0, Some(inside.first.start - 1));
        assert_eq!((edge.first.start, edge.second.len()), (inside.first.start - 2, 0));
        assert_eq!(window.shown(0.0, 900.0, Some(10_000)).second, 0..0, "no such row any more");
        for shown in [before, behind, inside, edge] {
            assert!((length(&shown) - total).abs() < 1e-6, "{shown:?}");
        }
    }

    #[test]
    fn a_leap_shows_the_screen_first_and_then_what_is_near() {
        let window = uneven();
        let near = window.shown(0.0, 900.0, None);
        assert_eq!(window.shown_after(&near, 300.0, 900.0, None), window.shown(300.0, 900.0, None), "no leap");
        for focused in [None, Some(3), Some(9_000)] {
            let whole = window.shown(600_000.0, 900.0, focused);
            let first = window.shown_after(&near, 600_000.0, 900.0, focused);
            let [few, all] = [&first, &whole].map(|shown| shown.rows().count());
            assert!(few * 3 < all * 2, "{first:?} of {whole:?}");
            assert!(first.rows().all(|row| whole.rows().any(|other| other == row)));
            assert_eq!(window.shown_after(&first, 600_000.0, 900.0, focused), whole);
        }
    }

    #[test]
    fn the_first_rows_are_the_measure_for_the_others_and_only_news_counts() {
        let mut window = window(1_000);
        assert!(!window.measured(&all([0.0, 0.0])), "rows that are not laid out have no height");
        assert!(window.measured(&all([100.0, 200.0])));
        assert_eq!(window.shown(0.0, 900.0, None).above, 0.0);
        let total = |shown: Shown| shown.above + shown.below + shown.rows().count() as f64 * 150.0;
        assert!((total(window.shown(90_000.0, 900.0, None)) - 150_000.0).abs() < 1e-6);
        assert!(!window.measured(&all([100.4, 200.0, 0.0])));
        assert!(window.measured(&[(2, 90.0)]));
        assert!(!window.measured(&[(1_000, 90.0)]));
        window.reset(2_000);
        let shown = window.shown(90_000.0, 900.0, None);
        assert!((total(shown) - 300_000.0).abs() < 1e-6, "a longer list of the same kind");
    }
}
