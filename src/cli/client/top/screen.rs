//! The terminal's picture of a view, and what keys change in it.

use std::ops::Range;

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Modifier, Style};
use ratatui::text::Line;
use ratatui::widgets::{Block, BorderType, Paragraph};

use super::sections::{Order, Section, sections, summary};
use super::view::View;

/// Rows that a table takes beside its own: two lines of its frame, and its heading.
const FRAME_ROWS: u16 = 3;

/// Rows below which a table says too little: where not all tables get so many, fewer are shown.
const SECTION_ROWS: u16 = FRAME_ROWS + 3;

/// Columns that a table takes at most beside the names in its first one, and what names get in any case.
const NUMBERS_COLUMNS: u16 = 60;
const NAME_COLUMNS_MIN: u16 = 16;

/// How far a Page key goes.
const PAGE: usize = 10;

/// Keys that mean something.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Key {
    /// Ends it.
    Quit,
    /// To the next table.
    Next,
    /// To the one before.
    Back,
    /// A row up.
    Up,
    /// A row down.
    Down,
    /// Several rows up.
    PageUp,
    /// Several rows down.
    PageDown,
    /// To the first row.
    Home,
    /// Another order.
    Order,
}

/// What is on the terminal.
#[derive(Default, Debug)]
pub struct Screen {
    view: Option<View>,
    /// Why the last look failed, if it did; what was seen before stays.
    trouble: Option<String>,
    order: Order,
    /// The table that the arrows move in.
    focus: usize,
    /// The first row that is shown, of each table.
    tops: Vec<usize>,
}

impl Screen {
    /// A look has succeeded.
    pub fn show(&mut self, view: View) {
        self.view = Some(view);
        self.trouble = None;
    }

    /// A look has failed.
    pub fn fail(&mut self, why: String) {
        self.trouble = Some(why);
    }

    /// A key was pressed. `false` if it ends the view.
    pub fn press(&mut self, key: Key) -> bool {
        let sections = self.view.as_ref().map_or_else(Vec::new, |view| sections(view, self.order, 0));
        self.tops.resize(sections.len(), 0);
        self.focus = self.focus.min(sections.len().saturating_sub(1));
        let last = sections.get(self.focus).map_or(0, |section| section.rows.len().saturating_sub(1));
        let top = self.tops.get(self.focus).copied().unwrap_or(0);
        let moved = match key {
            Key::Quit => return false,
            Key::Next => {
                self.focus = if self.focus + 1 < sections.len() { self.focus + 1 } else { 0 };
                return true;
            }
            Key::Back => {
                self.focus = self.focus.checked_sub(1).unwrap_or(sections.len().saturating_sub(1));
                return true;
            }
            Key::Order => {
                self.order = if self.order == Order::Most { Order::Name } else { Order::Most };
                0
            }
            Key::Up => top.saturating_sub(1),
            Key::Down => top + 1,
            Key::PageUp => top.saturating_sub(PAGE),
            Key::PageDown => top + PAGE,
            Key::Home => 0,
        };
        if let Some(top) = self.tops.get_mut(self.focus) {
            *top = moved.min(last);
        }
        true
    }

    /// Draws all of it, at this time in milliseconds since 1970.
    pub fn draw(&self, frame: &mut Frame<'_>, now_ms: i64) {
        let [head, body, foot] =
            Layout::vertical([Constraint::Length(1), Constraint::Fill(1), Constraint::Length(1)])
                .areas(frame.area());
        let Some(view) = &self.view else {
            let text = self.note().unwrap_or("looking; q: end");
            return frame.render_widget(Paragraph::new(text), head);
        };
        let bold = Style::new().add_modifier(Modifier::BOLD);
        let title = format!("{}{}", age(view, now_ms), summary(view));
        frame.render_widget(Paragraph::new(Line::styled(title, bold)), head);
        let name_columns = body.width.saturating_sub(NUMBERS_COLUMNS).max(NAME_COLUMNS_MIN);
        let sections = sections(view, self.order, usize::from(name_columns));
        // A node that no longer answers has taken its tables with it.
        let focus = self.focus.min(sections.len() - 1);
        let keys = format!("q: end  s: order  ↑↓: rows  Tab: table {}/{}", focus + 1, sections.len());
        frame.render_widget(Paragraph::new(self.note().unwrap_or(&keys)), foot);
        let wanted: Vec<u16> = sections.iter().map(wanted_rows).collect();
        let shown = window(body.height, &wanted, focus);
        let rows = shared(body.height, &wanted[shown.clone()]).into_iter().map(Constraint::Length);
        let areas = Layout::vertical(rows).split(body);
        for (index, area) in shown.zip(areas.iter()) {
            self.draw_section(frame, &sections[index], index, index == focus, *area);
        }
    }

