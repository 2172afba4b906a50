//! Probes of a case.

use proptest::prelude::*;

use crate::plan::{Plan, pick};

/// A probe: from where, to whom, what.
#[derive(Clone, Debug)]
pub struct Ask {
    from: u8,
    to: u8,
    /// Mostly an address that there is; else one that there is not.
    odd: u8,
    kind: u8,
    option: u8,
    how: u8,
}

/// All probes.
pub fn strategy() -> impl Strategy<Value = Ask> {
    let n = any::<u8>;
    (n(), n(), n(), n(), n(), n()).prop_map(|(from, to, odd, kind, option, how)| Ask {
        from,
        to,
        odd,
        kind,
        option,
        how,
    })
}

/// How long a probe waits, but for an ARP request, which waits for more answers to the end: longer than three requests for a neighbour, shorter than TCP's first repeat.
const WAIT: &str = "-W 0.25";
/// Ports, most of them served by somebody.
const TCP: [u16; 4] = [80, 80, 8080, 81];
const UDP: [u16; 3] = [53, 53, 99];

impl Ask {
    /// Its line, and the mechanism it is counted as.
    pub fn line(&self, p: &Plan) -> (String, &'static str) {
        let from = usize::from(self.from) % p.nodes.len();
        let place = &p.nodes[from].place;
        let ip = self.target(p, from);
        let (what, word) = match self.kind {
            0..=109 => (format!("ping {WAIT} {}{ip}", self.sized(p, from)), "ping"),
            110..=139 => (format!("http {WAIT} {ip}:{}", pick(&TCP, self.how)), "http"),
            140..=174 => (format!("tcp {WAIT} {}{ip}:{}", self.sourced(p, from), pick(&TCP, self.how)), "tcp"),
            175..=215 => (format!("udp {WAIT} {}{ip}:{}", self.sourced(p, from), pick(&UDP, self.how)), "udp"),
            216..=228 => (format!("bulk {WAIT} -n {} {ip}:80", pick(&[3000, 20_000, 1], self.how)), "bulk"),
            229..=232 => (format!("traceroute {WAIT} -m 3 {}{ip}", pick(&["", "--icmp "], self.how)), "traceroute"),
            _ => match p.l3_of(from).first() {
                Some(_) => {
                    let all = p.l3_of(from);
                    (format!("arping -W 0.08 -I {} {ip}", p.devs[*pick(&all, self.how)].name), "arping")
                }
                None => (format!("ping {WAIT} {ip}"), "ping"),
            },
        };
        (format!("{place}> {what}"), word)
    }

    fn target(&self, p: &Plan, from: usize) -> String {
        let others: Vec<String> = p.addresses().filter(|(d, _)| p.devs[*d].node != from).map(|x| x.1).collect();
        let own: Vec<String> = p.addresses().filter(|(d, _)| p.devs[*d].node == from).map(|x| x.1).collect();
        let list = if others.is_empty() { &own } else { &others };
        let there = if list.is_empty() { "10.1.0.1".to_owned() } else { pick(list, self.to).clone() };
        let net = there.rsplit_once('.').map_or("10.1.0", |x| x.0).to_owned();
        match self.odd {
            0..=215 => there,
            216..=227 => own.first().map_or("127.0.0.1".to_owned(), |_| pick(&own, self.to).clone()),
            228..=237 => format!("{net}.99"),
            238..=243 => format!("{net}.255"),
            _ => (*pick(&["10.77.0.1", "8.8.8.8", "127.0.0.1", "10.2.0.0"], self.to)).to_owned(),
        }
    }

    fn sized(&self, p: &Plan, from: usize) -> String {
        match self.option {
            0..=169 => self.sourced(p, from),
            170..=220 => {
                // Where packets are tracked, pieces are joined and cut again in place: a packet socket that still holds
                // such a piece shows what became of it.
                let sizes: &[u16] =
                    if p.tracks { &[900, 500, 0] } else { &[900, 1200, 1372, 1400, 1472, 1473, 2000, 3000, 0] };
                let size = pick(sizes, self.how);
                format!("-s {size} {}", pick(&["", "-M do ", "-M dont ", "-M want "], self.how / 16))
            }
            _ => format!("-t {} ", pick(&[1, 2, 3], self.how)),
        }
    }

    /// A source of its own, now and then.
    fn sourced(&self, p: &Plan, from: usize) -> String {
        let own: Vec<String> = p.addresses().filter(|(d, _)| p.devs[*d].node == from).map(|x| x.1).collect();
        let devs = p.l3_of(from);
        match self.option {
            150..=159 if !own.is_empty() => format!("-S {} ", pick(&own, self.how)),
            160..=169 if !devs.is_empty() => format!("-I {} ", p.devs[*pick(&devs, self.how)].name),
            _ => String::new(),
        }
    }
}
