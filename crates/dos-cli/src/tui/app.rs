//! What the keys do. Knows no terminal.

use dos_core::fleet::past::History;
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

use super::rows::{Fleet, Row};

/// The order of the rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sort {
    /// As the lanes are declared.
    Declared,
    /// By name.
    Lane,
    /// The worst state first.
    State,
    /// Who holds it.
    Holder,
    /// The longest held first.
    Age,
}

impl Sort {
    /// The word for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Declared => "declared",
            Self::Lane => "lane",
            Self::State => "state",
            Self::Holder => "holder",
            Self::Age => "age",
        }
    }

    fn next(self) -> Self {
        match self {
            Self::Declared => Self::State,
            Self::State => Self::Lane,
            Self::Lane => Self::Holder,
            Self::Holder => Self::Age,
            Self::Age => Self::Declared,
        }
    }
}

/// What fills the screen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Page {
    /// All lanes.
    Fleet,
    /// One of them.
    Lane,
    /// The keys.
    Help,
}

/// What a key asks of whoever runs the screen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Wish {
    /// Nothing has changed.
    Nothing,
    /// Draw it again.
    Draw,
    /// Look at the fleet again.
    Look,
    /// The same, and draw what other programs may have written over.
    Anew,
    /// End.
    Quit,
}

/// The state of the screen.
pub struct App {
    /// The fleet as it was seen last.
    pub fleet: Option<Fleet>,
    /// What stood in the way of the last look.
    pub lost: Option<String>,
    /// What happened on the lane that is looked into.
    pub history: History,
    /// What fills the screen.
    pub page: Page,
    /// The order of the rows.
    pub sort: Sort,
    /// The other way round?
    pub reversed: bool,
    /// Only rows that say this.
    pub filter: String,
    /// Is the filter being typed?
    pub typing: bool,
    /// How many lines of a page are above the screen.
    pub scroll: usize,
    selected: Option<(String, String)>,
}

impl App {
    /// A screen that has seen nothing yet.
    pub fn new() -> Self {
        Self {
            fleet: None,
            lost: None,
            history: History::default(),
            page: Page::Fleet,
            sort: Sort::Declared,
            reversed: false,
            filter: String::new(),
            typing: false,
            scroll: 0,
            selected: None,
        }
    }

    /// Takes in a look at the fleet. One that failed leaves what was seen before.
    pub fn update(&mut self, look: Result<Fleet, String>) {
        match look {
            Ok(fleet) => (self.fleet, self.lost) = (Some(fleet), None),
            Err(why) => self.lost = Some(why),
        }
    }

    /// The rows that are shown, in their order.
    pub fn rows(&self) -> Vec<&Row> {
        let all = self.fleet.iter().flat_map(|fleet| &fleet.rows);
        let mut rows: Vec<&Row> = all.filter(|row| row.has(&self.filter)).collect();
        match self.sort {
            Sort::Declared => {}
            Sort::Lane => rows.sort_by_key(|row| row.lane.to_lowercase()),
            Sort::State => rows.sort_by_key(|row| row.chip),
            // Lanes without a holder are the last.
            Sort::Holder => rows.sort_by_key(|row| (row.holder.is_empty(), row.holder.clone())),
            Sort::Age => rows.sort_by_key(|row| -row.age_ms.unwrap_or(-1)),
        }
        if self.reversed {
            rows.reverse();
        }
        rows
    }

    /// The place of the selected row; the first one where there is none any more.
    pub fn place(&self) -> usize {
        let Some((lane, loop_ts)) = &self.selected else { return 0 };
        let rows = self.rows();
        let exact = rows.iter().position(|row| row.lane == *lane && row.loop_ts == *loop_ts);
        exact.or_else(|| rows.iter().position(|row| row.lane == *lane)).unwrap_or(0)
    }

    /// The selected row.
    pub fn row(&self) -> Option<&Row> {
        self.rows().get(self.place()).copied()
    }

    fn select(&mut self, place: usize) -> Wish {
        let rows = self.rows();
        let row = rows.get(place.min(rows.len().saturating_sub(1)));
        self.selected = row.map(|row| (row.lane.clone(), row.loop_ts.clone()));
        Wish::Draw
    }

    /// A key was pressed. `height` is how many lines the screen has.
    pub fn key(&mut self, key: KeyEvent, height: usize) -> Wish {
        if key.kind == KeyEventKind::Release {
            return Wish::Nothing;
        }
        let control = key.modifiers.contains(KeyModifiers::CONTROL);
        match key.code {
            KeyCode::Char('c') if control => Wish::Quit,
            KeyCode::Char('l') if control => Wish::Anew,
            _ if control => Wish::Nothing,
            code if self.typing => self.typed(code),
            KeyCode::Char('q') => Wish::Quit,
            KeyCode::Char('?') => {
                self.turn(if self.page == Page::Help { Page::Fleet } else { Page::Help })
            }
            code => match self.page {
                Page::Fleet => self.on_fleet(code, height),
                Page::Lane | Page::Help => self.on_page(code, height),
            },
        }
    }

    fn typed(&mut self, code: KeyCode) -> Wish {
        match code {
            KeyCode::Char(character) => self.filter.push(character),
            KeyCode::Backspace => drop(self.filter.pop()),
            KeyCode::Enter => self.typing = false,
            KeyCode::Esc => {
                self.typing = false;
                self.filter.clear();
            }
            _ => return Wish::Nothing,
        }
        Wish::Draw
    }

    fn turn(&mut self, page: Page) -> Wish {
        self.page = page;
        self.scroll = 0;
        Wish::Draw
    }

    fn on_fleet(&mut self, code: KeyCode, height: usize) -> Wish {
        let (place, page) = (self.place(), (height / 2).max(1));
        match code {
            KeyCode::Esc if self.filter.is_empty() => return Wish::Quit,
            KeyCode::Esc => self.filter.clear(),
            KeyCode::Char('/') => self.typing = true,
            KeyCode::Char('s') => self.sort = self.sort.next(),
            KeyCode::Char('r') => self.reversed = !self.reversed,
            KeyCode::Up | KeyCode::Char('k') => return self.select(place.saturating_sub(1)),
            KeyCode::Down | KeyCode::Char('j') => return self.select(place + 1),
            KeyCode::PageUp => return self.select(place.saturating_sub(page)),
            KeyCode::PageDown => return self.select(place + page),
            KeyCode::Home | KeyCode::Char('g') => return self.select(0),
            KeyCode::End | KeyCode::Char('G') => return self.select(usize::MAX),
            KeyCode::Enter if self.row().is_some() => {
                // From now on this row, wherever it moves.
                self.select(place);
                self.history = History::default();
                self.turn(Page::Lane);
                return Wish::Look;
            }
            _ => return Wish::Nothing,
        }
        Wish::Draw
    }

    fn on_page(&mut self, code: KeyCode, height: usize) -> Wish {
        let page = (height / 2).max(1);
        self.scroll = match code {
            KeyCode::Esc | KeyCode::Enter | KeyCode::Backspace => return self.turn(Page::Fleet),
            KeyCode::Up | KeyCode::Char('k') => self.scroll.saturating_sub(1),
            KeyCode::Down | KeyCode::Char('j') => self.scroll.saturating_add(1),
            KeyCode::PageUp => self.scroll.saturating_sub(page),
            KeyCode::PageDown => self.scroll.saturating_add(page),
            KeyCode::Home | KeyCode::Char('g') => 0,
            _ => return Wish::Nothing,
        };
        Wish::Draw
    }
}
