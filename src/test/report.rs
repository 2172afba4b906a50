//! What `packetwalk test` prints, in each form.

use packetwalk_sim::scenario::expect::Failure;
use quick_junit::{NonSuccessKind, TestCase, TestCaseStatus, TestSuite};
use serde_json::{Value, json};

use super::Form;
use super::suite::Case;
use crate::{End, out, problem};

/// A report that grows case by case.
pub struct Report {
    form: Form,
    passed: usize,
    failed: usize,
    bad: usize,
    /// Nothing of them could be checked on the live kernel.
    unchecked: usize,
    json: Vec<Value>,
    junit: Vec<TestCase>,
}

impl Report {
    /// A report in a form; so many paths were no good already.
    pub fn new(form: Form, bad: usize) -> Report {
        Report { form, passed: 0, failed: 0, bad, unchecked: 0, json: Vec::new(), junit: Vec::new() }
    }

    /// Adds a case, and prints it where the form goes case by case.
    pub fn add(&mut self, c: Case) {
        match c.result() {
            "bad-input" => self.bad += 1,
            "fail" => self.failed += 1,
            "not-checked" => self.unchecked += 1,
            _ => self.passed += 1,
        }
        problem::print(&c.said);
        match self.form {
            Form::Text => out::print(&text(&c)),
            Form::Json => self.json.push(value(&c)),
            Form::Junit => self.junit.push(junit(&c)),
            Form::Github => out::print(&github(&c)),
        }
    }

    /// Prints the rest; how it all ended.
    pub fn finish(self) -> End {
        let Report { form, passed, failed, bad, unchecked, json, junit } = self;
        match form {
            Form::Text | Form::Github => {
                let more =
                    if unchecked > 0 { format!(", {unchecked} could not be checked here") } else { String::new() };
                out::print(&format!("\n{passed} passed, {failed} failed, {bad} could not be run{more}\n"));
            }
            Form::Json => {
                let all = json!({
                    "schema_version": 1, "passed": passed, "failed": failed, "bad": bad, "not_checked": unchecked,
                    "scenarios": json,
                });
                out::print(&format!("{all:#}\n"));
            }
            Form::Junit => {
                let mut report = quick_junit::Report::new("packetwalk");
                let mut suite = TestSuite::new("packetwalk");
                suite.add_test_cases(junit);
                report.add_test_suite(suite);
                // It fails for what XML cannot hold, and that was taken out before.
                out::print(&report.to_string().unwrap_or_default());
            }
        }
        match (bad, failed) {
            (0, 0) => End::Good,
            (0, _) => End::Failed,
            _ => End::Bad,
        }
    }
}

/// What a failure is about, in lines of a label and a text.
fn lines(f: &Failure) -> Vec<(&'static str, String)> {
    let mut out = Vec::new();
    let parts = [
        ("expected", Some(&f.expected)),
        ("got", Some(&f.got)),
        ("parted", f.parted.as_ref()),
        ("why", f.why.as_ref()),
    ];
    for (label, value) in parts {
        for (i, line) in value.into_iter().flat_map(|v| v.lines()).enumerate() {
            out.push((if i == 0 { label } else { "" }, line.to_owned()));
        }
    }
    out
}

fn text(c: &Case) -> String {
    let word = match c.result() {
        "bad-input" => "BAD",
        "fail" => "FAIL",
        "not-checked" => "--",
        _ => "ok",
    };
    let mut t = format!("{word:<5}{}\n", c.name);
    for f in c.failures.iter().flatten() {
        t.push_str(&format!("     {}:{}:{}: step {}, {}\n", c.file, f.at.line, f.at.column, f.step, f.key));
        for (label, line) in lines(f) {
            t.push_str(format!("       {label:<9}{line}").trim_end());
            t.push('\n');
        }
    }
    for n in c.kernel.iter().flat_map(|k| &k.not) {
        t.push_str(&format!("     not checked: {n}\n"));
    }
    t
}

