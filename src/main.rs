//! `packetwalk`: walks a packet through Linux container networking and says, hop by hop, what decided and why.
//!
//! One file per subcommand, no logic of its own: the model is `packetwalk-sim`.

mod compare;
mod completions;
mod diff;
mod doctor;
mod filter;
mod list;
mod load;
mod out;
mod problem;
mod run;
mod schema;
mod test;
mod tui;
mod why;

use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand, ValueEnum};

/// Walks a packet through Linux container networking and says, hop by hop, what decided and why.
#[derive(Parser)]
#[command(name = "packetwalk", version)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Walk a scenario in the simulator and print its trace
    Run(run::Args),
    /// Run the expectations of scenarios; exit 0 if all hold, 1 if some fail, 2 on bad input
    Test(test::Args),
    /// Explain a probe that failed: cause, evidence, fix; exit 1 where there was something to explain
    Why(why::Args),
    /// Say which probes came to something else: two scenarios, two engines or two sets of rules; exit 1 if any
    Diff(diff::Args),
    /// Walk one packet through what iptables-save printed, rule by rule; exit 0 accepted, 1 dropped, 2 bad input, 3 not
    /// modelled
    Filter(filter::Args),
    /// Replay scenarios on the live kernel and print every divergence; exit 1 if any, 3 where this machine cannot
    Compare(compare::Args),
    /// Say what this machine can compare and what not; exit 3 where something is missing
    Doctor(doctor::Args),
    /// Run a scenario on the live kernel and keep what it did, for `compare --against`
    Record(compare::RecordArgs),
    /// Step through a scenario in the terminal; without one, choose from the library
    Tui(tui::Args),
    /// List the library, by topic
    List,
    /// Print the JSON Schema of scenario files
    Schema,
    /// Print completions for a shell
    Completions(completions::Args),
}

/// Forms of a report.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people
    Text,
    /// For programs
    Json,
}

/// How a run of the program ended.
enum End {
    /// All well.
    Good,
    /// An expectation failed.
    Failed,
    /// Bad input.
    Bad,
    /// This machine lacks what it takes.
    Missing,
}

fn main() -> ExitCode {
    if let Some(code) = packetwalk_real::stage::take_part().or_else(doctor::stage) {
        return code;
    }
    problem::install();
    let cli = Cli::parse();
    let end = match cli.command {
        None if tui::terminal() => tui::run(&tui::Args::default()),
        None => {
            out::print(&Cli::command().render_help().to_string());
            End::Good
        }
        Some(Command::Run(a)) => run::run(&a),
        Some(Command::Test(a)) => test::run(&a),
        Some(Command::Why(a)) => why::run(&a),
        Some(Command::Diff(a)) => diff::run(&a),
        Some(Command::Filter(a)) => filter::run(&a),
        Some(Command::Compare(a)) => compare::run(&a),
        Some(Command::Record(a)) => compare::run_record(&a),
        Some(Command::Doctor(a)) => doctor::run(&a),
        Some(Command::Tui(a)) => tui::run(&a),
        Some(Command::List) => list::run(),
        Some(Command::Schema) => schema::run(),
        Some(Command::Completions(a)) => completions::run(&a, &mut Cli::command()),
    };
    ExitCode::from(match end {
        End::Good => 0,
        End::Failed => 1,
        End::Bad => 2,
        End::Missing => 3,
    })
}
