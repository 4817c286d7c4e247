//! Lists, pipelines, compound commands and simple ones.

use alloc::boxed::Box;
use alloc::rc::Rc;
use alloc::string::String;
use alloc::vec::Vec;

use super::cursor::{Cursor, Result, ends_word};
use super::{
    Assigned, Assignment, Command, Lines, Link, Part, Redirect, Script, Shape, Simple, Step, Word,
};

/// What ends a script.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Until {
    End,
    Parenthesis,
    Brace,
    /// `;;`, `;&`, `;;&` or `esac`.
    Arm,
    Words(&'static [&'static str]),
}

/// Words that mean something at the start of a command, and start none.
const CLOSING: [&str; 10] = ["then", "elif", "else", "fi", "do", "done", "esac", "}", "in", "]]"];
/// Words that start a compound command.
const OPENING: [&str; 9] = ["if", "while", "until", "for", "select", "case", "function", "{", "[["];
/// Builtins that take assignments as arguments.
const DECLARING: [&str; 5] = ["declare", "typeset", "local", "export", "readonly"];
/// Longer ones before those that they start with.
const REDIRECTIONS: [&str; 12] =
    ["&>>", "<<<", "<<-", "&>", ">>", ">|", "<<", "<>", ">&", "<&", ">", "<"];

