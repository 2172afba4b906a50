//! Names, the way a C library looks them up: `/etc/hosts`, then the name servers one after the other.

use std::net::{Ipv4Addr, UdpSocket};
use std::time::Duration;

use packetwalk_sim::app::dns::{Asked, How, PORT, ResolvConf, in_hosts};
use packetwalk_sim::app::probe::Probe;
use packetwalk_sim::wire::dns::{Data, Message, QType, Rcode, in_addr_arpa};

use super::NameFiles;

/// How long a server is waited for.
const WAIT: Duration = Duration::from_secs(2);

/// The addresses of a probe's target, and how they were found where they had to be looked up.
pub fn resolve(p: &Probe, id: u16, files: &NameFiles) -> (Vec<String>, Option<How>) {
    let conf = ResolvConf::parse(&files.resolv);
    let (names, qtype) = match p.ptr.then(|| p.target.parse().ok()).flatten() {
        Some(a) => (vec![in_addr_arpa(a)], QType::Ptr),
        None => {
            if p.target.parse::<Ipv4Addr>().is_ok() {
                return (vec![p.target.clone()], None);
            }
            if let Some(a) = in_hosts(&files.hosts, &p.target).first() {
                return (vec![a.to_string()], Some(How { via: "hosts", queries: Vec::new() }));
            }
            (conf.candidates(&p.target), QType::A)
        }
    };
    let mut queries = Vec::new();
    for name in names {
        for server in &conf.servers {
            let asked = ask(*server, &name, qtype, id);
            let (found, said) = (asked.answers.clone().unwrap_or_default(), asked.rcode.clone());
            queries.push(asked);
            if said == "NOERROR" && !found.is_empty() {
                return (found, Some(How { via: "dns", queries }));
            }
            if said == "NOERROR" || said == "NXDOMAIN" {
                break;
            }
        }
    }
    (Vec::new(), Some(How { via: "dns", queries }))
}

/// One query to one server.
fn ask(server: Ipv4Addr, name: &str, qtype: QType, id: u16) -> Asked {
    let mut asked = Asked { server: server.to_string(), name: name.to_owned(), ..Default::default() };
    match exchange(server, name, qtype, id) {
        Ok(Some(m)) => {
            asked.rcode = m.rcode.name().to_owned();
            asked.ttl = m.answers.last().map(|r| r.ttl);
            asked.answers = Some(m.answers.iter().filter_map(|r| shown(&r.data)).collect());
        }
        Ok(None) => asked.rcode = "FORMERR".to_owned(),
        Err(e) if matches!(e.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut) => {
            asked.rcode = "timeout".to_owned();
        }
        Err(e) => {
            let errno = nix::errno::Errno::from_raw(e.raw_os_error().unwrap_or(22));
            asked.rcode = super::local_class(errno).as_str().to_owned();
        }
    }
    asked
}

fn exchange(server: Ipv4Addr, name: &str, qtype: QType, id: u16) -> std::io::Result<Option<Message>> {
    let query = Message::query(id, name, qtype).bytes(false);
    let query = query.ok_or_else(|| std::io::Error::other(Rcode::FormErr.name()))?;
    let s = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
    s.set_read_timeout(Some(WAIT))?;
    s.connect((server, PORT))?;
    s.send(&query)?;
    let mut buf = [0u8; 4096];
    let n = s.recv(&mut buf)?;
    Ok(Message::parse(&buf[..n]))
}

fn shown(d: &Data) -> Option<String> {
    match d {
        Data::A(a) => Some(a.to_string()),
        Data::Ptr(n) => Some(n.clone()),
        // Other kinds of records are passed over.
        _ => None,
    }
}