    /// What could not be had. An error's remedy is on a line of its own, for which there is no room.
    fn note(&self) -> Option<&str> {
        let note = self.trouble.as_ref().or_else(|| self.view.as_ref()?.notes.first());
        note.and_then(|note| note.lines().next())
    }

    fn draw_section(
        &self,
        frame: &mut Frame<'_>,
        section: &Section,
        index: usize,
        has_focus: bool,
        area: Rect,
    ) {
        let border = if has_focus { BorderType::Thick } else { BorderType::Plain };
        let block = Block::bordered()
            .title(format!(" {} ({}) ", section.title, section.rows.len()))
            .border_type(border);
        let top = self.tops.get(index).copied().unwrap_or(0).min(section.rows.len().saturating_sub(1));
        let heading = Line::styled(section.heading.as_str(), Style::new().add_modifier(Modifier::REVERSED));
        let rows = section.rows.iter().skip(top).take(usize::from(area.height));
        let lines: Vec<Line<'_>> =
            [heading].into_iter().chain(rows.map(|row| Line::raw(row.as_str()))).collect();
        frame.render_widget(Paragraph::new(lines).block(block), area);
    }
}

/// How old a view is, where it should have been renewed by now: somebody does not answer.
fn age(view: &View, now_ms: i64) -> String {
    let age_s = now_ms.saturating_sub(view.at_ms) as f64 / 1000.0;
    if age_s > 2.0 * view.interval_s + 1.0 { format!("{age_s:.0} s ago: ") } else { String::new() }
}

/// The tables that are shown: all if they have room enough, else as many as do, with the one that has the focus.
fn window(rows: u16, wanted: &[u16], focus: usize) -> Range<usize> {
    let all: u16 = wanted.iter().fold(0, |sum, rows| sum.saturating_add(*rows));
    let room = usize::from(rows / SECTION_ROWS).max(1);
    if all <= rows || room >= wanted.len() {
        return 0..wanted.len();
    }
    let first = focus.min(wanted.len() - room);
    first..first + room
}

fn wanted_rows(section: &Section) -> u16 {
    u16::try_from(section.rows.len()).unwrap_or(u16::MAX).saturating_add(FRAME_ROWS)
}

