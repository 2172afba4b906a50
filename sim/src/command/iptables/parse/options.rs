//! The basic options of iptables, and which go together.

use super::{cmd, opt};
use crate::command::iptables::fail::Fail;
use crate::command::iptables::getopt::Arg::{self, Maybe, No, Yes};
use crate::command::iptables::getopt::{Code, Long};

/// Short options (`IPT_OPTSTRING`).
pub const SHORT: &[(char, Arg)] = &[
    ('A', Yes),
    ('C', Yes),
    ('D', Yes),
    ('E', Yes),
    ('F', Maybe),
    ('I', Yes),
    ('L', Maybe),
    ('M', Yes),
    ('N', Yes),
    ('P', Yes),
    ('V', No),
    ('X', Maybe),
    ('Z', Maybe),
    ('c', Yes),
    ('d', Yes),
    ('i', Yes),
    ('j', Yes),
    ('o', Yes),
    ('p', Yes),
    ('s', Yes),
    ('t', Yes),
    ('R', Yes),
    ('S', Maybe),
    ('W', Maybe),
    ('4', No),
    ('6', No),
    ('b', No),
    ('f', No),
    ('g', Yes),
    ('h', Maybe),
    ('m', Yes),
    ('n', No),
    ('v', No),
    ('w', Maybe),
    ('x', No),
];

const fn long(name: &'static str, arg: Arg, code: char) -> Long {
    Long { name, arg, code: Code::Short(code) }
}

/// Long options.
pub const LONG: &[Long] = &[
    long("append", Yes, 'A'),
    long("delete", Yes, 'D'),
    long("check", Yes, 'C'),
    long("insert", Yes, 'I'),
    long("replace", Yes, 'R'),
    long("list", Maybe, 'L'),
    long("list-rules", Maybe, 'S'),
    long("flush", Maybe, 'F'),
    long("zero", Maybe, 'Z'),
    long("new-chain", Yes, 'N'),
    long("delete-chain", Maybe, 'X'),
    long("rename-chain", Yes, 'E'),
    long("policy", Yes, 'P'),
    long("source", Yes, 's'),
    long("destination", Yes, 'd'),
    long("src", Yes, 's'),
    long("dst", Yes, 'd'),
    long("protocol", Yes, 'p'),
    long("in-interface", Yes, 'i'),
    long("jump", Yes, 'j'),
    long("table", Yes, 't'),
    long("match", Yes, 'm'),
    long("numeric", No, 'n'),
    long("out-interface", Yes, 'o'),
    long("verbose", No, 'v'),
    long("wait", Maybe, 'w'),
    long("wait-interval", Maybe, 'W'),
    long("exact", No, 'x'),
    long("fragments", No, 'f'),
    long("version", No, 'V'),
    long("help", Maybe, 'h'),
    long("line-numbers", No, '0'),
    long("modprobe", Yes, 'M'),
    long("set-counters", Yes, 'c'),
    long("goto", Yes, 'g'),
    long("ipv4", No, '4'),
    long("ipv6", No, '6'),
];

/// Letters of commands by bit.
const COMMANDS: &[u8] = b"IDDRALFZNXPESZC";
/// Letters of options by bit.
const OPTIONS: &[u8] = b"nsdpjvxio0cf";
/// Which options a command may not have, by bit (`commands_v_options`).
const FORBIDDEN: [&[u8; 12]; 15] = [
    b"x     x  x  ",
    b"x     x  xx ",
    b"xxxxx xxxxxx",
    b"x     x  x  ",
    b"x     x  x  ",
    b" xxxx  xx xx",
    b"xxxxx xxxxxx",
    b"xxxxx xxxxxx",
    b"xxxxx xxxxxx",
    b"xxxxx xxxxxx",
    b"xxxxx xxxx x",
    b"xxxxx xxxxxx",
    b"xxxxx xxxxxx",
    b"xxxxx xxxxxx",
    b"x     x  xx ",
];
/// Options that may be negated.
const NEGATABLE: u32 = opt::SOURCE | opt::DESTINATION | opt::PROTOCOL | opt::VIA_IN | opt::VIA_OUT | opt::FRAGMENT;

fn letter(letters: &[u8], bit: u32) -> char {
    letters.get(31 - bit.leading_zeros() as usize).map_or('?', |b| char::from(*b))
}

/// Letter of an option.
pub fn option_letter(option: u32) -> char {
    letter(OPTIONS, option)
}

/// Adds a command to those given; `with` are those that it may stand beside.
pub fn add_command(all: &mut u32, new: u32, with: u32, invert: bool) -> Result<(), Fail> {
    if invert {
        return Err(Fail::param("unexpected '!' flag"));
    }
    let other = *all & !with;
    if other != 0 {
        let (a, b) = (letter(COMMANDS, new), letter(COMMANDS, other));
        return Err(Fail::param(format!("Cannot use -{a} with -{b}")));
    }
    *all |= new;
    Ok(())
}

/// Adds an option to those given.
pub fn set_option(all: &mut u32, option: u32, invert: bool) -> Result<(), Fail> {
    let c = option_letter(option);
    if *all & option != 0 {
        return Err(Fail::param(format!("multiple -{c} flags not allowed")));
    }
    *all |= option;
    if invert && NEGATABLE & option == 0 {
        return Err(Fail::param(format!("cannot have ! before -{c}")));
    }
    Ok(())
}

/// An option is legal with a command set if any of the commands allows it.
pub fn check_together(command: u32, options: u32) -> Result<(), Fail> {
    let commands = || FORBIDDEN.iter().enumerate().filter(|(j, _)| command & 1 << j != 0);
    for (i, c) in OPTIONS.iter().enumerate().filter(|(i, _)| options & 1 << i != 0) {
        if commands().next().is_some() && commands().all(|(_, row)| row[i] == b'x') {
            return Err(Fail::param(format!("Illegal option `-{}' with this command", char::from(*c))));
        }
    }
    Ok(())
}

/// A device that a chain's packets do not have yet, or no more.
pub fn check_devices(command: u32, options: u32, chain: &str) -> Result<(), Fail> {
    if command & (cmd::WITH_RULE | cmd::DELETE_NUM) == 0 {
        return Ok(());
    }
    let wrong = match chain {
        "PREROUTING" | "INPUT" => options & opt::VIA_OUT,
        "POSTROUTING" | "OUTPUT" => options & opt::VIA_IN,
        _ => 0,
    };
    if wrong != 0 {
        return Err(Fail::param(format!("Can't use -{} with {chain}\n", option_letter(wrong))));
    }
    Ok(())
}