impl Cursor<'_> {
    /// Reads all of the text.
    pub(super) fn whole_script(&mut self) -> Result<Script> {
        let mut read = Lines::default();
        self.whole_lines(&mut read)?;
        Ok(read.script)
    }

    /// Reads all of the text; says how far it came where it fails.
    pub(super) fn whole_lines(&mut self, read: &mut Lines) -> Result<()> {
        self.steps(Until::End, read)?;
        match self.peek() {
            None => self.documents(),
            Some(_) => Err(self.error("something that starts no command")),
        }
    }

    /// Reads what is before `)`, and goes behind it.
    pub(super) fn parenthesized(&mut self) -> Result<Script> {
        let script = self.script(Until::Parenthesis)?;
        match self.eat(")") {
            true => Ok(script),
            false => Err(self.error("a parenthesis that is not closed")),
        }
    }

    /// Reads commands up to what ends them, which is not gone past.
    pub(super) fn script(&mut self, until: Until) -> Result<Script> {
        let mut read = Lines::default();
        self.steps(until, &mut read)?;
        Ok(read.script)
    }

    fn steps(&mut self, until: Until, read: &mut Lines) -> Result<()> {
        let mut link = Link::Then;
        loop {
            if self.lines()? && link == Link::Then {
                (read.whole, read.at) = (read.script.steps.len(), self.at);
            }
            if self.ended(until) {
                break;
            }
            let stages = self.pipeline()?;
            self.blanks()?;
            let background = self.peek() == Some(b'&') && self.byte(1) != Some(b'&');
            read.script.steps.push(Step { link, background, stages });
            link = Link::Then;
            if self.eat("&&") {
                link = Link::And;
            } else if self.eat("||") {
                link = Link::Or;
            } else if background
                || (self.peek() == Some(b';') && !matches!(self.byte(1), Some(b';' | b'&')))
            {
                self.at += 1;
            } else if self.line_end() == 0 {
                break;
            }
        }
        match link {
            Link::Then => Ok(()),
            Link::And | Link::Or => Err(self.error("nothing behind && or ||")),
        }
    }

    fn ended(&self, until: Until) -> bool {
        match until {
            _ if self.peek().is_none() => true,
            Until::End => false,
            Until::Parenthesis => self.peek() == Some(b')'),
            Until::Brace => self.plain() == "}",
            Until::Arm => self.starts(";;") || self.starts(";&") || self.plain() == "esac",
            Until::Words(words) => words.contains(&self.plain()),
        }
    }

    fn pipeline(&mut self) -> Result<Vec<Command>> {
        let mut stages = Vec::new();
        loop {
            let mut keyword = false;
            while self.reserved("!") || self.time_keyword() {
                keyword = true;
                self.blanks()?;
            }
            let alone = self.peek().is_none() || self.line_end() > 0 || self.starts(";");
            if keyword && alone && stages.is_empty() {
                // A bare `time` or `!` is a command that runs nothing.
                return Ok(stages);
            }
            stages.push(self.nested(Self::command)?);
            self.blanks()?;
            if self.starts("||") || !(self.eat("|&") || self.eat("|")) {
                return Ok(stages);
            }
            self.lines()?;
        }
    }

    /// Goes past `time`, `time -p` and `time --`. With other options it is the program.
    fn time_keyword(&mut self) -> bool {
        if self.plain() != "time" {
            return false;
        }
        let rest = self.slice(self.at + 4, self.end).trim_start_matches([' ', '\t']);
        let word = rest.split([' ', '\t', '\n', ';', '|', '&']).next().unwrap_or_default();
        if word.starts_with('-') && word != "-p" && word != "--" {
            return false;
        }
        self.at = self.end - rest.len();
        for option in ["-p", "--"] {
            let rest = self.rest();
            let behind = rest.strip_prefix(option).unwrap_or("x");
            if behind.is_empty() || behind.starts_with([' ', '\t', '\n', ';']) {
                let behind = behind.trim_start_matches([' ', '\t']);
                self.at = self.end - behind.len();
            }
        }
        true
    }

    fn command(&mut self) -> Result<Command> {
        let shape = match self.plain() {
            "if" => self.if_command()?,
            "while" => self.loop_command("while")?,
            "until" => self.loop_command("until")?,
            "for" => self.for_command("for")?,
            "select" => self.for_command("select")?,
            "case" => self.case_command()?,
            "function" => return self.function_command(),
            "coproc" => return self.coprocess(),
            "[[" => self.test_command()?,
            "{" => {
                self.reserved("{");
                let body = self.script(Until::Brace)?;
                self.expect("}")?;
                Shape::Group(body)
            }
            word if CLOSING.contains(&word) => {
                return Err(self.error("a reserved word where a command starts"));
            }
            _ if self.peek() == Some(b'(') => self.open_parenthesis()?,
            _ => return self.simple(),
        };
        self.with_redirects(shape)
    }

    fn with_redirects(&mut self, shape: Shape) -> Result<Command> {
        let mut redirects = Vec::new();
        loop {
            self.blanks()?;
            match self.redirect()? {
                Some(redirect) => redirects.push(redirect),
                None => return Ok(Command { shape, redirects }),
            }
        }
    }

    fn expect(&mut self, word: &'static str) -> Result<()> {
        match self.reserved(word) {
            true => Ok(()),
            false => Err(self.error("a compound command that is not closed")),
        }
    }

    fn open_parenthesis(&mut self) -> Result<Shape> {
        if self.byte(1) == Some(b'(')
            && let Some(end) = self.arithmetic_end(self.at + 2)?
        {
            self.at += 2;
            return Ok(Shape::Arithmetic(self.arithmetic(end)?));
        }
        self.at += 1;
        Ok(Shape::Subshell(self.parenthesized()?))
    }

    fn if_command(&mut self) -> Result<Shape> {
        let mut branches = Vec::new();
        self.reserved("if");
        loop {
            let condition = self.script(Until::Words(&["then"]))?;
            self.expect("then")?;
            let body = self.script(Until::Words(&["elif", "else", "fi"]))?;
            branches.push((condition, body));
            if self.reserved("elif") {
                continue;
            }
            if self.reserved("else") {
                branches.push((Script::default(), self.script(Until::Words(&["fi"]))?));
            }
            self.expect("fi")?;
            return Ok(Shape::If(branches));
        }
    }

    fn loop_command(&mut self, word: &str) -> Result<Shape> {
        self.reserved(word);
        let condition = self.script(Until::Words(&["do"]))?;
        Ok(Shape::While(condition, self.do_group()?))
    }

    fn do_group(&mut self) -> Result<Script> {
        self.expect("do")?;
        let body = self.script(Until::Words(&["done"]))?;
        self.expect("done")?;
        Ok(body)
    }

    /// The body of a `for`, which may stand in braces.
    fn loop_body(&mut self) -> Result<Script> {
        self.blanks()?;
        if self.peek() == Some(b';') {
            self.at += 1;
        }
        self.lines()?;
        if self.reserved("{") {
            let body = self.script(Until::Brace)?;
            self.expect("}")?;
            return Ok(body);
        }
        self.do_group()
    }

    fn for_command(&mut self, word: &str) -> Result<Shape> {
        self.reserved(word);
        self.blanks()?;
        if self.starts("((") {
            let Some(end) = self.arithmetic_end(self.at + 2)? else {
                return Err(self.error("a for that is not closed"));
            };
            self.at += 2;
            let header = self.arithmetic(end)?;
            return Ok(Shape::ForArithmetic(header, self.loop_body()?));
        }
        let name: String = self.name().into();
        if name.is_empty() {
            return Err(self.error("a for without a variable"));
        }
        self.lines()?;
        let mut words = None;
        if self.reserved("in") {
            let mut listed = Vec::new();
            loop {
                self.blanks()?;
                match self.peek() {
                    Some(b';') | None => break,
                    Some(_) if self.line_end() > 0 => break,
                    Some(b'<' | b'>') if self.byte(1) == Some(b'(') => listed.push(self.word()?),
                    Some(byte) if ends_word(byte) => {
                        return Err(self.error("an operator among the words of a for"));
                    }
                    Some(_) => listed.push(self.word()?),
                }
            }
            words = Some(listed);
        }
        let body = self.loop_body()?;
        Ok(Shape::For { name, words, body })
    }

    fn case_command(&mut self) -> Result<Shape> {
        self.reserved("case");
        self.blanks()?;
        let subject = self.argument("a case without a subject")?;
        self.lines()?;
        self.expect("in")?;
        let mut arms = Vec::new();
        loop {
            self.lines()?;
            if self.reserved("esac") {
                return Ok(Shape::Case(subject, arms));
            }
            self.eat("(");
            let mut patterns = Vec::new();
            loop {
                self.blanks()?;
                patterns.push(self.argument("a pattern that is missing")?);
                self.blanks()?;
                if !self.eat("|") {
                    break;
                }
            }
            if !self.eat(")") {
                return Err(self.error("a pattern that is not closed"));
            }
            let body = self.script(Until::Arm)?;
            arms.push((patterns, body));
            let _ = self.eat(";;&") || self.eat(";;") || self.eat(";&");
        }
    }

    /// A word that must be here.
    fn argument(&mut self, missing: &'static str) -> Result<Word> {
        match self.peek() {
            Some(byte) if !ends_word(byte) && self.line_end() == 0 => self.word(),
            Some(b'<' | b'>') if self.byte(1) == Some(b'(') => self.word(),
            _ => Err(self.error(missing)),
        }
    }

    fn function_command(&mut self) -> Result<Command> {
        self.reserved("function");
        self.blanks()?;
        let word = self.argument("a function without a name")?;
        self.blanks()?;
        if self.eat("(") {
            self.blanks()?;
            if !self.eat(")") {
                return Err(self.error("a function's parentheses that are not empty"));
            }
        }
        self.function_body(literal(&word).unwrap_or_default())
    }

    fn function_body(&mut self, name: String) -> Result<Command> {
        self.lines()?;
        let compound = OPENING.contains(&self.plain()) || self.peek() == Some(b'(');
        if !compound {
            return Err(self.error("a function without a body"));
        }
        let body = self.nested(Self::command)?;
        Ok(Command { shape: Shape::Function(name, Rc::new(body)), redirects: Vec::new() })
    }

    fn coprocess(&mut self) -> Result<Command> {
        self.reserved("coproc");
        self.blanks()?;
        let start = self.at;
        let named = !OPENING.contains(&self.plain()) && !self.name().is_empty();
        self.blanks()?;
        let compound = OPENING.contains(&self.plain()) || self.peek() == Some(b'(');
        if !(named && compound) {
            self.at = start;
        }
        let command = self.nested(Self::command)?;
        Ok(Command { shape: Shape::Coprocess(Box::new(command)), redirects: Vec::new() })
    }

    /// `[[ .. ]]`: its words. Operators and parentheses stand between them.
    fn test_command(&mut self) -> Result<Shape> {
        self.reserved("[[");
        let mut words = Vec::new();
        loop {
            self.lines()?;
            if self.reserved("]]") {
                return Ok(Shape::Test(words));
            }
            match self.peek() {
                None => return Err(self.error("a [[ that is not closed")),
                Some(b'<' | b'>') if self.byte(1) == Some(b'(') => words.push(self.word()?),
                Some(b'(' | b')' | b'<' | b'>') => self.at += 1,
                Some(b'&' | b'|') if self.eat("&&") || self.eat("||") => {}
                Some(b'|') => self.at += 1,
                Some(byte) if ends_word(byte) => {
                    return Err(self.error("an operator that [[ does not know"));
                }
                Some(_) => {
                    let regular = literal_is(words.last(), "=~");
                    words.push(if regular { self.regular_expression()? } else { self.word()? });
                }
            }
        }
    }

    /// A word behind `=~`, in which `(`, `)` and `|` are plain, up to a blank outside parentheses.
    fn regular_expression(&mut self) -> Result<Word> {
        let start = self.at;
        let mut parts = Vec::new();
        let mut open = 0_usize;
        while let Some(byte) = self.peek() {
            match byte {
                b'(' => open += 1,
                b')' if open == 0 => break,
                b')' => open -= 1,
                _ if self.line_end() > 0 => break,
                b' ' | b'\t' if open == 0 => break,
                _ => {}
            }
            match ends_word(byte) {
                true => self.push_text(&mut parts, self.at, self.at + 1, false),
                false => self.unquoted_piece(&mut parts)?,
            }
        }
        self.spend(self.at - start + 1)?;
        Ok(Word { parts, span: self.span_from(start), array: None })
    }

    fn simple(&mut self) -> Result<Command> {
        let mut simple = Simple::default();
        let mut redirects = Vec::new();
        let start = self.at;
        loop {
            self.blanks()?;
            if let Some(redirect) = self.redirect()? {
                redirects.push(redirect);
                continue;
            }
            let process = self.starts("<(") || self.starts(">(");
            let first = simple.words.is_empty() && redirects.is_empty();
            match self.peek() {
                Some(b'(') if simple.words.len() == 1 && first_word_free(&simple, first) => {
                    return self.function_or_error(&simple);
                }
                Some(byte) if (!ends_word(byte) && self.line_end() == 0) || process => {
                    self.simple_word(&mut simple)?;
                }
                _ => break,
            }
        }
        if self.at == start {
            return Err(self.error("an operator where a command starts"));
        }
        if self.peek() == Some(b'(') {
            return Err(self.error("a parenthesis among words"));
        }
        Ok(Command { shape: Shape::Simple(simple), redirects })
    }

    fn function_or_error(&mut self, simple: &Simple) -> Result<Command> {
        self.at += 1;
        self.blanks()?;
        let name = simple.words.first().and_then(literal);
        match (name, self.eat(")")) {
            (Some(name), true) if simple.assignments.is_empty() => self.function_body(name),
            _ => Err(self.error("a parenthesis among words")),
        }
    }

    fn simple_word(&mut self, simple: &mut Simple) -> Result<()> {
        if !simple.words.is_empty() {
            let declaring = simple.words.first().and_then(literal);
            let mut word = self.word()?;
            let declaring = declaring.is_some_and(|name| DECLARING.contains(&name.as_str()));
            if declaring && self.peek() == Some(b'(') && ends_in_equals(&word) {
                word.array = Some(self.nested(Self::array)?);
            }
            simple.words.push(word);
            return Ok(());
        }
        let start = self.at;
        let name: String = self.name().into();
        let mut subscript = None;
        if !name.is_empty() && self.peek() == Some(b'[') {
            self.at += 1;
            subscript = Some(self.nested(|cursor| cursor.parts_until(b']', false, false))?);
        }
        let append = self.starts("+=");
        if !name.is_empty() && (append || self.starts("=")) {
            self.at += if append { 2 } else { 1 };
            let value = match self.peek() {
                Some(b'(') => Assigned::Array(self.nested(Self::array)?),
                _ => Assigned::Word(self.word()?),
            };
            simple.assignments.push(Assignment { name, subscript, append, value });
            return Ok(());
        }
        let Some(inner) = subscript else {
            self.at = start;
            let word = self.word()?;
            if literal(&word).is_some_and(|text| reserved_in_pieces(&word, &text)) {
                return Err(self.error("a reserved word in pieces"));
            }
            simple.words.push(word);
            return Ok(());
        };
        // Not an assignment, but a pattern such as `a[bc]d`.
        let mut parts = Vec::new();
        let behind = self.at;
        self.push_text(&mut parts, start, start + name.len() + 1, false);
        parts.extend(inner);
        self.push_text(&mut parts, behind - 1, behind, false);
        simple.words.push(self.word_behind(start, parts)?);
        Ok(())
    }

    /// Goes behind `( .. )`; returns its elements.
    fn array(&mut self) -> Result<Vec<Word>> {
        self.at += 1;
        let mut elements = Vec::new();
        loop {
            self.lines()?;
            if self.eat(")") {
                return Ok(elements);
            }
            elements.push(self.argument("an array that is not closed")?);
        }
    }

    fn redirect(&mut self) -> Result<Option<Redirect>> {
        let bytes = self.rest().as_bytes();
        let number = match bytes.first() {
            Some(b'0'..=b'9') => bytes.iter().take_while(|byte| byte.is_ascii_digit()).count(),
            Some(b'{') => {
                let inside = |byte: &&u8| **byte == b'_' || byte.is_ascii_alphanumeric();
                let name = bytes.iter().skip(1).take_while(inside).count();
                match bytes.get(name + 1) {
                    Some(b'}') if name > 0 => name + 2,
                    _ => 0,
                }
            }
            _ => 0,
        };
        let behind = bytes.get(number..).unwrap_or_default();
        let is_process = behind.starts_with(b"<(") || behind.starts_with(b">(");
        let starts = |operator: &&&str| behind.starts_with(operator.as_bytes());
        let operator = match REDIRECTIONS.iter().find(starts) {
            Some(operator) if !(is_process || number > 0 && operator.starts_with('&')) => *operator,
            _ => return Ok(None),
        };
        let prefix = self.slice(self.at, self.at + number);
        let number = (number > 0).then(|| prefix.into());
        self.at += prefix.len() + operator.len();
        if operator == "<<" || operator == "<<-" {
            let start = self.at;
            let body = Some(self.delimiter(operator == "<<-")?);
            let target = Word { span: self.span_from(start), ..Word::default() };
            return Ok(Some(Redirect { operator, number, target, body }));
        }
        self.blanks()?;
        let target = self.argument("a redirection without a target")?;
        Ok(Some(Redirect { operator, number, target, body: None }))
    }
}

fn first_word_free(simple: &Simple, first: bool) -> bool {
    first || simple.assignments.is_empty()
}

/// The text of a word that is made of text alone.
pub(super) fn literal(word: &Word) -> Option<String> {
    let text = |part: &Part| match part {
        Part::Text { text, .. } => Some(text.clone()),
        _ => None,
    };
    word.parts.iter().map(text).collect()
}

fn literal_is(word: Option<&Word>, wanted: &str) -> bool {
    word.and_then(literal).is_some_and(|text| text == wanted)
}

fn ends_in_equals(word: &Word) -> bool {
    match word.parts.last() {
        Some(Part::Text { text, quoted: false, .. }) => text.ends_with('='),
        _ => false,
    }
}

/// Bash joins lines before it looks for reserved words; here such a word is not looked for again.
fn reserved_in_pieces(word: &Word, text: &str) -> bool {
    let unquoted = |part: &Part| matches!(part, Part::Text { quoted: false, .. });
    let known = CLOSING.contains(&text) || OPENING.contains(&text) || text == "coproc";
    known && word.parts.len() > 1 && word.parts.iter().all(unquoted)
}