/// Shares rows among those who want so many: nobody gets more than that, and whoever gets less gets no less than any
/// other, but for one row.
fn shared(rows: u16, wanted: &[u16]) -> Vec<u16> {
    let mut given = vec![0; wanted.len()];
    let mut by_want: Vec<usize> = (0..wanted.len()).collect();
    by_want.sort_by_key(|index| wanted[*index]);
    let mut left = rows;
    for (position, index) in by_want.iter().enumerate() {
        let others = u16::try_from(wanted.len() - position).unwrap_or(u16::MAX);
        given[*index] = wanted[*index].min(left / others);
        left -= given[*index];
    }
    given
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;
    use ratatui::Terminal;
    use ratatui::backend::TestBackend;

    use super::super::view::tests::example;
    use super::*;

    /// The lines of a screen, drawn so long after the example was looked at.
    fn drawn_later(screen: &Screen, columns: u16, rows: u16, later_ms: i64) -> Vec<String> {
        let mut terminal = Terminal::new(TestBackend::new(columns, rows)).unwrap();
        terminal.draw(|frame| screen.draw(frame, example().at_ms + later_ms)).unwrap();
        let buffer = terminal.backend().buffer();
        let line = |row| (0..columns).map(|column| buffer[(column, row)].symbol()).collect::<String>();
        (0..rows).map(|row| line(row).trim_end().to_owned()).collect()
    }

    fn drawn(screen: &Screen, columns: u16, rows: u16) -> Vec<String> {
        drawn_later(screen, columns, rows, 0)
    }

    const KEYS: &str = "q: end  s: order  ↑↓: rows  Tab: table 1/2";

    #[test]
    fn the_whole_picture() {
        let mut screen = Screen::default();
        assert_eq!(drawn(&screen, 60, 3), ["looking; q: end", "", ""]);
        screen.show(example());
        let lines = drawn(&screen, 60, 14);
        assert_eq!(lines[0], "1 topics, 100.0 records/s, 2 groups");
        assert!(lines[1].starts_with("┏ topics (1) ━"), "{lines:?}");
        assert!(lines[2].contains("topic  partitions  records/s"), "{lines:?}");
        assert!(lines[3].contains("100.0  1 silent"), "{lines:?}");
        assert!(lines[5].starts_with("┌ groups (2) ─"), "{lines:?}");
        assert!(lines[7].contains("g      Stable") && lines[8].contains("a      Stable"), "{lines:?}");
        assert_eq!(lines[13], KEYS);
    }

    #[test]
    fn what_fails_is_told_and_what_was_seen_stays() {
        let mut screen = Screen::default();
        screen.fail("no broker\n  start one".to_owned());
        assert_eq!(drawn(&screen, 60, 3)[0], "no broker");
        screen.show(example());
        screen.fail("no broker\n  start one".to_owned());
        let lines = drawn_later(&screen, 60, 14, 12_000);
        assert_eq!(lines[0], "12 s ago: 1 topics, 100.0 records/s, 2 groups");
        assert_eq!(lines[13], "no broker");
        screen.show(example());
        assert_eq!(drawn(&screen, 60, 14)[13], KEYS);
    }

    #[test]
    fn small_terminals_show_fewer_tables() {
        let mut screen = Screen::default();
        screen.show(example());
        let lines = drawn(&screen, 40, 9);
        assert!(lines[1].starts_with("┏ topics") && !lines.concat().contains("groups (2)"), "{lines:?}");
        screen.press(Key::Next);
        let lines = drawn(&screen, 40, 9);
        assert!(lines[1].starts_with("┏ groups") && lines[4].contains("a      Stable"), "{lines:?}");
    }

    #[test]
    fn keys_move_and_order() {
        let mut screen = Screen::default();
        // Before the first look there is nothing to move in.
        assert!(screen.press(Key::Down) && screen.press(Key::Next));
        screen.show(example());
        assert!(screen.press(Key::Next) && screen.press(Key::Down));
        assert_eq!((screen.focus, &screen.tops[..]), (1, &[0, 1][..]));
        assert!(drawn(&screen, 60, 14)[7].contains("a      Stable"), "one row further");
        assert!(screen.press(Key::PageDown));
        assert_eq!(screen.tops[1], 1, "not beyond the last row");
        assert!(screen.press(Key::Order));
        assert!(drawn(&screen, 60, 14)[7].contains("a      Stable"), "by name, from the first row on");
        assert!(screen.press(Key::PageUp) && screen.press(Key::Home) && screen.press(Key::Next));
        assert_eq!(screen.focus, 0);
        assert!(screen.press(Key::Back));
        assert_eq!(screen.focus, 1);
        assert!(!screen.press(Key::Quit));
    }

    proptest! {
        #[test]
        fn rows_are_shared(rows in 0u16..200, wanted in vec(0u16..100, 0..6)) {
            let given = shared(rows, &wanted);
            let total: u16 = given.iter().sum();
            prop_assert!(given.iter().zip(&wanted).all(|(given, wanted)| given <= wanted));
            prop_assert_eq!(total, rows.min(wanted.iter().sum()));
            let short = given.iter().zip(&wanted).filter(|(given, wanted)| given < wanted).map(|(given, _)| *given);
            let most = given.iter().copied().max().unwrap_or(0);
            prop_assert!(short.min().is_none_or(|least| least + 1 >= most));
        }

        #[test]
        fn the_window_has_the_focus_in_it(rows in 0u16..100, wanted in vec(3u16..100, 1..6), focus in 0usize..6) {
            let focus = focus.min(wanted.len() - 1);
            let shown = window(rows, &wanted, focus);
            prop_assert!(shown.contains(&focus) && shown.end <= wanted.len());
        }

        #[test]
        fn any_size_can_be_drawn(columns in 1u16..200, rows in 1u16..60) {
            let mut screen = Screen::default();
            screen.show(example());
            drawn(&screen, columns, rows);
        }
    }
}
