//! [`RowWindow`]: of a long list in the page's flow only the rows near the screen are in the document.

/// Lists up to this length are shown whole.
const WHOLE: usize = 40;
/// Rows that are guessed to be this high until they were seen, px.
const GUESS: f64 = 132.0;
/// Shown beyond the screen's edges, px: what a fling of the wheel passes before the next frame.
const BEYOND: f64 = 600.0;

/// Which rows are shown, and the room that the others take above and below, px.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Shown {
    /// First row.
    pub start: usize,
    /// Behind the last row.
    pub end: usize,
    /// Height of all rows before.
    pub above: f64,
    /// Height of all rows behind.
    pub below: f64,
}

/// Heights of rows as far as they are known. Ten thousand of them are summed up in some ten microseconds, so nothing
/// cleverer is needed.
#[derive(Clone, Debug, Default)]
pub struct RowWindow {
    heights: Vec<f64>,
    /// Some rows of this list were seen: the others are guessed to be like them.
    is_measured: bool,
}

impl RowWindow {
    /// Forgets all heights: another list, or another width.
    pub fn reset(&mut self, rows: usize) {
        self.heights = vec![GUESS; rows];
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

    /// The true heights of the rows from `start` on; true when that is news. The first rows that are seen are taken as
    /// a measure for the others, so that the list keeps its length while it is scrolled.
    pub fn measured(&mut self, start: usize, heights: &[f64]) -> bool {
        let laid_out = heights.iter().filter(|height| **height > 0.0);
        let (count, sum) = laid_out.fold((0.0, 0.0), |(count, sum), height| (count + 1.0, sum + height));
        let mut news = false;
        if !self.is_measured && count > 0.0 {
            self.heights.fill(sum / count);
            (self.is_measured, news) = (true, true);
        }
        for (known, height) in self.heights.iter_mut().skip(start).zip(heights) {
            if *height > 0.0 && (*known - height).abs() >= 1.0 {
                *known = *height;
                news = true;
            }
        }
        news
    }

    /// What to show when the screen begins `top` px below the list's top and is `height` px high.
    pub fn shown(&self, top: f64, height: f64) -> Shown {
        let count = self.heights.len();
        if count <= WHOLE {
            return Shown { start: 0, end: count, above: 0.0, below: 0.0 };
        }
        let total = self.heights.iter().sum::<f64>();
        // Never empty: above or below the list its nearest end is ready.
        let first = (top - BEYOND).min(total - height - 2.0 * BEYOND).max(0.0);
        let last = (top + height + BEYOND).max(height + 2.0 * BEYOND);
        let mut shown = Shown::default();
        let mut passed = 0.0;
        for (row, height) in self.heights.iter().enumerate() {
            if passed + height <= first {
                (shown.start, shown.above) = (row + 1, passed + height);
            }
            if passed < last {
                (shown.end, shown.below) = (row + 1, (total - passed - height).max(0.0));
            }
            passed += height;
        }
        shown
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

    #[test]
    fn short_lists_are_whole() {
        assert_eq!(window(WHOLE).shown(9_999.0, 800.0), Shown { start: 0, end: WHOLE, above: 0.0, below: 0.0 });
        assert_eq!(window(0).shown(0.0, 800.0), Shown::default());
        assert!(window(0).is_empty() && window(3).len() == 3);
    }

    #[test]
    fn long_lists_show_what_the_screen_shows_and_keep_their_length() {
        let mut window = window(10_000);
        window.measured(0, &(0..10_000).map(|row| if row % 2 == 0 { 100.0 } else { 150.0 }).collect::<Vec<_>>());
        let total = 1_250_000.0;
        for top in [-5_000.0, -100.0, 0.0, 3_333.0, 600_000.0, 1_249_500.0, 9e9] {
            let shown = window.shown(top, 900.0);
            let inside: f64 = (shown.start..shown.end).map(|row| if row % 2 == 0 { 100.0 } else { 150.0 }).sum();
            assert!((shown.above + inside + shown.below - total).abs() < 1e-6, "{top}: {shown:?}");
            assert!((5..40).contains(&(shown.end - shown.start)), "{top}: {shown:?}");
            let (from, to) = (top.clamp(0.0, total - 900.0), (top + 900.0).clamp(900.0, total));
            assert!(shown.above <= from && total - shown.below >= to, "{top}: {shown:?}");
        }
        assert_eq!(window.shown(9e9, 900.0).end, 10_000);
        assert_eq!(window.shown(-9e9, 900.0).start, 0);
    }

    #[test]
    fn the_first_rows_are_the_measure_for_the_others_and_only_news_counts() {
        let mut window = window(1_000);
        assert!(!window.measured(0, &[0.0, 0.0]), "rows that are not laid out have no height");
        assert!(window.measured(0, &[100.0, 200.0]));
        assert_eq!(window.shown(0.0, 900.0).above, 0.0);
        let total = |shown: Shown| shown.above + shown.below + (shown.end - shown.start) as f64 * 150.0;
        assert!((total(window.shown(90_000.0, 900.0)) - 150_000.0).abs() < 1e-6);
        assert!(!window.measured(0, &[100.4, 200.0, 0.0]));
        assert!(window.measured(2, &[90.0]));
        assert!(!window.measured(1_000, &[90.0]));
    }
}
