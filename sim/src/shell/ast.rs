//! A line of shell as a value: what the interpreter walks.
//!
//! Columns count characters from 0 within the command line.

use std::rc::Rc;

/// A list of pipelines, run one after the other.
#[derive(Clone, Debug, Default)]
pub struct Script(pub Vec<AndOr>);

/// Pipelines joined by `&&` and `||`.
#[derive(Clone, Debug)]
pub struct AndOr {
    /// The first one.
    pub first: Pipeline,
    /// The others: `true` after `&&`, `false` after `||`.
    pub rest: Vec<(bool, Pipeline)>,
    /// Ends with `&`.
    pub background: bool,
}

/// Commands joined by `|`.
#[derive(Clone, Debug)]
pub struct Pipeline {
    /// Begins with `!`.
    pub bang: bool,
    /// Its commands.
    pub commands: Vec<Command>,
}

/// A command with its redirections.
#[derive(Clone, Debug)]
pub struct Command {
    /// What it is.
    pub kind: CommandKind,
    /// Its redirections, in order.
    pub redirects: Vec<Redirect>,
    /// Where it begins.
    pub col: usize,
}

/// Kinds of commands.
#[derive(Clone, Debug)]
pub enum CommandKind {
    /// Assignments and words.
    Simple {
        /// `NAME=word` in front: name, value, and whether it is `+=`.
        assigns: Vec<(String, Word, bool)>,
        /// The words.
        words: Vec<Word>,
    },
    /// `{ …; }`.
    Group(Script),
    /// `( … )`.
    Subshell(Script),
    /// `for NAME in …; do …; done`; without `in` the positional parameters.
    For {
        /// Variable.
        var: String,
        /// Words.
        words: Option<Vec<Word>>,
        /// Body.
        body: Script,
    },
    /// `if … then … elif … else … fi`.
    If {
        /// Conditions with their bodies.
        arms: Vec<(Script, Script)>,
        /// `else`.
        otherwise: Option<Script>,
    },
    /// `while … do … done`.
    While {
        /// `until`.
        until: bool,
        /// Condition.
        cond: Script,
        /// Body.
        body: Script,
    },
    /// `case WORD in PATTERN) … ;; esac`.
    Case {
        /// Word.
        word: Word,
        /// Patterns with their bodies.
        arms: Vec<(Vec<Word>, Script)>,
    },
    /// `NAME () …`.
    Function {
        /// Name.
        name: String,
        /// Body.
        body: Rc<Command>,
    },
    /// `(( … ))`.
    Arith(String),
}

/// A redirection.
#[derive(Clone, Debug)]
pub struct Redirect {
    /// File descriptor it is about.
    pub fd: i32,
    /// What it becomes.
    pub to: RedirectTo,
}

/// What a file descriptor becomes.
#[derive(Clone, Debug)]
pub enum RedirectTo {
    /// `< file`.
    Read(Word),
    /// `> file`.
    Write(Word),
    /// `>> file`.
    Append(Word),
    /// `>&N`, `<&N`.
    Dup(i32),
    /// `&> file` (`true` for `&>>`): standard output and standard error.
    Both(Word, bool),
    /// `<<EOF`: the text, expanded where the delimiter was not quoted.
    Here(Word),
    /// `<<< word`.
    HereString(Word),
    /// `>&-`.
    Close,
}

/// A word before expansion.
#[derive(Clone, Debug)]
pub struct Word {
    /// Where it begins.
    pub col: usize,
    /// Its pieces.
    pub pieces: Vec<Piece>,
}

impl Word {
    /// The text, where no expansion can change it.
    pub fn literal(&self) -> Option<String> {
        let mut out = String::new();
        for p in &self.pieces {
            match p {
                Piece::Text(t) | Piece::Quoted(t) => out.push_str(t),
                Piece::Double(ps) => {
                    for p in ps {
                        match p {
                            Piece::Text(t) | Piece::Quoted(t) => out.push_str(t),
                            _ => return None,
                        }
                    }
                }
                _ => return None,
            }
        }
        Some(out)
    }
}

/// A piece of a word.
#[derive(Clone, Debug)]
pub enum Piece {
    /// Unquoted text.
    Text(String),
    /// Quoted text: not split, no pattern.
    Quoted(String),
    /// Between double quotes: expanded, not split.
    Double(Vec<Piece>),
    /// `$NAME`, `${…}`.
    Param(Box<Param>),
    /// `$( … )` or backquotes.
    Subst(Script),
    /// `$(( … ))`.
    Arith(String),
}

/// A parameter expansion.
#[derive(Clone, Debug)]
pub struct Param {
    /// Name: a variable, a number, or one of `@ * # ? $ ! - 0`.
    pub name: String,
    /// What is done with it.
    pub op: ParamOp,
}

/// What is done with a parameter.
#[derive(Clone, Debug)]
pub enum ParamOp {
    /// `$x`.
    Plain,
    /// `${x:-word}`; the flag: null counts as unset.
    Default(bool, Vec<Piece>),
    /// `${x:=word}`.
    Assign(bool, Vec<Piece>),
    /// `${x:?word}`.
    Error(bool, Vec<Piece>),
    /// `${x:+word}`.
    Alternative(bool, Vec<Piece>),
    /// `${#x}`.
    Length,
    /// `${x%p}`, `${x%%p}`, `${x#p}`, `${x##p}`: suffix or prefix, longest or not.
    Strip {
        /// `%` rather than `#`.
        suffix: bool,
        /// Doubled.
        longest: bool,
        /// Pattern.
        pattern: Vec<Piece>,
    },
    /// `${x/p/r}` and `${x//p/r}`.
    Replace {
        /// `//`.
        all: bool,
        /// Pattern.
        pattern: Vec<Piece>,
        /// Replacement.
        with: Vec<Piece>,
    },
    /// `${x:offset:length}`.
    Substring(String, Option<String>),
}
