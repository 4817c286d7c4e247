//! The terminal: entered, kept up to date, and always left as it was.

use std::io::{self, Write as _};
use std::os::fd::AsFd as _;
use std::os::unix::net::UnixStream;
use std::sync::mpsc::{Receiver, TryRecvError, channel};
use std::time::Duration;

use anyhow::Context as _;
use dos_drivers::signals::{ENDING, Signals};
use dos_drivers::terminal;
use dos_drivers::watch::Watch;
use dos_store::clock::Clock as _;
use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;
use ratatui::crossterm::event::{self, Event};
use ratatui::crossterm::terminal::{
    EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode,
};
use ratatui::crossterm::{cursor, execute};
use ratatui::layout::Rect;

use super::app::{App, Page, Wish};
use super::draw;
use crate::context::Context;
use crate::verbs::top;

/// However much happens, the fleet is not looked at more often.
const REST_LEAST: Duration = Duration::from_millis(250);
/// A look that took so long is followed by so many times as long without one, so that looking takes
/// less than a hundredth of a core, however large the fleet is.
const REST_TIMES: u32 = 100;

/// The terminal, which is given back whatever happens.
struct Screen(Terminal<CrosstermBackend<io::Stdout>>);

impl Screen {
    fn enter() -> io::Result<Self> {
        enable_raw_mode()?;
        // From here on dropping it gives the terminal back.
        let screen = Terminal::new(CrosstermBackend::new(io::stdout())).map(Self);
        if screen.is_err() {
            disable_raw_mode()?;
        }
        let screen = screen?;
        execute!(io::stdout(), EnterAlternateScreen, cursor::Hide)?;
        Ok(screen)
    }

    fn draw(&mut self, app: &App) -> io::Result<()> {
        self.0.draw(|frame| draw::screen(app, frame.area(), frame.buffer_mut()))?;
        Ok(())
    }

    /// Clears it, so that all of it is drawn next. `clear` would ask the terminal where the cursor is, and
    /// the answer would come among the keys.
    fn anew(&mut self) -> io::Result<()> {
        let area = self.0.size()?;
        self.0.resize(Rect::new(0, 0, area.width, area.height))
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        // A terminal that has gone away needs nothing back.
        let _ = execute!(io::stdout(), LeaveAlternateScreen, cursor::Show);
        let _ = disable_raw_mode();
    }
}

/// What is typed, from a thread that waits for it: whoever reads keys may be made to wait in the middle
/// of one. A byte at the socket says that there is something.
struct Keys {
    events: Receiver<Event>,
    wakes: UnixStream,
}

impl Keys {
    fn start() -> io::Result<Self> {
        let (wakes, mut wake) = UnixStream::pair()?;
        wakes.set_nonblocking(true)?;
        let (send, events) = channel();
        std::thread::Builder::new().name("keys".to_string()).spawn(move || {
            while let Ok(event) = event::read() {
                if send.send(event).is_err() || wake.write_all(&[0]).is_err() {
                    return;
                }
            }
        })?;
        Ok(Self { events, wakes })
    }

    /// What has been typed since this was asked last; `None` once nothing will be any more.
    fn taken(&self) -> Option<Vec<Event>> {
        let mut buffer = [0; 64];
        while io::Read::read(&mut &self.wakes, &mut buffer).is_ok_and(|count| count > 0) {}
        let mut taken = Vec::new();
        loop {
            match self.events.try_recv() {
                Ok(event) => taken.push(event),
                Err(TryRecvError::Empty) => return Some(taken),
                Err(TryRecvError::Disconnected) => return None,
            }
        }
    }
}

/// Shows the fleet until somebody has seen enough.
pub fn run(context: &Context, interval: Duration) -> anyhow::Result<()> {
    let signals = Signals::on(&ENDING)?;
    let mut screen = Screen::enter().context("failed to use the terminal")?;
    let keys = Keys::start()?;
    let mut app = App::new();
    loop {
        let began = context.clock.elapsed();
        // Before the look: a change between look and wait is not missed.
        let watch = top::journal(context).and_then(|journal| Watch::on(&journal));
        look(context, &mut app);
        screen.draw(&app)?;
        let looked = context.clock.elapsed();
        let rest = looked.saturating_sub(began).saturating_mul(REST_TIMES).max(REST_LEAST);
        let due = looked.saturating_add(interval);
        let soonest = looked.saturating_add(rest).min(due);
        let mut changed = false;
        loop {
            let until = if changed { soonest } else { due };
            let left = until.saturating_sub(context.clock.elapsed());
            let mut files = vec![keys.wakes.as_fd()];
            // Once it is known to have changed, there is nothing more to hear.
            files.extend(watch.iter().filter(|_| !changed).map(|watch| watch.as_fd()));
            signals.wait(&files, left);
            let typed = keys.taken();
            if !signals.taken().is_empty() || typed.is_none() || !terminal::is_there() {
                return Ok(());
            }
            changed |= watch.as_ref().is_some_and(Watch::changed);
            match wish(&mut app, &typed.unwrap_or_default(), &screen) {
                Wish::Quit => return Ok(()),
                Wish::Look => break,
                Wish::Anew => {
                    screen.anew()?;
                    break;
                }
                Wish::Draw => screen.draw(&app)?,
                Wish::Nothing => {}
            }
            // After the wait: however short the interval is, keys and signals are asked for.
            let until = if changed { soonest } else { due };
            if context.clock.elapsed() >= until {
                break;
            }
        }
    }
}

fn look(context: &Context, app: &mut App) {
    app.update(top::look(context).map_err(|error| format!("{error:#}")));
    if app.page == Page::Lane
        && let Some(row) = app.row()
        && let Ok(history) = top::history(context, &row.lane)
    {
        app.history = history;
    }
}

/// What all of these events ask for together.
fn wish(app: &mut App, events: &[Event], screen: &Screen) -> Wish {
    let height = screen.0.size().map_or(24, |size| usize::from(size.height));
    let mut all = Wish::Nothing;
    for event in events {
        let one = match event {
            Event::Key(key) => app.key(*key, height),
            Event::Resize(..) => Wish::Draw,
            _ => Wish::Nothing,
        };
        all = all.max(one);
    }
    all
}