fn value(c: &Case) -> Value {
    let failure = |f: &Failure| {
        json!({"step": f.step, "line": f.at.line, "column": f.at.column, "key": f.key, "expected": f.expected,
            "got": f.got, "parted": f.parted, "why": f.why})
    };
    match &c.failures {
        None => {
            let problem = |p: &problem::Kept| {
                let at = p.at.as_ref().map(|x| x.1);
                json!({"line": at.map(|a| a.line), "column": at.map(|a| a.column), "what": p.what, "help": p.help})
            };
            let all: Vec<Value> = c.problems.iter().map(problem).collect();
            json!({"scenario": c.name, "file": c.file, "result": "bad-input", "problems": all})
        }
        Some(list) => {
            let all: Vec<Value> = list.iter().map(failure).collect();
            let mut v = json!({"scenario": c.name, "file": c.file, "result": c.result(), "failures": all});
            if let Some(k) = &c.kernel {
                v["checked"] = json!(k.checked);
                v["not_checked"] = json!(k.not);
            }
            v
        }
    }
}

/// A failure as a few lines, without its place.
fn body(f: &Failure) -> String {
    let mut t = String::new();
    for (label, line) in lines(f) {
        t.push_str(&format!("{label:<9}{line}\n"));
    }
    t
}

fn junit(c: &Case) -> TestCase {
    let status = match &c.failures {
        Some(_) if c.result() == "not-checked" => {
            let mut s = TestCaseStatus::skipped();
            s.set_message(c.kernel.iter().flat_map(|k| k.not.clone()).collect::<Vec<_>>().join("; "));
            s
        }
        Some(f) if f.is_empty() => TestCaseStatus::success(),
        Some(list) => {
            let mut s = TestCaseStatus::non_success(NonSuccessKind::Failure);
            let (n, f) = (list.len(), &list[0]);
            let more = if n > 1 { format!(", and {} more", n - 1) } else { String::new() };
            s.set_message(format!("step {}, {}: expected {}, got {}{more}", f.step, f.key, f.expected, f.got));
            let mut t = String::new();
            for f in list {
                t.push_str(&format!("{}:{}:{}: step {}, {}\n", c.file, f.at.line, f.at.column, f.step, f.key));
                t.push_str(&body(f));
            }
            s.set_description(t);
            s
        }
        None => {
            let mut s = TestCaseStatus::non_success(NonSuccessKind::Error);
            s.set_message(c.problems.first().map_or("it could not be run".to_owned(), |p| p.what.clone()));
            s.set_description(c.said.clone());
            s
        }
    };
    let mut case = TestCase::new(c.name.clone(), status);
    case.set_classname(c.file.clone());
    case
}

/// Commands of a GitHub workflow: each makes an annotation at its line.
fn github(c: &Case) -> String {
    let mut t = String::new();
    for f in c.failures.iter().flatten() {
        let title = format!("{}: step {}, {}", c.name, f.step, f.key);
        let (line, col) = (f.at.line, f.at.column);
        t.push_str(&annotation(&format!("file={},line={line},col={col}", property(&c.file)), &title, &body(f)));
    }
    if c.failures.is_none() {
        for p in &c.problems {
            let place = match &p.at {
                Some((file, at)) => format!("file={},line={},col={}", property(file), at.line, at.column),
                None => format!("file={}", property(&c.file)),
            };
            t.push_str(&annotation(&place, &c.name, &format!("{}\n{}", p.what, p.help)));
        }
    }
    t
}

fn annotation(place: &str, title: &str, text: &str) -> String {
    let data = text.trim_end().replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A");
    format!("::error {place},title={}::{data}\n", property(title))
}

/// A value of a property: what would end it is written otherwise.
fn property(t: &str) -> String {
    let t = t.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A");
    t.replace(':', "%3A").replace(',', "%2C")
}
